"""What a unit costs: a fixed price, an escalated one, or a formula over market indices.

All prices are per unit of the product (per tonne, say), in the contract's currency, tax excluded, ex works.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar


class QuotationPeriod(StrEnum):
    """The days whose fixings are averaged, told from the month of delivery M."""

    MONTH_OF_DELIVERY = "month_of_delivery"
    MONTH_BEFORE = "month_before"
    TWO_MONTHS_BEFORE = "two_months_before"
    QUARTER_BEFORE = "quarter_before"


class EscalationBasis(StrEnum):
    """What the yearly rate is applied to: always the first price, or each time the price before."""

    FIRST_PRICE = "first_price"
    PRICE_BEFORE = "price_before"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPrice:
    """The same price for every delivery."""

    kind: ClassVar[str] = "fixed"
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalatedPrice:
    """A price that moves by `rate` (0.03 is 3 %) every `every_months` months from the first delivery month on.

    On `first_price` the n-th step is amount x (1 + n x rate); on `price_before` each step multiplies the rounded
    price before it by (1 + rate). The two are different money, so a contract names its basis.
    """

    kind: ClassVar[str] = "escalated"
    amount: Decimal
    rate: Decimal
    every_months: int
    basis: EscalationBasis


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexShare:
    """One index of a formula.

    `weight` is the share of the base price it replaces (0..1). `coefficient` turns a unit of the index into a unit of
    the product. `quoted_tax` is the rate of tax the index's quotations contain (0.13 where they include 13 % VAT, 0
    where they exclude it); it is taken out.
    """

    index: str
    weight: Decimal
    coefficient: Decimal
    quoted_tax: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFailure:
    """What happens on a publication day without a fixing.

    The last fixing before it stands in if it is at most `carry_days` calendar days old; then the fixing of
    `substitute` on that day times `substitute_factor`; then staff determine it.
    """

    carry_days: int
    substitute: str | None
    substitute_factor: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFormula:
    """Index-linked price of one contract version.

    price = base x (1 - sum of weights) + sum of weight x coefficient x mean(index over the quotation period)
    + premium, then held between floor and ceiling. It starts from `base` each time, never from the price before.
    """

    kind: ClassVar[str] = "formula"
    base: Decimal
    indices: tuple[IndexShare, ...]
    quotation: QuotationPeriod
    premium: Decimal
    floor: Decimal | None
    ceiling: Decimal | None
    failure: IndexFailure


Price = FixedPrice | EscalatedPrice | PriceFormula
