"""Is this file a contract of ours, as it was made and signed? Nothing of the file is kept.

What is on record is compared with a file only if that carries the seal or the hash of the terms on record: who has not
had the document in hand learns nothing about it here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.models import Contract, ContractDocument, ContractVersion
from app.operations.contract_terms import frozen_terms
from contracts.document_check import Damage, Finding, verify_document
from contracts.signing import Signature, verify_signed
from contracts.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a file is and what is wrong with it.

    `number` and `version` are those of the document on record, None where there is none. `signed_on_record` are the
    sides that have signed it here, whether or not their signatures are on this file. `terms` are those in the file.
    """

    sha256: str
    seal: str | None
    number: str | None
    version: int | None
    signed_on_record: tuple[str, ...]
    in_force: bool
    findings: tuple[Finding, ...]
    signatures: tuple[Signature, ...]
    signed_by_both: bool
    terms: Terms | None

    @property
    def whole(self) -> bool:
        """A document of ours, byte for byte as it was made, and every signature on it holds."""
        return self.number is not None and not self.findings and all(one.valid for one in self.signatures)


def verify(session: Session, *, content: bytes, roots: Sequence[bytes], now: dt.datetime) -> Verified:
    """Check a file against itself, against the document on record that it claims to be, and its signatures."""
    record = _on_record(session, content)
    stored = None if record is None else frozen_terms((record.amendment or record.contract).terms)
    seal = None if record is None else record.seal
    signed = verify_signed(content, roots=roots, now=now, stored=stored, seal=seal)
    return Verified(
        sha256=hashlib.sha256(content).hexdigest(),
        seal=signed.checked.seal,
        number=None if record is None else record.contract.number,
        version=None if record is None else record.number,
        signed_on_record=() if record is None else tuple(one.side for one in record.signatures),
        in_force=record is not None and _in_force(session, record),
        findings=signed.checked.findings or (() if record is None else _unlike(content, record)),
        signatures=signed.signatures,
        signed_by_both=signed.signed_by_both,
        terms=signed.checked.terms,
    )


def _on_record(session: Session, content: bytes) -> ContractDocument | None:
    """The document whose seal the file carries, or whose terms' hash it has or tells."""
    checked = verify_document(content)
    query = sa.select(ContractDocument).options(
        selectinload(ContractDocument.contract), selectinload(ContractDocument.signatures)
    )
    order = (ContractDocument.created_at.desc(), ContractDocument.id)
    found: ContractDocument | None = None
    if checked.seal is not None:
        found = session.scalars(query.where(ContractDocument.seal == checked.seal).order_by(*order)).first()
    hashes = [one for one in (checked.terms_hash, checked.told_hash) if one]
    if found is None and hashes:
        found = session.scalars(query.where(ContractDocument.terms_hash.in_(hashes)).order_by(*order)).first()
    return found


def _unlike(content: bytes, record: ContractDocument) -> tuple[Finding, ...]:
    """Where a file in which all sums fit differs from every copy on record.

    A signature has room that no sum covers, and may stand on a file that was never sent in.
    """
    kept = [record.content, *(one.content for one in record.signatures)]
    if content in kept:
        return ()
    nearest = max(kept, key=lambda copy: _same_start(copy, content))
    at = _same_start(nearest, content)
    found, expected = (f"0x{copy[at]:02x}" if at < len(copy) else "the end" for copy in (content, nearest))
    place = f"byte {at + 1} of {len(content)}"
    return (Finding(damage=Damage.NOT_ON_RECORD, place=place, found=found, expected=expected),)


def _same_start(one: bytes, other: bytes) -> int:
    """How many bytes are the same before the first that is not."""
    shorter = min(len(one), len(other))
    return next((at for at in range(shorter) if one[at] != other[at]), shorter)


def _in_force(session: Session, record: ContractDocument) -> bool:
    """Whether the contract is in force and no later version was signed."""
    last = sa.select(sa.func.max(ContractVersion.number)).where(ContractVersion.contract_id == record.contract_id)
    state = sa.select(Contract.state).where(Contract.id == record.contract_id)
    return session.scalar(last) == record.number and session.scalar(state) in {"effective", "suspended"}
