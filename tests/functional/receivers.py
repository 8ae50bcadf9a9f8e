"""Machines of others for tests: a receiver of webhooks that answers as told, a mail server; both real, on loopback."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Got:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Answer:
    """What to answer: a status with headers and a body, after a while, in drops."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"thank you"
    after: float = 0.0
    drip: bool = False


@dataclass(slots=True)
class Receiver:
    """A firm's system: gives the answers in their order, the last one for ever, and keeps what it got."""

    url: str = ""
    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    got: list[Got] = field(default_factory=list)

    def answers_with(self, *answers: Answer | int) -> None:
        self.answers = [Answer(status=answer) if isinstance(answer, int) else answer for answer in answers]

    def take(self, request: Got) -> Answer:
        self.got.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextlib.contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver on a free port of this machine, behind TLS if a context is given."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.take(Got(self.path, headers, body))
            time.sleep(answer.after)
            with contextlib.suppress(OSError):  # the caller may have hung up
                if answer.drip:
                    self.drip()
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

        def drip(self) -> None:
            """A status line that never ends, one byte at a time."""
            for byte in b"HTTP/1.1 200 " + b"O" * 200:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.05)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server):
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook?of=changdan"
        yield receiver


def verifies(secret: str, got: Got) -> bool:
    """Whether a request is genuine, as the standard tells a receiver to check it; written from the standard alone."""
    assert secret[:6] == "whsec_"
    key = base64.b64decode(secret[6:])
    content = b".".join((got.headers["webhook-id"].encode(), got.headers["webhook-timestamp"].encode(), got.body))
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    pairs = (part.split(",", 1) for part in got.headers["webhook-signature"].split(" "))
    return any(version == "v1" and hmac.compare_digest(sent, expected) for version, sent in pairs)


@dataclass(slots=True)
class Mailbox:
    """A mail server that keeps what it takes; it refuses addresses in `unknown` for good, and all while `busy`."""

    port: int = 0
    unknown: set[str] = field(default_factory=set)
    busy: bool = False
    letters: list[str] = field(default_factory=list)


@contextlib.contextmanager
def mail_server() -> Iterator[Mailbox]:
    """An SMTP server (RFC 5321, what a client needs of it) on a free port of this machine."""
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 test ready")
            for raw in self.rfile:
                line = raw.decode().strip()
                verb = line[:4].upper()
                if verb == "QUIT":
                    self.say("221 bye")
                    return
                if verb == "RCPT" and any(address in line for address in box.unknown):
                    self.say("550 no such mailbox")
                elif verb == "MAIL" and box.busy:
                    self.say("451 come back later")
                elif verb == "DATA":
                    self.say("354 go on")
                    lines = []
                    for data in self.rfile:
                        if data == b".\r\n":
                            break
                        lines.append(data.decode())
                    box.letters.append("".join(lines))
                    self.say("250 taken")
                else:
                    self.say("250 fine")

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as server:
        box.port = server.server_address[1]
        yield box


@contextlib.contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[Any]:
    """Run a server in a thread of its own, and end both."""
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
