"""Our clearing of the divisible market: arrays, lanes, welfare optimum proved over all lanes, product by product."""

from __future__ import annotations

import time

from matching.building import build
from matching.clearing import clear
from matching.engine import WarmEngine
from matching.graph import sub_markets
from matching.lanes import find_lanes
from matching.snapshot import Snapshot

from . import Solved


def solve(snapshot: Snapshot) -> Solved:
    """`build` counts the arrays and the search for lanes, which the other methods are given."""
    building = solving = welfare = 0.0
    found = 0
    for products in sub_markets(snapshot):
        start = time.perf_counter()
        market = build(snapshot.of_products(products))
        lanes = find_lanes(market)
        between = time.perf_counter()
        cleared = clear(market, lanes, WarmEngine)
        end = time.perf_counter()
        building, solving = building + between - start, solving + end - between
        welfare += cleared.point.value * cleared.program.value
        found += len(lanes)
    return Solved(welfare=welfare, build=building, solve=solving, lanes=found)
