"""Where regions, their names and numbers stand on the map of lanes.

Places within East Asia lie by their degrees on a plain cylindrical projection, in a frame that just holds them; those
outside stand at the edge they lie beyond. No coast and no border is drawn.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.models import Region

WEST, EAST, SOUTH, NORTH = 73.0, 136.5, 17.0, 54.5  # degrees that the frame may hold
WIDTH, MARGIN = 900.0, 14.0
STRIP = 96.0  # beside or below the frame, for regions beyond it
ROOM = 46.0  # between the frame and the places in it, for circles and names
LEAST_DEGREES = 12.0
LOWEST, HIGHEST = 250.0, 520.0  # heights of the frame

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Projection:
    """From degrees to places: `scale` points for a degree of latitude, `shrink` of that for one of longitude."""

    lon: float
    lat: float
    shrink: float
    scale: float
    middle: Point

    def place(self, region: Region) -> Point:
        return (
            round(self.middle[0] + (float(region.lon) - self.lon) * self.shrink * self.scale, 1),
            round(self.middle[1] - (float(region.lat) - self.lat) * self.scale, 1),
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """The frame, the whole drawing's height, and where each region stands."""

    frame: Box
    height: float
    points: Mapping[str, Point]
    projection: Projection

    def within(self, regions: Sequence[Region]) -> list[tuple[Region, Point]]:
        """Which of other regions lie in the frame, and where."""
        left, top, right, bottom = self.frame
        placed = [(one, self.projection.place(one)) for one in regions if one.code not in self.points]
        return [(one, (x, y)) for one, (x, y) in placed if left + 8 < x < right - 8 and top + 8 < y < bottom - 8]


def places_of(regions: Sequence[Region]) -> Layout:
    """Inside the frame by their degrees, as large as it allows; outside in order along an edge."""
    beyond: dict[str, list[Region]] = defaultdict(list)
    for one in regions:
        beyond[edge_of(one) or "inside"].append(one)
    inside = beyond.pop("inside", [])
    left = MARGIN + (STRIP if "west" in beyond else 0)
    right = WIDTH - MARGIN - (STRIP if "east" in beyond else 0)
    projection, tall = _fitted(inside, left, right)
    frame = left, MARGIN, right, round(MARGIN + tall, 1)
    points = {one.code: projection.place(one) for one in inside}
    for edge, group in beyond.items():
        level = edge == "south"
        group.sort(key=lambda one: (float(one.lon) if level else -float(one.lat), one.code))
        begin, length = (left, right - left) if level else (MARGIN, tall)
        for at, one in enumerate(group):
            along = round(begin + length * (at + 0.5) / len(group), 1)
            edges = {"west": (left - STRIP / 2, along), "east": (right + STRIP / 2, along)}
            points[one.code] = (along, round(frame[3] + 40, 1)) if level else edges[edge]
    return Layout(frame, frame[3] + (STRIP if "south" in beyond else MARGIN), points, projection)


def _fitted(regions: Sequence[Region], left: float, right: float) -> tuple[Projection, float]:
    """The projection that puts these regions into the middle, and how high the frame is then."""
    east = [float(one.lon) for one in regions] or [(WEST + EAST) / 2]
    north = [float(one.lat) for one in regions] or [(SOUTH + NORTH) / 2]
    lon, lat = (min(east) + max(east)) / 2, (min(north) + max(north)) / 2
    shrink = math.cos(math.radians(lat))  # a degree of longitude is that much shorter
    across, up = (max(east) - min(east)) * shrink, max(north) - min(north)
    scale = min(
        (right - left - 2 * ROOM) / max(across, LEAST_DEGREES), (HIGHEST - 2 * ROOM) / max(up, LEAST_DEGREES / 2)
    )
    tall = max(LOWEST, up * scale + 2 * ROOM)
    return Projection(lon, lat, shrink, scale, ((left + right) / 2, MARGIN + tall / 2)), tall


def edge_of(region: Region) -> str | None:
    """The edge that a region lies beyond; America lies east, as ships from there come over the Pacific."""
    lon, lat = float(region.lon), float(region.lat)
    if WEST <= lon <= EAST:
        return None if SOUTH <= lat <= NORTH else "south"
    return "west" if -30 <= lon < WEST else "east"


def free_place(tries: Sequence[Point], size: float, taken: list[Box]) -> Point:
    """The first of the places where a square of that size covers least of what is taken; it is taken then, too."""
    boxes = [(x - size / 2, y - size / 2, x + size / 2, y + size / 2) for x, y in tries]
    free = [sum(_overlap(box, other) for other in taken) for box in boxes]
    best = free.index(min(free))
    taken.append(boxes[best])
    return tries[best]


def labels_of(
    points: Mapping[str, Point], radius: Mapping[str, float], names: Mapping[str, str], taken: Sequence[Box] = ()
) -> dict[str, tuple[Point, str]]:
    """For each region where its name begins, is centred or ends: around its circle, where nothing stands yet."""
    occupied = [*taken, *(circle(points[code], radius[code]) for code in points)]
    found = {}
    for code, (x, y) in sorted(points.items(), key=lambda one: (one[1][1], one[0])):
        width = sum(12.6 if ord(letter) > 0x2E7F else 6.9 for letter in names[code])
        gap = radius[code] + 4
        near = gap * 0.75
        tries = (
            ((x, y - gap - 1), "middle", x - width / 2),
            ((x + gap, y + 4), "start", x + gap),
            ((x - gap, y + 4), "end", x - gap - width),
            ((x, y + gap + 10), "middle", x - width / 2),
            ((x + near, y - near), "start", x + near),
            ((x - near, y - near), "end", x - near - width),
            ((x + near, y + near + 8), "start", x + near),
            ((x - near, y + near + 8), "end", x - near - width),
        )
        boxes = [(left, at[1] - 10, left + width, at[1] + 2) for at, _anchor, left in tries]
        free = [sum(_overlap(box, other) for other in occupied) + _beyond(box) for box in boxes]
        best = free.index(min(free))
        occupied.append(boxes[best])
        found[code] = tries[best][0], tries[best][1]
    return {code: ((round(at[0], 1), round(at[1], 1)), anchor) for code, (at, anchor) in found.items()}


def circle(point: Point, radius: float) -> Box:
    """The box around a circle."""
    return point[0] - radius, point[1] - radius, point[0] + radius, point[1] + radius


def _beyond(box: Box) -> float:
    """How much a box sticks out of the drawing at its sides; counted so that it never pays."""
    return 1000 * (max(0.0, 2 - box[0]) + max(0.0, box[2] - WIDTH + 2))


def _overlap(one: Box, other: Box) -> float:
    """The area that two boxes share."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0.0) * max(down, 0.0)
