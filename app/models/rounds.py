"""Rounds: one market session each, with its horizon, its windows, its guests and its limits."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model
from market.periods import Horizon, Period

from .columns import (
    PERIOD_PATTERN,
    Count,
    Document,
    Lots,
    Money,
    Now,
    PeriodLabel,
    RandomKey,
    Share,
    Text,
    Versioned,
    choice,
    part_of,
    restrict,
)


class RoundKind(StrEnum):
    NIGHTLY = "nightly"
    DOCKING = "docking"


class PeriodKind(StrEnum):
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class WindowRule(StrEnum):
    """Which windows a contract may have: every run of periods, or those of the round's ladder."""

    ALL = "all"
    LADDER = "ladder"


class RoundState(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"
    SETTLED = "settled"


class Round(Versioned, Model):
    """A market session. Offers are posted to it between `opens_at` and `closes_at`, runs clear it.

    `review_threshold` is the value in CNY above which a release takes two persons; `discount_rate` is per year;
    `currency_rates` gives CNY per unit of every other currency that offers may use, as decimal strings.
    """

    __tablename__ = "round"
    __table_args__ = (
        sa.UniqueConstraint("code"),
        sa.CheckConstraint(
            "first_period ~ CASE period_kind WHEN 'month' THEN '^[0-9]{4}-(0[1-9]|1[0-2])$'"
            " WHEN 'quarter' THEN '^[0-9]{4}-Q[1-4]$' ELSE '^[0-9]{4}$' END",
            name="first_period",
        ),
        sa.CheckConstraint("period_count BETWEEN 1 AND 120", name="period_count"),
        sa.CheckConstraint("opens_at < closes_at", name="opening_ordered"),
        sa.CheckConstraint("proposal_days BETWEEN 1 AND 90", name="proposal_days"),
        sa.CheckConstraint("review_threshold >= 0", name="review_threshold_not_negative"),
        sa.CheckConstraint("discount_rate >= 0 AND discount_rate < 1", name="discount_rate"),
        sa.CheckConstraint("jsonb_typeof(currency_rates) = 'object'", name="currency_rates"),
        sa.Index(None, "state", "closes_at"),
    )

    id: Mapped[RandomKey]
    code: Mapped[Text]
    name_zh: Mapped[Text]
    name_en: Mapped[Text]
    kind: Mapped[RoundKind] = mapped_column(choice(RoundKind, "kind"))
    period_kind: Mapped[PeriodKind] = mapped_column(
        choice(PeriodKind, "period_kind"), server_default=PeriodKind.QUARTER.value
    )
    first_period: Mapped[PeriodLabel]
    period_count: Mapped[Count]
    windows: Mapped[WindowRule] = mapped_column(choice(WindowRule, "windows"), server_default=WindowRule.ALL.value)
    opens_at: Mapped[dt.datetime]
    closes_at: Mapped[dt.datetime]
    state: Mapped[RoundState] = mapped_column(choice(RoundState, "state"), server_default=RoundState.DRAFT.value)
    proposal_days: Mapped[Count] = mapped_column(server_default="7")
    review_threshold: Mapped[Money] = mapped_column(server_default="0")
    discount_rate: Mapped[Share] = mapped_column(server_default="0")
    currency_rates: Mapped[Document] = mapped_column(server_default=sa.text("'{}'"))
    created_at: Mapped[Now]

    periods: Mapped[list[RoundPeriod]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="RoundPeriod.position"
    )
    ladder: Mapped[list[RoundWindow]] = relationship(
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="RoundWindow.first_period, RoundWindow.last_period",
    )
    invitations: Mapped[list[RoundInvitation]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="RoundInvitation.firm_id"
    )

    @property
    def horizon(self) -> Horizon:
        return Horizon(Period.parse(self.first_period), self.period_count)

    def lay_out_periods(self) -> None:
        """Make the rows of the horizon: every window in the round points at them."""
        self.periods = [
            RoundPeriod(position=position, period=label) for position, label in enumerate(self.horizon.labels())
        ]


class RoundPeriod(Model):
    """One period of a round's horizon; offers, proposals and limits of the round point here, so none lies outside."""

    __tablename__ = "round_period"
    __table_args__ = (
        sa.UniqueConstraint("round_id", "position"),
        sa.CheckConstraint(f"period ~ '{PERIOD_PATTERN}'", name="period"),
        sa.CheckConstraint("position >= 0", name="position_not_negative"),
    )

    round_id: Mapped[uuid.UUID] = mapped_column(part_of("round.id"), primary_key=True)
    period: Mapped[PeriodLabel] = mapped_column(primary_key=True)
    position: Mapped[Count]


class RoundWindow(Model):
    """An admissible window of a round with a ladder, first and last period included."""

    __tablename__ = "round_window"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["round_id", "first_period"], ["round_period.round_id", "round_period.period"], ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "last_period"], ["round_period.round_id", "round_period.period"], ondelete="RESTRICT"
        ),
        sa.CheckConstraint("first_period <= last_period", name="window_ordered"),
    )

    round_id: Mapped[uuid.UUID] = mapped_column(part_of("round.id"), primary_key=True)
    first_period: Mapped[PeriodLabel] = mapped_column(primary_key=True)
    last_period: Mapped[PeriodLabel] = mapped_column(primary_key=True)


class RoundInvitation(Model):
    """A firm that may take part in a docking round."""

    __tablename__ = "round_invitation"

    round_id: Mapped[uuid.UUID] = mapped_column(part_of("round.id"), primary_key=True)
    firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"), primary_key=True, index=True)
    invited_at: Mapped[Now]


class Corridor(Versioned, Model):
    """A quota of a round: lots of a product per period from one region to another; each period where none is named."""

    __tablename__ = "corridor"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["round_id", "period"], ["round_period.round_id", "round_period.period"], ondelete="RESTRICT"
        ),
        sa.UniqueConstraint(
            "round_id",
            "product_code",
            "from_region_code",
            "to_region_code",
            "period",
            name="uq_corridor_line",
            postgresql_nulls_not_distinct=True,
        ),
        sa.CheckConstraint("limit_per_period >= 0", name="limit_not_negative"),
    )

    id: Mapped[RandomKey]
    round_id: Mapped[uuid.UUID] = mapped_column(restrict("round.id"))
    product_code: Mapped[str] = mapped_column(restrict("product.code"))
    from_region_code: Mapped[str] = mapped_column(restrict("region.code"))
    to_region_code: Mapped[str] = mapped_column(restrict("region.code"))
    period: Mapped[PeriodLabel | None]
    limit_per_period: Mapped[Lots]
    note: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[Now]
