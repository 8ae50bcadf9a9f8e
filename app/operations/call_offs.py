"""Call-offs: who sees them, how they are locked and moved along the state table, and who is told."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.auth import SYSTEM, Principal
from app.errors import Conflict, Forbidden, NotFound
from app.models import CallOff, Consignment, Contract, Event, SubjectKind
from app.operations import contracts, events, moves
from app.operations.outbox import tell
from app.operations.terms_in_force import terms_in_force
from app.permissions import Permission
from contracts.state import STATES, Actor, Guard, Subject, moves_from, table_of
from contracts.terms import Terms
from contracts.wording import Text
from market.periods import Period


def visible_call_offs(principal: Principal) -> sa.Select[CallOff]:
    """The call-offs of the contracts that the asker may read."""
    seen = contracts.visible_contracts(principal).with_only_columns(Contract.id).options()
    return (
        sa.select(CallOff)
        .options(
            selectinload(CallOff.contract).options(selectinload(Contract.seller), selectinload(Contract.buyer)),
            selectinload(CallOff.consignment).selectinload(Consignment.assays),
        )
        .where(CallOff.contract_id.in_(seen))
    )


def find_call_off(session: Session, *, principal: Principal, call_off_id: uuid.UUID) -> CallOff:
    """:raises NotFound: no such call-off, or not of a contract of the asker's."""
    found: CallOff | None = session.scalar(visible_call_offs(principal).where(CallOff.id == call_off_id))
    if found is None:
        raise NotFound("no such call-off")
    return found


def steps(session: Session, *, principal: Principal, call_off: CallOff) -> list[contracts.Step]:
    """Every step of a call-off, in order; names of people are for their own firm and for overseers.

    What is noted at a step is said to the other side.
    """
    query = sa.select(Event).where(Event.subject_kind == SubjectKind.CALL_OFF, Event.subject_id == call_off.id)
    found = session.scalars(query.order_by(Event.id))
    return [replace(contracts.step_of(event, principal), note=event.note) for event in found]


def open_moves(call_off: CallOff, principal: Principal) -> tuple[str, ...]:
    """The moves that the asker's side has from the present state; limits and days may still stand in their way."""
    side = contracts.side_of(principal, call_off.contract)
    if side is None or not principal.may(Permission.CALL_OFF_MOVE):
        return ()
    return tuple(sorted({row.move for row in moves_from(Subject.CALL_OFF, call_off.state, side)}))


def lock_contract(session: Session, *, principal: Principal, contract_id: uuid.UUID) -> tuple[Contract, Actor]:
    """A contract of the asker's, locked against every other act on its call-offs, and the side he stands on.

    :raises NotFound: no such contract, or not the asker's.
    :raises Forbidden: the asker is no trader of one of its parties.
    """
    contract = contracts.find_contract(session, principal=principal, contract_id=contract_id)
    side = contracts.side_of(principal, contract)
    if side is None or not principal.may(Permission.CALL_OFF_MOVE):
        raise Forbidden(
            Text("仅合同双方的交易员可以操作交货", "moving call-offs is for the traders of the contract's parties")
        )
    hold(session, contract)
    return contract, side


def lock_call_off(session: Session, *, principal: Principal, call_off_id: uuid.UUID) -> tuple[CallOff, Actor]:
    """A call-off under the lock of its contract, read anew, and the side on which the asker stands.

    :raises NotFound: no such call-off, or not of a contract of the asker's.
    :raises Forbidden: the asker is no trader of one of the parties.
    """
    found = find_call_off(session, principal=principal, call_off_id=call_off_id)
    _, side = lock_contract(session, principal=principal, contract_id=found.contract_id)
    session.refresh(found)
    return found, side


def hold(session: Session, contract: Contract) -> None:
    """Lock a contract's row until the transaction ends: acts on its call-offs come one after the other."""
    query = sa.select(Contract).where(Contract.id == contract.id).with_for_update(key_share=True)
    session.scalars(query.execution_options(populate_existing=True)).one()


def next_number(session: Session, contract: Contract) -> int:
    """The number of the next call-off of a contract, which is locked."""
    highest = sa.select(sa.func.max(CallOff.number)).where(CallOff.contract_id == contract.id)
    return (session.scalar(highest) or 0) + 1


