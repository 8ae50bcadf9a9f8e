"""The feed of changes, for systems that keep a copy of their firm's records."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from itsdangerous import BadSignature, URLSafeSerializer
from webargs.flaskparser import abort

from app.api.conventions import ApiBlueprint
from app.api.deal_schemas import StepSchema
from app.api.fields import Text
from app.api.paging import LONGEST_PAGE, USUAL_PAGE
from app.api.refusals import refuses
from app.auth import principal, requires
from app.config import settings
from app.db import session
from app.operations import change_feed
from app.operations.change_feed import Change, OtherServer, Position
from app.permissions import Permission

blueprint = ApiBlueprint(
    "changes", __name__, path="/changes", description="Everything that happened to your records, in order, once each"
)


class ChangeArguments(ma.Schema):
    after = Text(
        load_default=None,
        most=1000,
        metadata={"description": "The `next` of the answer before; without it from the beginning"},
    )
    limit = ma.fields.Integer(
        load_default=USUAL_PAGE,
        validate=ma.validate.Range(1, LONGEST_PAGE),
        metadata={"description": "How many changes at most"},
    )


class ChangeSchema(StepSchema):
    """One step of one record; read the record itself for what it is now."""

    subject_id = ma.fields.UUID(required=True)


class ChangesSchema(ma.Schema):
    """Changes in the order in which their transactions began."""

    items = ma.fields.List(ma.fields.Nested(ChangeSchema), required=True)
    next = ma.fields.String(required=True, metadata={"description": "Keep it, and send it as `after` the next time"})
    more = ma.fields.Boolean(required=True, metadata={"description": "Others are waiting: ask again at once"})


@blueprint.get("")
@requires(Permission.CONTRACT_READ)
@blueprint.arguments(ChangeArguments, location="query")
@refuses(blueprint, 409)
@blueprint.response(200, ChangesSchema)
def list_changes(arguments: dict[str, Any]) -> dict[str, Any]:
    """What happened to the records you may read since `after`. Nothing is left out and nothing comes twice.

    A change appears when every transaction before it has ended, some moments after it was made. An answer of 409 says
    that the database was restored from a copy: read your records anew, and then the feed from its beginning.
    """
    after = None if arguments["after"] is None else _read(arguments["after"])
    try:
        found = change_feed.changes(session(), principal=principal(), after=after, limit=arguments["limit"])
    except OtherServer:
        abort(409, message="The database was restored from a copy since; read the records anew, then start without it.")
    place = found.position
    return {
        "items": [_shown(change) for change in found.items],
        "next": str(_signer().dumps([place.server, place.transaction, place.number])),
        "more": found.more,
    }


def _shown(change: Change) -> dict[str, Any]:
    own = {name: getattr(change.step, name) for name in StepSchema().fields}
    return own | {"subject_id": change.subject_id}


def _read(text: str) -> Position:
    try:
        return Position(*_signer().loads(text))
    except BadSignature:
        abort(422, messages={"query": {"after": ["is not a place in this feed; expected the `next` of an answer"]}})


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings().secret_key, salt="changes")
