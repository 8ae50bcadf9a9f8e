"""Lists in pages: a signed cursor in the address says after which row to go on, so a list of any length opens fast."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from flask import Flask, request, url_for
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.orm import InstrumentedAttribute, Session
from werkzeug.exceptions import BadRequest

from app.config import settings

Row = TypeVar("Row")
PAGE = 50
READERS: Mapping[type, Callable[[str], Any]] = {
    str: str,
    int: int,
    Decimal: Decimal,
    uuid.UUID: uuid.UUID,
    dt.datetime: dt.datetime.fromisoformat,
    dt.date: dt.date.fromisoformat,
}


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(here=here)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of rows, and the address of the page after it."""

    rows: Sequence[Row]
    next: str | None


def page_of(
    session: Session,
    select: sa.Select[Any],
    *,
    order: Sequence[InstrumentedAttribute[Any]],
    descending: bool = True,
    size: int = PAGE,
) -> Page[Any]:
    """The page that the address asks for, in the order of columns that are never null, the last of them unique.

    :raises BadRequest: the cursor is not one of this list.
    """
    name = ",".join(map(str, order)) + (" descending" if descending else "")
    signer = URLSafeSerializer(settings().secret_key, salt=f"page {name}")
    key = sa.tuple_(*order)
    if cursor := request.args.get("after"):
        try:
            texts = signer.loads(cursor)
        except BadSignature:
            raise BadRequest("The address of the page is not complete; open the list anew.") from None
        after = sa.tuple_(
            *(
                sa.literal(READERS[column.type.python_type](text), column.type)
                for text, column in zip(texts, order, strict=True)
            )
        )
        select = select.where(key < after if descending else key > after)
    ordered = select.order_by(*(column.desc() if descending else column.asc() for column in order))
    rows = session.scalars(ordered.limit(size + 1)).all()
    if len(rows) <= size:
        return Page(rows, None)
    last = [getattr(rows[size - 1], column.key) for column in order]
    texts = [value.isoformat() if isinstance(value, dt.datetime) else str(value) for value in last]
    return Page(rows[:size], here(after=str(signer.dumps(texts))))


def here(**changes: str | None) -> str:
    """The address of this page with some of its parameters changed; None takes one away."""
    arguments: dict[str, Any] = {**(request.view_args or {}), **request.args.to_dict(flat=False), **changes}
    wanted = {name: value for name, value in arguments.items() if value not in (None, "", [""])}
    return url_for(str(request.endpoint), **wanted)
