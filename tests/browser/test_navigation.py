"""Finding one's way: lists of the navigation on a wide screen, one menu on a phone, both by keyboard."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests import factories as make
from tests.functional.web_market import proposal_for_review

from .conftest import NARROW, Sitting


def height(page: Page) -> float:
    box = page.locator(".top").bounding_box()
    assert box is not None
    return box["height"]


def width_of_content(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


def test_the_navigation_of_staff_is_one_row_and_its_lists_open_by_keyboard(sit_down: Sitting) -> None:
    page = sit_down(make.SeniorStaffFactory(), size=(1280, 800)).page
    assert height(page) < 60
    page.set_viewport_size({"width": 1000, "height": 800})
    assert height(page) < 60
    claims = page.locator(".nav").get_by_role("link", name="Claims")
    expect(claims).to_be_hidden()
    contracts = page.locator(".nav summary", has_text="Contracts")
    contracts.focus()
    page.keyboard.press("Enter")
    expect(claims).to_be_visible()
    page.locator(".nav summary", has_text="Register").click()
    expect(claims).to_be_hidden()  # one list at a time
    page.keyboard.press("Escape")
    expect(page.locator(".nav").get_by_role("link", name="Firms")).to_be_hidden()
    contracts.click()
    page.locator("main h1").click()
    expect(claims).to_be_hidden()
    contracts.click()
    claims.click()
    expect(page.locator("main h1")).to_have_text("Claims")


def test_on_a_phone_one_row_opens_a_menu_with_everything(sit_down: Sitting) -> None:
    page = sit_down(make.SeniorStaffFactory(), size=NARROW).page
    assert height(page) < 60
    leave = page.get_by_role("button", name="Sign out")
    expect(leave).to_be_hidden()
    page.locator(".menu summary").focus()
    page.keyboard.press("Enter")
    expect(leave).to_be_visible()
    expect(page.locator(".nav").get_by_role("link", name="Access log")).to_be_visible()
    assert width_of_content(page) == NARROW[0]
    page.locator(".nav").get_by_role("link", name="Claims").click()
    expect(page.locator("main h1")).to_have_text("Claims")
    expect(leave).to_be_hidden()


def test_a_wide_table_on_a_phone_is_reached_by_keyboard(sit_down: Sitting) -> None:
    proposal_for_review()
    page = sit_down(make.StaffFactory(), size=NARROW).open("/console/review")
    table = page.locator("main .sheet").first
    expect(table).to_have_attribute("tabindex", "0")
    expect(table).to_have_attribute("role", "group")
    assert width_of_content(page) == NARROW[0]
    page.set_viewport_size({"width": 1600, "height": 900})
    expect(table).not_to_have_attribute("tabindex", "0")


def test_withholding_asks_once_more(sit_down: Sitting) -> None:
    proposal = proposal_for_review()
    desk = sit_down(make.StaffFactory())
    page = desk.open(f"/console/review/{proposal.id}")
    asked = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    page.select_option("[name=reason_withhold]", index=1)
    page.click("button[value=withhold]")
    expect(page.locator(".flash")).to_contain_text("withheld")
    assert [text.partition("?")[0] for text in asked] == ["Withhold it"]


def test_the_menu_opens_without_script(chromium: Browser, served: str) -> None:
    context = chromium.new_context(
        java_script_enabled=False, locale="en", viewport={"width": NARROW[0], "height": NARROW[1]}
    )
    page = context.new_page()
    page.goto(f"{served}/about")
    calendar = page.locator(".nav").get_by_role("link", name="Calendar of rounds")
    expect(calendar).to_be_hidden()
    page.locator(".menu summary").click()
    calendar.click()
    expect(page.locator("main h1")).to_have_text("Calendar of rounds")
    context.close()
