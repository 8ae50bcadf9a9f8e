"""One result for every offer and conversion: what was filled, or the one reason why not, and how far off it was.

Whether a limit keeps an offer out is told at the prices best for the other side, at the far end of the range: that is
where an offer that is not in the market would enter it. How far off it is, is exact (see `entry`), but with block
terms and in very large markets, where it is a lower bound and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from .answer import PRICE_STEP, Contract, OfferResult, Reason
from .entry import NEAR, Distances, bounds, distances
from .lanes import Lanes, Requirement, refusals
from .limits import KINDS, LimitKind
from .prices import PriceRange
from .pricing import Values
from .reach import closed_by, reach
from .rounds import Cleared
from .sides import Bools, Floats, Ints, Market, MarketSide

LIMITED_BY = {
    LimitKind.SHARE: Reason.LIMITED_BY_SHARE,
    LimitKind.CORRIDOR: Reason.LIMITED_BY_CORRIDOR,
    LimitKind.CEILING: Reason.LIMITED_BY_POLICY,
    LimitKind.ORIGIN: Reason.LIMITED_BY_POLICY,
}


def results(
    market: Market, lanes: Lanes, contracts: Sequence[Contract], prices: PriceRange, optimum: Cleared | None
) -> list[OfferResult]:
    """One result for every offer and conversion of a sub-market.

    `optimum` is the welfare optimum; None where block terms keep the answer from being one.
    """
    filled = _filled(market, contracts)
    found = _unmatched(market, lanes, prices, filled)
    asked = np.array([at for at, result in found.items() if result is None], dtype=np.int64)
    known = prices.buyers_best, prices.sellers_best
    if optimum is not None:
        off = distances(optimum, known, asked)
    else:
        off = Distances(least=bounds(market, lanes, known, asked), exact=np.zeros(len(asked), dtype=bool))
    for at, relative, exact in zip(asked.tolist(), off.least.tolist(), off.exact.tolist(), strict=True):
        found[at] = _stood_off(market, at, relative, exact)
    matched = [
        OfferResult(offer=label, filled=tuple(lots.tolist()), reason=Reason.MATCHED) for label, lots in filled.items()
    ]
    return matched + [result for result in found.values() if result is not None]


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


def _unmatched(
    market: Market, lanes: Lanes, prices: PriceRange, filled: Mapping[str, Ints]
) -> dict[int, OfferResult | None]:
    """The result of each position that got nothing, sellers first, then buyers; None where its distance must tell."""
    could = reach(market, lanes)
    low, high = Values(market, lanes, prices.buyers_best), Values(market, lanes, prices.sellers_best)
    sold = _of_side(_Side(side=market.sellers, at=lanes.seller, reached=could.sellers, values=low), filled)
    bought = _of_side(_Side(side=market.buyers, at=lanes.buyer, reached=could.buyers, values=high), filled)
    return sold | {len(market.sellers) + position: result for position, result in bought.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One side of a market with the position of each lane on it, who of it could trade at all, and values."""

    side: MarketSide
    at: Ints
    reached: Bools
    values: Values


def _of_side(one: _Side, filled: Mapping[str, Ints]) -> dict[int, OfferResult | None]:
    """By position; conversions are told from what they sell."""
    side, market, lanes = one.side, one.values.market, one.values.lanes
    first, window, gain = _best_lanes(one.values, one.at, len(side))
    found: dict[int, OfferResult | None] = {}
    for position in range(len(side) if side is market.sellers else side.offers):
        if side.label[position] in filled:
            continue
        reason: Reason | None = None
        failed: Requirement | None = None
        if first[position] < 0:
            reason, failed = Reason.NO_ELIGIBLE_LANE, _failed_most(market, side, position)
        elif not one.reached[position]:
            shut = closed_by(market, lanes, np.flatnonzero(one.at == position))
            reason = Reason.INPUT_NOT_AVAILABLE if shut is None else LIMITED_BY[shut]
        elif position < side.offers:
            reason = _kept_out(one.values, int(first[position]), int(window[position]), float(gain[position]))
        nothing = (0,) * market.periods
        found[position] = None
        if reason is not None:
            found[position] = OfferResult(offer=side.label[position], filled=nothing, reason=reason, failed=failed)
    return found


def _best_lanes(values: Values, at: Ints, positions: int) -> tuple[Ints, Ints, Floats]:
    """[positions] the best lane of each, -1 where there is none, with its best window and its gain per period there."""
    best = values.best(per_period=True)
    order = np.lexsort((-best.reduced, at))
    position = at[order]
    leading = order[np.concatenate([[True], position[1:] != position[:-1]])] if len(order) else order
    first = np.full(positions, -1, dtype=np.int64)
    first[at[leading]] = leading
    return first, np.append(best.window, 0)[first], np.append(best.reduced, 0.0)[first]


def _kept_out(values: Values, lane: int, window: int, gain: float) -> Reason | None:
    """What other than its price kept an offer out, told from its best lane and window; None for the price."""
    if gain > NEAR:  # a block term kept it, or the only offer it could meet, out of the market
        return Reason.PARADOXICALLY_REJECTED
    here = np.array([lane])
    rents = [float(values.rent(here, window, kind)[0]) / values.length[window] for kind in range(len(KINDS))]
    if sum(rents) > NEAR and gain + sum(rents) >= -NEAR:
        return LIMITED_BY[KINDS[int(np.argmax(rents))]]
    return None


def _stood_off(market: Market, at: int, relative: float, exact: bool) -> OfferResult:
    """The result of a position, counted through, that stands off by so much of its product's typical price."""
    side, position = (market.sellers, at) if at < len(market.sellers) else (market.buyers, at - len(market.sellers))
    label, none = side.label[position], (0,) * market.periods
    if relative <= NEAR:
        return OfferResult(offer=label, filled=none, reason=Reason.CAPACITY_EXHAUSTED_PRO_RATA)
    distance = _per_unit(market, int(side.product[position]), relative)
    return OfferResult(
        offer=label, filled=none, reason=Reason.OUT_OF_THE_MONEY, distance=distance, distance_at_least=not exact
    )


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
