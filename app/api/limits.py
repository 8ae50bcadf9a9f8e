"""Limits that staff set for a round beside its corridors, and what they cost the market in a run."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import DecimalText, Text, Timestamp
from app.api.idempotency import idempotent
from app.api.offer_schemas import Period
from app.api.paging import Page, PageArguments, page, page_of
from app.api.reference_schemas import Code
from app.api.refusals import refuses
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import Ceiling, OriginRule, Product, ShadowPriceKind, SupplierApproval
from app.operations import policy_limits, rounds, runs
from app.operations.limit_prices import LimitPrice, limit_prices
from app.permissions import Permission

blueprint = ApiBlueprint("limits", __name__, path="", description="Limits of rounds, and what they cost")


class LimitArguments(PageArguments):
    """Which limits: those that hold, unless the ended ones are asked for too."""

    ended = ma.fields.Boolean(load_default=False)


class LimitSchema(ma.Schema):
    """A limit of a round; it holds from its making until its end."""

    id = ma.fields.UUID(dump_only=True)
    round_id = ma.fields.UUID(dump_only=True)
    product = Code(required=True, attribute="product_code")
    note = Text(load_default=None, allow_none=True, most=500)
    created_at = Timestamp(dump_only=True)
    ended_at = Timestamp(dump_only=True, allow_none=True)


class CeilingSchema(LimitSchema):
    """The largest share of all demand posted that one supplier with its affiliates may have; null: each supplier."""

    firm_id = ma.fields.UUID(load_default=None, allow_none=True)
    share = DecimalText(required=True, maximum=1)


class OriginRuleSchema(LimitSchema):
    """Units per period that may come from a country to a region; a period of null: in each. 0: none."""

    origin = Text(
        required=True,
        attribute="origin_country",
        validate=ma.validate.Regexp("^[A-Z]{2}$", error="expected a code such as CL"),
    )
    to_region = Code(required=True, attribute="to_region_code")
    period = Period(load_default=None, allow_none=True)
    limit = DecimalText(required=True)


class SupplierApprovalSchema(LimitSchema):
    """A supplier on a firm's list for a product; while the list has any, no other supplies the firm with it."""

    buyer_firm_id = ma.fields.UUID(required=True)
    supplier_firm_id = ma.fields.UUID(required=True)


class PeriodCostSchema(ma.Schema):
    """CNY per unit that one more unit would bring in a period, and units that moved under the limit."""

    period = ma.fields.String(required=True)
    shadow_price = DecimalText(required=True)
    moved = DecimalText(required=True)


class LimitPriceSchema(ma.Schema):
    """A limit that binds in a run; `cost` is CNY over the horizon, its shadow prices times what moved under it."""

    kind = ma.fields.Enum(ShadowPriceKind, by_value=True, required=True)
    product = ma.fields.String(required=True)
    origin = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "Region of a corridor, country of a rule of origin"}
    )
    to_region = ma.fields.String(required=True, allow_none=True)
    firm_id = ma.fields.UUID(required=True, allow_none=True)
    cost = DecimalText(required=True)
    periods = ma.fields.List(ma.fields.Nested(PeriodCostSchema), required=True)


@blueprint.get("/rounds/<uuid:round_id>/ceilings")
@requires(Permission.REFERENCE_READ)
@blueprint.arguments(LimitArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, page_of(CeilingSchema))
def list_ceilings(arguments: dict[str, Any], round_id: uuid.UUID) -> Page[Ceiling]:
    """The ceilings of a round; of those on one firm, your own."""
    return _listed(Ceiling, round_id, arguments)


