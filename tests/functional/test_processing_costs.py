"""What a unit costs a processor: its fee and its inputs, as the reviewer of its sale sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.operations.processing_costs import input_costs
from app.transaction import Application
from tests import factories as make
from tests.functional.night_market import browser, chain, clear, proposals_of, standing_application


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def test_the_gain_of_a_processor_is_told_by_its_parts(own_app: Application) -> None:
    _town, carbonate, converter, buyer = chain()
    found = proposals_of(clear(carbonate.round))
    sale = next(one for one in found if one.buy_offer_id == buyer.id)
    supply = next(one for one in found if one.sell_offer_id == carbonate.id)
    (need,) = input_costs(db.session(), proposal=sale, offer=converter)
    assert (need.product.code, need.quantity) == (carbonate.product_code, Decimal("0.25"))
    assert need.price == supply.price_delivered.quantize(Decimal("0.01"))
    units = sale.total_value / sale.price_delivered
    gain = sale.price_ex_works - 8_000 - need.cost
    assert abs(gain * units - sale.surplus_seller) <= units * Decimal("0.01"), "the parts add up to the gain of the run"
    assert input_costs(db.session(), proposal=supply, offer=converter) == (), "here it buys"
    client = browser(own_app, make.StaffFactory())
    client.post("/language", data={"language": "en"})
    page = re.sub(r"<[^>]+>", " ", client.get(f"/console/review/{sale.id}").text)
    assert "What a unit costs the processor" in page
    assert "0.25 t/t" in page
    other = client.get(f"/console/review/{supply.id}").text
    assert "What a unit costs the processor" not in other


def test_an_input_from_own_stock_costs_nothing(session: Session) -> None:
    converter = make.ConversionFactory()
    sale = make.ProposalFactory(sell_offer=converter, run=make.RunFactory(round=converter.round))
    (need,) = input_costs(session, proposal=sale, offer=converter)
    assert need.price is None, "the run buys none of it"
    assert need.cost == 0
