"""The buyer's take-or-pay account, year by year: deficiency, make-up and carry-forward."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from market.errors import InvalidValue

from .clauses import Lot, ScheduleLine, TakeOrPay
from .wording import Text
from .working import cents, percent, shown, total


@dataclass(frozen=True, slots=True, kw_only=True)
class YearTaken:
    """What happened in a calendar year, in lots: scheduled, excused (force majeure), taken.

    `undelivered` lots were called firm and not delivered: the buyer has done his part, so they meet the obligation, but
    bring no right. `price` is the year's mean unit price ex works, at which a deficiency is paid.
    """

    year: int
    scheduled: int
    excused: int
    taken: int
    price: Decimal
    undelivered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidLots:
    """Lots paid for in `year` and not taken then; `paid` in all, of which `credited` came back with `made_up` lots."""

    year: int
    lots: int
    paid: Decimal
    made_up: int = 0
    credited: Decimal = Decimal("0.00")

    @property
    def open(self) -> int:
        return self.lots - self.made_up


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedLots:
    """Lots taken in `year` beyond its schedule, of which `used` lowered later obligations."""

    year: int
    lots: int
    used: int = 0

    @property
    def open(self) -> int:
        return self.lots - self.used


@dataclass(frozen=True, slots=True, kw_only=True)
class YearStatement:
    """The account of one year, in lots and money (tax excluded).

    `payment` is due from the buyer for the deficiency, `credit` back to the buyer for the lots made up. `forfeited`
    lots were paid for and their time to be made up ended with this year. `paid` and `carried` are the rights that
    stand at the year's end.
    """

    year: int
    obligation: int
    carry_forward_used: int
    deficiency: int
    payment: Decimal
    made_up: int
    credit: Decimal
    forfeited: int
    carried_on: int
    paid: tuple[PaidLots, ...]
    carried: tuple[CarriedLots, ...]
    steps: tuple[Text, ...]


def scheduled_in(schedule: Sequence[ScheduleLine], year: int) -> int:
    """The lots scheduled in a calendar year."""
    return sum(line.lots for line in schedule if line.period.first_day.year == year)


def statements(rule: TakeOrPay, lot: Lot, years: Sequence[YearTaken]) -> tuple[YearStatement, ...]:
    """One statement per year, each standing on the rights left by those before it.

    :raises InvalidValue: the years do not follow each other, or a number of lots is negative.
    """
    told: list[YearStatement] = []
    paid: tuple[PaidLots, ...] = ()
    carried: tuple[CarriedLots, ...] = ()
    for at, year in enumerate(years):
        if at and year.year != years[at - 1].year + 1:
            raise InvalidValue(f"year {year.year} follows {years[at - 1].year}; expected {years[at - 1].year + 1}")
        if min(year.scheduled, year.excused, year.taken, year.undelivered) < 0:
            raise InvalidValue(f"year {year.year} has a negative number of lots; expected 0 or more")
        statement = _statement(rule, lot, year, paid, carried)
        told.append(statement)
        paid, carried = statement.paid, statement.carried
    return tuple(told)


def _statement(
    rule: TakeOrPay, lot: Lot, year: YearTaken, paid: tuple[PaidLots, ...], carried: tuple[CarriedLots, ...]
) -> YearStatement:
    base = max(year.scheduled - year.excused, 0)
    obligation = math.ceil(Fraction(rule.share) * base)
    steps = _opening(rule, year, obligation)
    short = max(obligation - year.taken - year.undelivered, 0)
    beyond = max(year.taken - obligation, 0)
    used, carried = _use_carried(rule, year, short, carried, steps)
    deficiency = short - used
    payment = cents(deficiency * Fraction(lot.size) * Fraction(year.price) * Fraction(rule.payment_share))
    if deficiency:
        sum_ = f"{deficiency:,} × {shown(lot.size)} × {shown(year.price)} × {percent(rule.payment_share)}"
        steps.append(Text(f"短提付款 {sum_} = {shown(payment)}", f"deficiency payment {sum_} = {shown(payment)}"))
    made_up, credit, paid = _make_up(beyond, paid, steps)
    carried_on = max(min(beyond - made_up, year.taken - base), 0)
    if carried_on:
        steps.append(Text(f"结转 {carried_on:,} 批", f"carried forward: {carried_on:,} lots"))
        carried = (*carried, CarriedLots(year=year.year, lots=carried_on))
    if deficiency:
        paid = (*paid, PaidLots(year=year.year, lots=deficiency, paid=payment))
    ended = [one for one in paid if one.open and one.year + rule.make_up_years <= year.year]
    forfeited = sum(one.open for one in ended)
    if forfeited:
        steps.append(Text(f"补提期满作废 {forfeited:,} 批", f"make-up ended, forfeited: {forfeited:,} lots"))
    return YearStatement(
        year=year.year,
        obligation=obligation,
        carry_forward_used=used,
        deficiency=deficiency,
        payment=payment,
        made_up=made_up,
        credit=credit,
        forfeited=forfeited,
        carried_on=carried_on,
        paid=tuple(one for one in paid if one.open and one not in ended),
        carried=tuple(one for one in carried if one.open and one.year + rule.carry_forward_years > year.year),
        steps=tuple(steps),
    )


def _opening(rule: TakeOrPay, year: YearTaken, obligation: int) -> list[Text]:
    """The obligation, and what meets it."""
    steps = [
        Text(
            f"照付不议义务：（{year.scheduled:,} − 免除 {year.excused:,}）× {percent(rule.share)} = {obligation:,} 批",
            f"obligation: ({year.scheduled:,} - {year.excused:,} excused) × "
            f"{percent(rule.share)} = {obligation:,} lots",
        ),
        Text(f"已提 {year.taken:,} 批", f"taken: {year.taken:,} lots"),
    ]
    if year.undelivered:
        steps.append(
            Text(
                f"已锁定而卖方未交 {year.undelivered:,} 批，视为已提",
                f"called firm and not delivered, counted as taken: {year.undelivered:,} lots",
            )
        )
    return steps


def _use_carried(
    rule: TakeOrPay, year: YearTaken, short: int, carried: tuple[CarriedLots, ...], steps: list[Text]
) -> tuple[int, tuple[CarriedLots, ...]]:
    """Carried lots that lower this year's shortfall, the oldest first, within the yearly share."""
    left = min(short, math.floor(Fraction(rule.carry_forward_share) * year.scheduled))
    used, after = 0, []
    for one in carried:
        take = min(left - used, one.open)
        used += take
        after.append(replace(one, used=one.used + take))
    if used:
        steps.append(Text(f"使用往年结转 {used:,} 批", f"carried lots used: {used:,}"))
    return used, tuple(after)


def _make_up(beyond: int, paid: tuple[PaidLots, ...], steps: list[Text]) -> tuple[int, Decimal, tuple[PaidLots, ...]]:
    """Lots beyond the obligation that were paid for in earlier years, the oldest first, and the money they bring back.

    Credits of one year's payment are rounded on their running sum, so all of it comes back with the last lot.
    """
    made_up, returned, after = 0, [], []
    for one in paid:
        lots = min(beyond - made_up, one.open)
        to_date = cents(Fraction(one.paid) * (one.made_up + lots) / one.lots)
        returned.append(total((to_date, -one.credited)))
        after.append(replace(one, made_up=one.made_up + lots, credited=to_date))
        made_up += lots
    credit = total(returned)
    if made_up:
        steps.append(
            Text(f"补提 {made_up:,} 批，抵扣 {shown(credit)}", f"made up: {made_up:,} lots, credited {shown(credit)}")
        )
    return made_up, credit, tuple(after)
