"""Block terms as bounds on linear programmes, once it is decided who trades."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from .block_terms import NOBODY, BlockTerms, Trade, least_rate
from .engine import Face
from .lanes import Lanes
from .limits import UNLIMITED
from .pricing import Candidates
from .program import Program
from .sides import Bools, Floats, Ints, Market
from .tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """Contracts that are held at their minimum rate whatever else is decided, with their lots per period."""

    candidates: Candidates
    lots: Ints

    def taken_off(self, market: Market, lanes: Lanes) -> tuple[Market, Lanes]:
        """The market and its limits without what these contracts take; who may trade when stays as it is."""
        tally = Tally(market, lanes)
        first, last = market.windows[self.candidates.window].T
        for at, lane in enumerate(self.candidates.lane.tolist()):
            tally.add(lane, int(first[at]), int(last[at]), int(self.lots[at]))
        return replace(
            market,
            sellers=replace(market.sellers, quantity=market.sellers.quantity - tally.sold),
            buyers=replace(market.buyers, quantity=market.buyers.quantity - tally.bought),
        ), replace(
            lanes,
            families=tuple(
                replace(family, limit=np.where(family.limit < UNLIMITED, family.limit - moved, family.limit))
                for family, moved in zip(lanes.families, tally.moved, strict=True)
            ),
        )


_NOBODY = np.zeros(0, dtype=np.int64)
NONE_RAISED = Raised(candidates=Candidates(lane=_NOBODY, window=_NOBODY), lots=_NOBODY)


class Holder:
    """What keeps the terms of a trade in programmes of the market without its raised contracts."""

    def __init__(self, terms: BlockTerms, trade: Trade, raised: Raised) -> None:
        self.terms, self.trade, self.raised = terms, trade, raised

    def __call__(self, program: Program, face: Face) -> Face:
        """A face of a programme that has the other traded candidates, narrowed to points that keep the terms."""
        return held(self.terms, program, face, self.trade, raised=self.raised)

    def trade_of(self, program: Program, lots: Ints) -> Trade:
        """The trade of whole lots of a programme's candidates with the raised contracts added."""
        extra = self.raised.candidates.without(program.candidates)
        candidates = program.candidates.followed_by(extra)
        rates = np.concatenate([lots, np.zeros(len(extra), dtype=np.int64)])
        rates[_places(program, candidates, self.raised.candidates)] += self.raised.lots
        return Trade(self.trade.market, program.lanes, candidates, rates, np.zeros(len(rates)))


def held(
    terms: BlockTerms,
    program: Program,
    face: Face,
    trade: Trade,
    *,
    open_candidates: Collection[int] = (),
    open_parties: Collection[int] = (),
    raised: Raised = NONE_RAISED,
) -> Face:
    """The part of a face where terms that a trade keeps stay kept, by bounds that the trade itself satisfies.

    Minimum rates of `open_candidates` (positions in the trade) and all-or-none of `open_parties` are not imposed;
    what is `raised` the programme's market does not have any more.
    """
    fixed, periods = program.fixed, len(program.segments)
    seller, buyer = program.seller, len(program.market.sellers) + program.buyer
    unit = program.level[program.market.sellers.product[program.seller]] / program.value
    least = least_rate(terms, program.market, program.lanes, program.candidates.lane)
    rates, opened, above = _aligned(program, trade, open_candidates, raised)
    trading = trade.by_party > 0
    lower, upper, row_lower = face.lower.copy(), face.upper.copy(), face.row_lower.copy()
    stepped = least > 1
    imposed = np.flatnonzero(stepped & (rates > 0) & ~opened & ~above)
    lower[fixed + imposed] = least[imposed] * unit[imposed]
    idle = (terms.whole | terms.grouped | ((terms.parent != NOBODY) & ~trading[terms.parent])) & ~trading
    out = (stepped & (rates == 0) & ~above) | idle[seller] | idle[buyer] | _strangers(terms, program, trade)
    upper[fixed + np.flatnonzero(out)] = 0.0
    parents = np.unique(terms.parent[(terms.parent != NOBODY) & trading])
    served = {*program.lanes.seller[raised.candidates.lane].tolist()}
    served |= {len(program.market.sellers) + at for at in program.lanes.buyer[raised.candidates.lane].tolist()}
    for party in parents[trading[parents]].tolist():
        if party in served:
            continue
        mine = np.flatnonzero((seller == party) | (buyer == party))
        largest = mine[int(np.argmax(rates[mine]))]
        lower[fixed + largest] = max(lower[fixed + largest], min(rates[largest], 1.0) * unit[largest])
    full = np.setdiff1d(np.flatnonzero(terms.whole & trading), np.array(list(open_parties), dtype=np.int64))
    rows = (full[:, None] * periods + np.arange(periods)).ravel()
    row_lower[rows] = face.row_upper[rows]
    return replace(face, lower=lower, upper=upper, row_lower=row_lower)


def _places(program: Program, among: Candidates, wanted: Candidates) -> Ints:
    """Where candidates stand among others that have them all."""
    width = len(program.market.windows)
    keys = among.keys(width)
    order = np.argsort(keys)
    return np.asarray(order[np.searchsorted(keys, wanted.keys(width), sorter=order)])


def _aligned(program: Program, trade: Trade, opened: Collection[int], raised: Raised) -> tuple[Floats, Bools, Bools]:
    """A trade's rates on the candidates of a programme, which of them are open and which are raised."""
    width = len(program.market.windows)
    mine, used = program.candidates.keys(width), np.flatnonzero(trade.traded)
    # A raised contract may have nothing beside what it is held at: then the programme need not have it.
    theirs, above = trade.candidates.keys(width)[used], raised.candidates.keys(width)
    used = used[np.isin(theirs, mine) | ~np.isin(theirs, above)]
    traded = Candidates(lane=trade.candidates.lane[used], window=trade.candidates.window[used])
    place = _places(program, program.candidates, traded)
    rates, marked = np.zeros(len(mine)), np.zeros(len(mine), dtype=bool)
    rates[place] = trade.rates[used]
    marked[place] = np.isin(used, list(opened))
    return rates, marked, np.isin(mine, above)


def _strangers(terms: BlockTerms, program: Program, trade: Trade) -> Bools:
    """[candidates] those with a counterparty that a party with a largest number of them does not have yet."""
    sells = len(program.market.sellers)
    found = np.zeros(len(program.candidates), dtype=bool)
    for party, bound in terms.bound.items():
        allowed = sorted({*bound, *trade.counterparties(party)})
        if party < sells:
            found |= (program.seller == party) & ~np.isin(program.market.buyers.firm[program.buyer], allowed)
        else:
            found |= (program.buyer == party - sells) & ~np.isin(program.market.sellers.firm[program.seller], allowed)
    return found
