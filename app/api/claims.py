"""Claims under contracts: drafted, proved, filed, answered, decided."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma
from flask import Response
from flask_smorest.fields import Upload

from app.api.conventions import ApiBlueprint
from app.api.fields import DecimalText, Text, Timestamp
from app.api.idempotency import idempotent
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.settlement_schemas import WorkingStepSchema
from app.api.versions import changes_version, expect_version, show_version
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.downloads import evidence_download
from app.models import LARGEST_FILE, SIDES, Claim, Evidence, FileKind, Penalty
from app.operations import claims
from app.operations.evidence import File
from app.permissions import Permission
from contracts.reasons import ReasonGroup, codes_of
from contracts.state import Subject, state_names

blueprint = ApiBlueprint("claims", __name__, path="/claims", description="Claims for breaches of contracts")
BYTES = {"type": "string", "format": "binary"}
AMOUNT = {"places": 2, "digits": 15}


class EvidenceSchema(ma.Schema):
    """A file of one side; `sha256` is that of its bytes."""

    id = ma.fields.UUID(required=True)
    side = ma.fields.String(required=True, validate=ma.validate.OneOf(SIDES))
    filename = ma.fields.String(required=True)
    kind = ma.fields.Enum(FileKind, by_value=True, required=True)
    size = ma.fields.Integer(required=True, metadata={"description": "Bytes"})
    sha256 = ma.fields.String(required=True)
    added_at = Timestamp(required=True)


class ClaimSchema(ma.Schema):
    """A claim. Amounts in CNY, tax excluded; where the terms compute the sum, `working` shows how."""

    id = ma.fields.UUID(required=True)
    contract_id = ma.fields.UUID(required=True)
    claimant = ma.fields.String(required=True, validate=ma.validate.OneOf(SIDES))
    kind = ma.fields.String(required=True)
    breach_on = ma.fields.Date(required=True)
    statement = ma.fields.String(required=True)
    amount_claimed = DecimalText(required=True, **AMOUNT)
    penalty = ma.fields.Enum(Penalty, by_value=True, required=True, allow_none=True)
    penalty_period = ma.fields.String(required=True, allow_none=True)
    working = ma.fields.List(ma.fields.Nested(WorkingStepSchema), required=True)
    state = ma.fields.String(required=True)
    file_by = ma.fields.Date(required=True)
    filed_at = Timestamp(required=True, allow_none=True)
    answer_by = ma.fields.Date(required=True, allow_none=True)
    defence = ma.fields.String(required=True, allow_none=True)
    defended_at = Timestamp(required=True, allow_none=True)
    amount_awarded = DecimalText(required=True, allow_none=True, **AMOUNT)
    decided_at = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    evidence = ma.fields.List(ma.fields.Nested(EvidenceSchema), required=True)
    open_moves = ma.fields.List(ma.fields.String(), required=True)


class ClaimArguments(PageArguments):
    state = ma.fields.String(load_default=None, validate=ma.validate.OneOf(state_names(Subject.CLAIM)))
    contract_id = ma.fields.UUID(load_default=None)


class ClaimDraftSchema(ma.Schema):
    """A claim for an `amount`, or for a `penalty` of the terms and its period: late damages of a month or a line of
    the schedule, supply-or-pay of a calendar year."""

    contract_id = ma.fields.UUID(required=True)
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(codes_of(ReasonGroup.CLAIM)))
    breach_on = ma.fields.Date(required=True)
    statement = Text(required=True, most=5000)
    amount = DecimalText(load_default=None, allow_none=True, **AMOUNT)
    penalty = ma.fields.Enum(Penalty, by_value=True, load_default=None, allow_none=True)
    penalty_period = Text(load_default=None, allow_none=True, most=7)


class EvidenceFileSchema(ma.Schema):
    """The file, by multipart/form-data: PDF, PNG, JPEG, XLSX, CSV or plain text."""

    file = Upload(required=True)


class DefenceSchema(ma.Schema):
    """The other side's answer."""

    defence = Text(required=True, most=5000)


class AwardSchema(ma.Schema):
    """What of the amount is due."""

    amount = DecimalText(required=True, **AMOUNT)
    note = Text(load_default=None, allow_none=True, most=1000)


class ClaimDeclineSchema(ma.Schema):
    """Why a claim is declined."""

    reason_code = ma.fields.String(required=True, validate=ma.validate.OneOf(codes_of(ReasonGroup.DECLINE_CLAIM)))
    note = Text(load_default=None, allow_none=True, most=1000)


@blueprint.get("")
@requires(Permission.CONTRACT_READ)
@blueprint.arguments(ClaimArguments, location="query")
@blueprint.response(200, page_of(ClaimSchema))
def list_claims(arguments: dict[str, Any]) -> Page[dict[str, Any]]:
    """The claims under the contracts you may read, newest first; another side's drafts are not among them."""
    select = claims.visible_claims(principal())
    for name in ("state", "contract_id"):
        if (wanted := arguments.pop(name)) is not None:
            select = select.where(getattr(Claim, name) == wanted)
    found = page(session(), select, order=(Claim.created_at, Claim.id), descending=True, **arguments)
    return Page([_shown(one) for one in found.items], found.next)


