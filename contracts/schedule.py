"""Schedule lines, what was called against them, and how much more may be called.

Tolerance is cumulative: it belongs to the lots scheduled since the start, never to what happens to remain. So
splitting or reordering call-offs does not change the total that can be reached.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from market.errors import InvalidValue, MarketError
from market.periods import Period

from .clauses import ScheduleLine, Tolerance
from .wording import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """Lots of one call-off of a period, from nomination to invoice; each at most the one before it."""

    period: Period
    nominated: int
    confirmed: int = 0
    delivered: int = 0
    invoiced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a period (or the whole contract) stands, in lots; `remaining` is what of the original is not delivered."""

    original: int
    nominated: int
    confirmed: int
    delivered: int
    invoiced: int

    @property
    def remaining(self) -> int:
        return self.original - self.delivered


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The lots that may (`most`) and must (`least`) still be called in a period, and which limit holds `most`."""

    least: int
    most: int
    limit: Text


class CallOffRefused(MarketError):
    """More lots were called than the contract leaves; `room` says how many it leaves."""

    def __init__(self, period: Period, lots: int, room: Room) -> None:
        self.period, self.lots, self.room = period, lots, room
        self.text = Text(
            f"{period} 要求 {lots} 批；最多还可要求 {room.most} 批（{room.limit.zh}）",
            f"{lots} lots called for {period}; expected at most {room.most} ({room.limit.en})",
        )
        super().__init__(self.text.en)


def cumulative_limits(schedule: Sequence[ScheduleLine], tolerance: Tolerance) -> tuple[tuple[int, int], ...]:
    """Fewest and most lots called from the start to the end of each period: the sum so far and its tolerance.

    The least is rounded up and the most down, so that no share is passed by even one lot.
    """
    limits: list[tuple[int, int]] = []
    scheduled = 0
    for line in schedule:
        scheduled += line.lots
        least = math.ceil(scheduled * (1 - Fraction(tolerance.under)))
        most = math.floor(scheduled * (1 + Fraction(tolerance.over)))
        limits.append((least, most))
    return tuple(limits)


def room(schedule: Sequence[ScheduleLine], tolerance: Tolerance, called: Mapping[Period, int], period: Period) -> Room:
    """How many lots may still be called for `period`, given the lots `called` for each period so far.

    Lots called for later periods count: what is called now leaves their cumulative limits that much less.

    :raises InvalidValue: a period is not in the schedule, or a number of lots is negative.
    """
    at = _position(schedule, period)
    for other, lots in called.items():
        _position(schedule, other)
        if lots < 0:
            raise InvalidValue(f"{lots} lots called for {other}; expected 0 or more")
    limits = cumulative_limits(schedule, tolerance)
    line = schedule[at]
    taken = called.get(period, 0)
    most = line.maximum - taken
    limit = Text(f"{period} 最多 {line.maximum} 批", f"at most {line.maximum} lots in {period}")
    so_far = sum(called.get(earlier.period, 0) for earlier in schedule[:at])
    least = max(line.minimum - taken, limits[at][0] - so_far - taken, 0)
    for later, (_, most_so_far) in zip(schedule[at:], limits[at:], strict=True):
        so_far += called.get(later.period, 0)
        if most_so_far - so_far < most:
            most = most_so_far - so_far
            limit = Text(
                f"截至 {later.period} 累计最多 {most_so_far} 批",
                f"at most {most_so_far} lots in all by the end of {later.period}",
            )
    most = max(most, 0)
    return Room(least=min(least, most), most=most, limit=limit)


def check_call_off(
    schedule: Sequence[ScheduleLine],
    tolerance: Tolerance,
    called: Mapping[Period, int],
    *,
    period: Period,
    lots: int,
) -> None:
    """Let a call-off of `lots` more pass, or refuse it.

    :raises CallOffRefused: it is beyond the period's or a cumulative limit.
    :raises InvalidValue: less than one lot, or a period that is not in the schedule.
    """
    if lots < 1:
        raise InvalidValue(f"{lots} lots called for {period}; expected at least 1")
    left = room(schedule, tolerance, called, period)
    if lots > left.most:
        raise CallOffRefused(period, lots, left)


def standings(schedule: Sequence[ScheduleLine], call_offs: Iterable[Quantities]) -> dict[Period, Standing]:
    """Original, nominated, confirmed, delivered and invoiced lots of each period, in the order of periods.

    :raises InvalidValue: a call-off's period is not in the schedule, or it has more lots at one step than before it.
    """
    by_period: dict[Period, list[Quantities]] = {line.period: [] for line in schedule}
    for call_off in call_offs:
        _position(schedule, call_off.period)
        steps = (call_off.nominated, call_off.confirmed, call_off.delivered, call_off.invoiced, 0)
        if any(before < after for before, after in itertools.pairwise(steps)):
            raise InvalidValue(
                f"call-off of {call_off.period} with {steps[0]} lots nominated, {steps[1]} confirmed, {steps[2]} "
                f"delivered, {steps[3]} invoiced; expected no more at any step than at the one before"
            )
        by_period[call_off.period].append(call_off)
    return {
        line.period: Standing(
            original=line.lots,
            nominated=sum(call_off.nominated for call_off in by_period[line.period]),
            confirmed=sum(call_off.confirmed for call_off in by_period[line.period]),
            delivered=sum(call_off.delivered for call_off in by_period[line.period]),
            invoiced=sum(call_off.invoiced for call_off in by_period[line.period]),
        )
        for line in schedule
    }


def whole(standings_of_periods: Mapping[Period, Standing]) -> Standing:
    """The standing of the whole contract: the sum over its periods."""
    periods = standings_of_periods.values()
    return Standing(
        original=sum(one.original for one in periods),
        nominated=sum(one.nominated for one in periods),
        confirmed=sum(one.confirmed for one in periods),
        delivered=sum(one.delivered for one in periods),
        invoiced=sum(one.invoiced for one in periods),
    )


def _position(schedule: Sequence[ScheduleLine], period: Period) -> int:
    for at, line in enumerate(schedule):
        if line.period == period:
            return at
    window = f"{schedule[0].period} to {schedule[-1].period}" if schedule else "an empty schedule"
    raise InvalidValue(f"period {period} is not in the contract's schedule; expected one of {window}")
