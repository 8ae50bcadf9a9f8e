"""What the seller owes for lots not supplied or supplied late."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from .clauses import LateDamages, Lot, SupplyOrPay
from .wording import Text
from .working import Working, cents, percent, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class LateLots:
    """Lots that arrived `days` calendar days after their day, at their unit price; `reference` names them if given."""

    lots: int
    days: int
    price: Decimal
    reference: str = ""


def supply_or_pay(rule: SupplyOrPay, lot: Lot, *, firm: int, excused: int, delivered: int, price: Decimal) -> Working:
    """The seller's payment for a calendar year: share of the firm lots (less those excused) that lack, at the price."""
    required = math.ceil(Fraction(rule.share) * max(firm - excused, 0))
    lacking = max(required - delivered, 0)
    value = cents(lacking * Fraction(lot.size) * Fraction(price) * Fraction(rule.payment_share))
    sum_ = f"{lacking:,} × {shown(lot.size)} × {shown(price)} × {percent(rule.payment_share)} = {shown(value)}"
    return Working(
        value,
        (
            Text(
                f"应供（{firm:,} − 免除 {excused:,}）× {percent(rule.share)} = {required:,} 批，实供 {delivered:,} 批",
                f"to supply: ({firm:,} - {excused:,} excused) × {percent(rule.share)} = {required:,} lots, "
                f"supplied {delivered:,}",
            ),
            Text(f"短供付款 {sum_}", f"supply-or-pay {sum_}"),
        ),
    )


def late_damages(rule: LateDamages, lot: Lot, late: Iterable[LateLots]) -> Working:
    """Damages for late lots: per day after the grace days, held by the cap, summed exactly and rounded once."""
    value, steps = Fraction(0), []
    for part in late:
        days = max(part.days - rule.grace_days, 0)
        share = min(Fraction(rule.per_day) * days, Fraction(rule.cap))
        capped = Fraction(rule.per_day) * days > Fraction(rule.cap)
        worth = part.lots * Fraction(lot.size) * Fraction(part.price)
        damages = worth * share
        value += damages
        name = Text(f"{part.reference}：", f"{part.reference}: ") if part.reference else Text("", "")
        rate, held = percent(rule.per_day), Text("（达到上限）", " (capped)") if capped else Text("", "")
        steps.append(
            Text(
                f"{name.zh}{part.lots:,} 批，价值 {shown(worth)}，逾期 {part.days} 天（宽限 {rule.grace_days} 天）"
                f"× {rate} → {percent(share)}{held.zh} = {shown(damages)}",
                f"{name.en}{part.lots:,} lots worth {shown(worth)}, {part.days} days late ({rule.grace_days} of grace) "
                f"× {rate}: {percent(share)}{held.en} = {shown(damages)}",
            )
        )
    amount = cents(value)
    return Working(amount, (*steps, Text(f"逾期违约金 {shown(amount)}", f"late damages {shown(amount)}")))
