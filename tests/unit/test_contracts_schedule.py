"""Schedule, cumulative tolerance, quantities and the nomination calendar."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clauses import NominationCalendar, ScheduleLine, Tolerance
from contracts.nomination import NominationRefused, Zone, check_nomination, firm_from, zone
from contracts.schedule import (
    CallOffRefused,
    Quantities,
    Standing,
    check_call_off,
    cumulative_limits,
    room,
    standings,
    whole,
)
from market.errors import InvalidValue
from market.periods import Period

FIRST = Period.parse("2027-Q1")
TEN = Tolerance(over=Decimal("0.1"), under=Decimal("0.1"))


def lines(*lots: int, swing: int = 0) -> tuple[ScheduleLine, ...]:
    return tuple(
        ScheduleLine(period=FIRST + at, lots=count, minimum=max(count - swing, 0), maximum=count + swing)
        for at, count in enumerate(lots)
    )


def test_a_first_call_of_sixty_leaves_fifty_not_forty_four() -> None:
    """100 with 10 %: 110 in one call-off or in two. Ten per cent of the remaining 40 would have ended at 104."""
    schedule = lines(100, swing=50)
    assert room(schedule, TEN, {}, FIRST).most == 110
    assert room(schedule, TEN, {FIRST: 60}, FIRST).most == 50


def test_one_yearly_quantity_is_the_sum_of_its_lines_and_each_line_is_a_limit_too() -> None:
    schedule = lines(100, 100, 100, 100, swing=20)
    assert cumulative_limits(schedule, TEN) == ((90, 110), (180, 220), (270, 330), (360, 440))
    first = room(schedule, TEN, {}, FIRST)
    assert (first.most, first.limit.en) == (110, "at most 110 lots in all by the end of 2027-Q1")
    second = room(schedule, TEN, {FIRST: 95}, FIRST + 1)
    assert (second.least, second.most, second.limit.en) == (85, 120, "at most 120 lots in 2027-Q2")


def test_lots_called_for_later_periods_leave_less_now() -> None:
    schedule = lines(100, 100, swing=20)
    assert room(schedule, TEN, {FIRST + 1: 120}, FIRST).most == 100


def test_what_is_called_is_checked_against_the_agreement() -> None:
    schedule = lines(100, swing=50)
    check_call_off(schedule, TEN, {FIRST: 60}, period=FIRST, lots=50)
    with pytest.raises(CallOffRefused) as refusal:
        check_call_off(schedule, TEN, {FIRST: 60}, period=FIRST, lots=51)
    assert refusal.value.room.most == 50
    assert str(refusal.value).startswith("51 lots called for 2027-Q1; expected at most 50")
    with pytest.raises(InvalidValue, match="expected at least 1"):
        check_call_off(schedule, TEN, {}, period=FIRST, lots=0)
    with pytest.raises(InvalidValue, match="2027-Q2 is not in the contract's schedule"):
        check_call_off(schedule, TEN, {}, period=FIRST + 1, lots=1)
    with pytest.raises(InvalidValue, match="expected 0 or more"):
        room(schedule, TEN, {FIRST: -1}, FIRST)


def test_tolerance_belongs_to_the_contract() -> None:
    schedule = lines(100, swing=50)
    none = Tolerance(over=Decimal(0), under=Decimal(0))
    assert room(schedule, none, {}, FIRST).most == 100
    assert room(schedule, TEN, {}, FIRST).most == 110


@given(
    lots=st.lists(st.integers(0, 200), min_size=1, max_size=6),
    swing=st.integers(0, 60),
    over=st.decimals(min_value=0, max_value=1, places=3),
    data=st.data(),
)
def test_the_reachable_total_does_not_depend_on_order_or_splitting(
    lots: list[int], swing: int, over: Decimal, data: st.DataObject
) -> None:
    """Whatever sequence of call-offs is made, going on as far as allowed always ends at the same total."""
    schedule = lines(*lots, swing=swing)
    tolerance = Tolerance(over=over, under=Decimal(0))
    totals = set()
    for _ in range(3):
        called: dict[Period, int] = {}
        for _ in range(data.draw(st.integers(0, 6))):
            period = data.draw(st.sampled_from(schedule)).period
            most = room(schedule, tolerance, called, period).most
            called[period] = called.get(period, 0) + data.draw(st.integers(0, most))
        for line in data.draw(st.permutations(schedule)):
            most = room(schedule, tolerance, called, line.period).most
            called[line.period] = called.get(line.period, 0) + most
        assert all(called[line.period] <= line.maximum for line in schedule)
        so_far = 0
        for line, (_, cap) in zip(schedule, cumulative_limits(schedule, tolerance), strict=True):
            so_far += called[line.period]
            assert so_far <= cap
        totals.add(sum(called.values()))
    assert len(totals) == 1


def test_standing_by_period_and_in_all() -> None:
    schedule = lines(100, 100, swing=20)
    calls = [
        Quantities(period=FIRST, nominated=60, confirmed=60, delivered=55, invoiced=40),
        Quantities(period=FIRST, nominated=45, confirmed=30),
    ]
    told = standings(schedule, calls)
    assert told[FIRST] == Standing(original=100, nominated=105, confirmed=90, delivered=55, invoiced=40)
    assert told[FIRST].remaining == 45
    assert told[FIRST + 1] == Standing(original=100, nominated=0, confirmed=0, delivered=0, invoiced=0)
    assert whole(told) == Standing(original=200, nominated=105, confirmed=90, delivered=55, invoiced=40)
    assert standings(schedule, reversed(calls)) == told


@pytest.mark.parametrize("step", ["confirmed", "delivered", "invoiced"])
def test_no_step_has_more_than_the_one_before(step: str) -> None:
    lots = {"nominated": 10, "confirmed": 10, "delivered": 10, "invoiced": 10}
    standings(lines(10), [Quantities(period=FIRST, **lots)])
    with pytest.raises(InvalidValue, match="no more at any step"):
        standings(lines(10), [Quantities(period=FIRST, **{**lots, step: 11})])


CALENDAR = NominationCalendar(
    forecast_months=12, nominate_days=45, revision_share=Decimal("0.1"), firm_days=30, confirm_days=5
)


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ("2025-12-31", Zone.CLOSED),
        ("2026-01-01", Zone.OPEN),
        ("2026-11-17", Zone.OPEN),
        ("2026-11-18", Zone.BINDING),
        ("2026-12-02", Zone.BINDING),
        ("2026-12-03", Zone.FIRM),
        ("2027-02-01", Zone.FIRM),
    ],
)
def test_zones_before_a_period(today: str, expected: Zone) -> None:
    assert zone(CALENDAR, FIRST, dt.date.fromisoformat(today)) is expected


def test_firm_begins_where_binding_ends() -> None:
    firm = firm_from(CALENDAR, FIRST)
    assert zone(CALENDAR, FIRST, firm) is Zone.FIRM
    assert zone(CALENDAR, FIRST, firm - dt.timedelta(days=1)) is Zone.BINDING


@pytest.mark.parametrize(
    ("today", "lots", "nominated", "told"),
    [
        ("2025-06-01", 100, None, "at most 12 months ahead"),
        ("2026-11-20", 100, None, "expected by 2026-11-17"),
        ("2026-11-20", 111, 100, "expected 90 to 110"),
        ("2026-11-20", 89, 100, "expected 90 to 110"),
        ("2026-11-20", 6, 5, "expected 5 to 5"),
        ("2026-12-03", 100, 100, "firm since 2026-12-03"),
    ],
)
def test_nominations_that_do_not_fit_the_day(today: str, lots: int, nominated: int | None, told: str) -> None:
    with pytest.raises(NominationRefused, match=told):
        check_nomination(CALENDAR, FIRST, dt.date.fromisoformat(today), lots=lots, nominated=nominated)


def test_nominations_that_do() -> None:
    check_nomination(CALENDAR, FIRST, dt.date(2026, 11, 17), lots=100)
    check_nomination(CALENDAR, FIRST, dt.date(2026, 11, 17), lots=5, nominated=100)
    check_nomination(CALENDAR, FIRST, dt.date(2026, 12, 2), lots=110, nominated=100)
