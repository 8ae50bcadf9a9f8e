"""Call-offs, their goods and assays, and where a contract stands, as the API reads and writes them."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.api.fields import DecimalText, Text, Timestamp
from app.api.paging import PageArguments
from app.auth import Principal
from app.db import session
from app.models import AssaySide, CallOff, Consignment
from app.operations import assays, call_offs
from app.operations.quantities import ContractStanding, PeriodStanding
from contracts.reasons import ReasonGroup, codes_of
from contracts.schedule import Standing
from contracts.state import Subject, state_names

MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])\Z"
MOST_LOTS = 10**12
LONGEST_NOTE = 1000


def _lots(**options: Any) -> ma.fields.Integer:
    return ma.fields.Integer(strict=True, validate=ma.validate.Range(1, MOST_LOTS), **options)


def _note() -> Text:
    return Text(load_default=None, allow_none=True, most=LONGEST_NOTE)


class CallOffArguments(PageArguments):
    contract_id = ma.fields.UUID(load_default=None)
    state = ma.fields.String(load_default=None, validate=ma.validate.OneOf(state_names(Subject.CALL_OFF)))
    month = ma.fields.String(load_default=None, validate=ma.validate.Regexp(MONTH))


class WishSchema(ma.Schema):
    """What the buyer asks for; a place that is not named is the contract's."""

    lots = _lots()
    wanted_on = ma.fields.Date(allow_none=True)
    place = Text(allow_none=True)
    remarks = Text(allow_none=True, most=LONGEST_NOTE)


class NewCallOffSchema(WishSchema):
    """A call-off for a delivery month; as a forecast it binds nobody."""

    month = ma.fields.String(required=True, validate=ma.validate.Regexp(MONTH), metadata={"examples": ["2027-02"]})
    lots = _lots(required=True)
    forecast = ma.fields.Boolean(load_default=False)


class NominationSchema(ma.Schema):
    """How many lots are nominated; without a number those that were forecast."""

    lots = _lots(load_default=None, allow_none=True)


class CallOffNoteSchema(ma.Schema):
    note = _note()


class ConfirmationSchema(ma.Schema):
    """Lots confirmed; fewer than are firm need a reason."""

    lots = _lots(required=True)
    promised_on = ma.fields.Date(load_default=None, allow_none=True)
    reason_code = ma.fields.String(
        load_default=None,
        allow_none=True,
        validate=ma.validate.OneOf(codes_of(ReasonGroup.SHORT_CONFIRMATION)),
    )
    note = _note()


class CallOffRefusalSchema(ma.Schema):
    """Why the seller does not deliver."""

    reason_code = ma.fields.String(required=True, validate=ma.validate.OneOf(codes_of(ReasonGroup.SHORT_CONFIRMATION)))
    note = _note()


class ShipmentSchema(ma.Schema):
    """Goods on their way; fewer lots than are confirmed leave the rest as a call-off of its own."""

    lots = _lots(required=True)
    shipped_on = ma.fields.Date(required=True)
    transport_document = Text(required=True, most=100)
    certificate = Text(
        required=True, most=100, metadata={"description": "Number of the certificate of analysis with the goods"}
    )
    carrier = Text(load_default=None, allow_none=True, most=200)


class ReceiptSchema(ma.Schema):
    lots = _lots(required=True)
    received_on = ma.fields.Date(required=True)
    note = _note()


class RejectionSchema(ma.Schema):
    """Why the buyer rejects goods that are beyond the rejection limit."""

    reason_code = ma.fields.String(required=True, validate=ma.validate.OneOf(codes_of(ReasonGroup.REJECT_DELIVERY)))
    note = _note()


class ReadingSchema(ma.Schema):
    """One result, in the unit of the contract's quality term."""

    attribute = Text(required=True, most=100)
    value = DecimalText(required=True)
    laboratory = Text(required=True, most=200)
    certificate = Text(required=True, most=100)
    assayed_on = ma.fields.Date(required=True)


class ReadingsSchema(ma.Schema):
    """Results of one side, or of the umpire."""

    results = ma.fields.List(
        ma.fields.Nested(ReadingSchema), required=True, validate=ma.validate.Length(min=1, max=100)
    )


class AssayResultSchema(ReadingSchema):
    side = ma.fields.Enum(AssaySide, by_value=True, required=True)


class AssayedAttributeSchema(ma.Schema):
    """One quality term: results you may see, and the value that binds both sides once it is determined."""

    attribute = ma.fields.String(required=True)
    unit = ma.fields.String(required=True)
    splitting_limit = DecimalText(required=True)
    standing = ma.fields.String(required=True)
    value = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "Exact, as a fraction if need be"}
    )
    umpire_paid_by = ma.fields.String(required=True, allow_none=True)
    rejectable = ma.fields.Boolean(required=True, allow_none=True)
    results = ma.fields.List(ma.fields.Nested(AssayResultSchema), required=True)


class ConsignmentSchema(ma.Schema):
    id = ma.fields.UUID(required=True)
    transport_document = ma.fields.String(required=True)
    certificate = ma.fields.String(required=True)
    carrier = ma.fields.String(required=True, allow_none=True)
    shipped_on = ma.fields.Date(required=True)
    received_on = ma.fields.Date(required=True, allow_none=True)


