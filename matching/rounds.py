"""Rounds of the clearing: solve, price every lane in every admissible window, add the best, until none would gain.

The last pass looks at all lanes and is the proof of optimality (Dantzig and Wolfe 1960; Gilmore and Gomory 1961).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .engine import BASIC, INFINITY, Basis, Point
from .pricing import TIE, Candidates, Duals, Values, best_candidates
from .program import SUPPORT, Program
from .sides import Bools, Floats

ROUGHLY = 1e-3  # relative prices of a market that only guides are found to this,
FEW = 0.005  # or until lanes gain that are no more than this part of its rows
KEPT = 2.0  # candidates for each row that a programme goes on with after its first optimum
ROOM, FLOOR = 1.05, 1.2  # values inside the chain are looked for up to this much above known ones, or typical prices
RAISED = 100.0  # times its ceiling: a value that has reached it is looked for further up

Heard = Callable[[int, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """The welfare optimum: the last restricted programme, its optimum, the duals, rounds taken; `basis` is where the
    engine stood, None if it keeps none."""

    program: Program
    point: Point
    duals: Duals
    rounds: int
    basis: Basis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A programme with its first candidates.

    Few candidates leave the values inside the chain (of outputs and inputs of conversions) open, and what is then made
    of them leads astray; `ceiling` [rows inside] is what a guide knows of them, None where there is none."""

    program: Program
    ceiling: Floats | None = None


class Course:
    """Rounds taken so far, over all markets on the way; each is told to whoever asked."""

    def __init__(self, progress: Heard | None = None) -> None:
        self.progress, self.rounds = progress, 0

    def passed(self, worst: float) -> None:
        self.rounds += 1
        if self.progress is not None:
            self.progress(self.rounds, worst)


def solved(begun: Begun, course: Course, *, roughly: bool = False) -> Cleared:
    """Solve and add candidates until no lane gains; `roughly` until hardly any does.

    :raises engine.SolverFailed: the solver found no optimum.
    """
    program, ceiling, near, first = begun.program, begun.ceiling, False, True
    while True:
        point = _held_below(program, ceiling, near=near)
        duals = program.duals(point.duals)
        worst, gaining, best = _gaining(program, duals, ROUGHLY if roughly else TIE)
        course.passed(worst)
        few = FEW * len(program.limits)
        near = gaining <= few
        if gaining <= (few if roughly else 0):
            reached = at_ceiling(program, point)
            if roughly or ceiling is None or not reached.any():
                break
            ceiling = np.where(reached, RAISED * ceiling, ceiling)
            continue
        if first and program.parts is not None:
            _thin_out(program, point)
        first = False
        if not program.add(best):
            break
    basis = program.engine.basis()
    return Cleared(program=program, point=point, duals=duals, rounds=course.rounds, basis=basis)


def _thin_out(program: Program, point: Point) -> None:
    """Let go of the candidates that are furthest from the prices of an optimum: they were needed to find them, and each
    pivot of each later solve would look at all of them. Who gains again is found again."""
    basis, most = program.engine.basis(), int(KEPT * (~program.implied).sum())
    if basis is None or len(program.candidates) <= most:
        return
    gain = (program.welfare - program.engine.matrix.T @ point.duals)[program.fixed :] / program.length
    gain[program.closed] = -np.inf
    gain[basis.variables[program.fixed :] == BASIC] = np.inf
    program.keep(gain >= np.sort(gain)[-most])


def _gaining(program: Program, duals: Duals, least: float) -> tuple[float, int, Candidates]:
    """A pass over all lanes: the largest reduced cost, how many lanes gain more than `least`, and the best to add. What
    it found of each lane is let go before the next solve, when room is short."""
    pricing = Values(program.market, program.lanes, duals).best()
    worst, gaining = float(pricing.reduced.max(initial=0.0)), int((pricing.reduced > least).sum())
    return worst, gaining, best_candidates(program.lanes, pricing)


def _held_below(program: Program, ceiling: Floats | None, *, near: bool) -> Point:
    """The optimum of a programme's candidates; values inside the chain stay below their ceiling, as what is short there
    can be had at it."""
    face, objective = program.face, program.welfare
    if ceiling is None:
        return face.maximise(objective, near=near)
    slacks, upper = slice(len(program.capacity), program.fixed), face.upper.copy()
    upper[slacks], objective[slacks] = INFINITY, -ceiling
    return replace(face, upper=upper).maximise(objective, near=near)


def ceiling(program: Program, rows: Floats) -> Floats:
    """[rows inside the chain] up to where values are looked for at first, given those of other prices [rows]."""
    length = program.segments.length[program.inside % len(program.segments)]
    return np.asarray(np.maximum(ROOM * rows[program.inside], FLOOR * length))


def at_ceiling(program: Program, point: Point) -> Bools:
    """[rows inside the chain] where something is had at the ceiling."""
    return np.asarray(point.variables[len(program.capacity) : program.fixed] > SUPPORT)
