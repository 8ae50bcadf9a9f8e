"""The database: typed declarative base, names of constraints, the session.

PostgreSQL is the one dialect. Every constraint has a name that follows from its table and columns, so that a violation
can be told to the user and a migration can be undone.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import orm
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Session

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables. `datetime` is always with time zone, `Decimal` exact, a `dict` or `list` is JSONB."""

    # A registry of our own: Flask-SQLAlchemy derives a second base, which may not bring a type_annotation_map along.
    registry = orm.registry(
        metadata=sa.MetaData(naming_convention=NAMING_CONVENTION),
        type_annotation_map={
            dt.datetime: sa.DateTime(timezone=True),
            Decimal: sa.Numeric(18, 6),
            dict[str, Any]: JSONB,
            list[Any]: JSONB,
            list[str]: JSONB,
        },
    )


# A test's session joins the test's outer transaction by savepoints, so that a request's rollback undoes only itself.
db = SQLAlchemy(
    model_class=Base, disable_autonaming=True, session_options={"join_transaction_mode": "create_savepoint"}
)

if TYPE_CHECKING:  # `db.Model` is made at run time
    Model = Base
else:
    Model = db.Model


def session() -> Session:
    """The session of the current request, job or command. Operations flush it; only the edge commits it."""
    return db.session()
