"""Axes of the drawings that the server makes: from numbers to places on the paper, with round numbers marked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its place and what is written there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear axis from `low` at the place `start` to `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: Decimal | float) -> float:
        """Where a value lies, to a tenth."""
        part = (float(value) - self.low) / (self.high - self.low)
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self, say: Callable[[Decimal], str], count: int = 5) -> list[Tick]:
        """About `count` round numbers between the ends."""
        step = _step((self.high - self.low) / count)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        unit = Decimal(repr(step))
        return [Tick(self.place(at * step), say(at * unit)) for at in range(first, last + 1)]


def axis(values: Iterable[Decimal | float], *, start: float, end: float, from_zero: bool = False) -> Axis:
    """An axis that holds all values, with a little room at its ends; from zero, or only around them."""
    found = [float(value) for value in values] or [0.0, 1.0]
    low, high = (0.0, max(found)) if from_zero else (min(found), max(found))
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return Axis(low if from_zero else low - room, high + room, start, end)


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(one * power for one in STEPS if one * power >= rough * 0.999)
