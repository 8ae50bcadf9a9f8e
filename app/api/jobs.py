"""The queue of jobs, for those who look after the platform."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import Timestamp
from app.api.refusals import refuses
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.jobs import board
from app.operations import jobs_overview
from app.operations.jobs_overview import PRESENT, Job, JobPage, JobState
from app.permissions import Permission

blueprint = ApiBlueprint("jobs", __name__, path="/jobs", description="The queue of jobs")
LARGEST_NUMBER = 2**63 - 1


class JobSchema(ma.Schema):
    """One job: its task, what it was given, and how it stands."""

    id = ma.fields.Integer(required=True)
    task = ma.fields.String(required=True)
    queue = ma.fields.String(required=True)
    state = ma.fields.Enum(JobState, by_value=True, required=True)
    attempts = ma.fields.Integer(required=True)
    about = ma.fields.Dict(required=True)
    scheduled_at = Timestamp(required=True, allow_none=True)
    at = Timestamp(required=True, allow_none=True, metadata={"description": "When it last changed"})


class JobPageSchema(ma.Schema):
    """Some jobs, newest first."""

    jobs = ma.fields.List(ma.fields.Nested(JobSchema), required=True)
    before = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "Ask for the next page with this; null at the end"}
    )


class JobArguments(ma.Schema):
    """Which jobs."""

    state = ma.fields.Enum(JobState, by_value=True, load_default=None)
    before = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, LARGEST_NUMBER))


@blueprint.get("")
@requires(Permission.JOB_READ)
@blueprint.arguments(JobArguments, location="query")
@blueprint.response(200, JobPageSchema)
def list_jobs(arguments: dict[str, Any]) -> JobPage:
    """What waits, works and failed; other states if asked for."""
    states = PRESENT if arguments["state"] is None else (arguments["state"],)
    return jobs_overview.jobs_of(session(), principal=principal(), states=states, before=arguments["before"])


@blueprint.post("/<int:job_id>/retry")
@requires(Permission.JOB_MANAGE)
@refuses(blueprint, 404, 409)
@blueprint.response(200, JobSchema)
def retry_job(job_id: int) -> Job:
    """Queue a failed job again."""
    return board.retry(session(), principal=principal(), job_id=job_id)


@blueprint.post("/<int:job_id>/cancel")
@requires(Permission.JOB_MANAGE)
@refuses(blueprint, 404, 409)
@blueprint.response(200, JobSchema)
def cancel_job(job_id: int) -> Job:
    """Take a waiting job out of the queue, with the run or the file that it was for."""
    return board.cancel(session(), principal=principal(), job_id=job_id, now=clock())
