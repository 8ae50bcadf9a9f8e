"""The API's own fields: exact decimals as strings, instants in UTC, text that can be stored."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.fields import DecimalText, Text, Timestamp, decimal_text

price = DecimalText(places=2, digits=6, minimum=0)
decimals = st.decimals(-999_999, 999_999, places=6, allow_nan=False)


@given(decimals)
def test_a_decimal_survives_its_text(value: Decimal) -> None:
    text = decimal_text(value)
    assert Decimal(text) == value
    assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", text)


@given(st.decimals(0, 999_999, places=2))
def test_what_is_written_is_read_back_as_the_same_number(value: Decimal) -> None:
    assert price.deserialize(decimal_text(value)) == value


@given(st.one_of(st.text(max_size=12), st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.text())))
def test_whatever_is_sent_is_a_decimal_in_bounds_or_refused(value: Any) -> None:
    try:
        number = price.deserialize(value)
    except ma.ValidationError:
        return
    assert isinstance(value, str)
    assert re.fullmatch(price.pattern, value), "what is taken fits the documented pattern"
    assert Decimal(0) <= number < Decimal(1_000_000)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (10.5, "a decimal is written as a string"),
        ("1e3", "is not a decimal with at most 6 digits before and 2 after the point"),
        ("10.555", "is not a decimal"),
        ("1\n", "is not a decimal"),
        ("٣", "is not a decimal"),
        ("NaN", "is not a decimal"),
        ("-1", "is not a decimal"),
        ("01", "is not a decimal"),
    ],
)
def test_the_complaint_says_what_is_expected(value: Any, complaint: str) -> None:
    with pytest.raises(ma.ValidationError, match=complaint):
        price.deserialize(value)


def test_bounds_are_inclusive() -> None:
    share = DecimalText(places=3, digits=1, minimum=0, maximum=1)
    assert share.deserialize("1") == 1
    assert share.deserialize("0") == 0
    with pytest.raises(ma.ValidationError, match=r"1\.001 is too large; expected 1 or less"):
        share.deserialize("1.001")


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_an_instant_is_written_in_utc_and_read_back(instant: dt.datetime) -> None:
    field = Timestamp()
    text = field._serialize(instant, None, None)
    assert text is not None
    assert text.endswith("Z")
    assert field.deserialize(text) == instant.astimezone(dt.UTC)


@pytest.mark.parametrize("text", ["2027-01-01T00:00:00", "2027-01-01", "0001-01-01T00:00:00+14:00", "tomorrow", 5])
def test_an_instant_needs_its_zone(text: Any) -> None:
    with pytest.raises(ma.ValidationError):
        Timestamp().deserialize(text)


@pytest.mark.parametrize("text", ["", "  ", "a\x00b", "\x1b[0m", "half \ud800", "x" * 11])
def test_text_that_cannot_be_stored_or_shown_is_refused(text: str) -> None:
    with pytest.raises(ma.ValidationError):
        Text(most=10).deserialize(text)


@pytest.mark.parametrize("text", ["电池级碳酸锂", "a\tb\nc", "😀"])
def test_other_text_is_taken_as_it_is(text: str) -> None:
    assert Text(most=10).deserialize(text) == text
