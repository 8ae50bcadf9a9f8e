"""E-mails on their way: taken up by a sender, noted as sent, or tried again for a day."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Mail, MailState

WAITS = (
    dt.timedelta(minutes=1),
    dt.timedelta(minutes=10),
    dt.timedelta(hours=1),
    dt.timedelta(hours=6),
    dt.timedelta(hours=18),
)
LEASE = dt.timedelta(minutes=5)
LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenMail:
    """An e-mail in the hands of a sender."""

    id: uuid.UUID
    number: int
    address: str
    subject: str
    body: str


def take(session: Session, *, now: dt.datetime) -> TakenMail | None:
    """Take the oldest e-mail that is due and in nobody's hands; None without one."""
    mail = session.scalar(
        sa.select(Mail)
        .where(Mail.state == MailState.WAITING, Mail.due_at <= now)
        .order_by(Mail.due_at, Mail.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if mail is None:
        return None
    mail.tries += 1
    mail.due_at = now + LEASE
    session.flush()
    return TakenMail(id=mail.id, number=mail.tries, address=mail.address, subject=mail.subject, body=mail.body)


def note_sent(session: Session, taken: TakenMail, *, now: dt.datetime) -> None:
    """The server has taken it."""
    mail = _lock(session, taken)
    mail.state, mail.due_at, mail.sent_at, mail.error = MailState.SENT, None, now, None
    session.flush()


def note_failure(session: Session, taken: TakenMail, *, error: str, for_good: bool, now: dt.datetime) -> None:
    """The server has not taken it: `for_good` if it said so, otherwise it is tried again until the waits are over."""
    mail = _lock(session, taken)
    if mail.state is not MailState.WAITING or mail.tries != taken.number:
        return
    mail.error = error[:LONGEST_ERROR]
    if for_good or mail.tries > len(WAITS):
        mail.state, mail.due_at = MailState.FAILED, None
    else:
        mail.due_at = now + WAITS[mail.tries - 1]
    session.flush()


def _lock(session: Session, taken: TakenMail) -> Mail:
    query = sa.select(Mail).where(Mail.id == taken.id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()
