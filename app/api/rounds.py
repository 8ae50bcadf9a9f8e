"""Rounds: made, opened and closed by staff; with guests, windows and corridors."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import DecimalText, Text, Timestamp
from app.api.idempotency import idempotent
from app.api.offer_schemas import Period
from app.api.paging import Page, PageArguments, page, page_of
from app.api.reference_schemas import Code
from app.api.refusals import refuses
from app.api.versions import changes_version, expect_version, show_version
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import Corridor, PeriodKind, Product, Round, RoundKind, RoundState, WindowRule
from app.operations import rounds
from app.operations.forward_curve import enter_forward_prices, forward_curves
from app.permissions import Permission

blueprint = ApiBlueprint("rounds", __name__, path="/rounds", description="Market sessions")
corridors = ApiBlueprint("corridors", __name__, path="/corridors", description="Quotas of rounds")


class WindowSchema(ma.Schema):
    """A window that contracts may have, first and last period included."""

    first_period = Period(required=True)
    last_period = Period(required=True)

    @ma.post_load
    def _pair(self, window: dict[str, str], **_: Any) -> tuple[str, str]:
        return window["first_period"], window["last_period"]


class RoundSchema(ma.Schema):
    """A round as those see it who may take part."""

    id = ma.fields.UUID(required=True)
    code = ma.fields.String(required=True)
    name_zh = ma.fields.String(required=True)
    name_en = ma.fields.String(required=True)
    kind = ma.fields.Enum(RoundKind, by_value=True, required=True)
    state = ma.fields.Enum(RoundState, by_value=True, required=True)
    period_kind = ma.fields.Enum(PeriodKind, by_value=True, required=True)
    periods = ma.fields.Function(lambda found: found.horizon.labels(), metadata={"type": "array"})
    window_rule = ma.fields.Enum(WindowRule, by_value=True, required=True, attribute="windows")
    windows = ma.fields.List(ma.fields.Nested(WindowSchema), attribute="ladder", required=True)
    opens_at = Timestamp(required=True)
    closes_at = Timestamp(required=True)
    proposal_days = ma.fields.Integer(required=True)
    review_threshold = DecimalText(required=True)
    discount_rate = DecimalText(required=True)
    currency_rates = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


class RoundChangeSchema(ma.Schema):
    """What is to change of a round; an open one only in its names and its end."""

    name_zh = Text(most=200)
    name_en = Text(most=200)
    opens_at = Timestamp()
    closes_at = Timestamp()
    windows = ma.fields.List(
        ma.fields.Nested(WindowSchema),
        validate=ma.validate.Length(0, 1000),
        metadata={"description": "The ladder; without one every run of periods is a window"},
    )
    proposal_days = ma.fields.Integer(validate=ma.validate.Range(1, 90))
    review_threshold = DecimalText(places=2, metadata={"description": "CNY above which a release takes two persons"})
    discount_rate = DecimalText(maximum=Decimal("0.999999"), metadata={"description": "Per year"})
    currency_rates = ma.fields.Dict(
        keys=Text(most=3), values=DecimalText(), metadata={"description": "CNY per unit of each other currency"}
    )


class NewRoundSchema(RoundChangeSchema):
    """A round to be made, in draft."""

    code = Code(required=True)
    name_zh = Text(required=True, most=200)
    name_en = Text(required=True, most=200)
    kind = ma.fields.Enum(RoundKind, by_value=True, required=True)
    first_period = Period(required=True)
    period_count = ma.fields.Integer(required=True, validate=ma.validate.Range(1, 120))
    opens_at = Timestamp(required=True)
    closes_at = Timestamp(required=True)


class InvitationSchema(ma.Schema):
    """A guest of a docking round."""

    firm_id = ma.fields.UUID(required=True)
    invited_at = Timestamp(required=True)


class ForwardPriceSchema(ma.Schema):
    """One index in one period."""

    index = Code(required=True)
    period = Period(required=True)
    value = DecimalText(required=True, allow_none=True)


class CorridorSchema(ma.Schema):
    """A limit on what moves from one region to another, in product units per period; null: in each."""

    id = ma.fields.UUID(dump_only=True)
    round_id = ma.fields.UUID(dump_only=True)
    product = Code(required=True, attribute="product_code")
    from_region = Code(required=True, attribute="from_region_code")
    to_region = Code(required=True, attribute="to_region_code")
    period = Period(load_default=None, allow_none=True)
    limit = DecimalText(required=True)
    note = Text(load_default=None, allow_none=True, most=500)


@blueprint.get("")
@requires(Permission.REFERENCE_READ)
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, page_of(RoundSchema))
def list_rounds(arguments: dict[str, Any]) -> Page[Round]:
    """The rounds that you may take part in, or all for staff; those that close last come first."""
    select = rounds.visible_rounds(principal())
    return page(session(), select, order=(Round.closes_at, Round.id), descending=True, **arguments)


@blueprint.post("")
@requires(Permission.ROUND_MANAGE)
@idempotent
@blueprint.arguments(NewRoundSchema)
@refuses(blueprint, 409, 422)
@blueprint.response(201, RoundSchema)
def create_round(values: dict[str, Any]) -> Round:
    """Make a round, in draft. Its horizon never changes after."""
    return _answer(rounds.create(session(), principal=principal(), now=clock(), **values))


@blueprint.get("/<uuid:round_id>")
@requires(Permission.REFERENCE_READ)
@refuses(blueprint, 404)
@blueprint.response(200, RoundSchema)
def get_round(round_id: uuid.UUID) -> Round:
    """One round."""
    return _answer(rounds.find_round(session(), principal=principal(), round_id=round_id))


@blueprint.patch("/<uuid:round_id>")
@requires(Permission.ROUND_MANAGE)
@changes_version
@blueprint.arguments(RoundChangeSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, RoundSchema)
def change_round(values: dict[str, Any], round_id: uuid.UUID) -> Round:
    """Change a draft, or names and end of an open round."""
    _expect(round_id)
    return _answer(rounds.change(session(), principal=principal(), round_id=round_id, now=clock(), **values))


@blueprint.post("/<uuid:round_id>/open")
@requires(Permission.ROUND_MANAGE)
@changes_version
@refuses(blueprint, 404, 409, 412, 428)
@blueprint.response(200, RoundSchema)
def open_round(round_id: uuid.UUID) -> Round:
    """Open a draft; offers are taken from its hour on."""
    _expect(round_id)
    return _answer(rounds.open_round(session(), principal=principal(), round_id=round_id, now=clock()))


@blueprint.post("/<uuid:round_id>/close")
@requires(Permission.ROUND_MANAGE)
@changes_version
@refuses(blueprint, 404, 409, 412, 428)
@blueprint.response(200, RoundSchema)
def close_round(round_id: uuid.UUID) -> Round:
    """Close an open round: from now on its offers stand as they are."""
    _expect(round_id)
    return _answer(rounds.close_round(session(), principal=principal(), round_id=round_id, now=clock()))


@blueprint.post("/<uuid:round_id>/settle")
@requires(Permission.ROUND_MANAGE)
@changes_version
@refuses(blueprint, 404, 409, 412, 428)
@blueprint.response(200, RoundSchema)
def settle_round(round_id: uuid.UUID) -> Round:
    """End a closed round for good, once no run and no proposal of it is open."""
    _expect(round_id)
    return _answer(rounds.settle_round(session(), principal=principal(), round_id=round_id, now=clock()))


@blueprint.get("/<uuid:round_id>/forward-prices")
@requires(Permission.REFERENCE_READ)
@refuses(blueprint, 404)
@blueprint.response(200, ForwardPriceSchema(many=True))
def list_forward_prices(round_id: uuid.UUID) -> list[dict[str, Any]]:
    """The round's forward curve: what price formulas of its offers are evaluated on, CNY per unit, tax excluded."""
    return _curve(round_id)


