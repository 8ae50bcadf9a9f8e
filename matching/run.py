"""One clearing, from snapshot to answer: lanes, welfare, prices, volume and fairness, lots, certificate, results."""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

import networkx as nx
import numpy as np

from . import certificate as proof
from .answer import PRICE_STEP, Answer, Certificate, Contract, OfferResult, Reason, ShadowPrice
from .blocks import LeftOut, block_offers, next_left_out
from .clearing import Cleared, clear
from .explain import results
from .fairness import settle
from .graph import sub_markets
from .hub_prices import hub_prices
from .lanes import Lanes, find_lanes
from .lots import whole_lots
from .prices import price_range
from .pricing import Duals
from .program import Program
from .sides import Ints, Market, build
from .snapshot import Snapshot

PHASES = ("lanes", "clearing", "prices", "fairness", "lots", "certificate")
Progress = Callable[[str, int, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The answer of one sub-market."""

    contracts: list[Contract]
    results: list[OfferResult]
    prices: list[ShadowPrice]
    finding: proof.Finding
    bound: float
    rounds: int


def run(snapshot: Snapshot, progress: Progress | None = None) -> Answer:
    """Clear a snapshot.

    `progress` is called with (phase, round of the solver, share of the work done 0..1) and may raise to stop.
    :raises program.SolverFailed: the solver gave no optimum.
    """
    report = progress or (lambda phase, rounds, share: None)
    seconds: dict[str, float] = defaultdict(float)
    parts = []
    markets = sub_markets(snapshot)
    for done, products in enumerate(markets):
        clock = _Clock(seconds, report, done / len(markets), 1 / len(markets))
        parts.append(_sub_market(snapshot, products, clock))
    contracts = _bundled(snapshot, [contract for part in parts for contract in part.contracts])
    blocks = sorted(block_offers(snapshot))
    certificate = proof.merge([part.finding for part in parts], blocks)
    return Answer(
        contracts=tuple(contracts),
        results=tuple(sorted((r for part in parts for r in part.results), key=lambda result: result.offer)),
        prices=tuple(sorted((p for part in parts for p in part.prices), key=lambda p: (p.kind, p.subject, p.position))),
        certificate=_completed(certificate, parts, seconds),
    )


def _completed(certificate: Certificate, parts: Sequence[_Part], seconds: dict[str, float]) -> Certificate:
    divisible = sum(part.bound for part in parts)
    lost = Decimal(repr(divisible - float(certificate.welfare))).quantize(Decimal("0.01"))
    return replace(
        certificate,
        rounding_loss=lost,
        rounds=sum(part.rounds for part in parts),
        seconds={phase: round(seconds[phase], 3) for phase in PHASES if phase in seconds},
        peak_memory=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


class _Clock:
    """Time by phase, and progress between `start` and `start + share` of the whole."""

    def __init__(self, seconds: dict[str, float], report: Progress, start: float, share: float) -> None:
        self.seconds, self.report, self.start, self.share = seconds, report, start, share
        self.since, self.rounds = time.perf_counter(), 0

    def finished(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds[phase] += now - self.since
        self.since = now
        done = (PHASES.index(phase) + 1) / len(PHASES)
        self.report(phase, self.rounds, self.start + self.share * done)

    def round(self, _phase: str, rounds: int, _worst: float) -> None:
        self.rounds += 1
        # How many rounds it takes is not known; the share approaches the end of its phase.
        done = (1 + rounds / (rounds + 8)) / len(PHASES)
        self.report("clearing", self.rounds, self.start + self.share * done)


def _sub_market(snapshot: Snapshot, products: frozenset[str], clock: _Clock) -> _Part:
    """Clear one sub-market, again while its answer breaks block terms."""
    left_out, bound = LeftOut(), None
    while True:
        part = _divisible(left_out.from_snapshot(snapshot), products, left_out, clock)
        bound = part.bound if bound is None else bound
        more = next_left_out(snapshot, part.contracts, left_out)
        if more is None:
            break
        left_out = more
    if left_out.offers:
        part = replace(part, results=part.results + _rejected(snapshot, products, left_out))
    return replace(part, bound=bound)


def _rejected(snapshot: Snapshot, products: frozenset[str], left_out: LeftOut) -> list[OfferResult]:
    """Offers left out because of their own block terms though their price was good."""
    none = (0,) * len(snapshot.horizon)
    return [
        OfferResult(offer=offer.offer, filled=none, reason=Reason.PARADOXICALLY_REJECTED)
        for offer in snapshot.offers
        if offer.offer in left_out.offers and offer.product in products
    ]


def _divisible(snapshot: Snapshot, products: frozenset[str], left_out: LeftOut, clock: _Clock) -> _Part:
    market = build(snapshot, products)
    lanes = find_lanes(market, left_out.pairs)
    clock.finished("lanes")
    cleared = clear(market, lanes, clock.round)
    clock.finished("clearing")
    prices = price_range(market, lanes, cleared)
    clock.finished("prices")
    program, rates = settle(market, lanes, cleared, prices.middle)
    clock.finished("fairness")
    contracts = _contracts(program, whole_lots(program, rates), prices.middle)
    clock.finished("lots")
    shadow = [*proof.list_duals(market, lanes, prices.middle), *hub_prices(market, lanes, prices.middle)]
    # The check reads the shadow prices as they will be written, not as they were computed.
    duals = proof.read_duals(market, lanes, shadow)
    finding = proof.check_market(market, contracts, duals, sorted(block_offers(snapshot)))
    clock.finished("certificate")
    return _Part(
        contracts=contracts,
        results=results(market, lanes, contracts, prices),
        prices=shadow,
        finding=finding,
        bound=_divisible_welfare(cleared),
        rounds=cleared.rounds,
    )


def _divisible_welfare(cleared: Cleared) -> float:
    return cleared.point.value * cleared.program.value


def _contracts(program: Program, lots: Ints, duals: Duals) -> list[Contract]:
    """The traded candidates with their locked prices, by seller, buyer and window."""
    market, lanes = program.market, program.lanes
    found = []
    for k in np.flatnonzero(lots):
        first, last = (int(at) for at in market.windows[program.candidates.window[k]])
        seller, buyer = int(program.seller[k]), int(program.buyer[k])
        product = int(market.sellers.product[seller])
        freight = proof.freight_of(market, seller, buyer)
        ex_works = _locked(market, seller, buyer, first, last, duals, freight)
        found.append(
            Contract(
                seller=market.sellers.label[seller],
                buyer=market.buyers.label[buyer],
                product=market.products[product],
                first=first,
                last=last,
                rate=int(lots[k]),
                price_ex_works=ex_works,
                freight=freight,
                price_delivered=ex_works + freight,
                bundle="",
            )
        )
    return sorted(found, key=lambda c: (c.seller, c.buyer, c.first, c.last, c.product))


def _locked(market: Market, seller: int, buyer: int, first: int, last: int, duals: Duals, freight: Decimal) -> Decimal:
    """Ask plus the mean of the seller's shadow price over the window, CNY per unit, held inside ask and bid."""
    window = slice(first, last + 1)
    lot = market.lot[int(market.sellers.product[seller])]
    mean = float((market.sellers.price[seller, window] + duals.seller[seller, window]).mean())
    price = (Decimal(repr(mean)) / lot).quantize(PRICE_STEP)
    offers = {offer.offer: offer for offer in market.snapshot.offers}
    if buyer < market.buyers.offers:
        bid = proof.mean_price(offers[market.buyers.label[buyer]].price, first, last) - Fraction(freight)
        price = min(price, _stepped(bid, ROUND_FLOOR))
    if seller < market.sellers.offers:
        ask = proof.mean_price(offers[market.sellers.label[seller]].price, first, last)
        price = max(price, _stepped(ask, ROUND_CEILING))
        if buyer < market.buyers.offers and Fraction(price) > bid:  # no step lies between ask and bid
            price = (Decimal(ask.numerator) / Decimal(ask.denominator)).quantize(PRICE_STEP)
    return price


def _stepped(price: Fraction, rounding: str) -> Decimal:
    # Twelve more digits than a step decide the direction.
    return (Decimal(price.numerator) / Decimal(price.denominator)).quantize(PRICE_STEP, rounding=rounding)


def _bundled(snapshot: Snapshot, contracts: Sequence[Contract]) -> list[Contract]:
    """Contracts with their bundles: those tied by a conversion, directly or through others, share one."""
    conversions = {conversion.conversion for conversion in snapshot.conversions}
    ties = nx.Graph()
    for at, contract in enumerate(contracts):
        ties.add_node(at)
        ties.add_edges_from((at, label) for label in (contract.seller, contract.buyer) if label in conversions)
    bundle = {}
    parts = sorted(sorted(n for n in part if isinstance(n, int)) for part in nx.connected_components(ties))
    for number, part in enumerate(parts, start=1):
        bundle.update(dict.fromkeys(part, f"B{number:05d}"))
    return [replace(contract, bundle=bundle[at]) for at, contract in enumerate(contracts)]
