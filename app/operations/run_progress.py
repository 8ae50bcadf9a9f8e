"""How long a run will still take, as far as can be told."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Run, RunState

SURE_FROM = 5  # percent: before that the pace says nothing


def seconds_left(session: Session, *, run: Run, now: dt.datetime) -> int | None:
    """An estimate for a running run that the asker may read; None when it cannot be told.

    What the pace so far says, and what the round's last finished run took; the former counts the more the further the
    run has come.
    """
    if run.state is not RunState.RUNNING or run.started_at is None:
        return None
    spent = max((now - run.started_at).total_seconds(), 0.0)
    by_pace = spent * (100 - run.percent) / run.percent if run.percent >= SURE_FROM else None
    took = _last_took(session, run)
    by_last = None if took is None else max(took - spent, 0.0)
    if by_pace is None or by_last is None:
        left = by_last if by_pace is None else by_pace
        return None if left is None else round(left)
    weight = run.percent / 100
    return round(weight * by_pace + (1 - weight) * by_last)


def _last_took(session: Session, run: Run) -> float | None:
    """Seconds of the round's latest finished run."""
    query = (
        sa.select(Run.started_at, Run.finished_at)
        .where(Run.round_id == run.round_id, Run.state == RunState.DONE, Run.started_at.is_not(None))
        .order_by(Run.created_at.desc(), Run.id)
        .limit(1)
    )
    found = session.execute(query).first()
    return None if found is None else float((found.finished_at - found.started_at).total_seconds())
