"""What to leave out of a market, and what to raise in it, so that the divisible rest keeps every block term.

Once some offers and candidates are left out and some contracts are held at their minimum rate ("raised"), the market
that remains is divisible and its shadow prices are prices. Every contract that is not raised gains what both sides'
shadow prices say, and none of them is below zero. A raised contract is paid at its seller's price too; its buyer may
gain less on it than on the next one, and where that would be a loss it is left out. So a search for the best answer is
a search for what to leave out and what to raise.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .block_holding import Raised, held
from .block_terms import NEAR, BlockTerms, Breach, Rooms, Term, Trade, breaches, least_rate
from .clearing import Cleared
from .engine import INFINITY, Face, Point, SolverFailed
from .pricing import TIE, Candidates, Values, best_candidates
from .program import Program
from .sides import Bools, Floats, Ints

SAME = 1e-9  # a welfare better by less than this, relative, is the same
AT_ONCE = 0.25  # part of the broken terms of a product that one round leaves out
DECIDED = 0.5  # part of the contracts below their minimum that one round raises or drops
HALF_WAY = 0.5  # share of its minimum from which a contract is raised
FEW = 3  # contracts below their minimum that another optimum may still mend
CLOSED = 25  # after so many rounds no contract with a minimum begins any more, so that an end is near
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

    def possible(self, left_out: LeftOut, duals: Floats, most: int) -> tuple[Point, float]:
        """The divisible optimum over every candidate that has room for its minimum rate, found from row duals near
        it, and the reduced cost of the best candidate that the programme then lacks, as in `stock`.

        No answer that leaves out as much or more is worth more than it."""
        cut = self.stock(duals, most)
        while True:
            point = self._face(left_out).maximise(self.program.welfare)
            known = len(self.program.candidates)
            cut = self.stock(point.duals, most)
            reduced = self.reduced(point)[self.program.fixed + known :][self.allowed(left_out)[known:]]
            if max(cut, float(reduced.max(initial=0.0))) <= TIE:
                return point, cut

    def reduced(self, point: Point) -> Floats:
        """[variables] welfare of one unit beyond what its rows are worth."""
        return np.asarray(self.program.welfare - self.program.engine.matrix.T @ point.duals)

    def without_breach(
        self, left_out: LeftOut, floor: float = -np.inf, raised: frozenset[int] = frozenset()
    ) -> Kept | None:
        """The answer that remains when, from `left_out` and `raised` on, what breaks its terms is left out or raised
        too, round by round; None as soon as it can be no better than `floor`."""
        for rounds in itertools.count(1):
            face = self._face(left_out, raised)
            point = face.maximise(self.program.welfare)
            if point.value <= floor + SAME * abs(floor):
                return None
            trade = Trade.of_point(self.program, point.variables)
            broken = breaches(self.terms, trade)
            if broken:
                leaning = self._leaning(point, face, broken)
                if leaning is None:
                    left_out, raised = self._mended(left_out, raised, broken, trade, face)
                    if rounds >= CLOSED:
                        left_out |= LeftOut(candidates=self._stepped_idle(trade))
                    continue
                point = leaning
            if self._price_out(point, left_out):
                continue
            raised &= frozenset(self.keys(self.program.candidates)[self.allowed(left_out)].tolist())
            losing = self.losing(raised, point.duals)
            if not losing:
                return Kept(left_out=left_out, raised=raised, point=point)
            left_out, raised = left_out | LeftOut(candidates=losing), raised - losing
        raise AssertionError("every round leaves out or raises something, so there is a last one")

    def _face(self, left_out: LeftOut, raised: frozenset[int] = frozenset()) -> Face:
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

    def _stepped_idle(self, trade: Trade) -> frozenset[int]:
        """Candidates with a minimum rate that a trade does not have."""
        idle = self.least[self.program.candidates.lane] > 1
        idle[: len(trade.traded)] &= ~trade.traded
        return frozenset(self.keys(self.program.candidates)[idle].tolist())

    def _mended(
        self, left_out: LeftOut, raised: frozenset[int], broken: Sequence[Breach], trade: Trade, face: Face
    ) -> tuple[LeftOut, frozenset[int]]:
        """More left out or raised. Contracts below their minimum are decided first, offers that are only partly
        filled once there are none of those."""
        below = sorted({breach.candidate for breach in broken if breach.term is Term.LEAST})
        waits = {Term.LEAST, Term.WHOLE} if below else set()
        others = [breach for breach in broken if breach.term not in waits]
        if others:
            left_out |= self.furthest(others, trade)
        if below:
            up, out = self._raise_or_drop(np.array(below), trade, face)
            raised |= up
            left_out |= LeftOut(candidates=out)
        return left_out, raised

    def _raise_or_drop(self, below: Ints, trade: Trade, face: Face) -> tuple[frozenset[int], frozenset[int]]:
        """Of candidates below their minimum rate those that are clearest: raised where they have at least half of it
        and every limit has room for it beside what the face holds up already, dropped otherwise."""
        program, keys = self.program, self.keys(self.program.candidates)
        share = trade.rates[below] / self.least[program.candidates.lane[below]]
        order = np.lexsort((keys[below], -np.abs(share - HALF_WAY)))
        least, matrix = self.least_rates(), program.engine.matrix
        used = program.engine.activity(face.lower)
        offers = (program.seller < self.market.sellers.offers) & (program.buyer < self.market.buyers.offers)
        up, out = set(), set()
        for at in order[: max(1, int(np.ceil(DECIDED * len(below))))].tolist():
            k = int(below[at])
            column = program.fixed + k
            rows = matrix.indices[matrix.indptr[column] : matrix.indptr[column + 1]]
            fits = bool((used[rows] + least[k] <= program.limits[rows] * (1 + SAME)).all())
            if share[at] >= HALF_WAY and offers[k] and fits:
                used[rows] += least[k]
                up.add(int(keys[k]))
            else:
                out.add(int(keys[k]))
        return frozenset(up), frozenset(out)

    def losing(self, raised: frozenset[int], rows: Floats) -> frozenset[int]:
        """Of raised candidates those whose buyer would pay more than its bid at row duals."""
        program, keys = self.program, self.keys(self.program.candidates)
        at = np.flatnonzero(np.isin(keys, list(raised)))
        sells, buys = (len(side) * len(program.segments) for side in (self.market.sellers, self.market.buyers))
        paid = rows.copy()
        paid[sells : sells + buys] = 0.0  # what is left when the seller's price and the rents are paid
        gain = program.margin[at] - program.engine.matrix[:, program.fixed + at].T @ paid
        return frozenset(keys[at[gain < -TIE]].tolist())

    def _price_out(self, point: Point, left_out: LeftOut) -> int:
        """Add candidates of open lanes that would gain; how many there were."""
        latest = np.where(self.open_lanes(left_out), self.lanes.latest_start, SHUT)
        lanes = replace(self.lanes, latest_start=latest)
        pricing = Values(self.market, lanes, self.program.duals(point.duals)).best()
        return self.program.add(best_candidates(lanes, pricing))

    def _leaning(self, point: Point, face: Face, broken: Sequence[Breach]) -> Point | None:
        """Of the optima the one that fills broken terms fullest while the others stay kept, if that mends them.

        Looked for once few minimum rates are broken: of many it mends all only by rare luck."""
        below = {breach.candidate for breach in broken if breach.term is Term.LEAST}
        if len(below) > FEW:
            return None
        face = face.optima(self.program.welfare, point.duals)
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

    def at_minimum(self, trade: Trade) -> frozenset[int]:
        """The candidates that a trade has at their minimum rate."""
        least = self.least[trade.candidates.lane]
        at = np.flatnonzero(trade.traded & (least > 1) & (trade.rates <= least * (1 + NEAR)))
        return frozenset(self.keys(trade.candidates)[at].tolist())

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
        beside = kept.point.variables - self._face(LeftOut(), kept.raised).lower[: len(kept.point.variables)]
        near[:count] |= beside[self.program.fixed :] > 0
        program.add(Candidates(lane=mine.lane[near], window=mine.window[near]))
        rates = dict(zip(self.keys(mine).tolist(), beside[self.program.fixed :].tolist(), strict=False))
        placed = [rates.get(key, 0.0) for key in self.keys(program.candidates).tolist()]
        variables = np.concatenate([beside[: self.program.fixed], placed]) * (self.program.value / program.value)
        variables = np.maximum(variables, 0.0)
        point = replace(kept.point, variables=variables, value=float(program.welfare @ variables))
        return Cleared(program=program, point=point, duals=program.duals(point.duals), rounds=0)


NEARBY = 0.01  # candidates that lose more than this, relative, do not bear on prices


def _one(breach: Breach, keys: Ints) -> LeftOut:
    """What ends one breach."""
    if breach.term is Term.LEAST:
        return LeftOut(candidates=frozenset([int(keys[breach.candidate])]))
    if breach.term is Term.MOST:
        return LeftOut(firms=frozenset([(breach.party, breach.firm)]))
    return LeftOut(parties=frozenset([breach.party]))
