"""A second opinion on small markets: every candidate written out, one dense programme, no generation of columns.

It reads a snapshot's records with plain loops and follows the problem as it is stated, not as it is solved elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from statistics import median

import numpy as np
from scipy.optimize import linprog

from matching.snapshot import Bound, Conversion, ConversionInput, Offer, Side, Snapshot

SAME = 1e-7  # optima nearer than this, relative to their size, are the same
SLACK = 1e-9  # with which a reached optimum is held, relative; ten times the solver's own for small ones
SETTLED = 1e-4  # a filled share that can rise by no more than this cannot rise

Row = tuple[dict[int, float], float]  # coefficients by variable, right-hand side of <=


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair of labels, a product and a window; `gain` is CNY per lot of rate over the whole window."""

    seller: str
    buyer: str
    product: str
    first: int
    last: int
    gain: float

    @property
    def length(self) -> int:
        return self.last - self.first + 1

    def covers(self, period: int) -> bool:
        return self.first <= period <= self.last


Party = Offer | Conversion


def free_quantity(snapshot: Snapshot, offer: Offer) -> list[int]:
    """Lots per period that earlier promises leave."""
    left = list(offer.quantity)
    for commitment in snapshot.commitments:
        if offer.offer in (commitment.sell, commitment.buy):
            left = [max(0, have - taken) for have, taken in zip(left, commitment.quantity, strict=True)]
    return left


def supplier(snapshot: Snapshot, firm: str) -> str:
    return snapshot.affiliates.get(firm, firm)


def freight(snapshot: Snapshot, product: str, origin: str, destination: str) -> Decimal | None:
    """CNY per unit, None where no freight is known."""
    for name in (product, "*"):
        if (name, origin, destination) in snapshot.freight:
            return snapshot.freight[name, origin, destination]
    return Decimal(0) if origin == destination else None


