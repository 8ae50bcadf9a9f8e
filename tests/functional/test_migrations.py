"""The migrations, up, against the models, down to nothing, and up again."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from flask_migrate import check, downgrade, upgrade
from psycopg import sql

from app import create_app
from app.db import Base, db
from app.embedded_postgres import EmbeddedPostgres
from app.transaction import Application

AS_IT_IS = {"no_parameters": True}  # a per cent sign is one
# How PostgreSQL itself writes down a constraint or an index, so that two schemas can be compared word by word.
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype NOT IN ('t', 'n')
AND conrelid::regclass::text NOT LIKE 'procrastinate%' AND conrelid::regclass::text <> 'alembic_version'
ORDER BY 1, 2
"""
INDEXES = """
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
AND tablename NOT LIKE 'procrastinate%' AND tablename <> 'alembic_version' ORDER BY 1, 2
"""
COLUMNS = """
SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, collation_name,
       column_default, is_nullable, is_identity, identity_generation
FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'procrastinate%'
AND table_name <> 'alembic_version' ORDER BY 1, 2
"""
LEFT_BEHIND = """
SELECT 'relation', relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
AND relname NOT LIKE 'alembic_version%'
UNION ALL SELECT 'function', proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'type', typname::text FROM pg_type WHERE typnamespace = 'public'::regnamespace
AND typname NOT LIKE '%alembic_version'
"""


def _fresh_database(postgres: EmbeddedPostgres, name: str) -> str:
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return postgres.url(name)


@pytest.fixture(scope="module")
def migrating(postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    """The application on an empty database of its own."""
    url = _fresh_database(postgres, f"migrating_{worker_name}")
    application = create_app(environment="test", database_url=url, log_level="ERROR")
    with application.app_context():
        yield application
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="module")
def modelled(postgres: EmbeddedPostgres, worker_name: str) -> Iterator[sa.Engine]:
    """A database with the tables that the models describe, made without migrations."""
    engine = sa.create_engine(_fresh_database(postgres, f"modelled_{worker_name}"))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _read(engine: sa.Engine, query: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query, execution_options=AS_IT_IS)]


@pytest.mark.parametrize("query", [CONSTRAINTS, INDEXES, COLUMNS], ids=["constraints", "indexes", "columns"])
def test_migrations_make_what_the_models_describe(migrating: Application, modelled: sa.Engine, query: str) -> None:
    upgrade()
    described = _read(modelled, query)
    assert len(described) > 40
    assert _read(db.engine, query) == described


def test_autogenerate_finds_no_difference(migrating: Application) -> None:
    upgrade()
    check()  # leaves with exit status 1 if there is one


def test_down_to_nothing_and_up_again(migrating: Application) -> None:
    upgrade()
    before = [_read(db.engine, query) for query in (CONSTRAINTS, INDEXES, COLUMNS)]
    downgrade(revision="base")
    assert _read(db.engine, LEFT_BEHIND) == []
    upgrade()
    assert [_read(db.engine, query) for query in (CONSTRAINTS, INDEXES, COLUMNS)] == before


def test_the_queue_is_there(migrating: Application) -> None:
    upgrade()
    assert _read(db.engine, "SELECT count(*) FROM procrastinate_jobs") == [(0,)]
    downgrade(revision="0007")
    assert _read(db.engine, "SELECT to_regclass('procrastinate_jobs')::text, to_regclass('contract')::text") == [
        (None, "contract")
    ]
    upgrade()


def test_every_constraint_has_a_name_that_fits(modelled: sa.Engine) -> None:
    """PostgreSQL cuts names at 63 bytes, and a name it made up itself ends in _check, _key or _fkey."""
    for table, name, _ in _read(modelled, CONSTRAINTS):
        assert str(name).startswith(("pk_", "fk_", "uq_", "ck_")), (table, name)
        assert len(str(name)) < 63, (table, name)
