"""Signatures of webhooks against the standard's own scheme, computed here by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.operations.webhook_signing import (
    SecretUnreadable,
    headers,
    message_name,
    new_secret,
    opened,
    sealed,
    signature,
)


def test_a_secret_has_the_form_of_the_standard() -> None:
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64
    assert secret != new_secret()


@given(st.binary(min_size=24, max_size=64), st.integers(0, 2**40), st.binary(max_size=300))
def test_the_signature_is_over_id_time_and_body(key: bytes, timestamp: int, body: bytes) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    digest = hmac.new(key, b"msg_1." + str(timestamp).encode() + b"." + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    assert signature(secret, name="msg_1", timestamp=timestamp, body=body) == expected


def test_the_headers_carry_one_signature_for_each_secret() -> None:
    first, second = new_secret(), new_secret()
    found = headers([first, second], name="msg_1", timestamp=7, body=b"{}")
    assert found["webhook-id"] == "msg_1"
    assert found["webhook-timestamp"] == "7"
    assert found["webhook-signature"] == " ".join(
        signature(secret, name="msg_1", timestamp=7, body=b"{}") for secret in (first, second)
    )


def test_the_name_of_a_message_holds_no_full_stop() -> None:
    assert message_name(uuid.UUID(int=255)) == "msg_000000000000000000000000000000ff"


def test_a_secret_is_kept_sealed() -> None:
    secret = new_secret()
    kept = sealed(secret, under="a")
    assert secret not in kept
    assert opened(kept, under="a") == secret
    with pytest.raises(SecretUnreadable, match="make a new one"):
        opened(kept, under="b")
