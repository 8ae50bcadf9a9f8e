"""Fixings by CSV: one row for an index and a day, the names of the columns in the first row."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from app.models import FixingKind
from app.operations.fixings import FixingRow
from contracts.wording import Text, fault, one_of
from market.errors import BadInput, Fault

REQUIRED = ("index", "day", "source")
COLUMNS = ("index", "day", "value", "quoted_tax", "kind", "source", "reason")
MOST_ROWS = 5000
LARGEST_FILE = 1_000_000  # bytes
PLACE = "fixings"
_VALUE = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?")
_TAX = re.compile(r"0(\.[0-9]{1,6})?")
_LONGEST = 500
NOTHING = Text("没有", "nothing")
OTHER_COUNT = Text("单元格数量不同", "another number of cells")
DECIMAL = Text("小数，例如 62260 或 62260.5", "a decimal such as 62260 or 62260.5")


def read(content: bytes) -> list[tuple[int, FixingRow]]:
    """Numbered rows of a CSV in UTF-8; the header is row 1.

    An empty `kind` is "published", an empty `quoted_tax` 0. Values are as quoted, per unit of the index.

    :raises BadInput: no such CSV, or rows with faults, each with its row, column, what was found and expected.
    """
    if len(content) > LARGEST_FILE:
        raise BadInput(
            [_fault(None, None, Text(f"{len(content)} 字节", f"{len(content)} bytes"), _at_most(LARGEST_FILE))]
        )
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        header, rows = tuple(reader.fieldnames or ()), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput([_fault(None, None, str(error), Text("UTF-8 编码的 CSV", "a CSV in UTF-8"))]) from error
    _check_header(header)
    if len(rows) > MOST_ROWS:
        raise BadInput([_fault(None, None, Text(f"{len(rows)} 行", f"{len(rows)} rows"), _at_most(MOST_ROWS))])
    faults: list[Fault] = []
    found = [(number, _row(number, row, faults)) for number, row in enumerate(rows, start=2)]
    if faults:
        raise BadInput(faults)
    return [(number, row) for number, row in found if row is not None]


def _check_header(header: tuple[str, ...]) -> None:
    faults = [_fault(1, name, NOTHING, Text("该列", "this column")) for name in REQUIRED if name not in header]
    column = Text("一列", "a column")
    faults += [_fault(1, name, column, one_of(COLUMNS)) for name in header if name not in COLUMNS]
    if faults:
        raise BadInput(faults)


def _row(number: int, row: Mapping[str, str | None], faults: list[Fault]) -> FixingRow | None:
    """The row, or None where it has faults."""
    cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
    before = len(faults)
    faults += [_fault(number, name, NOTHING, Text("有值", "a value")) for name in REQUIRED if not cells[name]]
    faults += [
        _fault(number, name, Text(f"{len(text)} 字符", f"{len(text)} characters"), _at_most(_LONGEST))
        for name, text in cells.items()
        if len(text) > _LONGEST
    ]
    if None in row or None in row.values():  # more or fewer cells than the header
        faults.append(_fault(number, None, OTHER_COUNT, Text("与首行相同", "as many as in the first row")))
    kind = cells["kind"] or FixingKind.PUBLISHED.value
    if kind not in set(FixingKind):
        faults.append(_fault(number, "kind", repr(kind), one_of(FixingKind)))
    if cells["value"] and not _VALUE.fullmatch(cells["value"]):
        faults.append(_fault(number, "value", repr(cells["value"]), DECIMAL))
    if cells["quoted_tax"] and not _TAX.fullmatch(cells["quoted_tax"]):
        faults.append(
            _fault(number, "quoted_tax", repr(cells["quoted_tax"]), Text("税率，例如 0.13", "a rate such as 0.13"))
        )
    try:
        day = dt.date.fromisoformat(cells["day"])
    except ValueError:
        if cells["day"]:
            faults.append(
                _fault(number, "day", repr(cells["day"]), Text("日期，例如 2025-06-30", "a day such as 2025-06-30"))
            )
        return None
    if len(faults) > before:
        return None
    return FixingRow(
        index=cells["index"],
        day=day,
        kind=FixingKind(kind),
        value=Decimal(cells["value"]) if cells["value"] else None,
        quoted_tax=Decimal(cells["quoted_tax"] or 0),
        source=cells["source"],
        reason=cells["reason"] or None,
    )


def _at_most(limit: int) -> Text:
    return Text(f"至多 {limit}", f"at most {limit}")


def _fault(row: int | None, column: str | None, found: str | Text, expected: Text) -> Fault:
    return replace(fault(PLACE, found, expected), row=row, column=column)
