"""The certificate: checks an answer against its snapshot without a solver.

Quantities, terms and prices are checked in exact arithmetic; optimality by pricing every lane in every window with
the answer's own shadow prices: if none gains, no seller and buyer would rather contract with each other, and the
shadow prices bound the welfare of any other answer (linear programming duality).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

from .accounts import EXACT, HALF_STEP, accounts, freight_of, length, mean_price, price_sum
from .answer import PRICE_STEP, Certificate, Contract, ShadowPrice
from .blocks import block_faults
from .building import build
from .graph import sub_markets
from .lanes import Lanes, find_lanes
from .limits import UNLIMITED
from .pricing import Duals, Values, conversion_margin
from .shadow_prices import read_duals
from .sides import Floats, Ints, Market
from .snapshot import Snapshot
from .tally import Tally

BLOCKING = 1e-6  # a gain above this share of the typical price, per period, would be worth a better contract
ROUNDED = 1e-13  # relative; less than this is what sums of prices are rounded by, and a fen of all there could be


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the check of one sub-market found."""

    welfare: Fraction
    bound: float
    lanes: int
    candidates: int
    blocking_pairs: int
    violations: tuple[str, ...]


def check(
    snapshot: Snapshot, contracts: Sequence[Contract], prices: Iterable[ShadowPrice], uncertified: Sequence[str] = ()
) -> Certificate:
    """The certificate of an answer, worked out afresh. `uncertified` are offers whose block terms put them outside
    the claim that there is no blocking pair."""
    known = tuple(prices)
    findings = []
    for products in sub_markets(snapshot):
        market = build(snapshot.of_products(products))
        lanes = find_lanes(market)
        mine = [contract for contract in contracts if contract.product in products]
        findings.append(check_market(market, mine, read_duals(market, lanes, known), uncertified, lanes))
    return merge(findings, uncertified)


def merge(findings: Sequence[Finding], uncertified: Sequence[str] = ()) -> Certificate:
    """One certificate for independent sub-markets."""
    welfare = sum((finding.welfare for finding in findings), Fraction(0))
    bound = sum(finding.bound for finding in findings)
    gap = bound - float(welfare)
    return Certificate(
        welfare=_money(float(welfare)),
        dual_bound=_money(bound),
        gap=_money(gap),
        rounding_loss=_money(gap),
        lanes=sum(finding.lanes for finding in findings),
        candidates=sum(finding.candidates for finding in findings),
        rounds=0,
        blocking_pairs=sum(finding.blocking_pairs for finding in findings),
        violations=tuple(violation for finding in findings for violation in finding.violations),
        uncertified=tuple(uncertified),
    )


def check_market(
    market: Market,
    contracts: Sequence[Contract],
    duals: Duals,
    uncertified: Sequence[str] = (),
    lanes: Lanes | None = None,
) -> Finding:
    """Check one sub-market; `lanes` are found anew where none are given."""
    lanes = find_lanes(market) if lanes is None else lanes
    places = places_of(market, lanes, contracts)
    violations = [*_unknown(contracts, places), *_twice(contracts)]
    found = [(contract, lane) for contract, lane in zip(contracts, places, strict=True) if lane >= 0]
    violations += _term_faults(market, lanes, found)
    violations += _limit_faults(market, lanes, found)
    violations += block_faults(market.snapshot, [contract for contract, _ in found])
    violations += _price_faults(market, lanes, found)
    violations += _sign_faults(market, duals)
    values = Values(market, lanes, duals)
    reduced = values.best().reduced
    outside = np.array([label in set(uncertified) for label in market.sellers.label], dtype=bool)[lanes.seller]
    outside |= np.array([label in set(uncertified) for label in market.buyers.label], dtype=bool)[lanes.buyer]
    return Finding(
        welfare=_welfare(market, lanes, found),
        bound=_dual_bound(market, lanes, duals, np.where(outside, np.maximum(reduced, 0), reduced)),
        lanes=len(lanes),
        candidates=len(lanes) * len(market.windows),
        blocking_pairs=int(((reduced > BLOCKING * market.periods) & ~outside).sum()),
        violations=tuple(violations),
    )


def _money(amount: float) -> Decimal:
    return Decimal(repr(amount)).quantize(Decimal("0.01"))


