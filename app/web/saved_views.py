"""Choices of a list that somebody keeps under a name: kept from the list as it stands, removed with one click."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict, Refused
from app.models import ListName
from app.operations import saved_views
from app.permissions import Permission
from app.web.formats import language
from app.web.texts import _

blueprint = Blueprint("saved_views", __name__, url_prefix="/console/review/views")


@blueprint.post("")
@requires(Permission.REVIEW_READ)
def keep() -> ResponseReturnValue:
    """Keep the filters and the order of the queue under a name."""
    arguments = {name: request.form.get(name, "") for name in saved_views.ARGUMENTS[ListName.REVIEW]}
    try:
        with session().begin_nested():
            kept = saved_views.keep(
                session(),
                principal=principal(),
                list_name=ListName.REVIEW,
                name=request.form.get("name", ""),
                arguments=arguments,
                now=clock(),
            )
    except (Refused, Conflict) as refusal:
        flash(_("The view is not kept: %(why)s", why=refusal.text.in_language(language())), "danger")
        said = {name: value for name, value in arguments.items() if value.strip()}
        return redirect(_queue(said), 303)
    flash(_("The view “%(name)s” is kept.", name=kept.name), "success")
    return redirect(_queue(kept.arguments), 303)


@blueprint.post("/<uuid:view_id>/remove")
@requires(Permission.REVIEW_READ)
def remove(view_id: uuid.UUID) -> ResponseReturnValue:
    """Forget a view."""
    saved_views.remove(session(), principal=principal(), view_id=view_id)
    flash(_("The view is removed."), "success")
    return redirect(url_for("review.queue"), 303)


def _queue(arguments: dict[str, Any]) -> str:
    return url_for("review.queue", **arguments)
