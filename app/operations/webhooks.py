"""Endpoints of a firm's own systems: made, changed, given a new secret, stopped and started by its administrators."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM, Principal
from app.config import settings
from app.errors import Conflict, NotFound, Refused
from app.models import MessageState, Outbox, StopReason, SubjectKind, WebhookEndpoint, WebhookMessage
from app.operations import events, outbox
from app.operations.topics import webhook_topics
from app.operations.webhook_addresses import target_of
from app.operations.webhook_signing import new_secret, opened, sealed
from app.permissions import Permission
from contracts.wording import Text

MOST_ENDPOINTS = 20  # of one firm
BOTH_VALID = dt.timedelta(days=1)  # how long the older secret signs along after a new one was made
IN_USE, STOPPED = "in_use", "stopped"


def visible_endpoints(principal: Principal) -> sa.Select[WebhookEndpoint]:
    """The firm's own, for its administrators; none for anybody else, the platform included."""
    query = sa.select(WebhookEndpoint)
    if principal.firm_id is None or not principal.may(Permission.WEBHOOK_MANAGE):
        return query.where(sa.false())
    return query.where(WebhookEndpoint.firm_id == principal.firm_id)


def find_endpoint(
    session: Session, *, principal: Principal, endpoint_id: uuid.UUID, lock: bool = False
) -> WebhookEndpoint:
    """:raises NotFound: no such endpoint, or not the asker's firm's."""
    query = visible_endpoints(principal).where(WebhookEndpoint.id == endpoint_id)
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    found = session.scalar(query)
    if found is None:
        raise NotFound("no such webhook endpoint")
    return found


