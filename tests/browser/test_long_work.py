"""Work that takes long shows how far it is and goes on without its page; two who decide at once are told."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from playwright.sync_api import expect

from app.clock import clock
from app.db import db
from app.jobs import offer_imports
from app.models import ImportState, Offer, OfferImport, ReviewDecision
from tests import factories as make
from tests.functional.market_place import market_place
from tests.functional.offer_files import row, workbook

from .conftest import Sitting, settle
from .test_the_way_of_a_contract import two_parties

ROWS = 230  # more than are handled inside a request


def test_a_long_file_goes_on_when_its_page_is_closed(sit_down: Sitting, tmp_path: Path) -> None:
    place = market_place()
    desk = sit_down(place.trader)
    filled = tmp_path / "many.xlsx"
    filled.write_bytes(workbook(*(row(Reference=f"S-{number}") for number in range(ROWS))))
    page = desk.open("/offers/uploads")
    page.set_input_files("#f-file", filled)
    page.get_by_role("button", name="Upload and post").click()
    expect(page.locator("[data-progress] progress")).to_have_attribute("value", "0")
    expect(page.locator("main")).to_contain_text("You may close this page")
    desk.picture("upload-progress")
    address = page.url.removeprefix(desk.address)
    page.close()

    settle()
    job = db.session.scalars(sa.select(OfferImport.id)).one()
    assert offer_imports.work_through(job, clock=clock) is ImportState.DONE
    settle()
    assert db.session.scalar(sa.select(sa.func.count(Offer.id))) == ROWS

    later = sit_down(place.trader)
    page = later.open("/offers/uploads")
    page.get_by_role("link", name="many.xlsx").click()
    assert page.url.endswith(address)
    expect(page.locator("[data-progress]")).to_have_count(0)
    expect(page.locator(".figure", has_text="Offers posted")).to_contain_text(str(ROWS))


def test_an_open_page_learns_that_its_file_is_done(sit_down: Sitting, tmp_path: Path) -> None:
    place = market_place()
    desk = sit_down(place.trader)
    filled = tmp_path / "many.xlsx"
    filled.write_bytes(workbook(*(row(Reference=f"S-{number}") for number in range(ROWS))))
    page = desk.open("/offers/uploads")
    page.set_input_files("#f-file", filled)
    page.get_by_role("button", name="Try it first").click()
    expect(page.locator("[data-progress]")).to_be_visible()
    settle()
    offer_imports.work_through(db.session.scalars(sa.select(OfferImport.id)).one(), clock=clock)
    expect(page.locator("main")).to_contain_text("This was a trial: nothing was posted.")


def test_the_later_of_two_reviewers_is_told_and_nothing_is_lost(sit_down: Sitting) -> None:
    proposal, _selling, _buying = two_parties(threshold=10**9)
    address = f"/console/review/{proposal.id}"
    first, second = sit_down(make.StaffFactory()), sit_down(make.StaffFactory())
    for desk in (first, second):
        desk.open(address)
    first.page.click("button[value=release]")
    expect(first.page.locator(".flash")).to_contain_text("both parties can answer now")
    second.page.locator("textarea[name=note]").first.fill("a look at the quality first")
    second.page.click("button[value=release]")
    expect(second.page.locator("main")).to_contain_text("meanwhile")
    second.complaints.clear()  # the browser notes the refusal, which is meant
    second.picture("review-too-late")
    settle()
    db.session.refresh(proposal)
    assert proposal.state == "released"
    assert [one.action.value for one in db.session.scalars(sa.select(ReviewDecision))] == ["release"]
