"""Reference data by API: lists for everybody, PUT and bulks for who manages them. Each subject is one line of a table.

Putting the same row again changes nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import request
from sqlalchemy.orm import InstrumentedAttribute
from webargs.flaskparser import abort

from app.api import reference_schemas as schemas
from app.api.conventions import ApiBlueprint
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.auth import principal, requires
from app.clock import clock
from app.db import Model, session
from app.models import (
    Attribute,
    BillOfMaterials,
    CertificateKind,
    Freight,
    Grade,
    GradeSpecification,
    IndexPrice,
    MarketIndex,
    Product,
    Region,
)
from app.operations.reference_data import Author, RowResult, one, put, put_each, visible
from app.permissions import Permission

MOST_ROWS = 5000
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A table of reference data: where it is, how a row looks, what tells rows apart, and in what order they come.

    `path` is the address of one row, None where rows have no code to stand in an address.
    """

    name: str
    model: type[Model]
    schema: type[ma.Schema]
    key: tuple[str, ...]
    order: tuple[InstrumentedAttribute[Any], ...]
    path: str | None


SUBJECTS = (
    Subject(
        name="products",
        model=Product,
        schema=schemas.ProductSchema,
        key=("code",),
        order=(Product.code,),
        path="<string:code>",
    ),
    Subject(
        name="grades",
        model=Grade,
        schema=schemas.GradeSchema,
        key=("product_code", "code"),
        order=(Grade.product_code, Grade.code),
        path="<string:product_code>/<string:code>",
    ),
    Subject(
        name="attributes",
        model=Attribute,
        schema=schemas.AttributeSchema,
        key=("product_code", "code"),
        order=(Attribute.product_code, Attribute.code),
        path="<string:product_code>/<string:code>",
    ),
    Subject(
        name="grade-specifications",
        model=GradeSpecification,
        schema=schemas.GradeSpecificationSchema,
        key=("product_code", "grade_code", "attribute_code"),
        order=(GradeSpecification.product_code, GradeSpecification.grade_code, GradeSpecification.attribute_code),
        path="<string:product_code>/<string:grade_code>/<string:attribute_code>",
    ),
    Subject(
        name="bills-of-materials",
        model=BillOfMaterials,
        schema=schemas.BillOfMaterialsSchema,
        key=("output_product_code", "output_grade_code", "input_product_code", "input_grade_code"),
        order=(BillOfMaterials.id,),
        path=None,
    ),
    Subject(
        name="regions",
        model=Region,
        schema=schemas.RegionSchema,
        key=("code",),
        order=(Region.code,),
        path="<string:code>",
    ),
    Subject(
        name="indices",
        model=MarketIndex,
        schema=schemas.MarketIndexSchema,
        key=("code",),
        order=(MarketIndex.code,),
        path="<string:code>",
    ),
    Subject(
        name="index-prices",
        model=IndexPrice,
        schema=schemas.IndexPriceSchema,
        key=("index_code", "date"),
        order=(IndexPrice.index_code, IndexPrice.date),
        path="<string:index_code>/<string:date>",
    ),
    Subject(
        name="freight",
        model=Freight,
        schema=schemas.FreightSchema,
        key=("product_code", "from_region_code", "to_region_code"),
        order=(Freight.id,),
        path=None,
    ),
    Subject(
        name="certificate-kinds",
        model=CertificateKind,
        schema=schemas.CertificateKindSchema,
        key=("code",),
        order=(CertificateKind.code,),
        path="<string:code>",
    ),
)


def _blueprint(subject: Subject) -> ApiBlueprint:
    """The views of one subject."""
    title = subject.name.replace("-", " ")
    name = subject.name.replace("-", "_")
    blueprint = ApiBlueprint(name, f"{__name__}.{name}", path=f"/{subject.name}", description=f"Reference: {title}")
    _add_list(blueprint, subject, title)
    _add_bulk(blueprint, subject, title)
    if subject.path is not None:
        _add_one(blueprint, subject, title, subject.path)
    return blueprint


def _add_list(blueprint: ApiBlueprint, subject: Subject, title: str) -> None:
    @blueprint.get("")
    @requires(Permission.REFERENCE_READ)
    @blueprint.arguments(PageArguments, location="query")
    @blueprint.doc(summary=f"All {title}, by their key")
    @blueprint.response(200, page_of(subject.schema))
    def list_rows(arguments: Row) -> Page[Any]:
        return page(session(), visible(subject.model), order=subject.order, **arguments)


