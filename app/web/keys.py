"""Keys of the firm's own systems: made here, shown once, ended here."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import api_keys, principal, requires
from app.clock import clock
from app.db import session
from app.errors import Refused
from app.models import ApiKey
from app.operations.offer_cells import CellFault, end_of_day
from app.operations.offer_faults import expected
from app.operations.offers import own_firm
from app.permissions import KEY_SCOPES, Permission
from app.web.formats import language
from app.web.paging import page_of
from app.web.texts import _

blueprint = Blueprint("keys", __name__)
LONGEST_NAME = 100


@blueprint.get("/keys")
@requires(Permission.API_KEY_MANAGE)
def listing() -> ResponseReturnValue:
    """The firm's keys; without the secrets, which nobody can read again."""
    return _listing({}, {})


@blueprint.post("/keys")
@requires(Permission.API_KEY_MANAGE)
def create() -> ResponseReturnValue:
    """Make a key and show it, this once."""
    firm_id = own_firm(principal())
    name, errors = request.form.get("name", "").strip(), {}
    if not 1 <= len(name) <= LONGEST_NAME:
        errors["name"] = _("A name of 1 to %(most)s characters is expected.", most=LONGEST_NAME)
    elif session().scalar(api_keys.visible_keys(principal()).where(ApiKey.name == name).limit(1)) is not None:
        errors["name"] = _("Another key bears this name.")
    scopes = [Permission(scope) for scope in request.form.getlist("scopes") if scope in KEY_SCOPES]
    if not scopes:
        errors["scopes"] = _("Choose at least one thing that the key may do.")
    expires_at = None
    if day := request.form.get("expires_at"):
        try:
            expires_at = end_of_day(day)
        except CellFault as fault:
            errors["expires_at"] = expected(fault.code, fault.params, language())
    if errors:
        return _listing(request.form, errors), 422
    try:
        key, token = api_keys.issue(
            session(),
            principal=principal(),
            firm_id=firm_id,
            name=name,
            scopes=scopes,
            expires_at=expires_at,
            now=clock(),
        )
    except Refused as refusal:
        return _listing(request.form, {refusal.field or "name": refusal.text.in_language(language())}), 422
    return render_template("key_made.html", key=key, token=token)


@blueprint.post("/keys/<uuid:key_id>/revoke")
@requires(Permission.API_KEY_MANAGE)
def revoke(key_id: uuid.UUID) -> ResponseReturnValue:
    """End a key at once."""
    key = api_keys.revoke(session(), principal=principal(), key_id=key_id, now=clock())
    flash(_("The key “%(name)s” is revoked. Nothing can use it any more.", name=key.name), "success")
    return redirect(url_for("keys.listing"), 303)


def _listing(values: object, errors: dict[str, str]) -> str:
    own_firm(principal())
    return render_template(
        "keys.html",
        page=page_of(session(), api_keys.visible_keys(principal()), order=(ApiKey.created_at, ApiKey.id)),
        values=values,
        errors=errors,
        scopes=sorted(KEY_SCOPES),
        now=clock(),
    )
