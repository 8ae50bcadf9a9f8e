"""CSV tables with a header line, UTF-8: rows are read with one fault for everything that is wrong, and written."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from market.errors import BadInput, Fault, InvalidValue
from market.periods import Horizon, Period

MOST_FAULTS = 50
SEPARATOR = "|"  # joins the parts of a shadow price's subject, so no label may hold it
LARGEST = Decimal(10) ** 12
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?\Z", re.ASCII)
_COUNT = re.compile(r"[+-]?\d{1,9}\Z", re.ASCII)
_SHOWN = 60  # characters of a faulty cell that a message repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One kind of file. Columns with a default may be left out, or be empty in a row; `needed` files must exist."""

    file: str
    columns: tuple[str, ...]
    defaults: frozenset[str] = frozenset()
    needed: bool = False


class Faults:
    """Everything found wrong so far."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, place: str, row: int | None, column: str | None, found: str, expected: str) -> None:
        """:raises BadInput: there are as many as a person will read."""
        self.found.append(Fault(place=place, row=row, column=column, found=found, expected=expected))
        if len(self.found) >= MOST_FAULTS:
            self.refuse()

    def refuse(self) -> None:
        """:raises BadInput: anything is wrong."""
        if self.found:
            raise BadInput(self.found)


class Row:
    """One row of a table. Readers note a fault where a cell is not what they expect and return a stand-in; what is
    made of stand-ins is never used, because a table with faults is refused as a whole."""

    def __init__(self, table: Table, at: int, cells: dict[str, str], faults: Faults) -> None:
        self.table, self.at, self.cells, self.faults = table, at, cells, faults
        for column in table.columns:
            if column not in table.defaults and not self[column]:
                self.fault(column, "the cell is empty", "a value")

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def fault(self, column: str | None, found: str, expected: str) -> None:
        self.faults.add(self.table.file, self.at, column, found, expected)

    def shown(self, column: str) -> str:
        text = self[column]
        return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")

    def label(self, column: str) -> str:
        """A name: printable, without the separator."""
        text = self[column]
        if SEPARATOR in text or not text.isprintable():
            self.fault(column, f"{self.shown(column)} is not a name", f"printable characters without '{SEPARATOR}'")
        return text

    def choice(self, column: str, among: Sequence[str]) -> str:
        if self[column] and self[column] not in among:
            self.fault(column, f"{self.shown(column)} is not known", " or ".join(among))
        return self[column] if self[column] in among else among[0]

    def flag(self, column: str) -> bool:
        return self.choice(column, ("0", "1")) == "1" if self[column] else False

    def count(self, column: str, default: int, *, least: int | None = 1) -> int:
        """A whole number, `least` or more."""
        if not self[column]:
            return default
        expected = "a whole number" if least is None else f"a whole number of {least} or more"
        if not _COUNT.match(self[column]):
            self.fault(column, f"{self.shown(column)} is not a whole number", expected)
            return default
        if least is not None and int(self[column]) < least:
            self.fault(column, f"{self[column]} is too small", expected)
            return default
        return int(self[column])

    def number(self, column: str, *, above_zero: bool = False, most: Decimal = LARGEST) -> Decimal:
        """An exact decimal of 0 or more, 0 where the cell is empty."""
        expected = ("a number above 0" if above_zero else "a number of 0 or more") + f", at most {most:f}"
        value = self.signed(column, expected)
        if value is None:
            return Decimal(0)
        if value < 0:
            self.fault(column, f"{value} is negative", expected)
        elif value > most:
            self.fault(column, f"{value} is too large", expected)
        elif above_zero and not value and self[column]:
            self.fault(column, f"{value} is not above zero", expected)
        else:
            return value
        return Decimal(0)

    def signed(self, column: str, expected: str = "a number") -> Decimal | None:
        """An exact decimal of either sign, 0 where the cell is empty; None where it is no number."""
        text = self[column]
        if not text:
            return Decimal(0)
        if not _NUMBER.match(text):
            self.fault(column, f"{self.shown(column)} is not a number", expected)
            return None
        return Decimal(text)

    def period(self, column: str) -> Period | None:
        """A period; None where the cell is empty or holds something else."""
        if not self[column]:
            return None
        try:
            return Period.parse(self[column])
        except InvalidValue:
            self.fault(column, f"{self.shown(column)} is not a period", "a period such as 2027, 2027-Q1 or 2027-01")
            return None

    def position(self, column: str, horizon: Horizon | None, default: int = 0) -> int:
        """Where a period stands in the horizon; `horizon` is None where its own file is faulty."""
        period = self.period(column)
        if period is None or horizon is None:
            return default
        try:
            return horizon.position(period)
        except InvalidValue:
            self.fault(
                column,
                f"{period} is not a period of the horizon",
                f"a {horizon.first.kind} from {horizon.first} to {horizon.last}",
            )
            return default

    def span(self, horizon: Horizon | None) -> tuple[int, int]:
        """The window of first_period and last_period, the whole horizon where they are empty."""
        end = len(horizon) - 1 if horizon else 0
        first, last = self.position("first_period", horizon), self.position("last_period", horizon, end)
        if first > last:
            self.fault(
                "last_period",
                f"{self['last_period'] or 'the end'} is before first_period {self['first_period']}",
                "a last period that is not before the first",
            )
            return 0, end
        return first, last


def read_table(directory: Path, table: Table, faults: Faults) -> list[Row] | None:
    """The rows of a file, none for an optional file that is not there; None where it cannot be read as a table."""
    path = directory / table.file
    if not path.exists():
        if table.needed:
            faults.add(table.file, None, None, "the file is missing", f"columns {', '.join(table.columns)}")
        return None if table.needed else []
    text = _text(path, faults)
    if text is None:
        return None
    lines: list[list[str]] = []
    try:
        lines.extend(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        faults.add(table.file, len(lines) + 1, None, str(error), "comma-separated values, quotes closed")
        return None
    header = [cell.strip() for cell in lines[0]] if lines else []
    if not _header_holds(table, header, faults):
        return None
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not any(map(str.strip, line)):
            continue
        if len(line) != len(header):
            faults.add(table.file, number, None, f"the row has {len(line)} cells", f"{len(header)}, as the header has")
            continue
        cells = {column: cell.strip() for column, cell in zip(header, line, strict=True)}
        rows.append(Row(table, number, cells, faults))
    return rows


def _text(path: Path, faults: Faults) -> str | None:
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        faults.add(path.name, row, None, f"byte {content[error.start]:#04x} is not UTF-8", "a file in UTF-8")
    except OSError as error:
        faults.add(path.name, None, None, f"the file cannot be read: {error.strerror}", "a readable file")
    return None


def _header_holds(table: Table, header: Sequence[str], faults: Faults) -> bool:
    before = len(faults.found)
    if not any(header):
        faults.add(table.file, 1, None, "there is no header line", f"columns {', '.join(table.columns)}")
        return False
    for at, column in enumerate(header):
        if column not in table.columns:
            faults.add(table.file, 1, column, "unknown column", f"one of {', '.join(table.columns)}")
        elif column in header[:at]:
            faults.add(table.file, 1, column, "the column is there twice", "each column once")
    for column in table.columns:
        if column not in header and column not in table.defaults:
            faults.add(table.file, 1, column, "the column is missing", f"columns {', '.join(table.columns)}")
    return len(faults.found) == before


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str | int | Decimal | None]]) -> None:
    """Write a file; decimals plainly, without exponent or trailing zeros, None as an empty cell."""
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([plain(cell) for cell in row] for row in rows)


def plain(cell: str | int | Decimal | None) -> str:
    if isinstance(cell, Decimal):
        text = f"{cell:f}"
        return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
    return "" if cell is None else str(cell)
