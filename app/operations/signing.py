"""Signing: each party puts its signature on the printed contract, here with a key it sends along, or elsewhere.

Whichever way it comes, a signature is taken only if it stands on the very bytes that were printed, holds, leads to a
trusted root and was made with a certificate of the party. Keys and passphrases are used and forgotten.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app.auth import Principal
from app.models import Contract, ContractDocument, DocumentSignature, SigningMethod, SubjectKind
from app.operations import contracts, documents, moves, outbox
from app.operations.contract_terms import frozen_terms
from app.operations.signing_flaws import Flaw, NotSignable, SignatureRefused
from contracts import signing
from contracts.clauses import Party
from contracts.signing import Side, Signature, SignedDocument, SigningRefused, verify_signed
from contracts.state import Actor, Guard, Subject
from contracts.terms import Terms
from market.errors import InvalidValue

LARGEST_DOCUMENT = 8 * 1024 * 1024
LARGEST_ARCHIVE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFile:
    """A key to sign with here (PKCS #12) and its passphrase, and the hash of the terms that are to be signed."""

    archive: bytes = field(repr=False)
    passphrase: bytes = field(repr=False)
    terms_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedElsewhere:
    """The document with a signature that a signing service or a program of the party's own put on it."""

    content: bytes = field(repr=False)


Given = CertificateFile | SignedElsewhere


def sign(
    session: Session,
    *,
    principal: Principal,
    contract_id: uuid.UUID,
    given: Given,
    roots: Sequence[bytes],
    now: dt.datetime,
) -> Contract:
    """Sign a contract for the asker's side: the first signature makes it "signing", the second "signed".

    :raises NotFound: no such contract of the asker's.
    :raises Forbidden: the asker signs for neither party.
    :raises Conflict: it is not to be signed now, this side has signed, or the other side was faster.
    :raises SignatureRefused: what is wrong with the key or the signature.
    """
    contract = contracts.lock_contract(session, principal=principal, contract_id=contract_id)
    side = contracts.signing_side(principal, contract)
    document = documents.document_of(session, contract=contract)
    if document is not None and any(one.side == side for one in document.signatures):
        raise NotSignable(Flaw.SIGNED_BEFORE)
    if contract.state in {"agreed", "signing"} and now >= deadline(contract):
        raise NotSignable(Flaw.TOO_LATE)
    guards = {Guard.SIGNED_VERSION_HASH} if signs_terms(given, contract.terms_hash) else set()
    if document is not None and document.signatures:
        guards.add(Guard.OTHER_SIDE_SIGNED)
    moves.allowed(Subject.CONTRACT, contract.state, "sign", side, guards, rule_version=contract.rule_version)
    document = document or documents.make(session, contract=contract, now=now)
    terms = frozen_terms(contract.terms)
    take(session, principal=principal, document=document, side=side, terms=terms, given=given, roots=roots, now=now)
    moves.make(session, contract, "sign", acting_as=side, principal=principal, guards=guards, now=now)
    outbox.tell(
        session,
        topic=f"contract.{contract.state}",
        about=(SubjectKind.CONTRACT, contract.id),
        firms=(contract.seller_firm_id, contract.buyer_firm_id),
        payload={"contract": contract.number, "contract_id": str(contract.id), "state": contract.state},
        now=now,
    )
    session.flush()
    return contract


def deadline(contract: Contract) -> dt.datetime:
    """Until when both sides have to sign; a timer ends the contract after that."""
    days: int = contract.terms["deadlines"]["signing_days"]
    return contract.created_at + dt.timedelta(days=days)


def signs_terms(given: Given, terms_hash: str) -> bool:
    """Whether what is given is meant for these terms; a document signed elsewhere says so itself, and is checked."""
    return isinstance(given, SignedElsewhere) or given.terms_hash == terms_hash


def take(
    session: Session,
    *,
    principal: Principal,
    document: ContractDocument,
    side: Actor,
    terms: Terms,
    given: Given,
    roots: Sequence[bytes],
    now: dt.datetime,
) -> DocumentSignature:
    """Put a side's signature on a document, or check one that was put elsewhere, and keep it.

    The caller has locked the contract.

    :raises NotSignable: no roots are trusted, or the other side has signed since the document was fetched.
    :raises SignatureRefused: what is wrong with the key or the signature.
    """
    if not roots:
        raise NotSignable(Flaw.NO_ROOTS)
    before = documents.content_of(document)
    method = SigningMethod.EXTERNAL if isinstance(given, SignedElsewhere) else SigningMethod.CERTIFICATE_FILE
    content = given.content if isinstance(given, SignedElsewhere) else _signed_here(before, side, given, now)
    signature = _checked(content, before, document=document, side=side, terms=terms, roots=roots, now=now)
    taken = DocumentSignature(
        document=document,
        position=len(document.signatures) + 1,
        side=str(side),
        terms_hash=document.terms_hash,
        method=method,
        signer=signature.signer,
        certificate=signature.certificate,
        signed_at=signature.signed_at,
        user_id=principal.user_id,
        api_key_id=principal.api_key_id,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        created_at=now,
    )
    session.add(taken)
    session.flush()
    return taken


def _signed_here(before: bytes, side: Actor, given: CertificateFile, now: dt.datetime) -> bytes:
    if len(given.archive) > LARGEST_ARCHIVE:
        raise SignatureRefused(Flaw.BAD_ARCHIVE)
    try:
        return signing.sign(before, Side(side), given.archive, given.passphrase, now=now)
    except InvalidValue:
        raise SignatureRefused(Flaw.BAD_ARCHIVE) from None
    except SigningRefused as refusal:
        raise SignatureRefused(Flaw.NOT_THE_DOCUMENT, found=str(refusal)) from refusal


def _checked(
    content: bytes,
    before: bytes,
    *,
    document: ContractDocument,
    side: Actor,
    terms: Terms,
    roots: Sequence[bytes],
    now: dt.datetime,
) -> Signature:
    """The one signature that is new on a document, if it holds and is the side's."""
    if len(content) > LARGEST_DOCUMENT:
        raise SignatureRefused(Flaw.TOO_LARGE, found=f"{len(content)} bytes; expected at most {LARGEST_DOCUMENT}")
    if content == before:
        raise SignatureRefused(Flaw.NO_SIGNATURE)
    if content.startswith(document.content) and not content.startswith(before):
        raise NotSignable(Flaw.OTHER_SIDE_MEANWHILE)
    signed = verify_signed(content, roots=roots, now=now, stored=terms, seal=document.seal)
    if not content.startswith(before):
        raise SignatureRefused(Flaw.NOT_THE_DOCUMENT, findings=signed.checked.findings)
    known = {one.side for one in document.signatures}
    new = [one for one in signed.signatures if one.side not in known]
    if not new:
        flaw = Flaw.BROKEN if signed.checked.findings else Flaw.NO_SIGNATURE
        raise SignatureRefused(flaw, findings=signed.checked.findings)
    if len(signed.signatures) != len(known) + 1:
        raise SignatureRefused(Flaw.MORE_ADDED, found=f"{len(signed.signatures)} signatures")
    _judge(new[0], signed, side)
    _of_party(new[0], terms.seller if side is Actor.SELLER else terms.buyer)
    return new[0]


def _judge(signature: Signature, signed: SignedDocument, side: Actor) -> None:
    """Refuse a signature that is not the side's, does not hold, or is not the last thing that was added."""
    if signature.side != side:
        raise SignatureRefused(Flaw.OTHER_FIELD, found=f"field {signature.side!r}; expected {str(side)!r}")
    if not signature.intact:
        raise SignatureRefused(Flaw.BROKEN, findings=signed.checked.findings)
    if not signature.trusted:
        raise SignatureRefused(Flaw.NOT_TRUSTED, found=signature.signer)
    if signed.checked.findings or not all(one.intact and one.covers_document for one in signed.signatures):
        raise SignatureRefused(Flaw.MORE_ADDED, findings=signed.checked.findings)


def _of_party(signature: Signature, party: Party) -> None:
    if not signature.names(party):
        expected = f"expected {party.name.zh} or {party.credit_code} in it"
        raise SignatureRefused(Flaw.OTHER_PARTY, found=f"{signature.signer}; {expected}")
