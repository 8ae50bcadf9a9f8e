"""OR-Tools GLOP on every lane in every window at once, handed over as arrays."""

from __future__ import annotations

import time

import numpy as np
from ortools.linear_solver.python import model_builder
from scipy import sparse

from matching.snapshot import Snapshot

from ..programme import write_out
from . import Solved


def solve(snapshot: Snapshot) -> Solved:
    """:raises RuntimeError: the solver found no optimum."""
    written = write_out(snapshot)
    start = time.perf_counter()
    model = model_builder.Model()
    rows, columns = written.matrix.shape
    matrix = sparse.csr_matrix(written.matrix)
    below = np.full(rows, -np.inf)
    model.helper.fill_model_from_sparse_data(
        np.zeros(columns), written.most, written.gain, below, written.limit, matrix
    )
    model.helper.set_maximize(True)
    solver = model_builder.Solver("glop")
    between = time.perf_counter()
    status = solver.solve(model)
    end = time.perf_counter()
    if status != model_builder.SolveStatus.OPTIMAL:
        raise RuntimeError(f"GLOP ended with {status}")
    welfare = float(solver.objective_value)
    return Solved(welfare=welfare, build=between - start, solve=end - between, lanes=written.lanes)
