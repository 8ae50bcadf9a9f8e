"""Facts of place and price: regions, market indices and their days, freight."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Model

from .columns import Cited, CodeKey, CurrencyCode, Price, Quantity, SerialKey, Text, choice, restrict
from .products import Unit


class Region(Model):
    """A place goods leave from and arrive at: a province, a port, a country; degrees of its usual point."""

    __tablename__ = "region"
    __table_args__ = (
        sa.CheckConstraint("lat BETWEEN -90 AND 90", name="lat"),
        sa.CheckConstraint("lon BETWEEN -180 AND 180", name="lon"),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
    )

    code: Mapped[CodeKey]
    name_zh: Mapped[Text]
    name_en: Mapped[Text]
    country: Mapped[str] = mapped_column(sa.String(2))
    lat: Mapped[Decimal] = mapped_column(sa.Numeric(8, 5))
    lon: Mapped[Decimal] = mapped_column(sa.Numeric(8, 5))


class MarketIndex(Model):
    """A published price series of a product, in `currency` per `unit`, tax excluded."""

    __tablename__ = "market_index"
    __table_args__ = (sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),)

    code: Mapped[CodeKey]
    product_code: Mapped[str] = mapped_column(restrict("product.code"), index=True)
    name_zh: Mapped[Text]
    name_en: Mapped[Text]
    unit: Mapped[Unit] = mapped_column(choice(Unit, "unit"))
    currency: Mapped[CurrencyCode] = mapped_column(server_default="CNY")
    source: Mapped[Text]


class IndexPrice(Cited, Model):
    """The value an index was published with for one day."""

    __tablename__ = "index_price"
    __table_args__ = (sa.CheckConstraint("value > 0", name="value_positive"),)

    index_code: Mapped[str] = mapped_column(restrict("market_index.code"), primary_key=True)
    date: Mapped[dt.date] = mapped_column(primary_key=True)
    value: Mapped[Price]


class Freight(Cited, Model):
    """Cost in CNY per unit from one region to another; without a product, for all that have no line of their own.

    Within a region freight is 0 unless listed; a pair that is not listed has no lane.
    """

    __tablename__ = "freight"
    __table_args__ = (
        sa.UniqueConstraint(
            "product_code",
            "from_region_code",
            "to_region_code",
            name="uq_freight_line",
            postgresql_nulls_not_distinct=True,
        ),
        sa.CheckConstraint("cost >= 0", name="cost_not_negative"),
        sa.CheckConstraint("distance_km >= 0", name="distance_not_negative"),
    )

    id: Mapped[SerialKey]
    product_code: Mapped[str | None] = mapped_column(restrict("product.code"))
    from_region_code: Mapped[str] = mapped_column(restrict("region.code"))
    to_region_code: Mapped[str] = mapped_column(restrict("region.code"))
    cost: Mapped[Price]
    distance_km: Mapped[Quantity | None]
