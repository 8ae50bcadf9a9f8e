"""A negotiation on a phone: countered, read, agreed to."""

from __future__ import annotations

from playwright.sync_api import expect

from app.auth.principal import of_user
from app.clock import clock
from app.db import db
from app.models import ReviewAction
from app.operations import review
from tests import factories as make
from tests.functional.night_market import Town, clear, proposals_of

from .conftest import NARROW, Sitting, settle


def test_a_counter_is_made_and_agreed_to_on_a_phone(sit_down: Sitting) -> None:
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
    address = f"/proposals/{proposal.id}"
    seller = sit_down(selling, size=NARROW)
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
    buyer = sit_down(buying, size=NARROW, dark=True)
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
    desk = sit_down(staff)
    desk.open(f"/console/review/{proposal.id}/negotiation")
    desk.picture("negotiation-in-review")
