"""Counting whole lots against every limit, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np

from .lanes import Lanes
from .limits import UNLIMITED
from .sides import Bools, Ints, Market


class Tally:
    """Lots in use by period: of each position and limit family; conversions count outputs and inputs alike."""

    def __init__(self, market: Market, lanes: Lanes) -> None:
        self.market, self.lanes = market, lanes
        self.sold = np.zeros_like(market.sellers.quantity)
        self.bought = np.zeros_like(market.buyers.quantity)
        self.moved = np.zeros((len(lanes.families), market.periods), dtype=np.int64)
        of = market.buyers.conversion[market.buyers.offers :].tolist()
        self.inputs: list[list[_Input]] = [[] for _ in market.conversions]
        for k, (taken, stock) in enumerate(zip(market.coefficient, market.own_stock, strict=True)):
            self.inputs[of[k]].append(_Input.of(market.buyers.offers + k, taken, stock))

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

    def has_room(self, lane: Ints, windows: Ints) -> Bools:
        """[n] is there a lot more for each of many contracts, as far as offers' quantities go; `windows` is [n, 2]."""
        found = np.ones(len(lane), dtype=bool)
        ends = (self.market.sellers, self.sold, self.lanes.seller), (self.market.buyers, self.bought, self.lanes.buyer)
        for first, last in np.unique(windows, axis=0).tolist():
            these = np.flatnonzero((windows == [first, last]).all(axis=1))
            for side, used, of in ends:
                left = (side.quantity - used)[: side.offers, first : last + 1].min(axis=1) > 0
                open_ = np.concatenate([left, np.ones(len(side) - side.offers, dtype=bool)])
                found[these] &= open_[of[lane[these]]]
        return found

    def makeable(self, conversion: int, period: int) -> int:
        """Lots of output that capacity and the inputs at hand allow."""
        most = int(self.market.capacity[conversion, period])
        for one in self.inputs[conversion]:
            most = min(most, one.at_hand(int(self.bought[one.position, period])) // one.taken)
        return most

    def spare_input(self, k: int, period: int) -> int:
        """Whole lots of an input beyond what the outputs sold need; below zero where some are missing."""
        market = self.market
        position = market.buyers.offers + k
        conversion = int(market.buyers.conversion[position])
        one = next(one for one in self.inputs[conversion] if one.position == position)
        needed = one.taken * int(self.sold[market.sellers.offers + conversion, period])
        return (one.at_hand(int(self.bought[position, period])) - needed) // one.lot


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    """An input of a conversion, in parts of a lot so small that all is whole: what is in a lot, what is taken for a lot
    of output, what there is without buying."""

    position: int
    lot: int
    taken: int
    stock: int

    @classmethod
    def of(cls, position: int, taken: Fraction, stock: Fraction) -> _Input:
        lot = lcm(taken.denominator, stock.denominator)
        return cls(position=position, lot=lot, taken=int(taken * lot), stock=int(stock * lot))

    def at_hand(self, bought: int) -> int:
        return self.stock + bought * self.lot
