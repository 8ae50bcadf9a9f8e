"""Putting jobs into the queue, in the transaction of whoever asks: the job exists if, and only if, that commits."""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from procrastinate import SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.manager import JobManager
from procrastinate.tasks import configure_task
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.auth import SYSTEM
from app.logs import log
from app.models import OfferImport, RoundKind, Run, WhatIf
from app.operations import offer_import_job, runs, what_if

NAMESPACE = "changdan"
CLEAR = f"{NAMESPACE}:clear"
WEBHOOKS = f"{NAMESPACE}:webhooks"
WHAT_IF = f"{NAMESPACE}:what_if"
IMPORT = f"{NAMESPACE}:offer_import"
# The queues: clearings, the short jobs that must not wait for them, and calls that wait for others' machines.
SOLVING, KEEPING, SENDING = "solving", "keeping", "sending"
JOBS = sa.table(
    "procrastinate_jobs",
    sa.column("id", sa.BigInteger),
    sa.column("task_name", sa.Text),
    sa.column("args", JSONB),
    sa.column("status"),
)
# A manager of its own: inside a worker the queue's connector is asynchronous and takes no connection of ours.
_manager = JobManager(SyncPsycopgConnector())


def enqueue_clearing(session: Session, *, run_id: uuid.UUID, round_id: uuid.UUID) -> bool:
    """Queue the clearing of a run, one at a time per round; False if that run waits in the queue already."""
    return _enqueue(
        session, CLEAR, queue=SOLVING, lock=f"round:{round_id}", only=f"run:{run_id}", arguments={"run_id": str(run_id)}
    )


def enqueue_what_if(session: Session, *, what_if_id: uuid.UUID) -> bool:
    """Queue a question, one at a time of all, so that a night's clearing finds a free worker; False if it waits."""
    return _enqueue(
        session,
        WHAT_IF,
        queue=SOLVING,
        lock="what_if",
        only=f"what_if:{what_if_id}",
        arguments={"what_if_id": str(what_if_id)},
    )


def enqueue_import(session: Session, *, import_id: uuid.UUID) -> bool:
    """Queue a file of offers, one at a time of all, so that others find a free worker; False if it waits."""
    return _enqueue(
        session,
        IMPORT,
        queue=SOLVING,
        lock="offer_import",
        only=f"offer_import:{import_id}",
        arguments={"import_id": str(import_id)},
    )


def enqueue_webhooks(session: Session, *, endpoint_id: uuid.UUID) -> bool:
    """Queue the sending of what is due to an endpoint, one at a time; False if that waits in the queue already."""
    name = f"webhooks:{endpoint_id}"
    return _enqueue(session, WEBHOOKS, queue=SENDING, lock=name, only=name, arguments={"endpoint_id": str(endpoint_id)})


def _enqueue(session: Session, task: str, *, queue: str, lock: str, only: str, arguments: dict[str, str]) -> bool:
    """Queue a job unless one with the same `only` waits; of those with the same `lock` one is done at a time."""
    session.flush()
    try:
        # The raw connection is taken inside: a savepoint is sent with the first statement only.
        with session.begin_nested():
            deferrer = configure_task(
                name=task,
                job_manager=_manager,
                queue=queue,
                lock=lock,
                queueing_lock=only,
                connection=session.connection().connection.driver_connection,
            )
            deferrer.defer(**arguments)
    except AlreadyEnqueued:
        return False
    return True


def take_out(session: Session, *, task: str, argument: str, value: uuid.UUID) -> int:
    """Cancel the waiting jobs of a task about one thing; returns how many there were."""
    query = sa.select(JOBS.c.id).where(
        JOBS.c.task_name == task,
        JOBS.c.args[argument].astext == str(value),
        sa.cast(JOBS.c.status, sa.Text) == "todo",
    )
    found = session.scalars(query.order_by(JOBS.c.id)).all()
    return sum(cancel_job(session, job_id=job_id) for job_id in found)


def cancel_job(session: Session, *, job_id: int) -> bool:
    """Take a waiting job out of the queue; False if it does not wait (any more)."""
    gone = session.scalar(sa.select(sa.func.procrastinate_cancel_job_v1(job_id, sa.false(), sa.false())))
    return gone is not None


def retry_job(session: Session, *, job_id: int) -> bool:
    """Queue a failed job again, under its number; False if it has not failed, or the same work waits already.

    The queue's own function would also take a job out of the hands of a worker, so what failed is asked for first.
    """
    failed = sa.select(JOBS.c.id).where(JOBS.c.id == job_id, sa.cast(JOBS.c.status, sa.Text) == "failed")
    if session.scalar(failed.with_for_update()) is None:
        return False
    try:
        with session.begin_nested():
            call = sa.func.procrastinate_retry_job_v2(job_id, sa.func.now(), sa.null(), sa.null(), sa.null())
            session.execute(sa.select(call))
    except sa.exc.IntegrityError:  # its queueing lock: one that does the same waits
        return False
    return True


def queue_due(session: Session, *, kind: RoundKind, now: dt.datetime) -> list[str]:
    """Open and queue a run for each round of a kind that is due; returns the rounds' codes."""
    codes = runs.due_rounds(session, kind=kind, now=now)
    for code in codes:
        run = runs.open_run(session, principal=SYSTEM, round_code=code, now=now)
        enqueue_clearing(session, run_id=run.id, round_id=run.round_id)
        log.info("run_queued", run=run.id, round=code)
    return codes


def requeue_forgotten(session: Session) -> int:
    """Queue the open runs, questions and files for which no job waits or works; returns how many."""
    query = sa.select(Run.id, Run.round_id).where(Run.state.in_(runs.OPEN), ~_has_job(CLEAR, "run_id", Run.id))
    found = session.execute(query.order_by(Run.id)).all()
    for run_id, round_id in found:
        enqueue_clearing(session, run_id=run_id, round_id=round_id)
        log.warning("run_requeued", run=run_id)
    asked = sa.select(WhatIf.id).where(WhatIf.state.in_(what_if.OPEN), ~_has_job(WHAT_IF, "what_if_id", WhatIf.id))
    questions = session.scalars(asked.order_by(WhatIf.id)).all()
    for what_if_id in questions:
        enqueue_what_if(session, what_if_id=what_if_id)
        log.warning("what_if_requeued", what_if=what_if_id)
    sent = sa.select(OfferImport.id).where(
        OfferImport.state.in_(offer_import_job.OPEN), ~_has_job(IMPORT, "import_id", OfferImport.id)
    )
    files = session.scalars(sent.order_by(OfferImport.id)).all()
    for import_id in files:
        enqueue_import(session, import_id=import_id)
        log.warning("offer_import_requeued", offer_import=import_id)
    return len(found) + len(questions) + len(files)


def _has_job(task: str, argument: str, key: InstrumentedAttribute[uuid.UUID]) -> sa.Exists:
    """Whether a job of a task waits for or works at a row."""
    return sa.exists().where(
        JOBS.c.task_name == task,
        JOBS.c.args[argument].astext == sa.cast(key, sa.Text),
        sa.cast(JOBS.c.status, sa.Text).in_(("todo", "doing")),
    )
