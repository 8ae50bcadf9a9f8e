"""Volume and fairness: among the welfare optima the greatest volume, then the max-min vector of fill ratios,
then the fewest and longest contracts.

The max-min point is found by levels: raise the smallest ratio as far as it goes, hold whoever cannot rise further
(a positive dual says so), go on with the rest. It is unique in the ratios, so it depends on no order.
Source of the method: Nace and Pioro, "Max-min fairness and its applications to routing and load-balancing", 2008.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .clearing import Cleared
from .lanes import Lanes
from .pricing import TIE, Candidates, Duals, Values
from .program import SUPPORT, Face, Program, restricted
from .sides import Bools, Floats, Ints, Market

HELD = 1e-9  # slack with which a reached ratio is held, so that rounding cannot empty the face
OPEN = 1e-7  # a ratio that can move by more than this is not settled
SEED = 20_27  # the directions that tell whether a ratio is still open are drawn, but always the same


def settle(market: Market, lanes: Lanes, cleared: Cleared, duals: Duals) -> tuple[Program, Floats]:
    """The rates of the answer, lots per period, aligned with the candidates of the returned programme.

    `duals` is any optimal dual; every candidate it prices at zero may take part.
    :raises program.SolverFailed: a stage found no optimum.
    """
    support = np.flatnonzero(cleared.point.variables[: len(cleared.program.candidates)] > SUPPORT)
    used = cleared.program.candidates
    tied = Values(market, lanes, duals).within(-TIE)
    candidates = tied.joined(Candidates(lane=used.lane[support], window=used.window[support]))
    program = restricted(market, lanes, candidates)
    face = program.face.optima(program.welfare, program.row_duals(duals))
    face = face.optima(program.volume, face.maximise(program.volume).duals)
    face = max_min(face, fill_ratios(program))
    # Fewer lots per period for the same volume means longer windows: one contract over a year, not four quarters.
    short = np.concatenate([-np.ones(len(candidates)), np.zeros(market.capacity.size)])
    return program, program.rates(face.maximise(short).variables)


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
        columns.append(np.flatnonzero(counted))
        entries.append(program.length[counted] / offered[positions[counted]])
        height += len(side)
        totals.append(offered)
    shape = (height, len(program.face.lower))
    where = np.concatenate(rows), np.concatenate(columns)
    table = sparse.csr_array((np.concatenate(entries), where), shape=shape)
    return table[np.concatenate(totals) > 0]


def max_min(face: Face, measures: sparse.csr_array, levels: int | None = None) -> Face:
    """The part of a face where the vector of measures is max-min (lexicographically largest, sorted upwards).

    Parts of the face that share no row and no measure are independent: each has a floor of its own, and all floors
    rise in one programme. `levels` stops after so many floors; None goes on until every measure is settled.
    """
    part = _parts(face, measures)
    held = np.zeros(measures.shape[0], dtype=bool)
    for _ in range(levels) if levels is not None else count():
        # Re-made each time: holding one measure may determine the rest of its part.
        unsettled = np.isin(part, part[_differing(face, measures)]) & ~held
        if not unsettled.any():
            break
        rows = np.flatnonzero(unsettled)
        floors, floor_of = np.unique(part[rows], return_inverse=True)
        wide = _with_floors(face, measures[rows], floor_of)
        best = wide.maximise(np.concatenate([np.zeros(len(face.lower)), np.ones(len(floors))]))
        reached = best.duals[len(face.rhs) :] > TIE
        level = best.variables[len(face.lower) :][floor_of]
        face = _held(face, measures[rows[reached]], level[reached])
        held[rows[reached]] = True
    return face


def _parts(face: Face, measures: sparse.csr_array) -> Ints:
    """Which independent part of the face each measure belongs to."""
    free = face.upper > face.lower
    table = sparse.vstack([face.matrix, measures], format="csc")[:, np.flatnonzero(free)]
    graph = sparse.block_array([[None, table], [table.T, None]], format="csr")
    _, part = connected_components(graph, directed=False)
    return np.asarray(part[face.matrix.shape[0] : table.shape[0]], dtype=np.int64)


def _differing(face: Face, measures: sparse.csr_array) -> Bools:
    """Measures that differ between the two ends of one drawn direction: some of every part that is not settled.

    If a part allows two vectors of measures, a drawn direction tells them apart with probability one.
    """
    direction = measures.T @ np.random.default_rng(SEED).uniform(0.5, 1.5, measures.shape[0])
    low, high = (face.maximise(sign * direction).variables for sign in (-1.0, 1.0))
    return np.asarray(np.abs(measures @ (high - low)) > OPEN)


def _with_floors(face: Face, chosen: sparse.csr_array, floor_of: Ints) -> Face:
    """The face with one more variable a part: a floor under its chosen measures."""
    chosen_rows, floors = chosen.shape[0], int(floor_of.max()) + 1
    under = sparse.csr_array((np.ones(chosen_rows), (np.arange(chosen_rows), floor_of)), shape=(chosen_rows, floors))
    beside = sparse.csr_array((face.matrix.shape[0], floors))
    return replace(
        face,
        matrix=sparse.csr_array(sparse.block_array([[face.matrix, beside], [-chosen, under]], format="csr")),
        rhs=np.concatenate([face.rhs, np.zeros(chosen_rows)]),
        tight=np.concatenate([face.tight, np.zeros(chosen_rows, dtype=bool)]),
        lower=np.concatenate([face.lower, np.zeros(floors)]),
        upper=np.concatenate([face.upper, np.full(floors, np.inf)]),
    )


def _held(face: Face, chosen: sparse.csr_array, level: Floats) -> Face:
    """The face with some measures held at their levels."""
    return replace(
        face,
        matrix=sparse.csr_array(sparse.vstack([face.matrix, -chosen, chosen], format="csr")),
        rhs=np.concatenate([face.rhs, HELD - level, HELD + level]),
        tight=np.concatenate([face.tight, np.zeros(2 * len(level), dtype=bool)]),
    )
