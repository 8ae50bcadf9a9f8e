"""From an offer to a contract, through the pages, as the people concerned go it."""

from __future__ import annotations

import re
from decimal import Decimal

import sqlalchemy as sa
from playwright.sync_api import expect

from app.db import db
from app.models import Contract, Proposal, User
from tests import factories as make
from tests.functional.night_market import Town, clear, proposals_of

from .conftest import NARROW, Desk, Sitting, settle


def two_parties(threshold: int) -> tuple[Proposal, User, User]:
    """A night in which one seller and one buyer met, and a trader of each."""
    town = Town()
    town.round.review_threshold = Decimal(threshold)
    sell, buy = town.sells(), town.buys()
    traders = make.UserFactory(firm=sell.firm), make.UserFactory(firm=buy.firm)
    (proposal,) = proposals_of(clear(town.round))
    return proposal, *traders


def test_review_with_four_eyes_then_both_accept(sit_down: Sitting) -> None:
    proposal, selling, buying = two_parties(threshold=1)
    staff, senior = make.StaffFactory(), make.SeniorStaffFactory()
    first = sit_down(staff)
    page = first.open("/console/review")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-count]")).to_have_text("1")
    first.picture("queue")
    page.keyboard.press("o")
    page.wait_for_url(re.compile(str(proposal.id)))
    for told in (
        "How the surplus is split",
        "Next-best alternative",
        "Share of the market after signing",
        "Specification",
    ):
        expect(page.get_by_text(told, exact=True)).to_be_visible()
    first.picture("review")
    page.click("button[value=release]")
    expect(page.locator(".flash")).to_contain_text("A second, senior person decides.")
    second = sit_down(senior)
    page = second.open(f"/console/review/{proposal.id}")
    page.click("button[value=release]")
    expect(page.locator(".flash")).to_contain_text("both parties can answer now")
    for trader, said in ((selling, "when the other side accepts, too"), (buying, "The contract is made.")):
        desk = sit_down(trader)
        desk.open("/").get_by_role("table").first.get_by_role("link").first.click()
        desk.picture(f"proposal-{trader.firm.name_en.split()[1]}" if trader.firm else "proposal")
        desk.page.get_by_role("button", name="Accept these terms").click()
        expect(desk.page.locator(".flash")).to_contain_text(said)
    desk.picture("contract")
    settle()
    contract = db.session.scalars(sa.select(Contract)).one()
    assert contract.number in desk.page.inner_text("h1")
    assert contract.terms_hash in desk.page.inner_text("main")


def test_accept_on_a_phone(sit_down: Sitting) -> None:
    proposal, selling, _buying = two_parties(threshold=10**9)
    staff = sit_down(make.StaffFactory())
    staff.open(f"/console/review/{proposal.id}").click("button[value=release]")
    expect(staff.page.locator(".flash")).to_contain_text("both parties can answer now")
    desk = sit_down(selling, size=NARROW, dark=True)
    page = desk.open(f"/proposals/{proposal.id}")
    assert not overflows(desk)
    desk.picture("phone")
    page.click("text=To your answer")
    page.get_by_role("button", name="Accept these terms").click()
    expect(page.locator(".flash")).to_contain_text("when the other side accepts, too")


def test_the_run_shows_its_flows_and_its_progress(sit_down: Sitting) -> None:
    proposal, _selling, _buying = two_parties(threshold=10**9)
    desk = sit_down(make.StaffFactory())
    page = desk.open(f"/console/runs/{proposal.run_id}")
    expect(page.get_by_text("0 blocking pairs among")).to_be_visible()
    page.locator("#flows").scroll_into_view_if_needed()
    expect(page.locator("#flows svg.main-svg").first).to_be_visible()
    expect(page.locator("#flows .sankey-link")).to_have_count(1)
    desk.picture("run")
    page = desk.open(f"/console/rounds/{proposal.round_id}")
    page.click("button:has-text('Run now')")
    expect(page.locator("[data-phase]")).to_have_text("Waiting")


DARK_PAPER = "rgb(19, 24, 23)"


def test_the_language_and_the_look_change_at_once(sit_down: Sitting) -> None:
    make.RoundFactory()
    desk = sit_down(make.StaffFactory())
    page = desk.open("/console/rounds")
    page.click("button[value=zh]")
    expect(page.locator("h1")).to_have_text("场次")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    body = page.locator("body")  # it has its colour once the sheet has come, which may be after the mark on the page
    expect(body).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")
    light = body.evaluate("body => getComputedStyle(body).backgroundColor")
    expect(page.locator("button[value=light]")).to_be_hidden()
    page.click("button[value=dark]")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(body).to_have_css("background-color", DARK_PAPER)
    assert light != DARK_PAPER
    desk.picture("chinese-dark")
    page.click("button[value=light]")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(body).to_have_css("background-color", light)
    page.click("button[value=en]")
    expect(page.locator("h1")).to_have_text("Rounds")


def test_public_pages_fit_a_phone(sit_down: Sitting) -> None:
    desk = sit_down(size=NARROW, tongue="zh-CN")
    for path in ("/about", "/calendar", "/prices", "/sign-in"):
        desk.open(path)
        assert not overflows(desk), path
        assert desk.page.locator("html").get_attribute("lang") == "zh-CN"
    desk.picture("sign-in")


def overflows(desk: Desk) -> bool:
    """Whether the page is wider than the window."""
    wider: bool = desk.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return wider
