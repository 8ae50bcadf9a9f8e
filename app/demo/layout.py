"""Where the nodes and links of a chain stand: columns from left to right, heights in proportion to value.

A link that passes columns runs through a lane of its own there, shared with the links of the same hub to or from the
same column, so that it crosses no node.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from app.demo.chain import HUBS, Chain, Link, Node

LEAST_HEIGHT = 1.5
SWEEPS = 60


@dataclass(slots=True)
class Box:
    """A node, or a lane through a column; `order` is its place in the column."""

    column: int
    order: tuple[float, ...]
    value: float
    node: Node | None = None
    y: float = 0.0
    height: float = 0.0
    left: list[Strand] = field(default_factory=list)
    right: list[Strand] = field(default_factory=list)

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


@dataclass(slots=True)
class Strand:
    """The part of a link between two boxes of neighbouring columns; `y0` and `y1` are its upper ends."""

    link: Link
    source: Box
    target: Box
    height: float = 0.0
    y0: float = 0.0
    y1: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Boxes by node key, and for each link its strands from left to right."""

    boxes: Mapping[str, Box]
    routes: Sequence[tuple[Link, Sequence[Strand]]]


def lay_out(chain: Chain, *, height: float, gap: float) -> Layout:
    """Place a chain in `height`, with `gap` between the boxes of a column; the origin is the upper end."""
    boxes = {
        node.key: Box(column=node.column, order=node.order, value=float(node.value), node=node) for node in chain.nodes
    }
    lanes: dict[tuple[str, int, int], Box] = {}
    routes = [(link, _route(link, boxes, lanes)) for link in chain.links]
    columns: dict[int, list[Box]] = defaultdict(list)
    for box in [*boxes.values(), *lanes.values()]:
        columns[box.column].append(box)
    scale = min(
        ((height - gap * (len(column) - 1)) / sum(box.value for box in column) for column in columns.values()),
        default=0.0,
    )
    for column in columns.values():
        for box in column:
            box.height = max(box.value * scale, LEAST_HEIGHT if box.node else 0.0)
    for _, strands in routes:
        for strand in strands:
            strand.height = float(strand.link.value) * scale
    _place(columns, height, gap)
    _attach(boxes.values(), lanes.values())
    return Layout(boxes=boxes, routes=routes)


def _route(link: Link, boxes: Mapping[str, Box], lanes: dict[tuple[str, int, int], Box]) -> list[Strand]:
    source, target = boxes[link.source.key], boxes[link.target.key]
    stops = [source]
    hub, far = (source, target) if link.source.key in HUBS else (target, source)
    for column in range(source.column + 1, target.column):
        key = (link.product, far.column, column)
        if key not in lanes:
            # Among the hubs by the product's own place, among firms above all of them.
            assert hub.node is not None  # noqa: S101 - boxes of keys have nodes
            order = hub.order if column % 2 else (-1.0, *hub.order)
            lanes[key] = Box(column=column, order=order, value=0.0)
        lanes[key].value += float(link.value)
        stops.append(lanes[key])
    stops.append(target)
    strands = []
    for left, right in pairwise(stops):
        strand = Strand(link, left, right)
        left.right.append(strand)
        right.left.append(strand)
        strands.append(strand)
    return strands


def _place(columns: Mapping[int, list[Box]], height: float, gap: float) -> None:
    """Stack each column in its order, then pull boxes towards what they are linked with, keeping order and gaps."""
    for column in columns.values():
        column.sort(key=lambda box: box.order)
        _settle(column, [height / 2] * len(column), height, gap)
    for sweep in range(SWEEPS):
        for _, column in sorted(columns.items(), reverse=bool(sweep % 2)):
            _settle(column, [_pull(box) for box in column], height, gap)


def _pull(box: Box) -> float:
    """The mean middle of what the box is linked with, by value."""
    ends = [(strand.height, strand.source.middle) for strand in box.left]
    ends += [(strand.height, strand.target.middle) for strand in box.right]
    return sum(part * middle for part, middle in ends) / sum(part for part, _ in ends)


def _settle(column: Sequence[Box], middles: Sequence[float], height: float, gap: float) -> None:
    """Put the boxes as near to the wanted middles as order and gaps admit (least squares, weighted by height).

    Boxes that would overlap become one block at their mean; a block grows until it is clear of the one above.
    """
    ends = accumulate((box.height + gap for box in column), initial=0.0)
    blocks: list[list[float]] = []  # wanted upper end without the boxes above, weight, count
    offsets = []
    for box, middle, offset in zip(column, middles, ends, strict=False):
        offsets.append(offset)
        blocks.append([middle - box.height / 2 - offset, box.height, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (upper, weight, count), (lower, more, others) = blocks[-2:]
            blocks[-2:] = [[(upper * weight + lower * more) / (weight + more), weight + more, count + others]]
    room = height - (offsets[-1] + column[-1].height)
    wanted = [place for place, _, count in blocks for _ in range(int(count))]
    for box, place, offset in zip(column, wanted, offsets, strict=True):
        box.y = min(max(place, 0.0), room) + offset


def _attach(*groups: Iterable[Box]) -> None:
    """Stack the strands along both sides of each box, in the order of their other ends."""
    for boxes in groups:
        for box in boxes:
            box.left.sort(key=lambda strand: (strand.source.middle, strand.link.source.order, strand.link.product))
            box.right.sort(key=lambda strand: (strand.target.middle, strand.link.target.order, strand.link.product))
            y = box.y + (box.height - sum(strand.height for strand in box.left)) / 2
            for strand in box.left:
                strand.y1, y = y, y + strand.height
            y = box.y + (box.height - sum(strand.height for strand in box.right)) / 2
            for strand in box.right:
                strand.y0, y = y, y + strand.height
