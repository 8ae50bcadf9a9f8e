"""PAdES signatures of both parties on a contract's PDF, each an update after the sealed part.

Keys come from a PKCS #12 archive: one with a certificate of a real authority, or one of `signing_demo`.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pyhanko.keys import load_certs_from_pemder_data
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.signers.pdf_signer import PdfSigningSession
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator import ValidationContext

from market.errors import InvalidValue, MarketError

from .clauses import Party
from .document_check import Checked, Damage, Finding, verify_document
from .signature_mark import mark_style
from .terms import Terms


class Side(StrEnum):
    """Whose signature: also the name of the field in the document."""

    SELLER = "seller"
    BUYER = "buyer"


class SigningRefused(MarketError):
    """The document cannot be signed for this side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature: who signed, when by their own clock, and whether it holds.

    `certificate` is the SHA-256 of the signer's certificate, `subject` all that it calls its holder. `intact`: the
    bytes it covers are those that were signed. `trusted`: its certificate leads to one of the given roots.
    `covers_document`: nothing but another signature was added after it.
    """

    side: str
    signer: str
    certificate: str
    subject: tuple[str, ...]
    signed_at: dt.datetime | None
    intact: bool
    trusted: bool
    covers_document: bool

    @property
    def valid(self) -> bool:
        return self.intact and self.trusted and self.covers_document

    def names(self, party: Party) -> bool:
        """Whether the certificate is the party's: it holds its credit code, or its registered name as it stands."""
        wanted = {party.name.zh, party.name.en}
        return any(party.credit_code in one or one in wanted for one in self.subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDocument:
    """A document's check, what was added after the last signature included, and its signatures in their order."""

    checked: Checked
    signatures: tuple[Signature, ...]

    @property
    def signed_by_both(self) -> bool:
        """The document is as it was made, and a valid signature of each side stands on it."""
        good = {one.side for one in self.signatures if one.valid}
        return not self.checked.findings and good == set(Side) and len(self.signatures) == len(good)


def sign(pdf: bytes, side: Side, key: bytes, passphrase: bytes, *, now: dt.datetime) -> bytes:
    """The document with the signature of one side (PAdES baseline B) in its field; what was there stays as it is.

    `key` is a PKCS #12 archive with the private key and its certificates, `now` the time told in the signature.

    :raises InvalidValue: the archive cannot be opened.
    :raises SigningRefused: the document is not as it was made, or this side has signed.
    """
    signer = _opened(key, passphrase)
    before = verify_signed(pdf, roots=(), now=now)
    if before.checked.findings:
        first = before.checked.findings[0]
        raise SigningRefused(f"{first.place}: {first.text.en}; expected a document as it was made")
    for one in before.signatures:
        if not (one.intact and one.covers_document):
            raise SigningRefused(f"the signature of the {one.side} is broken; expected it whole")
        if one.side == side:
            raise SigningRefused(f"the {side} has signed; expected one signature of each side")
    metadata = signers.PdfSignatureMetadata(
        field_name=side, subfilter=fields.SigSeedSubFilter.PADES, md_algorithm="sha256"
    )
    stamp = _mark(signer, now)
    held = _SignerAt(metadata, signer, stamp, now).sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(pdf)), existing_fields_only=True
    )
    return bytes(held.getvalue())


def _opened(key: bytes, passphrase: bytes) -> signers.SimpleSigner:
    try:
        signer: signers.SimpleSigner = signers.SimpleSigner.load_pkcs12_data(key, other_certs=(), passphrase=passphrase)
    except ValueError:
        raise InvalidValue("a key archive that cannot be opened; expected PKCS #12 and its passphrase") from None
    return signer


def _mark(signer: signers.SimpleSigner, now: dt.datetime) -> StaticStampStyle:
    """The signature's look: the holder of the certificate, the time, the certificate's SHA-256."""
    certificate = signer.signing_cert
    if certificate is None:
        raise InvalidValue("a key archive without a certificate; expected the key's certificate in it")
    return mark_style(_holder(certificate), str(certificate.sha256.hex()), now=now)


def _holder(certificate: Any) -> str:
    """What a certificate (X.509) calls its holder."""
    subject = certificate.subject
    return str(subject.native.get("common_name", subject.human_friendly))


class _SignerAt(signers.PdfSigner):
    """A signer whose clock is told, not read."""

    def __init__(
        self, metadata: signers.PdfSignatureMetadata, signer: signers.Signer, stamp: StaticStampStyle, now: dt.datetime
    ) -> None:
        super().__init__(metadata, signer, stamp_style=stamp)
        self.now = now

    def init_signing_session(self, pdf_out: BasePdfFileWriter, existing_fields_only: bool = False) -> PdfSigningSession:
        session = super().init_signing_session(pdf_out, existing_fields_only)
        session.system_time = self.now
        return session


def verify_signed(
    pdf: bytes, *, roots: Sequence[bytes], now: dt.datetime, stored: Terms | None = None, seal: str | None = None
) -> SignedDocument:
    """Check a document as `verify_document` does, and every signature on it against the trusted roots at `now`.

    `roots` are certificates as PEM or DER. Revocation is judged by what the document carries; nothing is fetched.
    """
    checked = verify_document(pdf, stored=stored, seal=seal)
    try:
        embedded = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
        found = tuple(_judged(one, roots, now) for one in embedded)
        end = max((_end(one) for one in embedded), default=len(pdf))
    except Exception as error:
        broken = Finding(
            damage=Damage.UNREADABLE,
            place="signatures",
            found=f"{type(error).__name__}: {error}",
            expected="signatures as they were made",
        )
        return SignedDocument(checked=replace(checked, findings=(*checked.findings, broken)), signatures=())
    if end != len(pdf):
        told = f"{len(pdf) - end} bytes after the last signature"
        added = Finding(damage=Damage.APPENDED, place="file", found=told, expected="nothing")
        checked = replace(checked, findings=(*checked.findings, added))
    return SignedDocument(checked=checked, signatures=found)


def _end(one: EmbeddedPdfSignature) -> int:
    """Where the bytes end that a signature covers."""
    *_, start, length = (int(at) for at in one.byte_range)
    return start + length


def _judged(one: EmbeddedPdfSignature, roots: Sequence[bytes], now: dt.datetime) -> Signature:
    context = ValidationContext(
        trust_roots=[one for root in roots for one in load_certs_from_pemder_data(root)],
        moment=now,
        allow_fetching=False,
    )
    status = validate_pdf_signature(one, context)
    whole = status.coverage is SignatureCoverageLevel.ENTIRE_FILE
    only_signed = status.coverage is SignatureCoverageLevel.ENTIRE_REVISION and bool(status.docmdp_ok)
    return Signature(
        side=str(one.field_name),
        signer=_holder(one.signer_cert),
        certificate=str(one.signer_cert.sha256.hex()),
        subject=_subject(one),
        signed_at=one.self_reported_timestamp,
        intact=bool(status.intact and status.valid),
        trusted=bool(status.trusted),
        covers_document=whole or only_signed,
    )


def _subject(one: EmbeddedPdfSignature) -> tuple[str, ...]:
    """Every value of the certificate's subject, whatever its kind: common name, organisation, numbers of registers."""
    values = one.signer_cert.subject.native.values()
    return tuple(str(text) for value in values for text in (value if isinstance(value, list) else [value]))
