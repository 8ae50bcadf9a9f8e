"""What leaves the house: notifications, e-mails, and the messages that firms' own systems get."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, INET
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import Count, Now, RandomKey, SerialKey, Text, Versioned, choice, part_of, restrict
from .contracts import Outbox
from .firms import Firm
from .people import Language, User


class MailState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    UNSENT = "unsent"  # there was no mail server when it was written; it never goes out
    FAILED = "failed"


class MessageState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class StopReason(StrEnum):
    """Why an endpoint gets nothing any more."""

    BY_FIRM = "by_firm"
    GONE = "gone"  # it answered 410
    FAILING = "failing"  # for days


class Notification(Model):
    """One message of the outbox for one person, read or not."""

    __tablename__ = "notification"
    __table_args__ = (
        sa.UniqueConstraint("outbox_id", "user_id"),
        sa.Index(None, "user_id", "created_at", "id"),
        sa.Index("ix_notification_unread", "user_id", postgresql_where=sa.text("read_at IS NULL")),
    )

    id: Mapped[RandomKey]
    outbox_id: Mapped[int] = mapped_column(restrict("outbox.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(restrict("user_account.id"))
    created_at: Mapped[Now]
    read_at: Mapped[dt.datetime | None]

    message: Mapped[Outbox] = relationship()


class NotificationChoice(Model):
    """What a person wants to hear of a topic, and how; without a row the topic's own rule holds."""

    __tablename__ = "notification_choice"

    user_id: Mapped[uuid.UUID] = mapped_column(part_of("user_account.id"), primary_key=True)
    topic: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    in_app: Mapped[bool]
    mail: Mapped[bool]


class Mail(Model):
    """One e-mail to one person, as it is sent; `tries` counts how often a sender has taken it up."""

    __tablename__ = "mail"
    __table_args__ = (
        sa.UniqueConstraint("outbox_id", "user_id"),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_has_time"),
        sa.CheckConstraint("state NOT IN ('unsent', 'failed') OR error IS NOT NULL", name="failed_says_why"),
        sa.CheckConstraint("(state = 'waiting') = (due_at IS NOT NULL)", name="waiting_is_due"),
        sa.CheckConstraint("tries >= 0", name="tries_not_negative"),
        sa.Index(None, "created_at", "id"),
        sa.Index("ix_mail_waiting", "due_at", postgresql_where=sa.text("state = 'waiting'")),
    )

    id: Mapped[RandomKey]
    outbox_id: Mapped[int] = mapped_column(restrict("outbox.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(restrict("user_account.id"))
    address: Mapped[Text]
    language: Mapped[Language] = mapped_column(choice(Language, "language"))
    subject: Mapped[Text]
    body: Mapped[Text]
    state: Mapped[MailState] = mapped_column(choice(MailState, "state"))
    tries: Mapped[Count] = mapped_column(server_default="0")
    due_at: Mapped[dt.datetime | None]
    sent_at: Mapped[dt.datetime | None]
    error: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[Now]

    user: Mapped[User] = relationship()


class WebhookEndpoint(Versioned, Model):
    """An address of a firm's own system and the topics it asks for.

    The secrets are kept encrypted; the older one signs along until `older_until`. `failing_since` is the first failed
    attempt after the last one that went well.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        sa.UniqueConstraint("firm_id", "url"),
        sa.CheckConstraint("url ~ '^https?://' AND length(url) <= 2000", name="url"),
        sa.CheckConstraint("cardinality(topics) > 0", name="has_topics"),
        sa.CheckConstraint("(older_secret IS NULL) = (older_until IS NULL)", name="older_secret_ends"),
        sa.CheckConstraint("(stopped_at IS NULL) = (stop_reason IS NULL)", name="stopped_says_why"),
    )

    id: Mapped[RandomKey]
    firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    url: Mapped[Text]
    description: Mapped[Text]
    topics: Mapped[list[str]] = mapped_column(ARRAY(sa.Text))
    secret: Mapped[Text]
    older_secret: Mapped[str | None] = mapped_column(sa.Text)
    older_until: Mapped[dt.datetime | None]
    failing_since: Mapped[dt.datetime | None]
    stopped_at: Mapped[dt.datetime | None]
    stop_reason: Mapped[StopReason | None] = mapped_column(choice(StopReason, "stop_reason"))
    created_by_id: Mapped[uuid.UUID] = mapped_column(restrict("user_account.id"))
    created_at: Mapped[Now]

    firm: Mapped[Firm] = relationship()


class WebhookMessage(Model):
    """One message of the outbox for one endpoint. Its id stays over all attempts, and so does its body.

    `tries` numbers the attempts, those of killed senders included; `round_tries` counts since the last replay and
    decides how long to wait.
    """

    __tablename__ = "webhook_message"
    __table_args__ = (
        sa.UniqueConstraint("outbox_id", "endpoint_id"),
        sa.CheckConstraint("(state = 'waiting') = (due_at IS NOT NULL)", name="waiting_is_due"),
        sa.CheckConstraint("state <> 'delivered' OR delivered_at IS NOT NULL", name="delivered_has_time"),
        sa.CheckConstraint("tries >= round_tries AND round_tries >= 0", name="tries"),
        sa.Index(None, "endpoint_id", "created_at", "id"),
        sa.Index("ix_webhook_message_waiting", "endpoint_id", "due_at", postgresql_where=sa.text("state = 'waiting'")),
    )

    id: Mapped[RandomKey]
    outbox_id: Mapped[int] = mapped_column(restrict("outbox.id"))
    endpoint_id: Mapped[uuid.UUID] = mapped_column(restrict("webhook_endpoint.id"))
    topic: Mapped[Text]
    body: Mapped[Text]
    state: Mapped[MessageState] = mapped_column(
        choice(MessageState, "state"), server_default=MessageState.WAITING.value
    )
    tries: Mapped[Count] = mapped_column(server_default="0")
    round_tries: Mapped[Count] = mapped_column(server_default="0")
    due_at: Mapped[dt.datetime | None]
    delivered_at: Mapped[dt.datetime | None]
    created_at: Mapped[Now]

    endpoint: Mapped[WebhookEndpoint] = relationship()
    attempts: Mapped[list[WebhookAttempt]] = relationship(order_by="WebhookAttempt.number", viewonly=True)


class WebhookAttempt(Model):
    """One attempt to hand a message over: what was answered, or why nothing was. Rows are only added."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (
        sa.UniqueConstraint("message_id", "number"),
        sa.CheckConstraint("num_nonnulls(status, error) = 1", name="answer_or_error"),
        sa.CheckConstraint("number > 0", name="number_positive"),
        sa.CheckConstraint("milliseconds >= 0", name="milliseconds_not_negative"),
        sa.CheckConstraint("length(answer) <= 1024", name="answer_length"),
    )

    id: Mapped[SerialKey]
    message_id: Mapped[uuid.UUID] = mapped_column(restrict("webhook_message.id"))
    number: Mapped[Count]
    at: Mapped[Now]
    address: Mapped[str | None] = mapped_column(INET)
    status: Mapped[Count | None]
    milliseconds: Mapped[int]
    answer: Mapped[str | None] = mapped_column(sa.Text)
    error: Mapped[str | None] = mapped_column(sa.Text)
