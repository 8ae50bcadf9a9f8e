"""The curves as one SVG picture: seconds and memory over lanes (one period) and over periods (one size)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from html import escape

from .cell import Cell
from .instances import Case, short

WIDTH, HEIGHT, MARGIN = 460, 300, 52
COLOURS = (  # one a method, and ours first
    *("#c0392b", "#2471a3", "#1e8449", "#b7950b", "#7d3c98", "#117a65"),
    *("#a04000", "#515a5a", "#d35400", "#2e4053", "#ff5fa2", "#5dade2"),
)
Points = dict[str, list[tuple[float, float]]]


def draw(cells: Sequence[Cell], cases: Mapping[str, Case]) -> str:
    """SVG with four panels, both axes logarithmic; a method keeps its colour."""
    solved = [cell for cell in cells if not cell.failed]
    methods = list(dict.fromkeys(cell.method for cell in solved))
    colour = {method: COLOURS[at % len(COLOURS)] for at, method in enumerate(methods)}
    panels = []
    sizes = [c for c in solved if cases[c.case].periods == 1 and not cases[c.case].conversions]
    spans = [c for c in solved if cases[c.case].windows == "ladder" and not cases[c.case].conversions]
    for row, (some, across, label) in enumerate(
        ((sizes, _lanes, "lanes, one period"), (spans, _volume(cases), "lanes x periods, ladder of windows"))
    ):
        for column, (value, unit) in enumerate(((_seconds, "seconds"), (_memory, "MB"))):
            points = _points(some, across, value)
            panels.append(_panel(points, colour, (column * WIDTH, row * HEIGHT), f"{unit} over {label}"))
    legend = "".join(
        f'<text x="{12 + at % 4 * 225}" y="{2 * HEIGHT + 20 + at // 4 * 18}" fill="{colour[method]}">'
        f"&#9632; {escape(method)}</text>"
        for at, method in enumerate(methods)
    )
    tall = 2 * HEIGHT + 30 + (len(methods) + 3) // 4 * 18
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {tall}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="#fff"/>{"".join(panels)}{legend}</svg>\n'
    )


def _seconds(cell: Cell) -> float:
    return max(cell.total, 1e-3)


def _memory(cell: Cell) -> float:
    return max(cell.memory, 1.0)


def _lanes(cell: Cell) -> float:
    return float(cell.lanes)


def _volume(cases: Mapping[str, Case]) -> Callable[[Cell], float]:
    def across(cell: Cell) -> float:
        return float(cell.lanes * cases[cell.case].periods)

    return across


def _points(cells: Sequence[Cell], across: Callable[[Cell], float], value: Callable[[Cell], float]) -> Points:
    points: Points = defaultdict(list)
    for cell in cells:
        points[cell.method].append((across(cell), value(cell)))
    return {method: sorted(found) for method, found in points.items()}


def _panel(points: Points, colour: Mapping[str, str], corner: tuple[int, int], title: str) -> str:
    left, top = corner
    every = [point for found in points.values() for point in found]
    if not every:
        return ""
    low_x, high_x = _decades([x for x, _ in every])
    low_y, high_y = _decades([y for _, y in every])

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low_x) / (high_x - low_x)
        up = (math.log10(y) - low_y) / (high_y - low_y)
        return left + MARGIN + across * (WIDTH - MARGIN - 20), top + HEIGHT - 44 - up * (HEIGHT - 74)

    drawn = [f'<text x="{left + MARGIN}" y="{top + 18}">{escape(title)}</text>']
    for power in range(low_x, high_x + 1):
        x, y = place(10.0**power, 10.0**low_y)
        drawn.append(f'<text x="{x:.0f}" y="{y + 18:.0f}" text-anchor="middle">{short(10**power)}</text>')
    for power in range(low_y, high_y + 1):
        x, y = place(10.0**low_x, 10.0**power)
        end, _ = place(10.0**high_x, 10.0**power)
        drawn.append(f'<path d="M{x:.0f} {y:.0f}H{end:.0f}" stroke="#ddd"/>')
        drawn.append(f'<text x="{x - 6:.0f}" y="{y + 4:.0f}" text-anchor="end">{10.0**power:g}</text>')
    for method, found in points.items():
        spots = [place(x, y) for x, y in found]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour[method]}" stroke-width="1.5"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour[method]}"/>' for x, y in spots]
    return "".join(drawn)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low = math.floor(math.log10(min(values)))
    return low, max(low + 1, math.ceil(math.log10(max(values))))
