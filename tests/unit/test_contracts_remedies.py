"""Take-or-pay with make-up and carry-forward, supply-or-pay, late damages, force majeure."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clauses import ForceMajeure, LateDamages, Lot, ScheduleLine, SupplyOrPay, TakeOrPay
from contracts.force_majeure import days_lost, excused_lots, exit_day, extended, notice_in_time, pro_rata
from contracts.remedies import LateLots, late_damages, supply_or_pay
from contracts.take_or_pay import YearStatement, YearTaken, scheduled_in, statements
from contracts.working import cents, total
from market.errors import InvalidValue
from market.periods import Period

LOT = Lot(size=Decimal("0.1"), unit="t")
RULE = TakeOrPay(
    share=Decimal("0.9"),
    payment_share=Decimal(1),
    make_up_years=2,
    carry_forward_share=Decimal("0.1"),
    carry_forward_years=2,
)


def account(*taken: int, excused: int = 0, price: str = "70000", rule: TakeOrPay = RULE) -> list[YearStatement]:
    years = [
        YearTaken(year=2027 + at, scheduled=1000, excused=excused, taken=lots, price=Decimal(price))
        for at, lots in enumerate(taken)
    ]
    return list(statements(rule, LOT, years))


def test_a_shortfall_is_paid_and_comes_back_with_the_lots() -> None:
    short, next_year = account(850, 1000)
    assert (short.obligation, short.deficiency, short.payment) == (900, 50, Decimal("350000.00"))
    assert (next_year.made_up, next_year.credit, next_year.carried_on) == (50, Decimal("350000.00"), 0)
    assert next_year.paid == ()
    assert "deficiency payment 50 × 0.1 × 70,000 × 100 % = 350,000" in [step.en for step in short.steps]


def test_make_up_ends_with_its_last_year() -> None:
    years = account(850, 920, 910)
    assert [one.made_up for one in years] == [0, 20, 10]
    assert [one.forfeited for one in years] == [0, 0, 20]
    assert years[2].paid == ()
    assert [one.forfeited for one in account(850, 900, 900, 1000)] == [0, 0, 50, 0]


def test_the_oldest_paid_lots_come_back_first() -> None:
    years = account(880, 870, 940)
    assert [(one.year, one.open) for one in years[1].paid] == [(2027, 20), (2028, 30)]
    assert [(one.year, one.open) for one in years[2].paid] == [(2028, 10)]
    assert years[2].credit == Decimal("280000.00")


def test_lots_beyond_the_schedule_lower_a_later_obligation_within_the_yearly_share() -> None:
    years = account(1150, 780, 850)
    assert years[0].carried_on == 150
    assert (years[1].carry_forward_used, years[1].deficiency) == (100, 20)
    assert (years[2].carry_forward_used, years[2].deficiency) == (50, 0)
    assert account(1050, 900, 900, 850)[3].deficiency == 50


def test_between_obligation_and_schedule_nothing_is_owed_and_nothing_carried() -> None:
    only = account(950)[0]
    assert (only.deficiency, only.carried_on, only.payment) == (0, 0, Decimal(0))


def test_excused_lots_lower_the_obligation() -> None:
    assert account(850, excused=60)[0].obligation == 846
    assert account(0, excused=2000)[0].deficiency == 0


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [((2027, 5), (2029, 5), "2029 follows 2027; expected 2028"), ((2027, 5), (2028, -1), "negative")],
)
def test_years_in_a_row(first: tuple[int, int], second: tuple[int, int], told: str) -> None:
    years = [
        YearTaken(year=year, scheduled=10, excused=0, taken=taken, price=Decimal(1)) for year, taken in (first, second)
    ]
    with pytest.raises(InvalidValue, match=told):
        statements(RULE, LOT, years)


def test_the_schedule_of_a_calendar_year() -> None:
    lines = [
        ScheduleLine(period=Period.parse("2027-Q3") + at, lots=100 + at, minimum=0, maximum=200) for at in range(4)
    ]
    assert [scheduled_in(lines, year) for year in (2026, 2027, 2028)] == [0, 201, 205]


@given(
    taken=st.lists(st.integers(0, 1500), min_size=1, max_size=8),
    price=st.decimals(min_value="0.01", max_value=99999, places=2),
    years=st.integers(0, 4),
)
def test_every_paid_lot_is_made_up_forfeited_or_still_open(taken: list[int], price: Decimal, years: int) -> None:
    rule = TakeOrPay(
        share=Decimal("0.9"),
        payment_share=Decimal("0.8"),
        make_up_years=years,
        carry_forward_share=Decimal("0.1"),
        carry_forward_years=years,
    )
    told = account(*taken, price=str(price), rule=rule)
    assert sum(one.deficiency for one in told) == (
        sum(one.made_up + one.forfeited for one in told) + sum(one.open for one in told[-1].paid)
    )
    assert total(one.credit for one in told) <= total(one.payment for one in told)
    if not any(one.forfeited for one in told) and not told[-1].paid:
        assert total(one.credit for one in told) == total(one.payment for one in told)
    assert sum(one.carry_forward_used for one in told) <= sum(one.carried_on for one in told)
    for lots, one in zip(taken, told, strict=True):
        assert lots + one.carry_forward_used + one.deficiency >= one.obligation
        assert one.made_up + one.carried_on <= max(lots - one.obligation, 0)


def test_supply_or_pay() -> None:
    rule = SupplyOrPay(share=Decimal("0.95"), payment_share=Decimal("0.2"))
    owed = supply_or_pay(rule, LOT, firm=1000, excused=40, delivered=880, price=Decimal(70000))
    assert owed.value == Decimal("44800.00")  # 912 - 880 = 32 lots × 0.1 t x 70 000 x 20 %
    assert owed.steps[0].en == "to supply: (1,000 - 40 excused) × 95 % = 912 lots, supplied 880"
    assert supply_or_pay(rule, LOT, firm=1000, excused=40, delivered=912, price=Decimal(70000)).value == 0


LATE = LateDamages(grace_days=3, per_day=Decimal("0.0005"), cap=Decimal("0.05"))


@pytest.mark.parametrize(
    ("days", "owed"), [(0, "0.00"), (3, "0.00"), (4, "350.00"), (103, "35000.00"), (400, "35000.00")]
)
def test_late_damages_after_grace_up_to_the_cap(days: int, owed: str) -> None:
    assert late_damages(LATE, LOT, [LateLots(lots=100, days=days, price=Decimal(70000))]).value == Decimal(owed)


@given(
    parts=st.lists(st.integers(1, 50), min_size=1, max_size=6),
    days=st.integers(0, 300),
    price=st.decimals(min_value="0.01", max_value=99999, places=2),
)
def test_late_lots_told_in_parts_owe_the_same(parts: list[int], days: int, price: Decimal) -> None:
    split = late_damages(LATE, LOT, [LateLots(lots=lots, days=days, price=price) for lots in parts])
    whole = late_damages(LATE, LOT, [LateLots(lots=sum(parts), days=days, price=price)])
    assert split.value == whole.value
    assert whole.value <= cents(sum(parts) * Decimal("0.1") * price * Decimal("0.05"))


def test_what_is_left_is_shared_pro_rata() -> None:
    assert pro_rata(90, {"a": 100, "b": 50}) == {"a": 60, "b": 30}
    assert pro_rata(100, {"a": 100, "b": 50}) == {"a": 67, "b": 33}
    assert pro_rata(11, {"a": 10, "b": 10}) == {"a": 5, "b": 5}
    assert pro_rata(500, {"a": 10, "b": 10}) == {"a": 10, "b": 10}
    with pytest.raises(InvalidValue, match="negative"):
        pro_rata(-1, {"a": 1})


@given(available=st.integers(0, 500), promised=st.lists(st.integers(0, 100), max_size=7), data=st.data())
def test_the_shares_are_fair_whatever_the_order(available: int, promised: list[int], data: st.DataObject) -> None:
    committed = dict(enumerate(promised))
    shares = pro_rata(available, committed)
    order = data.draw(st.permutations(list(committed)))
    assert pro_rata(available, {one: committed[one] for one in order}) == shares
    assert sum(shares.values()) <= available
    assert all(0 <= shares[one] <= committed[one] for one in committed)
    for (one, lots), (other, fewer) in itertools.product(committed.items(), repeat=2):
        if lots == fewer:
            assert shares[one] == shares[other]
        elif lots > fewer:
            assert shares[one] >= shares[other]
    if (needed := sum(promised)) > available:
        assert all(abs(shares[one] * needed - available * lots) < needed for one, lots in committed.items())


FORCE = ForceMajeure(notice_days=5, longest_extension_days=60, exit_days=180)
QUARTER = Period.parse("2027-Q1")


@pytest.mark.parametrize(
    ("began", "ended", "days", "lots"),
    [
        ("2027-01-01", "2027-03-31", 90, 900),
        ("2026-12-01", "2027-01-30", 30, 300),
        ("2027-03-31", "2027-06-01", 1, 10),
        ("2027-04-01", "2027-06-01", 0, 0),
        ("2026-01-01", "2026-12-31", 0, 0),
    ],
)
def test_days_lost_excuse_lots_pro_rata(began: str, ended: str, days: int, lots: int) -> None:
    span = dt.date.fromisoformat(began), dt.date.fromisoformat(ended)
    assert days_lost(QUARTER, *span) == days
    assert excused_lots(900, QUARTER, *span) == lots
    assert excused_lots(900, QUARTER, *span, affected=Decimal("0.5")) == lots // 2


def test_the_term_grows_by_the_days_lost_up_to_the_longest_extension() -> None:
    stop = dt.date(2028, 12, 31)
    assert extended(FORCE, stop, dt.date(2027, 1, 1), dt.date(2027, 1, 10)) == dt.date(2029, 1, 10)
    assert extended(FORCE, stop, dt.date(2027, 1, 1), dt.date(2027, 12, 31)) == dt.date(2029, 3, 1)
    with pytest.raises(InvalidValue, match="expected its end"):
        extended(FORCE, stop, dt.date(2027, 1, 2), dt.date(2027, 1, 1))


def test_exit_and_notice() -> None:
    began = dt.date(2027, 1, 1)
    assert exit_day(FORCE, began) == dt.date(2027, 6, 30)
    assert notice_in_time(FORCE, began, dt.date(2027, 1, 6))
    assert not notice_in_time(FORCE, began, dt.date(2027, 1, 7))
