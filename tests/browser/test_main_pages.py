"""Each main page, light, wide and English, then dark, on a phone and Chinese: no finding of axe-core and not a word to
the browser's console, the content security policy kept, nothing wider than the window.

All of this is looked at in one visit of a page. The rules of axe-core are evaluated by the browser's own debugger,
which no policy of a page binds.
"""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Playwright, expect

from app.models import User
from tests import factories as make
from tests.functional.delivery_market import supply
from tests.functional.market_place import market_place
from tests.functional.night_market import Town, clear

from .chromium import MISSING, launch
from .conftest import NARROW, Desk, Sitting
from .main_pages import ADMIN, FIRM, PUBLIC, STAFF, MainPage


def findings(page: Page) -> list[str]:
    """What is wrong on the page as it stands: the rule and the element that breaks it."""
    return [
        f"{rule['id']}: {node['html'][:200]}"
        for rule in Axe().run(page).response["violations"]
        for node in rule["nodes"]
    ]


def check(
    sit_down: Sitting, person: User | None, places: tuple[MainPage, ...], without: frozenset[str] = frozenset()
) -> None:
    """All of these pages; only those named in `without` may be missing on this data."""
    desk = sit_down(person)
    found = {place.name: place.address(desk.page, desk.address) for place in places}
    assert sorted(name for name, path in found.items() if path is None) == sorted(without)
    paths = [path for path in found.values() if path is not None]
    phone = sit_down(person, size=NARROW, dark=True, tongue="zh-CN")
    assert wrong_of(desk, paths) + wrong_of(phone, paths) == []


def wrong_of(desk: Desk, paths: list[str]) -> list[str]:
    """What is amiss on these pages in one look; what they say to the console is told at the end of the test."""
    wrong = []
    for path in paths:
        page = desk.open(path)
        desk.wait_until_quiet()
        size = page.viewport_size
        if page.url != f"{desk.address}{path}":
            wrong.append(f"{path} leads to {page.url}")
        wrong += [f"{path}, {size}: {finding}" for finding in findings(page)]
        beyond = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        wrong += [f"{path}, {size}: {beyond} px wider than the window"] if beyond > 0 else []
    return wrong


def test_public_pages(sit_down: Sitting) -> None:
    check(sit_down, None, PUBLIC)


def test_pages_of_staff(sit_down: Sitting) -> None:
    supply()
    town = Town()
    town.sells()
    town.buys()
    clear(town.round)
    check(sit_down, make.SeniorStaffFactory(), STAFF)


def test_pages_of_the_administrator(sit_down: Sitting) -> None:
    make.RoundFactory()
    make.SiteCapabilityFactory()
    make.CertificateFactory()
    check(sit_down, make.PlatformAdminFactory(), ADMIN)


def test_pages_of_a_firm(sit_down: Sitting) -> None:
    deal = supply()
    deal.call(100)
    proposal = MainPage("the-proposal", f"/proposals/{deal.contract.proposal_id}")
    check(sit_down, deal.buyer, (*FIRM, proposal), without=frozenset({"invoice", "claim", "proposal"}))


def test_the_form_of_an_offer(sit_down: Sitting) -> None:
    place = market_place()
    desk = sit_down(place.trader)
    page = desk.open("/offers/new")
    page.check("input[name=kind][value=capacity]")
    page.select_option("#f-product", place.product.code)
    page.locator("tr:has-text('Quantity') input").first.wait_for()
    page.fill("[name=price]", "cheap")
    page.click("button[value=post]")
    expect(page.locator("main")).to_contain_text("stands beside its field")
    desk.complaints.clear()  # the refusal is meant, and a browser tells of every one
    assert findings(page) == []


BREAKS = {
    "label": "document.querySelector('label[for=email]').remove()",
    "html-has-lang": "document.documentElement.removeAttribute('lang')",
    "color-contrast": "document.querySelector('label[for=email]').style.setProperty('color', 'gray')",
}


@pytest.mark.parametrize("rule", BREAKS)
def test_a_break_is_found(sit_down: Sitting, rule: str) -> None:
    """The check itself: axe-core tells what a page breaks."""
    page = sit_down(size=NARROW, dark=True).open("/sign-in")
    page.evaluate(BREAKS[rule])
    assert [finding.partition(":")[0] for finding in findings(page)] == [rule]


BREACHES = {
    "script": "document.body.append(Object.assign(document.createElement('script'), {text: '1'}))",
    "style": "document.body.setAttribute('style', 'color: red')",
    "another host": "fetch('https://example.org/').catch(() => 0)",
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_of_the_policy_is_noticed(sit_down: Sitting, breach: str) -> None:
    """The check itself: what the policy forbids is refused by the browser and told at the end of a test."""
    desk: Desk = sit_down()
    desk.open("/about").evaluate(BREACHES[breach])
    desk.page.wait_for_timeout(200)
    told, desk.complaints[:] = list(desk.complaints), []
    assert any("policy" in one.lower() for one in told), told


ONE_AFTER_ANOTHER = """() => {
    const ask = path => fetch(path).then(answer => answer.text());
    ask("/prices").then(() => ask("/calendar")).then(() => ask("/verify"));
}"""


def test_a_page_is_quiet_once_what_it_asked_for_has_come(sit_down: Sitting) -> None:
    """The wait itself: also for what a page asks for by a script, after it has loaded."""
    desk: Desk = sit_down()
    come: list[str] = []
    desk.page.on("response", lambda answer: come.append(answer.url))
    desk.open("/about").evaluate(ONE_AFTER_ANOTHER)
    desk.wait_until_quiet()
    assert come[-3:] == [f"{desk.address}{path}" for path in ("/prices", "/calendar", "/verify")]


def test_no_browser_is_said(playwright: Playwright, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "")
    assert launch(playwright) is None
    assert "no Chromium" in MISSING
