"""The firm's side of offers: the form, its errors, the preview, amendments, drafts, withdrawal, uploads."""

from __future__ import annotations

import io
from collections.abc import Callable
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.db import db
from app.models import Offer, OfferKind, OfferState, Reason, User
from tests import factories as make

from .market_place import MarketPlace, market_place
from .night_market import body
from .web_market import at_noon, form_of, only_offer

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]


@pytest.fixture
def place(session: Session) -> MarketPlace:
    return market_place()


@pytest.fixture
def browser(client_as: As, place: MarketPlace) -> FlaskClient:
    return client_as(place.trader)


def test_the_form_posts_an_offer(browser: FlaskClient, place: MarketPlace) -> None:
    answer = browser.post("/offers", data=form_of(place, reference="A-1", **{"specification/assay_percent": "99.5"}))
    offer = only_offer()
    assert (answer.status_code, answer.location) == (303, f"/offers/{offer.id}")
    assert (offer.state, offer.kind, offer.price) == (OfferState.OPEN, OfferKind.CAPACITY, Decimal(70))
    assert [period.quantity for period in offer.periods] == [100] * 4
    assert (offer.first_period, offer.last_period, offer.reference) == ("2027-Q1", "2027-Q4", "A-1")
    assert [(limit.attribute_code, limit.value) for limit in offer.specifications] == [
        ("assay_percent", Decimal("99.5"))
    ]
    page = browser.get(answer.location).text
    assert "The offer is posted." in page
    assert "400 t" not in page  # the page tells periods, the list the sum
    assert "400 t" in browser.get("/offers").text


def test_numbers_are_read_as_people_type_them(browser: FlaskClient, place: MarketPlace) -> None:
    wide = {"periods/2027-Q1/quantity": "１,２００", "periods/2027-Q2/quantity": " 50 ", "price": "70,000.5"}
    assert browser.post("/offers", data=form_of(place, **wide)).status_code == 303
    offer = only_offer()
    assert [period.quantity for period in offer.periods] == [1200, 50, 100, 100]
    assert offer.price == Decimal("70000.5")


def test_a_gap_inside_the_window_is_a_quantity_of_nothing(browser: FlaskClient, place: MarketPlace) -> None:
    data = form_of(place, **{"periods/2027-Q2/quantity": "", "periods/2027-Q4/quantity": ""})
    browser.post("/offers", data=data)
    offer = only_offer()
    assert [(period.period, period.quantity) for period in offer.periods] == [
        ("2027-Q1", 100),
        ("2027-Q2", 0),
        ("2027-Q3", 100),
    ]


def test_a_period_may_have_its_own_price(browser: FlaskClient, place: MarketPlace) -> None:
    browser.post("/offers", data=form_of(place, **{"periods/2027-Q3/price": "72"}))
    assert [period.price for period in only_offer().periods] == [None, None, Decimal(72), None]


def test_each_fault_stands_beside_its_field_and_nothing_is_lost(browser: FlaskClient, place: MarketPlace) -> None:
    wrong = {"periods/2027-Q2/quantity": "many", "price": "", "max_term": "0", "exclusions/0": "nobody"}
    answer = browser.post("/offers", data=form_of(place, reference="A-7", **wrong))
    assert answer.status_code == 422
    assert db.session.query(Offer).count() == 0
    for name in ("periods/2027-Q2/quantity", "price", "exclusions/0"):
        assert f'aria-describedby="error-{name}"' in answer.text
        assert f'id="error-{name}"' in answer.text
    assert 'value="many"' in answer.text
    assert 'value="A-7"' in answer.text
    assert "Found many; expected a number such as 1200.5" in answer.text


def test_faults_of_the_market_are_told_beside_the_field_too(browser: FlaskClient, place: MarketPlace) -> None:
    place.product.lot = Decimal(5)
    answer = browser.post("/offers", data=form_of(place, min_term="9", **{"periods/2027-Q2/quantity": "101"}))
    assert answer.status_code == 422
    assert "Found 101; expected a multiple of 5 t" in answer.text
    assert 'id="error-min_term"' in answer.text


def test_faults_are_told_in_chinese(browser: FlaskClient, place: MarketPlace) -> None:
    browser.post("/language", data={"language": "zh"})
    answer = browser.post("/offers", data=form_of(place, **{"periods/2027-Q2/quantity": "many"}))
    assert "填写为“many”；应为数字，例如 1200.5" in answer.text
    assert "2027年第2季度" in answer.text


