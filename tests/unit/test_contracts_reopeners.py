"""Reopeners: three months running beyond the share, and not one less. Days lost by events of force majeure."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clauses import ForceMajeure, Reopener
from contracts.defaults import REOPENERS
from contracts.force_majeure import counts_from, extension_days
from contracts.reopeners import measure_of, triggered
from contracts.wording import Text
from market.errors import InvalidValue
from market.periods import Period

MAY = Period.parse("2027-05")
MONTHS = [MAY + -2, MAY + -1, MAY]
RULE = ForceMajeure(notice_days=5, longest_extension_days=30, exit_days=90)
FIRST = dt.date(2027, 1, 1)


def drift(*means: str) -> tuple[str, ...] | None:
    measure = measure_of(REOPENERS[0])
    assert measure is not None
    prices = dict.fromkeys(MONTHS, Decimal(100))
    found = triggered(measure, prices, dict(zip(MONTHS, map(Decimal, means), strict=False)), last=MAY)
    return None if found is None else tuple(step.en for step in found.steps)


def test_a_text_of_the_platform_is_measured_and_another_is_not() -> None:
    assert measure_of(Reopener(trigger=Text("另议", "When either side asks"), notice_days=10)) is None


def test_three_months_beyond_the_share_trigger() -> None:
    assert drift("131", "60", "130.01") == (
        "2027-03: index mean 131, contract price 100, off by +31 %",
        "2027-04: index mean 60, contract price 100, off by -40 %",
        "2027-05: index mean 130.01, contract price 100, off by +30.01 %",
        "off by more than 30 % for 3 months running",
    )


@pytest.mark.parametrize("means", [("131", "131", "130"), ("131", "100", "131"), ("70", "69", "69"), ("131", "131")])
def test_a_month_at_the_share_or_without_an_index_does_not(means: tuple[str, ...]) -> None:
    assert drift(*means) is None


def test_a_late_notice_counts_from_the_first_day_it_would_have_been_in_time_for() -> None:
    assert counts_from(RULE, FIRST, FIRST + dt.timedelta(days=5)) == FIRST
    assert counts_from(RULE, FIRST, FIRST + dt.timedelta(days=6)) == FIRST + dt.timedelta(days=1)


events = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 20)).map(
        lambda span: (FIRST + dt.timedelta(days=span[0]), FIRST + dt.timedelta(days=span[0] + span[1]))
    ),
    max_size=4,
)


@given(events)
def test_days_lost_are_the_union_of_the_events_held_by_the_longest_extension(
    found: list[tuple[dt.date, dt.date]],
) -> None:
    days = {FIRST + dt.timedelta(days=at) for at in range(100)}
    lost = sum(any(began <= day <= ended for began, ended in found) for day in days)
    assert extension_days(RULE, found) == min(lost, 30)


def test_an_event_does_not_end_before_it_began() -> None:
    with pytest.raises(InvalidValue, match="not before its beginning"):
        extension_days(RULE, [(FIRST, FIRST - dt.timedelta(days=1))])
