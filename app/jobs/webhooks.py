"""Handing messages to firms' systems, one endpoint at a time: take in a transaction, call outside, note in another."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable

from sqlalchemy.orm import Session

from app.config import settings
from app.jobs.transactions import in_transaction
from app.jobs.webhook_call import Waiting, call
from app.logs import log
from app.models import WebhookEndpoint
from app.operations import webhook_messages, webhooks
from app.operations.webhook_messages import Outcome, Taken
from app.operations.webhook_signing import SecretUnreadable, headers, message_name

AT_ONCE = 50  # messages for one endpoint, before others get their turn
LONGEST_TURN = dt.timedelta(seconds=60)
Clock = Callable[[], dt.datetime]


def send_due(endpoint_id: uuid.UUID, *, clock: Clock, waiting: Waiting | None = None) -> int:
    """Send what is due to one endpoint, the oldest first, until one fails or the turn is over; returns how many tries.

    An endpoint that fails rests until the next turn: its other messages would most likely fail, too.
    """
    began = clock()
    for tried in range(AT_ONCE):
        taken = in_transaction(lambda session: webhook_messages.take(session, endpoint_id=endpoint_id, now=clock()))
        if taken is None:
            return tried
        at = clock()
        outcome = _call(taken, at=at, waiting=waiting)
        _note(taken, outcome, at=at, now=clock())
        if not outcome.good or clock() - began > LONGEST_TURN:
            return tried + 1
    return AT_ONCE


def _call(taken: Taken, *, at: dt.datetime, waiting: Waiting | None) -> Outcome:
    def valid(session: Session) -> list[str]:
        return webhooks.secrets_of(session.get_one(WebhookEndpoint, taken.endpoint_id), now=at)

    try:
        secrets = in_transaction(valid)
    except SecretUnreadable as unreadable:
        return Outcome(milliseconds=0, error=str(unreadable))
    signed = headers(secrets, name=message_name(taken.id), timestamp=int(at.timestamp()), body=taken.body)
    return call(taken.url, body=taken.body, headers=signed, loopback=settings().webhooks_to_loopback, waiting=waiting)


def _note(taken: Taken, outcome: Outcome, *, at: dt.datetime, now: dt.datetime) -> None:
    def write(session: Session) -> None:
        webhook_messages.note(session, taken, outcome, at=at, now=now)

    in_transaction(write)
    if not outcome.good:
        log.warning(
            "webhook_failed",
            message=message_name(taken.id),
            attempt=taken.number,
            status=outcome.status,
            why=outcome.error,
        )
