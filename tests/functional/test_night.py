"""A night of the market: what a run leaves in the database, and that it leaves all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.auth import SYSTEM
from app.auth.principal import of_user
from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs import night
from app.models import (
    Event,
    OfferState,
    Proposal,
    Reason,
    Reservation,
    ReviewAction,
    RoundWindow,
    Run,
    RunResult,
    RunState,
    ShadowPrice,
    WindowRule,
)
from app.operations import review, runs
from app.operations.run_outcome import NotCertified, settle
from app.operations.snapshots import freeze
from app.transaction import Application
from matching.certificate import check
from matching.run import run as clear_snapshot
from tests import factories as make

from .night_market import Town, chain, clear, count, proposals_of, reserved, standing_application


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def test_one_seller_one_buyer_meet_at_the_midpoint(own_app: Application) -> None:
    town = Town()
    sell, buy = town.sells(price=70), town.buys(price=90)
    run = clear(town.round)
    (proposal,) = proposals_of(run)
    assert (proposal.sell_offer_id, proposal.buy_offer_id) == (sell.id, buy.id)
    assert [proposal.price_ex_works, proposal.freight, proposal.price_delivered] == [78, 4, 82]
    assert (proposal.rate, proposal.first_period, proposal.last_period) == (10, "2027-Q1", "2027-Q4")
    assert proposal.total_value == 82 * 40
    assert [proposal.surplus_seller, proposal.surplus_buyer] == [8 * 40, 8 * 40]
    assert proposal.state == "proposed"
    assert reserved() == 2 * 40
    results = {row.offer_id: row.reason for row in db.session.scalars(sa.select(RunResult))}
    assert results == {sell.id: Reason.MATCHED, buy.id: Reason.MATCHED}
    assert db.session.scalar(sa.select(Event.to_state).where(Event.name == "proposal.propose")) == "proposed"
    assert run.headline is not None
    assert run.headline["contracts"] == 1


def test_the_chain_is_one_bundle(own_app: Application) -> None:
    town, carbonate, converter, buyer = chain()
    run = clear(town.round)
    into, out = sorted(proposals_of(run), key=lambda proposal: proposal.sell_offer_id == converter.id)
    assert (into.sell_offer_id, into.buy_offer_id, into.rate) == (carbonate.id, converter.id, 10)
    assert (out.sell_offer_id, out.buy_offer_id, out.rate) == (converter.id, buyer.id, 40)
    assert into.bundle_id == out.bundle_id
    held = {tuple(row) for row in db.session.execute(sa.select(Reservation.proposal_id, Reservation.offer_id))}
    assert held == {(into.id, carbonate.id), (out.id, converter.id), (out.id, buyer.id)}
    assert out.surplus_seller >= 0
    assert into.surplus_buyer == 0
    assert count(ShadowPrice)


def test_whole_lots_of_a_tenth_and_a_round_with_a_ladder(own_app: Application) -> None:
    town = Town(grade=make.GradeFactory(product=make.ProductFactory(lot=Decimal("0.1"))))
    town.round.windows = WindowRule.LADDER
    town.round.ladder = [RoundWindow(first_period="2027-Q2", last_period="2027-Q3")]
    town.sells()
    town.buys()
    (proposal,) = proposals_of(clear(town.round))
    assert (proposal.first_period, proposal.last_period, proposal.rate) == ("2027-Q2", "2027-Q3", 10)
    assert proposal.total_value == 82 * 2


def test_a_second_run_supersedes_what_nobody_has_touched(own_app: Application) -> None:
    town = Town()
    town.sells()
    town.buys()
    (old,) = proposals_of(clear(town.round))
    second = clear(town.round)
    (new,) = proposals_of(second)
    db.session.refresh(old)
    assert (old.state, new.state) == ("expired", "proposed")
    assert reserved() == 80
    assert headline(second)["superseded"] == 1
    event = db.session.scalars(sa.select(Event).where(Event.name == "proposal.expire")).one()
    assert (event.acting_as, event.note) == ("timer", f"superseded by run {second.id}")


@pytest.mark.parametrize("released", [False, True])
def test_a_second_run_leaves_alone_what_staff_have_taken_up(own_app: Application, released: bool) -> None:
    town = Town()
    town.sells(quantity=15)
    town.buys(quantity=10)
    late = town.buys(quantity=10, price=80)
    first = clear(town.round)
    at_work = next(one for one in proposals_of(first) if one.buy_offer_id != late.id)
    (untouched,) = [one for one in proposals_of(first) if one.buy_offer_id == late.id]
    touch(at_work, released=released)
    second = clear(town.round)
    (again,) = proposals_of(second)
    db.session.refresh(at_work)
    db.session.refresh(untouched)
    assert (at_work.state, untouched.state) == ("released" if released else "under_review", "expired")
    assert (again.buy_offer_id, again.rate) == (late.id, 5)
    assert reserved() == 2 * 4 * (10 + 5)


def touch(proposal: Proposal, *, released: bool) -> None:
    who = of_user(make.StaffFactory())
    if released:
        review.decide(
            db.session(),
            principal=who,
            proposal_id=proposal.id,
            action=ReviewAction.RELEASE,
            reason_code="sound",
            now=clock(),
        )
    else:
        review.take_up(db.session(), principal=who, proposal_id=proposal.id, now=clock())
    db.session.commit()


def headline(run: Run) -> dict[str, Any]:
    assert run.headline is not None
    return run.headline


def clear_while(town: Town, meanwhile: Callable[[], object]) -> Run:
    """Clear a round, while something happens between its snapshot and its last transaction."""
    run = runs.open_run(db.session(), principal=SYSTEM, round_code=town.round.code, now=clock())
    db.session.commit()

    def watch(phase: str, _percent: int, _rounds: int) -> None:
        if phase == "writing":
            meanwhile()
            db.session.commit()

    night.clear_run(run.id, clock=clock, watch=watch)
    db.session.expire_all()
    assert run.state is RunState.DONE, run.error
    return run


@pytest.mark.parametrize(
    ("change", "cause", "reason"),
    [
        ({"state": OfferState.WITHDRAWN}, "withdrawn", Reason.WITHDRAWN),
        ({"valid_until": make.NOON}, "expired", Reason.WITHDRAWN),
        ({"revision": 2}, "amended", Reason.LIMITED_BY_POLICY),
    ],
)
def test_a_bundle_whose_offer_changed_meanwhile_is_dropped(
    own_app: Application, change: dict[str, Any], cause: str, reason: Reason
) -> None:
    town, other = Town(), Town()
    other.round = town.round
    sell, buy = town.sells(), town.buys()
    other.sells()
    other.buys()

    def amend() -> None:
        for name, value in change.items():
            setattr(sell, name, value)

    run = clear_while(town, amend)
    (kept,) = proposals_of(run)
    assert kept.product_code == other.grade.product_code
    assert headline(run)["dropped_bundles"] == {cause: 1}
    assert reserved() == 80
    results = {row.offer_id: row for row in db.session.scalars(sa.select(RunResult))}
    assert (results[sell.id].reason, results[buy.id].reason) == (reason, Reason.LIMITED_BY_POLICY)
    assert results[buy.id].filled == [0, 0, 0, 0]
    assert results[buy.id].detail is None, "whose change it was is nobody's business"


def test_volume_that_staff_took_up_meanwhile_is_not_sold_twice(own_app: Application) -> None:
    town = Town()
    town.sells()
    town.buys()
    (old,) = proposals_of(clear(town.round))
    run = clear_while(town, lambda: touch(old, released=True))
    assert proposals_of(run) == []
    assert headline(run)["dropped_bundles"] == {"reserved": 1}
    db.session.refresh(old)
    assert (old.state, reserved()) == ("released", 80)


def test_an_answer_whose_certificate_does_not_hold_is_not_proposed(own_app: Application) -> None:
    town = Town()
    town.sells()
    town.buys()
    run = runs.open_run(db.session(), principal=SYSTEM, round_code=town.round.code, now=clock())
    attempt = runs.start(db.session(), run_id=run.id, now=clock())
    assert attempt is not None
    frozen = freeze(db.session(), round_id=town.round.id, now=clock())
    answer = clear_snapshot(frozen.snapshot)
    dearer = tuple(
        replace(one, price_ex_works=one.price_ex_works + 50, price_delivered=one.price_delivered + 50)
        for one in answer.contracts
    )
    wrong = replace(answer, contracts=dearer, certificate=check(frozen.snapshot, dearer, answer.prices))
    with pytest.raises(NotCertified, match="above the bid"):
        settle(db.session(), run_id=run.id, attempt=attempt, frozen=frozen, answer=wrong, alternatives={}, now=clock())


def test_a_run_that_cannot_be_cleared_says_why(own_app: Application) -> None:
    town = Town(round=make.RoundFactory(period_count=4, currency_rates={"USD": "7.1"}))
    sell = town.sells(currency="USD")
    town.round.currency_rates = {}
    run = runs.open_run(db.session(), principal=SYSTEM, round_code=town.round.code, now=clock())
    db.session.commit()
    assert night.clear_run(run.id, clock=clock) is RunState.FAILED
    db.session.expire_all()
    assert run.error == f"InvalidValue: offer {sell.id} is in USD; the round has a rate for CNY only"
    assert night.clear_run(run.id, clock=clock) is RunState.FAILED, "and stays so"
    assert db.session.scalars(sa.select(Event.name).where(Event.subject_id == run.id).order_by(Event.id)).all() == [
        "run.queued",
        "run.running",
        "run.failed",
    ]


def test_every_offer_gets_one_result(own_app: Application) -> None:
    town = Town()
    sell, partly, out = town.sells(quantity=10), town.buys(quantity=30), town.sells(price=95)
    lonely = Town(round=town.round).buys()
    idle = town.sells(firm=make.FirmFactory(active=False))
    run = clear(town.round)
    results = {row.offer_id: row for row in db.session.scalars(sa.select(RunResult))}
    assert {offer.id: results[offer.id].reason for offer in (sell, partly, out, lonely, idle)} == {
        sell.id: Reason.MATCHED,
        partly.id: Reason.PARTLY_MATCHED,
        out.id: Reason.OUT_OF_THE_MONEY,
        lonely.id: Reason.NO_ELIGIBLE_LANE,
        idle.id: Reason.INVALID,
    }
    assert len(results) == 5
    assert results[out.id].distance == Decimal(9)
    assert results[idle.id].detail == {"field": "firm"}
    assert results[partly.id].filled == [10] * 4
    assert headline(run)["unmatched"] == {"invalid": 1, "no_eligible_lane": 1, "out_of_the_money": 1}


def test_an_empty_round_is_cleared_too(own_app: Application) -> None:
    run = clear(make.RoundFactory(period_count=2))
    assert headline(run)["contracts"] == 0


def test_a_share_that_staff_took_up_meanwhile_is_not_given_twice(own_app: Application) -> None:
    town = Town()
    town.sells(quantity=30)
    town.buys(quantity=20, max_share=Decimal("0.5"))
    (old,) = proposals_of(clear(town.round))
    run = clear_while(town, lambda: touch(old, released=True))
    assert proposals_of(run) == [], "there is volume on both sides, but the supplier has its half"
    assert headline(run)["dropped_bundles"] == {"reserved": 1}


def test_a_quota_that_staff_took_up_meanwhile_is_not_used_twice(own_app: Application) -> None:
    town = Town()
    make.CorridorFactory(
        round=town.round,
        product=town.grade.product,
        from_region=town.origin,
        to_region=town.destination,
        limit_per_period=10,
    )
    town.sells()
    town.buys()
    (old,) = proposals_of(clear(town.round))
    better = town.sells(price=60), town.buys(price=100)
    run = clear_while(town, lambda: touch(old, released=True))
    assert proposals_of(run) == [], "the quota is used by others"
    results = {row.offer_id: row.reason for row in db.session.scalars(sa.select(RunResult).filter_by(run_id=run.id))}
    assert {results[offer.id] for offer in better} == {Reason.LIMITED_BY_POLICY}
