"""The index of the demo: the real fixings of the tables, told again two years later under a code of its own.

The tables hold daily closes of one month only. In every other month each day of publication stands at the month's real
mean, so that the mean a contract is priced by is the real one to the last digit. Days beyond the real number of days of
publication are told as days without, at the month's beginning, where the holidays are.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from sqlalchemy.orm import Session

from app.models import FixingKind, MarketIndex, Unit
from app.operations.fixings import FixingRow
from app.operations.reference_data import put
from market.periods import Period
from reference.prices import INDEX
from reference.tables import Tables

CODE = "GFEX-LC-REPLAY"
MONTHS_LATER = 24
SATURDAY = 5
DAYS = re.compile(r"mean of (\d+) days")


@dataclass(frozen=True, slots=True, kw_only=True)
class RealMonth:
    """A month of the real index as quoted (CNY/t, tax inside): its mean, its days, its closes where the tables have
    them."""

    month: Period
    mean: Decimal
    days: int
    closes: tuple[Decimal, ...] = ()


def real_months(tables: Tables) -> Mapping[Period, RealMonth]:
    """The months of the index in the tables."""
    closes: dict[Period, list[Decimal]] = {}
    rows = sorted((row for row in tables.prices if row.series == INDEX), key=lambda row: row.date)
    for row in rows:
        if row.kind == "close":
            closes.setdefault(Period.of(dt.date.fromisoformat(row.date), "month"), []).append(row.price)
    found = {}
    for row in rows:
        if row.kind == "monthly_mean" and (told := DAYS.search(row.source)):
            month, days = Period.of(dt.date.fromisoformat(row.date), "month"), int(told[1])
            daily = tuple(closes.get(month, ()))
            found[month] = RealMonth(month=month, mean=row.price, days=days, closes=daily if len(daily) == days else ())
    return found


def mean_without_tax(tables: Tables, months: int) -> Decimal:
    """The mean of the last months' means, tax excluded, CNY/t: what the index was of late.

    :raises LookupError: the tables hold fewer months.
    """
    latest = [one.mean for _, one in sorted(real_months(tables).items())][-months:]
    if len(latest) < months:
        raise LookupError(f"{len(latest)} months of {INDEX}; expected {months}")
    mean = sum(latest, Decimal(0)) / len(latest) / (1 + tables.assumption("vat"))
    return mean.quantize(Decimal(1), ROUND_HALF_EVEN)


def put_index(session: Session) -> None:
    """Make the index, which says in its name what it is."""
    put(
        session,
        MarketIndex,
        key={"code": CODE},
        values={
            "product_code": "lithium_carbonate",
            "name_zh": "广期所碳酸锂（演示：真实报价推后两年重放）",
            "name_en": "GFEX lithium carbonate (demonstration: real fixings told again two years later)",
            "unit": Unit.TONNE,
            "source": f"{INDEX}, {MONTHS_LATER} months later; demonstration",
        },
    )


def fixings(tables: Tables, *, first: Period, last: Period) -> Iterator[FixingRow]:
    """What is told of every weekday of the months from `first` to `last`.

    :raises KeyError: the tables lack the real month behind one of them.
    """
    real, tax = real_months(tables), tables.assumption("vat")
    month = first
    while month <= last:
        yield from _month(real[month + -MONTHS_LATER], month, tax)
        month = month + 1


def _month(real: RealMonth, month: Period, tax: Decimal) -> Iterator[FixingRow]:
    weekdays = [day for day in _days(month) if day.weekday() < SATURDAY]
    closed = max(len(weekdays) - real.days, 0)
    values = real.closes or (real.mean,) * real.days
    kind = "closes" if real.closes else f"mean of {real.days} days"
    for day in weekdays[:closed]:
        yield _row(day, None, tax, f"no publication: {INDEX} had {real.days} days in {real.month}")
    for day, value in zip(weekdays[closed:], values, strict=False):
        yield _row(day, value, tax, f"{INDEX} of {real.month}, {kind}, told again {MONTHS_LATER} months later")


def _row(day: dt.date, value: Decimal | None, tax: Decimal, source: str) -> FixingRow:
    kind = FixingKind.CLOSED if value is None else FixingKind.PUBLISHED
    return FixingRow(index=CODE, day=day, kind=kind, value=value, quoted_tax=tax, source=source, reason=None)


def _days(month: Period) -> list[dt.date]:
    length = (month.last_day - month.first_day).days + 1
    return [month.first_day + dt.timedelta(days=at) for at in range(length)]
