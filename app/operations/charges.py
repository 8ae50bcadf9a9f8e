"""Charges beside the goods: damages for lots that came late, awards on claims, interest on what was paid late."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.clock import day_of
from app.models import CallOff, Claim, Contract, Invoice, InvoiceKind, Payment, Penalty
from app.operations import excuses
from app.operations.invoice_writing import invoices_of, said_by, tell_once, write
from app.operations.month_prices import final_price
from app.operations.terms_in_force import terms_in_force, version_in_force
from contracts.fixings import IndexMissing
from contracts.reasons import ReasonGroup, text_of
from contracts.remedies import LateLots
from contracts.settlement_inputs import ClaimInputs, InterestInputs, LateInputs, PaidPart, settle
from contracts.state import Actor
from contracts.wording import Text
from market.errors import InvalidValue
from market.periods import Period

RECEIVED = ("received", "assayed", "settled")


def issue_late_damages(session: Session, *, contract: Contract, now: dt.datetime) -> list[Invoice]:
    """The buyer's notes for lots that came late, month by month, once the month's price is final.

    Nothing is asked that the buyer claims for the same month: there the claim decides.
    """
    query = (
        sa.select(CallOff)
        .options(selectinload(CallOff.consignment))
        .where(CallOff.contract_id == contract.id, CallOff.state.in_(RECEIVED))
        .order_by(CallOff.month, CallOff.number)
    )
    made = []
    for label, rows in itertools.groupby(session.scalars(query).all(), key=lambda row: row.month):
        made += _late_damages_of(session, contract, Period.parse(label), list(rows), now)
    return made


def due_on(call_off: CallOff) -> dt.date:
    """The day by which a call-off is to arrive: as the seller promised, else as the buyer asked, else in its month."""
    return call_off.promised_on or call_off.wanted_on or Period.parse(call_off.month).last_day


def _late_damages_of(
    session: Session, contract: Contract, month: Period, rows: Sequence[CallOff], now: dt.datetime
) -> list[Invoice]:
    version = version_in_force(session, contract=contract, on=month.first_day)
    terms = terms_in_force(session, contract=contract, on=month.first_day)
    earlier = [
        invoice
        for invoice in invoices_of(session, contract_id=contract.id, kinds=[InvoiceKind.LATE_DAMAGES])
        if invoice.period == str(month)
    ]
    days = {row.id: _days_late(session, contract, row) for row in rows}
    if terms.late_damages is None or (not any(days.values()) and not earlier):
        return []
    if excuses.is_claimed(session, contract=contract, rule=Penalty.LATE_DAMAGES, period=month):
        return []
    try:
        price = final_price(session, contract=contract, month=month, on=day_of(now))
    except (IndexMissing, InvalidValue):
        return []  # the month's own account says what it waits for
    late = tuple(
        LateLots(lots=row.received_lots or 0, days=days[row.id], price=price.value, reference=f"#{row.number}")
        for row in rows
        if days[row.id]
    )
    inputs = LateInputs(terms=terms, month=month, late=late, said=said_by(earlier)[0])
    if not settle(inputs).gross:
        return []
    return [
        write(
            session,
            contract=contract,
            version=version,
            payment=terms.payment,
            kind=InvoiceKind.LATE_DAMAGES,
            inputs=inputs,
            creditor=Actor.BUYER,
            now=now,
        )
    ]


def _days_late(session: Session, contract: Contract, row: CallOff) -> int:
    """Calendar days after its day on which a call-off arrived, without those of a force majeure of the seller."""
    goods = row.consignment
    if goods is None or goods.received_on is None or goods.received_on <= due_on(row):
        return 0
    first, last = due_on(row) + dt.timedelta(days=1), goods.received_on
    return (last - first).days + 1 - excuses.days_hindered(session, contract=contract, first=first, last=last)


def issue_awards(session: Session, *, contract: Contract, now: dt.datetime) -> list[Invoice]:
    """The claimants' notes for what was awarded on claims, each once."""
    asked = sa.exists().where(Invoice.claim_id == Claim.id)
    query = sa.select(Claim).where(Claim.contract_id == contract.id, Claim.state == "upheld", ~asked)
    made = []
    for claim in session.scalars(query.order_by(Claim.decided_at, Claim.id)).all():
        if claim.amount_awarded is None or claim.amount_awarded <= 0:
            continue
        steps = (claim.working or {}).get("steps", ())
        inputs = ClaimInputs(
            cause=text_of(ReasonGroup.CLAIM, claim.kind),
            breach_on=claim.breach_on,
            claimed=claim.amount_claimed,
            awarded=claim.amount_awarded,
            steps=tuple(Text(step["zh"], step["en"]) for step in steps),
        )
        made.append(
            write(
                session,
                contract=contract,
                version=version_in_force(session, contract=contract, on=claim.breach_on),
                payment=terms_in_force(session, contract=contract, on=claim.breach_on).payment,
                kind=InvoiceKind.CLAIM,
                inputs=inputs,
                creditor=Actor(claim.claimant),
                now=now,
                claim_id=claim.id,
            )
        )
    return made


def issue_interest(session: Session, *, contract: Contract, now: dt.datetime) -> list[Invoice]:
    """Notes of interest on what was paid after its due day, one account for each invoice that was paid late."""
    made = []
    notes = invoices_of(session, contract_id=contract.id, kinds=[InvoiceKind.INTEREST])
    for about in invoices_of(session, contract_id=contract.id):
        if about.kind is InvoiceKind.INTEREST:
            continue
        parts = tuple(
            PaidPart(amount=one.amount, paid=one.paid_on)
            for one in standing_payments(about.payments)
            if one.paid_on > about.due_on
        )
        earlier = [note for note in notes if note.about_id == about.id]
        if not parts and not earlier:
            continue
        terms = terms_in_force(session, contract=contract, on=about.issued_on)
        inputs = InterestInputs(
            payment=terms.payment, number=about.number, due=about.due_on, parts=parts, said=said_by(earlier)[0]
        )
        if not settle(inputs).gross:
            continue
        made.append(
            write(
                session,
                contract=contract,
                version=version_in_force(session, contract=contract, on=about.issued_on),
                payment=terms.payment,
                kind=InvoiceKind.INTEREST,
                inputs=inputs,
                creditor=Actor.SELLER if about.payer == Actor.BUYER.value else Actor.BUYER,
                now=now,
                about=about,
            )
        )
    return made


def tell_overdue(session: Session, *, contract: Contract, now: dt.datetime) -> None:
    """Tell both parties, once, of each invoice that is past its due day and not paid in full."""
    for invoice in invoices_of(session, contract_id=contract.id):
        if invoice.due_on < day_of(now) and invoice.unpaid > 0:
            facts = {"invoice": invoice.number, "due_on": invoice.due_on.isoformat()}
            about = ("invoice", invoice.id)
            tell_once(session, topic="invoice.overdue", about=about, contract=contract, facts=facts, now=now)


def standing_payments(payments: Sequence[Payment]) -> list[Payment]:
    """The payments that were not taken back, by day."""
    taken_back = {one.reverses_id for one in payments}
    found = [one for one in payments if one.reverses_id is None and one.id not in taken_back]
    return sorted(found, key=lambda one: (one.paid_on, one.id))
