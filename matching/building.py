"""From a snapshot's records to the arrays of a market, in an order fixed by content and never by input."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from .levels import typical_prices
from .sides import Floats, Ints, Market, MarketSide
from .snapshot import ANY_PRODUCT, Bound, Conversion, ConversionInput, Offer, Side, Snapshot, origin_of


def _content(offer: Offer) -> tuple[object, ...]:
    """Everything that matters about an offer but who makes it: the order in which it enters the arrays."""
    return (
        offer.product,
        offer.grade,
        offer.region,
        offer.price,
        offer.quantity,
        offer.min_term,
        offer.max_term or 0,
        sorted(offer.specification.items()),
        sorted((name, -1 if last is None else last) for name, last in offer.certificates.items()),
        offer.max_share or Decimal(2),
        offer.freight_included,
        offer.min_rate,
        offer.all_or_none,
        origin_of(offer),
        offer.origins is not None,
        sorted(offer.origins or ()),
        sorted(offer.barred_origins),
    )


def _conversion_content(conversion: Conversion) -> tuple[object, ...]:
    """Everything that matters about a conversion but whose it is."""
    return (
        conversion.product,
        conversion.grade,
        conversion.region,
        conversion.fee,
        conversion.capacity,
        sorted((n.product, n.grade, n.quantity_per_output, n.own_stock) for n in conversion.inputs),
        conversion.min_term,
        conversion.max_term or 0,
        sorted(conversion.specification.items()),
        sorted((name, -1 if last is None else last) for name, last in conversion.certificates.items()),
        origin_of(conversion),
    )


def build(snapshot: Snapshot, products: frozenset[str] | None = None) -> Market:
    """The arrays of a snapshot, or of those of its `products` that make one sub-market.

    :raises KeyError: a commitment names an offer that the snapshot lacks.
    """
    inside = frozenset(grade.product for grade in snapshot.grades) if products is None else products
    offers = sorted(
        (offer for offer in snapshot.offers if offer.product in inside),
        key=lambda offer: (_content(offer), offer.offer),
    )
    conversions = tuple(
        sorted(
            (c for c in snapshot.conversions if c.product in inside),
            key=lambda c: (_conversion_content(c), c.firm, c.conversion),
        )
    )
    return _Builder(snapshot, tuple(sorted(inside)), offers, conversions).market()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One position of a side, before it becomes array entries."""

    label: str
    content: str
    conversion: int
    firm: str
    product: str
    grade: str
    region: str
    quantity: Sequence[int]
    open: Sequence[bool]
    price: Sequence[Decimal]
    min_term: int
    max_term: int | None
    specification: dict[str, Decimal]
    certificates: dict[str, int | None]
    freight_included: bool = False
    max_share: Decimal | None = None
    approved: frozenset[str] | None = None
    origin: str = ""
    origins: frozenset[str] | None = None
    barred: frozenset[str] = frozenset()


def _closed_origins(snapshot: Snapshot) -> frozenset[tuple[str, str, str]]:
    """(product, origin, region) where a rule lets not one lot through in any period."""
    lot = {grade.product: grade.lot for grade in snapshot.grades}
    return frozenset(
        (rule.product, rule.origin, rule.destination)
        for rule in snapshot.origin_rules
        if rule.position is None and rule.product in lot and rule.limit < lot[rule.product]
    )


def _positions(labels: Sequence[str]) -> dict[str, int]:
    return {label: position for position, label in enumerate(labels)}


