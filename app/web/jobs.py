"""The queue of jobs: what waits, works and failed; a failed one is started again, a waiting one taken out."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict, Forbidden
from app.jobs import board
from app.jobs.queue import CLEAR, take_out
from app.operations import jobs_overview, runs
from app.operations.jobs_overview import PRESENT, Job, JobState
from app.permissions import Permission
from app.web.formats import language
from app.web.paging import here
from app.web.texts import _

blueprint = Blueprint("jobs", __name__)


@blueprint.get("/console/jobs")
@requires(Permission.JOB_READ)
def listing() -> ResponseReturnValue:
    """What waits, works and failed; what is done or cancelled if it is asked for."""
    asked = request.args.get("state")
    states = (JobState(asked),) if asked in set(JobState) else PRESENT
    found = jobs_overview.jobs_of(
        session(), principal=principal(), states=states, before=request.args.get("before", type=int)
    )
    return render_template(
        "jobs.html",
        jobs=found.jobs,
        next=None if found.before is None else here(before=str(found.before)),
        counts=jobs_overview.counts(session(), principal=principal()),
        workers=jobs_overview.workers_alive(session(), now=clock()),
        failed_runs=jobs_overview.failed_runs(session(), principal=principal(), now=clock()),
        states=list(JobState),
        link_of=link_of,
    )


@blueprint.post("/console/jobs/<int:job_id>/<any(retry, cancel):move>")
@requires(Permission.JOB_MANAGE)
def move(job_id: int, move: str) -> ResponseReturnValue:
    """Start a failed job again, or take a waiting one out."""
    try:
        with session().begin_nested():
            if move == "retry":
                board.retry(session(), principal=principal(), job_id=job_id)
            else:
                board.cancel(session(), principal=principal(), job_id=job_id, now=clock())
    except (Conflict, Forbidden) as refusal:
        flash(refusal.text.in_language(language()), "warning")
    else:
        flash(_("The job waits again.") if move == "retry" else _("The job is taken out of the queue."), "success")
    return redirect(url_for("jobs.listing"), 303)


@blueprint.post("/console/runs/<uuid:run_id>/cancel")
@requires(Permission.RUN_START)
def cancel_run(run_id: uuid.UUID) -> ResponseReturnValue:
    """Take back a run that still waits."""
    try:
        with session().begin_nested():
            runs.cancel(session(), principal=principal(), run_id=run_id, now=clock())
            take_out(session(), task=CLEAR, argument="run_id", value=run_id)
    except Conflict as refusal:
        flash(refusal.text.in_language(language()), "warning")
    else:
        flash(_("The run is cancelled. Nothing of the round has changed."), "success")
    return redirect(url_for("runs.show", run_id=run_id), 303)


def link_of(job: Job) -> str | None:
    """The page of what a job is about, where it has one that staff may see."""
    if (run_id := job.about.get("run_id")) is not None:
        return url_for("runs.show", run_id=run_id)
    if (what_if_id := job.about.get("what_if_id")) is not None and principal().may(Permission.WHAT_IF_RUN):
        return url_for("what_if.show", what_if_id=what_if_id)
    return None
