"""One call to a receiver: to a checked address, signed, without redirects, and over within a fixed time."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from app.operations.webhook_addresses import Resolver, Target, checked_addresses, target_of
from app.operations.webhook_messages import LONGEST_ANSWER, Outcome
from market.errors import MarketError

CONNECTING = 5.0  # seconds, for each address
LONGEST_CALL = 20.0  # seconds, for everything
AGENT = "changdan-webhooks/1"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long a call may take, in seconds."""

    connecting: float = CONNECTING
    in_all: float = LONGEST_CALL


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was checked; Host and the name in the certificate are the URL's."""

    def __init__(self, target: Target, address: str, waiting: Waiting) -> None:
        super().__init__(target.host, target.port, timeout=waiting.connecting)
        self.default_port = 443 if target.tls else 80  # left out of Host
        self.target, self.address = target, address

    def connect(self) -> None:
        raw = socket.create_connection((self.address, self.target.port), timeout=self.timeout)
        if self.target.tls:
            try:
                raw = ssl.create_default_context().wrap_socket(raw, server_hostname=self.target.host)
            except BaseException:
                raw.close()
                raise
        self.sock = raw

    def give_up(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def call(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    loopback: bool = False,
    resolve: Resolver = socket.getaddrinfo,
    waiting: Waiting | None = None,
) -> Outcome:
    """Post a body to a receiver's URL; whatever goes wrong is in the outcome, nothing is raised.

    The name is resolved once, every address of it is checked, and the first that can be reached is used.
    """
    waiting = waiting or Waiting()
    began = time.monotonic()
    address: str | None = None
    try:
        target = target_of(url, loopback=loopback)
        addresses = checked_addresses(target, loopback=loopback, resolve=resolve)
        for address in addresses:
            connection = _Pinned(target, address, waiting)
            try:
                connection.connect()
            except OSError:
                if address == addresses[-1]:
                    raise
                continue
            break
        return _talk(connection, body, headers, waiting, began)
    except MarketError as refusal:
        return Outcome(milliseconds=_since(began), error=str(refusal))
    except OSError as error:
        return Outcome(milliseconds=_since(began), error=f"no connection: {_said(error)}", address=address)


def _talk(connection: _Pinned, body: bytes, headers: Mapping[str, str], waiting: Waiting, began: float) -> Outcome:
    left = max(0.01, waiting.in_all - (time.monotonic() - began))
    connection.sock.settimeout(left)
    # A socket's own timeout starts anew with every byte; who drips gets cut off by this one.
    guard = threading.Timer(left, connection.give_up)
    guard.start()
    try:
        connection.request("POST", connection.target.path, body, {**_own_headers(), **headers})
        response = connection.getresponse()
        try:
            answer = response.read(LONGEST_ANSWER)
        except (OSError, http.client.HTTPException):
            answer = b""  # the status has come, and it counts
        return Outcome(
            milliseconds=_since(began),
            status=response.status,
            answer=_text(answer),
            address=connection.address,
            retry_after=_retry_after(response.getheader("Retry-After")),
        )
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = time.monotonic() - began >= waiting.in_all
        said = f"no answer within {waiting.in_all:g} s" if late else f"no answer: {_said(error)}"
        return Outcome(milliseconds=_since(began), error=said, address=connection.address)
    finally:
        guard.cancel()
        connection.close()


def _own_headers() -> Mapping[str, str]:
    return {"Content-Type": "application/json", "User-Agent": AGENT, "Accept": "*/*", "Connection": "close"}


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _text(answer: bytes) -> str:
    """As text a database can hold."""
    return answer.decode("utf-8", "replace").replace("\0", "\ufffd")


def _retry_after(value: str | None) -> dt.timedelta | None:
    """Seconds, or a date by RFC 9110 section 10.2.3."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return dt.timedelta(seconds=min(int(value), 10**6))
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    wait = (at if at.tzinfo else at.replace(tzinfo=dt.UTC)) - dt.datetime.now(dt.UTC)
    return max(wait, dt.timedelta(0))
