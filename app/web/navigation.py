"""What stands at the top of every page: where one may go, and who is signed in."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, g, request, url_for

from app.auth import Principal, current_principal
from app.db import session
from app.operations import pages
from app.permissions import Permission
from app.web.texts import _

Place = tuple[str, str, bool]  # endpoint, name, whether the reader may enter
THEMES = ("light", "dark")
OF_ITS_OWN = {"curves.history"}  # pages with an entry of their own inside another place
BY_PAGE = {"home", "public_pages", "notifications"}  # whose pages are no parts of one place


@dataclass(frozen=True, slots=True)
class Entry:
    """One place in the navigation."""

    text: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Places under one heading: a list to open on a wide screen, a part of the menu on a narrow one."""

    text: str
    entries: tuple[Entry, ...]

    @property
    def current(self) -> bool:
        return any(entry.current for entry in self.entries)


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(navigation=navigation, theme=theme, own_name=own_name)


def theme() -> str | None:
    """The look that was chosen; without a choice that of the system."""
    chosen = request.cookies.get("theme")
    return chosen if chosen in THEMES else None


def own_name() -> str:
    """Who is signed in."""
    who = current_principal()
    found = None if who is None else pages.person(session(), principal=who)
    return "" if found is None else found.name


def navigation() -> list[Entry | Group]:
    """The places that the reader may enter, in the order of use. Error pages have none: they must not fail again."""
    who = None if g.get("is_failing") else current_principal()
    if who is None:
        return [_entry(endpoint, text) for endpoint, text in _public()]
    places: list[Entry | Group] = [_entry(endpoint, text) for endpoint, text, allowed in _daily(who) if allowed]
    for heading, below in _grouped(who):
        entries = tuple(_entry(endpoint, text) for endpoint, text, allowed in below if allowed)
        if len(entries) > 1:
            places.append(Group(heading, entries))
        else:  # a list to open for one place only would be in the way
            places += entries
    return places


def _public() -> list[tuple[str, str]]:
    return [
        ("public_pages.about", _("What this is")),
        ("public_pages.calendar", _("Calendar of rounds")),
        ("public_pages.prices", _("Reference prices")),
    ]


def _daily(who: Principal) -> list[Place]:
    """What is used every day stands by itself."""
    return [
        ("home.show", _("Home"), True),
        ("offers.listing", _("Offers"), who.may(Permission.OFFER_READ)),
        ("proposals.listing", _("Proposals"), who.may(Permission.PROPOSAL_READ)),
        ("review.queue", _("Review"), who.may(Permission.REVIEW_READ)),
    ]


def _grouped(who: Principal) -> list[tuple[str, list[Place]]]:
    """Everything else under a few headings."""
    of_contracts = who.may(Permission.CONTRACT_READ)
    of_platform = who.firm_id is None
    return [
        (
            _("Market"),
            [
                ("rounds.listing", _("Rounds"), who.may(Permission.RUN_READ)),
                ("what_if.listing", _("What-if"), who.may(Permission.WHAT_IF_RUN)),
                ("curves.history", _("Prices over time"), of_platform and who.may(Permission.RUN_READ)),
                ("alerts.listing", _("Alerts"), who.may(Permission.REVIEW_READ)),
            ],
        ),
        (
            _("Contracts"),
            [
                ("contracts.listing", _("Contracts"), of_contracts),
                ("call_offs.listing", _("Deliveries"), of_contracts),
                ("settlement.listing", _("Invoices"), of_contracts),
                ("claims.listing", _("Claims"), of_contracts),
                ("force_majeure.events", _("Force majeure"), of_contracts),
            ],
        ),
        (
            _("Register"),
            [
                ("reference.subjects", _("Reference data"), who.may(Permission.REFERENCE_READ) and of_platform),
                ("firms.listing", _("Firms"), who.may(Permission.FIRM_MANAGE)),
                ("fixings.listing", _("Index fixings"), who.may(Permission.FIXING_LOAD)),
            ],
        ),
        (
            _("Platform") if of_platform else _("Firm"),
            [
                ("team.listing", _("People"), who.may(Permission.USER_MANAGE)),
                ("keys.listing", _("API keys"), who.may(Permission.API_KEY_MANAGE) and not of_platform),
                ("webhooks.listing", _("Webhooks"), who.may(Permission.WEBHOOK_MANAGE)),
                ("audit.accesses", _("Access log"), who.may(Permission.LOOK_READ)),
                ("jobs.listing", _("Jobs"), who.may(Permission.JOB_READ)),
                ("notifications.mails", _("E-mails"), who.may(Permission.MAIL_READ)),
            ],
        ),
    ]


def _entry(endpoint: str, text: str) -> Entry:
    blueprint = endpoint.partition(".")[0]
    here = (request.endpoint or "").partition(".")[0]
    of_one = {
        "signing": "contracts",
        "states": "contracts",
        "impediments": "contracts",
        "amendments": "contracts",
        "runs": "rounds",
        "rounds_admin": "rounds",
        "saved_views": "review",
        "curves": "rounds",
        "lane_map": "rounds",
        "supply_graph": "rounds",
        "offer_imports": "offers",
    }
    is_here = request.endpoint == endpoint
    if not is_here and request.endpoint not in OF_ITS_OWN and blueprint not in BY_PAGE:
        is_here = of_one.get(here, here) == blueprint
    return Entry(text, url_for(endpoint), is_here)
