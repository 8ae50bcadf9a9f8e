"""Simpler markets that guide the clearing of a market: quick to clear, with nearly its prices.

The average market has one period, the mean of all; the market of a segment has that segment alone. Positions, lanes and
limits keep their places in all of them, so prices and bases pass from one to the next. A market of hubs (see `hubs`) is
simpler still.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .lanes import Lanes
from .pricing import Duals
from .segments import Segments
from .sides import Bools, Floats, Ints, Market, MarketSide


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """A market that guides, with its lanes."""

    market: Market
    lanes: Lanes


def average(market: Market, lanes: Lanes) -> Guide:
    """One window over the horizon, with the mean quantity and price of what is open in each period."""

    def even(side: MarketSide) -> MarketSide:
        every = np.ones_like(side.open)
        return _flat(side, quantity=_mean(side.quantity, every), price=_mean(side.price, side.open), open=side.open)

    families = tuple(
        replace(family, limit=np.full_like(family.limit, int(family.limit.mean()))) for family in lanes.families
    )
    return Guide(
        market=_one_window(
            replace(
                market,
                sellers=even(market.sellers),
                buyers=even(market.buyers),
                capacity=_laid_out(_mean(market.capacity, np.ones_like(market.capacity, dtype=bool)), market.periods),
                fee=np.broadcast_to(_mean(market.fee, market.capacity > 0)[:, None], market.fee.shape),
            )
        ),
        lanes=replace(lanes, latest_start=np.full_like(lanes.latest_start, market.periods), families=families),
    )


def of_segment(market: Market, lanes: Lanes, segments: Segments, at: int) -> Guide:
    """One window over the horizon, every period as in one segment: smallest quantity, mean price, whatever terms are
    asked for."""
    first, length = int(segments.first[at]), int(segments.length[at])
    inside = slice(first, first + length)

    def even(side: MarketSide) -> MarketSide:
        ever = np.asarray(side.open[:, inside].all(axis=1))
        opened = np.repeat(ever[:, None], market.periods, axis=1)
        return _flat(
            side, quantity=side.quantity[:, inside].min(axis=1), price=side.price[:, inside].mean(axis=1), open=opened
        )

    families = tuple(
        replace(family, limit=np.full_like(family.limit, int(family.limit[inside].min()))) for family in lanes.families
    )
    capacity, fee = market.capacity[:, inside].min(axis=1), market.fee[:, inside].mean(axis=1)
    return Guide(
        market=_one_window(
            replace(
                market,
                sellers=even(market.sellers),
                buyers=even(market.buyers),
                capacity=_laid_out(capacity, market.periods),
                fee=np.broadcast_to(fee[:, None], market.fee.shape),
                worth=np.full(market.periods, market.worth[inside].mean()),
            )
        ),
        lanes=replace(lanes, latest_start=np.where(lanes.latest_start >= first, market.periods, -1), families=families),
    )


def _one_window(market: Market) -> Market:
    return replace(market, windows=np.array([[0, market.periods - 1]]))


def _flat(side: MarketSide, *, quantity: Floats | Ints, price: Floats, open: Bools) -> MarketSide:  # noqa: A002
    """A side with the same quantity [n] and price [n] in all periods, open where it is in any."""
    periods = side.open.shape[1]
    ever = np.asarray(open.any(axis=1))
    return replace(
        side,
        quantity=_laid_out(quantity, periods),
        open=np.repeat(ever[:, None], periods, axis=1),
        price=np.broadcast_to(price[:, None], side.price.shape),
        min_term=np.ones_like(side.min_term),
        max_term=np.full_like(side.max_term, periods),
    )


def _laid_out(quantity: Floats | Ints, periods: int) -> Ints:
    return np.repeat(np.rint(quantity).astype(np.int64)[:, None], periods, axis=1)


def _mean(table: Floats | Ints, counted: Bools) -> Floats:
    """[n] the mean of each row's counted entries."""
    mean: Floats = (table * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    return mean


def by_segment(parts: list[Duals], segments: Segments) -> Duals:
    """The prices of the markets of all segments, each in its own periods."""

    def joined(tables: list[Floats]) -> Floats:
        return np.concatenate(
            [
                table[:, first : first + length]
                for table, first, length in zip(tables, segments.first, segments.length, strict=True)
            ],
            axis=1,
        )

    return Duals(
        seller=joined([part.seller for part in parts]),
        buyer=joined([part.buyer for part in parts]),
        family=joined([part.family for part in parts]),
        rent=joined([part.rent for part in parts]),
    )
