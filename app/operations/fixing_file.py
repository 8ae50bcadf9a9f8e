"""Fixings by CSV: one row for an index and a day, the names of the columns in the first row."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Mapping
from decimal import Decimal

from app.models import FixingKind
from app.operations.fixings import FixingRow
from market.errors import BadInput, Fault

REQUIRED = ("index", "day", "source")
COLUMNS = ("index", "day", "value", "quoted_tax", "kind", "source", "reason")
MOST_ROWS = 5000
LARGEST_FILE = 1_000_000  # bytes
PLACE = "fixings"
_VALUE = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?")
_TAX = re.compile(r"0(\.[0-9]{1,6})?")
_LONGEST = 500


def read(content: bytes) -> list[tuple[int, FixingRow]]:
    """Numbered rows of a CSV in UTF-8; the header is row 1.

    An empty `kind` is "published", an empty `quoted_tax` 0. Values are as quoted, per unit of the index.

    :raises BadInput: no such CSV, or rows with faults, each with its row, column, what was found and expected.
    """
    if len(content) > LARGEST_FILE:
        raise BadInput([_fault(None, None, f"{len(content)} bytes", f"at most {LARGEST_FILE}")])
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        header, rows = tuple(reader.fieldnames or ()), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput([_fault(None, None, str(error), "a CSV in UTF-8")]) from error
    _check_header(header)
    if len(rows) > MOST_ROWS:
        raise BadInput([_fault(None, None, f"{len(rows)} rows", f"at most {MOST_ROWS}")])
    faults: list[Fault] = []
    found = [(number, _row(number, row, faults)) for number, row in enumerate(rows, start=2)]
    if faults:
        raise BadInput(faults)
    return [(number, row) for number, row in found if row is not None]


def _check_header(header: tuple[str, ...]) -> None:
    faults = [_fault(1, name, "nothing", "this column") for name in REQUIRED if name not in header]
    faults += [_fault(1, name, "a column", "one of " + ", ".join(COLUMNS)) for name in header if name not in COLUMNS]
    if faults:
        raise BadInput(faults)


def _row(number: int, row: Mapping[str, str | None], faults: list[Fault]) -> FixingRow | None:
    """The row, or None where it has faults."""
    cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
    before = len(faults)
    faults += [_fault(number, name, "nothing", "a value") for name in REQUIRED if not cells[name]]
    faults += [
        _fault(number, name, f"{len(text)} characters", f"at most {_LONGEST}")
        for name, text in cells.items()
        if len(text) > _LONGEST
    ]
    if None in row or None in row.values():  # more or fewer cells than the header
        faults.append(_fault(number, None, "another number of cells", "as many as in the first row"))
    kind = cells["kind"] or FixingKind.PUBLISHED.value
    if kind not in set(FixingKind):
        faults.append(_fault(number, "kind", repr(kind), "one of " + ", ".join(FixingKind)))
    if cells["value"] and not _VALUE.fullmatch(cells["value"]):
        faults.append(_fault(number, "value", repr(cells["value"]), "a decimal such as 62260 or 62260.5"))
    if cells["quoted_tax"] and not _TAX.fullmatch(cells["quoted_tax"]):
        faults.append(_fault(number, "quoted_tax", repr(cells["quoted_tax"]), "a rate such as 0.13"))
    try:
        day = dt.date.fromisoformat(cells["day"])
    except ValueError:
        if cells["day"]:
            faults.append(_fault(number, "day", repr(cells["day"]), "a day such as 2025-06-30"))
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


def _fault(row: int | None, column: str | None, found: str, expected: str) -> Fault:
    return Fault(place=PLACE, row=row, column=column, found=found, expected=expected)
