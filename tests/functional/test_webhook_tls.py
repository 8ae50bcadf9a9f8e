"""Over TLS the connection goes to the checked address, and the URL's own name stands in Host, SNI and certificate."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.jobs.webhook_call import call

from .receivers import Receiver, receiving

NAME = "erp.example.org"


def certificate(folder: Path) -> Path:
    """A certificate for `NAME` that vouches for itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "receiver.pem"
    path.write_bytes(private + made.public_bytes(form))
    return path


@dataclass(slots=True)
class Secure:
    """A receiver behind TLS, and the names that callers asked for in their hello."""

    receiver: Receiver
    port: int
    asked_for: list[str | None] = field(default_factory=list)


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secure]:
    path = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))  # whom this machine trusts
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with receiving(context) as receiver:
        found = Secure(receiver, int(receiver.url.split(":")[2].split("/")[0]))

        def hello(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
            found.asked_for.append(name)

        context.sni_callback = hello
        yield found


def leading_to(*answers: list[str]) -> tuple[Callable[..., list[tuple[Any, ...]]], list[str]]:
    """A resolver that gives another answer each time, as a name that is rebound does; and what it was asked."""
    asked: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [(2, 1, 6, "", (address, port)) for address in answers[min(len(asked), len(answers)) - 1]]

    return resolve, asked


def test_the_name_is_the_urls_and_the_address_the_checked_one(secure: Secure) -> None:
    resolve, asked = leading_to(["127.0.0.1"], ["10.0.0.1"])
    url = f"https://{NAME}:{secure.port}/hook"
    outcome = call(url, body=b"{}", headers={}, loopback=True, resolve=resolve)
    assert (outcome.status, outcome.address, outcome.error) == (200, "127.0.0.1", None)
    assert asked == [NAME], "asked once: a second answer has no chance"
    assert secure.asked_for == [NAME]
    assert secure.receiver.got[0].headers["host"] == f"{NAME}:{secure.port}"


def test_a_certificate_of_another_name_is_refused(secure: Secure) -> None:
    resolve, _ = leading_to(["127.0.0.1"])
    url = f"https://other.example.org:{secure.port}/hook"
    outcome = call(url, body=b"{}", headers={}, loopback=True, resolve=resolve)
    assert outcome.status is None
    assert "certificate" in str(outcome.error).lower()
    assert secure.receiver.got == []


def test_the_next_address_is_used_when_one_does_not_answer(secure: Secure) -> None:
    resolve, _ = leading_to(["::1", "127.0.0.1"])
    url = f"https://{NAME}:{secure.port}/hook"
    outcome = call(url, body=b"{}", headers={}, loopback=True, resolve=resolve)
    assert (outcome.status, outcome.address) == (200, "127.0.0.1")
