"""The rules of axe-core on the main pages, light and wide, dark and on a phone: no finding at all.

The content security policy is put aside for these windows alone, since the rules come into the page as a script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.models import User
from tests import factories as make
from tests.factories import PASSWORD
from tests.functional.delivery_market import supply
from tests.functional.market_place import market_place
from tests.functional.night_market import Town, clear

from .conftest import NARROW, WIDE, settle
from .main_pages import ADMIN, FIRM, PUBLIC, STAFF, MainPage

LOOKS: tuple[tuple[Literal["light", "dark"], tuple[int, int]], ...] = (("light", WIDE), ("dark", NARROW))
Reading = Callable[[User | None], Page]


@pytest.fixture
def reads(chromium: Browser, served: str) -> Iterator[Reading]:
    """Open a window into which scripts may be put, and sign in if a person is named."""
    contexts: list[BrowserContext] = []

    def open_window(person: User | None) -> Page:
        settle()
        context = chromium.new_context(bypass_csp=True, base_url=served, locale="en")
        contexts.append(context)
        page = context.new_page()
        if person is not None:
            page.goto("/sign-in")
            page.fill("#email", person.email)
            page.fill("#password", PASSWORD)
            page.click("main button[type=submit]")
            page.wait_for_url(f"{served}/")
        return page

    yield open_window
    for context in contexts:
        context.close()


def findings(page: Page) -> list[str]:
    """What is wrong on the page as it stands: the rule and the element that breaks it."""
    return [
        f"{rule['id']}: {node['html'][:200]}"
        for rule in Axe().run(page).response["violations"]
        for node in rule["nodes"]
    ]


def check(page: Page, places: tuple[MainPage, ...], without: frozenset[str] = frozenset()) -> None:
    """All of these pages; only those named in `without` may be missing on this data."""
    missing, wrong = set(), []
    for place in places:
        path = place.address(page, "")
        if path is None:
            missing.add(place.name)
            continue
        for look, (width, height) in LOOKS:
            page.emulate_media(color_scheme=look)
            page.set_viewport_size({"width": width, "height": height})
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            wrong += [f"{place.name}, {look}: {finding}" for finding in findings(page)]
            beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            wrong += [f"{place.name}, {look}: {beyond} px wider than the window"] if beyond > 0 else []
    assert wrong == []
    assert sorted(missing) == sorted(without)


def test_public_pages(reads: Reading) -> None:
    check(reads(None), PUBLIC)


def test_pages_of_staff(reads: Reading) -> None:
    supply()
    town = Town()
    town.sells()
    town.buys()
    clear(town.round)
    check(reads(make.SeniorStaffFactory()), STAFF)


def test_pages_of_the_administrator(reads: Reading) -> None:
    make.RoundFactory()
    make.SiteCapabilityFactory()
    make.CertificateFactory()
    check(reads(make.PlatformAdminFactory()), ADMIN)


def test_pages_of_a_firm(reads: Reading) -> None:
    deal = supply()
    deal.call(100)
    proposal = MainPage("the-proposal", f"/proposals/{deal.contract.proposal_id}")
    check(reads(deal.buyer), (*FIRM, proposal), without=frozenset({"invoice", "claim", "proposal"}))


def test_the_form_of_an_offer(reads: Reading) -> None:
    place = market_place()
    page = reads(place.trader)
    page.goto("/offers/new")
    page.check("input[name=kind][value=capacity]")
    page.select_option("#f-product", place.product.code)
    page.locator("tr:has-text('Quantity') input").first.wait_for()
    page.fill("[name=price]", "cheap")
    page.click("button[value=post]")
    expect(page.locator("main")).to_contain_text("stands beside its field")
    assert findings(page) == []


def test_a_break_is_found(reads: Reading) -> None:
    page = reads(None)
    page.goto("/sign-in")
    page.evaluate("document.querySelector('label[for=email]').remove()")
    assert [finding.partition(":")[0] for finding in findings(page)] == ["label"]
