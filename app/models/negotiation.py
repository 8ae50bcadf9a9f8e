"""Negotiation of a proposal: versions of its terms, counter-offers among them, and what the parties write."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import Count, Digest, Document, Now, RandomKey, Text, choice, restrict
from .proposals import Proposal

LONGEST_MESSAGE = 2000


class Side(StrEnum):
    """Who speaks in a negotiation."""

    SELLER = "seller"
    BUYER = "buyer"


class VersionState(StrEnum):
    """What became of a version: a counter waits (`open`) or came to an end; one version at a time is on offer."""

    OPEN = "open"
    ON_OFFER = "on_offer"
    REPLACED = "replaced"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    VOID = "void"  # its proposal ended first


class ProposalVersion(Model):
    """One version of a proposal's terms: the first is the platform's, each counter-offer makes the next.

    What a version says is frozen; its state moves. A counter has a side, an end (`expires_at`) and perhaps a message;
    `answered_at` is when it was taken up, rejected, withdrawn or ran out.
    """

    __tablename__ = "proposal_version"
    __table_args__ = (
        sa.UniqueConstraint("proposal_id", "number"),
        sa.Index(
            "uq_proposal_version_one_open", "proposal_id", unique=True, postgresql_where=sa.text("state = 'open'")
        ),
        sa.Index(
            "uq_proposal_version_one_on_offer",
            "proposal_id",
            unique=True,
            postgresql_where=sa.text("state = 'on_offer'"),
        ),
        sa.CheckConstraint("number >= 1", name="number_positive"),
        sa.CheckConstraint("jsonb_typeof(terms) = 'object'", name="terms"),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name="terms_hash"),
        sa.CheckConstraint("(number = 1) = (proposed_by_side IS NULL)", name="counter_has_side"),
        sa.CheckConstraint(
            "num_nonnulls(proposed_by_id, proposed_by_key_id) = (proposed_by_side IS NOT NULL)::int", name="one_author"
        ),
        sa.CheckConstraint("(number = 1) = (expires_at IS NULL)", name="counter_has_expiry"),
        sa.CheckConstraint("expires_at > created_at", name="expiry_after_creation"),
        sa.CheckConstraint("number > 1 OR state <> 'open'", name="first_is_no_counter"),
        sa.CheckConstraint("number = 1 OR (state = 'open') = (answered_at IS NULL)", name="answered_has_time"),
        sa.CheckConstraint(f"length(message) BETWEEN 1 AND {LONGEST_MESSAGE}", name="message_length"),
        sa.Index(None, "expires_at", postgresql_where=sa.text("state = 'open'")),
    )

    id: Mapped[RandomKey]
    proposal_id: Mapped[uuid.UUID] = mapped_column(restrict("proposal.id"))
    number: Mapped[Count]
    terms: Mapped[Document]
    terms_hash: Mapped[Digest]
    state: Mapped[VersionState] = mapped_column(choice(VersionState, "state"))
    proposed_by_side: Mapped[Side | None] = mapped_column(choice(Side, "proposed_by_side"))
    proposed_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    proposed_by_key_id: Mapped[uuid.UUID | None] = mapped_column(restrict("api_key.id"))
    message: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[Now]
    expires_at: Mapped[dt.datetime | None]
    answered_at: Mapped[dt.datetime | None]

    proposal: Mapped[Proposal] = relationship()


class ProposalMessage(Model):
    """What one party of a proposal writes to the other, counted per proposal. Rows are only added."""

    __tablename__ = "proposal_message"
    __table_args__ = (
        sa.CheckConstraint("number >= 1", name="number_positive"),
        sa.CheckConstraint(f"length(body) BETWEEN 1 AND {LONGEST_MESSAGE}", name="body_length"),
        sa.CheckConstraint("num_nonnulls(author_id, author_key_id) = 1", name="one_author"),
    )

    proposal_id: Mapped[uuid.UUID] = mapped_column(restrict("proposal.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    side: Mapped[Side] = mapped_column(choice(Side, "side"))
    author_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    author_key_id: Mapped[uuid.UUID | None] = mapped_column(restrict("api_key.id"))
    body: Mapped[Text]
    created_at: Mapped[Now]


class ProposalRead(Model):
    """How far a side has read the thread of a proposal: all messages up to and including number `read_until`."""

    __tablename__ = "proposal_read"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["proposal_id", "read_until"],
            ["proposal_message.proposal_id", "proposal_message.number"],
            ondelete="RESTRICT",
        ),
    )

    proposal_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    side: Mapped[Side] = mapped_column(choice(Side, "side"), primary_key=True)
    read_until: Mapped[int]
    read_at: Mapped[Now]
