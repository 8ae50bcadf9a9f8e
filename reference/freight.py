"""Freight between regions: great circle x detour x declared rate, through the Shanghai gateway across the border."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

from .offers import FreightCost, ScenarioOffer
from .rows import Region
from .tables import Tables

EARTH_RADIUS_KM = 6371.0088
GATEWAY = "CN-SH"
ALL_PRODUCTS = "*"


def great_circle_km(a: Region, b: Region) -> float:
    """Haversine distance between the reference points of two regions, km."""
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    half_lat, half_lon = (lat_b - lat_a) / 2, math.radians(b.lon - a.lon) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(chord))


class Tariff:
    """Cost of moving one tonne or one unit between regions, from the declared rates."""

    def __init__(self, tables: Tables) -> None:
        self._regions = {row.region: row for row in tables.regions}
        self._products = {row.product: row for row in tables.products}
        self._rate = {row.mode: float(row.rate) for row in tables.freight_rates}
        self._detour = float(tables.assumption("detour"))

    def per_tonne(self, origin: str, destination: str, land: str) -> float:
        """CNY per tonne; `land` is road or rail. Zero inside a region.

        Between China and abroad: the sea leg to or from the gateway, both ports, and the land leg inside China.
        """
        if origin == destination:
            return 0.0
        foreign = [code for code in (origin, destination) if not code.startswith("CN-")]
        if not foreign:
            return self._leg(origin, destination, land)
        if len(foreign) == 2:
            return self._leg(origin, destination, "sea") + self._rate["port"]
        inland = destination if foreign == [origin] else origin
        return self._leg(foreign[0], GATEWAY, "sea") + self._rate["port"] + self._leg(GATEWAY, inland, land)

    def per_unit(self, product: str, origin: str, destination: str) -> Decimal:
        """CNY per unit of the product, rounded to its scale: 0.01 per t, 0.0001 per kWh, 0.000001 per m2."""
        row = self._products[product]
        scale = {"t": "0.01", "kWh": "0.0001", "m2": "0.000001"}[row.unit]
        cost = Decimal(repr(self.per_tonne(origin, destination, row.freight_mode))) * row.tonnes_per_unit
        return cost.quantize(Decimal(scale), ROUND_HALF_EVEN)

    def _leg(self, origin: str, destination: str, mode: str) -> float:
        distance = great_circle_km(self._regions[origin], self._regions[destination])
        return distance * self._detour * self._rate[mode]


def freight_table(tables: Tables, offers: Iterable[ScenarioOffer]) -> tuple[FreightCost, ...]:
    """Every ordered pair of regions between which some offer can send a product to another.

    Products moved by road and sold by the tonne share the "*" rows; the others have rows of their own.
    """
    tariff = Tariff(tables)
    alike = {row.product for row in tables.products if row.unit == "t" and row.freight_mode == "road"}
    sources: dict[str, set[str]] = {}
    sinks: dict[str, set[str]] = {}
    for offer in offers:
        (sinks if offer.side == "buy" else sources).setdefault(offer.product, set()).add(offer.region)
        for needed in offer.inputs:
            sinks.setdefault(needed.product, set()).add(offer.region)
    pairs: dict[tuple[str, str, str], str] = {}
    for product, origins in sources.items():
        label = ALL_PRODUCTS if product in alike else product
        for origin in origins:
            for destination in sinks.get(product, set()) - {origin}:
                pairs[label, origin, destination] = product if label != ALL_PRODUCTS else min(alike)
    return tuple(
        FreightCost(
            product=label, from_region=origin, to_region=destination, cost=tariff.per_unit(product, origin, destination)
        )
        for (label, origin, destination), product in sorted(pairs.items())
    )
