"""Amending by API and on the pages, each party in its own browser."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.db import db
from app.models import (
    Amendment,
    Contract,
    User,
)
from app.operations.contract_terms import frozen_terms
from app.transaction import Application
from tests import factories as make

from .night_market import body
from .signed_market import (
    PASSPHRASE,
    authority,
    contract_in_force,
    drafted,
    effective_contract,
    key,
    moved,
)
from .web_market import at_noon

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]
APRIL = dt.date(2027, 4, 1)


@pytest.fixture
def contract(session: Session) -> Contract:
    return contract_in_force()


@pytest.fixture
def signed_contract(session: Session) -> Contract:
    return effective_contract()


@pytest.fixture
def trusting(app: Application, tmp_path: Path) -> Iterator[None]:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority().root)
    usual = app.config["CHANGDAN"]
    app.config["CHANGDAN"] = replace(usual, signing_roots=roots)
    yield
    app.config["CHANGDAN"] = usual


def sides(client_as: As, contract: Contract) -> tuple[FlaskClient, FlaskClient]:
    seller, buyer = (client_as(make.UserFactory(firm=firm)) for firm in (contract.seller, contract.buyer))
    return seller, buyer


def fields(contract: Contract, side: str, hash_: str) -> dict[str, Any]:
    archive = key(getattr(frozen_terms(contract.terms), side))
    return {
        "method": "certificate_file",
        "passphrase": PASSPHRASE.decode(),
        "terms_hash": hash_,
        "file": (BytesIO(archive), "key.p12"),
    }


@pytest.mark.usefixtures("trusting")
def test_amending_by_api(client_as: As, signed_contract: Contract) -> None:
    contract = signed_contract
    seller, buyer = sides(client_as, contract)
    url = f"/api/v1/contracts/{contract.id}"
    draft = {"reason_code": "price_reopener", "in_force_from": "2027-04-01", "new_values": {"/price/amount": "75"}}
    wrong = seller.post(f"{url}/amendments", json=draft | {"new_values": {"/price/sum": "75"}})
    (fault,) = body(wrong)["errors"]
    assert (wrong.status_code, fault["place"]) == (422, "/price/sum")
    assert fault["detail"] == "no such place; expected a place in the terms as they stand"
    assert fault["detail_zh"] == "没有这个位置；应为现行条款中的位置"
    made = seller.post(f"{url}/amendments", json=draft, headers={"Idempotency-Key": "one"})
    assert made.status_code == 201, made.text
    again = seller.post(f"{url}/amendments", json=draft, headers={"Idempotency-Key": "one"})
    assert body(again)["id"] == body(made)["id"]
    own = f"{url}/amendments/{body(made)['id']}"
    assert body(made)["changes"] == [{"pointer": "/price/amount", "old": "78", "new": "75"}]
    assert buyer.get(own).status_code == 404
    assert body(buyer.get(f"{url}/amendments"))["items"] == []
    assert seller.get(f"{own}/document.pdf").status_code == 404
    hash_ = body(made)["terms_hash"]
    assert body(seller.post(f"{own}/document"))["number"] == 2
    assert seller.get(f"{own}/document.pdf").data.startswith(b"%PDF")
    assert body(seller.post(f"{own}/propose", data=fields(contract, "seller", hash_)))["state"] == "pending"
    assert seller.post(f"{own}/sign", data=fields(contract, "seller", hash_)).status_code == 409
    assert body(buyer.post(f"{own}/sign", data=fields(contract, "buyer", hash_)))["state"] == "active"
    staff = client_as(make.StaffFactory())
    for day, number, price in (("2027-03-31", 1, "78"), ("2027-04-01", 2, "75")):
        shown = body(staff.get(f"{url}?as_of={day}"))
        assert (shown["term_version"], shown["terms"]["price"]["amount"]) == (number, price)
    assert body(staff.get(url))["term_version"] == 1  # today is in November
    assert staff.get(f"{url}?as_of=tomorrow").status_code == 422
    tags = {staff.get(f"{url}?as_of={day}").headers["ETag"] for day in ("2027-03-31", "2027-04-01")}
    assert len(tags) == 2
    versions = body(staff.get(f"{url}/versions"))["items"]
    assert [(one["number"], one["in_force_from"], len(one["changes"])) for one in versions] == [
        (1, "2027-01-01", 0),
        (2, "2027-04-01", 1),
    ]
    assert [one["number"] for one in body(staff.get(f"{url}/documents"))["items"]] == [1, 2]
    stranger = client_as(make.UserFactory())
    for path in ("", "/versions", "/amendments", f"/amendments/{body(made)['id']}"):
        assert stranger.get(url + path).status_code == 404
    names = [one["name"] for one in body(buyer.get(f"{url}/events"))["items"]]
    assert names[-2:] == ["amendment.propose", "amendment.sign"]
    assert "amendment.draft" not in names


def test_refusing_and_taking_back_by_api(client_as: As, contract: Contract) -> None:
    seller, buyer = sides(client_as, contract)
    first = moved("propose", drafted(contract), "seller")
    url = f"/api/v1/contracts/{contract.id}/amendments"
    assert seller.post(f"{url}/{first.id}/refuse", json={"reason_code": "not_agreed"}).status_code == 409
    assert buyer.post(f"{url}/{first.id}/cancel").status_code == 409
    assert buyer.post(f"{url}/{first.id}/refuse", json={"reason_code": "never"}).status_code == 422
    assert body(buyer.post(f"{url}/{first.id}/refuse", json={"reason_code": "not_agreed"}))["state"] == "refused"
    second = drafted(contract)
    assert body(seller.post(f"{url}/{second.id}/cancel"))["state"] == "cancelled"


@pytest.mark.usefixtures("trusting")
def test_amending_on_the_pages(client_as: As, contract: Contract) -> None:
    seller, buyer = sides(client_as, contract)
    page = f"/contracts/{contract.id}"
    assert "The terms stand as they were signed." in buyer.get(page).text
    assert "Draft an amendment" in seller.get(page).text
    form = seller.get(f"{page}/amendments/new").text
    assert 'name="/price/amount"' in form
    sent = {
        "reason_code": "price_reopener",
        "in_force_from": "2027-04-01",
        "/price/amount": "75",
        "/schedule/5/lots": "10",
        "other": "/deadlines/claim_days = 45\n",
        "note": "the index has fallen",
    }
    early = seller.post(f"{page}/amendments/new", data=sent | {"in_force_from": "2027-01-01"})
    assert early.status_code == 422
    assert 'aria-invalid="true"' in early.text
    unreadable = seller.post(f"{page}/amendments/new", data=sent | {"other": "claim days: 45"})
    assert (unreadable.status_code, "Cannot be read" in unreadable.text) == (422, True)
    unsound = seller.post(f"{page}/amendments/new", data=sent | {"/price/amount": "free"})
    assert (unsound.status_code, 'id="error-/price/amount"' in unsound.text) == (422, True)
    seller.post("/language", data={"language": "zh"})
    told = seller.post(f"{page}/amendments/new", data=sent | {"/price/amount": "free", "other": "/clauses = []"}).text
    assert "实为 'free'；应为 小数，例如 70000 或 0.25" in html.unescape(told)
    seller.post("/language", data={"language": "en"})
    made = seller.post(f"{page}/amendments/new", data=sent)
    assert made.status_code == 303
    amendment = db.session.scalars(sa.select(Amendment)).one()
    own = f"{page}/amendments/{amendment.id}"
    assert made.location == own
    shown = seller.get(own).text
    for text in ("Price: per unit", "Deadlines: days for claims", "the index has fallen", "Sign and propose"):
        assert text in shown
    assert buyer.get(own).status_code == 404
    seller.post(f"{own}/document")
    assert seller.get(f"{own}.pdf").data.startswith(b"%PDF")
    seller.post(f"{own}/propose", data=fields(contract, "seller", amendment.terms_hash))
    answer = buyer.get(own).text
    assert "Your answer" in answer
    assert "Sign and propose" not in answer
    buyer.post(f"{own}/refuse", data={"reason_code": ""})
    assert "Pending" in buyer.get(own).text
    buyer.post(f"{own}/sign", data=fields(contract, "buyer", amendment.terms_hash))
    after = buyer.get(page).text
    assert "Versions of the terms" in after
    assert "Price: per unit" in after
    assert "75 CNY" in buyer.get(f"{page}?as_of=2027-04-01").text
    assert "The terms in force on" in buyer.get(f"{page}?as_of=2027-04-01").text
    assert buyer.get(f"{page}?as_of=never").status_code == 200
    assert client_as(make.UserFactory()).get(own).status_code == 404
    assert client_as(make.StaffFactory()).get(f"{page}/amendments/new").status_code == 403
