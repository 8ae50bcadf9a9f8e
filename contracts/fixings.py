"""Published fixings of market indices, and their mean over a quotation period with the rule for missing days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from market.errors import MarketError
from market.periods import Period

from .wording import Text
from .working import shown

SATURDAY = 5


class QuotationPeriod(StrEnum):
    """The days whose fixings are averaged, told from the month of delivery M."""

    MONTH_OF_DELIVERY = "month_of_delivery"
    MONTH_BEFORE = "month_before"
    TWO_MONTHS_BEFORE = "two_months_before"
    QUARTER_BEFORE = "quarter_before"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFailure:
    """What happens on a publication day without a fixing.

    The last fixing before it stands in if it is at most `carry_days` calendar days old; then the fixing of
    `substitute` on that day times `substitute_factor`; then staff determine it.
    """

    carry_days: int
    substitute: str | None
    substitute_factor: Decimal


class IndexMissing(MarketError):
    """Fixings of `index` are missing on `days` and the contract's rule finds no stand-in: staff must determine them."""

    def __init__(self, index: str, days: tuple[dt.date, ...]) -> None:
        self.index, self.days = index, days
        listed = ", ".join(map(str, days[:5])) + (f" and {len(days) - 5} more" if len(days) > 5 else "")
        super().__init__(f"index {index!r} has no fixing on {listed}; expected a fixing or staff's determination")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixings:
    """What is known of indices, each as quoted: money per unit of the index by day.

    `determined` holds what staff set where the rule had no stand-in. `holidays` are weekdays without publication of any
    index, `closed` those of one.
    """

    published: Mapping[str, Mapping[dt.date, Decimal]] = field(default_factory=dict)
    determined: Mapping[str, Mapping[dt.date, Decimal]] = field(default_factory=dict)
    holidays: frozenset[dt.date] = frozenset()
    closed: Mapping[str, frozenset[dt.date]] = field(default_factory=dict)


NO_FIXINGS = Fixings()


@dataclass(frozen=True, slots=True)
class IndexMean:
    """The exact mean of an index as quoted, and how it came about."""

    value: Fraction
    steps: tuple[Text, ...]


def quotation_days(quotation: QuotationPeriod, month: Period) -> tuple[dt.date, dt.date]:
    """First and last day of the quotation period of a delivery month."""
    match quotation:
        case QuotationPeriod.MONTH_OF_DELIVERY:
            quoted = month
        case QuotationPeriod.MONTH_BEFORE:
            quoted = month + -1
        case QuotationPeriod.TWO_MONTHS_BEFORE:
            quoted = month + -2
        case QuotationPeriod.QUARTER_BEFORE:
            quoted = Period.of(month.first_day, "quarter") + -1
    return quoted.first_day, quoted.last_day


def index_mean(index: str, failure: IndexFailure, fixings: Fixings, *, first: dt.date, last: dt.date) -> IndexMean:
    """Mean of an index over the days of a quotation period, stand-ins included.

    The days are those from `first` to `last` on which a fixing was published, and those weekdays that are no holiday.

    :raises IndexMissing: the rule leaves at least one day without a value.
    """
    published = fixings.published.get(index, {})
    off = fixings.holidays | fixings.closed.get(index, frozenset())
    values: list[Fraction] = []
    stand_ins: list[Text] = []
    missing: list[dt.date] = []
    for day in _days(first, last):
        if day in published:
            values.append(Fraction(published[day]))
        elif day.weekday() < SATURDAY and day not in off:
            found = _stand_in(index, failure, fixings, day)
            if found is None:
                missing.append(day)
            else:
                values.append(found[0])
                stand_ins.append(found[1])
    if missing or not values:
        raise IndexMissing(index, tuple(missing) or (first,))
    mean = sum(values, Fraction(0)) / len(values)
    step = Text(
        f"{index} 自 {first} 至 {last} 共 {len(values)} 个报价的均值 = {shown(mean)}",
        f"mean of {len(values)} fixings of {index} from {first} to {last} = {shown(mean)}",
    )
    return IndexMean(mean, (*stand_ins, step))


def mean_so_far(index: str, fixings: Fixings, *, first: dt.date, last: dt.date, on: dt.date) -> IndexMean:
    """Estimate of an index on a day, for provisional invoices while its quotation period is not over or has gaps.

    The mean of the fixings from `first` to `last` that are there by `on`; before the first of them, the last fixing
    published earlier.

    :raises IndexMissing: nothing was published by then.
    """
    published = fixings.published.get(index, {})
    known = {day: value for day, value in published.items() if day <= min(on, last)}
    inside = [Fraction(value) for day, value in known.items() if day >= first]
    if inside:
        mean, count = sum(inside, Fraction(0)) / len(inside), len(inside)
        told = Text(
            f"估算：{index} 自 {first} 起截至 {on} 已有 {count} 个报价，均值 = {shown(mean)}",
            f"estimate: mean of the {count} fixings of {index} from {first} known on {on} = {shown(mean)}",
        )
        return IndexMean(mean, (told,))
    if not known:
        raise IndexMissing(index, (first,))
    latest = max(known)
    value = Fraction(known[latest])
    told = Text(
        f"估算：{index} 计价期尚无报价，取 {latest} 的 {shown(value)}",
        f"estimate: no fixing of {index} in its quotation period yet, that of {latest} counts, {shown(value)}",
    )
    return IndexMean(value, (told,))


def _days(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(days=step) for step in range((last - first).days + 1)]


def _stand_in(index: str, failure: IndexFailure, fixings: Fixings, day: dt.date) -> tuple[Fraction, Text] | None:
    """The value that stands in for a missing fixing, by the contract's rule in its order."""
    published = fixings.published.get(index, {})
    for age in range(1, failure.carry_days + 1):
        before = day - dt.timedelta(days=age)
        if before in published:
            return Fraction(published[before]), Text(
                f"{day} 无报价，沿用 {before} 的 {shown(published[before])}",
                f"no fixing on {day}: that of {before} stands in, {shown(published[before])}",
            )
    substitute = fixings.published.get(failure.substitute, {}) if failure.substitute else {}
    if day in substitute:
        value = Fraction(substitute[day]) * Fraction(failure.substitute_factor)
        return value, Text(
            f"{day} 无报价，以 {failure.substitute} 的 {shown(substitute[day])}"
            f" × {shown(failure.substitute_factor)} 替代",
            f"no fixing on {day}: {failure.substitute} stands in, "
            f"{shown(substitute[day])} × {shown(failure.substitute_factor)}",
        )
    determined = fixings.determined.get(index, {})
    if day in determined:
        return Fraction(determined[day]), Text(
            f"{day} 无报价，平台核定为 {shown(determined[day])}",
            f"no fixing on {day}: staff determined {shown(determined[day])}",
        )
    return None
