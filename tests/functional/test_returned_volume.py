"""What a contract gives back to the next run: what is left when it ends, what was excused to the other side."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.auth.principal import of_user
from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.errors import Conflict, Refused
from app.jobs.contract_timers import run_contract_timers
from app.models import Contract, Offer, OfferPeriod, Proposal, Reservation, ReturnCause, ReturnedVolume, ReviewAction
from app.operations import force_majeure, proposals, returned_volume, review, snapshots, suspension
from app.operations import termination as ends
from app.transaction import Application
from matching.snapshot import Snapshot
from tests import factories as make
from tests.functional.hindered_market import Supply, at, came, event_of, rest, senior, staff, wish_to_end
from tests.functional.night_market import Town, chain, clear, proposals_of, standing_application

QUARTERS = tuple(f"2027-Q{quarter}" for quarter in (1, 2, 3, 4))
LATER = at("2027-05-20")


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def made(town: Town) -> list[Supply]:
    """What a run proposes becomes contracts in force, with a trader on each side."""
    found = proposals_of(clear(town.round))
    for proposal in found:
        if proposal.terms is None:
            review.decide(
                db.session(),
                principal=senior(),
                proposal_id=proposal.id,
                action=ReviewAction.RELEASE,
                reason_code="sound",
                now=clock(),
            )
    people = {}
    for proposal in found:
        people[proposal.id] = make.UserFactory(firm=proposal.seller), make.UserFactory(firm=proposal.buyer)
        for person in people[proposal.id]:
            proposals.accept(
                db.session(),
                principal=of_user(person),
                proposal_id=proposal.id,
                terms_hash=proposal.terms_hash,
                now=clock(),
            )
    db.session.commit()
    supplies = []
    for contract in db.session.scalars(sa.select(Contract).order_by(Contract.id)):
        contract.state = "effective"
        supplies.append(Supply(contract, *people[contract.proposal_id]))
    db.session.commit()
    return supplies


@pytest.fixture
def deal(own_app: Application) -> tuple[Town, Supply]:
    """A seller and a buyer of 10 lots in each quarter of 2027, all of it under one contract."""
    town = Town()
    town.sells()
    town.buys()
    (found,) = made(town)
    return town, found


def snapshot(town: Town) -> Snapshot:
    """What the next run would see."""
    db.session.commit()
    return snapshots.freeze(db.session(), round_id=town.round.id, now=clock()).snapshot


def promised(town: Town) -> list[tuple[int, ...]]:
    return [one.quantity for one in snapshot(town).commitments]


def offered(town: Town) -> Mapping[str, tuple[int, ...]]:
    """Lots of the offers in the snapshot, by side."""
    return {one.side.value: one.quantity for one in snapshot(town).offers}


def reserved(offer_id: uuid.UUID) -> tuple[int, ...]:
    query = sa.select(OfferPeriod.reserved).where(OfferPeriod.offer_id == offer_id).order_by(OfferPeriod.period)
    return tuple(db.session.scalars(query))


def held(found: Supply) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Lots held of the seller's and of the buyer's offer, by quarter."""
    proposal: Proposal = found.contract.proposal
    return reserved(proposal.sell_offer_id), reserved(proposal.buy_offer_id)


def test_what_a_contract_in_force_holds_is_no_run_s(deal: tuple[Town, Supply]) -> None:
    town, found = deal
    assert held(found) == ((10,) * 4, (10,) * 4)
    assert promised(town) == [(10,) * 4]
    assert proposals_of(clear(town.round)) == []


