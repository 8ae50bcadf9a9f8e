"""Webhooks: a firm's endpoints, their secrets, what was sent to them and what they answered."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import Text, Timestamp
from app.api.idempotency import idempotent
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.versions import changes_version, expect_version, show_version
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import MessageState, StopReason, WebhookEndpoint, WebhookMessage
from app.operations import webhook_messages, webhooks
from app.operations.topics import webhook_topics
from app.operations.webhook_addresses import LONGEST_URL
from app.operations.webhook_signing import message_name
from app.permissions import Permission

blueprint = ApiBlueprint(
    "webhooks",
    __name__,
    path="/webhooks",
    description="Your own systems' endpoints. Messages are signed by Standard Webhooks 1.0.0 (v1, HMAC-SHA256).",
)
ONE_TOPIC = ma.fields.String(validate=ma.validate.OneOf(webhook_topics()))
SOME = ma.validate.Length(1, 200)


class WebhookSchema(ma.Schema):
    """An endpoint, without its secret. `older_until` is set while two secrets sign."""

    id = ma.fields.UUID(required=True)
    url = ma.fields.String(required=True)
    description = ma.fields.String(required=True)
    topics = ma.fields.List(ma.fields.String(), required=True)
    created_at = Timestamp(required=True)
    older_until = Timestamp(required=True, allow_none=True)
    failing_since = Timestamp(required=True, allow_none=True)
    stopped_at = Timestamp(required=True, allow_none=True)
    stop_reason = ma.fields.Enum(StopReason, by_value=True, required=True, allow_none=True)


class WebhookWithSecretSchema(WebhookSchema):
    """An endpoint with the one sight of its new secret."""

    secret = ma.fields.String(required=True, metadata={"description": "Shown once; whsec_ and base64"})


class NewWebhookSchema(ma.Schema):
    """What to make."""

    url = Text(required=True, most=LONGEST_URL, metadata={"description": "https://, on the internet"})
    topics = ma.fields.List(ONE_TOPIC, required=True, validate=SOME)
    description = Text(load_default="", least=0, most=200)


class WebhookChangeSchema(ma.Schema):
    """What is to change."""

    url = Text(most=LONGEST_URL)
    topics = ma.fields.List(ONE_TOPIC, validate=SOME)
    description = Text(least=0, most=200)


class WebhookMessageSchema(ma.Schema):
    """One message; `webhook_id` is the header by which you know one that comes twice."""

    id = ma.fields.UUID(required=True)
    webhook_id = ma.fields.Function(lambda message: message_name(message.id), required=True)
    topic = ma.fields.String(required=True)
    state = ma.fields.Enum(MessageState, by_value=True, required=True)
    tries = ma.fields.Integer(required=True)
    due_at = Timestamp(required=True, allow_none=True)
    delivered_at = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)


class WebhookAttemptSchema(ma.Schema):
    """One attempt: the status that was answered with the first kilobyte of the answer, or why there was none."""

    number = ma.fields.Integer(required=True)
    at = Timestamp(required=True)
    address = ma.fields.Function(lambda attempt: attempt.address and str(attempt.address), required=True)
    status = ma.fields.Integer(required=True, allow_none=True)
    milliseconds = ma.fields.Integer(required=True)
    answer = ma.fields.String(required=True, allow_none=True)
    error = ma.fields.String(required=True, allow_none=True)


class WebhookMessageLogSchema(WebhookMessageSchema):
    body = ma.fields.String(required=True, metadata={"description": "As it is sent and signed"})
    attempts = ma.fields.List(ma.fields.Nested(WebhookAttemptSchema), required=True)


class WebhookMessageArguments(PageArguments):
    state = ma.fields.Enum(MessageState, by_value=True, load_default=None)


class WebhookReplaySchema(ma.Schema):
    """From when on to send again, and whether also what was delivered."""

    since = Timestamp(required=True)
    delivered = ma.fields.Boolean(load_default=False)


class WebhookReplayedSchema(ma.Schema):
    count = ma.fields.Integer(required=True, metadata={"description": "Messages on their way"})


class WebhookTestSchema(ma.Schema):
    topic = ma.fields.String(required=True)


@blueprint.get("")
@requires(Permission.WEBHOOK_MANAGE)
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, page_of(WebhookSchema))
def list_endpoints(arguments: dict[str, Any]) -> Page[WebhookEndpoint]:
    """Your firm's endpoints, oldest first."""
    order = (WebhookEndpoint.created_at, WebhookEndpoint.id)
    return page(session(), webhooks.visible_endpoints(principal()), order=order, **arguments)


