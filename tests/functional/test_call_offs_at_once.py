"""Two call-offs of the last tonne at once: one wins, and the other is told plainly. On real connections."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.models import CallOff, CallOffLedger
from app.transaction import Application

from .delivery_market import Supply, supply
from .night_market import browser, standing_application


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


@pytest.fixture
def deal(own_app: Application) -> Supply:
    """All but one of the 110 lots that may be called in the first quarter are called."""
    found = supply()
    found.call(109)
    db.session.commit()
    return found


def called() -> tuple[int, int]:
    """Lots in the ledger of the first quarter, and in the call-offs themselves."""
    db.session.rollback()
    db.session.expire_all()
    in_ledger = db.session.scalars(sa.select(CallOffLedger.called).where(CallOffLedger.period == "2027-Q1")).one()
    return in_ledger, sum(one.counted_lots for one in db.session.scalars(sa.select(CallOff).order_by(CallOff.number)))


def test_over_the_api_one_wins_and_the_other_gets_409(own_app: Application, deal: Supply) -> None:
    clients = [browser(own_app, deal.buyer) for _ in range(4)]
    together = threading.Barrier(len(clients))
    url, body = f"/api/v1/contracts/{deal.contract.id}/call-offs", {"month": "2027-03", "lots": 1}

    def call(client: FlaskClient) -> Any:
        together.wait()
        with own_app.app_context():
            return client.post(url, json=body)

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(call, clients))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    refused = next(answer.json for answer in answers if answer.status_code == 409)
    assert "1 lots called for 2027-Q1; expected at most 0" in refused["detail"]
    assert called() == (110, 110)


def test_past_the_operations_the_database_lets_one_through(own_app: Application, deal: Supply) -> None:
    """Two transactions write a call-off of the last lot, each before the other has committed."""
    conninfo = str(db.engine.url.render_as_string(hide_password=False)).replace("+psycopg", "", 1)
    statement = """
        INSERT INTO call_off (contract_id, number, period, month, state, nominated_lots, place)
        VALUES (%s, %s, '2027-Q1', '2027-03', 'nominated', 1, 'Plant 1')
    """

    def insert(connection: psycopg.Connection[Any], number: int) -> str:
        try:
            connection.execute(statement, [deal.contract.id, number])
            connection.commit()
        except psycopg.IntegrityError as refusal:
            connection.rollback()
            return str(refusal.diag.constraint_name)
        return "written"

    with psycopg.connect(conninfo) as first, psycopg.connect(conninfo) as second, ThreadPoolExecutor(1) as pool:
        first.execute(statement, [deal.contract.id, 2])
        later = pool.submit(insert, second, 3)
        wait_for_lock(second)
        assert not later.done()
        first.commit()
        assert later.result(timeout=10) == "call_off_within_period"
    assert called() == (110, 110)


def test_many_at_once_never_pass_the_limit(own_app: Application, deal: Supply) -> None:
    conninfo = str(db.engine.url.render_as_string(hide_password=False)).replace("+psycopg", "", 1)
    together, contract_id = threading.Barrier(6), deal.contract.id

    def insert(number: int) -> str:
        with psycopg.connect(conninfo) as connection:
            together.wait()
            try:
                connection.execute(
                    "INSERT INTO call_off (contract_id, number, period, month, state, nominated_lots, place)"
                    " VALUES (%s, %s, '2027-Q2', '2027-05', 'nominated', 30, 'Plant 1')",
                    [contract_id, number],
                )
            except psycopg.IntegrityError as refusal:
                connection.rollback()
                return str(refusal.diag.constraint_name)
        return "written"

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(insert, range(2, 8)))
    # 110 may be called in the quarter, and 220 in both together: three times 30.
    assert sorted(outcomes) == ["call_off_within_period"] * 3 + ["written"] * 3


def wait_for_lock(connection: psycopg.Connection[Any]) -> None:
    """Until the server says that this connection waits for a lock."""
    query = sa.text("SELECT wait_event_type FROM pg_stat_activity WHERE pid = :pid")
    for _ in range(200):
        with db.engine.connect() as watching:
            if watching.execute(query, {"pid": connection.info.backend_pid}).scalar() == "Lock":
                return
        threading.Event().wait(0.02)
    raise AssertionError("the second transaction did not wait")
