"""Assays of both sides, and what a lot's quality adds to or takes from its price."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from market.errors import MarketError

from .clauses import Assaying, Better, QualityTerm
from .wording import Text
from .working import shown


class UmpireNeeded(MarketError):
    """Two assays are further apart than the splitting limit and no umpire's result is there."""


class CostBearer(StrEnum):
    """Who pays the umpire."""

    NOBODY = "nobody"
    SELLER = "seller"
    BUYER = "buyer"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assay:
    """Results for one attribute in its unit: the seller's, the buyer's and, where they part, the umpire's."""

    seller: Decimal
    buyer: Decimal
    umpire: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Determination:
    """The value both sides are bound by, who bears the umpire's cost, and whether the buyer may reject."""

    attribute: str
    value: Fraction
    umpire_paid_by: CostBearer
    rejectable: bool
    step: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Money per unit of product for one attribute: a bonus above 0, a penalty below; exact, not rounded."""

    attribute: str
    per_unit: Fraction
    step: Text


def last_exchange_day(assaying: Assaying, received: dt.date) -> dt.date:
    """The last day on which a side may hand in its results for goods received on a day."""
    return received + dt.timedelta(days=assaying.exchange_days)


def closed_assay(
    term: QualityTerm, *, seller: Decimal | None, buyer: Decimal | None, umpire: Decimal | None = None
) -> Assay:
    """What counts once the time to exchange results is over.

    A side without a result is bound by the other's. Without any the reference counts: no bonus and no penalty.
    """
    first = seller if seller is not None else buyer if buyer is not None else term.reference
    second = buyer if buyer is not None else first
    return Assay(seller=first, buyer=second, umpire=umpire)


def determine(term: QualityTerm, assay: Assay) -> Determination:
    """The binding value of an attribute.

    Within the splitting limit it is the mean of both sides. Beyond it, it is the middle one of the three results:
    the umpire's where it lies between the two, else the one nearer to the umpire's. The side further from the umpire
    bears its cost, both share it at equal distance.

    :raises UmpireNeeded: the results are too far apart and there is no third.
    """
    seller, buyer, limit = Fraction(assay.seller), Fraction(assay.buyer), Fraction(term.splitting_limit)
    paid_by = CostBearer.NOBODY
    name, unit = term.attribute, term.unit
    if abs(seller - buyer) <= limit:
        value = (seller + buyer) / 2
        step = Text(
            f"{name}：卖方 {shown(seller)}，买方 {shown(buyer)}，差值未超 {shown(limit)}，均值 {shown(value)} {unit}",
            f"{name}: seller {shown(seller)}, buyer {shown(buyer)}, within {shown(limit)}: mean {shown(value)} {unit}",
        )
    elif assay.umpire is None:
        raise UmpireNeeded(
            f"{name}: seller {shown(seller)}, buyer {shown(buyer)}, further apart than {shown(limit)} {unit}; "
            "expected an umpire's result"
        )
    else:
        umpire = Fraction(assay.umpire)
        value = sorted((seller, buyer, umpire))[1]
        further = abs(seller - umpire) - abs(buyer - umpire)
        paid_by = CostBearer.SELLER if further > 0 else CostBearer.BUYER if further < 0 else CostBearer.BOTH
        results = f"{shown(seller)}, {shown(buyer)}, {shown(umpire)}"
        step = Text(
            f"{name}：卖方、买方、仲裁方 {results}，取中间值 {shown(value)} {unit}",
            f"{name}: seller, buyer, umpire {results}: the middle one, {shown(value)} {unit}",
        )
    rejectable = term.rejection is not None and _better_by(term, value, Fraction(term.rejection)) < 0
    return Determination(attribute=name, value=value, umpire_paid_by=paid_by, rejectable=rejectable, step=step)


def adjustment(term: QualityTerm, value: Fraction) -> Adjustment:
    """Bonus or penalty per unit of product for a binding value, fractions of a step pro rata, held by the caps."""
    better = _better_by(term, value, Fraction(term.reference))
    steps = better / Fraction(term.step)
    if steps >= 0:
        rate, cap = Fraction(term.bonus), Fraction(term.bonus_cap)
        kind = Text("奖励", "bonus")
    else:
        rate, cap = Fraction(term.penalty), Fraction(term.penalty_cap)
        kind = Text("扣减", "penalty")
    amount = min(abs(steps) * rate, cap)
    capped = Text("（达到上限）", " (capped)") if abs(steps) * rate > cap else Text("", "")
    step = Text(
        f"{term.attribute} {shown(value)} {term.unit}，基准 {shown(term.reference)}，{shown(abs(steps))} 档 × "
        f"{shown(rate)} = 每单位{kind.zh} {shown(amount)}{capped.zh}",
        f"{term.attribute} {shown(value)} {term.unit} against {shown(term.reference)}: {shown(abs(steps))} steps × "
        f"{shown(rate)} = {kind.en} of {shown(amount)} per unit{capped.en}",
    )
    return Adjustment(attribute=term.attribute, per_unit=amount if steps >= 0 else -amount, step=step)


def adjustments(quality: tuple[QualityTerm, ...], assays: Mapping[str, Assay]) -> tuple[Adjustment, ...]:
    """Bonus or penalty of every quality term, in the contract's order.

    :raises UmpireNeeded: for the first attribute whose assays lie too far apart, or that has not been assayed.
    """
    found = []
    for term in quality:
        if term.attribute not in assays:
            raise UmpireNeeded(f"{term.attribute}: no assay; expected the seller's and the buyer's result")
        found.append(adjustment(term, determine(term, assays[term.attribute]).value))
    return tuple(found)


def _better_by(term: QualityTerm, value: Fraction, than: Fraction) -> Fraction:
    """How far a value is on the good side of another."""
    return value - than if term.better is Better.HIGHER else than - value