def test_a_terminated_contract_gives_back_all_that_was_not_shipped(deal: tuple[Town, Supply]) -> None:
    town, found = deal
    came(found, 6, state="settled")
    came(found, 2, state="shipped")
    came(found, 1, state="confirmed")
    wish = wish_to_end(found)
    ends.terminate(db.session(), principal=found.buys, termination_id=wish.id, now=LATER)
    db.session.commit()
    assert held(found) == ((8, 0, 0, 0), (8, 0, 0, 0)), "what was shipped stays used up"
    rows = db.session.scalars(sa.select(ReturnedVolume).order_by(ReturnedVolume.id)).all()
    assert {(row.period, row.lots, row.cause.value) for row in rows} == {
        (QUARTERS[0], 2, "terminated"),
        *((quarter, 10, "terminated") for quarter in QUARTERS[1:]),
    }
    assert {row.offer_id for row in rows} == {
        found.contract.proposal.sell_offer_id,
        found.contract.proposal.buy_offer_id,
    }
    clear(town.round)
    again = dict.fromkeys(QUARTERS, 0)
    for row in _new(found):
        again[row.period] += row.quantity
    assert tuple(again.values()) == (4, 20, 20, 20), "both offers are matched again with all that came back"


def test_giving_back_twice_gives_nothing_more(deal: tuple[Town, Supply]) -> None:
    _, found = deal
    wish = wish_to_end(found)
    ends.terminate(db.session(), principal=found.buys, termination_id=wish.id, now=LATER)
    cause = ReturnCause.TERMINATED
    assert returned_volume.give_back_rest(db.session(), contract=found.contract, cause=cause, now=LATER) == 0


def test_an_expired_contract_gives_back_what_was_never_called(deal: tuple[Town, Supply]) -> None:
    town, found = deal
    came(found, 10)
    db.session.commit()
    assert run_contract_timers(now=at("2028-01-02")) == {"expired": 1}
    assert held(found) == ((10, 0, 0, 0), (10, 0, 0, 0))
    assert promised(town) == [(10, 0, 0, 0)]
    assert run_contract_timers(now=at("2028-01-02")) == {}


def test_a_fulfilled_contract_keeps_what_it_used(deal: tuple[Town, Supply]) -> None:
    town, found = deal
    for quarter in QUARTERS:
        came(found, 10, period=quarter)
    db.session.commit()
    assert run_contract_timers(now=at("2027-12-30")) == {"fulfilled": 1}
    assert held(found) == ((10,) * 4, (10,) * 4)
    assert proposals_of(clear(town.round)) == []


def test_a_suspended_contract_keeps_its_volume(deal: tuple[Town, Supply]) -> None:
    town, found = deal
    event_of(found, began="2027-02-01")
    suspension.suspend(
        db.session(),
        principal=staff(),
        contract_id=found.contract.id,
        reason_code="force_majeure",
        now=at("2027-02-02"),
    )
    assert found.contract.state == "suspended"
    assert promised(town) == [(10,) * 4]
    assert proposals_of(clear(town.round)) == []


@pytest.mark.parametrize(("hindered", "free"), [("seller", "buy"), ("buyer", "sell")])
def test_what_is_excused_goes_back_to_the_side_that_is_not_hindered(
    deal: tuple[Town, Supply], hindered: str, free: str
) -> None:
    town, found = deal
    notice = event_of(found, side=hindered, began="2027-04-01")
    who = found.sells if hindered == "seller" else found.buys
    force_majeure.end(
        db.session(), principal=who, event_id=notice.force_majeure_id, ended_on=dt.date(2027, 5, 15), now=LATER
    )
    lost = 5  # 45 of the 91 days of the second quarter, of 10 lots
    usual, less = (10, 10, 10, 10), (10, 10 - lost, 10, 10)
    assert held(found) == ((usual, less) if hindered == "seller" else (less, usual))
    assert promised(town) == [less]
    other = "sell" if free == "buy" else "buy"
    assert offered(town) == {free: usual, other: less}, "the side that was hindered has nothing to put in its place"
    assert proposals_of(clear(town.round)) == []
    if free == "buy":
        town.sells(price=75)
    else:
        town.buys(price=85)
    (again,) = proposals_of(clear(town.round))
    assert (again.rate, again.first_period, again.last_period) == (lost, "2027-Q2", "2027-Q2")


def _new(found: Supply) -> list[Reservation]:
    query = sa.select(Reservation).where(Reservation.proposal_id != found.contract.proposal_id)
    return list(db.session.scalars(query))


