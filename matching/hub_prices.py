"""Reference prices of a round: what one more lot would fetch ex works at each hub, in each period."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from .answer import PRICE_STEP, ShadowPrice
from .lanes import Lanes
from .pricing import Duals
from .sides import Market


def hub_prices(market: Market, lanes: Lanes, duals: Duals) -> Iterator[ShadowPrice]:
    """For every (product, grade, region) where somebody sells: the best price ex works that a buyer who can take
    the material would still give, freight and limits paid, CNY per unit."""
    sellers, buyers = market.sellers, market.buyers
    sign = np.where(buyers.conversion < 0, 1.0, -1.0)[:, None]
    worth = np.where(buyers.open, buyers.price - sign * duals.buyer, -np.inf)
    rents = np.concatenate([duals.family, np.zeros((1, market.periods))])
    hub_of = _hubs(market)
    names = sorted(set(hub_of))
    at = np.array([names.index(hub) for hub in hub_of], dtype=np.int64)
    best = np.full((len(names), market.periods), -np.inf)
    for position in range(market.periods):
        gain = worth[lanes.buyer, position] - lanes.freight
        for kind in range(lanes.family.shape[1]):
            gain = gain - rents[lanes.family[:, kind], position]
        gain = np.where(sellers.open[lanes.seller, position], gain, -np.inf)
        np.maximum.at(best[:, position], at[lanes.seller], gain)
    for row, name in enumerate(names):
        lot = market.snapshot.lot(name[0])
        for position in np.flatnonzero(best[row] > 0):
            value = (Decimal(repr(float(best[row, position]))) / lot).quantize(PRICE_STEP)
            yield ShadowPrice(kind="hub", subject=name, position=int(position), value=value)


def _hubs(market: Market) -> list[tuple[str, str, str]]:
    """The hub of each selling position."""
    snapshot = market.snapshot
    offers = {offer.offer: (offer.product, offer.grade, offer.region) for offer in snapshot.offers}
    made = {c.conversion: (c.product, c.grade, c.region) for c in snapshot.conversions}
    return [
        offers[label] if at < market.sellers.offers else made[label] for at, label in enumerate(market.sellers.label)
    ]