def expect_effective(contract: Contract) -> None:
    """:raises Conflict: the contract is not in force, or suspended."""
    if contract.state != "effective":
        state = next(one for one in STATES[Subject.CONTRACT] if one.name == contract.state)
        raise Conflict(
            Text(
                f"合同状态为“{state.text.zh}”；仅生效合同的交货可继续",
                f"the contract is {contract.state}; call-offs move on while it is effective",
            )
        )


def terms_of_month(session: Session, *, contract: Contract, month: str) -> Terms:
    """The terms under which goods of a delivery month are called and delivered: those in force on its first day."""
    return terms_in_force(session, contract=contract, on=Period.parse(month).first_day)


def move(
    session: Session,
    call_off: CallOff,
    name: str,
    *,
    acting_as: Actor,
    principal: Principal,
    now: dt.datetime,
    guards: Collection[Guard] = (),
    reason: str | None = None,
    note: str | None = None,
) -> Event:
    """Move a call-off along the state table, record it, and tell the parties; the caller holds the contract's lock.

    :raises Conflict: the move is not open.
    :raises Refused: a reason code that the move does not take.
    """
    before = call_off.state
    contract = call_off.contract
    row = moves.allowed(
        Subject.CALL_OFF, before, name, acting_as, guards, reason=reason, rule_version=contract.rule_version
    )
    call_off.state = row.to_state
    return note_step(
        session,
        call_off,
        name=row.event,
        before=before,
        acting_as=acting_as,
        principal=principal,
        now=now,
        reason=reason,
        note=note,
    )


def note_step(
    session: Session,
    call_off: CallOff,
    *,
    name: str,
    before: str | None,
    acting_as: Actor,
    principal: Principal,
    now: dt.datetime,
    reason: str | None = None,
    note: str | None = None,
) -> Event:
    """Record a step that brought a call-off to its present state, and tell the parties of a new state."""
    session.flush()
    event = events.record(
        session,
        principal=principal,
        subject=(SubjectKind.CALL_OFF, call_off.id),
        name=name,
        acting_as=acting_as,
        from_state=before,
        to_state=call_off.state,
        reason_code=reason,
        note=note,
        version_hash=call_off.contract.terms_hash,
        now=now,
    )
    if before != call_off.state:
        announce(session, call_off, topic=f"call_off.{call_off.state}", now=now)
    return event


def announce(session: Session, call_off: CallOff, *, topic: str, now: dt.datetime) -> None:
    """Tell both parties about a call-off."""
    contract = call_off.contract
    payload: dict[str, Any] = {
        "contract": contract.number,
        "contract_id": str(contract.id),
        "call_off": call_off.number,
        "month": call_off.month,
        "state": call_off.state,
    }
    firms = (contract.seller_firm_id, contract.buyer_firm_id)
    tell(session, topic=topic, about=(SubjectKind.CALL_OFF, call_off.id), firms=firms, payload=payload, now=now)


def fall_with_contract(session: Session, *, contract: Contract, now: dt.datetime) -> int:
    """End what had not left the seller when its contract ended; returns how many. The contract is locked.

    Under a rule set that has no such move everything stays as it stands.
    """
    name = "fall_with_contract"
    rows = [row for row in table_of(contract.rule_version) if row.subject is Subject.CALL_OFF and row.move == name]
    states = [row.from_state for row in rows if row.from_state is not None]
    query = sa.select(CallOff).where(CallOff.contract_id == contract.id, CallOff.state.in_(states))
    falling = session.scalars(query.order_by(CallOff.number).execution_options(populate_existing=True)).all()
    for call_off in falling:
        call_off.timer_on = None
        move(
            session,
            call_off,
            name,
            acting_as=Actor.SYSTEM,
            principal=SYSTEM,
            guards={Guard.CONTRACT_ENDED},
            now=now,
        )
    return len(falling)


def settle(session: Session, *, call_off: CallOff, now: dt.datetime) -> None:
    """The final invoice over an assayed call-off is issued: its last step. The caller holds the contract's lock.

    :raises Conflict: it is not assayed.
    """
    move(
        session,
        call_off,
        "settle",
        acting_as=Actor.SYSTEM,
        principal=SYSTEM,
        guards={Guard.FINAL_INVOICE_ISSUED},
        now=now,
    )
    session.flush()