class _Builder:
    """Turns records into arrays with label tables sorted by name."""

    def __init__(
        self, snapshot: Snapshot, products: tuple[str, ...], offers: list[Offer], conversions: tuple[Conversion, ...]
    ) -> None:
        self.snapshot, self.products, self.conversions = snapshot, products, conversions
        self.offers = offers
        self.inputs = [(m, need) for m, c in enumerate(conversions) for need in self._inputs(c)]
        # In the order in which their offers stand, so that a firm's name decides nothing either.
        self.firms = tuple(dict.fromkeys([offer.firm for offer in offers] + [c.firm for c in conversions]))
        self.firm_at = _positions(self.firms)
        self.routes: dict[str, list[tuple[str, str, Decimal]]] = defaultdict(list)
        for (name, origin, destination), cost in snapshot.freight.items():
            self.routes[name].append((origin, destination, cost))
        group_at = _positions(list(dict.fromkeys(snapshot.affiliates.get(firm, firm) for firm in self.firms)))
        self.group_of = {firm: group_at[snapshot.affiliates.get(firm, firm)] for firm in self.firms}
        self.regions = tuple(
            sorted(
                {offer.region for offer in offers}
                | {c.region for c in conversions}
                | {place for key in snapshot.freight for place in key[1:]}
            )
        )
        self.region_at = _positions(self.regions)
        self.origins = tuple(sorted({*map(origin_of, offers), *map(origin_of, conversions)}))
        self.origin_at = _positions(self.origins)
        self.closed = _closed_origins(snapshot)
        self.attributes = tuple(sorted(snapshot.attributes))
        names = {name for offer in offers for name in offer.certificates}
        self.bars: dict[tuple[object, ...], tuple[bool, ...]] = {}
        self.certificates = tuple(sorted(names | {name for c in conversions for name in c.certificates}))
        self.lot = {product: snapshot.lot(product) for product in products}
        self.rank = {(grade.product, grade.grade): grade.rank for grade in snapshot.grades}

    def market(self) -> Market:
        snapshot = self.snapshot
        pairs = [sorted(self.firm_at[f] for f in pair) for pair in snapshot.exclusions if pair <= set(self.firms)]
        # A firm excluded from itself is written as a set of one.
        excluded = {(p[0], p[-1]) for p in pairs} | {(p[-1], p[0]) for p in pairs}
        periods = len(snapshot.horizon)
        every = [(first, last) for first in range(periods) for last in range(first, periods)]
        sellers = self._net(self._side(self._sell_rows()), Side.SELL)
        buyers = self._net(self._side(self._buy_rows()), Side.BUY)
        worth = np.array([float(one) for one in snapshot.worths])
        fee = [[float(fee * self.lot[c.product]) for fee in c.fee] for c in self.conversions]
        fees = np.array(fee, dtype=float).reshape(-1, periods) * worth
        coefficient = tuple(
            Fraction(need.quantity_per_output)
            * Fraction(self.lot[self.conversions[m].product])
            / Fraction(self.lot[need.product])
            for m, need in self.inputs
        )
        return Market(
            snapshot=snapshot,
            products=self.products,
            regions=self.regions,
            firms=self.firms,
            origins=self.origins,
            attribute_sign=np.array([1.0 if snapshot.attributes[a] is Bound.MIN else -1.0 for a in self.attributes]),
            lot=tuple(self.lot[product] for product in self.products),
            sellers=sellers,
            buyers=buyers,
            conversions=self.conversions,
            capacity=np.array([c.capacity for c in self.conversions], dtype=np.int64).reshape(-1, periods),
            fee=fees,
            worth=worth,
            coefficient=coefficient,
            own_stock=tuple(Fraction(need.own_stock) / Fraction(self.lot[need.product]) for _, need in self.inputs),
            freight=self._freight(),
            excluded=frozenset(excluded),
            windows=np.array(sorted(snapshot.windows) if snapshot.windows is not None else every, dtype=np.int64),
            level=typical_prices(len(self.products), sellers, buyers, fees, np.array([float(c) for c in coefficient])),
        )

    @staticmethod
    def _inputs(conversion: Conversion) -> list[ConversionInput]:
        return sorted(conversion.inputs, key=lambda need: (need.product, need.grade))

    def _sell_rows(self) -> list[_Row]:
        sold = [self._offer_row(offer) for offer in self.offers if offer.side is Side.SELL]
        return sold + [self._conversion_row(m, c, c.product, c.grade) for m, c in enumerate(self.conversions)]

    def _buy_rows(self) -> list[_Row]:
        bought = [self._offer_row(offer) for offer in self.offers if offer.side is Side.BUY]
        return bought + [
            # What an input must satisfy is its grade; the output's guarantees say nothing about it.
            replace(
                self._conversion_row(m, self.conversions[m], need.product, need.grade),
                specification={},
                certificates={},
                approved=need.approved_firms,
            )
            for m, need in self.inputs
        ]

    @staticmethod
    def _offer_row(offer: Offer) -> _Row:
        return _Row(
            label=offer.offer,
            content=repr(_content(offer)),
            conversion=-1,
            firm=offer.firm,
            product=offer.product,
            grade=offer.grade,
            region=offer.region,
            quantity=offer.quantity,
            open=[quantity > 0 for quantity in offer.quantity],
            price=offer.price,
            min_term=offer.min_term,
            max_term=offer.max_term,
            specification=dict(offer.specification),
            certificates=dict(offer.certificates),
            freight_included=offer.freight_included,
            max_share=offer.max_share,
            approved=offer.approved_firms,
            origin=origin_of(offer),
            origins=offer.origins,
            barred=offer.barred_origins,
        )

    @staticmethod
    def _conversion_row(position: int, conversion: Conversion, product: str, grade: str) -> _Row:
        return _Row(
            label=conversion.conversion,
            content=repr(_conversion_content(conversion)),
            conversion=position,
            firm=conversion.firm,
            product=product,
            grade=grade,
            region=conversion.region,
            quantity=[0] * len(conversion.capacity),
            open=[capacity > 0 for capacity in conversion.capacity],
            price=[Decimal(0)] * len(conversion.capacity),
            min_term=conversion.min_term,
            max_term=conversion.max_term,
            specification=dict(conversion.specification),
            certificates=dict(conversion.certificates),
            origin=origin_of(conversion),
        )

    def _side(self, rows: list[_Row]) -> MarketSide:
        periods = len(self.snapshot.horizon)

        def ints(values: list[int]) -> Ints:
            return np.array(values, dtype=np.int64)

        return MarketSide(
            label=tuple(row.label for row in rows),
            content=tuple(row.content for row in rows),
            offers=sum(row.conversion < 0 for row in rows),
            conversion=ints([row.conversion for row in rows]),
            firm=ints([self.firm_at[row.firm] for row in rows]),
            supplier=ints([self.group_of[row.firm] for row in rows]),
            product=ints([self.products.index(row.product) for row in rows]),
            rank=ints([self.rank[row.product, row.grade] for row in rows]),
            region=ints([self.region_at[row.region] for row in rows]),
            quantity=np.array([row.quantity for row in rows], dtype=np.int64).reshape(-1, periods),
            open=np.array([row.open for row in rows], dtype=bool).reshape(-1, periods),
            price=np.array(
                [[float(price * self.lot[row.product]) for price in row.price] for row in rows], dtype=float
            ).reshape(-1, periods)
            * [float(one) for one in self.snapshot.worths],
            min_term=ints([row.min_term for row in rows]),
            max_term=ints([row.max_term or periods for row in rows]),
            attributes=np.array(
                [[float(row.specification.get(name, "nan")) for name in self.attributes] for row in rows], dtype=float
            ).reshape(len(rows), len(self.attributes)),
            certificates=np.array(
                [[self._held(row, name) for name in self.certificates] for row in rows], dtype=np.int64
            ).reshape(len(rows), len(self.certificates)),
            freight_included=np.array([row.freight_included for row in rows], dtype=bool),
            max_share=tuple(row.max_share for row in rows),
            approved=tuple(
                None if row.approved is None else frozenset(self.firm_at[f] for f in row.approved if f in self.firm_at)
                for row in rows
            ),
            origin=ints([self.origin_at[row.origin] for row in rows]),
            barred=np.array([self._barred(row) for row in rows], dtype=bool).reshape(len(rows), len(self.origins)),
        )

    def _barred(self, row: _Row) -> tuple[bool, ...]:
        """For each origin, whether a buyer does not take material of it; most buyers of a region are alike."""
        key = row.barred, row.origins, row.product, row.region
        if key not in self.bars:
            self.bars[key] = tuple(
                origin in row.barred
                or (row.product, origin, row.region) in self.closed
                or (row.origins is not None and origin not in row.origins)
                for origin in self.origins
            )
        return self.bars[key]

    def _held(self, row: _Row, name: str) -> int:
        """Last valid position of a certificate, -1 when absent; on the buying side any value >= 0 means required."""
        if name not in row.certificates:
            return -1
        last = row.certificates[name]
        return len(self.snapshot.horizon) - 1 if last is None else last

    def _net(self, side: MarketSide, kind: Side) -> MarketSide:
        """Take commitments off what is free; a period without anything free is closed."""
        at = {label: position for position, label in enumerate(side.label[: side.offers])}
        quantity = side.quantity.copy()
        for commitment in self.snapshot.commitments:
            label = commitment.sell if kind is Side.SELL else commitment.buy
            if label in at:
                quantity[at[label]] -= np.array(commitment.quantity, dtype=np.int64)
        quantity = np.maximum(quantity, 0)
        is_offer = side.conversion < 0
        return replace(side, quantity=quantity, open=np.where(is_offer[:, None], quantity > 0, side.open))

    def _freight(self) -> Floats:
        size, at = len(self.regions), self.region_at
        table = np.full((len(self.products), size, size), np.nan)
        table[:, np.arange(size), np.arange(size)] = 0.0
        for position, product in enumerate(self.products):
            for name in (ANY_PRODUCT, product):  # a product's own row counts before the general one
                for origin, destination, cost in self.routes[name]:
                    table[position, at[origin], at[destination]] = float(cost * self.lot[product])
        return table
