"""Handing e-mails to the mail server, each on its own, over one connection as long as that lasts."""

from __future__ import annotations

import datetime as dt
import smtplib
from collections.abc import Callable
from email.message import EmailMessage

from sqlalchemy.orm import Session

from app.jobs.transactions import in_transaction
from app.logs import log
from app.mail_server import MailServer
from app.operations import mails
from app.operations.mails import TakenMail

AT_ONCE = 200
Clock = Callable[[], dt.datetime]


def send_due(server: MailServer, *, clock: Clock) -> int:
    """Send the e-mails that are due, the oldest first; returns how many the server has taken.

    When the server cannot be reached, the one in hand is put off and the others wait for the next turn.
    """
    sent, talk = 0, None
    try:
        for _ in range(AT_ONCE):
            taken = in_transaction(lambda session: mails.take(session, now=clock()))
            if taken is None:
                break
            try:
                talk = talk or server.connect()
                talk.send_message(_letter(taken, server))
            except (OSError, smtplib.SMTPException) as error:
                _put_off(taken, error, clock())
                if not isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError):
                    break
                continue
            _note_sent(taken, clock())
            sent += 1
    finally:
        if talk is not None:
            talk.close()
    return sent


def _letter(taken: TakenMail, server: MailServer) -> EmailMessage:
    """Its Message-ID stays over all attempts, so that a reader's program shows one that came twice as one."""
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = server.sender, taken.address, taken.subject
    letter["Message-ID"] = f"<{taken.id.hex}@{server.sender.rpartition('@')[2].rstrip('>')}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(taken.body, cte="base64")  # not every server passes eight bits on
    return letter


def _note_sent(taken: TakenMail, now: dt.datetime) -> None:
    def write(session: Session) -> None:
        mails.note_sent(session, taken, now=now)

    in_transaction(write)


def _put_off(taken: TakenMail, error: Exception, now: dt.datetime) -> None:
    said = str(error) or type(error).__name__

    def write(session: Session) -> None:
        mails.note_failure(session, taken, error=said, for_good=_for_good(error), now=now)

    in_transaction(write)
    log.warning("mail_failed", mail=str(taken.id), attempt=taken.number, why=said)


def _for_good(error: Exception) -> bool:
    """Whether the server said that this e-mail will never be taken: a code of 500 or more for it, not for us."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500
