"""Hubs: the optimum of a market without rules about pairs, and trades that are a basis of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.instances import Case, make
from matching import clearing, guides, hub_programme
from matching.building import build
from matching.engine import BASIC, Engine, Face, Point, ReferenceEngine, WarmEngine
from matching.hub_programme import AtHubs, HubProgramme
from matching.hub_trades import Flows, candidates_of, lanes_of, north_west, pairs, stand_at_hubs
from matching.hubs import hubs_of, ruled
from matching.ladder import Ladder, ladder_of
from matching.lanes import find_lanes
from matching.lifting import Stand, begin
from matching.pricing import Values, admitted
from matching.program import Program
from matching.rounds import Cleared
from matching.sides import Floats, Market
from matching.snapshot import Bound, ConversionInput, Side, Snapshot
from tests.unit.markets import buy, sell, snapshot

KINDS = ["transport", "conversions", "delivered", "ladder", "year and halves", "stocks", "terms", "uneven"]
LADDER = KINDS[3:]
NEAR = 1e-6  # hubs see quantities that are a little uneven, and signing for longer costs them a little


def market_of(kind: str, seed: int) -> Snapshot:
    periods = 1 if kind in KINDS[:3] else 4
    case = Case(
        offers=300,
        lanes=6_000,
        products=5,
        conversions=kind != "transport",
        seed=seed,
        periods=periods,
        windows="ladder" if periods > 1 else "one",
    )
    made = make(case)
    if kind == "delivered":  # a third delivers at its ask or collects at its bid
        offers = tuple(replace(one, freight_included=at % 3 == 0) for at, one in enumerate(made.offers))
        return replace(made, offers=offers)
    if periods > 1:
        terms = (1, 2, 4, 1, 3)  # no window of three periods is there: the year has to do
        offers = tuple(replace(one, min_term=terms[at % 5]) for at, one in enumerate(made.offers))
        made = replace(made, offers=offers, discount=tuple(map(Decimal, ("1", "0.9", "0.8", "0.7"))))
    if kind == "year and halves":  # nobody can sell by the quarter
        return replace(made, windows=((0, 1), (0, 3), (2, 3)))
    if kind == "stocks":
        return replace(made, conversions=tuple(replace(one, inputs=stocked(one.inputs)) for one in made.conversions))
    if kind == "terms":
        conversions = tuple(replace(one, min_term=(1, 2, 4)[at % 3]) for at, one in enumerate(made.conversions))
        return replace(made, conversions=conversions)
    if kind == "uneven":  # closed in some periods, more in others
        return replace(
            made,
            offers=tuple(
                replace(one, quantity=tuple(q * (1 + (at + t) % 3) * (at % 7 != t) for t, q in enumerate(one.quantity)))
                for at, one in enumerate(made.offers)
            ),
        )
    return made


def stocked(inputs: tuple[ConversionInput, ...]) -> tuple[ConversionInput, ...]:
    return tuple(replace(one, own_stock=Decimal(5)) for one in inputs)


def program_of(snapshot: Snapshot, engine: type[Engine] = WarmEngine) -> Program:
    market = build(snapshot)
    return Program(market, find_lanes(market), engine, in_parts=True)


def ladder_in(program: Program) -> Ladder:
    found = ladder_of(program.market, program.segments)
    assert found is not None
    return found


def at_hubs(snapshot: Snapshot, engine: type[Engine] = WarmEngine) -> tuple[Program, HubProgramme, AtHubs]:
    program = program_of(snapshot, engine)
    programme = HubProgramme(program, ladder_in(program), engine)
    return program, programme, programme.clear(program)


def values_at(program: Program, cleared: AtHubs) -> Values:
    return Values(program.market, program.lanes, program.duals(cleared.duals))


def standing(program: Program, programme: HubProgramme, cleared: AtHubs) -> Stand:
    ended = stand_at_hubs(program, programme, cleared, values_at(program, cleared))
    assert ended is not None
    return ended


def exact(program: Program) -> Cleared:
    return clearing.clear(program.market, program.lanes, WarmEngine)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_hubs_have_the_prices_of_a_market_without_rules_about_pairs(kind: str, seed: int) -> None:
    """By duality: at their prices no lane gains over any window, and what every limit is worth comes to the market's
    welfare."""
    program, _, cleared = at_hubs(market_of(kind, seed))
    assert values_at(program, cleared).best().reduced.max() < NEAR
    value = worth_of_limits(program, cleared)
    assert value == pytest.approx(exact(program).point.value, rel=10 * NEAR)
    assert value > 0


def worth_of_limits(program: Program, cleared: AtHubs) -> float:
    """What quantities and capacities are worth at the prices of hubs."""
    made = program.market.sellers.product[program.market.sellers.offers :]
    rent = program.segments.total(program.duals(cleared.duals).rent) / program.level[made][:, None]
    return float(program.limits @ cleared.duals + program.capacity @ rent.ravel())


@pytest.mark.parametrize("kind", KINDS)
def test_what_flows_through_hubs_is_cut_into_lanes(kind: str) -> None:
    program, programme, cleared = at_hubs(market_of(kind, 1))
    sells, buys = len(program.market.sellers), len(program.market.buyers)
    for layer in range(len(programme.ladder)):
        traded, flow = cleared.traded[:, layer], cleared.flow[:, layer]
        seller, buyer, amount = pairs(programme.hubs, traded, flow, sells)
        assert np.allclose(np.bincount(seller, amount, sells), traded[:sells], atol=1e-7)
        # What processors own of an input they need not buy; in this market they do not take all of it.
        slack = traded[sells:] - np.bincount(buyer, amount, buys)
        assert (np.abs(slack[: program.market.buyers.offers]) < 1e-7).all()
        assert (np.abs(slack) < 1e-7).all() or kind == "stocks"
        lane = lanes_of(program, seller, buyer)
        assert len(lane) == len(set(zip(seller.tolist(), buyer.tolist(), strict=True)))
        assert set(zip(program.lanes.seller[lane], program.lanes.buyer[lane], strict=True)) == set(
            zip(seller, buyer, strict=True)
        )
    found = candidates_of(program, programme, cleared)
    assert admitted(program.market, program.lanes, found).all()
    assert len(np.unique(found.window)) == len(programme.ladder)


def test_pairs_that_are_no_lanes_are_left_out() -> None:
    program, programme, cleared = at_hubs(market_of("conversions", 2))
    traded, flow = cleared.traded[:, 0], cleared.flow[:, 0]
    seller, buyer, _ = pairs(programme.hubs, traded, flow, len(program.market.sellers))
    out = program.market.sellers.label[seller[0]], program.market.buyers.label[buyer[0]]
    fewer = Program(program.market, find_lanes(program.market, frozenset([out])), WarmEngine)
    assert len(lanes_of(fewer, seller, buyer)) == len(lanes_of(program, seller, buyer)) - 1


def test_lanes_that_end_too_early_for_a_window_are_left_out() -> None:
    program, programme, cleared = at_hubs(market_of("ladder", 2))
    found = candidates_of(program, programme, cleared)
    late = found.window == program.market.windows[:, 0].argmax()
    late = np.isin(found.lane, found.lane[late]) & (program.market.windows[found.window, 0] > 0)
    latest = program.lanes.latest_start.copy()
    latest[found.lane[late]] = 0
    hurried = Program(program.market, replace(program.lanes, latest_start=latest), WarmEngine)
    fewer = candidates_of(hurried, programme, cleared)
    assert 0 < late.sum() == len(found) - len(fewer)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [3, 6])
def test_trades_of_hubs_are_a_basis_of_the_optimum(kind: str, seed: int) -> None:
    program, programme, cleared = at_hubs(market_of(kind, seed))
    ended = standing(program, programme, cleared)
    assert (ended.basis.rows == BASIC).sum() + (ended.basis.variables == BASIC).sum() == len(program.limits)
    sold_out = np.flatnonzero(cleared.traded[: program.market.sellers.offers].any(axis=1)) * len(program.segments)
    assert 0 < (ended.basis.rows[sold_out] == BASIC).sum() < len(sold_out)  # some have a part of theirs left
    program.add(values_at(program, cleared).within(-0.02))
    cold = program_of(market_of(kind, seed))
    cold.add(program.candidates)
    program.add(ended.basic)
    begin(program, [ended])
    value = program.face.maximise(program.welfare).value
    assert value == pytest.approx(cold.face.maximise(cold.welfare).value, rel=1e-9)
    assert value == pytest.approx(exact(program).point.value, rel=1e-9)
    # Where quantities of conversions fit each other a few rows may be missing.
    assert pivots(program) < pivots(cold) / (5 if kind == "terms" else 10)


def pivots(program: Program) -> int:
    assert isinstance(program.engine, WarmEngine)
    return int(program.engine.highs.getInfo().simplex_iteration_count)


def test_hubs_of_one_segment_after_the_other_end_where_each_would_alone() -> None:
    """Freight of later periods counts for less where their money does."""
    program = program_of(market_of("ladder", 7))
    programme: HubProgramme | None = None
    for at in range(len(program.segments)):
        guide = guides.of_segment(program.market, program.lanes, program.segments, at)
        own = Program(guide.market, guide.lanes, WarmEngine)
        programme = programme or HubProgramme(own, ladder_in(own), WarmEngine)
        together, alone = programme.clear(own), HubProgramme(own, ladder_in(own), WarmEngine).clear(own)
        assert worth_of_limits(own, together) == pytest.approx(worth_of_limits(own, alone), rel=NEAR)
        assert values_at(own, together).best().reduced.max() < NEAR


@pytest.mark.parametrize("kind", LADDER)
def test_a_ladder_that_begins_where_its_segments_end_ends_where_it_would_alone(kind: str) -> None:
    firsts: list[int] = []

    class Counted(WarmEngine):
        def maximise(self, face: Face, objective: Floats, *, near: bool = False) -> Point:
            found = super().maximise(face, objective, near=near)
            firsts.append(int(self.highs.getInfo().simplex_iteration_count))
            return found

    program = program_of(market_of(kind, 4))
    alone = HubProgramme(program, ladder_in(program), Counted)
    cleared = alone.clear(program)
    cold = firsts[0]
    segments, ended = None, []
    for at in range(len(program.segments)):
        guide = guides.of_segment(program.market, program.lanes, program.segments, at)
        own = Program(guide.market, guide.lanes, WarmEngine)
        segments = segments or HubProgramme(own, ladder_in(own), WarmEngine)
        ended.append(segments.clear(own))
    assert segments is not None
    programme = HubProgramme(program, alone.ladder, Counted)
    programme.begin(program, segments, ended)
    firsts.clear()
    there = programme.clear(program)
    assert (
        firsts[0] < 1.2 * cold
    )  # small markets are no faster for it; from what is no basis it is up to four times as long
    assert worth_of_limits(program, there) == pytest.approx(worth_of_limits(program, cleared), rel=NEAR)
    assert not there.traded[programme.positions.apart.position, programme.positions.apart.layer].any()


def test_a_year_is_not_sold_with_what_others_sell_by_the_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sells the first half cheaply, the other the second. Who asks for a year would have to buy all of it of one of
    them and does not."""
    offers = (
        sell("first", [5, 5, 5, 5], ["10", "10", "30", "30"]),
        sell("second", [5, 5, 5, 5], ["30", "30", "10", "10"]),
        buy("year", [5, 5, 5, 5], "18", min_term=4),
        buy("half", [2, 2, 2, 2], "15", min_term=2),
    )
    market = snapshot(*offers, windows=((0, 1), (0, 3), (2, 3)))
    program, programme, cleared = at_hubs(market)
    assert (programme.ladder.over.sum(axis=1) == [1, 2, 1]).all()
    year = len(program.market.sellers) + program.market.buyers.label.index("year")
    assert cleared.traded[year].max() < NEAR
    assert cleared.traded.sum() > 0
    monkeypatch.setattr(hub_programme, "HARDLY", 1.0)
    _, _, promised = at_hubs(market)
    assert promised.traded[year].max() > NEAR


