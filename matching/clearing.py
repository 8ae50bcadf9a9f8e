"""Welfare: the restricted programme and the generation of candidates until none of all would improve it.

There are very many candidates and few rows, so a small programme is solved, every lane in every admissible window is
priced with its duals, the best are added, until nothing has a positive reduced cost. The last pass looks at all lanes
and is the proof of optimality (Dantzig and Wolfe 1960; Gilmore and Gomory 1961).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .lanes import Lanes
from .pricing import TIE, Duals, Values, best_candidates, zero_duals
from .program import Point, Program, restricted
from .sides import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """The welfare optimum: the last restricted programme, its optimum, the duals, rounds taken."""

    program: Program
    point: Point
    duals: Duals
    rounds: int
    priced: int  # candidates priced in the last pass


def clear(market: Market, lanes: Lanes, progress: Callable[[str, int, float], None]) -> Cleared:
    """The welfare optimum over all candidates of all lanes.

    `progress` is called with ("clearing", round, largest reduced cost) after each pass.
    :raises program.SolverFailed: the solver found no optimum of a restricted programme.
    """
    values = Values(market, lanes, zero_duals(market, lanes))
    candidates = best_candidates(lanes, values.best())
    rounds = 0
    while True:
        program = restricted(market, lanes, candidates)
        point = program.face.maximise(program.welfare)
        duals = program.duals(point.duals)
        pricing = Values(market, lanes, duals).best()
        rounds += 1
        worst = float(pricing.reduced.max(initial=0.0))
        progress("clearing", rounds, worst)
        added = candidates.joined(best_candidates(lanes, pricing))
        if worst <= TIE or len(added) == len(candidates):
            priced = len(lanes) * len(market.windows)
            return Cleared(program=program, point=point, duals=duals, rounds=rounds, priced=priced)
        candidates = added
