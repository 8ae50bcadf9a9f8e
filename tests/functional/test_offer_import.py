"""Offers by file: what a filled template brings, what bad rows and bad files answer, and what is never written."""

from __future__ import annotations

import datetime as dt
import io
import uuid
import zipfile
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
import xlsxwriter
from python_calamine import CalamineWorkbook, SheetVisibleEnum
from sqlalchemy.orm import Session

from app.models import Offer, OfferImport, RoundState, User
from app.operations.offer_file import SHEET
from tests import factories as f
from tests.functional.market_place import NOON, MarketPlace, place, trader

from .offer_files import HEADER, URL, Browser, count, results, row, send, workbook
from .web_market import at_noon

__all__ = ["at_noon", "place", "trader"]


def test_the_template_is_filled_and_comes_back_as_offers(place: MarketPlace, trader: Browser, session: Session) -> None:
    answer = trader.get("/api/v1/offers/template.xlsx", query_string={"round_id": str(place.round.id)})
    assert answer.status_code == 200
    template = CalamineWorkbook.from_filelike(io.BytesIO(answer.data))
    shown = {sheet.name: sheet.visible is SheetVisibleEnum.Visible for sheet in template.sheets_metadata}
    assert shown == {SHEET: True, "Instructions 说明": True, "Lists": False}
    table = template.get_sheet_by_name(SHEET).to_python()
    assert table[0] == HEADER
    assert table[1][0] == "EXAMPLE 示例"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.read("xl/worksheets/sheet1.xml").count(b"<dataValidation ") == 8
    example = dict(zip(HEADER, table[1], strict=True))
    filled = workbook(example, {**example, "Reference 编号": "S-1"})
    sent = send(trader, place, filled)
    assert [line["outcome"] for line in results(trader, sent)] == ["accepted"], "the example is passed over"
    offer = session.scalars(sa.select(Offer)).one()
    assert (offer.reference, int(offer.price), offer.min_term, len(offer.periods)) == ("S-1", 70000, 2, 8)
    alone = send(trader, place, answer.data)
    assert (alone.status_code, alone.json["errors"][0]["detail"][:28]) == (422, "no row but examples; expecte")


def test_a_row_says_all_that_an_offer_can(place: MarketPlace, trader: Browser, session: Session) -> None:
    refused, supplier = f.FirmFactory(), f.FirmFactory()
    demand = row(
        Side="买",
        First_period="2027-Q1",
        Last_period="2027-Q4",
        Shortest_term="２",
        Longest_term=4,
        Least_per_period="1,0",
        All_or_none="是",
        Largest_share="40 %",
        Group="either",
        Valid_until=dt.date(2026, 12, 31),
        Specification="assay_percent = 99.5",
        Certificates="ISO9001",
        Excluded_firms=refused.credit_code,
        Approved_suppliers=supplier.credit_code,
        **{"2027_Q1": "１，２００", "2027_Q2": " 1,200.0  ", "2027_Q4": 30},
    )
    demand["Least per period 每期最小量"] = "10"
    sent = send(trader, place, workbook(demand))
    assert [line["outcome"] for line in results(trader, sent)] == ["accepted"], results(trader, sent)
    offer = session.scalars(sa.select(Offer)).one()
    assert [period.quantity for period in offer.periods] == [1200, 1200, 0, 30]
    assert (offer.kind, offer.basis, offer.min_term, offer.max_term) == ("demand", "delivered", 2, 4)
    assert (offer.min_rate, offer.all_or_none, str(offer.max_share)) == (10, True, "0.400000")
    assert offer.valid_until == dt.datetime(2026, 12, 31, 16, 0, tzinfo=dt.UTC), "the end of the day in Shanghai"
    assert [line.firm_id for line in offer.exclusions] == [refused.id]
    assert [line.firm_id for line in offer.approved_suppliers] == [supplier.id]
    assert [(line.attribute_code, line.value) for line in offer.specifications] == [("assay_percent", Decimal("99.5"))]


def test_a_conversion_names_its_inputs_and_a_period_its_price(
    place: MarketPlace, trader: Browser, session: Session
) -> None:
    ore = f.GradeFactory(code="SC6", product=f.ProductFactory(code="ore"))
    line = row(Side="convert", Price=16000, Inputs="ore/SC6=7.5@100") | {"2027-Q2 price 价格": 15500}
    sent = send(trader, place, workbook(line, header=[*HEADER, "2027-Q2 price 价格"]))
    assert [found["outcome"] for found in results(trader, sent)] == ["accepted"], results(trader, sent)
    offer = session.scalars(sa.select(Offer)).one()
    assert [(need.product_code, need.grade_code, need.own_stock_per_period) for need in offer.inputs] == [
        (ore.product_code, "SC6", 100)
    ]
    assert [period.price for period in offer.periods] == [None, 15500]


