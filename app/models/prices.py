"""Facts of place and price: regions, market indices and their days, freight."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Model

from .columns import Cited, CodeKey, Count, CurrencyCode, Now, Price, Quantity, SerialKey, Share, Text, choice, restrict
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


class FixingKind(StrEnum):
    """What a row says of an index and a day: its published value, staff's own where the contract's rule leaves it to
    them, that there was no publication, or that what was said before is taken back."""

    PUBLISHED = "published"
    DETERMINED = "determined"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class IndexFixing(Model):
    """What is known of an index for a day, for settlement: as quoted, `quoted_tax` being the rate of tax inside.

    Rows are only added: of an index and a day the highest `revision` counts, and those before it stay. `index_price`
    follows the published ones, without their tax, for comparisons; money is settled by these rows alone.
    """

    __tablename__ = "index_fixing"
    __table_args__ = (
        sa.UniqueConstraint("index_code", "day", "revision"),
        sa.CheckConstraint("revision >= 1", name="revision_positive"),
        sa.CheckConstraint("(kind IN ('published', 'determined')) = (value IS NOT NULL)", name="value_of_kind"),
        sa.CheckConstraint("value > 0", name="value_positive"),
        sa.CheckConstraint("quoted_tax >= 0 AND quoted_tax < 1", name="quoted_tax"),
        sa.CheckConstraint(
            "(revision = 1 AND kind IN ('published', 'closed')) OR reason IS NOT NULL", name="decision_has_reason"
        ),
    )

    id: Mapped[SerialKey]
    index_code: Mapped[str] = mapped_column(restrict("market_index.code"))
    day: Mapped[dt.date]
    revision: Mapped[Count]
    kind: Mapped[FixingKind] = mapped_column(choice(FixingKind, "kind"))
    value: Mapped[Price | None]
    quoted_tax: Mapped[Share] = mapped_column(server_default="0")
    source: Mapped[Text]
    reason: Mapped[str | None] = mapped_column(sa.Text)
    loaded_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    loaded_at: Mapped[Now]


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
