"""Shadow prices by name: listed from the arrays of a run and read back, and the reference prices of its hubs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

import numpy as np

from .answer import PRICE_STEP, ShadowPrice
from .lanes import Lanes
from .pricing import Duals, Values, zero_duals
from .sides import Floats, Market


def read_duals(market: Market, lanes: Lanes, prices: Iterable[ShadowPrice]) -> Duals:
    """The shadow prices of an answer as arrays; a price that is not listed is zero."""
    duals = zero_duals(market, lanes)
    where = named_duals(market, lanes, duals)
    lot = {product: float(market.lot[at]) for at, product in enumerate(market.products)}
    for price in prices:
        found = where.get((price.kind, price.subject))
        if found is not None:
            row, product = found
            row[price.position] = float(price.value) * lot[market.products[product]] * market.worth[price.position]
    return duals


def list_duals(market: Market, lanes: Lanes, duals: Duals) -> Iterator[ShadowPrice]:
    """The non-zero shadow prices, CNY per unit in money of their period, with ten digits after the point."""
    for (kind, subject), (row, product) in named_duals(market, lanes, duals).items():
        for position in np.flatnonzero(row):
            told = float(row[position] / market.worth[position])
            value = (Decimal(repr(told)) / market.lot[product]).quantize(Decimal("1e-10")).normalize()
            if value:
                yield ShadowPrice(kind=kind, subject=subject, position=int(position), value=value)


def named_duals(market: Market, lanes: Lanes, duals: Duals) -> dict[tuple[str, tuple[str, ...]], tuple[Floats, int]]:
    """Each shadow price's name, the row of the duals that holds it, and the product it is about."""
    sellers, buyers = market.sellers, market.buyers
    found: dict[tuple[str, tuple[str, ...]], tuple[Floats, int]] = {}
    for i, label in enumerate(sellers.label):
        kind = "offer" if i < sellers.offers else "output"
        found[kind, (label,)] = duals.seller[i], int(sellers.product[i])
    for j, label in enumerate(buyers.label):
        product = int(buyers.product[j])
        key = ("offer", (label,)) if j < buyers.offers else ("input", (label, market.products[product]))
        found[key] = duals.buyer[j], product
    for f, family in enumerate(lanes.families):
        found[str(family.kind), family.subject] = duals.family[f], family.product
    for m, conversion in enumerate(market.conversions):
        found["conversion", (conversion.conversion,)] = duals.rent[m], int(sellers.product[sellers.offers + m])
    return found


def hub_prices(market: Market, lanes: Lanes, duals: Duals) -> Iterator[ShadowPrice]:
    """For every (product, grade, region) where somebody sells and every period: the best price ex works that a buyer
    who can take the material would still give, freight and limits paid, CNY per unit.

    It is the mean over the best window that covers the period: how a window's price is spread over its periods means
    nothing."""
    hub_of = _hubs(market)
    names = sorted(set(hub_of))
    place = {name: at for at, name in enumerate(names)}
    at = np.array([place[hub] for hub in hub_of], dtype=np.int64)
    best = np.full((len(names), market.periods), -np.inf)
    values = Values(market, lanes, duals)
    for w, (first, last) in enumerate(market.windows.tolist()):
        given = np.full(len(names), -np.inf)
        for block in values.blocks():
            seller = lanes.seller[block]
            cost = values.seller[seller, w]
            paid = values.reduced(block, w) + np.where(np.isfinite(cost), cost, 0.0)
            np.maximum.at(given, at[seller], paid / values.length[w])
        np.maximum(best[:, first : last + 1], given[:, None], out=best[:, first : last + 1])
    for row, name in enumerate(names):
        product = market.products.index(name[0])
        for period in np.flatnonzero(best[row] > 0).tolist():
            amount = float(best[row, period]) * float(market.level[product])
            value = (Decimal(repr(amount)) / market.lot[product]).quantize(PRICE_STEP)
            yield ShadowPrice(kind="hub", subject=name, position=period, value=value)


def _hubs(market: Market) -> list[tuple[str, str, str]]:
    """The hub of each selling position."""
    snapshot = market.snapshot
    offers = {offer.offer: (offer.product, offer.grade, offer.region) for offer in snapshot.offers}
    made = {c.conversion: (c.product, c.grade, c.region) for c in snapshot.conversions}
    return [
        offers[label] if at < market.sellers.offers else made[label] for at, label in enumerate(market.sellers.label)
    ]
