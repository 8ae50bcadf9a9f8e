"""A round that discounts later periods: its prices, and what both sides gain, are in money of the first."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.transaction import Application
from tests import factories as make
from tests.functional.night_market import Town, clear, proposals_of, standing_application


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def test_a_discounted_round_is_cleared_and_both_sides_gain(own_app: Application) -> None:
    """At half a year's money a year, two quarters are worth 1 and 0.816; the ask rises from 50 to 80."""
    town = Town(
        round=make.RoundFactory(period_count=2, discount_rate=Decimal("0.5"), review_threshold=Decimal(10) ** 9)
    )
    seller, buyer = town.sells(quantity=20, price=50, min_term=2), town.buys(quantity=10, min_term=2)
    seller.periods[1].price = Decimal(80)
    db.session.commit()
    run = clear(town.round)
    (proposal,) = proposals_of(run)
    assert (proposal.sell_offer_id, proposal.buy_offer_id, proposal.rate) == (seller.id, buyer.id, 10)
    later = (1 / Decimal("1.5")) ** (Decimal(1) / 4)
    ask = (50 + later * 80) / (1 + later)
    assert abs(proposal.price_ex_works - ask) < Decimal("0.0001"), "the seller has some to spare and sets the price"
    assert ask < 65
    assert abs(proposal.surplus_seller) <= Decimal("0.01")
    assert abs(proposal.surplus_buyer - 10 * (1 + later) * (90 - 4 - ask)) <= Decimal("0.02")
