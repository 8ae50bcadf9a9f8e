"""Settlement by API: invoices with their working and inputs, payments, years, replay; fixings of indices."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import marshmallow as ma
from flask import request
from webargs.flaskparser import abort

from app.api import settlement_schemas as schemas
from app.api.conventions import ApiBlueprint
from app.api.idempotency import idempotent
from app.api.paging import Page, PageArguments, page, page_of
from app.api.reference_schemas import BulkSchema
from app.api.refusals import refuses
from app.api.versions import show_version
from app.auth import principal, requires
from app.clock import clock, today
from app.db import session
from app.models import IndexFixing, Invoice, YearStatement
from app.operations import contracts, fixing_file, fixings, invoice_writing, invoicing, payments, statements
from app.operations.fixings import FixingRow
from app.operations.reference_data import RowResult
from app.operations.replay import replay
from app.permissions import Permission

Fields = dict[str, Any]
of_contract = ApiBlueprint(
    "settlement", __name__, path="/contracts", description="Settlement of a contract: what is due, years, replay"
)
invoices = ApiBlueprint("invoices", __name__, path="/invoices", description="Invoices with their working; payments")
index_fixings = ApiBlueprint(
    "index_fixings", __name__, path="/index-fixings", description="Fixings of indices that money is settled by"
)
INVOICE_PAGE = page_of(schemas.InvoiceSchema)
BLUEPRINTS = (of_contract, invoices, index_fixings)


@of_contract.get("/<uuid:contract_id>/invoices")
@requires(Permission.CONTRACT_READ)
@of_contract.arguments(schemas.InvoiceArguments, location="query")
@refuses(of_contract, 404)
@of_contract.response(200, INVOICE_PAGE)
def list_of_contract(arguments: Fields, contract_id: uuid.UUID) -> Page[Fields]:
    """The invoices of a contract, the newest first."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    return _page(arguments, Invoice.contract_id == contract.id)


@of_contract.get("/<uuid:contract_id>/statements")
@requires(Permission.CONTRACT_READ)
@of_contract.arguments(PageArguments, location="query")
@refuses(of_contract, 404)
@of_contract.response(200, page_of(schemas.StatementSchema))
def list_statements(arguments: Fields, contract_id: uuid.UUID) -> Page[YearStatement]:
    """The years of a contract as they were told, every revision, the newest first."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    select = statements.visible_statements(principal()).where(YearStatement.contract_id == contract.id)
    order = (YearStatement.created_at, YearStatement.id)
    return page(session(), select, order=order, descending=True, **arguments)


@of_contract.get("/<uuid:contract_id>/take-or-pay")
@requires(Permission.CONTRACT_READ)
@refuses(of_contract, 404)
@of_contract.response(200, schemas.YearPositionSchema)
def get_position(contract_id: uuid.UUID) -> Fields:
    """Where the present year stands under take-or-pay, period by period. It binds nobody until the year is over."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    found = statements.position_of(session(), contract=contract, on=today())
    return {"items": [schemas.shown_position(one) for one in found]}


@of_contract.post("/<uuid:contract_id>/invoices/issue")
@requires(Permission.SETTLEMENT_RUN)
@idempotent
@refuses(of_contract, 404)
@of_contract.response(200, schemas.IssuedSchema)
def issue(contract_id: uuid.UUID) -> Fields:
    """Issue now what is due under a contract, as the nightly job does."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    issued = invoicing.issue_due(session(), contract_id=contract.id, now=clock())
    return {
        "invoices": [invoice.id for invoice in issued.invoices],
        "statements": issued.statements,
        "waiting": issued.waiting,
    }


@of_contract.get("/<uuid:contract_id>/replay")
@requires(Permission.SETTLEMENT_RUN)
@refuses(of_contract, 404)
@of_contract.response(200, schemas.ReplaySchema)
def get_replay(contract_id: uuid.UUID) -> Any:
    """Compute every invoice and statement of a contract again, and name the facts that have changed since."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    return replay(session(), contract_id=contract.id)


@invoices.get("")
@requires(Permission.CONTRACT_READ)
@invoices.arguments(schemas.InvoiceArguments, location="query")
@invoices.response(200, INVOICE_PAGE)
def list_invoices(arguments: Fields) -> Page[Fields]:
    """The invoices of all contracts that you may read, the newest first."""
    return _page(arguments)


@invoices.get("/<uuid:invoice_id>")
@requires(Permission.CONTRACT_READ)
@refuses(invoices, 404)
@invoices.response(200, schemas.InvoiceSchema)
def get_invoice(invoice_id: uuid.UUID) -> Fields:
    """One invoice with its lines, their working, and its payments."""
    return _answer(invoice_writing.find_invoice(session(), principal=principal(), invoice_id=invoice_id))


@invoices.get("/<uuid:invoice_id>/inputs")
@requires(Permission.CONTRACT_READ)
@refuses(invoices, 404)
@invoices.response(200, schemas.InvoiceInputsSchema)
def get_inputs(invoice_id: uuid.UUID) -> Invoice:
    """All that an invoice was made from: terms, fixings, consignments with their assays, what was said before."""
    found = invoice_writing.find_invoice(session(), principal=principal(), invoice_id=invoice_id)
    show_version("invoice inputs", found.id)
    return found


