"""What the API takes and tells in a negotiation: counter-offers, versions, room, messages."""

from __future__ import annotations

import json
from typing import Any

import marshmallow as ma

from app.api.fields import DecimalText, Text, Timestamp, decimal_text
from app.models import Side, VersionState
from app.models.negotiation import LONGEST_MESSAGE
from app.operations.counters import Offered
from app.operations.proposal_versions import VersionView
from contracts.canonical import read_json
from contracts.counter import POINTERS, Changes, Difference, Measure, price_from
from market.periods import Period


class CounterLineSchema(ma.Schema):
    """Lots of one period."""

    period = Text(required=True, most=7)
    lots = ma.fields.Integer(required=True, strict=True, validate=ma.validate.Range(0, 2**53 - 1))


class CounterSchema(ma.Schema):
    """What a counter-offer asks for; what is left out stays as it is.

    `version` is that of the proposal as it was read. `price` is a price of the terms, fixed or a formula with a floor
    and a ceiling, ex works; `schedule` the lots of the periods that change; `numbers` other terms by JSON pointer.
    """

    version = ma.fields.Integer(required=True, strict=True, validate=ma.validate.Range(1, 2**31 - 1))
    price = ma.fields.Dict(
        keys=ma.fields.String(),
        load_default=None,
        metadata={"examples": [{"kind": "fixed", "amount": "76500"}]},
    )
    schedule = ma.fields.List(
        ma.fields.Nested(CounterLineSchema), load_default=[], validate=ma.validate.Length(max=120)
    )
    delivery_site_id = ma.fields.UUID(load_default=None)
    numbers = ma.fields.Dict(
        keys=ma.fields.String(validate=ma.validate.OneOf(POINTERS)),
        values=DecimalText(digits=9),
        load_default={},
        metadata={"examples": [{"/payment/due_days": "45"}]},
    )
    message = Text(load_default=None, allow_none=True, most=LONGEST_MESSAGE)
    expires_at = Timestamp(load_default=None, metadata={"description": "Three days from now, if nothing is said"})


class CounterAnswerSchema(ma.Schema):
    """Which counter is answered: the hash of its terms."""

    terms_hash = ma.fields.String(required=True, validate=ma.validate.Regexp(r"^[0-9a-f]{64}\Z"))


class CounterTakeSchema(CounterAnswerSchema):
    """`accept` accepts the new version at once for the own side."""

    accept = ma.fields.Boolean(load_default=False)


class CounterRejectSchema(CounterAnswerSchema):
    """The message goes to the thread of the proposal."""

    message = Text(load_default=None, allow_none=True, most=LONGEST_MESSAGE)


class TermsDifferenceSchema(ma.Schema):
    """One place of the terms that a version changes, with its name, and how its values are read."""

    pointer = ma.fields.String(required=True)
    name_zh = ma.fields.String(required=True)
    name_en = ma.fields.String(required=True)
    measure = ma.fields.Enum(Measure, by_value=True, required=True)
    period = ma.fields.String(required=True, allow_none=True)
    old = ma.fields.Raw(required=True, allow_none=True)
    new = ma.fields.Raw(required=True, allow_none=True)


class ProposalVersionSchema(ma.Schema):
    """One version of the terms. Counters carry their side, their differences to the version they answer, their end."""

    number = ma.fields.Integer(required=True)
    state = ma.fields.Enum(VersionState, by_value=True, required=True)
    side = ma.fields.Enum(Side, by_value=True, required=True, allow_none=True)
    by_user_id = ma.fields.UUID(required=True, allow_none=True)
    terms = ma.fields.Dict(keys=ma.fields.String(), required=True)
    terms_hash = ma.fields.String(required=True)
    differences = ma.fields.List(ma.fields.Nested(TermsDifferenceSchema), required=True)
    message = ma.fields.String(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    expires_at = Timestamp(required=True, allow_none=True)
    answered_at = Timestamp(required=True, allow_none=True)


class ProposalVersionsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(ProposalVersionSchema), required=True)


