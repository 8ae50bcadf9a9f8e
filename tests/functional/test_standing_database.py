"""What one test leaves in a standing database the next one does not find."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.transaction import Application
from tests.conftest import TEMPLATE

from .night_market import Town, clear, standing_application

TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY sequencename"


def contents(address: str) -> tuple[dict[str, int], list[tuple[object, ...]]]:
    """The number of rows of every table, and where every sequence stands."""
    with psycopg.connect(address) as connection:
        tables = [name for (name,) in connection.execute(TABLES)]
        rows = {}
        for name in tables:
            counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
            assert counted is not None
            rows[name] = counted[0]
        return rows, list(connection.execute(SEQUENCES))


def address() -> str:
    return db.engine.url.render_as_string(hide_password=False).replace("+psycopg", "", 1)


def test_the_next_finds_nothing(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> None:
    with standing_application(app, postgres, worker_name):
        town = Town()
        town.sells()
        town.buys()
        clear(town.round)
        used = address()
        full, moved = contents(used)
        left_open = psycopg.connect(used)
        left_open.execute("SELECT pg_advisory_lock(1), count(*) FROM offer")
    assert sum(full.values()) > 20
    assert any(last is not None for _, last in moved)
    with pytest.raises(psycopg.OperationalError):
        left_open.execute("SELECT 1")
    left_open.close()
    with standing_application(app, postgres, worker_name):
        assert address() == used
        assert contents(used) == contents(postgres.conninfo(TEMPLATE))
        assert db.session.scalar(sa.text("SHOW session_replication_role")) == "origin"


def test_two_at_once_are_two(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> None:
    with standing_application(app, postgres, worker_name):
        outer = address()
        with standing_application(app, postgres, worker_name):
            assert address() != outer
        assert address() == outer