@blueprint.put("/<uuid:round_id>/forward-prices")
@requires(Permission.ROUND_MANAGE)
@blueprint.arguments(ForwardPriceSchema(many=True))
@refuses(blueprint, 404, 409, 422)
@blueprint.response(200, ForwardPriceSchema(many=True))
def put_forward_prices(rows: list[dict[str, Any]], round_id: uuid.UUID) -> list[dict[str, Any]]:
    """Enter points of the forward curve, in each index's currency; a null value takes a point back.

    A period without a point has the last value that the index was published with.
    """
    wanted = {(row["index"], row["period"]): row["value"] for row in rows}
    enter_forward_prices(session(), principal=principal(), round_id=round_id, prices=wanted, now=clock())
    return _curve(round_id)


@blueprint.get("/<uuid:round_id>/invitations")
@requires(Permission.ROUND_MANAGE)
@refuses(blueprint, 404)
@blueprint.response(200, InvitationSchema(many=True))
def list_invitations(round_id: uuid.UUID) -> Any:
    """The guests of a docking round. Guests are not told of each other."""
    return rounds.find_round(session(), principal=principal(), round_id=round_id).invitations


@blueprint.put("/<uuid:round_id>/invitations/<uuid:firm_id>")
@requires(Permission.ROUND_MANAGE)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(204)
def invite(round_id: uuid.UUID, firm_id: uuid.UUID) -> None:
    """Let a firm take part in a docking round; the same again changes nothing."""
    rounds.invite(session(), principal=principal(), round_id=round_id, firm_id=firm_id, now=clock())


