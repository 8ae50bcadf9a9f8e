"""OR-Tools' min-cost flow on lanes, whole cents and lots; what stays unsold goes straight from source to sink."""

from __future__ import annotations

import time

import numpy as np
from ortools.graph.python import min_cost_flow

from matching.snapshot import Snapshot

from ..programme import transport
from . import Solved


def solve(snapshot: Snapshot) -> Solved:
    """:raises RuntimeError: the solver found no optimum."""
    problem = transport(snapshot)
    start = time.perf_counter()
    sells, buys = len(problem.supply), len(problem.demand)
    unsold = sells + buys
    most = np.minimum(problem.supply[problem.tail], problem.demand[problem.head])
    flow = min_cost_flow.SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(problem.tail, sells + problem.head, most, -problem.cents)
    every = np.arange(sells)
    flow.add_arcs_with_capacity_and_unit_cost(every, np.full(sells, unsold), problem.supply, np.zeros_like(every))
    bought = sells + np.arange(buys)
    flow.add_arcs_with_capacity_and_unit_cost(bought, np.full(buys, unsold), problem.demand, np.zeros(buys, np.int64))
    flow.set_nodes_supplies(np.append(every, unsold), np.append(problem.supply, -problem.supply.sum()))
    between = time.perf_counter()
    status = flow.solve()
    end = time.perf_counter()
    if status != flow.OPTIMAL:
        raise RuntimeError(f"the flow ended with {status}")
    welfare = -flow.optimal_cost() / 100
    return Solved(welfare=welfare, build=between - start, solve=end - between, lanes=problem.lanes)
