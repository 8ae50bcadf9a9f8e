"""A person's notifications, read and unread, and what the person wants to hear of; e-mails and what became of them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, contains_eager, selectinload

from app.auth import Principal
from app.errors import NotFound, Refused
from app.models import Mail, Notification, NotificationChoice, Outbox, User
from app.operations.topics import Topic, topics_for
from app.permissions import Permission
from contracts.wording import Text

MOST_COUNTED = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How a person hears of one topic; `chosen` tells a choice from the topic's own rule."""

    topic: Topic
    in_app: bool
    mail: bool
    chosen: bool


def visible_notifications(principal: Principal, *, unread: bool = False) -> sa.Select[Notification]:
    """One's own; none for a key, which is nobody."""
    query = sa.select(Notification).join(Outbox).options(contains_eager(Notification.message))
    query = query.where(sa.false() if principal.user_id is None else Notification.user_id == principal.user_id)
    return query.where(Notification.read_at.is_(None)) if unread else query


def unread_count(session: Session, *, principal: Principal) -> int:
    """How many notifications wait to be read; counting stops after `MOST_COUNTED` + 1."""
    if principal.user_id is None:
        return 0
    own = sa.select(Notification.id).where(Notification.user_id == principal.user_id, Notification.read_at.is_(None))
    return session.scalar(sa.select(sa.func.count()).select_from(own.limit(MOST_COUNTED + 1).subquery())) or 0


def mark_read(session: Session, *, principal: Principal, notification_id: uuid.UUID, now: dt.datetime) -> Notification:
    """Note that one was read; the first time counts.

    :raises NotFound: no such notification, or another person's.
    """
    own = visible_notifications(principal).where(Notification.id == notification_id)
    found = session.scalar(own.with_for_update(of=Notification))
    if found is None:
        raise NotFound("no such notification")
    found.read_at = found.read_at or now
    session.flush()
    return found


def mark_all_read(session: Session, *, principal: Principal, until: dt.datetime, now: dt.datetime) -> int:
    """Note that all up to `until` were read, which is when the asker saw the list; returns how many."""
    own = (
        sa.update(Notification)
        .where(
            Notification.user_id == principal.user_id,
            Notification.read_at.is_(None),
            Notification.created_at <= until,
        )
        .values(read_at=now)
        .returning(Notification.id)
    )
    return len(session.scalars(own).all())


def choices(session: Session, *, principal: Principal) -> list[Choice]:
    """How the asker hears of each topic that is for him, in the table's order."""
    person = None if principal.user_id is None else session.get(User, principal.user_id)
    if person is None:
        return []
    own = sa.select(NotificationChoice).where(NotificationChoice.user_id == person.id)
    made = {row.topic: row for row in session.scalars(own.execution_options(populate_existing=True))}
    return [_choice(topic, made.get(topic.code)) for topic in topics_for(person.role)]


def choose(session: Session, *, principal: Principal, wanted: Mapping[str, tuple[bool, bool]]) -> list[Choice]:
    """Set how the asker hears of some topics: (in the app, by e-mail) by topic. Returns all choices.

    :raises Refused: a topic that is not for him.
    """
    own = {choice.topic.code for choice in choices(session, principal=principal)}
    if strange := sorted(wanted.keys() - own):
        raise Refused(
            Text(
                f"没有您可选的主题 {', '.join(strange)}；应为下列中的一些：{', '.join(sorted(own))}",
                f"there is no topic {', '.join(strange)} for you; expected some of {', '.join(sorted(own))}",
            )
        )
    for topic, (in_app, mail) in wanted.items():
        row = insert(NotificationChoice).values(user_id=principal.user_id, topic=topic, in_app=in_app, mail=mail)
        session.execute(
            row.on_conflict_do_update(
                index_elements=[NotificationChoice.user_id, NotificationChoice.topic],
                set_={"in_app": row.excluded.in_app, "mail": row.excluded.mail},
            )
        )
    return choices(session, principal=principal)


def visible_mails(principal: Principal) -> sa.Select[Mail]:
    """All e-mails, for those who run the platform; none for anybody else."""
    query = sa.select(Mail).options(selectinload(Mail.user))
    return query if principal.may(Permission.MAIL_READ) else query.where(sa.false())


def _choice(topic: Topic, row: NotificationChoice | None) -> Choice:
    if row is None:
        return Choice(topic=topic, in_app=True, mail=topic.mail, chosen=False)
    return Choice(topic=topic, in_app=row.in_app, mail=row.mail, chosen=True)
