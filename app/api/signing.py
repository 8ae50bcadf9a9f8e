"""The printed contract and its signatures: fetched, signed here with a key or elsewhere, verified by anybody."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma
from flask import Response
from flask_smorest.fields import Upload

from app.api.contracts import ContractSchema, shown_contract
from app.api.conventions import MULTIPART, ApiBlueprint
from app.api.fields import Timestamp
from app.api.refusals import refuses
from app.auth import principal, public, requires
from app.clock import clock, today
from app.config import settings
from app.db import session
from app.downloads import pdf_download
from app.errors import NotFound, Refused
from app.models import ContractDocument
from app.operations import contracts, documents, signing, verification
from app.operations.signing import LARGEST_ARCHIVE, LARGEST_DOCUMENT, CertificateFile, Given, SignedElsewhere
from app.operations.verification import Verified
from app.permissions import Permission
from app.trust import demo_signature, trusted_roots
from contracts.clauses import Party
from contracts.wording import Text

blueprint = ApiBlueprint(
    "signing", __name__, path="/contracts", description="Printed contracts and the signatures on them"
)
checks = ApiBlueprint(
    "verification", __name__, path="/verification", description="Whether a file is a contract as it was made and signed"
)
PDF = {"type": "string", "format": "binary"}
METHODS = ("certificate_file", "external", "demo")


class ContractSignatureSchema(ma.Schema):
    """A signature that was taken. `certificate` is the SHA-256 of the signer's certificate."""

    position = ma.fields.Integer(required=True)
    side = ma.fields.String(required=True)
    method = ma.fields.String(required=True)
    signer = ma.fields.String(required=True)
    certificate = ma.fields.String(required=True)
    terms_hash = ma.fields.String(required=True)
    sha256 = ma.fields.String(required=True, metadata={"description": "Of the file with this signature"})
    signed_at = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)


class ContractDocumentSchema(ma.Schema):
    """The document of one version. `seal` is the digest that the PDF carries, `sha256` that of the unsigned file."""

    number = ma.fields.Integer(required=True, metadata={"description": "Version of the terms"})
    terms_hash = ma.fields.String(required=True)
    seal = ma.fields.String(required=True)
    sha256 = ma.fields.String(required=True)
    created_at = Timestamp(required=True)
    signatures = ma.fields.List(ma.fields.Nested(ContractSignatureSchema), required=True)


class ContractDocumentsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(ContractDocumentSchema), required=True)


class SigningSchema(ma.Schema):
    """How the signature comes.

    "certificate_file": `file` is PKCS #12, opened with `passphrase`, used once and forgotten; `terms_hash` names what
    is signed. "external": `file` is the fetched document with a signature in your side's field. "demo": a key of the
    demonstration, only where it is switched on.
    """

    method = ma.fields.String(required=True, validate=ma.validate.OneOf(METHODS))
    passphrase = ma.fields.String(load_default="", validate=ma.validate.Length(max=1000))
    terms_hash = ma.fields.String(load_default="", validate=ma.validate.Regexp(r"^([0-9a-f]{64})?\Z"))
    file = Upload()


class VerificationFileSchema(ma.Schema):
    """The file, by multipart/form-data."""

    file = Upload(required=True)


class VerificationFindingSchema(ma.Schema):
    """One thing wrong: its place, what is there and what should be."""

    damage = ma.fields.String(required=True)
    place = ma.fields.String(required=True)
    found = ma.fields.String(required=True)
    expected = ma.fields.String(required=True)
    zh = ma.fields.String(required=True)
    en = ma.fields.String(required=True)


class FoundSignatureSchema(ma.Schema):
    """A signature on the file and whether it holds."""

    side = ma.fields.String(required=True)
    signer = ma.fields.String(required=True)
    certificate = ma.fields.String(required=True)
    signed_at = Timestamp(required=True, allow_none=True)
    intact = ma.fields.Boolean(required=True)
    trusted = ma.fields.Boolean(required=True)
    covers_document = ma.fields.Boolean(required=True)


