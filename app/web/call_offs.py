"""Deliveries: a contract's schedule against what was called and delivered, and the forms of every step."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import Principal, principal, requires
from app.clock import clock, today
from app.db import session
from app.errors import Conflict, Refused
from app.models import CallOff, Contract
from app.operations import assays, call_offs, contracts, nominations, pages, quantities, shipments
from app.operations.assays import Reading
from app.operations.nominations import Wish
from app.permissions import Permission
from app.web.delivery_rows import LONGEST_NOTE, months_of, reasons_of, timeline_of
from app.web.form_fields import FormFields
from app.web.formats import in_words
from app.web.paging import page_of
from app.web.schedule_chart import schedule_chart
from app.web.signing import tell_refusal
from app.web.texts import _
from contracts.reasons import ReasonGroup, codes_of
from contracts.state import STATES, Subject
from contracts.wording import Text

blueprint = Blueprint("call_offs", __name__)
DELIVERING = ("effective", "suspended", "fulfilled", "expired", "terminated")
CHANGED = Text(
    "页面打开后该交货已有变动，请核对后重试", "the call-off has changed since the page was opened; look at it again"
)


ALL_ON_RECORD = dt.date.max  # a demonstration's clock runs ahead of ours


def section(contract: Contract, who: Principal) -> dict[str, Any] | None:
    """The schedule against deliveries and the call-offs; nothing before the contract is in force."""
    if contract.state not in DELIVERING:
        return None
    rows = quantities.of_contract(session(), contract=contract)
    standing = quantities.quantities(session(), contract=contract, on=ALL_ON_RECORD, call_offs=rows)
    return {
        "standing": standing,
        "chart": schedule_chart(standing),
        "rows": list(rows),
        "may_call": _may_call(contract, who),
    }


@blueprint.get("/call-offs")
@requires(Permission.CONTRACT_READ)
def listing() -> ResponseReturnValue:
    """The call-offs of all contracts that the asker may read, newest first."""
    select = call_offs.visible_call_offs(principal())
    if (state := request.args.get("state")) in {one.name for one in STATES[Subject.CALL_OFF]}:
        select = select.where(CallOff.state == state)
    found = page_of(session(), select, order=(CallOff.created_at, CallOff.id))
    states = [one.name for one in STATES[Subject.CALL_OFF]]
    return render_template("call_offs.html", page=found, states=states)


@blueprint.get("/contracts/<uuid:contract_id>/call-offs/new")
@requires(Permission.CALL_OFF_MOVE)
def form(contract_id: uuid.UUID) -> ResponseReturnValue:
    """What may be called, month by month, and the form for it."""
    return _form(contract_id, {}, {})


@blueprint.post("/contracts/<uuid:contract_id>/call-offs/new")
@requires(Permission.CALL_OFF_MOVE)
def call(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Nominate lots for a month, or forecast them."""
    fields = FormFields(request.form)
    month = fields.text("month", most=7, required=True) or ""
    wish = _wish(fields)
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    if month not in {one.label for one in months_of(session(), contract, today())}:
        fields.errors.setdefault("month", _("Choose a month."))
    if fields.errors:
        return _form(contract_id, fields.errors, request.form), 422
    try:
        with session().begin_nested():
            made = nominations.call(
                session(),
                principal=principal(),
                contract_id=contract_id,
                month=month,
                wish=wish,
                nominate_now=request.form.get("action") != "forecast",
                now=clock(),
            )
    except (Refused, Conflict) as refusal:
        place = refusal.field if isinstance(refusal, Refused) else None
        told = in_words(refusal.text.zh, refusal.text.en)
        return _form(contract_id, {place or "lots": told}, request.form), 409 if place is None else 422
    flash(_("The call-off is recorded."), "success")
    return redirect(url_for("call_offs.show", call_off_id=made.id), 303)


@blueprint.get("/call-offs/<uuid:call_off_id>")
@requires(Permission.CONTRACT_READ)
def show(call_off_id: uuid.UUID) -> ResponseReturnValue:
    """One call-off: its lots at every step, its goods and assays, its course, and what the reader may do."""
    return _page(call_off_id, {}, {})


@blueprint.post("/call-offs/<uuid:call_off_id>/revise")
@requires(Permission.CALL_OFF_MOVE)
def revise(call_off_id: uuid.UUID) -> ResponseReturnValue:
    """Change what is forecast or nominated."""
    fields = FormFields(request.form)
    return _act(call_off_id, nominations.revise, fields, {"wish": _wish(fields)})


