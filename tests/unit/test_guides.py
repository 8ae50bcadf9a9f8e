"""Where a clearing begins decides nothing: simpler markets that guide, and bases carried over between programmes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.instances import Case, make
from matching import clearing, guides, rounds
from matching import program as program_module
from matching.answer import Answer
from matching.building import build
from matching.engine import BASIC, Engine, ReferenceEngine, WarmEngine
from matching.lanes import find_lanes
from matching.lifting import NO_WINDOW, begin, stand
from matching.prices import price_range
from matching.pricing import Candidates, Duals, Values, best_candidates
from matching.program import Program
from matching.rounds import Begun, Cleared, Course, solved
from matching.run import run
from matching.segments import between_boundaries
from matching.sides import Ints
from matching.snapshot import Snapshot
from tests.unit.test_matching_names import crowded_market
from tests.unit.test_segments import ramped

ENGINES = [WarmEngine, ReferenceEngine]


@pytest.fixture(params=["hubs", "average", "ladder of hubs"])
def guided(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No market is too small to be guided, by its hubs or by its average."""
    monkeypatch.setattr(clearing, "WHOLE", 0)
    monkeypatch.setattr(clearing, "THICK", 10_000 if request.param == "average" else 16)
    if request.param == "ladder of hubs":
        monkeypatch.setattr(clearing, "SEVERAL", 0.0)
        monkeypatch.setattr(clearing, "RULED", 1.0)


def written_out(snapshot: Snapshot, engine: type[Engine] = WarmEngine) -> Cleared:
    """A market cleared with all its candidates at hand."""
    market = build(snapshot)
    lanes = find_lanes(market)
    program = Program(market, lanes, engine)
    program.add(Values(market, lanes, guides_nothing(program)).within(-clearing.ANY))
    return solved(Begun(program=program), Course())


def guides_nothing(program: Program) -> Duals:
    return program.duals(np.zeros(len(program.limits)))


def market_of(kind: str, seed: int) -> Snapshot:
    if kind == "crowded":
        return crowded_market(seed)
    if kind == "ramped":
        return ramped(seed, conversions=True)
    case = Case(offers=160, lanes=3_000, periods=4, products=5, conversions=True, seed=seed, windows=kind)
    return make(case)


@pytest.mark.usefixtures("guided")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["one", "ladder", "all", "crowded", "ramped"])
@pytest.mark.parametrize("seed", range(3))
def test_a_guided_clearing_ends_at_the_optimum_of_all_candidates(kind: str, seed: int, engine: type[Engine]) -> None:
    snapshot = market_of(kind, seed)
    market, passes = build(snapshot), []
    found = clearing.clear(market, find_lanes(market), engine, lambda *told: passes.append(told))
    assert found.point.value == pytest.approx(written_out(snapshot).point.value, rel=1e-9)
    assert len(passes) == found.rounds > (kind != "one")
    assert not found.point.variables[found.program.fixed :][found.program.closed].any()


