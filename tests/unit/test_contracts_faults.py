"""Whatever is wrong in a contract's terms is told in Chinese and in English, and its place has a name in both."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from contracts.checks import faults_in
from contracts.places import SECTIONS, place_name
from contracts.terms import Terms, canonical_json, terms_from_json
from contracts.wording import Text, fault
from market.errors import BadInput, Fault

from .test_contracts_terms import FORMULA, leaves, terms

HAN = re.compile(r"[一-鿿]")
WRONG: tuple[Any, ...] = (
    None,
    True,
    -7,
    10**17,
    "",
    "  ",
    "-7",
    "1.234e5",
    "x",
    "2027-13",
    "\ud800",
    [],
    {},
    {"kind": "x"},
)


def faults() -> Iterator[Fault]:
    """The faults of sound terms in which one value at a time is replaced by each of the wrong ones."""
    text = canonical_json(terms())
    for path in leaves(json.loads(text)):
        for value in WRONG:
            plain = json.loads(text)
            place = plain
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
            try:
                terms_from_json(json.dumps(plain))
            except BadInput as refusal:
                yield from refusal.faults


def told_in_chinese(said: str, english: str) -> bool:
    """Whether the Chinese is Chinese, or a value that is the same in both."""
    return bool(HAN.search(said)) or said == english


def test_every_fault_of_the_terms_speaks_both_languages() -> None:
    found = list(faults())
    assert len({re.sub(r"\d+", "0", one.expected) for one in found}) > 25
    for one in found:
        assert one.expected_zh, one
        assert one.found_zh, one
        assert told_in_chinese(one.expected_zh, one.expected), one
        assert HAN.search(one.expected_zh) or not re.search(r"[a-z]{3}", one.expected), one
        assert not HAN.search(re.sub(r"'.*?'|\".*?\"", "", one.expected)), one


@pytest.mark.parametrize(
    ("changes", "english", "chinese"),
    [
        ({"schedule": ()}, "no line; expected at least one period", "没有一行；至少一个期间"),
        ({"clauses": ()}, "no clause 'law'; expected all of law", "没有条款 'law'；全部：law"),
        (
            {"price": dataclasses.replace(FORMULA, ceiling=Decimal(5))},
            "5; expected at least the floor 60000",
            "5；不低于下限 60000",
        ),
    ],
)
def test_a_fault_reads_the_same_in_both(changes: dict[str, Any], english: str, chinese: str) -> None:
    one = faults_in(terms(**changes))[0]
    assert str(one).partition(": ")[2].startswith(english)
    assert f"{one.found_zh}；{one.expected_zh}".startswith(chinese)


def test_a_value_needs_no_words() -> None:
    one = fault("/lot/size", "0", Text("大于 0", "more than 0"))
    assert (one.found, one.found_zh, one.expected_zh) == ("0", "0", "大于 0")


@pytest.mark.parametrize(
    ("pointer", "english", "chinese"),
    [
        ("/schedule/2/lots", "Schedule 3: lots", "交货计划 3：批数"),
        ("/clauses/0", "Clause 1", "条款 1"),
        ("/payment/due_days", "Days until an invoice is due", "付款期限"),
        ("/quality/0/new_thing", "Quality 1: new_thing", "质量条款 1：new_thing"),
        ("/", "the terms as a whole", "整份条款"),
    ],
)
def test_a_place_has_a_name(pointer: str, english: str, chinese: str) -> None:
    name = place_name(pointer)
    assert (name.en, name.zh) == (english, chinese)


def test_every_section_of_the_terms_has_a_name() -> None:
    assert {field.name for field in dataclasses.fields(Terms)} <= set(SECTIONS)
