"""PyPSA: every offer a bus with a generator, every lane a link.

It fits one period only: a contract keeps one rate through a window, and PyPSA chooses its flows anew in each snapshot.
"""

from __future__ import annotations

import logging
import time

import numpy as np
import pypsa

from matching.building import build as arrays
from matching.snapshot import Snapshot

from ..programme import transport
from . import Solved


def solve(snapshot: Snapshot) -> Solved:
    """:raises RuntimeError: the solver found no optimum."""
    logging.disable(logging.WARNING)
    problem, market = transport(snapshot), arrays(snapshot)
    start = time.perf_counter()
    asks, bids = market.sellers.price[:, 0], market.buyers.price[:, 0]
    freight = bids[problem.head] - asks[problem.tail] - problem.cents / 100
    sells, buys = np.array(market.sellers.label), np.array(market.buyers.label)
    network = pypsa.Network()
    network.add("Carrier", "goods")
    network.add("Bus", np.concatenate([sells, buys]), carrier="goods")
    network.add("Generator", sells, bus=sells, p_nom=problem.supply, marginal_cost=asks, carrier="goods")
    network.add("Generator", buys, bus=buys, p_nom=problem.demand, marginal_cost=-bids, sign=-1, carrier="goods")
    network.add(
        "Link",
        [f"lane{at}" for at in range(len(freight))],
        bus0=sells[problem.tail],
        bus1=buys[problem.head],
        p_nom=np.minimum(problem.supply[problem.tail], problem.demand[problem.head]),
        marginal_cost=freight,
        carrier="goods",
    )
    between = time.perf_counter()
    status, condition = network.optimize(solver_name="highs", output_flag=False, threads=1)
    end = time.perf_counter()
    if status != "ok":
        raise RuntimeError(condition)
    welfare = -float(network.objective)
    return Solved(welfare=welfare, build=between - start, solve=end - between, lanes=problem.lanes)
