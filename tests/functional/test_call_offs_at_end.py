"""What becomes of call-offs when their contract ends: nothing stands still for ever, and goods on their way arrive."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import CallOff, CallOffLedger, Event, Outbox
from app.operations import call_off_timers, endings, quantities, shipments, statements, termination
from contracts.state import Subject, end_states, moves_from, state_names
from market.periods import Period

from .delivery_market import FIRM, NOON, Supply
from .hindered_market import AFTER_LONG_STOP, INSIDE, put, supply, wish_to_end

FALLING = ("forecast", "nominated", "firm", "confirmed")
ENDS = end_states(Subject.CALL_OFF)


def in_state(found: Supply, state: str, session: Session) -> CallOff:
    """A call-off of ten lots that came to a state by the operations themselves."""
    if state in {"forecast", "nominated"}:
        return found.call(nominate_now=state == "nominated")
    if state == "firm":
        call_off = found.call()
        call_off_timers.run_timers(session, contract_id=found.contract.id, now=FIRM)
        return call_off
    call_off = found.confirmed()
    return found.ship(call_off, 10) if state == "shipped" else call_off


def steps(session: Session, call_off: CallOff) -> list[str]:
    query = sa.select(Event.name).where(Event.subject_id == call_off.id).order_by(Event.id)
    return [name.partition(".")[2] for name in session.scalars(query)]


@pytest.mark.parametrize("state", FALLING)
@pytest.mark.parametrize("before", ["effective", "suspended"])
def test_what_has_not_left_the_seller_ends_with_a_contract_that_expires(
    session: Session, state: str, before: str
) -> None:
    found = supply()
    call_off = in_state(found, state, session)
    assert call_off.state == state
    put(found.contract, before)
    assert endings.end_if_due(session, contract_id=found.contract.id, now=AFTER_LONG_STOP) == "expired"
    assert (call_off.state, call_off.timer_on) == ("cancelled", None)
    assert steps(session, call_off)[-1] == "fall_with_contract"
    assert set(session.scalars(sa.select(CallOffLedger.called))) == {0}
    topics = list(session.scalars(sa.select(Outbox.topic).order_by(Outbox.id)))
    assert topics[-2:] == ["call_off.cancelled", "contract.expired"]
    assert endings.end_if_due(session, contract_id=found.contract.id, now=AFTER_LONG_STOP) is None
    assert steps(session, call_off).count("fall_with_contract") == 1


def test_a_terminated_contract_takes_its_open_call_offs_along(session: Session) -> None:
    found = supply()
    open_one, on_its_way = in_state(found, "confirmed", session), in_state(found, "shipped", session)
    wish = wish_to_end(found)
    termination.terminate(session, principal=found.buys, termination_id=wish.id, now=INSIDE)
    assert (open_one.state, on_its_way.state) == ("cancelled", "shipped")
    shipments.receive(
        session,
        principal=found.buys,
        call_off_id=on_its_way.id,
        lots=10,
        received_on=dt.date(2027, 3, 2),
        now=dt.datetime(2027, 3, 2, 4, tzinfo=dt.UTC),
    )
    assert on_its_way.state == "assayed", "goods on their way are received and settled all the same"


def test_lots_that_were_firm_at_the_end_were_called_and_not_delivered(session: Session) -> None:
    found = supply()
    in_state(found, "firm", session)
    found.call(7, now=NOON, month="2027-05")
    put(found.contract, "effective")
    endings.end_if_due(session, contract_id=found.contract.id, now=AFTER_LONG_STOP)
    terms = quantities.agreed_terms(session, contract=found.contract)
    lots = statements.lots_of_periods(session, contract=found.contract, terms=terms)
    assert {str(period): one.firm for period, one in lots.items() if one.firm} == {"2027-Q1": 10}
    assert lots[Period.parse("2027-Q1")].undelivered == 10


def test_a_contract_of_the_rules_before_keeps_its_call_offs(session: Session) -> None:
    found = supply()
    call_off = in_state(found, "confirmed", session)
    session.execute(sa.text("ALTER TABLE contract DISABLE TRIGGER contract_frozen"))
    found.contract.rule_version = "2026.1"
    session.flush()
    assert endings.end_if_due(session, contract_id=found.contract.id, now=AFTER_LONG_STOP) == "expired"
    assert call_off.state == "confirmed"


def test_no_state_of_a_call_off_waits_for_a_contract_that_has_ended() -> None:
    """From every state but the ends there is a move that does not ask for an effective contract."""
    for state in state_names(Subject.CALL_OFF):
        free = [row for row in moves_from(Subject.CALL_OFF, state) if "contract_effective" not in row.guards]
        assert free or state in ENDS
