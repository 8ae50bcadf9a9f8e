"""Exports of contracts, schedules and invoices, for spreadsheets and for other systems."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import marshmallow as ma
from flask import Response

from app.api.conventions import ApiBlueprint
from app.api.fields import Text
from app.api.refusals import refuses
from app.auth import principal, requires
from app.clock import clock, today
from app.db import session
from app.downloads import export_download, xml_download
from app.models import Language
from app.operations import contracts, export_ubl, exports
from app.operations.export_columns import Sheet
from app.operations.export_rows import Wanted
from app.operations.exports import FORMS, MEDIA_TYPES, Exported, Form
from app.permissions import Permission
from contracts.state import Subject, state_names

blueprint = ApiBlueprint(
    "exports",
    __name__,
    path="/exports",
    description="Contracts, schedules and invoices as files: CSV, XLSX, and UBL 2.1 (Order, Invoice, CreditNote)",
)
FILE = {"type": "string", "format": "binary"}
XML = "application/xml"


class ExportArguments(ma.Schema):
    """What is wanted. Days are both included."""

    state = ma.fields.String(load_default=None, validate=ma.validate.OneOf(state_names(Subject.CONTRACT)))
    product = Text(load_default=None, most=100)
    number = Text(load_default=None, most=100, metadata={"description": "Of one contract"})
    first_day = ma.fields.Date(
        load_default=None,
        metadata={"description": "Contracts and periods that end on this day or later; invoices issued from it on"},
    )
    last_day = ma.fields.Date(
        load_default=None,
        metadata={"description": "Contracts and periods that begin on this day or earlier; invoices issued until it"},
    )


class TableArguments(ExportArguments):
    """How titles and names of firms are written."""

    language = ma.fields.Enum(Language, by_value=True, load_default=Language.CHINESE)


class CsvArguments(TableArguments):
    byte_order_mark = ma.fields.Boolean(
        load_default=True, metadata={"description": "Excel needs it to read the file as UTF-8"}
    )


ARGUMENTS = {Form.CSV: CsvArguments, Form.XLSX: TableArguments, Form.UBL: ExportArguments}
SAYS = {
    Sheet.CONTRACTS: "Contracts with their terms in force: your firm's, or all for the platform and the regulator.",
    Sheet.SCHEDULES: "The schedules of contracts, one line for each delivery period, with what became of it.",
    Sheet.INVOICES: "Invoices and credit notes under the contracts you may read.",
}


def _offer(sheet: Sheet, form: Form) -> None:
    """Make the address of one sheet in one form, as in /exports/contracts.csv."""

    def view(arguments: dict[str, Any]) -> Response:
        return export_download(_export(sheet, form, arguments))

    view.__name__ = f"get_{sheet}_{form}"
    view.__doc__ = SAYS[sheet]
    decorators: list[Callable[[Any], Any]] = [
        blueprint.response(200, FILE, content_type=MEDIA_TYPES[form].partition(";")[0]),
        refuses(blueprint, 422),
        blueprint.arguments(ARGUMENTS[form], location="query"),
        requires(Permission.CONTRACT_READ),
        blueprint.get(f"/{sheet}.{form}"),
    ]
    decorated: Any = view
    for decorate in decorators:
        decorated = decorate(decorated)


for _sheet, _forms in FORMS.items():
    for _form in _forms:
        _offer(_sheet, _form)


@blueprint.get("/contracts/<uuid:contract_id>.xml")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, FILE, content_type=XML)
def get_order(contract_id: uuid.UUID) -> Response:
    """One contract with its terms in force as a UBL Order: a blanket order with a line for each delivery period."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    document = export_ubl.order_of(session(), contract=contract, on=today())
    return xml_download(document, f"{contract.number}.xml")


@blueprint.get("/invoices/<uuid:invoice_id>.xml")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, FILE, content_type=XML)
def get_invoice_document(invoice_id: uuid.UUID) -> Response:
    """One invoice as a UBL Invoice, or as a CreditNote where it gives back."""
    document = export_ubl.invoice_of(session(), principal=principal(), invoice_id=invoice_id)
    return xml_download(document, f"invoice-{invoice_id}.xml")


def _export(sheet: Sheet, form: Form, arguments: dict[str, Any]) -> Exported:
    language: Language = arguments.pop("language", Language.CHINESE)
    byte_order_mark: bool = arguments.pop("byte_order_mark", True)
    return exports.export(
        session(),
        principal=principal(),
        sheet=sheet,
        form=form,
        wanted=Wanted(**arguments),
        language=language.value,
        byte_order_mark=byte_order_mark,
        now=clock(),
    )
