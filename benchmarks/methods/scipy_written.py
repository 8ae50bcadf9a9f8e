"""scipy's linprog (HiGHS) on every lane in every window at once."""

from __future__ import annotations

import time

import numpy as np
from scipy.optimize import linprog

from matching.snapshot import Snapshot

from ..programme import write_out
from . import Solved


def solve(snapshot: Snapshot) -> Solved:
    """:raises RuntimeError: the solver found no optimum."""
    written = write_out(snapshot)
    start = time.perf_counter()
    bounds = np.stack([np.zeros_like(written.most), written.most], axis=1)
    between = time.perf_counter()
    found = linprog(  # type: ignore[call-overload]  # the stubs know no sparse matrices
        -written.gain, A_ub=written.matrix, b_ub=written.limit, bounds=bounds, method="highs"
    )
    end = time.perf_counter()
    if found.status != 0:
        raise RuntimeError(found.message)
    return Solved(welfare=-float(found.fun), build=between - start, solve=end - between, lanes=written.lanes)
