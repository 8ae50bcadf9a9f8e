"""A contract that waits for its signatures, an authority that both sides trust, and keys of the parties."""

from __future__ import annotations

import datetime as dt
import functools
import io
import json
from dataclasses import replace
from typing import Any

from pypdf import PdfReader, PdfWriter

from app.auth import Principal
from app.auth.principal import of_user
from app.db import db
from app.models import Amendment, Contract, Firm
from app.operations import amendments, documents, effect, signing
from app.operations.contract_terms import contract_number, frozen_terms, terms_of
from app.operations.signing import CertificateFile, SignedElsewhere
from contracts.clauses import Party
from contracts.signing import Side, sign
from contracts.signing_demo import DemoAuthority, demo_authority, demo_key
from contracts.terms import canonical_json, terms_hash
from tests import factories as make

NOON = make.NOON
DAY = dt.timedelta(days=1)
PASSPHRASE = b"words for a test"


@functools.cache
def authority() -> DemoAuthority:
    return demo_authority(now=NOON - 30 * DAY)


ROOTS = (authority().root,)


@functools.cache
def key(party: Party) -> bytes:
    return demo_key(authority(), party, PASSPHRASE, now=NOON)


def contract_to_sign(*, created_at: dt.datetime = NOON, **changes: Any) -> Contract:
    """An agreed contract with the standard terms of its proposal: ten lots in each of eight quarters from 2027-Q1."""
    proposal = make.AgreedProposalFactory()
    terms = replace(terms_of(proposal, affiliates={}), **changes)
    document = json.loads(canonical_json(terms))
    for offer in (proposal.sell_offer, proposal.buy_offer):
        for line in offer.periods:
            make.ReservationFactory(proposal=proposal, offer_id=offer.id, period=line.period, quantity=10)
    contract: Contract = make.ContractFactory(
        proposal=proposal,
        number=contract_number(proposal.id),
        terms=document,
        terms_hash=terms_hash(terms),
        created_at=created_at,
    )
    return contract


def trader(firm: Firm) -> Principal:
    return of_user(make.UserFactory(firm=firm))


def given(contract: Contract, side: str, hash_: str | None = None) -> CertificateFile:
    """The key of a party, to sign the contract's terms or others."""
    terms = frozen_terms(contract.terms)
    return CertificateFile(
        archive=key(getattr(terms, side)), passphrase=PASSPHRASE, terms_hash=hash_ or contract.terms_hash
    )


def elsewhere(contract: Contract, side: str, pdf: bytes, *, now: dt.datetime = NOON) -> SignedElsewhere:
    """The document as a signing service gives it back."""
    terms = frozen_terms(contract.terms)
    return SignedElsewhere(content=sign(pdf, Side(side), key(getattr(terms, side)), PASSPHRASE, now=now))


def sign_for(
    contract: Contract, side: str, given_: signing.Given | None = None, *, now: dt.datetime = NOON
) -> Contract:
    return signing.sign(
        db.session(),
        principal=trader(getattr(contract, side)),
        contract_id=contract.id,
        given=given_ or given(contract, side),
        roots=ROOTS,
        now=now,
    )


def effective_contract(**changes: Any) -> Contract:
    """A contract that both have signed and that is in force."""
    contract = contract_to_sign(**changes)
    for side in ("seller", "buyer"):
        sign_for(contract, side)
    assert effect.take_effect(db.session(), bundle_id=contract.proposal.bundle_id, now=NOON) == 1
    return contract


def contract_in_force(**changes: Any) -> Contract:
    """A contract in force of whose first version no document is kept here; that saves the work of two signatures."""
    contract = contract_to_sign(**changes)
    contract.state = "effective"
    db.session.flush()
    return contract


def drafted(contract: Contract, side: str = "seller", *, now: dt.datetime = NOON, **changes: Any) -> Amendment:
    """A draft of one side: the price to 75 from April 2027 on, unless told otherwise."""
    values: dict[str, Any] = {
        "reason_code": "price_reopener",
        "in_force_from": dt.date(2027, 4, 1),
        "new_values": {"/price/amount": "75"},
    } | changes
    principal = trader(getattr(contract, side))
    return amendments.draft(db.session(), principal=principal, contract_id=contract.id, now=now, **values)


def moved(move: str, amendment: Amendment, side: str, *, now: dt.datetime = NOON, **more: Any) -> Amendment:
    """Propose or sign an amendment for a side, with its key."""
    contract = db.session.get_one(Contract, amendment.contract_id)
    values: dict[str, Any] = {"given": given(contract, side, amendment.terms_hash), "roots": ROOTS, "now": now} | more
    operation = {"propose": amendments.propose, "sign": amendments.sign}[move]
    return operation(
        db.session(),
        principal=trader(getattr(contract, side)),
        contract_id=contract.id,
        amendment_id=amendment.id,
        **values,
    )


def document(contract: Contract) -> bytes:
    found = documents.document_of(db.session(), contract=contract)
    assert found is not None
    return documents.content_of(found)


def with_other_terms(pdf: bytes, old: bytes, new: bytes) -> bytes:
    """A forgery: the attached terms changed and the document written anew, its hash and seal left as they were."""
    writer = PdfWriter(clone_from=io.BytesIO(pdf))
    attached = PdfReader(io.BytesIO(pdf)).attachments["terms.json"][0]
    assert old in attached
    names = writer.root_object["/Names"]["/EmbeddedFiles"]["/Names"]  # type: ignore[index]
    names[1].get_object()["/EF"]["/F"].get_object().set_data(attached.replace(old, new))
    held = io.BytesIO()
    writer.write(held)
    return held.getvalue()
