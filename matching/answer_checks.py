"""What an answer says of one sub-market, held against what follows from its contracts and shadow prices.

Nothing here needs a solver. Where the certificate asks whether an answer is one, this asks whether it is the one that
the rules give: locked prices by the price rule, no pair left out for which there is room, reasons and distances that
the shadow prices bear out, reference prices of hubs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from .accounts import freight_of, mean_price
from .answer import PRICE_STEP, Contract, Reason, ShadowPrice
from .answer_files import WrittenResult
from .certificate import places_of
from .lanes import Lanes, admissible
from .limits import UNLIMITED
from .price_rule import PriceRule
from .pricing import Duals, Values, conversion_margin
from .shadow_prices import hub_prices, named_duals
from .sides import Bools, Ints, Market
from .tally import Tally

LEFT = 1e-7  # relative, over a window: a pair that loses more at the shadow prices would not be in the answer
NEAR = 2e-7  # relative: distances and reasons are told to this


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An answer as far as one sub-market goes; `uncertified` are the offers that ask for block terms."""

    contracts: Sequence[Contract]
    prices: Sequence[ShadowPrice]
    results: Mapping[str, WrittenResult]
    uncertified: frozenset[str]


def market_faults(market: Market, lanes: Lanes, duals: Duals, told: Told) -> Iterator[str]:
    """Everything about a sub-market that does not follow, in words."""
    found = [
        (contract, lane)
        for contract, lane in zip(told.contracts, places_of(market, lanes, told.contracts), strict=True)
        if lane >= 0
    ]
    yield from _price_faults(market, lanes, duals, found)
    yield from _shadow_price_faults(market, lanes, duals, told.prices)
    yield from _reason_faults(market, lanes, told)
    values = Values(market, lanes, duals)
    yield from _left_out(values, found, told.uncertified)
    if not told.uncertified:
        yield from _distance_faults(values, told)


Found = Sequence[tuple[Contract, int]]


def _price_faults(market: Market, lanes: Lanes, duals: Duals, found: Found) -> Iterator[str]:
    rule = PriceRule(market, duals)
    for contract, lane in found:
        price = rule.of(int(lanes.seller[lane]), int(lanes.buyer[lane]), contract.first, contract.last)
        if abs(price - contract.price_ex_works) > PRICE_STEP:
            name = f"contract {contract.seller} -> {contract.buyer} [{contract.first}, {contract.last}]"
            yield f"{name}: price {contract.price_ex_works} ex works; its shadow prices give {price}"


def _shadow_price_faults(market: Market, lanes: Lanes, duals: Duals, prices: Sequence[ShadowPrice]) -> Iterator[str]:
    known, labels = named_duals(market, lanes, duals), market.snapshot.horizon.labels()
    hubs = {(price.subject, price.position): price.value for price in hub_prices(market, lanes, duals)}
    for price in prices:
        name = f"{price.kind} {' '.join(price.subject)} in {labels[price.position]}"
        if price.kind == "hub":
            value = hubs.pop((price.subject, price.position), Decimal(0))
            if abs(value - price.value) > PRICE_STEP:
                yield f"reference price of {name}: {price.value}; the shadow prices give {value}"
        elif (price.kind, price.subject) not in known:
            yield f"shadow price of {name}: there is nothing of that name in the market"
    margin = np.maximum(conversion_margin(market, duals), 0.0)
    near = NEAR * market.level[market.sellers.product[market.sellers.offers :]]
    for m, t in np.argwhere(np.abs(duals.rent - margin) > near[:, None]):
        label = market.conversions[m].conversion
        yield f"shadow price of conversion {label} in {labels[t]}: not what output, inputs and fee leave"
    for (subject, position), value in hubs.items():
        yield f"reference price of hub {' '.join(subject)} in {labels[position]}: none; the shadow prices give {value}"


def _reason_faults(market: Market, lanes: Lanes, told: Told) -> Iterator[str]:
    for side, at in ((market.sellers, lanes.seller), (market.buyers, lanes.buyer)):
        has_lane = np.bincount(at, minlength=len(side)) > 0
        for position in range(len(side) if side is market.sellers else side.offers):
            label = side.label[position]
            result = told.results.get(label)
            if result is None:
                continue
            if (result.reason == Reason.MATCHED) != any(result.filled):
                yield f"{label}: its result says {result.reason}, and {sum(result.filled)} lots in all"
            elif (result.reason == Reason.NO_ELIGIBLE_LANE) == bool(has_lane[position]) and not any(result.filled):
                yield f"{label}: its result says {result.reason}; it has {'a' if has_lane[position] else 'no'} lane"
            if (result.distance is not None) != (result.reason == Reason.OUT_OF_THE_MONEY):
                yield f"{label}: its result says {result.reason} and a distance of {result.distance}"


