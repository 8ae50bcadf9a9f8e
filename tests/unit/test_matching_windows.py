"""Long windows in their parts, and limits that other limits imply: the same optimum and the same prices with less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.building import build
from matching.clearing import clear
from matching.engine import WarmEngine
from matching.lanes import find_lanes
from matching.parts import Parts, implied
from matching.price_rule import PriceRule
from matching.prices import price_range
from matching.pricing import Candidates
from matching.run import run
from matching.segments import between_boundaries
from matching.snapshot import Snapshot
from tests.unit.markets import buy, markets, sell, snapshot

LADDER = ((0, 0), (1, 1), (2, 2), (3, 3), (0, 1), (2, 3), (0, 3))
Windows = list[tuple[int, int]]


def parts_of(market: Snapshot, window: tuple[int, int]) -> Windows:
    """What a window of the first lane is made of."""
    arrays = build(market)
    windows = [(int(first), int(last)) for first, last in arrays.windows]
    whole = Candidates(lane=np.array([0]), window=np.array([windows.index(window)]))
    found = Parts(arrays, find_lanes(arrays)).of(whole)
    return [windows[w] for w in found.window]


def pair(*, sold: int = 1, bought: int = 1, periods: int = 4, windows: tuple[tuple[int, int], ...] | None) -> Snapshot:
    """One seller and one buyer with their shortest terms."""
    quantity = [4] * periods
    return snapshot(
        sell("s", quantity, "10", min_term=sold), buy("b", quantity, "20", min_term=bought), windows=windows
    )


@pytest.mark.parametrize(
    ("sold", "bought", "windows", "whole", "expected"),
    [
        (1, 1, LADDER, (0, 3), [(0, 0), (1, 1), (2, 2), (3, 3)]),
        (1, 2, LADDER, (0, 3), [(0, 1), (2, 3)]),
        (3, 1, LADDER, (0, 3), [(0, 3)]),
        (1, 1, LADDER, (2, 2), [(2, 2)]),
        (1, 1, ((0, 1), (0, 3)), (0, 3), [(0, 3)]),  # the rest of the year is no window by itself
        (2, 2, None, (0, 3), [(0, 1), (2, 3)]),
        (2, 2, None, (1, 3), [(1, 3)]),  # of three periods two make one contract and the third none
    ],
)
def test_a_long_window_is_made_of_the_shortest_that_both_sides_admit(
    sold: int, bought: int, windows: tuple[tuple[int, int], ...] | None, whole: tuple[int, int], expected: Windows
) -> None:
    assert parts_of(pair(sold=sold, bought=bought, windows=windows), whole) == expected


@pytest.mark.parametrize(("valid_until", "expected"), [(2, [(0, 1), (2, 3)]), (1, [(0, 3)])])
def test_a_contract_that_a_certificate_lets_begin_only_as_a_whole_stays_whole(
    valid_until: int, expected: Windows
) -> None:
    market = snapshot(
        sell("s", [4] * 4, "10", min_term=2, certificates={"ISO": valid_until}),
        buy("b", [4] * 4, "20", certificates={"ISO": None}),
    )
    assert parts_of(market, (0, 3)) == expected


@pytest.mark.parametrize(
    ("term", "quantity", "free"),
    [
        (1, [4, 4, 4, 4], [0, 1, 2, 3]),
        (2, [4, 4, 4, 4], [1, 2]),  # each contract of two is over the second period or the third
        (2, [3, 4, 4, 4], [0, 1, 2]),
        (2, [4, 4, 4, 3], [1, 2, 3]),
        (3, [4, 4, 4, 4], [1]),  # over the second and the third: the first of them stands for both
        (3, [4, 5, 3, 4], [2]),
        (4, [4, 5, 3, 4], [2]),
        (4, [4, 3, 3, 4], [1]),
    ],
)
def test_a_limit_that_another_implies_is_left_out(term: int, quantity: list[int], free: list[int]) -> None:
    market = build(snapshot(sell("s", quantity, "10", min_term=term), buy("b", [9] * 4, "20")))
    left_out = implied(market.sellers, market.windows, between_boundaries(market.windows, 4))
    assert np.flatnonzero(~left_out[0]).tolist() == free


def test_a_ladder_keeps_all_its_limits() -> None:
    market = build(pair(sold=4, bought=4, windows=LADDER))
    assert not implied(market.sellers, market.windows, between_boundaries(market.windows, 4)).any()


def laddered(market: Snapshot) -> Snapshot:
    periods = len(market.horizon)
    return replace(market, windows=tuple((t, t) for t in range(periods)) + (((0, periods - 1),) if periods > 1 else ()))


@settings(max_examples=60, derandomize=True)
@given(st.one_of(markets(periods=4), markets(periods=4, chain=True)), st.booleans())
def test_windows_in_parts_have_the_welfare_and_the_prices_of_whole_ones(market: Snapshot, on_a_ladder: bool) -> None:
    arrays = build(laddered(market) if on_a_ladder else market)
    lanes = find_lanes(arrays)
    parts, whole = (clear(arrays, lanes, WarmEngine, in_parts=in_parts) for in_parts in (True, False))
    assert parts.point.value == pytest.approx(whole.point.value, rel=1e-9, abs=1e-9)
    rules = [PriceRule(arrays, price_range(cleared).middle) for cleared in (parts, whole)]
    traded = whole.program.traded(whole.point.variables)
    for lane, window in zip(traded.lane, traded.window, strict=True):
        contract = int(lanes.seller[lane]), int(lanes.buyer[lane]), *map(int, arrays.windows[window])
        assert rules[0].of(*contract) == rules[1].of(*contract)


@pytest.mark.parametrize("windows", [LADDER, None])
def test_of_equal_contracts_the_long_one_is_signed(windows: tuple[tuple[int, int], ...] | None) -> None:
    """Cleared in its four quarters, signed as one year."""
    (contract,) = run(pair(windows=windows)).contracts
    assert (contract.first, contract.last, contract.rate) == (0, 3, 4)