class CounterRoomLineSchema(ma.Schema):
    """Lots of a period on offer, and from least to most what a counter may say."""

    period = ma.fields.String(required=True)
    lots = ma.fields.Integer(required=True)
    least_lots = ma.fields.Integer(required=True)
    most_lots = ma.fields.Integer(required=True)


class CounterPlaceSchema(ma.Schema):
    site_id = ma.fields.UUID(required=True)
    place = ma.fields.String(required=True)


class CounterRoomSchema(ma.Schema):
    """Your own limits for a counter-offer; prices in CNY per unit ex works. The other side is not told them."""

    least_price = DecimalText(required=True, allow_none=True)
    most_price = DecimalText(required=True, allow_none=True)
    schedule = ma.fields.List(ma.fields.Nested(CounterRoomLineSchema), required=True)
    schedule_fixed = ma.fields.String(required=True, allow_none=True, metadata={"description": "Why it is, if it is"})
    places = ma.fields.List(ma.fields.Nested(CounterPlaceSchema), required=True)
    numbers = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)
    latest_expiry = Timestamp(required=True, allow_none=True)


class ProposalMessageSchema(ma.Schema):
    """What one party wrote to the other; `read` says whether the other side has read it."""

    number = ma.fields.Integer(required=True)
    side = ma.fields.Enum(Side, by_value=True, required=True)
    ours = ma.fields.Boolean(required=True)
    by_user_id = ma.fields.UUID(required=True, allow_none=True)
    body = ma.fields.String(required=True)
    created_at = Timestamp(required=True)
    read = ma.fields.Boolean(required=True)


class ProposalThreadSchema(ma.Schema):
    messages = ma.fields.List(ma.fields.Nested(ProposalMessageSchema), required=True)
    unread = ma.fields.Integer(required=True)
    may_write = ma.fields.Boolean(required=True)


class NewProposalMessageSchema(ma.Schema):
    body = Text(required=True, most=LONGEST_MESSAGE)


class ProposalReadSchema(ma.Schema):
    """All messages up to and including this number are read."""

    until = ma.fields.Integer(required=True, strict=True, validate=ma.validate.Range(1, 2**31 - 1))


def changes_of(asked: dict[str, Any]) -> Changes:
    """The changes that a counter asks for.

    :raises market.errors.MarketError: a period or a price cannot be read; the fault names the place.
    """
    return Changes(
        # Read as text once more: numbers with a fraction, and what is no number at all, are refused there.
        price=None if asked["price"] is None else price_from(read_json(json.dumps(asked["price"]))),
        lots={Period.parse(line["period"]): line["lots"] for line in asked["schedule"]},
        numbers=asked["numbers"],
    )


def shown_version(view: VersionView) -> dict[str, Any]:
    own = {name: getattr(view, name) for name in ProposalVersionSchema().fields if name != "differences"}
    return own | {"differences": [_shown_difference(one) for one in view.differences]}


def _shown_difference(one: Difference) -> dict[str, Any]:
    return {
        "pointer": one.pointer,
        "name_zh": one.text.zh,
        "name_en": one.text.en,
        "measure": one.measure,
        "period": None if one.period is None else str(one.period),
        "old": one.old,
        "new": one.new,
    }


def shown_room(offered: Offered) -> dict[str, Any]:
    room = offered.room
    fixed = room.schedule_fixed
    return {
        "least_price": room.least_price,
        "most_price": room.most_price,
        "schedule": [
            {
                "period": str(line.period),
                "lots": line.lots,
                "least_lots": line.lots if fixed else max(room.least_lots, 1),
                "most_lots": line.lots if fixed else room.most_lots.get(line.period, 0),
            }
            for line in offered.terms.schedule
        ],
        "schedule_fixed": None if fixed is None else fixed.en,
        "places": [{"site_id": place.site_id, "place": place.place} for place in offered.places],
        "numbers": {
            pointer: decimal_text(value) if not isinstance(value, int) else str(value)
            for pointer, value in offered.numbers.items()
        },
        "latest_expiry": offered.latest,
    }
