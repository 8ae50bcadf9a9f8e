"""How offers look in the API: quantities in product units, decimals as strings, periods by label."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import marshmallow as ma
from sqlalchemy.orm import Session

from app.api.fields import DecimalText, Text, Timestamp
from app.api.paging import PageArguments
from app.models import Basis, Language, Offer, OfferKind, OfferState, Product, Reason, RunResult
from app.operations.offer_faults import OfferWarning
from app.operations.offer_terms import IndexFormula, InputTerms, document, terms_of

LARGEST = Decimal(10) ** 12
PERIOD = {"description": "A year, quarter or month: 2027, 2027-Q1, 2027-01", "examples": ["2027-Q1"]}
QUANTITY = {"description": "Units of the product per period, a whole multiple of its lot"}


class Period(Text):
    """The label of a period; whether the round has it is for the operation to say."""

    def __init__(self, **options: Any) -> None:
        super().__init__(most=10, **{"metadata": PERIOD, **options})


class StatedPeriodSchema(ma.Schema):
    """Quantity or price of one period where they are not the offer's own."""

    period = Period(required=True)
    quantity = DecimalText(metadata=QUANTITY)
    price = DecimalText(allow_none=True, metadata={"description": "null: the price of the offer"})


class InputSchema(ma.Schema):
    """An input of a conversion."""

    product = Text(required=True, most=100)
    grade = Text(required=True, most=100)
    quantity_per_output = DecimalText(
        required=True, places=9, digits=9, metadata={"description": "Units of input per unit of output"}
    )
    own_stock_per_period = DecimalText(
        load_default=Decimal(0), metadata={"description": "Units the processor has of his own in every period"}
    )

    @ma.post_load
    def _terms(self, values: dict[str, Any], **_: Any) -> InputTerms:
        return InputTerms(**values)


class FormulaSchema(ma.Schema):
    """A price that follows an index: factor x index + premium, between floor and ceiling, CNY per unit."""

    index = Text(required=True, most=60, metadata={"description": "An index that the round has a forward curve for"})
    factor = DecimalText(load_default=Decimal(1), places=9, digits=9)
    premium = DecimalText(load_default=Decimal(0), minimum=-LARGEST)
    floor = DecimalText(load_default=None, allow_none=True)
    ceiling = DecimalText(load_default=None, allow_none=True)

    @ma.post_load
    def _terms(self, values: dict[str, Any], **_: Any) -> IndexFormula:
        return IndexFormula(**values)


class TermsSchema(ma.Schema):
    """What may be said of an offer, new or amended."""

    site_id = ma.fields.UUID(metadata={"description": "A site of your own firm"})
    grade = Text(most=100)
    first_period = Period()
    last_period = Period()
    quantity = DecimalText(metadata={"description": QUANTITY["description"] + ", in every period of the window"})
    periods = ma.fields.List(
        ma.fields.Nested(StatedPeriodSchema),
        validate=ma.validate.Length(0, 120),
        metadata={"description": "Periods with a quantity or a price of their own"},
    )
    price = DecimalText(
        metadata={
            "description": "Ask of a capacity, bid of a demand, fee of a conversion: currency per product unit, tax "
            "excluded. In an amendment it holds for all periods that are not priced beside it."
        }
    )
    formula = ma.fields.Nested(
        FormulaSchema,
        allow_none=True,
        metadata={
            "description": "Instead of a price: evaluated on the round's forward curve for every period. `price` then "
            "tells what it gives on average, as of the last change of the offer."
        },
    )
    currency = Text(validate=ma.validate.Regexp("^[A-Z]{3}$", error="expected a code such as CNY"))
    basis = ma.fields.Enum(
        Basis, by_value=True, metadata={"description": "Default: delivered for a demand, ex_works for the others"}
    )
    min_term = ma.fields.Integer(strict=True, validate=ma.validate.Range(1, 120), metadata={"description": "Periods"})
    max_term = ma.fields.Integer(
        strict=True,
        allow_none=True,
        validate=ma.validate.Range(1, 120),
        metadata={"description": "Periods; null: up to the whole window"},
    )
    min_rate = DecimalText(metadata={"description": "Least units per period of a contract; 0: none"})
    all_or_none = ma.fields.Boolean()
    max_share = DecimalText(
        allow_none=True,
        maximum=1,
        metadata={"description": "Largest part of a demand that one supplier with its affiliates may give"},
    )
    group = Text(
        most=100, allow_none=True, metadata={"description": "Of your offers with one group at most one is taken"}
    )
    reference = Text(most=100, allow_none=True, metadata={"description": "Your own name for it, one per round"})
    valid_until = Timestamp(allow_none=True)
    specification = ma.fields.Dict(
        keys=Text(most=100),
        values=DecimalText(places=9, digits=9, minimum=0),
        metadata={
            "description": "Attribute to the limit that is guaranteed (capacity, conversion) or required (demand)"
        },
    )
    certificates = ma.fields.List(
        Text(most=100), validate=ma.validate.Length(0, 100), metadata={"description": "Guaranteed or required kinds"}
    )
    exclusions = ma.fields.List(
        ma.fields.UUID(), validate=ma.validate.Length(0, 500), metadata={"description": "Firms it never goes to"}
    )
    approved_suppliers = ma.fields.List(
        ma.fields.UUID(),
        validate=ma.validate.Length(0, 500),
        metadata={"description": "Of a demand: if any is named, no other firm may supply"},
    )
    origin = Text(
        most=2,
        allow_none=True,
        metadata={"description": "Of a capacity or conversion: the country its material comes from; null: its site's"},
    )
    accepted_origins = ma.fields.List(
        Text(most=2),
        validate=ma.validate.Length(0, 250),
        metadata={"description": "Of a demand: countries of origin; if any is named, it takes no other"},
    )
    barred_origins = ma.fields.List(
        Text(most=2),
        validate=ma.validate.Length(0, 250),
        metadata={"description": "Of a demand: countries of origin that it does not take"},
    )
    inputs = ma.fields.List(
        ma.fields.Nested(InputSchema),
        validate=ma.validate.Length(0, 50),
        metadata={"description": "Of a conversion: its bill of materials"},
    )


