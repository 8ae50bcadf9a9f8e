"""The drawing of a contract's schedule against what was called and delivered, period by period and in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.operations.quantities import ContractStanding, PeriodStanding
from app.web.axes import Axis, Tick, axis
from app.web.formats import number, period, period_short, quantity
from app.web.texts import _

LEFT, RIGHT, TOP, BOTTOM = 86.0, 880.0, 18.0, 240.0
WIDEST = 90.0
# The bars of one period lie in each other: the wider one behind. Parts of the period's place.
SCHEDULED, CALLED, DELIVERED = 0.72, 0.5, 0.28
MOST_NAMES = 12


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from the ground up."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One period: its three bars, and what they say in words."""

    scheduled: Bar
    called: Bar
    delivered: Bar
    text: str


@dataclass(frozen=True, slots=True)
class ScheduleChart:
    """All periods on one scale, with the axes; places in a sheet of 900 by 280."""

    columns: Sequence[Column]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]


def schedule_chart(standing: ContractStanding) -> ScheduleChart:
    """The schedule of a contract, in units of the product."""
    size, lines = standing.lot.size, standing.periods
    tallest = max((max(one.own.original, one.own.nominated, one.own.delivered) for one in lines), default=0)
    y = axis([tallest * size], start=BOTTOM, end=TOP, from_zero=True)
    room = (RIGHT - LEFT) / max(len(lines), 1)
    middles = [round(LEFT + room * (at + 0.5), 1) for at in range(len(lines))]
    every = -(-len(lines) // MOST_NAMES)
    return ScheduleChart(
        columns=[
            _column(line, middle, min(room, WIDEST), y, standing) for line, middle in zip(lines, middles, strict=True)
        ],
        x_ticks=[
            Tick(middle, period_short(str(line.period)))
            for at, (line, middle) in enumerate(zip(lines, middles, strict=True))
            if at % every == 0
        ],
        y_ticks=y.ticks(number),
    )


def _column(line: PeriodStanding, middle: float, room: float, y: Axis, standing: ContractStanding) -> Column:
    size, unit = standing.lot.size, standing.lot.unit

    def bar(lots: int, part: float) -> Bar:
        top, width = y.place(lots * size), round(room * part, 1)
        return Bar(round(middle - width / 2, 1), top, width, round(BOTTOM - top, 1))

    def told(lots: int) -> str:
        return quantity(Decimal(lots) * size, unit)

    own = line.own
    return Column(
        bar(own.original, SCHEDULED),
        bar(own.nominated, CALLED),
        bar(own.delivered, DELIVERED),
        _(
            "%(period)s: scheduled %(scheduled)s, called %(called)s, delivered %(delivered)s",
            period=period(str(line.period)),
            scheduled=told(own.original),
            called=told(own.nominated),
            delivered=told(own.delivered),
        ),
    )