# What each bad row answers: column, what was found, what was expected.
BAD_ROWS: list[tuple[dict[str, Any], str | None, str, str]] = [
    (row(Side="lend"), "Side 方向", "lend", "one of sell 卖, buy 买, convert 加工"),
    (row(Site="hefei"), "Site 工厂", "hefei", "one of yichun"),
    (row(Product=""), "Product 产品", "nothing 空", "a value"),
    (row(Product="水"), "Product 产品", "水", "one of lithium_carbonate"),
    (row(Grade="gold"), "Grade 等级", "gold", "one of technical, battery"),
    (row(Price="七万"), "Price 价格", "七万", "a number such as 1200.5"),
    (row(Price=-1), "Price 价格", "-1", "0 or more"),
    (row(**{"2027-Q1": "1.200,5"}), "2027-Q1", "1.200,5", "a number such as 1200.5"),
    (row(**{"2027-Q1": "12,00"}), "2027-Q1", "12,00", "a number such as 1200.5"),
    (row(**{"2027-Q1": 10.5}), "2027-Q1", "10.5", "a multiple of 1 t"),
    (row(**{"2027-Q1": "=50+50"}), "2027-Q1", "a formula 公式", "a value; paste the formula as a value"),
    (row(**{"2027-Q1": 0, "2027-Q2": ""}), "2027-Q1", "nothing 空", "a quantity above 0 in at least one period"),
    (row(Last_period="2027-Q1"), "2027-Q2", "2027-Q2", "a period from 2027-Q1 to 2027-Q1"),
    (row(First_period="2026-Q1"), "First period 起始期", "2026-Q1", "a period of the round: 2027-Q1 to 2028-Q4"),
    (row(First_period=46023), "First period 起始期", "46023", "a period of the round: 2027-Q1 to 2028-Q4"),
    (row(Valid_until=46387), "Valid until 有效期至", "46387", "a date such as 2026-12-31"),
    (row(Valid_until="2026-02-30"), "Valid until 有效期至", "2026-02-30", "a date such as 2026-12-31"),
    (row(Shortest_term=1.5), "Shortest term 最短期限", "1.5", "a whole number such as 4"),
    (row(Shortest_term=3), "Shortest term 最短期限", "3", "at most the 2 periods of the offer"),
    (row(Longest_term=0), "Longest term 最长期限", "0", "not less than the shortest term, 1"),
    (row(All_or_none="maybe"), "All or none 全有或全无", "maybe", "yes or no"),
    (row(Largest_share="0.4"), "Largest share 最大份额", "0.4", "nothing: only a demand names a largest share"),
    (row(Specification="assay 99"), "Specification 指标", "assay 99", "a list such as"),
    (row(Specification="colour=1"), "Specification 指标", "colour", "an attribute of the product: assay_percent"),
    (row(Certificates="ISO0"), "Certificates 证书", "ISO0", "a kind of certificate: ISO9001"),
    (row(Excluded_firms="91420100"), "Excluded firms 排除企业", "91420100", "the unified social credit code of a regi"),
    (row(Side="convert"), "Inputs 投入", "nothing", "at least one input"),
]


@pytest.mark.parametrize("kept_numbers", [True, False], ids=["as typed", "all as text"])
def test_every_bad_row_names_sheet_row_column_found_and_expected(
    place: MarketPlace, trader: Browser, session: Session, *, kept_numbers: bool
) -> None:
    lines = [bad | {"Reference 编号": f"B-{number}"} for number, (bad, *_) in enumerate(BAD_ROWS)]
    if not kept_numbers:
        lines = [{title: _as_text(cell) for title, cell in line.items()} for line in lines]
    sent = send(trader, place, workbook(*lines), dry_run=False)
    found = {line["row"]: line for line in results(trader, sent)}
    for number, (_, column, what, wanted) in enumerate(BAD_ROWS, start=2):
        line = found[number]
        assert (line["sheet"], line["outcome"], line["column"], line["found"]) == (SHEET, "rejected", column, what)
        assert line["expected"].startswith(wanted), line
        assert line["expected_zh"]
        assert line["expected_zh"] != line["expected"]
    assert len(found) == len(results(trader, sent)), "each of these rows has one fault"
    assert (sent.json["row_count"], sent.json["rejected_count"]) == (len(BAD_ROWS), len(BAD_ROWS))
    assert count(session) == 0


