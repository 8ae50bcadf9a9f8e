"""Payments of invoices, as a party or the platform records them; a wrong record is taken back, never changed."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

from sqlalchemy.orm import Session

from app.auth import Principal
from app.clock import day_of
from app.errors import Conflict, Forbidden, NotFound, Refused
from app.models import Contract, Invoice, Payment, SubjectKind
from app.operations import call_offs, contracts, events
from app.operations.invoice_writing import find_invoice
from app.operations.outbox import tell
from app.permissions import Permission
from contracts.state import Actor
from contracts.wording import Text


def record_payment(
    session: Session,
    *,
    principal: Principal,
    invoice_id: uuid.UUID,
    amount: Decimal,
    paid_on: dt.date,
    reference: str | None,
    now: dt.datetime,
) -> Invoice:
    """Record that money moved for an invoice. Of a credit note, what its creditor paid back.

    :raises NotFound: no such invoice of the asker's.
    :raises Forbidden: the asker neither is a party's trader nor works for the platform.
    :raises Refused: nothing, or more than is unpaid; a day before the invoice or still to come.
    """
    invoice, side = _locked(session, principal, invoice_id)
    if amount <= 0 or amount > invoice.unpaid:
        raise Refused(
            Text(
                f"{amount}：应大于 0 且不超过未付的 {invoice.unpaid}",
                f"{amount}; expected more than 0 and at most the {invoice.unpaid} unpaid",
            ),
            field="amount",
        )
    if not invoice.issued_on <= paid_on <= day_of(now):
        raise Refused(
            Text(
                f"{paid_on}：应为 {invoice.issued_on} 至 {day_of(now)} 之间的日期",
                f"{paid_on}; expected a day from {invoice.issued_on} to {day_of(now)}",
            ),
            field="paid_on",
        )
    payment = Payment(amount=amount, paid_on=paid_on, reference=reference, recorded_by=side.value)
    _add(session, principal, invoice, payment, now)
    if invoice.unpaid == 0:
        _tell_paid(session, invoice, now)
    return invoice


def take_back(
    session: Session,
    *,
    principal: Principal,
    invoice_id: uuid.UUID,
    payment_id: uuid.UUID,
    reason: str,
    now: dt.datetime,
) -> Invoice:
    """Take a record back that was made in error: by the side that made it, or by the platform.

    :raises NotFound: no such invoice of the asker's, or no such payment of it.
    :raises Forbidden: the other side recorded it.
    :raises Conflict: it was taken back before, or takes one back itself.
    """
    invoice, side = _locked(session, principal, invoice_id)
    found = next((one for one in invoice.payments if one.id == payment_id), None)
    if found is None:
        raise NotFound("no such payment of this invoice")
    if side not in {Actor.STAFF, Actor(found.recorded_by)}:
        raise Forbidden(Text("该付款由对方登记", "the other side has recorded this payment; expected one of your own"))
    if found.reverses_id is not None or any(one.reverses_id == found.id for one in invoice.payments):
        raise Conflict(Text("该付款登记已撤回", "this payment was taken back already"))
    back = Payment(
        amount=-found.amount,
        paid_on=found.paid_on,
        reference=found.reference,
        reverses_id=found.id,
        reason=reason,
        recorded_by=side.value,
    )
    _add(session, principal, invoice, back, now)
    return invoice


def recorder(principal: Principal, contract: Contract) -> Actor | None:
    """In which capacity somebody may record payments under a contract; None if not at all."""
    if not principal.may(Permission.PAYMENT_RECORD):
        return None
    return Actor.STAFF if principal.firm_id is None else contracts.side_of(principal, contract)


def _locked(session: Session, principal: Principal, invoice_id: uuid.UUID) -> tuple[Invoice, Actor]:
    invoice = find_invoice(session, principal=principal, invoice_id=invoice_id)
    side = recorder(principal, invoice.contract)
    if side is None:
        raise Forbidden(
            Text("付款由合同双方及平台登记", "payments are recorded by the parties' traders and the platform")
        )
    call_offs.hold(session, invoice.contract)
    session.refresh(invoice, ["payments"])
    return invoice, side


def _add(session: Session, principal: Principal, invoice: Invoice, payment: Payment, now: dt.datetime) -> None:
    payment.user_id, payment.api_key_id, payment.recorded_at = principal.user_id, principal.api_key_id, now
    invoice.payments.append(payment)
    session.flush()
    contract = invoice.contract
    events.record(
        session,
        principal=principal,
        subject=(SubjectKind.CONTRACT, contract.id),
        name="contract.payment",
        acting_as=Actor(payment.recorded_by),
        from_state=contract.state,
        to_state=contract.state,
        note=f"{invoice.number}: {payment.amount} {payment.paid_on}",
        now=now,
    )


def _tell_paid(session: Session, invoice: Invoice, now: dt.datetime) -> None:
    contract = invoice.contract
    payload = {"contract": contract.number, "contract_id": str(contract.id), "invoice": invoice.number}
    firms = (contract.seller_firm_id, contract.buyer_firm_id)
    tell(session, topic="invoice.paid", about=("invoice", invoice.id), firms=firms, payload=payload, now=now)
