"""Segments: a programme over runs of periods that no window cuts is the programme over periods."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from benchmarks.instances import Case, make
from matching.building import build
from matching.clearing import clear
from matching.engine import WarmEngine
from matching.lanes import find_lanes
from matching.rounds import Cleared
from matching.run import run
from matching.segments import between_boundaries
from matching.snapshot import Snapshot

WINDOWS = ((0, 2), (3, 5), (0, 5), (3, 7), (6, 7))


def test_segments_lie_between_the_boundaries_of_windows() -> None:
    segments = between_boundaries(np.array(WINDOWS), 9)
    assert segments.first.tolist() == [0, 3, 6, 8]
    assert segments.length.tolist() == [3, 3, 2, 1]
    assert segments.of.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3]


def test_a_shadow_price_stands_on_the_periods_with_the_smallest_capacity() -> None:
    segments = between_boundaries(np.array(WINDOWS), 9)
    capacity = np.array([[5, 3, 3, 7, 7, 7, 2, 4, 1]])
    spread = segments.spread(np.array([[6.0, 9.0, 4.0, 1.0]]), capacity)
    assert spread.tolist() == [[0, 3, 3, 3, 3, 3, 4, 0, 1]]
    assert segments.total(spread).tolist() == [[6, 9, 4, 1]]
    assert segments.smallest(capacity).tolist() == [[3, 7, 2, 1]]


def ramped(seed: int, *, conversions: bool) -> Snapshot:
    """A market of windows of two periods and more, with quantities that differ inside them."""
    rng = Random(seed)
    case = Case(offers=90, lanes=900, periods=8, windows="one", conversions=conversions, products=5, seed=seed)
    snapshot = make(case)
    offers = tuple(
        replace(
            offer,
            quantity=tuple(rng.choice([0, q, q, 2 * q, q + rng.randint(0, 9)]) for q in offer.quantity),
            min_term=rng.choice([2, 2, 3, 5]),
            max_share=rng.choice([None, None, offer.max_share]),
        )
        for offer in snapshot.offers
    )
    made = tuple(
        replace(c, min_term=2, capacity=tuple(rng.choice([lots, lots // 2]) for lots in c.capacity))
        for c in snapshot.conversions
    )
    return replace(snapshot, offers=offers, conversions=made, windows=WINDOWS)


def cut(snapshot: Snapshot) -> Snapshot:
    """The same market: nobody takes a window of a single period, but they make every period a segment."""
    single = tuple((at, at) for at in range(len(snapshot.horizon)))
    return replace(snapshot, windows=(*WINDOWS, *single))


def cleared(snapshot: Snapshot) -> Cleared:
    market = build(snapshot)
    return clear(market, find_lanes(market), WarmEngine)


@pytest.mark.parametrize("conversions", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_segments_and_periods_give_the_same_market(seed: int, conversions: bool) -> None:
    market = ramped(seed, conversions=conversions)
    coarse, fine = cleared(market), cleared(cut(market))
    assert len(coarse.program.segments) == 3
    assert len(fine.program.segments) == 8
    welfare = [found.point.value * found.program.value for found in (coarse, fine)]
    assert welfare[0] == pytest.approx(welfare[1], rel=1e-9)
    assert welfare[0] > 0
    _optimal(coarse)
    _optimal(fine)


def _optimal(found: Cleared) -> None:
    """Shadow prices of single periods bound the welfare by what is offered in them."""
    program, market = found.program, found.program.market
    duals = program.duals(found.point.duals)
    room = np.where(np.isfinite(program.room), program.room, 0.0)
    priced = np.concatenate([duals.seller, duals.buyer, duals.family])
    bound = float((room * priced).sum() + (market.capacity * duals.rent).sum())
    assert bound == pytest.approx(found.point.value * program.value, rel=1e-7)
    assert min(duals.seller.min(), duals.buyer.min(), duals.rent.min(initial=0.0)) >= 0


@pytest.mark.parametrize("seed", range(3))
def test_the_answer_of_a_ladder_is_certified(seed: int) -> None:
    answer = run(ramped(seed, conversions=True))
    assert answer.certificate.holds
    assert answer.certificate.gap <= answer.certificate.rounding_loss + 1
