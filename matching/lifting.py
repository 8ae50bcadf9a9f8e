"""Where one programme ended as where another begins: bases carried over by position, lane and window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .engine import AT_LOWER, BASIC, Basis
from .pricing import Candidates
from .program import Program
from .sides import Ints

NO_WINDOW = -1  # of candidates whose window the programme to come does not have


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where a programme ended; its candidates as lanes and windows of the programme to come."""

    program: Program
    basis: Basis
    candidates: Candidates

    @property
    def basic(self) -> Candidates:
        """The candidates in the basis that the programme to come can have."""
        inside = (self.basis.variables[self.program.fixed :] == BASIC) & (self.candidates.window != NO_WINDOW)
        return Candidates(lane=self.candidates.lane[inside], window=self.candidates.window[inside])


def stand(program: Program, *, lane: Ints | None = None, window: Ints | None = None) -> Stand | None:
    """Where a programme ended, with its lanes and windows renamed; None where its engine keeps no basis."""
    basis, own = program.engine.basis(), program.candidates
    if basis is None:
        return None
    renamed = Candidates(
        lane=own.lane if lane is None else lane[own.lane], window=own.window if window is None else window[own.window]
    )
    return Stand(program=program, basis=basis, candidates=renamed)


def begin(program: Program, stands: Sequence[Stand]) -> None:
    """Let a programme begin where others ended that have its positions and limits: one with its segments, or one for
    each of its segments, which has no other."""
    rows = np.stack([one.basis.rows for one in stands], axis=1).ravel()
    fixed = np.stack([one.basis.variables[: one.program.fixed] for one in stands], axis=1).ravel()
    width = len(program.market.windows)
    keys = program.candidates.lane * width + program.candidates.window
    order = np.argsort(keys)
    status = np.full(len(keys), AT_LOWER)
    for one in stands:
        known = one.candidates.window != NO_WINDOW
        wanted = one.candidates.lane * width + one.candidates.window
        place = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
        known &= keys[place] == wanted
        status[place[known]] = one.basis.variables[one.program.fixed :][known]
    variables = np.concatenate([fixed, status])
    _fill(rows, len(rows) - int((variables == BASIC).sum()) - int((rows == BASIC).sum()))
    program.engine.begin(Basis(variables=variables, rows=rows))


def _fill(rows: Ints, short: int) -> None:
    """Let go of rows in place of what is missing."""
    if short > 0:
        rows[np.flatnonzero(rows != BASIC)[:short]] = BASIC
