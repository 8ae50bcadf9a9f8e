"""Published prices of a product over the periods of delivery, a line for each hub: drawn at the server, for everybody.

The mean over all regions of a grade is drawn bold with its name beside it. Single regions are thin and tell their name
when they are pointed at; the table under the drawing has the same numbers. A period without a price breaks a line:
nothing is said of it, so nothing is drawn through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.axes import Axis, Tick, axis
from app.web.formats import named, number, period_short, price
from app.web.formats import period as period_name
from app.web.hub_prices import Line, Table
from app.web.texts import _

LEFT, RIGHT, TOP, BOTTOM = 86.0, 720.0, 18.0, 212.0
NAME_GAP = 15.0  # from one name beside a line to the next, or they would lie on each other


@dataclass(frozen=True, slots=True)
class Mark:
    """One price: its place, and what is said of it."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class HubLine:
    """A hub's prices: the pieces of its line, its marks, and where its name stands if it has one beside it."""

    path: str
    marks: Sequence[Mark]
    is_mean: bool
    name: str
    name_at: float


@dataclass(frozen=True, slots=True)
class HubDrawing:
    """Places of everything in the drawing; means come last, so that they lie on top."""

    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    lines: Sequence[HubLine]


def hub_drawing(table: Table) -> HubDrawing:
    """The drawing of one product's published prices."""
    y = axis([cell.price for line in table.lines for cell in line.cells.values()], start=BOTTOM, end=TOP)
    x = axis(range(len(table.periods)), start=LEFT, end=RIGHT)
    places = {period: x.place(at) for at, period in enumerate(table.periods)}
    drawn = sorted(table.lines, key=lambda line: line.region is None)
    names = _spread({at: _end(line, y) for at, line in enumerate(drawn) if line.region is None})
    return HubDrawing(
        x_ticks=[Tick(place, period_short(period)) for period, place in places.items()],
        y_ticks=y.ticks(lambda value: number(value, 4), 4),
        lines=[_drawn(line, table, places, y, names.get(at, 0.0)) for at, line in enumerate(drawn)],
    )


def _drawn(line: Line, table: Table, places: dict[str, float], y: Axis, name_at: float) -> HubLine:
    name = f"{named(line.grade)} · {named(line.region) if line.region else _('all regions')}"
    marks: list[Mark] = []
    path, is_broken = "", True
    for period in table.periods:
        cell = line.cells.get(period)
        if cell is None:
            is_broken = True
            continue
        told = f"{name} · {period_name(period)} · {price(cell.price, table.product.unit)}"
        mark = Mark(places[period], y.place(cell.price), told)
        path += f"{'M' if is_broken else 'L'}{mark.x} {mark.y}"
        marks.append(mark)
        is_broken = False
    return HubLine(path, marks, line.region is None, named(line.grade), name_at)


def _end(line: Line, y: Axis) -> float:
    """The height at which a line ends."""
    return y.place(line.cells[max(line.cells)].price)


def _spread(heights: dict[int, float]) -> dict[int, float]:
    """Heights of names, from the top down, each far enough below the one before."""
    found: dict[int, float] = {}
    lowest = TOP - NAME_GAP
    for at, height in sorted(heights.items(), key=lambda one: one[1]):
        lowest = max(height, lowest + NAME_GAP)
        found[at] = round(lowest, 1)
    return found
