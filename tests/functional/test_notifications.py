"""The bell, the list, the choices; the API and the pages of webhooks and e-mails, as people and programs use them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from app.auth import sign_in
from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.models import Language, Mail, Notification, User, WebhookEndpoint
from app.operations.topics import TOPICS
from app.transaction import Application
from app.web.notifications import GROUPS
from tests import factories as make

from .leaving import House, house
from .receivers import Receiver, receiving, verifies

Browse = Callable[[User], FlaskClient]


@pytest.fixture
def home(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[House]:
    with house(app, postgres, worker_name) as one:
        yield one


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def browse(home: House) -> Browse:
    """A browser in which a person has signed in; pages come in English."""

    def signed_in(user: User) -> FlaskClient:
        db.session.commit()
        browser = home.app.test_client()
        with browser.session_transaction() as cookie:
            agent = browser.environ_base["HTTP_USER_AGENT"]
            sign_in.open_session(cookie, user, now=clock(), user_agent=agent)
        return browser

    return signed_in


def bell(browser: FlaskClient) -> str:
    found = re.search(r'aria-label="Notifications, (\S+) unread"', browser.get("/proposals").text)
    assert found is not None
    return found.group(1)


def test_the_bell_counts_and_opening_reads(home: House, browse: Browse) -> None:
    browser = browse(home.trader)
    assert bell(browser) == "0"
    for _ in range(3):
        home.tell()
    home.send()
    assert bell(browser) == "3"
    page = browser.get("/notifications").text
    assert page.count(f"The contract is made: {home.contract.number}</strong>") == 3
    (first, *_) = re.findall(r'action="(/notifications/[0-9a-f-]+/open)"', page)
    opened = browser.post(first)
    assert (opened.status_code, opened.location) == (303, f"/contracts/{home.contract.id}")
    assert bell(browser) == "2"
    until = re.search(r'name="until" value="([^"]+)"', page)
    assert until is not None
    home.clock.wait(minutes=1)
    home.tell()  # after the page was made
    home.send()
    browser.post("/notifications/read", data={"until": until.group(1)})
    assert bell(browser) == "1"
    assert "The contract is made" in browser.get("/notifications?show=all").text


def test_a_full_bell_stops_counting(home: House, browse: Browse) -> None:
    for _ in range(101):
        home.tell()
    home.send()
    assert bell(browse(home.trader)) == "99+"


def test_nobody_reads_or_marks_anothers(home: House, browse: Browse) -> None:
    home.tell()
    home.send()
    theirs = db.session.scalars(sa.select(Notification).where(Notification.user_id == home.trader.id)).one()
    browser = browse(home.admin)
    assert browser.post(f"/notifications/{theirs.id}/open").status_code == 404
    assert browser.post(f"/api/v1/notifications/{theirs.id}/read").status_code == 404
    ids = {row["id"] for row in browser.get("/api/v1/notifications").get_json()["items"]}
    assert str(theirs.id) not in ids
    assert len(ids) == 1
    browser.post("/api/v1/notifications/read-all", json={})
    db.session.rollback()
    db.session.refresh(theirs)
    assert theirs.read_at is None


def test_who_chose_not_to_hear_hears_nothing(home: House, browse: Browse) -> None:
    browser = browse(home.trader)
    page = browser.get("/notifications/choices")
    assert page.status_code == 200
    assert "webhook.disabled" not in page.text, "that is for administrators"
    kept = [code for code in TOPICS if code != "contract.agreed"]
    answer = browser.post("/notifications/choices", data={"in_app": kept, "mail": ["contract.agreed"]})
    assert answer.status_code == 303
    home.tell("contract.agreed")
    home.tell("proposal.released")
    home.send()
    own = sa.select(Notification).where(Notification.user_id == home.trader.id)
    assert [row.message.topic for row in db.session.scalars(own.order_by(Notification.id))] == ["proposal.released"]
    mails = sa.select(Mail.subject).where(Mail.user_id == home.trader.id)
    assert db.session.scalars(mails).all() == [f"[Changdan] The contract is made: {home.contract.number}"]


def test_choices_by_the_api(home: House, browse: Browse) -> None:
    browser = browse(home.trader)
    wanted = {"choices": [{"topic": "contract.agreed", "in_app": False, "mail": False}]}
    answer = browser.patch("/api/v1/notifications/choices", json=wanted)
    chosen = {row["topic"]: row for row in answer.get_json()["choices"]}
    assert chosen["contract.agreed"] == {
        "topic": "contract.agreed",
        "text": {"zh": "合同已订立", "en": "The contract is made"},
        "in_app": False,
        "mail": False,
        "chosen": True,
    }
    assert not chosen["contract.signed"]["chosen"]
    wanted["choices"][0]["topic"] = "run.done"
    refused = browser.patch("/api/v1/notifications/choices", json=wanted)
    assert (refused.status_code, "run.done" in refused.get_json()["detail"]) == (422, True)


def test_titles_come_in_both_languages(home: House, browse: Browse) -> None:
    home.trader.language = Language.CHINESE
    db.session.commit()
    home.tell()
    home.send()
    browser = browse(home.trader)
    assert f"合同已订立：{home.contract.number}" in browser.get("/notifications").text
    (item,) = browser.get("/api/v1/notifications?unread=true").get_json()["items"]
    assert item["title"] == {
        "zh": f"合同已订立：{home.contract.number}",
        "en": f"The contract is made: {home.contract.number}",
    }
    assert (item["about_kind"], item["about_id"]) == ("contract", str(home.contract.id))


def test_the_platforms_administrator_sees_mails_that_were_not_sent(home: House, browse: Browse) -> None:
    home.tell()
    home.send()
    browser = browse(make.PlatformAdminFactory())
    page = browser.get("/mails?state=unsent").text
    assert home.trader.email in page
    assert "Not sent: no mail server" in page
    assert home.trader.email not in browser.get("/mails?state=sent").text
    rows = browser.get("/api/v1/mails?state=unsent").get_json()["items"]
    assert {row["address"] for row in rows} == {home.trader.email, home.admin.email}
    assert browse(home.trader).get("/mails").status_code == 403


def made(browser: FlaskClient, url: str, **changes: Any) -> dict[str, Any]:
    body = {"url": url, "topics": ["contract.agreed"], "description": "SAP"} | changes
    answer = browser.post("/api/v1/webhooks", json=body)
    assert answer.status_code == 201, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_webhook_by_the_api(home: House, browse: Browse, receiver: Receiver) -> None:
    browser = browse(home.admin)
    endpoint = made(browser, receiver.url)
    secret, place = endpoint.pop("secret"), f"/api/v1/webhooks/{endpoint['id']}"
    read = browser.get(place)
    assert read.get_json() == endpoint, "the secret is not shown again"
    assert browser.patch(place, json={"description": "B"}).status_code == 428
    changed = browser.patch(place, json={"topics": ["contract.signed"]}, headers={"If-Match": read.headers["ETag"]})
    assert changed.get_json()["topics"] == ["contract.signed"]
    stale = browser.patch(place, json={"description": "C"}, headers={"If-Match": read.headers["ETag"]})
    assert stale.status_code == 412
    assert browser.post(f"{place}/test", json={}).status_code == 202
    home.send()
    assert verifies(secret, receiver.got[0])
    (message,) = browser.get(f"{place}/messages").get_json()["items"]
    assert message["webhook_id"] == receiver.got[0].headers["webhook-id"]
    log = browser.get(f"{place}/messages/{message['id']}").get_json()
    assert log["body"].encode() == receiver.got[0].body
    assert [(row["number"], row["status"], row["answer"]) for row in log["attempts"]] == [(1, 200, "thank you")]
    again = browser.post(f"{place}/messages/{message['id']}/replay")
    assert (again.status_code, again.get_json()["state"]) == (202, "waiting")
    since = {"since": "2026-11-20T00:00:00Z", "delivered": True}
    assert browser.post(f"{place}/replay", json=since).get_json() == {"count": 0}, "it is on its way already"
    newer = browser.post(f"{place}/new-secret").get_json()
    assert newer["secret"] != secret
    assert newer["older_until"] == "2026-11-21T04:00:00Z"
    stopped = browser.post(f"{place}/stop").get_json()
    assert (stopped["stop_reason"], stopped["stopped_at"]) == ("by_firm", "2026-11-20T04:00:00Z")
    assert browser.post(f"{place}/test", json={}).status_code == 409
    assert browser.post(f"{place}/start").get_json()["stopped_at"] is None


def test_what_the_api_refuses(home: House, browse: Browse, receiver: Receiver) -> None:
    browser = browse(home.admin)
    endpoint = made(browser, receiver.url)
    body = {"url": receiver.url, "topics": ["contract.agreed"]}
    assert browser.post("/api/v1/webhooks", json=body).status_code == 409
    inside = browser.post("/api/v1/webhooks", json=body | {"url": "https://10.0.0.1/"})
    assert inside.status_code == 422
    assert inside.get_json()["errors"][0]["pointer"] == "#/url"
    assert browser.post("/api/v1/webhooks", json=body | {"topics": ["run.done"]}).status_code == 422
    assert browser.post("/api/v1/webhooks", json=body | {"topics": []}).status_code == 422
    stranger = browse(make.FirmAdminFactory())
    place = f"/api/v1/webhooks/{endpoint['id']}"
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("POST", "/test"),
        ("POST", "/stop"),
        ("POST", "/start"),
        ("POST", "/new-secret"),
        ("GET", "/messages"),
    ):
        answer = stranger.open(place + path, method=method, json={} if method != "GET" else None)
        assert answer.status_code == 404, (method, path)
    assert stranger.get("/api/v1/webhooks").get_json()["items"] == []
    assert browse(home.trader).get("/api/v1/webhooks").status_code == 403


def test_a_webhook_by_the_pages(home: House, browse: Browse, receiver: Receiver) -> None:
    browser = browse(home.admin)
    assert "No webhook yet" in browser.get("/webhooks").text
    wrong = browser.post("/webhooks", data={"url": "https://192.168.1.1/", "topics": ["contract.agreed"]})
    assert wrong.status_code == 422
    assert "This address is not on the internet." in wrong.text
    none = browser.post("/webhooks", data={"url": receiver.url})
    assert "Choose at least one topic." in none.text
    shown = browser.post("/webhooks", data={"url": receiver.url, "topics": ["contract.agreed"], "description": "SAP"})
    secret = re.search(r"data-secret>(whsec_[^<]+)<", shown.text)
    assert secret is not None
    endpoint = db.session.scalars(sa.select(WebhookEndpoint)).one()
    place = f"/webhooks/{endpoint.id}"
    assert secret.group(1) not in browser.get(place).text
    receiver.answers_with(500, 200)
    assert browser.post(f"{place}/test").status_code == 303
    home.send()
    page = browser.get(place).text
    assert "failing since" in page
    (message,) = re.findall(rf'href="({place}/messages/[0-9a-f-]+)"', page)
    log = browser.get(message).text
    assert re.search(r'badge bad">500<', log)
    assert "Next attempt" in log
    assert browser.post(f"{message}/replay").status_code == 303
    home.send()
    assert re.search(r'badge good">200<', browser.get(message).text)
    assert verifies(secret.group(1), receiver.got[1])
    assert browser.post(f"{place}/replay", data={"since": "nonsense"}).status_code == 422
    browser.post(f"{place}/replay", data={"since": "2026-11-20T11:59", "delivered": "1"})
    home.send()
    assert len(receiver.got) == 3
    changed = browser.post(place, data={"url": receiver.url, "topics": ["contract.signed"], "description": "ERP"})
    assert changed.status_code == 303
    assert "data-secret" in browser.post(f"{place}/secret").text
    browser.post(f"{place}/stop")
    assert "Start it first" in browser.post(f"{place}/test", follow_redirects=True).text
    browser.post(f"{place}/start")
    assert "in use" in browser.get(place).text


def test_a_failing_webhook_leads_its_administrator_to_it(home: House, browse: Browse, receiver: Receiver) -> None:
    endpoint, _ = home.endpoint(receiver.url)
    receiver.answers_with(410)
    home.tell()
    home.send()
    home.send()  # what the stop has told
    browser = browse(home.admin)
    page = browser.get("/notifications").text
    assert f"A webhook endpoint is disabled: {receiver.url}" in page
    addresses = re.findall(r'action="(/notifications/[0-9a-f-]+/open)"', page)
    assert f"/webhooks/{endpoint.id}" in {browser.post(address).location for address in addresses}


def test_every_group_of_topics_has_a_name() -> None:
    assert {topic.group for topic in TOPICS.values()} == GROUPS.keys()
