"""Webhooks to real servers that fail in every way: tried again over days, logged, signed, and never sent astray."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from app.auth.principal import of_user
from app.clock import utc_now
from app.config import PROJECT
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.errors import Conflict, NotFound, Refused
from app.jobs import outbox as sending
from app.jobs.transactions import transaction
from app.models import Event, MessageState, StopReason, User, WebhookEndpoint
from app.operations import webhook_messages, webhooks
from app.operations.webhook_messages import LEASE, WAITS, wait_after
from app.operations.webhook_signing import new_secret
from app.transaction import Application
from tests import factories as make

from .leaving import House, house
from .receivers import Answer, Receiver, receiving, verifies

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


@pytest.fixture
def home(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[House]:
    with house(app, postgres, worker_name) as one:
        yield one


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def again(home: House, **time: float) -> None:
    home.clock.wait(**time)
    home.send()


def test_a_message_arrives_signed_by_the_standard(home: House, receiver: Receiver) -> None:
    _, secret = home.endpoint(receiver.url)
    home.tell()
    home.send()
    (got,) = receiver.got
    assert got.path == "/hook?of=changdan"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == receiver.url.split("/")[2]
    assert int(got.headers["webhook-timestamp"]) == int(make.NOON.timestamp())
    assert json.loads(got.body) == {
        "type": "contract.agreed",
        "timestamp": "2026-11-20T04:00:00Z",
        "data": {"contract": home.contract.number},
    }
    assert verifies(secret, got)
    assert not verifies(new_secret(), got)
    got.headers["webhook-timestamp"] = str(int(got.headers["webhook-timestamp"]) + 1)
    assert not verifies(secret, got)
    (message,) = home.messages()
    assert (message.state, message.due_at, message.tries) == (MessageState.DELIVERED, None, 1)
    (attempt,) = home.attempts()
    assert (attempt.status, attempt.answer, attempt.error, str(attempt.address)) == (
        200,
        "thank you",
        None,
        "127.0.0.1",
    )


def test_a_failing_receiver_is_tried_again_under_the_same_id(home: House, receiver: Receiver) -> None:
    _, secret = home.endpoint(receiver.url)
    receiver.answers_with(Answer(status=500, body=b"out of order " * 200), 500, 200)
    home.tell()
    home.send()
    (message,) = home.messages()
    assert message.due_at is not None
    assert WAITS[0] <= message.due_at - home.clock.now <= WAITS[0] * 1.2
    home.send()
    assert len(receiver.got) == 1, "it waits"
    again(home, seconds=6)
    (message,) = home.messages()
    assert message.due_at is not None
    assert WAITS[1] <= message.due_at - home.clock.now <= WAITS[1] * 1.2
    again(home, minutes=6)
    assert [got.headers["webhook-id"] for got in receiver.got] == [f"msg_{message.id.hex}"] * 3
    assert len({got.headers["webhook-timestamp"] for got in receiver.got}) == 3, "the time is the attempt's"
    assert len({got.body for got in receiver.got}) == 1
    assert all(verifies(secret, got) for got in receiver.got)
    log = home.attempts()
    assert [(attempt.number, attempt.status) for attempt in log] == [(1, 500), (2, 500), (3, 200)]
    assert log[0].answer == ("out of order " * 200)[:1024]
    (message,) = home.messages()
    assert message.state is MessageState.DELIVERED
    assert db.session.get_one(WebhookEndpoint, message.endpoint_id).failing_since is None


def test_days_of_failure_end_in_a_stop_that_the_administrators_hear_of(home: House, receiver: Receiver) -> None:
    endpoint, _ = home.endpoint(receiver.url)
    receiver.answers_with(503)
    home.tell()
    home.send()
    for wait in WAITS:
        assert home.topics() == ["contract.agreed"]
        home.clock.now += wait * 1.2
        home.send()
    (message,) = home.messages()
    assert message.state is MessageState.FAILED
    assert [attempt.number for attempt in home.attempts()] == list(range(1, 11))
    db.session.refresh(endpoint)
    assert (endpoint.stop_reason, endpoint.stopped_at) == (StopReason.FAILING, home.clock.now)
    assert home.topics() == ["contract.agreed", "webhook.disabled"]
    home.tell()
    home.send()
    assert len(home.messages()) == 1, "nothing more is addressed to it"
    told = db.session.execute(
        sa.text(
            "SELECT email FROM notification JOIN outbox ON outbox.id = outbox_id JOIN user_account u ON u.id = user_id"
            " WHERE topic = 'webhook.disabled'"
        )
    ).scalars()
    assert told.all() == [home.admin.email]


def test_gone_stops_at_once_and_what_was_missed_comes_by_replay(home: House, receiver: Receiver) -> None:
    endpoint, _ = home.endpoint(receiver.url)
    receiver.answers_with(410, 200)
    home.tell()
    home.tell()
    home.send()
    assert len(receiver.got) == 1
    db.session.refresh(endpoint)
    assert endpoint.stop_reason is StopReason.GONE
    assert {message.state for message in home.messages()} == {MessageState.FAILED}
    home.clock.wait(hours=1)
    home.tell()  # while it is stopped
    home.send()
    with pytest.raises(Conflict, match="stopped"):
        webhook_messages.replay_since(
            db.session(), principal=home.who, endpoint_id=endpoint.id, since=make.NOON, now=home.clock()
        )
    webhooks.start_endpoint(db.session(), principal=home.who, endpoint_id=endpoint.id, now=home.clock())
    count = webhook_messages.replay_since(
        db.session(), principal=home.who, endpoint_id=endpoint.id, since=make.NOON, now=home.clock()
    )
    db.session.commit()
    assert count == 3
    home.send()
    assert [message.state for message in home.messages()] == [MessageState.DELIVERED] * 3
    assert receiver.got[1].headers["webhook-id"] == receiver.got[0].headers["webhook-id"]
    later = home.clock.now - MINUTE
    of_later = webhook_messages.replay_since(
        db.session(), principal=home.who, endpoint_id=endpoint.id, since=later, delivered=True, now=home.clock()
    )
    assert of_later == 1


def test_one_message_is_replayed_by_hand(home: House, receiver: Receiver) -> None:
    endpoint, _ = home.endpoint(receiver.url)
    home.tell()
    home.send()
    (message,) = home.messages()
    webhook_messages.replay(
        db.session(), principal=home.who, endpoint_id=endpoint.id, message_id=message.id, now=home.clock()
    )
    db.session.commit()
    home.send()
    assert [got.headers["webhook-id"] for got in receiver.got] == [f"msg_{message.id.hex}"] * 2
    assert [attempt.number for attempt in home.attempts()] == [1, 2]


def test_no_redirect_is_followed(home: House, receiver: Receiver) -> None:
    with receiving() as elsewhere:
        home.endpoint(receiver.url)
        receiver.answers_with(Answer(status=307, headers={"Location": elsewhere.url}))
        home.tell()
        home.send()
        assert elsewhere.got == []
    assert [attempt.status for attempt in home.attempts()] == [307]
    assert home.messages()[0].state is MessageState.WAITING


@pytest.mark.parametrize("slow", [Answer(after=1.2), Answer(drip=True)], ids=["silent", "dripping"])
def test_who_is_slow_is_cut_off(home: House, receiver: Receiver, slow: Answer) -> None:
    home.endpoint(receiver.url)
    receiver.answers_with(slow)
    home.tell()
    home.send()
    (attempt,) = home.attempts()
    assert (attempt.status, attempt.error) == (None, "no answer within 0.5 s")
    assert 450 <= attempt.milliseconds < 1100


def test_nobody_listens(home: House, receiver: Receiver) -> None:
    port = "1"
    home.endpoint(f"http://127.0.0.1:{port}/")
    home.tell()
    home.send()
    (attempt,) = home.attempts()
    assert attempt.error is not None
    assert attempt.error.startswith("no connection: ")


def test_a_receiver_may_ask_for_more_time(home: House, receiver: Receiver) -> None:
    home.endpoint(receiver.url)
    receiver.answers_with(Answer(status=429, headers={"Retry-After": "7200"}))
    home.tell()
    home.send()
    assert home.messages()[0].due_at == home.clock.now + dt.timedelta(hours=2)


def test_an_endpoint_that_fails_rests_and_holds_up_no_other(home: House, receiver: Receiver) -> None:
    with receiving() as good:
        home.endpoint(receiver.url)
        home.endpoint(good.url)
        receiver.answers_with(500)
        for _ in range(5):
            home.tell()
        home.send()
        assert (len(receiver.got), len(good.got)) == (1, 5)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "https://10.0.0.8/hook",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://[::ffff:192.168.1.1]/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://me:secret@example.org/",
        "https://example.org/#part",
        "ftp://example.org/",
        "https:///hook",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "nonsense",
    ],
)
def test_an_address_that_is_no_receiver_of_webhooks_is_refused(
    app: Application, postgres: EmbeddedPostgres, worker_name: str, url: str
) -> None:
    with house(app, postgres, worker_name, loopback=False) as home, pytest.raises(Refused) as refusal:
        home.endpoint(url)
    assert refusal.value.field == "url"


def test_a_name_that_leads_inside_is_not_called(
    app: Application, postgres: EmbeddedPostgres, worker_name: str, receiver: Receiver
) -> None:
    """The URL was fine when it was entered; where its name leads is known only when it is called."""
    port = receiver.url.split(":")[2].split("/")[0]
    with house(app, postgres, worker_name, loopback=False) as home:
        home.endpoint(f"https://localhost:{port}/hook")
        home.tell()
        home.send()
        (attempt,) = home.attempts()
        assert attempt.address is None
        assert attempt.error is not None
        assert "which is this machine itself" in attempt.error
    assert receiver.got == []


def test_while_a_secret_is_changed_both_sign(home: House, receiver: Receiver) -> None:
    endpoint, old = home.endpoint(receiver.url)
    _, new = webhooks.rotate_secret(db.session(), principal=home.who, endpoint_id=endpoint.id, now=home.clock())
    db.session.commit()
    home.tell()
    home.send()
    assert verifies(old, receiver.got[0])
    assert verifies(new, receiver.got[0])
    home.clock.wait(days=1)
    home.tell()
    home.send()
    assert not verifies(old, receiver.got[1])
    assert verifies(new, receiver.got[1])
    db.session.refresh(endpoint)
    assert new not in endpoint.secret, "kept encrypted"


def test_topics_are_chosen_and_firms_hear_of_their_own(home: House, receiver: Receiver) -> None:
    home.endpoint(receiver.url, "contract.signed")
    home.tell("contract.agreed")
    home.tell("contract.signed")
    home.tell("contract.signed", firms=(home.contract.buyer_firm_id,))
    home.send()
    assert [json.loads(got.body)["type"] for got in receiver.got] == ["contract.signed"]


def test_the_test_button_takes_the_way_of_every_message(home: House, receiver: Receiver) -> None:
    endpoint, secret = home.endpoint(receiver.url)
    with receiving() as other:
        home.endpoint(other.url)
        webhooks.send_test(db.session(), principal=home.who, endpoint_id=endpoint.id, now=home.clock())
        db.session.commit()
        home.send()
        assert other.got == []
    (got,) = receiver.got
    assert json.loads(got.body)["type"] == "webhook.test"
    assert verifies(secret, got)


def test_a_sender_killed_after_the_call_leaves_the_message_to_the_next(
    home: House, receiver: Receiver, tmp_path: object
) -> None:
    """The call has been made and nothing is noted yet: the receiver gets it again, and knows it by its id."""
    home.endpoint(receiver.url)
    home.tell()
    sending.send_outbox(clock=home.clock)
    (endpoint_id,) = home.endpoints_due()
    script = (
        "import os, signal, uuid, dataclasses\n"
        "from app import create_app\n"
        "from app.jobs import webhooks\n"
        "from app.clock import clock\n"
        "app = create_app()\n"
        "app.config['CHANGDAN'] = dataclasses.replace(app.config['CHANGDAN'], webhooks_to_loopback=True)\n"
        "webhooks._note = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"with app.app_context(): webhooks.send_due(uuid.UUID('{endpoint_id}'), clock=clock)\n"
    )
    url = db.engine.url.render_as_string(hide_password=False).replace("+psycopg", "", 1)
    environment = {**os.environ, "DATABASE_URL": url, "CHANGDAN_ENV": "test", "CHANGDAN_DATA": str(tmp_path)}
    process = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, env=environment, check=False, timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert len(receiver.got) == 1
    (message,) = home.messages()
    assert (message.state, message.tries, home.attempts()) == (MessageState.WAITING, 1, [])
    home.clock.now = utc_now()  # the killed process had the real time
    home.send()
    assert len(receiver.got) == 1, "until the lease is over it is in the killed one's hands"
    home.clock.now += LEASE
    home.send()
    assert [got.headers["webhook-id"] for got in receiver.got] == [f"msg_{message.id.hex}"] * 2
    assert [(attempt.number, attempt.status) for attempt in home.attempts()] == [(2, 200)]


def test_who_comes_late_with_his_answer_changes_nothing_but_the_log(home: House, receiver: Receiver) -> None:
    home.endpoint(receiver.url)
    home.tell()
    sending.send_outbox(clock=home.clock)
    (endpoint_id,) = home.endpoints_due()

    def take() -> webhook_messages.Taken:
        with transaction() as session:
            taken = webhook_messages.take(session, endpoint_id=endpoint_id, now=home.clock())
        assert taken is not None
        return taken

    first = take()
    home.clock.now += LEASE
    second = take()
    assert (first.id, first.number, second.number) == (second.id, 1, 2)
    for taken, status in ((second, 200), (first, 500)):
        with transaction() as session:
            outcome = webhook_messages.Outcome(milliseconds=1, status=status)
            webhook_messages.note(session, taken, outcome, at=home.clock(), now=home.clock())
    (message,) = home.messages()
    assert message.state is MessageState.DELIVERED
    assert [(attempt.number, attempt.status) for attempt in home.attempts()] == [(2, 200), (1, 500)]


def test_the_waits_span_days_and_vary() -> None:
    assert sum(WAITS, dt.timedelta()) == dt.timedelta(hours=75, minutes=35, seconds=5)
    assert wait_after(3, chance=0.0) == 30 * MINUTE
    assert wait_after(3, chance=1.0) == 36 * MINUTE
    assert len({wait_after(3) for _ in range(20)}) > 1
    assert wait_after(1, retry_after=100 * HOUR, chance=0.0) == 24 * HOUR


def test_another_firms_endpoint_does_not_exist(home: House, receiver: Receiver) -> None:
    endpoint, _ = home.endpoint(receiver.url)
    other: User = make.FirmAdminFactory()
    db.session.commit()
    for who in (other, home.trader, make.PlatformAdminFactory()):
        with pytest.raises(NotFound):
            webhooks.find_endpoint(db.session(), principal=of_user(who), endpoint_id=endpoint.id)


def test_every_change_is_recorded(home: House, receiver: Receiver) -> None:
    endpoint, _ = home.endpoint(receiver.url)
    place: dict[str, Any] = {"principal": home.who, "endpoint_id": endpoint.id, "now": home.clock()}
    webhooks.change_endpoint(db.session(), description="SAP", **place)
    webhooks.rotate_secret(db.session(), **place)
    webhooks.stop_endpoint(db.session(), **place)
    webhooks.stop_endpoint(db.session(), **place)
    webhooks.start_endpoint(db.session(), **place)
    db.session.commit()
    receiver.answers_with(410)
    home.tell()
    home.send()
    steps = db.session.scalars(sa.select(Event).where(Event.subject_id == endpoint.id).order_by(Event.id)).all()
    assert [(step.name, step.from_state, step.to_state, step.actor_kind.value) for step in steps] == [
        ("webhook.make", None, "in_use", "user"),
        ("webhook.change", "in_use", "in_use", "user"),
        ("webhook.renew_secret", "in_use", "in_use", "user"),
        ("webhook.stop", "in_use", "stopped", "user"),
        ("webhook.start", "stopped", "in_use", "user"),
        ("webhook.stop", "in_use", "stopped", "system"),
    ]