@blueprint.post("/call-offs/<uuid:call_off_id>/nominate")
@requires(Permission.CALL_OFF_MOVE)
def nominate(call_off_id: uuid.UUID) -> ResponseReturnValue:
    """Nominate what was forecast."""
    fields = FormFields(request.form)
    return _act(call_off_id, nominations.nominate, fields, {"lots": fields.lots()})


@blueprint.post("/call-offs/<uuid:call_off_id>/cancel")
@requires(Permission.CALL_OFF_MOVE)
def cancel(call_off_id: uuid.UUID) -> ResponseReturnValue:
    """Take a forecast or a nomination back."""
    fields = FormFields(request.form)
    return _act(call_off_id, nominations.cancel, fields, {"note": fields.text("note", most=LONGEST_NOTE)})


@blueprint.post("/call-offs/<uuid:call_off_id>/confirm")
@requires(Permission.CALL_OFF_MOVE)
def confirm(call_off_id: uuid.UUID) -> ResponseReturnValue:
    """Confirm, whole or in part."""
    fields = FormFields(request.form)
    found = {
        "lots": fields.lots(),
        "promised_on": fields.day("promised_on"),
        "reason_code": fields.text("reason_code", most=40),
        "note": fields.text("note", most=LONGEST_NOTE),
    }
    return _act(call_off_id, shipments.confirm, fields, found)


@blueprint.post("/call-offs/<uuid:call_off_id>/refuse")
@requires(Permission.CALL_OFF_MOVE)
def refuse(call_off_id: uuid.UUID) -> ResponseReturnValue:
    """Refuse, with a reason."""
    return _with_reason(call_off_id, shipments.refuse, ReasonGroup.SHORT_CONFIRMATION)


@blueprint.post("/call-offs/<uuid:call_off_id>/ship")
@requires(Permission.CALL_OFF_MOVE)
def ship(call_off_id: uuid.UUID) -> ResponseReturnValue:
    """Ship, whole or in part."""
    fields = FormFields(request.form)
    found = {
        "lots": fields.lots(),
        "shipped_on": fields.day("shipped_on", required=True),
        "transport_document": fields.text("transport_document", most=100, required=True),
        "certificate": fields.text("certificate", most=100, required=True),
        "carrier": fields.text("carrier", most=200),
    }
    return _act(call_off_id, shipments.ship, fields, found)


@blueprint.post("/call-offs/<uuid:call_off_id>/receive")
@requires(Permission.CALL_OFF_MOVE)
def receive(call_off_id: uuid.UUID) -> ResponseReturnValue:
    """Receive what has arrived."""
    fields = FormFields(request.form)
    found = {
        "lots": fields.lots(),
        "received_on": fields.day("received_on", required=True),
        "note": fields.text("note", most=LONGEST_NOTE),
    }
    return _act(call_off_id, shipments.receive, fields, found)


@blueprint.post("/call-offs/<uuid:call_off_id>/assays")
@requires(Permission.CALL_OFF_MOVE)
def record_assays(call_off_id: uuid.UUID) -> ResponseReturnValue:
    """Hand in the side's results."""
    return _record(call_off_id)


@blueprint.post("/call-offs/<uuid:call_off_id>/umpire")
@requires(Permission.ASSAY_UMPIRE)
def record_umpire(call_off_id: uuid.UUID) -> ResponseReturnValue:
    """Record the umpire's results."""
    return _record(call_off_id)


@blueprint.post("/call-offs/<uuid:call_off_id>/reject")
@requires(Permission.CALL_OFF_MOVE)
def reject(call_off_id: uuid.UUID) -> ResponseReturnValue:
    """Reject goods beyond the limit, with a reason."""
    return _with_reason(call_off_id, assays.reject, ReasonGroup.REJECT_DELIVERY)


def _may_call(contract: Contract, who: Principal) -> bool:
    buys = who.firm_id == contract.buyer_firm_id
    return buys and contract.state == "effective" and who.may(Permission.CALL_OFF_MOVE)


def _form(contract_id: uuid.UUID, errors: Mapping[str, str], values: Mapping[str, str]) -> str:
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    return render_template(
        "call_off_form.html",
        contract=contract,
        months=months_of(session(), contract, today()),
        standing=quantities.quantities(session(), contract=contract, on=ALL_ON_RECORD),
        may_call=_may_call(contract, principal()),
        errors=errors,
        values=values,
    )


