"""Map of the lanes of a run: regions where they lie, lines as wide as what moves along them, the largest by number."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.db import session
from app.models import Product, Region
from app.operations import lane_map, runs
from app.operations.lane_map import RegionLane
from app.permissions import Permission
from app.web.curves import chosen_product, products_of
from app.web.formats import named, quantity
from app.web.lane_places import Box, Point, circle, free_place, labels_of, places_of

blueprint = Blueprint("lane_map", __name__, url_prefix="/console")
MOST_LINES = 60
NUMBERED = 8  # of the largest lanes, told beside the map
WIDEST = 16.0
BEND = 0.16  # of the length of a line, so that there and back are two
NUMBER_SIZE = 19.0
ALONG = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74)  # parts of a line where its number may stand


@dataclass(frozen=True, slots=True)
class Place:
    """A region on the map; the radius tells what stays within it. Its name stands where `anchor` says."""

    region: Region
    x: float
    y: float
    radius: float
    text: str
    label: Point
    anchor: str


@dataclass(frozen=True, slots=True)
class Line:
    """What moves from one region to another: a bent line and the head of its arrow; a large lane has a number."""

    path: str
    head: str
    width: float
    text: str
    number: int | None


@dataclass(frozen=True, slots=True)
class Number:
    """The number of a large lane, on its line or in the circle of the region that it does not leave."""

    number: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Sample:
    """How wide a line of so much is, for the legend."""

    width: float
    text: str


@dataclass(frozen=True, slots=True)
class MapDrawing:
    """Places and lines; the small lanes are drawn first, the numbered ones over them. `others` only show the land."""

    places: Sequence[Place]
    lines: Sequence[Line]
    numbers: Sequence[Number]
    others: Sequence[tuple[Region, Point]]
    samples: Sequence[Sample]
    frame: Box
    height: float


@blueprint.get("/runs/<uuid:run_id>/lanes")
@requires(Permission.REVIEW_READ)
def show(run_id: uuid.UUID) -> ResponseReturnValue:
    """What a run moves of a product from region to region."""
    run = runs.get_run(session(), principal=principal(), run_id=run_id)
    traded = lane_map.traded_products(session(), run_id=run_id)
    products = {code: one for code, one in products_of(run).items() if code in traded}
    product, lanes = chosen_product(products, traded), []
    if product is not None:
        lanes = lane_map.region_lanes(session(), principal=principal(), run_id=run_id, product=product.code)
    return render_template(
        "run_lanes.html",
        run=run,
        round=run.round,
        products=products,
        product=product,
        lanes=lanes,
        total=sum((lane.units for lane in lanes), Decimal(0)),
        largest=lanes[:NUMBERED],
        drawing=drawing_of(lanes, product, lane_map.regions_of_china(session())) if product and lanes else None,
    )


def drawing_of(lanes: Sequence[RegionLane], product: Product, land: Sequence[Region] = ()) -> MapDrawing:
    """The drawing of the largest lanes, at most 60, with every region that has one, and what else lies between."""
    shown = lanes[:MOST_LINES]
    regions = {one.code: one for lane in shown for one in (lane.origin, lane.destination)}
    layout = places_of(list(regions.values()))
    within = {lane.origin.code: lane.units for lane in shown if lane.origin.code == lane.destination.code}
    most = max(lane.units for lane in shown)
    radius = {code: round(4.5 + 12 * math.sqrt(float(within.get(code, Decimal(0)) / most)), 1) for code in regions}
    bends = [_bent(lane, layout.points, float(lane.units / most), radius[lane.destination.code]) for lane in shown]
    taken = [circle(layout.points[code], radius[code]) for code in regions]
    numbers = [_number(at, bend, taken) for at, bend in enumerate(bends[:NUMBERED], 1)]
    boxes = [circle((one.x, one.y), NUMBER_SIZE / 2) for one in numbers]
    labels = labels_of(layout.points, radius, {code: named(one) for code, one in regions.items()}, boxes)
    places = [
        Place(
            region=regions[code],
            x=x,
            y=y,
            radius=radius[code],
            text=named(regions[code]) + (f": {quantity(within[code], product.unit)}" if code in within else ""),
            label=labels[code][0],
            anchor=labels[code][1],
        )
        for code, (x, y) in sorted(layout.points.items())
    ]
    lines = [
        Line(
            path=bend.path,
            head=bend.head,
            width=bend.width,
            text=f"{named(lane.origin)} → {named(lane.destination)}: {quantity(lane.units, product.unit)}",
            number=at if at <= NUMBERED else None,
        )
        for at, (lane, bend) in enumerate(zip(shown, bends, strict=True), 1)
        if lane.origin.code != lane.destination.code
    ]
    return MapDrawing(
        places=places,
        lines=lines[::-1],
        numbers=numbers,
        others=layout.within(land),
        samples=samples_of(most, product),
        frame=layout.frame,
        height=layout.height,
    )


def samples_of(most: Decimal, product: Product) -> list[Sample]:
    """Three round volumes, and how wide their lines are."""
    rounds = dict.fromkeys(_round_down(most / part) for part in (1, 5, 25))
    return [Sample(_width(float(one / most)), quantity(one, product.unit)) for one in rounds]


def _round_down(units: Decimal) -> Decimal:
    """The next smaller of 1, 2, 5, 10, 20 ..."""
    power = Decimal(10) ** units.adjusted()
    return next(step * power for step in (5, 2, 1) if step * power <= units)


def _width(part: float) -> float:
    return round(max(1.2, WIDEST * math.sqrt(part)), 1)


@dataclass(frozen=True, slots=True)
class _Bend:
    """A line from `start` by `by` to `tip`, and its arrow; a lane within a region has both ends there."""

    start: Point
    by: Point
    tip: Point
    head: str
    width: float

    @property
    def path(self) -> str:
        (x1, y1), (x2, y2), (x3, y3) = self.start, self.by, self.tip
        return f"M{x1:.1f} {y1:.1f}Q{x2:.1f} {y2:.1f} {x3:.1f} {y3:.1f}"

    def at(self, part: float) -> Point:
        """The point on the line after a part of its way."""
        first, second, third = (1 - part) ** 2, 2 * part * (1 - part), part**2
        x, y = (first * a + second * b + third * c for a, b, c in zip(self.start, self.by, self.tip, strict=True))
        return round(x, 1), round(y, 1)


def _bent(lane: RegionLane, points: Mapping[str, Point], part: float, radius: float) -> _Bend:
    start, end = points[lane.origin.code], points[lane.destination.code]
    (x1, y1), (x2, y2) = start, end
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    # To the right of the way, so that goods that go there and back have a line each.
    bend_x, bend_y = (x1 + x2) / 2 - (y2 - y1) * BEND, (y1 + y2) / 2 + (x2 - x1) * BEND
    width = _width(part)
    lead_x, lead_y = x2 - bend_x, y2 - bend_y
    norm = math.hypot(lead_x, lead_y) or 1.0
    size = 3.5 + width / 2.2
    back = min(radius + size, length / 2) if lane.origin.code != lane.destination.code else 0.0
    tip_x, tip_y = x2 - lead_x / norm * back, y2 - lead_y / norm * back
    head = _head(tip_x, tip_y, lead_x / norm, lead_y / norm, size)
    return _Bend(start, (bend_x, bend_y), (tip_x, tip_y), head, width)


def _number(number: int, bend: _Bend, taken: list[Box]) -> Number:
    """On the line where there is room for it; in the circle of a region that the lane does not leave."""
    if bend.start == bend.tip:
        return Number(number, *bend.start)
    return Number(number, *free_place([bend.at(part) for part in ALONG], NUMBER_SIZE, taken))


def _head(x: float, y: float, along: float, across: float, size: float) -> str:
    """A triangle with its tip ahead of a point, in the direction (along, across)."""
    tip = x + along * size, y + across * size
    left = x - across * size * 0.8, y + along * size * 0.8
    right = x + across * size * 0.8, y - along * size * 0.8
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in (tip, left, right))
