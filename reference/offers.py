"""What a derived scenario consists of. Volumes rest on the reference tables; prices and terms are synthetic."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from market.periods import Horizon

Side = Literal["sell", "buy", "conversion"]
Bound = Literal["min", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFirm:
    """A firm of the scenario; `group` is the firm that affiliates share; `certificates` are synthetic holdings."""

    firm: str
    name_zh: str
    name_en: str
    country: str
    group: str
    roles: tuple[str, ...]
    credit_code: str
    registration_number: str
    aggregate: bool
    certificates: tuple[CertificateTerm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateTerm:
    """A certificate held (good up to and with period `valid_to`, for good if None) or required (`valid_to` None)."""

    certificate: str
    valid_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificationLimit:
    """What a sell or conversion offer guarantees, or a buy offer requires, of one attribute."""

    attribute: str
    bound: Bound
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionInput:
    """One input of a conversion: units of input per unit of output, and what the processor brings itself."""

    product: str
    grade: str
    quantity_per_output: Decimal
    own_stock_per_period: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioOffer:
    """One offer of the chain.

    `quantity` (units of the product, multiples of the lot) and `price` (CNY per unit, tax excluded; the fee of a
    conversion) have one entry per period from `first_period` to `last_period`. `max_share` is 1 where the buyer sets
    no limit. `basis` tells how the yearly volume came about.
    """

    offer: str
    side: Side
    firm: str
    site: str
    region: str
    product: str
    grade: str
    first_period: str
    last_period: str
    quantity: tuple[int, ...]
    price: tuple[Decimal, ...]
    min_term: int
    max_term: int
    max_share: Decimal
    specification: tuple[SpecificationLimit, ...]
    certificates: tuple[CertificateTerm, ...]
    inputs: tuple[ConversionInput, ...]
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreightCost:
    """CNY per unit of `product` ("*": every product without rows of its own) from one region to another."""

    product: str
    from_region: str
    to_region: str
    cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CorridorQuota:
    """A synthetic limit per period, units of the product, on what goes from one region to another."""

    product: str
    from_region: str
    to_region: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Two firms that do not deal with each other. Synthetic: it says nothing about the real firms."""

    firm_a: str
    firm_b: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioGrade:
    """A grade as the market needs it: higher ranks serve lower ones, `lot` in units."""

    product: str
    grade: str
    rank: int
    lot: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole market session to be cleared; all parts sorted by their keys."""

    seed: int
    horizon: Horizon
    firms: tuple[ScenarioFirm, ...]
    grades: tuple[ScenarioGrade, ...]
    offers: tuple[ScenarioOffer, ...]
    freight: tuple[FreightCost, ...]
    corridors: tuple[CorridorQuota, ...]
    exclusions: tuple[Exclusion, ...]
