"""Deliveries over the API and on the pages: forms, refusals beside their fields, and no change that was not seen."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.jobs.call_offs import run_call_off_timers
from app.models import CallOff, Language, User
from app.transaction import Application
from tests import factories as make

from .delivery_market import ASSAY, BINDING, FIRM, SHIPPED, Supply, supply
from .hindered_market import came
from .night_market import body
from .web_market import at_noon

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]


@pytest.fixture
def at(app: Application) -> Callable[[dt.datetime], None]:
    def put(now: dt.datetime) -> None:
        app.extensions["clock"] = lambda: now

    return put


@pytest.fixture
def deal(session: Session) -> Supply:
    return supply(quality=(ASSAY,))


def only(session: Session) -> CallOff:
    session.expire_all()
    return session.scalars(sa.select(CallOff).order_by(CallOff.number)).one()


def send(client: FlaskClient, call_off: CallOff, move: str, **fields: Any) -> TestResponse:
    """A form as the page of the call-off's present version sends it."""
    data = {"version": str(call_off.version)} | {name: str(value) for name, value in fields.items()}
    return client.post(f"/call-offs/{call_off.id}/{move}", data=data)


def test_a_delivery_on_the_pages(
    session: Session, client_as: As, deal: Supply, at: Callable[[dt.datetime], None]
) -> None:
    buyer, seller = client_as(deal.buyer), client_as(deal.seller)
    page = buyer.get(f"/contracts/{deal.contract.id}").text
    assert "Schedule and deliveries" in page
    assert "Nothing is called yet" in page
    form = f"/contracts/{deal.contract.id}/call-offs/new"
    assert form in page
    assert form not in seller.get(f"/contracts/{deal.contract.id}").text
    assert "Feb 2027 – until 18 Dec 2026, at most 110 lots" in buyer.get(form).text
    made = buyer.post(form, data={"month": "2027-02", "lots": "100", "wanted_on": "2027-02-10", "action": "nominate"})
    call_off = only(session)
    assert made.location == f"/call-offs/{call_off.id}"
    assert send(buyer, call_off, "revise", lots=90, wanted_on="2027-02-11").status_code == 303
    at(FIRM)
    run_call_off_timers(now=FIRM)
    buyer, seller = client_as(deal.buyer), client_as(deal.seller)  # who was away for weeks signs in again
    call_off = only(session)
    assert (call_off.state, call_off.nominated_lots) == ("firm", 90)
    page = seller.get(made.location).text
    assert "90 lots are firm" in page
    assert "90 lots are firm" not in buyer.get(made.location).text
    assert send(seller, call_off, "confirm", lots=90, promised_on="2027-02-11").status_code == 303
    at(SHIPPED)
    buyer, seller, staff = client_as(deal.buyer), client_as(deal.seller), client_as(make.StaffFactory())
    shipment = {"shipped_on": "2027-02-08", "transport_document": "W-1", "certificate": "COA-1", "carrier": "Rail"}
    assert send(seller, only(session), "ship", lots=90, **shipment).status_code == 303
    assert send(buyer, only(session), "receive", lots=90, received_on="2027-02-10").status_code == 303
    reading = {"laboratory": "Lab", "certificate": "L-1", "assayed_on": "2027-02-10"}
    for client, value in ((seller, "99.9"), (buyer, "99.4")):
        assert send(client, only(session), "assays", **{"value-assay": value}, **reading).status_code == 303
    assert "an umpire decides" in buyer.get(made.location).text
    assert "result decides" in staff.get(made.location).text
    assert send(staff, only(session), "umpire", **{"value-assay": "99.5"}, **reading).status_code == 303
    page = buyer.get(made.location).text
    assert "the middle one, 99.5 %" in page
    assert only(session).state == "assayed"
    page = buyer.get(f"/contracts/{deal.contract.id}").text
    assert "90 so far" in page
    assert made.location in buyer.get("/call-offs").text
    assert made.location not in buyer.get("/call-offs?state=firm").text


