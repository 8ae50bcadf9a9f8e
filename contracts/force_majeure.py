"""Force majeure in figures: who gets what is left, which lots are excused, how far the term is extended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from market.errors import InvalidValue
from market.periods import Period

from .clauses import ForceMajeure

Claimant = TypeVar("Claimant", bound=Hashable)


def pro_rata(available: int, committed: Mapping[Claimant, int]) -> dict[Claimant, int]:
    """Share the lots left among contracts in the ratio of what each was promised.

    Whole lots; those left over by rounding go to the largest remainders. Contracts with equal remainders are treated
    alike: where the last lots do not suffice for all of them, none gets one and the lots stay unshared. No contract
    gets more than it was promised.

    :raises InvalidValue: a negative number of lots.
    """
    if available < 0 or any(lots < 0 for lots in committed.values()):
        raise InvalidValue("a negative number of lots to share; expected 0 or more everywhere")
    promised = sum(committed.values())
    if available >= promised:
        return dict(committed)
    exact = {one: Fraction(available * lots, promised) for one, lots in committed.items()}
    shares = {one: share.numerator // share.denominator for one, share in exact.items()}
    left = available - sum(shares.values())
    for remainder in sorted({share % 1 for share in exact.values()} - {Fraction(0)}, reverse=True):
        equals = [one for one, share in exact.items() if share % 1 == remainder]
        if len(equals) > left:
            break
        left -= len(equals)
        for one in equals:
            shares[one] += 1
    return shares


def days_lost(period: Period, began: dt.date, ended: dt.date) -> int:
    """The days of a period that fall into the event, both its days included."""
    return max((min(period.last_day, ended) - max(period.first_day, began)).days + 1, 0)


def excused_lots(lots: int, period: Period, began: dt.date, ended: dt.date, affected: Decimal = Decimal(1)) -> int:
    """The lots of a period that nobody owes: pro rata of the days lost and the share affected, half-even."""
    length = (period.last_day - period.first_day).days + 1
    return round(lots * Fraction(days_lost(period, began, ended), length) * Fraction(affected))


def extended(rule: ForceMajeure, long_stop: dt.date, began: dt.date, ended: dt.date) -> dt.date:
    """The long-stop day after an event: later by the days lost, at most the longest extension."""
    days = (ended - began).days + 1
    if days < 1:
        raise InvalidValue(f"an event from {began} to {ended}; expected its end not before its beginning")
    return long_stop + dt.timedelta(days=min(days, rule.longest_extension_days))


def exit_day(rule: ForceMajeure, began: dt.date) -> dt.date:
    """The first day on which either side may terminate an event that has not ended."""
    return began + dt.timedelta(days=rule.exit_days)


def notice_in_time(rule: ForceMajeure, began: dt.date, told: dt.date) -> bool:
    """Whether notice was given within the days the contract allows."""
    return (told - began).days <= rule.notice_days


def counts_from(rule: ForceMajeure, began: dt.date, told: dt.date) -> dt.date:
    """The day from which a notice excuses: the beginning, or for a late notice the first day it would have been in time
    for. Nobody gains by keeping silent."""
    return began if notice_in_time(rule, began, told) else told - dt.timedelta(days=rule.notice_days)


def extension_days(rule: ForceMajeure, events: Iterable[tuple[dt.date, dt.date]]) -> int:
    """By how many days all events together put off the long-stop day.

    Events are first and last days, both counted. A day that two events share is lost once; the sum is held by the
    longest extension.

    :raises InvalidValue: an event ends before it began.
    """
    lost = 0
    covered: dt.date | None = None
    for began, ended in sorted(events):
        if ended < began:
            raise InvalidValue(f"an event from {began} to {ended}; expected its end not before its beginning")
        start = began if covered is None else max(began, covered + dt.timedelta(days=1))
        lost += max((ended - start).days + 1, 0)
        covered = ended if covered is None else max(covered, ended)
    return min(lost, rule.longest_extension_days)
