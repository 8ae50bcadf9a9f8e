"""Runs: one clearing of a round each, with its certificate, a result for every offer, and shadow prices."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import Count, Digest, Document, Now, PeriodLabel, Price, RandomKey, SerialKey, Text, choice, restrict
from .offers import Offer
from .rounds import Round


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """What became of an offer in a run."""

    MATCHED = "matched"
    PARTLY_MATCHED = "partly_matched"
    OUT_OF_THE_MONEY = "out_of_the_money"
    NO_ELIGIBLE_LANE = "no_eligible_lane"
    CAPACITY_EXHAUSTED_PRO_RATA = "capacity_exhausted_pro_rata"
    LIMITED_BY_SHARE = "limited_by_share"
    LIMITED_BY_CORRIDOR = "limited_by_corridor"
    LIMITED_BY_POLICY = "limited_by_policy"
    INPUT_NOT_AVAILABLE = "input_not_available"
    PARADOXICALLY_REJECTED = "paradoxically_rejected"
    WITHDRAWN = "withdrawn"
    INVALID = "invalid"


class ShadowPriceKind(StrEnum):
    OFFER = "offer"
    HUB = "hub"
    CORRIDOR = "corridor"
    SHARE = "share"
    CONVERSION = "conversion"
    CEILING = "ceiling"
    ORIGIN = "origin"


class Run(Model):
    """One clearing of a round. `attempt` counts its starts: a killed run starts again and leaves no half.

    `snapshot_digest` is the SHA-256 of the frozen input; `certificate` the proof that is re-checked without a solver.
    """

    __tablename__ = "run"
    __table_args__ = (
        sa.UniqueConstraint("id", "round_id"),  # so that a proposal can point at a run *of its round*
        sa.Index(
            "uq_run_one_open_per_round",
            "round_id",
            unique=True,
            postgresql_where=sa.text("state IN ('queued', 'running')"),
        ),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
        sa.CheckConstraint("solver_rounds >= 0", name="solver_rounds_not_negative"),
        sa.CheckConstraint("attempt >= 0", name="attempt_not_negative"),
        sa.CheckConstraint("snapshot_digest ~ '^[0-9a-f]{64}$'", name="snapshot_digest"),
        sa.CheckConstraint("(snapshot_digest IS NULL) = (snapshot_at IS NULL)", name="snapshot_has_time"),
        sa.CheckConstraint("state <> 'running' OR started_at IS NOT NULL", name="running_has_time"),
        sa.CheckConstraint(
            "(state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="finished_has_time"
        ),
        sa.CheckConstraint(
            "state <> 'done' OR (certificate IS NOT NULL AND snapshot_digest IS NOT NULL)", name="done_is_certified"
        ),
        sa.CheckConstraint("state <> 'failed' OR error IS NOT NULL", name="failed_says_why"),
        sa.Index(None, "round_id", "created_at", "id"),
        sa.Index(None, "state"),
    )

    id: Mapped[RandomKey]
    round_id: Mapped[uuid.UUID] = mapped_column(restrict("round.id"))
    state: Mapped[RunState] = mapped_column(choice(RunState, "state"), server_default=RunState.QUEUED.value)
    phase: Mapped[str | None] = mapped_column(sa.Text)
    percent: Mapped[Count] = mapped_column(server_default="0")
    solver_rounds: Mapped[int] = mapped_column(server_default="0")
    attempt: Mapped[Count] = mapped_column(server_default="0")
    snapshot_digest: Mapped[Digest | None]
    snapshot_at: Mapped[dt.datetime | None]
    started_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    created_at: Mapped[Now]
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
    error: Mapped[str | None] = mapped_column(sa.Text)
    headline: Mapped[Document | None]
    certificate: Mapped[Document | None]

    round: Mapped[Round] = relationship()


class RunResult(Model):
    """What became of one offer, in the revision that the run saw.

    `filled` has one number of lots for every period of the round's horizon, in its order (0 outside the window).
    `distance` is CNY per unit by which an out-of-the-money offer missed, at least so much where `detail` says
    `distance_at_least`; it is for the firm itself and for staff.
    """

    __tablename__ = "run_result"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["offer_id", "offer_revision"], ["offer_revision.offer_id", "offer_revision.revision"], ondelete="RESTRICT"
        ),
        sa.CheckConstraint("0 <= ALL (filled)", name="filled_not_negative"),
        sa.CheckConstraint("distance >= 0", name="distance_not_negative"),
        sa.Index(None, "offer_id"),
        sa.Index(None, "run_id", "reason"),
    )

    run_id: Mapped[uuid.UUID] = mapped_column(restrict("run.id"), primary_key=True)
    offer_id: Mapped[uuid.UUID] = mapped_column(restrict("offer.id"), primary_key=True)
    offer_revision: Mapped[int]
    reason: Mapped[Reason] = mapped_column(choice(Reason, "reason"))
    distance: Mapped[Price | None]
    detail: Mapped[Document | None]
    filled: Mapped[list[int]] = mapped_column(ARRAY(sa.BigInteger))

    run: Mapped[Run] = relationship()
    offer: Mapped[Offer] = relationship()


class ShadowPrice(Model):
    """The dual value, in CNY per unit, of an offer, a limit, a conversion or a hub (the hub's is its reference price).

    `subject` is an offer's id, or "product/grade/region" of a hub, or the label of the limit; without a period the
    value holds for the horizon.
    """

    __tablename__ = "shadow_price"
    __table_args__ = (
        sa.UniqueConstraint("run_id", "subject_kind", "subject", "period", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[SerialKey]
    run_id: Mapped[uuid.UUID] = mapped_column(restrict("run.id"))
    subject_kind: Mapped[ShadowPriceKind] = mapped_column(choice(ShadowPriceKind, "subject_kind"))
    subject: Mapped[Text]
    period: Mapped[PeriodLabel | None]
    value: Mapped[Price]