def test_a_preview_posts_nothing(browser: FlaskClient, place: MarketPlace) -> None:
    answer = browser.post("/offers", data=form_of(place, action="preview"))
    assert answer.status_code == 200
    assert "You sell up to 400 t of" in answer.text
    assert "CNY 28,000" in answer.text
    assert db.session.query(Offer).count() == 0


def test_the_form_is_checked_while_it_is_written(browser: FlaskClient, client_as: As, place: MarketPlace) -> None:
    mistyped = {"price": "cheap", "periods/2027-Q2/quantity": "many", "min_term": "9"}
    wrong = browser.post("/offers/check", data=form_of(place, **mistyped))
    assert wrong.status_code == 200
    assert body(wrong)["errors"] == {
        "min_term": "Found 9; expected at most the 4 periods of the offer",  # the market's own check, at the same time
        "periods/2027-Q2/quantity": "Found many; expected a number such as 1200.5",
        "price": "Found cheap; expected a number such as 1200.5",
    }
    assert body(wrong)["preview"] == ""
    good = browser.post("/offers/check", data=form_of(place, **{"periods/2027-Q2/price": "72"}))
    assert body(good)["errors"] == {}
    assert "You sell up to 400 t of" in body(good)["preview"]
    assert "at 70 to 72 CNY/t or more" in body(good)["preview"]
    assert "CNY 28,200" in body(good)["preview"]
    assert browser.post("/offers/check", data={"kind": "capacity"}).json == {"errors": {}, "preview": ""}
    assert db.session.query(Offer).count() == 0
    browser.post("/offers", data=form_of(place, reference="A-1"))
    again = browser.post(f"/offers/{only_offer().id}/check", data=form_of(place, reference="A-1", price="71"))
    assert body(again)["errors"] == {}  # its own reference is no double
    stranger = client_as(make.UserFactory())
    assert stranger.post(f"/offers/{only_offer().id}/check", data=form_of(place)).status_code == 404


def test_only_the_chosen_way_to_name_the_price_is_read(browser: FlaskClient, place: MarketPlace) -> None:
    typed = {"periods/2027-Q3/price": "72", "formula/index": "none"}
    browser.post("/offers", data=form_of(place, price_by="flat", reference="flat", **typed))
    offer = only_offer()
    assert ([period.price for period in offer.periods], offer.index_code) == ([None] * 4, None)
    form = browser.get(f"/offers/{offer.id}/amend").text
    assert 'name="price_by" value="flat" checked' in form


def test_a_draft_is_kept_amended_and_posted(browser: FlaskClient, place: MarketPlace) -> None:
    browser.post("/offers", data=form_of(place, action="draft"))
    offer = only_offer()
    assert offer.state is OfferState.DRAFT
    assert "Post it" in browser.get(f"/offers/{offer.id}").text
    assert browser.post(f"/offers/{offer.id}/open").status_code == 303
    assert only_offer().state is OfferState.OPEN


def test_an_amendment_shows_the_terms_keeps_a_version_and_notices_another_hand(
    browser: FlaskClient, place: MarketPlace
) -> None:
    browser.post("/offers", data=form_of(place, **{"specification/assay_percent": "99.5"}))
    offer = only_offer()
    form = browser.get(f"/offers/{offer.id}/amend").text
    assert 'value="99.5"' in form
    stale = {"version": str(offer.version), "action": "amend"}
    assert browser.post(f"/offers/{offer.id}/amend", data=form_of(place, price="72", **stale)).status_code == 303
    offer = only_offer()
    assert (offer.price, offer.revision, len(offer.revisions)) == (Decimal(72), 2, 2)
    assert "Versions" in browser.get(f"/offers/{offer.id}").text
    late = browser.post(f"/offers/{offer.id}/amend", data=form_of(place, price="75", **stale))
    assert late.status_code == 409
    assert "Somebody changed this offer" in late.text
    assert only_offer().price == Decimal(72)


def test_the_form_of_an_amendment_says_what_the_offer_says(browser: FlaskClient, place: MarketPlace) -> None:
    """Sent back as it is, it changes nothing."""
    rival = make.FirmFactory()
    fields = {
        "kind": "demand",
        "basis": "delivered",
        "max_share": "40",
        "valid_until": "2026-12-31",
        "all_or_none": "1",
        "min_rate": "10",
        "max_term": "4",
        "certificates": "ISO9001",
        "exclusions/0": f"{rival.credit_code}  {rival.name_en}",
        "periods/2027-Q3/price": "72",
    }
    assert browser.post("/offers", data=form_of(place, **fields)).status_code == 303
    offer = only_offer()
    assert offer.max_share == Decimal("0.4")
    assert [one.firm_id for one in offer.exclusions] == [rival.id]
    sent = _fields_of(browser.get(f"/offers/{offer.id}/amend").text)
    assert browser.post(f"/offers/{offer.id}/amend", data=sent | {"action": "amend"}).status_code == 303
    after = only_offer()
    assert (after.revision, after.version) == (offer.revision, offer.version)


