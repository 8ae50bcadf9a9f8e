"""A negotiation on a phone: countered, read, agreed to; and a proposal declined there."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from playwright.sync_api import expect

from app.auth.principal import of_user
from app.clock import clock
from app.db import db
from app.models import Proposal, ReviewAction, User
from app.operations import review
from tests import factories as make
from tests.functional.night_market import Town, clear, proposals_of

from .conftest import NARROW, Sitting, settle


@dataclass(frozen=True)
class Released:
    """A proposal that staff have released, with a person of either party."""

    address: str
    proposal_id: uuid.UUID
    staff: User
    selling: User
    buying: User


def released() -> Released:
    town = Town()
    sell, buy = town.sells(), town.buys()
    selling, buying = make.UserFactory(firm=sell.firm), make.UserFactory(firm=buy.firm)
    (proposal,) = proposals_of(clear(town.round))
    staff = make.StaffFactory()
    review.decide(
        db.session(),
        principal=of_user(staff),
        proposal_id=proposal.id,
        action=ReviewAction.RELEASE,
        reason_code="sound",
        now=clock(),
    )
    settle()
    return Released(f"/proposals/{proposal.id}", proposal.id, staff, selling, buying)


def test_a_counter_is_made_and_agreed_to_on_a_phone(sit_down: Sitting) -> None:
    met = released()
    address = met.address
    seller = sit_down(met.selling, size=NARROW)
    page = seller.open(address)
    page.click("text=Propose other terms")
    page.fill("[name=price]", "60")
    page.fill("#f-message", "We have other orders for the first quarter.")
    page.click("text=Send the counter-offer")
    expect(page.locator("#error-price")).to_contain_text("at least your own limit, 70")
    seller.picture("counter-refused")
    seller.complaints.clear()  # the browser notes the refused form, which is meant
    page.fill("[name=price]", "80")
    page.fill("[name='quantity/2027-Q1']", "8")
    page.click("text=Send the counter-offer")
    expect(page.locator(".flash")).to_have_text("Your counter-offer is with the other side.")
    seller.picture("countered")
    buyer = sit_down(met.buying, size=NARROW, dark=True)
    page = buyer.open(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0], "nothing spills over the phone"
    expect(page.locator("#answer")).to_contain_text("The other side asks for other terms")
    buyer.picture("to-answer")
    page.click("#answer button:has-text('Agree to these terms')")
    expect(page.locator(".flash")).to_contain_text("You agree to the counter-offer.")
    buyer.picture("agreed")
    page = seller.open(address)
    page.click("text=Accept these terms")
    expect(page.locator("h1")).to_contain_text("CD-")
    desk = sit_down(met.staff)
    desk.open(f"/console/review/{met.proposal_id}/negotiation")
    desk.picture("negotiation-in-review")


def test_a_proposal_is_declined_on_a_phone(sit_down: Sitting) -> None:
    met = released()
    buyer = sit_down(met.buying, size=NARROW)
    page = buyer.open(met.address)
    questions: list[str] = []
    page.on("dialog", lambda dialog: questions.append(dialog.message))
    jump = page.get_by_role("link", name="To your answer")
    expect(jump).to_be_in_viewport()
    jump.click()
    expect(page.get_by_role("button", name="Accept these terms")).to_be_in_viewport()
    decline = page.get_by_role("button", name="Decline")
    decline.click()
    assert questions == [], "without a reason the browser asks for it first"
    page.get_by_label("Reason").select_option("need_changed")
    page.fill("#f-note", "We have signed with our neighbour.")
    buyer.picture("declining")
    decline.click()
    expect(page.locator(".flash")).to_have_text("Declined. Your volume is for sale again in the next run.")
    assert questions == ["Decline? The proposal ends for both sides."]
    expect(page.get_by_role("link", name="To your answer")).to_have_count(0)
    buyer.picture("declined")
    settle()
    assert db.session.get_one(Proposal, met.proposal_id).state == "declined"