def places_of(market: Market, lanes: Lanes, contracts: Sequence[Contract]) -> list[int]:
    """The lane of each contract, -1 where there is none."""
    seller = {
        (label, market.products[p]): i
        for i, (label, p) in enumerate(_named(market.sellers.label, market.sellers.product))
    }
    buyer = {
        (label, market.products[p]): j
        for j, (label, p) in enumerate(_named(market.buyers.label, market.buyers.product))
    }
    width = len(market.buyers)
    ends = [(seller.get((c.seller, c.product), -1), buyer.get((c.buyer, c.product), -1)) for c in contracts]
    wanted = [i * width + j if min(i, j) >= 0 else -1 for i, j in ends]
    keys = lanes.seller * width + lanes.buyer
    at = np.flatnonzero(np.isin(keys, wanted))  # few of very many
    lane = dict(zip(keys[at].tolist(), at.tolist(), strict=True))
    return [lane.get(key, -1) for key in wanted]


def _named(labels: Sequence[str], products: Ints) -> Iterator[tuple[str, int]]:
    return zip(labels, products.tolist(), strict=True)


def _unknown(contracts: Sequence[Contract], places: Sequence[int]) -> Iterator[str]:
    for contract, lane in zip(contracts, places, strict=True):
        if lane < 0:
            yield f"{_name(contract)}: no eligible lane between the two"


def _twice(contracts: Sequence[Contract]) -> Iterator[str]:
    seen: set[tuple[object, ...]] = set()
    for contract in contracts:
        key = contract.seller, contract.buyer, contract.product, contract.first, contract.last
        if key in seen:
            yield f"{_name(contract)}: it is there twice"
        seen.add(key)


def _name(contract: Contract) -> str:
    return f"contract {contract.seller} -> {contract.buyer} [{contract.first}, {contract.last}]"


Found = Sequence[tuple[Contract, int]]


def _term_faults(market: Market, lanes: Lanes, found: Found) -> Iterator[str]:
    windows = {(int(first), int(last)) for first, last in market.windows}
    offers = {offer.offer: offer for offer in market.snapshot.offers}
    for contract, lane in found:
        periods = contract.last - contract.first + 1
        if (contract.first, contract.last) not in windows:
            yield f"{_name(contract)}: the round does not admit this window"
            continue
        if contract.rate < 1:
            yield f"{_name(contract)}: rate {contract.rate}; expected at least one lot"
        if contract.first > lanes.latest_start[lane]:
            yield f"{_name(contract)}: a required certificate has expired before it begins"
        for side, position in ((market.sellers, lanes.seller[lane]), (market.buyers, lanes.buyer[lane])):
            label, least, most = side.label[position], int(side.min_term[position]), int(side.max_term[position])
            if not least <= periods <= most:
                yield f"{_name(contract)}: {periods} periods; {label} asks for {least} to {most}"
            if not side.open[position, contract.first : contract.last + 1].all():
                yield f"{_name(contract)}: {label} offers nothing in part of the window"
            if label in offers and contract.rate < offers[label].min_rate:
                yield f"{_name(contract)}: rate {contract.rate}; {label} asks for at least {offers[label].min_rate}"


def _limit_faults(market: Market, lanes: Lanes, found: Found) -> Iterator[str]:
    tally = Tally(market, lanes)
    for contract, lane in found:
        tally.add(lane, contract.first, contract.last, contract.rate)
    labels = market.snapshot.horizon.labels()
    for side, used, of in ((market.sellers, tally.sold, "sold"), (market.buyers, tally.bought, "bought")):
        over = used[: side.offers] > side.quantity[: side.offers]
        for position, t in np.argwhere(over):
            limit = side.quantity[position, t]
            yield f"{side.label[position]} in {labels[t]}: {used[position, t]} lots {of}, {limit} free"
    for f, family in enumerate(lanes.families):
        for t in np.flatnonzero((tally.moved[f] > family.limit) & (family.limit < UNLIMITED)):
            name = " / ".join(family.subject)
            yield f"{family.kind} {name} in {labels[t]}: {tally.moved[f, t]} lots, limit {family.limit[t]}"
    for m, conversion in enumerate(market.conversions):
        for t in range(market.periods):
            sold, makeable = int(tally.sold[market.sellers.offers + m, t]), tally.makeable(m, t)
            if sold > makeable:
                yield f"{conversion.conversion} in {labels[t]}: {sold} lots sold, inputs and capacity make {makeable}"


