"""The buyer's call-offs: forecast, nominated, revised, cancelled."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import TypedDict

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.clock import day_of
from app.errors import Conflict, Refused
from app.models import CallOff
from app.operations import call_offs, moves, quantities
from contracts.clauses import NominationCalendar
from contracts.nomination import NominationRefused, Zone, check_nomination, firm_from, zone
from contracts.schedule import CallOffRefused, check_call_off
from contracts.state import Actor, Guard, Subject
from contracts.terms import Terms
from contracts.wording import Text
from market.periods import Period

NOMINATING = frozenset({Guard.CONTRACT_EFFECTIVE, Guard.NOMINATION_WINDOW_OPEN, Guard.WITHIN_CALL_OFF_LIMITS})
STANDING = ("nominated", "firm", "confirmed", "shipped", "received", "assayed", "settled")


class Wish(TypedDict, total=False):
    """What the buyer asks for: lots, the day in the month (None: any), the place (None: the contract's), remarks."""

    lots: int
    wanted_on: dt.date | None
    place: str | None
    remarks: str | None


def call(
    session: Session,
    *,
    principal: Principal,
    contract_id: uuid.UUID,
    month: str,
    wish: Wish,
    nominate_now: bool,
    now: dt.datetime,
) -> CallOff:
    """A new call-off for a delivery month: a forecast, which binds nobody, or nominated at once.

    :raises NotFound: no such contract, or not the asker's.
    :raises Forbidden: the asker is no trader of a party.
    :raises Conflict: not the buyer, the contract is not effective, too early or too late for the month, or beyond what
        the contract leaves.
    :raises Refused: the month is not in the schedule, or what is asked for is not sound.
    """
    contract, side = call_offs.lock_contract(session, principal=principal, contract_id=contract_id)
    row = moves.allowed(
        Subject.CALL_OFF, None, "forecast", side, {Guard.CONTRACT_EFFECTIVE}, rule_version=contract.rule_version
    )
    call_offs.expect_effective(contract)
    terms = call_offs.terms_of_month(session, contract=contract, month=month)
    period = _line_of(quantities.write_limits(session, contract=contract), month)
    call_off = CallOff(
        contract=contract,
        number=call_offs.next_number(session, contract),
        period=str(period),
        month=month,
        state=row.to_state,
        forecast_lots=wish["lots"],
        place=terms.delivery.place,
        created_at=now,
    )
    _write(call_off, wish)
    session.add(call_off)
    if not nominate_now:
        _expect_open(terms.nomination, month, day_of(now))
    call_off.timer_on = deadline(terms.nomination, month) + dt.timedelta(days=1)
    call_offs.note_step(session, call_off, name=row.event, before=None, acting_as=side, principal=principal, now=now)
    if nominate_now:
        _nominate(session, call_off, wish["lots"], side=side, principal=principal, now=now)
    session.flush()
    return call_off


def nominate(
    session: Session, *, principal: Principal, call_off_id: uuid.UUID, lots: int | None, now: dt.datetime
) -> CallOff:
    """Nominate what was forecast, or another number of lots.

    :raises NotFound: no such call-off of the asker's.
    :raises Forbidden: the asker is no trader of a party.
    :raises Conflict: not the buyer, not a forecast, outside the nomination window, or beyond the contract's limits.
    """
    call_off, side = call_offs.lock_call_off(session, principal=principal, call_off_id=call_off_id)
    wanted = lots or call_off.forecast_lots or 0
    _nominate(session, call_off, wanted, side=side, principal=principal, now=now)
    session.flush()
    return call_off


def revise(session: Session, *, principal: Principal, call_off_id: uuid.UUID, wish: Wish, now: dt.datetime) -> CallOff:
    """Change a forecast, or a nomination as far as its zone allows; what is not named stays.

    :raises NotFound: no such call-off of the asker's.
    :raises Forbidden: the asker is no trader of a party.
    :raises Conflict: not the buyer, firm already, too large a change, or beyond the contract's limits.
    :raises Refused: what is asked for is not sound.
    """
    call_off, side = call_offs.lock_call_off(session, principal=principal, call_off_id=call_off_id)
    row = moves.allowed(
        Subject.CALL_OFF, call_off.state, "revise", side, NOMINATING, rule_version=call_off.contract.rule_version
    )
    call_offs.expect_effective(call_off.contract)
    before = call_off.forecast_lots if call_off.state == "forecast" else call_off.nominated_lots
    lots = wish.get("lots") or before or 0
    if call_off.state == "forecast":
        call_off.forecast_lots = lots
    else:
        _set_lots(session, call_off, lots, today=day_of(now))
    _write(call_off, wish)
    note = f"{before} -> {lots}" if lots != before else None
    call_offs.note_step(
        session,
        call_off,
        name=row.event,
        before=call_off.state,
        acting_as=side,
        principal=principal,
        now=now,
        note=note,
    )
    session.flush()
    return call_off


def cancel(
    session: Session, *, principal: Principal, call_off_id: uuid.UUID, note: str | None, now: dt.datetime
) -> CallOff:
    """Take back a forecast or a nomination; in the binding zone only as far as a month may swing.

    :raises NotFound: no such call-off of the asker's.
    :raises Forbidden: the asker is no trader of a party.
    :raises Conflict: not the buyer, firm already, or too large a change for the binding zone.
    """
    call_off, side = call_offs.lock_call_off(session, principal=principal, call_off_id=call_off_id)
    guards = {Guard.NOMINATION_WINDOW_OPEN}
    moves.allowed(Subject.CALL_OFF, call_off.state, "cancel", side, guards, rule_version=call_off.contract.rule_version)
    if call_off.state == "nominated":
        _in_window(session, call_off, 0, today=day_of(now))
    call_off.timer_on = None
    call_offs.move(session, call_off, "cancel", acting_as=side, principal=principal, guards=guards, note=note, now=now)
    session.flush()
    return call_off


def _line_of(terms: Terms, month: str) -> Period:
    """The line of the schedule that holds a month."""
    period = quantities.period_of(terms.schedule, Period.parse(month))
    if period is None:
        first, last = terms.first_period, terms.last_period
        raise Refused(
            Text(
                f"{month} 不在合同交付计划内；应为 {first} 至 {last} 中的月份",
                f"{month} is not in the contract's schedule; expected a month of {first} to {last}",
            ),
            field="month",
        )
    return period


def _nominate(
    session: Session, call_off: CallOff, lots: int, *, side: Actor, principal: Principal, now: dt.datetime
) -> None:
    contract = call_off.contract
    moves.allowed(Subject.CALL_OFF, call_off.state, "nominate", side, NOMINATING, rule_version=contract.rule_version)
    call_offs.expect_effective(contract)
    _set_lots(session, call_off, lots, today=day_of(now))
    calendar = call_offs.terms_of_month(session, contract=contract, month=call_off.month).nomination
    call_off.timer_on = firm_from(calendar, Period.parse(call_off.month))
    call_offs.move(session, call_off, "nominate", acting_as=side, principal=principal, guards=NOMINATING, now=now)


def _set_lots(session: Session, call_off: CallOff, lots: int, *, today: dt.date) -> None:
    """Let a call-off stand for `lots` nominated, if the day and the contract's limits allow it."""
    if lots < 1:
        raise Refused(Text(f"{lots} 批；应为 1 批或以上", f"{lots} lots; expected 1 or more"), field="lots")
    _in_window(session, call_off, lots, today=today)
    allowed = quantities.write_limits(session, contract=call_off.contract)
    lines = [line.period for line in allowed.schedule]
    others = [one for one in quantities.of_contract(session, contract=call_off.contract) if one is not call_off]
    called = quantities.called_lots(others, lines)
    try:
        check_call_off(allowed.schedule, allowed.tolerance, called, period=Period.parse(call_off.period), lots=lots)
    except CallOffRefused as refusal:
        raise Conflict(refusal.text) from refusal
    call_off.nominated_lots = lots


def _in_window(session: Session, call_off: CallOff, lots: int, *, today: dt.date) -> None:
    """Check a change of what is nominated for a month against the calendar: the whole month's lots count.

    So one call-off or several, a month may change by the same in the binding zone.
    """
    terms = call_offs.terms_of_month(session, contract=call_off.contract, month=call_off.month)
    month = Period.parse(call_off.month)
    siblings = _of_month(session, call_off)
    base = _atdeadline([*siblings, call_off])
    total = lots + sum(one.nominated_lots or 0 for one in siblings if one.state in STANDING)
    try:
        check_nomination(terms.nomination, month, today, lots=total, nominated=base)
    except NominationRefused as refusal:
        raise Conflict(refusal.text) from refusal
    if zone(terms.nomination, month, today) is Zone.BINDING and call_off.deadline_lots is None:
        call_off.deadline_lots = call_off.nominated_lots or 0


def _atdeadline(call_offs_of_month: Iterable[CallOff]) -> int | None:
    """The lots of a month as they stood when the binding zone began; None if nothing was nominated."""
    stood = [
        one.deadline_lots if one.deadline_lots is not None else (one.nominated_lots or 0)
        for one in call_offs_of_month
        if one.deadline_lots is not None or one.state in STANDING
    ]
    return sum(stood) or None


def _of_month(session: Session, call_off: CallOff) -> Sequence[CallOff]:
    """The other call-offs of the same month, as it was nominated: what was split off at shipping counts with them."""
    query = sa.select(CallOff).where(
        CallOff.contract_id == call_off.contract_id, CallOff.month == call_off.month, CallOff.id != call_off.id
    )
    return session.scalars(query.order_by(CallOff.number)).all()


def _expect_open(calendar: NominationCalendar, month: str, today: dt.date) -> None:
    period = Period.parse(month)
    if zone(calendar, period, today) is not Zone.OPEN:
        most, last = calendar.forecast_months, deadline(calendar, month)
        raise Conflict(
            Text(
                f"{today} 预测 {month}；应最多提前 {most} 个月，最迟 {last}",
                f"a forecast for {month} on {today}; expected at most {most} months ahead and {last} at the latest",
            )
        )


def deadline(calendar: NominationCalendar, month: str) -> dt.date:
    """The last day on which a month may be nominated for the first time."""
    return Period.parse(month).first_day - dt.timedelta(days=calendar.nominate_days)


def _write(call_off: CallOff, wish: Wish) -> None:
    if (wanted_on := wish.get("wanted_on")) is not None and str(Period.of(wanted_on, "month")) != call_off.month:
        raise Refused(
            Text(
                f"{wanted_on} 不在 {call_off.month} 内；应为该月中的一天",
                f"{wanted_on} is not in {call_off.month}; expected a day of that month",
            ),
            field="wanted_on",
        )
    if "wanted_on" in wish:
        call_off.wanted_on = wish["wanted_on"]
    if wish.get("place"):
        call_off.place = wish["place"] or call_off.place
    if "remarks" in wish:
        call_off.remarks = wish["remarks"]
