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
    """What could trade in an otherwise empty market.

    `sellers` [nS] and `buyers` [nB] by position. A conversion counts as running where every input could come in every
    period of a contract for its output; conversions that only feed each other in a loop count, too.
    """

    sellers: Bools
    buyers: Bools


def reach(market: Market, lanes: Lanes) -> Reach:
    """Conversions are taken to run until an input is found that cannot come, and so on down the chain."""
    values = Values(market, lanes, zero_duals(market, lanes))
    passing = [np.flatnonzero(_passes(market, lanes, values, w)) for w in range(len(market.windows))]
    runs = np.asarray(market.capacity > 0)  # [M, T]
    while True:
        sold = _sellable(market, runs)
        came = np.broadcast_to(
            np.array([stock > 0 for stock in market.own_stock], dtype=bool).reshape(-1, 1),
            (len(market.own_stock), market.periods),
        ).copy()
        for w, (first, last) in enumerate(market.windows):
            to_input = passing[w][lanes.buyer[passing[w]] >= market.buyers.offers]
            brought = to_input[sold[lanes.seller[to_input], w]]
            came[lanes.buyer[brought] - market.buyers.offers, first : last + 1] = True
        left = runs.copy()
        np.logical_and.at(left, market.buyers.conversion[market.buyers.offers :], came)
        if (left == runs).all():
            break
        runs = left
    sellers, buyers = np.zeros(len(market.sellers), dtype=bool), np.zeros(len(market.buyers), dtype=bool)
    for w, through in enumerate(passing):
        traded = through[sold[lanes.seller[through], w]]
        sellers[lanes.seller[traded]] = buyers[lanes.buyer[traded]] = True
    return Reach(sellers=sellers, buyers=buyers)


def _sellable(market: Market, runs: Bools) -> Bools:
    """[nS, W] offers always; the output of a conversion over windows in all of which it runs."""
    sums = np.concatenate([np.zeros((len(runs), 1), dtype=np.int64), np.cumsum(runs, axis=1)], axis=1)
    first, last = market.windows.T
    whole = sums[:, last + 1] - sums[:, first] == last - first + 1
    return np.concatenate([np.ones((market.sellers.offers, len(market.windows)), dtype=bool), whole])


def _passes(market: Market, lanes: Lanes, values: Values, window: int) -> Bools:
    """[L] may a contract of the lane span the window and does no limit close it there."""
    through: Bools = values.reduced(slice(None), window) > -np.inf
    if lanes.families:
        closed = closing(market, lanes, window)
        for kind in range(lanes.family.shape[1]):
            through &= ~closed[lanes.family[:, kind]]
    return through


def closing(market: Market, lanes: Lanes, window: int) -> Bools:
    """[F + 1] limits that let nothing through in some period of a window; the last entry, for none, is False."""
    first, last = market.windows[window]
    return np.array([not family.limit[first : last + 1].all() for family in lanes.families] + [False], dtype=bool)


def closed_by(market: Market, lanes: Lanes, of: Ints) -> LimitKind | None:
    """The kind of limit that closes every window of some lanes; None where one of them is open.

    Of several kinds the one that closes most windows is told."""
    values, count = Values(market, lanes, zero_duals(market, lanes)), np.zeros(len(KINDS), dtype=np.int64)
    for w in range(len(market.windows)):
        spanned = of[values.reduced(of, w) > -np.inf]
        shut = closing(market, lanes, w)[lanes.family[spanned]]  # [lanes, kind]
        if not shut.any(axis=1).all():
            return None
        count += shut.sum(axis=0)
    return KINDS[int(count.argmax())]