def _as_text(cell: Any) -> Any:
    return str(cell) if isinstance(cell, int | float) else cell


def test_a_row_with_several_faults_tells_them_all(place: MarketPlace, trader: Browser) -> None:
    sent = send(trader, place, workbook(row(Side="lend", Price="much", All_or_none="maybe")))
    assert [line["column"] for line in results(trader, sent)] == ["Side 方向", "Price 价格", "All or none 全有或全无"]


def test_nothing_is_written_when_one_row_is_bad(place: MarketPlace, trader: Browser, session: Session) -> None:
    sent = send(trader, place, workbook(row(), row(Reference="S-2", Price="much")))
    assert (sent.json["accepted_count"], sent.json["rejected_count"], sent.json["posted_count"]) == (1, 1, 0)
    assert count(session) == 0


def test_partial_posts_the_good_rows(place: MarketPlace, trader: Browser, session: Session) -> None:
    sent = send(trader, place, workbook(row(), row(Reference="S-2", Price="much")), partial=True)
    assert [line["reference"] for line in results(trader, sent)] == ["S-1", "S-2"]
    assert (sent.json["accepted_count"], sent.json["rejected_count"], sent.json["posted_count"]) == (1, 1, 1)
    offer = session.scalars(sa.select(Offer)).one()
    assert results(trader, sent)[0]["offer_id"] == str(offer.id)
    assert trader.get(f"/api/v1/offers/{offer.id}/revisions").json["items"][0]["terms"]["reference"] == "S-1"


def test_a_dry_run_writes_no_offer_and_may_come_before_the_round_opens(
    place: MarketPlace, trader: Browser, session: Session
) -> None:
    place.round.opens_at = NOON + dt.timedelta(hours=1)
    sent = send(trader, place, workbook(row()), dry_run=True)
    assert (sent.json["dry_run"], sent.json["accepted_count"], sent.json["posted_count"]) == (True, 1, 0)
    assert count(session) == 0
    assert send(trader, place, workbook(row())).status_code == 409


def test_rows_that_repeat_are_told(place: MarketPlace, trader: Browser) -> None:
    content = workbook(row(), row(), row(Price=71000), row(Reference=""), row(Reference=""))
    assert [(line["row"], line["column"], line["expected"]) for line in results(trader, send(trader, place, content))][
        1:
    ] == [
        (3, None, "a row other than row 2"),
        (4, "Reference 编号", "a row other than row 2"),
        (5, None, None),
        (6, None, "a row other than row 5"),
    ]


def test_a_reference_of_an_open_offer_is_taken(place: MarketPlace, trader: Browser) -> None:
    assert send(trader, place, workbook(row())).json["posted_count"] == 1
    again = results(trader, send(trader, place, workbook(row())))
    assert [(line["column"], line["found"], line["code"]) for line in again] == [
        ("Reference 编号", "S-1", "reference_free")
    ]


def test_a_csv_of_either_encoding_and_any_order_of_columns(
    place: MarketPlace, trader: Browser, session: Session
) -> None:
    lines = '方向,价格,产品,site,等级,2027-Q1 ,编号\n卖,70000,碳酸锂,YICHUN,电池级,"1,200",{}\n\n'
    for number, encoding in enumerate(("utf-8", "utf-8-sig", "gb18030")):
        sent = send(trader, place, lines.format(f"S-{number}").encode(encoding), "报价.csv")
        assert [line["outcome"] for line in results(trader, sent)] == ["accepted"], encoding
    assert {offer.periods[0].quantity for offer in session.scalars(sa.select(Offer))} == {1200}
    tabs = send(trader, place, b"side\tsite\tproduct\tgrade\tprice\t2027-Q1\nsell\tyichun\tx\t\t1\t=1", "a.csv")
    assert [(line["column"], line["code"]) for line in results(trader, tabs)] == [
        ("product", "choice"),
        ("grade", "required"),
        ("2027-Q1", "value_not_formula"),
    ]


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * (80 * 1024 * 1024))
    return buffer.getvalue()


def lying_zip_bomb() -> bytes:
    """One that says it holds a hundred bytes."""
    content = bytearray(zip_bomb())
    true_size = (80 * 1024 * 1024).to_bytes(4, "little")
    while (at := content.find(true_size)) >= 0:
        content[at : at + 4] = (100).to_bytes(4, "little")
    return bytes(content)


def far_cell() -> bytes:
    """A workbook with one cell in the last corner of the sheet."""
    source = workbook(row())
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(source)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            if name.endswith("sheet1.xml"):
                far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
                part = part.replace(b"</sheetData>", far)
            new.writestr(name, part)
    return buffer.getvalue()