def test_of_what_an_idle_processor_owns_no_limit_binds() -> None:
    program, programme, cleared = at_hubs(market_of("stocks", 6))
    assert cleared.full is not None
    full, count = cleared.full[: programme.positions.own.shape[0] * len(program.segments)], len(program.segments)
    inputs = full.reshape(-1, count)[len(program.market.sellers) + program.market.buyers.offers :]
    idle = cleared.activity.reshape(-1, count)[program.market.buyers.conversion[program.market.buyers.offers :]] == 0.0
    assert idle.any()
    assert not inputs[idle].any()
    assert inputs[~idle].any()


def test_hubs_from_an_engine_without_bases_have_no_stand() -> None:
    for kind in ("conversions", "ladder"):
        program, programme, cleared = at_hubs(market_of(kind, 1), ReferenceEngine)
        assert stand_at_hubs(program, programme, cleared, values_at(program, cleared)) is None
        assert worth_of_limits(program, cleared) == pytest.approx(exact(program).point.value, rel=NEAR)


@pytest.mark.parametrize("sides", [(Side.SELL,), (Side.BUY,)])
def test_where_a_side_has_nobody_nothing_flows(sides: tuple[Side, ...]) -> None:
    made = market_of("transport", 1)
    program, programme, cleared = at_hubs(replace(made, offers=tuple(one for one in made.offers if one.side in sides)))
    assert not cleared.traded.any()
    assert len(standing(program, programme, cleared).candidates) == 0


