"""People: a firm's admin keeps his own team, the platform's admin keeps all."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import Text, Timestamp
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.versions import changes_version, expect_version, show_version
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import Language, User, UserRole
from app.operations import people
from app.permissions import Permission

blueprint = ApiBlueprint("users", __name__, path="/users", description="People and their roles")
EMAIL = ma.validate.Regexp(r"^[^@\s]+@[^@\s]+$(?!\n)", error="expected an address such as name@example.com")


class UserSchema(ma.Schema):
    """A person."""

    id = ma.fields.UUID(required=True)
    email = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    role = ma.fields.Enum(UserRole, by_value=True, required=True)
    firm_id = ma.fields.UUID(required=True, allow_none=True)
    language = ma.fields.Enum(Language, by_value=True, required=True)
    active = ma.fields.Boolean(required=True)
    created_at = Timestamp(required=True)
    last_sign_in_at = Timestamp(required=True, allow_none=True)


class InvitedUserSchema(UserSchema):
    """A person with the one sight of a first password."""

    first_password = ma.fields.String(required=True, metadata={"description": "Shown once"})


class NewUserSchema(ma.Schema):
    """Whom to invite."""

    email = Text(required=True, most=254, validate=EMAIL)
    name = Text(required=True, most=100)
    role = ma.fields.Enum(UserRole, by_value=True, required=True)
    firm_id = ma.fields.UUID(load_default=None, metadata={"description": "Your own firm unless you run the platform"})
    language = ma.fields.Enum(Language, by_value=True, load_default=Language.CHINESE)


class UserChangeSchema(ma.Schema):
    """What is to change."""

    name = Text(most=100)
    role = ma.fields.Enum(UserRole, by_value=True)
    language = ma.fields.Enum(Language, by_value=True)
    active = ma.fields.Boolean()


@blueprint.get("")
@requires(Permission.USER_MANAGE)
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, page_of(UserSchema))
def list_users(arguments: dict[str, Any]) -> Page[User]:
    """Your team, oldest first; everybody for the platform."""
    return page(session(), people.visible_users(principal()), order=(User.created_at, User.id), **arguments)


@blueprint.post("")
@requires(Permission.USER_MANAGE)
@blueprint.arguments(NewUserSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(201, InvitedUserSchema)
def invite_user(terms: dict[str, Any]) -> dict[str, Any]:
    """Make an account; the answer is the only sight of its first password."""
    user, password = people.invite(session(), principal=principal(), now=clock(), **terms)
    return _with_password(user, password)


@blueprint.get("/<uuid:user_id>")
@requires(Permission.USER_MANAGE)
@refuses(blueprint, 404)
@blueprint.response(200, UserSchema)
def get_user(user_id: uuid.UUID) -> User:
    """One person."""
    user = people.find_user(session(), principal=principal(), user_id=user_id)
    show_version("user", user.id, user.version)
    return user


@blueprint.patch("/<uuid:user_id>")
@requires(Permission.USER_MANAGE)
@changes_version
@blueprint.arguments(UserChangeSchema)
@refuses(blueprint, 404, 412, 422, 428)
@blueprint.response(200, UserSchema)
def change_user(terms: dict[str, Any], user_id: uuid.UUID) -> User:
    """Change name, role or language, or end an account; a new role signs the person out."""
    user = people.find_user(session(), principal=principal(), user_id=user_id, lock=True)
    expect_version("user", user.id, user.version)
    user = people.change_user(session(), principal=principal(), user_id=user_id, **terms)
    show_version("user", user.id, user.version)
    return user


@blueprint.post("/<uuid:user_id>/new-password")
@requires(Permission.USER_MANAGE)
@refuses(blueprint, 404)
@blueprint.response(200, InvitedUserSchema)
def new_password(user_id: uuid.UUID) -> dict[str, Any]:
    """Give a person a new first password, free the lock and sign him out everywhere."""
    user, password = people.new_password(session(), principal=principal(), user_id=user_id)
    return _with_password(user, password)


def _with_password(user: User, password: str) -> dict[str, Any]:
    return {**{name: getattr(user, name) for name in UserSchema().fields}, "first_password": password}
