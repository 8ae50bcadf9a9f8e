"""Contracts out of whole lots and shadow prices: each traded candidate with its locked price."""

from __future__ import annotations

import numpy as np

from .accounts import accounts, freight_of
from .answer import Contract
from .lots import without_conversions
from .price_rule import PriceRule
from .pricing import Duals
from .program import Program
from .sides import Ints


def locked_contracts(program: Program, lots: Ints, duals: Duals) -> list[Contract]:
    """The traded candidates with their locked prices, by seller, buyer and window; not yet bundled.

    `lots` is the rate of each candidate of the programme."""
    market, rule = program.market, PriceRule(program.market, duals)
    sellers, buyers = program.seller, program.buyer
    found = []
    for k in np.flatnonzero(lots):
        first, last = (int(at) for at in market.windows[program.candidates.window[k]])
        seller, buyer = int(sellers[k]), int(buyers[k])
        price, freight = rule.of(seller, buyer, first, last), freight_of(market, seller, buyer)
        found.append(
            Contract(
                seller=market.sellers.label[seller],
                buyer=market.buyers.label[buyer],
                product=market.products[int(market.sellers.product[seller])],
                first=first,
                last=last,
                rate=int(lots[k]),
                price_ex_works=price,
                freight=freight,
                price_delivered=price + freight,
                bundle="",
            )
        )
    return sorted(found, key=lambda c: (c.seller, c.buyer, c.first, c.last, c.product))


def paying_contracts(program: Program, lots: Ints, duals: Duals, *, begin: bool = True) -> tuple[list[Contract], Ints]:
    """The locked contracts, and the lots of each candidate, without conversions that would earn less than their fee.

    At fractions of lots none would: where lots are large beside what a conversion takes, inputs for a whole window may
    be bought that rounding leaves without an output. `begin` as for `whole_lots`."""
    resting: set[str] = set()
    while True:
        contracts = locked_contracts(program, lots, duals)
        short = {label for label, account in accounts(program.market, contracts).items() if account.short}
        if not short:
            return contracts, lots
        resting |= short  # for good: what one of them leaves of demand would call it back
        lots = without_conversions(program, lots, resting, begin=begin)
