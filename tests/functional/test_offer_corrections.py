"""The corrected file that is given back: what was wrong, marked where it stands, and taken once it is mended."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from string import ascii_uppercase
from typing import Any
from xml.etree import ElementTree

import xlsxwriter
from python_calamine import CalamineWorkbook
from sqlalchemy.orm import Session

from app.operations.offer_file import SHEET

from .market_place import MarketPlace, place, trader
from .offer_files import HEADER, URL, Browser, count, results, row, send, workbook
from .web_market import at_noon

__all__ = ["at_noon", "place", "trader"]


def marked_cells(content: bytes) -> list[tuple[str, int, str]]:
    """Title, line and comment of the cells that have a comment and a form that no other cell of their row has."""
    space = {"": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    header = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_name(SHEET).to_python()[0]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        comments = ElementTree.fromstring(archive.read("xl/comments1.xml"))  # noqa: S314 - our own
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own
    forms = {cell.get("r", ""): cell.get("s") for cell in sheet.iterfind(".//c", space)}
    found = []
    for comment in comments.iterfind(".//comment", space):
        place = comment.get("ref", "")
        letters = place.rstrip("0123456789")
        row = place.removeprefix(letters)
        alike = [other for other in forms if other.lstrip(ascii_uppercase) == row and forms[other] == forms[place]]
        assert alike == [place]
        column = [xlsxwriter.utility.xl_col_to_name(at) for at in range(len(header))].index(letters)
        found.append((str(header[column]), int(row) - 1, "".join(comment.itertext())))
    return found


def test_the_corrected_file_has_the_errors_last_and_comes_back_when_mended(
    place: MarketPlace, trader: Browser, session: Session
) -> None:
    rows = [
        row(),
        row(Reference="S-2", Price="much", Group="=1+1"),
        row(Reference="S-3", Valid_until=dt.date(2027, 1, 5)),
    ]
    rows[1]["Group 互斥组"] = "'=1+1"
    sent = send(trader, place, workbook(*rows), partial=True)
    answer = trader.get(f"{URL}/{sent.json['id']}/corrected.xlsx")
    table = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_name(SHEET).to_python()
    assert table[0] == [*HEADER, "Errors 错误"]
    assert len(table) == 2, "rows that were posted are left out"
    mended: dict[str, Any] = dict(zip(map(str, table[0]), table[1], strict=True))
    assert mended["Errors 错误"] == (
        "Price 价格: 填写为“much”，应为数字，例如 1200.5 / found much; expected a number such as 1200.5"
    )
    wrong = ("Price 价格", 1, "填写为“much”，应为数字，例如 1200.5 / found much; expected a number such as 1200.5")
    assert marked_cells(answer.data) == [wrong], "the cell itself says it, and looks unlike its neighbours"
    assert send(trader, place, answer.data, partial=True).json["rejected_count"] == 1, "comments do not hinder reading"
    mended["Price 价格"] = 72000
    again = send(trader, place, workbook(mended, header=table[0]))
    assert [line["outcome"] for line in results(trader, again)] == ["accepted"]
    assert count(session) == 3
