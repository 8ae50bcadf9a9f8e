"""Figures for the drawing library, and the library itself, which comes from its wheel and from nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly
from flask import Blueprint, Response, send_from_directory

from app.auth import public
from app.models import Product
from app.operations.flows import Flow
from app.web.formats import in_words, money_short, named, quantity

blueprint = Blueprint("charts", __name__)
LIBRARY = Path(plotly.__file__).parent / "package_data"
MOST_LINKS = 60
PALETTE = ("#0f6a5c", "#a85a12", "#1f5fa8", "#7a3e8e", "#8a7a10", "#b0413e", "#3d7d3a", "#566370", "#c2762f", "#2a8c9b")


@blueprint.get("/charts/plotly.min.js")
@public
def library() -> Response:
    """The drawing library; the same for a long time, so browsers keep it."""
    response = send_from_directory(LIBRARY, "plotly.min.js", max_age=604800)
    response.headers["Cache-Control"] = "public, max-age=604800"
    return response


def flow_figure(flows: Sequence[Flow], products: Mapping[str, Product]) -> dict[str, Any]:
    """A Sankey diagram of who sells what to whom, by value; of many flows the largest, with the part they make up."""
    ordered = sorted(flows, key=lambda flow: (-flow.value, flow.product, str(flow.seller.id), str(flow.buyer.id)))
    drawn, whole = ordered[:MOST_LINKS], sum(flow.value for flow in flows)
    kinds = sorted({flow.product for flow in drawn}, key=lambda code: (list(products).index(code), code))
    colour = {code: PALETTE[at % len(PALETTE)] for at, code in enumerate(kinds)}
    nodes: dict[str, int] = {}
    links = [_link(flow, nodes, colour, products) for flow in drawn]
    return {
        "nodes": list(nodes),
        "links": links,
        "legend": [{"name": named(products[code]), "color": colour[code]} for code in kinds],
        "height": max(420, min(1100, 16 * len(nodes))),
        "left_out": len(ordered) - len(drawn),
        "part": str(sum(flow.value for flow in drawn) / whole) if whole else "1",
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
