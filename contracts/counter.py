"""What a counter-offer may change in a version of the terms, within which limits, and how a change reads in words.

Only the places listed here are negotiable: price, lots per period, place of delivery, and the commercial numbers of
`NUMBERS`. Product, window, parties, delivery basis, freight and the texts of the clauses are not: the market found
the two firms by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from market.errors import BadInput
from market.periods import Period

from . import canonical
from .canonical import Change, Plain, decimal_text
from .clauses import ScheduleLine
from .defaults import standard_schedule
from .price_formula import EscalatedPrice, FixedPrice, Price, PriceFormula
from .terms import Terms, diff, validate
from .wording import Text, fault, one_of


class Measure(StrEnum):
    """How the value at a place of the terms is read."""

    MONEY = "money"  # per unit of the product
    LOTS = "lots"
    SHARE = "share"  # 0.1 is 10 %
    DAYS = "days"
    YEARS = "years"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Number:
    """One negotiable number: its place as a JSON pointer, what it is called, how it is read."""

    pointer: str
    text: Text
    measure: Measure


NUMBERS: tuple[Number, ...] = (
    Number("/tolerance/over", Text("累计溢短装：上限", "Tolerance over"), Measure.SHARE),
    Number("/tolerance/under", Text("累计溢短装：下限", "Tolerance under"), Measure.SHARE),
    Number("/payment/provisional_share", Text("临时账单比例", "Share of the provisional invoice"), Measure.SHARE),
    Number("/payment/due_days", Text("付款期限", "Days until an invoice is due"), Measure.DAYS),
    Number("/payment/interest", Text("逾期年利率", "Interest a year when late"), Measure.SHARE),
    Number("/take_or_pay/share", Text("照付不议比例", "Take or pay: share of the year"), Measure.SHARE),
    Number("/take_or_pay/payment_share", Text("照付不议付款比例", "Take or pay: part of the price"), Measure.SHARE),
    Number("/take_or_pay/make_up_years", Text("补提年限", "Take or pay: years to make up"), Measure.YEARS),
    Number("/supply_or_pay/share", Text("保供比例", "Supply or pay: share of the year"), Measure.SHARE),
    Number("/supply_or_pay/payment_share", Text("保供赔付比例", "Supply or pay: part of the price"), Measure.SHARE),
    Number("/late_damages/grace_days", Text("迟交宽限", "Late delivery: days of grace"), Measure.DAYS),
    Number("/late_damages/per_day", Text("迟交违约金（每日）", "Late delivery: damages a day"), Measure.SHARE),
    Number("/late_damages/cap", Text("迟交违约金上限", "Late delivery: cap"), Measure.SHARE),
    Number("/nomination/nominate_days", Text("提名提前期", "Days a nomination is due ahead"), Measure.DAYS),
    Number("/nomination/firm_days", Text("锁定提前期", "Days a nomination becomes firm ahead"), Measure.DAYS),
    Number(
        "/force_majeure/exit_days", Text("不可抗力退出期", "Force majeure: days until either may leave"), Measure.DAYS
    ),
)
LONGEST = {Measure.DAYS: 730, Measure.YEARS: 30}
"""No date of a contract is computed further ahead than this."""

POINTERS: tuple[str, ...] = tuple(number.pointer for number in NUMBERS)

_OTHERS: tuple[tuple[str, Text, Measure], ...] = (
    (r"/price/amount", Text("价格（出厂）", "Price ex works"), Measure.MONEY),
    (r"/price/base", Text("基准价", "Base price of the formula"), Measure.MONEY),
    (r"/price/premium", Text("升贴水", "Premium of the formula"), Measure.MONEY),
    (r"/price/floor", Text("价格下限", "Floor of the price"), Measure.MONEY),
    (r"/price/ceiling", Text("价格上限", "Ceiling of the price"), Measure.MONEY),
    (r"/price/kind", Text("定价方式", "Way of pricing"), Measure.TEXT),
    (r"/price/.*", Text("定价公式", "Price formula"), Measure.TEXT),
    (r"/schedule/(\d+)/lots", Text("数量", "Quantity"), Measure.LOTS),
    (r"/schedule/(\d+)/minimum", Text("最少提货", "Least that is called"), Measure.LOTS),
    (r"/schedule/(\d+)/maximum", Text("最多提货", "Most that may be called"), Measure.LOTS),
    (r"/delivery/place", Text("交货地点", "Place of delivery"), Measure.TEXT),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a counter-offer asks for; None and empty leave a place as it is. `numbers` is keyed by JSON pointer."""

    price: Price | None = None
    lots: Mapping[Period, int] = field(default_factory=dict)
    place: str | None = None
    numbers: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The limits of the market and of one side within which that side may move.

    `most_lots` is what the market matched per period, `least_lots` the side's own least rate; the schedule is not
    negotiable at all where `schedule_fixed` says why. `least_price` is a seller's own limit ex works, `most_price` a
    buyer's, both over the schedule of the counter; None where the side has none. `places` are those it may choose.
    """

    most_lots: Mapping[Period, int]
    least_lots: int = 1
    schedule_fixed: Text | None = None
    least_price: Decimal | None = None
    most_price: Decimal | None = None
    places: frozenset[str] = frozenset()
    most_over: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One place of a counter that breaks a limit, with what was found and what was expected in both languages."""

    place: str
    found: str
    expected: Text


