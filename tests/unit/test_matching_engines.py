"""The two engines: HiGHS kept warm and scipy's HiGHS from scratch give the same answer."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import sparse

from benchmarks.instances import Case, make
from matching import clearing as clearing_module
from matching import engine as engine_module
from matching import pieces as pieces_module
from matching import program as program_module
from matching.building import build
from matching.clearing import clear
from matching.engine import Basis, Engine, Face, Point, ReferenceEngine, SolverFailed, WarmEngine
from matching.fairness import settle
from matching.lanes import admissible, find_lanes
from matching.max_min import constant, held, max_min
from matching.pieces import connected, maximise_in_pieces
from matching.prices import price_range
from matching.sides import Floats
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


def test_a_tangled_market_begins_from_nothing_and_ends_at_the_same_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Engine] = []

    class Counted(WarmEngine):
        def begin(self, basis: Basis) -> None:
            super().begin(basis)
            begun.append(self)

    expected = rates_and_ends(1, Counted)
    usual = len(begun)
    begun.clear()
    monkeypatch.setattr(clearing_module, "WHOLE", 0)
    warm = rates_and_ends(1, Counted)
    of_segments = len(begun)
    begun.clear()
    monkeypatch.setattr(program_module, "TANGLED", 0)
    found = rates_and_ends(1, Counted)
    assert usual < of_segments
    assert len(begun) == of_segments - 1
    assert found[1] == pytest.approx(expected[1], abs=1e-4)  # lots
    assert warm[1] == pytest.approx(expected[1], abs=1e-4)  # lots


@pytest.mark.parametrize("windows", ["ladder", "all"])
def test_the_stages_after_the_clearing_begin_with_all_of_its_basis(windows: str) -> None:
    """Asks and bids are drawn, so that the welfare settles what is traded: until the last choice not a pivot is left to
    do. With part of the basis missing the volume of ten million lanes took longer than the rest of the stage."""
    pivots: list[int] = []

    class Watched(WarmEngine):
        def maximise(self, face: Face, objective: Floats, *, near: bool = False) -> Point:
            point = super().maximise(face, objective, near=near)
            pivots.append(int(self.highs.getInfo().simplex_iteration_count))
            return point

    case = Case(offers=300, lanes=3_000, products=5, periods=12, windows=windows, conversions=True)
    market = build(make(case))
    cleared = clear(market, find_lanes(market), Watched)
    prices = price_range(cleared)
    pivots.clear()
    program, rates = settle(cleared, prices.middle)
    assert pivots[:6] == [0] * 6  # volume, inputs used, whether ratios and then outputs can still move
    assert sum(pivots) > 0
    # What only the basis needed is gone again: both sides admit every candidate of the answer.
    sold = admissible(market.sellers, market.windows)[program.seller, program.candidates.window]
    bought = admissible(market.buyers, market.windows)[program.buyer, program.candidates.window]
    assert (sold & bought).all()
    assert len(rates) == len(program.candidates) == len(program.closed)
    assert not program.closed.any()


@pytest.mark.parametrize(("near", "most"), [(True, 7), (False, 205)])
def test_a_solve_thought_to_be_near_may_go_on_for_a_hundredth_as_long_a_row(
    near: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "PIVOTS", 5)
    monkeypatch.setattr(engine_module, "PIVOTS_A_ROW", 100)
    face = simple_face(WarmEngine)
    face.maximise(np.array([1.0, 2.0]), near=near)
    assert isinstance(face.engine, WarmEngine)
    assert face.engine.highs.getOptionValue("simplex_iteration_limit")[1] == most


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


@pytest.mark.parametrize(("shared", "solver"), [(4, "choose"), (5, "ipm")])
def test_what_stands_in_one_row_alone_asks_for_no_interior(
    shared: int, solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "LARGE", 4)
    monkeypatch.setattr(engine_module, "TALL", 1)
    engine, alone = WarmEngine(2), 10
    engine.add_columns(sparse.csc_array(np.concatenate([np.ones((2, shared)), np.eye(2)[:, [0] * alone]], axis=1)))
    face = Face(
        engine=engine,
        row_lower=np.full(2, -np.inf),
        row_upper=np.full(2, 6.0),
        lower=np.zeros(shared + alone),
        upper=np.ones(shared + alone),
    )
    assert face.maximise(np.ones(shared + alone)).value == pytest.approx(6.0)
    assert engine.highs.getOptionValue("solver")[1] == solver


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


@pytest.mark.parametrize("kind", ENGINES)
def test_an_engine_without_some_variables_goes_on_with_the_others(kind: type[Engine]) -> None:
    face = simple_face(kind)
    face.engine.add_columns(sparse.csc_array(np.array([[1.0], [0.0]])))
    wide = replace(face, lower=np.zeros(3), upper=np.full(3, 4.0))
    best = wide.maximise(np.array([3.0, 2.0, 1.0]))
    assert best.variables == pytest.approx([4, 2, 0])
    face.engine.keep(np.array([True, True, False]))
    again = face.maximise(np.array([3.0, 2.0]), near=True)
    assert again.value == pytest.approx(best.value)
    assert again.variables == pytest.approx([4, 2])
    if isinstance(face.engine, WarmEngine):
        assert face.engine.highs.getInfo().simplex_iteration_count == 0, "it stands where it stood"
    assert face.maximise(np.array([-1.0, -2.0])).variables == pytest.approx([1, 0])


def blocks_of_a_chain(rng: np.random.Generator) -> tuple[Face, np.ndarray]:
    """Four markets of 2 to 4 rows, and one variable before them that takes part in all; an objective for them."""
    tables, first = [], []
    for _ in range(4):
        rows, columns = int(rng.integers(2, 5)), int(rng.integers(3, 9))
        tables.append(rng.integers(0, 2, (rows, columns)) * rng.uniform(0.5, 2.0, (rows, columns)))
        first.append(rng.uniform(0.5, 1.5, rows))
    table = np.column_stack([np.concatenate(first), sparse.block_diag(tables).toarray()])
    engine = WarmEngine(len(table))
    engine.add_columns(sparse.csc_array(table))
    count = table.shape[1]
    face = Face(
        engine=engine,
        row_lower=np.full(len(table), -np.inf),
        row_upper=rng.uniform(2.0, 5.0, len(table)),
        lower=np.zeros(count),
        upper=np.full(count, 3.0),
    )
    return face, rng.uniform(-0.2, 1.0, count)


@pytest.mark.parametrize("together", [1, 6, 1000])
@pytest.mark.parametrize("seed", range(8))
def test_pieces_have_the_optimum_of_the_whole(seed: int, together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces_module, "TOGETHER", together)
    face, objective = blocks_of_a_chain(np.random.default_rng(seed))
    whole = face.maximise(objective)
    solved: list[int] = []

    class Counted(WarmEngine):
        def __init__(self, rows: int) -> None:
            super().__init__(rows)
            solved.append(rows)

    found = maximise_in_pieces(face, objective, whole.variables[:1], Counted)
    assert objective @ found == pytest.approx(whole.value, abs=1e-8)
    assert (face.engine.activity(found) <= face.row_upper + 1e-8).all()
    assert len(solved) >= 2 if together == 1 else sum(solved) <= len(face.row_upper)
    if together == 1000:
        assert len(solved) == 1
    open_ = maximise_in_pieces(face, objective, np.full(1, np.nan), WarmEngine)
    assert objective @ open_ == pytest.approx(whole.value, abs=1e-8)


def test_a_value_that_leaves_a_piece_without_a_point_is_not_taken() -> None:
    """What is known is known to the solver's tolerance; here it is far off, and the whole is decided together."""
    face, objective = blocks_of_a_chain(np.random.default_rng(3))
    assert (face.engine.matrix[:, [0]].toarray() > 0).all()
    found = maximise_in_pieces(face, objective, np.full(1, 1e6), WarmEngine)
    assert objective @ found == pytest.approx(face.maximise(objective).value, abs=1e-8)


