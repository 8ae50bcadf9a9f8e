"""A bundle as a small drawing: firms as boxes, contracts between them as arrows, around the proposal that is read."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from flask import Flask

from app.models import Firm, Product
from app.operations.review_sheet import ReviewLine
from app.web.formats import money_short, named

MOST_FIRMS = 14
BOX_WIDTH, BOX_HEIGHT, GAP, COLUMN = 168.0, 40.0, 14.0, 268.0


@dataclass(frozen=True, slots=True)
class FirmBox:
    """A firm; `party` if it is one of the proposal's own."""

    text: str
    x: float
    y: float
    party: bool


@dataclass(frozen=True, slots=True)
class Contracts:
    """What one firm sells to another in the bundle: an arrow, as wide as its value, and what is said of it."""

    path: str
    head: str
    width: float
    text: str
    here: bool


@dataclass(frozen=True, slots=True)
class BundleDrawing:
    """`left_out` firms of the bundle are not drawn."""

    boxes: Sequence[FirmBox]
    arrows: Sequence[Contracts]
    width: float
    height: float
    left_out: int


@dataclass(slots=True)
class _Trade:
    """All proposals of a bundle between two firms."""

    value: Decimal = Decimal(0)
    products: dict[str, Product] = field(default_factory=dict)


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(bundle_drawing=bundle_drawing)


def bundle_drawing(line: ReviewLine, others: Iterable[ReviewLine]) -> BundleDrawing:
    """The firms nearest to a proposal in its bundle by the largest contracts, sellers left of their buyers."""
    firms: dict[uuid.UUID, Firm] = {}
    trades: dict[tuple[uuid.UUID, uuid.UUID], _Trade] = defaultdict(_Trade)
    for one in (line, *others):
        firms |= {one.seller.id: one.seller, one.buyer.id: one.buyer}
        trade = trades[one.seller.id, one.buyer.id]
        trade.value += one.total_value
        trade.products[one.product.code] = one.product
    own = line.seller.id, line.buyer.id
    places, height, width = _places(_columns(own, trades), firms)
    drawn = {pair: trade for pair, trade in trades.items() if pair[0] in places and pair[1] in places}
    largest = max(trade.value for trade in drawn.values())
    arrows = [
        _arrow(
            places[seller],
            places[buyer],
            part=float(trade.value / largest) if largest else 0.0,
            text=f"{named(firms[seller])} → {named(firms[buyer])}: "
            f"{', '.join(sorted(map(named, trade.products.values())))}, {money_short(trade.value)}",
            here=(seller, buyer) == own,
        )
        for (seller, buyer), trade in drawn.items()
    ]
    boxes = [FirmBox(named(firms[one]), x, y, one in own) for one, (x, y) in places.items()]
    return BundleDrawing(boxes, sorted(arrows, key=lambda arrow: arrow.here), width, height, len(firms) - len(places))


def _columns(
    own: tuple[uuid.UUID, uuid.UUID], trades: Mapping[tuple[uuid.UUID, uuid.UUID], _Trade]
) -> dict[uuid.UUID, int]:
    """Firms by column: from the proposal outwards, always over the largest contract that leads to a new firm."""
    column = {own[0]: 0, own[1]: 1}
    ordered = sorted(trades.items(), key=lambda pair: (-pair[1].value, str(pair[0])))
    while len(column) < MOST_FIRMS:
        for (seller, buyer), _trade in ordered:
            if (seller in column) != (buyer in column):
                if seller in column:
                    column[buyer] = column[seller] + 1
                else:
                    column[seller] = column[buyer] - 1
                break
        else:
            break
    return column


def _places(
    column: Mapping[uuid.UUID, int], firms: Mapping[uuid.UUID, Firm]
) -> tuple[dict[uuid.UUID, tuple[float, float]], float, float]:
    """The upper left corner of each box, and the height and width of the drawing."""
    members: dict[int, list[uuid.UUID]] = defaultdict(list)
    for firm, at in column.items():
        members[at].append(firm)
    height = max(len(group) for group in members.values()) * (BOX_HEIGHT + GAP) + GAP
    first, last = min(members), max(members)
    places = {}
    for at, group in members.items():
        spare = height - len(group) * (BOX_HEIGHT + GAP) + GAP
        for row, firm in enumerate(sorted(group, key=lambda one: (named(firms[one]), str(one)))):
            places[firm] = 10 + (at - first) * COLUMN, round(spare / 2 + row * (BOX_HEIGHT + GAP), 1)
    return places, height, 20 + (last - first) * COLUMN + BOX_WIDTH


def _arrow(
    origin: tuple[float, float], target: tuple[float, float], *, part: float, text: str, here: bool
) -> Contracts:
    x1, y1 = origin[0] + BOX_WIDTH, origin[1] + BOX_HEIGHT / 2
    x2, y2 = target[0] - 8, target[1] + BOX_HEIGHT / 2
    bend = max(36.0, abs(x2 - x1) / 2)
    return Contracts(
        path=f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}",
        head=f"{x2 + 8:.1f},{y2:.1f} {x2 - 1:.1f},{y2 - 4.5:.1f} {x2 - 1:.1f},{y2 + 4.5:.1f}",
        width=round(1.2 + 4.8 * part, 1),
        text=text,
        here=here,
    )
