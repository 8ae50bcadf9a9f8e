"""The frozen input of a run: offers, conversions and the limits between them, by label.

Quantities are whole lots of the product; prices are CNY per unit of the product, tax excluded. Positions count the
periods of the horizon from 0. The order of the tuples carries no meaning: `matching.building` sorts by content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from decimal import Decimal
from enum import StrEnum

from market.errors import InvalidValue
from market.periods import Horizon

ANY_PRODUCT = "*"


class Side(StrEnum):
    SELL = "sell"
    BUY = "buy"


class Bound(StrEnum):
    """Which way a specification attribute is better: at least (assay) or at most (moisture)."""

    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """A grade of a product; a higher rank serves a lower requirement. All grades of a product share lot and unit."""

    product: str
    grade: str
    rank: int
    lot: Decimal
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One firm's capacity (sell) or demand (buy).

    `quantity` and `price` have one entry per period of the horizon; quantity 0 means not offered then.
    `certificates` maps a certificate to the last position at which a seller's is valid (None: throughout);
    on a buy offer the keys are what it requires. `specification` is what a seller guarantees or a buyer requires.
    `freight_included`: a seller who delivers at his ask, a buyer who collects at his bid.
    `origin` is where a seller's material comes from, its region unless it says so; `origins` are the only ones that a
    buyer takes, `barred_origins` those it does not take.
    Block terms: `min_rate` of every contract; `all_or_none` of what is offered; of a firm's offers of one `group` at
    most one trades; `most_contracts` counts the firms on the other side; `only_with` names an offer that must trade
    too.
    """

    offer: str
    side: Side
    firm: str
    product: str
    grade: str
    region: str
    quantity: tuple[int, ...]
    price: tuple[Decimal, ...]
    min_term: int = 1
    max_term: int | None = None
    min_rate: int = 0
    all_or_none: bool = False
    max_share: Decimal | None = None
    group: str = ""
    most_contracts: int | None = None
    only_with: str | None = None
    freight_included: bool = False
    specification: Mapping[str, Decimal] = field(default_factory=dict)
    certificates: Mapping[str, int | None] = field(default_factory=dict)
    approved_firms: frozenset[str] | None = None
    origin: str | None = None
    origins: frozenset[str] | None = None
    barred_origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionInput:
    """What one unit of output takes, in units of the input, and what the processor has of it per period, in units.

    `approved_firms` are the only ones that may supply it; None: all.
    """

    product: str
    grade: str
    quantity_per_output: Decimal
    own_stock: Decimal = Decimal(0)
    approved_firms: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A processor's capacity (lots of output per period) at a fee per unit of output; it names no other price.

    What it makes comes from `origin`, its region unless it says so, wherever its inputs come from.
    """

    conversion: str
    firm: str
    region: str
    product: str
    grade: str
    capacity: tuple[int, ...]
    fee: tuple[Decimal, ...]
    inputs: tuple[ConversionInput, ...]
    min_term: int = 1
    max_term: int | None = None
    specification: Mapping[str, Decimal] = field(default_factory=dict)
    certificates: Mapping[str, int | None] = field(default_factory=dict)
    origin: str | None = None


def origin_of(source: Offer | Conversion) -> str:
    """Where the material of an offer or conversion comes from."""
    return source.region if source.origin is None else source.origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Corridor:
    """A quota on what moves between two regions: units of the product in one period, or in each when None."""

    product: str
    origin: str
    destination: str
    position: int | None
    limit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The largest share of all demand posted for a product that one supplier (affiliates merged) may be given, in
    each period; for every supplier, or for the one named."""

    product: str
    share: Decimal
    firm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginRule:
    """A quota on material of one origin that goes to a region, whoever sells it from where: units of the product in
    one period, or in each when None. Less than a lot in each period: there is no lane."""

    product: str
    origin: str
    destination: str
    position: int | None
    limit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """Volume already promised between two offers of this snapshot (a contract or an open proposal), lots per period.

    `quantity` of the offers is what they posted; the clearing takes commitments off capacity, shares and corridors.
    """

    sell: str
    buy: str
    quantity: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a run looks at.

    `freight` maps (product or "*", from, to) to CNY per unit; inside a region it is 0 unless listed, a pair that is
    not listed has no lane. `windows` are the admissible (first, last) positions; None admits every run of periods.
    `affiliates` maps a firm to its group where several firms count as one supplier. `discount` is what one yuan of
    each period is worth in the first, above 0 and at most 1; empty: all periods count alike.
    """

    horizon: Horizon
    grades: tuple[Grade, ...]
    offers: tuple[Offer, ...]
    conversions: tuple[Conversion, ...] = ()
    freight: Mapping[tuple[str, str, str], Decimal] = field(default_factory=dict)
    corridors: tuple[Corridor, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    origin_rules: tuple[OriginRule, ...] = ()
    exclusions: frozenset[frozenset[str]] = frozenset()
    windows: tuple[tuple[int, int], ...] | None = None
    affiliates: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Bound] = field(default_factory=dict)
    commitments: tuple[Commitment, ...] = ()
    discount: tuple[Decimal, ...] = ()

    def __post_init__(self) -> None:
        self._check_periods()
        lots: dict[str, tuple[Decimal, str]] = {}
        for grade in self.grades:
            if lots.setdefault(grade.product, (grade.lot, grade.unit)) != (grade.lot, grade.unit):
                raise InvalidValue(f"grades of {grade.product} differ in lot or unit; expected one lot per product")
        known = {(grade.product, grade.grade) for grade in self.grades}
        labels: set[str] = set()
        for label, product_grade, vectors in _vectors(self.offers, self.conversions):
            if label in labels:
                raise InvalidValue(f"{label} appears twice; expected one row per offer or conversion")
            labels.add(label)
            if product_grade not in known:
                raise InvalidValue(f"{label} names unknown grade {product_grade}")
            if any(len(vector) != len(self.horizon) for vector in vectors):
                raise InvalidValue(f"{label} has not one entry per period of the horizon ({len(self.horizon)})")
        for conversion in self.conversions:
            taken = [need.product for need in conversion.inputs]
            if not taken or len(set(taken)) < len(taken):
                raise InvalidValue(f"{conversion.conversion} takes {taken}; expected one or more different products")

    def _check_periods(self) -> None:
        if self.windows is not None and not self.windows:
            raise InvalidValue("there is no admissible window; expected at least one, or None for every run of periods")
        if self.discount and (len(self.discount) != len(self.horizon) or not all(0 < d <= 1 for d in self.discount)):
            raise InvalidValue(f"discount {self.discount}; expected a factor above 0, at most 1, for each period")

    @property
    def worths(self) -> tuple[Decimal, ...]:
        """What one yuan of each period is worth in the first."""
        return self.discount or (Decimal(1),) * len(self.horizon)

    def lot(self, product: str) -> Decimal:
        """Size of one lot, in units of the product."""
        return next(grade.lot for grade in self.grades if grade.product == product)

    def of_products(self, products: frozenset[str]) -> Snapshot:
        """What of the snapshot is about some products, which no conversion, group or commitment ties to others."""
        offers = tuple(offer for offer in self.offers if offer.product in products)
        conversions = tuple(conversion for conversion in self.conversions if conversion.product in products)
        labels = {offer.offer for offer in offers} | {conversion.conversion for conversion in conversions}
        known = products | {ANY_PRODUCT}
        return replace(
            self,
            grades=tuple(grade for grade in self.grades if grade.product in products),
            offers=offers,
            conversions=conversions,
            freight={key: cost for key, cost in self.freight.items() if key[0] in known},
            corridors=tuple(corridor for corridor in self.corridors if corridor.product in products),
            ceilings=tuple(ceiling for ceiling in self.ceilings if ceiling.product in products),
            origin_rules=tuple(rule for rule in self.origin_rules if rule.product in products),
            commitments=tuple(c for c in self.commitments if {c.sell, c.buy} <= labels),
        )

    def digest(self) -> str:
        """SHA-256 over the content; the order of rows does not change it."""
        return hashlib.sha256(_canonical(self).encode()).hexdigest()


def _vectors(
    offers: Iterable[Offer], conversions: Iterable[Conversion]
) -> Iterable[tuple[str, tuple[str, str], tuple[tuple[object, ...], ...]]]:
    for offer in offers:
        yield offer.offer, (offer.product, offer.grade), (offer.quantity, offer.price)
    for conversion in conversions:
        yield conversion.conversion, (conversion.product, conversion.grade), (conversion.capacity, conversion.fee)


# Tuples whose order is content; every other tuple is a set of rows.
_ORDERED = {"quantity", "price", "capacity", "fee", "discount"}


def _canonical(value: object, *, ordered: bool = False) -> str:
    if is_dataclass(value):
        parts = (f"{f.name}={_canonical(getattr(value, f.name), ordered=f.name in _ORDERED)}" for f in fields(value))
        return "{" + ",".join(parts) + "}"
    if isinstance(value, Mapping):
        return "{" + ",".join(sorted(f"{key!r}:{_canonical(value[key])}" for key in value)) + "}"
    if isinstance(value, tuple) and ordered:
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, tuple | frozenset):
        return "[" + ",".join(sorted(map(_canonical, value))) + "]"
    if isinstance(value, Decimal):
        return str(value.normalize())
    return repr(value)
