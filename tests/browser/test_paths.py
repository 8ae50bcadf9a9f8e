"""The whole way from an offer to a call-off through the pages, and how many clicks each part of it takes a trader.

A click is one on a link, a button or a box, one choice from a list, or one yes to a question; what is typed is counted
beside it. A page that is put in between, or a further question, makes a number here grow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Dialog, Locator, Page, expect

from app.clock import clock
from app.db import db
from app.jobs import night
from app.jobs.effects import advance_contracts
from app.models import CallOff, Contract, Offer, Proposal, Run, RunState, User
from app.operations.contract_terms import frozen_terms
from app.transaction import Application
from tests import factories as make
from tests.functional.night_market import Town
from tests.functional.signed_market import PASSPHRASE, authority, key

from .conftest import Desk, Sitting, settle


@dataclass
class Walk:
    """A person's way through the pages, counted."""

    desk: Desk
    clicks: int = 0
    typed: int = 0

    def __post_init__(self) -> None:
        self.page.on("dialog", self._asked)

    @property
    def page(self) -> Page:
        return self.desk.page

    def _asked(self, _dialog: Dialog) -> None:
        self.clicks += 1

    def start(self) -> None:
        """From the home page on, where one is after signing in."""
        self.desk.open("/")
        self.clicks = self.typed = 0

    def click(self, place: Locator) -> None:
        place.click()
        self.clicks += 1

    def choose(self, place: Locator, value: str) -> None:
        place.select_option(value)
        self.clicks += 1

    def type(self, place: Locator, text: str) -> None:
        place.fill(text)
        self.typed += 1

    @property
    def cost(self) -> tuple[int, int]:
        return self.clicks, self.typed


@pytest.fixture
def trusting(app: Application, tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority().root)
    app.config["CHANGDAN"] = replace(app.config["CHANGDAN"], signing_roots=roots)


def post_an_offer(walk: Walk, product: str) -> None:
    page = walk.page
    walk.start()
    walk.click(page.get_by_role("link", name="Post an offer"))
    walk.click(page.get_by_role("radio", name="Capacity"))
    walk.choose(page.get_by_label("Product"), product)
    walk.type(page.get_by_label("Quantity 2027 Q1"), "10")
    walk.click(page.get_by_role("button", name="Fill to the right").first)
    walk.type(page.get_by_label("Least price (ask)"), "70")
    expect(page.locator("[data-preview]")).to_contain_text("You sell up to 40 t of")
    walk.click(page.get_by_role("button", name="Post the offer"))
    expect(page.locator(".flash")).to_have_text("The offer is posted.")


def accept(walk: Walk, said: str) -> None:
    walk.start()
    walk.click(walk.page.locator("table.list tbody a").first)
    walk.click(walk.page.get_by_role("button", name="Accept these terms"))
    expect(walk.page.locator(".flash")).to_contain_text(said)


def sign(walk: Walk, contract: Contract, archive: Path) -> None:
    page = walk.page
    walk.start()
    walk.click(page.get_by_role("main").get_by_role("link", name="Contracts"))
    walk.click(page.get_by_role("link", name=contract.number))
    page.set_input_files("#f-archive", archive)
    walk.type(page.locator("#f-passphrase"), PASSPHRASE.decode())
    walk.click(page.get_by_role("button", name="Sign", exact=True))
    expect(page.locator(".flash")).to_contain_text("signed", ignore_case=True)


def call_off(walk: Walk, contract: Contract) -> None:
    page = walk.page
    walk.start()
    walk.click(page.get_by_role("main").get_by_role("link", name="Contracts"))
    walk.click(page.get_by_role("link", name=contract.number))
    walk.click(page.get_by_role("link", name="Call off", exact=True))
    walk.choose(page.get_by_label("Delivery month"), "2027-02")
    walk.type(page.get_by_label("Lots"), "5")
    walk.click(page.get_by_role("button", name="Nominate"))
    expect(page.locator(".flash")).to_have_text("The call-off is recorded.")


def run_and_release(desk: Desk, town: Town) -> None:
    """Staff start the run, which a worker clears, and release what it proposes."""
    page = desk.open(f"/console/rounds/{town.round.id}")
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("[data-phase]")).to_have_text("Waiting")
    settle()
    assert night.clear_run(db.session.scalars(sa.select(Run.id)).one(), clock=clock) is RunState.DONE
    expect(page.locator("[data-progress]")).to_have_count(0, timeout=20_000)  # the open page learns that it is done
    page.wait_for_load_state()
    settle()
    proposal = db.session.scalars(sa.select(Proposal)).one()
    page = desk.open("/console/review")
    page.locator(f"a[href*='{proposal.id}']").first.click()
    page.locator("button[value=release]").click()
    expect(page.locator(".flash")).to_contain_text("both parties can answer now")


@pytest.mark.usefixtures("trusting")
def test_the_whole_way_and_its_clicks(served: str, sit_down: Sitting, tmp_path: Path) -> None:
    town = Town()
    site = make.SiteFactory(firm=make.FirmFactory(), region=town.origin)
    make.SiteCapabilityFactory(site=site, product=town.grade.product, capacity_per_year=Decimal(1_000))
    wanted = town.buys(quantity=10, price=90)
    selling, buying = make.UserFactory(firm=site.firm), make.UserFactory(firm=wanted.firm)
    seller, buyer = Walk(sit_down(selling)), Walk(sit_down(buying))

    post_an_offer(seller, town.grade.product_code)
    assert seller.cost == (5, 2), "clicks and fields to post an offer"
    settle()
    assert db.session.scalars(sa.select(Offer).where(Offer.firm_id == site.firm.id)).one().price == 70

    run_and_release(sit_down(make.StaffFactory()), town)
    for walk, said in ((seller, "when the other side accepts, too"), (buyer, "The contract is made.")):
        accept(walk, said)
        assert walk.cost == (3, 0), "clicks to accept a proposal"

    advance_contracts(now=clock())  # the worker prints the document
    settle()
    contract = db.session.scalars(sa.select(Contract)).one()
    terms = frozen_terms(contract.terms)
    for walk, party, person in ((seller, terms.seller, selling), (buyer, terms.buyer, buying)):
        sign(walk, contract, archive_of(person, key(party), tmp_path))
        assert walk.cost == (4, 1), "clicks to sign, beside the choice of the file"

    advance_contracts(now=clock())  # what both have signed takes effect
    settle()
    call_off(buyer, contract)
    assert buyer.cost == (5, 1), "clicks and fields to call off"
    buyer.desk.picture("whole-way-called-off")
    settle()
    made = db.session.scalars(sa.select(CallOff)).one()
    assert (made.month, made.nominated_lots, made.state) == ("2027-02", 5, "nominated")


def archive_of(person: User, content: bytes, folder: Path) -> Path:
    path = folder / f"{person.id}.p12"
    path.write_bytes(content)
    return path