class NewOfferSchema(TermsSchema):
    """A new offer. Every period of the window needs a quantity, by `quantity` or in `periods`."""

    round_id = ma.fields.UUID(required=True)
    draft = ma.fields.Boolean(load_default=False, metadata={"description": "Keep it, do not put it up for sale yet"})
    kind = ma.fields.Enum(OfferKind, by_value=True, required=True)
    product = Text(required=True, most=100)
    site_id = ma.fields.UUID(required=True, metadata={"description": "A site of your own firm"})
    grade = Text(required=True, most=100)
    first_period = Period(required=True)
    last_period = Period(required=True)
    price = DecimalText(metadata={"description": "Currency per product unit, tax excluded; not with a formula"})

    @ma.validates_schema
    def _one_pricing(self, values: dict[str, Any], **_: Any) -> None:
        if (values.get("price") is None) == (values.get("formula") is None):
            raise ma.ValidationError("expected either a price or a formula", "price")


class AmendmentSchema(TermsSchema):
    """What is to change; what is not named stays. Kind, round and product cannot change: withdraw and post anew."""


class WarningSchema(ma.Schema):
    """Something to know of the offer; it stands all the same."""

    code = ma.fields.String(required=True)
    message = ma.fields.String(required=True)
    message_zh = ma.fields.String(required=True)


class OfferPeriodSchema(ma.Schema):
    """One period of an offer, in product units."""

    period = ma.fields.String(required=True)
    quantity = DecimalText(required=True)
    price = DecimalText(required=True, allow_none=True, metadata={"description": "null: the price of the offer"})
    reserved = DecimalText(required=True, metadata={"description": "Held by proposals and contracts"})


class OfferSchema(ma.Schema):
    """An offer of your own firm."""

    id = ma.fields.UUID(required=True)
    round_id = ma.fields.UUID(required=True)
    firm_id = ma.fields.UUID(required=True)
    state = ma.fields.Enum(OfferState, by_value=True, required=True)
    revision = ma.fields.Integer(required=True)
    kind = ma.fields.String(required=True)
    site_id = ma.fields.String(required=True)
    product = ma.fields.String(required=True)
    grade = ma.fields.String(required=True)
    unit = ma.fields.String(required=True)
    lot = DecimalText(required=True)
    first_period = ma.fields.String(required=True)
    last_period = ma.fields.String(required=True)
    periods = ma.fields.List(ma.fields.Nested(OfferPeriodSchema), required=True)
    price = ma.fields.String(required=True)
    formula = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.String(allow_none=True), required=True, allow_none=True
    )
    currency = ma.fields.String(required=True)
    basis = ma.fields.String(required=True)
    min_term = ma.fields.Integer(required=True)
    max_term = ma.fields.Integer(required=True, allow_none=True)
    min_rate = ma.fields.String(required=True)
    all_or_none = ma.fields.Boolean(required=True)
    max_share = ma.fields.String(required=True, allow_none=True)
    group = ma.fields.String(required=True, allow_none=True)
    reference = ma.fields.String(required=True, allow_none=True)
    valid_until = Timestamp(required=True, allow_none=True)
    specification = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)
    certificates = ma.fields.List(ma.fields.String(), required=True)
    exclusions = ma.fields.List(ma.fields.String(), required=True)
    approved_suppliers = ma.fields.List(ma.fields.String(), required=True)
    origin = ma.fields.String(required=True, allow_none=True)
    accepted_origins = ma.fields.List(ma.fields.String(), required=True)
    barred_origins = ma.fields.List(ma.fields.String(), required=True)
    inputs = ma.fields.List(ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String()), required=True)
    created_at = Timestamp(required=True)
    posted_at = Timestamp(required=True, allow_none=True)
    changed_at = Timestamp(required=True)
    warnings = ma.fields.List(
        ma.fields.Nested(WarningSchema),
        metadata={"description": "For one offer, not in lists: promised against built capacity"},
    )


