"""What tests stand on: a real PostgreSQL for those that ask for it, and no network for any.

One throw-away server for each process of a run: what the transactions of one hold back must not be seen by another. The
schema is migrated once, into a template, and copied; each test is one outer transaction that is undone, with savepoints
where the code commits.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher, profiles
from flask.testing import FlaskClient
from flask_migrate import upgrade
from hypothesis import settings
from psycopg import sql
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import create_app
from app.auth import api_keys, passwords, sign_in
from app.auth.principal import of_user
from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.models import User
from app.permissions import KEY_SCOPES, Permission
from app.transaction import Application

TEMPLATE = "changdan_template"
MEMORY = Path("/dev/shm")  # noqa: S108 - the server makes a folder of its own there, closed to others
ROOM = 2 * 1024**3
"""Bytes that each process of a run may need for its databases: some ten of 30 MB, and what is written ahead."""
LOOPBACK = {"127.0.0.1", "::1", "localhost"}

settings.register_profile("changdan", deadline=None, database=None, print_blob=True)
settings.load_profile("changdan")


class Client(FlaskClient):
    """A browser or an ERP system. Each request gets an application context of its own, as on a real server."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        own = db.session
        own.flush()
        with self.application.app_context():
            answer = super().open(*args, **kwargs)
        own.expire_all()  # the request may have changed what the test has read
        return answer


@contextlib.contextmanager
def undone(app: Application) -> Iterator[Session]:
    """The database of an app, until everything that was done in it is undone."""
    with app.app_context():
        engines: dict[Any, Any] = db._app_engines[app]
        engine = engines[None]
        with engine.connect() as connection:
            outer = connection.begin()
            engines[None] = connection  # every session of the app joins this connection, by savepoints
            try:
                yield db.session()
            finally:
                db.session.remove()
                engines[None] = engine
                outer.rollback()


@pytest.fixture(scope="session", autouse=True)
def closed_network() -> Iterator[None]:
    """Refuse every connection that leaves this machine."""
    real_connect, real_lookup = socket.socket.connect, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in LOOPBACK:
            raise ConnectionRefusedError(f"a test tried to reach {address}")
        real_connect(self, address)

    def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None and host not in LOOPBACK:
            raise ConnectionRefusedError(f"a test tried to look up {host}")
        return real_lookup(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        patch.setattr(socket, "getaddrinfo", lookup)
        yield


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hash passwords with the least work there is, where it shows nothing: `test_sign_in` looks at the real work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "hasher", PasswordHasher.from_parameters(profiles.CHEAPEST))
        yield


@pytest.fixture(scope="session")
def worker_name(request: pytest.FixtureRequest) -> str:
    """The name of this pytest-xdist worker, "main" without one."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "main"))


@pytest.fixture(scope="session")
def postgres() -> EmbeddedPostgres:
    """The server of this process."""
    server = _own_server().start()
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        _migrate_template(server, connection)
    return server


@pytest.fixture(scope="session")
def database_url(postgres: EmbeddedPostgres, worker_name: str) -> str:
    """A migrated database of this worker's own."""
    name = f"changdan_{worker_name}"
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute(copy.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
    return postgres.url(name)


@pytest.fixture(scope="session")
def app(database_url: str) -> Iterator[Application]:
    application = create_app(environment="test", database_url=database_url, csrf=False, log_level="ERROR")
    application.test_client_class = Client
    yield application
    with application.app_context():
        db.engine.dispose()


@pytest.fixture
def session(app: Application) -> Iterator[Session]:
    """The database for one test; whatever happens in it, commits included, is undone at the end."""
    with undone(app) as session:
        yield session


@pytest.fixture
def client(app: Application, session: Session) -> FlaskClient:
    """A caller who has not signed in."""
    return app.test_client()


@pytest.fixture
def client_as(app: Application, session: Session) -> Callable[[User], FlaskClient]:
    """A browser in which a person has signed in: `client_as(user).get(...)`."""

    def signed_in(user: User) -> FlaskClient:
        session.flush()
        browser = app.test_client()
        with browser.session_transaction() as cookie:
            agent = browser.environ_base["HTTP_USER_AGENT"]
            sign_in.open_session(cookie, user, now=clock(), user_agent=agent)
        return browser

    return signed_in


@pytest.fixture
def key_headers(session: Session) -> Callable[..., dict[str, str]]:
    """The headers of an ERP system whose key a firm's administrator made: `key_headers(admin, scope, ...)`.

    Without scopes the key has all that keys can have.
    """

    def make(admin: User, *scopes: Permission) -> dict[str, str]:
        session.flush()
        assert admin.firm_id is not None, "keys belong to firms; expected a firm's administrator"
        _, key = api_keys.issue(
            session,
            principal=of_user(admin),
            firm_id=admin.firm_id,
            name=f"key {uuid.uuid4()}",
            scopes=scopes or KEY_SCOPES,
            expires_at=None,
            now=clock(),
        )
        return {"Authorization": f"Bearer {key}"}

    return make


def pytest_sessionfinish() -> None:
    """Each process removes its server."""
    server = _own_server()
    if server.data.exists():
        server.discard()


@functools.cache
def _own_server() -> EmbeddedPostgres:
    """In memory where there is a folder for that and plenty of room: a database is a thousand small files."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > workers * ROOM
    folder = MEMORY if roomy else Path(tempfile.gettempdir())
    return EmbeddedPostgres(folder / f"changdan-test-{os.getpid()}", throw_away=True)


def _migrate_template(server: EmbeddedPostgres, connection: psycopg.Connection[Any]) -> None:
    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    application = create_app(environment="test", database_url=server.url(TEMPLATE), log_level="ERROR")
    with application.app_context():
        upgrade()
        db.engine.dispose()
