"""The queue, its worker, and what is left when a worker is killed: real processes on a database of their own."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.clock import clock
from app.config import PROJECT
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs import night
from app.jobs.queue import enqueue_clearing, queue_due, requeue_forgotten
from app.jobs.transactions import only_one
from app.models import (
    Bundle,
    Event,
    Proposal,
    Reservation,
    RoundKind,
    RoundState,
    Run,
    RunResult,
    RunState,
    ShadowPrice,
)
from app.operations import runs
from app.transaction import Application
from tests import factories as make

from .night_market import Town, count, reserved, standing_application

PATIENCE = 90  # seconds
WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@dataclass(slots=True)
class Works:
    """A database of its own, the application on it, and worker processes that are started and killed."""

    app: Application
    url: str
    folder: Path

    @property
    def address(self) -> str:
        """The database as its own tools name it."""
        return self.url.replace("+psycopg", "", 1)

    def command(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`flask ARGUMENTS` as a process of its own."""
        environment = {
            **os.environ,
            "DATABASE_URL": self.address,
            "CHANGDAN_ENV": "test",
            "CHANGDAN_DATA": str(self.folder),
        }
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
                cwd=PROJECT,
                env=environment,
                stdout=log,
                stderr=log,
            )

    @contextlib.contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        process = self.command("worker", "--heartbeat", "0.5")
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until a condition holds in the database."""
        for _ in range(PATIENCE * 10):
            db.session.rollback()
            db.session.expire_all()
            if condition():
                return
            time.sleep(0.1)
        pytest.fail(f"{what} did not happen; the worker says: {(self.folder / 'worker.log').read_text()[-3000:]}")


@pytest.fixture
def works(app: Application, postgres: EmbeddedPostgres, worker_name: str, tmp_path: Path) -> Iterator[Works]:
    with standing_application(app, postgres, worker_name):
        yield Works(app=app, url=db.engine.url.render_as_string(hide_password=False), folder=tmp_path)


@pytest.fixture
def town(works: Works) -> Town:
    """A market in which a clearing has something to do: 30 sellers and 30 buyers at 60 different prices."""
    town = Town()
    for at in range(30):
        town.sells(price=60 + at, quantity=10 + at % 7)
        town.buys(price=70 + at, quantity=10 + at % 5)
    db.session.commit()
    return town


def queued(town: Town) -> Run:
    run = runs.open_run(db.session(), principal=SYSTEM, round_code=town.round.code, now=clock())
    assert enqueue_clearing(db.session(), run_id=run.id, round_id=run.round_id)
    db.session.commit()
    return run


@contextlib.contextmanager
def held_before_lots(works: Works) -> Iterator[None]:
    """Whoever would note that a run has whole lots waits until the end, however fast the machine is."""
    with psycopg.connect(works.address, autocommit=True) as other:
        other.execute(
            """
            CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END'
            """
        )
        other.execute(
            """
            CREATE TRIGGER hold BEFORE UPDATE ON run FOR EACH ROW
            WHEN (NEW.phase = 'lots') EXECUTE FUNCTION hold()
            """
        )
        other.execute("SELECT pg_advisory_lock(1)")
        try:
            yield
        finally:
            other.execute("SELECT pg_advisory_unlock(1)")
            db.session.rollback()
            other.execute("DROP FUNCTION hold CASCADE")


def nothing_written() -> bool:
    tables = (Proposal, Bundle, Reservation, RunResult, ShadowPrice)
    return not any(count(table) for table in tables) and reserved() == 0


def whole(run: Run) -> None:
    """A finished run has left each thing once: what is held is what is proposed, every offer has its result."""
    assert run.state is RunState.DONE, run.error
    proposals = db.session.scalars(sa.select(Proposal)).all()
    assert {proposal.run_id for proposal in proposals} == {run.id}
    assert run.headline is not None
    assert len(proposals) == run.headline["contracts"] > 0
    assert reserved() == sum(2 * 4 * proposal.rate for proposal in proposals)
    assert count(Reservation, Reservation.released_at.is_not(None)) == 0
    assert count(RunResult) == 60
    assert count(Event, Event.name == "proposal.propose") == len(proposals)


def test_a_worker_killed_while_it_writes_leaves_nothing_and_the_next_one_all(works: Works, town: Town) -> None:
    run = queued(town)
    with psycopg.connect(works.address) as other:
        # Somebody holds rows that the last transaction needs: proposals are copied, their reservations wait.
        other.execute("SELECT FROM offer_period FOR UPDATE")
        with works.worker():
            works.until(lambda: db.session.scalar(WAITING), "the wait for the rows")
            assert run.state is RunState.RUNNING
            assert run.phase == "writing"
        assert nothing_written()
    works.until(lambda: not db.session.scalar(WAITING), "the end of the dead worker's transaction")
    db.session.refresh(run)
    assert nothing_written()
    assert (run.state, run.attempt) == (RunState.RUNNING, 1)
    with works.worker():
        works.until(lambda: run.state not in runs.OPEN, "the end of the run")
    whole(run)
    assert run.attempt == 2


def test_a_worker_killed_while_it_solves(works: Works, town: Town) -> None:
    run = queued(town)
    with held_before_lots(works):
        with works.worker():
            works.until(lambda: db.session.scalar(WAITING), "the work of the solver")
            assert run.phase == "fairness"
        db.session.rollback()
        assert nothing_written()
    with works.worker():
        works.until(lambda: run.state not in runs.OPEN, "the end of the run")
    whole(run)
    assert run.attempt == 2


def test_a_run_that_kills_its_worker_every_time_is_given_up(works: Works, town: Town) -> None:
    run = queued(town)
    run.attempt = runs.MOST_ATTEMPTS
    db.session.commit()
    assert night.clear_run(run.id, clock=clock) is RunState.FAILED
    db.session.refresh(run)
    assert run.error is not None
    assert "given up" in run.error


def test_a_command_killed_at_its_run_is_followed_by_the_queue(works: Works, town: Town) -> None:
    code = town.round.code
    with held_before_lots(works):
        process = works.command("match", "run", "--round", code)
        works.until(lambda: db.session.scalar(WAITING), "the work of the solver")
        process.send_signal(signal.SIGKILL)
        process.wait()
    db.session.rollback()
    run = db.session.scalars(sa.select(Run)).one()
    assert run.state in runs.OPEN
    assert requeue_forgotten(db.session()) == 1
    assert requeue_forgotten(db.session()) == 0
    db.session.commit()
    with works.worker():
        works.until(lambda: run.state not in runs.OPEN, "the end of the run")
    whole(run)


def test_the_commands_clear_here_and_now(works: Works, town: Town) -> None:
    runner = works.app.test_cli_runner()
    done = runner.invoke(args=["match", "run", "--round", town.round.code])
    assert done.exit_code == 0, done.output
    assert f"round {town.round.code}:" in done.output
    assert "clearing" in done.output
    missing = runner.invoke(args=["match", "run", "--round", "nowhere"])
    assert missing.exit_code == 1
    assert "no round has the code 'nowhere'" in missing.output
    night = runner.invoke(args=["run-night"])
    assert night.exit_code == 0, night.output
    assert "expired: 0 offers, 0 proposals" in night.output
    db.session.rollback()
    assert count(Run, Run.state == RunState.DONE) == 2


def test_two_processes_never_clear_one_run(works: Works, town: Town) -> None:
    run = queued(town)
    with only_one("run", run.id) as alone:
        assert alone
        busy = works.app.test_cli_runner().invoke(args=["match", "run", "--round", town.round.code])
    assert busy.exit_code == 1
    assert "another process" in busy.output
    db.session.refresh(run)
    assert (run.state, run.attempt) == (RunState.QUEUED, 0)


def test_the_queue_takes_a_run_once_and_only_with_its_transaction(session: Session) -> None:
    run = make.RunFactory(queued=True)
    assert enqueue_clearing(session, run_id=run.id, round_id=run.round_id)
    assert not enqueue_clearing(session, run_id=run.id, round_id=run.round_id)
    jobs = sa.text("SELECT lock, queueing_lock, args->>'run_id' FROM procrastinate_jobs")
    assert [tuple(row) for row in session.execute(jobs)] == [
        (f"round:{run.round_id}", f"run:{run.id}", str(run.id)),
    ]
    session.rollback()
    assert session.execute(jobs).all() == []


def test_due_are_open_nightly_rounds_and_docking_rounds_once_they_have_closed(session: Session) -> None:
    def named(code: str, **terms: Any) -> None:
        make.RoundFactory(code=code, **terms)

    day = dt.timedelta(days=1)
    named("open")
    named("draft", state=RoundState.DRAFT)
    named("closed", state=RoundState.CLOSED)
    named("tomorrow", opens_at=make.NOON + day)
    named("docking", kind=RoundKind.DOCKING)
    named("docked", kind=RoundKind.DOCKING, closes_at=make.NOON - day)
    session.flush()
    assert runs.due_rounds(session, kind=RoundKind.NIGHTLY, now=make.NOON) == ["open"]
    assert queue_due(session, kind=RoundKind.DOCKING, now=make.NOON) == ["docked"]
    assert queue_due(session, kind=RoundKind.DOCKING, now=make.NOON) == []
    run = session.scalars(sa.select(Run)).one()
    run.state, run.finished_at, run.error = RunState.FAILED, make.NOON, "a reason"
    session.flush()
    assert queue_due(session, kind=RoundKind.DOCKING, now=make.NOON) == [], "once is enough; staff may run it again"
