"""The index of the demo: the real fixings of the tables, told again two years later under a code of its own.

The n-th close of a real month is told on its n-th day of publication two years later. Weekdays beyond the real number
of days are told as days without, at the month's beginning, where the holidays are: every month has the mean it had.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping
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


def real_months(tables: Tables) -> Mapping[Period, tuple[Decimal, ...]]:
    """The closes of each month of the index as quoted (CNY/t, tax inside), day by day."""
    closes: dict[Period, list[Decimal]] = defaultdict(list)
    for row in sorted((row for row in tables.prices if row.series == INDEX), key=lambda row: row.date):
        if row.kind == "close":
            closes[Period.of(dt.date.fromisoformat(row.date), "month")].append(row.price)
    return {month: tuple(daily) for month, daily in closes.items()}


def mean_without_tax(tables: Tables, months: int) -> Decimal:
    """The mean of the last months' means, tax excluded, CNY/t: what the index was of late.

    :raises LookupError: the tables hold fewer months.
    """
    means = {row.date: row.price for row in tables.prices if row.series == INDEX and row.kind == "monthly_mean"}
    latest = [mean for _, mean in sorted(means.items())][-months:]
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
        yield from _month(real[month + -MONTHS_LATER], month + -MONTHS_LATER, month, tax)
        month = month + 1


def _month(closes: tuple[Decimal, ...], real: Period, month: Period, tax: Decimal) -> Iterator[FixingRow]:
    weekdays = [day for day in _days(month) if day.weekday() < SATURDAY]
    closed = max(len(weekdays) - len(closes), 0)
    for day in weekdays[:closed]:
        yield _row(day, None, tax, f"no publication: {INDEX} had {len(closes)} days in {real}")
    for at, (day, value) in enumerate(zip(weekdays[closed:], closes, strict=True), start=1):
        yield _row(day, value, tax, f"{INDEX} of {real}, close of day {at}, told again {MONTHS_LATER} months later")


def _row(day: dt.date, value: Decimal | None, tax: Decimal, source: str) -> FixingRow:
    kind = FixingKind.CLOSED if value is None else FixingKind.PUBLISHED
    return FixingRow(index=CODE, day=day, kind=kind, value=value, quoted_tax=tax, source=source, reason=None)


def _days(month: Period) -> list[dt.date]:
    length = (month.last_day - month.first_day).days + 1
    return [month.first_day + dt.timedelta(days=at) for at in range(length)]
