"""A face taken apart: variables that share no row are decided in programmes of their own.

A chain of conversions is one piece as long as it is open how much each makes. Where that is known every product is at
least one piece by itself, and many small programmes are solved much faster than one large one.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .engine import Engine, Face, SolverFailed
from .sides import Floats, Ints

TOGETHER = 2_000  # variables; smaller pieces are solved together until there are so many


def maximise_in_pieces(face: Face, objective: Floats, known: Floats, engine: type[Engine]) -> Floats:
    """The variables of an optimum. `known` [n] is what the first variables are all over the face, NaN where that is
    open; each piece is solved from nothing by an engine of its own.

    :raises SolverFailed: the face is empty or the objective has no bound on it.
    """
    try:
        return _in_pieces(face, objective, known, engine)
    except SolverFailed:  # known to the solver's tolerance only, which can leave a piece without a point
        return _in_pieces(face, objective, np.zeros(0), engine)


def _in_pieces(face: Face, objective: Floats, known: Floats, engine: type[Engine]) -> Floats:
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
        mine, own = columns[at], engine(len(rows))
        own.add_columns(sparse.csc_array(table[rows][:, at]))
        part = Face(
            engine=own,
            row_lower=face.row_lower[rows] - taken[rows],
            row_upper=face.row_upper[rows] - taken[rows],
            lower=face.lower[mine],
            upper=face.upper[mine],
        )
        variables[mine] = part.maximise(objective[mine]).variables
    return variables


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
