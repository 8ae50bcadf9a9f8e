"""Fixings of market indices: what money is settled by; staff load, correct and determine them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock, today
from app.db import session
from app.errors import Forbidden, Refused
from app.models import FixingKind, IndexFixing
from app.operations import fixing_file, fixings
from app.operations.fixings import FixingRow
from app.permissions import Permission
from app.web.form_fields import FormFields
from app.web.formats import in_words, named
from app.web.paging import page_of
from app.web.terms_words import fault_text
from app.web.texts import _
from market.errors import BadInput

blueprint = Blueprint("fixings", __name__)
LONGEST_TEXT = 500


@blueprint.get("/fixings")
@requires(Permission.REFERENCE_READ)
def listing() -> ResponseReturnValue:
    """The fixings as they were loaded, the newest first; those corrected since only if asked for."""
    return _page({}, {})


@blueprint.post("/fixings")
@requires(Permission.FIXING_LOAD)
def record() -> ResponseReturnValue:
    """Record what is known of an index for a day."""
    fields = FormFields(request.form)
    row = _row(fields)
    if row is None:
        return _page(fields.errors, request.form), 422
    try:
        with session().begin_nested():
            fixings.record(session(), principal=principal(), row=row, now=clock())
    except Refused as refusal:
        return _page({refusal.field or "value": in_words(refusal.text.zh, refusal.text.en)}, request.form), 422
    except Forbidden as refusal:
        return _page({"kind": in_words(refusal.text.zh, refusal.text.en)}, request.form), 403
    flash(_("Recorded. What was known before stays in the history."), "success")
    return redirect(url_for("fixings.listing", index=row.index), 303)


@blueprint.post("/fixings/upload")
@requires(Permission.FIXING_LOAD)
def upload() -> ResponseReturnValue:
    """Load a CSV: all of its rows, or none."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        return _page({"file": _("Choose a file first.")}, {}), 422
    try:
        rows = fixing_file.read(sent.read(fixing_file.LARGEST_FILE + 1))
    except BadInput as bad:
        told = [f"{one.row or ''} {one.column or ''}: {fault_text(one)}".strip() for one in bad.faults]
        return _page({"file": "; ".join(told[:10])}, {}), 422
    with session().begin_nested() as savepoint:
        results = fixings.record_each(session(), principal=principal(), rows=rows, now=clock())
        faults = [f"{one.row}: {in_words(one.told.zh, one.told.en)}" for one in results if one.told]
        if faults:
            savepoint.rollback()
    if faults:
        return _page({"file": "; ".join(faults[:10])}, {}), 422
    counts = fixings.counts_of(results)
    flash(
        _(
            "%(new)s new, %(corrected)s corrected, %(known)s known already.",
            new=counts.created,
            corrected=counts.changed,
            known=counts.unchanged,
        ),
        "success",
    )
    return redirect(url_for("fixings.listing"), 303)


def _row(fields: FormFields) -> FixingRow | None:
    """What the form says; None where it has faults."""
    index = fields.text("index", most=100, required=True)
    day = fields.day("day", required=True)
    kind = fields.choice("kind", tuple(FixingKind))
    source = fields.text("source", most=LONGEST_TEXT, required=True)
    reason = fields.text("reason", most=LONGEST_TEXT)
    has_value = kind in {FixingKind.PUBLISHED, FixingKind.DETERMINED}
    value = fields.decimal("value") if has_value else None
    tax = _tax(fields)
    if fields.errors or index is None or day is None or kind is None or source is None or tax is None:
        return None
    return FixingRow(
        index=index, day=day, kind=FixingKind(kind), value=value, quoted_tax=tax, source=source, reason=reason
    )


def _tax(fields: FormFields) -> Decimal | None:
    """Per cent, as people write a rate; nothing is 0."""
    try:
        rate = Decimal(fields.form.get("tax", "").strip() or 0) / 100
    except InvalidOperation:
        rate = Decimal(-1)
    if not rate.is_finite() or not 0 <= rate < 1 or rate != round(rate, 6):
        fields.errors["tax"] = _("A rate in per cent is expected, such as 13.")
        return None
    return rate


def _page(errors: Mapping[str, str], values: Mapping[str, str]) -> str:
    shows_all = request.args.get("history") == "all"
    select = fixings.visible_fixings(all_revisions=shows_all)
    if index := request.args.get("index", ""):
        select = select.where(IndexFixing.index_code == index)
    known = fixings.indices(session())
    return render_template(
        "fixings.html",
        page=page_of(session(), select, order=(IndexFixing.id,)),
        choices=[(one.code, f"{one.code} · {named(one)}") for one in known],
        indices={one.code: one for one in known},
        index=index,
        shows_all=shows_all,
        may_load=principal().may(Permission.FIXING_LOAD),
        may_decide=principal().may(Permission.FIXING_DECIDE),
        kinds=list(FixingKind),
        errors=errors,
        values=values,
        today=today(),
    )
