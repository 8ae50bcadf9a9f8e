"""HiGHS on every lane in every window at once, handed over as arrays."""

from __future__ import annotations

import time

import highspy
import numpy as np

from matching.snapshot import Snapshot

from ..programme import write_out
from . import Solved


def solve(snapshot: Snapshot) -> Solved:
    """:raises RuntimeError: the solver found no optimum."""
    written = write_out(snapshot)
    start = time.perf_counter()
    rows, columns = written.matrix.shape
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = columns, rows
    model.sense_ = highspy.ObjSense.kMaximize
    model.col_cost_ = written.gain
    model.col_lower_, model.col_upper_ = np.zeros(columns), written.most
    model.row_lower_, model.row_upper_ = np.full(rows, -np.inf), written.limit
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = written.matrix.indptr
    model.a_matrix_.index_ = written.matrix.indices
    model.a_matrix_.value_ = written.matrix.data
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.passModel(model)
    between = time.perf_counter()
    highs.run()
    end = time.perf_counter()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(highs.modelStatusToString(highs.getModelStatus()))
    welfare = float(highs.getInfo().objective_function_value)
    return Solved(welfare=welfare, build=between - start, solve=end - between, lanes=written.lanes)
