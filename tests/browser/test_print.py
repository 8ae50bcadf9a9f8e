"""What comes out of the printer: ink on white whatever the look of the screen, all of a table, nothing to press."""

from __future__ import annotations

from playwright.sync_api import expect

from tests import factories as make
from tests.functional.web_market import proposal_for_review

from .conftest import NARROW, Sitting


def test_a_proposal_is_printed_without_buttons_on_white(sit_down: Sitting) -> None:
    proposal = proposal_for_review()
    page = sit_down(make.StaffFactory(), size=NARROW, dark=True).open(f"/console/review/{proposal.id}")
    table = page.locator(".sheet.flush").first
    colour, overflow = "one => getComputedStyle(one).backgroundColor", "one => getComputedStyle(one).overflowX"
    assert page.locator("body").evaluate(colour) != "rgb(255, 255, 255)"
    assert table.evaluate(overflow) == "auto"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("body").evaluate(colour) == "rgb(255, 255, 255)"
    assert table.evaluate(overflow) == "visible"
    expect(page.get_by_role("heading", name="Both sides")).to_be_visible()
    for hidden in (".top", ".foot", "[data-decision]"):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.locator("button:visible")).to_have_count(0)
