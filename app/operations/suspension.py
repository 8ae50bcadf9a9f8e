"""A contract rests: staff suspend it for a notice of force majeure or a certificate, and resume it when that is over.

What is reserved for it stays reserved, on both sides: it will be resumed, or it ends and gives back what is left. Only
what force majeure excuses goes back before (`app.operations.force_majeure`).
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.auth import Principal
from app.clock import day_of
from app.errors import Forbidden, Refused
from app.models import Certificate, Contract, ForceMajeureNotice, SubjectKind, Suspension
from app.operations import contracts, hindrances, moves, outbox
from app.permissions import Permission
from contracts.state import Actor, Guard
from contracts.wording import Text

FORCE_MAJEURE, CERTIFICATE = "force_majeure", "certificate_suspended"
ENDS: dict[str, str] = {FORCE_MAJEURE: "force_majeure_ended", CERTIFICATE: "certificate_restored"}


def of_contract(session: Session, *, contract: Contract) -> Sequence[Suspension]:
    """The times in which a contract rested, the first first."""
    query = (
        sa.select(Suspension)
        .where(Suspension.contract_id == contract.id)
        .options(
            selectinload(Suspension.notice).selectinload(ForceMajeureNotice.event), selectinload(Suspension.certificate)
        )
        .order_by(Suspension.suspended_at, Suspension.id)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).all()


def suspended_certificates(session: Session, *, contract: Contract) -> Sequence[Certificate]:
    """The certificates of either party that are suspended now."""
    firms = (contract.seller_firm_id, contract.buyer_firm_id)
    query = sa.select(Certificate).where(Certificate.firm_id.in_(firms), Certificate.suspended)
    return session.scalars(query.order_by(Certificate.kind_code, Certificate.number)).all()


def suspend(
    session: Session,
    *,
    principal: Principal,
    contract_id: uuid.UUID,
    reason_code: str,
    certificate_id: uuid.UUID | None = None,
    note: str | None = None,
    now: dt.datetime,
) -> Suspension:
    """Let a contract rest, for the newest event that goes on, or for a certificate that is suspended.

    :raises Conflict: it is not effective, or there is no such cause.
    :raises Refused: a reason code or certificate that does not fit.
    """
    actor = acting_staff(principal)
    contract = contracts.lock_contract(session, principal=principal, contract_id=contract_id)
    notice = _open_notice(session, contract) if reason_code == FORCE_MAJEURE else None
    certificate = None
    if reason_code == CERTIFICATE:
        known = {one.id: one for one in suspended_certificates(session, contract=contract)}
        certificate = known.get(certificate_id) if certificate_id else None
        if known and certificate is None:
            what = Text("须选择当事方已被暂停的证书", "expected a suspended certificate of one of the parties")
            raise Refused(what, field="certificate_id")
    guards = set()
    if notice is not None:
        guards.add(Guard.FORCE_MAJEURE_NOTICE_GIVEN)
    if certificate is not None:
        guards.add(Guard.CERTIFICATE_SUSPENDED)
    moves.make(
        session,
        contract,
        "suspend",
        acting_as=actor,
        principal=principal,
        guards=guards,
        reason=reason_code,
        note=note,
        now=now,
    )
    found = Suspension(
        contract_id=contract.id,
        reason_code=reason_code,
        notice_id=None if notice is None else notice.id,
        certificate_id=None if certificate is None else certificate.id,
        suspended_at=now,
    )
    session.add(found)
    _tell(session, contract, "contract.suspended", now)
    session.flush()
    return found


def resume(
    session: Session, *, principal: Principal, contract_id: uuid.UUID, note: str | None = None, now: dt.datetime
) -> Suspension | None:
    """Let a contract go on, now that its cause has ended; the reason follows from the cause.

    :raises Conflict: it does not rest, or the cause goes on.
    """
    actor = acting_staff(principal)
    contract = contracts.lock_contract(session, principal=principal, contract_id=contract_id)
    found = next((one for one in of_contract(session, contract=contract) if one.resumed_at is None), None)
    reason = ENDS[found.reason_code] if found else ENDS[FORCE_MAJEURE]
    guards = {Guard.SUSPENSION_CAUSE_ENDED} if found and _is_over(found, now) else set()
    moves.make(
        session,
        contract,
        "resume",
        acting_as=actor,
        principal=principal,
        guards=guards,
        reason=reason,
        note=note,
        now=now,
    )
    if found is not None:
        found.resumed_at, found.resume_reason = now, reason
    _tell(session, contract, "contract.resumed", now)
    session.flush()
    return found


def acting_staff(principal: Principal) -> Actor:
    """In which capacity staff act on a contract.

    :raises Forbidden: the asker is not of the platform's staff, in person.
    """
    if not principal.may(Permission.CONTRACT_SUSPEND) or principal.user_id is None:
        raise Forbidden(Text("须由平台工作人员本人办理", "this is for the platform's staff, in person"))
    return Actor.SENIOR_STAFF if principal.may(Permission.REVIEW_SECOND) else Actor.STAFF


def _open_notice(session: Session, contract: Contract) -> ForceMajeureNotice | None:
    notices = hindrances.of_contract(session, contract_id=contract.id)
    return next((one for one in reversed(notices) if one.event.ended_on is None), None)


def _is_over(found: Suspension, now: dt.datetime) -> bool:
    if found.certificate is not None:
        return not found.certificate.suspended
    ended = None if found.notice is None else found.notice.event.ended_on
    return ended is not None and ended <= day_of(now)


def _tell(session: Session, contract: Contract, topic: str, now: dt.datetime) -> None:
    outbox.tell(
        session,
        topic=topic,
        about=(SubjectKind.CONTRACT, contract.id),
        firms=(contract.seller_firm_id, contract.buyer_firm_id),
        payload={"contract": contract.number, "contract_id": str(contract.id), "state": contract.state},
        now=now,
    )
