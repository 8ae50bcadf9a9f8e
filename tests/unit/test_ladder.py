"""Ladders: windows each of which is one segment or made of smaller ones, to everybody's term."""

from __future__ import annotations

import numpy as np
import pytest

from matching.building import build
from matching.ladder import Ladder, ladder_of, of_one_window
from matching.segments import between_boundaries
from matching.sides import Market
from tests.unit.markets import buy, sell, snapshot

YEAR, HALVES, QUARTERS = ((0, 11),), ((0, 5), (6, 11)), ((0, 2), (3, 5), (6, 8), (9, 11))


def market_of(windows: tuple[tuple[int, int], ...], *terms: int) -> Market:
    offers = [sell("s", [1] * 12, 1), *(buy(f"b{term}", [1] * 12, 2, min_term=term) for term in terms)]
    return build(snapshot(*offers, windows=tuple(sorted(windows))))


def ladder(windows: tuple[tuple[int, int], ...], *terms: int) -> Ladder | None:
    market = market_of(windows, *terms)
    return ladder_of(market, between_boundaries(market.windows, market.periods))


def test_a_ladder_knows_the_shortest_windows_of_each_term() -> None:
    found = ladder(YEAR + HALVES + QUARTERS, 3, 4, 7)
    assert found is not None
    assert found.windows.tolist() == list(range(7))
    sizes = found.over.sum(axis=1)
    assert {term: sizes[own].tolist() for term, own in found.own.items()} == {
        1: [1, 1, 1, 1],
        3: [1, 1, 1, 1],
        4: [2, 2],
        7: [4],
    }
    assert (found.over[found.segment] == np.eye(4, dtype=bool)).all()


def test_who_asks_for_a_term_may_sign_for_longer_ones() -> None:
    found = ladder(YEAR + HALVES + QUARTERS, 4, 12)
    assert found is not None
    own, every = found.tables(np.array([1, 4, 12]))
    assert own.sum(axis=1).tolist() == [4, 2, 1]
    assert every.sum(axis=1).tolist() == [7, 3, 1]
    assert (own <= every).all()
    assert found.within.sum() == 7 + 2 * 2 + 6  # each itself, quarters in their half, all in the year


def test_windows_that_nobody_asks_for_make_no_layer() -> None:
    found = ladder(YEAR + HALVES + QUARTERS, 5)
    assert found is not None
    assert found.over.sum(axis=1).tolist() == [1, 2, 1, 1, 2, 1]
    assert found.own.keys() == {1, 5}


@pytest.mark.parametrize(
    ("windows", "terms"),
    [
        (((0, 7), (4, 11)), (1,)),  # they cross
        ((*YEAR, (0, 5)), (1,)),  # the second half is no window
        ((*YEAR, (0, 3), (4, 11)), (5,)),  # to five months, the year is not made of shorter ones
    ],
)
def test_what_is_no_ladder(windows: tuple[tuple[int, int], ...], terms: tuple[int, ...]) -> None:
    assert ladder(windows, *terms) is None


def test_a_term_longer_than_any_window_has_none() -> None:
    found = ladder(HALVES, 7)
    assert found is not None
    own, every = found.tables(np.array([7]))
    assert not own.any()
    assert not every.any()


def test_the_ladder_of_one_window_serves_whatever_is_asked_for() -> None:
    market = market_of(YEAR, 3, 12)
    found, same = of_one_window(market), ladder(YEAR, 3, 12)
    assert same is not None
    assert found.over.tolist() == same.over.tolist() == [[True]]
    assert {term: own.tolist() for term, own in found.own.items()} == {term: [True] for term in (1, 3, 12)}
    assert {term: own.tolist() for term, own in same.own.items()} == {term: [True] for term in (1, 3, 12)}
