"""What lowers or replaces a charge of the terms: days of force majeure, and claims that are about the same thing."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Claim, Contract, ForceMajeure, ForceMajeureNotice, Invoice, InvoiceKind, Penalty
from contracts.state import Actor
from market.periods import Period

# A claim in one of these states has come to nothing, and what the terms compute is asked as if there were none.
COME_TO_NOTHING = ("draft", "declined", "withdrawn", "lapsed")


def days_hindered(session: Session, *, contract: Contract, first: dt.date, last: dt.date) -> int:
    """The days from `first` to `last` in which force majeure told by the seller under the contract went on."""
    query = (
        sa.select(ForceMajeureNotice.counts_from, ForceMajeure.ended_on)
        .join(ForceMajeure, ForceMajeure.id == ForceMajeureNotice.force_majeure_id)
        .where(ForceMajeureNotice.contract_id == contract.id, ForceMajeureNotice.side == Actor.SELLER.value)
        .order_by(ForceMajeureNotice.counts_from, ForceMajeureNotice.id)
    )
    spans = [(began, ended or last) for began, ended in session.execute(query)]
    days = (first + dt.timedelta(days=step) for step in range((last - first).days + 1))
    return sum(any(began <= day <= ended for began, ended in spans) for day in days)


def is_claimed(session: Session, *, contract: Contract, rule: Penalty, period: Period) -> bool:
    """Whether a claim for the same penalty of the terms and a period that meets this one is pending or was upheld."""
    query = sa.select(Claim.penalty_period).where(
        Claim.contract_id == contract.id, Claim.penalty == rule, Claim.state.not_in(COME_TO_NOTHING)
    )
    return any(_meet(Period.parse(label), period) for label in session.scalars(query) if label)


def is_invoiced(session: Session, *, contract: Contract, rule: Penalty, period: Period) -> bool:
    """Whether invoices ask already for a penalty of the terms and a period that meets this one."""
    query = (
        sa.select(Invoice.period, sa.func.sum(Invoice.net))
        .where(Invoice.contract_id == contract.id, Invoice.kind == InvoiceKind(rule.value))
        .group_by(Invoice.period)
    )
    return any(net and _meet(Period.parse(label), period) for label, net in session.execute(query))


def _meet(one: Period, other: Period) -> bool:
    return one.start < other.start + other.months and other.start < one.start + one.months
