"""Limits on requests, counted in the database."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from app import create_app
from app.db import db
from app.rate_limits import PostgresStorage
from app.transaction import Application

from ..conftest import Client, undone


@pytest.fixture
def storage(database_url: str) -> Iterator[PostgresStorage]:
    made = PostgresStorage(database_url)
    yield made
    made.reset()
    made.close()


@pytest.fixture
def limited_app(database_url: str, storage: PostgresStorage) -> Iterator[Application]:
    application = create_app(
        environment="test", database_url=database_url, csrf=False, log_level="CRITICAL", rate_limits=True
    )
    application.test_client_class = Client
    with undone(application):
        yield application
    with application.app_context():
        db.engine.dispose()
    application.extensions["limits"].storage.close()


def test_a_counter_counts_until_its_time_is_over(storage: PostgresStorage) -> None:
    assert storage.check()
    assert [storage.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    assert storage.incr("b", 60, amount=5) == 5
    assert storage.get("a") == 3
    assert storage.get("never") == 0
    assert 55 < storage.get_expiry("a") - time.time() < 65
    storage.clear("a")
    assert storage.get("a") == 0
    assert storage.incr("short", 0) == 1
    assert storage.get("short") == 0, "its time was over at once"
    assert storage.incr("short", 60) == 1, "it begins anew"
    assert storage.reset() == 2


def test_two_processes_share_one_count(storage: PostgresStorage, database_url: str) -> None:
    other = PostgresStorage(database_url)
    storage.incr("shared", 60)
    assert other.incr("shared", 60) == 2
    other.close()


def test_old_counters_are_cleared_away(
    storage: PostgresStorage, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.incr("old", 0)
    monkeypatch.setattr("app.rate_limits.CLEAN_ONE_IN", 1)
    storage.incr("new", 60)
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT key FROM rate_limit").fetchall() == [("new",)]


def test_guessing_passwords_is_slowed_down_by_address(limited_app: Application) -> None:
    client = limited_app.test_client()
    form = {"email": "nobody@example.com", "password": "guess"}
    answers = [client.post("/sign-in", data=form) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    elsewhere = client.post("/sign-in", data=form, environ_base={"REMOTE_ADDR": "203.0.113.7"})
    assert elsewhere.status_code == 401
    assert client.get("/healthz").status_code == 200


def test_too_many_requests_to_the_api_are_a_problem(
    limited_app: Application, storage: PostgresStorage, database_url: str
) -> None:
    client = limited_app.test_client()
    assert client.get("/api/v1/openapi.json").status_code == 200
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        assert connection.execute("UPDATE rate_limit SET hits = 100000").rowcount == 1
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 429
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Retry-After"]