def test_what_is_the_same_all_over_a_face_is_told_and_what_is_open_is_not() -> None:
    face = simple_face(WarmEngine)
    fixed = replace(face, row_lower=np.array([6.0, 2.0]), row_upper=np.array([6.0, 2.0]))
    assert constant(fixed, 2) == pytest.approx([4, 2])
    engine = WarmEngine(1)
    engine.add_columns(sparse.csc_array(np.array([[1.0, 1.0, 0.0]])))
    open_ = Face(
        engine=engine,
        row_lower=np.full(1, 3.0),
        row_upper=np.full(1, 3.0),
        lower=np.array([0.0, 0.0, 1.0]),
        upper=np.array([2.0, 4.0, 1.0]),
    )
    assert constant(open_, 3) == pytest.approx([np.nan, np.nan, 1], nan_ok=True)


def test_the_smallest_measures_rise_first_and_are_held_where_they_end() -> None:
    """a + b = 3 and c + d = 5 with a at most 1: levels 1 and 2, then 2.5 each; e is the same all over."""
    engine = WarmEngine(2)
    engine.add_columns(sparse.csc_array(np.array([[1.0, 1, 0, 0, 0], [0, 0, 1, 1, 0]])))
    limits, upper = np.array([3.0, 5.0]), np.array([1.0, 9, 9, 9, 7])
    face = Face(engine=engine, row_lower=limits, row_upper=limits, lower=np.array([0.0, 0, 0, 0, 7]), upper=upper)
    measures = sparse.csr_array(np.eye(5))
    levels = max_min(face, measures)
    assert np.isnan(levels[4])
    told = np.where(np.isfinite(levels), levels, face.maximise(np.zeros(5)).variables)
    point = held(face, measures, levels).maximise(np.array([0.0, 1, 1, 0, 0])).variables
    assert point == pytest.approx([1, 2, 2.5, 2.5, 7], abs=1e-6)
    assert told[[2, 3]] == pytest.approx([2.5, 2.5])


