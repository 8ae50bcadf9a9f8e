"""Choices of the reviewers' queue that somebody keeps under a name."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import Text, Timestamp
from app.api.refusals import refuses
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import ListName, SavedView
from app.operations import saved_views
from app.permissions import Permission

blueprint = ApiBlueprint("saved_views", __name__, path="/saved-views", description="Your own views of lists")


class SavedViewSchema(ma.Schema):
    """Filters and order of a list under a name."""

    id = ma.fields.UUID(dump_only=True)
    list_name = ma.fields.Enum(ListName, by_value=True, required=True)
    name = Text(required=True, most=saved_views.LONGEST_NAME)
    arguments = ma.fields.Dict(
        keys=Text(most=40),
        values=Text(most=saved_views.LONGEST_ARGUMENT),
        required=True,
        metadata={"description": "As in the address of the list; what it does not know is not kept"},
    )
    created_at = Timestamp(dump_only=True)


@blueprint.get("")
@requires(Permission.REVIEW_READ)
@blueprint.response(200, SavedViewSchema(many=True))
def list_views() -> Any:
    """Your own views of the reviewers' queue, by name."""
    return saved_views.views_of(session(), principal=principal(), list_name=ListName.REVIEW)


@blueprint.put("")
@requires(Permission.REVIEW_READ)
@blueprint.arguments(SavedViewSchema)
@refuses(blueprint, 409, 422)
@blueprint.response(200, SavedViewSchema)
def keep_view(values: dict[str, Any]) -> SavedView:
    """Keep a view; the same name again keeps the new choice instead."""
    return saved_views.keep(session(), principal=principal(), now=clock(), **values)


@blueprint.delete("/<uuid:view_id>")
@requires(Permission.REVIEW_READ)
@refuses(blueprint, 404)
@blueprint.response(204)
def remove_view(view_id: uuid.UUID) -> None:
    """Forget one of your views."""
    saved_views.remove(session(), principal=principal(), view_id=view_id)