class CallOffSchema(ma.Schema):
    """A call-off. Lots are null before their step; `counted_lots` is the room it takes in the contract."""

    id = ma.fields.UUID(required=True)
    contract_id = ma.fields.UUID(required=True)
    number = ma.fields.Integer(required=True)
    period = ma.fields.String(required=True)
    month = ma.fields.String(required=True)
    state = ma.fields.String(required=True)
    forecast_lots = ma.fields.Integer(required=True, allow_none=True)
    nominated_lots = ma.fields.Integer(required=True, allow_none=True)
    confirmed_lots = ma.fields.Integer(required=True, allow_none=True)
    shipped_lots = ma.fields.Integer(required=True, allow_none=True)
    received_lots = ma.fields.Integer(required=True, allow_none=True)
    counted_lots = ma.fields.Integer(required=True)
    wanted_on = ma.fields.Date(required=True, allow_none=True)
    promised_on = ma.fields.Date(required=True, allow_none=True)
    confirm_by = ma.fields.Date(required=True, allow_none=True)
    place = ma.fields.String(required=True)
    remarks = ma.fields.String(required=True, allow_none=True)
    split_from_id = ma.fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    consignment = ma.fields.Nested(ConsignmentSchema, required=True, allow_none=True)
    attributes = ma.fields.List(ma.fields.Nested(AssayedAttributeSchema), required=True)
    open_moves = ma.fields.List(ma.fields.String(), required=True)


class DeliveryStandingSchema(ma.Schema):
    """Lots; `remaining` is what of the original is not delivered."""

    original = ma.fields.Integer(required=True)
    nominated = ma.fields.Integer(required=True)
    confirmed = ma.fields.Integer(required=True)
    delivered = ma.fields.Integer(required=True)
    invoiced = ma.fields.Integer(required=True)
    remaining = ma.fields.Integer(required=True)


class PeriodStandingSchema(ma.Schema):
    """One line of the schedule, what has run up to its end, and the fewest and most lots that may still be called."""

    period = ma.fields.String(required=True)
    forecast = ma.fields.Integer(required=True)
    own = ma.fields.Nested(DeliveryStandingSchema, required=True)
    to_date = ma.fields.Nested(DeliveryStandingSchema, required=True)
    least = ma.fields.Integer(required=True)
    most = ma.fields.Integer(required=True)
    limit = ma.fields.String(required=True, metadata={"description": "Which limit holds `most`"})


class QuantitiesArguments(ma.Schema):
    on = ma.fields.Date(load_default=None, metadata={"description": "Deliveries and invoices up to this day; today"})


class QuantitiesSchema(ma.Schema):
    lot_size = DecimalText(required=True)
    unit = ma.fields.String(required=True)
    on = ma.fields.Date(required=True)
    forecast = ma.fields.Integer(required=True)
    whole = ma.fields.Nested(DeliveryStandingSchema, required=True)
    periods = ma.fields.List(ma.fields.Nested(PeriodStandingSchema), required=True)


def shown_call_off(call_off: CallOff, who: Principal) -> dict[str, Any]:
    """A call-off as a party or an overseer may see it."""
    names = CallOffSchema().fields.keys() - {"consignment", "attributes", "open_moves"}
    found = assays.standings(session(), principal=who, call_off=call_off)
    return {name: getattr(call_off, name) for name in names} | {
        "consignment": _consignment(call_off.consignment),
        "attributes": [_attribute(one) for one in found],
        "open_moves": call_offs.open_moves(call_off, who),
    }


def shown_quantities(found: ContractStanding) -> dict[str, Any]:
    """The members of `QuantitiesSchema` but the day."""
    return {
        "lot_size": found.lot.size,
        "unit": found.lot.unit,
        "forecast": found.forecast,
        "whole": _standing(found.whole),
        "periods": [_period(one) for one in found.periods],
    }


def _period(one: PeriodStanding) -> dict[str, Any]:
    return {
        "period": str(one.period),
        "forecast": one.forecast,
        "own": _standing(one.own),
        "to_date": _standing(one.to_date),
        "least": one.room.least,
        "most": one.room.most,
        "limit": one.room.limit.en,
    }


def _standing(one: Standing) -> dict[str, int]:
    return {name: getattr(one, name) for name in DeliveryStandingSchema().fields}


def _consignment(goods: Consignment | None) -> dict[str, Any] | None:
    return None if goods is None else {name: getattr(goods, name) for name in ConsignmentSchema().fields}


def _attribute(one: assays.AttributeStanding) -> dict[str, Any]:
    bound = one.determination
    return {
        "attribute": one.term.attribute,
        "unit": one.term.unit,
        "splitting_limit": one.term.splitting_limit,
        "standing": one.standing.value,
        "value": None if bound is None else str(bound.value),
        "umpire_paid_by": None if bound is None else bound.umpire_paid_by.value,
        "rejectable": None if bound is None else bound.rejectable,
        "results": [
            {name: getattr(result, name) for name in AssayResultSchema().fields}
            for _, result in sorted(one.results.items())
        ],
    }
