"""Periods, horizons and positions in them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.errors import InvalidValue
from market.periods import MONTHS_OF_KIND, Horizon, Period

days = st.dates(dt.date(1900, 1, 1), dt.date(2400, 12, 31))
kinds = st.sampled_from(sorted(MONTHS_OF_KIND))
periods = st.builds(Period.of, days, kinds)


@pytest.mark.parametrize(
    ("text", "first", "last", "kind"),
    [
        ("2027", dt.date(2027, 1, 1), dt.date(2027, 12, 31), "year"),
        ("2027-Q1", dt.date(2027, 1, 1), dt.date(2027, 3, 31), "quarter"),
        ("2027-Q4", dt.date(2027, 10, 1), dt.date(2027, 12, 31), "quarter"),
        ("2028-02", dt.date(2028, 2, 1), dt.date(2028, 2, 29), "month"),
    ],
)
def test_a_label_names_its_days(text: str, first: dt.date, last: dt.date, kind: str) -> None:
    period = Period.parse(text)
    assert (period.first_day, period.last_day, period.kind) == (first, last, kind)


@given(periods)
def test_a_label_read_back_is_the_same_period(period: Period) -> None:
    assert Period.parse(str(period)) == period


@given(days, kinds)
def test_a_day_lies_in_its_period(day: dt.date, kind: str) -> None:
    period = Period.of(day, kind)
    assert period.kind == kind
    assert period.first_day <= day <= period.last_day


@given(periods, st.integers(-40, 40))
def test_the_next_period_begins_the_day_after(period: Period, steps: int) -> None:
    later = period + steps
    assert (later + 1).first_day == later.last_day + dt.timedelta(days=1)
    assert later + -steps == period


@given(periods, st.integers(0, 11))
def test_labels_of_one_kind_sort_as_time_does(period: Period, steps: int) -> None:
    assert (str(period) < str(period + steps)) == (period < period + steps)


@pytest.mark.parametrize("text", ["", "27", "2027-Q0", "2027-Q5", "2027-00", "2027-13", "2027-1", "2027-Q1-01", "Q1"])
def test_other_text_is_refused_and_the_form_shown(text: str) -> None:
    with pytest.raises(InvalidValue, match="expected a form such as 2027, 2027-Q1 or 2027-01"):
        Period.parse(text)


@given(periods, st.integers(1, 40))
def test_a_horizon_read_from_its_labels_is_the_same(first: Period, count: int) -> None:
    horizon = Horizon(first, count)
    assert Horizon.parse(horizon.labels()) == horizon
    assert [horizon.position(period) for period in horizon] == list(range(len(horizon)))


@pytest.mark.parametrize(
    "labels", [["2027-Q1", "2027-Q3"], ["2027-Q1", "2027-Q1"], ["2027-Q2", "2027-Q1"], ["2027-Q4", "2028-01"]]
)
def test_a_horizon_has_no_gap_and_one_kind(labels: list[str]) -> None:
    with pytest.raises(InvalidValue, match="does not follow"):
        Horizon.parse(labels)


def test_a_horizon_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidValue, match="at least one"):
        Horizon.parse([])


@pytest.mark.parametrize("outside", ["2026-Q4", "2028-Q1", "2027", "2027-02"])
def test_a_period_outside_the_horizon_has_no_position(outside: str) -> None:
    horizon = Horizon.parse(["2027-Q1", "2027-Q2", "2027-Q3", "2027-Q4"])
    with pytest.raises(InvalidValue, match="outside the horizon 2027-Q1 to 2027-Q4"):
        horizon.position(outside)
