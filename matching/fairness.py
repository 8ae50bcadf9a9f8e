"""Volume and fairness: among the welfare optima the greatest volume, then the max-min vector of fill ratios,
then the fewest and longest contracts.

The max-min point is found by levels: raise the smallest ratio as far as it goes, hold whoever cannot rise further
(a positive dual says so), go on with the rest. It is unique in the ratios, so it depends on no order.
Source of the method: Nace and Pioro, "Max-min fairness and its applications to routing and load-balancing", 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import shake_128

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .engine import AT_LOWER, BASIC, INFINITY, Basis, Face, SolverFailed
from .lifting import begin, stand
from .pricing import TIE, Duals, Values
from .program import Program
from .rounds import Cleared
from .sides import Bools, Floats, Ints

HELD = 1e-9  # slack with which a reached ratio is held, so that rounding cannot empty the face
OPEN = 1e-7  # a ratio that can move by more than this is not settled
LOSS = 1e-12  # of the typical price, per period; above what sums of prices are rounded by
# Candidates. Below, each stage begins where the one before ended; above, the dual simplex method goes far away from it:
# at 1 069 000 the greatest volume was not found in four minutes from the clearing's basis, and from nothing in 46 s.
VAST = 500_000
DRAW = 1e-3  # what a drawn weight counts beside a lot per period
ASK_AGAIN = 10  # levels between two looks at what is still open
ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], dtype=np.uint64)
SEED = 20_27  # the direction that tells whether a ratio is still open is drawn, but always the same


def settle(
    cleared: Cleared, duals: Duals, hold: Callable[[Program, Face], Face] | None = None
) -> tuple[Program, Floats]:
    """The rates of the answer, lots per period, aligned with the candidates of the returned programme.

    `duals` is any optimal dual; every candidate it prices at zero may take part. `hold` narrows the welfare optima to
    those that keep block terms.
    :raises engine.SolverFailed: a stage found no optimum.
    """
    market, lanes = cleared.program.market, cleared.program.lanes
    program = Program(market, lanes, type(cleared.program.engine))
    program.add(Values(market, lanes, duals).within(-TIE))
    program.add(cleared.program.traded(cleared.point.variables))
    vast = len(program.candidates) > VAST
    ended = None if vast else stand(cleared)
    begin(program, [ended] if ended is not None else [])
    face = _without_loss(program).optima(program.welfare, program.row_duals(duals))
    if hold is not None:
        face = hold(program, face)
    try:
        most = face.maximise(program.volume)
    except SolverFailed:  # no point of it: a limit counts as scarce with a little left, and nothing can fill that
        face = _reaching(face, _optimum(program, cleared))
        most = face.maximise(program.volume)
    face = face.optima(program.volume, most.duals)
    face = face.optima(program.used_input, face.maximise(program.used_input, near=True).duals)
    face = max_min(face, fill_ratios(program))
    # Fewer lots per period for the same volume means longer windows: one contract over a year, not four quarters. Who
    # trades with whom is drawn among equals, so that it depends on what is offered and not on the solver's path.
    wanted = program.objective(DRAW * drawn(program) - 1.0)
    more = np.zeros(len(face.lower) - len(wanted))
    if vast:
        face.engine.forget()
    point = face.maximise(np.concatenate([wanted, more]))
    return program, program.rates(point.variables[: len(wanted)])


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


def max_min(face: Face, measures: sparse.csr_array) -> Face:
    """The part of a face where the vector of measures is max-min (lexicographically largest, sorted upwards).

    The returned face may have more variables behind the given ones: each open measure, then a floor for each part.
    Parts of the face that share no row and no open measure are independent: each has a floor of its own, and all floors
    rise in one programme.
    """
    unsettled = _open(face, measures)
    if not unsettled.any():  # as in most large markets; asked before the face is made larger
        return face
    measures, first = measures[unsettled], len(face.lower)  # the first measure among the variables to come
    part, unsettled = _parts(face, measures), unsettled[unsettled]
    wide = _with_measures(face, measures, part)
    while unsettled.any():
        for _ in range(ASK_AGAIN):
            wide, reached = _raised(wide, first, part, unsettled)
            unsettled &= ~reached
            if not unsettled.any():
                return wide
        # Holding one measure may settle the rest of its part.
        unsettled &= _open(wide, _among(wide, first, len(part)))
    return wide


def _raised(wide: Face, first: int, part: Ints, unsettled: Bools) -> tuple[Face, Bools]:
    """The smallest unsettled measures of each part as large as they can be; which of them cannot rise further, and the
    face with those held. Measures begin after `first` variables; see `_with_measures`."""
    count = len(part)
    rising = np.zeros(len(wide.lower))
    rising[first + count + np.unique(part[unsettled])] = 1.0
    floored = replace(
        wide,
        row_lower=np.concatenate([wide.row_lower[:-count], np.where(unsettled, 0.0, -INFINITY)]),
        upper=np.where(rising > 0, INFINITY, wide.upper),
    )
    best = floored.maximise(rising, near=True)
    reached = unsettled & (best.duals[-count:] < -TIE)
    level = best.variables[first + count :][part]
    lower, upper = wide.lower.copy(), wide.upper.copy()
    lower[first : first + count] = np.where(reached, level - HELD, lower[first : first + count])
    upper[first : first + count] = np.where(reached, level + HELD, upper[first : first + count])
    return replace(wide, lower=lower, upper=upper), reached


def _parts(face: Face, measures: sparse.csr_array) -> Ints:
    """Which independent part of the face each measure belongs to, counted from 0."""
    free = np.flatnonzero(face.upper > face.lower)
    table = sparse.csr_array(sparse.vstack([face.engine.matrix, measures], format="csc")[:, free])
    graph = sparse.block_array([[None, table], [table.T, None]], format="csr")
    _, part = connected_components(graph, directed=False)  # type: ignore[arg-type]  # a type var too wide in the stubs
    rows = face.engine.matrix.shape[0]
    _, numbered = np.unique(part[rows : rows + measures.shape[0]], return_inverse=True)
    return np.asarray(numbered, dtype=np.int64)


def _with_measures(face: Face, measures: sparse.csr_array, part: Ints) -> Face:
    """The face with a variable for each measure and a floor, at rest, for each part; rows say what a measure is and
    that it stands above its floor."""
    rows, count, parts = face.engine.matrix.shape[0], measures.shape[0], int(part.max(initial=-1)) + 1
    engine = type(face.engine)(rows + 2 * count)
    none = sparse.csc_array((count, len(face.lower)))
    engine.add_columns(sparse.csc_array(sparse.vstack([face.engine.matrix, measures, none], format="csc")))
    same = sparse.eye_array(count, format="csc")
    above = sparse.csc_array((rows, count))
    engine.add_columns(sparse.csc_array(sparse.vstack([above, -same, same], format="csc")))
    under = sparse.csc_array(
        (-np.ones(count), (rows + count + np.arange(count), part)), shape=(rows + 2 * count, parts)
    )
    engine.add_columns(under)
    stood = face.engine.basis()
    if stood is not None:  # each measure follows what it measures, floors rest, so nothing has to move
        variables = [stood.variables, np.full(count, BASIC), np.full(parts, AT_LOWER)]
        standing = [stood.rows, np.full(count, AT_LOWER), np.full(count, BASIC)]
        engine.begin(Basis(variables=np.concatenate(variables), rows=np.concatenate(standing)))
    none_yet = np.full(count, INFINITY)
    return Face(
        engine=engine,
        row_lower=np.concatenate([face.row_lower, np.zeros(count), -none_yet]),
        row_upper=np.concatenate([face.row_upper, np.zeros(count), none_yet]),
        lower=np.concatenate([face.lower, -none_yet, np.zeros(parts)]),
        upper=np.concatenate([face.upper, none_yet, np.zeros(parts)]),
    )


def _among(wide: Face, first: int, count: int) -> sparse.csr_array:
    """The measures of a face that has a variable for each."""
    where = np.arange(count), first + np.arange(count)
    return sparse.csr_array((np.ones(count), where), shape=(count, len(wide.lower)))


def _open(face: Face, measures: sparse.csr_array) -> Bools:
    """Measures that are not the same all over the face.

    If a face allows two vectors of measures, a drawn direction tells them apart with probability one; those it did not
    are asked once more, by themselves.
    """
    weights = np.random.default_rng(SEED).uniform(0.5, 1.5, measures.shape[0])
    found = np.zeros(len(weights), dtype=bool)
    while True:
        direction = measures.T @ np.where(found, 0.0, weights)
        low, high = (measures @ face.maximise(sign * direction, near=True).variables for sign in (-1.0, 1.0))
        differing = (np.abs(high - low) > OPEN) & ~found
        if not differing.any():
            return found
        found |= differing
