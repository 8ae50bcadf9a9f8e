"""The tasks of the queue, and the hours at which they come by themselves."""

from __future__ import annotations

import uuid

import procrastinate
from flask import Flask
from procrastinate import Blueprint, JobContext

from app.clock import clock
from app.jobs import night, offer_imports, outbox, webhooks, what_if
from app.jobs.call_offs import run_call_off_timers
from app.jobs.cleaning import clean
from app.jobs.contract_timers import run_contract_timers
from app.jobs.effects import advance_contracts
from app.jobs.expiries import expire_all
from app.jobs.queue import KEEPING, NAMESPACE, SENDING, SOLVING, queue_due, requeue_forgotten
from app.jobs.settlement import issue_all
from app.jobs.transactions import transaction
from app.logs import log
from app.models import RoundKind

NIGHT = "0 18 * * *"  # 02:00 in Shanghai
EVERY_DAY = "0 20 * * *"  # 04:00 in Shanghai
AFTER_NIGHT = "30 20 * * *"  # 04:30 in Shanghai
EVERY_FIVE_MINUTES = "*/5 * * * *"
EVERY_HOUR = "10 * * * *"  # days are what contracts count
EVERY_TEN_SECONDS = "* * * * * */10"  # the seconds come last

tasks = Blueprint()


def make_queue(app: Flask) -> procrastinate.App:
    """The queue of one application, with its tasks; to be opened before use."""
    conninfo = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "", 1)
    queue = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo))
    queue.add_tasks_from(tasks, namespace=NAMESPACE)
    return queue


def _app(context: JobContext) -> Flask:
    app: Flask = context.additional_context["app"]
    return app


@tasks.task(name="clear", queue=SOLVING, pass_context=True)
def clear(context: JobContext, run_id: str) -> None:
    """Clear one run. If another process is at it, there is nothing to do."""
    with _app(context).app_context():
        try:
            night.clear_run(uuid.UUID(run_id), clock=clock)
        except night.AtWork as busy:
            log.info("run_at_work", why=str(busy))


@tasks.task(name="what_if", queue=SOLVING, pass_context=True)
def answer_what_if(context: JobContext, what_if_id: str) -> None:
    """Work out one question about a copy of a round. If another process is at it, there is nothing to do."""
    with _app(context).app_context():
        try:
            what_if.work_out(uuid.UUID(what_if_id), clock=clock)
        except night.AtWork as busy:
            log.info("what_if_at_work", why=str(busy))


@tasks.task(name="offer_import", queue=SOLVING, pass_context=True)
def work_through_file(context: JobContext, import_id: str) -> None:
    """Check a firm's file of offers and post them. If another process is at it, there is nothing to do."""
    with _app(context).app_context():
        try:
            offer_imports.work_through(uuid.UUID(import_id), clock=clock)
        except night.AtWork as busy:
            log.info("offer_import_at_work", why=str(busy))


@tasks.periodic(cron=NIGHT)
@tasks.task(name="night", queue=KEEPING, queueing_lock="night", pass_context=True)
def queue_nightly_rounds(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """At the hour of the night: a run for every nightly round that is open."""
    with _app(context).app_context(), transaction() as session:
        queue_due(session, kind=RoundKind.NIGHTLY, now=clock())


@tasks.periodic(cron=EVERY_FIVE_MINUTES)
@tasks.task(name="closings", queue=KEEPING, queueing_lock="closings", pass_context=True)
def queue_closed_rounds(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """A run for every docking round that has closed."""
    with _app(context).app_context(), transaction() as session:
        queue_due(session, kind=RoundKind.DOCKING, now=clock())


@tasks.periodic(cron=EVERY_FIVE_MINUTES)
@tasks.task(name="expiries", queue=KEEPING, queueing_lock="expiries", pass_context=True)
def expire(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """End what has run out of time."""
    with _app(context).app_context():
        expire_all(now=clock())


@tasks.periodic(cron=EVERY_HOUR)
@tasks.task(name="contract_timers", queue=KEEPING, queueing_lock="contract_timers", pass_context=True)
def time_contracts(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """Fulfil and expire contracts, let late drafts of claims lapse, open and close reopeners."""
    with _app(context).app_context():
        run_contract_timers(now=clock())


@tasks.periodic(cron=EVERY_FIVE_MINUTES)
@tasks.task(name="effects", queue=KEEPING, queueing_lock="effects", pass_context=True)
def take_effect(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """Print documents to sign, bring signed contracts into force, end what nobody signed in time."""
    with _app(context).app_context():
        advance_contracts(now=clock())


@tasks.periodic(cron=EVERY_FIVE_MINUTES)
@tasks.task(name="call_off_timers", queue=KEEPING, queueing_lock="call_off_timers", pass_context=True)
def keep_nomination_calendar(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """Make due nominations firm, let due forecasts lapse, tell of overdue confirmations."""
    with _app(context).app_context():
        run_call_off_timers(now=clock())


@tasks.periodic(cron=EVERY_DAY)
@tasks.task(name="cleaning", queue=KEEPING, queueing_lock="cleaning", pass_context=True)
def clean_up(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """Delete what nobody needs any more."""
    with _app(context).app_context():
        clean(now=clock())


@tasks.periodic(cron=AFTER_NIGHT)
@tasks.task(name="settlement", queue=KEEPING, queueing_lock="settlement", pass_context=True)
def issue_invoices(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """Issue the invoices and statements that are due."""
    with _app(context).app_context():
        issue_all(now=clock())


@tasks.periodic(cron=EVERY_TEN_SECONDS)
@tasks.task(name="rescue", queue=KEEPING, queueing_lock="rescue", pass_context=True)
async def rescue(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """Hand the jobs of killed workers to living ones: such a job stays "doing", and keeps its lock, until then."""
    stalled_after: float = context.additional_context["stalled_after"]
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=stalled_after):
        log.warning("job_rescued", job=job.id, task=job.task_name)
        await manager.retry_job(job)


@tasks.periodic(cron=EVERY_FIVE_MINUTES)
@tasks.task(name="forgotten", queue=KEEPING, queueing_lock="forgotten", pass_context=True)
def requeue(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """A run that is open and has no job, because a command was killed at it, gets one."""
    with _app(context).app_context(), transaction() as session:
        requeue_forgotten(session)


@tasks.periodic(cron=EVERY_TEN_SECONDS)
@tasks.task(name="outbox", queue=KEEPING, queueing_lock="outbox", pass_context=True)
def send_outbox(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """What was told since the last time becomes notifications, e-mails and webhooks."""
    with _app(context).app_context():
        outbox.send_outbox(clock=clock)


@tasks.periodic(cron=EVERY_TEN_SECONDS)
@tasks.task(name="mails", queue=SENDING, lock="mails", queueing_lock="mails", pass_context=True)
def send_mails(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the queue tells the hour
    """Hand the e-mails that are due to the mail server."""
    with _app(context).app_context():
        outbox.send_mails(clock=clock)


@tasks.task(name="webhooks", queue=SENDING, pass_context=True)
def send_webhooks(context: JobContext, endpoint_id: str) -> None:
    """Send what is due to one endpoint of a firm."""
    with _app(context).app_context():
        webhooks.send_due(uuid.UUID(endpoint_id), clock=clock)
