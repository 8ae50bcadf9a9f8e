"""Keys of firms' own systems: list, make, revoke."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import Text, Timestamp
from app.api.paging import Page, PageArguments, page, page_of
from app.auth import api_keys, principal, requires
from app.clock import clock
from app.db import session
from app.errors import Refused
from app.models import ApiKey
from app.permissions import KEY_SCOPES, Permission
from contracts import wording

blueprint = ApiBlueprint("api_keys", __name__, path="/api-keys", description="Keys of firms' own systems")


class ApiKeySchema(ma.Schema):
    """A key, without its secret."""

    id = ma.fields.UUID(required=True)
    public_id = ma.fields.String(required=True)
    firm_id = ma.fields.UUID(required=True)
    name = ma.fields.String(required=True)
    scopes = ma.fields.List(ma.fields.String(), required=True)
    created_at = Timestamp(required=True)
    expires_at = Timestamp(required=True, allow_none=True)
    revoked_at = Timestamp(required=True, allow_none=True)
    last_used_at = Timestamp(required=True, allow_none=True)


class IssuedApiKeySchema(ApiKeySchema):
    """A key just made, with the one sight of the whole key."""

    key = ma.fields.String(required=True, metadata={"description": "Shown once; keep it safe"})


class NewApiKeySchema(ma.Schema):
    """What to make."""

    firm_id = ma.fields.UUID(load_default=None, metadata={"description": "Your own firm unless you run the platform"})
    name = Text(required=True, most=100)
    scopes = ma.fields.List(
        ma.fields.Enum(Permission, by_value=True, validate=ma.validate.OneOf(sorted(KEY_SCOPES))),
        required=True,
        validate=ma.validate.Length(1),
    )
    expires_at = Timestamp(load_default=None)


@blueprint.get("/")
@requires(Permission.API_KEY_MANAGE)
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, page_of(ApiKeySchema))
def list_keys(arguments: dict[str, Any]) -> Page[ApiKey]:
    """All keys of the firm, newest first."""
    return page(
        session(),
        api_keys.visible_keys(principal()),
        order=(ApiKey.created_at, ApiKey.id),
        descending=True,
        **arguments,
    )


@blueprint.post("/")
@requires(Permission.API_KEY_MANAGE)
@blueprint.arguments(NewApiKeySchema)
@blueprint.response(201, IssuedApiKeySchema)
def make_key(terms: dict[str, Any]) -> dict[str, Any]:
    """Make a key; the answer is the only sight of it."""
    firm_id: uuid.UUID | None = terms.pop("firm_id") or principal().firm_id
    if firm_id is None:
        raise Refused(
            wording.Text(
                "没有指明企业；应为密钥所代表的企业", "no firm is named; expected the firm that the key acts for"
            ),
            field="firm_id",
        )
    key, secret = api_keys.issue(session(), principal=principal(), firm_id=firm_id, now=clock(), **terms)
    return {**{name: getattr(key, name) for name in ApiKeySchema().fields}, "key": secret}


@blueprint.post("/<uuid:key_id>/revoke")
@requires(Permission.API_KEY_MANAGE)
@blueprint.response(200, ApiKeySchema)
def revoke_key(key_id: uuid.UUID) -> ApiKey:
    """End a key at once. Doing it again changes nothing."""
    return api_keys.revoke(session(), principal=principal(), key_id=key_id, now=clock())
