"""One's own notifications and how one gets them; e-mails for those who run the platform."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import Timestamp
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import Language, Mail, MailState, Notification
from app.operations import notifications
from app.operations.notice_texts import title_of
from app.operations.notifications import Choice
from app.operations.topics import TOPICS
from app.permissions import Permission

blueprint = ApiBlueprint("notifications", __name__, path="/notifications", description="What you are told")
mails = ApiBlueprint("mails", __name__, path="/mails", description="E-mails and what became of them")
BLUEPRINTS = (blueprint, mails)


class NoticeTextSchema(ma.Schema):
    """A text in both languages."""

    zh = ma.fields.String(required=True)
    en = ma.fields.String(required=True)


class NotificationSchema(ma.Schema):
    """One notification: what happened, to which record, and whether it was read."""

    id = ma.fields.UUID(required=True)
    topic = ma.fields.String(required=True)
    title = ma.fields.Nested(NoticeTextSchema, required=True)
    about_kind = ma.fields.String(required=True)
    about_id = ma.fields.UUID(required=True)
    data = ma.fields.Dict(keys=ma.fields.String(), required=True)
    created_at = Timestamp(required=True)
    read_at = Timestamp(required=True, allow_none=True)


class NotificationArguments(PageArguments):
    unread = ma.fields.Boolean(load_default=False, metadata={"description": "Only those not read yet"})


class ReadUntilSchema(ma.Schema):
    """Up to which time all are read; now without one."""

    until = Timestamp(load_default=None, allow_none=True)


class ReadCountSchema(ma.Schema):
    """How many."""

    count = ma.fields.Integer(required=True)


class NoticeChoiceSchema(ma.Schema):
    """How you hear of one topic; `chosen` is false as long as the topic's own rule holds."""

    topic = ma.fields.String(required=True)
    text = ma.fields.Nested(NoticeTextSchema, required=True)
    in_app = ma.fields.Boolean(required=True)
    mail = ma.fields.Boolean(required=True)
    chosen = ma.fields.Boolean(required=True)


class NoticeChoicesSchema(ma.Schema):
    choices = ma.fields.List(ma.fields.Nested(NoticeChoiceSchema), required=True)


class WantedNoticeSchema(ma.Schema):
    """How you want to hear of one topic."""

    topic = ma.fields.String(required=True, validate=ma.validate.OneOf(sorted(TOPICS)))
    in_app = ma.fields.Boolean(required=True)
    mail = ma.fields.Boolean(required=True)


class WantedNoticesSchema(ma.Schema):
    choices = ma.fields.List(ma.fields.Nested(WantedNoticeSchema), required=True, validate=ma.validate.Length(1, 200))


class MailSchema(ma.Schema):
    """One e-mail. Without a mail server it is `unsent`, and never goes out."""

    id = ma.fields.UUID(required=True)
    user_id = ma.fields.UUID(required=True)
    address = ma.fields.String(required=True)
    subject = ma.fields.String(required=True)
    state = ma.fields.Enum(MailState, by_value=True, required=True)
    tries = ma.fields.Integer(required=True)
    error = ma.fields.String(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    sent_at = Timestamp(required=True, allow_none=True)


class MailArguments(PageArguments):
    state = ma.fields.Enum(MailState, by_value=True, load_default=None)


@blueprint.get("")
@requires(Permission.NOTICE_READ)
@blueprint.arguments(NotificationArguments, location="query")
@blueprint.response(200, page_of(NotificationSchema))
def list_notifications(arguments: dict[str, Any]) -> Page[dict[str, Any]]:
    """Your notifications, newest first."""
    select = notifications.visible_notifications(principal(), unread=arguments.pop("unread"))
    order = (Notification.created_at, Notification.id)
    found = page(session(), select, order=order, descending=True, **arguments)
    return Page([_shown(notification) for notification in found.items], found.next)


@blueprint.post("/<uuid:notification_id>/read")
@requires(Permission.NOTICE_READ)
@refuses(blueprint, 404)
@blueprint.response(200, NotificationSchema)
def read(notification_id: uuid.UUID) -> dict[str, Any]:
    """Note that one was read. Doing it again changes nothing."""
    return _shown(
        notifications.mark_read(session(), principal=principal(), notification_id=notification_id, now=clock())
    )


@blueprint.post("/read-all")
@requires(Permission.NOTICE_READ)
@blueprint.arguments(ReadUntilSchema)
@blueprint.response(200, ReadCountSchema)
def read_all(arguments: dict[str, Any]) -> dict[str, int]:
    """Note that all were read, up to a time if one is given."""
    now = clock()
    until = arguments["until"] or now
    return {"count": notifications.mark_all_read(session(), principal=principal(), until=until, now=now)}


@blueprint.get("/choices")
@requires(Permission.NOTICE_READ)
@blueprint.response(200, NoticeChoicesSchema)
def get_choices() -> dict[str, Any]:
    """How you hear of each topic that is for you."""
    return _chosen(notifications.choices(session(), principal=principal()))


@blueprint.patch("/choices")
@requires(Permission.NOTICE_READ)
@blueprint.arguments(WantedNoticesSchema)
@refuses(blueprint, 422)
@blueprint.response(200, NoticeChoicesSchema)
def choose(wanted: dict[str, Any]) -> dict[str, Any]:
    """Choose for some topics; the others stay as they are."""
    by_topic = {one["topic"]: (one["in_app"], one["mail"]) for one in wanted["choices"]}
    return _chosen(notifications.choose(session(), principal=principal(), wanted=by_topic))


@mails.get("")
@requires(Permission.MAIL_READ)
@mails.arguments(MailArguments, location="query")
@mails.response(200, page_of(MailSchema))
def list_mails(arguments: dict[str, Any]) -> Page[Mail]:
    """The e-mails of everybody, newest first, without their texts."""
    select = notifications.visible_mails(principal())
    if (state := arguments.pop("state")) is not None:
        select = select.where(Mail.state == state)
    return page(session(), select, order=(Mail.created_at, Mail.id), descending=True, **arguments)


def _shown(notification: Notification) -> dict[str, Any]:
    message = notification.message
    return {
        "id": notification.id,
        "topic": message.topic,
        "title": {language.value: title_of(message.topic, message.payload, language) for language in Language},
        "about_kind": message.about_kind,
        "about_id": message.about_id,
        "data": message.payload,
        "created_at": notification.created_at,
        "read_at": notification.read_at,
    }


def _chosen(found: list[Choice]) -> dict[str, Any]:
    return {
        "choices": [
            {
                "topic": choice.topic.code,
                "text": choice.topic.text,
                "in_app": choice.in_app,
                "mail": choice.mail,
                "chosen": choice.chosen,
            }
            for choice in found
        ]
    }
