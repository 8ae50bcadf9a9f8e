"""Hubs: all who sell one grade of a product in one region are one, and all who take it there.

What stands at a hub goes to others by freight, and from there to lower grades. Rules about a pair have no place among
hubs (decision 0035): they guide a clearing and never are one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .sides import Floats, Ints, Market, MarketSide


@dataclass(frozen=True, slots=True, kw_only=True)
class Hubs:
    """Where the positions of a market stand and what leads from hub to hub.

    Departing hubs come first, arriving ones after them: nothing is shipped twice. `positions` [nS + nB] are the hubs of
    sellers and buyers; arcs lead from `tail` to `head` at `cost` a period, relative to the product's typical price: the
    first `shipping` of them by freight, the others from a grade to the next lower one. `depth` [hubs] counts the better
    grades at the place of an arriving hub.
    """

    positions: Ints
    tail: Ints
    head: Ints
    cost: Floats
    shipping: int
    depth: Ints

    def __len__(self) -> int:
        return len(self.depth)


def hubs_of(market: Market) -> Hubs:
    """The hubs of a market."""
    sold, departing = np.unique(_stands(market, market.sellers), axis=0, return_inverse=True)
    bought, arriving = np.unique(_stands(market, market.buyers), axis=0, return_inverse=True)
    product, region, collected, rank = bought.T
    place = (product * len(market.regions) + region) * 2 + collected
    better = np.searchsorted(place, place, side="right") - 1 - np.arange(len(place))
    lower = np.flatnonzero(place[1:] == place[:-1])
    tail, head, cost = _shipping(market, sold, place, rank)
    return Hubs(
        positions=np.concatenate([departing, len(sold) + arriving]),
        tail=np.concatenate([tail, len(sold) + lower + 1]),
        head=len(sold) + np.concatenate([head, lower]),
        cost=np.concatenate([cost, np.zeros(len(lower))]),
        shipping=len(tail),
        depth=np.concatenate([np.zeros(len(sold), dtype=np.int64), better]),
    )


def _stands(market: Market, side: MarketSide) -> Ints:
    """[n, 4] product, region, whether the price includes freight, rank; ranks from 0 on."""
    least = min(market.sellers.rank.min(initial=0), market.buyers.rank.min(initial=0))
    return np.stack([side.product, side.region, side.freight_included.astype(np.int64), side.rank - least], axis=1)


def _shipping(market: Market, sold: Ints, place: Ints, rank: Ints) -> tuple[Ints, Ints, Floats]:
    """Arcs from departing hubs to the best grade that each place may take of theirs: tail, head, cost."""
    product, region, delivered, best = sold.T
    width = 1 + max(best.max(initial=0), rank.max(initial=0))
    known = place * width + rank  # in ascending order
    tails, heads, costs = [], [], []
    from_hub, to_region = np.nonzero(~np.isnan(market.freight[product, region]))
    freight = market.freight[product[from_hub], region[from_hub], to_region]
    for collected in (0, 1):
        there = (product[from_hub] * len(market.regions) + to_region) * 2 + collected
        head = np.searchsorted(known, there * width + best[from_hub], side="right") - 1
        served = head >= 0
        served[served] = place[head[served]] == there[served]
        free = (delivered[from_hub] == 1) | (collected == 1)
        tails.append(from_hub[served])
        heads.append(head[served])
        costs.append(np.where(free, 0.0, freight)[served])
    tail = np.concatenate(tails)
    return tail, np.concatenate(heads), np.concatenate(costs) / market.level[product[tail]]


def ruled(market: Market) -> float:
    """The part of the buyers whom rules about pairs concern, which hubs do not know."""
    buyers = market.buyers
    concerned = (buyers.certificates >= 0).any(axis=1) | ~np.isnan(buyers.attributes).all(axis=1)
    concerned |= buyers.barred.any(axis=1) | np.array([one is not None for one in buyers.approved], dtype=bool)
    concerned |= np.array([one is not None for one in buyers.max_share], dtype=bool)
    return float(concerned.mean()) if len(concerned) else 0.0
