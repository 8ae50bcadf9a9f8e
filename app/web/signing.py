"""Signing a contract: the printed document, who has signed it, and the ways to sign."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import Principal, principal, requires
from app.clock import clock
from app.config import settings
from app.db import session
from app.downloads import pdf_download
from app.errors import Told
from app.models import Contract
from app.operations import contracts, documents, effect, signing
from app.operations.signing import LARGEST_ARCHIVE, LARGEST_DOCUMENT, CertificateFile, Given, SignedElsewhere
from app.operations.signing_flaws import SignatureRefused
from app.permissions import Permission
from app.trust import demo_signature, trusted_roots
from app.web.formats import in_words
from app.web.texts import _
from contracts.clauses import Party
from contracts.state import Guard

blueprint = Blueprint("signing", __name__)
MOST_TOLD, LONGEST_TOLD = 3, 200
OPEN_TO_SIGN = frozenset({"agreed", "signing"})


def section(contract: Contract, who: Principal) -> dict[str, Any]:
    """The documents with their signatures; what the reader may sign, and what a signed contract still waits for."""
    found = documents.documents(session(), contract=contract)
    first = next((document for document in found if document.number == 1), None)
    side = contracts.side_of(who, contract)
    signed = {one.side for one in first.signatures} if first is not None else set()
    is_open = contract.state in OPEN_TO_SIGN
    return {
        "documents": found,
        "may_sign": is_open and side is not None and side not in signed and who.may(Permission.CONTRACT_SIGN),
        "may_prepare": is_open and first is None and side is not None and who.may(Permission.CONTRACT_SIGN),
        "until": signing.deadline(contract) if is_open and "deadlines" in contract.terms else None,
        "missing": _missing(contract) if contract.state == "signed" else [],
        "demo": settings().demo_signing,
        "action": url_for("signing.sign", contract_id=contract.id),
        "terms_hash": contract.terms_hash,
    }


@blueprint.post("/contracts/<uuid:contract_id>/document")
@requires(Permission.CONTRACT_SIGN)
def prepare(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Print the contract, to be read and signed."""
    documents.prepare(session(), principal=principal(), contract_id=contract_id, now=clock())
    return redirect(url_for("contracts.show", contract_id=contract_id, _anchor="signing"), 303)


@blueprint.get("/contracts/<uuid:contract_id>/documents/<int:number>.pdf")
@requires(Permission.CONTRACT_READ)
def document(contract_id: uuid.UUID, number: int) -> ResponseReturnValue:
    """The document of a version, with the signatures on it."""
    found = documents.find_document(session(), principal=principal(), contract_id=contract_id, number=number)
    return pdf_download(found)


@blueprint.post("/contracts/<uuid:contract_id>/sign")
@requires(Permission.CONTRACT_SIGN)
def sign(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Sign with a certificate file, with a document signed elsewhere, or in a demonstration with a key of its own."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    party = contracts.party_of(principal(), contract)
    back = url_for("contracts.show", contract_id=contract_id, _anchor="signing")
    try:
        with session().begin_nested():
            signed = signing.sign(
                session(),
                principal=principal(),
                contract_id=contract_id,
                given=given_of_form(party),
                roots=trusted_roots(settings(), now=clock()),
                now=clock(),
            )
    except Told as refusal:
        tell_refusal(refusal)
        return redirect(back, 303)
    if signed.state == "signed":
        flash(_("Both sides have signed. The contract takes effect when nothing is missing any more."), "success")
    else:
        flash(_("Signed. The contract waits for the other side's signature."), "success")
    return redirect(back, 303)


def given_of_form(party: Party) -> Given:
    """What the signing form sent; the key and its passphrase live as long as the request."""
    method = request.form.get("method", "")
    if method == "demo" and settings().demo_signing:
        return demo_signature(settings(), party, request.form.get("terms_hash", ""), now=clock())
    sent = request.files.get("file")
    content = sent.read(LARGEST_DOCUMENT + 1) if sent is not None else b""
    if method == "external":
        return SignedElsewhere(content=content)
    return CertificateFile(
        archive=content[: LARGEST_ARCHIVE + 1],
        passphrase=request.form.get("passphrase", "").encode(),
        terms_hash=request.form.get("terms_hash", ""),
    )


def tell_refusal(refusal: Told) -> None:
    """What stood in the way, and of a changed document the first places, on the next page."""
    flash(in_words(refusal.text.zh, refusal.text.en), "danger")
    if isinstance(refusal, SignatureRefused):
        for one in refusal.further[:MOST_TOLD]:  # they travel in a cookie, which holds 4 kB
            flash(in_words(one.text.zh, one.text.en)[:LONGEST_TOLD], "danger")


def _missing(contract: Contract) -> list[str]:
    texts = {
        Guard.BUNDLE_COMPLETE: _("Not all contracts of its bundle are signed."),
        Guard.CERTIFICATES_VALID: _("The seller lacks a valid certificate that the buyer asks for."),
        Guard.PRODUCT_QUALIFIED: _("The seller is not among the suppliers that the buyer has qualified."),
        Guard.START_NOT_PAST: _("The first day of delivery is past."),
    }
    return [texts[guard] for guard in effect.missing(session(), contract=contract, now=clock())]
