"""The reviewers' queue by keyboard: many decided at once, with a reason and one more question; views that are kept."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from app.db import db
from app.models import Proposal
from tests import factories as make
from tests.functional.web_market import proposal_for_review

from .conftest import Sitting, settle


def states() -> list[str]:
    settle()
    return sorted(db.session.scalars(sa.select(Proposal.state)))


def test_two_are_withheld_by_keyboard_with_one_reason(sit_down: Sitting) -> None:
    for _ in range(3):
        proposal_for_review()
    page = sit_down(make.StaffFactory()).open("/console/review")
    bulk = page.locator("[data-bulk]")
    expect(bulk).to_be_hidden()
    for key in ("j", "x", "j", "x", "w"):
        page.keyboard.press(key)
    expect(page.locator("[data-count]")).to_have_text("2")
    expect(page.locator("select[name=reason_withhold]")).to_be_focused()
    page.select_option("select[name=reason_withhold]", index=1)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".flash")).to_have_text("2 proposals are withheld.")
    assert states() == ["proposed", "withheld", "withheld"]


@pytest.mark.parametrize("action", ["release", "withhold"])
def test_whoever_says_no_has_decided_nothing(sit_down: Sitting, action: str) -> None:
    proposal_for_review()
    page = sit_down(make.StaffFactory()).page
    page.add_init_script("window.confirm = () => false")
    page.goto(f"{page.url}console/review")
    page.check("input[name=chosen]")
    page.select_option(f"select[name=reason_{action}]", index=1)
    page.click(f"[data-bulk] button[value={action}]")
    expect(page.locator("[data-count]")).to_have_text("1")
    assert states() == ["proposed"]


def test_keys_are_told_and_do_nothing_inside_a_field(sit_down: Sitting) -> None:
    proposal_for_review()
    page = sit_down(make.StaffFactory()).open("/console/review")
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_contain_text("release what is ticked")
    page.keyboard.press("Escape")
    page.locator("[name=least]").press_sequentially("jx?")
    expect(page.locator("[name=least]")).to_have_value("jx?")
    expect(page.locator("[data-count]")).to_have_text("0")
    expect(page.locator("dialog")).to_be_hidden()


def test_a_view_is_kept_under_a_name_and_removed(sit_down: Sitting) -> None:
    wanted, other = proposal_for_review(), proposal_for_review()
    page = sit_down(make.StaffFactory()).open("/console/review")
    page.select_option("#f-firm", str(wanted.seller_firm_id))
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    page.fill("[name=name]", "Mine")
    page.get_by_role("button", name="Keep this view").click()
    page.get_by_role("link", name="All that wait").click()
    expect(page.locator("[data-row]")).to_have_count(2)
    page.get_by_role("link", name="Mine").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page.locator("[data-row]")).to_contain_text(wanted.seller.name_en)
    assert other.seller.name_en not in page.inner_text("[data-row]")
    page.get_by_role("button", name="Remove the view").click()
    expect(page.get_by_role("link", name="Mine")).to_have_count(0)
