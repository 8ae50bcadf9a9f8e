"""An invoice becomes rows: its number, its lines with their steps, and all it was made from."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.auth import SYSTEM, Principal
from app.clock import day_of
from app.errors import NotFound
from app.models import (
    Contract,
    ContractVersion,
    Invoice,
    InvoiceConsignment,
    InvoiceKind,
    InvoiceLine,
    LineName,
    Outbox,
    SubjectKind,
)
from app.operations import contracts, events
from app.operations.outbox import tell
from contracts.clauses import Payment
from contracts.settlement import Invoice as Told
from contracts.settlement import due_day
from contracts.settlement_inputs import Inputs, Said, inputs_hash, inputs_text, settle
from contracts.state import Actor
from contracts.wording import Text
from contracts.working import total

ISSUED, CORRECTED = "invoice.issued", "invoice.corrected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuedConsignment:
    """A consignment as an invoice has it: lots at a price per unit, provisional or final."""

    consignment_id: uuid.UUID
    lots: int
    price: Decimal
    is_final: bool


def visible_invoices(principal: Principal) -> sa.Select[Invoice]:
    """The invoices of the contracts that the asker may read."""
    seen = contracts.visible_contracts(principal).with_only_columns(Contract.id).options()
    return sa.select(Invoice).where(Invoice.contract_id.in_(seen)).options(*PARTS)


PARTS = (
    selectinload(Invoice.contract).options(selectinload(Contract.seller), selectinload(Contract.buyer)),
    selectinload(Invoice.lines),
    selectinload(Invoice.payments),
)


def find_invoice(session: Session, *, principal: Principal, invoice_id: uuid.UUID) -> Invoice:
    """:raises NotFound: no such invoice, or not of a contract of the asker's."""
    found: Invoice | None = session.scalar(visible_invoices(principal).where(Invoice.id == invoice_id))
    if found is None:
        raise NotFound("no such invoice")
    return found


def invoices_of(
    session: Session, *, contract_id: uuid.UUID, kinds: Iterable[InvoiceKind] = InvoiceKind
) -> list[Invoice]:
    """The invoices of a contract by number, of some kinds or of all."""
    query = sa.select(Invoice).where(Invoice.contract_id == contract_id, Invoice.kind.in_(list(kinds))).options(*PARTS)
    return list(session.scalars(query.order_by(Invoice.number)))


def said_by(earlier: Sequence[Invoice]) -> tuple[tuple[Said, ...], Decimal]:
    """What the earlier invoices of one account said: the value to date by line, and the VAT in all."""
    to_date = {line.name.value: line.to_date for invoice in earlier for line in invoice.lines}
    said = tuple(Said(name=name, net=net) for name, net in to_date.items())
    return said, total(invoice.vat for invoice in earlier)


def write(
    session: Session,
    *,
    contract: Contract,
    version: ContractVersion,
    payment: Payment,
    kind: InvoiceKind,
    inputs: Inputs,
    creditor: Actor,
    now: dt.datetime,
    consignments: Iterable[ValuedConsignment] = (),
    about: Invoice | None = None,
    claim_id: uuid.UUID | None = None,
) -> Invoice:
    """Issue the invoice that the inputs give, under the next number of its contract, and tell both parties.

    The caller holds the contract's lock.
    """
    told, on = settle(inputs), day_of(now)
    row = Invoice(
        contract_id=contract.id,
        number=_next_number(session, contract.id),
        kind=kind,
        period=str(told.period),
        creditor=creditor.value,
        currency=payment.currency,
        net=told.net,
        vat=told.vat,
        gross=told.gross,
        vat_step=None if told.vat_step is None else _plain(told.vat_step),
        issued_on=on,
        due_on=due_day(payment, on),
        about_id=None if about is None else about.id,
        claim_id=claim_id,
        terms_version=version.number,
        terms_hash=version.terms_hash,
        inputs=json.loads(inputs_text(inputs)),
        inputs_hash=inputs_hash(inputs),
        created_at=now,
        lines=_lines(told),
        consignments=[
            InvoiceConsignment(consignment_id=one.consignment_id, lots=one.lots, price=one.price, is_final=one.is_final)
            for one in consignments
        ],
    )
    session.add(row)
    session.flush()
    _tell(session, contract, row, now)
    return row


def _lines(told: Told) -> list[InvoiceLine]:
    return [
        InvoiceLine(
            position=position,
            name=LineName(line.name),
            lots=line.lots,
            to_date=line.to_date,
            already=line.already,
            net=line.net,
            steps=[_plain(step) for step in line.steps],
        )
        for position, line in enumerate(told.lines, start=1)
    ]


def tell_once(
    session: Session,
    *,
    topic: str,
    about: tuple[str, uuid.UUID],
    contract: Contract,
    facts: dict[str, Any],
    now: dt.datetime,
) -> bool:
    """Tell both parties about something, unless the same was told before; returns whether it was told now."""
    kind, number = about
    payload = {"contract": contract.number, "contract_id": str(contract.id), **facts}
    before = sa.select(Outbox.id).where(
        Outbox.topic == topic, Outbox.about_kind == str(kind), Outbox.about_id == number, Outbox.payload == payload
    )
    if session.scalar(before.limit(1)) is not None:
        return False
    firms = (contract.seller_firm_id, contract.buyer_firm_id)
    tell(session, topic=topic, about=about, firms=firms, payload=payload, now=now)
    return True


def _next_number(session: Session, contract_id: uuid.UUID) -> int:
    highest = sa.select(sa.func.coalesce(sa.func.max(Invoice.number), 0)).where(Invoice.contract_id == contract_id)
    return (session.scalar(highest) or 0) + 1


def _plain(text: Text) -> dict[str, Any]:
    return {"zh": text.zh, "en": text.en}


def _tell(session: Session, contract: Contract, row: Invoice, now: dt.datetime) -> None:
    events.record(
        session,
        principal=SYSTEM,
        subject=(SubjectKind.CONTRACT, contract.id),
        name="contract.invoice",
        acting_as=Actor.SYSTEM,
        from_state=contract.state,
        to_state=contract.state,
        note=f"{row.number}: {row.kind} {row.period} {row.gross}",
        version_hash=row.terms_hash,
        now=now,
    )
    payload = {
        "contract": contract.number,
        "contract_id": str(contract.id),
        "invoice": row.number,
        "kind": row.kind.value,
        "period": row.period,
        "gross": str(row.gross),
        "due_on": row.due_on.isoformat(),
    }
    firms = (contract.seller_firm_id, contract.buyer_firm_id)
    topic = CORRECTED if row.kind is InvoiceKind.CORRECTION else ISSUED
    tell(session, topic=topic, about=("invoice", row.id), firms=firms, payload=payload, now=now)
