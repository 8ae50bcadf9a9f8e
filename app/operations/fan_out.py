"""From a message of the outbox to those who hear of it: notifications, e-mails, messages for firms' systems.

All rows of a message and the note that it has left are one transaction's, and a message is locked meanwhile: two
senders at once make each row once, a killed one makes none.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import (
    Firm,
    Language,
    Mail,
    MailState,
    Notification,
    NotificationChoice,
    Outbox,
    User,
    WebhookEndpoint,
    WebhookMessage,
)
from app.operations.notice_texts import body_of, subject_of, title_of
from app.operations.topics import ROLES, TOPICS

AT_ONCE = 200  # messages in one transaction
NO_SERVER = "no mail server is set up"


@dataclass(frozen=True, slots=True, kw_only=True)
class FannedOut:
    """What came of some messages: how many there were, and the endpoints that have something to get."""

    messages: int
    endpoints: frozenset[uuid.UUID]


def fan_out(session: Session, *, mail_server: bool, site: str | None, now: dt.datetime) -> FannedOut:
    """Take the oldest messages that nobody else is at, and make their rows.

    Without a mail server e-mails are kept as unsent, so that nobody thinks they went out.
    """
    waiting = sa.select(Outbox).where(Outbox.sent_at.is_(None)).order_by(Outbox.id).limit(AT_ONCE)
    messages = session.scalars(waiting.with_for_update(skip_locked=True)).all()
    if not messages:
        return FannedOut(messages=0, endpoints=frozenset())
    if heard := [message for message in messages if _rules(message.topic)]:
        _notify(session, heard)
        _write_mails(session, heard, mail_server=mail_server, site=site, now=now)
    endpoints = _address(session, messages, now=now)
    for message in messages:
        message.sent_at = now
    session.flush()
    return FannedOut(messages=len(messages), endpoints=endpoints)


def _rules(topic: str) -> list[tuple[str, str, bool]]:
    """Which roles hear of a topic, and whether by e-mail without a choice of their own; none of one no longer known."""
    known = TOPICS.get(topic)
    return [] if known is None else [(topic, role.value, known.mail) for role in sorted(ROLES[known.audience])]


def _heard(
    messages: Sequence[Outbox],
) -> tuple[sa.Select[Outbox, User], sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Who hears of which message, as rows (message, person); and whether in the app, and whether by e-mail."""
    rows = [rule for topic in sorted({message.topic for message in messages}) for rule in _rules(topic)]
    rule = sa.values(
        sa.column("topic", sa.Text), sa.column("role", sa.Text), sa.column("mail", sa.Boolean), name="rule"
    ).data(rows)
    query = (
        sa.select(Outbox, User)
        .join(rule, rule.c.topic == Outbox.topic)
        .join(
            User,
            sa.and_(
                User.active,
                sa.cast(User.role, sa.Text) == rule.c.role,
                sa.or_(User.firm_id.is_(None), User.firm_id == sa.any_(Outbox.firm_ids)),
            ),
        )
        .outerjoin(Firm, Firm.id == User.firm_id)
        .outerjoin(
            NotificationChoice,
            sa.and_(NotificationChoice.user_id == User.id, NotificationChoice.topic == Outbox.topic),
        )
        .where(Outbox.id.in_([message.id for message in messages]), sa.or_(Firm.id.is_(None), Firm.active))
        .order_by(Outbox.id, User.id)
    )
    in_app = sa.func.coalesce(NotificationChoice.in_app, sa.true())
    by_mail = sa.func.coalesce(NotificationChoice.mail, rule.c.mail)
    return query, in_app, by_mail


def _notify(session: Session, messages: Sequence[Outbox]) -> None:
    query, in_app, _ = _heard(messages)
    # The key comes from the database: the model's own default would be one for all rows.
    columns = (sa.func.gen_random_uuid(), Outbox.id, User.id, Outbox.created_at)
    rows = query.where(in_app).with_only_columns(*columns)
    session.execute(sa.insert(Notification).from_select(["id", "outbox_id", "user_id", "created_at"], rows))


def _write_mails(
    session: Session, messages: Sequence[Outbox], *, mail_server: bool, site: str | None, now: dt.datetime
) -> None:
    query, _, by_mail = _heard(messages)
    wanted = query.where(by_mail).with_only_columns(
        Outbox.id, Outbox.topic, Outbox.payload, User.id, User.email, User.language
    )
    for number, topic, payload, user_id, address, language in session.execute(wanted).all():
        title = title_of(topic, payload, Language(language))
        session.add(
            Mail(
                outbox_id=number,
                user_id=user_id,
                address=address,
                language=language,
                subject=subject_of(title, Language(language)),
                body=body_of(title, Language(language), site=site),
                state=MailState.WAITING if mail_server else MailState.UNSENT,
                due_at=now if mail_server else None,
                error=None if mail_server else NO_SERVER,
                created_at=now,
            )
        )


def _address(session: Session, messages: Sequence[Outbox], *, now: dt.datetime) -> frozenset[uuid.UUID]:
    found = session.execute(
        sa.select(Outbox.id, WebhookEndpoint.id)
        .join(WebhookEndpoint, sa.or_(asks_for(), _is_test_of()))
        .where(Outbox.id.in_([message.id for message in messages]), WebhookEndpoint.stopped_at.is_(None))
        .order_by(Outbox.id, WebhookEndpoint.id)
    ).all()
    by_number = {message.id: message for message in messages}
    session.add_all(webhook_message(by_number[number], endpoint_id, now=now) for number, endpoint_id in found)
    return frozenset(endpoint_id for _, endpoint_id in found)


def asks_for() -> sa.ColumnElement[bool]:
    """Whether an endpoint gets a message: it is for its firm, and the topic is one of those it asks for."""
    return sa.and_(WebhookEndpoint.firm_id == sa.any_(Outbox.firm_ids), Outbox.topic == sa.any_(WebhookEndpoint.topics))


def _is_test_of() -> sa.ColumnElement[bool]:
    return sa.and_(Outbox.topic == "webhook.test", Outbox.about_id == WebhookEndpoint.id)


def webhook_message(message: Outbox, endpoint_id: uuid.UUID, *, now: dt.datetime) -> WebhookMessage:
    """One message for one endpoint, due at once; its body is written here and signed as it stands ever after."""
    return WebhookMessage(
        outbox_id=message.id,
        endpoint_id=endpoint_id,
        topic=message.topic,
        body=body(message.topic, message.payload, message.created_at),
        due_at=now,
        created_at=message.created_at,
    )


def body(topic: str, payload: Mapping[str, Any], at: dt.datetime) -> str:
    """The body by Standard Webhooks: type, the time of what happened, and the data."""
    timestamp = at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    document = {"type": topic, "timestamp": timestamp, "data": payload}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
