"""The pages of settlement: invoices with their working, payments, a year, replay, and the fixings behind them."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.models import IndexFixing, Invoice, Language, User, YearStatement
from app.transaction import Application
from tests import factories as make

from .settlement_market import INDEX, Deal, deal, fixed, load_june, noon

As = Callable[[User], FlaskClient]


@pytest.fixture(autouse=True)
def in_july(app: Application) -> Iterator[None]:
    """The application's clock stands where the contracts of these tests are."""
    usual, app.extensions["clock"] = app.extensions["clock"], lambda: noon("2025-07-20")
    yield
    app.extensions["clock"] = usual


def invoiced(contract: Deal) -> Invoice:
    contract.ships(100)
    (row,) = contract.issue("2025-07-10").invoices
    return row


def test_an_invoice_shows_its_working_to_its_parties_alone(session: Session, client_as: As) -> None:
    load_june()
    contract = deal()
    row = invoiced(contract)
    for user in (contract.seller, contract.buyer, make.RegulatorFactory(), make.StaffFactory()):
        browser = client_as(user)
        page = browser.get(f"/invoices/{row.id}").text
        assert "mean of 20 fixings of GFEX-LC from 2025-06-01 to 2025-06-30" in page
        assert "498,318.84" in page
        assert row.inputs_hash in page
        assert f"/invoices/{row.id}" in browser.get(f"/contracts/{contract.contract.id}").text
        assert contract.contract.number in browser.get("/invoices").text
    stranger = client_as(make.UserFactory())
    assert stranger.get(f"/invoices/{row.id}").status_code == 404
    assert contract.contract.number not in stranger.get("/invoices").text
    reader = make.UserFactory(firm=contract.contract.buyer, language=Language.CHINESE)
    page = client_as(reader).get(f"/invoices/{row.id}", headers={"Accept-Language": "zh-CN"}).text
    assert "GFEX-LC 自 2025-06-01 至 2025-06-30 共 20 个报价的均值" in page
    assert "暂定账单" in page


def test_a_payment_is_recorded_and_taken_back(session: Session, client_as: As) -> None:
    contract = fixed()
    row = invoiced(contract)
    buyer, seller = client_as(contract.buyer), client_as(contract.seller)
    url = f"/invoices/{row.id}/payments"
    for fields, told in (
        ({"amount": "1.005", "paid_on": "2025-07-15"}, "Two decimals at most"),
        ({"amount": "x", "paid_on": "2025-07-15"}, "A number is expected"),
        ({"amount": "9999999", "paid_on": "2025-07-15"}, "expected more than 0 and at most the"),
        ({"amount": "1", "paid_on": "2025-07-21"}, "expected a day from 2025-07-10 to 2025-07-20"),
        ({"amount": "1", "paid_on": ""}, "A day is expected"),
    ):
        answer = buyer.post(url, data=fields)
        assert answer.status_code == 422
        assert told in answer.text
    assert buyer.post(url, data={"amount": "1000.50", "paid_on": "2025-07-15"}).status_code == 303
    assert "1,000.50" in seller.get(f"/invoices/{row.id}").text
    payment = row.payments[0]
    assert seller.post(f"{url}/{payment.id}/take-back", data={"reason": "not ours"}).status_code == 303
    assert "the other side has recorded this payment" in seller.get(f"/invoices/{row.id}").text
    assert buyer.post(f"{url}/{payment.id}/take-back", data={"reason": ""}).status_code == 422
    assert buyer.post(f"{url}/{payment.id}/take-back", data={"reason": "wrong invoice"}).status_code == 303
    session.refresh(row)
    assert row.paid == 0
    assert "wrong invoice" in seller.get(f"/invoices/{row.id}").text


def test_staff_issue_what_is_due_and_compute_it_again(session: Session, client_as: As) -> None:
    load_june()
    contract = deal()
    contract.delivers(100)
    staff = client_as(make.StaffFactory())
    page = f"/contracts/{contract.contract.id}"
    assert staff.post(f"{page}/settlement").location == f"{page}#settlement"
    assert "1 invoice is issued." in staff.get(page).text
    assert "the same cents" in staff.get(f"{page}/replay").text
    assert client_as(contract.buyer).get(f"{page}/replay").status_code == 403
    again = staff.post(f"/api/v1{page}/invoices/issue").json
    assert again == {"invoices": [], "statements": 0, "waiting": []}
    assert staff.get(f"/api/v1{page}/replay").json == {"count": 1, "same": True, "found": []}


