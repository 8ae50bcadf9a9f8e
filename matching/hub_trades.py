"""What flows through hubs, cut into pairs: who of those who sell there delivers to whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .engine import AT_LOWER, AT_UPPER, BASIC, Basis
from .hubs import AtHubs, Hubs
from .lifting import Stand
from .pricing import Candidates
from .program import SUPPORT, Program
from .sides import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """What comes in or goes out at hubs: where, and how much, in typical values."""

    hub: Ints
    amount: Floats

    def some(self, which: Bools | Ints) -> Flows:
        return Flows(hub=self.hub[which], amount=self.amount[which])

    def followed_by(self, others: Flows) -> Flows:
        return Flows(hub=np.concatenate([self.hub, others.hub]), amount=np.concatenate([self.amount, others.amount]))


def pairs(hubs: Hubs, cleared: AtHubs, sellers: int) -> tuple[Ints, Ints, Floats]:
    """Who trades with whom, as positions of the sides, and how much in typical values; a pair may be there twice."""
    trades = Flows(hub=hubs.positions, amount=cleared.traded)
    trading = np.flatnonzero(cleared.traded > SUPPORT)
    selling, buying = trading[trading < sellers], trading[trading >= sellers]
    used = np.flatnonzero(cleared.flow > SUPPORT)
    shipped, lowered = used[used < hubs.shipping], used[used >= hubs.shipping]
    leaving = Flows(hub=hubs.tail, amount=cleared.flow)
    source, arc, amount = north_west(trades.some(selling), leaving.some(shipped))
    seller, stock = selling[source], Flows(hub=hubs.head[shipped[arc]], amount=amount)
    found = []
    for depth in range(1 + int(hubs.depth.max(initial=0))):  # from the best grade of each place to its lowest
        takers = buying[hubs.depth[hubs.positions[buying]] == depth]
        down = lowered[hubs.depth[hubs.tail[lowered]] == depth]
        here = hubs.depth[stock.hub] == depth
        source, taker, amount = north_west(stock.some(here), trades.some(takers).followed_by(leaving.some(down)))
        who, bought = seller[here][source], taker < len(takers)
        found.append((who[bought], takers[taker[bought]] - sellers, amount[bought]))
        left = Flows(hub=hubs.head[down[taker[~bought] - len(takers)]], amount=amount[~bought])
        seller, stock = np.concatenate([seller[~here], who[~bought]]), stock.some(~here).followed_by(left)
    sold, got, amounts = zip(*found, strict=True)
    return np.concatenate(sold), np.concatenate(got), np.concatenate(amounts)


def north_west(given: Flows, taken: Flows) -> tuple[Ints, Ints, Floats]:
    """The north-west corner of every hub at once: what comes in goes to what goes out, each in its order, as far as
    there is of both. Positions in both, and the amount of each piece."""
    count = 1 + max(given.hub.max(initial=-1), taken.hub.max(initial=-1))
    most = np.maximum(
        np.bincount(given.hub, given.amount, minlength=count), np.bincount(taken.hub, taken.amount, minlength=count)
    )
    start = np.cumsum(most) - most
    (one, begins, ends), (other, opens, closes) = _on_a_line(given, start), _on_a_line(taken, start)
    marks = np.unique(np.concatenate([begins, ends, opens, closes]))
    size, middle = np.diff(marks), (marks[1:] + marks[:-1]) / 2
    left, right = np.searchsorted(ends, middle), np.searchsorted(closes, middle)
    inside = np.flatnonzero((left < len(ends)) & (right < len(closes)) & (size > SUPPORT))
    inside = inside[(begins[left[inside]] < middle[inside]) & (opens[right[inside]] < middle[inside])]
    return one[left[inside]], other[right[inside]], size[inside]


def _on_a_line(flows: Flows, start: Floats) -> tuple[Ints, Floats, Floats]:
    """Flows in the order of their hubs, with where each begins and ends when they are laid one behind the other from
    the `start` of its hub."""
    order = np.argsort(flows.hub, kind="stable")
    hub, amount = flows.hub[order], flows.amount[order]
    sums = np.concatenate([[0.0], np.cumsum(amount)])
    begins = start[hub] + sums[:-1] - sums[np.searchsorted(hub, hub)]
    return order, begins, begins + amount


def lanes_of(program: Program, seller: Ints, buyer: Ints) -> Ints:
    """The lanes of pairs, without those that are none; lanes are in the order of product, seller and buyer."""
    lanes, market = program.lanes, program.market

    def keys(sellers: Ints, buyers: Ints) -> Ints:
        return (market.sellers.product[sellers] * len(market.sellers) + sellers) * len(market.buyers) + buyers

    known, wanted = keys(lanes.seller, lanes.buyer), keys(seller, buyer)
    at = np.searchsorted(known, wanted)
    found = at < len(known)
    found[found] = known[at[found]] == wanted[found]
    return np.unique(at[found])


def stand_at_hubs(program: Program, hubs: Hubs, cleared: AtHubs) -> Stand | None:
    """Where a programme of one window begins when its hubs are cleared; None where their engine keeps no basis."""
    if cleared.offers is None or cleared.conversions is None:
        return None
    seller, buyer, _ = pairs(hubs, cleared, len(program.market.sellers))
    lane = lanes_of(program, seller, buyer)
    rows = np.full(len(program.limits), BASIC)
    # An offer in the basis has some left, and none of it is sold where it is at its lower bound.
    rows[: len(cleared.offers)][cleared.offers == AT_UPPER] = AT_UPPER
    rows[program.inside] = AT_UPPER
    slacks = np.full(len(program.inside), AT_LOWER)
    return Stand(
        basis=Basis(variables=np.concatenate([cleared.conversions, slacks, np.full(len(lane), BASIC)]), rows=rows),
        fixed=program.fixed,
        candidates=Candidates(lane=lane, window=np.zeros_like(lane)),
    )
