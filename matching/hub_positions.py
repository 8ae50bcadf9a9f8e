"""What positions do at their hubs: the variables of the hubs' programme but for its arcs, as arrays.

Quantities are bounds here and not rows. An offer stands in the layers of the shortest windows that it asks for, and
whoever is inside the chain in those of segments; who signs for longer passes on to a longer layer what it then lacks in
each of the shorter ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .engine import AT_UPPER, BASIC, INFINITY
from .hubs import Hubs
from .ladder import Ladder
from .lanes import admissible
from .pricing import TIE
from .program import Program
from .sides import Bools, Floats, Ints

# Added to every quantity, in typical values, each drawn evenly up to this: where quantities fit each other a basis has
# variables at zero, and what is traded does not tell it.
UNEVEN = 1e-5
# Of the typical price, times the square of the segments: what it costs to sign for longer, so that nobody does who need
# not, and for no longer than need be. More than an arc has to gain to be there.
LONGER = 2e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Positions in layers, one variable each."""

    position: Ints
    layer: Ints

    def __len__(self) -> int:
        return len(self.position)


class HubPositions:
    """The positions of a market in the layers of a ladder.

    Variables: what each offer sells or buys in its own layers (`offers`); the activity of each conversion in each
    segment; what each position signs for longer (`longer`); offers in segments that they do not admit (`apart`), closed
    but for where a solve begins. `trades` [positions x V, variables] is what each position then sells or buys under
    contracts over the window of each layer.
    """

    def __init__(self, program: Program, hubs: Hubs, ladder: Ladder) -> None:
        sellers, buyers = program.market.sellers, program.market.buyers
        self.hub, self.ladder = hubs.positions, ladder
        self.sells = np.arange(len(self.hub)) < len(sellers)
        self.offered = np.concatenate([sellers.conversion, buyers.conversion]) < 0
        own, every = ladder.tables(np.concatenate([sellers.min_term, buyers.min_term]))
        self.own = own  # [positions, V] layers of the shortest windows
        segments = np.isin(np.arange(len(ladder)), ladder.segment)
        self.base = np.where(self.offered[:, None], own, segments)  # [positions, V] where quantities stand
        self.offers = _standing(self.base & self.offered[:, None])
        self.longer = _standing(every & ~self.base)
        self.apart = _standing(segments & ~self.base)
        owned = (self.limits(program) > 0).any(axis=1) | (every & ~self.base).any(axis=1)
        self.spare = _standing(self.base & (owned & ~self.offered & ~self.sells)[:, None])
        # [positions, V] Whoever is inside the chain and asks for longer than a segment has what it makes or takes
        # nowhere until it is signed for.
        self.withheld = self.base & ~own
        self.conversions = len(program.capacity)
        self.recipes = abs(program.engine.matrix[: len(own) * len(program.segments), : self.conversions])
        self.trades = self._trades()

    def _trades(self) -> sparse.csr_array:
        height, segments = self.base.size, len(self.ladder.segment)
        made = sparse.coo_array(self.recipes)
        position, segment = np.divmod(made.row, segments)
        row = position * len(self.ladder) + self.ladder.segment[segment]
        conversions = sparse.csc_array((made.data, (row, made.col)), shape=(height, self.conversions))
        within, of, onto = self.ladder.within, self.longer.position, self.longer.layer
        parts = self.base[of] & within[:, onto].T  # [longer, V] the layers that each passes on from
        who, layer = np.nonzero(parts)
        entries = -np.ones(len(who)), (of[who] * len(self.ladder) + layer, who)
        passing = self._ones(self.longer) + sparse.csc_array(entries, shape=(height, len(of)))
        blocks = [self._ones(self.offers), conversions, passing, self._ones(self.apart), self._ones(self.spare)]
        return sparse.csr_array(sparse.hstack(blocks, format="csr"))

    def _ones(self, standing: Standing) -> sparse.csc_array:
        at = standing.position * len(self.ladder) + standing.layer
        entries = np.ones(len(standing)), (at, np.arange(len(standing)))
        return sparse.csc_array(entries, shape=(self.base.size, len(standing)))

    def at_hubs(self, hubs: int) -> sparse.csr_array:
        """[hubs x V, positions x V] what a trade takes from the balance of its hub."""
        position, layer = np.nonzero(~self.withheld)
        entries = np.where(self.sells[position], -1.0, 1.0)
        width = len(self.ladder)
        where = self.hub[position] * width + layer, position * width + layer
        return sparse.csr_array((entries, where), shape=(hubs * width, self.base.size))

    def limits(self, program: Program) -> Floats:
        """[positions, S] what each can sell or buy in each segment; what a processor owns of an input."""
        size = len(self.hub), len(program.segments)
        limits = program.limits[: size[0] * size[1]].reshape(size)
        return np.where(limits > 0, limits + UNEVEN * np.random.default_rng(0).random(size), 0.0)

    def capacity(self, program: Program) -> Floats:
        """[conversions x S] what each can make."""
        drawn = np.random.default_rng(1).random(self.conversions)
        return np.where(program.capacity > 0, program.capacity + UNEVEN * drawn, 0.0)

    def _room(self, program: Program) -> Floats:
        """[positions, S] what each can sell or buy, and inside the chain make or take."""
        limits = self.limits(program)
        processed = np.asarray(self.recipes @ self.capacity(program)).reshape(limits.shape)
        return np.where(self.offered[:, None], limits, processed)

    def bounds(self, program: Program) -> tuple[Floats, Floats]:
        """Lower and upper bounds of the variables."""
        quantity = self._room(program)
        market, windows = program.market, program.market.windows[self.ladder.windows]
        open_for = np.concatenate([admissible(side, windows) for side in (market.sellers, market.buyers)])

        def room(of: Standing) -> Floats:
            """The least of all segments; who buys an input may have some to spare in others."""
            over, there = self.ladder.over[of.layer], quantity[of.position]
            least = np.where(over, there, INFINITY).min(axis=1, initial=INFINITY)
            most = np.where(over, there, 0.0).max(axis=1, initial=0.0)
            found = np.where(self.offered[of.position] | self.sells[of.position], least, most)
            return np.where(open_for[of.position, of.layer], found, 0.0)

        upper = [room(self.offers), self.capacity(program), room(self.longer), np.zeros(len(self.apart))]
        own = self.limits(program)[self.spare.position, self.ladder.over[self.spare.layer].argmax(axis=1)]
        lower = np.concatenate([np.zeros(sum(map(len, upper))), -own])
        return lower, np.concatenate([*upper, np.full(len(own), INFINITY)])

    def worth(self, program: Program) -> Floats:
        """What a unit of each variable is worth, over its window and relative to the product's typical price."""
        market, over = program.market, self.ladder.over.T.astype(float)

        def bids(of: Standing) -> Floats:
            """Bids, and asks less than nothing."""
            return np.asarray((each @ over)[of.position, of.layer])

        sides = (-market.sellers.price, market.sellers), (market.buyers.price, market.buyers)
        each = np.concatenate(
            [program.segments.total(price) / program.level[side.product][:, None] for price, side in sides]
        )
        size = self.ladder.over[self.longer.layer].sum(axis=1)
        costs = -LONGER * size**2
        return np.concatenate([bids(self.offers), -program.fee, costs, bids(self.apart), np.zeros(len(self.spare))])

    def values(self, program: Program, gain: Floats, taken: Floats) -> Floats:
        """[positions, S] row duals of positions, from what each variable gains at its bound and what a unit of each
        trade takes [positions, V].

        Inside the chain that is the value of an output or an input. An offer's gain over a window stands where it has
        least; so does what is gained by signing for longer."""
        taken = np.where(self.sells[:, None], -taken, taken)
        values = np.where(self.offered[:, None], 0.0, taken[:, self.ladder.segment])
        first, last = len(self.offers), len(self.offers) + self.conversions + len(self.longer)
        for of, gained in ((self.offers, gain[:first]), (self.longer, gain[last - len(self.longer) : last])):
            np.add.at(values, (of.position, self._least(program, of)), np.maximum(gained, 0.0))
        return values

    def full(self, program: Program, status: Ints, gain: Floats) -> Bools:
        """[positions, S] whose limit binds, as what they trade stands at its bound; inside the chain it does but for
        inputs of which there is some to spare."""
        ends = np.cumsum([len(self.offers), self.conversions, len(self.longer), len(self.apart), len(self.spare)])
        full = np.repeat(~self.offered[:, None], len(program.segments), axis=1)
        for of, last in ((self.offers, ends[0]), (self.longer, ends[2])):
            where = slice(last - len(of), last)
            # A bound of nothing is an upper one to whoever would gain.
            bound = (status[where] == AT_UPPER) | ((status[where] != BASIC) & (gain[where] > TIE))
            full[of.position[bound], self._least(program, of)[bound]] = True
        spare = status[ends[3] : ends[4]] == BASIC
        full[self.spare.position[spare], self.ladder.over[self.spare.layer[spare]].argmax(axis=1)] = False
        return full

    def _least(self, program: Program, of: Standing) -> Ints:
        """The segment of each layer in which a position has least."""
        there = np.where(self.ladder.over[of.layer], self._room(program)[of.position], INFINITY)
        return np.asarray(there.argmin(axis=1), dtype=np.int64)


def _standing(which: Bools) -> Standing:
    position, layer = np.nonzero(which)
    return Standing(position=position, layer=layer)
