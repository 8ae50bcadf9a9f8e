"""Prices by hub: those of a run as they may be published, published by staff, read by everybody with access."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import DecimalText, Text, Timestamp
from app.api.idempotency import idempotent
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import PricePublication, PublishedPrice
from app.operations import hub_prices
from app.permissions import Permission

blueprint = ApiBlueprint("hub_prices", __name__, path="", description="Reference prices by hub, published by staff")


class PublicationSchema(ma.Schema):
    """A run whose prices are the round's reference prices."""

    id = ma.fields.UUID(required=True)
    round_id = ma.fields.UUID(required=True)
    run_id = ma.fields.UUID(required=True)
    published_at = Timestamp(required=True)
    withdrawn_at = Timestamp(required=True, allow_none=True)


class PublishedPriceSchema(ma.Schema):
    """CNY per unit ex works in a period; a region of null is the mean over all regions."""

    publication_id = ma.fields.UUID(required=True)
    round_id = ma.fields.UUID(required=True)
    product = ma.fields.String(required=True, attribute="product_code")
    grade = ma.fields.String(required=True, attribute="grade_code")
    region = ma.fields.String(required=True, allow_none=True, attribute="region_code")
    period = ma.fields.String(required=True)
    price = DecimalText(required=True)
    firms = ma.fields.Integer(required=True, metadata={"description": "Firms behind it, five or more"})


class PriceArguments(PageArguments):
    round_id = ma.fields.UUID(load_default=None)
    product = Text(load_default=None, most=100)


@blueprint.post("/runs/<uuid:run_id>/price-publications")
@requires(Permission.ROUND_MANAGE)
@idempotent
@refuses(blueprint, 404, 409, 422)
@blueprint.response(201, PublicationSchema)
def publish(run_id: uuid.UUID) -> PricePublication:
    """Publish what may be published of a run's prices; what the round has published before is withdrawn."""
    return hub_prices.publish(session(), principal=principal(), run_id=run_id, now=clock())


@blueprint.post("/price-publications/<uuid:publication_id>/withdraw")
@requires(Permission.ROUND_MANAGE)
@refuses(blueprint, 404)
@blueprint.response(200, PublicationSchema)
def withdraw(publication_id: uuid.UUID) -> PricePublication:
    """Take a publication back."""
    return hub_prices.withdraw(session(), principal=principal(), publication_id=publication_id, now=clock())


@blueprint.get("/price-publications")
@requires(Permission.REFERENCE_READ)
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, page_of(PublicationSchema))
def list_publications(arguments: dict[str, Any]) -> Page[PricePublication]:
    """What is published now, the newest first."""
    order = (PricePublication.published_at, PricePublication.id)
    return page(session(), hub_prices.visible_publications(principal()), order=order, descending=True, **arguments)


@blueprint.get("/published-prices")
@requires(Permission.REFERENCE_READ)
@blueprint.arguments(PriceArguments, location="query")
@blueprint.response(200, page_of(PublishedPriceSchema))
def list_prices(arguments: dict[str, Any]) -> Page[PublishedPrice]:
    """The prices that are published now."""
    wanted = {"round_id": arguments.pop("round_id"), "product_code": arguments.pop("product")}
    select = hub_prices.visible_prices(principal()).filter_by(
        **{name: value for name, value in wanted.items() if value is not None}
    )
    return page(session(), select, order=(PublishedPrice.id,), **arguments)
