"""Signatures of webhooks by Standard Webhooks 1.0.0: HMAC-SHA256 over "id.timestamp.body", scheme v1.

A secret is `whsec_` and the base64 of its bytes. It is kept encrypted under the application's own secret, so that a
copy of the database alone signs nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Mapping, Sequence

from cryptography.fernet import Fernet, InvalidToken

from market.errors import MarketError

PREFIX = "whsec_"
SECRET_BYTES = 32  # the standard asks for 24 to 64


class SecretUnreadable(MarketError):
    """The application's own secret is not the one that the endpoint's was encrypted under."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def message_name(message_id: uuid.UUID) -> str:
    """The webhook-id of a message: the same over all of its attempts; it holds no full stop."""
    return f"msg_{message_id.hex}"


def signature(secret: str, *, name: str, timestamp: int, body: bytes) -> str:
    """The signature "v1,<base64>" of one body under one secret."""
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    signed = hmac.new(key, f"{name}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def headers(valid: Sequence[str], *, name: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """The headers of one attempt; while a secret is being changed both sign, the newer one first."""
    signatures = (signature(secret, name=name, timestamp=timestamp, body=body) for secret in valid)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def sealed(secret: str, *, under: str) -> str:
    """A secret as it is kept; `under` is the application's own secret."""
    return _box(under).encrypt(secret.encode()).decode()


def opened(kept: str, *, under: str) -> str:
    """:raises SecretUnreadable: it was sealed under another secret."""
    try:
        return _box(under).decrypt(kept.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable("the endpoint's secret cannot be read any more; make a new one") from error


def _box(under: str) -> Fernet:
    key = hashlib.sha256(b"changdan webhook secrets\0" + under.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
