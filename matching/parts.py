"""What of a programme over windows follows from the rest: long windows from their parts, limits from other limits.

Welfare, volume, fill and limits are sums over periods, so one contract over a year and four over its quarters with the
same rate are the same to all of them. A programme whose lanes have only windows that no others make up has the same
optimum and the same prices with fewer candidates, of which fewer are alike. Which of equal contracts is signed, the
long ones, is decided last (see `fairness`).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .lanes import Lanes
from .pricing import Candidates
from .segments import Segments, cross
from .sides import Bools, Ints, Market, MarketSide


class Parts:
    """Long windows of lanes in their parts: the shortest windows, one behind the other, that both sides admit."""

    def __init__(self, market: Market, lanes: Lanes) -> None:
        self.market, self.lanes = market, lanes
        self.at = {(int(first), int(last)): w for w, (first, last) in enumerate(market.windows)}
        self.tables: dict[int, tuple[Ints, Ints]] = {}

    def of(self, candidates: Candidates) -> Candidates:
        """The parts of each candidate; those that several have are there several times."""
        sellers, buyers = self.lanes.seller[candidates.lane], self.lanes.buyer[candidates.lane]
        term = np.maximum(self.market.sellers.min_term[sellers], self.market.buyers.min_term[buyers])
        lane, window = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for shortest in np.unique(term).tolist():
            mine = np.flatnonzero(term == shortest)
            lanes, whole = candidates.lane[mine], candidates.window[mine]
            starts, parts = self._table(shortest)
            # A certificate may end before the last part would begin: then only the whole is a contract.
            late = self.market.windows[parts[starts[whole + 1] - 1], 0] > self.lanes.latest_start[lanes]
            number = np.where(late, 1, starts[whole + 1] - starts[whole])
            place = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
            part = parts[np.repeat(starts[whole], number) + place]
            lane.append(np.repeat(lanes, number))
            window.append(np.where(np.repeat(late, number), np.repeat(whole, number), part))
        return Candidates(lane=np.concatenate(lane), window=np.concatenate(window))

    def _table(self, shortest: int) -> tuple[Ints, Ints]:
        """The parts of all windows, none shorter than so many periods, in one list, and where in it each begins."""
        if shortest not in self.tables:

            @cache
            def parts(first: int, last: int) -> tuple[int, ...]:
                for end in range(first + shortest - 1, last - shortest + 1):
                    if (first, end) in self.at and (end + 1, last) in self.at:
                        return parts(first, end) + parts(end + 1, last)
                return (self.at[first, last],)

            each = [parts(first, last) for first, last in self.market.windows.tolist()]
            starts = np.cumsum([0, *map(len, each)])
            self.tables[shortest] = starts, np.array([part for some in each for part in some], dtype=np.int64)
        return self.tables[shortest]


def implied(side: MarketSide, windows: Ints, segments: Segments) -> Bools:
    """[n, S] quantities of offers that need no limit: every contract over that segment is over another one, too, where
    no more is free.

    Long terms make many of them in a market of all windows: an offer over twelve periods that asks for at least six
    is over the sixth or the seventh whatever the contract. In a ladder, where no window overlaps another, none is told:
    the markets of its segments say where each limit stands when the clearing begins (see `clearing`).
    """
    found = np.zeros((len(side), len(segments)), dtype=bool)
    first, last = windows[:, 0], windows[:, 1]
    if not cross(windows):
        return found
    free, at = segments.smallest(side.quantity), segments.of[windows]
    place = np.arange(len(segments))
    over = (at[:, :1] <= place) & (place <= at[:, 1:])  # [W, S]
    for term in np.unique(side.min_term).tolist():
        mine = np.flatnonzero((side.min_term == term) & (side.conversion < 0))
        contracts = over[last - first + 1 >= term].astype(np.int64)
        both = contracts.T @ contracts
        within = both == np.diag(both)[:, None]  # every window over the one is over the other
        here, there = free[mine][:, :, None], free[mine][:, None, :]
        decided = ~within.T | (place[:, None] > place)  # of two that are over the same windows the first stands
        found[mine] = (within & ((there < here) | ((there == here) & decided))).any(axis=2)
    return found
