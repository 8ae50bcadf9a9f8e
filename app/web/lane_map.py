"""Map of the lanes of a run: regions where they lie, lines as wide as what moves along them.

Places within East Asia lie by their degrees on a plain cylindrical projection, in a frame that just holds them; those
outside stand at the edge they lie beyond. No coast and no border is drawn.
"""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
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

blueprint = Blueprint("lane_map", __name__, url_prefix="/console")
WEST, EAST, SOUTH, NORTH = 73.0, 136.5, 17.0, 54.5  # degrees that the frame may hold
LEFT, RIGHT, TOP = 130.0, 770.0, 44.0
WEST_EDGE, EAST_EDGE = 56.0, 842.0
LEAST_DEGREES = 12.0
LOWEST, HIGHEST = 260.0, 460.0  # heights of the frame
MOST_LINES = 60
WIDEST = 16.0
BEND = 0.16  # of the length of a line, so that there and back are two


@dataclass(frozen=True, slots=True)
class Place:
    """A region on the map; the radius tells what stays within it. Its name stands where `anchor` says."""

    region: Region
    x: float
    y: float
    radius: float
    text: str
    label: tuple[float, float]
    anchor: str


@dataclass(frozen=True, slots=True)
class Line:
    """What moves from one region to another: a bent line and the head of its arrow."""

    path: str
    head: str
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class MapDrawing:
    """Places and lines; the widest lines are drawn first."""

    places: Sequence[Place]
    lines: Sequence[Line]
    frame: float
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
        drawing=drawing_of(lanes, product) if product is not None and lanes else None,
    )


def drawing_of(lanes: Sequence[RegionLane], product: Product) -> MapDrawing:
    """The drawing of the widest lanes, at most 60, with every region that has one."""
    shown = lanes[:MOST_LINES]
    regions = {one.code: one for lane in shown for one in (lane.origin, lane.destination)}
    points, height = places_of(list(regions.values()))
    within = {lane.origin.code: lane.units for lane in shown if lane.origin.code == lane.destination.code}
    widest = max(lane.units for lane in shown)
    radius = {code: round(4.5 + 12 * math.sqrt(float(within.get(code, Decimal(0)) / widest)), 1) for code in regions}
    lines = [
        _line(lane, points, float(lane.units / widest), radius[lane.destination.code], product)
        for lane in shown
        if lane.origin.code != lane.destination.code
    ]
    labels = labels_of(points, radius, {code: named(one) for code, one in regions.items()})
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
        for code, (x, y) in sorted(points.items())
    ]
    return MapDrawing(
        places=places,
        lines=lines,
        frame=round(height, 1),
        height=height + (170 if any(_edge_of(one) == "south" for one in regions.values()) else 110),
    )


def places_of(regions: Sequence[Region]) -> tuple[Mapping[str, tuple[float, float]], float]:
    """Where regions stand, and how high the frame is: inside by their degrees, outside in order along an edge."""
    beyond: dict[str, list[Region]] = defaultdict(list)
    for one in regions:
        beyond[_edge_of(one) or "inside"].append(one)
    found, height = _inside(beyond.pop("inside", []))
    for edge, group in beyond.items():
        level = edge == "south"
        group.sort(key=lambda one: (float(one.lon) if level else -float(one.lat), one.code))
        begin, length = (LEFT, RIGHT - LEFT) if level else (TOP, height)
        for at, one in enumerate(group):
            along = round(begin + length * (at + 0.5) / len(group), 1)
            edges = {"west": (WEST_EDGE, along), "east": (EAST_EDGE, along), "south": (along, TOP + height + 52)}
            found[one.code] = edges[edge]
    return found, height


