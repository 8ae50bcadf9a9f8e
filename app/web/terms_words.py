"""Places of a contract's terms, and what is wrong there, in the words of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Flask

from app.web.formats import in_words
from app.web.texts import _
from contracts.document_price import QUOTATIONS
from contracts.places import MEMBERS, VALUES, place_name
from market.errors import Fault


def named_place(pointer: str) -> str:
    """A place of the terms by its name."""
    name = place_name(pointer)
    return in_words(name.zh, name.en)


def member_name(name: str) -> str:
    """A member of the terms by its name; as the JSON calls it where it has none."""
    found = MEMBERS.get(name)
    return in_words(found.zh, found.en) if found else name


def value_in_words(value: object) -> str:
    """A value of the terms' JSON without its brackets: members by name, what does not apply left out."""
    if isinstance(value, Mapping):
        told = ((member_name(name), one) for name, one in value.items() if one is not None)
        return ", ".join(f"{name} {value_in_words(one)}" for name, one in told)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(map(value_in_words, value))
    known = {**VALUES} | {str(code): text for code, text in QUOTATIONS.items()}
    named = known.get(str(value))
    return in_words(named.zh, named.en) if named else str(value)


def fault_text(fault: Fault) -> str:
    """What was found and what was expected."""
    found = in_words(fault.found_zh or fault.found, fault.found)
    expected = in_words(fault.expected_zh or fault.expected, fault.expected)
    return _("Found %(found)s; expected %(expected)s.", found=found, expected=expected)


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(named_place=named_place, value_in_words=value_in_words)
