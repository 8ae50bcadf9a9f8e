"""Block terms as bounds on linear programmes, once it is decided who trades."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from .block_terms import NOBODY, BlockTerms, Trade, least_rate
from .engine import Face
from .program import Program
from .sides import Bools, Floats, Ints


def holder(terms: BlockTerms, trade: Trade) -> Callable[[Program, Face], Face]:
    """What narrows a face of any programme that has the traded candidates to the points that keep a trade's terms."""
    return lambda program, face: held(terms, program, face, trade)


def held(
    terms: BlockTerms,
    program: Program,
    face: Face,
    trade: Trade,
    *,
    open_candidates: Collection[int] = (),
    open_parties: Collection[int] = (),
) -> Face:
    """The part of a face where terms that a trade keeps stay kept, by bounds that the trade itself satisfies.

    Minimum rates of `open_candidates` (positions in the trade) and all-or-none of `open_parties` are not imposed.
    """
    fixed, periods = program.fixed, program.market.periods
    seller, buyer = program.seller, len(program.market.sellers) + program.buyer
    unit = program.level[program.market.sellers.product[program.seller]] / program.value
    least = least_rate(terms, program.market, program.lanes, program.candidates.lane)
    rates, opened = _aligned(program, trade, open_candidates)
    trading = trade.by_party > 0
    lower, upper, row_lower = face.lower.copy(), face.upper.copy(), face.row_lower.copy()
    stepped = least > 1
    imposed = np.flatnonzero(stepped & (rates > 0) & ~opened)
    lower[fixed + imposed] = least[imposed] * unit[imposed]
    idle = (terms.whole | terms.grouped | ((terms.parent != NOBODY) & ~trading[terms.parent])) & ~trading
    out = (stepped & (rates == 0)) | idle[seller] | idle[buyer] | _strangers(terms, program, trade)
    upper[fixed + np.flatnonzero(out)] = 0.0
    parents = np.unique(terms.parent[(terms.parent != NOBODY) & trading])
    for party in parents[trading[parents]].tolist():
        mine = np.flatnonzero((seller == party) | (buyer == party))
        largest = mine[int(np.argmax(rates[mine]))]
        lower[fixed + largest] = max(lower[fixed + largest], min(rates[largest], 1.0) * unit[largest])
    full = np.setdiff1d(np.flatnonzero(terms.whole & trading), np.array(list(open_parties), dtype=np.int64))
    rows = (full[:, None] * periods + np.arange(periods)).ravel()
    row_lower[rows] = face.row_upper[rows]
    return replace(face, lower=lower, upper=upper, row_lower=row_lower)


def _aligned(program: Program, trade: Trade, opened: Collection[int]) -> tuple[Floats, Bools]:
    """A trade's rates on the candidates of a programme, and which of them are open."""
    width = len(program.market.windows)
    keys = program.candidates.lane * width + program.candidates.window
    theirs: Ints = trade.candidates.lane * width + trade.candidates.window
    order = np.argsort(keys)
    used = np.flatnonzero(trade.traded)
    place = order[np.searchsorted(keys, theirs[used], sorter=order)]
    rates, marked = np.zeros(len(keys)), np.zeros(len(keys), dtype=bool)
    rates[place] = trade.rates[used]
    marked[place] = np.isin(used, list(opened))
    return rates, marked


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
