"""The trail of facts of reference that people made and changed by hand."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import Text, Timestamp
from app.api.paging import Page, PageArguments, page, page_of
from app.auth import principal, requires
from app.db import session
from app.models import ReferenceChange
from app.operations.reference_data import visible_changes
from app.permissions import Permission

blueprint = ApiBlueprint(
    "reference_changes", __name__, path="/reference-changes", description="Who changed which fact of reference"
)


class ReferenceChangeSchema(ma.Schema):
    """One change: the row before (null for a new one) and after, as text."""

    id = ma.fields.Integer(required=True)
    at = Timestamp(required=True)
    user_id = ma.fields.UUID(required=True)
    table_name = ma.fields.String(required=True)
    row_key = ma.fields.String(required=True)
    before = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.String(allow_none=True), required=True, allow_none=True
    )
    after = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(allow_none=True), required=True)


class ChangeArguments(PageArguments):
    """Of which table and row."""

    table_name = Text(load_default=None, most=60)
    row_key = Text(load_default=None, most=300, metadata={"description": "The parts of the key, joined by /"})


@blueprint.get("")
@requires(Permission.REFERENCE_READ)
@blueprint.arguments(ChangeArguments, location="query")
@blueprint.response(200, page_of(ReferenceChangeSchema))
def list_changes(arguments: dict[str, Any]) -> Page[ReferenceChange]:
    """The changes, newest first; for the platform's people, none for firms."""
    select = visible_changes(principal())
    for name in ("table_name", "row_key"):
        if (wanted := arguments.pop(name)) is not None:
            select = select.where(getattr(ReferenceChange, name) == wanted)
    return page(session(), select, order=(ReferenceChange.id,), descending=True, **arguments)
