"""The statement of a calendar year: what was scheduled, called, taken and supplied, and what follows by the terms.

Also where a year that is not over stands, period by period: that binds nobody, it shows what is coming.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from market.periods import Period

from .clauses import ScheduleLine
from .remedies import supply_or_pay
from .settlement_inputs import YearInputs, YearSupplied
from .take_or_pay import YearStatement, YearTaken, statements
from .wording import Text
from .working import Working, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class YearTold:
    """The last of the years: its take-or-pay account and its supply-or-pay payment, each with its working."""

    year: int
    taken: YearTaken
    supplied: YearSupplied
    take_or_pay: YearStatement | None
    supply_or_pay: Working | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodPosition:
    """Where a year stands at the end of one line of its schedule, in lots since the year began.

    `obligation` is what the buyer is to have taken by then if nothing else comes; `short` is what lacks of it,
    `beyond` what was taken over the whole schedule so far.
    """

    period: Period
    scheduled: int
    excused: int
    taken: int
    scheduled_so_far: int
    excused_so_far: int
    taken_so_far: int
    obligation: int
    short: int
    beyond: int
    step: Text


def year_told(inputs: YearInputs) -> YearTold:
    """The account of the last year of the inputs; there is at least one.

    :raises InvalidValue: the years do not follow each other, or a number of lots is negative.
    """
    taken, supplied = inputs.taken[-1], inputs.supplied[-1]
    buyer = None
    if inputs.take_or_pay is not None:
        buyer = statements(inputs.take_or_pay, inputs.lot, inputs.taken)[-1]
    seller = None
    if inputs.supply_or_pay is not None:
        seller = supply_or_pay(
            inputs.supply_or_pay,
            inputs.lot,
            firm=supplied.firm,
            excused=supplied.excused,
            delivered=supplied.delivered,
            price=supplied.price,
        )
    return YearTold(year=taken.year, taken=taken, supplied=supplied, take_or_pay=buyer, supply_or_pay=seller)


def positions(
    schedule: Sequence[ScheduleLine],
    share: Decimal,
    year: int,
    *,
    excused: Mapping[Period, int],
    taken: Mapping[Period, int],
) -> tuple[PeriodPosition, ...]:
    """Where a calendar year stands at the end of each line of its schedule; `share` is that of take-or-pay."""
    found: list[PeriodPosition] = []
    scheduled_so_far = excused_so_far = taken_so_far = 0
    for line in schedule:
        if line.period.first_day.year != year:
            continue
        lots, less, got = line.lots, excused.get(line.period, 0), taken.get(line.period, 0)
        scheduled_so_far, excused_so_far, taken_so_far = (
            scheduled_so_far + lots,
            excused_so_far + less,
            taken_so_far + got,
        )
        base = max(scheduled_so_far - excused_so_far, 0)
        obligation = math.ceil(Fraction(share) * base)
        short, beyond = max(obligation - taken_so_far, 0), max(taken_so_far - base, 0)
        sum_ = f"({scheduled_so_far:,} - {excused_so_far:,}) × {percent(share)} = {obligation:,}"
        found.append(
            PeriodPosition(
                period=line.period,
                scheduled=lots,
                excused=less,
                taken=got,
                scheduled_so_far=scheduled_so_far,
                excused_so_far=excused_so_far,
                taken_so_far=taken_so_far,
                obligation=obligation,
                short=short,
                beyond=beyond,
                step=Text(
                    f"截至 {line.period}：{sum_}，已提 {taken_so_far:,}，短提 {short:,}，超出 {beyond:,}",
                    f"to the end of {line.period}: {sum_}, taken {taken_so_far:,}, short {short:,}, beyond {beyond:,}",
                ),
            )
        )
    return tuple(found)
