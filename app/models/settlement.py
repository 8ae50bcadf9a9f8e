"""Who owes what under a contract: invoices with their working and what they were made from, payments, years told."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model
from contracts.state import Actor

from .columns import (
    Count,
    CurrencyCode,
    Digest,
    Document,
    Lots,
    Money,
    Now,
    PeriodLabel,
    Price,
    RandomKey,
    choice,
    one_of,
    restrict,
)
from .contracts import Contract
from .deliveries import Consignment

SIDES = (Actor.SELLER.value, Actor.BUYER.value)
RECORDERS = (*SIDES, Actor.STAFF.value)


class InvoiceKind(StrEnum):
    """What an invoice is for. Of a delivery month: provisional while anything is, then final, then corrections."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    CORRECTION = "correction"
    TAKE_OR_PAY = "take_or_pay"
    SUPPLY_OR_PAY = "supply_or_pay"
    LATE_DAMAGES = "late_damages"
    INTEREST = "interest"
    CLAIM = "claim"


GOODS_KINDS = (InvoiceKind.PROVISIONAL, InvoiceKind.FINAL, InvoiceKind.CORRECTION)


class LineName(StrEnum):
    """What a line of an invoice is about."""

    GOODS = "goods"
    FREIGHT = "freight"
    QUALITY = "quality"
    TAKE_OR_PAY = "take_or_pay"
    SUPPLY_OR_PAY = "supply_or_pay"
    LATE_DAMAGES = "late_damages"
    INTEREST = "interest"
    CLAIM = "claim"