def test_the_schedule_is_drawn_against_what_was_called_and_delivered(
    session: Session, client_as: As, deal: Supply, at: Callable[[dt.datetime], None]
) -> None:
    deal.received(60)
    deal.call(30, month="2027-03")
    page = client_as(deal.buyer).get(f"/contracts/{deal.contract.id}").text
    told = re.findall(r"<title>(20.*?)</title>", page)
    assert told[:2] == [
        "2027 Q1: scheduled 100 t, called 90 t, delivered 60 t",
        "2027 Q2: scheduled 100 t, called 0 t, delivered 0 t",
    ]
    heights = {look: float(height) for look, height in re.findall(r'class="(\w+)-bar".*? height="([\d.]+)"', page)[:3]}
    assert heights["called"] == pytest.approx(0.9 * heights["scheduled"], abs=0.2)
    assert heights["delivered"] == pytest.approx(0.6 * heights["scheduled"], abs=0.2)


def test_what_is_wrong_stands_beside_its_field(
    session: Session, client_as: As, deal: Supply, at: Callable[[dt.datetime], None]
) -> None:
    buyer = client_as(deal.buyer)
    form = f"/contracts/{deal.contract.id}/call-offs/new"
    answer = buyer.post(form, data={"month": "2031-01", "lots": "1.5", "wanted_on": "soon"})
    assert answer.status_code == 422
    for told in ("Choose a month.", "A whole number of lots is expected", "A day is expected."):
        assert told in answer.text
    answer = buyer.post(form, data={"month": "2027-02", "lots": "111"})
    assert (answer.status_code, "expected at most 110" in answer.text) == (409, True)
    call_off = deal.call(100)
    at(FIRM)
    seller = client_as(deal.seller)
    answer = send(seller, call_off, "confirm", lots=101)
    assert (answer.status_code, "expected 1 to the 100 that are firm" in answer.text) == (422, True)
    assert send(seller, call_off, "refuse").status_code == 422
    assert only(session).confirmed_lots is None


def test_an_old_page_changes_nothing(session: Session, client_as: As, deal: Supply) -> None:
    buyer, call_off = client_as(deal.buyer), deal.call(10)
    session.flush()
    version = call_off.version
    send(buyer, call_off, "revise", lots=11)
    answer = buyer.post(f"/call-offs/{call_off.id}/cancel", data={"version": str(version)})
    assert answer.status_code == 303
    assert "has changed since the page was opened" in buyer.get(answer.location).text
    assert (only(session).state, only(session).nominated_lots) == ("nominated", 11)


def test_refusals_speak_chinese(session: Session, client_as: As, deal: Supply) -> None:
    deal.buyer.language = Language.CHINESE
    answer = client_as(deal.buyer).post(
        f"/contracts/{deal.contract.id}/call-offs/new", data={"month": "2027-02", "lots": "111"}
    )
    assert "最多还可要求 110 批" in answer.text


