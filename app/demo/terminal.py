"""Text for a terminal of 100 columns: cells that know how wide Chinese is, bars, numbers, folded paragraphs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from textwrap import wrap

WIDTH = 100
EIGHTHS = " ▏▎▍▌▋▊▉█"


def width(text: str) -> int:
    """Columns that a text takes: Chinese takes two for each character."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def cell(text: str, columns: int, *, right: bool = False) -> str:
    """The text in exactly so many columns, cut with an ellipsis where it is longer."""
    if width(text) > columns:
        while width(text) > columns - 1:
            text = text[:-1]
        text += "…"
    room = " " * (columns - width(text))
    return room + text if right else text + room


def bar(share: Decimal, columns: int) -> str:
    """A bar for a share of 0 to 1, exact to an eighth of a column."""
    full, rest = divmod(round(min(max(share, Decimal(0)), Decimal(1)) * columns * 8), 8)
    return cell("█" * full + (EIGHTHS[rest] if rest else ""), columns)


def number(value: Decimal | int, places: int = 0) -> str:
    """Thousands apart by a blank, so that neither comma nor point can be misread."""
    return f"{value:,.{places}f}".replace(",", " ")


def heading(text: str) -> str:
    return f"── {text} " + "─" * (WIDTH - width(text) - 4)


def paragraph(text: str, *, indent: int = 2) -> Iterator[str]:
    """The text folded to the width; a text of western letters."""
    yield from wrap(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent, break_on_hyphens=False)
