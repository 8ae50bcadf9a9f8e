"""Events of force majeure on the pages: notice under contracts, evidence, sharing what is left, the end."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock, today
from app.db import session
from app.downloads import evidence_download
from app.errors import Conflict, Refused
from app.models import Contract, ForceMajeure
from app.operations import contracts, endings, hindrances, pages
from app.operations import force_majeure as acts
from app.operations.evidence import ENDINGS
from app.permissions import Permission
from app.web.claims import LONGEST_STATEMENT, sent_file, told
from app.web.form_fields import FormFields
from app.web.paging import page_of
from app.web.texts import _
from market.errors import InvalidValue

blueprint = Blueprint("force_majeure", __name__)


@blueprint.get("/force-majeure")
@requires(Permission.CONTRACT_READ)
def events() -> ResponseReturnValue:
    """The events that the asker may know of, newest first."""
    select = hindrances.visible_events(principal())
    found = page_of(session(), select, order=(ForceMajeure.told_at, ForceMajeure.id))
    return render_template("force_majeure_list.html", page=found, may_notify=_may_notify())


@blueprint.get("/force-majeure/new")
@requires(Permission.CONTRACT_NOTIFY)
def event_form() -> ResponseReturnValue:
    """The form of a notice, under one contract or several."""
    return _event_form({})


@blueprint.post("/force-majeure/new")
@requires(Permission.CONTRACT_NOTIFY)
def declare() -> ResponseReturnValue:
    """Give notice of an event."""
    fields = FormFields(request.form)
    found: dict[str, Any] = {
        "description": fields.text("description", most=LONGEST_STATEMENT, required=True),
        "began_on": fields.day("began_on", required=True),
        "affected": fields.decimal("affected"),
        "contract_ids": _chosen(),
    }
    if fields.errors:
        return _event_form(fields.errors), 422
    found["affected"] = found["affected"] / 100  # people say per cent
    try:
        with session().begin_nested():
            event = acts.declare(session(), principal=principal(), now=clock(), **found)
    except (Refused, Conflict) as refusal:
        place = (refusal.field if isinstance(refusal, Refused) else None) or "contract_ids"
        return _event_form({place: told(refusal)}), 422
    flash(_("Notice is given. Add your evidence now."), "success")
    return redirect(url_for("force_majeure.event", event_id=event.id), 303)


@blueprint.get("/force-majeure/<uuid:event_id>")
@requires(Permission.CONTRACT_READ)
def event(event_id: uuid.UUID) -> ResponseReturnValue:
    """One event: its notices, evidence, what was shared out, and what its own firm may do."""
    return _event_page(event_id, {})


@blueprint.post("/force-majeure/<uuid:event_id>/evidence")
@requires(Permission.CONTRACT_NOTIFY)
def attach(event_id: uuid.UUID) -> ResponseReturnValue:
    """Add a file to the firm's own event."""
    sent = sent_file()
    if sent is None:
        return _event_page(event_id, {"file": _("Choose a file first.")}), 422
    return _act_on_event(event_id, acts.attach, {"file": sent}, _("The file is added."))


@blueprint.get("/force-majeure/<uuid:event_id>/evidence/<uuid:evidence_id>")
@requires(Permission.CONTRACT_READ)
def evidence(event_id: uuid.UUID, evidence_id: uuid.UUID) -> Response:
    """A file as it came."""
    return evidence_download(
        acts.read_evidence(session(), principal=principal(), event_id=event_id, evidence_id=evidence_id)
    )


@blueprint.post("/force-majeure/<uuid:event_id>/notices")
@requires(Permission.CONTRACT_NOTIFY)
def give_notices(event_id: uuid.UUID) -> ResponseReturnValue:
    """Give notice under further contracts."""
    return _act_on_event(event_id, acts.give_notice, {"contract_ids": _chosen()}, _("Notice is given."))


@blueprint.post("/force-majeure/<uuid:event_id>/allocate")
@requires(Permission.CONTRACT_NOTIFY)
def allocate(event_id: uuid.UUID) -> ResponseReturnValue:
    """Share what is left among all the seller's contracts."""
    fields = FormFields(request.form)
    found = {
        "product_code": fields.text("product_code", most=100, required=True),
        "period": fields.text("period", most=7, required=True),
        "available": 0 if request.form.get("available", "").strip() == "0" else fields.lots("available"),
    }
    if fields.errors:
        return _event_page(event_id, fields.errors), 422
    return _act_on_event(event_id, acts.allocate, found, _("What is left is shared pro rata."))


@blueprint.post("/force-majeure/<uuid:event_id>/end")
@requires(Permission.CONTRACT_NOTIFY)
def end(event_id: uuid.UUID) -> ResponseReturnValue:
    """The event is over."""
    fields = FormFields(request.form)
    day = fields.day("ended_on", required=True)
    if fields.errors:
        return _event_page(event_id, fields.errors), 422
    return _act_on_event(event_id, acts.end, {"ended_on": day}, _("The event has ended."))


def _act_on_event(
    event_id: uuid.UUID, move: Callable[..., object], found: dict[str, Any], done: str
) -> ResponseReturnValue:
    try:
        with session().begin_nested():
            move(session(), principal=principal(), event_id=event_id, now=clock(), **found)
    except InvalidValue:
        return _event_page(event_id, {"period": _("A period is expected, such as 2027-02, 2027-Q1 or 2027.")}), 422
    except (Refused, Conflict) as refusal:
        place = (refusal.field if isinstance(refusal, Refused) else None) or "move"
        return _event_page(event_id, {place: told(refusal)}), 409 if place == "move" else 422
    flash(done, "success")
    return redirect(url_for("force_majeure.event", event_id=event_id), 303)


def _chosen() -> list[uuid.UUID]:
    """The contracts that are ticked."""
    found = []
    for text in request.form.getlist("contract_ids"):
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found


def _may_notify() -> bool:
    return principal().firm_id is not None and principal().may(Permission.CONTRACT_NOTIFY)


def _own_contracts() -> Sequence[Contract]:
    select = contracts.visible_contracts(principal()).where(Contract.state.in_(endings.IN_FORCE))
    return session().scalars(select.order_by(Contract.number)).all()


def _event_form(errors: dict[str, str]) -> str:
    wanted = request.args.get("contract", type=uuid.UUID)
    chosen: set[uuid.UUID | None] = set(_chosen()) or {wanted}
    return render_template(
        "force_majeure_form.html",
        rows=_own_contracts(),
        chosen=chosen,
        errors=errors,
        values=request.form,
        products=pages.products_by_code(session()),
        today=today(),
    )


def _event_page(event_id: uuid.UUID, errors: dict[str, str]) -> str:
    found = hindrances.find_event(session(), principal=principal(), event_id=event_id)
    notices = hindrances.notices_of(session(), principal=principal(), event=found)
    own = principal().firm_id == found.firm_id and principal().may(Permission.CONTRACT_NOTIFY)
    under = {notice.contract_id for notice in notices}
    return render_template(
        "force_majeure.html",
        event=found,
        notices=notices,
        own=own,
        sees_all=principal().firm_id in {None, found.firm_id},
        others=[one for one in _own_contracts() if one.id not in under] if own else [],
        sold=sorted({one.contract.terms["product"] for one in notices if one.side == "seller"}),
        products=pages.products_by_code(session()),
        errors=errors,
        values=request.form,
        endings=", ".join(f".{ending}" for ending in ENDINGS),
        today=today(),
    )
