"""The supply graph: hubs of (product, grade, region), the freight and downgrade arcs between them, conversions.

It stays at hub level, never one edge a lane, and answers which offers can reach each other, which tiers the chain
has, what the independent sub-markets are, and where loops are.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import networkx as nx

from .blocks import tied_products
from .snapshot import ANY_PRODUCT, Side, Snapshot

Hub = tuple[str, str, str]  # product, grade, region

if TYPE_CHECKING:  # networkx's classes take a type of node only in their stubs
    Digraph = nx.DiGraph[Hub | str]
    ProductGraph = nx.DiGraph[str]


def supply_graph(snapshot: Snapshot) -> Digraph:
    """Hubs and conversions as nodes.

    Hubs carry `selling` and `buying`, lots over the horizon; arcs carry `kind`: "downgrade" (a better grade serves a
    lower requirement), "freight" (CNY per unit), "input" (units per unit of output) or "output".
    """
    graph: Digraph = nx.DiGraph()
    for offer in snapshot.offers:
        hub = offer.product, offer.grade, offer.region
        graph.add_node(hub, kind="hub")
        amount = "selling" if offer.side is Side.SELL else "buying"
        graph.nodes[hub][amount] = graph.nodes[hub].get(amount, 0) + sum(offer.quantity)
    for conversion in snapshot.conversions:
        graph.add_node(conversion.conversion, kind="conversion", firm=conversion.firm)
        hub = conversion.product, conversion.grade, conversion.region
        graph.add_node(hub, kind="hub")
        graph.add_edge(conversion.conversion, hub, kind="output")
        for need in conversion.inputs:
            source = need.product, need.grade, conversion.region
            graph.add_node(source, kind="hub")
            graph.add_edge(source, conversion.conversion, kind="input", quantity=need.quantity_per_output)
    _add_lanes_between_hubs(graph, snapshot)
    return graph


def _add_lanes_between_hubs(graph: Digraph, snapshot: Snapshot) -> None:
    rank = {(grade.product, grade.grade): grade.rank for grade in snapshot.grades}
    hubs: dict[str, list[Hub]] = defaultdict(list)
    for node in graph.nodes:
        if isinstance(node, tuple):
            hubs[node[0]].append(node)
    for product, members in hubs.items():
        for origin in members:
            for target in members:
                if origin == target or rank[origin[:2]] < rank[target[:2]]:
                    continue
                if origin[2] == target[2]:
                    graph.add_edge(origin, target, kind="downgrade")
                    continue
                route = origin[2], target[2]
                cost = snapshot.freight.get((product, *route), snapshot.freight.get((ANY_PRODUCT, *route)))
                if cost is not None:
                    graph.add_edge(origin, target, kind="freight", cost=cost)


def _product_graph(snapshot: Snapshot) -> ProductGraph:
    """Products, with an arc from each input of a conversion to its output."""
    graph: ProductGraph = nx.DiGraph()
    graph.add_nodes_from(grade.product for grade in snapshot.grades)
    for conversion in snapshot.conversions:
        graph.add_edges_from((need.product, conversion.product) for need in conversion.inputs)
    return graph


def sub_markets(snapshot: Snapshot) -> list[frozenset[str]]:
    """Sets of products that conversions or block terms tie together; different sets are independent problems. Sorted
    by name."""
    graph = _product_graph(snapshot)
    graph.add_edges_from(tied_products(snapshot))
    parts = nx.weakly_connected_components(graph)
    return sorted((frozenset(part) for part in parts), key=sorted)


def tiers(snapshot: Snapshot) -> dict[str, int]:
    """How many conversions stand at most above each product; products of one loop share a tier."""
    graph = _product_graph(snapshot)
    condensed = nx.condensation(graph)
    tier: dict[int, int] = {}
    for part in nx.topological_sort(condensed):
        tier[part] = 1 + max((tier[before] for before in condensed.predecessors(part)), default=-1)
    return {product: tier[part] for product, part in condensed.graph["mapping"].items()}


def loops(snapshot: Snapshot) -> list[frozenset[str]]:
    """Sets of products that feed back into each other, as recyclers make them."""
    graph = _product_graph(snapshot)
    parts = nx.strongly_connected_components(graph)
    looping = (frozenset(part) for part in parts)
    return sorted((p for p in looping if len(p) > 1 or graph.has_edge(*(2 * tuple(p)))), key=sorted)


def reach(graph: Digraph, hub: Hub) -> set[Hub]:
    """Hubs that material of a hub can come to, through conversions too."""
    return {node for node in nx.descendants(graph, hub) if isinstance(node, tuple)}
