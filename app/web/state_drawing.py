"""A drawing of one subject's states and moves, laid out from the state table: going on above, ends below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.state import STATES, Subject, Transition

WIDTH, HEIGHT = 124.0, 40.0
GAP = 44.0
MARGIN = 18.0
LIFT = 22.0  # how much higher an arc goes for each box it passes over
HEAD = 7.0
NARROWEST = 860.0
DEPTH = 150.0  # from the boxes of states that go on to those of ends


@dataclass(frozen=True, slots=True)
class Box:
    """One state at its place, in the drawing's own units."""

    name: str
    x: float
    y: float
    is_end: bool
    reserves: bool

    @property
    def middle(self) -> float:
        return self.x + WIDTH / 2


@dataclass(frozen=True, slots=True)
class Arrow:
    """All moves from one state to another: their numbers in the table, the line, its head, where the numbers stand."""

    numbers: tuple[int, ...]
    path: str
    head: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes and arrows, and the size of the sheet they are on."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def draw(subject: Subject, rows: Sequence[Transition]) -> Drawing:
    """Lay out the states of a subject; the moves bear the numbers of `rows`, from 1 on."""
    left = {row.from_state for row in rows}
    pairs: dict[tuple[str | None, str], list[int]] = {}
    for number, row in enumerate(rows, start=1):
        if row.from_state != row.to_state:
            pairs.setdefault((row.from_state, row.to_state), []).append(number)
    going = [state for state in STATES[subject] if state.name in left]
    ends = [state for state in STATES[subject] if state.name not in left]
    position = {state.name: at for at, state in enumerate(going)}
    spans = [abs(position[to] - position[from_]) for from_, to in pairs if from_ in position and to in position]
    top = MARGIN + 40 + LIFT * max(spans, default=1)
    boxes = {
        state.name: Box(state.name, MARGIN + at * (WIDTH + GAP), top, is_end=False, reserves=state.reserves)
        for at, state in enumerate(going)
    }
    for name, x in _places_of_ends([state.name for state in ends], pairs, boxes).items():
        reserves = next(state.reserves for state in ends if state.name == name)
        boxes[name] = Box(name, x, top + HEIGHT + DEPTH, is_end=True, reserves=reserves)
    width = max(NARROWEST, *(box.x + WIDTH + MARGIN for box in boxes.values()))
    arrows = [_arrow(tuple(numbers), boxes, position, *pair) for pair, numbers in pairs.items()]
    return Drawing(width, top + 2 * HEIGHT + DEPTH + MARGIN, tuple(boxes.values()), tuple(arrows))


def _places_of_ends(
    ends: Sequence[str], pairs: Mapping[tuple[str | None, str], list[int]], boxes: Mapping[str, Box]
) -> dict[str, float]:
    """Each end under the middle of the states it is reached from, pushed apart from left to right."""
    wanted = {}
    for end in ends:
        above = [boxes[from_].x for from_, to in pairs if to == end and from_ is not None and from_ in boxes]
        wanted[end] = sum(above) / len(above) if above else MARGIN
    places: dict[str, float] = {}
    after = MARGIN
    for end in sorted(ends, key=lambda name: (wanted[name], ends.index(name))):
        places[end] = max(wanted[end], after)
        after = places[end] + WIDTH + GAP / 2
    return places


def _arrow(
    numbers: tuple[int, ...],
    boxes: Mapping[str, Box],
    position: Mapping[str, int],
    from_: str | None,
    to: str,
) -> Arrow:
    target = boxes[to]
    if from_ is None:
        x = target.x + 14
        return _line(numbers, (x, target.y - 30), (x, target.y))
    source = boxes[from_]
    if target.is_end:
        return _down(numbers, source, target)
    if position[to] == position[from_] + 1:
        y = source.y + HEIGHT / 2
        return _line(numbers, (source.x + WIDTH, y), (target.x, y))
    return _over(numbers, source, target, abs(position[to] - position[from_]))


def _line(numbers: tuple[int, ...], start: tuple[float, float], end: tuple[float, float]) -> Arrow:
    (x1, y1), (x2, y2) = start, end
    flat = y1 == y2
    path = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
    where = ((x1 + x2) / 2 - 3, y1 - 6) if flat else (x1 + 12, y1 + 12)
    return Arrow(numbers, path, _head(x2, y2, "right" if flat else "down"), *where)


def _down(numbers: tuple[int, ...], source: Box, target: Box) -> Arrow:
    """From the lower edge of one box to the upper edge of another; nearer to the target's side that it comes from."""
    lean = max(-1.0, min(1.0, (target.middle - source.middle) / (4 * WIDTH)))
    x1, y1 = source.middle + lean * WIDTH * 0.4, source.y + HEIGHT
    x2, y2 = target.middle - lean * WIDTH * 0.4, target.y
    path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + 0.6 * DEPTH:.1f} {x2:.1f} {y2 - 0.6 * DEPTH:.1f} {x2:.1f} {y2:.1f}"
    x, y = _on_curve((x1, y1), (x1, y1 + 0.6 * DEPTH), (x2, y2 - 0.6 * DEPTH), (x2, y2), 0.28)
    return Arrow(numbers, path, _head(x2, y2, "down"), x, y)


def _over(numbers: tuple[int, ...], source: Box, target: Box, span: int) -> Arrow:
    """An arc above the boxes; the way back runs inside the way there."""
    forward = target.x > source.x
    x1, x2 = source.middle - 18, target.middle + 18
    y, rise = source.y, 14 + LIFT * span + (26 if forward else 0)
    path = f"M{x1:.1f} {y:.1f}C{x1:.1f} {y - rise:.1f} {x2:.1f} {y - rise:.1f} {x2:.1f} {y:.1f}"
    return Arrow(numbers, path, _head(x2, y, "down"), (x1 + x2) / 2, y - 0.75 * rise - 4)


def _on_curve(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float], at: float
) -> tuple[float, float]:
    rest = 1 - at
    weights = (rest**3, 3 * rest**2 * at, 3 * rest * at**2, at**3)
    points = (a, b, c, d)
    return (
        sum(weight * point[0] for weight, point in zip(weights, points, strict=True)),
        sum(weight * point[1] for weight, point in zip(weights, points, strict=True)),
    )


def _head(x: float, y: float, way: str) -> str:
    """The three points of an arrow's head whose tip is at a point."""
    half = HEAD / 2
    if way == "right":
        return f"{x:.1f},{y:.1f} {x - HEAD:.1f},{y - half:.1f} {x - HEAD:.1f},{y + half:.1f}"
    return f"{x:.1f},{y:.1f} {x - half:.1f},{y - HEAD:.1f} {x + half:.1f},{y - HEAD:.1f}"
