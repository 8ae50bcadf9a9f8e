"""Pyomo with HiGHS, written as its manual does: an indexed variable, a rule for every limit."""

from __future__ import annotations

import time

import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression
from scipy import sparse

from matching.snapshot import Snapshot

from ..programme import write_out
from . import Solved


def solve(snapshot: Snapshot) -> Solved:
    """:raises RuntimeError: the solver found no optimum."""
    written = write_out(snapshot)
    start = time.perf_counter()
    rows = sparse.csr_array(written.matrix)
    most, gain, limit = written.most.tolist(), written.gain.tolist(), written.limit.tolist()

    def bounds(_model: pyo.ConcreteModel, at: int) -> tuple[float, float | None]:
        return 0.0, None if most[at] == float("inf") else most[at]

    def below(model: pyo.ConcreteModel, at: int) -> object:
        inside = slice(int(rows.indptr[at]), int(rows.indptr[at + 1]))
        if inside.start == inside.stop:
            return pyo.Constraint.Skip
        variables = [model.v[column] for column in rows.indices[inside].tolist()]
        return LinearExpression(linear_coefs=rows.data[inside].tolist(), linear_vars=variables) <= limit[at]

    model = pyo.ConcreteModel()
    model.v = pyo.Var(range(len(gain)), bounds=bounds)
    model.limits = pyo.Constraint(range(len(limit)), rule=below)
    every = [model.v[at] for at in range(len(gain))]
    model.welfare = pyo.Objective(expr=LinearExpression(linear_coefs=gain, linear_vars=every), sense=pyo.maximize)
    between = time.perf_counter()
    solver = pyo.SolverFactory("appsi_highs")
    found = solver.solve(model)
    end = time.perf_counter()
    if found.solver.termination_condition != pyo.TerminationCondition.optimal:
        raise RuntimeError(str(found.solver.termination_condition))
    welfare = float(pyo.value(model.welfare))
    return Solved(welfare=welfare, build=between - start, solve=end - between, lanes=written.lanes)
