"""Settlement: invoices with their working, payments, the statement of a year; for parties, platform and regulator."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import Principal, principal, requires
from app.clock import clock, today
from app.db import session
from app.errors import Conflict, Forbidden, Refused
from app.models import Contract, Invoice, InvoiceKind
from app.operations import contracts, invoice_writing, invoicing, pages, payments, statements
from app.operations.replay import replay
from app.permissions import Permission
from app.web.form_fields import FormFields
from app.web.formats import in_words
from app.web.paging import page_of
from app.web.texts import _, ngettext
from contracts.working import total

blueprint = Blueprint("settlement", __name__)
LONGEST_REFERENCE, LONGEST_REASON = 200, 500
MOST_TOLD = 5


def section(contract: Contract, who: Principal) -> dict[str, Any] | None:
    """Invoices, the present year under take-or-pay, years told; nothing before the contract was ever in force."""
    if contract.state not in statements.TOLD_STATES:
        return None
    rows = invoice_writing.invoices_of(session(), contract_id=contract.id)
    return {
        "rows": rows,
        "gross": total(row.gross if row.creditor == "seller" else -row.gross for row in rows),
        "unpaid": {side: total(row.unpaid for row in rows if row.payer == side) for side in ("buyer", "seller")},
        "position": statements.position_of(session(), contract=contract, on=today()),
        "today": today(),
        "year": today().year,
        "years": statements.statements_of(session(), contract_id=contract.id),
        "may_run": who.may(Permission.SETTLEMENT_RUN),
    }


@blueprint.get("/invoices")
@requires(Permission.CONTRACT_READ)
def listing() -> ResponseReturnValue:
    """The invoices of all contracts that the asker may read, newest first."""
    select = invoice_writing.visible_invoices(principal())
    if (kind := request.args.get("kind")) in set(InvoiceKind):
        select = select.where(Invoice.kind == kind)
    found = page_of(session(), select, order=(Invoice.created_at, Invoice.id))
    return render_template("invoices.html", page=found, kinds=list(InvoiceKind), today=today())


@blueprint.get("/invoices/<uuid:invoice_id>")
@requires(Permission.CONTRACT_READ)
def show(invoice_id: uuid.UUID) -> ResponseReturnValue:
    """One invoice, step by step, as it is printed."""
    return _invoice_page(invoice_id, {}, {})


@blueprint.post("/invoices/<uuid:invoice_id>/payments")
@requires(Permission.PAYMENT_RECORD)
def pay(invoice_id: uuid.UUID) -> ResponseReturnValue:
    """Record a payment."""
    invoice_writing.find_invoice(session(), principal=principal(), invoice_id=invoice_id)
    fields = FormFields(request.form)
    amount, paid_on = fields.decimal("amount"), fields.day("paid_on", required=True)
    reference = fields.text("reference", most=LONGEST_REFERENCE)
    if amount is not None and amount != amount.quantize(Decimal("0.01")):
        fields.errors["amount"] = _("Two decimals at most are expected.")
    if fields.errors or amount is None or paid_on is None:
        return _invoice_page(invoice_id, fields.errors, request.form), 422
    try:
        with session().begin_nested():
            payments.record_payment(
                session(),
                principal=principal(),
                invoice_id=invoice_id,
                amount=amount,
                paid_on=paid_on,
                reference=reference,
                now=clock(),
            )
    except Refused as refusal:
        errors = {refusal.field or "amount": in_words(refusal.text.zh, refusal.text.en)}
        return _invoice_page(invoice_id, errors, request.form), 422
    flash(_("The payment is recorded."), "success")
    return redirect(url_for("settlement.show", invoice_id=invoice_id), 303)


@blueprint.post("/invoices/<uuid:invoice_id>/payments/<uuid:payment_id>/take-back")
@requires(Permission.PAYMENT_RECORD)
def take_back(invoice_id: uuid.UUID, payment_id: uuid.UUID) -> ResponseReturnValue:
    """Take the record of a payment back."""
    invoice_writing.find_invoice(session(), principal=principal(), invoice_id=invoice_id)
    fields = FormFields(request.form)
    reason = fields.text("reason", most=LONGEST_REASON, required=True)
    if fields.errors or reason is None:
        return _invoice_page(invoice_id, fields.errors, request.form), 422
    try:
        with session().begin_nested():
            payments.take_back(
                session(),
                principal=principal(),
                invoice_id=invoice_id,
                payment_id=payment_id,
                reason=reason,
                now=clock(),
            )
    except (Conflict, Forbidden) as refusal:
        flash(in_words(refusal.text.zh, refusal.text.en), "danger")
    else:
        flash(_("The record is taken back."), "success")
    return redirect(url_for("settlement.show", invoice_id=invoice_id), 303)


@blueprint.get("/statements/<uuid:statement_id>")
@requires(Permission.CONTRACT_READ)
def statement(statement_id: uuid.UUID) -> ResponseReturnValue:
    """The statement of one year, step by step, as it is printed."""
    found = statements.find_statement(session(), principal=principal(), statement_id=statement_id)
    contract = contracts.find_contract(session(), principal=principal(), contract_id=found.contract_id)
    return render_template("year_statement.html", statement=found, contract=contract, lot=found.inputs["lot"])


@blueprint.post("/contracts/<uuid:contract_id>/settlement")
@requires(Permission.SETTLEMENT_RUN)
def issue(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Issue what is due now, and say what waits."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    issued = invoicing.issue_due(session(), contract_id=contract.id, now=clock())
    count = len(issued.invoices)
    flash(ngettext("%(num)d invoice is issued.", "%(num)d invoices are issued.", count), "success" if count else "info")
    for one in issued.waiting[:MOST_TOLD]:
        flash(f"{one.period}: {in_words(one.why.zh, one.why.en)}"[:500], "danger")
    return redirect(url_for("contracts.show", contract_id=contract.id, _anchor="settlement"), 303)


@blueprint.get("/contracts/<uuid:contract_id>/replay")
@requires(Permission.SETTLEMENT_RUN)
def show_replay(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Every invoice and statement of a contract, computed again."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    return render_template("replay.html", contract=contract, replay=replay(session(), contract_id=contract.id))


def _invoice_page(invoice_id: uuid.UUID, errors: Mapping[str, str], values: Mapping[str, str]) -> str:
    found = invoice_writing.find_invoice(session(), principal=principal(), invoice_id=invoice_id)
    side = payments.recorder(principal(), found.contract)
    return render_template(
        "invoice.html",
        invoice=found,
        contract=found.contract,
        product=pages.products_by_code(session()).get(found.contract.terms.get("product", "")),
        side=side,
        taken_back={one.reverses_id for one in found.payments},
        errors=errors,
        values=values,
        today=today(),
    )
