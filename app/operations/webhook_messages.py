"""Messages to endpoints: taken up by a sender, noted with their answer, tried again over days, replayed by hand.

A sender takes a message for `LEASE`, calls outside any transaction and notes the answer. One that is killed in between
leaves the message to the next, under the same id: a receiver may get a message twice, and tells that by the id.
"""

from __future__ import annotations

import datetime as dt
import random
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.auth import Principal
from app.errors import Conflict, NotFound
from app.models import MessageState, Outbox, StopReason, WebhookAttempt, WebhookEndpoint, WebhookMessage
from app.operations import webhooks
from app.operations.fan_out import asks_for, webhook_message
from contracts.wording import Text

# How long to wait after the first, second, ... failed attempt; chance adds up to a fifth, so that what failed together
# does not come back together.
WAITS = (
    dt.timedelta(seconds=5),
    dt.timedelta(minutes=5),
    dt.timedelta(minutes=30),
    dt.timedelta(hours=2),
    dt.timedelta(hours=5),
    dt.timedelta(hours=10),
    dt.timedelta(hours=14),
    dt.timedelta(hours=20),
    dt.timedelta(hours=24),
)
LARGEST_JITTER = 0.2
LEASE = dt.timedelta(seconds=60)  # longer than any call takes
LONGEST_RETRY_AFTER = dt.timedelta(hours=24)
FAILING_FOR = dt.timedelta(days=3)  # then an endpoint is stopped
LONGEST_ANSWER = 1024  # bytes
GONE, THROTTLED = 410, frozenset({429, 503})
MOST_REPLAYED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A message in the hands of a sender: what to send, where, and the number of this attempt."""

    id: uuid.UUID
    endpoint_id: uuid.UUID
    number: int
    url: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a call: the status that was answered, or why there was none."""

    milliseconds: int
    status: int | None = None
    answer: str | None = None
    error: str | None = None
    address: str | None = None
    retry_after: dt.timedelta | None = None

    @property
    def good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def visible_messages(principal: Principal, endpoint_id: uuid.UUID) -> sa.Select[WebhookMessage]:
    """The messages of one of the asker's endpoints."""
    own = webhooks.visible_endpoints(principal).with_only_columns(WebhookEndpoint.id)
    return sa.select(WebhookMessage).where(
        WebhookMessage.endpoint_id == endpoint_id, WebhookMessage.endpoint_id.in_(own)
    )