@blueprint.post("/rounds/<uuid:round_id>/ceilings")
@requires(Permission.ROUND_MANAGE)
@idempotent
@blueprint.arguments(CeilingSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(201, CeilingSchema)
def set_ceiling(values: dict[str, Any], round_id: uuid.UUID) -> Ceiling:
    """Set a ceiling; one on the same product and firm ends."""
    return policy_limits.set_ceiling(session(), principal=principal(), round_id=round_id, now=clock(), **values)


@blueprint.post("/ceilings/<uuid:limit_id>/end")
@requires(Permission.ROUND_MANAGE)
@refuses(blueprint, 404, 409)
@blueprint.response(200, CeilingSchema)
def end_ceiling(limit_id: uuid.UUID) -> Ceiling:
    """End a ceiling."""
    return policy_limits.end_limit(session(), principal=principal(), kind=Ceiling, limit_id=limit_id, now=clock())


@blueprint.get("/rounds/<uuid:round_id>/origin-rules")
@requires(Permission.REFERENCE_READ)
@blueprint.arguments(LimitArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, page_of(OriginRuleSchema))
def list_origin_rules(arguments: dict[str, Any], round_id: uuid.UUID) -> Page[dict[str, Any]]:
    """The rules of origin of a round."""
    found = _listed(OriginRule, round_id, arguments)
    return Page([_rule(one) for one in found.items], found.next)


@blueprint.post("/rounds/<uuid:round_id>/origin-rules")
@requires(Permission.ROUND_MANAGE)
@idempotent
@blueprint.arguments(OriginRuleSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(201, OriginRuleSchema)
def set_origin_rule(values: dict[str, Any], round_id: uuid.UUID) -> dict[str, Any]:
    """Set a rule of origin; one on the same product, way and period ends."""
    found = policy_limits.set_origin_rule(session(), principal=principal(), round_id=round_id, now=clock(), **values)
    return _rule(found)


@blueprint.post("/origin-rules/<uuid:limit_id>/end")
@requires(Permission.ROUND_MANAGE)
@refuses(blueprint, 404, 409)
@blueprint.response(200, OriginRuleSchema)
def end_origin_rule(limit_id: uuid.UUID) -> dict[str, Any]:
    """End a rule of origin."""
    ended = policy_limits.end_limit(session(), principal=principal(), kind=OriginRule, limit_id=limit_id, now=clock())
    return _rule(ended)


@blueprint.get("/rounds/<uuid:round_id>/supplier-approvals")
@requires(Permission.REFERENCE_READ)
@blueprint.arguments(LimitArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, page_of(SupplierApprovalSchema))
def list_approvals(arguments: dict[str, Any], round_id: uuid.UUID) -> Page[SupplierApproval]:
    """The suppliers' lists of a round; of a firm, its own."""
    return _listed(SupplierApproval, round_id, arguments)


@blueprint.post("/rounds/<uuid:round_id>/supplier-approvals")
@requires(Permission.ROUND_MANAGE)
@idempotent
@blueprint.arguments(SupplierApprovalSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(201, SupplierApprovalSchema)
def approve_supplier(values: dict[str, Any], round_id: uuid.UUID) -> SupplierApproval:
    """Put a supplier on a firm's list."""
    return policy_limits.approve_supplier(session(), principal=principal(), round_id=round_id, now=clock(), **values)


@blueprint.post("/supplier-approvals/<uuid:limit_id>/end")
@requires(Permission.ROUND_MANAGE)
@refuses(blueprint, 404, 409)
@blueprint.response(200, SupplierApprovalSchema)
def end_approval(limit_id: uuid.UUID) -> SupplierApproval:
    """Take a supplier off a firm's list."""
    return policy_limits.end_limit(
        session(), principal=principal(), kind=SupplierApproval, limit_id=limit_id, now=clock()
    )


@blueprint.get("/runs/<uuid:run_id>/limit-prices")
@requires(Permission.ROUND_MANAGE)
@refuses(blueprint, 404)
@blueprint.response(200, LimitPriceSchema(many=True))
def list_limit_prices(run_id: uuid.UUID) -> list[dict[str, Any]]:
    """The limits that bind in a run, the dearest first."""
    run = runs.get_run(session(), principal=principal(), run_id=run_id)
    return [_cost(one) for one in limit_prices(session(), run=run)]


def _listed(kind: Any, round_id: uuid.UUID, arguments: dict[str, Any]) -> Page[Any]:
    rounds.find_round(session(), principal=principal(), round_id=round_id)
    select = policy_limits.visible_limits(principal(), kind).where(kind.round_id == round_id)
    if not arguments.pop("ended"):
        select = select.where(kind.ended_at.is_(None))
    return page(session(), select, order=(kind.created_at, kind.id), **arguments)


def _rule(rule: OriginRule) -> dict[str, Any]:
    names = {field.attribute or name for name, field in OriginRuleSchema().fields.items()} - {"limit"}
    lot = session().get_one(Product, rule.product_code).lot
    return {name: getattr(rule, name) for name in names} | {"limit": rule.limit_per_period * lot}


def _cost(one: LimitPrice) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "product": one.product.code,
        "origin": one.begin,
        "to_region": one.end,
        "firm_id": None if one.firm is None else one.firm.id,
        "cost": one.cost,
        "periods": [
            {"period": period, "shadow_price": price, "moved": one.moved[period]}
            for period, price in sorted(one.prices.items())
        ],
    }
