"""The index that a price is compared with: the newest value, none that is too old or in a currency without a rate."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from app.operations.index_prices import distance_in_percent, latest_index_prices
from tests.factories import IndexPriceFactory, MarketIndexFactory

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("days_ago", "expected"), [((400, 30), Decimal(30)), ((729,), Decimal(729)), ((732,), None), ((-1,), None)]
)
def test_the_newest_value_of_the_last_two_years(
    session: Session, days_ago: tuple[int, ...], expected: Decimal | None
) -> None:
    index = MarketIndexFactory()
    for days in days_ago:
        IndexPriceFactory(index=index, date=NOW.date() - dt.timedelta(days=days), value=Decimal(abs(days)))
    session.flush()
    found = latest_index_prices(session, products=[index.product_code], rates={}, now=NOW)
    assert found.get(index.product_code) == expected


def test_another_currency_needs_a_rate(session: Session) -> None:
    index = MarketIndexFactory(currency="USD")
    IndexPriceFactory(index=index, date=NOW.date(), value=Decimal(10))
    session.flush()
    products = [index.product_code]
    assert latest_index_prices(session, products=products, rates={}, now=NOW) == {}
    assert latest_index_prices(session, products=products, rates={"USD": "7.1"}, now=NOW) == {products[0]: Decimal(71)}


def test_without_an_index_there_is_no_distance() -> None:
    assert distance_in_percent(Decimal(96), Decimal(100)) == Decimal("-4.00")
    assert distance_in_percent(Decimal(96), None) is None
