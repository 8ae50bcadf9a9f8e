"""Small markets in a database of a test's own, where transactions end for real: a night has several of them."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg
import sqlalchemy as sa
from flask.testing import FlaskClient
from psycopg import sql
from werkzeug.test import TestResponse

from app.auth import SYSTEM, sign_in
from app.clock import clock
from app.db import Model, db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs import night
from app.models import Grade, Offer, OfferPeriod, Proposal, Region, Round, Run, RunState, User
from app.operations import runs
from app.transaction import Application
from tests import factories as make
from tests.conftest import TEMPLATE

_numbers = itertools.count(1)
_emptied: list[sa.Engine] = []  # databases of this process that nobody uses now; an engine keeps what it compiled


@contextmanager
def standing_application(
    app: Application, postgres: EmbeddedPostgres, worker_name: str, *, again: bool = True
) -> Iterator[Application]:
    """The application on a database that holds nothing yet, in whose context the block runs; its clock says `NOON`.

    Another block uses the database `again`, unless this one says that it changes the schema.
    """
    engine = _emptied.pop() if _emptied else sa.create_engine(fresh_database(postgres, worker_name), pool_size=10)
    with app.app_context():
        engines: dict[Any, Any] = db._app_engines[app]
        usual, engines[None] = engines[None], engine
        usual_clock, app.extensions["clock"] = app.extensions["clock"], lambda: make.NOON
        try:
            yield app
        finally:
            db.session.remove()
            engine.dispose()
            engines[None], app.extensions["clock"] = usual, usual_clock
            if again:
                empty(engine.url)
                _emptied.append(engine)


def fresh_database(postgres: EmbeddedPostgres, worker_name: str) -> str:
    """The address of a new migrated database."""
    name = f"standing_{worker_name}_{next(_numbers)}"
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute(copy.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
    return postgres.url(name)


def empty(url: sa.URL) -> None:
    """Bring a database back to what the migrations made, for the next test: that is a tenth of the work of a new one.

    Whoever is still connected, such as a worker that was killed, is put out first.
    """
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SELECT version_num FROM alembic_version")  # fails where the schema was dropped
        connection.execute(PUT_OUT_OTHERS)
        connection.execute(DELETE_ALL_ROWS)


PUT_OUT_OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
# No trigger may refuse or record it, and no foreign key asks for an order. Only the migrations' own number stays.
DELETE_ALL_ROWS = """
DO $$
DECLARE
    found regclass;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR found IN
        SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0
    LOOP
        EXECUTE format('DELETE FROM %s', found);
    END LOOP;
    PERFORM setval(format('public.%I', sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
END
$$
"""


@dataclass(slots=True)
class Town:
    """A round, and a product with one grade that is sold in one region and bought in another, 4 CNY/t apart."""

    round: Round = field(default_factory=lambda: make.RoundFactory(period_count=4, review_threshold=Decimal(10**9)))
    grade: Grade = field(default_factory=make.GradeFactory)
    origin: Region = field(default_factory=make.RegionFactory)
    destination: Region = field(default_factory=make.RegionFactory)

    def __post_init__(self) -> None:
        make.FreightFactory(from_region=self.origin, to_region=self.destination, cost=Decimal(4))

    def sells(self, quantity: int | list[int] = 10, price: int | str = 70, **more: Any) -> Offer:
        return self._offer(make.OfferFactory, self.origin, quantity=quantity, price=Decimal(price), **more)

    def buys(self, quantity: int | list[int] = 10, price: int | str = 90, **more: Any) -> Offer:
        return self._offer(make.DemandFactory, self.destination, quantity=quantity, price=Decimal(price), **more)

    def converts(self, output: Grade, quantity: int = 10, fee: int = 8_000, **more: Any) -> Offer:
        """A processor beside the buyers, that makes `output` of this town's product."""
        return self._offer(
            make.ConversionFactory,
            self.destination,
            quantity=quantity,
            price=Decimal(fee),
            grade=output,
            input_grade=self.grade,
            **more,
        )

    def _offer(self, factory: Any, region: Region, **terms: Any) -> Offer:
        firm = terms.pop("firm", None) or make.FirmFactory()
        site = make.SiteFactory(firm=firm, region=region)
        offer: Offer = factory(**({"round": self.round, "grade": self.grade, "firm": firm, "site": site} | terms))
        return offer


def chain() -> tuple[Town, Offer, Offer, Offer]:
    """Carbonate at 60 000, a converter that takes 0.25 t of it at a fee of 8 000, a cathode buyer at 30 000."""
    town = Town()
    cathode = make.GradeFactory()
    carbonate = town.sells(quantity=10, price=60_000)
    converter = town.converts(cathode, quantity=40)
    buyer = town.buys(quantity=40, price=30_000, grade=cathode)
    make.FreightFactory(from_region=town.destination, to_region=town.origin, cost=Decimal(0))
    return town, carbonate, converter, buyer


def clear(market_round: Round) -> Run:
    """Open a run of a round and clear it here and now; it must come to its end."""
    run = runs.open_run(db.session(), principal=SYSTEM, round_code=market_round.code, now=clock())
    db.session.commit()
    state = night.clear_run(run.id, clock=clock)
    db.session.expire_all()
    assert state is RunState.DONE, run.error
    return run


def proposals_of(run: Run) -> list[Proposal]:
    return list(db.session.scalars(sa.select(Proposal).where(Proposal.run_id == run.id).order_by(Proposal.id)))


def reserved() -> int:
    """Lots held in the whole database."""
    return int(db.session.scalar(sa.select(sa.func.coalesce(sa.func.sum(OfferPeriod.reserved), 0))) or 0)


def browser(app: Application, user: User) -> FlaskClient:
    """A browser in which a person has signed in."""
    db.session.commit()
    client = app.test_client()
    with client.session_transaction() as cookie:
        sign_in.open_session(cookie, user, now=clock(), user_agent=client.environ_base["HTTP_USER_AGENT"])
    return client


def later(app: Application, **span: int) -> dt.datetime:
    """Put the application's clock forward."""
    now: dt.datetime = app.extensions["clock"]() + dt.timedelta(**span)
    app.extensions["clock"] = lambda: now
    return now


def body(answer: TestResponse) -> Any:
    """The JSON of an answer that has some."""
    assert answer.json is not None, answer.text
    return answer.json


def count(model: type[Model], *conditions: sa.ColumnElement[bool]) -> int:
    """Rows in the whole database."""
    return db.session.scalar(sa.select(sa.func.count()).select_from(model).where(*conditions)) or 0
