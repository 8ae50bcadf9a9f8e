"""Ladders of windows: each is one segment or is made of smaller ones, as a year of its quarters.

What flows under contracts over one window is a layer of the hubs' programme (see `hub_programme`). Who asks for a
quarter may also sign a year, and then has so much less for each of its quarters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .segments import Segments, cross
from .sides import Bools, Ints, Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The windows of a market that make layers: each segment, and those that somebody asks for at least.

    `windows` [V] are positions in `Market.windows`; `over` [V, S] the segments of each layer; `segment` [S] the layer
    that each segment is; `own` says of each shortest term which layers [V] are the shortest that it admits.
    """

    windows: Ints
    over: Bools
    segment: Ints
    own: dict[int, Bools]

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def within(self) -> Bools:
        """[V, V] is the window of the first a part of that of the second, or the same."""
        return np.asarray((self.over[:, None, :] & ~self.over).sum(axis=2) == 0)

    def tables(self, term: Ints) -> tuple[Bools, Bools]:
        """Two tables [n, V] for those who ask for a term [n]: the layers of their shortest windows, and all layers over
        whose window they may sign."""
        own = np.zeros((len(term), len(self)), dtype=bool)
        every = np.zeros_like(own)
        for one, shortest in self.own.items():
            own[term == one] = shortest
            every[term == one] = self.within[shortest].any(axis=0)
        return own, every


def ladder_of(market: Market, segments: Segments) -> Ladder | None:
    """The ladder of a market's windows; None where they are none, or where to somebody's term they are none: a half is
    no window to whoever asks for four months, if one of its quarters has four and the other two."""
    if cross(market.windows):
        return None
    first, last = segments.of[market.windows].T
    place = np.arange(len(segments))
    over = (first[:, None] <= place) & (place <= last[:, None])
    leaves = np.flatnonzero(first == last)
    if len(leaves) < len(segments):
        return None
    own = {}
    for term in np.unique(np.concatenate([market.sellers.min_term, market.buyers.min_term])).tolist():
        shortest = _shortest(market, over, term)
        if shortest is None:
            return None
        own[term] = shortest
    used = np.zeros(len(over), dtype=bool)
    used[leaves] = True
    for one in own.values():
        used |= one
    segment = np.zeros(len(segments), dtype=np.int64)
    segment[first[leaves]] = (np.cumsum(used) - 1)[leaves]
    return Ladder(
        windows=np.flatnonzero(used),
        over=over[used],
        segment=segment,
        own={term: one[used] for term, one in own.items()},
    )


def of_one_window(market: Market) -> Ladder:
    """The ladder of a market of one window, whatever terms are asked for."""
    terms = np.unique(np.concatenate([market.sellers.min_term, market.buyers.min_term])).tolist()
    every = np.ones((1, 1), dtype=bool)
    return Ladder(
        windows=np.zeros(1, dtype=np.int64),
        over=every,
        segment=np.zeros(1, dtype=np.int64),
        own=dict.fromkeys(terms, every[0]),
    )


def _shortest(market: Market, over: Bools, term: int) -> Bools | None:
    """[W] the windows of at least a term with no such window inside; None where they do not make up all longer ones."""
    length = market.windows[:, 1] - market.windows[:, 0] + 1
    long = length >= term
    size = over.sum(axis=1)
    within = ((over[:, None, :] & ~over).sum(axis=2) == 0) & (size[:, None] < size)  # [W, W] is one a part of another
    shortest = long & ~(within & long[:, None]).any(axis=0)
    covered = (within & shortest[:, None]).T.astype(np.int64) @ size
    longer = long & ~shortest
    return np.asarray(shortest) if (covered[longer] == size[longer]).all() else None