@blueprint.post("")
@requires(Permission.WEBHOOK_MANAGE)
@blueprint.arguments(NewWebhookSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(201, WebhookWithSecretSchema)
def make_endpoint(terms: dict[str, Any]) -> dict[str, Any]:
    """Make an endpoint; the answer is the only sight of its secret."""
    return _with_secret(*webhooks.make_endpoint(session(), principal=principal(), now=clock(), **terms))


@blueprint.get("/<uuid:endpoint_id>")
@requires(Permission.WEBHOOK_MANAGE)
@refuses(blueprint, 404)
@blueprint.response(200, WebhookSchema)
def get_endpoint(endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """One endpoint."""
    return _answer(webhooks.find_endpoint(session(), principal=principal(), endpoint_id=endpoint_id))


@blueprint.patch("/<uuid:endpoint_id>")
@requires(Permission.WEBHOOK_MANAGE)
@changes_version
@blueprint.arguments(WebhookChangeSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, WebhookSchema)
def change_endpoint(terms: dict[str, Any], endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """Change URL, topics or description; messages on their way go to the new URL."""
    found = webhooks.find_endpoint(session(), principal=principal(), endpoint_id=endpoint_id, lock=True)
    expect_version("webhook", found.id, found.version)
    return _answer(
        webhooks.change_endpoint(session(), principal=principal(), endpoint_id=endpoint_id, now=clock(), **terms)
    )


@blueprint.post("/<uuid:endpoint_id>/new-secret")
@requires(Permission.WEBHOOK_MANAGE)
@refuses(blueprint, 404)
@blueprint.response(200, WebhookWithSecretSchema)
def new_secret(endpoint_id: uuid.UUID) -> dict[str, Any]:
    """Make a new secret. The one until now signs along for a day, so that you can change over."""
    return _with_secret(*webhooks.rotate_secret(session(), principal=principal(), endpoint_id=endpoint_id, now=clock()))


@blueprint.post("/<uuid:endpoint_id>/stop")
@requires(Permission.WEBHOOK_MANAGE)
@refuses(blueprint, 404)
@blueprint.response(200, WebhookSchema)
def stop_endpoint(endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """Send nothing more. Doing it again changes nothing."""
    return _answer(webhooks.stop_endpoint(session(), principal=principal(), endpoint_id=endpoint_id, now=clock()))


@blueprint.post("/<uuid:endpoint_id>/start")
@requires(Permission.WEBHOOK_MANAGE)
@refuses(blueprint, 404)
@blueprint.response(200, WebhookSchema)
def start_endpoint(endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """Send again; what was missed comes by a replay."""
    return _answer(webhooks.start_endpoint(session(), principal=principal(), endpoint_id=endpoint_id, now=clock()))


@blueprint.post("/<uuid:endpoint_id>/test")
@requires(Permission.WEBHOOK_MANAGE)
@idempotent
@refuses(blueprint, 404, 409, 422)
@blueprint.response(202, WebhookTestSchema)
def send_test(endpoint_id: uuid.UUID) -> dict[str, str]:
    """Send a message of the topic webhook.test; it takes the way of every message, within seconds."""
    told = webhooks.send_test(session(), principal=principal(), endpoint_id=endpoint_id, now=clock())
    return {"topic": told.topic}


@blueprint.post("/<uuid:endpoint_id>/replay")
@requires(Permission.WEBHOOK_MANAGE)
@idempotent
@blueprint.arguments(WebhookReplaySchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(202, WebhookReplayedSchema)
def replay_since(wanted: dict[str, Any], endpoint_id: uuid.UUID) -> dict[str, int]:
    """Send again what did not arrive since some time, with what was missed while the endpoint was stopped."""
    count = webhook_messages.replay_since(
        session(), principal=principal(), endpoint_id=endpoint_id, now=clock(), **wanted
    )
    return {"count": count}


@blueprint.get("/<uuid:endpoint_id>/messages")
@requires(Permission.WEBHOOK_MANAGE)
@blueprint.arguments(WebhookMessageArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, page_of(WebhookMessageSchema))
def list_messages(arguments: dict[str, Any], endpoint_id: uuid.UUID) -> Page[WebhookMessage]:
    """The messages to one endpoint, newest first."""
    webhooks.find_endpoint(session(), principal=principal(), endpoint_id=endpoint_id)
    select = webhook_messages.visible_messages(principal(), endpoint_id)
    if (state := arguments.pop("state")) is not None:
        select = select.where(WebhookMessage.state == state)
    order = (WebhookMessage.created_at, WebhookMessage.id)
    return page(session(), select, order=order, descending=True, **arguments)


@blueprint.get("/<uuid:endpoint_id>/messages/<uuid:message_id>")
@requires(Permission.WEBHOOK_MANAGE)
@refuses(blueprint, 404)
@blueprint.response(200, WebhookMessageLogSchema)
def get_message(endpoint_id: uuid.UUID, message_id: uuid.UUID) -> WebhookMessage:
    """One message with the log of its attempts."""
    return webhook_messages.find_message(
        session(), principal=principal(), endpoint_id=endpoint_id, message_id=message_id
    )


@blueprint.post("/<uuid:endpoint_id>/messages/<uuid:message_id>/replay")
@requires(Permission.WEBHOOK_MANAGE)
@idempotent
@refuses(blueprint, 404, 409, 422)
@blueprint.response(202, WebhookMessageLogSchema)
def replay(endpoint_id: uuid.UUID, message_id: uuid.UUID) -> WebhookMessage:
    """Send one message again, under the same id."""
    return webhook_messages.replay(
        session(), principal=principal(), endpoint_id=endpoint_id, message_id=message_id, now=clock()
    )


def _answer(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    show_version("webhook", endpoint.id, endpoint.version)
    return endpoint


def _with_secret(endpoint: WebhookEndpoint, secret: str) -> dict[str, Any]:
    return {**{name: getattr(endpoint, name) for name in WebhookSchema().fields}, "secret": secret}
