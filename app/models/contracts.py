"""Contracts with their frozen terms, the record of every step, and messages that leave after commit."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model
from contracts.state import Subject, state_names

from .columns import Digest, Document, Now, RandomKey, SerialKey, Text, Versioned, choice, one_of, restrict
from .firms import Firm
from .proposals import Proposal


class SubjectKind(StrEnum):
    """What an event is about."""

    OFFER = "offer"
    ROUND = "round"
    RUN = "run"
    PROPOSAL = "proposal"
    CONTRACT = "contract"
    AMENDMENT = "amendment"
    CALL_OFF = "call_off"
    CLAIM = "claim"
    WEBHOOK = "webhook"


class ActorKind(StrEnum):
    USER = "user"
    API_KEY = "api_key"
    SYSTEM = "system"


class Contract(Versioned, Model):
    """What two parties agreed on. Its terms, their hash and the rule in force are frozen by a trigger.

    `number` is what people call it by; it is random, so that it does not tell how many contracts there are.
    """

    __tablename__ = "contract"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["proposal_id", "seller_firm_id", "buyer_firm_id"],
            ["proposal.id", "proposal.seller_firm_id", "proposal.buyer_firm_id"],
            ondelete="RESTRICT",
        ),
        sa.UniqueConstraint("proposal_id"),
        sa.UniqueConstraint("number"),
        sa.CheckConstraint("jsonb_typeof(terms) = 'object'", name="terms"),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name="terms_hash"),
        sa.CheckConstraint("effective_from <= effective_to", name="effect_ordered"),
        sa.Index(None, "seller_firm_id", "state"),
        sa.Index(None, "buyer_firm_id", "state"),
        sa.Index(None, "created_at", "id"),
    )

    id: Mapped[RandomKey]
    number: Mapped[Text]
    proposal_id: Mapped[uuid.UUID] = mapped_column()
    seller_firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    buyer_firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    terms: Mapped[Document]
    terms_hash: Mapped[Digest]
    rule_version: Mapped[Text]
    state: Mapped[str] = mapped_column(one_of(state_names(Subject.CONTRACT), "state"), server_default="agreed")
    effective_from: Mapped[dt.date]
    effective_to: Mapped[dt.date]
    created_at: Mapped[Now]

    proposal: Mapped[Proposal] = relationship(
        primaryjoin="Contract.proposal_id == Proposal.id", foreign_keys=[proposal_id]
    )
    seller: Mapped[Firm] = relationship(primaryjoin="Contract.seller_firm_id == Firm.id", foreign_keys=[seller_firm_id])
    buyer: Mapped[Firm] = relationship(primaryjoin="Contract.buyer_firm_id == Firm.id", foreign_keys=[buyer_firm_id])


class Event(Model):
    """One step of something that has states: who moved it, when, from where to where, why. Rows are only added.

    `name` is the move's event in the state table ("proposal.release"), `acting_as` the capacity in which it was made
    (seller, buyer, staff ...), `version_hash` the hash of the terms the step was about. `txid` is the transaction
    that wrote the row: ids are given before the commit, so the order in which rows appear is not theirs.
    """

    __tablename__ = "event"
    __table_args__ = (
        sa.CheckConstraint(
            "(actor_kind = 'user') = (user_id IS NOT NULL) AND (actor_kind = 'api_key') = (api_key_id IS NOT NULL)",
            name="actor",
        ),
        sa.Index(None, "subject_kind", "subject_id", "id"),
        sa.Index(None, "txid", "id"),
        # Few among many: what a reviewer has recommended and a second person is to decide.
        sa.Index(
            "ix_event_recommendation",
            "subject_id",
            postgresql_where=sa.text("name IN ('proposal.recommend_release', 'proposal.recommend_withhold')"),
        ),
    )

    id: Mapped[SerialKey]
    txid: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("pg_current_xact_id()::text::bigint"))
    at: Mapped[Now]
    subject_kind: Mapped[SubjectKind] = mapped_column(choice(SubjectKind, "subject_kind"))
    subject_id: Mapped[uuid.UUID]
    name: Mapped[Text]
    acting_as: Mapped[str | None] = mapped_column(sa.Text)
    actor_kind: Mapped[ActorKind] = mapped_column(choice(ActorKind, "actor_kind"))
    user_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    api_key_id: Mapped[uuid.UUID | None] = mapped_column(restrict("api_key.id"))
    from_state: Mapped[str | None] = mapped_column(sa.Text)
    to_state: Mapped[Text]
    reason_code: Mapped[str | None] = mapped_column(sa.Text)
    note: Mapped[str | None] = mapped_column(sa.Text)
    version_hash: Mapped[Digest | None]


class Outbox(Model):
    """A message written in the transaction that causes it, and sent only after that transaction is committed.

    `firm_ids` are those whose people and endpoints hear of it; `about_kind` and `about_id` name the record.
    """

    __tablename__ = "outbox"
    __table_args__ = (sa.Index(None, "id", postgresql_where=sa.text("sent_at IS NULL")),)

    id: Mapped[SerialKey]
    topic: Mapped[Text]
    about_kind: Mapped[Text]
    about_id: Mapped[uuid.UUID]
    firm_ids: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(sa.Uuid))
    payload: Mapped[Document]
    created_at: Mapped[Now]
    sent_at: Mapped[dt.datetime | None]
