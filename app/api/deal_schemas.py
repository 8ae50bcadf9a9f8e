"""Pieces that proposals, reviews and contracts show alike: firms, goods, window, price."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.api.fields import DecimalText, Timestamp
from app.models import Firm


class FirmNameSchema(ma.Schema):
    """Who a firm is."""

    id = ma.fields.UUID(required=True)
    name_zh = ma.fields.String(required=True)
    name_en = ma.fields.String(required=True)
    credit_code = ma.fields.String(required=True, allow_none=True)
    country = ma.fields.String(required=True)


class DealSchema(ma.Schema):
    """Who, what, when, how much, at which price. Quantities in product units, prices in CNY per unit, tax excluded."""

    seller = ma.fields.Nested(FirmNameSchema, required=True)
    buyer = ma.fields.Nested(FirmNameSchema, required=True)
    product = ma.fields.String(required=True)
    grade = ma.fields.String(required=True)
    unit = ma.fields.String(required=True)
    first_period = ma.fields.String(required=True)
    last_period = ma.fields.String(required=True)
    lots = ma.fields.Integer(required=True, metadata={"description": "Lots per period"})
    rate = DecimalText(required=True, metadata={"description": "Units per period"})
    quantity = DecimalText(required=True, metadata={"description": "Units over the whole window"})
    price_ex_works = DecimalText(required=True)
    freight = DecimalText(required=True)
    price_delivered = DecimalText(required=True)
    total_value = DecimalText(required=True, metadata={"description": "CNY that the buyer pays over the window"})


class StepSchema(ma.Schema):
    """One step: who moved it in which capacity, from where to where, why, on which version."""

    id = ma.fields.Integer(required=True)
    at = Timestamp(required=True)
    subject = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    acting_as = ma.fields.String(required=True, allow_none=True)
    from_state = ma.fields.String(required=True, allow_none=True)
    to_state = ma.fields.String(required=True)
    reason_code = ma.fields.String(required=True, allow_none=True)
    note = ma.fields.String(required=True, allow_none=True)
    version_hash = ma.fields.String(required=True, allow_none=True)
    user_id = ma.fields.UUID(required=True, allow_none=True)


def shown_firm(firm: Firm) -> dict[str, Any]:
    return {name: getattr(firm, name) for name in ("id", "name_zh", "name_en", "credit_code", "country")}


def shown_deal(deal: Any) -> dict[str, Any]:
    """The members of `DealSchema` from what shows a proposal (`PartyProposal` or `ReviewLine`)."""
    own = ("first_period", "last_period", "price_ex_works", "freight", "price_delivered", "total_value")
    return {name: getattr(deal, name) for name in own} | {
        "seller": shown_firm(deal.seller),
        "buyer": shown_firm(deal.buyer),
        "product": deal.product.code,
        "grade": deal.grade.code,
        "unit": deal.product.unit.value,
        "lots": deal.rate,
        "rate": deal.rate * deal.product.lot,
        "quantity": deal.units,
    }
