"""Contracts out of whole lots and shadow prices: each traded candidate with its locked price."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

import numpy as np

from .accounts import freight_of, mean_price
from .answer import PRICE_STEP, Contract
from .pricing import Duals
from .program import Program
from .sides import Ints

EXACT = PRICE_STEP / 1000  # digits of a price that are more than the solver's tolerance


def locked_contracts(program: Program, lots: Ints, duals: Duals) -> list[Contract]:
    """The traded candidates with their locked prices, by seller, buyer and window; not yet bundled.

    `lots` is the rate of each candidate of the programme."""
    market, sellers, buyers = program.market, program.seller, program.buyer
    offers = {offer.offer: offer for offer in market.snapshot.offers}
    found = []
    for k in np.flatnonzero(lots):
        first, last = (int(at) for at in market.windows[program.candidates.window[k]])
        seller, buyer = int(sellers[k]), int(buyers[k])
        labels = market.sellers.label[seller], market.buyers.label[buyer]
        product = int(market.sellers.product[seller])
        freight = freight_of(market, seller, buyer)
        window = slice(first, last + 1)
        mean = float((market.sellers.price[seller, window] + duals.seller[seller, window]).mean())
        ask = mean_price(offers[labels[0]].price, first, last) if labels[0] in offers else None
        bid = mean_price(offers[labels[1]].price, first, last) if labels[1] in offers else None
        price = locked_price(
            Decimal(repr(mean)) / market.lot[product], ask, None if bid is None else bid - Fraction(freight)
        )
        found.append(
            Contract(
                seller=labels[0],
                buyer=labels[1],
                product=market.products[product],
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


def locked_price(value: Decimal, ask: Fraction | None, bid: Fraction | None) -> Decimal:
    """A price in steps, held inside ask and bid (both ex works, CNY per unit) where a step lies between them; where
    none does, the step nearest to the ask."""
    # A midpoint often lies half way between two steps: what the solver leaves in its last digits must not decide.
    price = value.quantize(EXACT).quantize(PRICE_STEP)
    if bid is not None:
        price = min(price, _stepped(bid, ROUND_FLOOR))
    if ask is not None:
        price = max(price, _stepped(ask, ROUND_CEILING))
        if bid is not None and Fraction(price) > bid:
            price = (Decimal(ask.numerator) / Decimal(ask.denominator)).quantize(PRICE_STEP)
    return price


def _stepped(price: Fraction, rounding: str) -> Decimal:
    return (Decimal(price.numerator) / Decimal(price.denominator)).quantize(PRICE_STEP, rounding=rounding)
