"""What a printed contract is made of: numbered sections of bilingual paragraphs and tables, and words for values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from market.periods import Period

from .fixings import NO_FIXINGS, Fixings
from .terms import Terms
from .wording import Text
from .working import shown

NOT_STATED = Text("未载明", "not stated")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The delivery month of the printed price example and the fixings it is computed from.

    `assumed` says that no market published these fixings: they only show the arithmetic.
    """

    month: Period
    fixings: Fixings = NO_FIXINGS
    assumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a printed contract says besides its terms: its day, names of codes in words, fixings for the example.

    Without an example of its own, a formula's is computed from assumed fixings.
    """

    dated: dt.date
    names: Mapping[str, Text] = field(default_factory=dict)
    example: Example | None = None

    def name(self, code: str) -> Text:
        """The name of a product, grade, attribute or index; the code itself where nobody told a name."""
        return self.names.get(code, Text(code, code))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table over the full width: column heads, rows of cells, the columns' shares of the width.

    A cell is one text for both languages or a text in each. The columns named in `figures` are set to the right.
    """

    head: tuple[Text, ...]
    rows: tuple[tuple[str | Text, ...], ...]
    widths: tuple[int, ...]
    figures: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One numbered section."""

    title: Text
    parts: tuple[Text | Grid, ...]


def joined(*parts: Text) -> Text:
    """Sentences one after the other: Chinese without, English with a space between."""
    return Text("".join(part.zh for part in parts), " ".join(part.en for part in parts))


def day(date: dt.date) -> Text:
    """A day in words that no reader takes for another: "2027年3月1日", "1 March 2027"."""
    return Text(f"{date.year}年{date.month}月{date.day}日", f"{date.day} {_MONTHS[date.month - 1]} {date.year}")


def units(lots: int, terms: Terms) -> str:
    """The quantity of a number of lots in the product's unit."""
    return f"{shown(lots * terms.lot.size)} {terms.lot.unit}"


def money(amount: Decimal, terms: Terms) -> str:
    """An amount with its currency."""
    return f"{shown(amount)} {terms.payment.currency}"


def per_unit(amount: Decimal, terms: Terms) -> str:
    """A price per unit of the product."""
    return f"{shown(amount)} {terms.payment.currency}/{terms.lot.unit}"


def listed(names: tuple[str, ...], nothing: Text) -> Text:
    """Names one after the other, or what stands where there is none."""
    return Text("、".join(names), ", ".join(names)) if names else nothing
