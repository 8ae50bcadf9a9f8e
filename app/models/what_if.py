"""What staff ask of a copy of a round: what would change if, and whom the chain would miss."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import Count, Document, Now, RandomKey, Text, choice, restrict
from .rounds import Round
from .runs import Run, RunState


class WhatIfKind(StrEnum):
    """A SCENARIO is cleared with its changes and set beside the market as it is; CRITICALITY ranks firms by what is
    lost without each."""

    SCENARIO = "scenario"
    CRITICALITY = "criticality"


class WhatIf(Model):
    """One question about a run's round and its answer, worked out by a job. It changes nothing of the round.

    `changes` are documents by `kind` (see `app.operations.what_if`); `attempt` counts the starts, as of a run.
    `same_offers` says whether the offers, limits and commitments were still those that the run has seen.
    """

    __tablename__ = "what_if"
    __table_args__ = (
        sa.ForeignKeyConstraint(["run_id", "round_id"], ["run.id", "run.round_id"], ondelete="RESTRICT"),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
        sa.CheckConstraint("attempt >= 0", name="attempt_not_negative"),
        sa.CheckConstraint("state <> 'cancelled'", name="not_cancelled"),
        sa.CheckConstraint("jsonb_typeof(changes) = 'array'", name="changes"),
        sa.CheckConstraint("(kind = 'scenario') = (changes <> '[]'::jsonb)", name="scenario_has_changes"),
        sa.CheckConstraint("state <> 'running' OR started_at IS NOT NULL", name="running_has_time"),
        sa.CheckConstraint("(state IN ('done', 'failed')) = (finished_at IS NOT NULL)", name="finished_has_time"),
        sa.CheckConstraint("(state = 'done') = (result IS NOT NULL)", name="done_has_result"),
        sa.CheckConstraint("state <> 'failed' OR error IS NOT NULL", name="failed_says_why"),
        sa.Index(None, "created_at", "id"),
        sa.Index(None, "run_id"),
    )

    id: Mapped[RandomKey]
    round_id: Mapped[uuid.UUID] = mapped_column(restrict("round.id"))
    run_id: Mapped[uuid.UUID] = mapped_column()
    kind: Mapped[WhatIfKind] = mapped_column(choice(WhatIfKind, "kind"))
    title: Mapped[Text]
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    state: Mapped[RunState] = mapped_column(choice(RunState, "state"), server_default=RunState.QUEUED.value)
    phase: Mapped[str | None] = mapped_column(sa.Text)
    percent: Mapped[Count] = mapped_column(server_default="0")
    attempt: Mapped[Count] = mapped_column(server_default="0")
    same_offers: Mapped[bool | None]
    created_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    created_at: Mapped[Now]
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
    error: Mapped[str | None] = mapped_column(sa.Text)
    result: Mapped[Document | None]

    round: Mapped[Round] = relationship()
    run: Mapped[Run] = relationship(primaryjoin="WhatIf.run_id == Run.id", foreign_keys=[run_id])
