"""The locked price of a contract, from the shadow prices alone: both sides, and whoever checks, compute the same."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

from .accounts import freight_of, mean_price
from .answer import PRICE_STEP
from .pricing import Duals
from .sides import Market

EXACT = PRICE_STEP / 1000  # CNY per unit; digits beyond are the solver's


class PriceRule:
    """The locked prices of one market at some shadow prices."""

    def __init__(self, market: Market, duals: Duals) -> None:
        self.market, self.duals = market, duals
        self.offers = {offer.offer: offer for offer in market.snapshot.offers}

    def of(self, seller: int, buyer: int, first: int, last: int) -> Decimal:
        """CNY per unit ex works between two positions over a window: the mean of ask and shadow price, each period
        counted as its money is worth.

        The pair must be a lane."""
        market, window = self.market, slice(first, last + 1)
        asked = market.sellers.price[seller, window] + self.duals.seller[seller, window]
        mean = float(asked.sum() / market.worth[window].sum())
        sells = self.offers.get(market.sellers.label[seller])
        buys = self.offers.get(market.buyers.label[buyer])
        ask = None if sells is None else mean_price(market.snapshot, sells.price, first, last)
        freight = Fraction(freight_of(market, seller, buyer))
        bid = None if buys is None else mean_price(market.snapshot, buys.price, first, last) - freight
        return locked_price(Decimal(repr(mean)) / market.lot[int(market.sellers.product[seller])], ask, bid)


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
