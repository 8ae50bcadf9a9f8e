"""Rounds as the platform sees them: the list, one round with its offers and runs, the button that starts a run."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import orm

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict
from app.jobs.queue import enqueue_clearing
from app.models import Round, RoundState, Run
from app.operations import pages, rounds, runs
from app.permissions import Permission
from app.web.formats import language
from app.web.paging import page_of
from app.web.runs import gap_share, time_left
from app.web.texts import _

blueprint = Blueprint("rounds", __name__, url_prefix="/console/rounds")


@blueprint.get("")
@requires(Permission.RUN_READ)
def listing() -> ResponseReturnValue:
    """All rounds, the one that closes last in front."""
    found = page_of(session(), rounds.visible_rounds(principal()), order=(Round.closes_at, Round.id))
    return render_template(
        "rounds.html",
        page=found,
        latest={one.id: pages.latest_run(session(), principal=principal(), round_id=one.id) for one in found.rows},
        now=clock(),
    )


@blueprint.get("/<uuid:round_id>")
@requires(Permission.RUN_READ)
def show(round_id: uuid.UUID) -> ResponseReturnValue:
    """One round: its rules, what was offered, its runs."""
    market_round = rounds.find_round(session(), principal=principal(), round_id=round_id)
    found = page_of(
        session(),
        runs.visible_runs(principal()).where(Run.round_id == round_id).options(orm.joinedload(Run.round)),
        order=(Run.created_at, Run.id),
        size=20,
    )
    latest = pages.latest_run(session(), principal=principal(), round_id=round_id)
    done = pages.latest_run(session(), principal=principal(), round_id=round_id, done=True)
    return render_template(
        "round.html",
        round=market_round,
        page=found,
        latest=latest,
        done=done,
        headline=runs.headline_for(principal(), done) if done else None,
        certificate=runs.certificate_for(principal(), done) if done else None,
        gap_share=gap_share(done.certificate) if done else None,
        counts=pages.offer_counts(session(), principal=principal(), round_id=round_id),
        may_run=principal().may(Permission.RUN_START) and market_round.state in runs.CLEARABLE,
        may_manage=principal().may(Permission.ROUND_MANAGE),
        is_running=latest is not None and latest.state in runs.OPEN,
        left=time_left(latest) if latest is not None else "",
    )


@blueprint.post("/<uuid:round_id>/runs")
@requires(Permission.RUN_START)
def run_now(round_id: uuid.UUID) -> ResponseReturnValue:
    """Queue a run; the page of the run shows how far it has come."""
    market_round = rounds.find_round(session(), principal=principal(), round_id=round_id)
    try:
        with session().begin_nested():
            run = runs.open_run(session(), principal=principal(), round_code=market_round.code, now=clock())
    except Conflict as conflict:
        flash(_("No run was started: %(why)s", why=conflict.text.in_language(language())), "warning")
        return redirect(url_for("rounds.show", round_id=round_id), 303)
    enqueue_clearing(session(), run_id=run.id, round_id=round_id)
    return redirect(url_for("runs.show", run_id=run.id), 303)


@blueprint.post("/<uuid:round_id>/<any(open, close):move>")
@requires(Permission.ROUND_MANAGE)
def move(round_id: uuid.UUID, move: str) -> ResponseReturnValue:
    """Open a round in preparation, or close an open one."""
    change = rounds.open_round if move == "open" else rounds.close_round
    try:
        with session().begin_nested():
            changed = change(session(), principal=principal(), round_id=round_id, now=clock())
    except Conflict as conflict:
        flash(_("This is not possible now: %(why)s", why=conflict.text.in_language(language())), "warning")
    else:
        is_open = changed.state is RoundState.OPEN
        flash(
            _("The round is open.") if is_open else _("The round is closed; its offers stand as they are."), "success"
        )
    return redirect(url_for("rounds.show", round_id=round_id), 303)
