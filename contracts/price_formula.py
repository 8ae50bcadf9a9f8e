"""What a unit costs: a fixed price, an escalated one, or a formula over market indices.

All prices are per unit of the product (per tonne, say), in the contract's currency, tax excluded, ex works.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar

from market.errors import InvalidValue
from market.periods import Period

from .fixings import (
    NO_FIXINGS,
    Fixings,
    IndexFailure,
    IndexMean,
    QuotationPeriod,
    index_mean,
    mean_so_far,
    quotation_days,
)
from .wording import Text
from .working import Working, cents, percent, shown


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


def price_for(price: Price, month: Period, *, first_month: Period, fixings: Fixings = NO_FIXINGS) -> Working:
    """Price of a unit delivered in `month`, ex works, rounded half-even to 0.01, with its working.

    `first_month` is the first month of the contract's window, from which an escalated price counts.

    :raises IndexMissing: a formula lacks fixings and the contract's rule finds no stand-in.
    :raises InvalidValue: a period is not a month, or lies before the first one.
    """
    for period in (month, first_month):
        if period.kind != "month":
            raise InvalidValue(f"{period} is not a month; expected a form such as 2027-01")
    match price:
        case FixedPrice():
            value = cents(price.amount)
            return Working(value, (Text(f"固定价 {shown(value)}", f"fixed price {shown(value)}"),))
        case EscalatedPrice():
            return _escalated(price, month.start - first_month.start)
        case PriceFormula():
            return price_of(price, fixings, month)


def _escalated(price: EscalatedPrice, months: int) -> Working:
    if months < 0:
        raise InvalidValue(f"delivery is {-months} months before the contract's first month; expected none before it")
    count = months // price.every_months
    rate = Fraction(price.rate)
    value = cents(price.amount)
    rule = Text(
        f"首价 {shown(value)}，每 {price.every_months} 个月调整 {percent(rate)}，",
        f"first price {shown(value)}, {percent(rate)} every {price.every_months} months, ",
    )
    if price.basis is EscalationBasis.FIRST_PRICE:
        value = cents(Fraction(price.amount) * (1 + count * rate))
        basis = Text("均以首价为基数", "always of the first price")
    else:
        for _ in range(count):
            value = cents(Fraction(value) * (1 + rate))
        basis = Text("以上一期价格为基数", "each time of the price before")
    step = Text(f"第 {count} 次调整后 = {shown(value)}", f"after {count} steps = {shown(value)}")
    return Working(value, (Text(rule.zh + basis.zh, rule.en + basis.en), step))


def price_of(formula: PriceFormula, fixings: Fixings, month: Period) -> Working:
    """Price of a unit delivered in `month` by a formula, rounded half-even to 0.01 once, at the end.

    :raises IndexMissing: the quotation period lacks fixings and the contract's rule finds no stand-in.
    """
    first, last = quotation_days(formula.quotation, month)
    return _by_formula(formula, lambda index: index_mean(index, formula.failure, fixings, first=first, last=last))


def estimate_for(price: Price, month: Period, *, first_month: Period, fixings: Fixings, on: dt.date) -> Working:
    """Price of a unit delivered in `month` as far as it is known on a day: what a provisional invoice is made out at.

    A fixed or escalated price is known; a formula takes the fixings of its quotation period that are there by then.

    :raises IndexMissing: an index of the formula has no fixing at all by then.
    :raises InvalidValue: as `price_for`.
    """
    if not isinstance(price, PriceFormula):
        return price_for(price, month, first_month=first_month)
    first, last = quotation_days(price.quotation, month)
    return _by_formula(price, lambda index: mean_so_far(index, fixings, first=first, last=last, on=on))


def _by_formula(formula: PriceFormula, mean_of: Callable[[str], IndexMean]) -> Working:
    """The formula over the mean of each of its indices."""
    steps: list[Text] = []
    terms: list[str] = []
    base_share = 1 - sum((Fraction(share.weight) for share in formula.indices), Fraction(0))
    value = Fraction(formula.base) * base_share
    if base_share:
        terms.append(f"{shown(formula.base)} × {shown(base_share)}")
    for share in formula.indices:
        mean = mean_of(share.index)
        steps += mean.steps
        net = mean.value / (1 + Fraction(share.quoted_tax))
        if share.quoted_tax:
            steps.append(
                Text(
                    f"扣除 {percent(share.quoted_tax)} 的税 = {shown(net)}",
                    f"less the {percent(share.quoted_tax)} tax inside = {shown(net)}",
                )
            )
        value += Fraction(share.weight) * Fraction(share.coefficient) * net
        coefficient = "" if share.coefficient == 1 else f" × {shown(share.coefficient)}"
        terms.append(f"{shown(net)} × {shown(share.weight)}{coefficient}")
    total = " + ".join(terms)
    if formula.premium:
        total += f" {'-' if formula.premium < 0 else '+'} {shown(abs(formula.premium))}"
    value += Fraction(formula.premium)
    steps.append(Text(f"公式价 {total} = {shown(value)}", f"formula {total} = {shown(value)}"))
    value = _held(formula, value, steps)
    price = cents(value)
    steps.append(Text(f"四舍六入五成双至 0.01 = {shown(price)}", f"rounded half-even to 0.01 = {shown(price)}"))
    return Working(price, tuple(steps))


def _held(formula: PriceFormula, value: Fraction, steps: list[Text]) -> Fraction:
    """The value between floor and ceiling; says which of them was reached."""
    if formula.floor is not None:
        floor = Fraction(formula.floor)
        steps.append(
            Text(f"低于下限，按下限 {shown(floor)}", f"below the floor, held at {shown(floor)}")
            if value < floor
            else Text(f"未触及下限 {shown(floor)}", f"floor {shown(floor)} not reached")
        )
        value = max(value, floor)
    if formula.ceiling is not None:
        ceiling = Fraction(formula.ceiling)
        steps.append(
            Text(f"高于上限，按上限 {shown(ceiling)}", f"above the ceiling, held at {shown(ceiling)}")
            if value > ceiling
            else Text(f"未触及上限 {shown(ceiling)}", f"ceiling {shown(ceiling)} not reached")
        )
        value = min(value, ceiling)
    return value
