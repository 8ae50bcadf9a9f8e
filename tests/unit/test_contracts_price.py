"""Prices: fixed, escalated, by formula; the rule for missing fixings; rounding once and half-even."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.fixings import Fixings, IndexFailure, IndexMissing, QuotationPeriod, index_mean, quotation_days
from contracts.price_formula import (
    EscalatedPrice,
    EscalationBasis,
    FixedPrice,
    IndexShare,
    PriceFormula,
    price_for,
    price_of,
)
from contracts.working import cents, shown
from market.errors import InvalidValue
from market.periods import Period

LITHIUM = "lithium-carbonate-battery"
MARCH = Period.parse("2027-03")
FAILURE = IndexFailure(carry_days=3, substitute="lithium-carbonate-futures", substitute_factor=Decimal("0.98"))


def formula(**changes: Any) -> PriceFormula:
    made = PriceFormula(
        base=Decimal(80000),
        indices=(IndexShare(index=LITHIUM, weight=Decimal(1), coefficient=Decimal(1), quoted_tax=Decimal(0)),),
        quotation=QuotationPeriod.MONTH_BEFORE,
        premium=Decimal(0),
        floor=None,
        ceiling=None,
        failure=FAILURE,
    )
    return dataclasses.replace(made, **changes)


def weekdays(first: dt.date, last: dt.date) -> list[dt.date]:
    days = [first + dt.timedelta(days=step) for step in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5]


def february(value: Decimal = Decimal(73500)) -> dict[dt.date, Decimal]:
    return dict.fromkeys(weekdays(dt.date(2027, 2, 1), dt.date(2027, 2, 28)), value)


def fixings(series: dict[dt.date, Decimal], **more: Any) -> Fixings:
    return Fixings(published={LITHIUM: series}, **more)


def test_the_mean_of_the_month_before_is_the_price() -> None:
    series = february()
    series[dt.date(2027, 2, 1)] = Decimal(75500)
    series[dt.date(2027, 3, 1)] = Decimal(1)
    working = price_of(formula(), fixings(series), MARCH)
    assert working.value == Decimal("73600.00")
    assert working.told("en").splitlines() == [
        "mean of 20 fixings of lithium-carbonate-battery from 2027-02-01 to 2027-02-28 = 73,600",
        "formula 73,600 × 1 = 73,600",
        "rounded half-even to 0.01 = 73,600",
    ]
    assert "共 20 个报价的均值" in working.told("zh_Hans_CN")


def test_base_weight_premium_coefficient_and_the_tax_inside_a_quotation() -> None:
    shares = (
        IndexShare(index=LITHIUM, weight=Decimal("0.5"), coefficient=Decimal("0.25"), quoted_tax=Decimal("0.13")),
        IndexShare(index="phosphate", weight=Decimal("0.2"), coefficient=Decimal(1), quoted_tax=Decimal(0)),
    )
    known = Fixings(published={LITHIUM: february(Decimal(90400)), "phosphate": february(Decimal(10000))})
    working = price_of(formula(base=Decimal(30000), indices=shares, premium=Decimal("-120.5")), known, MARCH)
    # 30000 x 0.3 + 80000 x 0.25 x 0.5 + 10000 x 0.2 - 120.5
    assert working.value == Decimal("20879.50")
    assert "less the 13 % tax inside = 80,000" in working.told("en")


@pytest.mark.parametrize(
    ("floor", "ceiling", "price", "told"),
    [
        (70000, 80000, "73500.00", "floor 70,000 not reached"),
        (75000, None, "75000.00", "below the floor, held at 75,000"),
        (None, 70000, "70000.00", "above the ceiling, held at 70,000"),
        (73500, 73500, "73500.00", "ceiling 73,500 not reached"),
    ],
)
def test_floor_and_ceiling(floor: int | None, ceiling: int | None, price: str, told: str) -> None:
    collar = formula(
        floor=None if floor is None else Decimal(floor), ceiling=None if ceiling is None else Decimal(ceiling)
    )
    working = price_of(collar, fixings(february()), MARCH)
    assert working.value == Decimal(price)
    assert told in working.told("en")


@pytest.mark.parametrize(
    ("quotation", "first", "last"),
    [
        (QuotationPeriod.MONTH_OF_DELIVERY, "2027-01-01", "2027-01-31"),
        (QuotationPeriod.MONTH_BEFORE, "2026-12-01", "2026-12-31"),
        (QuotationPeriod.TWO_MONTHS_BEFORE, "2026-11-01", "2026-11-30"),
        (QuotationPeriod.QUARTER_BEFORE, "2026-10-01", "2026-12-31"),
    ],
)
def test_quotation_periods_cross_the_year(quotation: QuotationPeriod, first: str, last: str) -> None:
    days = quotation_days(quotation, Period.parse("2027-01"))
    assert days == (dt.date.fromisoformat(first), dt.date.fromisoformat(last))
    if quotation is QuotationPeriod.QUARTER_BEFORE:
        assert quotation_days(quotation, MARCH) == days


def test_a_missing_day_takes_the_last_fixing_then_the_substitute_then_staff() -> None:
    series = february()
    gone = weekdays(dt.date(2027, 2, 9), dt.date(2027, 2, 15))
    for day in gone:
        del series[day]
    # Tuesday to Thursday are carried from Monday the 8th, Friday and the next Monday are too old for that.
    with pytest.raises(IndexMissing) as refusal:
        price_of(formula(), fixings(series), MARCH)
    assert refusal.value.index == LITHIUM
    assert refusal.value.days == (dt.date(2027, 2, 12), dt.date(2027, 2, 15))

    futures = {dt.date(2027, 2, 12): Decimal(75000)}
    half = Fixings(published={LITHIUM: series, "lithium-carbonate-futures": futures})
    with pytest.raises(IndexMissing) as refusal:
        price_of(formula(), half, MARCH)
    assert refusal.value.days == (dt.date(2027, 2, 15),)

    whole = dataclasses.replace(half, determined={LITHIUM: {dt.date(2027, 2, 15): Decimal(73000)}})
    working = price_of(formula(), whole, MARCH)
    assert working.value == Decimal("73475.00")  # (73500 x 18 + 75000 x 0.98 + 73000) / 20
    told = working.told("en")
    assert "no fixing on 2027-02-11: that of 2027-02-08 stands in, 73,500" in told
    assert "no fixing on 2027-02-12: lithium-carbonate-futures stands in, 75,000 × 0.98" in told
    assert "no fixing on 2027-02-15: staff determined 73,000" in told


def test_a_holiday_is_no_missing_day_and_a_weekend_fixing_counts() -> None:
    series = february()
    holiday = dt.date(2027, 2, 8)
    del series[holiday]
    series[dt.date(2027, 2, 20)] = Decimal(73500)
    working = price_of(formula(), fixings(series, holidays=frozenset({holiday})), MARCH)
    assert working.steps[0].en.startswith("mean of 20 fixings")


def test_an_index_without_any_fixing_is_missing_even_over_holidays_only() -> None:
    days = frozenset(february())
    with pytest.raises(IndexMissing):
        price_of(formula(), Fixings(holidays=days), MARCH)


def test_escalation_from_the_first_price_and_from_the_price_before_are_different_money() -> None:
    first = EscalatedPrice(
        amount=Decimal(70000), rate=Decimal("0.05"), every_months=12, basis=EscalationBasis.FIRST_PRICE
    )
    before = dataclasses.replace(first, basis=EscalationBasis.PRICE_BEFORE)
    start = Period.parse("2027-01")
    by_first = [price_for(first, start + 12 * year, first_month=start).value for year in range(4)]
    by_before = [price_for(before, start + 12 * year, first_month=start).value for year in range(4)]
    assert by_first == [Decimal(70000), Decimal(73500), Decimal(77000), Decimal(80500)]
    assert by_before == [Decimal(70000), Decimal(73500), Decimal(77175), Decimal("81033.75")]
    assert price_for(first, start + 11, first_month=start).value == Decimal(70000)
    with pytest.raises(InvalidValue, match="before the contract's first month"):
        price_for(first, start + -1, first_month=start)


def test_a_fixed_price_asks_for_no_index_and_a_quarter_is_no_month() -> None:
    assert price_for(FixedPrice(amount=Decimal("78.5")), MARCH, first_month=MARCH).value == Decimal("78.50")
    with pytest.raises(InvalidValue, match="2027-Q1 is not a month"):
        price_for(FixedPrice(amount=Decimal(78)), Period.parse("2027-Q1"), first_month=MARCH)


def test_rounding_is_half_even_and_once() -> None:
    assert [cents(Decimal(text)) for text in ("0.125", "0.135", "-0.125", "2.5")] == [
        Decimal("0.12"),
        Decimal("0.14"),
        Decimal("-0.12"),
        Decimal("2.50"),
    ]
    # Rounding the mean first (73333.33) and then the weighted sum would end in .66 here.
    days = weekdays(dt.date(2027, 2, 1), dt.date(2027, 2, 3))
    series = dict(zip(days, map(Decimal, (70000, 75000, 75000)), strict=True))
    holidays = frozenset(february()) - set(days)
    shares = (IndexShare(index=LITHIUM, weight=Decimal(1), coefficient=Decimal(2), quoted_tax=Decimal(0)),)
    working = price_of(formula(indices=shares), fixings(series, holidays=holidays), MARCH)
    assert working.value == Decimal("146666.67")


@given(
    values=st.lists(st.decimals(min_value=1, max_value=10**6, places=2), min_size=20, max_size=20),
    seed=st.randoms(use_true_random=False),
    precision=st.integers(3, 40),
)
def test_order_of_arrival_and_the_decimal_context_do_not_change_a_price(
    values: list[Decimal], seed: Any, precision: int
) -> None:
    pairs = list(zip(sorted(february()), values, strict=True))
    price = price_of(formula(), fixings(dict(pairs)), MARCH)
    seed.shuffle(pairs)
    with localcontext() as context:
        context.prec = precision
        assert price_of(formula(), fixings(dict(pairs)), MARCH) == price
    assert min(values) <= price.value <= max(values)


@given(level=st.decimals(min_value=1, max_value=200000, places=2))
def test_the_collar_holds_and_the_price_follows_the_index(level: Decimal) -> None:
    collar = formula(floor=Decimal(60000), ceiling=Decimal(120000))
    price = price_of(collar, fixings(february(level)), MARCH).value
    assert price == min(max(level, Decimal(60000)), Decimal(120000))


def test_numbers_are_shown_for_people() -> None:
    assert [shown(Decimal(text)) for text in ("1234567.5", "-0.25", "0", "-1000")] == [
        "1,234,567.5",
        "-0.25",
        "0",
        "-1,000",
    ]
    first, last = dt.date(2027, 2, 1), dt.date(2027, 2, 28)
    mean = index_mean(LITHIUM, FAILURE, fixings(february()), first=first, last=last)
    assert mean.value == 73500
