"""linopy with HiGHS: one variable array over lanes, limits as grouped sums."""

from __future__ import annotations

import time

import linopy
import numpy as np
import xarray as xr

from matching.snapshot import Snapshot

from ..programme import write_out
from . import Solved


def solve(snapshot: Snapshot) -> Solved:
    """:raises RuntimeError: the solver found no optimum."""
    written = write_out(snapshot)
    start = time.perf_counter()
    table = written.matrix.tocoo()
    used = np.unique(table.row)
    model = linopy.Model()
    columns = np.arange(written.matrix.shape[1])
    upper = xr.DataArray(written.most, dims="column", coords={"column": columns})
    v = model.add_variables(lower=0, upper=upper, name="v")
    at = xr.DataArray(table.col, dims="entry", coords={"row": ("entry", table.row)})
    terms = v.isel(column=at) * xr.DataArray(table.data, dims="entry")
    limit = xr.DataArray(written.limit[used], dims="row", coords={"row": used})
    model.add_constraints(terms.groupby("row").sum() <= limit, name="limits")
    model.add_objective((v * xr.DataArray(written.gain, dims="column", coords=upper.coords)).sum(), sense="max")
    between = time.perf_counter()
    status, condition = model.solve("highs", io_api="direct", output_flag=False, threads=1)
    end = time.perf_counter()
    if status != "ok":
        raise RuntimeError(condition)
    welfare = float(model.objective.value)
    return Solved(welfare=welfare, build=between - start, solve=end - between, lanes=written.lanes)
