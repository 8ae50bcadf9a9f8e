"""How reference data look in the API. Each schema reads a row of a bulk, a body of a PUT and a row to be shown."""

from __future__ import annotations

import datetime as dt
from typing import Any

import marshmallow as ma

from app.api.fields import DecimalText, Text
from app.models import Bound, Tier, Unit

FIRST_DAY, LAST_DAY = dt.date(1990, 1, 1), dt.date(2100, 12, 31)


class Code(Text):
    """The key of a row: letters, digits and a few signs, because it stands in addresses."""

    def __init__(self, **options: Any) -> None:
        own = ma.validate.Regexp(r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)", error="expected letters, digits, dots, - and _")
        super().__init__(most=60, validate=own, **options)


class RowSchema(ma.Schema):
    """Base: an empty cell of a CSV is no value."""

    @ma.pre_load
    def _without_blanks(self, row: Any, **_: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {name: value for name, value in row.items() if value != ""}


class NamedSchema(RowSchema):
    name_zh = Text(required=True, most=200)
    name_en = Text(required=True, most=200)


class CitedSchema(RowSchema):
    source = Text(required=True, most=1000, metadata={"description": "Where the fact comes from"})
    estimated = ma.fields.Boolean(load_default=False)


class ProductSchema(NamedSchema):
    """A product; the lot is fixed once an offer or a limit counts in it."""

    code = Code(required=True)
    tier = ma.fields.Enum(Tier, by_value=True, required=True)
    unit = ma.fields.Enum(Unit, by_value=True, required=True)
    lot = DecimalText(required=True, metadata={"description": "Units in one lot"}, minimum=0)


class GradeSchema(NamedSchema):
    """A grade; a higher rank serves a lower requirement."""

    product = Code(required=True, attribute="product_code")
    code = Code(required=True)
    rank = ma.fields.Integer(load_default=0, validate=ma.validate.Range(0, 1000))


class AttributeSchema(NamedSchema):
    """A property that a specification may name."""

    product = Code(required=True, attribute="product_code")
    code = Code(required=True)
    unit = Text(required=True, most=30)
    bound = ma.fields.Enum(Bound, by_value=True, required=True)
    decimals = ma.fields.Integer(load_default=2, validate=ma.validate.Range(0, 9))


class GradeSpecificationSchema(RowSchema):
    """What a grade promises of an attribute unless the offer says better."""

    product = Code(required=True, attribute="product_code")
    grade = Code(required=True, attribute="grade_code")
    attribute_ = Code(required=True, attribute="attribute_code", data_key="attribute")
    value = DecimalText(required=True, places=9, digits=9)


class BillOfMaterialsSchema(CitedSchema):
    """Units of an input in one unit of an output; without a grade it holds for all."""

    output_product = Code(required=True, attribute="output_product_code")
    output_grade = Code(load_default=None, allow_none=True, attribute="output_grade_code")
    input_product = Code(required=True, attribute="input_product_code")
    input_grade = Code(load_default=None, allow_none=True, attribute="input_grade_code")
    quantity_per_output = DecimalText(required=True, places=9, digits=9)
    method = Text(load_default=None, allow_none=True, most=200)


class RegionSchema(NamedSchema):
    """A province or a country, and its usual point in degrees."""

    code = Code(required=True)
    country = Text(required=True, validate=ma.validate.Regexp(r"^[A-Z]{2}$(?!\n)", error="expected a code such as CN"))
    lat = DecimalText(required=True, places=5, digits=2, minimum=-90, maximum=90)
    lon = DecimalText(required=True, places=5, digits=3, minimum=-180, maximum=180)


class MarketIndexSchema(NamedSchema):
    """A published price series, tax excluded."""

    code = Code(required=True)
    product = Code(required=True, attribute="product_code")
    unit = ma.fields.Enum(Unit, by_value=True, required=True)
    currency = Text(
        load_default="CNY", validate=ma.validate.Regexp(r"^[A-Z]{3}$(?!\n)", error="expected a code such as CNY")
    )
    source = Text(required=True, most=1000)


class IndexPriceSchema(CitedSchema):
    """The value of an index on one day."""

    index = Code(required=True, attribute="index_code")
    date = ma.fields.Date(required=True, validate=ma.validate.Range(FIRST_DAY, LAST_DAY))
    value = DecimalText(required=True)


class FreightSchema(CitedSchema):
    """CNY per unit from one region to another; without a product, for all that have no line of their own."""

    product = Code(load_default=None, allow_none=True, attribute="product_code")
    from_region = Code(required=True, attribute="from_region_code")
    to_region = Code(required=True, attribute="to_region_code")
    cost = DecimalText(required=True)
    distance_km = DecimalText(load_default=None, allow_none=True)


class CertificateKindSchema(NamedSchema):
    """A kind of certificate."""

    code = Code(required=True)


class BulkArguments(ma.Schema):
    """What is to be written of a bulk."""

    partial_ = ma.fields.Boolean(  # a schema has an attribute `partial` of its own
        data_key="partial",
        attribute="partial",
        load_default=False,
        metadata={"description": "Put the good rows even if others are not; without it one bad row stops all"},
    )


class BulkFaultSchema(ma.Schema):
    """One thing wrong in a row."""

    field = ma.fields.String(required=True)
    detail = ma.fields.String(required=True)


class BulkRowSchema(ma.Schema):
    """What became of one row."""

    row = ma.fields.Integer(required=True, metadata={"description": "From 1; in a CSV the header is row 1"})
    outcome = ma.fields.String(
        required=True, validate=ma.validate.OneOf(["created", "changed", "unchanged", "rejected"])
    )
    faults = ma.fields.List(ma.fields.Nested(BulkFaultSchema), required=True)


class BulkSchema(ma.Schema):
    """The results of a bulk; when `written` is false, the outcomes are what would have become of the rows."""

    written = ma.fields.Boolean(required=True)
    rows = ma.fields.List(ma.fields.Nested(BulkRowSchema), required=True)
