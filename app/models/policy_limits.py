"""Limits that staff set for a round beside its corridors: ceilings on suppliers, rules of origin, approved suppliers.

They are added and ended, never changed: what held for a run can be read off it at any later time.
"""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import Lots, Now, PeriodLabel, RandomKey, Share, restrict
from .firms import Firm
from .products import Product

COUNTRY = "~ '^[A-Z]{2}$'"
HOLDS = sa.text("ended_at IS NULL")


class Ended:
    """A limit with who set it and who ended it; it holds from `created_at` until `ended_at`."""

    note: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[Now]
    created_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    ended_at: Mapped[dt.datetime | None]
    ended_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))


class Ceiling(Ended, Model):
    """The largest share of all demand posted for a product that one supplier, affiliates merged, may be given in a
    period; every supplier where no firm is named."""

    __tablename__ = "ceiling"
    __table_args__ = (
        sa.Index(
            "uq_ceiling_one_that_holds",
            "round_id",
            "product_code",
            "firm_id",
            unique=True,
            postgresql_where=HOLDS,
            postgresql_nulls_not_distinct=True,
        ),
        sa.CheckConstraint("share >= 0 AND share <= 1", name="share"),
        sa.CheckConstraint("ended_at >= created_at", name="end_ordered"),
        sa.CheckConstraint("ended_by_id IS NULL OR ended_at IS NOT NULL", name="end_has_time"),
    )

    id: Mapped[RandomKey]
    round_id: Mapped[uuid.UUID] = mapped_column(restrict("round.id"), index=True)
    product_code: Mapped[str] = mapped_column(restrict("product.code"))
    firm_id: Mapped[uuid.UUID | None] = mapped_column(restrict("firm.id"))
    share: Mapped[Share]

    product: Mapped[Product] = relationship()
    firm: Mapped[Firm | None] = relationship()


class OriginRule(Ended, Model):
    """Lots of a product from one country of origin that may go to a region per period, from wherever they are sold; in
    each period where none is named. 0: none at all."""

    __tablename__ = "origin_rule"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["round_id", "period"], ["round_period.round_id", "round_period.period"], ondelete="RESTRICT"
        ),
        sa.Index(
            "uq_origin_rule_one_that_holds",
            "round_id",
            "product_code",
            "origin_country",
            "to_region_code",
            "period",
            unique=True,
            postgresql_where=HOLDS,
            postgresql_nulls_not_distinct=True,
        ),
        sa.CheckConstraint(f"origin_country {COUNTRY}", name="origin_country"),
        sa.CheckConstraint("limit_per_period >= 0", name="limit_not_negative"),
        sa.CheckConstraint("ended_at >= created_at", name="end_ordered"),
        sa.CheckConstraint("ended_by_id IS NULL OR ended_at IS NOT NULL", name="end_has_time"),
    )

    id: Mapped[RandomKey]
    round_id: Mapped[uuid.UUID] = mapped_column(restrict("round.id"), index=True)
    product_code: Mapped[str] = mapped_column(restrict("product.code"))
    origin_country: Mapped[str] = mapped_column(sa.String(2))
    to_region_code: Mapped[str] = mapped_column(restrict("region.code"))
    period: Mapped[PeriodLabel | None]
    limit_per_period: Mapped[Lots]

    product: Mapped[Product] = relationship()


class SupplierApproval(Ended, Model):
    """A supplier of a firm's list for a product: while the list has any, the firm is supplied by no other, whatever
    its demand is for: its own or an input of its conversions."""

    __tablename__ = "supplier_approval"
    __table_args__ = (
        sa.Index(
            "uq_supplier_approval_one_that_holds",
            "round_id",
            "buyer_firm_id",
            "product_code",
            "supplier_firm_id",
            unique=True,
            postgresql_where=HOLDS,
        ),
        sa.CheckConstraint("buyer_firm_id <> supplier_firm_id", name="two_firms"),
        sa.CheckConstraint("ended_at >= created_at", name="end_ordered"),
        sa.CheckConstraint("ended_by_id IS NULL OR ended_at IS NOT NULL", name="end_has_time"),
    )

    id: Mapped[RandomKey]
    round_id: Mapped[uuid.UUID] = mapped_column(restrict("round.id"), index=True)
    product_code: Mapped[str] = mapped_column(restrict("product.code"))
    buyer_firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    supplier_firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))

    product: Mapped[Product] = relationship()
    buyer: Mapped[Firm] = relationship(foreign_keys=[buyer_firm_id])
    supplier: Mapped[Firm] = relationship(foreign_keys=[supplier_firm_id])
