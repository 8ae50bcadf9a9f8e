"""Offers of one's own firm: post, read, amend, open, withdraw, versions and results; and the look of staff."""

from __future__ import annotations

import uuid
from typing import Any, cast

from flask import request
from sqlalchemy import orm

from app.api.conventions import ApiBlueprint
from app.api.idempotency import idempotent
from app.api.offer_schemas import (
    AmendmentSchema,
    LookArguments,
    NewOfferSchema,
    OfferArguments,
    OfferResultSchema,
    OfferSchema,
    RevisionSchema,
    shown_offer,
    shown_result,
)
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.versions import changes_version, expect_version, show_version
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import Offer, OfferRevision, RunResult
from app.operations import offers
from app.operations.offer_checks import warnings
from app.operations.offer_terms import Statement
from app.permissions import Permission

blueprint = ApiBlueprint("offers", __name__, path="/offers", description="Sealed offers of your own firm")
sealed = ApiBlueprint("sealed_offers", __name__, path="/sealed-offers", description="Looks at sealed offers, logged")
_PARTS = (
    Offer.periods,
    Offer.specifications,
    Offer.certificates,
    Offer.exclusions,
    Offer.approved_suppliers,
    Offer.inputs,
    Offer.origins,
)


@blueprint.get("")
@requires(Permission.OFFER_READ)
@blueprint.arguments(OfferArguments, location="query")
@blueprint.response(200, page_of(OfferSchema))
def list_offers(arguments: dict[str, Any]) -> Page[dict[str, Any]]:
    """The offers of your firm, newest first."""
    select = offers.visible_offers(principal()).options(*(orm.selectinload(part) for part in _PARTS))
    filters = {name: arguments.pop(name) for name in ("round_id", "state", "kind", "product")}
    filters["product_code"] = filters.pop("product")
    select = select.filter_by(**{name: value for name, value in filters.items() if value is not None})
    found = page(session(), select, order=(Offer.created_at, Offer.id), descending=True, **arguments)
    return Page([shown_offer(session(), offer) for offer in found.items], found.next)


@blueprint.post("")
@requires(Permission.OFFER_POST)
@idempotent
@blueprint.arguments(NewOfferSchema)
@refuses(blueprint, 409, 422)
@blueprint.response(201, OfferSchema)
def post_offer(statement: dict[str, Any]) -> dict[str, Any]:
    """Post an offer to a round, or keep it as a draft. All faults of its terms are told at once."""
    round_id, draft = statement.pop("round_id"), statement.pop("draft")
    offer = offers.post(
        session(),
        principal=principal(),
        round_id=round_id,
        statement=cast("Statement", statement),
        draft=draft,
        now=clock(),
    )
    return _answer(offer)


@blueprint.get("/<uuid:offer_id>")
@requires(Permission.OFFER_READ)
@refuses(blueprint, 404)
@blueprint.response(200, OfferSchema)
def get_offer(offer_id: uuid.UUID) -> dict[str, Any]:
    """One offer, with the ETag that a change of it must name."""
    return _answer(offers.find_offer(session(), principal=principal(), offer_id=offer_id))


@blueprint.patch("/<uuid:offer_id>")
@requires(Permission.OFFER_POST)
@changes_version
@blueprint.arguments(AmendmentSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, OfferSchema)
def amend_offer(statement: dict[str, Any], offer_id: uuid.UUID) -> dict[str, Any]:
    """Amend an offer while its round takes offers; of an open one a new revision is kept.

    Not less than what is reserved, and not another kind, round or product.
    """
    _expect(offer_id)
    offer = offers.amend(
        session(), principal=principal(), offer_id=offer_id, statement=cast("Statement", statement), now=clock()
    )
    return _answer(offer)


@blueprint.post("/<uuid:offer_id>/open")
@requires(Permission.OFFER_POST)
@changes_version
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, OfferSchema)
def open_offer(offer_id: uuid.UUID) -> dict[str, Any]:
    """Put a draft up for sale."""
    _expect(offer_id)
    return _answer(offers.open_offer(session(), principal=principal(), offer_id=offer_id, now=clock()))


@blueprint.post("/<uuid:offer_id>/withdraw")
@requires(Permission.OFFER_POST)
@changes_version
@refuses(blueprint, 404, 409, 412, 428)
@blueprint.response(200, OfferSchema)
def withdraw_offer(offer_id: uuid.UUID) -> dict[str, Any]:
    """Take an offer back while its round takes offers. What is reserved of it stays reserved."""
    _expect(offer_id)
    return _answer(offers.withdraw(session(), principal=principal(), offer_id=offer_id, now=clock()))


@blueprint.get("/<uuid:offer_id>/revisions")
@requires(Permission.OFFER_READ)
@blueprint.arguments(PageArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, page_of(RevisionSchema))
def list_revisions(arguments: dict[str, Any], offer_id: uuid.UUID) -> Page[OfferRevision]:
    """The versions of an offer since it was opened, oldest first."""
    offers.find_offer(session(), principal=principal(), offer_id=offer_id)
    select = offers.visible_revisions(principal(), offer_id)
    return page(session(), select, order=(OfferRevision.revision,), **arguments)


@blueprint.get("/<uuid:offer_id>/results")
@requires(Permission.OFFER_READ)
@blueprint.arguments(PageArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, page_of(OfferResultSchema))
def list_results(arguments: dict[str, Any], offer_id: uuid.UUID) -> Page[dict[str, Any]]:
    """What finished runs made of the offer: filled quantities, or the one reason, with its distance."""
    offers.find_offer(session(), principal=principal(), offer_id=offer_id)
    found = page(session(), offers.visible_results(principal(), offer_id), order=(RunResult.run_id,), **arguments)
    return Page([shown_result(result) for result in found.items], found.next)


@sealed.get("/<uuid:offer_id>")
@requires(Permission.SEALED_READ)
@sealed.arguments(LookArguments, location="query")
@refuses(sealed, 404)
@sealed.response(200, OfferSchema)
def look_at_offer(arguments: dict[str, Any], offer_id: uuid.UUID) -> dict[str, Any]:
    """Look at a firm's sealed offer in review. Who looked, when and why is kept."""
    offer = offers.look(
        session(),
        principal=principal(),
        offer_id=offer_id,
        reason=arguments["reason"],
        path=request.path,
        now=clock(),
    )
    return shown_offer(session(), offer)


def _version(offer: Offer) -> tuple[object, ...]:
    """What an ETag stands for: what is reserved changes the answer, too."""
    reserved = sorted((period.period, period.reserved) for period in offer.periods)
    return ("offer", offer.id, offer.version, reserved)


def _expect(offer_id: uuid.UUID) -> None:
    expect_version(*_version(offers.find_offer(session(), principal=principal(), offer_id=offer_id, lock=True)))


def _answer(offer: Offer) -> dict[str, Any]:
    session().refresh(offer)
    show_version(*_version(offer))
    return shown_offer(session(), offer, warnings(session(), offer=offer))
