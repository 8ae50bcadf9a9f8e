"""The row types of the reference tables: one frozen dataclass per file, fields named as its columns.

Field types decide how a cell is read: str as it stands, int, Decimal, bool ("true" or "false"). Every row carries
`source` (where the fact comes from) and `estimated` (true when it is not a reported figure).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What every row of every table says of itself."""

    source: str
    estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Product(Fact):
    """A traded product; `tonnes_per_unit` turns its unit into freight weight, `freight_mode` is road or rail."""

    product: str
    name_zh: str
    name_en: str
    tier: str
    unit: str
    tonnes_per_unit: Decimal
    freight_mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade(Fact):
    """A grade of a product: a higher rank serves a lower one; `lot` in units; `price_factor` on the reference price."""

    product: str
    grade: str
    name_zh: str
    name_en: str
    rank: int
    lot: int
    unit: str
    price_factor: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Fact):
    """A specification limit of a grade: `bound` is min or max of `value` in `unit`."""

    product: str
    grade: str
    attribute: str
    name_zh: str
    name_en: str
    unit: str
    bound: str
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Region(Fact):
    """A province of China or a foreign country, and the point that stands for it in freight (degrees)."""

    region: str
    name_zh: str
    name_en: str
    country: str
    lat: Decimal
    lon: Decimal
    reference_point: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm(Fact):
    """A firm, or an aggregate of firms; `roles` is separated by blanks.

    `group` names the firm that affiliates share; a firm of its own names itself. `credit_code` is empty, or synthetic
    where `credit_code_synthetic` says so: the true codes are not in our sources. Without one, `registration_number`
    holds a placeholder that begins with SYNTHETIC.
    """

    firm: str
    name_zh: str
    name_en: str
    country: str
    group: str
    roles: str
    credit_code: str
    credit_code_synthetic: bool
    registration_number: str
    aggregate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Site(Fact):
    """A plant; a firm's volume without a named site is shared among its sites by `weight`."""

    site: str
    firm: str
    region: str
    lat: Decimal
    lon: Decimal
    place: str
    place_zh: str
    weight: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity(Fact):
    """What a firm can make in a year; `basis` is nameplate (utilisation applies) or output (it does not).

    `inputs` names, separated by blanks, the products of its bill of materials that it takes from the market.
    """

    firm: str
    site: str
    product: str
    grade: str
    per_year: Decimal
    unit: str
    inputs: str
    basis: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCapacity(Fact):
    """Cells in GWh per year; `chemistry` is LFP, NCM523, NCM811 or mixed; `nested_in` names an aggregate holding it."""

    firm: str
    gwh_per_year: Decimal
    basis: str
    chemistry: str
    nested_in: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChemistryShare(Fact):
    """The part of mixed cell output that is of one chemistry."""

    chemistry: str
    cell: str
    share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BillOfMaterials(Fact):
    """`quantity` of input per unit of output at full yield; divide by `yield_` for what is really used."""

    output: str
    input: str
    quantity: Decimal
    unit: str
    yield_: Decimal
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Price(Fact):
    """One point of a price series as quoted; `kind` is close, monthly_mean, quote or contract."""

    series: str
    date: str
    kind: str
    price: Decimal
    unit: str
    vat_included: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee(Fact):
    """What turning the listed inputs into a unit of product costs, tax excluded."""

    product: str
    fee: Decimal
    unit: str
    covers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreightRate(Fact):
    """A declared rate: CNY per tonne-kilometre by road, rail or sea; CNY per tonne for port handling."""

    mode: str
    rate: Decimal
    unit: str
    valid_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery(Fact):
    """A recycling recovery rate of a metal at a stage."""

    scheme: str
    metal: str
    stage: str
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedContract(Fact):
    """A long-term contract as announced; `buyer` and `supplier` are our firms that carry the volume."""

    contract: str
    supplier: str
    buyer: str
    supplier_name: str
    buyer_name: str
    product: str
    per_year: Decimal
    first_year: int
    last_year: int
    price_terms: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation(Fact):
    """Output over nameplate capacity."""

    product: str
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class InHouseOutput(Fact):
    """The share of a firm's own output that is not for sale; `used_by` names the firm whose need it meets."""

    firm: str
    product: str
    share: Decimal
    used_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InHouseNeed(Fact):
    """The share of a firm's own need of a product that it does not buy."""

    firm: str
    product: str
    share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedShare(Fact):
    """The share of derived demand that is posted, because our list of makers is incomplete."""

    product: str
    share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread(Fact):
    """Factors on the reference price between which seeded asks and bids are drawn."""

    product: str
    ask_low: Decimal
    ask_high: Decimal
    bid_low: Decimal
    bid_high: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption(Fact):
    """A number of the rule that is declared, not derived."""

    name: str
    value: Decimal
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateKind(Fact):
    """A certificate that firms hold and buyers require."""

    certificate: str
    name_zh: str
    name_en: str
