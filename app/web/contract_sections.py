"""The sections of a contract's page, one for each subject, in the order of this list.

How to add one: write `templates/_contract_<name>.html` and a function

    def section(contract: Contract, who: Principal) -> dict[str, Any] | None

in your own module of `app.web` (say `app.web.deliveries`), which returns the names that the partial reads beside
`contract`, or None where there is nothing to show to this reader; then add ONE line to `SECTIONS` below, with what
the page's contents call it. A partial is
included with its names in `section`: it reads `section.rows`, and cannot collide with another's. Its outermost element
is `<section class="sheet" id="<name>">` with an `<h2>` of its own. "side" puts it into the narrow column.
The function reads by `app.db.session()`; the day it is at the exchange is `app.clock.today()`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from flask_babel import LazyString, lazy_gettext

from app.auth import Principal
from app.models import Contract
from app.web import amendments, call_offs, claims, impediments, settlement, signing

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its name is that of its partial, `title` its place in the page's contents, `facts` what it shows."""

    name: str
    title: LazyString
    facts: Callable[[Contract, Principal], Facts | None]
    column: Literal["main", "side"] = "main"

    @property
    def template(self) -> str:
        return f"_contract_{self.name}.html"


@dataclass(frozen=True, slots=True)
class Shown:
    """A section with what it shows to one reader."""

    name: str
    title: LazyString
    template: str
    column: str
    facts: Facts


SECTIONS: tuple[Section, ...] = (
    Section("deliveries", lazy_gettext("Deliveries"), call_offs.section),
    Section("settlement", lazy_gettext("Settlement"), settlement.section),
    Section("claims", lazy_gettext("Claims"), claims.section),
    Section("impediments", lazy_gettext("Force majeure and end"), impediments.section),
    Section("signing", lazy_gettext("Signatures"), signing.section, "side"),
    Section("amendments", lazy_gettext("Amendments"), amendments.section),
    Section("versions", lazy_gettext("Versions of the terms"), amendments.versions_section, "side"),
)


def sections_for(contract: Contract, who: Principal) -> list[Shown]:
    """The sections that have something to show to a reader, in their order."""
    found = ((section, section.facts(contract, who)) for section in SECTIONS)
    return [
        Shown(section.name, section.title, section.template, section.column, facts)
        for section, facts in found
        if facts is not None
    ]
