"""Limits on requests, counted in PostgreSQL, so that all processes and machines share one count."""

from __future__ import annotations

import datetime as dt
import random
import time
from typing import Any

import psycopg
import sqlalchemy as sa
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits.storage import Storage
from psycopg_pool import ConnectionPool
from sqlalchemy.orm import Mapped, mapped_column

from app.auth import current_principal
from app.db import Model

EVERYTHING = "600 per minute"
SIGN_IN = "10 per minute; 100 per hour"
VERIFY = "20 per minute; 200 per hour"  # anybody may have files read
CLEAN_ONE_IN = 1000  # how many counted requests there are for one that also clears away old counters

COUNT = """
INSERT INTO rate_limit AS counter (key, hits, expires_at)
VALUES (%(key)s, %(amount)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (key) DO UPDATE SET
    hits = CASE WHEN counter.expires_at <= now() THEN excluded.hits ELSE counter.hits + excluded.hits END,
    expires_at = CASE WHEN counter.expires_at <= now() THEN excluded.expires_at ELSE counter.expires_at END
RETURNING hits
"""


class RateLimit(Model):
    """How often one caller did one thing since the counter began. Unlogged: after a crash counting starts anew."""

    __tablename__ = "rate_limit"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    hits: Mapped[int]
    expires_at: Mapped[dt.datetime]


class PostgresStorage(Storage):
    """Fixed windows in the table `rate_limit`. On connections of its own: a request undone has still been made."""

    STORAGE_SCHEME = ["postgresql+psycopg"]  # noqa: RUF012 - the base class declares it as a list

    def __init__(self, uri: str, **options: Any) -> None:
        super().__init__(uri, **options)
        self._pool = ConnectionPool(
            uri.replace("+psycopg", "", 1), min_size=0, max_size=4, open=True, kwargs={"autocommit": True}
        )

    @property
    def base_exceptions(self) -> type[Exception]:
        return psycopg.Error

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        if random.randrange(CLEAN_ONE_IN) == 0:  # noqa: S311 - no secret
            self._value("DELETE FROM rate_limit WHERE expires_at <= now()")
        return int(self._value(COUNT, key=key, amount=amount, seconds=expiry))

    def get(self, key: str) -> int:
        return int(self._value("SELECT hits FROM rate_limit WHERE key = %(key)s AND expires_at > now()", key=key) or 0)

    def get_expiry(self, key: str) -> float:
        found = self._value("SELECT extract(epoch FROM expires_at) FROM rate_limit WHERE key = %(key)s", key=key)
        return float(found) if found else time.time()

    def check(self) -> bool:
        return bool(self._value("SELECT 1"))

    def reset(self) -> int | None:
        return int(self._value("WITH gone AS (DELETE FROM rate_limit RETURNING 1) SELECT count(*) FROM gone"))

    def clear(self, key: str) -> None:
        self._value("DELETE FROM rate_limit WHERE key = %(key)s", key=key)

    def close(self) -> None:
        self._pool.close()

    def _value(self, statement: str, **values: Any) -> Any:
        with self._pool.connection() as connection:
            cursor = connection.execute(statement, values)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def _caller() -> str:
    who = current_principal()
    return str(who) if who else get_remote_address()


def init_app(app: Flask) -> None:
    """Limit everything by caller, sign-in and verification by address; needs all views to be there. Probes are free."""
    if not app.config["RATELIMIT_ENABLED"]:
        return
    limits = app.extensions["limits"] = Limiter(_caller, app=app, application_limits=[EVERYTHING])
    sign_in = limits.limit(SIGN_IN, key_func=get_remote_address)
    views: dict[str, Any] = app.view_functions
    views["sign_in.submit"] = sign_in(views["sign_in.submit"])
    verify = limits.shared_limit(VERIFY, scope="verify", key_func=get_remote_address)
    for endpoint in ("verify.check", "api_verification.verify"):
        views[endpoint] = verify(views[endpoint])
    for endpoint in ("probes.health", "probes.metrics"):
        limits.exempt(views[endpoint])
