"""Figures for the drawing library, and the library itself, which comes from its wheel and from nowhere else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import plotly
from flask import Blueprint, Response, send_from_directory

from app.auth import public
from app.models import Product
from app.operations.flows import Flow
from app.web.formats import in_words, money_short, named, quantity
from app.web.texts import _

blueprint = Blueprint("charts", __name__)
LIBRARY = Path(plotly.__file__).parent / "package_data"
MOST_LINKS = 90
PALETTE = ("#0f6a5c", "#a85a12", "#1f5fa8", "#7a3e8e", "#8a7a10", "#b0413e", "#3d7d3a", "#566370", "#c2762f", "#2a8c9b")


@blueprint.get("/charts/plotly.min.js")
@public
def library() -> Response:
    """The drawing library; the same for a long time, so browsers keep it."""
    response = send_from_directory(LIBRARY, "plotly.min.js", max_age=604800)
    response.headers["Cache-Control"] = "public, max-age=604800"
    return response


def flow_figure(flows: Sequence[Flow], products: Mapping[str, Product]) -> dict[str, Any]:
    """A Sankey diagram of who sells what to whom, by value; beyond the largest flows the rest of a product is one."""
    ordered = sorted(flows, key=lambda flow: (-flow.value, flow.product, str(flow.seller.id), str(flow.buyer.id)))
    kinds = sorted({flow.product for flow in flows}, key=lambda code: (list(products).index(code), code))
    colour = {code: PALETTE[at % len(PALETTE)] for at, code in enumerate(kinds)}
    nodes: dict[str, int] = {}
    links = [_link(flow, nodes, colour, products) for flow in ordered[:MOST_LINKS]]
    rest: dict[str, Decimal] = defaultdict(Decimal)
    for flow in ordered[MOST_LINKS:]:
        rest[flow.product] += flow.value
    others = _("all others")
    for code, value in sorted(rest.items()):
        ends = (f"{named(products[code])}: {others} →", f"→ {named(products[code])}: {others}")
        links.append(
            {
                "source": nodes.setdefault(ends[0], len(nodes)),
                "target": nodes.setdefault(ends[1], len(nodes)),
                "value": float(value),
                "color": f"{colour[code]}66",
                "label": f"{named(products[code])}, {others}: {money_short(value)}",
            }
        )
    return {
        "nodes": list(nodes),
        "links": links,
        "legend": [{"name": named(products[code]), "color": colour[code]} for code in kinds],
        "height": max(380, min(1400, 15 * len(nodes))),
    }


def _link(
    flow: Flow, nodes: dict[str, int], colour: Mapping[str, str], products: Mapping[str, Product]
) -> dict[str, Any]:
    seller = in_words(flow.seller.name_zh, flow.seller.name_en)
    buyer = in_words(flow.buyer.name_zh, flow.buyer.name_en)
    amount = quantity(flow.units, flow.unit)
    return {
        "source": nodes.setdefault(seller, len(nodes)),
        "target": nodes.setdefault(buyer, len(nodes)),
        "value": float(flow.value),
        "color": f"{colour[flow.product]}66",
        "label": f"{named(products[flow.product])}: {amount}, {money_short(flow.value)}",
    }
