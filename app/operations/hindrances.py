"""Events of force majeure as those concerned may read them, and what they do to the days of a contract."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.auth import Principal
from app.errors import NotFound
from app.models import Contract, ForceMajeure, ForceMajeureNotice
from app.operations import contracts
from app.permissions import Permission
from contracts import force_majeure as arithmetic
from contracts.terms import Terms


def visible_events(principal: Principal) -> sa.Select[ForceMajeure]:
    """A firm's own events, and those told to it; all of them for overseers of contracts."""
    query = sa.select(ForceMajeure).options(
        selectinload(ForceMajeure.firm),
        selectinload(ForceMajeure.evidence),
        selectinload(ForceMajeure.allocations),
        selectinload(ForceMajeure.notices).selectinload(ForceMajeureNotice.excused),
    )
    if not principal.may(Permission.CONTRACT_READ):
        return query.where(sa.false())
    if principal.firm_id is None:
        return query
    known = contracts.visible_contracts(principal).with_only_columns(Contract.id).order_by(None)
    told = sa.exists().where(
        ForceMajeureNotice.force_majeure_id == ForceMajeure.id, ForceMajeureNotice.contract_id.in_(known)
    )
    return query.where(sa.or_(ForceMajeure.firm_id == principal.firm_id, told))


def find_event(session: Session, *, principal: Principal, event_id: uuid.UUID, lock: bool = False) -> ForceMajeure:
    """:raises NotFound: no such event, or neither the asker's nor told to the asker."""
    query = visible_events(principal).where(ForceMajeure.id == event_id)
    if lock:
        query = query.with_for_update(of=ForceMajeure).execution_options(populate_existing=True)
    found: ForceMajeure | None = session.scalar(query)
    if found is None:
        raise NotFound("no such event of force majeure")
    return found


def notices_of(session: Session, *, principal: Principal, event: ForceMajeure) -> Sequence[ForceMajeureNotice]:
    """The notices of an event under the contracts that the asker may read."""
    known = contracts.visible_contracts(principal).with_only_columns(Contract.id).order_by(None)
    query = sa.select(ForceMajeureNotice).where(
        ForceMajeureNotice.force_majeure_id == event.id, ForceMajeureNotice.contract_id.in_(known)
    )
    options = (selectinload(ForceMajeureNotice.contract), selectinload(ForceMajeureNotice.excused))
    return session.scalars(query.options(*options).order_by(ForceMajeureNotice.given_at, ForceMajeureNotice.id)).all()


def of_contract(session: Session, *, contract_id: uuid.UUID) -> Sequence[ForceMajeureNotice]:
    """The notices under a contract that the asker may read, in the order of time."""
    query = (
        sa.select(ForceMajeureNotice)
        .where(ForceMajeureNotice.contract_id == contract_id)
        .options(
            selectinload(ForceMajeureNotice.event).selectinload(ForceMajeure.evidence),
            selectinload(ForceMajeureNotice.excused),
        )
        .order_by(ForceMajeureNotice.given_at, ForceMajeureNotice.id)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).all()


def extension_days(session: Session, *, contract: Contract, terms: Terms, on: dt.date) -> int:
    """By how many days events put off the contract's long-stop day; one that goes on counts up to the day `on`."""
    return _extension(of_contract(session, contract_id=contract.id), terms, on)


def long_stop(session: Session, *, contract: Contract, terms: Terms, on: dt.date) -> dt.date:
    """The last day on which anything may be delivered, with what events took up to the day `on`."""
    return last_day(of_contract(session, contract_id=contract.id), terms=terms, on=on)


def last_day(notices: Sequence[ForceMajeureNotice], *, terms: Terms, on: dt.date) -> dt.date:
    """The same by notices that are known, all those of the contract."""
    return terms.long_stop + dt.timedelta(days=_extension(notices, terms, on))


def exit_day(session: Session, *, contract: Contract, terms: Terms) -> dt.date | None:
    """The first day on which either side may terminate because an event goes on; None without such an event."""
    return first_exit(of_contract(session, contract_id=contract.id), terms=terms)


def first_exit(notices: Sequence[ForceMajeureNotice], *, terms: Terms) -> dt.date | None:
    """The same by notices that are known, all those of the contract."""
    going = [
        arithmetic.exit_day(terms.force_majeure, notice.counts_from)
        for notice in notices
        if notice.event.ended_on is None
    ]
    return min(going, default=None)


def _extension(notices: Sequence[ForceMajeureNotice], terms: Terms, on: dt.date) -> int:
    spans = [(notice.counts_from, notice.event.ended_on or on) for notice in notices]
    return arithmetic.extension_days(terms.force_majeure, [span for span in spans if span[0] <= span[1]])
