"""Assays of both sides: sealed until both are there, averaged within the splitting limit, else an umpire."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.db import db
from app.errors import Conflict, Forbidden, NotFound, Refused
from app.models import AssayResult, AssaySide, CallOff, Event, Outbox, SubjectKind
from app.operations import assays, call_off_timers, invoicing, quantities
from app.operations.assays import Standing
from tests import factories as make

from .delivery_market import ASSAY, SHIPPED, Supply, supply
from .refusals import violates

MOISTURE = replace(ASSAY, attribute="moisture", splitting_limit=Decimal("0.5"), rejection=None)


def test_within_the_limit_the_mean_binds(session: Session) -> None:
    deal = supply(quality=(ASSAY,))
    call_off = deal.received()
    assert call_off.state == "received"
    deal.assay(call_off, deal.sells, "99.62")
    assert call_off.state == "received"
    deal.assay(call_off, deal.buys, "99.54")
    assert call_off.state == "assayed"
    (found,) = assays.standings(session, principal=deal.buys, call_off=call_off)
    assert found.determination is not None
    assert (found.standing, found.determination.value) == (Standing.DETERMINED, Fraction("99.58"))
    assert call_off.consignment is not None
    assert set(assays.assays_of(call_off.consignment)) == {"assay"}
    last = sa.select(Event).where(Event.subject_kind == SubjectKind.CALL_OFF).order_by(Event.id.desc())
    step = session.scalars(last).first()
    assert step is not None
    assert (step.name, step.acting_as, step.user_id) == ("call_off.assay", "laboratory", deal.buyer.id)


def test_beyond_the_limit_an_umpire_decides(session: Session) -> None:
    deal = supply(quality=(ASSAY, MOISTURE))
    call_off = deal.received()
    staff = of_user(make.StaffFactory())
    with pytest.raises(Conflict, match="needs no umpire"):
        deal.assay(call_off, staff, "99.5")
    for by, value in ((deal.sells, "99.9"), (deal.buys, "99.2")):
        deal.assay(call_off, by, value)
        deal.assay(call_off, by, "0.2", "moisture")
    assert call_off.state == "received"
    assert session.scalars(sa.select(Outbox.topic).order_by(Outbox.id.desc())).first() == "assay.disputed"
    found = assays.standings(session, principal=deal.sells, call_off=call_off)
    assert [one.standing for one in found] == [Standing.DISPUTED, Standing.DETERMINED]
    assert [term.attribute for term in assays.open_attributes(session, principal=staff, call_off=call_off)] == ["assay"]
    with pytest.raises(Conflict, match="needs no umpire"):
        deal.assay(call_off, staff, "0.2", "moisture")
    deal.assay(call_off, staff, "99.4")
    assert call_off.state == "assayed"
    bound = assays.standings(session, principal=deal.sells, call_off=call_off)[0].determination
    assert bound is not None
    assert (bound.value, bound.umpire_paid_by) == (Fraction("99.4"), "seller")


def test_no_side_sees_the_other_result_first(session: Session) -> None:
    deal = supply(quality=(ASSAY,))
    call_off = deal.received()
    deal.assay(call_off, deal.sells, "99.62")
    (seen,) = assays.standings(session, principal=deal.buys, call_off=call_off)
    assert seen.results == {}
    (own,) = assays.standings(session, principal=deal.sells, call_off=call_off)
    assert set(own.results) == {AssaySide.SELLER}
    deal.assay(call_off, deal.buys, "99.54")
    (seen,) = assays.standings(session, principal=deal.buys, call_off=call_off)
    assert set(seen.results) == {AssaySide.SELLER, AssaySide.BUYER}


def test_who_may_assay_what_and_when(session: Session) -> None:
    deal = supply(quality=(ASSAY,))
    call_off = deal.confirmed()
    with pytest.raises(Conflict, match="confirmed"):
        deal.assay(call_off, deal.sells, "99.6")
    deal.ship(call_off, 10)
    with pytest.raises(Conflict, match="the buyer's assay is taken while it is received"):
        deal.assay(call_off, deal.buys, "99.6")
    with pytest.raises(Refused, match="expected assay"):
        deal.assay(call_off, deal.sells, "1", "iron")
    deal.assay(call_off, deal.sells, "99.6")
    with pytest.raises(Conflict, match="there already"):
        deal.assay(call_off, deal.sells, "99.9")
    for stranger, refused in ((make.UserFactory(), NotFound), (make.RegulatorFactory(), Forbidden)):
        with pytest.raises(refused):
            deal.assay(call_off, of_user(stranger), "99.6")
    deal.receive(call_off, 10)
    deal.assay(call_off, deal.buys, "99.6")
    assert call_off.state == "assayed"


def test_results_are_only_added(session: Session) -> None:
    deal = supply(quality=(ASSAY,))
    deal.assay(deal.received(), deal.sells, "99.6")
    with violates("assay_result_append_only"):
        session.execute(sa.update(AssayResult).values(value=Decimal(100)))


@pytest.mark.parametrize(("value", "rejected"), [("98.9", True), ("99.1", False)])
def test_goods_beyond_the_rejection_limit_may_be_rejected(session: Session, value: str, rejected: bool) -> None:
    deal = supply(quality=(ASSAY,))
    call_off = deal.received()
    for by in (deal.sells, deal.buys):
        deal.assay(call_off, by, value)
    if not rejected:
        with pytest.raises(Conflict, match="beyond_rejection_limit"):
            reject(deal, call_off)
        return
    reject(deal, call_off)
    assert (call_off.state, call_off.counted_lots) == ("rejected", 0)
    assert deal.call(110, "2027-03").state == "nominated"  # its room is free again


def reject(deal: Supply, call_off: CallOff) -> None:
    assays.reject(
        db.session(), principal=deal.buys, call_off_id=call_off.id, reason_code="beyond_rejection_limit", now=SHIPPED
    )


# When the time to exchange results is over: received on 2027-02-10, the terms give 15 days.

LAST = dt.datetime(2027, 2, 25, 4, tzinfo=dt.UTC)
AFTER = LAST + dt.timedelta(days=1)


def told(session: Session) -> list[str]:
    return list(session.scalars(sa.select(Outbox.topic).order_by(Outbox.id)))


@pytest.mark.parametrize("silent", ["seller", "buyer", "both"])
@pytest.mark.parametrize("state", ["effective", "terminated"])
def test_a_side_that_hands_in_nothing_is_bound_by_the_other(session: Session, silent: str, state: str) -> None:
    deal = supply(quality=(ASSAY, MOISTURE))
    call_off = deal.received()
    speaks = {"seller": deal.buys, "buyer": deal.sells}.get(silent)
    if speaks is not None:
        deal.assay(call_off, speaks, "99.9")
        deal.assay(call_off, speaks, "99.1", "moisture")
    deal.contract.state = state
    session.flush()
    assert call_off_timers.due_contracts(session, today=LAST.date()) == []
    assert call_off_timers.due_contracts(session, today=AFTER.date()) == [deal.contract.id]
    assert call_off_timers.run_timers(session, contract_id=deal.contract.id, now=AFTER)["assayed"] == 1
    assert (call_off.state, call_off.timer_on) == ("assayed", None)
    found = assays.standings(session, principal=deal.buys, call_off=call_off)
    assert [one.standing for one in found] == [Standing.DETERMINED] * 2
    values = [one.determination.value for one in found if one.determination is not None]
    # Nobody's result: the reference counts, for no bonus and no penalty.
    assert values == ([Fraction("99.5")] * 2 if speaks is None else [Fraction("99.9"), Fraction("99.1")])
    assert call_off.consignment is not None
    used = invoicing.assays_used(quantities.agreed_terms(session, contract=deal.contract), call_off.consignment.assays)
    assert [one.seller == one.buyer for one in used] == [True, True]
    assert call_off_timers.run_timers(session, contract_id=deal.contract.id, now=AFTER)["assayed"] == 0
    last = sa.select(Event).where(Event.subject_kind == SubjectKind.CALL_OFF).order_by(Event.id.desc())
    step = session.scalars(last).first()
    assert step is not None
    assert (step.name, step.acting_as) == ("call_off.assay", "timer")


def test_nothing_is_handed_in_late(session: Session) -> None:
    deal = supply(quality=(ASSAY,))
    call_off = deal.received()
    deal.assay(call_off, deal.sells, "99.6")
    reading = assays.Reading(
        attribute="assay", value=Decimal(99), laboratory="L", certificate="C", assayed_on=SHIPPED.date()
    )
    with pytest.raises(Conflict, match="time to hand in"):
        assays.record(session, principal=deal.buys, call_off_id=call_off.id, readings=[reading], now=AFTER)
    assays.record(session, principal=deal.buys, call_off_id=call_off.id, readings=[reading], now=LAST)
    assert call_off.state == "received", "0.6 apart: the umpire decides"


def test_what_is_disputed_waits_for_the_umpire_though_other_results_never_come(session: Session) -> None:
    deal = supply(quality=(ASSAY, MOISTURE))
    call_off = deal.received()
    deal.assay(call_off, deal.sells, "99.9")
    deal.assay(call_off, deal.buys, "99.2")
    deal.assay(call_off, deal.sells, "0.2", "moisture")
    assert "assay.disputed" not in told(session)
    assert call_off_timers.run_timers(session, contract_id=deal.contract.id, now=AFTER)["assayed"] == 0
    assert (call_off.state, told(session)[-1]) == ("received", "assay.disputed")
    reading = assays.Reading(
        attribute="assay", value=Decimal("99.4"), laboratory="U", certificate="U-1", assayed_on=SHIPPED.date()
    )
    staff = of_user(make.StaffFactory())
    assays.record(session, principal=staff, call_off_id=call_off.id, readings=[reading], now=AFTER)
    assert call_off.state == "assayed"


def test_under_the_rules_before_they_are_waited_for(session: Session) -> None:
    deal = supply(quality=(ASSAY,))
    call_off = deal.received()
    session.execute(sa.text("ALTER TABLE contract DISABLE TRIGGER contract_frozen"))
    deal.contract.rule_version = "2026.1"
    session.flush()
    assert call_off_timers.run_timers(session, contract_id=deal.contract.id, now=AFTER)["assayed"] == 0
    assert call_off.state == "received"