def test_withdrawal_asks_once_more(browser: FlaskClient, place: MarketPlace) -> None:
    browser.post("/offers", data=form_of(place))
    offer = only_offer()
    assert "Withdraw this offer?" in browser.get(f"/offers/{offer.id}/withdraw").text
    assert only_offer().state is OfferState.OPEN
    assert browser.post(f"/offers/{offer.id}/withdraw").status_code == 303
    assert only_offer().state is OfferState.WITHDRAWN
    assert browser.post(f"/offers/{offer.id}/withdraw").status_code == 409


def test_another_firms_offer_does_not_exist(browser: FlaskClient, client_as: As, place: MarketPlace) -> None:
    browser.post("/offers", data=form_of(place, reference="secret reference"))
    offer = only_offer()
    stranger = client_as(make.UserFactory())
    for path in ("", "/amend", "/withdraw"):
        assert stranger.get(f"/offers/{offer.id}{path}").status_code == 404
    for path in ("/amend", "/withdraw", "/open"):
        assert stranger.post(f"/offers/{offer.id}{path}").status_code == 404
    assert "secret reference" not in stranger.get("/offers").text
    assert "You have no offers yet" in stranger.get("/offers").text


def test_the_result_is_told_in_plain_words(browser: FlaskClient, place: MarketPlace) -> None:
    browser.post("/offers", data=form_of(place))
    offer = only_offer()
    run = make.RunFactory(round=place.round)
    make.RunResultFactory(run=run, offer=offer, reason=Reason.OUT_OF_THE_MONEY, distance=Decimal(3200), filled=[0] * 8)
    for page in (browser.get(f"/offers/{offer.id}").text, browser.get("/").text):
        assert "Your ask is 3,200 CNY/t above the price at which you would have been taken." in page
    listed = browser.get("/offers").text
    assert "Price did not meet the market" in listed
    assert "by 3,200 CNY/t" in listed


def test_a_distance_that_is_only_a_least_one_says_so(browser: FlaskClient, place: MarketPlace) -> None:
    browser.post("/offers", data=form_of(place))
    offer, run = only_offer(), make.RunFactory(round=place.round)
    make.RunResultFactory(
        run=run,
        offer=offer,
        reason=Reason.OUT_OF_THE_MONEY,
        distance=Decimal(3200),
        detail={"distance_at_least": True},
        filled=[0] * 8,
    )
    assert "Your ask is at least 3,200 CNY/t above the price" in browser.get(f"/offers/{offer.id}").text


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_words(browser: FlaskClient, place: MarketPlace, reason: Reason) -> None:
    browser.post("/offers", data=form_of(place))
    offer = only_offer()
    make.RunResultFactory(run=make.RunFactory(round=place.round), offer=offer, reason=reason, filled=[50] + [0] * 7)
    page = browser.get(f"/offers/{offer.id}").text
    told = page.partition("What the runs made of it")[2].partition("</section>")[0]
    assert len(told.rpartition("<p>")[2].partition("</p>")[0]) > 20


def test_the_fields_of_a_conversion_come_with_the_known_bill_of_materials(
    browser: FlaskClient, place: MarketPlace
) -> None:
    grade = make.GradeFactory()
    make.BillOfMaterialsFactory(output=grade.product, input=place.product, quantity_per_output=Decimal("0.245"))
    query = {"kind": "conversion", "product": grade.product_code, "round_id": str(place.round.id)}
    part = browser.get("/offers/new/product", query_string=query).text
    assert "<html" not in part
    assert 'value="0.245"' in part
    fields = {
        "kind": "conversion",
        "product": grade.product_code,
        "grade": grade.code,
        "inputs/0/product": place.product.code,
        "inputs/0/grade": place.grade.code,
        "inputs/0/quantity_per_output": "0.245",
    }
    assert browser.post("/offers", data=form_of(place, **fields)).status_code == 303
    assert [line.quantity_per_output for line in only_offer().inputs] == [Decimal("0.245")]