@blueprint.post("")
@requires(Permission.CLAIM_RAISE)
@idempotent
@blueprint.arguments(ClaimDraftSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(201, ClaimSchema)
def draft_claim(claim: dict[str, Any]) -> dict[str, Any]:
    """Draft a claim for your side. Nobody else knows of it before you file it."""
    return _answer(claims.draft(session(), principal=principal(), now=clock(), **claim))


@blueprint.get("/<uuid:claim_id>")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, ClaimSchema)
def get_claim(claim_id: uuid.UUID) -> dict[str, Any]:
    """One claim, and the ETag that a move of it must name."""
    return _answer(claims.find_claim(session(), principal=principal(), claim_id=claim_id))


@blueprint.post("/<uuid:claim_id>/evidence")
@requires(Permission.CLAIM_RAISE)
@idempotent
@blueprint.arguments(EvidenceFileSchema, location="files")
@refuses(blueprint, 404, 409, 413, 422)
@blueprint.response(201, EvidenceSchema)
def add_evidence(files: dict[str, Any], claim_id: uuid.UUID) -> Evidence:
    """Add a file on your side. It cannot be taken back."""
    return claims.attach(session(), principal=principal(), claim_id=claim_id, file=read(files["file"]), now=clock())


@blueprint.get("/<uuid:claim_id>/evidence/<uuid:evidence_id>")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, BYTES, content_type="application/octet-stream")
def get_evidence(claim_id: uuid.UUID, evidence_id: uuid.UUID) -> Response:
    """A file as it came."""
    return evidence_download(
        claims.read_evidence(session(), principal=principal(), claim_id=claim_id, evidence_id=evidence_id)
    )


@blueprint.post("/<uuid:claim_id>/file")
@requires(Permission.CLAIM_RAISE)
@changes_version
@refuses(blueprint, 404, 409, 412, 428)
@blueprint.response(200, ClaimSchema)
def file_claim(claim_id: uuid.UUID) -> dict[str, Any]:
    """Put your draft before the other side. Nothing of it changes afterwards."""
    _expect(claim_id)
    return _answer(claims.file(session(), principal=principal(), claim_id=claim_id, now=clock()))


@blueprint.post("/<uuid:claim_id>/defend")
@requires(Permission.CLAIM_RAISE)
@changes_version
@blueprint.arguments(DefenceSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, ClaimSchema)
def defend_claim(body: dict[str, Any], claim_id: uuid.UUID) -> dict[str, Any]:
    """Answer a claim against your side."""
    _expect(claim_id)
    return _answer(claims.defend(session(), principal=principal(), claim_id=claim_id, now=clock(), **body))


@blueprint.post("/<uuid:claim_id>/concede")
@requires(Permission.CLAIM_RAISE)
@changes_version
@refuses(blueprint, 404, 409, 412, 428)
@blueprint.response(200, ClaimSchema)
def concede_claim(claim_id: uuid.UUID) -> dict[str, Any]:
    """Own up to a claim against your side: the whole amount is due."""
    _expect(claim_id)
    return _answer(claims.concede(session(), principal=principal(), claim_id=claim_id, now=clock()))


@blueprint.post("/<uuid:claim_id>/withdraw")
@requires(Permission.CLAIM_RAISE)
@changes_version
@refuses(blueprint, 404, 409, 412, 428)
@blueprint.response(200, ClaimSchema)
def withdraw_claim(claim_id: uuid.UUID) -> dict[str, Any]:
    """Take your side's claim back."""
    _expect(claim_id)
    return _answer(claims.withdraw(session(), principal=principal(), claim_id=claim_id, now=clock()))


@blueprint.post("/<uuid:claim_id>/uphold")
@requires(Permission.CLAIM_DECIDE)
@changes_version
@blueprint.arguments(AwardSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, ClaimSchema)
def uphold_claim(award: dict[str, Any], claim_id: uuid.UUID) -> dict[str, Any]:
    """Decide, as the platform, that a claim is right, for all of its amount or a part."""
    _expect(claim_id)
    return _answer(claims.uphold(session(), principal=principal(), claim_id=claim_id, now=clock(), **award))


@blueprint.post("/<uuid:claim_id>/decline")
@requires(Permission.CLAIM_DECIDE)
@changes_version
@blueprint.arguments(ClaimDeclineSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, ClaimSchema)
def decline_claim(verdict: dict[str, Any], claim_id: uuid.UUID) -> dict[str, Any]:
    """Decide, as the platform, that a claim is not right."""
    _expect(claim_id)
    return _answer(claims.decline(session(), principal=principal(), claim_id=claim_id, now=clock(), **verdict))


def read(upload: Any) -> File:
    """An uploaded file; of one that is too large no more than shows that it is."""
    with upload.stream as stream:
        return File(name=upload.filename or "", content=stream.read(LARGEST_FILE + 1))


def shown_evidence(found: Evidence) -> dict[str, Any]:
    """The members of `EvidenceSchema`."""
    return {name: getattr(found, name) for name in EvidenceSchema().fields}


def _expect(claim_id: uuid.UUID) -> None:
    expect_version(*_version(claims.find_claim(session(), principal=principal(), claim_id=claim_id, lock=True)))


def _version(claim: Claim) -> tuple[object, ...]:
    return ("claim", claim.id, claim.version, len(claim.evidence), principal().firm_id)


def _answer(claim: Claim) -> dict[str, Any]:
    show_version(*_version(claim))
    return _shown(claim)


def _shown(claim: Claim) -> dict[str, Any]:
    own = ClaimSchema().fields.keys() - {"evidence", "working", "open_moves"}
    return {name: getattr(claim, name) for name in own} | {
        "evidence": [shown_evidence(one) for one in claim.evidence],
        "working": [] if claim.working is None else claim.working["steps"],
        "open_moves": list(claims.open_moves(principal(), claim)),
    }
