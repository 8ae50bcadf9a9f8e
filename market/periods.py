"""Delivery periods and windows.

A period is a calendar year ("2027"), quarter ("2027-Q1") or month ("2027-01"). A horizon is an unbroken run of
periods of one kind; a window is a run of consecutive periods inside it, written by its first and last period.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .errors import InvalidValue

MONTHS_OF_KIND = {"month": 1, "quarter": 3, "year": 12}
_PATTERN = re.compile(r"(?P<year>\d{4})(?:-(?:Q(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])))?\Z")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One delivery period: its first month (counted from year 0) and its length in months."""

    start: int
    months: int

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read "2027", "2027-Q1" or "2027-01".

        :raises InvalidValue: the text is none of these.
        """
        found = _PATTERN.match(text.strip())
        if not found:
            raise InvalidValue(f"{text!r} is not a period; expected a form such as 2027, 2027-Q1 or 2027-01")
        year = int(found["year"]) * 12
        if found["quarter"]:
            return cls(year + 3 * (int(found["quarter"]) - 1), 3)
        if found["month"]:
            return cls(year + int(found["month"]) - 1, 1)
        return cls(year, 12)

    @classmethod
    def of(cls, day: dt.date, kind: str) -> Period:
        """The period of `kind` ("month", "quarter", "year") that holds `day`."""
        months = MONTHS_OF_KIND[kind]
        month = day.year * 12 + day.month - 1
        return cls(month - month % months, months)

    @property
    def kind(self) -> str:
        return {months: kind for kind, months in MONTHS_OF_KIND.items()}[self.months]

    @property
    def first_day(self) -> dt.date:
        return dt.date(self.start // 12, self.start % 12 + 1, 1)

    @property
    def last_day(self) -> dt.date:
        return (self + 1).first_day - dt.timedelta(days=1)

    def __add__(self, steps: int) -> Period:
        return Period(self.start + steps * self.months, self.months)

    def __str__(self) -> str:
        year, month = divmod(self.start, 12)
        if self.months == 12:
            return f"{year:04d}"
        if self.months == 3:
            return f"{year:04d}-Q{month // 3 + 1}"
        return f"{year:04d}-{month + 1:02d}"


@dataclass(frozen=True, slots=True)
class Horizon:
    """`count` consecutive periods from `first` on; positions count from 0."""

    first: Period
    count: int

    @classmethod
    def parse(cls, labels: Sequence[str]) -> Horizon:
        """Read consecutive period labels.

        :raises InvalidValue: there are none, or a period is not the one after the period before it.
        """
        if not labels:
            raise InvalidValue("a horizon needs at least one period")
        first = Period.parse(labels[0])
        for position, label in enumerate(labels):
            if Period.parse(label) != first + position:
                raise InvalidValue(f"period {label!r} does not follow the one before it; expected {first + position}")
        return cls(first, len(labels))

    @property
    def last(self) -> Period:
        return self.first + (self.count - 1)

    def __iter__(self) -> Iterator[Period]:
        return (self.first + position for position in range(self.count))

    def __len__(self) -> int:
        return self.count

    def labels(self) -> list[str]:
        return [str(period) for period in self]

    def position(self, period: Period | str) -> int:
        """Where a period stands in the horizon.

        :raises InvalidValue: the period is of another kind or outside the horizon.
        """
        wanted = Period.parse(period) if isinstance(period, str) else period
        steps, rest = divmod(wanted.start - self.first.start, self.first.months)
        if wanted.months != self.first.months or rest or not 0 <= steps < self.count:
            raise InvalidValue(f"period {wanted} is outside the horizon {self.first} to {self.last}")
        return steps