def _inside(regions: Sequence[Region]) -> tuple[dict[str, tuple[float, float]], float]:
    """Places by degrees, as large as the frame allows, in its middle; and the height that takes."""
    if not regions:
        return {}, LOWEST
    east = [float(one.lon) for one in regions]
    north = [float(one.lat) for one in regions]
    lon, lat = (min(east) + max(east)) / 2, (min(north) + max(north)) / 2
    shrink = math.cos(math.radians(lat))  # a degree of longitude is that much shorter
    across, up = (max(east) - min(east)) * shrink, max(north) - min(north)
    scale = min((RIGHT - LEFT - 60) / max(across, LEAST_DEGREES), (HIGHEST - 60) / max(up, LEAST_DEGREES))
    height = max(LOWEST, up * scale + 60)
    middle_x, middle_y = (LEFT + RIGHT) / 2, TOP + height / 2
    return {
        one.code: (
            round(middle_x + (float(one.lon) - lon) * shrink * scale, 1),
            round(middle_y - (float(one.lat) - lat) * scale, 1),
        )
        for one in regions
    }, height


def labels_of(
    points: Mapping[str, tuple[float, float]], radius: Mapping[str, float], names: Mapping[str, str]
) -> dict[str, tuple[tuple[float, float], str]]:
    """For each region where its name begins, is centred or ends: above, beside or below, where nothing stands yet."""
    taken = [
        (x - radius[code], y - radius[code], x + radius[code], y + radius[code]) for code, (x, y) in points.items()
    ]
    found = {}
    for code, (x, y) in sorted(points.items(), key=lambda one: (one[1][1], one[0])):
        width = sum(12.0 if ord(letter) > 0x2E7F else 6.6 for letter in names[code])
        gap = radius[code] + 5
        tries = (
            ((x, y - gap), "middle", x - width / 2),
            ((x + gap, y + 4), "start", x + gap),
            ((x - gap, y + 4), "end", x - gap - width),
            ((x, y + gap + 10), "middle", x - width / 2),
        )
        boxes = [(left, at[1] - 10, left + width, at[1] + 2) for at, _anchor, left in tries]
        free = [sum(_overlap(box, other) for other in taken) for box in boxes]
        best = free.index(min(free))
        taken.append(boxes[best])
        found[code] = tries[best][0], tries[best][1]
    return {code: ((round(at[0], 1), round(at[1], 1)), anchor) for code, (at, anchor) in found.items()}


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """The area that two boxes (left, top, right, bottom) share."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0.0) * max(down, 0.0)


def _edge_of(region: Region) -> str | None:
    """The edge that a region lies beyond; America lies east, as ships from there come over the Pacific."""
    lon, lat = float(region.lon), float(region.lat)
    if WEST <= lon <= EAST:
        return None if SOUTH <= lat <= NORTH else "south"
    return "west" if -30 <= lon < WEST else "east"


def _line(
    lane: RegionLane, points: Mapping[str, tuple[float, float]], part: float, radius: float, product: Product
) -> Line:
    (x1, y1), (x2, y2) = points[lane.origin.code], points[lane.destination.code]
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    # To the right of the way, so that goods that go there and back have a line each.
    bend_x, bend_y = (x1 + x2) / 2 - (y2 - y1) * BEND, (y1 + y2) / 2 + (x2 - x1) * BEND
    width = max(1.2, WIDEST * math.sqrt(part))
    lead_x, lead_y = x2 - bend_x, y2 - bend_y
    norm = math.hypot(lead_x, lead_y) or 1.0
    size = 3.5 + width / 2.2
    back = min(radius + size, length / 2)
    tip_x, tip_y = x2 - lead_x / norm * back, y2 - lead_y / norm * back
    return Line(
        path=f"M{x1:.1f} {y1:.1f}Q{bend_x:.1f} {bend_y:.1f} {tip_x:.1f} {tip_y:.1f}",
        head=_head(tip_x, tip_y, lead_x / norm, lead_y / norm, size),
        width=round(width, 1),
        text=f"{named(lane.origin)} → {named(lane.destination)}: {quantity(lane.units, product.unit)}",
    )


def _head(x: float, y: float, along: float, across: float, size: float) -> str:
    """A triangle with its tip ahead of a point, in the direction (along, across)."""
    tip = x + along * size, y + across * size
    left = x - across * size * 0.8, y + along * size * 0.8
    right = x + across * size * 0.8, y - along * size * 0.8
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in (tip, left, right))
