"""What the seller does with a firm call-off, and the buyer's receipt: confirmed, refused, shipped, received."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy.orm import Session

from app.auth import SYSTEM, Principal
from app.clock import day_of
from app.errors import Refused
from app.models import CallOff, Consignment
from app.operations import assays, call_off_timers, call_offs, moves
from contracts.state import Actor, Guard, Subject
from contracts.wording import Text

SHIPPING = frozenset({Guard.CONTRACT_EFFECTIVE, Guard.WITHIN_CONFIRMED_QUANTITY, Guard.ANALYSIS_CERTIFICATE_ATTACHED})


def confirm(
    session: Session,
    *,
    principal: Principal,
    call_off_id: uuid.UUID,
    lots: int,
    promised_on: dt.date | None = None,
    reason_code: str | None = None,
    note: str | None = None,
    now: dt.datetime,
) -> CallOff:
    """Confirm a firm call-off, whole or in part; what is not confirmed may be called again.

    :raises NotFound: no such call-off of the asker's.
    :raises Forbidden: the asker is no trader of a party.
    :raises Conflict: not the seller, not firm, or the contract is not effective.
    :raises Refused: more lots than are firm, or a part without a reason of the list.
    """
    call_off, side = _lock(session, principal, call_off_id, now)
    firm = call_off.nominated_lots or 0
    name, guard = ("confirm", Guard.WHOLE_QUANTITY) if lots >= firm else ("confirm_part", Guard.PART_OF_QUANTITY)
    guards = {Guard.CONTRACT_EFFECTIVE, guard}
    reason = None if lots >= firm else reason_code
    row = moves.allowed(
        Subject.CALL_OFF, call_off.state, name, side, guards, reason=reason, rule_version=call_off.contract.rule_version
    )
    call_offs.expect_effective(call_off.contract)
    if not 1 <= lots <= firm:
        raise Refused(
            Text(f"{lots} 批；应为 1 至已锁定的 {firm} 批", f"{lots} lots; expected 1 to the {firm} that are firm"),
            field="lots",
        )
    call_off.confirmed_lots, call_off.promised_on, call_off.timer_on = lots, promised_on, None
    call_offs.move(
        session,
        call_off,
        row.move,
        acting_as=side,
        principal=principal,
        guards=guards,
        reason=reason,
        note=note,
        now=now,
    )
    session.flush()
    return call_off


def refuse(
    session: Session,
    *,
    principal: Principal,
    call_off_id: uuid.UUID,
    reason_code: str,
    note: str | None = None,
    now: dt.datetime,
) -> CallOff:
    """Refuse a firm call-off; its lots may be called again, and what follows from it the contract says.

    :raises NotFound: no such call-off of the asker's.
    :raises Forbidden: the asker is no trader of a party.
    :raises Conflict: not the seller, or not firm.
    :raises Refused: the reason is none of the list.
    """
    call_off, side = _lock(session, principal, call_off_id, now)
    call_off.timer_on = None
    call_offs.move(
        session, call_off, "refuse", acting_as=side, principal=principal, reason=reason_code, note=note, now=now
    )
    session.flush()
    return call_off


def ship(
    session: Session,
    *,
    principal: Principal,
    call_off_id: uuid.UUID,
    lots: int,
    transport_document: str,
    certificate: str,
    carrier: str | None = None,
    shipped_on: dt.date,
    now: dt.datetime,
) -> CallOff:
    """Ship a confirmed call-off, or a part: the rest stays confirmed as a call-off of its own.

    `certificate` is the number of the certificate of analysis that goes with the goods.

    :raises NotFound: no such call-off of the asker's.
    :raises Forbidden: the asker is no trader of a party.
    :raises Conflict: not the seller, not confirmed, or the contract is not effective.
    :raises Refused: more lots than are confirmed, or a day that is still to come or after the long stop.
    """
    call_off, side = call_offs.lock_call_off(session, principal=principal, call_off_id=call_off_id)
    contract = call_off.contract
    moves.allowed(Subject.CALL_OFF, call_off.state, "ship", side, SHIPPING, rule_version=contract.rule_version)
    call_offs.expect_effective(contract)
    confirmed = call_off.confirmed_lots or 0
    _check_shipment(session, call_off, lots, shipped_on, today=day_of(now))
    if lots < confirmed:
        _split(session, call_off, confirmed - lots, side=side, principal=principal, now=now)
    call_off.shipped_lots = lots
    call_off.consignment = Consignment(
        transport_document=transport_document,
        certificate=certificate,
        carrier=carrier,
        shipped_on=shipped_on,
        created_at=now,
    )
    call_offs.move(session, call_off, "ship", acting_as=side, principal=principal, guards=SHIPPING, now=now)
    session.flush()
    return call_off


def receive(
    session: Session,
    *,
    principal: Principal,
    call_off_id: uuid.UUID,
    lots: int,
    received_on: dt.date,
    note: str | None = None,
    now: dt.datetime,
) -> CallOff:
    """Receive a shipment; lots that did not arrive may be called again.

    Where the contract has no quality terms the seller's certificate of analysis stands, and the call-off goes on as
    assayed at once.

    :raises NotFound: no such call-off of the asker's.
    :raises Forbidden: the asker is no trader of a party.
    :raises Conflict: not the buyer, or not shipped.
    :raises Refused: more lots than were shipped, or a day before the shipment or still to come.
    """
    call_off, side = call_offs.lock_call_off(session, principal=principal, call_off_id=call_off_id)
    moves.allowed(Subject.CALL_OFF, call_off.state, "receive", side, rule_version=call_off.contract.rule_version)
    shipped, goods = call_off.shipped_lots or 0, call_off.consignment
    if goods is None:
        raise LookupError(f"call-off {call_off.id} is shipped and has no consignment")
    if not 1 <= lots <= shipped:
        raise Refused(
            Text(
                f"{lots} 批；应为 1 至已发运的 {shipped} 批",
                f"{lots} lots; expected 1 to the {shipped} that were shipped",
            ),
            field="lots",
        )
    if not goods.shipped_on <= received_on <= day_of(now):
        first, last = goods.shipped_on, day_of(now)
        raise Refused(
            Text(
                f"收货日 {received_on}；应在 {first} 至 {last} 之间",
                f"received on {received_on}; expected a day from {first} to {last}",
            ),
            field="received_on",
        )
    call_off.received_lots, goods.received_on = lots, received_on
    call_off.timer_on = assays.exchange_timer(session, call_off=call_off)
    call_offs.move(session, call_off, "receive", acting_as=side, principal=principal, note=note, now=now)
    assays.conclude(session, call_off=call_off, principal=SYSTEM, now=now)
    session.flush()
    return call_off


def _lock(session: Session, principal: Principal, call_off_id: uuid.UUID, now: dt.datetime) -> tuple[CallOff, Actor]:
    """The call-off, firm if its time has come: the seller need not wait for the job that makes it so."""
    call_off, side = call_offs.lock_call_off(session, principal=principal, call_off_id=call_off_id)
    if call_off.state == "nominated" and call_off.contract.state == "effective":
        call_off_timers.run_timer(session, call_off, now=now)
    return call_off, side


def _check_shipment(session: Session, call_off: CallOff, lots: int, shipped_on: dt.date, *, today: dt.date) -> None:
    """Not more than is confirmed, and on a day that is neither to come nor after the long stop."""
    confirmed = call_off.confirmed_lots or 0
    if not 1 <= lots <= confirmed:
        raise Refused(
            Text(
                f"{lots} 批；应为 1 至已确认的 {confirmed} 批",
                f"{lots} lots; expected 1 to the {confirmed} that are confirmed",
            ),
            field="lots",
        )
    last = min(today, call_offs.terms_of_month(session, contract=call_off.contract, month=call_off.month).long_stop)
    if shipped_on > last:
        raise Refused(
            Text(f"发运日 {shipped_on}；应不晚于 {last}", f"shipped on {shipped_on}; expected {last} or before"),
            field="shipped_on",
        )


def _split(
    session: Session, call_off: CallOff, lots: int, *, side: Actor, principal: Principal, now: dt.datetime
) -> CallOff:
    """Take the confirmed lots that are not shipped yet out of a call-off, into one of their own."""
    row = moves.allowed(Subject.CALL_OFF, None, "split", side, SHIPPING, rule_version=call_off.contract.rule_version)
    rest = CallOff(
        contract=call_off.contract,
        number=call_offs.next_number(session, call_off.contract),
        period=call_off.period,
        month=call_off.month,
        state=row.to_state,
        nominated_lots=lots,
        confirmed_lots=lots,
        wanted_on=call_off.wanted_on,
        promised_on=call_off.promised_on,
        confirm_by=call_off.confirm_by,
        place=call_off.place,
        remarks=call_off.remarks,
        split_from_id=call_off.id,
        created_at=now,
    )
    call_off.nominated_lots = (call_off.nominated_lots or 0) - lots
    call_off.confirmed_lots = (call_off.confirmed_lots or 0) - lots
    session.flush()  # the room is given back before the rest takes it
    session.add(rest)
    note = f"{lots} of no. {call_off.number}"
    call_offs.note_step(
        session, rest, name=row.event, before=None, acting_as=side, principal=principal, note=note, now=now
    )
    return rest
