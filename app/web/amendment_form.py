"""The form of an amendment: the places that are changed most have fields, every other place a line of text."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.web.formats import period
from app.web.texts import _
from market.periods import Period


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the terms: its JSON pointer, what it is called, what stands there."""

    pointer: str
    label: str
    value: str


def places_of(terms: Mapping[str, Any], *, from_day: dt.date) -> list[Place]:
    """The places with fields of their own, of periods that are not over, in the order of the contract."""
    found = []
    for pointer, label in _singles():
        value = _at(terms, pointer)
        if value is not None:
            found.append(Place(pointer, label, str(value)))
    for at, line in enumerate(terms["schedule"]):
        if Period.parse(line["period"]).last_day >= from_day:
            label = period(line["period"])
            found += [
                Place(f"/schedule/{at}/lots", _("%(period)s: lots", period=label), str(line["lots"])),
                Place(f"/schedule/{at}/minimum", _("%(period)s: fewest lots", period=label), str(line["minimum"])),
                Place(f"/schedule/{at}/maximum", _("%(period)s: most lots", period=label), str(line["maximum"])),
            ]
    return found


def read_form(form: Mapping[str, str], terms: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The new values by their place as far as they differ, and what is wrong with the lines of other places.

    A line is a JSON pointer, an equals sign and a JSON value: `/payment/due_days = 45`.
    """
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, text in form.items():
        if name.startswith("/"):
            stands = _at(terms, name)
            typed = text.strip()
            if stands is not None and typed != str(stands):
                values[name] = int(typed) if isinstance(stands, int) and _is_whole(typed) else typed
    for line in filter(str.strip, form.get("other", "").splitlines()):
        pointer, equals, value = (part.strip() for part in line.partition("="))
        try:
            if not equals or not pointer.startswith("/"):
                raise ValueError
            values[pointer] = json.loads(value)
        except ValueError:
            errors["other"] = _("Cannot be read: %(line)s. Expected a place and a JSON value.", line=line[:80])
    return values, errors


def _singles() -> list[tuple[str, str]]:
    return [
        ("/price/amount", _("Price per unit, without tax")),
        ("/delivery/place", _("Place of delivery")),
        ("/delivery/freight", _("Freight per unit")),
        ("/long_stop", _("Last day of delivery")),
        ("/tolerance/over", _("Tolerance over (a share, such as 0.05)")),
        ("/tolerance/under", _("Tolerance under (a share)")),
        ("/payment/due_days", _("Days until an invoice is due")),
    ]


def _at(terms: Mapping[str, Any], pointer: str) -> Any:
    """What stands at a place; None where nothing does."""
    place: Any = terms
    for part in pointer[1:].split("/"):
        if isinstance(place, dict):
            place = place.get(part)
        elif isinstance(place, list) and part.isascii() and part.isdigit() and int(part) < len(place):
            place = place[int(part)]
        else:
            return None
    return place if isinstance(place, str | int) else None


def _is_whole(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()
