"""Offers whose price follows an index: by API, form and file; measured on the round's forward curve by each run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from app.models import ForwardPrice, MarketIndex, Offer, User
from app.operations.offer_prices import prices_by_period
from app.operations.offer_terms import IndexFormula
from app.operations.snapshots import freeze
from tests import factories as make

from .market_place import NOON, MarketPlace, market_place
from .offer_files import HEADER, row, send, workbook
from .web_market import at_noon

__all__ = ["at_noon"]

URL = "/api/v1/offers"
Browser = Any  # a FlaskClient; its answers' `json` may be anything
As = Callable[[User], Browser]


@pytest.fixture
def place(session: Session) -> MarketPlace:
    return market_place()


@pytest.fixture
def index(place: MarketPlace) -> MarketIndex:
    """Published at 60 000 yesterday; entered at 80 000 for the first quarter of 2027."""
    found: MarketIndex = make.MarketIndexFactory(product=place.product, code="LC")
    make.IndexPriceFactory(index=found, date=NOON.date() - dt.timedelta(days=1), value=Decimal(60_000))
    return found


@pytest.fixture
def point(place: MarketPlace, index: MarketIndex, session: Session) -> ForwardPrice:
    found = ForwardPrice(round_id=place.round.id, index_code=index.code, period="2027-Q1", value=Decimal(80_000))
    session.add(found)
    session.flush()
    return found


@pytest.fixture
def trader(place: MarketPlace, client_as: As) -> Browser:
    return client_as(place.trader)


FORMULA = {"index": "LC", "factor": "0.5", "premium": "-1000", "floor": "29500", "ceiling": "38000.5"}


def body(place: MarketPlace, **changes: Any) -> dict[str, Any]:
    said = place.offer(formula=FORMULA, **changes)
    del said["price"]
    return said


def frozen(session: Session, place: MarketPlace, offer_id: str) -> list[Decimal]:
    session.expire_all()
    market = freeze(session, round_id=place.round.id, now=NOON)
    return [price for offer in market.snapshot.offers if offer.offer == offer_id for price in offer.price]


def test_a_run_measures_a_formula_on_the_forward_curve(
    place: MarketPlace, point: ForwardPrice, trader: Browser, session: Session
) -> None:
    posted = trader.post(URL, json=body(place, first_period="2027-Q1", last_period="2027-Q2")).json
    # 0.5 x 80 000 - 1 000 = 39 000, held at the ceiling; 0.5 x 60 000 - 1 000 = 29 000, held at the floor.
    assert posted["formula"] == FORMULA
    assert posted["price"] == "33750.25"  # the mean of the two
    first, second = frozen(session, place, posted["id"])[:2]
    assert (first, second) == (Decimal("38000.5"), Decimal(29_500))
    point.value = Decimal(70_000)
    session.flush()
    assert frozen(session, place, posted["id"])[0] == Decimal(34_000)
    offer = session.scalars(sa.select(Offer)).one()
    assert prices_by_period(session, offer=offer, now=NOON) == {"2027-Q1": 34_000, "2027-Q2": 29_500}
    assert offer.price == Decimal("33750.25")  # as it was written


def test_without_a_curve_an_offer_is_not_measured(
    place: MarketPlace, index: MarketIndex, trader: Browser, session: Session
) -> None:
    posted = trader.post(URL, json=body(place)).json
    later = NOON + dt.timedelta(days=800)
    market = freeze(session, round_id=place.round.id, now=later)
    assert [str(key) for key in market.invalid] == [posted["id"]]
    assert set(market.invalid.values()) == {"formula/index"}


@pytest.mark.parametrize(
    ("formula", "place_of_fault"),
    [
        ({"index": "NONE"}, "#/formula/index"),
        ({"index": "LC", "factor": "0"}, "#/formula/factor"),
        ({"index": "LC", "floor": "9", "ceiling": "8"}, "#/formula/ceiling"),
    ],
)
def test_a_formula_that_cannot_be_is_refused(
    place: MarketPlace, index: MarketIndex, trader: Browser, formula: dict[str, str], place_of_fault: str
) -> None:
    answer = trader.post(URL, json=body(place) | {"formula": formula})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [place_of_fault]


def test_a_price_is_stated_or_follows_an_index_not_both(
    place: MarketPlace, index: MarketIndex, trader: Browser
) -> None:
    assert trader.post(URL, json=body(place) | {"price": "70"}).status_code == 422
    assert trader.post(URL, json=body(place) | {"formula": None}).status_code == 422
    own = trader.post(URL, json=body(place) | {"periods": [{"period": "2027-Q1", "price": "70"}]})
    assert [error["pointer"] for error in own.json["errors"]] == ["#/periods/2027-Q1/price"]
    place.round.currency_rates = {"USD": "7.1"}
    dollars = trader.post(URL, json=body(place) | {"currency": "USD"})
    assert [error["pointer"] for error in dollars.json["errors"]] == ["#/currency"]


def test_an_amendment_goes_from_a_price_to_a_formula_and_back(
    place: MarketPlace, index: MarketIndex, trader: Browser, session: Session
) -> None:
    offer = trader.post(URL, json=place.offer(periods=[{"period": "2027-Q2", "price": "75"}])).json

    def amend(**terms: Any) -> Any:
        tag = trader.get(f"{URL}/{offer['id']}").headers["ETag"]
        return trader.patch(f"{URL}/{offer['id']}", json=terms, headers={"If-Match": tag}).json

    followed = amend(formula={"index": "LC"})
    assert (followed["price"], followed["formula"]["factor"], followed["revision"]) == ("60000", "1", 2)
    assert {line["price"] for line in followed["periods"]} == {None}
    assert amend(formula={"index": "LC"})["revision"] == 2  # the same again is no change
    assert amend(quantity="90")["formula"]["index"] == "LC"
    stated = amend(price="71")
    assert (stated["price"], stated["formula"], stated["revision"]) == ("71", None, 4)
    kept = trader.get(f"{URL}/{offer['id']}/revisions").json
    assert [one["terms"]["formula"] for one in kept["items"] if one["terms"]["formula"]]


def test_the_form_offers_the_curve_and_keeps_the_formula(
    place: MarketPlace, index: MarketIndex, client_as: As, session: Session
) -> None:
    browser: FlaskClient = client_as(place.trader)
    asked = f"kind=capacity&round_id={place.round.id}&product={place.product.code}"
    assert "(LC) · 60,000" in browser.get(f"/offers/new/product?{asked}").text
    form = {
        "kind": "capacity",
        "round_id": str(place.round.id),
        "product": place.product.code,
        "grade": "battery",
        "site_id": str(place.site.id),
        "periods/2027-Q1/quantity": "10",
        "price_by": "formula",
        "formula/index": "LC",
        "formula/premium": "-500",
        "action": "post",
    }
    unnamed = browser.post("/offers", data=form | {"formula/index": ""})
    assert (unnamed.status_code, 'id="error-formula/index"' in unnamed.text) == (422, True)
    wrong = browser.post("/offers", data=form | {"formula/factor": "half"})
    assert 'id="error-formula/factor"' in wrong.text
    answer = browser.post("/offers", data=form | {"price": "70"})  # typed for another way to name the price
    assert answer.status_code == 303, answer.text
    offer = session.scalars(sa.select(Offer)).one()
    assert (offer.index_code, offer.index_factor, offer.index_premium, offer.price) == (
        "LC",
        Decimal(1),
        Decimal(-500),
        Decimal(59_500),
    )
    assert "1 × LC" in browser.get(answer.location).text
    edit = browser.get(f"/offers/{offer.id}/amend").text
    assert 'value="-500"' in edit


def test_a_file_says_it_in_columns(place: MarketPlace, index: MarketIndex, trader: Browser, session: Session) -> None:
    good = row(Reference="F-1", Index="LC", Factor=0.9, Premium=-100, Price="")
    sent = send(trader, place, workbook(good))
    assert (sent.json["posted_count"], sent.json["rejected_count"]) == (1, 0)
    offer = session.scalars(sa.select(Offer)).one()
    assert (offer.index_factor, offer.price) == (Decimal("0.9"), Decimal(53_900))
    bad = [
        row(Reference="F-2", Index="LC"),  # with a price
        row(Reference="F-3", Factor=2),  # without an index
        row(Reference="F-4", Index="XX", Price=""),
        row(Reference="F-5", Price=""),
    ]
    answer = send(trader, place, workbook(*bad))
    faults = trader.get(f"/api/v1/offer-imports/{answer.json['id']}/rows").json["items"]
    assert [(one["row"], one["column"], one["code"]) for one in faults] == [
        (2, "Price 价格", "price_or_formula"),
        (3, "Index 指数", "required"),
        (4, "Index 指数", "known_index"),
        (5, "Price 价格", "required"),
    ]
    without = [title for title in HEADER if title not in {"Index 指数", "Factor 系数"}]
    plain = {name: value for name, value in row(Reference="F-6").items() if name in without}
    assert send(trader, place, workbook(plain, header=without)).json["posted_count"] == 1


@given(
    st.decimals(0, 10**6, places=2),
    st.decimals("0.001", 10, places=3),
    st.decimals(-(10**5), 10**5, places=2),
    st.tuples(st.decimals(0, 10**6, places=2), st.decimals(0, 10**6, places=2)).map(sorted),
)
def test_a_formula_stays_in_its_collar_and_never_falls_when_the_index_rises(
    value: Decimal, factor: Decimal, premium: Decimal, collar: list[Decimal]
) -> None:
    rule = IndexFormula(index="LC", factor=factor, premium=premium, floor=collar[0], ceiling=collar[1])
    price = rule.price_at(value)
    assert collar[0] <= price <= collar[1]
    assert rule.price_at(value + 1) >= price
    free = IndexFormula(index="LC", factor=factor, premium=premium)
    assert free.price_at(value) == max(Decimal(0), factor * value + premium)
