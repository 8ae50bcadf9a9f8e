"""People sign in with a password: the session, the lock, the trace, and what a forged request gets."""

from __future__ import annotations

import datetime as dt
import importlib.util
import re
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.auth import passwords, sign_in
from app.errors import Refused
from app.models import Language, SignInEvent, SignInOutcome, User
from app.transaction import Application

from ..factories import PASSWORD, UserFactory

NOON = dt.datetime(2027, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def clock_at(app: Application) -> Iterator[Callable[[dt.datetime], None]]:
    """Set the application's clock."""
    usual = app.extensions["clock"]

    def set_clock(now: dt.datetime) -> None:
        app.extensions["clock"] = lambda: now

    yield set_clock
    app.extensions["clock"] = usual


@pytest.fixture
def trader(session: Session) -> User:
    user: User = UserFactory(email="li.wei@example.com", language=Language.CHINESE)
    return user


def submit(
    client: FlaskClient, password: str = PASSWORD, email: str = "li.wei@example.com", **more: str
) -> TestResponse:
    return client.post("/sign-in", data={"email": email, "password": password, **more})


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/").status_code == 200


def outcomes(session: Session) -> list[SignInOutcome]:
    return list(session.scalars(sa.select(SignInEvent.outcome).order_by(SignInEvent.id)))


def test_the_right_password_opens_a_session(client: FlaskClient, session: Session, trader: User) -> None:
    assert client.get("/").location == "/sign-in"
    answer = submit(client)
    assert (answer.status_code, answer.location) == (303, "/")
    assert is_signed_in(client)
    assert outcomes(session) == [SignInOutcome.SIGNED_IN]
    event = session.scalars(sa.select(SignInEvent)).one()
    assert (event.user_id, str(event.remote_address), event.email) == (trader.id, "127.0.0.1", "li.wei@example.com")
    assert trader.last_sign_in_at is not None


def test_the_address_may_be_typed_in_capitals(client: FlaskClient, trader: User) -> None:
    assert submit(client, email=" Li.Wei@Example.COM ").status_code == 303


def test_the_cookie_is_closed_to_scripts_and_other_sites(client: FlaskClient, trader: User) -> None:
    cookie = submit(client).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_the_stored_hash_is_argon2id(trader: User) -> None:
    assert trader.password_hash.startswith("$argon2id$")
    assert PASSWORD not in trader.password_hash


def test_a_hash_takes_the_work_that_rfc_9106_asks_for() -> None:
    """Of the module as an application loads it; the tests' own one does less."""
    found = importlib.util.find_spec("app.auth.passwords")
    assert found is not None
    assert found.loader is not None
    as_loaded = importlib.util.module_from_spec(found)
    found.loader.exec_module(as_loaded)
    made = as_loaded.hash_password(PASSWORD)
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not as_loaded.is_outdated(made)
    assert as_loaded.is_outdated(passwords.hash_password(PASSWORD))


def test_every_failure_looks_the_same_and_leaves_a_trace(client: FlaskClient, session: Session, trader: User) -> None:
    UserFactory(email="gone@example.com", active=False)
    UserFactory(email="locked@example.com", locked_until=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1))
    pages = []
    for email, password in [
        ("li.wei@example.com", "wrong"),
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("locked@example.com", PASSWORD),
    ]:
        answer = submit(client, password, email)
        assert answer.status_code == 401
        pages.append(re.sub(r'(nonce|csrf_token"[^>]*value)="[^"]*"', "", answer.text.replace(email, "")))
    assert len(set(pages)) == 1
    assert outcomes(session) == [
        SignInOutcome.WRONG_PASSWORD,
        SignInOutcome.UNKNOWN_EMAIL,
        SignInOutcome.INACTIVE,
        SignInOutcome.LOCKED,
    ]


