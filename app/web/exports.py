"""Files of contracts, schedules and invoices to keep, in the language of the page, as the list is filtered."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.downloads import export_download
from app.operations.export_columns import Sheet
from app.operations.export_rows import Wanted
from app.operations.exports import FORMS, Form, export
from app.permissions import Permission
from app.web.formats import language
from contracts.state import STATES, Subject

blueprint = Blueprint("exports", __name__)


@blueprint.get("/exports/<sheet>.<form>")
@requires(Permission.CONTRACT_READ)
def download(sheet: str, form: str) -> Response:
    """One sheet in one form; a state or a number chooses as it does in the list of contracts."""
    if sheet not in set(Sheet) or form not in FORMS[Sheet(sheet)]:
        raise NotFound
    state = request.args.get("state")
    number = request.args.get("number", "").strip().upper()
    wanted = Wanted(
        state=state if state in {one.name for one in STATES[Subject.CONTRACT]} else None, number=number or None
    )
    return export_download(
        export(
            session(),
            principal=principal(),
            sheet=Sheet(sheet),
            form=Form(form),
            wanted=wanted,
            language=language().value,
            now=clock(),
        )
    )
