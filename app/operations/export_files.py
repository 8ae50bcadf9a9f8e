"""Writes rows as CSV or XLSX, one row after the other, so that a file of any length takes the same memory."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import IO, Any

import xlsxwriter

from app.errors import Refused
from app.operations.export_columns import COLUMNS, TITLES, Column, Kind, Sheet
from app.operations.offer_terms import plain
from contracts.wording import Text

MOST_ROWS = 100_000  # of a workbook: its cells take ten times the time of a CSV's, and somebody waits for the answer
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A program that opens the file takes a cell that begins like this for a formula; the full-width signs, too, in Chinese.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_FORMATS = {Kind.WHOLE: "#,##0", Kind.NUMBER: "#,##0.######", Kind.MONEY: "#,##0.00", Kind.DAY: "yyyy-mm-dd"}


def write_csv(
    file: IO[bytes], sheet: Sheet, rows: Iterable[Sequence[Any]], *, language: str, byte_order_mark: bool
) -> None:
    """CSV by RFC 4180 in UTF-8. Numbers are exact, days are ISO 8601, a text that looks like a formula gets an ' first.

    Excel takes the file for UTF-8 only with the byte order mark; other programs may not want it.
    """
    if byte_order_mark:
        file.write(BYTE_ORDER_MARK)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    try:
        writer = csv.writer(text)
        writer.writerow([_title(column, language) for column in COLUMNS[sheet]])
        kinds = [column.kind for column in COLUMNS[sheet]]
        writer.writerows([_plain(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in rows)
        text.flush()
    finally:
        text.detach()


def write_xlsx(
    file: IO[bytes], sheet: Sheet, rows: Iterable[Sequence[Any]], *, language: str, now: dt.datetime
) -> None:
    """A workbook of one sheet with typed cells; the header and the first column stay in sight.

    :raises Refused: there are more rows than a sheet can hold.
    """
    columns = COLUMNS[sheet]
    workbook = xlsxwriter.Workbook(file, {"constant_memory": True})
    # Without a time of its own the file would differ at every download.
    workbook.set_properties({"title": _title_of(sheet, language), "created": now.replace(tzinfo=None)})
    try:
        written = workbook.add_worksheet(_title_of(sheet, language))
        header = workbook.add_format({"bold": True, "text_wrap": True, "bottom": 1, "bg_color": "#E8EEF4"})
        formats = {kind: workbook.add_format({"num_format": pattern}) for kind, pattern in _FORMATS.items()}
        for position, column in enumerate(columns):
            written.set_column(position, position, column.width)
        written.freeze_panes(1, 1)
        for position, column in enumerate(columns):
            written.write_string(0, position, _title(column, language), header)
        for number, row in enumerate(rows, start=1):
            if number > MOST_ROWS:
                raise Refused(
                    Text(
                        f"超过 {MOST_ROWS} 行；请缩小范围，或改用 CSV",
                        f"more than {MOST_ROWS} rows; expected a narrower choice, or CSV",
                    )
                )
            for position, (column, value) in enumerate(zip(columns, row, strict=True)):
                _write_cell(written, (number, position), value, formats.get(column.kind))
    finally:
        workbook.close()


def _write_cell(sheet: Any, place: tuple[int, int], value: Any, number_format: Any) -> None:
    """A text is written as text whatever it looks like: nothing becomes a formula or a link."""
    if value is None:
        return
    if isinstance(value, dt.date):
        sheet.write_datetime(*place, dt.datetime.combine(value, dt.time()), number_format)
    elif isinstance(value, int | Decimal):
        sheet.write_number(*place, value, number_format)
    else:
        sheet.write_string(*place, str(value))


def _plain(value: Any, kind: Kind) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, ".2f") if kind is Kind.MONEY else plain(value)
    if isinstance(value, int | dt.date):
        return str(value)
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _title(column: Column, language: str) -> str:
    return column.zh if language == "zh" else column.en


def _title_of(sheet: Sheet, language: str) -> str:
    zh, en = TITLES[sheet]
    return zh if language == "zh" else en
