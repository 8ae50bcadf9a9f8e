"""Times the lists of the console and the portal on 100 000 rows each: `python -m tests.functional.large_lists [ROWS]`.

A throw-away server holds one real row of each kind and copies of it, written without triggers. Each page is opened as
whoever reads it; statements that take longer than `SLOW` are told with their plan.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from flask.testing import FlaskClient
from flask_migrate import upgrade

from app import create_app
from app.auth import sign_in
from app.clock import clock
from app.db import Base, db
from app.embedded_postgres import EmbeddedPostgres
from app.models import User, UserRole
from app.transaction import Application
from tests import factories as make

SLOW = 0.020  # seconds
FIRMS = 2_000
# Table, and the columns in which copy number n differs from the row it is made of.
COPIES: tuple[tuple[str, dict[str, str]], ...] = (
    ("firm", {"id": "md5('firm' || n)::uuid", "name_en": "'Firm ' || n", "credit_code": "lpad(n::text, 18, '0')"}),
    (
        "offer",
        {
            "id": "md5('offer' || n)::uuid",
            "firm_id": "CASE WHEN n % 2 = 0 THEN firm_id ELSE md5('firm' || (n % 2000 + 1))::uuid END",
            "created_at": "created_at - n * interval '1 second'",
            "reference": "'R' || n",
        },
    ),
    (
        "proposal",
        {
            "id": "md5('proposal' || n)::uuid",
            "bundle_id": "md5('bundle' || n / 3)::uuid",
            "sell_offer_id": "md5('offer' || n)::uuid",
            "seller_firm_id": "CASE WHEN n % 2 = 0 THEN seller_firm_id ELSE md5('firm' || (n % 2000 + 1))::uuid END",
            "total_value": "(n * 7919) % 1000003",
            "created_at": "created_at - n * interval '1 second'",
            "state": "CASE WHEN n % 10 < 5 THEN 'proposed' WHEN n % 10 < 8 THEN 'released' ELSE 'expired' END",
        },
    ),
    ("bundle", {"id": "md5('bundle' || n)::uuid"}),
    (
        "contract",
        {
            "id": "md5('contract' || n)::uuid",
            "number": "'L' || n",
            "proposal_id": "md5('proposal' || n)::uuid",
            "created_at": "created_at - n * interval '1 second'",
        },
    ),
    ("contract_version", {"contract_id": "md5('contract' || n)::uuid", "id": "md5('version' || n)::uuid"}),
    ("event", {"subject_id": "md5('proposal' || n)::uuid"}),
    ("access_log", {"at": "at - n * interval '1 second'"}),
    ("sign_in_event", {"at": "at - n * interval '1 second'"}),
    ("index_price", {"date": "date - n"}),
    ("region", {"code": "'r' || n"}),
)
PAGES = {
    "trader": (
        *("/", "/offers", "/offers?state=open", "/proposals", "/contracts", "/offers/uploads"),
        *("/api/v1/offers", "/api/v1/proposals", "/api/v1/contracts", "/api/v1/changes"),
    ),
    "senior": (
        *("/", "/console/review", "/console/review?sort=made", "/console/review?sort=product"),
        "/console/review?least=1",
        *("/console/review?state=released", "/console/rounds", "/console/jobs", "/contracts", "/audit/looks"),
        *("/audit/steps", "/audit/steps?kind=proposal", "/console/reference", "/console/reference/index-prices"),
        *("/console/reference/regions?q=r99", "/console/firms", "/console/firms?q=Firm 19", "/claims", "/call-offs"),
        *("/fixings", "/notifications"),
    ),
    "admin": ("/audit/sign-ins", "/people", "/mails"),
}


def main(rows: int) -> None:
    """Seed, open each page twice, print seconds of the second time and what was slow in it."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "data", throw_away=True).start()
        try:
            app = create_app(environment="test", database_url=server.url(), csrf=False, log_level="ERROR")
            with app.app_context():
                upgrade(directory=str(Path(__file__).parents[2] / "migrations"))
                people = seed(rows)
                watch = Watch()
            gc.collect()
            gc.freeze()  # what is imported and seeded is not to be looked through while pages are timed
            for name, user in people.items():
                for path in PAGES[name]:
                    told(app, user, path, watch)
            db_of(app).dispose()
        finally:
            server.discard()


