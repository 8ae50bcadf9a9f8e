"""What waits for whom: open steps of proposals, contracts, deliveries, invoices and claims, by who is next."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.clock import day_of
from app.models import CallOff, Claim, Contract, Invoice, Payment, Proposal
from app.operations import call_offs, claims, contracts, pages
from app.permissions import Permission


class Who(StrEnum):
    """Whose step it is."""

    REVIEWER = "reviewer"
    SENIOR = "senior"
    STAFF = "staff"
    PARTIES = "parties"
    SELLERS = "sellers"
    BUYERS = "buyers"
    PAYERS = "payers"


class What(StrEnum):
    """Which step."""

    FIRST_WORD = "first_word"
    SECOND_WORD = "second_word"
    DECIDE_CLAIM = "decide_claim"
    ANSWER_PROPOSAL = "answer_proposal"
    ANSWER_AFTER_OTHER = "answer_after_other"
    SIGN = "sign"
    CONFIRM = "confirm"
    RECEIVE = "receive"
    PAY = "pay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """So many records wait for somebody's step; `late` of them are past their day, None where there is no day."""

    who: Who
    what: What
    count: int
    late: int | None = None


def what_waits(session: Session, *, principal: Principal, now: dt.datetime) -> list[Waiting]:
    """All steps that the platform waits for, those of nobody left out; empty for who does not review."""
    if not principal.may(Permission.REVIEW_READ):
        return []
    today, desk = day_of(now), pages.staff_desk(session, principal=principal, now=now)
    answers = sa.select(
        sa.func.count().filter(Proposal.state.in_(("released", "countered"))),
        sa.func.count().filter(Proposal.state.in_(("released", "countered")), Proposal.expires_at < now),
        sa.func.count().filter(Proposal.state == "accepted"),
        sa.func.count().filter(Proposal.state == "accepted", Proposal.expires_at < now),
    )
    answer, late_answer, after, late_after = session.execute(answers).one()
    confirm, late_confirm, receive = session.execute(
        call_offs.visible_call_offs(principal).with_only_columns(
            sa.func.count().filter(CallOff.state == "firm"),
            sa.func.count().filter(CallOff.state == "firm", CallOff.confirm_by < today),
            sa.func.count().filter(CallOff.state == "shipped"),
        )
    ).one()
    pay, late_pay = _unpaid(session, principal, today)
    sign = session.scalar(
        contracts.visible_contracts(principal)
        .where(Contract.state.in_(("agreed", "signing")))
        .with_only_columns(sa.func.count())
    )
    decide = session.scalar(
        claims.visible_claims(principal).where(Claim.state == "defended").with_only_columns(sa.func.count())
    )
    lines = (
        Waiting(who=Who.REVIEWER, what=What.FIRST_WORD, count=desk.to_review),
        Waiting(who=Who.SENIOR, what=What.SECOND_WORD, count=desk.for_second),
        Waiting(who=Who.STAFF, what=What.DECIDE_CLAIM, count=decide or 0),
        Waiting(who=Who.PARTIES, what=What.ANSWER_PROPOSAL, count=answer, late=late_answer),
        Waiting(who=Who.PARTIES, what=What.ANSWER_AFTER_OTHER, count=after, late=late_after),
        Waiting(who=Who.PARTIES, what=What.SIGN, count=sign or 0),
        Waiting(who=Who.SELLERS, what=What.CONFIRM, count=confirm, late=late_confirm),
        Waiting(who=Who.BUYERS, what=What.RECEIVE, count=receive),
        Waiting(who=Who.PAYERS, what=What.PAY, count=pay, late=late_pay),
    )
    return [line for line in lines if line.count]


def _unpaid(session: Session, principal: Principal, today: dt.date) -> tuple[int, int]:
    """Invoices not paid in full, and those of them past their day."""
    seen = contracts.visible_contracts(principal).with_only_columns(Contract.id).options()
    paid = (
        sa.select(sa.func.coalesce(sa.func.sum(Payment.amount), 0))
        .where(Payment.invoice_id == Invoice.id)
        .scalar_subquery()
    )
    query = sa.select(sa.func.count(), sa.func.count().filter(Invoice.due_on < today)).where(
        Invoice.contract_id.in_(seen), sa.func.abs(Invoice.gross) > paid
    )
    count, late = session.execute(query).one()
    return count, late
