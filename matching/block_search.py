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
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .block_holding import held
from .block_rest import SHUT, Kept, LeftOut, Rest
from .block_terms import Breach, Term, Trade, breaches
from .engine import Face, Point, SolverFailed
from .pricing import Candidates, Duals, Values, best_candidates
from .sides import Floats, Ints

SAME = 1e-9  # a welfare better by less than this, relative, is the same
ROUNDED = 1e-14  # what sums of whole lots are rounded by, relative; more than that would leave no point
LOSS = 1e-7  # of the typical price: less is not even a step of the locked price
AT_ONCE = 0.25  # part of the broken terms of a product that one round leaves out
DECIDED = 0.7  # part of the contracts below their minimum that one round raises or drops
HALF_WAY = 0.5  # share of its minimum from which a contract is raised
FEW = 3  # contracts below their minimum that another optimum may still mend
CLOSED = 40  # after so many rounds no contract with a minimum begins any more, so that an end is near


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One optimum of the search: what is left out, the face of the rest, its optimum and trade, and the terms that
    this breaks."""

    left_out: LeftOut
    face: Face
    point: Point
    trade: Trade
    broken: Sequence[Breach]


class Search(Rest):
    """The search from what is left out and raised on, until nothing is broken."""

    def without_breach(
        self, left_out: LeftOut, floor: float = -np.inf, raised: frozenset[int] = frozenset()
    ) -> Kept | None:
        """The answer that remains when, from `left_out` and `raised` on, what breaks its terms is left out or raised
        too, round by round; None as soon as it can be no better than `floor`."""
        for rounds in itertools.count(1):
            face = self.face(left_out, raised)
            point = face.maximise(self.program.welfare)
            if point.value <= floor + SAME * abs(floor):
                return None
            trade = Trade.of_point(self.program, point.variables)
            broken = breaches(self.terms, trade)
            if broken:
                now = Round(left_out=left_out, face=face, point=point, trade=trade, broken=broken)
                leaning = self._leaning(now)
                if leaning is None:
                    up, out = self._mended(now)
                    if up <= raised and out - left_out == LeftOut():  # what is raised does not mend it
                        out |= LeftOut(parties=frozenset(breach.party for breach in broken))
                    raised, left_out = raised | up, left_out | out
                    if rounds >= CLOSED:
                        left_out |= LeftOut(candidates=self.stepped_idle(trade))
                    continue
                point = leaning
            if self._price_out(point, left_out):
                continue
            raised &= frozenset(self.keys(self.program.candidates)[self.allowed(left_out)].tolist())
            losing = self.losing(raised, self.program.duals(point.duals))
            if not losing:
                return Kept(left_out=left_out, raised=raised, point=point)
            left_out, raised = left_out | LeftOut(candidates=losing), raised - losing
        raise AssertionError("every round leaves out or raises something, so there is a last one")

    def _mended(self, now: Round) -> tuple[frozenset[int], LeftOut]:
        """What more to raise and to leave out. Contracts below their minimum are decided first, offers that are only
        partly filled once there are none of those."""
        below = sorted({breach.candidate for breach in now.broken if breach.term is Term.LEAST})
        waits = {Term.LEAST, Term.WHOLE} if below else set()
        used = self.program.engine.activity(now.face.lower)
        up, out = self._raise_or_drop(np.array(below, dtype=np.int64), now, used)
        left_out = LeftOut(candidates=out)
        others, parents = [], {}
        for breach in now.broken:
            parent = int(self.terms.parent[breach.party])
            if breach.term is Term.PARENT and parent not in parents:
                parents[parent] = self._parent_raised(breach.party, now, used)
            if breach.term is Term.PARENT and parents[parent] is not None:
                continue
            if breach.term not in waits:
                others.append(breach)
        up |= {key for key in parents.values() if key is not None}
        return up, left_out | self.furthest(others, now.trade) if others else left_out

    def _raise_or_drop(self, below: Ints, now: Round, used: Floats) -> tuple[frozenset[int], frozenset[int]]:
        """Of candidates below their minimum rate those that are clearest: raised where they have at least half of it
        and every limit has room for it beside what is raised already, dropped otherwise. What is raised is added to
        what is `used` of each row."""
        keys, least = self.keys(self.program.candidates), self.least_rates()
        share = now.trade.rates[below] / self.least[self.program.candidates.lane[below]]
        order = np.lexsort((keys[below], -np.abs(share - HALF_WAY)))
        up, out = set(), set()
        for at in order[: int(np.ceil(DECIDED * len(below)))].tolist():
            k = int(below[at])
            if share[at] >= HALF_WAY and self._fits(k, float(least[k]), used):
                used[self._rows(k)] += least[k]
                up.add(int(keys[k]))
            else:
                out.add(int(keys[k]))
        return frozenset(up), frozenset(out)

    def _rows(self, k: int) -> Ints:
        """The rows of a candidate."""
        matrix, column = self.program.engine.matrix, self.program.fixed + k
        return np.asarray(matrix.indices[matrix.indptr[column] : matrix.indptr[column + 1]])

    def _fits(self, k: int, rate: float, used: Floats) -> bool:
        """Is there room for a rate of a candidate beside what is used of each row? What conversions trade follows
        from their balance and is never raised."""
        rows = self._rows(k)
        room = (used[rows] + rate <= self.program.limits[rows] * (1 + ROUNDED)).all()
        return bool(room) and bool(self.between_offers(np.array([k]))[0])

    def _parent_raised(self, party: int, now: Round, used: Floats) -> int | None:
        """The candidate, by key, with which the offer that a party depends on trades at the least loss, if that is
        less than what the party gains and every limit has room for it beside what is `used` of each row, to which it
        is added."""
        program, parent = self.program, int(self.terms.parent[party])
        mine = np.flatnonzero((program.seller == parent) | (program.buyer + len(self.market.sellers) == parent))
        barred = np.isin(self.keys(program.candidates)[mine], sorted(now.left_out.candidates))
        mine = mine[(now.face.upper[program.fixed + mine] > 0) & ~barred]
        loss = -self.reduced(now.point)[program.fixed + mine] * self.least_rates()[mine]
        segments = len(program.segments)
        rows = slice(party * segments, (party + 1) * segments)
        gain = float(now.point.duals[rows] @ program.limits[rows])
        for at in np.argsort(loss, kind="stable").tolist():
            k = int(mine[at])
            if loss[at] >= gain:
                break
            if self._fits(k, float(self.least_rates()[k]), used):
                used[self._rows(k)] += self.least_rates()[k]
                return int(self.keys(program.candidates)[k])
        return None

    def losing(self, raised: frozenset[int], duals: Duals) -> frozenset[int]:
        """Of raised candidates those whose buyer would pay more than its bid at shadow prices; the rents of limits
        are the buyer's own."""
        candidates = self.raised_lots(raised).candidates
        sellers = replace(duals, buyer=np.zeros_like(duals.buyer), family=np.zeros_like(duals.family))
        values = Values(self.market, self.lanes, sellers)
        found: set[int] = set()
        for window in np.unique(candidates.window).tolist():
            lane = candidates.lane[candidates.window == window]
            lost = lane[values.reduced(lane, window) < -LOSS]
            found |= set(self.keys(Candidates(lane=lost, window=np.full_like(lost, window))).tolist())
        return frozenset(found)

    def _price_out(self, point: Point, left_out: LeftOut) -> int:
        """Add candidates of open lanes that would gain; how many there were."""
        latest = np.where(self.open_lanes(left_out), self.lanes.latest_start, SHUT)
        lanes = replace(self.lanes, latest_start=latest)
        pricing = self.values(lanes, self.program.duals(point.duals)).best()
        return self.program.add(best_candidates(lanes, pricing))

    def _leaning(self, now: Round) -> Point | None:
        """Of the optima the one that fills broken terms fullest while the others stay kept, if that mends them.

        Looked for once few minimum rates are broken: of many it mends all only by rare luck."""
        below = {breach.candidate for breach in now.broken if breach.term is Term.LEAST}
        if len(below) > FEW:
            return None
        face = now.face.optima(self.program.welfare, now.point.duals)
        partly = {breach.party for breach in now.broken if breach.term is Term.WHOLE}
        face = held(self.terms, self.program, face, now.trade, open_candidates=below, open_parties=partly)
        wanted = partly | {int(self.terms.parent[b.party]) for b in now.broken if b.term is Term.PARENT}
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
        return replace(found, duals=now.point.duals, value=now.point.value)

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


def _one(breach: Breach, keys: Ints) -> LeftOut:
    """What ends one breach."""
    if breach.term is Term.LEAST:
        return LeftOut(candidates=frozenset([int(keys[breach.candidate])]))
    if breach.term is Term.MOST:
        return LeftOut(firms=frozenset([(breach.party, breach.firm)]))
    return LeftOut(parties=frozenset([breach.party]))
