"""Counting whole lots against every limit, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from .lanes import Lanes
from .limits import UNLIMITED
from .sides import Market


class Tally:
    """Lots in use by period: of each position and limit family; conversions count outputs and inputs alike."""

    def __init__(self, market: Market, lanes: Lanes) -> None:
        self.market, self.lanes = market, lanes
        self.sold = np.zeros_like(market.sellers.quantity)
        self.bought = np.zeros_like(market.buyers.quantity)
        self.moved = np.zeros((len(lanes.families), market.periods), dtype=np.int64)

    def add(self, lane: int, first: int, last: int, lots: int) -> None:
        window = slice(first, last + 1)
        self.sold[self.lanes.seller[lane], window] += lots
        self.bought[self.lanes.buyer[lane], window] += lots
        for family in self.lanes.family[lane]:
            if family >= 0:
                self.moved[family, window] += lots

    def room(self, lane: int, first: int, last: int) -> int:
        """Lots more that there is room for, as far as offers' quantities and limits go."""
        window, market = slice(first, last + 1), self.market
        seller, buyer = int(self.lanes.seller[lane]), int(self.lanes.buyer[lane])
        left = UNLIMITED
        if seller < market.sellers.offers:
            left = min(left, int((market.sellers.quantity[seller, window] - self.sold[seller, window]).min()))
        if buyer < market.buyers.offers:
            left = min(left, int((market.buyers.quantity[buyer, window] - self.bought[buyer, window]).min()))
        for family in self.lanes.family[lane]:
            if family >= 0:
                left = min(left, int((self.lanes.families[family].limit[window] - self.moved[family, window]).min()))
        return max(left, 0)

    def makeable(self, conversion: int, period: int) -> int:
        """Lots of output that capacity and the inputs at hand allow."""
        market = self.market
        most = int(market.capacity[conversion, period])
        for k in self.inputs_of(conversion):
            at_hand = market.own_stock[k] + int(self.bought[market.buyers.offers + k, period])
            most = min(most, int(at_hand / market.coefficient[k]))
        return most

    def inputs_of(self, conversion: int) -> list[int]:
        of = self.market.buyers.conversion[self.market.buyers.offers :]
        return [int(k) for k in np.flatnonzero(of == conversion)]

    def spare_input(self, k: int, period: int) -> Fraction:
        """Lots of an input beyond what the outputs sold need."""
        market = self.market
        conversion = int(market.buyers.conversion[market.buyers.offers + k])
        at_hand = market.own_stock[k] + int(self.bought[market.buyers.offers + k, period])
        return at_hand - market.coefficient[k] * int(self.sold[market.sellers.offers + conversion, period])
