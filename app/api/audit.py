"""The log of looks at what is sealed, for those who audit."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import Text, Timestamp
from app.api.paging import Page, PageArguments, page, page_of
from app.auth import principal, requires
from app.db import session
from app.models import AccessLog
from app.operations import audit
from app.permissions import Permission

blueprint = ApiBlueprint("audit", __name__, path="/audit", description="Who looked at what is sealed")


class LookSchema(ma.Schema):
    """One look: who, when, at whose what, from where, why."""

    id = ma.fields.Integer(required=True)
    at = Timestamp(required=True)
    user_id = ma.fields.UUID(required=True, allow_none=True)
    api_key_id = ma.fields.UUID(required=True, allow_none=True)
    object_kind = ma.fields.String(required=True)
    object_id = ma.fields.String(required=True)
    firm_id = ma.fields.UUID(required=True, allow_none=True)
    path = ma.fields.String(required=True)
    reason = ma.fields.String(required=True, allow_none=True)


class LookArguments(PageArguments):
    user_id = ma.fields.UUID(load_default=None)
    firm_id = ma.fields.UUID(load_default=None)
    object_kind = Text(load_default=None, most=100)
    object_id = Text(load_default=None, most=100)


@blueprint.get("/access-log")
@requires(Permission.LOOK_READ)
@blueprint.arguments(LookArguments, location="query")
@blueprint.response(200, page_of(LookSchema))
def list_looks(arguments: dict[str, Any]) -> Page[AccessLog]:
    """The looks, newest first: all for auditors, your own if you are one whose looks are noted."""
    paging = {name: arguments.pop(name) for name in ("limit", "cursor")}
    return page(session(), audit.looks(principal(), **arguments), order=(AccessLog.id,), descending=True, **paging)