def test_the_list_is_filtered_and_paged(browser: FlaskClient, place: MarketPlace) -> None:
    for number in range(53):
        make.OfferFactory(
            round=place.round, firm=place.firm, site=place.site, grade=place.grade, reference=f"R{number}"
        )
    first = browser.get("/offers").text
    assert first.count("<tr>") == 1 + 50
    address = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert browser.get(address).text.count("<tr>") == 1 + 3
    assert browser.get(address.replace("after=", "after=x")).status_code == 400
    assert "No offer fits the filter" in browser.get("/offers?kind=demand").text


def test_a_round_that_is_over_takes_nothing_and_the_page_says_so(browser: FlaskClient, place: MarketPlace) -> None:
    place.round.closes_at = make.NOON
    assert "No round is open" in browser.get("/offers/new").text
    answer = browser.post("/offers", data=form_of(place))
    assert answer.status_code == 409
    assert "This is not possible now" in answer.text


ROWS = """Reference,Side,Site,Product,Grade,Price,2027-Q1
good,sell,yichun,lithium_carbonate,battery,70,100
bad,sell,yichun,lithium_carbonate,battery,cheap,100
"""


def test_a_file_is_tried_and_its_faults_are_told_row_by_row(browser: FlaskClient, place: MarketPlace) -> None:
    with browser.get(f"/offers/template.xlsx?round_id={place.round.id}") as template:
        assert template.data[:2] == b"PK"
    page = _upload(browser, place, action="try")
    assert "This was a trial: nothing was posted." in page
    assert "found cheap; expected a number such as 1200.5" in page
    assert db.session.query(Offer).count() == 0


def test_a_file_with_faults_is_posted_in_part_only_when_it_is_asked_for(
    browser: FlaskClient, place: MarketPlace
) -> None:
    assert "Nothing was posted, because some rows have faults" in _upload(browser, place, action="post")
    assert db.session.query(Offer).count() == 0
    page = _upload(browser, place, action="post", partial="1")
    assert "1 offer is posted." in page
    assert only_offer().reference == "good"
    assert f"/offers/{only_offer().id}" in page
    for reference in ("good", "bad"):
        assert f"<td>{reference}</td>" in page, "each row by the name that the firm gave it"
    address = page.partition("/corrections.xlsx")[0].rpartition('"')[2]
    with browser.get(f"{address}/corrections.xlsx") as workbook:
        assert workbook.data[:2] == b"PK"


def test_another_firms_upload_does_not_exist(browser: FlaskClient, client_as: As, place: MarketPlace) -> None:
    sent = {"round_id": str(place.round.id), "action": "try", "file": (io.BytesIO(ROWS.encode()), "offers.csv")}
    address = browser.post("/offers/uploads", data=sent).location
    stranger = client_as(make.UserFactory())
    assert stranger.get(address).status_code == 404
    assert stranger.get(f"{address}/corrections.xlsx").status_code == 404
    assert "offers.csv" not in stranger.get("/offers/uploads").text


def _upload(browser: FlaskClient, place: MarketPlace, **fields: str) -> str:
    sent = {"round_id": str(place.round.id), "file": (io.BytesIO(ROWS.encode()), "offers.csv")} | fields
    answer = browser.post("/offers/uploads", data=sent)
    assert answer.status_code == 303, answer.text
    page: str = browser.get(answer.location).text
    return page


def test_a_file_that_is_none_is_refused_with_the_place(browser: FlaskClient, place: MarketPlace) -> None:
    sent = {"round_id": str(place.round.id), "action": "post", "file": (io.BytesIO(b"nothing"), "offers.pdf")}
    answer = browser.post("/offers/uploads", data=sent)
    assert answer.status_code == 422
    assert "offers.pdf: found .pdf; expected an XLSX or CSV file" in answer.text
    assert "Choose a file first." in browser.post("/offers/uploads", data={"action": "post"}).text


def _fields_of(page: str) -> dict[str, str]:
    """What a browser would send of the form on a page."""
    found: dict[str, str] = {}

    class Reader(HTMLParser):
        select: str | None = None

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            name = given.get("name")
            if tag == "select":
                self.select = name
            elif tag == "option" and self.select and ("selected" in given or self.select not in found):
                found[self.select] = given.get("value") or ""
            elif tag == "input" and name and (given.get("type") not in {"checkbox", "radio"} or "checked" in given):
                found[name] = given.get("value") or ""

    Reader().feed(page.partition("data-offer-form")[2].partition("</form>")[0])
    return found
