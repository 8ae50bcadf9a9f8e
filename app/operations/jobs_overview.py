"""What the queue holds, for those who look after the platform: what waits, what is being done, what failed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import NotFound
from app.models import Run, RunState
from app.operations import runs
from app.permissions import Permission

JOBS = sa.table(
    "procrastinate_jobs",
    sa.column("id", sa.BigInteger),
    sa.column("queue_name", sa.Text),
    sa.column("task_name", sa.Text),
    sa.column("args", JSONB),
    sa.column("status"),
    sa.column("scheduled_at", sa.DateTime(timezone=True)),
    sa.column("attempts", sa.Integer),
)
EVENTS = sa.table(
    "procrastinate_events", sa.column("job_id", sa.BigInteger), sa.column("at", sa.DateTime(timezone=True))
)
WORKERS = sa.table("procrastinate_workers", sa.column("last_heartbeat", sa.DateTime(timezone=True)))
STATUS = sa.cast(JOBS.c.status, sa.Text)
PAGE = 50
ALIVE = dt.timedelta(minutes=1)  # workers tell of themselves every ten seconds
RECENT = dt.timedelta(days=7)


class JobState(StrEnum):
    """A job's state in our words."""

    WAITING = "waiting"
    DOING = "doing"
    FAILED = "failed"
    DONE = "done"
    CANCELLED = "cancelled"


STATUSES: Mapping[JobState, tuple[str, ...]] = {
    JobState.WAITING: ("todo",),
    JobState.DOING: ("doing", "aborting"),
    JobState.FAILED: ("failed", "aborted"),
    JobState.DONE: ("succeeded",),
    JobState.CANCELLED: ("cancelled",),
}
IN_OUR_WORDS = {status: state for state, statuses in STATUSES.items() for status in statuses}
PRESENT = (JobState.WAITING, JobState.DOING, JobState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. `task` is its name without our prefix, `about` what it was given, `at` when it last changed."""

    id: int
    task: str
    queue: str
    state: JobState
    attempts: int
    about: Mapping[str, Any]
    scheduled_at: dt.datetime | None
    at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Some jobs, the newest first; `before` is the number after which the next page goes on, None at the end."""

    jobs: Sequence[Job]
    before: int | None


def jobs_of(
    session: Session,
    *,
    principal: Principal,
    states: Sequence[JobState] = PRESENT,
    before: int | None = None,
    size: int = PAGE,
) -> JobPage:
    """The jobs in some states, newest first, from those below a number on; nobody's without the permission."""
    if not principal.may(Permission.JOB_READ):
        return JobPage(jobs=(), before=None)
    wanted = [status for state in states for status in STATUSES[state]]
    query = _select().where(sa.or_(*(JOBS.c.status == sa.text(f"'{status}'") for status in wanted)))
    if before is not None:
        query = query.where(JOBS.c.id < before)
    rows = session.execute(query.order_by(JOBS.c.id.desc()).limit(size + 1)).all()
    return JobPage(jobs=[_job(row) for row in rows[:size]], before=rows[size - 1].id if len(rows) > size else None)


def find_job(session: Session, *, principal: Principal, job_id: int) -> Job:
    """:raises NotFound: there is no such job for the asker."""
    row = session.execute(_select().where(JOBS.c.id == job_id)).one_or_none()
    if row is None or not principal.may(Permission.JOB_READ):
        raise NotFound("no such job")
    return _job(row)


def counts(session: Session, *, principal: Principal) -> Mapping[JobState, int]:
    """How many jobs wait, are being done and have failed."""
    found = dict.fromkeys(PRESENT, 0)
    if principal.may(Permission.JOB_READ):
        for state in PRESENT:
            where = sa.or_(*(JOBS.c.status == sa.text(f"'{status}'") for status in STATUSES[state]))
            found[state] = session.scalar(sa.select(sa.func.count()).select_from(JOBS).where(where)) or 0
    return found


def workers_alive(session: Session, *, now: dt.datetime) -> int:
    """Workers that told of themselves in the last minute."""
    query = sa.select(sa.func.count()).select_from(WORKERS).where(WORKERS.c.last_heartbeat > now - ALIVE)
    return session.scalar(query) or 0


def failed_runs(session: Session, *, principal: Principal, now: dt.datetime) -> Sequence[Run]:
    """Runs of the last week that ended without an answer: their jobs are done all the same."""
    query = runs.visible_runs(principal).where(Run.state == RunState.FAILED, Run.created_at > now - RECENT)
    return session.scalars(query.order_by(Run.created_at.desc(), Run.id).limit(PAGE)).all()


def _select() -> sa.Select[Any]:
    last = sa.select(sa.func.max(EVENTS.c.at)).where(EVENTS.c.job_id == JOBS.c.id).scalar_subquery()
    return sa.select(
        JOBS.c.id,
        JOBS.c.queue_name,
        JOBS.c.task_name,
        JOBS.c.args,
        STATUS.label("status"),
        JOBS.c.scheduled_at,
        JOBS.c.attempts,
        last.label("at"),
    )


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        task=row.task_name.rpartition(":")[2],
        queue=row.queue_name,
        state=IN_OUR_WORDS[row.status],
        attempts=row.attempts,
        about=row.args,
        scheduled_at=row.scheduled_at,
        at=row.at,
    )
