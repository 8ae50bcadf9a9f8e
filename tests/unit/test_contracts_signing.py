"""Signatures of both parties on the printed contract: who signed, that they cover all of it, that damage is found."""

from __future__ import annotations

import datetime as dt
import io
import re
from functools import cache

import pytest
from pypdf import PdfReader, PdfWriter

from contracts.clauses import Party
from contracts.document import seal_of
from contracts.document_check import Damage, verify_document
from contracts.signing import Side, SignedDocument, SigningRefused, sign, verify_signed
from contracts.signing_demo import DemoAuthority, demo_authority, demo_key
from market.errors import InvalidValue

from .test_contracts_document import made
from .test_contracts_terms import BUYER, SELLER, terms

NOW = dt.datetime(2026, 11, 21, 8, 30, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=3)
PASSPHRASE = b"words for a test"


@cache
def authority() -> DemoAuthority:
    return demo_authority(now=NOW)


@cache
def key(party: Party) -> bytes:
    return demo_key(authority(), party, PASSPHRASE, now=NOW)


@cache
def signed_once() -> bytes:
    return sign(made(), Side.SELLER, key(SELLER), PASSPHRASE, now=NOW)


@cache
def signed_twice() -> bytes:
    return sign(signed_once(), Side.BUYER, key(BUYER), PASSPHRASE, now=LATER)


def verified(pdf: bytes) -> SignedDocument:
    return verify_signed(pdf, roots=(authority().root,), now=LATER, stored=terms(), seal=seal_of(made()))


def test_both_sign_one_after_the_other_and_nothing_before_them_changes() -> None:
    assert signed_twice().startswith(signed_once())
    assert signed_once().startswith(made())
    document = verified(signed_twice())
    assert [(one.side, one.signer, one.signed_at) for one in document.signatures] == [
        ("seller", SELLER.name.zh, NOW),
        ("buyer", BUYER.name.zh, LATER),
    ]
    assert all(one.valid for one in document.signatures)
    assert document.checked.findings == ()
    assert document.signed_by_both
    assert not verified(signed_once()).signed_by_both
    assert not verified(made()).signed_by_both


def test_each_signature_stands_in_its_box() -> None:
    annotations = PdfReader(io.BytesIO(signed_twice())).pages[-1].annotations
    assert annotations is not None
    shown = {}
    for one in annotations:
        field = one.get_object()
        shown[str(field["/T"])] = field["/AP"]["/N"].get_object()
    assert set(shown) == set(Side)


def test_a_signature_shows_who_signed_when_and_by_which_certificate() -> None:
    page = PdfReader(io.BytesIO(signed_twice())).pages[-1]
    assert page.annotations is not None
    fields = [one.get_object() for one in page.annotations]
    shown = {str(field["/T"]): page.extract_xform_text(field["/AP"]["/N"].get_object()) for field in fields}
    for one in verified(signed_twice()).signatures:
        told, hour = shown[one.side], {"seller": 16, "buyer": 19}[one.side]
        assert one.signer in told
        assert f"2026-11-21 {hour}:30:00 北京时间" in told
        assert one.certificate[:32] in told
        assert one.certificate[32:] in told


def test_a_certificate_of_another_authority_is_not_trusted() -> None:
    stranger = demo_authority(now=NOW)
    document = verify_signed(signed_twice(), roots=(stranger.root,), now=LATER)
    assert [(one.intact, one.trusted) for one in document.signatures] == [(True, False)] * 2
    assert not document.signed_by_both


def places() -> list[int]:
    """Bytes all over the signed document, outside the digits of the signatures themselves."""
    pdf = signed_twice()
    digits = [found.span() for found in re.finditer(rb"<[0-9a-fA-F]{1000,}>", pdf)]
    assert len(digits) == 2
    spread = [len(pdf) * step // 9 for step in range(9)] + [len(made()) + 40, len(signed_once()) + 40, len(pdf) - 8]
    return [at for at in spread if not any(first <= at < last for first, last in digits)]


def test_one_flipped_bit_anywhere_is_found() -> None:
    assert len(places()) > 8
    for at in places():
        flipped = bytearray(signed_twice())
        flipped[at] ^= 1
        document = verified(bytes(flipped))
        assert not document.signed_by_both, at


def test_a_flipped_bit_before_the_signatures_breaks_them_all() -> None:
    flipped = bytearray(signed_twice())
    at = flipped.index(b"/Lang (") + 7
    flipped[at] ^= 1
    document = verified(bytes(flipped))
    assert [one.intact for one in document.signatures] == [False, False]
    assert [one.damage for one in document.checked.findings] == [Damage.SEAL_BROKEN]


def test_what_is_added_after_the_signatures_is_found() -> None:
    writer = PdfWriter(io.BytesIO(signed_twice()), incremental=True)
    writer.pages[0].rotate(90)
    held = io.BytesIO()
    writer.write(held)
    document = verified(held.getvalue())
    assert held.getvalue().startswith(signed_twice())
    assert not document.signed_by_both
    assert not all(one.covers_document for one in document.signatures)
    assert Damage.APPENDED in {one.damage for one in document.checked.findings}
    assert [one.damage for one in verified(signed_twice() + b"more").checked.findings] == [Damage.APPENDED]


def test_nobody_signs_twice_or_a_changed_document_or_with_another_passphrase() -> None:
    with pytest.raises(SigningRefused, match="the seller has signed"):
        sign(signed_once(), Side.SELLER, key(SELLER), PASSPHRASE, now=LATER)
    changed = made().replace(b"/Lang (zh", b"/Lang (en")
    assert changed != made()
    with pytest.raises(SigningRefused, match="bytes are not those that were sealed"):
        sign(changed, Side.SELLER, key(SELLER), PASSPHRASE, now=NOW)
    with pytest.raises(InvalidValue):
        sign(made(), Side.SELLER, key(SELLER), b"another", now=NOW)


def test_the_check_of_the_document_looks_at_the_sealed_part() -> None:
    checked = verify_document(signed_twice(), stored=terms())
    assert checked.findings == ()
    assert checked.appended == len(signed_twice()) - len(made())
