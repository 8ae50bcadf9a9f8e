"""How hard a call-off is on a given day: the nomination calendar and its firm zones."""

from __future__ import annotations

import datetime as dt
import math
from enum import StrEnum
from fractions import Fraction

from market.errors import MarketError
from market.periods import Period

from .clauses import NominationCalendar
from .wording import Text


class Zone(StrEnum):
    """Where a day stands before a delivery period."""

    CLOSED = "closed"
    OPEN = "open"
    BINDING = "binding"
    FIRM = "firm"


class NominationRefused(MarketError):
    """A nomination or its revision comes too early, too late or is too large for the zone the day is in."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


def zone(calendar: NominationCalendar, period: Period, today: dt.date) -> Zone:
    """The zone of `today`: closed before forecasts are taken, open for nominations, binding, firm."""
    first = period.first_day
    month = Period.of(first, "month") + -calendar.forecast_months
    if today < month.first_day:
        return Zone.CLOSED
    if today <= first - dt.timedelta(days=calendar.nominate_days):
        return Zone.OPEN
    if today <= first - dt.timedelta(days=calendar.firm_days):
        return Zone.BINDING
    return Zone.FIRM


def firm_from(calendar: NominationCalendar, period: Period) -> dt.date:
    """The first day on which nominations of a period are firm."""
    return period.first_day - dt.timedelta(days=calendar.firm_days - 1)


def check_nomination(
    calendar: NominationCalendar, period: Period, today: dt.date, *, lots: int, nominated: int | None = None
) -> None:
    """Let a nomination of `lots` for a period pass, or refuse it.

    `nominated` is what stood at the nomination deadline when this revises it, None for a first nomination. In the
    binding zone a revision stays within the calendar's share of `nominated`, whole lots towards `nominated`.

    :raises NominationRefused: too early, too late, or too far from what was nominated.
    """
    now = zone(calendar, period, today)
    due = period.first_day - dt.timedelta(days=calendar.nominate_days)
    if now is Zone.OPEN:
        return
    if now is Zone.CLOSED:
        most = calendar.forecast_months
        raise NominationRefused(
            Text(
                f"{today} 为 {period} 提名过早，最多提前 {most} 个月",
                f"{period} on {today}; expected at most {most} months ahead",
            )
        )
    if now is Zone.FIRM:
        firm = firm_from(calendar, period)
        raise NominationRefused(
            Text(
                f"{period} 自 {firm} 起已锁定，{today} 不可再变更",
                f"{period} on {today}; firm since {firm}, expected no change any more",
            )
        )
    if nominated is None:
        raise NominationRefused(
            Text(f"{today} 提名 {period} 已过期限，最迟 {due}", f"{period} nominated on {today}; expected by {due}")
        )
    swing = Fraction(calendar.revision_share) * nominated
    least, most = math.ceil(nominated - swing), math.floor(nominated + swing)
    if not least <= lots <= most:
        raise NominationRefused(
            Text(
                f"{today} 为 {period} 提名 {lots} 批；约束期内应为 {least} 至 {most} 批",
                f"{lots} lots for {period} on {today}; expected {least} to {most} in the binding zone",
            )
        )
