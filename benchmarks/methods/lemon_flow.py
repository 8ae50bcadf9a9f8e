"""LEMON's network simplex through pylmcf, on lanes, whole cents and lots.

It wants costs of at least 0, finite capacities, balance and arcs sorted by their ends: what stays unsold goes to a
ground node, and lots that buyers do not get come from it at the highest gain.
"""

from __future__ import annotations

import time

import numpy as np
import pylmcf

from matching.snapshot import Snapshot

from ..programme import transport
from . import Solved


def solve(snapshot: Snapshot) -> Solved:
    """The welfare of the optimal flow."""
    problem = transport(snapshot)
    start = time.perf_counter()
    sells, buys = len(problem.supply), len(problem.demand)
    ground, top = sells + buys, int(problem.cents.max(initial=0))
    offered, wanted = int(problem.supply.sum()), int(problem.demand.sum())
    tail = np.concatenate([problem.tail, np.arange(sells), np.full(buys, ground)])
    head = np.concatenate([sells + problem.head, np.full(sells, ground), sells + np.arange(buys)])
    cost = np.concatenate([top - problem.cents, np.zeros(sells, np.int64), np.full(buys, top)])
    most = np.minimum(problem.supply[problem.tail], problem.demand[problem.head])
    capacity = np.concatenate([most, problem.supply, problem.demand])
    order = np.lexsort((head, tail))
    supply = np.concatenate([problem.supply, -problem.demand, [wanted - offered]])
    graph = pylmcf.Graph(ground + 1, tail[order], head[order])
    graph.set_node_supply(supply)
    graph.set_edge_capacities(capacity[order])
    graph.set_edge_costs(cost[order])
    between = time.perf_counter()
    graph.solve()
    end = time.perf_counter()
    welfare = (top * wanted - graph.total_cost()) / 100
    return Solved(welfare=welfare, build=between - start, solve=end - between, lanes=problem.lanes)