def _left_out(values: Values, found: Found, uncertified: frozenset[str]) -> Iterator[str]:
    """Pairs with room for one more lot of a contract that is worth something and that the shadow prices do not rule
    out: a better answer has it. Not so of who asks for block terms: they may be what keeps a pair apart."""
    market, lanes = values.market, values.lanes
    sells, buys = (
        np.array([label not in uncertified for label in side.label], dtype=bool)
        for side in (market.sellers, market.buyers)
    )
    tally = Tally(market, lanes)
    for contract, lane in found:
        tally.add(lane, contract.first, contract.last, contract.rate)
    sold, bought, moved = _room(market, lanes, tally)
    for block in values.blocks():
        for w in range(len(market.windows)):
            roomy = (sold[:, w] & sells)[lanes.seller[block]] & (bought[:, w] & buys)[lanes.buyer[block]]
            roomy &= moved[lanes.family[block], w].all(axis=1)
            some = np.flatnonzero(roomy) + block.start
            for lane in some[values.reduced(some, w) >= -LEFT].tolist():
                gain = _gain(market, lanes, lane, w)
                if gain > 0:
                    pair = _pair(market, lanes, lane, w)
                    yield f"{pair}: left out; there is room for a lot more, which brings {float(gain):.4f} CNY a unit"


def _room(market: Market, lanes: Lanes, tally: Tally) -> tuple[Bools, Bools, Bools]:
    """[positions or families, W] who has room for one more lot all over a window: sellers, buyers, limits. Conversions
    must be able to make it, and buy nothing more: what they lack is what their outputs would need."""
    offers = market.sellers.offers
    spare = market.sellers.quantity - tally.sold
    for m in range(len(market.conversions)):
        makeable = [tally.makeable(m, t) for t in range(market.periods)]
        spare[offers + m] = np.array(makeable, dtype=np.int64) - tally.sold[offers + m]
    wanted = market.buyers.quantity - tally.bought
    wanted[market.buyers.offers :] = 0
    limits = np.array([family.limit for family in lanes.families], dtype=np.int64).reshape(-1, market.periods)
    free = np.where(limits < UNLIMITED, limits - tally.moved, 1)
    free = np.concatenate([free, np.ones((1, market.periods), dtype=np.int64)])  # lanes without a limit point at -1
    sold = _throughout(market.windows, spare >= 1) & admissible(market.sellers, market.windows)
    bought = _throughout(market.windows, wanted >= 1) & admissible(market.buyers, market.windows)
    return sold, bought, _throughout(market.windows, free >= 1)


def _throughout(windows: Ints, table: Bools) -> Bools:
    """[n, W] is a [n, T] table true all over each window?"""
    sums = np.concatenate([np.zeros((len(table), 1), dtype=np.int64), np.cumsum(table, axis=1)], axis=1)
    first, last = windows.T
    return np.asarray(sums[:, last + 1] - sums[:, first] == last - first + 1)


def _gain(market: Market, lanes: Lanes, lane: int, w: int) -> Fraction:
    """CNY per unit and period that a contract would bring, exact; of a conversion's output less its fee."""
    first, last = (int(at) for at in market.windows[w])
    offers = {offer.offer: offer for offer in market.snapshot.offers}
    seller, buyer = int(lanes.seller[lane]), int(lanes.buyer[lane])
    label = market.sellers.label[seller]
    if label in offers:
        ask = mean_price(market.snapshot, offers[label].price, first, last)
    else:
        ask = mean_price(market.snapshot, market.conversions[seller - market.sellers.offers].fee, first, last)
    bid = mean_price(market.snapshot, offers[market.buyers.label[buyer]].price, first, last)
    return bid - ask - Fraction(freight_of(market, seller, buyer))


def _pair(market: Market, lanes: Lanes, lane: int, w: int) -> str:
    seller, buyer = market.sellers.label[lanes.seller[lane]], market.buyers.label[lanes.buyer[lane]]
    return f"pair {seller} -> {buyer} [{market.windows[w, 0]}, {market.windows[w, 1]}]"


def _distance_faults(values: Values, told: Told) -> Iterator[str]:
    """An offer that is not in the answer stands off by what keeps it out at any optimal shadow prices, or more."""
    market, lanes = values.market, values.lanes
    least = [np.full(len(side), np.inf) for side in (market.sellers, market.buyers)]
    for block in values.blocks():
        for w, length in enumerate(values.length):
            off = -values.reduced(block, w) / length
            for at, of in zip(least, (lanes.seller[block], lanes.buyer[block]), strict=True):
                np.minimum.at(at, of, off)
    for side, kept_off in zip((market.sellers, market.buyers), least, strict=True):
        for position in range(side.offers):
            result = told.results.get(side.label[position])
            if result is None or result.reason not in (Reason.OUT_OF_THE_MONEY, Reason.CAPACITY_EXHAUSTED_PRO_RATA):
                continue
            product = int(side.product[position])
            unit = float(market.level[product]) / float(market.lot[product])
            distance = float(result.distance or 0)
            if distance < (kept_off[position] - NEAR) * unit - float(PRICE_STEP):
                yield (
                    f"{side.label[position]}: its result says {distance:.4f} CNY off; "
                    f"the shadow prices keep it {kept_off[position] * unit:.4f} CNY off"
                )
