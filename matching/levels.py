"""The typical price of each product: the scale on which a clearing counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from .sides import Floats, Ints, MarketSide


def typical_prices(products: int, sellers: MarketSide, buyers: MarketSide, fee: Floats, coefficient: Floats) -> Floats:
    """[products] CNY per lot: the median of the prices posted for each.

    What nobody prices takes its level from the chain, so that a tonne of it counts like the tonnes it is made of and
    made into: the median of what it costs to make and of what its takers' outputs fetch. In a loop that nobody prices
    what is known of the cost counts as all of it; where nothing is known, 1. `fee` is [M, T], `coefficient` lots of
    input per lot of output.
    """
    level = np.full(products, np.nan)
    for position in range(products):
        posted = [side.price[side.product == position].ravel() for side in (sellers, buyers)]
        level[position] = _median(np.concatenate(posted))
    chain = _Chain(sellers, buyers, fee, coefficient)
    while said := dict(chain.says(level)) or dict(chain.says(level, partly=True)):
        for product, amount in said.items():
            level[product] = amount
    return np.where(np.isnan(level), 1.0, level)


def _median(prices: Floats) -> float:
    """Of the prices above zero; NaN where there is none."""
    found = prices[prices > 0]
    return float(np.median(found)) if len(found) else float("nan")


class _Chain:
    """The conversions of a market as far as their products' levels matter."""

    def __init__(self, sellers: MarketSide, buyers: MarketSide, fee: Floats, coefficient: Floats) -> None:
        self.made, self.taken = sellers.product[sellers.offers :], buyers.product[buyers.offers :]
        self.of: Ints = buyers.conversion[buyers.offers :]
        self.fee, self.coefficient = (fee.mean(axis=1) if fee.size else np.zeros(len(self.made))), coefficient

    def says(self, level: Floats, *, partly: bool = False) -> Iterator[tuple[int, float]]:
        """Products whose level is not known, with what the conversions at whose other end it is known say of it;
        `partly`: inputs that nobody knows either count nothing."""
        said: dict[int, list[float]] = defaultdict(list)
        inputs = np.nan_to_num(level) if partly else level
        cost = self.fee.copy()
        np.add.at(cost, self.of, self.coefficient * inputs[self.taken])
        for m in np.flatnonzero(np.isnan(level[self.made]) & (cost > 0)).tolist():
            said[int(self.made[m])].append(float(cost[m]))
        fetched = level[self.made[self.of]] / self.coefficient
        for k in np.flatnonzero(np.isnan(level[self.taken]) & (fetched > 0)).tolist():
            said[int(self.taken[k])].append(float(fetched[k]))
        for product, amounts in said.items():
            yield product, float(np.median(amounts))
