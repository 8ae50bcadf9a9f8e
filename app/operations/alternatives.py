"""The next-best alternative of each side of a contract, at the prices that a run publishes.

A seller's is the other buyer who would pay most ex works over the same window and still get what the shadow prices
leave him; a buyer's the other seller who would deliver for least. Neither beats the locked price beyond rounding, or
the pair would block the run: the distance tells how much the party depends on this counterparty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from matching.answer import PRICE_STEP, Answer, Contract
from matching.building import build
from matching.graph import sub_markets
from matching.lanes import find_lanes
from matching.pricing import Values
from matching.shadow_prices import read_duals
from matching.sides import Floats, Ints, Market, MarketSide
from matching.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another offer (by label), and the price with it: ex works for a seller, delivered for a buyer; CNY per unit."""

    offer: str
    price: Decimal


Alternatives = tuple[Alternative | None, Alternative | None]  # the seller's, the buyer's


def next_best(snapshot: Snapshot, answer: Answer) -> dict[Contract, Alternatives]:
    """Both alternatives of every contract; None where nobody else could contract over the window."""
    found: dict[Contract, Alternatives] = {}
    for products in sub_markets(snapshot):
        contracts = [contract for contract in answer.contracts if contract.product in products]
        if contracts:
            found |= _SubMarket(snapshot, build(snapshot, products), answer).of(contracts)
    return found


class _SubMarket:
    def __init__(self, snapshot: Snapshot, market: Market, answer: Answer) -> None:
        self.market = market
        self.lanes = find_lanes(market)
        self.values = Values(market, self.lanes, read_duals(market, self.lanes, answer.prices))
        self.level = market.level
        self.window = {(int(first), int(last)): at for at, (first, last) in enumerate(market.windows)}
        self.of_seller, self.of_buyer = _Rows(self.lanes.seller), _Rows(self.lanes.buyer)
        self.seller_at, self.buyer_at = _places(market, market.sellers), _places(market, market.buyers)

    def of(self, contracts: Sequence[Contract]) -> dict[Contract, Alternatives]:
        return {contract: self._alternatives(contract) for contract in contracts}

    def _alternatives(self, contract: Contract) -> Alternatives:
        market, lanes = self.market, self.lanes
        seller = self.seller_at[contract.seller, contract.product]
        buyer = self.buyer_at[contract.buyer, contract.product]
        window = self.window[contract.first, contract.last]
        mine = self.of_seller[seller]
        mine = mine[market.buyers.firm[lanes.buyer[mine]] != market.buyers.firm[buyer]]
        gates = self.values.buyer[lanes.buyer[mine], window] - self._on_the_way(mine, window)
        yours = self.of_buyer[buyer]
        yours = yours[market.sellers.firm[lanes.seller[yours]] != market.sellers.firm[seller]]
        costs = self.values.seller[lanes.seller[yours], window] + self._on_the_way(yours, window)
        product = int(market.sellers.product[seller])
        # Values are relative to the product's price, per lot, and summed over the window.
        unit = Decimal(repr(float(self.level[product] / self.values.length[window]))) / market.lot[product]
        return (
            _alternative(market.buyers.label, lanes.buyer[mine], gates, np.argmax, unit),
            _alternative(market.sellers.label, lanes.seller[yours], costs, np.argmin, unit),
        )

    def _on_the_way(self, some: Ints, window: int) -> Floats:
        """Freight and rents of limits; infinite where the lane may not begin with the window."""
        cost = self.values.freight[some] * self.values.length[window]
        for kind in range(self.lanes.family.shape[1]):
            cost = cost + self.values.rent(some, window, kind)
        early = self.market.windows[window, 0] <= self.lanes.latest_start[some]
        return np.where(early, cost, np.inf)


def _alternative(
    label: Sequence[str], at: Ints, prices: Floats, pick: Callable[[Floats], np.intp], unit: Decimal
) -> Alternative | None:
    if not np.isfinite(prices).any():
        return None
    best = int(pick(prices))
    return Alternative(
        offer=label[int(at[best])], price=(Decimal(repr(float(prices[best]))) * unit).quantize(PRICE_STEP)
    )


class _Rows:
    """Lanes by position on one side."""

    def __init__(self, position: Ints) -> None:
        self._order = np.argsort(position, kind="stable")
        self._sorted = position[self._order]

    def __getitem__(self, position: int) -> Ints:
        start, end = np.searchsorted(self._sorted, [position, position + 1])
        return self._order[start:end]


def _places(market: Market, side: MarketSide) -> Mapping[tuple[str, str], int]:
    """Positions by label and product: a conversion stands once for each product it takes."""
    products = [market.products[product] for product in side.product.tolist()]
    return {key: at for at, key in enumerate(zip(side.label, products, strict=True))}
