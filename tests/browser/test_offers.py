"""Offers in a browser: a form that is checked while it is written, and a workbook that comes back to be mended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
import xlsxwriter
from playwright.sync_api import Page, expect
from python_calamine import CalamineWorkbook

from app.db import db
from app.models import Offer
from app.operations.offer_file import SHEET
from tests import factories as make
from tests.functional.market_place import NOON, MarketPlace, market_place
from tests.functional.offer_files import row, workbook

from .conftest import NARROW, Desk, Sitting, settle

PASTE = """(cell, text) => {
  const data = new DataTransfer();
  data.setData("text", text);
  cell.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""


@pytest.fixture
def place(served: str) -> MarketPlace:
    return market_place()


def form_of(desk: Desk, place: MarketPlace) -> Page:
    """The form of a capacity, open at its fields."""
    page = desk.open("/offers/new")
    page.check("input[name=kind][value=capacity]")
    page.select_option("#f-product", place.product.code)
    expect(page.locator("tr:has-text('Quantity') input")).to_have_count(8)
    return page


def offers() -> list[Offer]:
    settle()
    return list(db.session.scalars(sa.select(Offer).order_by(Offer.reference)))


def test_a_trader_posts_an_offer_from_spreadsheet_rows(sit_down: Sitting, place: MarketPlace) -> None:
    desk = sit_down(place.trader)
    page = form_of(desk, place)
    amounts, prices = page.locator("tr:has-text('Quantity') input"), page.locator(".by-period input")
    expect(prices.first).to_be_hidden()
    amounts.first.evaluate(PASTE, "100\t120\r\n70\t71\r\n")
    expect(amounts.nth(1)).to_have_value("120")
    expect(prices.nth(1)).to_have_value("71")
    expect(prices.nth(1)).to_be_visible()  # prices came along, so the offer has one per period
    page.click("tr:has-text('Quantity') [data-fill-right]")
    expect(amounts.nth(7)).to_have_value("120")
    page.fill("[name=price]", "70")
    box = page.locator("[data-preview]")
    expect(box).to_contain_text("You sell up to 940 t of")
    expect(box).to_contain_text("at 70 to 71 CNY/t or more")
    desk.picture("offer-form")
    page.click("button[value=post]")
    expect(page.locator(".flash")).to_have_text("The offer is posted.")
    desk.picture("offer")
    (offer,) = offers()
    assert [period.quantity for period in offer.periods] == [100] + [120] * 7
    assert [period.price for period in offer.periods][:3] == [Decimal(70), Decimal(71), None]


def test_a_pasted_row_stops_at_the_end_of_the_grid(sit_down: Sitting, place: MarketPlace) -> None:
    page = form_of(sit_down(place.trader), place)
    amounts = page.locator("tr:has-text('Quantity') input")
    amounts.nth(6).evaluate(PASTE, " 1,000 \t20\t30\n")
    expect(amounts.nth(6)).to_have_value("1,000")
    expect(amounts.nth(7)).to_have_value("20")
    expect(amounts.first).to_have_value("")
    page.fill("[name=price]", "70")
    expect(page.locator("[data-preview]")).to_contain_text("You sell up to 1,020 t of")


def test_each_field_is_checked_as_it_is_left_and_keeps_what_was_typed(sit_down: Sitting, place: MarketPlace) -> None:
    desk = sit_down(place.trader)
    page = form_of(desk, place)
    expect(page.locator("[data-preview]")).to_contain_text("Still needed: Quantity · Least price (ask)")
    expect(page.locator(".error")).to_have_count(0)  # nothing was touched, so nothing is called wrong
    second = page.get_by_label("Quantity 2027 Q2")
    second.fill("many")
    second.press("Tab")
    expect(page.locator("[id='error-periods/2027-Q2/quantity']")).to_contain_text("2027 Q2: Found many; expected")
    expect(second).to_have_attribute("aria-invalid", "true")
    page.fill("[name=price]", "cheap")
    expect(page.locator("#error-price")).to_have_text("Found cheap; expected a number such as 1200.5")
    page.get_by_label("assay").fill("150 or so")
    expect(page.locator("[id='error-specification/assay_percent']")).to_contain_text("Found 150 or so")
    expect(second).to_have_value("many")
    desk.picture("offer-form-faults")
    second.fill("50")
    expect(page.locator("[id='error-periods/2027-Q2/quantity']")).to_have_count(0)
    expect(second).not_to_have_attribute("aria-invalid", "true")
    page.get_by_label("assay").fill("99.5")
    page.fill("[name=price]", "70")
    expect(page.locator("[data-preview]")).to_contain_text("You sell up to 50 t of")
    page.check("input[name=kind][value=demand]")
    expect(page.locator("[data-preview]")).to_contain_text("You buy up to 50 t of")
    expect(page.get_by_label("assay")).to_have_value("99.5")  # another kind of the same product


def test_what_the_server_refuses_stands_beside_its_field(sit_down: Sitting, place: MarketPlace) -> None:
    desk = sit_down(place.trader)
    page = form_of(desk, place)
    page.get_by_label("Quantity 2027 Q2").fill("50")
    page.click("button[value=post]")
    expect(page.locator("#error-price")).to_be_visible()
    desk.complaints.clear()  # the browser notes the refused form, which is meant
    expect(page.get_by_label("Quantity 2027 Q2")).to_have_value("50")
    assert not offers()


def test_the_price_is_named_in_one_of_three_ways(sit_down: Sitting, place: MarketPlace) -> None:
    index = make.MarketIndexFactory(product=place.product, code="LC")
    make.IndexPriceFactory(index=index, date=NOON.date() - dt.timedelta(days=1), value=Decimal(60_000))
    page = form_of(sit_down(place.trader), place)
    page.get_by_label("Quantity 2027 Q1").fill("10")
    flat, own, rule = (
        page.locator("[name=price]"),
        page.get_by_label("Own price 2027 Q1"),
        page.get_by_label("Index", exact=True),
    )
    told = page.locator("[data-preview]")
    for way, shown in (("flat", [flat]), ("period", [flat, own]), ("formula", [rule])):
        page.check(f"[name=price_by][value={way}]")
        for one in (flat, own, rule):
            expect(one).to_be_visible(visible=one in shown)
    page.check("[name=price_by][value=flat]")
    flat.fill("70")
    expect(told).to_contain_text("at 70 CNY/t or more")
    page.check("[name=price_by][value=period]")
    own.fill("75")
    expect(told).to_contain_text("at 75 CNY/t or more")
    page.check("[name=price_by][value=formula]")
    rule.select_option("LC")
    page.get_by_label("Premium").fill("-500")
    expect(told).to_contain_text("at 59,500 CNY/t or more")
    page.click("button[value=post]")
    expect(page.locator(".flash")).to_have_text("The offer is posted.")
    (offer,) = offers()
    assert (offer.index_code, offer.index_premium, offer.price) == ("LC", Decimal(-500), Decimal(59_500))


def test_the_form_fits_a_phone(sit_down: Sitting, place: MarketPlace) -> None:
    desk = sit_down(place.trader, size=NARROW)
    page = form_of(desk, place)
    page.get_by_label("Quantity 2027 Q2").fill("50")
    page.fill("[name=price]", "70")
    expect(page.locator("[data-preview]")).to_contain_text("You sell up to 50 t of")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
    desk.picture("offer-form-phone")


def test_a_workbook_with_bad_rows_comes_back_and_is_mended(
    sit_down: Sitting, place: MarketPlace, tmp_path: Path
) -> None:
    desk = sit_down(place.trader)
    page = desk.open("/offers")
    page.get_by_role("link", name="Upload a file").click()
    with page.expect_download() as template:
        page.get_by_role("link", name=place.round.name_en).click()
    blank = CalamineWorkbook.from_path(template.value.path())
    assert "Reference 编号" in blank.get_sheet_by_name(SHEET).to_python()[0]

    filled = tmp_path / "offers.xlsx"
    filled.write_bytes(workbook(row(Reference="A"), row(Reference="B", Price="cheap"), row(Reference="C", Site="moon")))
    page.set_input_files("#f-file", filled)
    page.check("[name=partial]")
    page.get_by_role("button", name="Upload and post").click()
    expect(page.locator(".flash")).to_have_text("1 offer is posted.")
    rows = page.locator("table.list tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("found cheap; expected a number")
    expect(rows.nth(2)).to_contain_text("moon")
    desk.picture("upload-results")
    with page.expect_download() as corrections:
        page.get_by_role("link", name="Download what to correct").click()

    table = CalamineWorkbook.from_path(corrections.value.path()).get_sheet_by_name(SHEET).to_python()
    header, *wrong = table
    assert len(wrong) == 2
    assert "cheap" in str(wrong[0][-1])
    mended = tmp_path / "mended.xlsx"
    write(
        mended, [header, *([{"cheap": 71_000, "moon": "yichun"}.get(str(cell), cell) for cell in one] for one in wrong)]
    )
    desk.open("/offers/uploads").set_input_files("#f-file", mended)
    page.get_by_role("button", name="Upload and post").click()
    expect(page.locator(".flash")).to_have_text("2 offers are posted.")
    assert [(one.reference, one.price) for one in offers()] == [
        ("A", Decimal(70_000)),
        ("B", Decimal(71_000)),
        ("C", Decimal(70_000)),
    ]


def write(path: Path, table: Sequence[Sequence[object]]) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet(SHEET)
        for at, cells in enumerate(table):
            sheet.write_row(at, 0, cells)
