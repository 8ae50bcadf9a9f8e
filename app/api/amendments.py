"""Versions of a contract's terms, and amendments on their way to one."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma
from flask import Response

from app.api.conventions import MULTIPART, ApiBlueprint
from app.api.fields import Text, Timestamp
from app.api.idempotency import idempotent
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.signing import PDF, ContractDocumentSchema, SigningSchema, given_of
from app.api.versions import show_version
from app.auth import principal, requires
from app.clock import clock
from app.config import settings
from app.db import session
from app.downloads import pdf_download
from app.models import Amendment, ContractDocument
from app.operations import amendments, contracts, documents, terms_in_force
from app.permissions import Permission
from app.trust import trusted_roots
from contracts.canonical import Change
from contracts.reasons import ReasonGroup, codes_of

blueprint = ApiBlueprint(
    "amendments", __name__, path="/contracts", description="Versions of terms, and amendments that make them"
)


class TermsChangeSchema(ma.Schema):
    """One place that differs: its JSON pointer in the terms, what stood there and what stands there (null: nothing)."""

    pointer = ma.fields.String(required=True)
    old = ma.fields.Raw(required=True, allow_none=True)
    new = ma.fields.Raw(required=True, allow_none=True)


class TermsVersionSchema(ma.Schema):
    """One version of the terms. `changes` are against the version before; version 1 has none."""

    number = ma.fields.Integer(required=True)
    in_force_from = ma.fields.Date(required=True)
    terms_hash = ma.fields.String(required=True)
    terms = ma.fields.Dict(keys=ma.fields.String(), required=True)
    amendment_id = ma.fields.UUID(required=True, allow_none=True)
    changes = ma.fields.List(ma.fields.Nested(TermsChangeSchema), required=True)
    created_at = Timestamp(required=True)


class TermsVersionsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(TermsVersionSchema), required=True)


class ContractAmendmentSchema(ma.Schema):
    """A change on its way. `proposed_by` is seller or buyer; `terms` are the whole terms as they would be."""

    id = ma.fields.UUID(required=True)
    contract_id = ma.fields.UUID(required=True)
    number = ma.fields.Integer(required=True, metadata={"description": "The version it would become"})
    proposed_by = ma.fields.String(required=True)
    state = ma.fields.String(required=True)
    reason_code = ma.fields.String(required=True)
    note = ma.fields.String(required=True, allow_none=True)
    in_force_from = ma.fields.Date(required=True)
    terms_hash = ma.fields.String(required=True)
    terms = ma.fields.Dict(keys=ma.fields.String(), required=True)
    changes = ma.fields.List(ma.fields.Nested(TermsChangeSchema), required=True)
    proposed_at = Timestamp(required=True, allow_none=True)
    expires_at = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)


class AmendmentDraftSchema(ma.Schema):
    """A draft: why, from which day, and the new values by the JSON pointer of their place in the terms.

    Values are written as in the terms: decimals, days and periods as strings, lots as whole numbers. A pointer that
    ends in "/-" adds to a list.
    """

    reason_code = ma.fields.String(required=True, validate=ma.validate.OneOf(codes_of(ReasonGroup.AMEND)))
    note = Text(load_default=None, allow_none=True, most=1000)
    in_force_from = ma.fields.Date(required=True)
    new_values = ma.fields.Dict(
        keys=ma.fields.String(validate=ma.validate.Length(max=200)),
        values=ma.fields.Raw(allow_none=True),
        required=True,
        validate=ma.validate.Length(min=1, max=500),
    )


class AmendmentRefusalSchema(ma.Schema):
    """Why an amendment is refused."""

    reason_code = ma.fields.String(required=True, validate=ma.validate.OneOf(codes_of(ReasonGroup.REFUSE_AMENDMENT)))
    note = Text(load_default=None, allow_none=True, most=1000)


@blueprint.get("/<uuid:contract_id>/versions")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, TermsVersionsSchema)
def list_versions(contract_id: uuid.UUID) -> dict[str, Any]:
    """All versions of a contract's terms, the first first, each with what it changed."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    found = terms_in_force.history(session(), contract=contract)
    own = TermsVersionSchema().fields.keys() - {"changes"}
    return {
        "items": [
            {name: getattr(version, name) for name in own} | {"changes": shown_changes(changes)}
            for version, changes in found
        ]
    }


