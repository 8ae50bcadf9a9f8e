"""Prices of a run by hub that staff have published as the round's reference prices."""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import Now, PeriodLabel, Price, RandomKey, SerialKey, restrict
from .rounds import Round
from .runs import Run


class PricePublication(Model):
    """A run whose prices a round publishes, until they are withdrawn or those of another run take their place."""

    __tablename__ = "price_publication"
    __table_args__ = (
        sa.ForeignKeyConstraint(["run_id", "round_id"], ["run.id", "run.round_id"], ondelete="RESTRICT"),
        sa.UniqueConstraint("id", "round_id"),  # so that a price points at a publication *of its round*
        sa.Index(
            "uq_price_publication_one_per_round",
            "round_id",
            unique=True,
            postgresql_where=sa.text("withdrawn_at IS NULL"),
        ),
        sa.CheckConstraint("withdrawn_at >= published_at", name="end_ordered"),
        sa.CheckConstraint("withdrawn_by_id IS NULL OR withdrawn_at IS NOT NULL", name="end_has_time"),
        sa.Index(None, "published_at", "id"),
    )

    id: Mapped[RandomKey]
    round_id: Mapped[uuid.UUID] = mapped_column(restrict("round.id"))
    run_id: Mapped[uuid.UUID] = mapped_column()
    published_at: Mapped[Now]
    published_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    withdrawn_at: Mapped[dt.datetime | None]
    withdrawn_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))

    round: Mapped[Round] = relationship()
    run: Mapped[Run] = relationship(primaryjoin="PricePublication.run_id == Run.id", foreign_keys=[run_id])


class PublishedPrice(Model):
    """The mean locked price ex works of a grade in a region in a period, weighted by volume, CNY per unit; without a
    region that over all of them. `firms` stand behind it: never fewer than five."""

    __tablename__ = "published_price"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["publication_id", "round_id"], ["price_publication.id", "price_publication.round_id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "period"], ["round_period.round_id", "round_period.period"], ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"], ["grade.product_code", "grade.code"], ondelete="RESTRICT"
        ),
        sa.UniqueConstraint(
            "publication_id",
            "product_code",
            "grade_code",
            "region_code",
            "period",
            name="uq_published_price_line",
            postgresql_nulls_not_distinct=True,
        ),
        sa.CheckConstraint("price >= 0", name="price_not_negative"),
        sa.CheckConstraint("firms >= 5", name="enough_firms"),
    )

    id: Mapped[SerialKey]
    publication_id: Mapped[uuid.UUID] = mapped_column()
    round_id: Mapped[uuid.UUID] = mapped_column()
    product_code: Mapped[str] = mapped_column(sa.Text)
    grade_code: Mapped[str] = mapped_column(sa.Text)
    region_code: Mapped[str | None] = mapped_column(restrict("region.code"))
    period: Mapped[PeriodLabel]
    price: Mapped[Price]
    firms: Mapped[int]
