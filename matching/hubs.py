"""Hubs: a simpler market of one window, in which all who sell one grade of a product in one region are one.

What stands at a hub goes to others by freight, and from there to lower grades. Quantities are bounds here and not rows,
so that the programme has as many rows as there are hubs, however many offers stand at them. Rules about a pair have no
place in it (decision 0035): it guides a clearing and never is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .engine import INFINITY, Engine, Face, Point
from .pricing import TIE, foremost
from .program import Program
from .rounds import FEW
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
    """The hubs of a market of one window."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AtHubs:
    """The optimum of a market at its hubs, with quantities in typical values.

    `duals` are the row duals that it means for the market's programme. `offers` [positions] and `conversions`
    are statuses in the basis where the solver stood, None from one that keeps none."""

    duals: Floats  # [rows of the programme]
    traded: Floats  # [positions] what each sells or buys
    flow: Floats  # [arcs]
    offers: Ints | None
    conversions: Ints | None


class HubProgramme:
    """The linear programme of hubs, for one market of one window after the other that have the same positions.

    Variables: what each position sells or buys, those inside the chain closed; the activity of each conversion; arcs
    in the order in which they were added. Rows: the balance of each hub, in which nothing leaves that did not come."""

    def __init__(self, program: Program, engine: type[Engine]) -> None:
        market = program.market
        self.hubs = hubs = hubs_of(market)
        self.sells = np.arange(len(hubs.positions)) < len(market.sellers)
        self.offered = np.concatenate([market.sellers.conversion, market.buyers.conversion]) < 0
        # [positions, M] what a conversion makes and takes.
        self.recipes = program.engine.matrix[: len(hubs.positions), : len(program.capacity)]
        taken = hubs.positions[self.recipes.indices], self.recipes.indptr
        self.engine = engine(len(hubs))
        self.engine.add_columns(_columns(len(hubs), (hubs.positions, np.where(self.sells, -1.0, 1.0))))
        self.engine.add_columns(sparse.csc_array((self.recipes.data, *taken), (len(hubs), len(program.capacity))))
        self.arcs = np.zeros(0, dtype=np.int64)
        # The nearest way from and to each hub, and all ways from grade to grade.
        nearest = np.zeros(len(hubs.tail), dtype=bool)
        nearest[self._best(-hubs.cost)] = True
        nearest[hubs.shipping :] = True
        self._add(np.flatnonzero(nearest))

    def clear(self, program: Program) -> AtHubs:
        """The optimum at the hubs of a programme over one window: arcs come until none would gain.

        :raises engine.SolverFailed: the solver found no optimum."""
        hubs, near = self.hubs, False
        limits, worth = program.limits[: len(hubs.positions)], _worth(program)
        # What processors own of their inputs is there for all at the hub.
        own = np.bincount(hubs.positions, np.where(self.offered, 0.0, limits), len(hubs)).astype(float)
        bounds = np.concatenate([np.where(self.offered, limits, 0.0), program.capacity])
        cost = hubs.cost * program.market.lengths[0]
        while True:
            upper = np.concatenate([bounds, np.full(len(self.arcs), INFINITY)])
            face = Face(
                engine=self.engine,
                row_lower=np.full(len(hubs), -INFINITY),
                row_upper=own,
                lower=np.zeros_like(upper),
                upper=upper,
            )
            point = face.maximise(np.concatenate([worth, -program.fee, -cost[self.arcs]]), near=near)
            gain = point.duals[hubs.head] - point.duals[hubs.tail] - cost
            gain[self.arcs] = 0.0
            if not (gain > TIE).any():
                return self._read(program, point, limits, worth)
            near = (gain > TIE).sum() <= FEW * len(hubs)
            self._add(self._best(gain, least=TIE))

    def _read(self, program: Program, point: Point, limits: Floats, worth: Floats) -> AtHubs:
        traded, activity, carried = np.split(point.variables, np.cumsum([len(worth), len(program.capacity)]))
        taken = np.asarray(self.recipes @ activity)
        inside = np.where(self.sells, -taken, np.maximum(taken - limits, 0.0))
        value, basis = point.duals[self.hubs.positions], self.engine.basis()
        gain = np.maximum(np.where(self.sells, value, -value) + worth, 0.0)
        flow = np.zeros(len(self.hubs.tail))
        flow[self.arcs] = carried
        return AtHubs(
            duals=np.concatenate([np.where(self.offered, gain, value), np.zeros(len(program.limits) - len(value))]),
            traded=np.where(self.offered, traded, inside),
            flow=flow,
            offers=None if basis is None else basis.variables[: len(worth)],
            conversions=None if basis is None else basis.variables[len(worth) : -len(carried) or None],
        )

    def _best(self, gain: Floats, *, least: float = -INFINITY) -> Ints:
        """The arc that gains most from each hub and to each hub, of those that gain more than `least`."""
        order = np.argsort(-gain, kind="stable")
        order = order[gain[order] > least]
        return np.union1d(foremost(order, self.hubs.tail, 1), foremost(order, self.hubs.head, 1))

    def _add(self, arcs: Ints) -> None:
        tail, head = self.hubs.tail[arcs], self.hubs.head[arcs]
        ones = np.ones(len(arcs))
        self.engine.add_columns(_columns(len(self.hubs), (tail, ones), (head, -ones)))
        self.arcs = np.concatenate([self.arcs, arcs])


def _worth(program: Program) -> Floats:
    """[positions] bid, or ask less than nothing, over the horizon and relative to the product's typical price."""
    market = program.market
    sides = (-market.sellers.price, market.sellers), (market.buyers.price, market.buyers)
    return np.concatenate([price.sum(axis=1) / program.level[side.product] for price, side in sides])


def _columns(rows: int, *entries: tuple[Ints, Floats]) -> sparse.csc_array:
    """Columns with one entry from each of some lists of rows and values."""
    count = len(entries[0][0])
    where = np.concatenate([at for at, _ in entries]), np.tile(np.arange(count), len(entries))
    return sparse.csc_array((np.concatenate([value for _, value in entries]), where), shape=(rows, count))
