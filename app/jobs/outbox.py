"""What leaves the house after a commit: the outbox is fanned out, then e-mails and webhooks go their ways."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from app.config import settings
from app.jobs import mails, webhooks
from app.jobs.queue import enqueue_webhooks
from app.jobs.transactions import in_transaction
from app.logs import log
from app.operations import webhook_messages
from app.operations.fan_out import FannedOut, fan_out

Clock = Callable[[], dt.datetime]


def send_outbox(*, clock: Clock) -> int:
    """Fan out all that waits in the outbox, and queue the endpoints that have something due; returns how many messages.

    The queue's jobs are written with the rows they are for: a sender that is killed leaves both or neither.
    """
    config = settings()
    messages = 0

    def one_batch(session: Session) -> FannedOut:
        done = fan_out(session, mail_server=config.mail is not None, site=config.site, now=clock())
        for endpoint_id in sorted(done.endpoints):
            enqueue_webhooks(session, endpoint_id=endpoint_id)
        return done

    while (done := in_transaction(one_batch)).messages:
        messages += done.messages
    in_transaction(partial(_queue_due, now=clock()))
    if messages:
        log.info("outbox_sent", messages=messages)
    return messages


def send_mails(*, clock: Clock) -> int:
    """Send the e-mails that are due, if there is a mail server; returns how many it has taken."""
    server = settings().mail
    return 0 if server is None else mails.send_due(server, clock=clock)


def send_everything(*, clock: Clock) -> dict[str, int]:
    """Outbox, e-mails and webhooks in this process, for whom no worker runs; returns the numbers of each."""
    counts = {"messages": send_outbox(clock=clock), "mails": send_mails(clock=clock), "attempts": 0}
    for endpoint_id in in_transaction(lambda session: webhook_messages.due_endpoints(session, now=clock())):
        counts["attempts"] += webhooks.send_due(endpoint_id, clock=clock)
    return counts


def _queue_due(session: Session, *, now: dt.datetime) -> None:
    for endpoint_id in webhook_messages.due_endpoints(session, now=now):
        enqueue_webhooks(session, endpoint_id=endpoint_id)
