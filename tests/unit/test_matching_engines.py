"""The two engines: HiGHS kept warm and scipy's HiGHS from scratch give the same answer."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from matching import clearing as clearing_module
from matching import engine as engine_module
from matching import fairness as fairness_module
from matching.building import build
from matching.clearing import clear
from matching.engine import Engine, Face, ReferenceEngine, SolverFailed, WarmEngine
from matching.fairness import settle
from matching.lanes import find_lanes
from matching.prices import price_range
from tests.unit.test_matching_names import crowded_market

ENGINES = [WarmEngine, ReferenceEngine]


def rates_and_ends(seed: int, engine: type[Engine]) -> tuple[float, np.ndarray, np.ndarray]:
    """Welfare, what each position trades over the horizon before whole lots, and all shadow prices."""
    market = build(crowded_market(seed))
    cleared = clear(market, find_lanes(market), engine)
    prices = price_range(cleared)
    program, rates = settle(cleared, prices.middle)
    volume = rates * program.length
    traded = np.concatenate(
        [
            np.bincount(program.seller, weights=volume, minlength=len(market.sellers)),
            np.bincount(program.buyer, weights=volume, minlength=len(market.buyers)),
        ]
    )
    ends = [getattr(end, part).ravel() for end in prices.each() for part in ("seller", "buyer", "family", "rent")]
    return cleared.point.value, traded, np.concatenate(ends)


@pytest.mark.parametrize("seed", range(3))
def test_both_engines_give_the_same_welfare_fills_and_shadow_prices(seed: int) -> None:
    warm, reference = (rates_and_ends(seed, engine) for engine in ENGINES)
    assert warm[0] == pytest.approx(reference[0], rel=1e-9)
    assert warm[1] == pytest.approx(reference[1], abs=1e-4)  # lots
    assert warm[2] == pytest.approx(reference[2], rel=1e-6, abs=1e-3)  # CNY per lot


def test_a_solve_that_loses_its_way_is_made_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = rates_and_ends(0, WarmEngine)
    monkeypatch.setattr(engine_module, "PIVOTS", 0)
    monkeypatch.setattr(engine_module, "PIVOTS_A_ROW", 0)
    found = rates_and_ends(0, WarmEngine)
    assert found[0] == pytest.approx(expected[0], rel=1e-9)
    assert found[1] == pytest.approx(expected[1], abs=1e-4)  # lots
    assert found[2] == pytest.approx(expected[2], rel=1e-6, abs=1e-3)  # CNY per lot


def test_an_engine_is_let_go_as_soon_as_nobody_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clearing goes through many programmes; together they may be more than there is memory for."""
    made: list[weakref.ref[Engine]] = []

    class Counted(WarmEngine):
        def __init__(self, rows: int) -> None:
            super().__init__(rows)
            made.append(weakref.ref(self))

    market = build(crowded_market(0))
    monkeypatch.setattr(clearing_module, "WHOLE", 0)
    gc.disable()
    try:
        cleared = clear(market, find_lanes(market), Counted)
        assert [engine() for engine in made if engine() is not None] == [cleared.program.engine]
    finally:
        gc.enable()
    assert len(made) > 2


def test_a_vast_market_begins_its_stages_from_nothing_and_ends_at_the_same_fills(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = rates_and_ends(1, WarmEngine)
    monkeypatch.setattr(fairness_module, "VAST", 0)
    forgotten: list[Engine] = []

    class Forgetful(WarmEngine):
        def forget(self) -> None:
            super().forget()
            forgotten.append(self)

    found = rates_and_ends(1, Forgetful)
    assert forgotten
    assert found[1] == pytest.approx(expected[1], abs=1e-4)  # lots


def simple_face(kind: type[Engine]) -> Face:
    """0 <= x, y <= 4 with 1 <= x + y <= 6 and x - y free."""
    engine = kind(2)
    engine.add_columns(sparse.csc_array(np.array([[1.0, 1.0], [1.0, -1.0]])))
    return Face(
        engine=engine,
        row_lower=np.array([1.0, -np.inf]),
        row_upper=np.array([6.0, np.inf]),
        lower=np.zeros(2),
        upper=np.full(2, 4.0),
    )


@pytest.mark.parametrize("kind", ENGINES)
def test_an_optimum_its_duals_and_the_face_of_all_optima(kind: type[Engine]) -> None:
    face = simple_face(kind)
    both = np.ones(2)
    best = face.maximise(both)
    assert best.value == pytest.approx(6)
    assert best.duals == pytest.approx([1, 0])
    narrowed = face.optima(both, best.duals)
    assert narrowed.maximise(np.array([1.0, 0.0])).variables == pytest.approx([4, 2])
    assert narrowed.maximise(np.array([-1.0, 0.0])).variables == pytest.approx([2, 4])
    assert face.maximise(-both).variables.sum() == pytest.approx(1)  # the wide face is as it was


@pytest.mark.parametrize("kind", ENGINES)
def test_an_empty_face_is_said_to_be_empty(kind: type[Engine]) -> None:
    face = simple_face(kind)
    with pytest.raises(SolverFailed):
        replace(face, row_lower=np.array([9.0, -np.inf]), row_upper=np.array([9.0, np.inf])).maximise(np.ones(2))