BAD_FILES: list[tuple[str, Callable[[], bytes], str, str]] = [
    ("a.xlsx", lambda: b"not a workbook", ".xlsx", "an XLSX or CSV file"),
    ("a.pdf", lambda: b"%PDF-1.7", ".pdf", "an XLSX or CSV file"),
    ("a.xlsx", lambda: workbook(row())[:4000], "a damaged archive", "a workbook that opens"),
    ("a.xlsx", lambda: b"PK\x03\x04" + b"\0" * (6 * 1024 * 1024), "5.0 MB", "a file of at most 5 MB"),
    ("a.xlsx", zip_bomb, "more than 60 MB", "a file of at most 60 MB when unpacked"),
    ("a.xlsx", lying_zip_bomb, "more than 60 MB", "a file of at most 60 MB when unpacked"),
    ("a.xlsx", far_cell, "cells down to row 1048576, column 16384", "a sheet of at most 5000 rows and 320 columns"),
    ("a.xlsx", lambda: workbook(row(Group="x" * 20_000)), "a very long text", "a sheet of at most 5000 rows"),
    ("a.xlsx", lambda: workbook(row(), sheet="Tabelle1"), "Tabelle1", "a visible sheet named 'Offers 报价'"),
    ("a.xlsx", lambda: workbook(row(), hidden=True), "Front", "a visible sheet named 'Offers 报价'"),
    ("a.xlsx", workbook, "no row", "at least one row with an offer"),
    ("a.csv", lambda: b"\xff\xfe\xfd\xff,", "bytes that are neither", "text in UTF-8 or GB18030"),
]


@pytest.mark.parametrize(("name", "content", "found", "wanted"), BAD_FILES)
def test_bad_files_are_refused_as_a_whole(
    place: MarketPlace,
    trader: Browser,
    session: Session,
    *,
    name: str,
    content: Callable[[], bytes],
    found: str,
    wanted: str,
) -> None:
    answer = send(trader, place, content(), name)
    assert (answer.status_code, answer.json["type"]) == (422, "/problems/bad-input")
    detail = answer.json["errors"][0]["detail"]
    assert detail.startswith(f"{found}; expected {wanted}"), detail
    assert session.scalar(sa.select(sa.func.count(OfferImport.id))) == 0


def test_wrong_headers_are_told_by_column(place: MarketPlace, trader: Browser) -> None:
    header = ["Side 方向", "side", "Colour", "Site 工厂", "Product 产品", "Grade 等级", "2031-Q1"]
    answer = send(trader, place, workbook({"Side 方向": "sell"}, header=header))
    faults = [(error["row"], error.get("column"), error["detail"].split("; ")[0]) for error in answer.json["errors"]]
    assert faults == [
        (1, "side", "side again"),
        (1, "Colour", "Colour"),
        (1, "2031-Q1", "2031-Q1"),
        (1, "Price 价格", "no such column"),
        (1, None, "no column of a period"),
    ]


def test_hidden_sheets_are_passed_over(place: MarketPlace, trader: Browser) -> None:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    for name in (SHEET, "Offers"):
        page = book.add_worksheet(name)
        for column, title in enumerate(HEADER):
            page.write(0, column, title)
            page.write(1, column, row(Reference=name).get(title, ""))
    page.hide()
    book.close()
    sent = send(trader, place, buffer.getvalue())
    assert [line["sheet"] for line in results(trader, sent)] == [SHEET]


def test_another_firm_sees_no_import(place: MarketPlace, trader: Browser, client_as: Callable[[User], Browser]) -> None:
    sent = send(trader, place, workbook(row()))
    stranger = client_as(f.UserFactory())
    assert stranger.get(URL).json["items"] == []
    for path in ("", "/rows", "/corrected.xlsx"):
        there = stranger.get(f"{URL}/{sent.json['id']}{path}")
        nowhere = stranger.get(f"{URL}/{uuid.UUID(int=1)}{path}")
        assert there.status_code == nowhere.status_code == 404
        assert there.json["detail"] == nowhere.json["detail"]


def test_a_closed_round_takes_no_file(place: MarketPlace, trader: Browser) -> None:
    place.round.state = RoundState.CLOSED
    assert send(trader, place, workbook(row())).status_code == 409


def test_many_rows_are_taken_at_once(place: MarketPlace, trader: Browser, session: Session) -> None:
    sent = send(trader, place, workbook(*(row(Reference=f"S-{number}") for number in range(200))))
    assert sent.json["posted_count"] == 200
    assert count(session) == 200
