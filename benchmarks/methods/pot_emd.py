"""POT's exact transport on a sparse matrix of lanes, with one more source and sink for what does not trade."""

from __future__ import annotations

import time

import numpy as np
import ot
from scipy import sparse

from matching.snapshot import Snapshot

from ..programme import transport
from . import Solved

ITERATIONS = 2_000_000_000


def solve(snapshot: Snapshot) -> Solved:
    """:raises RuntimeError: the solver warned that it found no optimum."""
    problem = transport(snapshot)
    start = time.perf_counter()
    sells, buys = len(problem.supply), len(problem.demand)
    top = float(problem.cents.max(initial=0)) + 1.0  # a cost of 0 would be no entry of a sparse matrix
    tail = np.concatenate([problem.tail, np.arange(sells), np.full(buys, sells), [sells]])
    head = np.concatenate([problem.head, np.full(sells, buys), np.arange(buys), [buys]])
    cost = np.concatenate([top - problem.cents, np.full(sells + buys, top), [top]])
    offered, wanted = float(problem.supply.sum()), float(problem.demand.sum())
    matrix = sparse.coo_array((cost, (tail, head)), shape=(sells + 1, buys + 1))
    source = np.append(problem.supply, wanted).astype(float)
    sink = np.append(problem.demand, offered).astype(float)
    between = time.perf_counter()
    total, log = ot.emd2(source, sink, matrix, numItermax=ITERATIONS, log=True)
    end = time.perf_counter()
    if log["warning"]:
        raise RuntimeError(log["warning"])
    welfare = (top * (offered + wanted) - float(total)) / 100
    return Solved(welfare=welfare, build=between - start, solve=end - between, lanes=problem.lanes)
