"""A small market to post to: a firm with a site, products with grades, an open round; and the body of an offer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.models import Firm, Grade, Product, Round, Site, User, UserRole
from tests import factories as f

NOON = f.NOON


@dataclass(slots=True)
class MarketPlace:
    """What an offer names. `now` is inside the round's hours."""

    round: Round
    product: Product
    grade: Grade
    firm: Firm
    site: Site
    trader: User
    now: dt.datetime = field(default=NOON)

    def offer(self, **changes: Any) -> dict[str, Any]:
        """The body of a capacity offer of 100 units at 70 over the whole horizon."""
        return {
            "round_id": str(self.round.id),
            "kind": "capacity",
            "site_id": str(self.site.id),
            "product": self.product.code,
            "grade": self.grade.code,
            "first_period": "2027-Q1",
            "last_period": "2028-Q4",
            "quantity": "100",
            "price": "70",
        } | changes


def market_place(**changes: Any) -> MarketPlace:
    """Make one; `lot` is the size of the product's lot in tonnes."""
    product = f.ProductFactory(code="lithium_carbonate", name_zh="碳酸锂", lot=changes.pop("lot", Decimal(1)))
    grade = f.GradeFactory(product=product, code="battery", name_zh="电池级")
    f.GradeFactory(product=product, code="technical", name_zh="工业级", rank=0)
    f.AttributeFactory(product=product, code="assay_percent")
    f.CertificateKindFactory(code="ISO9001")
    firm = f.FirmFactory()
    site = f.SiteFactory(firm=firm, code="yichun")
    f.SiteCapabilityFactory(site=site, product=product, capacity_per_year=Decimal(20_000))
    trader = f.UserFactory(firm=firm, role=UserRole.FIRM_TRADER)
    return MarketPlace(
        round=f.RoundFactory(code="N-1", **changes), product=product, grade=grade, firm=firm, site=site, trader=trader
    )


@pytest.fixture
def place(session: Session) -> MarketPlace:
    return market_place()


@pytest.fixture
def trader(place: MarketPlace, client_as: Callable[[User], Any]) -> Any:
    """A browser in which the place's trader has signed in; its answers' `json` may be anything."""
    return client_as(place.trader)
