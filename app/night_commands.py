"""Commands of the night: clear a round here and now, run the worker of the queue, do the whole night at once."""

from __future__ import annotations

import uuid

import click
from flask import current_app
from flask.cli import with_appcontext

from app.auth import SYSTEM
from app.clock import clock
from app.jobs import night
from app.jobs.expiries import expire_all
from app.jobs.tasks import make_queue
from app.jobs.transactions import transaction
from app.models import RoundKind, Run, RunState
from app.operations import runs
from market.errors import MarketError

# How long a worker may be silent before its jobs are handed to others, in beats of its heart.
SILENT_BEATS = 3


@click.group("match")
def match() -> None:
    """Clear rounds of the market."""


@match.command("run")
@click.option("--round", "round_code", required=True, help="Code of the round.")
@with_appcontext
def match_run(round_code: str) -> None:
    """Clear a round in this process; a run that was left open is taken up again."""
    _clear(round_code)


@click.command("run-night")
@with_appcontext
def run_night() -> None:
    """All of a night in this process: expiries, then every round that is due."""
    ended = expire_all(now=clock())
    click.echo(f"expired: {ended['offers']} offers, {ended['proposals']} proposals")
    with transaction() as session:
        due = [code for kind in RoundKind for code in runs.due_rounds(session, kind=kind, now=clock())]
    for code in due:
        _clear(code)
    if not due:
        click.echo("no round is due")


@click.command("worker")
@click.option("--concurrency", default=2, show_default=True, help="Jobs at a time.")
@click.option("--heartbeat", default=10.0, show_default=True, help="Seconds between two signs of life.")
@with_appcontext
def worker(concurrency: int, heartbeat: float) -> None:
    """Work off the queue: runs of rounds, the nightly hour, expiries, rescue of what killed workers left."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    silent = SILENT_BEATS * heartbeat
    make_queue(app).run_worker(
        concurrency=concurrency,
        update_heartbeat_interval=heartbeat,
        stalled_worker_timeout=silent,
        additional_context={"app": app, "stalled_after": silent},
    )


def _clear(round_code: str) -> None:
    try:
        with transaction() as session:
            run = runs.open_run_of(session, round_code=round_code) or runs.open_run(
                session, principal=SYSTEM, round_code=round_code, now=clock()
            )
            run_id: uuid.UUID = run.id
        state = night.clear_run(run_id, clock=clock, watch=_watch)
    except (MarketError, night.AtWork) as refusal:
        raise click.ClickException(str(refusal)) from refusal
    with transaction() as session:
        run = session.get_one(Run, run_id)
        if state is not RunState.DONE:
            raise click.ClickException(f"run {run_id} of round {round_code} {state}: {run.error}")
        told = run.headline or {}
        click.echo(
            f"run {run_id} of round {round_code}: {told['contracts']} contracts in {told['bundles']} bundles, "
            f"{told['value']} CNY, {told['lanes']} lanes, welfare {told['certificate']['welfare']} CNY"
        )
        if dropped := told["dropped_bundles"]:
            causes = ", ".join(f"{count} {cause}" for cause, count in dropped.items())
            click.echo(f"bundles dropped because something changed meanwhile: {causes}")


def _watch(phase: str, percent: int, rounds: int) -> None:
    click.echo(f"{percent:3d} %  {phase}, {rounds} rounds of the solver", err=True)
