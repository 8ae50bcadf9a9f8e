"""Whole lots do not depend on the order in which a programme has its candidates."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.instances import Case, make
from matching.building import build
from matching.clearing import clear
from matching.engine import Engine, WarmEngine
from matching.fairness import settle
from matching.lanes import find_lanes
from matching.lots import whole_lots
from matching.prices import price_range
from matching.pricing import Candidates
from matching.program import Program


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_candidates_changes_no_lot(seed: int) -> None:
    case = Case(offers=240, lanes=2_400, products=5, periods=4, windows="ladder", conversions=True, seed=seed)
    market = build(make(case))
    start = clear(market, find_lanes(market), WarmEngine)
    program, rates = settle(start, price_range(start).middle)
    width, draw = len(market.windows), np.random.default_rng(seed)
    keys = program.candidates.keys(width)
    expected = dict(zip(keys.tolist(), whole_lots(program, rates).tolist(), strict=True))
    assert any(expected.values())
    shuffled = Program(market, program.lanes, Engine)
    for some in np.array_split(draw.permutation(keys), 5):
        shuffled.add(Candidates(lane=some // width, window=some % width))
    mine = shuffled.candidates.keys(width)
    order = np.argsort(keys)
    found = whole_lots(shuffled, rates[order[np.searchsorted(keys[order], mine)]])
    assert dict(zip(mine.tolist(), found.tolist(), strict=True)) == expected