def make_endpoint(
    session: Session,
    *,
    principal: Principal,
    url: str,
    topics: Collection[str],
    description: str = "",
    now: dt.datetime,
) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint of the asker's firm; returns it and its secret, which cannot be read again later.

    :raises NotFound: the asker has no firm.
    :raises Refused: the URL is not one for webhooks, or the topics are none or unknown.
    :raises Conflict: the firm has this URL already, or too many.
    """
    if principal.firm_id is None or principal.user_id is None:
        raise NotFound("webhooks are a firm's own; expected one of its administrators")
    secret = new_secret()
    endpoint = WebhookEndpoint(
        firm_id=principal.firm_id,
        url=_checked(url),
        description=description,
        topics=_known(topics),
        secret=sealed(secret, under=settings().secret_key),
        created_by_id=principal.user_id,
        created_at=now,
    )
    own = session.scalars(visible_endpoints(principal).order_by(WebhookEndpoint.id)).all()
    if len(own) >= MOST_ENDPOINTS:
        raise Conflict(
            Text(
                f"企业已有 {len(own)} 个端点；至多 {MOST_ENDPOINTS} 个",
                f"the firm has {len(own)} endpoints; expected at most {MOST_ENDPOINTS}",
            )
        )
    if any(other.url == url for other in own):
        raise Conflict(
            Text(
                "企业已有此地址的端点；请改其主题",
                "the firm has an endpoint with this URL; change that one's topics instead",
            )
        )
    session.add(endpoint)
    session.flush()
    _record(session, endpoint, "webhook.make", principal=principal, note=endpoint.url, now=now)
    return endpoint, secret


def change_endpoint(
    session: Session,
    *,
    principal: Principal,
    endpoint_id: uuid.UUID,
    url: str | None = None,
    topics: Collection[str] | None = None,
    description: str | None = None,
    now: dt.datetime,
) -> WebhookEndpoint:
    """Change what is named; messages on their way go to the new URL.

    :raises NotFound: as `find_endpoint` does.
    :raises Refused: as `make_endpoint` does.
    """
    endpoint = find_endpoint(session, principal=principal, endpoint_id=endpoint_id, lock=True)
    if url is not None:
        endpoint.url = _checked(url)
    if topics is not None:
        endpoint.topics = _known(topics)
    if description is not None:
        endpoint.description = description
    session.flush()
    _record(session, endpoint, "webhook.change", principal=principal, note=endpoint.url, now=now)
    return endpoint


def rotate_secret(
    session: Session, *, principal: Principal, endpoint_id: uuid.UUID, now: dt.datetime
) -> tuple[WebhookEndpoint, str]:
    """Make a new secret; the one until now signs along for `BOTH_VALID`. Returns the new one, shown this once.

    :raises NotFound: as `find_endpoint` does.
    """
    endpoint = find_endpoint(session, principal=principal, endpoint_id=endpoint_id, lock=True)
    secret = new_secret()
    endpoint.older_secret, endpoint.older_until = endpoint.secret, now + BOTH_VALID
    endpoint.secret = sealed(secret, under=settings().secret_key)
    session.flush()
    _record(session, endpoint, "webhook.renew_secret", principal=principal, now=now)
    return endpoint, secret


def secrets_of(endpoint: WebhookEndpoint, *, now: dt.datetime) -> list[str]:
    """The secrets that sign now, the newest first.

    :raises SecretUnreadable: they were encrypted under another secret of the application.
    """
    kept = [endpoint.secret]
    if endpoint.older_secret is not None and endpoint.older_until is not None and now < endpoint.older_until:
        kept.append(endpoint.older_secret)
    return [opened(secret, under=settings().secret_key) for secret in kept]


def stop_endpoint(
    session: Session, *, principal: Principal, endpoint_id: uuid.UUID, now: dt.datetime
) -> WebhookEndpoint:
    """Send nothing more to an endpoint; what waits is given up. Doing it again changes nothing.

    :raises NotFound: as `find_endpoint` does.
    """
    endpoint = find_endpoint(session, principal=principal, endpoint_id=endpoint_id, lock=True)
    stop(session, endpoint, reason=StopReason.BY_FIRM, principal=principal, now=now)
    return endpoint


def start_endpoint(
    session: Session, *, principal: Principal, endpoint_id: uuid.UUID, now: dt.datetime
) -> WebhookEndpoint:
    """Send to an endpoint again; what it has missed comes by a replay. Doing it again changes nothing.

    :raises NotFound: as `find_endpoint` does.
    """
    endpoint = find_endpoint(session, principal=principal, endpoint_id=endpoint_id, lock=True)
    if endpoint.stopped_at is not None:
        endpoint.stopped_at, endpoint.stop_reason, endpoint.failing_since = None, None, None
        session.flush()
        _record(session, endpoint, "webhook.start", principal=principal, before=STOPPED, now=now)
    return endpoint


def send_test(session: Session, *, principal: Principal, endpoint_id: uuid.UUID, now: dt.datetime) -> Outbox:
    """Write a message of the topic webhook.test for one endpoint; it takes the way that every message takes.

    :raises NotFound: as `find_endpoint` does.
    :raises Conflict: the endpoint is stopped.
    """
    endpoint = find_endpoint(session, principal=principal, endpoint_id=endpoint_id)
    if endpoint.stopped_at is not None:
        raise Conflict(Text("该端点已停用；请先启用", "the endpoint is stopped; start it first"), open_moves=("start",))
    payload = {"endpoint": endpoint.url}
    return outbox.tell(
        session, topic="webhook.test", about=(SubjectKind.WEBHOOK, endpoint.id), firms=(), payload=payload, now=now
    )


def stop(
    session: Session,
    endpoint: WebhookEndpoint,
    *,
    reason: StopReason,
    principal: Principal = SYSTEM,
    now: dt.datetime,
) -> None:
    """Stop an endpoint that the caller has locked. Its firm's administrators are told unless they did it themselves."""
    if endpoint.stopped_at is not None:
        return
    endpoint.stopped_at, endpoint.stop_reason = now, reason
    session.execute(
        sa.update(WebhookMessage)
        .where(WebhookMessage.endpoint_id == endpoint.id, WebhookMessage.state == MessageState.WAITING)
        .values(state=MessageState.FAILED, due_at=None)
    )
    if reason is not StopReason.BY_FIRM:
        payload = {"endpoint": endpoint.url, "reason": reason.value}
        about = (SubjectKind.WEBHOOK, endpoint.id)
        outbox.tell(session, topic="webhook.disabled", about=about, firms=(endpoint.firm_id,), payload=payload, now=now)
    session.flush()
    _record(session, endpoint, "webhook.stop", principal=principal, before=IN_USE, note=reason.value, now=now)


def _record(
    session: Session,
    endpoint: WebhookEndpoint,
    name: str,
    *,
    principal: Principal,
    now: dt.datetime,
    before: str | None = None,
    note: str | None = None,
) -> None:
    after = IN_USE if endpoint.stopped_at is None else STOPPED
    subject = (SubjectKind.WEBHOOK, endpoint.id)
    events.record(
        session,
        principal=principal,
        subject=subject,
        name=name,
        from_state=before if before is not None or name == "webhook.make" else after,
        to_state=after,
        note=note,
        now=now,
    )


def _checked(url: str) -> str:
    target_of(url, loopback=settings().webhooks_to_loopback)
    return url


def _known(topics: Collection[str]) -> list[str]:
    known = webhook_topics()
    if not topics:
        raise Refused(Text("没有选择主题；应至少一个", "no topic is chosen; expected at least one"), field="topics")
    if strange := sorted(set(topics) - set(known)):
        raise Refused(
            Text(
                f"没有主题 {', '.join(strange)}；应为下列中的一些：{', '.join(known)}",
                f"there is no topic {', '.join(strange)}; expected some of {', '.join(known)}",
            ),
            field="topics",
        )
    return [topic for topic in known if topic in set(topics)]
