"""Reads one cell as what its column expects: numbers typed as text, full-width digits, separators of thousands."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from zoneinfo import ZoneInfo

from app.models import PeriodKind
from app.operations.offer_file import Cell

EXCHANGE_TIME = ZoneInfo("Asia/Shanghai")
_NUMBER = re.compile(r"-?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
YES_OR_NO = {"是": True, "是 yes": True, "yes": True, "y": True, "true": True, "1": True} | {
    "否": False,
    "否 no": False,
    "no": False,
    "n": False,
    "false": False,
    "0": False,
}


class CellFault(Exception):
    """A cell is not what its column expects: `code` and `params` as in `offer_faults`."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = {name: str(value) for name, value in params.items()}


def text(cell: Cell) -> str:
    """A cell as text: full-width forms made plain, blanks at the ends gone, control characters left out."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time(0) else cell.isoformat(sep=" ")
    plain = unicodedata.normalize("NFKC", str(cell))
    return "".join(letter for letter in plain if letter == "\n" or unicodedata.category(letter)[0] != "C").strip()


def number(cell: Cell) -> Decimal:
    """:raises CellFault: it is no number; a separator of thousands may stand only before three digits."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        # Fifteen digits are what a spreadsheet shows; what lies behind them comes from binary fractions.
        return Decimal(format(cell, ".15g"))
    if not isinstance(cell, str) or not _NUMBER.fullmatch(plain := text(cell).replace("，", ",")):
        raise CellFault("number")
    return Decimal(plain.replace(",", ""))


def share(cell: Cell) -> Decimal:
    """0.4 or 40 %.

    :raises CellFault: it is no number.
    """
    plain = text(cell)
    if plain.endswith("%"):
        return number(plain[:-1].rstrip()) / 100
    return number(cell)


def whole_number(cell: Cell) -> int:
    """:raises CellFault: it is no whole number."""
    try:
        found = number(cell)
    except CellFault:
        raise CellFault("whole_number") from None
    if found != found.to_integral_value() or abs(found) > 10**6:
        raise CellFault("whole_number")
    return int(found)


def yes_or_no(cell: Cell) -> bool:
    """:raises CellFault: it is neither."""
    found = YES_OR_NO.get(text(cell).lower())
    if found is None:
        raise CellFault("yes_or_no")
    return found


def end_of_day(cell: Cell) -> dt.datetime:
    """The end of a day in the exchange's time, from a date cell or a text such as 2026-12-31.

    A bare number is refused: without its format nobody knows whether 46387 is a day.

    :raises CellFault: it is no date.
    """
    if isinstance(cell, dt.datetime):
        day = cell.date()
    elif isinstance(cell, dt.date):
        day = cell
    elif isinstance(cell, str) and (found := _DATE.fullmatch(text(cell))):
        try:
            day = dt.date(*(int(part) for part in found.groups()))
        except ValueError:
            raise CellFault("date") from None
    else:
        raise CellFault("date")
    if not 2000 <= day.year <= 9000:
        raise CellFault("date")
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(0), tzinfo=EXCHANGE_TIME)


def period_label(cell: Cell, kind: PeriodKind) -> str:
    """A period as it is written; a spreadsheet makes a date of 2027-01 and a number of 2027."""
    if isinstance(cell, dt.date) and cell.day == 1 and kind is PeriodKind.MONTH:
        return f"{cell.year:04d}-{cell.month:02d}"
    return text(cell).upper().replace(" ", "")


def one_of(cell: Cell, known: Mapping[str, str], *, choices: str) -> str:
    """The code that the cell names, by code or by name, in either language.

    :raises CellFault: it names none.
    """
    found = known.get(text(cell).lower())
    if found is None:
        raise CellFault("choice", choices=choices)
    return found


def parts(cell: Cell) -> list[str]:
    """The entries of a list in one cell; semicolons and line ends part them, in Chinese writing too."""
    return [part.strip() for part in re.split(r"[;；\n]", text(cell)) if part.strip()]


def pairs(cell: Cell, *, example: str, read: Callable[[str], Decimal] = number) -> dict[str, Decimal]:
    """A list such as "assay_percent=99.5; moisture_percent=0.25".

    :raises CellFault: an entry has no value, a value is no number, or a name comes twice.
    """
    found: dict[str, Decimal] = {}
    for part in parts(cell):
        name, sign, value = part.partition("=")
        try:
            amount = read(value.strip())
        except CellFault:
            raise CellFault("pairs", example=example) from None
        if not sign or not name.strip() or name.strip() in found:
            raise CellFault("pairs", example=example)
        found[name.strip()] = amount
    return found
