"""Whole lots that keep block terms."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from .block_holding import Holder
from .block_program import Integers
from .block_terms import BlockTerms, Trade, breaches
from .engine import INFINITY
from .limits import UNLIMITED
from .lots import NEAR, whole_lots
from .program import Program
from .sides import Floats, Ints
from .tally import Tally

ABOUT = 2  # lots by which a rate may move, to either side, where rounding it breaks a term
UNLIKE = 1e-3  # weight of a lot's distance from its rate, next to what it is worth
SECONDS, NODES = 20.0, 1_000


def lots_of_blocks(program: Program, rates: Floats, terms: BlockTerms, hold: Holder) -> tuple[Ints, Trade]:
    """Integer rates that keep every limit, and block terms too where rates near by can; the trade tells.

    `rates` are those of the programme's candidates without what raised contracts are held at; the integer rates have
    it, and the programme has the raised candidates, too, when they are returned."""
    lots = whole_lots(program, rates, begin=False)
    if breaches(terms, hold.trade_of(program, lots)):
        nearby = _nearby(program, rates, hold)
        kept = nearby is not None and _within_limits(program, nearby)
        if kept and nearby is not None and not breaches(terms, hold.trade_of(program, nearby)):
            lots = nearby
    trade = hold.trade_of(program, lots)
    program.add(hold.raised.candidates)
    return np.asarray(trade.rates, dtype=np.int64), trade


def _nearby(program: Program, rates: Floats, hold: Holder) -> Ints | None:
    """The whole lots of greatest welfare within `ABOUT` of the rates traded, at equal welfare the nearest ones."""
    used = np.flatnonzero(rates > NEAR)
    made, count = len(program.capacity), len(used)
    unit = program.level[program.market.sellers.product[program.seller[used]]] / program.value
    face = hold(program, program.face)
    held = program.fixed + used
    table = sparse.csc_array(program.engine.matrix)
    scaled = sparse.csc_array(table[:, held] @ sparse.diags_array(unit))
    same = sparse.eye_array(count, format="csc")
    matrix = sparse.block_array(
        [[table[:, :made], scaled, None], [None, same, -same], [None, -same, -same]], format="csc"
    )
    least = np.maximum(np.rint(face.lower[held] / unit), np.floor(rates[used]) - ABOUT)
    welfare = program.welfare
    found = Integers(
        matrix=sparse.csc_array(matrix),
        row_lower=np.concatenate([face.row_lower, np.full(2 * count, -INFINITY)]),
        row_upper=np.concatenate([face.row_upper, rates[used], -rates[used]]),
        lower=np.concatenate([np.zeros(made), np.maximum(least, 0.0), np.zeros(count)]),
        upper=np.concatenate([program.capacity, np.ceil(rates[used]) + ABOUT, np.full(count, INFINITY)]),
        integral=np.repeat([False, True, False], [made, count, count]),
        objective=np.concatenate([welfare[:made], welfare[held] * unit, -UNLIKE * unit]),
    ).maximise(seconds=SECONDS, nodes=NODES)
    if found is None:
        return None
    lots = np.zeros(len(rates), dtype=np.int64)
    lots[used] = np.rint(found[0][made : made + count]).astype(np.int64)
    return lots


def _within_limits(program: Program, lots: Ints) -> bool:
    """Do whole lots keep every limit exactly?"""
    market, lanes = program.market, program.lanes
    tally = Tally(market, lanes)
    for k in np.flatnonzero(lots).tolist():
        first, last = market.windows[program.candidates.window[k]]
        tally.add(int(program.candidates.lane[k]), first, last, int(lots[k]))
    sells, buys = market.sellers.offers, market.buyers.offers
    kept = bool((tally.sold[:sells] <= market.sellers.quantity[:sells]).all())
    kept &= bool((tally.bought[:buys] <= market.buyers.quantity[:buys]).all())
    for f, family in enumerate(lanes.families):
        kept &= bool(((tally.moved[f] <= family.limit) | (family.limit >= UNLIMITED)).all())
    return kept and all(
        tally.sold[sells + m, t] <= tally.makeable(m, t)
        for m in range(len(market.conversions))
        for t in range(market.periods)
    )
