"""The price at which an offer would enter: what the cheapest way to make room for a little of it costs the others.

At the welfare optimum a small volume of an unfilled offer is forced into the market and everything else may move: what
is traded up or down, what is not traded only up, no scarce limit further. The least loss of welfare per lot and period
is the distance; linear programming duality says that it is also the most that any optimal shadow prices keep the offer
away by. It is told exactly where both meet:

- from above, by displacing one contract or using what is to spare, then by the programme of such small changes, which
  goes on from its last basis and is given candidates of all lanes until none would make it cheaper;
- from below, by shadow prices at which no lane of all lanes gains.

Distances here are relative to the product's typical price, per lot and period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from .engine import INFINITY, Face, Point, SolverFailed
from .lanes import Lanes
from .prices import at_capacity, is_scarce
from .pricing import LANES_PER_BLOCK, TIE, Candidates, Duals, Values, best_candidates, conversion_margin, zero_duals
from .program import SUPPORT, Program
from .rounds import Cleared
from .sides import Bools, Floats, Ints, Market

NEAR = 1e-7  # relative prices nearer than this are told as equal: shadow prices come rounded as they are written
NEVER = 1e4  # typical prices; what is paid for the part of the forced volume that finds no way in yet
FAINT = 1e-9  # a move by less than this is none
# Work that the distances of one sub-market may take, counted in candidates priced (some 20 ns each, measured). The
# reference scenario needs 2 % of it, a market of 6 000 offers and 430 000 lanes over a ladder two fifths.
EFFORT = 1_000_000_000
PER_COLUMN = 20  # of a solve that goes on from the last basis; the first one costs its columns' square
PER_ROW = 4  # of asking a basis which way one offer alone would go
EACH = 8  # lanes of its own that an offer asked about may add in one round, best first


@dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """How far unfilled offers and conversions stand off: `least` [n] is a lower bound, the distance itself where
    `exact` [n]. Positions are counted through: sellers first, then buyers."""

    least: Floats
    exact: Bools


def _raised(market: Market, duals: Duals) -> Duals:
    """The same shadow prices with the output of an idle conversion at what it would cost, its fee included.

    They are as optimal: nothing idle is traded, and what is made at a rent keeps its value."""
    idle = np.minimum(conversion_margin(market, duals), 0.0)
    seller = duals.seller.copy()
    seller[market.sellers.offers :] -= idle
    return replace(duals, seller=seller)


def bounds(market: Market, lanes: Lanes, known: Sequence[Duals], asked: Ints) -> Floats:
    """[n] at least how far some positions stand off, by shadow prices at which no lane gains."""
    gates = _Gates(market, lanes, asked)
    return np.asarray(np.max([gates.kept_off(duals) for duals in known], axis=0))


def distances(cleared: Cleared, known: Sequence[Duals], asked: Ints, effort: int = EFFORT) -> Distances:
    """How far each of some positions that are not traded stands off.

    `known` are optimal shadow prices; `effort` bounds the candidates priced, beyond which distances are told as lower
    bounds only.
    """
    if not len(asked):
        return Distances(least=np.zeros(0), exact=np.zeros(0, dtype=bool))
    return _Entry(cleared, known, asked, effort).told()


class _Gates:
    """The lanes of some positions, and the nearest of them at some prices."""

    def __init__(self, market: Market, lanes: Lanes, asked: Ints) -> None:
        self.market, self.lanes, self.asked = market, lanes, asked
        place = np.full(len(market.sellers) + len(market.buyers), -1, dtype=np.int64)
        place[asked] = np.arange(len(asked))
        self.of_seller, self.of_buyer = place[: len(market.sellers)], place[len(market.sellers) :]
        selling = np.flatnonzero(self.of_seller[lanes.seller] >= 0)
        buying = np.flatnonzero(self.of_buyer[lanes.buyer] >= 0)
        self.lane = np.concatenate([selling, buying])
        self.of = np.concatenate([self.of_seller[lanes.seller[selling]], self.of_buyer[lanes.buyer[buying]]])
        self.selling = np.concatenate([np.ones(len(selling), dtype=bool), np.zeros(len(buying), dtype=bool)])

    def kept_off(self, duals: Duals) -> Floats:
        """[asked] by how much shadow prices at which no lane gains keep each out."""
        return np.maximum(self.nearest(Values(self.market, self.lanes, _raised(self.market, duals))), 0.0)

    def nearest(self, values: Values, more: _Displacing | None = None) -> Floats:
        """[asked] the least that a lot and period of each would lose in its best lane and window; `more` is what room
        costs in the lanes."""
        least = np.full(len(self.asked), INFINITY)
        for start in range(0, len(self.lane), LANES_PER_BLOCK):
            lane, of = self.lane[start : start + LANES_PER_BLOCK], self.of[start : start + LANES_PER_BLOCK]
            for w, length in enumerate(values.length):
                gain = values.reduced(lane, w)
                if more is not None:
                    gain = gain - more.cost(lane, self.selling[start : start + LANES_PER_BLOCK], w)
                np.minimum.at(least, of, -gain / length)
        return least


class _Displacing:
    """What it costs to make room in a lane by giving up one contract of the counterpart over the same window, or
    nothing where the counterpart has volume to spare; infinite where a scarce limit is in the way."""

    def __init__(self, program: Program, variables: Floats, scarce: Bools) -> None:
        market, self.lanes = program.market, program.lanes
        sells, buys = len(market.sellers), len(market.buyers)
        tight = scarce.reshape(-1, len(program.segments))
        at = program.segments.of[market.windows]  # [W, 2]
        sums = np.concatenate([np.zeros((len(tight), 1), dtype=np.int64), np.cumsum(tight, axis=1)], axis=1)
        blocked = sums[:, at[:, 1] + 1] - sums[:, at[:, 0]] > 0  # [positions and families, W]
        room = np.where(blocked, INFINITY, 0.0)
        room[sells + market.buyers.offers : sells + buys] = 0.0  # a conversion may buy more than it uses
        self.family = np.concatenate([room[sells + buys :], np.zeros((1, len(market.windows)))])
        traded = np.flatnonzero(variables[program.fixed :] > SUPPORT)
        window, margin = program.candidates.window[traded], program.margin[traded]
        np.minimum.at(room, (sells + program.buyer[traded], window), margin)
        sold = program.buyer[traded] < market.buyers.offers  # without its input a conversion would have to stop
        np.minimum.at(room, (program.seller[traded[sold]], window[sold]), margin[sold])
        self.seller, self.buyer = room[:sells], room[sells : sells + buys]

    def cost(self, lane: Ints, selling: Bools, window: int) -> Floats:
        """Relative, over the window; `selling` where it is the seller of the lane that wants to enter."""
        room = np.where(
            selling, self.buyer[self.lanes.buyer[lane], window], self.seller[self.lanes.seller[lane], window]
        )
        for kind in range(self.lanes.family.shape[1]):
            room = room + self.family[self.lanes.family[lane, kind], window]
        return np.asarray(room, dtype=float)


class _Entry:
    """The programme of small changes with one more row for each position that is asked about: its volume, to be forced
    in, and a slack for the volume that has found no way yet.

    Variables: those slacks, then the variables of the clearing's programme. The rows of those not probed say no more
    than that nothing is taken from an offer that is not traded; so every probe begins at the last basis, whose prices
    remain feasible.
    """

    def __init__(self, cleared: Cleared, known: Sequence[Duals], asked: Ints, effort: int) -> None:
        self.program = program = cleared.program
        self.market, self.lanes = program.market, program.lanes
        self.gates = _Gates(self.market, self.lanes, asked)
        self.asked, self.rows = asked, len(program.limits)
        self.effort = float(effort)
        self.least = bounds(self.market, self.lanes, known, asked)
        self.priced_out: set[bytes] = set()
        self.engine = type(program.engine)(self.rows + len(asked))
        slacks = sparse.eye_array(len(asked), format="csc")
        above = sparse.csc_array((self.rows, len(asked)))
        self.engine.add_columns(sparse.csc_array(sparse.vstack([above, slacks], format="csc")))
        self.sent, self.cold = 0, True
        self._start(cleared.point.variables)
        every = np.arange(len(asked))
        for duals in known:
            self.program.add(self._own(_raised(self.market, duals), every, np.full(len(asked), INFINITY)))

    def _start(self, optimum: Floats) -> None:
        """Which way everything may move from the optimum."""
        program, face = self.program, self.program.face
        variables = np.zeros(len(face.lower))  # candidates added since are not traded
        variables[: len(optimum)] = optimum
        full = at_capacity(program, variables)
        closed = face.upper <= face.lower
        self.lower = np.where((variables > SUPPORT) | full, -INFINITY, 0.0)
        self.upper = np.where(full | closed, 0.0, INFINITY)
        self.scarce = is_scarce(program, variables)
        self.variables = variables
        traded = program.traded(variables).lane
        inside = np.concatenate(
            [self.gates.of_seller[self.lanes.seller[traded]], self.gates.of_buyer[self.lanes.buyer[traded]]]
        )
        self.traded = np.zeros(len(self.asked), dtype=bool)
        self.traded[inside[inside >= 0]] = True

    def told(self) -> Distances:
        displacing = _Displacing(self.program, self.variables, self.scarce)
        most = self.gates.nearest(Values(self.market, self.lanes, zero_duals(self.market, self.lanes)), displacing)
        made = (self.asked >= self.market.sellers.offers) & (self.asked < len(self.market.sellers))
        most[made] = INFINITY  # making more of an output costs the conversion, too
        most[self.traded] = 0.0
        self.exact = np.zeros(len(self.asked), dtype=bool)
        self._meet(most)
        for side in (self.asked < len(self.market.sellers), self.asked >= len(self.market.sellers)):
            # All of a side at once: it brings most of what each needs, and prices that keep many of them out.
            open_ = np.flatnonzero(side & ~self.exact)
            if len(open_) > 1 and self._force(open_) is not None:
                most[open_] = np.minimum(most[open_], self._alone(open_))
                self._meet(most)
            for at in np.flatnonzero(side & ~self.exact).tolist():
                loss = self._force(np.array([at]))
                if loss is not None:
                    self.least[at], self.exact[at] = loss, True
        return Distances(least=self.least, exact=self.exact)

    def _meet(self, most: Floats) -> None:
        """Distances that are known from both sides are exact."""
        met = ~self.exact & (most - self.least <= NEAR)
        self.least[met] = np.maximum(most[met], 0.0)
        self.exact |= met

    def _force(self, which: Ints) -> float | None:
        """What forcing a unit of each of some offers in costs; None where that is not known in the end."""
        while True:
            self._grow()
            columns = self.engine.matrix.shape[1]
            if not self._affords(columns**2 / 100 if self.cold else PER_COLUMN * columns):
                return None
            near, self.cold = not self.cold, False
            paid = np.concatenate([np.full(len(self.asked), -NEVER), self.program.welfare])
            try:
                point = self.engine.maximise(self._forcing(which), paid, near=near)
            except SolverFailed:  # a gain within the tolerance of the clearing has no end here
                return None
            loss = max(-float(self.program.welfare @ point.variables[len(self.asked) :]), 0.0)
            found = bool((point.variables[which] <= FAINT).all())
            if found and loss - self.least[which].sum() <= NEAR:
                return loss
            added = self._add_gaining(point, which)
            if added is None or (added == 0 and not found):
                return None
            if added == 0:
                return loss

    def _affords(self, work: float) -> bool:
        """Is there effort left for some work? It is then taken off."""
        enough = work <= self.effort
        self.effort -= work if enough else 0.0
        return enough

    def _alone(self, which: Ints) -> Floats:
        """[which] what each costs by itself where others move as they did when it was forced in with many; infinite
        where their bounds do not let them."""
        resting, welfare = self._forcing(np.zeros(0, dtype=np.int64)), self.program.welfare
        return np.array([self._following(at, resting, welfare) for at in which.tolist()])

    def _following(self, at: int, resting: Face, welfare: Floats) -> float:
        if not self._affords(PER_ROW * self.rows):
            return INFINITY
        variable, move = self.engine.following(self.rows + at)
        inside = variable >= len(self.asked)
        moved = self.engine.matrix[:, variable]
        row, place = np.unique(moved.indices, return_inverse=True)
        change = np.bincount(place, moved.data * np.repeat(move, np.diff(moved.indptr)), minlength=len(row))
        enters = (change[row == self.rows + at] >= 1.0 - FAINT).any()
        allowed = (
            (move >= resting.lower[variable] - FAINT).all()
            and (move <= resting.upper[variable] + FAINT).all()
            and (move[~inside] <= FAINT).all()
            and (change >= resting.row_lower[row] - FAINT).all()
            and (change <= resting.row_upper[row] + FAINT).all()
        )
        return -float(welfare[variable[inside] - len(self.asked)] @ move[inside]) if enters and allowed else INFINITY

    def _forcing(self, which: Ints) -> Face:
        count = len(self.asked)
        forced = np.where(self.traded, -INFINITY, 0.0)
        forced[which] = 1.0
        return Face(
            engine=self.engine,
            row_lower=np.concatenate([np.full(self.rows, -INFINITY), forced]),
            row_upper=np.concatenate([np.where(self.scarce, 0.0, INFINITY), np.full(count, INFINITY)]),
            lower=np.concatenate([np.zeros(count), self.lower]),
            upper=np.concatenate([np.full(count, INFINITY), self.upper]),
        )

    def _grow(self) -> None:
        """Bring over the variables of the clearing's programme that are new."""
        program, count = self.program, len(self.asked)
        if self.sent == program.engine.matrix.shape[1]:
            return
        matrix = program.engine.matrix[:, self.sent :]
        first = max(0, self.sent - program.fixed)  # of the candidates
        seller, buyer = program.seller[first:], program.buyer[first:]
        length = self.market.lengths[program.candidates.window[first:]]
        column = np.arange(len(length)) + max(0, program.fixed - self.sent)
        rows = np.concatenate([self.gates.of_seller[seller], self.gates.of_buyer[buyer]])
        columns, entries = np.concatenate([column, column]), np.concatenate([length, length]).astype(float)
        mine = rows >= 0
        forced = sparse.csc_array((entries[mine], (rows[mine], columns[mine])), shape=(count, matrix.shape[1]))
        self.engine.add_columns(sparse.csc_array(sparse.vstack([matrix, forced], format="csc")))
        more = program.engine.matrix.shape[1] - len(self.lower)
        self.lower = np.concatenate([self.lower, np.zeros(more)])
        self.upper = np.concatenate([self.upper, np.full(more, INFINITY)])
        self.sent = program.engine.matrix.shape[1]

    def _add_gaining(self, point: Point, which: Ints) -> int | None:
        """Add candidates that would make a way in cheaper; 0 where no lane of all lanes has one, None where there is
        no effort left to know."""
        program, duals = self.program, self.program.duals(point.duals[: self.rows])
        paid = -point.duals[self.rows :]
        added = program.add(self._own(duals, which, paid[which] - TIE))
        key = np.round(point.duals[: self.rows], 10).tobytes()
        if key in self.priced_out:
            return added
        if not self._affords(2 * len(self.lanes) * len(self.market.windows)):
            return None
        pricing = Values(self.market, self.lanes, duals).best()
        if pricing.reduced.max(initial=0.0) > TIE:
            added += program.add(best_candidates(self.lanes, pricing))
        if added:
            return added
        self.priced_out.add(key)
        np.maximum(self.least, self.gates.kept_off(duals), out=self.least, where=~self.exact)
        return 0

    def _own(self, duals: Duals, which: Ints, below: Floats) -> Candidates:
        """The best few lanes of some of those asked about, each in its best window, where they lose less per period
        than `below` [which]."""
        most = np.full(len(self.asked), -INFINITY)
        most[which] = below
        mine = np.flatnonzero(most[self.gates.of] > -INFINITY)
        lane, of = self.gates.lane[mine], self.gates.of[mine]
        values = Values(self.market, self.lanes, duals)
        least, window = np.full(len(lane), INFINITY), np.zeros(len(lane), dtype=np.int64)
        for w, length in enumerate(values.length):
            loss = -values.reduced(lane, w) / length
            window[loss < least] = w
            np.minimum(least, loss, out=least)
        better = np.flatnonzero(least < most[of])
        order = better[np.lexsort((least[better], of[better]))]
        place = np.arange(len(order)) - np.searchsorted(of[order], of[order])
        order = order[place < EACH]
        return Candidates(lane=lane[order], window=window[order])
