"""Welfare: the restricted programme and the generation of candidates until none of all would improve it.

There are very many candidates and few rows, so a small programme is solved, every lane in every admissible window is
priced with its duals, the best are added, until nothing has a positive reduced cost. The last pass looks at all lanes
and is the proof of optimality (Dantzig and Wolfe 1960; Gilmore and Gomory 1961).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .engine import Engine, Point
from .lanes import Lanes
from .pricing import TIE, Duals, Values, best_candidates, zero_duals
from .program import Program
from .sides import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """The welfare optimum: the last restricted programme, its optimum, the duals, rounds taken."""

    program: Program
    point: Point
    duals: Duals
    rounds: int


def clear(
    market: Market, lanes: Lanes, engine: type[Engine], progress: Callable[[int, float], None] | None = None
) -> Cleared:
    """The welfare optimum over all candidates of all lanes.

    `progress` is called with (round, largest reduced cost) after each pass.
    :raises engine.SolverFailed: the solver found no optimum of a restricted programme.
    """
    program = Program(market, lanes, engine)
    program.add(best_candidates(lanes, Values(market, lanes, zero_duals(market, lanes)).best()))
    rounds = 0
    while True:
        point = program.face.maximise(program.welfare)
        duals = program.duals(point.duals)
        pricing = Values(market, lanes, duals).best()
        rounds += 1
        worst = float(pricing.reduced.max(initial=0.0))
        if progress is not None:
            progress(rounds, worst)
        if worst <= TIE or not program.add(best_candidates(lanes, pricing)):
            return Cleared(program=program, point=point, duals=duals, rounds=rounds)
