"""Many rows at once: written by PostgreSQL's COPY, so that statement triggers run once for all; found by one array."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from typing import Any

import sqlalchemy as sa
from psycopg import Connection, sql
from psycopg.types.json import Jsonb
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db import Model


def among(column: InstrumentedAttribute[Any], values: Collection[Any]) -> sa.ColumnElement[bool]:
    """The condition that a column holds one of many values, as one parameter: a statement takes 65 535 at most."""
    return column == sa.any_(sa.literal(list(values), ARRAY(column.type)))


def copy_rows(session: Session, model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write rows of a table in the session's transaction; returns how many. Columns left out get their defaults.

    A dict is written as JSON, a member of an enumeration as its value. The session does not come to know the rows.

    :raises psycopg.IntegrityError: a rule of the database is broken; the driver's own error, not SQLAlchemy's.
    """
    session.flush()
    connection: Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(model.__table__.name),  # type: ignore[attr-defined]
        sql.SQL(", ").join(map(sql.Identifier, columns)),
    )
    count = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([_plain(value) for value in row])
            count += 1
    return count


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return Jsonb(value) if isinstance(value, dict) else value
