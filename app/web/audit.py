"""Who looked at what is sealed, who did what, who signed in: for those who oversee the platform."""

from __future__ import annotations

import re
import uuid

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.db import session
from app.models import AccessLog, Event, SignInEvent, SubjectKind
from app.operations import audit, pages
from app.permissions import Permission
from app.web.labels import reason_text
from app.web.paging import page_of

REVIEWED = re.compile(r"review of proposal ([0-9a-f-]{36})")
blueprint = Blueprint("audit", __name__, url_prefix="/audit")


@blueprint.get("/looks")
@requires(Permission.LOOK_READ)
def accesses() -> ResponseReturnValue:
    """Every look at a sealed offer: who, whose, from where, why. Who does not audit reads his own."""
    select = audit.looks(
        principal(),
        user_id=request.args.get("user", type=uuid.UUID),
        firm_id=request.args.get("firm", type=uuid.UUID),
        object_id=request.args.get("object") or None,
    )
    found = page_of(session(), select, order=(AccessLog.id,))
    return render_template(
        "audit_looks.html",
        page=found,
        names=pages.names_of_people(session(), (row.user_id for row in found.rows)),
        firms=pages.firms_by_id(session(), principal=principal(), firm_ids=(row.firm_id for row in found.rows)),
        reviewed=reviewed,
    )


def reviewed(reason: str | None) -> str | None:
    """The proposal for whose review somebody looked, if that is the reason kept."""
    found = REVIEWED.fullmatch(reason or "")
    return None if found is None else found[1]


@blueprint.get("/steps")
@requires(Permission.AUDIT_READ)
def steps() -> ResponseReturnValue:
    """Every step of offers, rounds, runs, proposals and contracts, in order of time."""
    select = pages.visible_events(principal())
    if (kind := request.args.get("kind")) in set(SubjectKind):
        select = select.where(Event.subject_kind == kind)
    if subject := request.args.get("subject", type=uuid.UUID):
        select = select.where(Event.subject_id == subject)
    found = page_of(session(), select, order=(Event.id,))
    return render_template(
        "audit_steps.html",
        page=found,
        names=pages.names_of_people(session(), (row.user_id for row in found.rows)),
        reason_text=reason_text,
        kinds=[kind.value for kind in SubjectKind],
    )


@blueprint.get("/sign-ins")
@requires(Permission.SIGN_IN_READ)
def sign_ins() -> ResponseReturnValue:
    """Every attempt to sign in."""
    found = page_of(session(), pages.visible_sign_ins(principal()), order=(SignInEvent.id,))
    return render_template("audit_sign_ins.html", page=found)
