"""The edge of a job: where its transactions begin and end."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import db
from app.logs import log

Result = TypeVar("Result")
# A deadlock or a failed serialisation says: do it again.
AGAIN = ("40001", "40P01")
TRIES = 3


@contextmanager
def transaction() -> Iterator[Session]:
    """One transaction on a connection of its own: committed at the end, undone by an exception."""
    with Session(db.engine) as session, session.begin():
        yield session


@contextmanager
def consistent_read() -> Iterator[Session]:
    """One read-only transaction that sees the database as it is at one moment."""
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with db.engine.connect().execution_options(**options) as connection, Session(connection) as session:
        yield session


def in_transaction(work: Callable[[Session], Result]) -> Result:
    """Do the work in one transaction, again when the database asks for it."""
    for left in reversed(range(TRIES)):
        try:
            with transaction() as session:
                return work(session)
        except (sa.exc.OperationalError, psycopg.OperationalError) as error:
            state = getattr(getattr(error, "orig", error), "sqlstate", None)
            if state not in AGAIN or not left:
                raise
            log.warning("transaction_again", sqlstate=state)
    raise AssertionError("unreachable")


@contextmanager
def only_one(name: str, key: uuid.UUID) -> Iterator[bool]:
    """Whether this process is the only one at work on something, for as long as the context lasts.

    The lock belongs to a connection of its own, so it goes with the process, however that ends.
    """
    number = sa.func.hashtextextended(f"{name} {key}", 0)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        held = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))))
        try:
            yield held
        finally:
            if held:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))
