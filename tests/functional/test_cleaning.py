"""The daily job deletes what is older than it is kept, and nothing else; the database guards the traces' least age."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from app.clock import utc_now
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs import cleaning
from app.jobs.tasks import tasks
from app.models import IdempotencyKey, SignInEvent, SignInOutcome
from app.models.people import RequestState
from app.transaction import Application

from .night_market import standing_application
from .refusals import violates

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def answer(key: str, at: dt.datetime) -> None:
    db.session.add(
        IdempotencyKey(
            principal="user:1", key=key, request_hash="h", state=RequestState.DONE, status=201, created_at=at
        )
    )


def trace(email: str, at: dt.datetime) -> None:
    db.session.add(SignInEvent(at=at, email=email, outcome=SignInOutcome.UNKNOWN_EMAIL))


def test_what_is_old_goes_and_the_rest_stays(own_app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "AT_ONCE", 2)
    now = utc_now()
    for number in range(5):
        answer(f"old {number}", now - 7 * DAY - SECOND)
        trace(f"old {number}", now - 365 * DAY - SECOND)
    answer("new", now - 7 * DAY + SECOND)
    trace("new", now - 365 * DAY + SECOND)
    db.session.commit()
    assert cleaning.clean(now=now) == {"answers": 5, "traces": 5}
    assert cleaning.clean(now=now) == {"answers": 0, "traces": 0}
    assert db.session.scalars(sa.select(IdempotencyKey.key)).all() == ["new"]
    assert db.session.scalars(sa.select(SignInEvent.email)).all() == ["new"]


@pytest.mark.parametrize(("days", "kept"), [(179, True), (181, False)])
def test_the_database_keeps_traces_of_half_a_year(own_app: Application, days: int, kept: bool) -> None:
    trace("somebody", utc_now() - days * DAY)
    db.session.commit()
    delete = sa.delete(SignInEvent)
    if kept:
        with violates("sign_in_event_append_only"):
            db.session.execute(delete)
        db.session.rollback()
    else:
        db.session.execute(delete)
    assert len(db.session.scalars(sa.select(SignInEvent)).all()) == kept


def test_the_job_comes_every_day() -> None:
    (cron,) = [task.cron for task in tasks.periodic_registry.periodic_tasks.values() if task.task.name == "cleaning"]
    assert cron == "0 20 * * *"