@pytest.mark.usefixtures("guided")
@pytest.mark.parametrize("kind", ["ladder", "all"])
@pytest.mark.parametrize("seed", range(3))
def test_candidates_let_go_after_the_first_optimum_are_found_again(
    kind: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = market_of(kind, seed)
    market = build(snapshot)
    lanes = find_lanes(market)
    monkeypatch.setattr(rounds, "KEPT", 1000.0)
    every = clearing.clear(market, lanes, WarmEngine)
    monkeypatch.setattr(rounds, "KEPT", 0.05)
    few = clearing.clear(market, lanes, WarmEngine)
    assert len(few.program.candidates) < len(every.program.candidates)
    assert few.point.value == pytest.approx(every.point.value, rel=1e-9)
    assert price_range(few).middle.seller == pytest.approx(price_range(every).middle.seller, rel=1e-6, abs=1e-6)


@pytest.mark.usefixtures("guided")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(3))
def test_a_market_too_tangled_for_the_bases_of_its_segments_ends_at_the_same_optimum(
    seed: int, engine: type[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    market = build(market_of("all", seed))
    lanes = find_lanes(market)
    helped = clearing.clear(market, lanes, engine)
    monkeypatch.setattr(program_module, "TANGLED", 0)
    begun = clearing._of_windows(market, lanes, engine, Course(), in_parts=True)
    assert begun.program.engine.basis() is None
    assert not begun.program.closed.any()
    alone = clearing.clear(market, lanes, engine)
    assert alone.point.value == pytest.approx(helped.point.value, rel=1e-9)


def told(answer: Answer) -> tuple[object, ...]:
    """What firms hear of an answer."""
    return answer.contracts, answer.results, answer.certificate.welfare


def shadow_prices(answer: Answer) -> dict[tuple[object, ...], float]:
    return {(one.kind, one.subject, one.position): float(one.value) for one in answer.prices}


@pytest.mark.parametrize("kind", ["ladder", "all", "tangled", "crowded", "ramped"])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_answer_does_not_tell_how_it_was_found(
    kind: str, engine: type[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where the clearing began, which engine solved, or how columns were made: who trades with whom, how much and
    at what price."""
    snapshot = market_of("all" if kind == "tangled" else kind, 5)
    written = run(snapshot)
    if kind == "tangled":
        monkeypatch.setattr(program_module, "TANGLED", 0)
    monkeypatch.setattr(clearing, "WHOLE", 0)
    monkeypatch.setattr(clearing, "THICK", 16)
    monkeypatch.setattr(program_module, "COLUMNS_PER_BLOCK", 7)
    begun = run(snapshot, engine=engine)
    assert begun.certificate.holds
    assert told(begun) == told(written)
    assert shadow_prices(begun) == pytest.approx(shadow_prices(written), rel=1e-7)


def ladder_of(seed: int) -> tuple[Program, Values]:
    market = build(market_of("ladder", seed))
    lanes = find_lanes(market)
    program = Program(market, lanes, WarmEngine)
    return program, Values(market, lanes, guides_nothing(program))


def solved_as_it_is(program: Program) -> Cleared:
    point = program.face.maximise(program.welfare)
    duals = program.duals(point.duals)
    return Cleared(program=program, point=point, duals=duals, rounds=1, basis=program.engine.basis())


def pivots(program: Program) -> int:
    engine = program.engine
    assert isinstance(engine, WarmEngine)
    return int(engine.highs.getInfo().simplex_iteration_count)


def test_a_programme_that_begins_where_another_ended_has_nothing_to_do() -> None:
    program, values = ladder_of(1)
    program.add(best_candidates(program.lanes, values.best()))
    cleared = solved_as_it_is(program)
    assert pivots(program) > 0
    ended = stand(cleared)
    assert ended is not None
    other = Program(program.market, program.lanes, WarmEngine)
    other.add(program.candidates)
    begin(other, [ended])
    assert other.face.maximise(other.welfare).value == pytest.approx(cleared.point.value, rel=1e-12)
    assert pivots(other) == 0


def test_a_window_takes_the_place_of_its_segments_where_they_may_not_be_traded_alone() -> None:
    """Level offers that all ask for the whole horizon: every segment trades what the whole does, and nothing is left to
    be done."""
    made = make(Case(offers=120, lanes=2_000, periods=4, products=3, windows="ladder", seed=5))
    level = tuple(
        replace(one, min_term=4, quantity=(max(one.quantity),) * 4, price=(one.price[0],) * 4) for one in made.offers
    )
    market = build(replace(made, offers=level))
    lanes, segments = find_lanes(market), between_boundaries(market.windows, market.periods)
    program, ended = Program(market, lanes, WarmEngine), []
    for at in range(len(segments)):
        guide = guides.of_segment(market, lanes, segments, at)
        part = Program(guide.market, guide.lanes, WarmEngine)
        part.add(Values(guide.market, lanes, guides_nothing(part)).within(0.0))
        one = stand(solved_as_it_is(part))
        assert one is not None
        ended.append(one.over(market.windows.tolist().index([at, at])))
        program.add(ended[-1].basic)
    alone = len(program.candidates)
    program.add(Candidates(lane=np.arange(len(lanes)), window=np.full(len(lanes), whole_of(market.windows))))
    program.close(np.arange(len(program.candidates)) < alone)
    begin(program, ended)
    assert program.face.maximise(program.welfare).value > 0
    assert pivots(program) == 0


def whole_of(windows: Ints) -> int:
    return int(np.argmax(windows[:, 1] - windows[:, 0]))


def test_a_basis_without_some_of_its_candidates_is_made_complete() -> None:
    program, values = ladder_of(2)
    program.add(values.within(-clearing.ANY))
    whole = stand(solved_as_it_is(program))
    assert whole is not None
    window = np.where(whole.candidates.window == 0, NO_WINDOW, whole.candidates.window)
    ended = replace(whole, candidates=replace(whole.candidates, window=window))
    assert len(ended.basic) < int((ended.basis.variables[program.fixed :] == BASIC).sum())
    other = Program(program.market, program.lanes, WarmEngine)
    other.add(ended.basic)
    begin(other, [ended])
    value = other.face.maximise(other.welfare).value
    alone = Program(program.market, program.lanes, WarmEngine)
    alone.add(ended.basic)
    assert value == pytest.approx(alone.face.maximise(alone.welfare).value, rel=1e-12)


def test_an_engine_without_bases_has_no_stand() -> None:
    market = build(market_of("ladder", 1))
    assert stand(solved_as_it_is(Program(market, find_lanes(market), ReferenceEngine))) is None


def test_closed_candidates_have_no_say_in_prices() -> None:
    """Candidates that neither side asks for may seem to gain at prices that keep out all that anyone asks for."""
    market = build(market_of("ladder", 3))
    lanes = find_lanes(market)
    before = price_range(clearing.clear(market, lanes, WarmEngine))
    cleared = clearing.clear(market, lanes, WarmEngine)
    program = cleared.program
    lane, window = np.indices((len(lanes), len(market.windows))).reshape(2, -1)
    every = Candidates(lane=lane, window=window)
    program.add(every.without(Values(market, lanes, cleared.duals).within(-clearing.ANY)))
    gaining = program.welfare - program.engine.matrix.T @ cleared.point.duals > 1e-3
    assert gaining[program.fixed :].any()
    added = np.arange(len(program.candidates)) >= len(cleared.point.variables) - program.fixed
    program.close(added)
    after = price_range(cleared)
    assert np.allclose(after.middle.seller, before.middle.seller, rtol=1e-9)
    assert np.allclose(after.middle.buyer, before.middle.buyer, rtol=1e-9)


def test_the_markets_of_segments_have_their_quantities_and_prices() -> None:
    market = build(ramped(4, conversions=True))
    lanes, segments = find_lanes(market), between_boundaries(market.windows, market.periods)
    late = replace(lanes, latest_start=np.where(np.arange(len(lanes)) % 2 == 0, market.periods, 2))
    for at, (first, length) in enumerate(zip(segments.first, segments.length, strict=True)):
        guide = guides.of_segment(market, late, segments, at)
        inside = slice(first, first + length)
        assert (guide.market.sellers.quantity[:, 0] == market.sellers.quantity[:, inside].min(axis=1)).all()
        assert np.allclose(guide.market.buyers.price[:, 0], market.buyers.price[:, inside].mean(axis=1))
        assert (guide.market.capacity[:, 0] == market.capacity[:, inside].min(axis=1)).all()
        assert (guide.lanes.latest_start >= 0).all() == (first <= 2)
