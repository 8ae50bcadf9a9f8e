"""Firms, their plants, what is built there, their certificates, and whom they refuse."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import Cited, Now, Quantity, RandomKey, Share, Text, Versioned, choices, only, part_of, restrict
from .prices import Region


class FirmRole(StrEnum):
    """What a firm does in the chain."""

    RESOURCE = "resource"
    LITHIUM_SALT = "lithium_salt"
    PRECURSOR = "precursor"
    CATHODE = "cathode"
    ANODE = "anode"
    SEPARATOR = "separator"
    ELECTROLYTE = "electrolyte"
    CELL = "cell"
    STORAGE = "storage"
    CAR = "car"
    PROCESSOR = "processor"
    RECYCLER = "recycler"
    TRADER = "trader"


class Firm(Versioned, Model):
    """A legal entity: a Chinese one by its unified social credit code, a foreign one by its own register's number.

    `parent` ties affiliates: firms under one topmost parent count as one supplier.
    """

    __tablename__ = "firm"
    __table_args__ = (
        sa.UniqueConstraint("credit_code"),
        sa.UniqueConstraint("country", "registration_number"),
        sa.CheckConstraint(
            "credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$'", name="credit_code"
        ),
        sa.CheckConstraint("credit_code IS NOT NULL OR registration_number IS NOT NULL", name="identified"),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
        sa.CheckConstraint(only("roles", FirmRole), name="roles"),
        sa.CheckConstraint("parent_id <> id", name="not_its_own_parent"),
    )

    id: Mapped[RandomKey]
    credit_code: Mapped[str | None] = mapped_column(sa.String(18))
    country: Mapped[str] = mapped_column(sa.String(2), server_default="CN")
    registration_number: Mapped[str | None] = mapped_column(sa.Text)
    name_zh: Mapped[Text]
    name_en: Mapped[Text]
    roles: Mapped[list[FirmRole]] = mapped_column(choices(FirmRole))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(restrict("firm.id"), index=True)
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    source: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[Now]

    parent: Mapped[Firm | None] = relationship(remote_side="Firm.id")
    sites: Mapped[list[Site]] = relationship(back_populates="firm", order_by="Site.code")


class Site(Versioned, Model):
    """A plant of a firm; its region decides the freight."""

    __tablename__ = "site"
    __table_args__ = (
        sa.UniqueConstraint("firm_id", "code"),
        sa.UniqueConstraint("id", "firm_id"),  # so that others can point at a site *of a firm*
    )

    id: Mapped[RandomKey]
    firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    code: Mapped[Text]
    name_zh: Mapped[Text]
    name_en: Mapped[Text]
    region_code: Mapped[str] = mapped_column(restrict("region.code"), index=True)
    source: Mapped[str | None] = mapped_column(sa.Text)
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    created_at: Mapped[Now]

    firm: Mapped[Firm] = relationship(back_populates="sites")
    region: Mapped[Region] = relationship()
    capabilities: Mapped[list[SiteCapability]] = relationship(
        back_populates="site", cascade="all, delete-orphan", passive_deletes=True, order_by="SiteCapability.id"
    )


class SiteCapability(Cited, Model):
    """What a site is built to make in product units a year, and the part that runs; any grade if none is named."""

    __tablename__ = "site_capability"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"], ["grade.product_code", "grade.code"], ondelete="RESTRICT"
        ),
        sa.UniqueConstraint("site_id", "product_code", "grade_code", postgresql_nulls_not_distinct=True),
        sa.CheckConstraint("capacity_per_year > 0", name="capacity_positive"),
        sa.CheckConstraint("utilisation BETWEEN 0 AND 1", name="utilisation"),
    )

    id: Mapped[RandomKey]
    site_id: Mapped[uuid.UUID] = mapped_column(part_of("site.id"))
    product_code: Mapped[str] = mapped_column(restrict("product.code"))
    grade_code: Mapped[str | None] = mapped_column(sa.Text)
    capacity_per_year: Mapped[Quantity]
    utilisation: Mapped[Share | None]

    site: Mapped[Site] = relationship(back_populates="capabilities")


class Certificate(Versioned, Model):
    """A certificate of a firm, or of one of its sites, valid from and to the days named, both included."""

    __tablename__ = "certificate"
    __table_args__ = (
        sa.ForeignKeyConstraint(["site_id", "firm_id"], ["site.id", "site.firm_id"], ondelete="RESTRICT"),
        sa.UniqueConstraint("kind_code", "number"),
        sa.CheckConstraint("valid_from <= valid_to", name="validity_ordered"),
        sa.Index(None, "firm_id", "kind_code"),
    )

    id: Mapped[RandomKey]
    firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    site_id: Mapped[uuid.UUID | None]
    kind_code: Mapped[str] = mapped_column(restrict("certificate_kind.code"))
    number: Mapped[Text]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date]
    suspended: Mapped[bool] = mapped_column(server_default=sa.false())
    created_at: Mapped[Now]

    firm: Mapped[Firm] = relationship()


class FirmExclusion(Model):
    """A firm that `firm` never trades with, in all its offers and in both directions."""

    __tablename__ = "firm_exclusion"
    __table_args__ = (sa.CheckConstraint("firm_id <> excluded_firm_id", name="two_firms"),)

    firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"), primary_key=True)
    excluded_firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"), primary_key=True, index=True)
    created_at: Mapped[Now]
