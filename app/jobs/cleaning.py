"""What nobody needs any more goes: answers kept for repeated requests, old traces of sign-ins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.jobs.transactions import in_transaction
from app.logs import log
from app.models import IdempotencyKey, SignInEvent

ANSWERS_KEPT = dt.timedelta(days=7)
# The database itself refuses to give up one of the last 180 days.
TRACES_KEPT = dt.timedelta(days=365)
AT_ONCE = 5000


def clean(*, now: dt.datetime) -> dict[str, int]:
    """Delete what is older than it is kept, some thousand rows in a transaction; doing it again does nothing.

    Returns how many answers and traces went.
    """
    gone = {
        "answers": _all(partial(_delete_answers, before=now - ANSWERS_KEPT)),
        "traces": _all(partial(_delete_traces, before=now - TRACES_KEPT)),
    }
    if any(gone.values()):
        log.info("cleaned", **gone)
    return gone


def _all(delete: Callable[[Session], int]) -> int:
    """Delete a part at a time: no transaction holds many locks, and what is done stays done."""
    count = 0
    while gone := in_transaction(delete):
        count += gone
    return count


def _delete_answers(session: Session, *, before: dt.datetime) -> int:
    key = sa.tuple_(IdempotencyKey.principal, IdempotencyKey.key)
    oldest = (
        sa.select(IdempotencyKey.principal, IdempotencyKey.key)
        .where(IdempotencyKey.created_at < before)
        .order_by(IdempotencyKey.created_at, IdempotencyKey.principal, IdempotencyKey.key)
        .limit(AT_ONCE)
    )
    gone = session.execute(sa.delete(IdempotencyKey).where(key.in_(oldest)).returning(IdempotencyKey.key))
    return len(gone.all())


def _delete_traces(session: Session, *, before: dt.datetime) -> int:
    oldest = sa.select(SignInEvent.id).where(SignInEvent.at < before).order_by(SignInEvent.at, SignInEvent.id)
    gone = session.execute(
        sa.delete(SignInEvent).where(SignInEvent.id.in_(oldest.limit(AT_ONCE))).returning(SignInEvent.id)
    )
    return len(gone.all())
