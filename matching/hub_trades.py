"""What flows through hubs, cut into pairs: who of those who sell there delivers to whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .engine import AT_LOWER, AT_UPPER, BASIC, Basis
from .hub_programme import AtHubs, HubProgramme
from .hubs import Hubs
from .lifting import Stand
from .pricing import Candidates, Values, admitted, foremost
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


def pairs(hubs: Hubs, traded: Floats, flow: Floats, sellers: int) -> tuple[Ints, Ints, Floats]:
    """Who trades with whom, as positions of the sides, and how much in typical values, given what each position trades
    and what flows on each arc; a pair may be there twice."""
    trades = Flows(hub=hubs.positions, amount=traded)
    trading = np.flatnonzero(traded > SUPPORT)
    selling, buying = trading[trading < sellers], trading[trading >= sellers]
    used = np.flatnonzero(flow > SUPPORT)
    shipped, lowered = used[used < hubs.shipping], used[used >= hubs.shipping]
    leaving = Flows(hub=hubs.tail, amount=flow)
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


def candidates_of(program: Program, programme: HubProgramme, cleared: AtHubs) -> Candidates:
    """What flows in each layer as lanes over its window, without those that are none or may not begin so late."""
    found = Candidates(lane=np.zeros(0, dtype=np.int64), window=np.zeros(0, dtype=np.int64))
    for layer, window in enumerate(programme.ladder.windows.tolist()):
        traded, flow = cleared.traded[:, layer], cleared.flow[:, layer]
        seller, buyer, _ = pairs(programme.hubs, traded, flow, len(program.market.sellers))
        lane = lanes_of(program, seller, buyer)
        found = found.followed_by(Candidates(lane=lane, window=np.full_like(lane, window)))
    may = admitted(program.market, program.lanes, found)
    return Candidates(lane=found.lane[may], window=found.window[may])


def stand_at_hubs(program: Program, programme: HubProgramme, cleared: AtHubs, values: Values) -> Stand | None:
    """Where a programme begins when its hubs are cleared, given what lanes gain at their prices; None where the engine
    of the hubs keeps no basis.

    What flows is cut into pairs. They and the rows that are at their limit are a basis but for whoever is inside the
    chain and has no part in it: the value of an idle output follows from its inputs, that of an input which nobody buys
    from the lane on which it would be bought."""
    if cleared.basis is None or cleared.full is None:
        return None
    first, rows = len(programme.positions.offers), np.where(cleared.full, AT_UPPER, BASIC)
    idle = cleared.activity <= SUPPORT
    conversions = cleared.basis.variables[first : first + len(idle)].copy()
    conversions[cleared.activity >= programme.positions.capacity(program) - SUPPORT] = AT_UPPER
    conversions[idle] = BASIC
    candidates = candidates_of(program, programme, cleared)
    candidates = candidates.followed_by(_for_idle(program, programme, values, traded=candidates, idle=idle, rows=rows))
    short = len(rows) - int((conversions == BASIC).sum()) - int((rows == BASIC).sum()) - len(candidates)
    if short > 0:  # let go of those that are worth least
        worth = np.where((rows == BASIC) | np.isin(np.arange(len(rows)), program.inside), np.inf, cleared.duals)
        rows[np.argsort(worth, kind="stable")[:short]] = BASIC
    basic = np.where(np.arange(len(candidates)) < len(candidates) + min(short, 0), BASIC, AT_LOWER)
    slacks = np.full(len(program.inside), AT_LOWER)
    return Stand(
        basis=Basis(variables=np.concatenate([conversions, slacks, basic]), rows=rows),
        fixed=program.fixed,
        candidates=candidates,
    )


def _for_idle(
    program: Program, programme: HubProgramme, values: Values, *, traded: Candidates, idle: Bools, rows: Ints
) -> Candidates:
    """The lane on which who is at a limit without trading would trade first, over each of its shortest windows: an
    input that nobody buys, an offer that is closed there. One of its `rows` stays for each lane, others are let go."""
    positions, ladder, lanes = programme.positions, programme.ladder, program.lanes
    sells, count = len(program.market.sellers), len(program.segments)
    table = rows[: len(positions.own) * count].reshape(-1, count)
    idle = idle.reshape(-1, count)
    may = np.repeat(positions.offered[:, None], count, axis=1)
    inputs = np.arange(program.market.buyers.offers, len(program.market.buyers))
    may[sells + inputs] = idle[program.market.buyers.conversion[inputs]]
    waiting = (table == AT_UPPER) & may
    over = _segments_over(program, traded)
    for side in (lanes.seller[traded.lane], sells + lanes.buyer[traded.lane]):
        np.logical_and.at(waiting, side, ~over)
    # What idle processors would sell has a value only once their inputs have one.
    from_idle = np.zeros((sells, count), dtype=bool)
    from_idle[program.market.sellers.offers :] = idle
    found = Candidates(lane=np.zeros(0, dtype=np.int64), window=np.zeros(0, dtype=np.int64))
    for layer, window in enumerate(ladder.windows.tolist()):
        segments = np.flatnonzero(ladder.over[layer])
        here = waiting[:, segments] & positions.own[:, [layer]]
        kept = np.zeros(len(here), dtype=bool)
        for some, side, first in ((here[:sells], lanes.seller, 0), (here[sells:], lanes.buyer, sells)):
            ways = np.setdiff1d(np.flatnonzero(some.any(axis=1)[side]), found.lane)
            gain = values.reduced(ways, window)
            order = np.lexsort((-gain, from_idle[lanes.seller[ways], segments[0]]))
            best = foremost(ways[order[np.isfinite(gain[order])]], side, 1)
            kept[first + side[best]] = True
            found = found.followed_by(Candidates(lane=best, window=np.full_like(best, window)))
        let_go = here & ~((np.cumsum(here, axis=1) == 1) & kept[:, None])
        table[:, segments] = np.where(let_go, BASIC, table[:, segments])
    return found


def _segments_over(program: Program, candidates: Candidates) -> Bools:
    """[candidates, S] the segments of each."""
    first, last = program.segments.of[program.market.windows[candidates.window]].T
    place = np.arange(len(program.segments))
    return np.asarray((first[:, None] <= place) & (place <= last[:, None]))