@blueprint.delete("/<uuid:round_id>/invitations/<uuid:firm_id>")
@requires(Permission.ROUND_MANAGE)
@refuses(blueprint, 404, 409)
@blueprint.response(204)
def uninvite(round_id: uuid.UUID, firm_id: uuid.UUID) -> None:
    """Take an invitation back while the round is a draft."""
    rounds.uninvite(session(), principal=principal(), round_id=round_id, firm_id=firm_id)


@blueprint.put("/<uuid:round_id>/corridors")
@requires(Permission.ROUND_MANAGE)
@blueprint.arguments(CorridorSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(200, CorridorSchema)
def put_corridor(values: dict[str, Any], round_id: uuid.UUID) -> dict[str, Any]:
    """Limit what moves between two regions in a round; the same again changes nothing."""
    corridor, _ = rounds.put_corridor(session(), principal=principal(), round_id=round_id, now=clock(), **values)
    return _shown(corridor)


@blueprint.get("/<uuid:round_id>/corridors")
@requires(Permission.REFERENCE_READ)
@blueprint.arguments(PageArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, page_of(CorridorSchema))
def list_corridors(arguments: dict[str, Any], round_id: uuid.UUID) -> Page[dict[str, Any]]:
    """The limits of a round."""
    rounds.find_round(session(), principal=principal(), round_id=round_id)
    select = rounds.visible_corridors(principal()).where(Corridor.round_id == round_id)
    found = page(session(), select, order=(Corridor.created_at, Corridor.id), **arguments)
    return Page([_shown(corridor) for corridor in found.items], found.next)


@corridors.delete("/<uuid:corridor_id>")
@requires(Permission.ROUND_MANAGE)
@refuses(corridors, 404, 409)
@corridors.response(204)
def remove_corridor(corridor_id: uuid.UUID) -> None:
    """Take a limit away."""
    rounds.remove_corridor(session(), principal=principal(), corridor_id=corridor_id)


def _shown(corridor: Corridor) -> dict[str, Any]:
    names = {field.attribute or name for name, field in CorridorSchema().fields.items()} - {"limit"}
    lot = session().get_one(Product, corridor.product_code).lot
    return {name: getattr(corridor, name) for name in names} | {"limit": corridor.limit_per_period * lot}


def _curve(round_id: uuid.UUID) -> list[dict[str, Any]]:
    market_round = rounds.find_round(session(), principal=principal(), round_id=round_id)
    curves = forward_curves(session(), market_round=market_round, now=clock())
    return [
        {"index": index, "period": period, "value": value}
        for index, curve in sorted(curves.items())
        for period, value in curve.items()
    ]


def _expect(round_id: uuid.UUID) -> None:
    found = rounds.find_round(session(), principal=principal(), round_id=round_id, lock=True)
    expect_version("round", found.id, found.version)


def _answer(found: Round) -> Round:
    show_version("round", found.id, found.version)
    return found


BLUEPRINTS = (blueprint, corridors)
