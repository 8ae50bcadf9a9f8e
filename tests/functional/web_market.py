"""What the tests of the pages share: the clock at noon, a form as a browser sends it, a proposal to review."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import db
from app.models import Event, Offer, Proposal, SubjectKind
from app.transaction import Application
from tests import factories as make

from .market_place import MarketPlace


@pytest.fixture(autouse=True)
def at_noon(app: Application) -> Iterator[None]:
    """The application's clock stands in the rounds of the factories."""
    usual, app.extensions["clock"] = app.extensions["clock"], lambda: make.NOON
    yield
    app.extensions["clock"] = usual


def form_of(place: MarketPlace, **changes: Any) -> dict[str, str]:
    """A capacity of 100 t in the four quarters of 2027 at 70, as the form sends it."""
    fields = {
        "action": "post",
        "kind": "capacity",
        "round_id": str(place.round.id),
        "product": place.product.code,
        "grade": place.grade.code,
        "site_id": str(place.site.id),
        "price_by": "period",
        "price": "70",
        "currency": "CNY",
        "basis": "ex_works",
        "min_term": "1",
    }
    fields |= {f"periods/2027-Q{quarter}/quantity": "100" for quarter in range(1, 5)}
    return fields | changes


def proposal_for_review(*, dear: bool = False, **more: Any) -> Proposal:
    """A proposal that waits for review; a dear one takes two persons."""
    sell = make.OfferFactory(quantity=100)
    threshold = Decimal(100) if dear else Decimal(10**9)
    sell.round.review_threshold = threshold
    run = make.RunFactory(round=sell.round)
    fields = {"run": run, "sell_offer": sell, "terms": None, "total_value": Decimal(6_560)} | more
    proposal: Proposal = make.ProposalFactory(**fields)
    return proposal


def only_offer() -> Offer:
    """The one offer there is, as it is now."""
    return db.session.scalars(sa.select(Offer)).one()


def moves_of(kind: SubjectKind) -> list[str]:
    """The names of the steps of one kind of record, in order."""
    return list(db.session.scalars(sa.select(Event.name).where(Event.subject_kind == kind).order_by(Event.id)))