def _add_one(blueprint: ApiBlueprint, subject: Subject, title: str, path: str) -> None:
    key_fields = {field.attribute or name for name, field in subject.schema().fields.items()} & set(subject.key)
    names = [name for name, field in subject.schema().fields.items() if (field.attribute or name) in key_fields]
    own_name = subject.schema.__name__.removesuffix("Schema") + "ValuesSchema"
    body = type(own_name, (subject.schema,), {"Meta": type("Meta", (), {"exclude": tuple(names)})})

    @blueprint.get(f"/{path}")
    @requires(Permission.REFERENCE_READ)
    @blueprint.doc(summary=f"One of the {title}")
    @refuses(blueprint, 404)
    @blueprint.response(200, subject.schema)
    def get_row(**key: Any) -> Any:
        return one(session(), subject.model, **_typed(subject, key))

    @blueprint.put(f"/{path}")
    @requires(Permission.REFERENCE_MANAGE)
    @blueprint.arguments(body)
    @blueprint.doc(summary=f"Make one of the {title} be this; the same again changes nothing")
    @refuses(blueprint, 409, 422)
    @blueprint.response(200, subject.schema)
    def put_row(values: Row, **key: Any) -> Any:
        row, _ = put(session(), subject.model, key=_typed(subject, key), values=values, author=_author())
        return row


def _add_bulk(blueprint: ApiBlueprint, subject: Subject, title: str) -> None:
    many = {"schema": subject.schema(many=True)}

    @blueprint.post("/bulk")
    @requires(Permission.REFERENCE_MANAGE)
    @blueprint.arguments(schemas.BulkArguments, location="query")
    @blueprint.doc(
        summary=f"Put many {title}, one result per row",
        description=f"A JSON list, or a CSV with the same names in its first row; at most {MOST_ROWS} rows. Nothing is "
        "written if a row is bad, unless `partial` says so.",
        requestBody={
            "required": True,
            "content": {"application/json": many, "text/csv": {"schema": {"type": "string"}}},
        },
    )
    @refuses(blueprint, 415, 422)
    @blueprint.response(200, schemas.BulkSchema)
    def put_rows(arguments: Row) -> Row:
        rows = list(_rows())
        if len(rows) > MOST_ROWS:
            abort(422, message=f"the bulk has {len(rows)} rows; expected at most {MOST_ROWS}")
        return _put_bulk(subject, rows, partial=arguments["partial"])


def _put_bulk(subject: Subject, rows: list[tuple[int, Any]], *, partial: bool) -> Row:
    schema, good, results = subject.schema(), [], []
    for number, row in rows:
        try:
            good.append((number, schema.load(row)))
        except ma.ValidationError as error:
            messages = error.messages if isinstance(error.messages, dict) else {"": error.messages}
            results.append(RowResult(number, faults={str(name): _texts(found) for name, found in messages.items()}))
    with session().begin_nested() as savepoint:
        results += put_each(session(), subject.model, key=subject.key, rows=good, author=_author())
        written = partial or not any(result.faults for result in results)
        if not written:
            savepoint.rollback()
    return {"written": written, "rows": [_shown(result) for result in sorted(results, key=lambda found: found.row)]}


def _author() -> Author | None:
    """The person who puts; a key is trusted with no facts of reference."""
    found = principal().user_id
    return None if found is None else Author(user_id=found, at=clock())


def _texts(messages: Any) -> list[str]:
    return [str(message) for message in (messages if isinstance(messages, list) else [messages])]


def _shown(result: RowResult) -> Row:
    return {
        "row": result.row,
        "outcome": result.outcome.value if result.outcome else "rejected",
        "faults": [{"field": name, "detail": detail} for name, found in result.faults.items() for detail in found],
    }


def _rows() -> Iterator[tuple[int, Any]]:
    """Numbered rows of the body, by its media type."""
    if request.mimetype == "text/csv":
        try:
            text = request.get_data().decode("utf-8-sig")
            yield from enumerate(csv.DictReader(io.StringIO(text), strict=True), start=2)
        except (UnicodeDecodeError, csv.Error) as error:
            abort(422, message=f"the body is no CSV in UTF-8: {error}")
        return
    if request.mimetype != "application/json":
        abort(415, message=f"found {request.mimetype or 'no media type'}; expected application/json or text/csv")
    body = request.get_json(silent=True)
    if not isinstance(body, list):
        abort(422, message="the body is no JSON list; expected a list of rows")
    yield from enumerate(body, start=1)


def _typed(subject: Subject, key: Row) -> Row:
    """The key as it stands in an address, checked by the fields of the schema."""
    fields = {field.attribute or name: field for name, field in subject.schema().fields.items()}
    typed = {}
    for name, value in key.items():
        try:
            typed[name] = fields[name].deserialize(value)
        except ma.ValidationError as error:
            abort(422, messages={"path": {name: _texts(error.messages)}})
    return typed


BLUEPRINTS = tuple(_blueprint(subject) for subject in SUBJECTS)
