"""The best answer that keeps all block terms, in whole lots, written out in full: a second opinion on tiny markets.

It knows no prices but asks that each contract between two offers has a price good for both. Where that is not enough
for an answer from which everybody gains at one set of prices, the best of those is worth less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from matching.snapshot import Offer

from .market_oracle import Oracle, Row


class BlockOracle:
    """Variables: those of the divisible oracle, then a switch for each candidate, offer and (offer, firm) pair."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle, self.count = oracle, len(oracle.candidates)
        names = sorted(oracle.offers)
        self.used = np.arange(self.count) + oracle.variables
        self.trades = {name: oracle.variables + self.count + at for at, name in enumerate(names)}
        self.of = {name: [k for k, c in enumerate(oracle.candidates) if name in (c.seller, c.buyer)] for name in names}
        pairs = sorted({(name, self._other(k, name)) for name in names for k in self.of[name]})
        start = oracle.variables + self.count + len(names)
        self.meets = {pair: start + at for at, pair in enumerate(pairs)}
        self.variables = start + len(pairs)

    def _other(self, k: int, name: str) -> str:
        """The firm that an offer would deal with in a candidate."""
        candidate = self.oracle.candidates[k]
        return self.oracle.party(candidate.buyer if candidate.seller == name else candidate.seller).firm

    def _loses(self, k: int) -> bool:
        """Is a candidate between two offers worth less than nothing?"""
        candidate, offers = self.oracle.candidates[k], self.oracle.offers
        return candidate.gain < 0 and candidate.seller in offers and candidate.buyer in offers

    def best(self, seconds: float = 10.0) -> float:
        """The welfare of the best answer, CNY."""
        rows = [*self.oracle.rows, *self._rows()]
        table = np.zeros((len(rows), self.variables))
        for at, (entries, _) in enumerate(rows):
            table[at, list(entries)] = list(entries.values())
        objective = np.zeros(self.variables)
        objective[: self.oracle.variables] = self.oracle.welfare_objective
        integral = np.ones(self.variables, dtype=np.int64)
        integral[self.count : self.oracle.variables] = 0  # what conversions make
        upper = np.full(self.variables, np.inf)
        upper[self.oracle.variables :] = 1
        upper[[int(self.used[k]) for k in range(self.count) if self._loses(k)]] = 0
        limits = LinearConstraint(table, ub=np.array([most for _, most in rows]))
        found = milp(
            -objective,
            constraints=limits,
            bounds=Bounds(0, upper),
            integrality=integral,
            options={"time_limit": seconds, "mip_rel_gap": 0.0, "presolve": False},
        )
        assert found.status == 0, found.message
        return -float(found.fun)

    def _rows(self) -> Iterator[Row]:
        """Everything that block terms ask, as entries by variable whose sum is at most a number."""
        groups: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name, offer in self.oracle.offers.items():
            yield from self._of_offer(name, offer)
            if offer.group:
                groups[offer.firm, offer.group].append(name)
        for members in groups.values():
            yield {self.trades[name]: 1.0 for name in members}, 1.0

    def _of_offer(self, name: str, offer: Offer) -> Iterator[Row]:
        oracle, trades, mine = self.oracle, self.trades[name], self.of[name]
        room = float(max(oracle.free[name]))
        for k in mine:
            used = int(self.used[k])
            yield {k: 1.0, used: -room}, 0.0
            yield {k: -1.0, used: float(max(offer.min_rate, 1))}, 0.0
            yield {used: 1.0, trades: -1.0}, 0.0
            yield {used: 1.0, self.meets[name, self._other(k, name)]: -1.0}, 0.0
        if offer.all_or_none:
            for t in oracle.periods:
                covering = [k for k in mine if oracle.candidates[k].covers(t)]
                yield {**dict.fromkeys(covering, -1.0), trades: float(oracle.free[name][t])}, 0.0
        if offer.most_contracts is not None:
            yield {at: 1.0 for (limited, _), at in self.meets.items() if limited == name}, float(offer.most_contracts)
        if offer.only_with is not None:
            parent = self.of.get(offer.only_with, [])
            yield {trades: 1.0, **{int(self.used[k]): -1.0 for k in parent}}, 0.0
