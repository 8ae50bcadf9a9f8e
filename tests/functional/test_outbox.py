"""What is told leaves if, and only if, it was committed; each row once, whoever sends, however he ends."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.auth.principal import Principal, of_user
from app.config import PROJECT
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs import outbox as sending
from app.jobs.queue import enqueue_webhooks
from app.jobs.transactions import transaction
from app.mail_server import MailServer, MailUrlError
from app.models import Language, Mail, MailState, Notification, Outbox, User, UserRole, WebhookMessage
from app.operations import notifications
from app.operations.fan_out import fan_out
from app.operations.outbox import tell
from app.operations.topics import TOPICS, topics_for, webhook_topics
from app.transaction import Application
from contracts.state import Subject, state_names
from tests import factories as make

from .leaving import House, house
from .receivers import Mailbox, mail_server, receiving

PATIENCE = 90  # seconds


@pytest.fixture
def home(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[House]:
    with house(app, postgres, worker_name) as one:
        yield one


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mail_server() as one:
        yield one


@pytest.fixture
def posting(app: Application, postgres: EmbeddedPostgres, worker_name: str, box: Mailbox) -> Iterator[House]:
    """A house with a mail server."""
    server = MailServer.parse(f"smtp://127.0.0.1:{box.port}?from=market@example.org")
    with house(app, postgres, worker_name, mail=server) as one:
        yield one


def told(home: House) -> set[tuple[str, str]]:
    """Who was notified of what: (topic, address)."""
    db.session.rollback()
    query = sa.select(Outbox.topic, User.email).select_from(Notification).join(Outbox).join(User)
    return {(topic, address) for topic, address in db.session.execute(query)}


def mails() -> list[Mail]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(sa.select(Mail).order_by(Mail.created_at, Mail.address)))


class Killed(BaseException):
    """The end of a sender, in the middle of its work."""


def test_what_is_undone_is_told_to_nobody(home: House) -> None:
    def work() -> None:
        with transaction() as session:
            tell(session, topic="run.done", about=("run", uuid.uuid4()), firms=(), payload={}, now=make.NOON)
            session.flush()
            raise Killed

    with pytest.raises(Killed):
        work()
    home.send()
    assert home.topics() == []


def test_a_topic_that_is_not_in_the_table_is_refused(home: House) -> None:
    with pytest.raises(LookupError, match=r"no topic 'contract.eaten'"):
        home.tell("contract.eaten")


def test_the_parties_people_are_told_and_nobody_else(home: House) -> None:
    buyer = make.UserFactory(firm=home.contract.buyer)
    make.UserFactory(firm=home.contract.buyer, active=False)
    make.UserFactory()
    staff = make.StaffFactory()
    make.RegulatorFactory()
    db.session.commit()
    home.tell("contract.agreed")
    home.tell("contract.suspended")
    home.tell("webhook.disabled", firms=(home.contract.seller_firm_id,))
    home.send()
    parties = {home.admin.email, home.trader.email, buyer.email}
    assert told(home) == (
        {("contract.agreed", person) for person in parties}
        | {("contract.suspended", person) for person in {*parties, staff.email}}
        | {("webhook.disabled", home.admin.email)}
    )


def test_a_firm_that_is_closed_hears_nothing(home: House) -> None:
    home.contract.seller.active = False
    db.session.commit()
    home.tell()
    home.send()
    assert told(home) == set()


def test_each_row_is_made_once_by_two_senders_at_once(home: House) -> None:
    with receiving() as receiver:
        home.endpoint(receiver.url)
        for _ in range(600):
            home.tell()
        start = threading.Barrier(2)

        def send(_: int) -> int:
            with home.app.app_context():
                start.wait()
                return sending.send_outbox(clock=home.clock)

        with ThreadPoolExecutor(2) as pool:
            counts = list(pool.map(send, range(2)))
        assert sum(counts) == 600
        assert min(counts) > 0, "both had a share"
        for table, per_message in ((Notification, 2), (Mail, 2), (WebhookMessage, 1)):
            rows, messages = db.session.execute(
                sa.select(sa.func.count(), sa.func.count(table.outbox_id.distinct())).select_from(table)
            ).one()
            assert (rows, messages) == (600 * per_message, 600), table
        db.session.rollback()


def test_a_sender_that_is_killed_before_the_commit_leaves_all_to_the_next(home: House) -> None:
    def work() -> None:
        with transaction() as session:
            assert fan_out(session, mail_server=False, site=None, now=home.clock()).messages == 1
            raise Killed

    home.tell()
    with pytest.raises(Killed):
        work()
    assert told(home) == set()
    home.send()
    assert len(told(home)) == 2


def test_what_commits_late_under_an_earlier_number_is_not_passed_over(home: House) -> None:
    slow = db.engine.connect()
    late = slow.begin()
    slow.execute(
        sa.insert(Outbox).values(
            topic="contract.signed",
            about_kind="contract",
            about_id=home.contract.id,
            firm_ids=[home.contract.seller_firm_id],
            payload={},
        )
    )
    home.tell("contract.agreed")
    home.send()
    assert {topic for topic, _ in told(home)} == {"contract.agreed"}
    late.commit()
    slow.close()
    home.send()
    assert {topic for topic, _ in told(home)} == {"contract.agreed", "contract.signed"}


def test_what_was_told_stays_as_it_was_written(home: House) -> None:
    home.tell()
    message = db.session.scalars(sa.select(Outbox)).one()
    message.payload = {"contract": "another"}
    with pytest.raises(sa.exc.IntegrityError, match="outbox_frozen"):
        db.session.flush()


def test_one_job_waits_for_an_endpoint(home: House) -> None:
    with transaction() as session:
        endpoint = uuid.uuid4()
        assert enqueue_webhooks(session, endpoint_id=endpoint)
        assert not enqueue_webhooks(session, endpoint_id=endpoint)


def test_without_a_mail_server_mails_are_kept_as_unsent(home: House) -> None:
    home.tell()
    home.send()
    assert {(mail.address, mail.state, mail.error) for mail in mails()} == {
        (person.email, MailState.UNSENT, "no mail server is set up") for person in (home.admin, home.trader)
    }
    admin, trader = make.PlatformAdminFactory(), home.trader
    db.session.commit()
    assert len(db.session.scalars(notifications.visible_mails(_who(admin)).order_by(Mail.id)).all()) == 2
    assert db.session.scalars(notifications.visible_mails(_who(trader)).order_by(Mail.id)).all() == []


def _who(user: User) -> Principal:
    return of_user(user)


def test_mails_go_out_in_the_language_of_each(posting: House, box: Mailbox) -> None:
    posting.trader.language = Language.CHINESE
    db.session.commit()
    posting.tell()
    posting.send()
    letters = {letter["To"]: letter for letter in map(_letter, box.letters)}
    assert letters[posting.admin.email]["Subject"] == f"[Changdan] The contract is made: {posting.contract.number}"
    assert letters[posting.trader.email]["Subject"] == f"[长单] 合同已订立：{posting.contract.number}"
    assert letters[posting.trader.email]["From"] == "market@example.org"
    assert "请登录平台" in letters[posting.trader.email].get_content()
    assert all(mail.state is MailState.SENT and mail.sent_at == posting.clock.now for mail in mails())
    posting.send()
    assert len(box.letters) == 2


def _letter(text: str) -> email.message.EmailMessage:
    return email.message_from_string(text, policy=email.policy.default)


def test_a_busy_mail_server_is_asked_again_and_an_unknown_address_is_not(posting: House, box: Mailbox) -> None:
    box.busy, box.unknown = True, {posting.trader.email}
    posting.tell()
    posting.send()
    assert [mail.state for mail in mails()] == [MailState.WAITING] * 2
    assert box.letters == []
    box.busy = False
    posting.clock.wait(minutes=1)
    posting.send()
    by_address = {mail.address: mail for mail in mails()}
    assert by_address[posting.admin.email].state is MailState.SENT
    assert by_address[posting.trader.email].state is MailState.FAILED
    assert "no such mailbox" in str(by_address[posting.trader.email].error)


def test_a_mail_server_that_is_away_is_given_up_after_a_day(posting: House, box: Mailbox) -> None:
    box.busy = True
    posting.tell()
    for _ in range(40):
        posting.send()
        posting.clock.wait(hours=1)
    assert {(mail.state, mail.tries) for mail in mails()} == {(MailState.FAILED, 6)}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("imap://host?from=a@b", "expected smtp://"),
        ("smtp://?from=a@b", "names no host"),
        ("smtp://host", "names no sender"),
        ("smtp://me@host?from=a@b", "expected both or neither"),
        ("smtp://host:port?from=a@b", "is no URL"),
    ],
)
def test_a_mail_url_that_cannot_be_read(url: str, why: str) -> None:
    with pytest.raises(MailUrlError, match=why):
        MailServer.parse(url)


def test_a_mail_url() -> None:
    assert MailServer.parse("smtps://me:p%40ss@mail.example.org?from=Market%20<m@example.org>") == MailServer(
        host="mail.example.org", port=465, tls=True, sender="Market <m@example.org>", user="me", password="p@ss"
    )


def test_every_state_that_parties_see_has_a_topic() -> None:
    hidden = {"proposal.proposed", "proposal.under_review", "proposal.withheld", "amendment.draft", "claim.draft"}
    states = {f"{subject}.{state}" for subject in Subject for state in state_names(subject)}
    assert states - hidden <= TOPICS.keys()


def test_topics_speak_both_languages_and_reach_somebody() -> None:
    for topic in TOPICS.values():
        assert topic.text.zh != topic.text.en
        assert not topic.text.en.isascii() or topic.text.en[0].isupper()
    heard = {topic.code for role in UserRole for topic in topics_for(role)}
    assert TOPICS.keys() - heard == {"webhook.test"}
    assert "run.done" not in webhook_topics()


def test_the_time_of_a_notification_is_that_of_what_happened(home: House) -> None:
    home.tell()
    home.clock.wait(hours=1)
    home.send()
    times = db.session.scalars(sa.select(Notification.created_at)).all()
    assert times == [make.NOON, make.NOON]
    assert home.clock.now - times[0] == dt.timedelta(hours=1)


def test_the_worker_carries_it_all_out(home: House, tmp_path: Path) -> None:
    """A real worker process, its own clock, a real receiver: told, fanned out, sent, noted."""
    with receiving() as receiver:
        home.endpoint(receiver.url)
        home.tell()
        environment = {
            **os.environ,
            "DATABASE_URL": db.engine.url.render_as_string(hide_password=False).replace("+psycopg", "", 1),
            "CHANGDAN_ENV": "test",
            "CHANGDAN_DATA": str(tmp_path),
            "CHANGDAN_WEBHOOKS_TO_LOOPBACK": "1",
        }
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "worker"]
        with (tmp_path / "log").open("wb") as log:
            worker = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        try:
            for _ in range(PATIENCE * 10):
                if home.attempts():
                    break
                time.sleep(0.1)
        finally:
            worker.kill()
            worker.wait()
        assert [attempt.status for attempt in home.attempts()] == [200], (tmp_path / "log").read_text()[-2000:]
        assert [json.loads(got.body)["type"] for got in receiver.got] == ["contract.agreed"]
    assert {topic for topic, _ in told(home)} == {"contract.agreed"}
    assert {mail.state for mail in mails()} == {MailState.UNSENT}


def test_the_command_sends_without_a_worker(home: House) -> None:
    with receiving() as receiver:
        home.endpoint(receiver.url)
        home.tell()
        answer = home.app.test_cli_runner().invoke(args=["send"])
        assert answer.output == "1 messages, 0 e-mails, 1 calls of webhooks\n"
        assert len(receiver.got) == 1
        assert home.app.test_cli_runner().invoke(args=["send"]).output.startswith("0 messages")
