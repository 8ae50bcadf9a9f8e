"""One result for every offer and conversion: what was filled, or the one reason why not, and how far off it was.

The distance of a seller is told against the prices best for buyers and the other way round: at the far end of the
range is where an offer that is not in the market would enter it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from .answer import PRICE_STEP, Contract, OfferResult, Reason
from .lanes import Lanes, Requirement, refusals
from .limits import KINDS, LimitKind
from .prices import PriceRange
from .pricing import Values
from .sides import Floats, Ints, Market, MarketSide

LIMITED_BY = {
    LimitKind.SHARE: Reason.LIMITED_BY_SHARE,
    LimitKind.CORRIDOR: Reason.LIMITED_BY_CORRIDOR,
    LimitKind.CEILING: Reason.LIMITED_BY_POLICY,
    LimitKind.ORIGIN: Reason.LIMITED_BY_POLICY,
}
OUT_OF_REACH = 100  # typical prices; only a conversion that lacks an input asks so much for its output
NEAR = 1e-7  # relative prices nearer than this are told as equal: shadow prices come rounded as they are written


def results(market: Market, lanes: Lanes, contracts: Sequence[Contract], prices: PriceRange) -> list[OfferResult]:
    """One result for every offer and conversion of a sub-market."""
    filled = _filled(market, contracts)
    low, high = Values(market, lanes, prices.buyers_best), Values(market, lanes, prices.sellers_best)
    return [
        *_offers(market, market.sellers, lanes.seller, low, filled),
        *_offers(market, market.buyers, lanes.buyer, high, filled),
        *_conversions(market, lanes, low, high, filled),
    ]


def _filled(market: Market, contracts: Sequence[Contract]) -> dict[str, Ints]:
    """Lots per period by label; a conversion's is its output."""
    made = {conversion.conversion for conversion in market.conversions}
    filled: dict[str, Ints] = {}
    for contract in contracts:
        for label in (contract.seller, contract.buyer):
            if label == contract.seller or label not in made:
                row = filled.setdefault(label, np.zeros(market.periods, dtype=np.int64))
                row[contract.first : contract.last + 1] += contract.rate
    return filled


def _offers(market: Market, side: MarketSide, at: Ints, values: Values, filled: dict[str, Ints]) -> list[OfferResult]:
    best = values.best(per_period=True)
    order = np.lexsort((-best.reduced, at))
    first = {int(position): int(order[k]) for k, position in reversed(list(enumerate(at[order])))}
    found = []
    for position in range(side.offers):
        label = side.label[position]
        lots = filled.get(label)
        if lots is not None:
            found.append(OfferResult(offer=label, filled=tuple(lots.tolist()), reason=Reason.MATCHED))
            continue
        lane = first.get(position)
        none = (0,) * market.periods
        if lane is None:
            failed = _failed_most(market, side, position)
            found.append(OfferResult(offer=label, filled=none, reason=Reason.NO_ELIGIBLE_LANE, failed=failed))
            continue
        product = int(side.product[position])
        reason, gap = _unfilled(values, lane, int(best.window[lane]), float(best.reduced[lane]))
        distance = _per_unit(market, product, gap) if reason is Reason.OUT_OF_THE_MONEY else None
        found.append(OfferResult(offer=label, filled=none, reason=reason, distance=distance))
    return found


def _unfilled(values: Values, lane: int, window: int, gain: float) -> tuple[Reason, float]:
    """Why an offer with lanes got nothing, from its best lane and window."""
    if gain > NEAR:  # a block term kept it, or the only offer it could meet, out of the market
        return Reason.PARADOXICALLY_REJECTED, 0.0
    here = np.array([lane])
    rents = [float(values.rent(here, window, kind)[0]) / values.length[window] for kind in range(len(KINDS))]
    if sum(rents) > NEAR and gain + sum(rents) >= -NEAR:
        return LIMITED_BY[KINDS[int(np.argmax(rents))]], 0.0
    if gain >= -NEAR:
        return _closed(values, lane, window) or Reason.CAPACITY_EXHAUSTED_PRO_RATA, 0.0
    if -gain > OUT_OF_REACH:
        return Reason.INPUT_NOT_AVAILABLE, 0.0
    return Reason.OUT_OF_THE_MONEY, -gain


def _closed(values: Values, lane: int, window: int) -> Reason | None:
    """The limit of a lane that lets nothing through in a window; where there is no surplus it has no rent."""
    first, last = values.market.windows[window]
    for kind, family in zip(KINDS, values.lanes.family[lane], strict=True):
        if family >= 0 and not values.lanes.families[family].limit[first : last + 1].all():
            return LIMITED_BY[kind]
    return None


def _per_unit(market: Market, product: int, relative: float) -> Decimal:
    """A relative price as CNY per unit."""
    amount = Decimal(repr(relative * float(market.level[product]))) / market.lot[product]
    return amount.quantize(PRICE_STEP)