class CounterRefused(BadInput):
    """A counter that is not inside the limits; `findings` says it in words, place by place."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__([fault(one.place, one.found, one.expected) for one in findings])


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place in which two versions differ, with its name; `period` where the place belongs to one."""

    pointer: str
    text: Text
    measure: Measure
    period: Period | None
    old: Plain
    new: Plain


def amended(base: Terms, changes: Changes) -> Terms:
    """`base` with the changes in it; it stays the first version of a contract that is not made yet.

    Least and most calls of a period follow its lots.

    :raises CounterRefused: a period outside the window, or a number that the base has no place for.
    :raises market.errors.BadInput: the new terms are not sound; the faults name the place.
    """
    findings = [*_outside_window(base, changes), *_without_place(base, changes)]
    if findings:
        raise CounterRefused(findings)
    lines = {line.period: line for line in standard_schedule(changes.lots)}
    schedule = tuple(_line(line, lines) for line in base.schedule)
    terms = replace(base, schedule=schedule, price=changes.price or base.price)
    if changes.place is not None:
        terms = replace(terms, delivery=replace(terms.delivery, place=changes.place))
    for pointer, value in sorted(changes.numbers.items()):
        terms = _with_number(terms, pointer, value)
    validate(terms)
    return terms


def _line(line: ScheduleLine, lines: Mapping[Period, ScheduleLine]) -> ScheduleLine:
    new = lines.get(line.period, line)
    return line if new.lots == line.lots else new


def _outside_window(base: Terms, changes: Changes) -> Iterator[Finding]:
    window = {line.period for line in base.schedule}
    for period in sorted(changes.lots.keys() - window, key=str):  # of other kinds, perhaps
        first, last = base.first_period, base.last_period
        inside = Text(f"{first} 至 {last} 之内的期间", f"a period of the window, {first} to {last}")
        yield Finding(f"/schedule/{period}", str(period), inside)


def _without_place(base: Terms, changes: Changes) -> Iterator[Finding]:
    for pointer in sorted(changes.numbers):
        if pointer not in POINTERS:
            yield Finding(pointer, "a place that is not negotiable", one_of(POINTERS))
        elif value_at(base, pointer) is None:
            absent = Text("合同含有该条款", "a clause that the terms have; these have none")
            yield Finding(pointer, decimal_text(changes.numbers[pointer]), absent)


def value_at(terms: Terms, pointer: str) -> Any:
    """The value of a negotiable number; None where the terms have no such clause."""
    clause, name = pointer[1:].split("/")
    part = getattr(terms, clause)
    return None if part is None else getattr(part, name)


def _with_number(terms: Terms, pointer: str, value: Decimal) -> Terms:
    clause, name = pointer[1:].split("/")
    is_count = isinstance(value_at(terms, pointer), int)
    longest = next((LONGEST.get(number.measure) for number in NUMBERS if number.pointer == pointer), None)
    if longest is not None and value > longest:
        most = Text(f"不超过 {longest}", f"at most {longest}")
        raise CounterRefused([Finding(pointer, decimal_text(value), most)])
    if is_count and value != value.to_integral_value():
        raise CounterRefused([Finding(pointer, decimal_text(value), Text("整数", "a whole number"))])
    part = replace(getattr(terms, clause), **{name: int(value) if is_count else value})
    return replace(terms, **{clause: part})


