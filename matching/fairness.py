"""Volume and fairness: among the welfare optima the greatest volume, then the max-min vector of fill ratios (see
`max_min`), then the fewest and longest contracts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import shake_128

import numpy as np
from scipy import sparse

from .engine import INFINITY, Face, SolverFailed
from .lifting import begin, stand
from .max_min import constant, held, max_min
from .pieces import maximise_in_pieces
from .pricing import TIE, Duals, Values
from .program import Program
from .rounds import Cleared
from .sides import Bools, Floats

LOSS = 1e-12  # of the typical price, per period; above what sums of prices are rounded by
DRAW = 1e-3  # what a drawn weight counts beside a lot per period
ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], dtype=np.uint64)


def settle(
    cleared: Cleared, duals: Duals, hold: Callable[[Program, Face], Face] | None = None
) -> tuple[Program, Floats]:
    """The rates of the answer, lots per period, aligned with the candidates of the returned programme.

    `duals` is any optimal dual; a candidate may take part that both it and the clearing's own price at zero. `hold`
    narrows the welfare optima to those that keep block terms.
    :raises engine.SolverFailed: a stage found no optimum.
    """
    market, lanes, engine = cleared.program.market, cleared.program.lanes, type(cleared.program.engine)
    ties = Values(market, lanes, duals).within(-TIE)
    # Long windows change neither volume nor ratios; who has block terms counts contracts.
    program = Program(market, lanes, engine, in_parts=hold is None)
    program.add(ties)
    program.add(cleared.program.traded(cleared.point.variables))
    _begin(program, cleared)
    of_welfare = program.row_duals(cleared.duals)  # by any other dual the optima are the same, but the basis is not one
    face = _without_loss(program).optima(program.welfare, of_welfare)
    if hold is not None:
        face = hold(program, face)
    try:
        most = face.maximise(program.volume)
    except SolverFailed:  # no point of it: a limit counts as scarce with a little left, and nothing can fill that
        face = _reaching(face, _optimum(program, cleared))
        most = face.maximise(program.volume)
    face = face.optima(program.volume, most.duals)
    used = face.maximise(program.used_input, near=True)
    face = face.optima(program.used_input, used.duals)
    ratios = fill_ratios(program)
    levels = max_min(face, ratios)
    made = constant(held(face, ratios, levels), len(program.capacity))
    face = _without_closed(face, program)
    program.complete(ties)
    stages = [(program.welfare, of_welfare), (program.volume, most.duals), (program.used_input, used.duals)]
    face = held(_completed(face, program, stages), fill_ratios(program), levels)
    # Fewer lots per period for the same volume means longer windows: one contract over a year, not four quarters. Who
    # trades with whom is drawn among equals, so that it depends on what is offered and not on the solver's path.
    wanted = program.objective(DRAW * drawn(program) - 1.0)
    return program, program.rates(maximise_in_pieces(face, wanted, made, engine))


def _begin(program: Program, cleared: Cleared) -> None:
    """Let a programme begin where the clearing ended, with all that is basic there, though only closed where it is no
    tie: where some of it is missing the way to the greatest volume is far."""
    ended, own = stand(cleared), len(program.candidates)
    if ended is not None:
        program.add(ended.basic)
        program.close(np.arange(len(program.candidates)) >= own)
        begin(program, [ended])


def _without_closed(face: Face, program: Program) -> Face:
    """A face without the variables of closed candidates, which a completed programme does not have."""
    kept = np.concatenate([np.ones(program.fixed, dtype=bool), ~program.closed])
    return replace(face, lower=face.lower[kept], upper=face.upper[kept])


def _completed(face: Face, program: Program, stages: Sequence[tuple[Floats, Floats]]) -> Face:
    """A face with the candidates that came later, those that each stage (objective and row duals) leaves free."""
    known = len(face.lower)
    columns = program.engine.matrix[:, known:]
    free = ~_losing(program)[known - program.fixed :]
    for objective, duals in stages:
        free &= objective[known:] - columns.T @ duals >= -TIE
    return replace(
        face,
        engine=program.engine,
        lower=np.concatenate([face.lower, np.zeros(len(free))]),
        upper=np.concatenate([face.upper, np.where(free, INFINITY, 0.0)]),
    )


def drawn(program: Program) -> Floats:
    """[candidates] weights between 0 and 1 drawn from what both sides offer and the window, never from their places."""
    market, candidates = program.market, program.candidates
    sold, bought = (
        np.frombuffer(b"".join(shake_128(what.encode()).digest(8) for what in side.content), dtype=np.uint64)
        for side in (market.sellers, market.buyers)
    )
    first, last = market.windows[candidates.window].T.astype(np.uint64)
    mixed = sold[program.seller] * ODD[0] + bought[program.buyer] * ODD[1] + first * ODD[2] + last * ODD[3]
    for shift, factor in ((32, ODD[0]), (29, ODD[1]), (32, ODD[2])):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * factor
    return np.asarray((mixed >> np.uint64(11)) / 2.0**53)


def _without_loss(program: Program) -> Face:
    """All feasible points without contracts between two offers that lose: one that loses less than prices are told
    apart by would count as a tie, and its locked price could not lie between ask and bid."""
    upper = program.face.upper
    upper[program.fixed + np.flatnonzero(_losing(program))] = 0.0
    return replace(program.face, upper=upper)


def _losing(program: Program) -> Bools:
    """[candidates] those between two offers that lose."""
    offers = program.market.sellers.offers, program.market.buyers.offers
    between = (program.seller < offers[0]) & (program.buyer < offers[1])
    return np.asarray(between & (program.margin < -LOSS * program.length))


def _optimum(program: Program, cleared: Cleared) -> Floats:
    """The clearing's optimum as variables of a programme that has its contracts, without those that lose."""
    theirs, windows = cleared.program, len(program.market.windows)
    traded = cleared.point.variables[theirs.fixed :]
    keys = theirs.candidates.keys(windows)[: len(traded)]  # some may have been added since
    rate = dict(zip(keys.tolist(), traded.tolist(), strict=True))
    rates = np.array([rate.get(key, 0.0) for key in program.candidates.keys(windows).tolist()])
    return np.concatenate([cleared.point.variables[: theirs.fixed], np.where(_losing(program), 0.0, rates)])


