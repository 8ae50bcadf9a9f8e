"""Welfare: the restricted programme and the generation of candidates until none of all would improve it.

There are very many candidates and few rows, so a small programme is solved, every lane in every admissible window is
priced with its duals, the best are added, until nothing has a positive reduced cost. The last pass looks at all lanes
and is the proof of optimality (Dantzig and Wolfe 1960; Gilmore and Gomory 1961).

Good first candidates save most of the rounds. They come from markets that are quicker to clear: the average market,
whose one period has the mean of all, and, where windows overlap freely, the market in which volume may differ from
period to period.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .engine import Engine, Point
from .lanes import Lanes
from .pricing import TIE, Candidates, Duals, Values, best_candidates, zero_duals
from .program import Program
from .segments import between_boundaries
from .sides import Bools, Floats, Ints, Market, MarketSide

ROUGHLY = 1e-3  # relative prices of a market that only guides are found to this
LIKELY = 0.05  # of the typical price, per period: a lane that loses less at such prices may be traded at the true ones
NEARLY = 0.003  # the same, over the window, at prices of the market by periods, which are nearer

Heard = Callable[[int, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """The welfare optimum: the last restricted programme, its optimum, the duals, rounds taken."""

    program: Program
    point: Point
    duals: Duals
    rounds: int


def clear(market: Market, lanes: Lanes, engine: type[Engine], progress: Heard | None = None) -> Cleared:
    """The welfare optimum over all candidates of all lanes.

    `progress` is called with (round, largest reduced cost) after each pass.
    :raises engine.SolverFailed: the solver found no optimum of a restricted programme.
    """
    program = Program(market, lanes, engine)
    if (market.windows[:, 1] > market.windows[:, 0]).any():
        average = _average(market)
        guide = _solved(_started(average, _all_along(market, lanes), engine), 0, progress, ROUGHLY)
        likely = _likely(guide)
        values = Values(market, lanes, guide.duals)
        if len(market.windows) > 2 * len(between_boundaries(market.windows, market.periods)):
            by_period = _by_period(market)
            relaxed = Program(by_period, lanes, engine)
            relaxed.add(_near(Values(by_period, lanes, guide.duals), likely, LIKELY))
            guide = _solved(relaxed, guide.rounds, progress, ROUGHLY)
            values = Values(market, lanes, guide.duals)
            program.add(values.within(-NEARLY))
        else:
            program.add(_near(values, likely, LIKELY))
        rounds = guide.rounds
    else:
        values, rounds = Values(market, lanes, zero_duals(market, lanes)), 0
    program.add(best_candidates(lanes, values.best()))
    return _solved(program, rounds, progress)


def _started(market: Market, lanes: Lanes, engine: type[Engine]) -> Program:
    """A programme with the candidates that gain most as long as nothing is scarce."""
    program = Program(market, lanes, engine)
    program.add(best_candidates(lanes, Values(market, lanes, zero_duals(market, lanes)).best()))
    return program


def _average(market: Market) -> Market:
    """The market of one window over the horizon, with the mean quantity and price of what is open in each period."""

    def even(side: MarketSide) -> MarketSide:
        return replace(
            side,
            quantity=np.rint(_mean(side.quantity, np.ones_like(side.open))).astype(np.int64),
            open=np.repeat(np.asarray(side.open.any(axis=1))[:, None], market.periods, axis=1),
            price=_mean(side.price, side.open),
            min_term=np.ones_like(side.min_term),
            max_term=np.full_like(side.max_term, market.periods),
        )

    return replace(
        market,
        windows=np.array([[0, market.periods - 1]]),
        sellers=even(market.sellers),
        buyers=even(market.buyers),
        capacity=np.rint(_mean(market.capacity, np.ones_like(market.capacity, dtype=bool))).astype(np.int64),
        fee=_mean(market.fee, market.capacity > 0),
    )


def _mean(table: Floats | Ints, counted: Bools) -> Floats:
    """[n, T] the mean of each row's counted entries, everywhere."""
    mean = (table * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    return np.broadcast_to(mean[:, None], table.shape)


def _all_along(market: Market, lanes: Lanes) -> Lanes:
    """Lanes whose certificates and limits are the same in all periods."""
    families = tuple(
        replace(family, limit=np.full_like(family.limit, int(family.limit.mean()))) for family in lanes.families
    )
    return replace(lanes, latest_start=np.full_like(lanes.latest_start, market.periods), families=families)


def _by_period(market: Market) -> Market:
    """The market whose contracts may last a single period each, whatever terms and windows are asked for."""
    single = np.repeat(np.arange(market.periods)[:, None], 2, axis=1)
    sellers, buyers = (replace(side, min_term=np.ones_like(side.min_term)) for side in (market.sellers, market.buyers))
    return replace(market, windows=single, sellers=sellers, buyers=buyers)


def _likely(guide: Cleared) -> Ints:
    """The lanes that a guiding market trades or nearly trades."""
    program = guide.program
    pricing = Values(program.market, program.lanes, guide.duals).best()
    near = best_candidates(program.lanes, pricing, least=-LIKELY * program.market.periods, each=2)
    return np.union1d(near.lane, program.traded(guide.point.variables).lane)


def _near(values: Values, lanes: Ints, loss: float) -> Candidates:
    """Of some lanes, the candidates that lose less than a share of the typical price per period."""
    lane, window = [], []
    for w in range(len(values.market.windows)):
        found = lanes[values.reduced(lanes, w) >= -loss * values.length[w]]
        lane.append(found)
        window.append(np.full(len(found), w, dtype=np.int64))
    return Candidates(lane=np.concatenate(lane), window=np.concatenate(window))


def _solved(program: Program, rounds: int, progress: Heard | None, enough: float = TIE) -> Cleared:
    """Solve and add candidates until no lane gains more than `enough`."""
    market, lanes = program.market, program.lanes
    while True:
        point = program.face.maximise(program.welfare)
        duals = program.duals(point.duals)
        pricing = Values(market, lanes, duals).best()
        rounds += 1
        worst = float(pricing.reduced.max(initial=0.0))
        if progress is not None:
            progress(rounds, worst)
        if worst <= enough or not program.add(best_candidates(lanes, pricing)):
            return Cleared(program=program, point=point, duals=duals, rounds=rounds)
