"""What hinders a contract or ends it - force majeure, suspension, termination - and what comes back of it."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model
from contracts.reasons import ReasonGroup, codes_of

from .claims import SIDES, Evidence
from .columns import (
    Document,
    Lots,
    Now,
    PeriodLabel,
    RandomKey,
    SerialKey,
    Share,
    Text,
    Versioned,
    choice,
    one_of,
    restrict,
)
from .contracts import Contract
from .firms import Certificate, Firm


class ForceMajeure(Versioned, Model):
    """An event that keeps a firm from performing a share of what it owes, from a day on and until it has ended.

    Both days count to it. `affected` is the share that cannot be performed, 1 for all.
    """

    __tablename__ = "force_majeure"
    __table_args__ = (
        sa.CheckConstraint("affected > 0 AND affected <= 1", name="affected"),
        sa.CheckConstraint("began_on <= ended_on", name="days_ordered"),
        sa.Index(None, "firm_id", "told_at", "id"),
    )

    id: Mapped[RandomKey]
    firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    description: Mapped[Text]
    began_on: Mapped[dt.date]
    ended_on: Mapped[dt.date | None]
    affected: Mapped[Share]
    told_at: Mapped[Now]

    firm: Mapped[Firm] = relationship()
    notices: Mapped[list[ForceMajeureNotice]] = relationship(
        back_populates="event", order_by="ForceMajeureNotice.given_at, ForceMajeureNotice.id"
    )
    allocations: Mapped[list[Allocation]] = relationship(
        back_populates="event", order_by="Allocation.product_code, Allocation.period"
    )
    evidence: Mapped[list[Evidence]] = relationship(order_by="Evidence.added_at, Evidence.id", viewonly=True)


class ForceMajeureNotice(Model):
    """The notice of an event under one contract, by the side that it hinders.

    `in_time` is by the contract's own days; a late notice counts from `counts_from` on, not from the beginning.
    """

    __tablename__ = "force_majeure_notice"
    __table_args__ = (sa.UniqueConstraint("force_majeure_id", "contract_id"), sa.Index(None, "contract_id"))

    id: Mapped[RandomKey]
    force_majeure_id: Mapped[uuid.UUID] = mapped_column(restrict("force_majeure.id"))
    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"))
    side: Mapped[str] = mapped_column(one_of(SIDES, "side"))
    in_time: Mapped[bool]
    counts_from: Mapped[dt.date]
    given_at: Mapped[Now]

    event: Mapped[ForceMajeure] = relationship(back_populates="notices")
    contract: Mapped[Contract] = relationship()
    excused: Mapped[list[ExcusedVolume]] = relationship(order_by="ExcusedVolume.period", viewonly=True)


class Allocation(Model):
    """What a seller still has of a product in a period of an event, shared among all its contracts pro rata."""

    __tablename__ = "force_majeure_allocation"
    __table_args__ = (
        sa.UniqueConstraint("force_majeure_id", "product_code", "period", name="uq_force_majeure_allocation_one"),
        sa.CheckConstraint("available >= 0", name="available_not_negative"),
    )

    id: Mapped[RandomKey]
    force_majeure_id: Mapped[uuid.UUID] = mapped_column(restrict("force_majeure.id"))
    product_code: Mapped[str] = mapped_column(restrict("product.code"))
    period: Mapped[PeriodLabel]
    available: Mapped[Lots]
    made_at: Mapped[Now]

    event: Mapped[ForceMajeure] = relationship(back_populates="allocations")


class ExcusedVolume(Model):
    """Lots of a period that neither side owes because of a notice: shared out, or by the days lost when it ended."""

    __tablename__ = "excused_volume"
    __table_args__ = (sa.CheckConstraint("excused BETWEEN 0 AND promised", name="excused_within_promised"),)

    notice_id: Mapped[uuid.UUID] = mapped_column(restrict("force_majeure_notice.id"), primary_key=True)
    period: Mapped[PeriodLabel] = mapped_column(primary_key=True)
    promised: Mapped[Lots]
    excused: Mapped[Lots]
    allocation_id: Mapped[uuid.UUID | None] = mapped_column(restrict("force_majeure_allocation.id"))
    at: Mapped[Now]


class Suspension(Model):
    """A time in which a contract rests, for a notice of force majeure or a certificate; one at a time."""

    __tablename__ = "suspension"
    __table_args__ = (
        sa.CheckConstraint("num_nonnulls(notice_id, certificate_id) = 1", name="one_cause"),
        sa.CheckConstraint("(resumed_at IS NULL) = (resume_reason IS NULL)", name="resumed_has_reason"),
        sa.CheckConstraint("suspended_at <= resumed_at", name="times_ordered"),
        sa.Index("uq_suspension_one_open", "contract_id", unique=True, postgresql_where=sa.text("resumed_at IS NULL")),
    )

    id: Mapped[RandomKey]
    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"), index=True)
    reason_code: Mapped[str] = mapped_column(one_of(codes_of(ReasonGroup.SUSPEND), "reason_code"))
    notice_id: Mapped[uuid.UUID | None] = mapped_column(restrict("force_majeure_notice.id"))
    certificate_id: Mapped[uuid.UUID | None] = mapped_column(restrict("certificate.id"))
    suspended_at: Mapped[Now]
    resumed_at: Mapped[dt.datetime | None]
    resume_reason: Mapped[str | None] = mapped_column(one_of(codes_of(ReasonGroup.RESUME), "resume_reason"))

    contract: Mapped[Contract] = relationship()
    notice: Mapped[ForceMajeureNotice | None] = relationship()
    certificate: Mapped[Certificate | None] = relationship()


class TerminationGround(StrEnum):
    """By which right a side ends a contract."""

    CAUSE = "cause"
    CONSENT = "consent"
    FORCE_MAJEURE = "force_majeure"


class Termination(Versioned, Model):
    """A side's wish to end a contract, and what became of it.

    For a cause the other side may cure until `cure_until`; the cause is established by an upheld claim or by the
    platform. By consent the other side ends the contract by agreeing.
    """

    __tablename__ = "termination"
    __table_args__ = (
        sa.CheckConstraint("(ground = 'cause') = (cure_until IS NOT NULL)", name="cause_has_cure"),
        sa.CheckConstraint("ground = 'cause' OR (claim_id IS NULL AND established_at IS NULL)", name="only_of_cause"),
        sa.CheckConstraint("num_nonnulls(withdrawn_at, done_at) <= 1", name="one_outcome"),
        sa.Index(
            "uq_termination_one_open",
            "contract_id",
            "side",
            unique=True,
            postgresql_where=sa.text("withdrawn_at IS NULL AND done_at IS NULL"),
        ),
        sa.Index(
            "uq_termination_one_done", "contract_id", unique=True, postgresql_where=sa.text("done_at IS NOT NULL")
        ),
        sa.Index(None, "contract_id", "given_at", "id"),
    )

    id: Mapped[RandomKey]
    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"))
    side: Mapped[str] = mapped_column(one_of(SIDES, "side"))
    ground: Mapped[TerminationGround] = mapped_column(choice(TerminationGround, "ground"))
    reason_code: Mapped[str] = mapped_column(one_of(codes_of(ReasonGroup.TERMINATE), "reason_code"))
    statement: Mapped[Text]
    claim_id: Mapped[uuid.UUID | None] = mapped_column(restrict("claim.id"))
    cure_until: Mapped[dt.date | None]
    established_at: Mapped[dt.datetime | None]
    given_at: Mapped[Now]
    withdrawn_at: Mapped[dt.datetime | None]
    done_at: Mapped[dt.datetime | None]

    contract: Mapped[Contract] = relationship()


class ReturnCause(StrEnum):
    """Why volume that a contract held is for sale again."""

    EXCUSED = "excused"
    TERMINATED = "terminated"
    EXPIRED = "expired"
    FULFILLED = "fulfilled"


class ReturnedVolume(Model):
    """Lots of an offer that a contract held and gave back: the next run may sell them again. Rows are only added."""

    __tablename__ = "returned_volume"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["offer_id", "period"], ["offer_period.offer_id", "offer_period.period"], ondelete="RESTRICT"
        ),
        sa.CheckConstraint("lots > 0", name="lots_positive"),
        sa.Index(None, "contract_id", "id"),
    )

    id: Mapped[SerialKey]
    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"))
    offer_id: Mapped[uuid.UUID]
    period: Mapped[PeriodLabel]
    lots: Mapped[Lots]
    cause: Mapped[ReturnCause] = mapped_column(choice(ReturnCause, "cause"))
    at: Mapped[Now]


class ReopeningOutcome(StrEnum):
    AMENDED = "amended"
    KEPT = "kept"


class Reopening(Model):
    """A reopener of the terms that was triggered, or invoked by a side: the parties are to talk until `talk_until`.

    `clause` is its place among the terms' reopeners; `working` says why ({"steps": [{"zh", "en"}]}). The outcome is an
    amendment that both sign, or that the contract is kept as it is.
    """

    __tablename__ = "reopening"
    __table_args__ = (
        sa.CheckConstraint("clause >= 0", name="clause_not_negative"),
        sa.CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name="closed_has_outcome"),
        sa.UniqueConstraint("contract_id", "clause", "triggered_on"),
        sa.Index(
            "uq_reopening_one_open",
            "contract_id",
            "clause",
            unique=True,
            postgresql_where=sa.text("closed_at IS NULL"),
        ),
    )

    id: Mapped[RandomKey]
    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"))
    clause: Mapped[int] = mapped_column(sa.SmallInteger)
    side: Mapped[str | None] = mapped_column(one_of(SIDES, "side"))
    triggered_on: Mapped[dt.date]
    talk_until: Mapped[dt.date]
    working: Mapped[Document]
    opened_at: Mapped[Now]
    closed_at: Mapped[dt.datetime | None]
    outcome: Mapped[ReopeningOutcome | None] = mapped_column(choice(ReopeningOutcome, "outcome"))

    contract: Mapped[Contract] = relationship()
