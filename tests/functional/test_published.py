"""What everybody may know: figures with enough firms behind them only, and each index with its drawing and table."""

from __future__ import annotations

import csv
import datetime as dt
import io
import uuid
from collections.abc import Sequence
from decimal import Decimal

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.operations.published import FEWEST_FIRMS, LARGEST_TWO, Tally
from tests import factories as make


def tally(sold: Sequence[int], bought: Sequence[int], *, traders: int = 0) -> Tally:
    """Parts by seller and by buyer, everybody with everybody; the first `traders` firms are on both sides."""
    sellers = [uuid.uuid4() for _ in sold]
    buyers = [*sellers[:traders], *(uuid.uuid4() for _ in bought[traders:])]
    found = Tally()
    for seller, sells in zip(sellers, sold, strict=True):
        for buyer, buys in zip(buyers, bought, strict=True):
            found.add(seller, buyer, sells * buys, Decimal(70 * sells * buys))
    return found


def test_the_limits_are_those_that_were_promised() -> None:
    assert FEWEST_FIRMS == 5
    assert Decimal("0.85") == LARGEST_TWO


@pytest.mark.parametrize(
    ("sold", "bought", "traders", "published"),
    [
        ([40, 30, 30], [50, 25, 25], 1, True),  # five firms, one of them on both sides
        ([40, 30, 30], [50, 25, 25], 2, False),  # the same with four
        ([45, 40, 15], [45, 40, 15], 0, True),  # the largest two of either side make up 85 %
        ([45, 41, 14], [45, 40, 15], 0, False),  # 86 % of the sellers' side
        ([45, 40, 15], [45, 41, 14], 0, False),  # and of the buyers'
        ([100], [20] * 5, 0, False),  # six firms, of which one sells
    ],
)
def test_a_figure_needs_five_firms_and_two_that_do_not_dominate(
    sold: list[int], bought: list[int], traders: int, published: bool
) -> None:
    assert tally(sold, bought, traders=traders).may_be_published is published


def test_an_index_has_a_drawing_and_a_table(session: Session, client: FlaskClient) -> None:
    index = make.MarketIndexFactory(code="gfex")
    for at, value in enumerate((70_000, 72_500, 71_000)):
        make.IndexPriceFactory(index=index, date=dt.date(2026, 1, 1 + at), value=Decimal(value))
    assert 'href="/prices/indices/gfex"' in client.get("/prices").text
    page = client.get("/prices/indices/gfex", headers={"Accept-Language": "en"}).text
    assert "71,000 CNY/t" in page
    assert page.partition('class="run-line" d="')[2].partition('"')[0].count("L") == 2
    rows = list(csv.reader(io.StringIO(client.get("/prices/indices/gfex.csv").data.decode("utf-8-sig"))))
    assert rows == [
        ["date", "price", "currency", "unit"],
        ["2026-01-01", "70000", "CNY", "t"],
        ["2026-01-02", "72500", "CNY", "t"],
        ["2026-01-03", "71000", "CNY", "t"],
    ]
    assert client.get("/prices/indices/none").status_code == 404


def test_an_index_of_one_day_says_so(session: Session, client: FlaskClient) -> None:
    make.IndexPriceFactory(index=make.MarketIndexFactory(code="new"), date=dt.date(2026, 1, 1), value=Decimal(7))
    page = client.get("/prices/indices/new", headers={"Accept-Language": "en"}).text
    assert "One value is published so far" in page
