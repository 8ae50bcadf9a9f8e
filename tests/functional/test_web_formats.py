"""Numbers, money, periods and times as each language writes them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask_babel import force_locale

from app.demo import replay
from app.models import Unit
from app.transaction import Application
from app.web import formats as f
from app.web.notes import note_in_words, source_in_words
from market.periods import Period
from reference.tables import load

HAN = re.compile(r"[一-鿿]")

CASES: list[tuple[Callable[..., str], tuple[Any, ...], str, str]] = [
    (f.number, (Decimal("1234567.891"), 2), "1,234,567.89", "1,234,567.89"),
    (f.number, (None,), "–", "–"),
    (f.quantity, (Decimal("1200.5"), Unit.TONNE), "1,200.5 吨", "1,200.5 t"),
    (f.quantity, ("36882000", "kWh"), "36,882,000 千瓦时", "36,882,000 kWh"),
    (f.about, (Decimal("175767815.028902"), Unit.KILOWATT_HOUR), "175,767,815 千瓦时", "175,767,815 kWh"),
    (f.money, (Decimal("864220930.55"),), "864,220,931 元", "CNY 864,220,931"),
    (f.money, (Decimal("12.5"), "USD"), "12.5 USD", "USD 12.5"),
    (f.money_short, (Decimal(1230000000),), "12.3亿元", "CNY 1.23B"),
    (f.price, (Decimal("70000.126"), Unit.TONNE), "70,000.13 元/吨", "70,000.13 CNY/t"),
    (f.price, (Decimal("0.6712"), Unit.SQUARE_METRE), "0.6712 元/平方米", "0.6712 CNY/m²"),
    (f.share, (Decimal("0.0714"),), "7.1%", "7.1%"),
    (f.signed_percent, (Decimal("-7.59"),), "−7.59 %", "−7.59 %"),
    (f.signed_percent, (Decimal(4),), "+4 %", "+4 %"),
    (f.signed_percent, (Decimal(0),), "±0 %", "±0 %"),
    (f.period, ("2027-Q1",), "2027年第1季度", "2027 Q1"),
    (f.period, ("2027-03",), "2027年3月", "Mar 2027"),
    (f.period, ("2027",), "2027年", "2027"),
    (f.window, ("2027-Q1", "2028-Q4"), "2027年第1季度至2028年第4季度", "2027 Q1 – 2028 Q4"),
    (f.window, ("2027-Q1", "2027-Q1"), "2027年第1季度", "2027 Q1"),
    (f.period_count, ("2027-Q1", "2028-Q4"), "8个季度", "8 quarters"),
    (f.period_count, ("2027-01", "2027-12"), "12个月", "12 months"),
    (f.period_count, ("2027", "2029"), "3年", "3 years"),
    (f.when, (dt.datetime(2026, 12, 31, 18, 30, tzinfo=dt.UTC),), "2027年1月1日 02:30", "1 Jan 2027, 02:30"),
    (f.day, (dt.date(2029, 3, 31),), "2029年3月31日", "31 Mar 2029"),
    (f.short_hash, ("204b3c62cbe7ffb8fd1cf939",), "204b3c62…1cf939", "204b3c62…1cf939"),
]


@pytest.mark.parametrize(("function", "given", "chinese", "english"), CASES)
def test_both_languages(
    app: Application, function: Callable[..., str], given: tuple[Any, ...], chinese: str, english: str
) -> None:
    with app.test_request_context():
        with force_locale("zh_Hans_CN"):
            assert function(*given) == chinese
        with force_locale("en"):
            assert function(*given) == english


def test_every_unit_has_a_name() -> None:
    assert set(f.UNITS) == set(Unit)


def test_a_filter_of_a_constant_follows_each_reader(app: Application) -> None:
    """Jinja works constants out when it compiles a template, once for all readers, unless a filter needs the page."""
    template = app.jinja_env.from_string('{{ "CNY"|currency_name }} {{ ("CNY"|currency_name) ~ "/" }}')
    for locale, said in (("zh_Hans_CN", "元 元/"), ("en", "CNY CNY/"), ("zh_Hans_CN", "元 元/")):
        with app.test_request_context(), force_locale(locale):
            assert template.render() == said


@pytest.mark.parametrize(
    ("note", "chinese", "english"),
    [
        (
            "1: provisional 2027-01 66303992.24",
            "第 1 号，2027年1月暂定账单：66,303,992 元",
            "No. 1, Provisional invoice for Jan 2027: CNY 66,303,992",
        ),
        ("30 of no. 2", "第 2 号中的 30 批", "30 lots of no. 2"),
        ("what a person wrote: 1", "“what a person wrote: 1”", "“what a person wrote: 1”"),
    ],
)
def test_notes_of_the_platform_are_told_in_words(app: Application, note: str, chinese: str, english: str) -> None:
    for locale, said in (("zh_Hans_CN", chinese), ("en", english)):
        with app.test_request_context(), force_locale(locale):
            assert note_in_words(note) == said


def test_sources_of_the_demos_fixings_are_told_in_words(app: Application) -> None:
    rows = replay.fixings(load(), first=Period.parse("2027-01"), last=Period.parse("2027-06"))
    sources = {row.source for row in rows}
    with app.test_request_context(), force_locale("en"):
        assert {source_in_words(source) for source in sources} == sources
    with app.test_request_context(), force_locale("zh_Hans_CN"):
        assert all(HAN.search(source_in_words(source)) for source in sources)


def test_sources_of_prices_are_told_in_words(app: Application) -> None:
    """No source of the reference data is left in English where the words are the platform's own."""
    sources = {row.source for row in load().prices} | {"GFEX-LC, 24 months later; demonstration", "SMM, spot; 2026"}
    with app.test_request_context(), force_locale("en"):
        assert source_in_words("SMM, spot; 2026") == "SMM, spot; 2026"
        assert source_in_words("GFEX-LC, 24 months later; demonstration") == "GFEX-LC, 24 months later; demonstration"
    with app.test_request_context(), force_locale("zh_Hans_CN"):
        told = {source: source_in_words(source) for source in sources}
    own = {source for source, words in told.items() if words != source}
    assert all(HAN.search(told[source]) for source in own)
    assert own == {source for source in sources if source.startswith(("GFEX", "estimate of the project"))}
