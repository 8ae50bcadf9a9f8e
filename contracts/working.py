"""Exact arithmetic with its working: fractions all the way, one rounding at the end, each step in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from .wording import Text

Exact = Fraction | Decimal | int


@dataclass(frozen=True, slots=True)
class Working:
    """An amount of money or a price, rounded to 0.01, and the steps that led to it."""

    value: Decimal
    steps: tuple[Text, ...]

    def told(self, language: str) -> str:
        """The steps as lines in one language."""
        return "\n".join(step.in_language(language) for step in self.steps)


def cents(value: Exact) -> Decimal:
    """The value rounded half-even to 0.01, with exactly two places, whatever the decimal context."""
    whole = round(Fraction(value) * 100)
    return Decimal((int(whole < 0), tuple(int(digit) for digit in str(abs(whole))), -2))


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum of amounts in cents, whatever the decimal context."""
    return cents(sum(map(Fraction, amounts), Fraction(0)))


def shown(value: Exact, places: int = 6) -> str:
    """A number for people: at most `places` decimals, no idle zeros, thousands apart by a comma."""
    scaled = round(Fraction(value) * 10**places)
    whole, rest = divmod(abs(scaled), 10**places)
    decimals = f".{rest:0{places}d}".rstrip("0").rstrip(".")
    return f"{'-' if scaled < 0 else ''}{whole:,}{decimals}"


def percent(share: Exact) -> str:
    """A share as per cent: 0.13 is "13 %"."""
    return f"{shown(Fraction(share) * 100)} %"
