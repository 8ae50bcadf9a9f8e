"""The main pages say nothing to the browser's console, keep the content security policy and fit a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Playwright

from app.models import User
from tests import factories as make
from tests.functional.delivery_market import supply
from tests.functional.night_market import Town, clear

from .chromium import MISSING, launch
from .conftest import NARROW, WIDE, Desk, Sitting
from .main_pages import ADMIN, FIRM, PUBLIC, STAFF, MainPage


def reader_of(pages: tuple[MainPage, ...]) -> User | None:
    """Somebody who may read these pages, on data of which most of them have something to show."""
    if pages is PUBLIC:
        return None
    if pages is FIRM:
        deal = supply()
        deal.call(100)
        return deal.buyer
    town = Town()
    town.sells()
    town.buys()
    clear(town.round)
    person: User = make.SeniorStaffFactory() if pages is STAFF else make.PlatformAdminFactory()
    return person


@pytest.mark.parametrize("pages", [PUBLIC, FIRM, STAFF, ADMIN], ids=["public", "firm", "staff", "admin"])
@pytest.mark.parametrize(("size", "dark", "tongue"), [(WIDE, False, "en"), (NARROW, True, "zh-CN")])
def test_the_main_pages(
    sit_down: Sitting, pages: tuple[MainPage, ...], size: tuple[int, int], dark: bool, tongue: str
) -> None:
    reader = reader_of(pages)
    desk = sit_down(reader, size=size, dark=dark, tongue=tongue)
    wide = []
    for place in pages:
        if (path := place.address(desk.page, desk.address)) is None:
            continue
        page = desk.open(path)
        page.wait_for_load_state("networkidle")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wide.append(f"{place.name} at {size[0]} points")
    assert wide == []


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


def test_no_browser_is_said(playwright: Playwright, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "")
    assert launch(playwright) is None
    assert "no Chromium" in MISSING