def _page(call_off_id: uuid.UUID, errors: Mapping[str, str], values: Mapping[str, str]) -> str:
    who = principal()
    call_off = call_offs.find_call_off(session(), principal=who, call_off_id=call_off_id)
    steps = call_offs.steps(session(), principal=who, call_off=call_off)
    names = pages.names_of_people(session(), (step.user_id for step in steps))
    product = call_off.contract.terms["product"]
    return render_template(
        "call_off.html",
        call_off=call_off,
        contract=call_off.contract,
        product=pages.products_by_code(session()).get(product),
        attributes=pages.attributes_by_code(session(), product_code=product),
        lot=quantities.agreed_terms(session(), contract=call_off.contract).lot,
        quality=assays.standings(session(), principal=who, call_off=call_off),
        open_attributes=assays.open_attributes(session(), principal=who, call_off=call_off),
        open_moves=call_offs.open_moves(call_off, who),
        may_reject=assays.is_rejectable(session(), principal=who, call_off=call_off),
        is_umpire=who.firm_id is None,
        short_reasons=reasons_of(ReasonGroup.SHORT_CONFIRMATION),
        reject_reasons=reasons_of(ReasonGroup.REJECT_DELIVERY),
        events=timeline_of(steps, names),
        today=today(),
        errors=errors,
        values=values,
    )


def _wish(fields: FormFields) -> Wish:
    return {
        "lots": fields.lots(),
        "wanted_on": fields.day("wanted_on"),
        "place": fields.text("place", most=500),
        "remarks": fields.text("remarks", most=LONGEST_NOTE),
    }


def _with_reason(call_off_id: uuid.UUID, operation: Callable[..., CallOff], group: ReasonGroup) -> ResponseReturnValue:
    fields = FormFields(request.form)
    found = {
        "reason_code": fields.choice("reason_code", codes_of(group)),
        "note": fields.text("note", most=LONGEST_NOTE),
    }
    return _act(call_off_id, operation, fields, found)


def _record(call_off_id: uuid.UUID) -> ResponseReturnValue:
    fields = FormFields(request.form)
    call_off = call_offs.find_call_off(session(), principal=principal(), call_off_id=call_off_id)
    laboratory = fields.text("laboratory", most=200, required=True)
    certificate = fields.text("certificate", most=100, required=True)
    day = fields.day("assayed_on", required=True)
    terms = assays.open_attributes(session(), principal=principal(), call_off=call_off)
    values = {one.attribute: fields.decimal(f"value-{one.attribute}") for one in terms}
    if fields.errors:
        return _page(call_off_id, fields.errors, request.form), 422
    readings = [
        Reading(
            attribute=attribute,
            value=value,
            laboratory=cast("str", laboratory),
            certificate=cast("str", certificate),
            assayed_on=cast("dt.date", day),
        )
        for attribute, value in values.items()
        if value is not None
    ]
    return _act(call_off_id, assays.record, fields, {"readings": readings})


def _act(
    call_off_id: uuid.UUID, operation: Callable[..., CallOff], fields: FormFields, found: Mapping[str, Any]
) -> ResponseReturnValue:
    """Make one move, or show the page again with what stood in the way."""
    if fields.errors:
        return _page(call_off_id, fields.errors, request.form), 422
    try:
        with session().begin_nested():
            _expect_version(call_off_id)
            operation(session(), principal=principal(), call_off_id=call_off_id, now=clock(), **found)
    except Refused as refusal:
        return _page(
            call_off_id, {refusal.field or "lots": in_words(refusal.text.zh, refusal.text.en)}, request.form
        ), 422
    except Conflict as refusal:
        tell_refusal(refusal)
        return redirect(url_for("call_offs.show", call_off_id=call_off_id), 303)
    flash(_("Recorded."), "success")
    return redirect(url_for("call_offs.show", call_off_id=call_off_id), 303)


def _expect_version(call_off_id: uuid.UUID) -> None:
    """:raises Conflict: somebody moved the call-off after this form was shown."""
    call_off = call_offs.find_call_off(session(), principal=principal(), call_off_id=call_off_id)
    call_offs.hold(session(), call_off.contract)
    session().refresh(call_off)
    if request.form.get("version") != str(call_off.version):
        raise Conflict(CHANGED)
