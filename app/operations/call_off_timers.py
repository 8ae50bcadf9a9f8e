"""What the calendar makes of call-offs by itself: forecasts lapse, nominations become firm, silence is told.

And who hands in no assay in time is bound by the other side's.
"""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.clock import day_of
from app.models import CallOff, Contract
from app.operations import assays, call_offs
from app.operations.nominations import deadline
from contracts.clauses import NominationCalendar
from contracts.nomination import Zone, firm_from, zone
from contracts.state import Actor
from market.periods import Period


def due_contracts(session: Session, *, today: dt.date) -> list[uuid.UUID]:
    """Contracts with a call-off whose timer has run out; goods that have arrived wait for no contract."""
    query = (
        sa.select(CallOff.contract_id)
        .join(Contract, Contract.id == CallOff.contract_id)
        .where(CallOff.timer_on <= today, sa.or_(Contract.state == "effective", CallOff.state == "received"))
        .distinct()
    )
    return list(session.scalars(query.order_by(CallOff.contract_id)))


def run_timers(session: Session, *, contract_id: uuid.UUID, now: dt.datetime) -> dict[str, int]:
    """Let the due forecasts of a contract lapse, make its due nominations firm, tell of overdue confirmations.

    Ends the waiting for assays, too. Returns how many of each; doing it again does nothing. The clocks of a suspended
    contract wait, but for goods that have arrived.
    """
    done = {"lapsed": 0, "firm": 0, "overdue": 0, "assayed": 0}
    contract = session.get_one(Contract, contract_id)
    call_offs.hold(session, contract)
    query = sa.select(CallOff).where(CallOff.contract_id == contract_id, CallOff.timer_on <= day_of(now))
    if contract.state != "effective":
        query = query.where(CallOff.state == "received")
    for call_off in session.scalars(query.order_by(CallOff.number)):
        if (outcome := run_timer(session, call_off, now=now)) is not None:
            done[outcome] += 1
    session.flush()
    return done


def run_timer(session: Session, call_off: CallOff, *, now: dt.datetime) -> str | None:
    """What the calendar does to one call-off by now: "lapsed", "firm", "overdue", "assayed" or None.

    The caller holds the lock of its contract.
    """
    today, contract = day_of(now), call_off.contract
    if call_off.state == "received":
        return "assayed" if assays.close_exchange(session, call_off=call_off, now=now) else None
    calendar = call_offs.terms_of_month(session, contract=contract, month=call_off.month).nomination
    month = Period.parse(call_off.month)
    stands_in = zone(calendar, month, today)
    if call_off.state == "forecast" and stands_in in {Zone.BINDING, Zone.FIRM}:
        call_off.timer_on = None
        call_offs.move(session, call_off, "lapse", acting_as=Actor.TIMER, principal=SYSTEM, now=now)
        return "lapsed"
    if call_off.state == "nominated" and stands_in is Zone.FIRM:
        call_off.confirm_by = firm_from(calendar, month) + dt.timedelta(days=calendar.confirm_days)
        call_off.timer_on = call_off.confirm_by + dt.timedelta(days=1)
        call_offs.move(session, call_off, "firm_up", acting_as=Actor.TIMER, principal=SYSTEM, now=now)
        return "firm"
    if call_off.state == "firm" and call_off.confirm_by is not None and call_off.confirm_by < today:
        call_off.timer_on = None
        call_offs.announce(session, call_off, topic="call_off.overdue", now=now)
        return "overdue"
    call_off.timer_on = _timer(call_off, calendar)
    return None


def _timer(call_off: CallOff, calendar: NominationCalendar) -> dt.date | None:
    if call_off.state == "forecast":
        return deadline(calendar, call_off.month) + dt.timedelta(days=1)
    if call_off.state == "nominated":
        return firm_from(calendar, Period.parse(call_off.month))
    if call_off.state == "firm" and call_off.confirm_by is not None:
        return call_off.confirm_by + dt.timedelta(days=1)
    return None
