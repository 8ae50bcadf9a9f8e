"""The supply graph of a round: its products by tier, the hubs of one of them, and what is critical."""

from __future__ import annotations

import textwrap
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import Product
from app.operations import pages, rounds, supply_graph
from app.operations.supply_graph import SupplyGraph
from app.permissions import Permission
from app.web.curves import chosen_product
from app.web.formats import named
from matching.graph import Hub

blueprint = Blueprint("supply_graph", __name__, url_prefix="/console")
BOX, GAP, ROW, COLUMN = 172.0, 14.0, 40.0, 236.0
LONGEST_LINE = 24  # letters that fit into a box
SHOWN_FIRMS = 10
SHOWN_HUBS = 60


@dataclass(frozen=True, slots=True)
class Node:
    """A product in the drawing; a long name stands on two lines."""

    code: str
    lines: Sequence[str]
    href: str
    x: float
    y: float
    here: bool


@dataclass(frozen=True, slots=True)
class Arc:
    """From an input to what is made of it."""

    path: str
    head: str
    here: bool


@dataclass(frozen=True, slots=True)
class GraphDrawing:
    """Products in columns by tier, the raw ones left."""

    nodes: Sequence[Node]
    arcs: Sequence[Arc]
    width: float
    height: float


@blueprint.get("/rounds/<uuid:round_id>/graph")
@requires(Permission.SEALED_READ)
def show(round_id: uuid.UUID) -> ResponseReturnValue:
    """The graph of a round's open offers; that it was looked at is written down."""
    market_round = rounds.find_round(session(), principal=principal(), round_id=round_id)
    start = _hub(request.args.get("hub", ""))
    graph, reached = supply_graph.look(
        session(),
        principal=principal(),
        round_id=round_id,
        start=start,
        path=request.full_path.rstrip("?"),
        now=clock(),
    )
    products = {code: one for code, one in pages.products_by_code(session()).items() if code in graph.tiers}
    product = chosen_product(products, sorted(graph.hubs, key=lambda code: (-len(graph.hubs[code]), code)))
    ranking = supply_graph.ranking(session(), principal=principal(), round_id=round_id)
    ranked = [] if ranking is None else (ranking.result or {}).get("firms", [])[:SHOWN_FIRMS]
    known = pages.firms_by_id(session(), principal=principal(), firm_ids=[uuid.UUID(one["firm_id"]) for one in ranked])
    return render_template(
        "supply_graph.html",
        round=market_round,
        graph=graph,
        products=products,
        product=product,
        hubs=graph.hubs.get(product.code, [])[:SHOWN_HUBS] if product is not None else [],
        conversion=None if product is None else graph.conversions.get(product.code),
        uses=[] if product is None else [one for one in graph.conversions.values() if product.code in one.inputs],
        start=start,
        reached=_by_product(reached),
        grades=pages.all_grades(session()),
        regions=pages.all_regions(session()),
        ranking=ranking,
        ranked=ranked,
        firms={str(number): firm for number, firm in known.items()},
        latest=pages.latest_run(session(), principal=principal(), round_id=round_id, done=True),
        drawing=drawing_of(graph, products, market_round.id, None if product is None else product.code),
        label_of_hub="/".join,
    )


def drawing_of(
    graph: SupplyGraph, products: Mapping[str, Product], round_id: uuid.UUID, here: str | None
) -> GraphDrawing:
    """Boxes by tier, each column in the order of the register; an arc for each input of a conversion."""
    columns: dict[int, list[str]] = defaultdict(list)
    for code in products:
        columns[graph.tiers[code]].append(code)
    tallest = max((len(column) for column in columns.values()), default=0)
    height = max(tallest * (ROW + GAP) + GAP, 60.0)
    places: dict[str, tuple[float, float]] = {}
    for tier, column in columns.items():
        spare = height - len(column) * (ROW + GAP) + GAP
        for at, code in enumerate(column):
            places[code] = 10 + tier * COLUMN, spare / 2 + at * (ROW + GAP)
    nodes = [
        Node(
            code,
            textwrap.wrap(named(products[code]), LONGEST_LINE, max_lines=2, placeholder="…"),
            url_for("supply_graph.show", round_id=round_id, product=code),
            x,
            round(y, 1),
            code == here,
        )
        for code, (x, y) in places.items()
    ]
    arcs = [
        _arc(places[need], places[made], here=here in (need, made))
        for need, made in graph.links
        if need in places and made in places
    ]
    return GraphDrawing(nodes, sorted(arcs, key=lambda arc: arc.here), (max(columns, default=0) + 1) * COLUMN, height)


def _arc(origin: tuple[float, float], target: tuple[float, float], *, here: bool) -> Arc:
    x1, y1 = origin[0] + BOX, origin[1] + ROW / 2
    x2, y2 = target[0] - 7, target[1] + ROW / 2
    bend = max(28.0, abs(x2 - x1) / 2)
    return Arc(
        path=f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}",
        head=f"{x2 + 7:.1f},{y2:.1f} {x2 - 1:.1f},{y2 - 4:.1f} {x2 - 1:.1f},{y2 + 4:.1f}",
        here=here,
    )


def _hub(label: str) -> Hub | None:
    """A hub as the address has it, "product/grade/region"; None for anything else."""
    parts = label.split("/")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None


def _by_product(reached: frozenset[Hub]) -> dict[str, int]:
    """How many hubs of each product."""
    found: dict[str, int] = defaultdict(int)
    for product, _grade, _region in sorted(reached):
        found[product] += 1
    return found
