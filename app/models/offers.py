"""Offers: capacity, demand and conversion, with their quantity per period, their conditions and their versions.

All of it is sealed: only the firm that posted an offer, and staff whose look is logged, may read it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import (
    Coefficient,
    Count,
    CurrencyCode,
    Lots,
    Now,
    PeriodLabel,
    Price,
    RandomKey,
    Share,
    Versioned,
    choice,
    restrict,
)
from .firms import Firm, Site
from .offer_terms import (
    ConversionInput,
    OfferApprovedSupplier,
    OfferCertificate,
    OfferExclusion,
    OfferOrigin,
    OfferPeriod,
    OfferRevision,
    OfferSpecification,
)
from .products import Grade, Product
from .rounds import Round


class OfferKind(StrEnum):
    CAPACITY = "capacity"
    DEMAND = "demand"
    CONVERSION = "conversion"


class OfferState(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Basis(StrEnum):
    """Where the price holds: at the seller's gate, or at the buyer's."""

    EX_WORKS = "ex_works"
    DELIVERED = "delivered"


class Offer(Versioned, Model):
    """An offer of one firm's site to one round.

    `price` is the ask of a capacity, the bid of a demand, the fee of a conversion, in `currency` per product unit; a
    period may have its own. `product` and `grade` are the output of a conversion. Terms count periods (none = up to
    the whole window), `min_rate` is lots per period, `max_share` the largest part of a demand that one supplier may
    give. Of the offers of a firm that bear one `group_label` at most one is taken. `revision` counts the versions of
    the terms, `version` the writes of the row. Material comes from `origin_country`, the site's country if none.

    A price by formula is `index_factor` x index + `index_premium` in each period of the round's forward curve, held
    between floor and ceiling, in CNY; `price` is then what it was on average when the terms were written.
    """

    __tablename__ = "offer"
    __table_args__ = (
        sa.ForeignKeyConstraint(["site_id", "firm_id"], ["site.id", "site.firm_id"], ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"], ["grade.product_code", "grade.code"], ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "first_period"], ["round_period.round_id", "round_period.period"], ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "last_period"], ["round_period.round_id", "round_period.period"], ondelete="RESTRICT"
        ),
        # so that others can point at an offer of a round, of a firm, of a product
        sa.UniqueConstraint("id", "round_id"),
        sa.UniqueConstraint("id", "round_id", "firm_id"),
        sa.UniqueConstraint("id", "product_code"),
        sa.CheckConstraint("revision >= 1", name="revision_positive"),
        sa.CheckConstraint("first_period <= last_period", name="window_ordered"),
        sa.CheckConstraint("price >= 0", name="price_not_negative"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.CheckConstraint("min_term >= 1", name="min_term_positive"),
        sa.CheckConstraint("min_term <= max_term", name="terms_ordered"),
        sa.CheckConstraint("min_rate >= 0", name="min_rate_not_negative"),
        sa.CheckConstraint("max_share > 0 AND max_share <= 1", name="max_share"),
        sa.CheckConstraint("max_share IS NULL OR kind = 'demand'", name="max_share_of_demand"),
        sa.CheckConstraint("origin_country ~ '^[A-Z]{2}$'", name="origin_country"),
        sa.CheckConstraint("origin_country IS NULL OR kind <> 'demand'", name="origin_of_supply"),
        sa.CheckConstraint(
            "num_nulls(index_code, index_factor, index_premium) IN (0, 3)"
            " AND (index_code IS NOT NULL OR num_nonnulls(price_floor, price_ceiling) = 0)",
            name="formula_whole",
        ),
        sa.CheckConstraint("index_factor > 0", name="index_factor_positive"),
        sa.CheckConstraint("price_floor >= 0 AND price_floor <= price_ceiling", name="collar_ordered"),
        sa.CheckConstraint("index_code IS NULL OR currency = 'CNY'", name="formula_in_cny"),
        sa.CheckConstraint("kind <> 'conversion' OR basis = 'ex_works'", name="conversion_ex_works"),
        sa.CheckConstraint("state = 'draft' OR posted_at IS NOT NULL", name="posted_has_time"),
        sa.Index(
            "uq_offer_firm_id_round_id_reference",
            "firm_id",
            "round_id",
            "reference",
            unique=True,
            postgresql_where=sa.text("state IN ('draft', 'open')"),
        ),
        sa.Index(None, "firm_id", "state"),
        sa.Index(None, "firm_id", "created_at", "id"),
        sa.Index(None, "round_id", "state", "product_code"),
        sa.Index(None, "created_at", "id"),
    )

    id: Mapped[RandomKey]
    round_id: Mapped[uuid.UUID] = mapped_column(restrict("round.id"))
    firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    site_id: Mapped[uuid.UUID] = mapped_column()
    kind: Mapped[OfferKind] = mapped_column(choice(OfferKind, "kind"))
    product_code: Mapped[str] = mapped_column(sa.Text)
    grade_code: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[OfferState] = mapped_column(choice(OfferState, "state"), server_default=OfferState.DRAFT.value)
    revision: Mapped[int] = mapped_column(server_default="1")
    first_period: Mapped[PeriodLabel]
    last_period: Mapped[PeriodLabel]
    price: Mapped[Price]
    index_code: Mapped[str | None] = mapped_column(restrict("market_index.code"), index=True)
    index_factor: Mapped[Coefficient | None]
    index_premium: Mapped[Price | None]
    price_floor: Mapped[Price | None]
    price_ceiling: Mapped[Price | None]
    currency: Mapped[CurrencyCode] = mapped_column(server_default="CNY")
    basis: Mapped[Basis] = mapped_column(choice(Basis, "basis"), server_default=Basis.EX_WORKS.value)
    min_term: Mapped[Count] = mapped_column(server_default="1")
    max_term: Mapped[Count | None]
    min_rate: Mapped[Lots] = mapped_column(server_default="0")
    all_or_none: Mapped[bool] = mapped_column(server_default=sa.false())
    max_share: Mapped[Share | None]
    origin_country: Mapped[str | None] = mapped_column(sa.String(2))
    group_label: Mapped[str | None] = mapped_column(sa.Text)
    reference: Mapped[str | None] = mapped_column(sa.Text)
    valid_until: Mapped[dt.datetime | None]
    posted_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    posted_by_key_id: Mapped[uuid.UUID | None] = mapped_column(restrict("api_key.id"))
    created_at: Mapped[Now]
    posted_at: Mapped[dt.datetime | None]
    changed_at: Mapped[Now] = mapped_column(onupdate=sa.func.now())

    round: Mapped[Round] = relationship()
    firm: Mapped[Firm] = relationship()
    site: Mapped[Site] = relationship(primaryjoin="Offer.site_id == Site.id", foreign_keys=[site_id])
    grade: Mapped[Grade] = relationship()
    product: Mapped[Product] = relationship(
        primaryjoin="Offer.product_code == Product.code", foreign_keys=[product_code], viewonly=True
    )
    periods: Mapped[list[OfferPeriod]] = relationship(
        back_populates="offer", cascade="all, delete-orphan", passive_deletes=True, order_by="OfferPeriod.period"
    )
    specifications: Mapped[list[OfferSpecification]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="OfferSpecification.attribute_code"
    )
    certificates: Mapped[list[OfferCertificate]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="OfferCertificate.kind_code"
    )
    inputs: Mapped[list[ConversionInput]] = relationship(
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="ConversionInput.product_code, ConversionInput.grade_code",
    )
    exclusions: Mapped[list[OfferExclusion]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="OfferExclusion.firm_id"
    )
    approved_suppliers: Mapped[list[OfferApprovedSupplier]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="OfferApprovedSupplier.firm_id"
    )
    origins: Mapped[list[OfferOrigin]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="OfferOrigin.country"
    )
    revisions: Mapped[list[OfferRevision]] = relationship(order_by="OfferRevision.revision")
