"""Who could trade at all, whatever the prices: limits that let nothing through and inputs that nobody can bring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .lanes import Lanes
from .limits import KINDS, LimitKind
from .pricing import Values, zero_duals
from .sides import Bools, Ints, Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What could trade in an otherwise empty market: `sellers` [nS] and `buyers` [nB] by position."""

    sellers: Bools
    buyers: Bools


def reach(market: Market, lanes: Lanes) -> Reach:
    """Who could trade, whatever the prices."""
    values, sold = Values(market, lanes, zero_duals(market, lanes)), _sellable(market, running(market, lanes))
    sellers, buyers = np.zeros(len(market.sellers), dtype=bool), np.zeros(len(market.buyers), dtype=bool)
    for block in values.blocks():
        seller, buyer = lanes.seller[block], lanes.buyer[block]
        for window in range(len(market.windows)):
            traded = _passes(values, block, window) & sold[seller, window]
            sellers[seller[traded]] = buyers[buyer[traded]] = True
    return Reach(sellers=sellers, buyers=buyers)


def running(market: Market, lanes: Lanes) -> Bools:
    """[M, T] conversions for which every input could come in a period.

    They are taken to run until an input is found that cannot come, and so on down the chain; those that only feed each
    other in a loop run, too."""
    values = Values(market, lanes, zero_duals(market, lanes))
    feeding = np.flatnonzero(lanes.buyer >= market.buyers.offers)
    seller, taker = lanes.seller[feeding], lanes.buyer[feeding] - market.buyers.offers
    through = [_passes(values, feeding, window) for window in range(len(market.windows))]
    stocked = np.array([stock > 0 for stock in market.own_stock], dtype=bool)
    runs = np.asarray(market.capacity > 0)
    while True:
        sold, came = _sellable(market, runs), np.repeat(stocked[:, None], market.periods, axis=1)
        for window, (first, last) in enumerate(market.windows):
            came[taker[through[window] & sold[seller, window]], first : last + 1] = True
        left = runs.copy()
        np.logical_and.at(left, market.buyers.conversion[market.buyers.offers :], came)
        if (left == runs).all():
            return runs
        runs = left


def _sellable(market: Market, runs: Bools) -> Bools:
    """[nS, W] offers always; the output of a conversion over windows in all of which it runs."""
    sums = np.concatenate([np.zeros((len(runs), 1), dtype=np.int64), np.cumsum(runs, axis=1)], axis=1)
    first, last = market.windows.T
    whole = sums[:, last + 1] - sums[:, first] == last - first + 1
    return np.concatenate([np.ones((market.sellers.offers, len(market.windows)), dtype=bool), whole])


def _passes(values: Values, some: slice | Ints, window: int) -> Bools:
    """Of some lanes, may a contract span the window and does no limit close it there."""
    through: Bools = values.reduced(some, window) > -np.inf
    if values.lanes.families:
        through &= ~_closing(values.market, values.lanes, window)[values.lanes.family[some]].any(axis=1)
    return through


def _closing(market: Market, lanes: Lanes, window: int) -> Bools:
    """[F + 1] limits that let nothing through in some period of a window; the last entry, for none, is False."""
    first, last = market.windows[window]
    return np.array([not family.limit[first : last + 1].all() for family in lanes.families] + [False], dtype=bool)


def closed_by(market: Market, lanes: Lanes, of: Ints) -> LimitKind | None:
    """The kind of limit that closes every window of some lanes; None where one of them is open.

    Of several kinds the one that closes most windows is told."""
    values, count = Values(market, lanes, zero_duals(market, lanes)), np.zeros(len(KINDS), dtype=np.int64)
    for w in range(len(market.windows)):
        spanned = of[values.reduced(of, w) > -np.inf]
        shut = _closing(market, lanes, w)[lanes.family[spanned]]  # [lanes, kind]
        if not shut.any(axis=1).all():
            return None
        count += shut.sum(axis=0)
    return KINDS[int(count.argmax())]
