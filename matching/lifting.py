"""Where one programme ended as where another begins: bases carried over by position, lane and window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .engine import AT_LOWER, BASIC, Basis
from .pricing import Candidates
from .program import Program
from .rounds import Cleared
from .sides import Ints

NO_WINDOW = -1  # of candidates whose window the programme to come does not have


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where a programme ended, without the programme; its candidates, which begin after `fixed` variables, as lanes
    and windows of the programme to come."""

    basis: Basis
    fixed: int
    candidates: Candidates

    @property
    def basic(self) -> Candidates:
        """The candidates in the basis that the programme to come can have."""
        inside = (self.basis.variables[self.fixed :] == BASIC) & (self.candidates.window != NO_WINDOW)
        return Candidates(lane=self.candidates.lane[inside], window=self.candidates.window[inside])

    def over(self, window: int) -> Stand:
        """The same of a market of one window, which the programme to come knows as another."""
        candidates = Candidates(lane=self.candidates.lane, window=np.full_like(self.candidates.window, window))
        return replace(self, candidates=candidates)


def stand(cleared: Cleared) -> Stand | None:
    """Where a clearing ended; None where its engine keeps no basis."""
    if cleared.basis is None:
        return None
    own, count = cleared.program.candidates, len(cleared.basis.variables) - cleared.program.fixed
    candidates = Candidates(lane=own.lane[:count], window=own.window[:count])  # some may have been added since
    return Stand(basis=cleared.basis, fixed=cleared.program.fixed, candidates=candidates)


def begin(program: Program, stands: Sequence[Stand]) -> None:
    """Let a programme begin where others ended that have its positions and limits: one with its segments, or one for
    each of its segments, which has no other. Where their engine keeps no basis there are none, and it begins anew."""
    if not stands:
        return
    rows = np.stack([one.basis.rows for one in stands], axis=1).ravel()
    fixed = np.stack([one.basis.variables[: one.fixed] for one in stands], axis=1).ravel()
    width = len(program.market.windows)
    keys = program.candidates.keys(width)
    order = np.argsort(keys)
    status = np.full(len(keys), AT_LOWER)
    for one in stands if len(keys) else ():
        known = one.candidates.window != NO_WINDOW
        wanted = one.candidates.keys(width)
        place = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
        known &= keys[place] == wanted
        status[place[known]] = one.basis.variables[one.fixed :][known]
    _join(program, status)
    variables = np.concatenate([fixed, status])
    _fill(rows, len(rows) - int((variables == BASIC).sum()) - int((rows == BASIC).sum()))
    program.engine.begin(Basis(variables=variables, rows=rows))


def _join(program: Program, status: Ints) -> None:
    """Let windows into the basis [candidates] in place of the first of their segments.

    Where a lane traded in all segments of a window and may not in one alone, the window gains as little as its parts
    do, which is nothing: prices stay, and what differs from segment to segment is all that is left to be put right. The
    basis stays one, as no two windows of a lane begin with the same segment."""
    candidates, count = program.candidates, len(program.segments)
    first, last = program.segments.of[program.market.windows[candidates.window]].T
    begins = candidates.lane * count + first
    parts = np.flatnonzero((first == last) & program.closed & (status == BASIC))
    parts = parts[np.argsort(begins[parts])]
    known = begins[parts]
    whole = np.flatnonzero((first < last) & ~program.closed & (status != BASIC))
    found = np.searchsorted(known, begins[whole])
    after = np.searchsorted(known, candidates.lane[whole] * count + last[whole], side="right")
    full = after - found == (last - first + 1)[whole]
    order = np.lexsort((last[whole[full]], begins[whole[full]]))
    _, shortest = np.unique(begins[whole[full]][order], return_index=True)
    status[whole[full][order[shortest]]] = BASIC
    status[parts[found[full][order[shortest]]]] = AT_LOWER


def _fill(rows: Ints, short: int) -> None:
    """Let go of rows in place of what is missing."""
    if short > 0:
        rows[np.flatnonzero(rows != BASIC)[:short]] = BASIC