def find_message(
    session: Session, *, principal: Principal, endpoint_id: uuid.UUID, message_id: uuid.UUID
) -> WebhookMessage:
    """A message with its attempts.

    :raises NotFound: no such message of an endpoint of the asker's.
    """
    query = visible_messages(principal, endpoint_id).where(WebhookMessage.id == message_id)
    found = session.scalar(
        query.options(selectinload(WebhookMessage.attempts)).execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("no such message")
    return found


def replay(
    session: Session, *, principal: Principal, endpoint_id: uuid.UUID, message_id: uuid.UUID, now: dt.datetime
) -> WebhookMessage:
    """Send a message again, delivered or not, under the same id.

    :raises NotFound: as `find_message` does.
    :raises Conflict: its endpoint is stopped.
    """
    _sending(webhooks.find_endpoint(session, principal=principal, endpoint_id=endpoint_id, lock=True))
    find_message(session, principal=principal, endpoint_id=endpoint_id, message_id=message_id)
    _make_due(session, WebhookMessage.id == message_id, now=now)
    return find_message(session, principal=principal, endpoint_id=endpoint_id, message_id=message_id)


def replay_since(
    session: Session,
    *,
    principal: Principal,
    endpoint_id: uuid.UUID,
    since: dt.datetime,
    delivered: bool = False,
    now: dt.datetime,
) -> int:
    """Send again what an endpoint has not got since some time, with what was never written for it while it was stopped.

    `delivered` also sends again what it did get. Returns how many messages are on their way; at most `MOST_REPLAYED`.

    :raises NotFound: as `find_endpoint` does.
    :raises Conflict: the endpoint is stopped.
    """
    endpoint = webhooks.find_endpoint(session, principal=principal, endpoint_id=endpoint_id, lock=True)
    _sending(endpoint)
    has_it = sa.exists().where(WebhookMessage.outbox_id == Outbox.id, WebhookMessage.endpoint_id == WebhookEndpoint.id)
    missed = session.scalars(
        sa.select(Outbox)
        .join(WebhookEndpoint, asks_for())
        .where(WebhookEndpoint.id == endpoint_id, Outbox.sent_at.is_not(None), Outbox.created_at >= since, ~has_it)
        .order_by(Outbox.id)
        .limit(MOST_REPLAYED)
    ).all()
    session.add_all(webhook_message(message, endpoint_id, now=now) for message in missed)
    session.flush()
    states = [MessageState.FAILED, *([MessageState.DELIVERED] if delivered else [])]
    wanted = sa.select(WebhookMessage.id).where(
        WebhookMessage.endpoint_id == endpoint_id,
        WebhookMessage.created_at >= since,
        WebhookMessage.state.in_(states),
    )
    oldest = wanted.order_by(WebhookMessage.created_at, WebhookMessage.id).limit(MOST_REPLAYED)
    return len(missed) + _make_due(session, WebhookMessage.id.in_(oldest), now=now)


def due_endpoints(session: Session, *, now: dt.datetime) -> list[uuid.UUID]:
    """The endpoints for which a message waits to be sent now."""
    query = (
        sa.select(WebhookMessage.endpoint_id)
        .join(WebhookEndpoint)
        .where(_is_due(now), WebhookEndpoint.stopped_at.is_(None))
        .distinct()
        .order_by(WebhookMessage.endpoint_id)
    )
    return list(session.scalars(query))


def take(session: Session, *, endpoint_id: uuid.UUID, now: dt.datetime) -> Taken | None:
    """Take the oldest message of an endpoint that is due and in nobody's hands; None without one."""
    query = (
        sa.select(WebhookMessage, WebhookEndpoint.url)
        .join(WebhookEndpoint)
        .where(WebhookMessage.endpoint_id == endpoint_id, _is_due(now), WebhookEndpoint.stopped_at.is_(None))
        .order_by(WebhookMessage.due_at, WebhookMessage.created_at, WebhookMessage.id)
        .limit(1)
        .with_for_update(of=WebhookMessage, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    found = session.execute(query).first()
    if found is None:
        return None
    message, url = found
    message.tries += 1
    message.round_tries += 1
    message.due_at = now + LEASE
    session.flush()
    return Taken(id=message.id, endpoint_id=endpoint_id, number=message.tries, url=url, body=message.body.encode())


def note(session: Session, taken: Taken, outcome: Outcome, *, at: dt.datetime, now: dt.datetime) -> WebhookMessage:
    """Write down an attempt that began `at` and what follows from it for the message and its endpoint.

    Who was slower than his lease, and finds that another has taken the message since, still notes his attempt; the
    other's then decides, unless this one was good.
    """
    endpoint = session.scalars(
        sa.select(WebhookEndpoint)
        .where(WebhookEndpoint.id == taken.endpoint_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    message = session.scalars(
        sa.select(WebhookMessage)
        .where(WebhookMessage.id == taken.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    session.add(
        WebhookAttempt(
            message_id=taken.id,
            number=taken.number,
            at=at,
            address=outcome.address,
            status=outcome.status,
            milliseconds=outcome.milliseconds,
            answer=outcome.answer,
            error=outcome.error,
        )
    )
    if outcome.good:
        _deliver(session, endpoint, message, now)
    else:
        _fail(session, endpoint, message, number=taken.number, outcome=outcome, now=now)
    session.flush()
    return message


def wait_after(failed: int, *, retry_after: dt.timedelta | None = None, chance: float | None = None) -> dt.timedelta:
    """How long to wait after so many failed attempts (1 ..), jitter included; `chance` is 0 .. 1, random if None.

    A receiver that names a time of its own gets it where it is the longer one, up to a day.
    """
    part = random.random() if chance is None else chance  # noqa: S311 - it spreads load, it hides nothing
    wait = WAITS[failed - 1] * (1 + LARGEST_JITTER * part)
    return wait if retry_after is None else max(wait, min(retry_after, LONGEST_RETRY_AFTER))


def _deliver(session: Session, endpoint: WebhookEndpoint, message: WebhookMessage, now: dt.datetime) -> None:
    message.state, message.due_at, message.delivered_at = MessageState.DELIVERED, None, now
    _failing_since(session, endpoint, None)


def _fail(
    session: Session,
    endpoint: WebhookEndpoint,
    message: WebhookMessage,
    *,
    number: int,
    outcome: Outcome,
    now: dt.datetime,
) -> None:
    since = endpoint.failing_since or now
    _failing_since(session, endpoint, since)
    if message.state is MessageState.WAITING and message.tries == number:
        if message.round_tries > len(WAITS):
            message.state, message.due_at = MessageState.FAILED, None
        else:
            retry_after = outcome.retry_after if outcome.status in THROTTLED else None
            message.due_at = now + wait_after(message.round_tries, retry_after=retry_after)
        session.flush()
    if outcome.status == GONE:
        webhooks.stop(session, endpoint, reason=StopReason.GONE, now=now)
    elif now - since >= FAILING_FOR:
        webhooks.stop(session, endpoint, reason=StopReason.FAILING, now=now)


def _failing_since(session: Session, endpoint: WebhookEndpoint, since: dt.datetime | None) -> None:
    """Not by the model: that would count the endpoint's version up, under the hands of whoever is changing it."""
    if endpoint.failing_since != since:
        session.execute(sa.update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint.id).values(failing_since=since))


def _is_due(now: dt.datetime) -> sa.ColumnElement[bool]:
    return sa.and_(WebhookMessage.state == MessageState.WAITING, WebhookMessage.due_at <= now)


def _make_due(session: Session, which: sa.ColumnElement[bool], *, now: dt.datetime) -> int:
    again = (
        sa.update(WebhookMessage)
        .where(which)
        .values(state=MessageState.WAITING, due_at=now, round_tries=0)
        .returning(WebhookMessage.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.scalars(again).all())


def _sending(endpoint: WebhookEndpoint) -> None:
    if endpoint.stopped_at is not None:
        raise Conflict(Text("该端点已停用；请先启用", "the endpoint is stopped; start it first"), open_moves=("start",))