class Oracle:
    """The market of a snapshot, written out in full."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.periods = range(len(snapshot.horizon))
        self.offers = {offer.offer: offer for offer in snapshot.offers}
        self.conversions = {conversion.conversion: conversion for conversion in snapshot.conversions}
        self.rank = {(grade.product, grade.grade): grade.rank for grade in snapshot.grades}
        self.lot = {grade.product: Fraction(grade.lot) for grade in snapshot.grades}
        self.worth = [Fraction(one) for one in snapshot.worths]
        self.free = {offer.offer: free_quantity(snapshot, offer) for offer in snapshot.offers}

    # Who may trade with whom

    def _sellers(self) -> Iterator[Party]:
        yield from (offer for offer in self.snapshot.offers if offer.side is Side.SELL)
        yield from self.snapshot.conversions

    def _buyers(self) -> Iterator[tuple[Party, ConversionInput | None]]:
        yield from ((offer, None) for offer in self.snapshot.offers if offer.side is Side.BUY)
        yield from ((conversion, need) for conversion in self.snapshot.conversions for need in conversion.inputs)

    def eligible(self, seller: Party, buyer: Party, need: ConversionInput | None) -> bool:
        """Everything but windows: product, grade, specification, certificate, exclusion, approval, freight."""
        wanted = need or buyer
        if seller.product != wanted.product:
            return False
        serves = self.rank[seller.product, seller.grade] >= self.rank[wanted.product, wanted.grade]
        excluded = {seller.firm, buyer.firm} in [set(pair) for pair in self.snapshot.exclusions]
        carried = freight(self.snapshot, seller.product, seller.region, buyer.region) is not None
        accepted = not isinstance(buyer, Offer) or self._accepts(buyer, seller)
        return serves and not excluded and carried and accepted

    def _accepts(self, buyer: Offer, seller: Party) -> bool:
        """What a demand asks of a supplier beside the grade."""
        approved = buyer.approved_firms is None or seller.firm in buyer.approved_firms
        meets = all(self._meets(seller, name, value) for name, value in buyer.specification.items())
        return approved and meets and all(name in seller.certificates for name in buyer.certificates)

    def _meets(self, seller: Party, name: str, value: Decimal) -> bool:
        given = seller.specification.get(name)
        if given is None:
            return False
        return given >= value if self.snapshot.attributes[name] is Bound.MIN else given <= value

    def freight(self, seller: Party, buyer: Party) -> Decimal:
        """CNY per unit of an eligible pair; nothing where it is in one side's price."""
        if getattr(seller, "freight_included", False) or getattr(buyer, "freight_included", False):
            return Decimal(0)
        cost = freight(self.snapshot, seller.product, seller.region, buyer.region)
        assert cost is not None
        return cost

    def admits(self, party: Party, first: int, last: int) -> bool:
        """Does one side's horizon and term allow the window?"""
        has = self.free[party.offer] if isinstance(party, Offer) else party.capacity
        length = last - first + 1
        most = len(self.periods) if party.max_term is None else party.max_term
        return all(has[first : last + 1]) and party.min_term <= length <= most

    def certified(self, seller: Party, buyer: Party, first: int) -> bool:
        """Is every certificate that the buyer requires valid when the contract begins?"""
        if not isinstance(buyer, Offer):
            return True
        ends = [seller.certificates[name] for name in buyer.certificates]
        return all(end is None or end >= first for end in ends)

    def windows(self) -> list[tuple[int, int]]:
        if self.snapshot.windows is not None:
            return sorted(set(self.snapshot.windows))
        return [(first, last) for first in self.periods for last in self.periods if first <= last]

    @cached_property
    def candidates(self) -> list[Candidate]:
        found = []
        for seller in self._sellers():
            for buyer, need in self._buyers():
                if not self.eligible(seller, buyer, need):
                    continue
                for first, last in self.windows():
                    both = self.admits(seller, first, last) and self.admits(buyer, first, last)
                    if both and self.certified(seller, buyer, first):
                        gain = self._gain(seller, buyer, first, last)
                        found.append(Candidate(label(seller), label(buyer), seller.product, first, last, gain))
        return found

    def _gain(self, seller: Party, buyer: Party, first: int, last: int) -> float:
        cost = Fraction(self.freight(seller, buyer)) * sum(self.worth[first : last + 1])
        ask = self.total(seller.price, first, last) if isinstance(seller, Offer) else Fraction(0)
        bid = self.total(buyer.price, first, last) if isinstance(buyer, Offer) else Fraction(0)
        return float((bid - ask - cost) * self.lot[seller.product])

    def total(self, prices: Sequence[Decimal], first: int, last: int) -> Fraction:
        """The sum of the prices of a window in money of the first period."""
        return sum((Fraction(prices[t]) * self.worth[t] for t in range(first, last + 1)), Fraction(0))

    # The programme

    @cached_property
    def activities(self) -> dict[tuple[str, int], int]:
        """Variables of conversion activity, after those of the candidates."""
        pairs = [(name, t) for name in self.conversions for t in self.periods]
        return {pair: len(self.candidates) + at for at, pair in enumerate(pairs)}

    @property
    def variables(self) -> int:
        return len(self.candidates) + len(self.activities)

    def _of(self, period: int, **wanted: str) -> list[int]:
        return [
            k
            for k, candidate in enumerate(self.candidates)
            if candidate.covers(period) and all(getattr(candidate, name) == value for name, value in wanted.items())
        ]

    @cached_property
    def rows(self) -> list[Row]:
        found: list[Row] = []
        for t in self.periods:
            for name, offer in self.offers.items():
                side = {"seller" if offer.side is Side.SELL else "buyer": name}
                found.append((dict.fromkeys(self._of(t, **side), 1.0), float(self.free[name][t])))
            for name in self.conversions:
                found += self._conversion_rows(name, t)
            found += self._share_rows(t)
            found += self._corridor_rows(t)
            found += self._ceiling_rows(t)
        return found

    def _conversion_rows(self, name: str, period: int) -> Iterator[Row]:
        conversion, made = self.conversions[name], self.activities[name, period]
        yield {**dict.fromkeys(self._of(period, seller=name), 1.0), made: -1.0}, 0.0
        yield {made: 1.0}, float(conversion.capacity[period])
        for need in conversion.inputs:
            lots = Fraction(need.quantity_per_output) * self.lot[conversion.product] / self.lot[need.product]
            bought = self._of(period, buyer=name, product=need.product)
            yield (
                {**dict.fromkeys(bought, -1.0), made: float(lots)},
                float(Fraction(need.own_stock) / self.lot[need.product]),
            )

    def _share_rows(self, period: int) -> Iterator[Row]:
        for (name, group), cap in self.share_caps(period).items():
            members = [k for k in self._of(period, buyer=name) if self.supplier_of(self.candidates[k].seller) == group]
            yield dict.fromkeys(members, 1.0), float(cap)

    def _corridor_rows(self, period: int) -> Iterator[Row]:
        for (product, origin, destination), cap in self.corridor_caps(period).items():
            members = [
                k
                for k in self._of(period, product=product)
                if self.regions_of(self.candidates[k].seller, self.candidates[k].buyer) == (origin, destination)
            ]
            yield dict.fromkeys(members, 1.0), float(cap)

    def _ceiling_rows(self, period: int) -> Iterator[Row]:
        for (product, group), cap in self.ceiling_caps(period).items():
            members = [
                k for k in self._of(period, product=product) if self.supplier_of(self.candidates[k].seller) == group
            ]
            yield dict.fromkeys(members, 1.0), float(cap)

    def supplier_of(self, name: str) -> str:
        return supplier(self.snapshot, self.party(name).firm)

    def regions_of(self, seller: str, buyer: str) -> tuple[str, str]:
        return self.party(seller).region, self.party(buyer).region

    def party(self, name: str) -> Party:
        return self.offers.get(name) or self.conversions[name]

    def share_caps(self, period: int) -> dict[tuple[str, str], int]:
        """Whole lots that each supplier may still give each capped demand."""
        groups = {supplier(self.snapshot, seller.firm) for seller in self._sellers()}
        caps = {}
        for name, offer in self.offers.items():
            if offer.max_share is None:
                continue
            for group in groups:
                given = sum(
                    c.quantity[period]
                    for c in self.snapshot.commitments
                    if c.buy == name and self.supplier_of(c.sell) == group
                )
                caps[name, group] = max(0, int(Fraction(offer.max_share) * offer.quantity[period]) - given)
        return caps

    def corridor_caps(self, period: int) -> dict[tuple[str, str, str], int]:
        """Whole lots that may still move over each corridor with a quota."""
        caps: dict[tuple[str, str, str], int] = {}
        for quota in self.snapshot.corridors:
            if quota.product in self.lot and quota.position in (None, period):
                key = quota.product, quota.origin, quota.destination
                caps[key] = min(caps.get(key, 10**9), int(Fraction(quota.limit) / self.lot[quota.product]))
        for c in self.snapshot.commitments:
            key = self.offers[c.sell].product, *self.regions_of(c.sell, c.buy)
            if key in caps:
                caps[key] = max(0, caps[key] - c.quantity[period])
        return caps

    def ceiling_caps(self, period: int) -> dict[tuple[str, str], int]:
        """Whole lots that each supplier may still give of a product with a ceiling, over all demands."""
        caps: dict[tuple[str, str], int] = {}
        for ceiling in self.snapshot.ceilings:
            cap = int(Fraction(ceiling.share) * self._posted(ceiling.product, period))
            for seller in self._sellers():
                group = supplier(self.snapshot, seller.firm)
                if seller.product == ceiling.product and ceiling.firm in {None, group}:
                    given = sum(
                        c.quantity[period]
                        for c in self.snapshot.commitments
                        if self.offers[c.sell].product == ceiling.product and self.supplier_of(c.sell) == group
                    )
                    caps[ceiling.product, group] = max(0, cap - given)
        return caps

    def _posted(self, product: str, period: int) -> int:
        """Lots of demand for a product, what conversions could take of it at capacity included."""
        bids = [o for o in self.offers.values() if o.side is Side.BUY and o.product == product]
        lots = sum(offer.quantity[period] for offer in bids)
        for conversion in self.conversions.values():
            for need in conversion.inputs:
                if need.product == product:
                    made = conversion.capacity[period] * self.lot[conversion.product]
                    lots += int(made * Fraction(need.quantity_per_output) / self.lot[product])
        return lots

    @cached_property
    def welfare_objective(self) -> np.ndarray:
        found = np.array([candidate.gain for candidate in self.candidates] + [0.0] * len(self.activities))
        for (name, t), at in self.activities.items():
            conversion = self.conversions[name]
            found[at] = -float(Fraction(conversion.fee[t]) * self.lot[conversion.product] * self.worth[t])
        return found

    @cached_property
    def volume_objective(self) -> np.ndarray:
        typical = self.typical_prices()
        values = [candidate.length * typical[candidate.product] for candidate in self.candidates]
        return np.array(values + [0.0] * len(self.activities))

    def typical_prices(self) -> dict[str, float]:
        """The median price of each product, CNY per lot: how volumes of different products are added up."""
        found = {}
        for product, lot in self.lot.items():
            prices = [price for o in self.offers.values() if o.product == product for price in o.price if price > 0]
            fees = [fee for c in self.conversions.values() if c.product == product for fee in c.fee if fee > 0]
            known = prices or fees
            found[product] = float(median(known)) * float(lot) if known else 1.0
        return found

    def maximise(self, objective: np.ndarray, extra: Sequence[Row] = ()) -> tuple[float, np.ndarray]:
        """The optimum over all candidates and its point."""
        if not self.variables:
            return 0.0, np.zeros(0)
        rows = [*self.rows, *extra]
        matrix = np.zeros((len(rows), self.variables))
        for at, (coefficients, _) in enumerate(rows):
            for variable, value in coefficients.items():
                matrix[at, variable] = value
        return _maximum(objective, matrix, [rhs for _, rhs in rows])

    @cached_property
    def welfare(self) -> float:
        return self.maximise(self.welfare_objective)[0]

    @cached_property
    def volume(self) -> float:
        """The greatest volume among the welfare optima, in value at typical prices."""
        return self.maximise(self.volume_objective, [self._at_least(self.welfare_objective, self.welfare)])[0]

    @staticmethod
    def _at_least(objective: np.ndarray, value: float) -> Row:
        slack = max(1e-6, SLACK * abs(value))
        return {k: -float(v) for k, v in enumerate(objective) if v}, -(value - slack)

    # Fairness, by asking of every offer whether it can be raised

    def max_min_fills(self) -> dict[str, float]:
        """The filled share of each offer over the horizon at the max-min point of the best volumes."""
        held = [
            self._at_least(self.welfare_objective, self.welfare),
            self._at_least(self.volume_objective, self.volume),
        ]
        measures = self._fill_measures()
        settled: dict[str, float] = {}
        while len(settled) < len(measures):
            rows = held + [self._at_least(measures[name], floor) for name, floor in settled.items()]
            still = [name for name in measures if name not in settled]
            level = self._highest_floor(rows, [measures[name] for name in still])
            floors = [self._at_least(measures[name], level) for name in still]
            stuck = [name for name in still if self.maximise(measures[name], rows + floors)[0] <= level + SETTLED]
            assert stuck, "some offer must be at the floor"
            settled |= dict.fromkeys(stuck, level)
        return settled

    def _fill_measures(self) -> dict[str, np.ndarray]:
        found = {}
        for name, offer in self.offers.items():
            offered = sum(self.free[name])
            side = "seller" if offer.side is Side.SELL else "buyer"
            if offered:
                lengths = [c.length / offered if getattr(c, side) == name else 0.0 for c in self.candidates]
                found[name] = np.array(lengths + [0.0] * len(self.activities))
        return found

    def _highest_floor(self, rows: Sequence[Row], measures: Sequence[np.ndarray]) -> float:
        """The greatest value that all measures reach together: one more variable, at the end."""
        all_rows = [*self.rows, *rows]
        matrix = np.zeros((len(all_rows) + len(measures), self.variables + 1))
        for at, (coefficients, _) in enumerate(all_rows):
            for variable, value in coefficients.items():
                matrix[at, variable] = value
        for at, measure in enumerate(measures, start=len(all_rows)):
            matrix[at, :-1], matrix[at, -1] = -measure, 1.0
        objective = np.zeros(self.variables + 1)
        objective[-1] = 1.0
        rhs = [limit for _, limit in all_rows] + [0.0] * len(measures)
        return max(0.0, _maximum(objective, matrix, rhs)[0])

    # Prices of a market of one period without limits

    def seller_price_range(self, name: str) -> tuple[float, float]:
        """Lowest and highest clearing price ex works of a seller, CNY per unit, in a market of offers alone."""
        at = {label: k for k, label in enumerate(self.offers)}
        rows = np.zeros((len(self.candidates) + 1, len(at)))
        for k, candidate in enumerate(self.candidates):
            rows[k, at[candidate.seller]] = rows[k, at[candidate.buyer]] = -1.0
        rows[-1] = [self.free[label][0] for label in at]
        slack = max(1e-6, SLACK * self.welfare)
        rhs = [-candidate.gain for candidate in self.candidates] + [self.welfare + slack]
        ends = []
        for sign in (1.0, -1.0):
            objective = np.zeros(len(at))
            objective[at[name]] = -sign
            ends.append(-sign * _maximum(objective, rows, rhs)[0])
        seller = self.offers[name]
        low, high = (float(seller.price[0]) + end / float(self.lot[seller.product]) for end in ends)
        return low, high

    # Whole lots, by trying them all

    def best_in_whole_lots(self) -> float:
        """The greatest welfare in whole lots; only for markets with few candidates and few lots."""
        rows = [(dict(coefficients), limit) for coefficients, limit in self.rows]
        best = 0.0

        def search(k: int, rates: list[int], gain: float) -> None:
            nonlocal best
            if k == len(self.candidates):
                made = self._activity(rates)
                if made is not None:
                    best = max(best, gain - made)
                return
            for rate in range(self._most(rows, k, rates) + 1):
                search(k + 1, [*rates, rate], gain + rate * self.candidates[k].gain)

        search(0, [], 0.0)
        return best

    def _most(self, rows: Sequence[Row], k: int, rates: Sequence[int]) -> int:
        room = 10**9
        for coefficients, limit in rows:
            # Rows of conversions have a variable of activity; they are looked at when all rates are known.
            if k in coefficients and max(coefficients) < len(self.candidates):
                room = min(room, int(limit - sum(rates[c] for c in coefficients if c < k)))
        candidate = self.candidates[k]
        for name in (candidate.seller, candidate.buyer):
            if name in self.conversions:
                room = min(room, 20)
        return room

    def _activity(self, rates: Sequence[int]) -> float | None:
        """The fees of the conversions at these rates, CNY; None where one cannot make what it sells."""
        fees = 0.0
        for name, conversion in self.conversions.items():
            for t in self.periods:
                sold = sum(rates[k] for k in self._of(t, seller=name))
                if sold > conversion.capacity[t]:
                    return None
                for need in conversion.inputs:
                    bought = sum(rates[k] for k in self._of(t, buyer=name, product=need.product))
                    at_hand = Fraction(need.own_stock) + bought * self.lot[need.product]
                    if sold * self.lot[conversion.product] * Fraction(need.quantity_per_output) > at_hand:
                        return None
                fees += float(sold * self.lot[conversion.product] * Fraction(conversion.fee[t]))
        return fees


def _maximum(objective: np.ndarray, rows: np.ndarray, limits: Sequence[float]) -> tuple[float, np.ndarray]:
    """The greatest value of an objective over variables of at least zero with `rows` @ variables <= `limits`."""
    found = linprog(-objective, A_ub=rows, b_ub=limits, method="highs")
    if found.fun is None:  # presolve may call a very thin set empty
        found = linprog(-objective, A_ub=rows, b_ub=limits, method="highs", options={"presolve": False})
    assert found.fun is not None, found.message
    return -float(found.fun), np.asarray(found.x)


def label(party: Party) -> str:
    return party.offer if isinstance(party, Offer) else party.conversion
