"""The mail server that MAIL_URL names: smtp://user:password@host:587?from=market@example.org

The scheme is smtp (STARTTLS wherever the server offers it, and always with a password) or smtps (TLS from the start).
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.utils import parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

PORTS = {"smtp": 587, "smtps": 465}
PATIENCE = 20  # seconds for each step of the talk


class MailUrlError(Exception):
    """MAIL_URL cannot be read; the message says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where e-mails are handed over, and as whom."""

    host: str
    port: int
    tls: bool
    sender: str
    user: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """:raises MailUrlError: another scheme, no host, no sender, or a user without a password."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise MailUrlError(f"is no URL ({error})") from error
        if parts.scheme not in PORTS:
            raise MailUrlError(f"begins with {parts.scheme or 'no scheme'}; expected smtp:// or smtps://")
        if not parts.hostname:
            raise MailUrlError("names no host; expected smtp://host:port?from=address")
        sender = (parse_qs(parts.query).get("from") or [""])[0]
        if "@" not in parseaddr(sender)[1]:
            raise MailUrlError("names no sender; expected ?from=address at its end")
        if (parts.username is None) != (parts.password is None):
            raise MailUrlError("has a user or a password alone; expected both or neither")
        return cls(
            host=parts.hostname,
            port=port or PORTS[parts.scheme],
            tls=parts.scheme == "smtps",
            sender=sender,
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )

    def connect(self) -> smtplib.SMTP:
        """An open, signed-in connection.

        :raises OSError: it cannot be reached, or smtplib.SMTPException: it does not let us in.
        """
        context = ssl.create_default_context()
        if self.tls:
            talk: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=PATIENCE, context=context)
        else:
            talk = smtplib.SMTP(self.host, self.port, timeout=PATIENCE)
            talk.ehlo()
            if talk.has_extn("starttls") or self.password is not None:
                talk.starttls(context=context)
        if self.user is not None and self.password is not None:
            talk.login(self.user, self.password)
        return talk
