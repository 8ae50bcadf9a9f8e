"""The people of a firm, or of all, and what each may do; kept by an administrator."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import orm

from app.auth import principal, requires
from app.auth.sign_in import LONGEST_EMAIL, normalise_email
from app.clock import clock
from app.db import session
from app.errors import Conflict, Refused
from app.models import Firm, Language, User, UserRole
from app.operations import firms, people
from app.permissions import FIRM_ROLES, Permission
from app.web.formats import language, named
from app.web.labels import options
from app.web.paging import page_of
from app.web.texts import _

blueprint = Blueprint("team", __name__)
MOST_FIRMS = 2_000


@blueprint.get("/people")
@requires(Permission.USER_MANAGE)
def listing() -> ResponseReturnValue:
    """Everybody the asker keeps."""
    return _listing({}, {})


@blueprint.post("/people")
@requires(Permission.USER_MANAGE)
def invite() -> ResponseReturnValue:
    """Make an account; the first password is shown once."""
    values, errors = request.form, {}
    email, name = normalise_email(values.get("email", "")), values.get("name", "").strip()
    if (
        not 3 <= len(email) <= LONGEST_EMAIL
        or email.count("@") != 1
        or " " in email
        or email[0] == "@"
        or email[-1] == "@"
    ):
        errors["email"] = _("An e-mail address is expected.")
    if not name:
        errors["name"] = _("A name is expected.")
    if values.get("role") not in _roles():
        errors["role"] = _("Choose one of the list.")
    if errors:
        return _listing(values, errors), 422
    try:
        user, password = people.invite(
            session(),
            principal=principal(),
            email=email,
            name=name,
            role=UserRole(values["role"]),
            firm_id=values.get("firm_id", type=uuid.UUID),
            language=Language.ENGLISH if values.get("language") == "en" else Language.CHINESE,
            now=clock(),
        )
    except Conflict:
        return _listing(values, {"email": _("This address has an account.")}), 409
    except Refused as refusal:
        return _listing(values, {refusal.field or "role": refusal.text.in_language(language())}), 422
    return render_template("password_made.html", user=user, password=password)


@blueprint.post("/people/<uuid:user_id>/password")
@requires(Permission.USER_MANAGE)
def new_password(user_id: uuid.UUID) -> ResponseReturnValue:
    """A new first password, shown once; the person is signed out everywhere."""
    user, password = people.new_password(session(), principal=principal(), user_id=user_id)
    return render_template("password_made.html", user=user, password=password)


@blueprint.post("/people/<uuid:user_id>")
@requires(Permission.USER_MANAGE)
def change(user_id: uuid.UUID) -> ResponseReturnValue:
    """Give another role, or end and restore an account."""
    active = {"end": False, "restore": True}.get(request.form.get("action", ""))
    role = UserRole(request.form["role"]) if request.form.get("role") in _roles() else None
    try:
        with session().begin_nested():
            user = people.change_user(session(), principal=principal(), user_id=user_id, role=role, active=active)
    except Refused as refusal:
        flash(refusal.text.in_language(language()), "danger")
    else:
        flash(_("%(name)s is changed.", name=user.name), "success")
    return redirect(url_for("team.listing"), 303)


def _roles() -> list[UserRole]:
    """The roles that the asker may give: a firm's people those of firms, the platform all."""
    return [role for role in UserRole if role in FIRM_ROLES or principal().firm_id is None]


def _firms() -> list[tuple[str, str]]:
    """The firms that the platform may give an account; a firm's own administrator names none."""
    if principal().firm_id is not None:
        return []
    active = firms.visible_firms(principal()).where(Firm.active).order_by(Firm.name_en, Firm.id).limit(MOST_FIRMS)
    return [(str(firm.id), named(firm)) for firm in session().scalars(active)]


def _listing(values: object, errors: dict[str, str]) -> str:
    select = people.visible_users(principal()).options(orm.joinedload(User.firm))
    return render_template(
        "team.html",
        page=page_of(session(), select, order=(User.created_at, User.id)),
        values=values,
        errors=errors,
        roles=options("user_role", list(_roles())),
        of_firms=options("user_role", [role for role in UserRole if role in FIRM_ROLES]),
        of_platform=options("user_role", [role for role in UserRole if role not in FIRM_ROLES]),
        firms=_firms(),
        me=principal().user_id,
    )
