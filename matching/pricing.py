"""Pricing every lane in every window with shadow prices: what a contract would gain beyond what both sides get now.

Solver-free, so that the certificate can use it. Reduced costs are relative to the product's typical price and summed
over the window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .lanes import Lanes, admissible
from .sides import Bools, Floats, Ints, Market

TIE = 1e-8  # relative prices nearer than this are the same price
PER_POSITION = 4  # candidates a position may add in one round, best first
LANES_PER_BLOCK = 500_000  # bounds the memory of one pricing table


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Lane and window of each candidate contract, as positions in `Lanes` and `Market.windows`."""

    lane: Ints
    window: Ints

    def __len__(self) -> int:
        return len(self.lane)

    def followed_by(self, others: Candidates) -> Candidates:
        return Candidates(
            lane=np.concatenate([self.lane, others.lane]), window=np.concatenate([self.window, others.window])
        )

    def some(self, first: int, after: int) -> Candidates:
        """Those from one place on, up to another."""
        return Candidates(lane=self.lane[first:after], window=self.window[first:after])

    def keys(self, windows: int) -> Ints:
        """One number a candidate of a market with so many windows, whatever programme it stands in."""
        return self.lane * windows + self.window

    def without(self, others: Candidates) -> Candidates:
        """Those that are not among others, each once."""
        width = 1 + max(self.window.max(initial=0), others.window.max(initial=0))
        keys, theirs = np.unique(self.keys(width)), others.keys(width)
        if len(keys):  # the others are often very many, and in no order
            place = np.minimum(np.searchsorted(keys, theirs), len(keys) - 1)
            keys = np.delete(keys, place[keys[place] == theirs])
        return Candidates(lane=keys // width, window=keys % width)


def admitted(market: Market, lanes: Lanes, candidates: Candidates) -> Bools:
    """[candidates] may both sides contract over the window, and may the lane then still begin?"""
    lane, window = candidates.lane, candidates.window
    sold = admissible(market.sellers, market.windows)[lanes.seller[lane], window]
    bought = admissible(market.buyers, market.windows)[lanes.buyer[lane], window]
    return np.asarray(sold & bought & (market.windows[window, 0] <= lanes.latest_start[lane]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Duals:
    """Shadow prices, CNY per lot and period: of selling and buying positions, limit families, conversion capacity.

    For a conversion the selling entry is the internal value of its output, the buying entry that of an input.
    """

    seller: Floats  # [nS, T]
    buyer: Floats  # [nB, T]
    family: Floats  # [F, T]
    rent: Floats  # [M, T]

    def midpoint(self, other: Duals) -> Duals:
        return Duals(
            seller=(self.seller + other.seller) / 2,
            buyer=(self.buyer + other.buyer) / 2,
            family=(self.family + other.family) / 2,
            rent=(self.rent + other.rent) / 2,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """What one pass over all lanes and windows found: per lane the best window and its reduced cost, relative to
    the product's typical price and summed over the window; -inf where the lane has no admissible window."""

    window: Ints  # [L]
    reduced: Floats  # [L]


def conversion_margin(market: Market, duals: Duals) -> Floats:
    """[M, T] value of output less inputs and fee, CNY per lot of output; positive only where capacity is full."""
    margin = duals.seller[market.sellers.offers :] - market.fee
    of = market.buyers.conversion[market.buyers.offers :]
    for k, coefficient in enumerate(market.coefficient):
        margin[of[k]] -= float(coefficient) * duals.buyer[market.buyers.offers + k]
    return margin


def family_level(lanes: Lanes, level: Floats) -> Floats:
    """[F] typical price of the product each limit family is about."""
    return level[np.array([family.product for family in lanes.families], dtype=np.int64)]


class Values:
    """What each position gives or takes over each window under given duals, relative to the product's price.

    `seller[i, w]` is the least a seller must get over the window, `buyer[j, w]` the most a buyer can give,
    `family[f, w]` the rent of a limit. Windows a position may not use are infinite the wrong way.
    """

    def __init__(self, market: Market, lanes: Lanes, duals: Duals) -> None:
        self.market, self.lanes = market, lanes
        level, windows = market.level, market.windows
        sign = np.where(market.buyers.conversion < 0, 1.0, -1.0)[:, None]
        cost = (market.sellers.price + duals.seller) / level[market.sellers.product][:, None]
        worth = (market.buyers.price - sign * duals.buyer) / level[market.buyers.product][:, None]
        self.seller = np.where(admissible(market.sellers, windows), _over(windows, cost), np.inf)
        self.buyer = np.where(admissible(market.buyers, windows), _over(windows, worth), -np.inf)
        # One more row of zeros at the end: lanes without a family point at -1.
        rent = duals.family / family_level(lanes, level)[:, None]
        self.family = np.concatenate([_over(windows, rent), np.zeros((1, len(windows)))])
        self.freight = lanes.freight / level[market.sellers.product[lanes.seller]]
        self.length = market.lengths
        # One window after the other is looked up for many lanes: each in one piece of memory.
        self._cost, self._worth = np.ascontiguousarray(self.seller.T), np.ascontiguousarray(self.buyer.T)
        self._expiring = int(lanes.latest_start.min(initial=market.periods)) < int(windows[:, 0].max())

    def rent(self, lanes: slice | Ints, window: int, kind: int) -> Floats:
        """What the limit of one kind (a position in `limits.KINDS`) costs some lanes in one window."""
        rent: Floats = self.family[self.lanes.family[lanes, kind], window]
        return rent

    def reduced(self, lanes: slice | Ints, window: int) -> Floats:
        """Reduced cost of some lanes in one window."""
        sell, buy = self.lanes.seller[lanes], self.lanes.buyer[lanes]
        gain: Floats = self._worth[window][buy]
        gain -= self._cost[window][sell]
        gain -= self.freight[lanes] * self.length[window]
        if self.lanes.families:
            for kind in range(self.lanes.family.shape[1]):
                gain -= self.rent(lanes, window, kind)
        if self._expiring:
            gain[self.market.windows[window, 0] > self.lanes.latest_start[lanes]] = -np.inf
        return gain

    def best(self, *, per_period: bool = False) -> Pricing:
        """The best window of every lane, the first of equals; `per_period` looks at the mean over the window."""
        chosen = np.zeros(len(self.lanes), dtype=np.int64)
        reduced = np.full(len(self.lanes), -np.inf)
        for block in self.blocks():
            for window in range(len(self.market.windows)):
                gain = self.reduced(block, window)
                if per_period:
                    gain = gain / self.length[window]
                better = gain > reduced[block]
                reduced[block] = np.where(better, gain, reduced[block])
                chosen[block] = np.where(better, window, chosen[block])
        return Pricing(window=chosen, reduced=reduced)

    def within(self, least: float) -> Candidates:
        """Every candidate of every lane whose reduced cost is at least `least`."""
        lane, window = [], []
        for block in self.blocks():
            for w in range(len(self.market.windows)):
                found = np.flatnonzero(self.reduced(block, w) >= least) + block.start
                lane.append(found)
                window.append(np.full(len(found), w, dtype=np.int64))
        empty = np.zeros(0, dtype=np.int64)
        return Candidates(lane=np.concatenate([empty, *lane]), window=np.concatenate([empty, *window]))

    def nearest(self, loss: float, most: int) -> Candidates:
        """The candidates that lose no more per period than `loss`; at most so many, the nearest first."""
        lane, window, found = [], [], []
        for block in self.blocks():
            for w, length in enumerate(self.length.tolist()):
                reduced = self.reduced(block, w) / length
                near = np.flatnonzero(reduced >= -loss)
                lane.append(near + block.start)
                window.append(np.full(len(near), w, dtype=np.int64))
                found.append(reduced[near])
        empty = np.zeros(0, dtype=np.int64)
        order = np.argsort(-np.concatenate([np.zeros(0), *found]), kind="stable")[:most]
        return Candidates(lane=np.concatenate([empty, *lane])[order], window=np.concatenate([empty, *window])[order])

    def blocks(self) -> list[slice]:
        return [
            slice(start, min(start + LANES_PER_BLOCK, len(self.lanes)))
            for start in range(0, len(self.lanes), LANES_PER_BLOCK)
        ]


def _over(windows: Ints, table: Floats) -> Floats:
    """[n, W] sums of a [n, T] table over each window."""
    sums = np.concatenate([np.zeros((len(table), 1)), np.cumsum(table, axis=1)], axis=1)
    total: Floats = sums[:, windows[:, 1] + 1] - sums[:, windows[:, 0]]
    return total


def zero_duals(market: Market, lanes: Lanes) -> Duals:
    return Duals(
        seller=np.zeros_like(market.sellers.price),
        buyer=np.zeros_like(market.buyers.price),
        family=np.zeros((len(lanes.families), market.periods)),
        rent=np.zeros_like(market.fee),
    )


def best_candidates(lanes: Lanes, pricing: Pricing, *, least: float = TIE / 4, each: int = PER_POSITION) -> Candidates:
    """The best few lanes of every seller and every buyer that gain more than `least`, each with its best window."""
    gaining = np.flatnonzero(pricing.reduced > least)
    order = gaining[np.argsort(-pricing.reduced[gaining], kind="stable")]
    keep = np.zeros(len(lanes), dtype=bool)
    for side in (lanes.seller, lanes.buyer):
        keep[foremost(order, side, each)] = True
    lane = np.flatnonzero(keep)
    return Candidates(lane=lane, window=pricing.window[lane])


def foremost(order: Ints, group: Ints, each: int) -> Ints:
    """The first few of each group, of some in an order; `group` is of all there are."""
    by_group = order[np.argsort(group[order], kind="stable")]
    of = group[by_group]
    starts = np.flatnonzero(np.concatenate([[True], of[1:] != of[:-1]])) if len(of) else of
    place = np.arange(len(of)) - np.repeat(starts, np.diff(np.append(starts, len(of))))
    return by_group[place < each]