class Invoice(Model):
    """What `creditor` asks of the other side for a period (a month, or a year as in "2027"). Rows are only added.

    `gross` below 0 is a credit note: the creditor owes it. `inputs` is all it was computed from, `inputs_hash` the
    SHA-256 of its canonical JSON: replaying it gives these lines and these cents. `terms_hash` names the version of the
    terms. `number` counts within the contract, without a gap. An award on a claim is asked for once, in full.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        sa.UniqueConstraint("contract_id", "number"),
        sa.UniqueConstraint("contract_id", "kind", "inputs_hash"),
        sa.CheckConstraint("number > 0", name="number_positive"),
        sa.CheckConstraint("gross = net + vat", name="gross_is_sum"),
        sa.CheckConstraint("due_on >= issued_on", name="due_after_issued"),
        sa.CheckConstraint("jsonb_typeof(inputs) = 'object'", name="inputs"),
        sa.CheckConstraint("inputs_hash ~ '^[0-9a-f]{64}$'", name="inputs_hash"),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name="terms_hash"),
        sa.CheckConstraint("(kind = 'interest') = (about_id IS NOT NULL)", name="interest_is_about"),
        sa.CheckConstraint("(kind = 'claim') = (claim_id IS NOT NULL)", name="claim_is_named"),
        sa.UniqueConstraint("claim_id"),
        sa.Index(None, "contract_id", "period"),
        sa.Index(None, "issued_on", "id"),
    )

    id: Mapped[RandomKey]
    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"))
    number: Mapped[Count]
    kind: Mapped[InvoiceKind] = mapped_column(choice(InvoiceKind, "kind"))
    period: Mapped[PeriodLabel]
    creditor: Mapped[str] = mapped_column(one_of(SIDES, "creditor"))
    currency: Mapped[CurrencyCode]
    net: Mapped[Money]
    vat: Mapped[Money]
    gross: Mapped[Money]
    vat_step: Mapped[Document | None]
    issued_on: Mapped[dt.date]
    due_on: Mapped[dt.date]
    about_id: Mapped[uuid.UUID | None] = mapped_column(restrict("invoice.id"), index=True)
    claim_id: Mapped[uuid.UUID | None] = mapped_column(restrict("claim.id"))
    terms_version: Mapped[Count]
    terms_hash: Mapped[Digest]
    inputs: Mapped[Document]
    inputs_hash: Mapped[Digest]
    created_at: Mapped[Now]

    contract: Mapped[Contract] = relationship()
    about: Mapped[Invoice | None] = relationship(remote_side="Invoice.id")
    lines: Mapped[list[InvoiceLine]] = relationship(back_populates="invoice", order_by="InvoiceLine.position")
    consignments: Mapped[list[InvoiceConsignment]] = relationship(back_populates="invoice")
    payments: Mapped[list[Payment]] = relationship(back_populates="invoice", order_by="Payment.recorded_at, Payment.id")

    @property
    def is_credit_note(self) -> bool:
        return self.gross < 0

    @property
    def payer(self) -> str:
        """The side that owes its sum."""
        seller, buyer = SIDES
        return self.creditor if self.is_credit_note else buyer if self.creditor == seller else seller

    @property
    def paid(self) -> Decimal:
        """What was paid of it so far."""
        return sum((payment.amount for payment in self.payments), Decimal("0.00"))

    @property
    def unpaid(self) -> Decimal:
        return abs(self.gross) - self.paid


class InvoiceLine(Model):
    """One line: the value to date, what earlier invoices said of it, the difference, and the steps of its working."""

    __tablename__ = "invoice_line"
    __table_args__ = (
        sa.UniqueConstraint("invoice_id", "name"),
        sa.CheckConstraint("position >= 1", name="position_positive"),
        sa.CheckConstraint("lots >= 0", name="lots_not_negative"),
        sa.CheckConstraint("net = to_date - already", name="net_is_difference"),
        sa.CheckConstraint("jsonb_typeof(steps) = 'array'", name="steps"),
    )

    invoice_id: Mapped[uuid.UUID] = mapped_column(restrict("invoice.id"), primary_key=True)
    position: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    name: Mapped[LineName] = mapped_column(choice(LineName, "name"))
    lots: Mapped[Lots]
    to_date: Mapped[Money]
    already: Mapped[Money]
    net: Mapped[Money]
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)

    invoice: Mapped[Invoice] = relationship(back_populates="lines")


class InvoiceConsignment(Model):
    """A consignment as an invoice of its month values it: provisionally at `price` per unit, or finally."""

    __tablename__ = "invoice_consignment"
    __table_args__ = (
        sa.CheckConstraint("lots > 0", name="lots_positive"),
        sa.CheckConstraint("price >= 0", name="price_not_negative"),
    )

    invoice_id: Mapped[uuid.UUID] = mapped_column(restrict("invoice.id"), primary_key=True)
    consignment_id: Mapped[uuid.UUID] = mapped_column(restrict("consignment.id"), primary_key=True, index=True)
    lots: Mapped[Lots]
    price: Mapped[Price]
    is_final: Mapped[bool]

    invoice: Mapped[Invoice] = relationship(back_populates="consignments")
    consignment: Mapped[Consignment] = relationship()


class Payment(Model):
    """Money that moved for an invoice, as a party or the platform recorded it. Rows are only added.

    A record made in error is taken back by a row of its own with the amount below 0, which names it in `reverses_id`.
    """

    __tablename__ = "payment"
    __table_args__ = (
        sa.UniqueConstraint("reverses_id"),
        sa.CheckConstraint("amount <> 0", name="amount_not_zero"),
        sa.CheckConstraint("(amount < 0) = (reverses_id IS NOT NULL)", name="negative_reverses"),
        sa.CheckConstraint("reverses_id IS NULL OR reason IS NOT NULL", name="reversal_has_reason"),
        sa.CheckConstraint("num_nonnulls(user_id, api_key_id) <= 1", name="one_recorder"),
        sa.Index(None, "invoice_id", "recorded_at", "id"),
    )

    id: Mapped[RandomKey]
    invoice_id: Mapped[uuid.UUID] = mapped_column(restrict("invoice.id"))
    amount: Mapped[Money]
    paid_on: Mapped[dt.date]
    reference: Mapped[str | None] = mapped_column(sa.Text)
    reverses_id: Mapped[uuid.UUID | None] = mapped_column(restrict("payment.id"))
    reason: Mapped[str | None] = mapped_column(sa.Text)
    recorded_by: Mapped[str] = mapped_column(one_of(RECORDERS, "recorded_by"))
    user_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    api_key_id: Mapped[uuid.UUID | None] = mapped_column(restrict("api_key.id"))
    recorded_at: Mapped[Now]

    invoice: Mapped[Invoice] = relationship(back_populates="payments")


class YearStatement(Model):
    """A calendar year of a contract as it was told: take-or-pay and supply-or-pay with their working.

    Rows are only added: of a year the highest `revision` counts. `inputs` is what it was computed from, `outcome` what
    came of it, in lots and CNY without tax.
    """

    __tablename__ = "year_statement"
    __table_args__ = (
        sa.UniqueConstraint("contract_id", "year", "revision"),
        sa.CheckConstraint("revision >= 1", name="revision_positive"),
        sa.CheckConstraint("jsonb_typeof(inputs) = 'object'", name="inputs"),
        sa.CheckConstraint("jsonb_typeof(outcome) = 'object'", name="outcome"),
        sa.CheckConstraint("inputs_hash ~ '^[0-9a-f]{64}$'", name="inputs_hash"),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name="terms_hash"),
    )

    id: Mapped[RandomKey]
    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"))
    year: Mapped[Count]
    revision: Mapped[Count]
    issued_on: Mapped[dt.date]
    terms_hash: Mapped[Digest]
    inputs: Mapped[Document]
    inputs_hash: Mapped[Digest]
    outcome: Mapped[Document]
    created_at: Mapped[Now]

    contract: Mapped[Contract] = relationship()