def test_a_year_is_told_on_a_page(session: Session, client_as: As) -> None:
    contract = fixed(lots=100)
    contract.delivers(85, month="2025-07")
    contract.delivers(65, month="2025-10")
    contract.issue("2026-01-02")
    year = session.scalars(sa.select(YearStatement)).one()
    buyer = client_as(contract.buyer)
    page = buyer.get(f"/statements/{year.id}").text
    assert "deficiency payment 30 × 0.1 × 60,000 × 100 % = 180,000" in page
    assert client_as(make.UserFactory()).get(f"/statements/{year.id}").status_code == 404
    told = buyer.get(f"/api/v1/contracts/{contract.contract.id}/statements").json
    assert told["items"][0]["outcome"]["take_or_pay"]["deficiency"] == 30  # type: ignore[index]
    position = buyer.get(f"/api/v1/contracts/{contract.contract.id}/take-or-pay").json
    assert [(one["period"], one["taken"], one["short"]) for one in position["items"]] == [  # type: ignore[index]
        ("2025-Q3", 85, 5),
        ("2025-Q4", 65, 30),
    ]
    assert "Take-or-pay in 2025 so far" in buyer.get(f"/contracts/{contract.contract.id}").text


def test_the_api_of_an_invoice(session: Session, client_as: As, key_headers: Callable[..., dict[str, str]]) -> None:
    contract = fixed()
    row = invoiced(contract)
    buyer = client_as(contract.buyer)
    url = f"/api/v1/invoices/{row.id}"
    found = buyer.get(url).json
    assert found is not None
    assert (found["net"], found["payer"], found["lines"][0]["name"]) == ("542250", "buyer", "goods")
    inputs = buyer.get(f"{url}/inputs").json
    assert inputs["inputs_hash"] == row.inputs_hash  # type: ignore[index]
    assert inputs["inputs"]["terms"]["number"] == contract.contract.number  # type: ignore[index]
    headers = key_headers(make.FirmAdminFactory(firm=contract.contract.buyer)) | {"Idempotency-Key": "p1"}
    erp = buyer.application.test_client()
    for _ in (1, 2):
        paid = erp.post(f"{url}/payments", json={"amount": "42.50", "paid_on": "2025-07-20"}, headers=headers)
        assert paid.status_code == 200, paid.text
        assert [one["amount"] for one in paid.json["payments"]] == ["42.5"]  # type: ignore[index]
    payment = paid.json["payments"][0]["id"]  # type: ignore[index]
    back = buyer.post(f"{url}/payments/{payment}/take-back", json={"reason": "twice"})
    assert [one["amount"] for one in back.json["payments"]] == ["42.5", "-42.5"]  # type: ignore[index]
    assert buyer.post(f"{url}/payments/{payment}/take-back", json={"reason": "twice"}).status_code == 409
    of_contract = buyer.get(f"/api/v1/contracts/{row.contract_id}/invoices?kind=provisional").json
    assert [one["number"] for one in of_contract["items"]] == [1]  # type: ignore[index]
    stranger = client_as(make.UserFactory())
    for path in (url, f"{url}/inputs", f"/api/v1/contracts/{row.contract_id}/invoices"):
        assert stranger.get(path).status_code == 404
    body = {"amount": "1", "paid_on": "2025-07-20"}
    assert stranger.post(f"{url}/payments", json=body).status_code == 404
    assert client_as(make.RegulatorFactory()).post(f"{url}/payments", json=body).status_code == 403


def test_fixings_are_entered_and_uploaded_by_staff(session: Session, client_as: As) -> None:
    make.MarketIndexFactory(code=INDEX)
    staff, senior = client_as(make.StaffFactory()), client_as(make.SeniorStaffFactory())
    entry = {"index": INDEX, "day": "2025-07-01", "kind": "published", "value": "62000", "tax": "13", "source": "gfex"}
    assert staff.post("/fixings", data=entry).status_code == 303
    assert "62,000" in staff.get("/fixings").text
    corrected = entry | {"value": "62100", "reason": "misprint"}
    assert staff.post("/fixings", data=corrected).status_code == 403
    assert senior.post("/fixings", data=corrected | {"reason": ""}).status_code == 422
    assert senior.post("/fixings", data=corrected).status_code == 303
    assert "62,000" not in senior.get(f"/fixings?index={INDEX}").text
    assert "62,000" in senior.get("/fixings?history=all").text
    for fields, told in (({"tax": "130"}, "A rate in per cent"), ({"day": ""}, "A day is expected")):
        answer = senior.post("/fixings", data=entry | fields)
        assert answer.status_code == 422
        assert told in answer.text
    content = f"index,day,value,source\n{INDEX},2025-07-02,61000,estimate of the project\n".encode()
    assert staff.post("/fixings/upload", data={"file": (io.BytesIO(content), "f.csv")}).status_code == 303
    reader = client_as(make.StaffFactory(language=Language.CHINESE))
    assert "<td>本项目估算" in reader.get("/fixings").text
    bad = f"index,day,value,source\n{INDEX},2025-07-03,61000,gfex\nnone,2025-07-02,1,gfex\n".encode()
    answer = staff.post("/fixings/upload", data={"file": (io.BytesIO(bad), "f.csv")})
    assert answer.status_code == 422
    assert "is no index" in answer.text
    assert session.scalars(sa.select(IndexFixing.day).where(IndexFixing.value == Decimal(61000))).all() == [
        dt.date(2025, 7, 2)
    ]
    assert "Load a file" not in client_as(make.UserFactory()).get("/fixings").text
