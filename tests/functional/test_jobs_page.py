"""The queue as staff see it: what waits and failed, tried again, taken out; runs taken back; long files by a job."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs import offer_imports
from app.jobs.queue import CLEAR, enqueue_clearing, enqueue_import, requeue_forgotten
from app.models import AccessLog, Event, ImportState, Offer, OfferImport, RoundState, Run, RunState, User, UserRole
from app.operations import offer_import, offer_import_job, runs
from app.operations.jobs_overview import JOBS
from app.transaction import Application
from tests import factories as make

from .market_place import NOON, MarketPlace, market_place
from .night_market import browser, standing_application
from .offer_files import row, send, workbook
from .web_market import at_noon

__all__ = ["at_noon"]

As = Callable[[User], Any]
PAGE = "/console/jobs"


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def queued_run(session: Session) -> Run:
    run: Run = make.RunFactory(queued=True)
    assert enqueue_clearing(session, run_id=run.id, round_id=run.round_id)
    return run


def jobs(session: Session, task: str = CLEAR) -> list[tuple[int, str]]:
    query = sa.select(JOBS.c.id, sa.cast(JOBS.c.status, sa.Text)).where(JOBS.c.task_name == task)
    return [(key, status) for key, status in session.execute(query.order_by(JOBS.c.id))]


def set_status(session: Session, job_id: int, status: str) -> None:
    change = sa.text("UPDATE procrastinate_jobs SET status = CAST(:status AS procrastinate_job_status) WHERE id = :id")
    session.execute(change, {"status": status, "id": job_id})


def test_a_queued_run_is_taken_back_with_its_job(client_as: As, session: Session) -> None:
    run, staff = queued_run(session), client_as(make.StaffFactory())
    assert "Cancel this run" in staff.get(f"/console/runs/{run.id}").text
    staff.post(f"/console/runs/{run.id}/cancel")
    session.refresh(run)
    assert (run.state, run.finished_at) == (RunState.CANCELLED, NOON)
    assert [status for _, status in jobs(session)] == ["cancelled"]
    event = session.scalars(sa.select(Event).where(Event.subject_id == run.id)).one()
    assert (event.name, event.from_state) == ("run.cancelled", "queued")
    assert requeue_forgotten(session) == 0  # nobody brings it back
    fresh = runs.open_run(session, principal=SYSTEM, round_code=run.round.code, now=NOON)
    assert fresh.state is RunState.QUEUED


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.DONE])
def test_a_run_that_has_begun_goes_to_its_end(client_as: As, session: Session, state: RunState) -> None:
    run = make.RunFactory(queued=True) if state is RunState.RUNNING else make.RunFactory()
    if state is RunState.RUNNING:
        run.state, run.started_at = state, NOON
        session.flush()
    staff = client_as(make.StaffFactory())
    answer = staff.post(f"/api/v1/runs/{run.id}/cancel")
    assert answer.status_code == 409
    staff.post(f"/console/runs/{run.id}/cancel")
    session.refresh(run)
    assert run.state is state
    assert client_as(make.RegulatorFactory()).post(f"/api/v1/runs/{run.id}/cancel").status_code == 403


def test_staff_see_the_queue_and_those_who_may_change_it(client_as: As, session: Session) -> None:
    run = queued_run(session)
    ((job_id, _),) = jobs(session)
    staff, senior = client_as(make.StaffFactory()), client_as(make.SeniorStaffFactory())
    page = staff.get(PAGE).text
    assert f'href="/console/runs/{run.id}"' in page
    assert "Nobody works at the queue" in page
    assert "Take out" not in page
    assert staff.post(f"{PAGE}/{job_id}/cancel").status_code == 403
    assert client_as(make.UserFactory(role=UserRole.FIRM_TRADER)).get(PAGE).status_code == 403
    assert "Take out" in senior.get(PAGE).text
    assert senior.post(f"/api/v1/jobs/{job_id}/retry").status_code == 409  # it has not failed
    senior.post(f"{PAGE}/{job_id}/cancel")
    session.refresh(run)
    assert run.state is RunState.CANCELLED
    assert "Nothing waits" in senior.get(PAGE).text
    assert "Taken out" in senior.get(f"{PAGE}?state=cancelled").text
    assert senior.post(f"{PAGE}/{10**12}/cancel").status_code == 404


def test_a_failed_job_is_tried_again_and_one_in_hand_is_left_alone(client_as: As, session: Session) -> None:
    run = queued_run(session)
    ((job_id, _),) = jobs(session)
    senior = client_as(make.SeniorStaffFactory())
    set_status(session, job_id, "doing")
    for move in ("retry", "cancel"):
        assert senior.post(f"/api/v1/jobs/{job_id}/{move}").status_code == 409
        assert jobs(session) == [(job_id, "doing")]
    set_status(session, job_id, "failed")
    assert "Try again" in senior.get(PAGE).text
    senior.post(f"{PAGE}/{job_id}/retry")
    assert jobs(session) == [(job_id, "todo")]
    listed = senior.get("/api/v1/jobs?state=waiting").json["jobs"]
    assert [(one["id"], one["task"], one["about"]) for one in listed] == [(job_id, "clear", {"run_id": str(run.id)})]
    set_status(session, job_id, "failed")
    assert enqueue_clearing(session, run_id=run.id, round_id=run.round_id)  # the same waits already
    assert senior.post(f"/api/v1/jobs/{job_id}/retry").status_code == 409
    assert sorted(status for _, status in jobs(session)) == ["failed", "todo"]


def test_the_queue_is_read_page_by_page(client_as: As, session: Session) -> None:
    session.execute(
        sa.text(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
            " SELECT 'keeping', 'changdan:cleaning', 'failed' FROM generate_series(1, 120)"
        )
    )
    senior = client_as(make.SeniorStaffFactory())
    seen: list[int] = []
    before: int | None = None
    for _ in range(3):
        asked = "?state=failed" + (f"&before={before}" if before else "")
        page = senior.get(f"/api/v1/jobs{asked}").json
        seen += [one["id"] for one in page["jobs"]]
        before = page["before"]
    assert before is None
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 120
    assert "before=" in senior.get(PAGE).text


def test_staff_read_their_own_looks_senior_staff_all_and_sign_ins_stay_with_the_administration(
    client_as: As, session: Session
) -> None:
    looker, other = make.StaffFactory(name="Looker Li"), make.StaffFactory(name="Other Ou")
    for person in (looker, other):
        session.add(
            AccessLog(at=NOON, user_id=person.id, object_kind="offer", object_id="x", path=f"/of/{person.name}")
        )
    session.flush()
    own = client_as(looker).get("/audit/looks").text
    assert "/of/Looker Li" in own
    assert "/of/Other Ou" not in own
    assert [row["path"] for row in client_as(looker).get("/api/v1/audit/access-log").json["items"]] == ["/of/Looker Li"]
    assert client_as(looker).get("/audit/steps").status_code == 403
    senior = client_as(make.SeniorStaffFactory())
    assert "/of/Other Ou" in senior.get("/audit/looks").text
    assert senior.get("/audit/steps").status_code == 200
    assert senior.get("/audit/sign-ins").status_code == 403
    assert client_as(make.RegulatorFactory()).get("/audit/sign-ins").status_code == 200


def long_file(place: MarketPlace, rows: int = offer_import.AT_ONCE + 1, **changes: Any) -> bytes:
    return workbook(*(row(Reference=f"S-{number}") for number in range(rows - 1)), row(**{"Reference": "L"} | changes))


def test_a_long_file_is_worked_through_by_a_job(own_app: Application) -> None:
    place = market_place()
    db.session.commit()
    trader: Any = browser(own_app, place.trader)
    sent = send(trader, place, long_file(place))
    assert (sent.status_code, sent.json["state"], sent.json["posted_count"]) == (201, "queued", 0)
    found = uuid.UUID(sent.json["id"])
    address = f"/offers/uploads/{found}"
    assert "data-progress" in trader.get(address).text
    assert trader.get(f"{address}/progress").json == {
        "state": "queued", "label": "Waiting", "phase": "", "percent": 0, "rounds": 0, "is_open": True
    }  # fmt: skip
    assert offer_imports.work_through(found, clock=lambda: NOON) is ImportState.DONE
    done = trader.get(f"/api/v1/offer-imports/{found}").json
    assert (done["state"], done["posted_count"], done["checked_count"]) == ("done", 201, 201)
    assert "data-progress" not in trader.get(address).text
    assert trader.get(f"{address}/progress").json["is_open"] is False
    assert offer_imports.work_through(found, clock=lambda: NOON) is ImportState.DONE  # once is enough
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Offer)) == 201


def test_one_bad_row_of_a_long_file_stops_all_and_has_its_result(own_app: Application) -> None:
    place = market_place()
    db.session.commit()
    trader: Any = browser(own_app, place.trader)
    found = uuid.UUID(send(trader, place, long_file(place, Price=-1)).json["id"])
    assert offer_imports.work_through(found, clock=lambda: NOON) is ImportState.DONE
    done = trader.get(f"/api/v1/offer-imports/{found}").json
    assert (done["accepted_count"], done["rejected_count"], done["posted_count"]) == (200, 1, 0)
    bad = trader.get(f"/api/v1/offer-imports/{found}/rows?outcome=rejected").json["items"]
    assert [(one["row"], one["column"], one["code"]) for one in bad] == [(202, "Price 价格", "not_negative")]


def test_a_file_that_cannot_be_posted_any_more_says_why_and_posts_nothing(own_app: Application) -> None:
    place = market_place()
    db.session.commit()
    trader: Any = browser(own_app, place.trader)
    closed, gone, late = (uuid.UUID(send(trader, place, long_file(place)).json["id"]) for _ in range(3))
    place.round.state = RoundState.CLOSED
    db.session.commit()
    assert offer_imports.work_through(closed, clock=lambda: NOON) is ImportState.FAILED
    assert "takes offers from" in trader.get(f"/offers/uploads/{closed}").text
    place.round.state, place.trader.active = RoundState.OPEN, False
    db.session.commit()
    assert offer_imports.work_through(gone, clock=lambda: NOON) is ImportState.FAILED
    place.trader.active = True
    db.session.get_one(OfferImport, late).attempt = offer_import_job.MOST_ATTEMPTS
    db.session.commit()
    assert offer_imports.work_through(late, clock=lambda: NOON) is ImportState.FAILED
    db.session.expire_all()
    reasons = {one.id: one.error for one in db.session.scalars(sa.select(OfferImport))}
    assert "no account or key" in str(reasons[gone])
    assert "given up" in str(reasons[late])
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Offer)) == 0


def test_a_file_taken_over_leaves_nothing_of_the_first_attempt(
    own_app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = market_place()
    db.session.commit()
    trader: Any = browser(own_app, place.trader)
    found = uuid.UUID(send(trader, place, long_file(place)).json["id"])
    usual = offer_import.work_through

    def overtaken(session: Session, **told: Any) -> None:
        usual(session, **told)
        with Session(db.engine) as other, other.begin():
            offer_import_job.start(other, import_id=found, now=NOON)

    monkeypatch.setattr(offer_import, "work_through", overtaken)
    assert offer_imports.work_through(found, clock=lambda: NOON) is ImportState.RUNNING
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Offer)) == 0
    monkeypatch.undo()
    assert offer_imports.work_through(found, clock=lambda: NOON) is ImportState.DONE
    db.session.rollback()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Offer)) == 201


def test_a_waiting_file_is_taken_out_by_staff_and_a_forgotten_one_queued_again(client_as: As, session: Session) -> None:
    place = market_place()
    found = make.OfferImportFactory(firm=place.firm, round=place.round)
    assert requeue_forgotten(session) == 1
    assert enqueue_import(session, import_id=found.id) is False
    ((job_id, _),) = jobs(session, "changdan:offer_import")
    client_as(make.SeniorStaffFactory()).post(f"{PAGE}/{job_id}/cancel")
    session.refresh(found)
    assert (found.state, found.finished_at) == (ImportState.FAILED, NOON)
    assert "took the file out" in client_as(place.trader).get(f"/offers/uploads/{found.id}").text
    assert requeue_forgotten(session) == 0
