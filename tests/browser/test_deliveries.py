"""A delivery in a browser: called off on a phone, confirmed and shipped by the seller, received, assayed."""

from __future__ import annotations

import sqlalchemy as sa

from app.db import db
from app.jobs.call_offs import run_call_off_timers
from app.models import CallOff
from app.transaction import Application
from tests.functional.delivery_market import ASSAY, FIRM, SHIPPED, supply

from .conftest import NARROW, Sitting, settle


def state() -> str:
    settle()
    return db.session.scalars(sa.select(CallOff.state).order_by(CallOff.number)).one()


def test_a_call_off_on_a_phone(sit_down: Sitting) -> None:
    deal = supply()
    buyer = sit_down(deal.buyer, size=NARROW)
    page = buyer.open(f"/contracts/{deal.contract.id}")
    page.get_by_role("link", name="Call off", exact=True).click()
    page.get_by_label("Delivery month").select_option("2027-02")
    page.get_by_label("Lots").fill("111")
    page.get_by_role("button", name="Nominate").click()
    page.get_by_text("expected at most 110").wait_for()
    buyer.complaints.clear()  # the browser notes the refused form, which is meant
    buyer.picture("call-off-refused-narrow")
    page.get_by_label("Lots").fill("100")
    page.get_by_role("button", name="Nominate").click()
    page.get_by_text("The call-off is recorded.").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
    buyer.picture("call-off-narrow")
    assert state() == "nominated"


def test_from_the_confirmation_to_the_assay(app: Application, sit_down: Sitting) -> None:
    deal = supply(quality=(ASSAY,))
    address = f"/call-offs/{deal.call(100).id}"
    settle()
    app.extensions["clock"] = lambda: FIRM
    run_call_off_timers(now=FIRM)
    seller = sit_down(deal.seller)
    page = seller.open(address)
    page.get_by_label("Lots to confirm").fill("90")
    page.get_by_label("Reason, if in part").select_option("production_outage")
    seller.picture("call-off-confirm")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("Recorded.").wait_for()

    app.extensions["clock"] = lambda: SHIPPED
    seller = sit_down(deal.seller, dark=True)
    page = seller.open(address)
    page.get_by_label("Transport document").fill("W-1")
    page.get_by_label("Certificate of analysis").fill("COA-1")
    page.get_by_role("button", name="Ship", exact=True).click()
    page.get_by_text("Recorded.").wait_for()
    page.get_by_label("assay", exact=True).fill("99.62")
    page.get_by_label("Laboratory").fill("Yichun laboratory")
    page.get_by_label("Certificate number").fill("L-1")
    seller.picture("call-off-assay-dark")
    page.get_by_role("button", name="Hand in").click()
    page.get_by_text("Recorded.").wait_for()

    buyer = sit_down(deal.buyer, size=NARROW)
    page = buyer.open(address)
    page.get_by_role("button", name="Receive").click()
    page.get_by_text("Recorded.").wait_for()
    page.get_by_label("assay", exact=True).fill("99.54")
    page.get_by_label("Laboratory").fill("Ningde laboratory")
    page.get_by_label("Certificate number").fill("L-2")
    page.get_by_role("button", name="Hand in").click()
    page.get_by_text("mean 99.58 %").wait_for()
    assert state() == "assayed"
    buyer.picture("call-off-assayed-narrow")
    wide = sit_down(deal.buyer)
    wide.open(f"/contracts/{deal.contract.id}")
    wide.picture("contract-deliveries")
