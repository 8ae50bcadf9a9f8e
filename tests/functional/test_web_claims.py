"""Claims, force majeure and endings on the pages and over the API: a party's way, staff's way, what others see."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.models import Claim, ForceMajeure, Language, Termination, User
from app.transaction import Application
from tests import factories as make
from tests.functional.hindered_market import Supply, at, claim_of, event_of, rest, supply
from tests.functional.night_market import body

As = Callable[[User], FlaskClient]
NOW = at("2027-02-20")
PDF = b"%PDF-1.7 a waybill"


@pytest.fixture(autouse=True)
def in_february(app: Application) -> Iterator[None]:
    usual, app.extensions["clock"] = app.extensions["clock"], lambda: NOW
    yield
    app.extensions["clock"] = usual


@pytest.fixture
def found(session: Session) -> Supply:
    return supply()


def put_off(app: Application, day: str) -> None:
    app.extensions["clock"] = lambda: at(day)


def test_a_claim_from_its_form_to_the_award(app: Application, session: Session, client_as: As, found: Supply) -> None:
    buyer, seller, staff = client_as(found.buyer), client_as(found.seller), client_as(make.StaffFactory())
    new = f"/contracts/{found.contract.id}/claims/new"
    page = buyer.get(f"/contracts/{found.contract.id}").text
    assert new in page
    assert "Damages for late delivery, by the terms" in buyer.get(new).text
    assert "Damages for late delivery, by the terms" not in seller.get(new).text
    form = {"kind": "late_delivery", "breach_on": "2027-02-10", "statement": "It came late", "amount": "500.00"}
    bad = buyer.post(new, data=form | {"kind": "mood", "breach_on": "soon", "statement": ""})
    assert bad.status_code == 422
    assert bad.text.count('class="error"') == 3
    assert buyer.post(new, data=form | {"breach_on": "2026-02-10"}).status_code == 409
    made = buyer.post(new, data=form)
    claim = session.scalars(sa.select(Claim)).one()
    url = f"/claims/{claim.id}"
    assert made.location == url
    assert seller.get(url).status_code == 404
    assert staff.get(url).status_code == 404
    assert "evidence" in buyer.post(f"{url}/file").text
    assert buyer.post(f"{url}/evidence", data={"file": (io.BytesIO(b"MZ"), "a.exe")}).status_code == 422
    assert buyer.post(f"{url}/evidence", data={"file": (io.BytesIO(PDF), "proof.pdf")}).status_code == 303
    assert buyer.post(f"{url}/file").location == url
    assert claim.state == "pending"
    assert buyer.get(f"{url}/file").status_code == 405
    assert seller.get("/claims").text.count(url) == 1
    assert "It came late" in seller.get(url).text
    proof = seller.get(f"{url}/evidence/{claim.evidence[0].id}")
    assert (proof.data, proof.mimetype) == (PDF, "application/pdf")
    assert proof.headers["Content-Disposition"].startswith("attachment")
    stale = seller.post(f"{url}/defend", data={"defence": "Snow", "version": str(claim.version - 1)})
    assert stale.status_code == 409
    assert seller.post(f"{url}/defend", data={"defence": "Snow"}).location == url
    assert seller.post(f"{url}/uphold", data={"amount": "1"}).status_code == 403
    assert staff.post(f"{url}/uphold", data={"amount": "600"}).status_code == 422
    assert staff.post(f"{url}/uphold", data={"amount": "300.50", "note": "In part"}).location == url
    page = buyer.get(url).text
    assert "300.50" in page
    assert "In part" not in page
    assert client_as(make.UserFactory()).get(url).status_code == 404


def test_the_pages_speak_chinese(session: Session, client_as: As, found: Supply) -> None:
    reader = client_as(make.UserFactory(firm=found.contract.seller, language=Language.CHINESE))
    claim = claim_of(found)
    event_of(found)
    for path in (
        f"/contracts/{found.contract.id}",
        "/claims",
        f"/claims/{claim.id}",
        "/force-majeure",
        "/force-majeure/new",
        f"/force-majeure/{session.scalars(sa.select(ForceMajeure)).one().id}",
        f"/contracts/{found.contract.id}/terminate",
        f"/contracts/{found.contract.id}/claims/new",
    ):
        answer = reader.get(path)
        assert answer.status_code == 200, path
        assert "索赔" in answer.text or "不可抗力" in answer.text
    told = reader.post(f"/claims/{claim.id}/withdraw")
    assert "不可“撤回”" in told.text


def test_force_majeure_on_the_pages(app: Application, session: Session, client_as: As, found: Supply) -> None:
    seller, buyer, staff = client_as(found.seller), client_as(found.buyer), client_as(make.StaffFactory())
    form = {"description": "Flood", "began_on": "2027-02-01", "affected": "50", "contract_ids": str(found.contract.id)}
    assert seller.post("/force-majeure/new", data=form | {"contract_ids": ""}).status_code == 422
    assert staff.get("/force-majeure/new").status_code == 403
    made = seller.post("/force-majeure/new", data=form)
    event = session.scalars(sa.select(ForceMajeure)).one()
    url = f"/force-majeure/{event.id}"
    assert made.location == url
    assert seller.post(f"{url}/evidence", data={"file": (io.BytesIO(PDF), "water.pdf")}).location == url
    page = buyer.get(url).text
    assert "Flood" in page
    assert "water.pdf" in page
    assert "Share out" not in page
    assert client_as(make.UserFactory()).get(url).status_code == 404
    assert client_as(make.RegulatorFactory()).get(url).status_code == 200
    suspend = f"/contracts/{found.contract.id}/suspend"
    assert staff.get(suspend).status_code == 200
    assert staff.post(suspend, data={"reason_code": "force_majeure"}).status_code == 303
    assert found.contract.state == "suspended"
    share = {"product_code": found.contract.terms["product"], "period": "2027-Q1", "available": "60"}
    assert seller.post(f"{url}/allocate", data=share | {"period": "spring"}).status_code == 422
    assert seller.post(f"{url}/allocate", data=share).location == url
    assert "40 of 100 lots are excused" in buyer.get(url).text
    assert seller.post(f"{url}/end", data={"ended_on": "2027-03-01"}).status_code == 422
    assert seller.post(f"{url}/end", data={"ended_on": "2027-02-19"}).location == url
    staff.post(f"/contracts/{found.contract.id}/resume")
    session.refresh(found.contract)
    assert found.contract.state == "effective"


def test_termination_on_the_pages(app: Application, session: Session, client_as: As, found: Supply) -> None:
    buyer, seller, staff = client_as(found.buyer), client_as(found.seller), client_as(make.StaffFactory())
    own = f"/contracts/{found.contract.id}"
    bad = buyer.post(f"{own}/terminate", data={"ground": "cause", "statement": ""})
    assert bad.status_code == 422
    form = {"ground": "cause", "reason_code": "non_delivery", "statement": "Nothing came"}
    assert buyer.post(f"{own}/terminate", data=form).status_code == 303
    assert buyer.post(f"{own}/terminate", data=form).status_code == 409
    wish = session.scalars(sa.select(Termination)).one()
    step = f"{own}/terminations/{wish.id}"
    assert f"{step}/end" not in buyer.get(own).text
    assert buyer.post(f"{step}/establish", data={"note": "I say so"}).status_code == 403
    assert f"{step}/establish" in staff.get(own).text
    assert staff.post(f"{step}/establish", data={"note": "No waybill"}).status_code == 303
    put_off(app, "2027-03-23")
    buyer, seller = client_as(found.buyer), client_as(found.seller)
    assert f"{step}/end" in buyer.get(own).text
    assert f"{step}/end" not in seller.get(own).text
    assert buyer.post(f"{step}/end").status_code == 303
    session.refresh(found.contract)
    assert found.contract.state == "terminated"
    assert "Nothing came" in seller.get(own).text


def test_the_way_over_the_api(session: Session, client_as: As, found: Supply) -> None:
    buyer, seller, staff = client_as(found.buyer), client_as(found.seller), client_as(make.StaffFactory())
    draft = {
        "contract_id": str(found.contract.id),
        "kind": "quality",
        "breach_on": "2027-02-10",
        "statement": "Too wet",
        "amount": "120",
    }
    made = buyer.post("/api/v1/claims", json=draft)
    assert (made.status_code, body(made)["state"], body(made)["open_moves"]) == (201, "draft", ["file", "withdraw"])
    url = f"/api/v1/claims/{body(made)['id']}"
    assert seller.get(url).status_code == 404
    sent = buyer.post(f"{url}/evidence", data={"file": (io.BytesIO(PDF), "proof.pdf")})
    assert (sent.status_code, body(sent)["size"]) == (201, len(PDF))
    assert buyer.post(f"{url}/file").status_code == 428
    tag = buyer.get(url).headers["ETag"]
    assert buyer.post(f"{url}/file", headers={"If-Match": made.headers["ETag"]}).status_code == 412
    filed = buyer.post(f"{url}/file", headers={"If-Match": tag})
    assert (filed.status_code, body(filed)["answer_by"]) == (200, "2027-03-12")
    seen = seller.get(url)
    assert seller.get(f"{url}/evidence/{body(sent)['id']}").data == PDF
    refused = seller.post(f"{url}/withdraw", headers={"If-Match": seen.headers["ETag"]})
    assert (refused.status_code, body(refused)["open_moves"]) == (409, ["concede", "defend"])
    conceded = seller.post(f"{url}/concede", headers={"If-Match": seen.headers["ETag"]})
    assert (body(conceded)["state"], body(conceded)["amount_awarded"]) == ("upheld", "120")
    listed = body(staff.get(f"/api/v1/claims?contract_id={found.contract.id}&state=upheld"))
    assert [one["id"] for one in listed["items"]] == [body(made)["id"]]


def test_what_hinders_a_contract_over_the_api(session: Session, client_as: As, found: Supply) -> None:
    buyer, seller, staff = client_as(found.buyer), client_as(found.seller), client_as(make.StaffFactory())
    contract = f"/api/v1/contracts/{found.contract.id}"
    notice = {"contract_ids": [str(found.contract.id)], "description": "Flood", "began_on": "2027-02-01"}
    event = seller.post("/api/v1/force-majeure", json=notice)
    assert (event.status_code, body(event)["affected"], body(event)["notices"][0]["in_time"]) == (201, "1", False)
    own = f"/api/v1/force-majeure/{body(event)['id']}"
    assert body(buyer.get(own))["notices"][0]["counts_from"] == "2027-02-15"
    assert client_as(make.UserFactory()).get(own).status_code == 404
    share = {"product_code": found.contract.terms["product"], "period": "2027-Q1", "available": 60}
    assert buyer.post(f"{own}/allocations", json=share).status_code == 403
    shared = seller.post(f"{own}/allocations", json=share)
    assert body(shared)["notices"][0]["excused"] == [{"period": "2027-Q1", "promised": 100, "excused": 40}]
    assert body(buyer.get(own))["allocations"] == []
    assert seller.post(f"{own}/allocations", json=share | {"period": "x"}).status_code == 422
    tag = staff.get(contract).headers["ETag"]
    why = {"reason_code": "force_majeure"}
    assert staff.post(f"{contract}/suspend", json=why).status_code == 428
    assert staff.post(f"{contract}/suspend", json=why, headers={"If-Match": tag}).status_code == 200
    assert staff.post(f"{contract}/suspend", json=why, headers={"If-Match": tag}).status_code == 412
    assert body(seller.post(f"{own}/end", json={"ended_on": "2027-02-19"}))["ended_on"] == "2027-02-19"
    tag = staff.get(contract).headers["ETag"]
    assert body(staff.post(f"{contract}/resume", json={}, headers={"If-Match": tag}))["resume_reason"]
    wanted = {"ground": "consent", "reason_code": "mutual_agreement", "statement": "Let us part"}
    wish = buyer.post(f"{contract}/terminations", json=wanted)
    assert wish.status_code == 201
    step = f"/api/v1/terminations/{body(wish)['id']}"
    current = {"If-Match": seller.get(step).headers["ETag"]}
    assert body(seller.post(f"{step}/terminate", headers=current))["done_at"] is not None
    told = body(buyer.get(f"{contract}/impediments"))
    assert [one["side"] for one in told["terminations"]] == ["buyer"]
    assert [one["reason_code"] for one in told["suspensions"]] == ["force_majeure"]
    reopen = {"clause": 0, "statement": "Too dear"}
    assert buyer.post(f"{contract}/reopenings", json=reopen).status_code == 409


def test_a_resting_contract_says_until_when(client_as: As, found: Supply) -> None:
    rest(found, event_of(found))
    page = client_as(found.seller).get(f"/contracts/{found.contract.id}").text
    assert "From" in page
    assert "either side may end the contract" in page
