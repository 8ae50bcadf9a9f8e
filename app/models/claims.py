"""Claims for a breach of contract, and the files that prove one."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model
from contracts.reasons import ReasonGroup, codes_of
from contracts.state import Actor, Subject, state_names

from .columns import Digest, Document, Money, Now, RandomKey, Text, Versioned, choice, one_of, restrict
from .contracts import Contract

SIDES = (Actor.SELLER.value, Actor.BUYER.value)
LARGEST_FILE = 10 * 1024 * 1024
"""Bytes of one piece of evidence."""


class Penalty(StrEnum):
    """A sum that the terms themselves compute."""

    LATE_DAMAGES = "late_damages"
    SUPPLY_OR_PAY = "supply_or_pay"


class FileKind(StrEnum):
    """What a piece of evidence may be."""

    PDF = "pdf"
    PNG = "png"
    JPEG = "jpeg"
    CSV = "csv"
    TEXT = "text"
    XLSX = "xlsx"


class Claim(Versioned, Model):
    """What one side asks of the other for a breach on a day; `claimant` is the side. Amounts are CNY, tax excluded.

    A draft may be filed until `file_by`; the other side may answer until `answer_by`, after which the platform decides
    without its answer. Where the terms compute the sum, `penalty` names the rule, `penalty_period` the period or the
    year it is for, and `working` holds the arithmetic ({"value", "steps": [{"zh", "en"}]}). What was claimed is frozen
    by the filing.
    """

    __tablename__ = "claim"
    __table_args__ = (
        sa.CheckConstraint("amount_claimed > 0", name="amount_positive"),
        sa.CheckConstraint("amount_awarded BETWEEN 0 AND amount_claimed", name="awarded_within_claimed"),
        sa.CheckConstraint("(state = 'upheld') = (amount_awarded IS NOT NULL)", name="upheld_has_amount"),
        sa.CheckConstraint("(state IN ('upheld', 'declined')) = (decided_at IS NOT NULL)", name="decided_has_time"),
        sa.CheckConstraint(
            "state NOT IN ('pending', 'defended', 'upheld', 'declined') OR filed_at IS NOT NULL", name="filed_has_time"
        ),
        sa.CheckConstraint("(filed_at IS NULL) = (answer_by IS NULL)", name="filed_has_answer_day"),
        sa.CheckConstraint("(defence IS NULL) = (defended_at IS NULL)", name="defence_has_time"),
        sa.CheckConstraint("state <> 'defended' OR defence IS NOT NULL", name="defended_has_defence"),
        sa.CheckConstraint("file_by >= breach_on", name="days_ordered"),
        sa.CheckConstraint(
            "(penalty IS NULL) = (working IS NULL) AND (penalty IS NULL) = (penalty_period IS NULL)",
            name="penalty_has_working",
        ),
        sa.Index(None, "contract_id", "created_at", "id"),
        sa.Index(None, "state", "file_by"),
    )

    id: Mapped[RandomKey]
    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"))
    claimant: Mapped[str] = mapped_column(one_of(SIDES, "claimant"))
    kind: Mapped[str] = mapped_column(one_of(codes_of(ReasonGroup.CLAIM), "kind"))
    breach_on: Mapped[dt.date]
    statement: Mapped[Text]
    amount_claimed: Mapped[Money]
    penalty: Mapped[Penalty | None] = mapped_column(choice(Penalty, "penalty"))
    penalty_period: Mapped[str | None] = mapped_column(sa.String(7))
    working: Mapped[Document | None]
    state: Mapped[str] = mapped_column(one_of(state_names(Subject.CLAIM), "state"), server_default="draft")
    file_by: Mapped[dt.date]
    filed_at: Mapped[dt.datetime | None]
    answer_by: Mapped[dt.date | None]
    defence: Mapped[str | None] = mapped_column(sa.Text)
    defended_at: Mapped[dt.datetime | None]
    amount_awarded: Mapped[Decimal | None] = mapped_column(sa.Numeric(18, 2))
    decided_at: Mapped[dt.datetime | None]
    created_at: Mapped[Now]

    contract: Mapped[Contract] = relationship()
    evidence: Mapped[list[Evidence]] = relationship(order_by="Evidence.added_at, Evidence.id", viewonly=True)


class Evidence(Model):
    """A file that a side puts forward for a claim or for an event of force majeure. Its bytes and hash never change."""

    __tablename__ = "evidence"
    __table_args__ = (
        sa.CheckConstraint("num_nonnulls(claim_id, force_majeure_id) = 1", name="one_purpose"),
        sa.CheckConstraint("size = octet_length(content)", name="size"),
        sa.CheckConstraint(f"size BETWEEN 1 AND {LARGEST_FILE}", name="size_within_limit"),
        sa.CheckConstraint("sha256 = encode(sha256(content), 'hex')", name="sha256"),
        sa.Index(None, "claim_id", "added_at", "id"),
        sa.Index(None, "force_majeure_id", "added_at", "id"),
    )

    id: Mapped[RandomKey]
    claim_id: Mapped[uuid.UUID | None] = mapped_column(restrict("claim.id"))
    force_majeure_id: Mapped[uuid.UUID | None] = mapped_column(restrict("force_majeure.id"))
    side: Mapped[str] = mapped_column(one_of(SIDES, "side"))
    filename: Mapped[Text]
    kind: Mapped[FileKind] = mapped_column(choice(FileKind, "kind"))
    size: Mapped[int]
    sha256: Mapped[Digest]
    content: Mapped[bytes] = mapped_column(sa.LargeBinary, deferred=True)
    added_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    added_at: Mapped[Now]