def test_when_a_hindered_contract_ends_the_lost_lots_stay_lost(deal: tuple[Town, Supply]) -> None:
    town, found = deal
    notice = event_of(found, began="2027-04-01", ended=None)
    force_majeure.end(
        db.session(), principal=found.sells, event_id=notice.force_majeure_id, ended_on=dt.date(2027, 5, 15), now=LATER
    )
    wish = wish_to_end(found)
    ends.terminate(db.session(), principal=found.buys, termination_id=wish.id, now=LATER)
    assert held(found) == ((0, 5, 0, 0), (0, 0, 0, 0))
    assert promised(town) == []
    assert offered(town) == {"sell": (10, 5, 10, 10), "buy": (10,) * 4}


def test_what_is_left_is_shared_pro_rata_among_all_the_seller_s_contracts(own_app: Application) -> None:
    town = Town()
    seller: Offer = town.sells(quantity=30)
    town.buys(quantity=20)
    town.buys(quantity=10)
    large, small = sorted(made(town), key=lambda one: -one.contract.proposal.rate)
    assert (large.contract.proposal.rate, small.contract.proposal.rate) == (20, 10)
    notice = event_of(large, began="2027-04-01")
    share: dict[str, Any] = {
        "principal": large.sells,
        "event_id": notice.force_majeure_id,
        "product_code": town.grade.product_code,
        "period": "2027-Q2",
        "available": 15,
        "now": at("2027-04-03"),
    }
    with pytest.raises(Refused, match=small.contract.number):
        force_majeure.allocate(db.session(), **share)
    force_majeure.give_notice(
        db.session(),
        principal=large.sells,
        event_id=notice.force_majeure_id,
        contract_ids=[small.contract.id],
        now=at("2027-04-02"),
    )
    force_majeure.allocate(db.session(), **share)
    assert returned_volume.excused_lots(db.session(), contract_id=large.contract.id) == {"2027-Q2": 10}
    assert returned_volume.excused_lots(db.session(), contract_id=small.contract.id) == {"2027-Q2": 5}
    assert reserved(seller.id) == (30, 30, 30, 30)
    assert reserved(large.contract.proposal.buy_offer_id) == (20, 10, 20, 20)
    with pytest.raises(Conflict):
        force_majeure.allocate(db.session(), **share | {"available": 30})
    # At the end of the event what was shared out is not excused a second time, by its days.
    db.session.commit()
    force_majeure.end(
        db.session(),
        principal=large.sells,
        event_id=notice.force_majeure_id,
        ended_on=dt.date(2027, 4, 30),
        now=at("2027-05-02"),
    )
    assert returned_volume.excused_lots(db.session(), contract_id=large.contract.id) == {"2027-Q2": 10}


def test_a_converter_s_input_that_does_not_come_is_no_stock_of_it(own_app: Application) -> None:
    town, _, _, _ = chain()
    found = made(town)
    into = next(one for one in found if one.contract.proposal.product_code == town.grade.product_code)
    db.session.commit()
    before = snapshot(town)
    notice = event_of(into, began="2027-04-01")
    force_majeure.end(
        db.session(), principal=into.sells, event_id=notice.force_majeure_id, ended_on=dt.date(2027, 5, 15), now=LATER
    )
    after = snapshot(town)
    stock = [one.inputs[0].own_stock for frozen in (before, after) for one in frozen.conversions]
    assert stock == [Decimal(0), Decimal(0)], "what was bought for the promised output is needed for it"
    going = {one.quantity for one in after.commitments}
    assert (10, 5, 10, 10) in going


def test_the_rest_keeps_its_volume_until_it_ends(deal: tuple[Town, Supply]) -> None:
    town, found = deal
    rest(found, event_of(found, began="2027-04-01"))
    db.session.commit()
    assert run_contract_timers(now=at("2028-03-01")) == {}, "the long-stop day is put off by the days lost"
    assert promised(town) == [(10,) * 4]
    assert run_contract_timers(now=at("2029-01-01")) == {"expired": 1}
    assert held(found) == ((0,) * 4, (0,) * 4)