class RevisionSchema(ma.Schema):
    """The terms as they stood in one revision of an open offer."""

    revision = ma.fields.Integer(required=True)
    changed_at = Timestamp(required=True)
    terms = ma.fields.Dict(required=True)


class FilledPeriodSchema(ma.Schema):
    """What was matched in one period of the round, in product units."""

    period = ma.fields.String(required=True)
    quantity = DecimalText(required=True)


class OfferResultSchema(ma.Schema):
    """What one run made of the offer, in the revision that it saw."""

    run_id = ma.fields.UUID(required=True)
    finished_at = Timestamp(required=True, allow_none=True)
    offer_revision = ma.fields.Integer(required=True)
    reason = ma.fields.Enum(Reason, by_value=True, required=True)
    distance = DecimalText(
        required=True,
        allow_none=True,
        metadata={"description": "CNY per unit by which the price missed"},
    )
    distance_at_least = ma.fields.Boolean(
        required=True,
        metadata={"description": "The price missed by at least the distance; with terms of all or none it may be more"},
    )
    requirement = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "What failed most, where there was no eligible lane"}
    )
    field = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "What was wrong with an offer that is invalid"}
    )
    filled = ma.fields.List(ma.fields.Nested(FilledPeriodSchema), required=True)


class OfferArguments(PageArguments):
    """Filters of the list of offers."""

    round_id = ma.fields.UUID(load_default=None)
    state = ma.fields.Enum(OfferState, by_value=True, load_default=None)
    kind = ma.fields.Enum(OfferKind, by_value=True, load_default=None)
    product = Text(load_default=None, most=100)


class LookArguments(ma.Schema):
    """Why staff look."""

    reason = Text(required=True, least=5, most=500, metadata={"description": "Kept in the access log with the look"})


_OF_THE_ROW = (
    *("id", "round_id", "firm_id", "state", "revision"),
    *("valid_until", "created_at", "posted_at", "changed_at"),
)


def shown_offer(session: Session, offer: Offer, warnings: list[OfferWarning] | None = None) -> dict[str, Any]:
    """An offer as `OfferSchema` shows it."""
    product = session.get_one(Product, offer.product_code)
    shown = document(terms_of(session, offer)) | {name: getattr(offer, name) for name in _OF_THE_ROW}
    shown["unit"], shown["lot"] = product.unit.value, product.lot
    shown["periods"] = [
        {
            "period": period.period,
            "quantity": period.quantity * product.lot,
            "price": period.price,
            "reserved": period.reserved * product.lot,
        }
        for period in sorted(offer.periods, key=lambda period: period.period)
    ]
    if warnings is not None:
        shown["warnings"] = [
            {
                "code": warning.code,
                "message": warning.message(Language.ENGLISH),
                "message_zh": warning.message(Language.CHINESE),
            }
            for warning in warnings
        ]
    return shown


def shown_result(result: RunResult) -> dict[str, Any]:
    """A result as `OfferResultSchema` shows it. Of its detail the requirement, the field and
    whether the distance is a least one are for the firm."""
    labels, lot = result.run.round.horizon.labels(), result.offer.product.lot
    return {
        "run_id": result.run_id,
        "finished_at": result.run.finished_at,
        "offer_revision": result.offer_revision,
        "reason": result.reason,
        "distance": result.distance,
        "distance_at_least": bool((result.detail or {}).get("distance_at_least")),
        "requirement": (result.detail or {}).get("failed"),
        "field": (result.detail or {}).get("field"),
        "filled": [
            {"period": label, "quantity": lots * lot} for label, lots in zip(labels, result.filled, strict=True)
        ],
    }