def check(base: Terms, new: Terms, room: Room) -> None:
    """Let a new version pass, or refuse it with every limit that it breaks.

    :raises CounterRefused: nothing differs, or a limit is broken; the findings name the place.
    """
    findings = [*_unlisted(base, new), *_schedule(base, new, room), *_price(base, new, room)]
    if new.delivery.place != base.delivery.place and new.delivery.place not in room.places:
        listed = ", ".join(sorted(room.places)) or "–"
        chosen = Text(f"贵方在同一地区的场所：{listed}", f"a site of your own in the region of the lane: {listed}")
        findings.append(Finding("/delivery/place", new.delivery.place, chosen))
    over = new.tolerance.over
    if room.most_over is not None and over != base.tolerance.over and over > room.most_over:
        most = decimal_text(room.most_over)
        findings.append(Finding("/tolerance/over", decimal_text(over), Text(f"不超过 {most}", f"at most {most}")))
    if not differences(base, new):
        changed = Text("至少一处变更", "at least one change of what is negotiable")
        findings.append(Finding("/", "the terms as they are", changed))
    if findings:
        raise CounterRefused(findings)


def _unlisted(base: Terms, new: Terms) -> Iterator[Finding]:
    """Places that changed though they are not negotiable; cannot come of `amended`, but may of a stored document."""
    for change in diff(base, new):
        if _named(change.pointer) is None:
            stays = Text("与现行版本一致", "as it is in the version on offer")
            yield Finding(change.pointer, canonical.canonical_text(change.new), stays)


def _schedule(base: Terms, new: Terms, room: Room) -> Iterator[Finding]:
    before = {line.period: line.lots for line in base.schedule}
    for line in new.schedule:
        if line.lots == before.get(line.period):
            continue
        place, found = f"/schedule/{line.period}", str(line.lots)
        if room.schedule_fixed is not None:
            yield Finding(place, found, room.schedule_fixed)
            continue
        most, least = room.most_lots.get(line.period, 0), max(room.least_lots, 1)
        if not least <= line.lots <= most:
            yield Finding(
                place,
                found,
                Text(f"{least} 至 {most} 批，即撮合所得数量之内", f"from {least} to {most} lots, what was matched"),
            )


def _price(base: Terms, new: Terms, room: Room) -> Iterator[Finding]:
    if new.price == base.price and new.schedule == base.schedule:
        return
    bounds = range_of(new.price)
    if bounds is None:
        if new.price != base.price:
            kinds = Text("固定价，或带上下限的公式价", "a fixed price, or a formula with a floor and a ceiling")
            yield Finding("/price", new.price.kind, kinds)
        return
    low, high = bounds
    at_low, at_high = ("/price/amount",) * 2 if low == high else ("/price/floor", "/price/ceiling")
    if room.least_price is not None and low < room.least_price:
        least = decimal_text(room.least_price)
        own = Text(f"不低于贵方限价 {least}", f"at least your own limit, {least} ex works")
        yield Finding(at_low, decimal_text(low), own)
    if room.most_price is not None and high > room.most_price:
        most = decimal_text(room.most_price)
        yield Finding(
            at_high, decimal_text(high), Text(f"不高于贵方限价 {most}", f"at most your own limit, {most} ex works")
        )


def range_of(price: Price) -> tuple[Decimal, Decimal] | None:
    """The lowest and highest price ex works that can come of a price; None where nothing bounds it."""
    match price:
        case FixedPrice():
            return price.amount, price.amount
        case PriceFormula(floor=Decimal() as floor, ceiling=Decimal() as ceiling):
            return floor, ceiling
        case PriceFormula() | EscalatedPrice():
            return None


def price_from(document: Plain) -> Price:
    """The price that a canonical document tells: fixed, or a formula.

    :raises market.errors.BadInput: it is not one; the faults name the place.
    """
    read: Price = canonical.from_plain(FixedPrice | PriceFormula, document, "/price")
    return read


def differences(old: Terms, new: Terms) -> list[Difference]:
    """Every negotiable place in which two versions differ, in words, in the order of the terms."""
    found = []
    for change in diff(old, new):
        named = _named(change.pointer)
        if named is not None:
            found.append(_told(change, named, new))
    return found


def _named(pointer: str) -> tuple[Text, Measure, int | None] | None:
    """Name, measure and line of the schedule of a negotiable place; None for any other."""
    for number in NUMBERS:
        if number.pointer == pointer:
            return number.text, number.measure, None
    for pattern, text, measure in _OTHERS:
        if match := re.fullmatch(pattern, pointer):
            return text, measure, int(match[1]) if match.groups() else None
    return None


def _told(change: Change, named: tuple[Text, Measure, int | None], terms: Terms) -> Difference:
    text, measure, line = named
    return Difference(
        pointer=change.pointer,
        text=text,
        measure=measure,
        period=None if line is None else terms.schedule[line].period,
        old=change.old,
        new=change.new,
    )
