"""Whole lots: rates become integers, no limit is exceeded by even one, and what it costs is known.

Rates are rounded down, which can break nothing but the balance of a conversion whose input shrank. Then, tier by
tier downstream, outputs are cut to what their inputs allow. The odd lots between offers go where a small programme
puts them: every contract, offer and limit ends a lot or less from its fair rate, so that between offers over one
window nothing is lost (rounding a flow, whose polytope is integral: Hoffman and Kruskal 1956). Lots still lost are
given back by largest remainder where every limit has room, then to contracts that still have it; last, upstream,
inputs that no output needs are handed back, and chains that whole lots would make lose are left unmade.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from math import ceil

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from .graph import tiers
from .program import Program
from .sides import Floats, Ints
from .tally import Tally

LOSS = 1e-12  # of the typical price; above what sums of prices are rounded by
NEAR = 1e-6  # a rate this near the next lot is that lot
ODD_SECONDS = 10.0  # for placing the odd lots of one product; windows that overlap can make it hard


def whole_lots(program: Program, rates: Floats, *, begin: bool = True) -> Ints:
    """Integer rates near `rates` (lots per period, one a candidate) that keep every limit exactly.

    `begin`: what is left over in the end may begin contracts, not only enlarge them."""
    tally = Tally(program.market, program.lanes)
    book = _Book(program, rates, tally)
    tier = tiers(program.market.snapshot)
    order = sorted(program.market.products, key=lambda product: (tier[product], product))
    for product in order:
        book.cut_outputs(product)
        book.place_odd_lots(product)
        book.give_back(product)
        book.enlarge(product)
    book.settle(begin=begin)
    return book.lots


def without_conversions(program: Program, lots: Ints, labels: Collection[str], *, begin: bool) -> Ints:
    """Integer rates near `lots` with some conversions at rest, and what depends on them cut back; `begin` as above."""
    book = _Book(program, lots.astype(float), Tally(program.market, program.lanes))
    resting = [m for m, one in enumerate(program.market.conversions) if one.conversion in labels]
    ends = program.market.sellers.conversion[book.seller], program.market.buyers.conversion[book.buyer]
    book.resting = np.isin(ends[0], resting) | np.isin(ends[1], resting)
    for k in np.flatnonzero(book.resting & (book.lots > 0)).tolist():
        book.change(k, -int(book.lots[k]))
    book.settle(begin=begin)
    return book.lots


class _Book:
    """The contracts under rounding."""

    def __init__(self, program: Program, rates: Floats, tally: Tally) -> None:
        self.program, self.market, self.tally, self.rates = program, program.market, tally, rates
        self.first, self.last = program.market.windows[program.candidates.window].T
        self.seller, self.buyer = program.seller, program.buyer
        self.lots = np.floor(rates + NEAR).astype(np.int64)
        for k in np.flatnonzero(self.lots):
            self.change(int(k), 0)
        planned = np.zeros_like(tally.sold, dtype=float)
        for k in np.flatnonzero(rates > NEAR):
            planned[self.seller[k], self.first[k] : self.last[k] + 1] += rates[k]
        self.planned = planned[self.market.sellers.offers :]
        self.resting = np.zeros(len(rates), dtype=bool)  # contracts that are given nothing any more
        # Contracts in the order of their sellers, and where those of each begin.
        self._by_seller = np.argsort(self.seller, kind="stable")
        self._begins = np.searchsorted(self.seller[self._by_seller], np.arange(len(self.market.sellers) + 1))

    def change(self, k: int, by: int) -> None:
        """Add lots to a contract; 0 enters what it has for the first time."""
        self.tally.add(int(self.program.candidates.lane[k]), self.first[k], self.last[k], by or int(self.lots[k]))
        self.lots[k] += by

    def _draw(self, k: int) -> bytes:
        """Who gets an odd lot among equals is drawn from what they offer, so that neither order nor label favours
        anyone; between two that offer the very same it falls to the one that the arrays have first."""
        pair = f"{self.market.sellers.content[self.seller[k]]}|{self.market.buyers.content[self.buyer[k]]}"
        return blake2b(f"{pair}|{self.first[k]}|{self.last[k]}".encode(), digest_size=8).digest()

    def place_odd_lots(self, product: str) -> None:
        """One lot more or none for each contract between offers whose rate has a fraction."""
        at, offers = self.market.products.index(product), (self.market.sellers.offers, self.market.buyers.offers)
        between_offers = (self.seller < offers[0]) & (self.buyer < offers[1])
        split = (self.rates > self.lots + NEAR) & (self.market.sellers.product[self.seller] == at) & between_offers
        odd = np.flatnonzero(split)
        if not len(odd):
            return
        fraction = self.rates[odd] - self.lots[odd]
        drawn = np.array([int.from_bytes(self._draw(int(k))) for k in odd]) / 2.0**64
        rows = self._rows_of(odd)
        total = rows @ fraction
        found = milp(
            -(fraction + NEAR * drawn),
            integrality=np.ones(len(odd), dtype=np.int64),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(rows, np.floor(total + NEAR), np.ceil(total - NEAR)),
            options={"presolve": False, "time_limit": ODD_SECONDS, "mip_rel_gap": 0.0},
        )
        if found.x is not None:
            for k in odd[found.x > 0.5].tolist():
                self.change(k, 1)

    def _rows_of(self, candidates: Ints) -> sparse.csr_array:
        """What one lot of each candidate takes in each row of the programme that it is in."""
        columns = self.program.fixed + candidates
        taken = sparse.csr_array(self.program.engine.matrix[:, columns])
        return taken[np.diff(taken.indptr) > 0]

    def give_back(self, product: str) -> None:
        """Lots lost by rounding, largest remainder first, where there is room."""
        at = self.market.products.index(product)
        lost = np.flatnonzero((self.rates > self.lots + NEAR) & (self.market.sellers.product[self.seller] == at))
        for k in sorted(lost.tolist(), key=lambda k: (-round(float(self.rates[k] - self.lots[k]), 6), self._draw(k))):
            if self._room(k) > 0:
                self.change(k, 1)

    def enlarge(self, product: str) -> None:
        """Lots that no remainder claims go to contracts that have room, those worth most first."""
        at = self.market.products.index(product)
        self.fill(np.flatnonzero((self.lots > 0) & (self.market.sellers.product[self.seller] == at)))

    def fill(self, candidates: Ints) -> None:
        """Give some candidates what lots they have room for, those worth most first; never at a loss."""
        mine = candidates[~self.resting[candidates]]
        mine = mine[(self.lots[mine] > 0) | (self._worth(mine) >= -LOSS)]
        lanes, windows = self.program.candidates.lane[mine], np.stack([self.first[mine], self.last[mine]], axis=1)
        mine = mine[self.tally.has_room(lanes, windows)]  # few of very many
        for k in sorted(mine.tolist(), key=lambda k: (-round(float(self.program.margin[k]), 9), self._draw(k))):
            more = self._room(k)
            if more > 0:
                self.change(k, more)

    def _room(self, k: int) -> int:
        """Lots more that a contract may have: a conversion that sells must be able to make them, one that buys must
        have a use for them."""
        offers = self.market.sellers.offers, self.market.buyers.offers
        maker, taker = int(self.seller[k]) - offers[0], int(self.buyer[k]) - offers[1]
        most = self.tally.room(int(self.program.candidates.lane[k]), self.first[k], self.last[k])
        for period in range(self.first[k], self.last[k] + 1):
            if maker >= 0:
                most = min(most, self.tally.makeable(maker, period) - int(self.tally.sold[self.seller[k], period]))
            if taker >= 0:
                conversion = int(self.market.buyers.conversion[self.buyer[k]])
                wanted = float(self.market.coefficient[taker]) * self.planned[conversion, period]
                at_hand = float(self.market.own_stock[taker]) + self.tally.bought[self.buyer[k], period]
                most = min(most, ceil(wanted - NEAR - at_hand))
        return most

    def cut_outputs(self, product: str) -> bool:
        """Cut sales of a product's conversions to what they can make."""
        changed = False
        for m, conversion in enumerate(self.market.conversions):
            if conversion.product != product:
                continue
            position = self.market.sellers.offers + m
            for period in range(self.market.periods):
                over = int(self.tally.sold[position, period]) - self.tally.makeable(m, period)
                if over <= 0:
                    continue
                changed = True
                mine = self._by_seller[self._begins[position] : self._begins[position + 1]]
                mine = mine[(self.lots[mine] > 0) & (self.first[mine] <= period) & (self.last[mine] >= period)]
                for k in sorted(mine.tolist(), key=self._missed):
                    less = min(over, int(self.lots[k]))
                    if less:
                        self.change(k, -less)
                        over -= less
        return changed

    def _missed(self, k: int) -> tuple[int, int, bytes]:
        """Contracts are cut in this order: the shortest, which lose the least elsewhere, of these the smallest."""
        return int(self.last[k] - self.first[k]), int(self.lots[k]), self._draw(k)

    def settle(self, *, begin: bool) -> None:
        """Bring inputs and outputs into balance, and leave unmade what loses; what that leaves of demand goes to
        whoever still has lots for it."""
        while self.cut_all() or self.trim_inputs():
            pass
        self.drop_losing_chains()
        self.fill(np.flatnonzero((self.buyer < self.market.buyers.offers) & (begin | (self.lots > 0))))

    def cut_all(self) -> bool:
        cut = [self.cut_outputs(product) for product in self.market.products]
        return any(cut)

    def trim_inputs(self) -> bool:
        """Hand back whole lots of inputs that no output needs over the whole window of their contract."""
        changed = False
        inputs = np.flatnonzero((self.lots > 0) & (self.buyer >= self.market.buyers.offers))
        for k in sorted(inputs.tolist(), key=self._missed):
            taker = int(self.buyer[k]) - self.market.buyers.offers
            spare = min(self.tally.spare_input(taker, t) for t in range(self.first[k], self.last[k] + 1))
            less = min(spare, int(self.lots[k]))
            if less > 0:
                self.change(k, -less)
                changed = True
        return changed

    def drop_losing_chains(self) -> None:
        """A chain so small that whole lots of its inputs cost more than its outputs bring is not made at all."""
        made = np.flatnonzero(self.lots)
        ends = self.market.sellers.conversion[self.seller[made]], self.market.buyers.conversion[self.buyer[made]]
        ties: nx.Graph[int] = nx.Graph()
        ties.add_nodes_from(range(len(self.market.conversions)))
        ties.add_edges_from((int(a), int(b)) for a, b in zip(*ends, strict=True) if a >= 0 and b >= 0)
        chain = {m: at for at, part in enumerate(nx.connected_components(ties)) for m in part}
        of = [chain.get(max(int(a), int(b)), -1) for a, b in zip(*ends, strict=True)]
        worth = np.zeros(len(chain) + 1)
        np.add.at(worth, of, self._worth(made) * self.lots[made] * self.program.level[self._product(made)])
        for k, one in zip(made.tolist(), of, strict=True):
            if one >= 0 and worth[one] < 0:
                self.change(k, -int(self.lots[k]))

    def _worth(self, candidates: Ints) -> Floats:
        """Welfare of one lot of each of some candidates over its window, relative to the product's typical price; a
        conversion's fee is taken from what it sells."""
        worth = self.program.margin[candidates].copy()
        maker = self.seller[candidates] - self.market.sellers.offers
        makes = np.flatnonzero(maker >= 0)
        sums = np.concatenate([np.zeros((len(self.market.fee), 1)), np.cumsum(self.market.fee, axis=1)], axis=1)
        some = candidates[makes]
        fee = sums[maker[makes], self.last[some] + 1] - sums[maker[makes], self.first[some]]
        worth[makes] -= fee / self.program.level[self._product(some)]
        return np.asarray(worth, dtype=float)

    def _product(self, candidates: Ints) -> Ints:
        return np.asarray(self.market.sellers.product[self.seller[candidates]], dtype=np.int64)
