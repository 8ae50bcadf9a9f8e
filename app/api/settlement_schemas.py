"""How invoices, payments, statements and fixings look in the API."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.api.fields import DecimalText, Text, Timestamp
from app.api.paging import PageArguments
from app.models import FixingKind, Invoice, InvoiceKind
from contracts.year_statement import PeriodPosition


class WorkingStepSchema(ma.Schema):
    """One step of a working, in both languages."""

    zh = ma.fields.String(required=True)
    en = ma.fields.String(required=True)


class InvoiceLineSchema(ma.Schema):
    """One line: `net` is the value `to_date` less what earlier invoices said (`already`). CNY without tax."""

    name = ma.fields.String(required=True)
    lots = ma.fields.Integer(required=True)
    to_date = DecimalText(required=True, minimum=None)
    already = DecimalText(required=True, minimum=None)
    net = DecimalText(required=True, minimum=None)
    steps = ma.fields.List(ma.fields.Nested(WorkingStepSchema), required=True)


class PaymentSchema(ma.Schema):
    """A payment as recorded; one with `reverses_id` takes another back."""

    id = ma.fields.UUID(required=True)
    amount = DecimalText(required=True, minimum=None)
    paid_on = ma.fields.Date(required=True)
    reference = ma.fields.String(required=True, allow_none=True)
    recorded_by = ma.fields.String(required=True, metadata={"description": "seller, buyer or staff"})
    recorded_at = Timestamp(required=True)
    reverses_id = ma.fields.UUID(required=True, allow_none=True)
    reason = ma.fields.String(required=True, allow_none=True)


class InvoiceSchema(ma.Schema):
    """An invoice. `payer` is the side that owes its sum; a `gross` below 0 is a credit note of the creditor."""

    id = ma.fields.UUID(required=True)
    contract_id = ma.fields.UUID(required=True)
    contract_number = ma.fields.String(required=True)
    number = ma.fields.Integer(required=True)
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(list(InvoiceKind)))
    period = ma.fields.String(required=True)
    creditor = ma.fields.String(required=True)
    payer = ma.fields.String(required=True)
    currency = ma.fields.String(required=True)
    net = DecimalText(required=True, minimum=None)
    vat = DecimalText(required=True, minimum=None)
    gross = DecimalText(required=True, minimum=None)
    unpaid = DecimalText(required=True)
    issued_on = ma.fields.Date(required=True)
    due_on = ma.fields.Date(required=True)
    about_id = ma.fields.UUID(required=True, allow_none=True, metadata={"description": "Of interest: what was late"})
    claim_id = ma.fields.UUID(required=True, allow_none=True, metadata={"description": "Of an award: the claim"})
    terms_hash = ma.fields.String(required=True)
    inputs_hash = ma.fields.String(required=True)
    lines = ma.fields.List(ma.fields.Nested(InvoiceLineSchema), required=True)
    vat_step = ma.fields.Nested(WorkingStepSchema, required=True, allow_none=True)
    payments = ma.fields.List(ma.fields.Nested(PaymentSchema), required=True)


class InvoiceArguments(PageArguments):
    kind = ma.fields.String(load_default=None, validate=ma.validate.OneOf(list(InvoiceKind)))


class InvoiceInputsSchema(ma.Schema):
    """All that an invoice was made from; `inputs_hash` is the SHA-256 of its canonical JSON (RFC 8785)."""

    inputs = ma.fields.Dict(keys=ma.fields.String(), required=True)
    inputs_hash = ma.fields.String(required=True)


class NewPaymentSchema(ma.Schema):
    """What was paid, on which day."""

    amount = DecimalText(required=True, places=2)
    paid_on = ma.fields.Date(required=True)
    reference = Text(load_default=None, allow_none=True, most=200)


class TakeBackSchema(ma.Schema):
    """Why a record was wrong."""

    reason = Text(required=True)


class StatementSchema(ma.Schema):
    """A year as it was told: lots as numbers, money as text without tax, with the steps."""

    id = ma.fields.UUID(required=True)
    contract_id = ma.fields.UUID(required=True)
    year = ma.fields.Integer(required=True)
    revision = ma.fields.Integer(required=True)
    issued_on = ma.fields.Date(required=True)
    terms_hash = ma.fields.String(required=True)
    inputs_hash = ma.fields.String(required=True)
    outcome = ma.fields.Dict(keys=ma.fields.String(), required=True)


class PeriodPositionSchema(ma.Schema):
    """Where the year stands at the end of a line of the schedule, in lots."""

    period = ma.fields.String(required=True)
    scheduled = ma.fields.Integer(required=True)
    excused = ma.fields.Integer(required=True)
    taken = ma.fields.Integer(required=True)
    scheduled_so_far = ma.fields.Integer(required=True)
    excused_so_far = ma.fields.Integer(required=True)
    taken_so_far = ma.fields.Integer(required=True)
    obligation = ma.fields.Integer(required=True)
    short = ma.fields.Integer(required=True)
    beyond = ma.fields.Integer(required=True)
    step = ma.fields.Nested(WorkingStepSchema, required=True)


class YearPositionSchema(ma.Schema):
    """The lines of the present calendar year; none where the contract has no take-or-pay."""

    items = ma.fields.List(ma.fields.Nested(PeriodPositionSchema), required=True)


class WaitingSchema(ma.Schema):
    period = ma.fields.String(required=True)
    why = ma.fields.Nested(WorkingStepSchema, required=True)


class IssuedSchema(ma.Schema):
    """What was issued now, and what holds the rest back."""

    invoices = ma.fields.List(ma.fields.UUID(), required=True)
    statements = ma.fields.Integer(required=True)
    waiting = ma.fields.List(ma.fields.Nested(WaitingSchema), required=True)


class ReplayedSchema(ma.Schema):
    """One document with something to say."""

    contract = ma.fields.String(required=True)
    document = ma.fields.Nested(WorkingStepSchema, required=True)
    differences = ma.fields.List(ma.fields.Nested(WorkingStepSchema), required=True)
    changed = ma.fields.List(ma.fields.Nested(WorkingStepSchema), required=True)


class ReplaySchema(ma.Schema):
    """All documents of a contract computed again; `same` if every one comes out to the cent."""

    count = ma.fields.Integer(required=True)
    same = ma.fields.Boolean(required=True)
    found = ma.fields.List(ma.fields.Nested(ReplayedSchema), required=True)


class IndexFixingSchema(ma.Schema):
    """What is known of an index for a day, as quoted; of a day the highest revision counts."""

    id = ma.fields.Integer(dump_only=True)
    index = Text(required=True, most=100, attribute="index_code")
    day = ma.fields.Date(required=True)
    kind = ma.fields.Enum(FixingKind, by_value=True, load_default=FixingKind.PUBLISHED)
    value = DecimalText(load_default=None, allow_none=True)
    quoted_tax = DecimalText(
        load_default=None,
        allow_none=True,
        maximum=1,
        metadata={"description": "Rate of tax inside the value, 0 if left out"},
    )
    source = Text(required=True)
    reason = Text(load_default=None, allow_none=True)
    revision = ma.fields.Integer(dump_only=True)
    loaded_at = Timestamp(dump_only=True)


class FixingArguments(PageArguments):
    index = Text(load_default=None, most=100)
    first = ma.fields.Date(load_default=None)
    last = ma.fields.Date(load_default=None)
    history = ma.fields.Boolean(
        load_default=False, metadata={"description": "All revisions, not only those that count"}
    )


def shown_invoice(invoice: Invoice) -> dict[str, Any]:
    """The members of `InvoiceSchema`."""
    own = {name: getattr(invoice, name) for name in InvoiceSchema().fields if name != "contract_number"}
    return own | {"contract_number": invoice.contract.number, "kind": invoice.kind.value}


def shown_position(one: PeriodPosition) -> dict[str, Any]:
    """The members of `PeriodPositionSchema`."""
    own = {name: getattr(one, name) for name in PeriodPositionSchema().fields}
    return own | {"period": str(one.period)}
