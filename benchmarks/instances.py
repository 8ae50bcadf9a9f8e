"""Markets of national size, made from a seed: products in tiers, regions with freight, grades, converters, periods.

A case says how large; the same case always gives the same snapshot, and every method gets that snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from market.periods import Horizon, Period
from matching.snapshot import Conversion, ConversionInput, Grade, Offer, Side, Snapshot

TIERS = 5
GRADES = 16
REGIONS = 42
SERVED = (GRADES + 1) / (2 * GRADES)  # how likely a seller's grade is good enough, grades drawn evenly
CONVERTERS = 0.05  # of the number of offers
TERMS = {1: 0.4, 3: 0.3, 6: 0.2, 12: 0.1}  # least term in periods, and the part of the offers that want it
KILOMETRES = 4000.0  # across the country, both ways
FREIGHT = 0.06  # of the median price, for 1 000 km
CENT = Decimal("0.01")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How large a market is and what makes it hard.

    `lanes` is what the number of eligible pairs comes near to, conversions left aside; `windows` is "one" (the whole
    horizon), "ladder" (whole, halves, quarters of it) or "all".
    """

    offers: int
    lanes: int
    periods: int = 1
    windows: str = "one"
    conversions: bool = False
    products: int = 25
    shares: float = 0.0  # of the demands that cap what one supplier may deliver
    min_rates: float = 0.0  # part of the offers that ask for a minimum rate, 5 to 25 % of their smallest quantity
    seed: int = 7

    @property
    def name(self) -> str:
        tail = f" T={self.periods} {self.windows}" if self.periods > 1 else ""
        return (
            f"{short(self.lanes)} lanes, {short(self.offers)} offers{tail}{' conversions' if self.conversions else ''}"
        )


def short(number: int) -> str:
    """101000 as 101k, 10000000 as 10M."""
    if number >= 1_000_000:
        return f"{number / 1e6:.3g}M"
    return f"{number / 1e3:.3g}k" if number >= 1000 else str(number)


