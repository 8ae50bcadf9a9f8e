"""What remains of a market once offers and candidates are left out of it and contracts are raised to their minimum."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .block_holding import Raised
from .block_terms import NOBODY, BlockTerms, Rooms, Trade, least_rate, short_of
from .engine import INFINITY, Face, Point
from .lanes import Lanes
from .pricing import TIE, Candidates, Duals, Values
from .program import Program
from .rounds import Cleared
from .sides import Bools, Floats, Ints

NEARBY = 0.01  # candidates that lose more than this, relative, do not bear on prices
SHUT = -1  # a latest start with which a lane admits no window


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What is left out: parties, (party, firm) that do without each other, candidates by `Rest.keys`. One of those that
    has a minimum rate is not traded, another (of an offer that others depend on) not raised."""

    parties: frozenset[int] = frozenset()
    firms: frozenset[tuple[int, int]] = frozenset()
    candidates: frozenset[int] = frozenset()

    def __or__(self, other: LeftOut) -> LeftOut:
        return LeftOut(
            parties=self.parties | other.parties,
            firms=self.firms | other.firms,
            candidates=self.candidates | other.candidates,
        )

    def __sub__(self, other: LeftOut) -> LeftOut:
        return LeftOut(
            parties=self.parties - other.parties,
            firms=self.firms - other.firms,
            candidates=self.candidates - other.candidates,
        )

    def each(self) -> list[LeftOut]:
        """One for each thing left out."""
        return [
            *(LeftOut(parties=frozenset([party])) for party in sorted(self.parties)),
            *(LeftOut(firms=frozenset([pair])) for pair in sorted(self.firms)),
            *(LeftOut(candidates=frozenset([key])) for key in sorted(self.candidates)),
        ]