@invoices.post("/<uuid:invoice_id>/payments")
@requires(Permission.PAYMENT_RECORD)
@idempotent
@invoices.arguments(schemas.NewPaymentSchema)
@refuses(invoices, 403, 404, 422)
@invoices.response(200, schemas.InvoiceSchema)
def record_payment(payment: Fields, invoice_id: uuid.UUID) -> Fields:
    """Record that money moved for an invoice; the answer is the invoice with it."""
    return _answer(
        payments.record_payment(session(), principal=principal(), invoice_id=invoice_id, now=clock(), **payment)
    )


@invoices.post("/<uuid:invoice_id>/payments/<uuid:payment_id>/take-back")
@requires(Permission.PAYMENT_RECORD)
@idempotent
@invoices.arguments(schemas.TakeBackSchema)
@refuses(invoices, 403, 404, 409, 422)
@invoices.response(200, schemas.InvoiceSchema)
def take_back(why: Fields, invoice_id: uuid.UUID, payment_id: uuid.UUID) -> Fields:
    """Take a record of a payment back that was made in error."""
    return _answer(
        payments.take_back(
            session(), principal=principal(), invoice_id=invoice_id, payment_id=payment_id, now=clock(), **why
        )
    )


@index_fixings.get("")
@requires(Permission.REFERENCE_READ)
@index_fixings.arguments(schemas.FixingArguments, location="query")
@index_fixings.response(200, page_of(schemas.IndexFixingSchema))
def list_fixings(arguments: Fields) -> Page[IndexFixing]:
    """Fixings in the order in which they were loaded, the newest first; with `history` also those corrected since."""
    select = fixings.visible_fixings(all_revisions=arguments.pop("history"))
    index, first, last = (arguments.pop(name) for name in ("index", "first", "last"))
    if index is not None:
        select = select.where(IndexFixing.index_code == index)
    if first is not None:
        select = select.where(IndexFixing.day >= first)
    if last is not None:
        select = select.where(IndexFixing.day <= last)
    return page(session(), select, order=(IndexFixing.id,), descending=True, **arguments)


@index_fixings.post("")
@requires(Permission.FIXING_LOAD)
@idempotent
@index_fixings.arguments(schemas.IndexFixingSchema)
@refuses(index_fixings, 403, 422)
@index_fixings.response(200, schemas.IndexFixingSchema)
def record_fixing(fixing: Fields) -> IndexFixing:
    """Record what is known of an index for a day.

    The same again changes nothing. A correction, a withdrawal and a determination take a reason, and somebody who may
    decide on fixings.
    """
    row = _row(fixing)
    fixings.record(session(), principal=principal(), row=row, now=clock())
    return fixings.newest_of(session(), index=row.index, day=row.day)


@index_fixings.post("/bulk")
@requires(Permission.FIXING_LOAD)
@index_fixings.doc(
    description="A JSON list, or a CSV with the same names in its first row. Nothing is written if a row is bad.",
    requestBody={
        "required": True,
        "content": {
            "application/json": {"schema": schemas.IndexFixingSchema(many=True)},
            "text/csv": {"schema": {"type": "string"}},
        },
    },
)
@refuses(index_fixings, 415, 422)
@index_fixings.response(200, BulkSchema)
def record_bulk() -> Fields:
    """Record many fixings, one result per row."""
    rows, results = _rows()
    with session().begin_nested() as savepoint:
        results += fixings.record_each(session(), principal=principal(), rows=rows, now=clock())
        written = not any(result.faults for result in results)
        if not written:
            savepoint.rollback()
    return {"written": written, "rows": [_result(one) for one in sorted(results, key=lambda found: found.row)]}


def _rows() -> tuple[list[tuple[int, FixingRow]], list[RowResult]]:
    """The good rows of the body by its media type, and what is wrong with the others."""
    if request.mimetype == "text/csv":
        return fixing_file.read(request.get_data()), []
    if request.mimetype != "application/json":
        abort(415, message=f"found {request.mimetype or 'no media type'}; expected application/json or text/csv")
    body = request.get_json(silent=True)
    if not isinstance(body, list) or len(body) > fixing_file.MOST_ROWS:
        abort(422, message=f"the body is no JSON list of at most {fixing_file.MOST_ROWS} rows; expected one")
    schema, rows, bad = schemas.IndexFixingSchema(), [], []
    for number, one in enumerate(body, start=1):
        try:
            rows.append((number, _row(schema.load(one))))
        except ma.ValidationError as error:
            messages = error.messages if isinstance(error.messages, dict) else {"": error.messages}
            texts = {str(name): [str(text) for text in found] for name, found in messages.items()}
            bad.append(RowResult(number, faults=texts))
    return rows, bad


def _row(fields: Fields) -> FixingRow:
    given = dict(fields)
    tax = given.pop("quoted_tax")
    return FixingRow(index=given.pop("index_code"), quoted_tax=Decimal(0) if tax is None else tax, **given)


def _result(result: RowResult) -> Fields:
    return {
        "row": result.row,
        "outcome": result.outcome.value if result.outcome else "rejected",
        "faults": [{"field": name, "detail": text} for name, found in result.faults.items() for text in found],
    }


def _page(arguments: Fields, *conditions: Any) -> Page[Fields]:
    select = invoice_writing.visible_invoices(principal()).where(*conditions)
    if (kind := arguments.pop("kind")) is not None:
        select = select.where(Invoice.kind == kind)
    found = page(session(), select, order=(Invoice.created_at, Invoice.id), descending=True, **arguments)
    return Page([schemas.shown_invoice(one) for one in found.items], found.next)


def _answer(invoice: Invoice) -> Fields:
    show_version("invoice", invoice.id, len(invoice.payments))
    return schemas.shown_invoice(invoice)