def seed(rows: int) -> dict[str, User]:
    """One row of each kind by the tests' factories, and copies of it."""
    proposal = make.ProposalFactory(state="released")
    people: dict[str, Any] = {
        "trader": make.UserFactory(firm=proposal.seller),
        "senior": make.SeniorStaffFactory(),
        "admin": make.StaffFactory(role=UserRole.PLATFORM_ADMIN),
    }
    make.ContractFactory(proposal=proposal)
    make.EventFactory()
    make.IndexPriceFactory()
    log = {"object_kind": "offer", "object_id": "x", "path": "/x", "user_id": people["senior"].id}
    db.session.execute(sa.insert(Base.metadata.tables["access_log"]).values(log))
    db.session.execute(sa.insert(Base.metadata.tables["sign_in_event"]).values(email="a@b.cn", outcome="signed_in"))
    db.session.commit()
    db.session.execute(sa.text("SET session_replication_role = replica"))
    for table, differing in COPIES:
        copy(table, differing, FIRMS if table == "firm" else rows)
    db.session.execute(sa.text("SET session_replication_role = origin"))
    jobs = "INSERT INTO procrastinate_jobs (queue_name, task_name, status) SELECT 'keeping', 'changdan:cleaning', "
    states = "(CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'succeeded' END)::procrastinate_job_status"
    db.session.execute(sa.text(f"{jobs}{states} FROM generate_series(1, :rows) AS n"), {"rows": rows})
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    return people


def copy(table: str, differing: dict[str, str], rows: int) -> None:
    """Copies of one row of a table."""
    columns = [c for c in Base.metadata.tables[table].columns if c.identity is None and c.computed is None]
    names = ", ".join(column.key for column in columns)
    values = ", ".join(differing.get(column.key, column.key) for column in columns)
    one = f"(SELECT * FROM {table} LIMIT 1) AS one"  # noqa: S608 - our own names
    db.session.execute(
        sa.text(f"INSERT INTO {table} ({names}) SELECT {values} FROM {one}, generate_series(1, :rows) AS n"),  # noqa: S608
        {"rows": rows},
    )
    db.session.commit()


class Watch:
    """Hears each statement and how long it takes."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, str, Any]] = []
        sa.event.listen(db.engine, "before_cursor_execute", self._before)
        sa.event.listen(db.engine, "after_cursor_execute", self._after)

    def _before(self, _connection: Any, _cursor: Any, _text: str, _given: Any, context: Any, _many: bool) -> None:
        context.began = time.perf_counter()

    def _after(self, _connection: Any, _cursor: Any, text: str, given: Any, context: Any, _many: bool) -> None:
        self.heard.append((time.perf_counter() - context.began, text, given))


def told(app: Application, user: User, path: str, watch: Watch) -> None:
    """Print how long a page takes, and the plans of its slow statements."""
    browser = signed_in(app, user)
    browser.get(path)
    watch.heard.clear()
    began = time.perf_counter()
    answer = browser.get(path)
    click.echo(f"{time.perf_counter() - began:7.3f} s  {answer.status_code}  {len(answer.data) / 1000:6.0f} kB  {path}")
    for seconds, text, given in [one for one in watch.heard if one[0] > SLOW]:
        click.echo(f"        {seconds:.3f} s  {' '.join(text.split())[:160]}")
        with app.app_context(), db.engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {text}", given)
            for line in list(plan)[:14]:
                click.echo(f"            {line[0]}")


def signed_in(app: Application, user: User) -> FlaskClient:
    browser = app.test_client()
    with app.app_context(), browser.session_transaction() as cookie:
        found = db.session.merge(user)
        sign_in.open_session(cookie, found, now=clock(), user_agent=browser.environ_base["HTTP_USER_AGENT"])
    return browser


def db_of(app: Application) -> sa.Engine:
    with app.app_context():
        return db.engine


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