def parts_by_networkx(table: np.ndarray) -> set[frozenset[tuple[str, int]]]:
    graph: nx.Graph[tuple[str, int]] = nx.Graph()
    graph.add_nodes_from([("row", row) for row in range(table.shape[0])])
    graph.add_nodes_from([("column", column) for column in range(table.shape[1])])
    graph.add_edges_from([(("row", row), ("column", column)) for row, column in np.argwhere(table)])
    return {frozenset(part) for part in nx.connected_components(graph)}


@given(table=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=8)))
def test_connected_parts_are_those_of_the_graph_of_rows_and_columns(table: np.ndarray) -> None:
    of_row, of_column = connected(sparse.csc_array(table.astype(float)))
    found: dict[int, set[tuple[str, int]]] = {}
    for kind, parts in (("row", of_row), ("column", of_column)):
        for at, part in enumerate(parts.tolist()):
            found.setdefault(part, set()).add((kind, at))
    assert {frozenset(part) for part in found.values()} == parts_by_networkx(table)


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_come_later_bind(engine: type[Engine]) -> None:
    """At most 4 of both, then at most 1 of the dearer and half as much of the cheaper as of the dearer."""
    made = engine(1)
    made.add_columns(sparse.csc_array([[1.0, 1.0]]))
    worth = np.array([3.0, 2.0])

    def best(*limits: float) -> Point:
        rows = np.array(limits)
        free = np.full(len(rows), -engine_module.INFINITY)
        return Face(
            engine=made, row_lower=free, row_upper=rows, lower=np.zeros(2), upper=np.full(2, engine_module.INFINITY)
        ).maximise(worth)

    assert best(4.0).variables.tolist() == [4.0, 0.0]
    made.add_rows(sparse.csr_array(np.array([[1.0, 0.0], [-0.5, 1.0]])))
    found = best(4.0, 1.0, 0.0)
    assert found.variables.tolist() == pytest.approx([1.0, 0.5])
    assert found.duals.tolist() == pytest.approx([0.0, 4.0, 2.0])
    made.add_columns(sparse.csc_array([[1.0], [0.0], [0.0]]))
    assert made.matrix.toarray().tolist() == [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [-0.5, 1.0, 0.0]]
