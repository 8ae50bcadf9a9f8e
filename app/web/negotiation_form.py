"""The form of a counter-offer: what was typed, as changes of the terms, with what is wrong beside its field."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from app.models.negotiation import LONGEST_MESSAGE
from app.operations.counters import Offered
from app.operations.offer_cells import CellFault, number, text
from app.web.formats import exact, in_words
from app.web.formats import number as shown
from app.web.terms_words import fault_text
from app.web.texts import _
from contracts.counter import NUMBERS, Changes, CounterRefused, Measure, Number
from contracts.price_formula import FixedPrice
from market.errors import BadInput
from market.periods import Period

WAITS = (1, 2, 3, 5, 7)  # days that a counter may wait; the proposal's own end comes first
USUAL_WAIT = 3


@dataclass(slots=True)
class CounterForm:
    """What a form of a counter asks for. `errors` is keyed by the names of its fields, "" for what has none."""

    changes: Changes = field(default_factory=Changes)
    site_id: uuid.UUID | None = None
    message: str | None = None
    expires_at: dt.datetime | None = None
    errors: dict[str, str] = field(default_factory=dict)


def written(offered: Offered) -> dict[str, str]:
    """The fields as they stand before anybody types: the terms on offer, in units of the product and in percent."""
    terms = offered.terms
    fields = {name_of_period(line.period): shown(line.lots * terms.lot.size, 6) for line in terms.schedule}
    fields |= {one.pointer: _shown(one, offered.numbers[one.pointer]) for one in numbers_of(offered)}
    if isinstance(terms.price, FixedPrice):
        fields["price"] = shown(terms.price.amount, 6)
    return fields | {"site": "", "message": "", "wait": str(USUAL_WAIT)}


def numbers_of(offered: Offered) -> list[Number]:
    """The negotiable numbers that the terms on offer have."""
    return [one for one in NUMBERS if one.pointer in offered.numbers]


def name_of_period(period: Period) -> str:
    return f"quantity/{period}"


def read(typed: Mapping[str, str], offered: Offered, *, now: dt.datetime) -> CounterForm:
    """What was typed, as far as it differs from the terms on offer."""
    form = CounterForm()
    price: FixedPrice | None = None
    amount = _number(form, typed, "price")
    if amount is not None and amount <= 0:
        form.errors["price"] = _("A price is more than 0.")
    elif amount is not None:
        price = FixedPrice(amount=amount)
    form.changes = Changes(
        price=None if price == offered.terms.price else price,
        lots=_lots(form, typed, offered),
        numbers=_numbers(form, typed, offered),
    )
    try:
        form.site_id = uuid.UUID(typed["site"]) if typed.get("site") else None
    except ValueError:
        form.errors["site"] = _("Choose one of the list.")
    form.message = text(typed.get("message", "").replace("\r\n", "\n"))[:LONGEST_MESSAGE] or None
    wait = typed.get("wait", "")
    days = int(wait) if wait in map(str, WAITS) else USUAL_WAIT
    ends = now + dt.timedelta(days=days)
    form.expires_at = ends if offered.latest is None else min(ends, offered.latest)
    return form


def tell(form: CounterForm, refusal: BadInput) -> None:
    """Put what an operation found wrong beside the fields."""
    if not isinstance(refusal, CounterRefused):
        for fault in refusal.faults:
            form.errors.setdefault(_field_of(fault.place), fault_text(fault))
        return
    for finding in refusal.findings:
        expected = in_words(finding.expected.zh, finding.expected.en)
        form.errors.setdefault(_field_of(finding.place), _("Expected %(expected)s.", expected=expected))


def in_one_line(refusal: BadInput) -> str:
    """What an operation found wrong, for who has no form before him."""
    form = CounterForm()
    tell(form, refusal)
    return " ".join(form.errors.values())


def _field_of(place: str) -> str:
    if place.startswith("/schedule/"):
        return f"quantity/{place.removeprefix('/schedule/')}"
    if place.startswith("/price"):
        return "price"
    return {"/delivery/place": "site", "/": ""}.get(place, place)


def _lots(form: CounterForm, typed: Mapping[str, str], offered: Offered) -> dict[Period, int]:
    """Whole lots of the periods whose quantity was changed."""
    size = offered.terms.lot.size
    found = {}
    for line in offered.terms.schedule:
        name = name_of_period(line.period)
        amount = _number(form, typed, name)
        if amount is None or amount == line.lots * size:
            continue
        if amount % size:
            form.errors[name] = _("A multiple of %(lot)s.", lot=shown(size, 6))
        else:
            found[line.period] = int(amount / size)
    return found


def _numbers(form: CounterForm, typed: Mapping[str, str], offered: Offered) -> dict[str, Decimal]:
    found = {}
    for one in numbers_of(offered):
        amount = _number(form, typed, one.pointer)
        if amount is None:
            continue
        if one.measure is Measure.SHARE:
            if not 0 <= amount <= 100:
                form.errors[one.pointer] = _("A share from 0 to 100.")
                continue
            amount /= 100
        elif amount < 0 or amount % 1:
            form.errors[one.pointer] = _("A whole number, 0 or more.")
            continue
        if amount != exact(offered.numbers[one.pointer]):
            found[one.pointer] = amount
    return found


def _number(form: CounterForm, typed: Mapping[str, str], name: str) -> Decimal | None:
    """A number that was typed; None where nothing was."""
    if not typed.get(name, "").strip():
        return None
    try:
        return number(typed[name])
    except CellFault:
        form.errors[name] = _("A number such as 1,234.5.")
        return None


def _shown(one: Number, value: Decimal | int) -> str:
    return shown(exact(value) * 100 if one.measure is Measure.SHARE else value, 6)