def _sign_faults(market: Market, duals: Duals) -> Iterator[str]:
    """A shadow price below zero would make the bound too small."""
    for side, table in ((market.sellers, duals.seller), (market.buyers, duals.buyer)):
        for position in np.flatnonzero((table < -float(PRICE_STEP)).any(axis=1)):
            yield f"{side.label[position]}: shadow price {table[position].min():.4f} CNY per lot is below zero"
    if (duals.family < -float(PRICE_STEP)).any():
        yield f"a limit has a shadow price of {duals.family.min():.4f} CNY per lot, below zero"


def _mean(market: Market, prices: Sequence[Decimal], contract: Contract) -> Fraction:
    return mean_price(market.snapshot, prices, contract.first, contract.last)


def _price_faults(market: Market, lanes: Lanes, found: Found) -> Iterator[str]:
    offers = {offer.offer: offer for offer in market.snapshot.offers}
    for contract, lane in found:
        freight = freight_of(market, int(lanes.seller[lane]), int(lanes.buyer[lane]))
        if contract.freight != freight:
            yield f"{_name(contract)}: freight {contract.freight}; the table says {freight}"
        if contract.price_delivered != contract.price_ex_works + contract.freight:
            yield f"{_name(contract)}: delivered price {contract.price_delivered} is not ex works plus freight"
        if contract.seller in offers:
            ask = _mean(market, offers[contract.seller].price, contract)
            if Fraction(contract.price_ex_works) < ask - HALF_STEP:
                yield f"{_name(contract)}: price {contract.price_ex_works} ex works is below the ask {float(ask):.4f}"
        if contract.buyer in offers:
            bid = _mean(market, offers[contract.buyer].price, contract)
            if Fraction(contract.price_delivered) > bid + HALF_STEP:
                yield f"{_name(contract)}: price {contract.price_delivered} delivered is above the bid {float(bid):.4f}"
    yield from _conversion_faults(market, found)


def _conversion_faults(market: Market, found: Found) -> Iterator[str]:
    """Each conversion earns its fee or more over the horizon on what it processed, to what rounding may take."""
    for label, account in accounts(market, [contract for contract, _ in found]).items():
        if account.short:
            yield f"{label}: earns {float(account.short):.2f} CNY less than its fee"


def _welfare(market: Market, lanes: Lanes, found: Found) -> Fraction:
    """Bids less asks, freight and fees, CNY over the horizon in money of the first period, exact."""
    price = {offer.offer: offer.price for offer in market.snapshot.offers}
    price |= {conversion.conversion: conversion.fee for conversion in market.conversions}
    bidding = {offer.offer for offer in market.snapshot.offers}
    lot = dict(zip(market.products, market.lot, strict=True))
    with localcontext(EXACT):
        total = Decimal(0)
        for c, lane in found:
            freight = freight_of(market, int(lanes.seller[lane]), int(lanes.buyer[lane]))
            worth = -price_sum(market.snapshot, price[c.seller], c.first, c.last)
            worth -= freight * length(market.snapshot, c.first, c.last)
            if c.buyer in bidding:
                worth += price_sum(market.snapshot, price[c.buyer], c.first, c.last)
            total += worth * c.rate * lot[c.product]
    return Fraction(total)


def _dual_bound(market: Market, lanes: Lanes, duals: Duals, reduced: Floats) -> float:
    """An upper bound on the welfare of any answer, CNY: limits valued at shadow prices, plus what lanes that still
    gain could add at most, so that it is a bound even where pricing out is not perfect."""
    sellers, buyers = market.sellers, market.buyers
    bound = float((sellers.quantity * duals.seller)[: sellers.offers].sum())
    bound += float((buyers.quantity * duals.buyer)[: buyers.offers].sum())
    for k, stock in enumerate(market.own_stock):
        bound += float(stock) * float(duals.buyer[buyers.offers + k].sum())
    for f, family in enumerate(lanes.families):
        limit = np.where(family.limit < UNLIMITED, family.limit, 0)
        bound += float((limit * duals.family[f]).sum())
    margin = conversion_margin(market, duals)
    # What is left of large prices by the rounding of their difference is no margin.
    margin = np.where(margin > ROUNDED * duals.seller[sellers.offers :], margin, 0.0)
    bound += float((market.capacity * margin).sum())
    gain = np.zeros(len(sellers))
    np.maximum.at(gain, lanes.seller, np.where(reduced > ROUNDED * market.periods, reduced, 0.0))
    most = np.concatenate([sellers.quantity[: sellers.offers], market.capacity]).sum(axis=1)
    return bound + float((gain * market.level[sellers.product] * most).sum())