def union(several: Sequence[LeftOut]) -> LeftOut:
    """All that any of several leaves out."""
    return LeftOut(
        parties=frozenset().union(*(one.parties for one in several)),
        firms=frozenset().union(*(one.firms for one in several)),
        candidates=frozenset().union(*(one.candidates for one in several)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer that keeps all terms: what it leaves out, the candidates that it holds at their minimum rate (by
    `Rest.keys`) and an optimum of the divisible rest."""

    left_out: LeftOut
    raised: frozenset[int]
    point: Point


class Rest:
    """The divisible rest of a market once something is left out, on one programme that is kept warm.

    Lanes with a minimum rate are "stepped": only candidates that were added by name may trade on them.
    """

    def __init__(self, start: Cleared, terms: BlockTerms) -> None:
        self.terms, self.program = terms, start.program
        self.market, self.lanes = start.program.market, start.program.lanes
        self.rooms = Rooms(self.market, self.lanes)
        self.least = least_rate(terms, self.market, self.lanes, np.arange(len(self.lanes)))
        self.roomy = np.zeros(0, dtype=bool)  # by candidate of the programme, as far as asked

    def keys(self, candidates: Candidates) -> Ints:
        """One number a candidate, whatever programme it stands in."""
        return candidates.keys(len(self.market.windows))

    def shut(self, left_out: LeftOut) -> Bools:
        """[L] lanes that a party or a counterparty left out takes away."""
        sells = len(self.market.sellers)
        gone = np.zeros(len(self.terms.whole), dtype=bool)
        gone[list(left_out.parties)] = True
        found: Bools = gone[self.lanes.seller] | gone[sells + self.lanes.buyer]
        for party, firm in left_out.firms:
            if party < sells:
                found |= (self.lanes.seller == party) & (self.market.buyers.firm[self.lanes.buyer] == firm)
            else:
                found |= (self.lanes.buyer == party - sells) & (self.market.sellers.firm[self.lanes.seller] == firm)
        return found

    def allowed(self, left_out: LeftOut) -> Bools:
        """[candidates of the programme] those that may trade."""
        found = self.program.candidates
        known = len(self.roomy)
        if known < len(found):
            lane, window = found.lane[known:], found.window[known:]
            self.roomy = np.concatenate([self.roomy, self.rooms.of(lane, window) >= self.least[lane]])
        gone = np.isin(self.keys(found), sorted(left_out.candidates)) & (self.least[found.lane] > 1)
        return np.asarray(self.roomy & ~self.program.closed & ~gone & ~self.shut(left_out)[found.lane])

    def values(self, lanes: Lanes, duals: Duals) -> Values:
        """Values of lanes of the market at shadow prices; windows that a limit closes are worth nothing to anybody.

        Nothing is traded there, so nothing gives the limit a price."""
        values = Values(self.market, lanes, duals)
        values.family[self.rooms.moved < 1] = np.inf
        return values

    def open_lanes(self, left_out: LeftOut) -> Bools:
        """[L] lanes on which every candidate may trade."""
        return np.asarray((self.least <= 1) & ~self.shut(left_out))

    def stock(self, duals: Floats, most: int) -> float:
        """Have the candidates nearest to gaining at row duals in the programme, at most so many; the reduced cost of
        the best that is left away, -inf when none is."""
        values = Values(self.market, self.lanes, self.program.duals(duals))
        empty = np.zeros(0, dtype=np.int64)
        lane, window, gain, cut = empty, empty, np.zeros(0), -np.inf
        for at in range(len(self.market.windows)):
            reduced = np.concatenate([np.zeros(0), *(values.reduced(block, at) for block in values.blocks())])
            found = np.flatnonzero((reduced > -np.inf) & (reduced >= cut))
            found = found[self.rooms.of(found, np.full(len(found), at)) >= self.least[found]]
            lane, window = np.concatenate([lane, found]), np.concatenate([window, np.full(len(found), at)])
            gain = np.concatenate([gain, reduced[found]])
            if len(lane) > most:
                order = np.argsort(-gain, kind="stable")
                cut = max(cut, float(gain[order[most]]))
                lane, window, gain = lane[order[:most]], window[order[:most]], gain[order[:most]]
        self.program.add(Candidates(lane=lane, window=window))
        return cut

    def possible(self, left_out: LeftOut, duals: Floats, most: int) -> tuple[Point, float]:
        """The divisible optimum over every candidate that has room for its minimum rate, found from row duals near
        it, and the reduced cost of the best candidate that the programme then lacks, as in `stock`.

        No answer that leaves out as much or more is worth more than it."""
        cut = self.stock(duals, most)
        while True:
            point = self.face(left_out).maximise(self.program.welfare)
            known = len(self.program.candidates)
            cut = self.stock(point.duals, most)
            reduced = self.reduced(point)[self.program.fixed + known :][self.allowed(left_out)[known:]]
            if max(cut, float(reduced.max(initial=0.0))) <= TIE:
                return point, cut

    def reduced(self, point: Point) -> Floats:
        """[variables] welfare of one unit beyond what its rows are worth."""
        return np.asarray(self.program.welfare - self.program.engine.matrix.T @ point.duals)

    def face(self, left_out: LeftOut, raised: frozenset[int] = frozenset()) -> Face:
        face, allowed = self.program.face, self.allowed(left_out)
        rates = np.where(allowed, INFINITY, 0.0)
        held_up = allowed & np.isin(self.keys(self.program.candidates), list(raised))
        least = np.where(held_up, self.least_rates(), 0.0)
        return replace(
            face,
            lower=np.concatenate([face.lower[: self.program.fixed], least]),
            upper=np.concatenate([face.upper[: self.program.fixed], rates]),
        )

    def least_rates(self) -> Floats:
        """[candidates of the programme] their minimum rates in its scale."""
        program = self.program
        level = program.level[self.market.sellers.product[program.seller]]
        return np.asarray(self.least[program.candidates.lane] * level / program.value)

    def stepped_idle(self, trade: Trade) -> frozenset[int]:
        """Candidates with a minimum rate that a trade does not have."""
        idle = self.least[self.program.candidates.lane] > 1
        idle[: len(trade.traded)] &= ~trade.traded
        return frozenset(self.keys(self.program.candidates)[idle].tolist())

    def beside(self, trade: Trade) -> LeftOut:
        """Everything with a block term that a trade does not have."""
        terms, idle = self.terms, trade.by_party <= 0
        parties = np.flatnonzero(idle & (terms.whole | terms.grouped | (terms.parent >= 0)))
        stepped = self.least[self.program.candidates.lane] > 1
        stepped[np.flatnonzero(trade.traded)] = False
        firms = set()
        for party, bound in terms.bound.items():
            others = set(self._firms_of(party)) - bound - set(trade.counterparties(party))
            firms |= {(party, firm) for firm in others}
        return LeftOut(
            parties=frozenset(parties.tolist()),
            firms=frozenset(firms),
            candidates=frozenset(self.keys(self.program.candidates)[stepped].tolist()),
        )

    def _firms_of(self, party: int) -> Collection[int]:
        """Firms on the other side of a party's lanes."""
        sells = len(self.market.sellers)
        if party < sells:
            firms = self.market.buyers.firm[self.lanes.buyer[self.lanes.seller == party]]
        else:
            firms = self.market.sellers.firm[self.lanes.seller[self.lanes.buyer == party - sells]]
        return [int(firm) for firm in np.unique(firms)]

    def at_minimum(self, trade: Trade) -> frozenset[int]:
        """The candidates between offers that a trade has at their minimum rate, for which a lot of an offer that others
        depend on counts too."""
        least = self.least[trade.candidates.lane]
        apart = short_of(trade.rates, least, trade.nothing) | short_of(least, trade.rates, trade.nothing)
        at = np.flatnonzero(trade.traded & ~apart)
        at = at[(least[at] > 1) | self._on_parents(at)]
        at = at[self.between_offers(at)]
        return frozenset(self.keys(trade.candidates)[at].tolist())

    def costly(self, kept: Kept) -> list[int]:
        """Raised candidates of an answer that lose at its shadow prices."""
        keys, reduced = self.keys(self.program.candidates), self.reduced(kept.point)[self.program.fixed :]
        return [int(key) for key in keys[(reduced < -TIE) & np.isin(keys, sorted(kept.raised))]]

    def between_offers(self, at: Ints) -> Bools:
        """Of some candidates of the programme those that no conversion has a part in."""
        sells, buys = self.market.sellers.offers, self.market.buyers.offers
        return np.asarray((self.program.seller[at] < sells) & (self.program.buyer[at] < buys))

    def _on_parents(self, at: Ints) -> Bools:
        """Of some candidates of the programme those of an offer that another depends on."""
        parents, sells = self.terms.parent[self.terms.parent != NOBODY], len(self.market.sellers)
        return np.isin(self.program.seller[at], parents) | np.isin(self.program.buyer[at] + sells, parents)

    def raised_lots(self, raised: frozenset[int]) -> Raised:
        """Raised candidates with the lots they are held at."""
        keys = np.array(sorted(raised), dtype=np.int64)
        lane, window = keys // len(self.market.windows), keys % len(self.market.windows)
        return Raised(candidates=Candidates(lane=lane, window=window), lots=self.least[lane])

    def reduced_program(self, kept: Kept) -> Cleared:
        """The divisible rest as a clearing of its own: a programme of the open lanes and of what trades beside, in a
        market from which raised contracts have taken what is theirs."""
        mine, count = self.program.candidates, len(kept.point.variables) - self.program.fixed
        latest = np.where(self.open_lanes(kept.left_out), self.lanes.latest_start, SHUT)
        market, lanes = self.raised_lots(kept.raised).taken_off(self.market, replace(self.lanes, latest_start=latest))
        program = Program(market, lanes, type(self.program.engine))
        near = self.allowed(kept.left_out) & (self.reduced(kept.point)[self.program.fixed :] > -NEARBY)
        beside = kept.point.variables - self.face(LeftOut(), kept.raised).lower[: len(kept.point.variables)]
        near[:count] |= beside[self.program.fixed :] > 0
        program.add(Candidates(lane=mine.lane[near], window=mine.window[near]))
        rates = dict(zip(self.keys(mine).tolist(), beside[self.program.fixed :].tolist(), strict=False))
        placed = [rates.get(key, 0.0) for key in self.keys(program.candidates).tolist()]
        variables = np.concatenate([beside[: self.program.fixed], placed]) * (self.program.value / program.value)
        variables = np.maximum(variables, 0.0)
        point = replace(kept.point, variables=variables, value=float(program.welfare @ variables))
        return Cleared(program=program, point=point, duals=program.duals(point.duals), rounds=0)