def test_an_unknown_account_costs_a_verification_too(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time is what tells accounts apart; the work that takes the time is counted here, since clocks are noisy."""
    checked: list[str] = []
    real = passwords.verify

    def counted(stored: str, password: str) -> bool:
        checked.append(stored)
        return real(stored, password)

    monkeypatch.setattr(passwords, "verify", counted)
    submit(client, email="nobody@example.com")
    assert len(checked) == 1
    assert checked[0].startswith("$argon2id$")


def test_an_inactive_firm_closes_the_door_for_its_people(client: FlaskClient, session: Session, trader: User) -> None:
    submit(client)
    assert trader.firm
    trader.firm.active = False
    assert not is_signed_in(client)
    assert submit(client).status_code == 401


def test_five_failures_lock_and_further_ones_double_the_time(
    client: FlaskClient, session: Session, trader: User, clock_at: Callable[[dt.datetime], None]
) -> None:
    clock_at(NOON)
    for _ in range(4):
        submit(client, "wrong")
    assert trader.locked_until is None
    submit(client, "wrong")
    assert trader.locked_until == NOON + dt.timedelta(minutes=15)
    assert submit(client).status_code == 401
    clock_at(later := NOON + dt.timedelta(minutes=15))
    submit(client, "wrong")
    assert trader.locked_until == later + dt.timedelta(minutes=30)
    clock_at(later + dt.timedelta(minutes=31))
    assert submit(client).status_code == 303
    assert (trader.failed_attempts, trader.locked_until) == (0, None)


def test_no_lock_is_longer_than_a_day(
    client: FlaskClient, session: Session, trader: User, clock_at: Callable[[dt.datetime], None]
) -> None:
    clock_at(NOON)
    trader.failed_attempts = 5000
    submit(client, "wrong")
    assert trader.locked_until == NOON + dt.timedelta(hours=24)


@pytest.mark.parametrize(("pause", "stays"), [(dt.timedelta(minutes=29), True), (dt.timedelta(minutes=31), False)])
def test_an_idle_session_ends(
    client: FlaskClient, trader: User, clock_at: Callable[[dt.datetime], None], pause: dt.timedelta, stays: bool
) -> None:
    clock_at(NOON)
    submit(client)
    clock_at(NOON + pause)
    assert is_signed_in(client) is stays


def test_a_busy_session_ends_after_twelve_hours(
    client: FlaskClient, trader: User, clock_at: Callable[[dt.datetime], None]
) -> None:
    clock_at(NOON)
    submit(client)
    for minutes in range(20, 12 * 60 + 1, 20):
        clock_at(NOON + dt.timedelta(minutes=minutes))
        assert is_signed_in(client)
    clock_at(NOON + dt.timedelta(minutes=12 * 60 + 1))
    assert not is_signed_in(client)


def test_a_session_stays_with_its_browser(client: FlaskClient, trader: User) -> None:
    submit(client)
    assert client.get("/", headers={"User-Agent": "another"}).status_code == 302


def test_signing_out_ends_the_session_and_is_on_record(client: FlaskClient, session: Session, trader: User) -> None:
    submit(client)
    assert client.post("/sign-out").status_code == 303
    assert not is_signed_in(client)
    assert outcomes(session) == [SignInOutcome.SIGNED_IN, SignInOutcome.SIGNED_OUT]


def test_signing_out_everywhere_ends_the_other_sessions(app: Application, client: FlaskClient, trader: User) -> None:
    other = app.test_client()
    submit(client)
    submit(other)
    client.post("/sign-out")
    assert is_signed_in(other)
    submit(client)
    client.post("/sign-out", data={"everywhere": "1"})
    assert not is_signed_in(other)


def test_a_new_password_ends_all_sessions(client: FlaskClient, session: Session, trader: User) -> None:
    submit(client)
    sign_in.set_password(trader, "a quite different passphrase", now=NOON)
    session.flush()
    assert not is_signed_in(client)
    assert submit(client).status_code == 401
    assert submit(client, "a quite different passphrase").status_code == 303


def test_what_was_in_the_cookie_before_does_not_survive(client: FlaskClient, trader: User) -> None:
    with client.session_transaction() as cookie:
        cookie["planted"] = "by somebody"
    submit(client)
    with client.session_transaction() as cookie:
        assert "planted" not in cookie


@pytest.mark.parametrize(
    ("target", "goes_to"),
    [
        ("/offers?page=2", "/offers?page=2"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("///evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/%09/evil", "/%09/evil"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_after_signing_in_the_browser_stays_on_this_site(
    client: FlaskClient, trader: User, target: str, goes_to: str
) -> None:
    assert submit(client, next=target).location == goes_to


def test_a_forged_form_is_refused(
    app: Application, client: FlaskClient, trader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    assert submit(client).status_code == 400
    page = client.get("/sign-in").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.partition("<main")[2])
    assert token
    assert submit(client, csrf_token=token[1]).status_code == 303
    assert client.post("/sign-out").status_code == 400
    assert is_signed_in(client)


def test_pages_are_chinese_unless_english_is_chosen(client: FlaskClient, session: Session, trader: User) -> None:
    assert '<html lang="zh-CN">' in client.get("/sign-in").text
    assert '<html lang="en">' in client.get("/sign-in", headers={"Accept-Language": "en-GB"}).text
    client.post("/language", data={"language": "en"})
    assert '<html lang="en">' in client.get("/sign-in").text
    submit(client)
    assert '<html lang="zh-CN">' in client.get("/").text  # what the person has chosen counts more
    client.post("/language", data={"language": "en"})
    assert trader.language is Language.ENGLISH
    client.post("/language", data={"language": "klingon"})
    assert trader.language is Language.ENGLISH


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        ("short", "has 5 characters; expected 12 to 128"),
        ("x" * 129, "has 129 characters"),
        ("aaaaaabbbbbb", "2 different characters"),
        ("password1234", "easy to guess"),
        ("qwerty123456", "easy to guess"),
        ("li.wei123456", "easy to guess"),
    ],
)
def test_a_weak_password_is_refused(password: str, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        passwords.check_new_password(password, email="li.wei@example.com")


@pytest.mark.parametrize("password", [PASSWORD, "磷酸铁锂正极材料采购合同专用章", "k3Vq!x9Lm_2Rw"])
def test_a_good_password_is_taken(password: str) -> None:
    passwords.check_new_password(password, email="li.wei@example.com")