def _failed_most(market: Market, side: MarketSide, position: int) -> Requirement | None:
    """The requirement that most counterparts fail; None when nobody stands on the other side."""
    selling = side is market.sellers
    other = market.buyers if selling else market.sellers
    facing = np.flatnonzero(other.product == side.product[position])
    if not len(facing):
        return None
    me = np.array([position])
    tables = refusals(market, me, facing) if selling else refusals(market, facing, me)
    return max(tables, key=lambda requirement: int(tables[requirement].sum()))


def _conversions(market: Market, lanes: Lanes, low: Values, high: Values, filled: dict[str, Ints]) -> list[OfferResult]:
    income = _best_income(market, lanes, high)
    cost = _least_cost(market, lanes, low)
    found = []
    for m, conversion in enumerate(market.conversions):
        label, position = conversion.conversion, market.sellers.offers + m
        none = (0,) * market.periods
        mine = np.flatnonzero(market.buyers.conversion[market.buyers.offers :] == m)
        if label in filled:
            result = OfferResult(offer=label, filled=tuple(filled[label].tolist()), reason=Reason.MATCHED)
        elif not np.isfinite(income[m]).any():
            failed = _failed_most(market, market.sellers, position)
            result = OfferResult(offer=label, filled=none, reason=Reason.NO_ELIGIBLE_LANE, failed=failed)
        elif not np.isfinite(cost[mine]).any(axis=1).all():
            result = OfferResult(offer=label, filled=none, reason=Reason.INPUT_NOT_AVAILABLE)
        else:
            coefficient = np.array([float(market.coefficient[k]) for k in mine])
            result = _idle(market, m, income[m] - coefficient @ cost[mine])
        found.append(result)
    return found


def _idle(market: Market, m: int, margin: Floats) -> OfferResult:
    """A conversion that could run and does not: by how much its fee is too high in its best window.

    `margin` [W] is income less inputs over each window, CNY per lot of output, before the fee."""
    label, none = market.conversions[m].conversion, (0,) * market.periods
    first, last = market.windows.T
    sums = np.concatenate([[0.0], np.cumsum(market.fee[m])])
    margin = (margin - (sums[last + 1] - sums[first])) / (last - first + 1)
    best = float(np.where(np.isfinite(margin), margin, -np.inf).max())
    if not np.isfinite(best):
        return OfferResult(offer=label, filled=none, reason=Reason.INPUT_NOT_AVAILABLE)
    product = int(market.sellers.product[market.sellers.offers + m])
    relative = best / float(market.level[product])
    if relative >= -NEAR:
        return OfferResult(offer=label, filled=none, reason=Reason.CAPACITY_EXHAUSTED_PRO_RATA)
    distance = _per_unit(market, product, -relative)
    return OfferResult(offer=label, filled=none, reason=Reason.OUT_OF_THE_MONEY, distance=distance)


def _best_income(market: Market, lanes: Lanes, values: Values) -> Floats:
    """[M, W] the most a lot of output would fetch over each window, CNY; -inf where nobody could take it."""
    income = np.full((len(market.conversions), len(market.windows)), -np.inf)
    mine = np.flatnonzero(lanes.seller >= market.sellers.offers)
    m = lanes.seller[mine] - market.sellers.offers
    for window in range(len(market.windows)):
        sold = np.isfinite(values.seller[lanes.seller[mine], window])
        # Adding back what the seller asks leaves what the buyer gives at the seller's gate.
        gate = values.reduced(mine, window) + np.where(sold, values.seller[lanes.seller[mine], window], 0.0)
        level = market.level[market.sellers.product[lanes.seller[mine]]]
        np.maximum.at(income[:, window], m, np.where(sold, gate, -np.inf) * level)
    return income


def _least_cost(market: Market, lanes: Lanes, values: Values) -> Floats:
    """[K, W] the least a lot of each conversion input would cost over each window, CNY; inf where nobody offers."""
    cost = np.full((len(market.coefficient), len(market.windows)), np.inf)
    mine = np.flatnonzero(lanes.buyer >= market.buyers.offers)
    k = lanes.buyer[mine] - market.buyers.offers
    for window in range(len(market.windows)):
        bought = np.isfinite(values.buyer[lanes.buyer[mine], window])
        gate = np.where(bought, values.buyer[lanes.buyer[mine], window], 0.0) - values.reduced(mine, window)
        level = market.level[market.buyers.product[lanes.buyer[mine]]]
        np.minimum.at(cost[:, window], k, np.where(bought, gate, np.inf) * level)
    return np.where(_stocked(market), 0.0, cost)


def _stocked(market: Market) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """[K, 1] inputs of which the processor has stock of its own."""
    return np.array([stock > 0 for stock in market.own_stock], dtype=bool).reshape(-1, 1)
