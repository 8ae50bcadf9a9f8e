"""Runs over HTTP: started once at a time, watched, told as far as the asker may know."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.models import Run, RunState, User
from app.transaction import Application
from tests import factories as make

from .night_market import Town, body, browser, clear, standing_application

As = Callable[[User], FlaskClient]


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def test_staff_start_a_run_and_a_second_has_to_wait(client_as: As, session: Session) -> None:
    code, staff = make.RoundFactory().code, make.StaffFactory()
    client = client_as(staff)
    made = client.post(f"/api/v1/rounds/{code}/runs")
    assert made.status_code == 201
    assert [body(made)[name] for name in ("state", "round", "percent", "attempt")] == ["queued", code, 0, 0]
    assert made.headers["Location"] == f"/api/v1/runs/{body(made)['id']}"
    jobs = "SELECT args->>'run_id' FROM procrastinate_jobs"
    assert session.scalars(sa.text(jobs)).all() == [body(made)["id"]]
    again = client.post(f"/api/v1/rounds/{code}/runs")
    assert again.status_code == 409
    assert body(made)["id"] in body(again)["detail"]
    assert session.scalars(sa.select(Run.started_by_id)).all() == [staff.id]


def test_the_same_key_starts_one_run(client_as: As, session: Session) -> None:
    url, client = f"/api/v1/rounds/{make.RoundFactory().code}/runs", client_as(make.StaffFactory())
    first, again = (client.post(url, headers={"Idempotency-Key": "tonight"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert body(first) == body(again)


@pytest.mark.parametrize("state", ["draft", "settled"])
def test_a_round_that_is_not_to_be_cleared_is_not(client_as: As, state: str) -> None:
    code = make.RoundFactory(state=state).code
    assert client_as(make.StaffFactory()).post(f"/api/v1/rounds/{code}/runs").status_code == 409


def test_no_round_no_run(client_as: As) -> None:
    client = client_as(make.StaffFactory())
    assert client.post("/api/v1/rounds/nowhere/runs").status_code == 404
    assert client.get("/api/v1/rounds/nowhere/runs").status_code == 404
    assert client.get("/api/v1/runs/00000000-0000-4000-8000-000000000000").status_code == 404


def test_firms_know_nothing_of_runs_and_overseers_start_none(client_as: As) -> None:
    run = make.RunFactory()
    firm = client_as(make.UserFactory())
    for path in ("", "/certificate", "/reference-prices"):
        assert firm.get(f"/api/v1/runs/{run.id}{path}").status_code == 403
    for user in (make.UserFactory(), make.RegulatorFactory(), make.PlatformAdminFactory()):
        assert client_as(user).post(f"/api/v1/rounds/{run.round.code}/runs").status_code == 403


def test_progress_shows_and_changes_the_version(client_as: As, session: Session) -> None:
    run = make.RunFactory(queued=True)
    client = client_as(make.StaffFactory())
    first = client.get(f"/api/v1/runs/{run.id}")
    same = client.get(f"/api/v1/runs/{run.id}", headers={"If-None-Match": first.headers["ETag"]})
    assert same.status_code == 304
    run.state, run.started_at, run.attempt = RunState.RUNNING, make.NOON, 1
    run.phase, run.percent, run.solver_rounds = "clearing", 40, 7
    later = client.get(f"/api/v1/runs/{run.id}", headers={"If-None-Match": first.headers["ETag"]})
    assert later.status_code == 200
    assert [body(later)[name] for name in ("phase", "percent", "solver_rounds")] == ["clearing", 40, 7]


def test_the_error_of_a_failed_run_is_visible(client_as: As, session: Session) -> None:
    run = make.RunFactory(queued=True)
    run.state, run.error, run.finished_at = RunState.FAILED, "SolverFailed: infeasible", make.NOON
    answer = client_as(make.StaffFactory()).get(f"/api/v1/runs/{run.id}")
    assert body(answer)["error"] == "SolverFailed: infeasible"
    assert client_as(make.StaffFactory()).get(f"/api/v1/runs/{run.id}/certificate").status_code == 404


def test_the_regulator_sees_aggregates_staff_also_who(own_app: Application) -> None:
    town = Town()
    sell, buy = town.sells(quantity=20), town.buys()
    run = clear(town.round)
    secret = {str(sell.id), str(buy.id), sell.firm.name_en, buy.firm.name_en}
    staff, regulator = browser(own_app, make.StaffFactory()), browser(own_app, make.RegulatorFactory())
    told = body(staff.get(f"/api/v1/runs/{run.id}"))["headline"]
    (line,) = told["products"]
    assert told["offers"] == {"capacity": 1, "demand": 1, "conversion": 0}
    assert [line[name] for name in ("offered", "demanded", "matched", "value")] == ["80", "40", "40", "2960"]
    assert [line[name] for name in ("fill_offered", "fill_demanded", "price", "index")] == ["0.5", "1", "70", None]
    assert told["tiers"] == [{"tier": "lithium_salt", "contracts": 1, "value": "2960"}]
    assert [told["largest"][0][name] for name in ("seller_en", "value")] == [sell.firm.name_en, "2960"]
    assert told["certificate"]["holds"] is True
    for path in ("", "/certificate", "/reference-prices"):
        answer = regulator.get(f"/api/v1/runs/{run.id}{path}")
        assert answer.status_code == 200
        assert not [word for word in secret if word in answer.text], path
    assert "largest" not in body(regulator.get(f"/api/v1/runs/{run.id}"))["headline"]
    proof = body(regulator.get(f"/api/v1/runs/{run.id}/certificate"))
    assert [proof["blocking_pairs"], proof["violations"], proof["lanes"]] == [0, [], 1]


def test_reference_prices_come_in_pages(own_app: Application) -> None:
    town = Town()
    town.sells(quantity=20)
    town.buys()
    run = clear(town.round)
    client = browser(own_app, make.RegulatorFactory())
    url = f"/api/v1/runs/{run.id}/reference-prices"
    first = body(client.get(f"{url}?limit=3"))
    rest = body(client.get(f"{url}?limit=3&cursor={first['next']}"))
    prices = first["items"] + rest["items"]
    assert rest["next"] is None
    assert [price["period"] for price in prices] == ["2027-Q1", "2027-Q2", "2027-Q3", "2027-Q4"]
    hub = {(price["product"], price["grade"], price["region"], price["price"]) for price in prices}
    assert hub == {(town.grade.product_code, town.grade.code, town.origin.code, "70")}


def test_the_state_table_is_served_as_it_is_obeyed(client_as: As) -> None:
    client = client_as(make.UserFactory())
    (proposal,) = body(client.get("/api/v1/state-table?subject=proposal"))["subjects"]
    moves = {(move["move"], move["from"], move["to"]) for move in proposal["moves"]}
    assert ("decline", "accepted", "declined") in moves
    assert len(body(client.get("/api/v1/state-table"))["subjects"]) == 5
    assert client.get("/api/v1/state-table?subject=weather").status_code == 422


def test_runs_of_a_round_newest_first(own_app: Application) -> None:
    town = Town()
    town.sells()
    town.buys()
    runs = [clear(town.round) for _ in range(2)]
    answer = browser(own_app, make.StaffFactory()).get(f"/api/v1/rounds/{town.round.code}/runs")
    assert {run["id"] for run in body(answer)["items"]} == {str(run.id) for run in runs}
    assert [run["headline"]["superseded"] for run in body(answer)["items"]].count(1) == 1
    db.session.rollback()
