"""What people may do to the queue: take a waiting job out, start a failed one again."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict
from app.jobs.queue import CLEAR, IMPORT, NAMESPACE, WHAT_IF, cancel_job, retry_job
from app.operations import jobs_overview, offer_import_job, runs
from app.operations.jobs_overview import Job, JobState
from contracts.wording import Text


def cancel(session: Session, *, principal: Principal, job_id: int, now: dt.datetime) -> Job:
    """Take a waiting job out of the queue, with the run or the file that it was for.

    :raises NotFound: there is no such job.
    :raises Forbidden: it is a run's, and the asker may not take runs back.
    :raises Conflict: it does not wait, or it is a question's, which has no end without an answer.
    """
    job = jobs_overview.find_job(session, principal=principal, job_id=job_id)
    name = f"{NAMESPACE}:{job.task}"
    if job.state is not JobState.WAITING:
        raise Conflict(
            Text("该任务不在等待中，无法取消", f"the job is {job.state}; expected one that waits"),
            open_moves=("retry",) if job.state is JobState.FAILED else (),
        )
    if name == WHAT_IF:
        raise Conflict(Text("假设分析没有取消的状态；请等其完成", "a question has no cancelled state; let it end"))
    if name == CLEAR:
        runs.cancel(session, principal=principal, run_id=uuid.UUID(job.about["run_id"]), now=now)
    if name == IMPORT:
        offer_import_job.give_up(session, import_id=uuid.UUID(job.about["import_id"]), now=now)
    if not cancel_job(session, job_id=job_id):
        raise Conflict(Text("该任务刚刚开始，无法取消", "the job has just begun; expected one that waits"))
    return jobs_overview.find_job(session, principal=principal, job_id=job_id)


def retry(session: Session, *, principal: Principal, job_id: int) -> Job:
    """Queue a failed job again.

    :raises NotFound: there is no such job.
    :raises Conflict: it has not failed, or one that does the same waits.
    """
    jobs_overview.find_job(session, principal=principal, job_id=job_id)
    if not retry_job(session, job_id=job_id):
        raise Conflict(
            Text("该任务没有失败，或相同任务已在等待", "the job has not failed, or one that does the same waits")
        )
    return jobs_overview.find_job(session, principal=principal, job_id=job_id)