def _reaching(face: Face, point: Floats) -> Face:
    """A face made wide enough to have a point in it."""
    taken = face.engine.activity(point)
    return replace(
        face,
        row_lower=np.minimum(face.row_lower, taken),
        row_upper=np.maximum(face.row_upper, taken),
        lower=np.minimum(face.lower, point),
        upper=np.maximum(face.upper, point),
    )


def fill_ratios(program: Program) -> sparse.csr_array:
    """One row an offer or conversion: its filled share of what it offered over the horizon, of the variables."""
    market = program.market
    totals, rows, columns, entries = [], [], [], []
    height = 0
    for positions, side in ((program.seller, market.sellers), (program.buyer, market.buyers)):
        offered = side.quantity.sum(axis=1) * program.level[side.product] / program.value
        made = market.capacity.sum(axis=1) * program.level[market.sellers.product[market.sellers.offers :]]
        if side is market.sellers:
            offered[side.offers :] = made / program.value
        else:
            offered[side.offers :] = 0.0  # an input is not an offer; its conversion stands on the other side
        counted = offered[positions] > 0
        rows.append(positions[counted] + height)
        columns.append(np.flatnonzero(counted) + program.fixed)
        entries.append(program.length[counted] / offered[positions[counted]])
        height += len(side)
        totals.append(offered)
    shape = (height, program.fixed + len(program.candidates))
    where = np.concatenate(rows), np.concatenate(columns)
    table = sparse.csr_array((np.concatenate(entries), where), shape=shape)
    return table[np.concatenate(totals) > 0]
