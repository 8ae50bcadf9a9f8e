"""Welfare: the restricted programme and the generation of candidates until none of all would improve it.

There are very many candidates and few rows, so a small programme is solved, every lane in every admissible window is
priced with its duals, the best are added, until nothing has a positive reduced cost. The last pass looks at all lanes
and is the proof of optimality (Dantzig and Wolfe 1960; Gilmore and Gomory 1961).

The first candidates come from a market that is quick to clear: the same one in which volume may differ from period
to period. Its shadow prices are near the true ones, and the candidates they nearly take are nearly all that matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .engine import Engine, Point
from .lanes import Lanes
from .pricing import TIE, Duals, Values, best_candidates, zero_duals
from .program import Program
from .sides import Market

NEARLY = 0.01  # candidates that lose less than this share of the typical price are taken from the start


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
    values, rounds = Values(market, lanes, zero_duals(market, lanes)), 0
    if (market.windows[:, 1] > market.windows[:, 0]).any():
        guess = _solved(_period_by_period(market, lanes, engine), 0, progress)
        values, rounds = Values(market, lanes, guess.duals), guess.rounds
        program.add(values.within(-NEARLY))
    program.add(best_candidates(lanes, values.best()))
    return _solved(program, rounds, progress)


def _period_by_period(market: Market, lanes: Lanes, engine: type[Engine]) -> Program:
    """The market whose contracts may last a single period each, whatever terms and windows are asked for."""
    single = np.repeat(np.arange(market.periods)[:, None], 2, axis=1)
    sellers, buyers = (replace(side, min_term=np.ones_like(side.min_term)) for side in (market.sellers, market.buyers))
    relaxed = replace(market, windows=single, sellers=sellers, buyers=buyers)
    program = Program(relaxed, lanes, engine)
    program.add(best_candidates(lanes, Values(relaxed, lanes, zero_duals(relaxed, lanes)).best()))
    return program


def _solved(program: Program, rounds: int, progress: Callable[[int, float], None] | None) -> Cleared:
    """Solve and add candidates until every lane is priced out."""
    market, lanes = program.market, program.lanes
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
