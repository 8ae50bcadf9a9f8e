"""PuLP with CBC, written as its manual does: one variable a lane, one sum a limit."""

from __future__ import annotations

import time

import pulp
from scipy import sparse

from matching.snapshot import Snapshot

from ..programme import write_out
from . import Solved


def solve(snapshot: Snapshot) -> Solved:
    """:raises RuntimeError: the solver found no optimum."""
    written = write_out(snapshot)
    start = time.perf_counter()
    model = pulp.LpProblem("market", pulp.LpMaximize)
    variables = [
        pulp.LpVariable(f"v{at}", 0, None if most == float("inf") else most)
        for at, most in enumerate(written.most.tolist())
    ]
    model += pulp.LpAffineExpression(zip(variables, written.gain.tolist(), strict=True))
    rows = sparse.csr_array(written.matrix)
    for at, limit in enumerate(written.limit.tolist()):
        inside = slice(int(rows.indptr[at]), int(rows.indptr[at + 1]))
        terms = zip(rows.indices[inside].tolist(), rows.data[inside].tolist(), strict=True)
        model += pulp.LpAffineExpression((variables[v], entry) for v, entry in terms) <= limit
    between = time.perf_counter()
    model.solve(pulp.PULP_CBC_CMD(msg=False, threads=1))
    end = time.perf_counter()
    if pulp.LpStatus[model.status] != "Optimal":
        raise RuntimeError(pulp.LpStatus[model.status])
    welfare = float(pulp.value(model.objective))
    return Solved(welfare=welfare, build=between - start, solve=end - between, lanes=written.lanes)
