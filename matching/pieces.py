"""A face taken apart: variables that share no row are decided in programmes of their own.

A chain of conversions is one piece as long as it is open how much each makes. Where that is known every product is at
least one piece by itself, and many small programmes are solved much faster than one large one. A piece has many more
variables than rows: it begins with those that a known point uses.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .engine import Engine, Face, SolverFailed
from .pricing import foremost
from .sides import Floats, Ints

TOGETHER = 2_000  # variables; smaller pieces are solved together until there are so many
GAINING, EACH = 1e-9, 8  # what a variable gains that comes to a piece, and how many come for each row at once


def maximise_in_pieces(face: Face, objective: Floats, known: Floats, point: Floats, engine: type[Engine]) -> Floats:
    """The variables of an optimum. `known` [n] is what the first variables are all over the face, NaN where that is
    open; `point` is one of the face. Each piece is solved by an engine of its own.

    :raises SolverFailed: the face is empty or the objective has no bound on it.
    """
    try:
        return _in_pieces(face, objective, known, point, engine)
    except SolverFailed:  # known to the solver's tolerance only, which can leave a piece without a point
        return _in_pieces(face, objective, np.zeros(0), point, engine)


def _in_pieces(face: Face, objective: Floats, known: Floats, point: Floats, engine: type[Engine]) -> Floats:
    free = face.upper > face.lower
    variables = np.where(free, 0.0, face.lower)
    given = np.flatnonzero(np.isfinite(known) & free[: len(known)])
    variables[given], free[given] = known[given], False
    taken, columns = face.engine.activity(variables), np.flatnonzero(free)
    open_ = sparse.csc_array(face.engine.matrix[:, columns])
    of_row, of_column = _pieces(open_)
    table = sparse.csr_array(open_)
    for piece in range(int(of_column.max(initial=-1)) + 1):
        at, rows = np.flatnonzero(of_column == piece), np.flatnonzero(of_row == piece)
        mine, whole = columns[at], Engine(len(rows))
        whole.add_columns(sparse.csc_array(table[rows][:, at]))
        part = Face(
            engine=whole,
            row_lower=face.row_lower[rows] - taken[rows],
            row_upper=face.row_upper[rows] - taken[rows],
            lower=face.lower[mine],
            upper=face.upper[mine],
        )
        try:
            variables[mine] = _grown(part, objective[mine], np.flatnonzero(point[mine] != part.lower), engine)
        except SolverFailed:  # the point is one to the solver's tolerance only
            variables[mine] = _grown(part, objective[mine], np.arange(len(mine)), engine)
    return variables


def _grown(face: Face, objective: Floats, columns: Ints, engine: type[Engine]) -> Floats:
    """The variables of an optimum, found from some of them: those that gain most in each row come, until none would
    gain. The others stay at their lower bounds.

    :raises SolverFailed: no point of the face has the others there, or the objective has no bound."""
    matrix, entries = face.engine.matrix, np.diff(face.engine.matrix.indptr)
    of_entry, row = np.repeat(np.arange(len(entries)), entries), matrix.indices.astype(np.int64)
    columns = np.union1d(columns, np.flatnonzero(entries == 0))  # no row would bring these
    own = engine(matrix.shape[0])
    own.add_columns(sparse.csc_array(matrix[:, columns]))
    while True:
        variables = face.lower.copy()
        variables[columns] = 0.0
        taken = face.engine.activity(variables)
        part = Face(
            engine=own,
            row_lower=face.row_lower - taken,
            row_upper=face.row_upper - taken,
            lower=face.lower[columns],
            upper=face.upper[columns],
        )
        best = part.maximise(objective[columns])
        gain = objective - matrix.T @ best.duals
        gain[columns] = 0.0
        if not (gain > GAINING).any():
            variables[columns] = best.variables
            return variables
        order = np.argsort(-gain[of_entry], kind="stable")
        order = order[gain[of_entry[order]] > GAINING]
        more = np.unique(of_entry[foremost(order, row, EACH)])
        own.add_columns(sparse.csc_array(matrix[:, more]))
        columns = np.concatenate([columns, more])


def connected(table: sparse.csc_array) -> tuple[Ints, Ints]:
    """Which part each row and each column of a table belongs to, from 0: parts share no entry.

    Each entry of a column is tied to the next of the same column, so that no graph has to be made of all of them."""
    filled, entries = np.flatnonzero(np.diff(table.indptr)), table.indices
    last = np.zeros(len(entries), dtype=bool)
    last[table.indptr[1:][filled] - 1] = True
    tied = np.flatnonzero(~last)
    links = np.ones(len(tied), dtype=bool), (entries[tied], entries[tied + 1])
    graph = sparse.coo_array(links, shape=(table.shape[0], table.shape[0]))
    count, found = connected_components(graph, directed=False)
    of_row, of_column = found.astype(np.int64), count + np.arange(table.shape[1])  # a column without entries is alone
    of_column[filled] = of_row[entries[table.indptr[:-1][filled]]]
    return of_row, of_column


def _pieces(table: sparse.csc_array) -> tuple[Ints, Ints]:
    """Which piece each row and each column belongs to, from 0; of rows without a column, none (-1)."""
    of_row, of_column = connected(table)
    size = np.bincount(of_column, minlength=int(of_row.max(initial=-1)) + 1)
    ends = np.cumsum(size)
    _, piece = np.unique(np.where(size > 0, (ends - size) // TOGETHER, -1), return_inverse=True)
    piece = piece - int((size == 0).any())
    return piece[of_row], piece[of_column]
