"""Offers by file: template, upload, a result per row, and the file back with what is wrong in it."""

from __future__ import annotations

import uuid
from io import BytesIO
from typing import Any

import marshmallow as ma
from flask import Response, send_file
from flask_smorest.fields import Upload

from app.api.conventions import ApiBlueprint
from app.api.fields import Timestamp
from app.api.idempotency import idempotent
from app.api.offers import blueprint as offers_blueprint
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.jobs.queue import enqueue_import
from app.models import ImportState, Language, OfferImport, OfferImportRow, RowOutcome
from app.operations import offer_import as imports
from app.operations import offer_sheet
from app.operations.offer_faults import expected
from app.operations.offer_file import LARGEST_FILE, MEGABYTE, MOST_ROWS
from app.permissions import Permission

blueprint = ApiBlueprint(
    "offer_imports",
    __name__,
    path="/offer-imports",
    description=f"Offers by XLSX or CSV, {LARGEST_FILE // MEGABYTE} MB and {MOST_ROWS} rows at most, long ones by job",
)
FILE = {"type": "string", "format": "binary"}


class TemplateArguments(ma.Schema):
    """For which round."""

    round_id = ma.fields.UUID(required=True)


class ImportArguments(TemplateArguments):
    """For which round, and what is to be written."""

    dry_run = ma.fields.Boolean(load_default=False, metadata={"description": "Check all, write nothing"})
    partial_ = ma.fields.Boolean(  # a schema has an attribute `partial` of its own
        data_key="partial",
        attribute="partial",
        load_default=False,
        metadata={"description": "Post the good rows even if others are not; without it one bad row stops all"},
    )


class ImportFileSchema(ma.Schema):
    """The file, by multipart/form-data."""

    file = Upload(required=True)


class OfferImportSchema(ma.Schema):
    """One uploaded file."""

    id = ma.fields.UUID(required=True)
    round_id = ma.fields.UUID(required=True)
    filename = ma.fields.String(required=True)
    sha256 = ma.fields.String(required=True)
    dry_run = ma.fields.Boolean(required=True)
    partial_ = ma.fields.Boolean(data_key="partial", attribute="partial", required=True)
    state = ma.fields.Enum(ImportState, by_value=True, required=True)
    row_count = ma.fields.Integer(required=True)
    checked_count = ma.fields.Integer(required=True, metadata={"description": "Rows looked at so far"})
    accepted_count = ma.fields.Integer(required=True, metadata={"description": "Rows without a fault"})
    rejected_count = ma.fields.Integer(required=True)
    posted_count = ma.fields.Integer(required=True, metadata={"description": "Offers that the file brought"})
    created_at = Timestamp(required=True)
    finished_at = Timestamp(required=True, allow_none=True)
    error = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "Why a file that failed could not be worked through"}
    )


class OfferImportRowSchema(ma.Schema):
    """A good row, or one fault of a bad one: sheet, row, column, what was found and what was expected."""

    sheet = ma.fields.String(required=True)
    row = ma.fields.Integer(required=True, metadata={"description": "The header is row 1"})
    reference = ma.fields.String(required=True, allow_none=True, metadata={"description": "Your own, of that row"})
    column = ma.fields.String(required=True, allow_none=True)
    outcome = ma.fields.Enum(RowOutcome, by_value=True, required=True)
    offer_id = ma.fields.UUID(required=True, allow_none=True)
    code = ma.fields.String(required=True, allow_none=True)
    params = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True, allow_none=True)
    found = ma.fields.String(required=True, allow_none=True)
    expected = ma.fields.String(required=True, allow_none=True)
    expected_zh = ma.fields.String(required=True, allow_none=True)


class ImportRowArguments(PageArguments):
    """Filter of the rows."""

    outcome = ma.fields.Enum(RowOutcome, by_value=True, load_default=None)


@offers_blueprint.get("/template.xlsx")
@requires(Permission.OFFER_IMPORT)
@offers_blueprint.arguments(TemplateArguments, location="query")
@refuses(offers_blueprint, 404)
@offers_blueprint.response(200, FILE, content_type=offer_sheet.MEDIA_TYPE)
def get_template(arguments: dict[str, Any]) -> Response:
    """A workbook to fill in for a round, with your sites and the products to choose from."""
    content = offer_sheet.template(session(), principal=principal(), round_id=arguments["round_id"], now=clock())
    return _workbook(content, "offers-template.xlsx")


