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
    other keeps all that it needs. Bundles are numbered in the order of contracts.
    """
    conversions = {conversion.conversion for conversion in snapshot.conversions}
    ties: nx.Graph[Node] = nx.Graph()
    for at, contract in enumerate(contracts):
        ties.add_node(at)
        ends = {contract.seller, contract.buyer} & conversions
        ties.add_edges_from((at, (end, t)) for end in ends for t in range(contract.first, contract.last + 1))
    parts = sorted(sorted(n for n in part if isinstance(n, int)) for part in nx.connected_components(ties))
    bundle = {at: f"B{number:05d}" for number, part in enumerate(parts, start=1) for at in part}
    return [replace(contract, bundle=bundle[at]) for at, contract in enumerate(contracts)]
