"""Call-offs from forecast to receipt: who may move them, when, and never beyond what the contract leaves."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.errors import Conflict, Forbidden, NotFound, Refused
from app.models import CallOff, CallOffLedger, Event, Outbox, SubjectKind
from app.operations import call_off_timers, nominations, shipments
from app.operations.quantities import quantities
from tests import factories as make

from .delivery_market import BINDING, FIRM, NOON, SHIPPED, supply
from .refusals import violates

TODAY = NOON.date()


def ledger(session: Session, contract_id: Any) -> list[tuple[str, int, int]]:
    session.flush()
    query = sa.select(CallOffLedger).where(CallOffLedger.contract_id == contract_id).order_by(CallOffLedger.period)
    session.expire_all()
    return [(row.period, row.called, row.called_so_far) for row in session.scalars(query)]


def steps(session: Session, call_off: CallOff) -> list[str]:
    query = sa.select(Event.name).where(Event.subject_kind == SubjectKind.CALL_OFF, Event.subject_id == call_off.id)
    return [name.partition(".")[2] for name in session.scalars(query.order_by(Event.id))]


def test_from_forecast_to_receipt(session: Session) -> None:
    deal = supply()
    call_off = deal.call(12, nominate_now=False, remarks="in bags")
    assert (call_off.state, call_off.number, call_off.period, call_off.place) == ("forecast", 1, "2027-Q1", "Plant 1")
    assert ledger(session, deal.contract.id)[0] == ("2027-Q1", 0, 0)
    nominations.nominate(session, principal=deal.buys, call_off_id=call_off.id, lots=11, now=NOON)
    assert ledger(session, deal.contract.id) == [
        ("2027-Q1", 11, 11),
        ("2027-Q2", 0, 11),
        ("2027-Q3", 0, 11),
        ("2027-Q4", 0, 11),
    ]
    assert call_off_timers.run_timers(session, contract_id=deal.contract.id, now=FIRM)["firm"] == 1
    assert (call_off.state, call_off.confirm_by) == ("firm", dt.date(2027, 1, 8))
    shipments.confirm(session, principal=deal.sells, call_off_id=call_off.id, lots=11, now=FIRM)
    deal.receive(deal.ship(call_off, 11), 10)
    # The contract has no quality terms, so the certificate of analysis stands.
    assert call_off.state == "assayed"
    assert steps(session, call_off) == ["forecast", "nominate", "firm_up", "confirm", "ship", "receive", "assay"]
    assert ledger(session, deal.contract.id)[0] == ("2027-Q1", 10, 10)
    told = session.scalars(sa.select(Outbox.topic).where(Outbox.about_id == call_off.id).order_by(Outbox.id)).all()
    assert told == [
        f"call_off.{state}"
        for state in ("forecast", "nominated", "firm", "confirmed", "shipped", "received", "assayed")
    ]


@pytest.mark.parametrize("state", ["agreed", "signed", "suspended", "terminated"])
def test_only_an_effective_contract_is_called_of(session: Session, state: str) -> None:
    deal = supply(state=state)
    with pytest.raises(Conflict, match=f"the contract is {state}"):
        deal.call()


def test_the_database_refuses_it_too(session: Session) -> None:
    deal = supply()
    call_off = deal.call(nominate_now=False)
    deal.contract.state = "suspended"
    session.flush()
    call_off.state, call_off.nominated_lots = "nominated", 10
    with violates("call_off_of_effective_contract"):
        session.flush()


def test_a_suspended_contract_ships_nothing(session: Session) -> None:
    deal = supply()
    call_off = deal.confirmed()
    deal.contract.state = "suspended"
    session.flush()
    with pytest.raises(Conflict, match="suspended"):
        deal.ship(call_off, 10)


def test_each_side_has_its_own_moves(session: Session) -> None:
    deal = supply()
    with pytest.raises(Conflict, match="seller"):
        deal.call(principal=deal.sells)
    call_off = deal.call()
    with pytest.raises(Conflict) as refusal:
        nominations.cancel(session, principal=deal.sells, call_off_id=call_off.id, note=None, now=NOON)
    assert refusal.value.open_moves == ()
    with pytest.raises(Conflict):
        shipments.confirm(session, principal=deal.buys, call_off_id=call_off.id, lots=10, now=FIRM)
    for stranger, refused in ((make.UserFactory(), NotFound), (make.StaffFactory(), Forbidden)):
        with pytest.raises(refused):
            nominations.cancel(session, principal=of_user(stranger), call_off_id=call_off.id, note=None, now=NOON)


def test_the_cumulative_tolerance_holds_whatever_the_order(session: Session) -> None:
    deal = supply()
    for month, lots in (("2027-05", 110), ("2027-02", 110)):
        deal.call(lots, month)
    with pytest.raises(Conflict, match="at most 110 lots in"):
        deal.call(1, "2027-01", now=NOON - dt.timedelta(days=10))
    room = quantities(session, contract=deal.contract, on=TODAY).periods[0].room
    assert room.most == 0


def test_beyond_the_period_the_database_refuses(session: Session) -> None:
    deal = supply()
    call_off = deal.call(110)
    call_off.nominated_lots = 111
    with violates("call_off_within_period"):
        session.flush()


def test_beyond_the_running_sum_the_database_refuses(session: Session) -> None:
    deal = supply(over="0")
    deal.call(100, "2027-05")
    call_off = deal.call(100)
    call_off.nominated_lots = 101  # 110 would do for the quarter alone
    with violates("call_off_within_running_sum"):
        session.flush()


def test_the_ledger_is_kept_by_call_offs_alone(session: Session) -> None:
    deal = supply()
    deal.call()
    row = session.get_one(CallOffLedger, (deal.contract.id, "2027-Q1"))
    row.called = 0
    with violates("call_off_ledger_kept_by_call_offs"):
        session.flush()


def test_early_late_and_outside_the_window(session: Session) -> None:
    deal = supply()
    for month, why in (("2026-12", "not in the contract's schedule"), ("2028-01", "not in the contract's schedule")):
        with pytest.raises(Refused, match=why):
            deal.call(month=month)
    with pytest.raises(Conflict, match="12 months ahead"):
        deal.call(month="2027-12")
    with pytest.raises(Conflict, match="expected by 2026-12-18"):
        deal.call(now=BINDING)
    with pytest.raises(Conflict, match="firm since 2027-01-03"):
        deal.call(now=FIRM)
    with pytest.raises(Refused, match="not in 2027-02"):
        deal.call(wanted_on=dt.date(2027, 3, 1))


def test_in_the_binding_zone_a_month_swings_by_a_tenth_however_it_is_split(session: Session) -> None:
    whole, split = supply(), supply()
    one = whole.call(30)
    parts = [split.call(10) for _ in range(3)]

    def revise(deal: Any, call_off: CallOff, lots: int) -> None:
        nominations.revise(session, principal=deal.buys, call_off_id=call_off.id, wish={"lots": lots}, now=BINDING)

    revise(whole, one, 33)
    revise(split, parts[0], 12)
    revise(split, parts[1], 11)
    for deal, call_off, lots in ((whole, one, 34), (split, parts[2], 11), (whole, one, 26), (split, parts[0], 4)):
        with pytest.raises(Conflict, match="expected 27 to 33 in the binding zone"):
            revise(deal, call_off, lots)
    with pytest.raises(Conflict, match="binding zone"):
        nominations.cancel(session, principal=split.buys, call_off_id=parts[2].id, note=None, now=BINDING)
    revise(split, parts[0], 9)
    split.call(3, now=BINDING)  # one more call-off, inside the same swing
    with pytest.raises(Conflict, match="binding zone"):
        split.call(1, now=BINDING)


def test_what_was_not_confirmed_may_be_called_again(session: Session) -> None:
    deal = supply()
    call_off = deal.call(110)
    with pytest.raises(Refused):
        shipments.confirm(session, principal=deal.sells, call_off_id=call_off.id, lots=60, now=FIRM)
    shipments.confirm(
        session,
        principal=deal.sells,
        call_off_id=call_off.id,
        lots=60,
        reason_code="production_outage",
        now=FIRM,
    )
    found = quantities(session, contract=deal.contract, on=TODAY).periods[0]
    assert (found.own.nominated, found.own.confirmed, found.room.most) == (110, 60, 50)
    assert deal.call(50, "2027-03", now=FIRM).state == "nominated"


def test_a_refused_call_off_gives_its_room_back(session: Session) -> None:
    deal = supply()
    call_off = deal.call(110)
    shipments.refuse(session, principal=deal.sells, call_off_id=call_off.id, reason_code="transport", now=FIRM)
    assert ledger(session, deal.contract.id)[0] == ("2027-Q1", 0, 0)


def test_shipped_in_part_the_rest_goes_its_own_way(session: Session) -> None:
    deal = supply()
    call_off = deal.confirmed(100)
    deal.ship(call_off, 40)
    rest = session.scalars(sa.select(CallOff).where(CallOff.split_from_id == call_off.id)).one()
    assert (call_off.state, call_off.confirmed_lots, rest.state, rest.confirmed_lots) == (
        "shipped",
        40,
        "confirmed",
        60,
    )
    assert ledger(session, deal.contract.id)[0] == ("2027-Q1", 100, 100)
    assert steps(session, rest) == ["split"]
    deal.receive(deal.ship(rest, 60), 60)
    deal.receive(call_off, 40)
    whole = quantities(session, contract=deal.contract, on=SHIPPED.date()).whole
    assert (whole.nominated, whole.confirmed, whole.delivered, whole.remaining) == (100, 100, 100, 300)
    assert quantities(session, contract=deal.contract, on=dt.date(2027, 2, 9)).whole.delivered == 0


def test_timers_do_their_work_once(session: Session) -> None:
    deal = supply()
    forecast, nominated = deal.call(5, nominate_now=False), deal.call(6)

    def run(now: dt.datetime) -> dict[str, int]:
        assert call_off_timers.due_contracts(session, today=now.date()) in ([], [deal.contract.id])
        return call_off_timers.run_timers(session, contract_id=deal.contract.id, now=now)

    nothing = {"lapsed": 0, "firm": 0, "overdue": 0, "assayed": 0}
    assert call_off_timers.due_contracts(session, today=TODAY) == []
    assert run(BINDING) == nothing | {"lapsed": 1}
    assert run(FIRM) == nothing | {"firm": 1}
    assert (forecast.state, nominated.state) == ("lapsed", "firm")
    late = FIRM + dt.timedelta(days=6)
    assert [run(late), run(late)] == [nothing | {"overdue": 1}, nothing]
    assert session.scalars(sa.select(Outbox.topic).order_by(Outbox.id.desc())).first() == "call_off.overdue"
