"""Who asks: people and their roles, keys of firms' own systems, and the traces they leave."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, INET
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import Count, Document, Now, RandomKey, SerialKey, Text, Versioned, choice, restrict
from .firms import Firm


class UserRole(StrEnum):
    FIRM_TRADER = "firm_trader"
    FIRM_ADMIN = "firm_admin"
    PLATFORM_STAFF = "platform_staff"
    SENIOR_STAFF = "senior_staff"
    REGULATOR = "regulator"
    PLATFORM_ADMIN = "platform_admin"


class Language(StrEnum):
    CHINESE = "zh"
    ENGLISH = "en"


class SignInOutcome(StrEnum):
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - an outcome
    UNKNOWN_EMAIL = "unknown_email"
    LOCKED = "locked"
    INACTIVE = "inactive"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - an outcome


class RequestState(StrEnum):
    IN_PROGRESS = "in_progress"
    DONE = "done"


class User(Versioned, Model):
    """A person. Firm roles belong to a firm, platform roles to none.

    `session_token` is what a signed-in browser carries: a new one signs the person out everywhere.
    """

    __tablename__ = "user_account"  # "user" means something else in SQL, without any error
    __table_args__ = (
        sa.UniqueConstraint("session_token"),
        sa.Index("uq_user_account_email_lower", sa.text("lower(email)"), unique=True),
        sa.CheckConstraint("email ~ '^[^@[:space:]]+@[^@[:space:]]+$'", name="email"),
        sa.CheckConstraint("(role IN ('firm_trader', 'firm_admin')) = (firm_id IS NOT NULL)", name="firm_fits_role"),
        sa.CheckConstraint("failed_attempts >= 0", name="failed_attempts_not_negative"),
    )

    id: Mapped[RandomKey]
    email: Mapped[Text]
    password_hash: Mapped[Text]
    name: Mapped[Text]
    role: Mapped[UserRole] = mapped_column(choice(UserRole, "role"))
    firm_id: Mapped[uuid.UUID | None] = mapped_column(restrict("firm.id"), index=True)
    language: Mapped[Language] = mapped_column(choice(Language, "language"), server_default=Language.CHINESE.value)
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    failed_attempts: Mapped[Count] = mapped_column(server_default="0")
    locked_until: Mapped[dt.datetime | None]
    session_token: Mapped[uuid.UUID] = mapped_column(default=uuid.uuid4, server_default=sa.text("gen_random_uuid()"))
    password_changed_at: Mapped[dt.datetime | None]
    last_sign_in_at: Mapped[dt.datetime | None]
    created_at: Mapped[Now]

    firm: Mapped[Firm | None] = relationship()


class ApiKey(Model):
    """A key of a firm's own system: found by its public part, proved by the hash of its secret part."""

    __tablename__ = "api_key"
    __table_args__ = (
        sa.UniqueConstraint("public_id"),
        sa.UniqueConstraint("firm_id", "name"),
        sa.CheckConstraint("cardinality(scopes) > 0", name="has_scopes"),
    )

    id: Mapped[RandomKey]
    public_id: Mapped[Text]
    firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    name: Mapped[Text]
    secret_hash: Mapped[Text]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(sa.Text))
    created_by_id: Mapped[uuid.UUID] = mapped_column(restrict("user_account.id"))
    created_at: Mapped[Now]
    expires_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]
    last_used_at: Mapped[dt.datetime | None]

    firm: Mapped[Firm] = relationship()
    created_by: Mapped[User] = relationship()


class SignInEvent(Model):
    """One attempt to sign in, or a step that ends a session. Rows are only added."""

    __tablename__ = "sign_in_event"
    __table_args__ = (sa.Index(None, "user_id", "at"), sa.Index(None, "at"))

    id: Mapped[SerialKey]
    at: Mapped[Now]
    user_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    email: Mapped[Text]
    outcome: Mapped[SignInOutcome] = mapped_column(choice(SignInOutcome, "outcome"))
    remote_address: Mapped[str | None] = mapped_column(INET)
    user_agent: Mapped[str | None] = mapped_column(sa.Text)


class AccessLog(Model):
    """One look of a person or a key at something sealed: who, when, at what, why. Rows are only added."""

    __tablename__ = "access_log"
    __table_args__ = (
        sa.CheckConstraint("num_nonnulls(user_id, api_key_id) = 1", name="one_viewer"),
        sa.Index(None, "object_kind", "object_id", "at"),
        sa.Index(None, "firm_id", "at"),
        sa.Index(None, "user_id", "at"),
    )

    id: Mapped[SerialKey]
    at: Mapped[Now]
    user_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    api_key_id: Mapped[uuid.UUID | None] = mapped_column(restrict("api_key.id"))
    object_kind: Mapped[Text]
    object_id: Mapped[Text]
    firm_id: Mapped[uuid.UUID | None] = mapped_column(restrict("firm.id"))  # whose secret it is
    path: Mapped[Text]
    reason: Mapped[str | None] = mapped_column(sa.Text)


class IdempotencyKey(Model):
    """The answer to a request that creates, kept so that its repetition creates nothing.

    `principal` is who asked ("user:..." or "key:..."); `request_hash` tells a repetition from another request.
    """

    __tablename__ = "idempotency_key"
    __table_args__ = (
        sa.CheckConstraint("(state = 'done') = (status IS NOT NULL)", name="done_has_status"),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 255", name="key_length"),
        sa.Index(None, "created_at"),
    )

    principal: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    request_hash: Mapped[Text]
    state: Mapped[RequestState] = mapped_column(
        choice(RequestState, "state"), server_default=RequestState.IN_PROGRESS.value
    )
    status: Mapped[Count | None]
    response: Mapped[Document | None]
    headers: Mapped[Document | None]
    created_at: Mapped[Now]
