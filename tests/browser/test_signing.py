"""Signing, amending and verifying in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from app.operations.contract_terms import frozen_terms
from app.transaction import Application
from tests import factories as make
from tests.functional.signed_market import PASSPHRASE, authority, contract_to_sign, key

from .conftest import NARROW, Sitting


@pytest.fixture
def trusting(app: Application, tmp_path: Path) -> Iterator[None]:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority().root)
    usual = app.config["CHANGDAN"]
    app.config["CHANGDAN"] = replace(usual, signing_roots=roots)
    yield
    app.config["CHANGDAN"] = usual


@pytest.mark.usefixtures("trusting")
def test_a_trader_signs_with_a_file_and_anybody_verifies(sit_down: Sitting, tmp_path: Path) -> None:
    contract = contract_to_sign()
    terms, address = frozen_terms(contract.terms), f"/contracts/{contract.id}"
    seller, buyer = (make.UserFactory(firm=firm) for firm in (contract.seller, contract.buyer))
    archive = tmp_path / "key.p12"
    archive.write_bytes(key(terms.seller))
    desk = sit_down(seller)
    page = desk.open(address)
    page.get_by_role("button", name="Print the document").click()
    desk.picture("contract-to-sign")
    page.set_input_files("#f-archive", archive)
    page.fill("#f-passphrase", "guess")
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("The certificate file cannot be opened")).to_be_visible()
    page.set_input_files("#f-archive", archive)
    page.fill("#f-passphrase", PASSPHRASE.decode())
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("Signed. The contract waits for the other side's signature.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Document (PDF)").click()
    signed = tmp_path / "signed.pdf"
    download.value.save_as(signed)

    phone = sit_down(buyer, size=NARROW, dark=True, tongue="zh-CN")
    phone.open(address)
    phone.picture("contract-to-sign-phone")

    stranger = sit_down()
    page = stranger.open("/verify")
    page.set_input_files("#f-file", signed)
    page.get_by_role("button", name="Verify", exact=True).click()
    expect(page.get_by_text(f"This is contract {contract.number}, version 1, as it was made.")).to_be_visible()
    changed = bytearray(signed.read_bytes())
    changed[len(changed) // 3] ^= 1
    signed.write_bytes(changed)
    page.set_input_files("#f-file", signed)
    page.get_by_role("button", name="Verify", exact=True).click()
    expect(page.get_by_text("What was changed")).to_be_visible()
    stranger.picture("verified")


@pytest.mark.usefixtures("trusting")
def test_a_trader_drafts_and_proposes_an_amendment(sit_down: Sitting, tmp_path: Path) -> None:
    contract = contract_to_sign()
    contract.state = "effective"  # signatures take an event loop of their own, and the browser has one here
    seller = make.UserFactory(firm=contract.seller)
    archive = tmp_path / "key.p12"
    archive.write_bytes(key(frozen_terms(contract.terms).seller))
    desk = sit_down(seller)
    page = desk.open(f"/contracts/{contract.id}")
    page.get_by_role("link", name="Draft an amendment").click()
    page.select_option("#f-reason_code", "price_reopener")
    page.fill("[name=in_force_from]", "2027-04-01")
    page.fill("[name='/price/amount']", "75")
    desk.picture("amendment-form")
    page.get_by_role("button", name="Keep the draft").click()
    expect(page.get_by_role("definition").filter(has_text="75")).to_be_visible()
    page.set_input_files("#f-archive", archive)
    page.fill("#f-passphrase", PASSPHRASE.decode())
    page.get_by_role("button", name="Sign and propose").click()
    expect(page.get_by_role("status")).to_have_text("Proposed. The other side has to answer.")
    desk.picture("amendment")
