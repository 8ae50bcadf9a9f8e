"""What comes out of the printer: ink on white whatever the look of the screen, all of a table, nothing to press."""

from __future__ import annotations

from playwright.sync_api import expect

from tests import factories as make
from tests.functional.signed_market import contract_to_sign
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


def test_what_is_folded_on_the_screen_is_all_on_paper(sit_down: Sitting) -> None:
    contract = contract_to_sign()
    contract.state = "effective"
    page = sit_down(make.UserFactory(firm=contract.buyer)).open(f"/contracts/{contract.id}")
    of_terms = page.locator("#terms table")
    of_deliveries = page.locator("#deliveries table")
    for table in (of_terms, of_deliveries):
        expect(table).to_be_hidden()
    page.get_by_text("8 periods: 80 lots scheduled, 0 delivered, 80 remaining").click()
    expect(of_deliveries).to_be_visible()
    expect(of_terms).to_be_hidden()
    page.emulate_media(media="print")
    expect(of_terms).to_be_visible()
    assert of_terms.evaluate("table => table.getBoundingClientRect().height") > 100
    expect(page.get_by_text("Packing", exact=True)).to_be_visible()


def test_who_is_to_sign_sees_all_quantities_at_once(sit_down: Sitting) -> None:
    contract = contract_to_sign()
    page = sit_down(make.UserFactory(firm=contract.buyer)).open(f"/contracts/{contract.id}")
    expect(page.locator("#terms table")).to_be_visible()
