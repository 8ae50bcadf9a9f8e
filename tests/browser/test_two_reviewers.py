"""Two of staff at one proposal: the later is told what happened meanwhile, and nothing that he typed is lost."""

from __future__ import annotations

from playwright.sync_api import expect

from app.db import db
from app.models import Proposal
from tests import factories as make
from tests.functional.web_market import proposal_for_review

from .conftest import Sitting, settle

NOTE = "The index jumped on Friday."


def test_the_later_of_two_is_told_and_decides_with_what_he_typed(sit_down: Sitting) -> None:
    proposal = proposal_for_review(dear=True)
    address = f"/console/review/{proposal.id}"
    first, later = sit_down(make.StaffFactory()), sit_down(make.SeniorStaffFactory())
    page = later.open(address)
    page.get_by_label("Reason to withhold").select_option("price_abnormal")
    page.get_by_label("Note, kept with the decision").fill(NOTE)
    questions: list[str] = []
    first.page.on("dialog", lambda dialog: questions.append(dialog.message))
    first.open(address).get_by_role("button", name="Recommend: release").click()
    expect(first.page.locator(".flash")).to_have_text("Your word is kept. A second, senior person decides.")
    assert questions == ["Give your word? It cannot be taken back; a second, senior person decides."]

    page.get_by_role("button", name="Recommend: withhold").click()
    expect(page.locator(".flash")).to_contain_text("Nothing was changed, because something happened meanwhile")
    expect(page.locator(".flash")).to_have_count(1)
    expect(page.get_by_label("Note, kept with the decision")).to_have_value(NOTE)
    expect(page.get_by_label("Reason to withhold")).to_have_value("price_abnormal")
    expect(page.locator("main")).to_contain_text("Somebody has recommended to release it.")
    later.picture("later-of-two")
    later.complaints.clear()  # the browser notes the refused form, which is meant

    page.get_by_role("button", name="Recommend: withhold").click()
    expect(page.locator(".flash")).to_have_text("Your word is kept. A second, senior person decides.")
    expect(page.locator("main")).to_contain_text(NOTE)
    settle()
    assert db.session.get_one(Proposal, proposal.id).state == "under_review"
