"""Segments: runs of periods that no admissible window cuts.

Inside a segment every contract has one rate, so the smallest capacity of its periods is the only one that counts and
prices count by their sum: a programme over segments has the same optimum as one over periods. A ladder of windows
has few of them; with all windows each period is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .sides import Floats, Ints

Number = TypeVar("Number", np.int64, np.float64)

TIGHT = 1e-9  # relative; capacities nearer than this to the smallest of a segment are as small


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """S segments that cover T periods; `first` [S] is where each begins, `length` [S] its periods."""

    first: Ints
    length: Ints

    def __len__(self) -> int:
        return len(self.first)

    @property
    def of(self) -> Ints:
        """[T] the segment of each period."""
        return np.repeat(np.arange(len(self)), self.length)

    def smallest(self, table: NDArray[Number]) -> NDArray[Number]:
        """[n, S] the smallest entry of each segment of a table [n, T]."""
        if not len(table):
            return np.zeros((0, len(self)), dtype=table.dtype)
        return np.asarray(np.minimum.reduceat(table, self.first, axis=1))

    def total(self, table: Floats) -> Floats:
        """[n, S] the sum over each segment of a table [n, T]."""
        if not len(table):
            return np.zeros((0, len(self)))
        return np.asarray(np.add.reduceat(table, self.first, axis=1))

    def spread(self, table: Floats, capacity: Floats | Ints) -> Floats:
        """[n, T] shadow prices of segments [n, S] laid on periods, in equal parts on those whose capacity [n, T] is
        the smallest: another period has some to spare, and what is to spare has no price."""
        if len(self) == len(self.of):
            return table
        at = self.of
        least = self.smallest(np.asarray(capacity, dtype=float))[:, at]
        tight = (capacity <= least * (1 + TIGHT)).astype(float)
        share: Floats = table[:, at] * tight / self.total(tight)[:, at]
        return share


def between_boundaries(windows: Ints, periods: int) -> Segments:
    """The coarsest segments that windows [W, 2] do not cut."""
    cuts = np.unique(np.concatenate([[0], windows[:, 0], windows[:, 1] + 1, [periods]]))
    return Segments(first=cuts[:-1], length=np.diff(cuts))


def cross(windows: Ints) -> bool:
    """Does any window begin before and end within another? In a ladder none does."""
    first, last = windows[:, 0], windows[:, 1]
    return bool(((first[:, None] < first) & (first <= last[:, None]) & (last[:, None] < last)).any())
