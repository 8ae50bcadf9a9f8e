"""What is traded: products, their grades and specification attributes, and what goes into making them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import Cited, CodeKey, Coefficient, Count, Quantity, SerialKey, Text, choice, restrict


class Tier(StrEnum):
    """The step of the battery chain a product is made in."""

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
    RECYCLING = "recycling"


class Unit(StrEnum):
    TONNE = "t"
    KILOGRAM = "kg"
    SQUARE_METRE = "m2"
    KILOWATT_HOUR = "kWh"
    MEGAWATT_HOUR = "MWh"
    PIECE = "piece"


class Bound(StrEnum):
    """Which way a specification binds: an assay is guaranteed at least, a moisture at most."""

    MIN = "min"
    MAX = "max"


class Product(Model):
    """A product of one tier. Prices are per `unit`; quantities of all its grades are counted in lots of `lot` units.

    A trigger freezes the lot once an offer or a corridor counts in it.
    """

    __tablename__ = "product"
    __table_args__ = (sa.CheckConstraint("lot > 0", name="lot_positive"),)

    code: Mapped[CodeKey]
    name_zh: Mapped[Text]
    name_en: Mapped[Text]
    tier: Mapped[Tier] = mapped_column(choice(Tier, "tier"))
    unit: Mapped[Unit] = mapped_column(choice(Unit, "unit"))
    lot: Mapped[Quantity]

    grades: Mapped[list[Grade]] = relationship(back_populates="product", order_by="Grade.rank, Grade.code")
    attributes: Mapped[list[Attribute]] = relationship(back_populates="product", order_by="Attribute.code")


class Grade(Model):
    """A quality class of a product. A higher `rank` serves a lower requirement."""

    __tablename__ = "grade"

    product_code: Mapped[str] = mapped_column(restrict("product.code"), primary_key=True)
    code: Mapped[CodeKey]
    name_zh: Mapped[Text]
    name_en: Mapped[Text]
    rank: Mapped[Count] = mapped_column(server_default="0")

    product: Mapped[Product] = relationship(back_populates="grades")
    specifications: Mapped[list[GradeSpecification]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="GradeSpecification.attribute_code"
    )

    @property
    def lot(self) -> Decimal:
        """One lot in product units: the same for all grades of a product, or no limit could bind them together."""
        return self.product.lot


class Attribute(Model):
    """A property that a specification may name: assay in %, moisture in ppm, shown with `decimals` places."""

    __tablename__ = "attribute"
    __table_args__ = (sa.CheckConstraint("decimals BETWEEN 0 AND 9", name="decimals"),)

    product_code: Mapped[str] = mapped_column(restrict("product.code"), primary_key=True)
    code: Mapped[CodeKey]
    name_zh: Mapped[Text]
    name_en: Mapped[Text]
    unit: Mapped[Text]
    bound: Mapped[Bound] = mapped_column(choice(Bound, "bound"))
    decimals: Mapped[Count] = mapped_column(server_default="2")

    product: Mapped[Product] = relationship(back_populates="attributes")


class GradeSpecification(Model):
    """What a grade promises of one attribute unless the offer says better."""

    __tablename__ = "grade_specification"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"], ["grade.product_code", "grade.code"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_code", "attribute_code"], ["attribute.product_code", "attribute.code"], ondelete="RESTRICT"
        ),
    )

    product_code: Mapped[CodeKey]
    grade_code: Mapped[CodeKey]
    attribute_code: Mapped[CodeKey]
    value: Mapped[Coefficient]


class BillOfMaterials(Cited, Model):
    """Units of an input that one unit of an output takes. Without a grade the line holds for all grades."""

    __tablename__ = "bill_of_materials"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["output_product_code", "output_grade_code"], ["grade.product_code", "grade.code"], ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["input_product_code", "input_grade_code"], ["grade.product_code", "grade.code"], ondelete="RESTRICT"
        ),
        sa.UniqueConstraint(
            "output_product_code",
            "output_grade_code",
            "input_product_code",
            "input_grade_code",
            name="uq_bill_of_materials_line",
            postgresql_nulls_not_distinct=True,
        ),
        sa.CheckConstraint("quantity_per_output > 0", name="quantity_positive"),
    )

    id: Mapped[SerialKey]
    output_product_code: Mapped[str] = mapped_column(restrict("product.code"))
    output_grade_code: Mapped[str | None] = mapped_column(sa.Text)
    input_product_code: Mapped[str] = mapped_column(restrict("product.code"))
    input_grade_code: Mapped[str | None] = mapped_column(sa.Text)
    quantity_per_output: Mapped[Coefficient]
    method: Mapped[str | None] = mapped_column(sa.Text)


class CertificateKind(Model):
    """A certificate a buyer may require: a quality system, a carbon footprint, an industry licence."""

    __tablename__ = "certificate_kind"

    code: Mapped[CodeKey]
    name_zh: Mapped[Text]
    name_en: Mapped[Text]
