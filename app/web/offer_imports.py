"""Offers by file: the template, an upload that may be tried first, what became of every row, the file to correct."""

from __future__ import annotations

import uuid
from io import BytesIO

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict, Refused
from app.jobs.queue import enqueue_import
from app.models import ImportState, OfferImport, OfferImportRow, RowOutcome
from app.operations import offer_import as imports
from app.operations import offer_import_job, offer_sheet, pages
from app.operations.offer_file import LARGEST_FILE, MEGABYTE, MOST_ROWS
from app.permissions import Permission
from app.web.formats import in_words, language
from app.web.labels import label_of
from app.web.paging import page_of
from app.web.texts import _, ngettext
from market.errors import BadInput, Fault

blueprint = Blueprint("offer_imports", __name__)
ROWS_ON_A_PAGE = 200


@blueprint.get("/offers/uploads")
@requires(Permission.OFFER_IMPORT)
def listing() -> ResponseReturnValue:
    """The form for a file, and the files that came before."""
    return _listing()


@blueprint.get("/offers/template.xlsx")
@requires(Permission.OFFER_IMPORT)
def template() -> Response:
    """A workbook to fill in for a round, with the firm's sites and all products to choose from."""
    wanted = request.args.get("round_id", type=uuid.UUID) or uuid.UUID(int=0)
    content = offer_sheet.template(session(), principal=principal(), round_id=wanted, now=clock())
    return _workbook(content, "offers-template.xlsx")


@blueprint.post("/offers/uploads")
@requires(Permission.OFFER_IMPORT)
def upload() -> ResponseReturnValue:
    """Check the file, and post its offers unless it is a trial."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        return _listing(error=_("Choose a file first.")), 422
    try:
        found = imports.import_offers(
            session(),
            principal=principal(),
            round_id=request.form.get("round_id", uuid.UUID(int=0), type=uuid.UUID),
            filename=sent.filename,
            content=sent.read(LARGEST_FILE + 1),
            dry_run=request.form.get("action") != "post",
            partial=bool(request.form.get("partial")),
            now=clock(),
        )
    except BadInput as faults:
        return _listing(faults=[_said(fault) for fault in faults.faults]), 422
    except (Refused, Conflict) as refusal:
        return _listing(error=refusal.text.in_language(language())), 409
    if found.state is ImportState.QUEUED:
        enqueue_import(session(), import_id=found.id)
        return redirect(url_for("offer_imports.show", import_id=found.id), 303)
    posted = imports.posted_count(session(), offer_import=found)
    if posted:
        flash(ngettext("%(num)d offer is posted.", "%(num)d offers are posted.", posted), "success")
    elif not found.dry_run:
        flash(_("Nothing was posted, because some rows have faults. Correct them and upload the file again."), "danger")
    return redirect(url_for("offer_imports.show", import_id=found.id), 303)


@blueprint.get("/offers/uploads/<uuid:import_id>")
@requires(Permission.OFFER_IMPORT)
def show(import_id: uuid.UUID) -> ResponseReturnValue:
    """What became of every row of a file."""
    found = imports.find_import(session(), principal=principal(), import_id=import_id)
    select = imports.visible_rows(principal(), import_id)
    if (outcome := request.args.get("outcome")) in set(RowOutcome):
        select = select.where(OfferImportRow.outcome == outcome)
    return render_template(
        "offer_import.html",
        found=found,
        posted=imports.posted_count(session(), offer_import=found),
        page=page_of(session(), select, order=(OfferImportRow.id,), descending=False, size=ROWS_ON_A_PAGE),
        said=lambda row: imports.said(row, language()),
        is_open=found.state in offer_import_job.OPEN,
        percent=offer_import_job.percent(found),
    )


@blueprint.get("/offers/uploads/<uuid:import_id>/progress")
@requires(Permission.OFFER_IMPORT)
def progress(import_id: uuid.UUID) -> ResponseReturnValue:
    """How far a long file is, for the page that waits for it."""
    found = imports.find_import(session(), principal=principal(), import_id=import_id)
    return jsonify(
        state=found.state.value,
        label=label_of("import", found.state),
        phase="",
        percent=offer_import_job.percent(found),
        rounds=found.checked_count,
        is_open=found.state in offer_import_job.OPEN,
    )


@blueprint.get("/offers/uploads/<uuid:import_id>/corrections.xlsx")
@requires(Permission.OFFER_IMPORT)
def corrections(import_id: uuid.UUID) -> Response:
    """The rows that were not posted, with what is wrong on each cell and in a last column."""
    content = imports.corrected_file(session(), principal=principal(), import_id=import_id, now=clock())
    return _workbook(content, "offers-to-correct.xlsx")


def _listing(*, error: str | None = None, faults: list[str] | None = None) -> str:
    return render_template(
        "offer_imports.html",
        choices=pages.form_choices(session(), principal=principal(), now=clock()),
        page=page_of(session(), imports.visible_imports(principal()), order=(OfferImport.created_at, OfferImport.id)),
        error=error,
        faults=faults or [],
        limits={"megabytes": LARGEST_FILE // MEGABYTE, "rows": MOST_ROWS},
    )


def _said(fault: Fault) -> str:
    """A fault of the file; what was expected comes in both languages."""
    english, _slash, chinese = fault.expected.partition(" / ")
    where = _("%(place)s, row %(row)s", place=fault.place, row=fault.row) if fault.row else fault.place
    return _(
        "%(where)s: found %(found)s; expected %(expected)s",
        where=where,
        found=fault.found,
        expected=in_words(chinese or english, english),
    )


def _workbook(content: bytes, name: str) -> Response:
    return send_file(BytesIO(content), mimetype=offer_sheet.MEDIA_TYPE, as_attachment=True, download_name=name)
