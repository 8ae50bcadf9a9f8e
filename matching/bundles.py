"""Contracts that become effective together or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import networkx as nx

from .answer import Contract
from .snapshot import Snapshot

Node = int | tuple[str, int]  # a contract's place, or a conversion in a period


def bundled(snapshot: Snapshot, contracts: Sequence[Contract]) -> list[Contract]:
    """Contracts with their bundles: those that a conversion ties in some period, directly or through others, share
    one.

    What a conversion makes in one period needs what it buys for that period, and nothing else: without a bundle every
    other keeps all that it needs. One that buys nothing in a period makes what it sells of its own stock, and that ties
    nobody. Bundles are numbered in the order of contracts.
    """
    conversions = {conversion.conversion for conversion in snapshot.conversions}
    buying = {(c.buyer, t) for c in contracts if c.buyer in conversions for t in range(c.first, c.last + 1)}
    ties: nx.Graph[Node] = nx.Graph()
    for at, contract in enumerate(contracts):
        ties.add_node(at)
        ends = ((end, t) for end in (contract.seller, contract.buyer) for t in range(contract.first, contract.last + 1))
        ties.add_edges_from((at, end) for end in ends if end in buying)
    parts = sorted(sorted(n for n in part if isinstance(n, int)) for part in nx.connected_components(ties))
    bundle = {at: f"B{number:05d}" for number, part in enumerate(parts, start=1) for at in part}
    return [replace(contract, bundle=bundle[at]) for at, contract in enumerate(contracts)]