def test_a_ladder_is_cleared_at_hubs_where_several_offers_share_each_and_no_rules_set_them_apart() -> None:
    made = make(Case(offers=4_000, lanes=50_000, products=1, periods=4, windows="ladder"))
    buyers = [at for at, one in enumerate(made.offers) if one.side is Side.BUY]

    def market(rules: int) -> Market:
        some = set(buyers[:rules])
        return build(
            replace(
                made,
                offers=tuple(
                    replace(one, approved_firms=frozenset({"firm-000001"})) if at in some else one
                    for at, one in enumerate(made.offers)
                ),
            )
        )

    assert len(hubs_of(market(0))) * clearing.SEVERAL < len(made.offers)
    assert clearing.alike(market(0))
    assert ruled(market(10)) == 10 / len(buyers)
    assert clearing.alike(market(10))
    assert not clearing.alike(market(len(buyers) // 10))
    assert not clearing.alike(build(market_of("ladder", 1)))  # a hub for nearly every offer


def test_every_rule_about_pairs_counts() -> None:
    rules: list[dict[str, Any]] = [
        {"certificates": {"ISO": None}},
        {"specification": {"assay": Decimal(1)}},
        {"approved_firms": frozenset({"firm of s"})},
        {"max_share": Decimal("0.5")},
        {"barred_origins": frozenset({"south"})},
    ]
    offers = [sell("s", [1], 1, specification={"assay": Decimal(1)}, origin="south"), buy("plain", [1], 2)]
    for at, rule in enumerate(rules):
        market = snapshot(*offers, buy(f"b{at}", [1], 2, **rule), attributes={"assay": Bound.MIN})
        assert ruled(build(market)) == 0.5, rule


def test_a_hub_serves_its_own_grade_and_lower_ones_alone() -> None:
    market = build(market_of("delivered", 5))
    hubs, sides = hubs_of(market), (market.sellers, market.buyers)
    hub_of = np.zeros((len(hubs), 3), dtype=np.int64)
    for side, at in zip(sides, np.split(hubs.positions, [len(market.sellers)]), strict=True):
        hub_of[at] = np.stack([side.product, side.region, side.rank], axis=1)
    tail, head = hub_of[hubs.tail], hub_of[hubs.head]
    assert (tail[:, 0] == head[:, 0]).all()
    assert (tail[:, 2] >= head[:, 2]).all()
    assert (tail[hubs.shipping :, 1] == head[hubs.shipping :, 1]).all()
    assert (tail[hubs.shipping :, 2] > head[hubs.shipping :, 2]).all()
    assert not np.isnan(market.freight[tail[:, 0], tail[:, 1], head[:, 1]]).any()


amounts = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 50)), max_size=20)


@given(given_=amounts, taken=amounts)
def test_the_north_west_corner_gives_what_there_is_of_both(
    given_: list[tuple[int, int]], taken: list[tuple[int, int]]
) -> None:
    one, other = (
        Flows(hub=np.array([h for h, _ in some], dtype=np.int64), amount=np.array([a for _, a in some], dtype=float))
        for some in (given_, taken)
    )
    source, target, amount = north_west(one, other)
    assert (one.hub[source] == other.hub[target]).all()
    assert (amount > 0).all()
    assert (np.bincount(source, amount, len(given_)) <= one.amount + 1e-9).all()
    assert (np.bincount(target, amount, len(taken)) <= other.amount + 1e-9).all()
    for hub in range(4):
        there = [float(some.amount[some.hub == hub].sum()) for some in (one, other)]
        assert amount[one.hub[source] == hub].sum() == pytest.approx(min(there))
        pieces = int((one.hub[source] == hub).sum())
        assert pieces <= max(0, int((one.hub == hub).sum()) + int((other.hub == hub).sum()) - 1)