def ladder(periods: int) -> tuple[tuple[int, int], ...]:
    """The whole horizon, its halves and its quarters, as far as it divides: 7 windows for 12 periods."""
    found = {
        (start, start + periods // parts - 1)
        for parts in (1, 2, 4)
        if periods % parts == 0
        for start in range(0, periods, periods // parts)
    }
    return tuple(sorted(found))


def windows_of(case: Case) -> tuple[tuple[int, int], ...] | None:
    return {"one": ((0, case.periods - 1),), "ladder": ladder(case.periods), "all": None}[case.windows]


def make(case: Case) -> Snapshot:
    """The snapshot of a case.

    Bids and asks of a product scatter around its price, which follows from those of its inputs, so that about half
    of the lanes gain; the nearest regions trade with each other, as many as the wanted number of lanes takes.
    """
    rng = default_rng(case.seed)
    products = [f"product-{at:02d}" for at in range(case.products)]
    tier = np.arange(case.products) * TIERS // case.products if case.conversions else np.zeros(case.products, int)
    recipes, price = _recipes(rng, tier)
    offers = _offers(rng, case, products, tier, price)
    return Snapshot(
        horizon=Horizon(Period.parse("2027-01"), case.periods),
        grades=tuple(
            Grade(product=product, grade=f"g{rank:02d}", rank=rank, lot=Decimal(1), unit="t")
            for product in products
            for rank in range(1, GRADES + 1)
        ),
        offers=tuple(offers),
        conversions=tuple(_conversions(rng, case, products, recipes, price)) if case.conversions else (),
        freight=_freight(rng, case, offers, products, price),
        windows=windows_of(case),
    )


Recipe = tuple[tuple[int, float], ...]  # inputs and how much of each one unit of output takes


def _recipes(rng: Generator, tier: Ints) -> tuple[list[Recipe], Floats]:
    """What each product is made of, and its price, CNY per unit: inputs, a tenth for the processor, a margin."""
    price = np.zeros(len(tier))
    recipes: list[Recipe] = []
    for product, level in enumerate(tier):
        below = np.flatnonzero(tier == level - 1)
        if not len(below):
            recipes.append(())
            price[product] = float(np.exp(rng.uniform(7.0, 11.0)))
            continue
        taken = rng.choice(below, size=min(len(below), int(rng.integers(1, 4))), replace=False)
        recipe = tuple((int(source), round(float(rng.uniform(0.2, 1.2)), 2)) for source in sorted(taken))
        recipes.append(recipe)
        price[product] = 1.2 * sum(price[source] * amount for source, amount in recipe)
    return recipes, price


def _offers(rng: Generator, case: Case, products: list[str], tier: Ints, price: Floats) -> list[Offer]:
    """As many sellers as buyers. With conversions the first tier mostly sells and the last mostly buys."""
    count = case.offers
    product = np.arange(count) % case.products
    selling = np.arange(count) // case.products % 2 == 0
    if case.conversions:
        toss = rng.random(count)
        selling = np.where(tier[product] == 0, toss < 0.8, np.where(tier[product] == TIERS - 1, toss < 0.2, selling))
    rank = rng.integers(1, GRADES + 1, count)
    around = np.where(selling, 0.97, 1.03) * rng.normal(1.0, 0.07, count) * (1 + 0.004 * (rank - GRADES / 2))
    season = 1 + 0.02 * np.sin(np.arange(case.periods) / 2)
    cents = np.maximum(1, np.rint(100 * (price[product] * around)[:, None] * season)).astype(np.int64)
    quantity = _quantities(rng, count, case.periods)
    region, firm = rng.integers(0, REGIONS, count), rng.integers(0, max(2, count // 3), count)
    capped = rng.random(count) < case.shares
    term = rng.choice(list(TERMS), count, p=list(TERMS.values())) if case.windows != "one" else np.ones(count, int)
    least = _min_rates(rng, case, quantity) if case.min_rates else np.zeros(count, int)
    return [
        Offer(
            offer=f"{'s' if selling[at] else 'b'}{at:06d}",
            side=Side.SELL if selling[at] else Side.BUY,
            firm=f"firm-{firm[at]:06d}",
            product=products[product[at]],
            grade=f"g{rank[at]:02d}",
            region=f"region-{region[at]:02d}",
            quantity=tuple(quantity[at].tolist()),
            price=tuple(CENT * value for value in cents[at].tolist()),
            min_term=min(int(term[at]), case.periods),
            min_rate=int(least[at]),
            max_share=Decimal("0.5") if capped[at] and not selling[at] else None,
        )
        for at in range(count)
    ]


def _quantities(rng: Generator, count: int, periods: int) -> Ints:
    """Lots per period: most offers are level, a third ramp up or down, a tenth pause somewhere."""
    level = np.exp(rng.normal(6.0, 1.0, count))[:, None]
    slope = np.where(rng.random(count) < 1 / 3, rng.uniform(-0.5, 1.0, count), 0.0)[:, None]
    time = np.arange(periods) / max(1, periods - 1)
    quantity = np.maximum(1, np.rint(level * (1 + slope * time))).astype(np.int64)
    if periods > 1:
        paused = np.flatnonzero(rng.random(count) < 0.1)
        quantity[paused, rng.integers(0, periods, len(paused))] = 0
    return quantity


def _min_rates(rng: Generator, case: Case, quantity: Ints) -> Ints:
    """Lots per period that each contract of an offer must have, 0 where it asks for none."""
    smallest = np.where(quantity > 0, quantity, np.iinfo(np.int64).max).min(axis=1)
    asked = np.rint(smallest * rng.uniform(0.05, 0.25, len(quantity))).astype(np.int64)
    return np.where((rng.random(len(quantity)) < case.min_rates) & (asked > 1), asked, 0)


def _conversions(
    rng: Generator, case: Case, products: list[str], recipes: list[Recipe], price: Floats
) -> list[Conversion]:
    """Processors of everything that has a recipe, each with somewhat other coefficients and fees."""
    made = [product for product, recipe in enumerate(recipes) if recipe]
    count = max(len(made), int(CONVERTERS * case.offers))
    found = []
    for at in range(count):
        product = made[at % len(made)]
        fee = int(price[product] * rng.uniform(5.0, 14.0))  # cents: 5 to 14 per cent of the price
        level = int(np.exp(rng.normal(8.0, 1.0)))
        found.append(
            Conversion(
                conversion=f"c{at:06d}",
                firm=f"processor-{at:05d}",
                region=f"region-{rng.integers(0, REGIONS):02d}",
                product=products[product],
                grade=f"g{rng.integers(1, GRADES + 1):02d}",
                capacity=(level,) * case.periods,
                fee=(CENT * fee,) * case.periods,
                inputs=tuple(
                    ConversionInput(
                        product=products[source],
                        grade=f"g{rng.integers(1, GRADES // 2):02d}",
                        quantity_per_output=CENT * round(100 * amount * rng.uniform(0.95, 1.05)),
                    )
                    for source, amount in recipes[product]
                ),
            )
        )
    return found


def _freight(
    rng: Generator, case: Case, offers: list[Offer], products: list[str], price: Floats
) -> dict[tuple[str, str, str], Decimal]:
    """By distance; the nearest pairs of regions, so many that the eligible pairs come to the wanted number."""
    sells = np.zeros(case.products)
    buys = np.zeros(case.products)
    at = {product: position for position, product in enumerate(products)}
    for offer in offers:
        (sells if offer.side is Side.SELL else buys)[at[offer.product]] += 1
    reach = case.lanes / max(1.0, float(sells @ buys) * SERVED)
    place = rng.uniform(0, KILOMETRES, (REGIONS, 2))
    distance = np.linalg.norm(place[:, None] - place[None], axis=2)
    order = np.argsort(distance, axis=None, kind="stable")[: max(REGIONS, round(min(1.0, reach) * REGIONS**2))]
    fixed = float(rng.uniform(0.5, 1.5))
    found = {}
    for flat in order.tolist():
        origin, destination = divmod(flat, REGIONS)
        if origin == destination:
            continue
        for position, product in enumerate(products):
            cents = round(price[position] * FREIGHT * fixed * distance[origin, destination] / 10)
            found[product, f"region-{origin:02d}", f"region-{destination:02d}"] = CENT * cents
    return found
