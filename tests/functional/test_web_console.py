"""Rounds, runs and homes of the platform; keys, people and audit; the public pages."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.models import ApiKey, Round, RoundKind, RoundState, Run, RunState, User, UserRole
from tests import factories as make

from .web_market import at_noon, proposal_for_review

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]
CERTIFICATE = {
    "welfare": "46401328368.00",
    "dual_bound": "46434924649.00",
    "gap": "33596281.00",
    "rounding_loss": "33596281.00",
    "lanes": 6801,
    "candidates": 244836,
    "rounds": 17,
    "blocking_pairs": 0,
    "violations": [],
    "uncertified": [],
}


def headline(**more: Any) -> dict[str, Any]:
    line = {
        "product": "x",
        "name_zh": "碳酸锂",
        "name_en": "Lithium carbonate",
        "tier": "lithium_salt",
        "unit": "t",
        "offered": "100",
        "convertible": "0",
        "demanded": "80",
        "matched": "80",
        "fill_offered": "0.8",
        "fill_demanded": "1",
        "price": "72000",
        "index": "75000",
        "index_distance": "-4",
    }
    return {
        "offers": {"capacity": 2, "demand": 3, "conversion": 1},
        "contracts": 4,
        "bundles": 3,
        "value": "5760000.00",
        "products": [line],
        "tiers": [{"tier": "lithium_salt", "contracts": 4, "value": "5760000.00"}],
        "unmatched": {"out_of_the_money": 2},
        "largest": [],
    } | more


def a_run(**more: Any) -> Run:
    run: Run = make.RunFactory(certificate=CERTIFICATE, headline=headline(), **more)
    return run


def test_the_run_tells_its_certificate_in_words(session: Session, client_as: As) -> None:
    run = a_run()
    for person in (make.StaffFactory(), make.RegulatorFactory()):
        page = client_as(person).get(f"/console/runs/{run.id}").text
        assert "0 blocking pairs among 244,836 candidates on 6,801 lanes, gap 0.07%." in page
        assert "The certificate holds" in page
        assert "Lithium salts" in page
        assert "Price did not meet the market" in page
        assert "−4 %" in page
        home = client_as(person).get("/").text
        assert "0 blocking pairs" in home


def test_a_certificate_that_does_not_hold_is_not_praised(session: Session, client_as: As) -> None:
    run = a_run()
    run.certificate = CERTIFICATE | {"blocking_pairs": 3, "violations": ["the limit of C1 is exceeded"]}
    page = client_as(make.StaffFactory()).get(f"/console/runs/{run.id}").text
    assert "The certificate does not hold" in page
    assert "the limit of C1 is exceeded" in page


def test_who_contracts_with_whom_is_for_reviewers(session: Session, client_as: As) -> None:
    proposal = proposal_for_review()
    run = proposal.run
    run.certificate, run.headline = CERTIFICATE, headline()
    run.headline = headline(
        largest=[
            {
                "proposal_id": str(proposal.id),
                "seller_zh": "甲",
                "seller_en": "Seller Works",
                "buyer_zh": "乙",
                "buyer_en": "Buyer Works",
                "product": proposal.product_code,
                "first_period": "2027-Q1",
                "last_period": "2028-Q4",
                "units": "80",
                "price_ex_works": "78",
                "value": "6560.00",
            }
        ]
    )
    page = client_as(make.StaffFactory()).get(f"/console/runs/{run.id}").text
    assert "Seller Works" in page
    assert 'id="flows-figure"' in page
    assert proposal.seller.name_en in page
    hidden = client_as(make.RegulatorFactory()).get(f"/console/runs/{run.id}").text
    assert "Seller Works" not in hidden
    assert proposal.seller.name_en not in hidden
    assert "plotly" not in hidden


def test_staff_start_a_run_and_watch_it(session: Session, client_as: As) -> None:
    market_round = make.RoundFactory()
    browser = client_as(make.StaffFactory())
    assert "Run now" in browser.get(f"/console/rounds/{market_round.id}").text
    answer = browser.post(f"/console/rounds/{market_round.id}/runs")
    run = session.scalars(sa.select(Run)).one()
    assert (answer.status_code, answer.location) == (303, f"/console/runs/{run.id}")
    assert session.execute(sa.text("SELECT count(*) FROM procrastinate_jobs")).scalar() == 1
    page = browser.get(answer.location).text
    assert f'data-progress="/console/runs/{run.id}/progress"' in page
    run.state, run.started_at, run.attempt = RunState.RUNNING, make.NOON, 1
    run.phase, run.percent, run.solver_rounds = "clearing", 40, 7
    told = browser.get(f"/console/runs/{run.id}/progress").json
    assert told == {
        "state": "running",
        "label": "Running",
        "phase": "Clearing",
        "percent": 40,
        "rounds": 7,
        "is_open": True,
        "left": "a few seconds left",
    }
    browser.post(f"/console/rounds/{market_round.id}/runs")
    assert "No run was started" in browser.get(f"/console/rounds/{market_round.id}").text
    assert len(session.scalars(sa.select(Run)).all()) == 1


def test_a_failed_run_says_why_and_the_home_tells_of_it(session: Session, client_as: As) -> None:
    run = make.RunFactory(state=RunState.FAILED, certificate=None, headline=None, error="InvalidValue: a lot of 0")
    browser = client_as(make.StaffFactory())
    assert "InvalidValue: a lot of 0" in browser.get(f"/console/runs/{run.id}").text
    assert "The latest run has failed." in browser.get("/").text


def test_a_round_is_opened_and_closed(session: Session, client_as: As) -> None:
    market_round = make.RoundFactory(state=RoundState.DRAFT)
    browser = client_as(make.StaffFactory())
    states = []
    for move in ("open", "close"):
        browser.post(f"/console/rounds/{market_round.id}/{move}")
        states.append(market_round.state)
    assert states == [RoundState.OPEN, RoundState.CLOSED]
    browser.post(f"/console/rounds/{market_round.id}/open")
    assert "This is not possible now" in browser.get(f"/console/rounds/{market_round.id}").text
    assert client_as(make.RegulatorFactory()).post(f"/console/rounds/{market_round.id}/close").status_code == 403


def test_how_many_offers_there_are_is_for_those_who_may_see_them(session: Session, client_as: As) -> None:
    offer = make.OfferFactory()
    address = f"/console/rounds/{offer.round_id}"
    assert "<h2>Offers</h2>" in client_as(make.StaffFactory()).get(address).text
    assert "<h2>Offers</h2>" not in client_as(make.RegulatorFactory()).get(address).text


def test_the_home_of_staff_says_what_waits_for_whom(session: Session, client_as: As) -> None:
    proposal_for_review()
    proposal_for_review(state="released", terms={"a": 1})
    a_run(round=make.RoundFactory())
    page = client_as(make.StaffFactory()).get("/").text
    assert page.count("<dd>1</dd>") == 2
    assert "Waiting for a first word" in page


def test_a_key_is_shown_once_and_revoked(session: Session, client_as: As) -> None:
    admin = make.FirmAdminFactory()
    browser = client_as(admin)
    assert "No key yet" in browser.get("/keys").text
    for wrong, told in (
        ({"scopes": "offer:read"}, "A name of 1 to 100 characters is expected."),
        ({"name": "SAP"}, "Choose at least one thing"),
        ({"name": "SAP", "scopes": "offer:read", "expires_at": "yesterday"}, "a date such as"),
        ({"name": "SAP", "scopes": "offer:read", "expires_at": "2020-01-01"}, "is past"),
    ):
        answer = browser.post("/keys", data=wrong)
        assert answer.status_code == 422
        assert told in answer.text
    made = browser.post("/keys", data={"name": "SAP", "scopes": ["offer:read", "user:manage"]})
    key = session.scalars(sa.select(ApiKey)).one()
    assert key.scopes == ["offer:read"]
    secret = made.text.partition("data-secret>")[2].partition("<")[0]
    assert secret.startswith(f"cd_{key.public_id}_")
    assert secret not in browser.get("/keys").text
    plain = client_as(make.UserFactory())
    works = {"Authorization": f"Bearer {secret}"}
    assert plain.get("/api/v1/offers", headers=works).status_code == 200
    assert "Another key bears this name." in browser.post("/keys", data={"name": "SAP", "scopes": "offer:read"}).text
    assert client_as(make.FirmAdminFactory()).post(f"/keys/{key.id}/revoke").status_code == 404
    browser.post(f"/keys/{key.id}/revoke")
    assert "revoked" in browser.get("/keys").text
    assert plain.get("/api/v1/offers", headers=works).status_code == 401


def test_an_administrator_keeps_his_own_people(session: Session, client_as: As) -> None:
    admin = make.FirmAdminFactory()
    stranger = make.UserFactory()
    browser = client_as(admin)
    wrong = browser.post("/people", data={"email": "no address", "role": "senior_staff"})
    assert wrong.status_code == 422
    assert 'id="error-email"' in wrong.text
    assert 'id="error-role"' in wrong.text
    data = {"email": "Zhang@Example.com", "name": "Zhang", "role": "firm_trader", "language": "zh"}
    made = browser.post("/people", data=data)
    zhang = session.scalars(sa.select(User).where(User.email == "zhang@example.com")).one()
    assert (zhang.firm_id, zhang.role) == (admin.firm_id, UserRole.FIRM_TRADER)
    password = made.text.partition("data-secret>")[2].partition("<")[0]
    assert len(password) == 20
    assert browser.post("/people", data=data).status_code == 409
    page = browser.get("/people").text
    assert "zhang@example.com" in page
    assert stranger.email not in page
    browser.post(f"/people/{zhang.id}", data={"action": "end"})
    session.refresh(zhang)
    assert not zhang.active
    assert browser.post(f"/people/{stranger.id}", data={"action": "end"}).status_code == 404
    assert browser.post(f"/people/{stranger.id}/password").status_code == 404
    browser.post(f"/people/{admin.id}", data={"action": "end"})
    assert "nobody changes his own role" in browser.get("/people").text


def test_the_audit_shows_steps_and_sign_ins(session: Session, client_as: As) -> None:
    event = make.EventFactory()
    browser = client_as(make.RegulatorFactory())
    assert str(event.subject_id)[:8] in browser.get("/audit/steps?kind=proposal").text
    assert str(event.subject_id)[:8] not in browser.get("/audit/steps?kind=contract").text
    client_as(make.UserFactory()).post("/sign-in", data={"email": "a@example.org", "password": "no"})
    assert "Sign-ins" in browser.get("/audit/sign-ins").text


def test_the_calendar_keeps_docking_events_and_drafts_to_itself(session: Session, client: FlaskClient) -> None:
    shown = make.RoundFactory(code="SHOWN")
    make.RoundFactory(code="EVENT", kind=RoundKind.DOCKING)
    make.RoundFactory(code="LATER", state=RoundState.DRAFT)
    page = client.get("/calendar", headers={"Accept-Language": "en"}).text
    assert shown.name_en in page
    assert "takes offers" in page
    assert "EVENT" not in page
    assert "LATER" not in page


def _market_of(firms: int, *, rates: list[int] | None = None, parent: bool = False) -> Round:
    """A run in which each of some sellers sells to a buyer of its own; returns its round."""
    market_round = make.RoundFactory()
    run = make.RunFactory(round=market_round)
    grade = make.GradeFactory()
    group = make.FirmFactory(active=False) if parent else None
    for number in range(firms):
        seller = make.FirmFactory(parent=group)
        sell = make.OfferFactory(round=market_round, grade=grade, firm=seller)
        rate = rates[number] if rates else 10
        make.ProposalFactory(run=run, sell_offer=sell, rate=rate)
    found: Round = market_round
    return found


@pytest.mark.parametrize(
    ("market", "published"),
    [
        ({"firms": 3}, True),  # six firms, and of each side the largest two have 67 %
        ({"firms": 2}, False),  # four firms
        ({"firms": 4, "rates": [45, 45, 5, 5]}, False),  # the largest two of a side have 90 %
        ({"firms": 4, "parent": True}, False),  # four sellers under one parent are one
    ],
)
def test_a_price_is_published_only_when_enough_firms_stand_behind_it(
    session: Session, client: FlaskClient, market: dict[str, Any], published: bool
) -> None:
    market_round = _market_of(**market)
    page = client.get("/prices", headers={"Accept-Language": "en"}).text
    assert ("78 CNY/t" in page) is published
    assert (market_round.name_en in page) is published
    rows = list(csv.reader(io.StringIO(client.get("/prices.csv").data.decode("utf-8-sig"))))
    assert any(row[0] == "round" for row in rows) is published


def test_indices_are_shown_and_come_as_a_table(session: Session, client: FlaskClient) -> None:
    index = make.MarketIndexFactory(code="gfex")
    for at, value in enumerate((70_000, 72_500)):
        make.IndexPriceFactory(index=index, date=dt.date(2026, 1, 1 + at), value=Decimal(value))
    page = client.get("/prices", headers={"Accept-Language": "en"}).text
    assert "72,500 CNY/t" in page
    assert "<polyline" in page
    rows = list(csv.reader(io.StringIO(client.get("/prices.csv").data.decode("utf-8-sig"))))
    assert ["index", "gfex", index.product_code, "2026-01-02", "72500", "CNY", "t", ""] in rows


def test_places_stand_in_groups_and_the_group_of_the_page_is_marked(client_as: As) -> None:
    page = client_as(make.SeniorStaffFactory()).get("/claims").text
    menu = page[page.index('<nav class="nav"') : page.index("</nav>")]
    assert menu.count('<details name="places"') == 4
    assert menu.count('class="here"') == 1
    assert menu.count('aria-current="page"') == 1
    assert '<a href="/claims" aria-current="page">Claims</a>' in menu


def test_no_list_is_opened_for_one_place(client_as: As) -> None:
    page = client_as(make.UserFactory()).get("/offers").text
    menu = page[page.index('<nav class="nav"') : page.index("</nav>")]
    assert menu.count('<details name="places"') == 1  # contracts; of the firm's own places a trader has one
    assert '<a href="/offers" aria-current="page">Offers</a>' in menu
