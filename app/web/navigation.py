"""What stands at the top of every page: where one may go, and who is signed in."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, g, request, url_for

from app.auth import Principal, current_principal
from app.db import session
from app.operations import pages
from app.permissions import Permission
from app.web.texts import _

THEMES = ("light", "dark")
BY_PAGE = {"home", "public_pages", "notifications"}  # whose pages are no parts of one place


@dataclass(frozen=True, slots=True)
class Entry:
    """One place in the navigation."""

    text: str
    href: str
    current: bool


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


def navigation() -> list[Entry]:
    """The places that the reader may enter, in the order of use. Error pages have none: they must not fail again."""
    who = None if g.get("is_failing") else current_principal()
    return [_entry(endpoint, text) for endpoint, text in (_public() if who is None else _signed_in(who))]


def _public() -> list[tuple[str, str]]:
    return [
        ("public_pages.about", _("What this is")),
        ("public_pages.calendar", _("Calendar of rounds")),
        ("public_pages.prices", _("Reference prices")),
    ]


def _signed_in(who: Principal) -> list[tuple[str, str]]:
    places = [
        ("home.show", _("Home"), True),
        ("offers.listing", _("Offers"), who.may(Permission.OFFER_READ)),
        ("proposals.listing", _("Proposals"), who.may(Permission.PROPOSAL_READ)),
        ("rounds.listing", _("Rounds"), who.may(Permission.RUN_READ)),
        ("review.queue", _("Review"), who.may(Permission.REVIEW_READ)),
        ("what_if.listing", _("What-if"), who.may(Permission.WHAT_IF_RUN)),
        ("contracts.listing", _("Contracts"), who.may(Permission.CONTRACT_READ)),
        ("call_offs.listing", _("Deliveries"), who.may(Permission.CONTRACT_READ)),
        ("settlement.listing", _("Invoices"), who.may(Permission.CONTRACT_READ)),
        ("claims.listing", _("Claims"), who.may(Permission.CONTRACT_READ)),
        ("force_majeure.events", _("Force majeure"), who.may(Permission.CONTRACT_READ)),
        ("fixings.listing", _("Index fixings"), who.may(Permission.FIXING_LOAD)),
        ("reference.subjects", _("Reference data"), who.may(Permission.REFERENCE_READ) and who.firm_id is None),
        ("keys.listing", _("API keys"), who.may(Permission.API_KEY_MANAGE) and who.firm_id is not None),
        ("webhooks.listing", _("Webhooks"), who.may(Permission.WEBHOOK_MANAGE)),
        ("team.listing", _("People"), who.may(Permission.USER_MANAGE)),
        ("audit.accesses", _("Access log"), who.may(Permission.LOOK_READ)),
        ("jobs.listing", _("Jobs"), who.may(Permission.JOB_READ)),
        ("notifications.mails", _("E-mails"), who.may(Permission.MAIL_READ)),
    ]
    return [(endpoint, text) for endpoint, text, allowed in places if allowed]


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
        "firms": "reference",
        "saved_views": "review",
        "curves": "rounds",
        "lane_map": "rounds",
        "supply_graph": "rounds",
        "offer_imports": "offers",
    }
    is_here = request.endpoint == endpoint if blueprint in BY_PAGE else of_one.get(here, here) == blueprint
    return Entry(text, url_for(endpoint), is_here)