def test_the_api_from_forecast_to_assay(
    session: Session, client_as: As, deal: Supply, at: Callable[[dt.datetime], None]
) -> None:
    buyer, seller = client_as(deal.buyer), client_as(deal.seller)
    made = buyer.post(
        f"/api/v1/contracts/{deal.contract.id}/call-offs", json={"month": "2027-02", "lots": 20, "forecast": True}
    )
    assert (made.status_code, body(made)["state"], body(made)["counted_lots"]) == (201, "forecast", 0)
    url = f"/api/v1/call-offs/{body(made)['id']}"

    def move(client: FlaskClient, name: str, **given: Any) -> Any:
        tag = client.get(url).headers["ETag"]
        answer = client.post(f"{url}/{name}", json=given, headers={"If-Match": tag})
        assert answer.status_code == 200, answer.text
        return body(answer)

    assert move(buyer, "nominate")["nominated_lots"] == 20
    tag = buyer.get(url).headers["ETag"]
    assert buyer.patch(url, json={"lots": 21}).status_code == 428
    assert body(buyer.patch(url, json={"lots": 21}, headers={"If-Match": tag}))["nominated_lots"] == 21
    assert buyer.patch(url, json={"lots": 22}, headers={"If-Match": tag}).status_code == 412
    at(BINDING)
    buyer, seller = client_as(deal.buyer), client_as(deal.seller)
    tag = buyer.get(url).headers["ETag"]
    refused = buyer.patch(url, json={"lots": 40}, headers={"If-Match": tag})
    assert (refused.status_code, "expected 19 to 23 in the binding zone" in body(refused)["detail"]) == (409, True)
    at(FIRM)
    buyer, seller = client_as(deal.buyer), client_as(deal.seller)
    assert move(seller, "confirm", lots=21)["state"] == "confirmed"
    at(SHIPPED)
    buyer, seller = client_as(deal.buyer), client_as(deal.seller)
    goods = {"shipped_on": "2027-02-08", "transport_document": "W-1", "certificate": "COA-1"}
    assert move(seller, "ship", lots=21, **goods)["consignment"]["carrier"] is None
    assert move(buyer, "receive", lots=20, received_on="2027-02-10")["received_lots"] == 20
    reading = {"attribute": "assay", "laboratory": "Lab", "certificate": "L-1", "assayed_on": "2027-02-10"}
    own = move(seller, "assays", results=[reading | {"value": "99.62"}])["attributes"][0]
    assert [one["side"] for one in own["results"]] == ["seller"]
    assert body(buyer.get(url))["attributes"][0]["results"] == []
    done = move(buyer, "assays", results=[reading | {"value": "99.54"}])
    assert (done["state"], done["attributes"][0]["value"]) == ("assayed", "4979/50")
    steps = body(seller.get(f"{url}/events"))["items"]
    assert [step["name"] for step in steps][-1] == "call_off.assay"
    standing = body(seller.get(f"/api/v1/contracts/{deal.contract.id}/quantities"))
    assert standing["periods"][0]["own"] == {
        "original": 100, "nominated": 21, "confirmed": 21, "delivered": 20, "invoiced": 0, "remaining": 80,
    }  # fmt: skip
    assert standing["periods"][0]["most"] == 90


def test_who_sees_and_who_moves(session: Session, client_as: As, deal: Supply) -> None:
    call_off = deal.call(10)
    stranger, staff, regulator = (
        client_as(user) for user in (make.UserFactory(), make.StaffFactory(), make.RegulatorFactory())
    )
    for path in (
        f"/api/v1/call-offs/{call_off.id}",
        f"/call-offs/{call_off.id}",
        f"/api/v1/contracts/{deal.contract.id}/quantities",
    ):
        assert [client.get(path).status_code for client in (stranger, staff, regulator)] == [404, 200, 200], path
    assert body(stranger.get("/api/v1/call-offs"))["items"] == []
    assert staff.post(f"/api/v1/call-offs/{call_off.id}/cancel", json={}).status_code == 403
    assert (
        stranger.post(
            f"/api/v1/contracts/{deal.contract.id}/call-offs", json={"month": "2027-02", "lots": 1}
        ).status_code
        == 404
    )
    listed = body(staff.get(f"/api/v1/call-offs?contract_id={deal.contract.id}&state=nominated"))["items"]
    assert [one["number"] for one in listed] == [1]


def test_settled_call_offs_are_folded_but_for_the_last_and_nothing_under_way_is(
    session: Session, client_as: As, deal: Supply
) -> None:
    first = deal.call(2)
    settled = [came(deal, 2) for _ in range(4)]
    deal.call(2)
    session.flush()
    page = client_as(deal.buyer).get(f"/contracts/{deal.contract.id}").text
    folded, _, shown = page.partition("3 settled call-offs before</summary>")[2].partition("</details>")
    listed = [f"/call-offs/{one.id}" for one in settled]
    assert [address in folded for address in listed] == [True, True, True, False]
    assert [address in shown for address in listed] == [False, False, False, True]
    assert f"/call-offs/{first.id}" in shown, "it is the oldest, and waits"
