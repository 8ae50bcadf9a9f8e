"""Lists in pages: an opaque, signed cursor that says after which row to go on, so that inserts never shift a page."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

import marshmallow as ma
import sqlalchemy as sa
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.orm import InstrumentedAttribute, Session
from webargs.flaskparser import abort

from app.api.fields import Text
from app.config import settings

Row = TypeVar("Row")
LONGEST_PAGE, USUAL_PAGE = 200, 50
_READERS: dict[type, Callable[[str], Any]] = {
    str: str,
    int: int,
    Decimal: Decimal,
    uuid.UUID: uuid.UUID,
    dt.date: dt.date.fromisoformat,
    dt.datetime: dt.datetime.fromisoformat,
}


class PageArguments(ma.Schema):
    """Query parameters of every list; a list with filters inherits from this."""

    limit = ma.fields.Integer(
        load_default=USUAL_PAGE,
        validate=ma.validate.Range(1, LONGEST_PAGE),
        metadata={"description": "How many rows at most"},
    )
    cursor = Text(load_default=None, most=1000, metadata={"description": "The `next` of the page before"})


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of rows; `next` is the cursor of the page after it, None at the end."""

    items: Sequence[Row]
    next: str | None


def page_of(item: type[ma.Schema]) -> type[ma.Schema]:
    """The schema of a page of `item`."""
    name = item.__name__.removesuffix("Schema") + "Page"
    return type(
        name,
        (ma.Schema,),
        {
            "items": ma.fields.List(ma.fields.Nested(item), required=True),
            "next": ma.fields.String(required=True, allow_none=True, metadata={"description": "null on the last page"}),
        },
    )


def page(
    session: Session,
    select: sa.Select[Row],
    *,
    order: Sequence[InstrumentedAttribute[Any]],
    limit: int,
    cursor: str | None,
    descending: bool = False,
) -> Page[Row]:
    """Read one page in the order of the columns `order`, the last of which is unique; none of them is ever null.

    A cursor of another list, or one that was tampered with, ends the request with 422.
    """
    list_name = ",".join(str(column) for column in order) + (" descending" if descending else "")
    signer = URLSafeSerializer(settings().secret_key, salt=f"cursor {list_name}")
    key = sa.tuple_(*order)
    if cursor is not None:
        after = sa.tuple_(*(sa.literal(value, column.type) for value, column in _read(signer, cursor, order)))
        select = select.where(key < after if descending else key > after)
    select = select.order_by(*((column.desc() if descending else column.asc()) for column in order)).limit(limit + 1)
    rows = session.scalars(select).all()
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]
    return Page(rows[:limit], str(signer.dumps([_write(getattr(last, column.key)) for column in order])))


def _write(value: Any) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _read(
    signer: URLSafeSerializer, cursor: str, order: Sequence[InstrumentedAttribute[Any]]
) -> list[tuple[Any, InstrumentedAttribute[Any]]]:
    try:
        texts = signer.loads(cursor)
    except BadSignature:
        abort(422, messages={"query": {"cursor": ["is not a cursor of this list; start again without one"]}})
    return [(_READERS[column.type.python_type](text), column) for text, column in zip(texts, order, strict=True)]
