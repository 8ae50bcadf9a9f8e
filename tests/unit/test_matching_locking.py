"""Contracts of whole lots: a conversion that they would make lose is unmade, and who sold to it sells no more."""

from __future__ import annotations

import numpy as np

from matching.answer import Contract
from matching.building import build
from matching.engine import WarmEngine
from matching.lanes import find_lanes
from matching.locking import locked_contracts, paying_contracts
from matching.pricing import Candidates, zero_duals
from matching.program import Program

from .markets import buy, maker, sell, snapshot


def test_a_conversion_that_its_lots_make_lose_is_unmade() -> None:
    """It sells ten lots at 20 that take ore at 10; for the other quarter it has ore at 100 on its hands."""
    offers = sell("s", [10, 10], ["10", "100"]), buy("b", [10, 10], "50", product="salt")
    beside = sell("t", [5, 5], "60"), buy("d", [5, 5], "60")
    market = build(snapshot(*offers, *beside, conversions=(maker("2", [10, 10], "0"),)))
    lanes = find_lanes(market)
    program = Program(market, lanes, WarmEngine)
    count, windows = len(lanes), len(market.windows)
    program.add(Candidates(lane=np.repeat(np.arange(count), windows), window=np.tile(np.arange(windows), count)))
    duals = zero_duals(market, lanes)
    duals.seller[market.sellers.offers :] = 10.0  # half a unit of salt is a lot

    wanted = {("s", "c", 0): 10, ("s", "c", 1): 10, ("c", "b", 0): 10, ("t", "d", 0): 5}
    single = {tuple(window): at for at, window in enumerate(market.windows.tolist())}
    lots = np.array(
        [
            wanted.get((market.sellers.label[i], market.buyers.label[j], at), 0) if single[at, at] == w else 0
            for i, j, w in zip(program.seller, program.buyer, program.candidates.window, strict=True)
            for at in (int(market.windows[w, 0]),)
        ],
        dtype=np.int64,
    )
    assert pairs(locked_contracts(program, lots, duals)) == set(wanted)
    contracts, kept = paying_contracts(program, lots, duals)
    assert ("t", "d", 0) in pairs(contracts)
    assert all("c" not in (contract.seller, contract.buyer) for contract in contracts)
    assert int(kept.sum()) == sum(contract.rate for contract in contracts)


def test_a_conversion_that_was_unmade_is_not_called_back_by_the_demand_it_leaves() -> None:
    """Its stock would do for five lots that are worth 40 more than its fee, and its output fetches 5 less than it."""
    works = maker("1", [10], "60", stock="5")
    market = build(snapshot(buy("b", [10], "100", product="salt"), sell("s", [9], "10"), conversions=(works,)))
    lanes = find_lanes(market)
    program = Program(market, lanes, WarmEngine)
    program.add(Candidates(lane=np.arange(len(lanes)), window=np.zeros(len(lanes), dtype=np.int64)))
    duals = zero_duals(market, lanes)
    duals.seller[market.sellers.offers :] = 27.5  # half a unit of salt is a lot
    lots = np.where(program.seller == market.sellers.offers, 5, 0)
    contracts, kept = paying_contracts(program, lots, duals)
    assert (contracts, kept.tolist()) == ([], [0] * len(lanes))


def pairs(contracts: list[Contract]) -> set[tuple[str, str, int]]:
    return {(contract.seller, contract.buyer, contract.first) for contract in contracts}