@blueprint.get("")
@requires(Permission.OFFER_IMPORT)
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, page_of(OfferImportSchema))
def list_imports(arguments: dict[str, Any]) -> Page[dict[str, Any]]:
    """The files of your firm, newest first."""
    order = (OfferImport.created_at, OfferImport.id)
    found = page(session(), imports.visible_imports(principal()), order=order, descending=True, **arguments)
    return Page([_shown(offer_import) for offer_import in found.items], found.next)


@blueprint.post("")
@requires(Permission.OFFER_IMPORT)
@idempotent
@blueprint.arguments(ImportArguments, location="query")
@blueprint.arguments(ImportFileSchema, location="files")
@refuses(blueprint, 409, 413, 422)
@blueprint.response(201, OfferImportSchema)
def post_import(arguments: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
    """Send a file of offers. A file that does not follow the template is refused as a whole, with the place.

    Otherwise each row has its result under `/offer-imports/{id}/rows`, once the state is done. A file of more than 200
    rows is answered as queued: ask for it again until it is done or failed.
    """
    upload = files["file"]
    with upload.stream as stream:
        content = stream.read(LARGEST_FILE + 1)
    offer_import = imports.import_offers(
        session(),
        principal=principal(),
        filename=upload.filename or "",
        content=content,
        now=clock(),
        **arguments,
    )
    if offer_import.state is ImportState.QUEUED:
        enqueue_import(session(), import_id=offer_import.id)
    return _shown(offer_import)


@blueprint.get("/<uuid:import_id>")
@requires(Permission.OFFER_IMPORT)
@refuses(blueprint, 404)
@blueprint.response(200, OfferImportSchema)
def get_import(import_id: uuid.UUID) -> dict[str, Any]:
    """One file and its totals."""
    return _shown(imports.find_import(session(), principal=principal(), import_id=import_id))


@blueprint.get("/<uuid:import_id>/rows")
@requires(Permission.OFFER_IMPORT)
@blueprint.arguments(ImportRowArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, page_of(OfferImportRowSchema))
def list_import_rows(arguments: dict[str, Any], import_id: uuid.UUID) -> Page[dict[str, Any]]:
    """What became of each row, in the order of the file."""
    imports.find_import(session(), principal=principal(), import_id=import_id)
    select = imports.visible_rows(principal(), import_id)
    if (outcome := arguments.pop("outcome")) is not None:
        select = select.where(OfferImportRow.outcome == outcome)
    found = page(session(), select, order=(OfferImportRow.id,), **arguments)
    return Page([_shown_row(row) for row in found.items], found.next)


@blueprint.get("/<uuid:import_id>/corrected.xlsx")
@requires(Permission.OFFER_IMPORT)
@refuses(blueprint, 404)
@blueprint.response(200, FILE, content_type=offer_sheet.MEDIA_TYPE)
def get_corrected(import_id: uuid.UUID) -> Response:
    """The rows that were not posted, with what is wrong on each cell and in the last column: mend it, send it again."""
    content = imports.corrected_file(session(), principal=principal(), import_id=import_id, now=clock())
    return _workbook(content, "offers-corrected.xlsx")


def _workbook(content: bytes, name: str) -> Response:
    return send_file(BytesIO(content), mimetype=offer_sheet.MEDIA_TYPE, as_attachment=True, download_name=name)


def _shown(offer_import: OfferImport) -> dict[str, Any]:
    names = {field.attribute or name for name, field in OfferImportSchema().fields.items()} - {"posted_count"}
    return {name: getattr(offer_import, name) for name in names} | {
        "posted_count": imports.posted_count(session(), offer_import=offer_import)
    }


def _shown_row(row: OfferImportRow) -> dict[str, Any]:
    names = OfferImportRowSchema().fields.keys() - {"expected_zh"}
    in_chinese = expected(row.code, row.params or {}, Language.CHINESE) if row.code else None
    return {name: getattr(row, name) for name in names} | {"expected_zh": in_chinese}
