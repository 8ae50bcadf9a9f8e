"""Files of offers as firms send them: rows, workbooks of them, and the answer row by row."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
import xlsxwriter
from sqlalchemy.orm import Session

from app.models import Offer
from app.operations.offer_columns import COLUMNS
from app.operations.offer_file import SHEET

from .market_place import MarketPlace

URL = "/api/v1/offer-imports"
PERIODS = [f"{year}-Q{quarter}" for year in (2027, 2028) for quarter in (1, 2, 3, 4)]
HEADER = [column.title for column in COLUMNS] + PERIODS
Browser = Any  # a FlaskClient; its answers' `json` may be anything


GOOD: Mapping[str, Any] = {
    "Reference 编号": "S-1",
    "Side 方向": "sell 卖",
    "Site 工厂": "yichun",
    "Product 产品": "lithium_carbonate 碳酸锂",
    "Grade 等级": "battery 电池级",
    "Price 价格": 70000,
    "2027-Q1": 100,
    "2027-Q2": 120,
}


def row(**changes: Any) -> dict[str, Any]:
    """A good row, changed where the keyword names a column by its English name, blanks as underscores."""
    by_name = {column.en.replace(" ", "_"): column.title for column in COLUMNS}
    by_name |= {period.replace("-", "_"): period for period in PERIODS}
    return {**GOOD, **{by_name.get(name, name): value for name, value in changes.items()}}


def workbook(
    *rows: Mapping[str, Any], header: Sequence[Any] = HEADER, sheet: str = SHEET, hidden: bool = False
) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    if hidden:
        book.add_worksheet("Front").activate()
    page = book.add_worksheet(sheet)
    if hidden:
        page.hide()
    date = book.add_format({"num_format": "yyyy-mm-dd"})
    for column, title in enumerate(header):
        page.write(0, column, title)
    for number, cells in enumerate(rows, start=1):
        for title, cell in cells.items():
            if isinstance(cell, dt.date):
                page.write_datetime(number, header.index(title), dt.datetime.combine(cell, dt.time()), date)
            elif isinstance(cell, str) and not cell.startswith("="):
                page.write_string(number, header.index(title), cell)
            else:
                page.write(number, header.index(title), cell)
    book.close()
    return buffer.getvalue()


def send(browser: Browser, place: MarketPlace, content: bytes, name: str = "offers.xlsx", **flags: Any) -> Any:
    query = {"round_id": str(place.round.id)} | {key: str(value).lower() for key, value in flags.items()}
    answer = browser.post(URL, query_string=query, data={"file": (io.BytesIO(content), name)})
    answer.request.environ["wsgi.input"].close()  # the test's client leaves large bodies open
    return answer


def results(browser: Browser, answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 201, answer.json
    found: list[dict[str, Any]] = browser.get(f"{URL}/{answer.json['id']}/rows").json["items"]
    return found


def count(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count(Offer.id))) or 0