@blueprint.get("/<uuid:contract_id>/amendments")
@requires(Permission.CONTRACT_READ)
@blueprint.arguments(PageArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, page_of(ContractAmendmentSchema))
def list_amendments(arguments: dict[str, Any], contract_id: uuid.UUID) -> Page[dict[str, Any]]:
    """The amendments of a contract that were proposed, and your own side's drafts, newest first."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    select = amendments.visible_amendments(principal(), contract)
    found = page(session(), select, order=(Amendment.created_at, Amendment.id), descending=True, **arguments)
    return Page([_shown(one) for one in found.items], found.next)


@blueprint.post("/<uuid:contract_id>/amendments")
@requires(Permission.CONTRACT_SIGN)
@idempotent
@blueprint.arguments(AmendmentDraftSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(201, ContractAmendmentSchema)
def draft_amendment(draft: dict[str, Any], contract_id: uuid.UUID) -> dict[str, Any]:
    """Draft a change of the last version. The other side learns of it when you propose it."""
    made = amendments.draft(session(), principal=principal(), contract_id=contract_id, now=clock(), **draft)
    return _answer(made)


@blueprint.get("/<uuid:contract_id>/amendments/<uuid:amendment_id>")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, ContractAmendmentSchema)
def get_amendment(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> dict[str, Any]:
    """One amendment with its terms and what it changes."""
    return _answer(_found(contract_id, amendment_id))


@blueprint.post("/<uuid:contract_id>/amendments/<uuid:amendment_id>/document")
@requires(Permission.CONTRACT_SIGN)
@refuses(blueprint, 404)
@blueprint.response(200, ContractDocumentSchema)
def prepare_document(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> ContractDocument:
    """Print the contract as the amendment would have it, if that has not been done yet."""
    return _prepared(contract_id, amendment_id)


@blueprint.get("/<uuid:contract_id>/amendments/<uuid:amendment_id>/document.pdf")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, PDF, content_type="application/pdf")
def get_document(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> Response:
    """The document of an amendment with the signatures that stand on it so far."""
    found = _found(contract_id, amendment_id)
    return pdf_download(documents.find_amendment_document(session(), amendment=found))


@blueprint.post("/<uuid:contract_id>/amendments/<uuid:amendment_id>/propose")
@requires(Permission.CONTRACT_SIGN)
@blueprint.arguments(SigningSchema, location=MULTIPART)
@refuses(blueprint, 404, 409, 413, 422)
@blueprint.response(200, ContractAmendmentSchema)
def propose(arguments: dict[str, Any], contract_id: uuid.UUID, amendment_id: uuid.UUID) -> dict[str, Any]:
    """Propose your draft to the other side, signed."""
    return _answer(amendments.propose(session(), **_signing(arguments, contract_id, amendment_id)))


@blueprint.post("/<uuid:contract_id>/amendments/<uuid:amendment_id>/sign")
@requires(Permission.CONTRACT_SIGN)
@blueprint.arguments(SigningSchema, location=MULTIPART)
@refuses(blueprint, 404, 409, 413, 422)
@blueprint.response(200, ContractAmendmentSchema)
def sign(arguments: dict[str, Any], contract_id: uuid.UUID, amendment_id: uuid.UUID) -> dict[str, Any]:
    """Sign what the other side has proposed: it becomes the next version of the terms."""
    return _answer(amendments.sign(session(), **_signing(arguments, contract_id, amendment_id)))


@blueprint.post("/<uuid:contract_id>/amendments/<uuid:amendment_id>/refuse")
@requires(Permission.CONTRACT_SIGN)
@idempotent
@blueprint.arguments(AmendmentRefusalSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(200, ContractAmendmentSchema)
def refuse(refusal: dict[str, Any], contract_id: uuid.UUID, amendment_id: uuid.UUID) -> dict[str, Any]:
    """Refuse what the other side has proposed."""
    refused = amendments.refuse(
        session(), principal=principal(), contract_id=contract_id, amendment_id=amendment_id, now=clock(), **refusal
    )
    return _answer(refused)


@blueprint.post("/<uuid:contract_id>/amendments/<uuid:amendment_id>/cancel")
@requires(Permission.CONTRACT_SIGN)
@idempotent
@refuses(blueprint, 404, 409)
@blueprint.response(200, ContractAmendmentSchema)
def cancel(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> dict[str, Any]:
    """Take back your own draft or proposal."""
    ids = {"contract_id": contract_id, "amendment_id": amendment_id}
    return _answer(amendments.cancel(session(), principal=principal(), now=clock(), **ids))


def _found(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> Amendment:
    return amendments.find_amendment(
        session(), principal=principal(), contract_id=contract_id, amendment_id=amendment_id
    )


def _prepared(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> ContractDocument:
    return amendments.prepare_document(
        session(), principal=principal(), contract_id=contract_id, amendment_id=amendment_id, now=clock()
    )


def _signing(arguments: dict[str, Any], contract_id: uuid.UUID, amendment_id: uuid.UUID) -> dict[str, Any]:
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    return {
        "principal": principal(),
        "contract_id": contract_id,
        "amendment_id": amendment_id,
        "given": given_of(arguments, party=contracts.party_of(principal(), contract)),
        "roots": trusted_roots(settings(), now=clock()),
        "now": clock(),
    }


def _answer(amendment: Amendment) -> dict[str, Any]:
    show_version("amendment", amendment.id, amendment.version)
    return _shown(amendment)


def _shown(amendment: Amendment) -> dict[str, Any]:
    own = ContractAmendmentSchema().fields.keys() - {"changes"}
    changes = amendments.changes(session(), amendment=amendment)
    return {name: getattr(amendment, name) for name in own} | {"changes": shown_changes(changes)}


def shown_changes(changes: list[Change]) -> list[dict[str, Any]]:
    return [{"pointer": change.pointer, "old": change.old, "new": change.new} for change in changes]
