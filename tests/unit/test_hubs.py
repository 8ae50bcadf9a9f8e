"""Hubs: the optimum of a market without rules about pairs, and trades that are a basis of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.instances import Case, make
from matching import clearing, guides
from matching.building import build
from matching.engine import AT_UPPER, BASIC, ReferenceEngine, WarmEngine
from matching.hub_trades import Flows, lanes_of, north_west, pairs, stand_at_hubs
from matching.hubs import AtHubs, HubProgramme, hubs_of
from matching.lanes import find_lanes
from matching.lifting import begin
from matching.pricing import TIE, Values
from matching.program import Program
from matching.segments import between_boundaries
from matching.snapshot import Side, Snapshot

KINDS = ["transport", "conversions", "delivered"]


def market_of(kind: str, seed: int) -> Snapshot:
    case = Case(offers=300, lanes=6_000, products=5, conversions=kind != "transport", seed=seed)
    made = make(case)
    if kind != "delivered":
        return made
    # A third delivers at its ask or collects at its bid.
    return replace(made, offers=tuple(replace(one, freight_included=at % 3 == 0) for at, one in enumerate(made.offers)))


def at_hubs(snapshot: Snapshot) -> tuple[Program, HubProgramme, AtHubs]:
    market = build(snapshot)
    program = Program(market, find_lanes(market), WarmEngine)
    programme = HubProgramme(program, WarmEngine)
    return program, programme, programme.clear(program)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_hubs_have_the_prices_of_a_market_without_rules_about_pairs(kind: str, seed: int) -> None:
    """By duality: at their prices no lane gains, and what every limit is worth comes to the market's welfare."""
    program, _, cleared = at_hubs(market_of(kind, seed))
    assert Values(program.market, program.lanes, program.duals(cleared.duals)).best().reduced.max() < TIE
    value = worth_of_limits(program, cleared)
    exact = clearing.clear(program.market, program.lanes, WarmEngine)
    assert value == pytest.approx(exact.point.value, rel=1e-9)
    assert value > 0


def worth_of_limits(program: Program, cleared: AtHubs) -> float:
    """What quantities and capacities are worth at the prices of hubs."""
    made = program.market.sellers.product[program.market.sellers.offers :]
    rent = program.duals(cleared.duals).rent.sum(axis=1) / program.level[made]
    return float(program.limits @ cleared.duals + program.capacity @ rent)


@pytest.mark.parametrize("kind", KINDS)
def test_what_flows_through_hubs_is_cut_into_lanes(kind: str) -> None:
    program, programme, cleared = at_hubs(market_of(kind, 1))
    sells, buys = len(program.market.sellers), len(program.market.buyers)
    seller, buyer, amount = pairs(programme.hubs, cleared, sells)
    assert np.allclose(np.bincount(seller, amount, sells), cleared.traded[:sells], atol=1e-7)
    assert np.allclose(np.bincount(buyer, amount, buys), cleared.traded[sells:], atol=1e-7)
    lane = lanes_of(program, seller, buyer)
    assert len(lane) == len(set(zip(seller.tolist(), buyer.tolist(), strict=True)))
    assert set(zip(program.lanes.seller[lane], program.lanes.buyer[lane], strict=True)) == set(
        zip(seller, buyer, strict=True)
    )


def test_pairs_that_are_no_lanes_are_left_out() -> None:
    program, programme, cleared = at_hubs(market_of("conversions", 2))
    seller, buyer, _ = pairs(programme.hubs, cleared, len(program.market.sellers))
    out = program.market.sellers.label[seller[0]], program.market.buyers.label[buyer[0]]
    fewer = Program(program.market, find_lanes(program.market, frozenset([out])), WarmEngine)
    assert len(lanes_of(fewer, seller, buyer)) == len(lanes_of(program, seller, buyer)) - 1


@pytest.mark.parametrize("kind", KINDS)
def test_trades_of_hubs_are_nearly_a_basis_of_the_optimum(kind: str) -> None:
    program, programme, cleared = at_hubs(market_of(kind, 3))
    ended = stand_at_hubs(program, programme.hubs, cleared)
    assert ended is not None
    assert (ended.basis.rows[program.inside] == AT_UPPER).all()
    sold_out = np.flatnonzero(cleared.traded[: program.market.sellers.offers] > 0)
    assert 0 < (ended.basis.rows[sold_out] == BASIC).sum() < len(sold_out)  # some have a part of theirs left
    program.add(Values(program.market, program.lanes, program.duals(cleared.duals)).within(-0.02))
    cold = Program(program.market, program.lanes, WarmEngine)
    cold.add(program.candidates)
    begin(program, [ended])
    value = program.face.maximise(program.welfare).value
    assert value == pytest.approx(cold.face.maximise(cold.welfare).value, rel=1e-9)
    assert pivots(program) < pivots(cold) / 3


def pivots(program: Program) -> int:
    assert isinstance(program.engine, WarmEngine)
    return int(program.engine.highs.getInfo().simplex_iteration_count)


def test_hubs_of_one_segment_after_the_other_end_where_each_would_alone() -> None:
    """Freight of later periods counts for less where their money does."""
    made = make(Case(offers=300, lanes=6_000, products=5, periods=4, windows="ladder", conversions=True))
    market = build(replace(made, discount=tuple(map(Decimal, ("1", "0.8", "0.6", "0.4")))))
    lanes, segments, programme = find_lanes(market), between_boundaries(market.windows, market.periods), None
    for at in range(len(segments)):
        guide = guides.of_segment(market, lanes, segments, at)
        program = Program(guide.market, guide.lanes, WarmEngine)
        programme = programme or HubProgramme(program, WarmEngine)
        together, alone = programme.clear(program), HubProgramme(program, WarmEngine).clear(program)
        assert worth_of_limits(program, together) == pytest.approx(worth_of_limits(program, alone), rel=1e-9)
        assert Values(guide.market, lanes, program.duals(together.duals)).best().reduced.max() < TIE


def test_hubs_from_an_engine_without_bases_have_no_stand() -> None:
    market = build(market_of("conversions", 1))
    program = Program(market, find_lanes(market), ReferenceEngine)
    programme = HubProgramme(program, ReferenceEngine)
    assert stand_at_hubs(program, programme.hubs, programme.clear(program)) is None


@pytest.mark.parametrize("sides", [(Side.SELL,), (Side.BUY,)])
def test_where_a_side_has_nobody_nothing_flows(sides: tuple[Side, ...]) -> None:
    made = market_of("transport", 1)
    program, programme, cleared = at_hubs(replace(made, offers=tuple(one for one in made.offers if one.side in sides)))
    assert not cleared.traded.any()
    ended = stand_at_hubs(program, programme.hubs, cleared)
    assert ended is not None
    assert len(ended.candidates) == 0


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
