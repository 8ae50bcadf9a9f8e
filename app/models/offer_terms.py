"""The parts of an offer: quantity per period, specification, certificates, inputs, counterparties, kept versions."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import CodeKey, Coefficient, Document, Lots, Now, PeriodLabel, Price, part_of, restrict

if TYPE_CHECKING:
    from .offers import Offer


class OfferPeriod(Model):
    """Lots that an offer has in one period of its window, and its price there if not the offer's own.

    `reserved` is the part held by proposals and contracts. Triggers keep it from the reservations, nothing else writes
    it, and it never exceeds `quantity`: what is for sale is the difference.
    """

    __tablename__ = "offer_period"
    __table_args__ = (
        sa.ForeignKeyConstraint(["offer_id", "round_id"], ["offer.id", "offer.round_id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["round_id", "period"], ["round_period.round_id", "round_period.period"], ondelete="RESTRICT"
        ),
        sa.CheckConstraint("quantity >= 0", name="quantity_not_negative"),
        sa.CheckConstraint("price >= 0", name="price_not_negative"),
        sa.CheckConstraint("reserved >= 0", name="reserved_not_negative"),
        sa.CheckConstraint("reserved <= quantity", name="reserved_within_quantity"),
    )

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    period: Mapped[PeriodLabel] = mapped_column(primary_key=True)
    round_id: Mapped[uuid.UUID]
    quantity: Mapped[Lots]
    price: Mapped[Price | None]
    reserved: Mapped[Lots] = mapped_column(server_default="0")

    offer: Mapped[Offer] = relationship(back_populates="periods")


class OfferSpecification(Model):
    """A limit of one attribute: guaranteed by a capacity or conversion, required by a demand."""

    __tablename__ = "offer_specification"
    __table_args__ = (
        sa.ForeignKeyConstraint(["offer_id", "product_code"], ["offer.id", "offer.product_code"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["product_code", "attribute_code"], ["attribute.product_code", "attribute.code"], ondelete="RESTRICT"
        ),
    )

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    attribute_code: Mapped[CodeKey]
    product_code: Mapped[str] = mapped_column(sa.Text)
    value: Mapped[Coefficient]


class OfferCertificate(Model):
    """A certificate that a demand requires of its supplier, or that a capacity or conversion guarantees."""

    __tablename__ = "offer_certificate"

    offer_id: Mapped[uuid.UUID] = mapped_column(part_of("offer.id"), primary_key=True)
    kind_code: Mapped[str] = mapped_column(restrict("certificate_kind.code"), primary_key=True)


class ConversionInput(Model):
    """Input units that a conversion takes per output unit, and lots of it that the processor has himself per period."""

    __tablename__ = "conversion_input"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"], ["grade.product_code", "grade.code"], ondelete="RESTRICT"
        ),
        sa.CheckConstraint("quantity_per_output > 0", name="quantity_positive"),
        sa.CheckConstraint("own_stock_per_period >= 0", name="own_stock_not_negative"),
    )

    offer_id: Mapped[uuid.UUID] = mapped_column(part_of("offer.id"), primary_key=True)
    product_code: Mapped[CodeKey]
    grade_code: Mapped[CodeKey]
    quantity_per_output: Mapped[Coefficient]
    own_stock_per_period: Mapped[Lots] = mapped_column(server_default="0")


class OfferExclusion(Model):
    """A firm that this offer is never matched with."""

    __tablename__ = "offer_exclusion"

    offer_id: Mapped[uuid.UUID] = mapped_column(part_of("offer.id"), primary_key=True)
    firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"), primary_key=True, index=True)


class OfferApprovedSupplier(Model):
    """A supplier a demand accepts; a demand that names any accepts no other."""

    __tablename__ = "offer_approved_supplier"

    offer_id: Mapped[uuid.UUID] = mapped_column(part_of("offer.id"), primary_key=True)
    firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"), primary_key=True, index=True)


class OfferOrigin(Model):
    """A country of origin that a demand takes, or does not take; one that names any it takes, takes no other."""

    __tablename__ = "offer_origin"
    __table_args__ = (sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),)

    offer_id: Mapped[uuid.UUID] = mapped_column(part_of("offer.id"), primary_key=True)
    country: Mapped[str] = mapped_column(sa.String(2), primary_key=True)
    accepted: Mapped[bool]


class OfferRevision(Model):
    """The whole terms of an offer as they stood in one revision. Rows are only added."""

    __tablename__ = "offer_revision"
    __table_args__ = (
        sa.CheckConstraint("revision >= 1", name="revision_positive"),
        sa.CheckConstraint("num_nonnulls(changed_by_id, changed_by_key_id) <= 1", name="one_author"),
    )

    offer_id: Mapped[uuid.UUID] = mapped_column(restrict("offer.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    terms: Mapped[Document]
    changed_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    changed_by_key_id: Mapped[uuid.UUID | None] = mapped_column(restrict("api_key.id"))
    changed_at: Mapped[Now]