class VerificationSchema(ma.Schema):
    """What a file is: `whole` if it is on record here, byte for byte as made, and every signature on it holds."""

    whole = ma.fields.Boolean(required=True)
    sha256 = ma.fields.String(required=True)
    seal = ma.fields.String(required=True, allow_none=True)
    number = ma.fields.String(required=True, allow_none=True)
    version = ma.fields.Integer(required=True, allow_none=True)
    in_force = ma.fields.Boolean(required=True)
    signed_by_both = ma.fields.Boolean(required=True)
    signed_on_record = ma.fields.List(ma.fields.String(), required=True)
    findings = ma.fields.List(ma.fields.Nested(VerificationFindingSchema), required=True)
    signatures = ma.fields.List(ma.fields.Nested(FoundSignatureSchema), required=True)


@blueprint.get("/<uuid:contract_id>/documents")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, ContractDocumentsSchema)
def list_documents(contract_id: uuid.UUID) -> dict[str, Any]:
    """The documents of a contract's versions, each with the signatures on it."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    return {"items": documents.documents(session(), contract=contract)}


@blueprint.post("/<uuid:contract_id>/documents")
@requires(Permission.CONTRACT_SIGN)
@refuses(blueprint, 404)
@blueprint.response(200, ContractDocumentSchema)
def prepare_document(contract_id: uuid.UUID) -> ContractDocument:
    """Print the contract, if that has not been done yet."""
    return documents.prepare(session(), principal=principal(), contract_id=contract_id, now=clock())


@blueprint.get("/<uuid:contract_id>/documents/<int:number>.pdf")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, PDF, content_type="application/pdf")
def get_document(contract_id: uuid.UUID, number: int) -> Response:
    """The document of a version with all signatures that stand on it so far."""
    document = documents.find_document(session(), principal=principal(), contract_id=contract_id, number=number)
    return pdf_download(document)


@blueprint.post("/<uuid:contract_id>/sign")
@requires(Permission.CONTRACT_SIGN)
@blueprint.arguments(SigningSchema, location=MULTIPART)
@refuses(blueprint, 404, 409, 413, 422)
@blueprint.response(200, ContractSchema)
def sign(arguments: dict[str, Any], contract_id: uuid.UUID) -> dict[str, Any]:
    """Sign for your side, with a key sent along or by the document signed elsewhere."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    signed = signing.sign(
        session(),
        principal=principal(),
        contract_id=contract_id,
        given=given_of(arguments, party=contracts.party_of(principal(), contract)),
        roots=trusted_roots(settings(), now=clock()),
        now=clock(),
    )
    return shown_contract(signed, on=today())


@checks.post("")
@public
@checks.arguments(VerificationFileSchema, location="files")
@refuses(checks, 413, 422, 429)
@checks.response(200, VerificationSchema)
def verify(files: dict[str, Any]) -> dict[str, Any]:
    """Check a file: its bytes, its terms, its signatures. Nothing of it is kept."""
    content = read_upload(files["file"], LARGEST_DOCUMENT)
    roots = trusted_roots(settings(), now=clock())
    return shown_check(verification.verify(session(), content=content, roots=roots, now=clock()))


def given_of(arguments: dict[str, Any], *, party: Party) -> Given:
    """What was sent to sign with."""
    if arguments["method"] == "demo":
        try:
            return demo_signature(settings(), party, arguments["terms_hash"], now=clock())
        except LookupError:
            raise NotFound("this is no demonstration") from None
    if arguments.get("file") is None:
        raise Refused(Text("请选择文件", "no file; expected one"), field="file")
    if arguments["method"] == "external":
        return SignedElsewhere(content=read_upload(arguments["file"], LARGEST_DOCUMENT))
    return CertificateFile(
        archive=read_upload(arguments["file"], LARGEST_ARCHIVE),
        passphrase=arguments["passphrase"].encode(),
        terms_hash=arguments["terms_hash"],
    )


def read_upload(upload: Any, most: int) -> bytes:
    """The bytes of an upload.

    :raises Refused: more than `most` of them.
    """
    with upload.stream as stream:
        content: bytes = stream.read(most + 1)
    if len(content) > most:
        raise Refused(
            Text(f"文件过大：最多 {most} 字节", f"more than {most} bytes; expected at most that"), field="file"
        )
    return content


def shown_check(found: Verified) -> dict[str, Any]:
    return {
        **{name: getattr(found, name) for name in VerificationSchema().fields.keys() - {"findings"}},
        "findings": [
            {
                **{name: getattr(one, name) for name in ("damage", "place", "found", "expected")},
                "zh": one.text.zh,
                "en": one.text.en,
            }
            for one in found.findings
        ],
    }
