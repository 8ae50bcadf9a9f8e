"""What to leave out of a market so that the divisible rest keeps every block term.

An answer keeps all terms without a loss to anyone at one set of prices exactly when it is an optimum of the divisible
market that is left once some offers and candidates are left out: then every contract's gain is what both sides' shadow
prices say, and none of them is below zero. So a search for the best answer is a search for what to leave out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .block_holding import held
from .block_terms import BlockTerms, Breach, Rooms, Term, Trade, breaches, least_rate
from .clearing import Cleared
from .engine import INFINITY, Face, Point, SolverFailed
from .pricing import Candidates, Values, best_candidates
from .program import Program
from .sides import Bools, Floats, Ints

SAME = 1e-9  # a welfare better by less than this, relative, is the same
AT_ONCE = 0.25  # part of the broken terms of a product that one round leaves out
SHUT = -1  # a latest start with which a lane admits no window


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What is left out: parties, (party, firm) that do without each other, candidates on lanes with a minimum rate
    by `Rest.keys`."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer that keeps all terms: what it leaves out and an optimum of the divisible rest."""

    left_out: LeftOut
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

    def keys(self, candidates: Candidates) -> Ints:
        """One number a candidate, whatever programme it stands in."""
        return candidates.lane * len(self.market.windows) + candidates.window

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
        possible = self.rooms.of(found.lane, found.window) >= self.least[found.lane]
        gone = np.isin(self.keys(found), sorted(left_out.candidates))
        return np.asarray(possible & ~gone & ~self.shut(left_out)[found.lane])

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

    def without_breach(self, left_out: LeftOut, floor: float = -np.inf) -> Kept | None:
        """The answer that remains when, from `left_out` on, what breaks its terms is left out too, round by round;
        None as soon as it can be no better than `floor`."""
        while True:
            point = self._face(left_out).maximise(self.program.welfare)
            if point.value <= floor + SAME * abs(floor):
                return None
            trade = Trade.of_point(self.program, point.variables)
            broken = breaches(self.terms, trade)
            if broken:
                leaning = self._leaning(point, left_out, broken)
                if leaning is None:
                    left_out |= self.furthest(broken, trade)
                    continue
                point = leaning
            if not self._price_out(point, left_out):
                return Kept(left_out=left_out, point=point)

    def _face(self, left_out: LeftOut) -> Face:
        face = self.program.face
        rates = np.where(self.allowed(left_out), INFINITY, 0.0)
        return replace(face, upper=np.concatenate([face.upper[: self.program.fixed], rates]))

    def _price_out(self, point: Point, left_out: LeftOut) -> int:
        """Add candidates of open lanes that would gain; how many there were."""
        latest = np.where(self.open_lanes(left_out), self.lanes.latest_start, SHUT)
        lanes = replace(self.lanes, latest_start=latest)
        pricing = Values(self.market, lanes, self.program.duals(point.duals)).best()
        return self.program.add(best_candidates(lanes, pricing))

    def _leaning(self, point: Point, left_out: LeftOut, broken: Sequence[Breach]) -> Point | None:
        """Of the optima the one that fills broken terms fullest while the others stay kept, if that mends them."""
        face = self._face(left_out).optima(self.program.welfare, point.duals)
        below = {breach.candidate for breach in broken if breach.term is Term.LEAST}
        partly = {breach.party for breach in broken if breach.term is Term.WHOLE}
        trade = Trade.of_point(self.program, point.variables)
        face = held(self.terms, self.program, face, trade, open_candidates=below, open_parties=partly)
        wanted = partly | {int(self.terms.parent[b.party]) for b in broken if b.term is Term.PARENT}
        fuller = np.isin(self.program.seller, list(wanted)).astype(float)
        fuller += np.isin(self.program.buyer + len(self.market.sellers), list(wanted))
        fuller *= self.program.length
        fuller[list(below)] += 1.0
        try:
            found = face.maximise(self.program.objective(fuller))
        except SolverFailed:  # what counted as kept was so only within the tolerance
            return None
        if breaches(self.terms, Trade.of_point(self.program, found.variables)):
            return None
        return replace(found, duals=point.duals, value=point.value)

    def furthest(self, broken: Sequence[Breach], trade: Trade) -> LeftOut:
        """What to leave out for some breaches of a trade.

        Where a party has several contracts below its minimum, the largest is tried once more with the others gone;
        of what stands alone, what is furthest from its terms in each product goes first.
        """
        keys = self.keys(trade.candidates)
        below, alone = defaultdict(list), defaultdict(list)
        found = LeftOut()
        for breach in broken:
            if breach.term is Term.LEAST:
                below[breach.party].append(breach)
            elif breach.term is Term.WHOLE:
                alone[self._product(breach.party)].append(breach)
            else:
                found |= _one(breach, keys)
        for party, few in below.items():
            few.sort(key=lambda breach: (breach.share, keys[breach.candidate]))
            for breach in few[:-1]:
                found |= _one(breach, keys)
            if len(few) == 1:
                alone[self._product(party)].append(few[0])
        if found == LeftOut():
            for few in alone.values():
                few.sort(key=lambda breach: (breach.share, breach.party, keys[breach.candidate]))
                for breach in few[: max(1, int(AT_ONCE * len(few)))]:
                    found |= _one(breach, keys)
        return found

    def _product(self, party: int) -> int:
        product = np.concatenate([self.market.sellers.product, self.market.buyers.product])
        return int(product[party])

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

    def reduced_program(self, kept: Kept) -> Cleared:
        """The divisible rest as a clearing of its own: a programme of the open lanes and of what trades beside."""
        latest = np.where(self.open_lanes(kept.left_out), self.lanes.latest_start, SHUT)
        program = Program(self.market, replace(self.lanes, latest_start=latest), type(self.program.engine))
        mine, count = self.program.candidates, len(kept.point.variables) - self.program.fixed
        variables = kept.point.variables
        reduced = self.program.welfare - self.program.engine.matrix.T @ kept.point.duals
        near = self.allowed(kept.left_out) & (reduced[self.program.fixed :] > -NEARBY)
        near[:count] |= variables[self.program.fixed :] > 0
        program.add(Candidates(lane=mine.lane[near], window=mine.window[near]))
        rates = dict(zip(self.keys(mine).tolist(), variables[self.program.fixed :].tolist(), strict=False))
        placed = [rates.get(key, 0.0) for key in self.keys(program.candidates).tolist()]
        point = replace(kept.point, variables=np.concatenate([variables[: self.program.fixed], placed]))
        return Cleared(program=program, point=point, duals=program.duals(point.duals), rounds=0)


NEARBY = 0.01  # candidates that lose more than this, relative, do not bear on prices


def _one(breach: Breach, keys: Ints) -> LeftOut:
    """What ends one breach."""
    if breach.term is Term.LEAST:
        return LeftOut(candidates=frozenset([int(keys[breach.candidate])]))
    if breach.term is Term.MOST:
        return LeftOut(firms=frozenset([(breach.party, breach.firm)]))
    return LeftOut(parties=frozenset([breach.party]))
