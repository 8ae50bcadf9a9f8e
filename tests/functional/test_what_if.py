"""Questions about a copy of a round: asked by staff, worked out by a job that changes nothing, looks at them logged."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs import what_if as work
from app.jobs.night import AtWork
from app.jobs.queue import requeue_forgotten
from app.jobs.transactions import only_one, transaction
from app.models import AccessLog, Corridor, OfferExclusion, Proposal, Run, RunState, User, WhatIf, WhatIfKind
from app.operations import what_if as questions
from app.operations.what_if import WhatIfTakenOver
from app.transaction import Application
from tests import factories as make
from tests.functional.night_market import Town, body, browser, chain, clear, count, reserved, standing_application
from tests.functional.refusals import violates

As = Callable[[User], FlaskClient]


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def asked(app: Application, run: Run, *changes: dict[str, Any]) -> dict[str, Any]:
    """The answer to a scenario, worked out here."""
    staff = browser(app, make.StaffFactory())
    made = staff.post(f"/api/v1/runs/{run.id}/what-ifs", json={"title": "what if", "changes": list(changes)})
    assert made.status_code == 201, made.text
    work.work_out(uuid.UUID(body(made)["id"]), clock=clock)
    found: dict[str, Any] = body(staff.get(f"/api/v1/what-ifs/{body(made)['id']}"))
    return found


def settled() -> tuple[Town, Run, Any, Any, Any]:
    """A cheap and a dear seller of 10 t, a buyer of 15 t: cleared."""
    town = Town()
    cheap, dear, buyer = town.sells(price=50), town.sells(price=70), town.buys(quantity=15, price=90)
    return town, clear(town.round), cheap, dear, buyer


def test_without_a_firm(own_app: Application) -> None:
    town, run, cheap, dear, buyer = settled()
    before = reserved(), count(Proposal)
    answer = asked(own_app, run, {"kind": "without_firm", "firm_id": str(cheap.firm_id)})
    assert (answer["state"], answer["same_offers"], answer["error"]) == ("done", True, None)
    told = answer["result"]
    # 10 t at 90-50-4 and 5 t at 90-70-4 in each of four quarters; then 10 t at 90-70-4.
    assert told["welfare"] == {"before": "1760", "after": "640"}
    (line,) = told["products"]
    assert (line["product"], line["volume"]) == (town.grade.product_code, {"before": "60", "after": "40"})
    assert (line["met"], line["starves"]) == ({"before": "60", "after": "40"}, True)
    firms = {one["firm_id"]: Decimal(one["surplus"]) for one in told["firms"]}
    assert firms[str(cheap.firm_id)] == -10 * 20 * 4  # it was paid the dear seller's ask
    assert firms[str(dear.firm_id)] + firms[str(buyer.firm_id)] == -320
    db.session.rollback()
    assert (reserved(), count(Proposal)) == before, "nothing of the round has changed"


@pytest.mark.parametrize(
    ("change", "welfare", "volume"),
    [
        ({"kind": "capacity", "firm": "cheap", "factor": "0.5"}, "1360", "60"),
        ({"kind": "capacity", "firm": "cheap", "factor": "2"}, "2160", "60"),
        ({"kind": "quota", "limit": "6"}, "864", "24"),
        ({"kind": "price", "side": "sell", "percent": "10"}, "1420", "60"),
        ({"kind": "price", "side": "buy", "percent": "-20"}, "720", "40"),
        ({"kind": "price", "side": "sell", "firm": "dear", "percent": "40"}, "1440", "40"),
    ],
)
def test_each_kind_of_change(own_app: Application, change: dict[str, str], welfare: str, volume: str) -> None:
    town, run, cheap, dear, _buyer = settled()
    firms = {"cheap": cheap.firm_id, "dear": dear.firm_id}
    said: dict[str, Any] = {"product": town.grade.product_code} | change
    if firm := said.pop("firm", None):
        said["firm_id"] = str(firms[firm])
    if change["kind"] == "quota":
        said |= {"from_region": town.origin.code, "to_region": town.destination.code}
    told = asked(own_app, run, said)["result"]
    assert (told["welfare"]["after"], told["products"][0]["volume"]["after"]) == (welfare, volume)
    assert told["certified"]


def test_changes_add_up_and_a_limit_can_be_taken_away(own_app: Application) -> None:
    town = Town()
    seller, _buyer = town.sells(quantity=20, price=50), town.buys(quantity=20, price=90)
    quota = {"product_code": town.grade.product_code, "from_region_code": town.origin.code}
    db.session.add(Corridor(round_id=town.round.id, **quota, to_region_code=town.destination.code, limit_per_period=5))
    db.session.commit()
    run = clear(town.round)
    way = {"from_region": town.origin.code, "to_region": town.destination.code, "product": town.grade.product_code}
    free = {"kind": "without_limit", "limit_kind": "corridor"} | way
    half = {"kind": "capacity", "firm_id": str(seller.firm_id), "factor": "0.5"}
    told = asked(own_app, run, free, half)["result"]
    assert told["welfare"] == {"before": str(5 * 36 * 4), "after": str(10 * 36 * 4)}
    gone = asked(own_app, run, {"kind": "without_limit", "limit_kind": "origin"} | way)
    assert (gone["state"], gone["result"]) == ("failed", None)
    assert "no such origin limit" in gone["error"]


def test_a_firm_that_bears_two_names_goes_whole(own_app: Application) -> None:
    """An offer that excludes firms of its own stands in the snapshot under a name of its own."""
    town = Town()
    firm = make.FirmFactory()
    one, _other = town.sells(firm=firm, quantity=5), town.sells(firm=firm, quantity=5)
    buyer = town.buys()
    db.session.flush()
    db.session.add(OfferExclusion(offer_id=one.id, firm_id=make.FirmFactory().id))
    db.session.commit()
    run = clear(town.round)
    told = asked(own_app, run, {"kind": "without_firm", "firm_id": str(firm.id)})["result"]
    assert told["products"][0]["volume"] == {"before": "40", "after": "0"}
    assert {line["firm_id"] for line in told["firms"]} == {str(firm.id), str(buyer.firm_id)}


def test_the_answer_says_when_the_market_is_not_that_of_the_run_any_more(own_app: Application) -> None:
    town, run, cheap, _dear, _buyer = settled()
    town.sells(price=40)
    db.session.commit()
    answer = asked(own_app, run, {"kind": "without_firm", "firm_id": str(cheap.firm_id)})
    assert answer["same_offers"] is False


def test_criticality_ranks_firms_by_what_is_lost_without_each(own_app: Application) -> None:
    town, carbonate, converter, buyer = chain()
    run = clear(town.round)
    staff = browser(own_app, make.StaffFactory())
    made = body(staff.post(f"/api/v1/runs/{run.id}/criticality"))
    work.work_out(uuid.UUID(made["id"]), clock=clock)
    ranked = body(staff.get(f"/api/v1/what-ifs/{made['id']}"))["result"]["firms"]
    assert {line["firm_id"] for line in ranked} == {str(one.firm_id) for one in (carbonate, converter, buyer)}
    # Nobody of this chain can be done without.
    assert {line["welfare_lost"] for line in ranked} == {ranked[0]["welfare_lost"]}
    assert {line["share"] for line in ranked} == {"1"}
    told = own_app.test_cli_runner().invoke(args=["what-if", "criticality", "--round", town.round.code])
    assert (told.exit_code, len(told.output.splitlines())) == (0, 3), told.output
    assert "100.00%" in told.output
    assert count(WhatIf, WhatIf.kind == WhatIfKind.CRITICALITY) == 2


def test_the_command_names_a_round_without_a_finished_run(own_app: Application) -> None:
    town = Town()
    db.session.commit()
    told: Result = own_app.test_cli_runner().invoke(args=["what-if", "criticality", "--round", town.round.code])
    assert told.exit_code == 1
    assert "no finished run" in told.output


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "without_firm"}, "firm_id"),
        ({"kind": "without_firm", "firm_id": str(uuid.UUID(int=4))}, "firm_id"),
        ({"kind": "without_firm", "firm_id": "idle"}, "firm_id"),
        ({"kind": "capacity", "firm_id": "cheap", "factor": "101"}, "factor"),
        ({"kind": "capacity", "firm_id": "cheap", "factor": "1", "product": "gold"}, "product"),
        ({"kind": "quota", "product": "own", "from_region": "nowhere", "to_region": "nowhere"}, "from_region"),
        ({"kind": "price", "product": "own", "percent": "5"}, "side"),
        ({"kind": "price", "product": "own", "side": "sell"}, "percent"),
        ({"kind": "without_limit", "product": "own"}, "limit_kind"),
    ],
)
def test_what_is_wrong_with_a_change_is_named(
    client_as: As, session: Session, change: dict[str, str], field: str
) -> None:
    town = Town()
    cheap, idle = town.sells(), make.FirmFactory()
    session.flush()
    run = make.RunFactory(round=town.round)
    known = {"cheap": str(cheap.firm_id), "idle": str(idle.id), "own": town.grade.product_code}
    said = {name: known.get(value, value) for name, value in change.items()}
    answer = client_as(make.StaffFactory()).post(
        f"/api/v1/runs/{run.id}/what-ifs", json={"title": "x", "changes": [said]}
    )
    assert answer.status_code == 422
    assert [one["pointer"] for one in body(answer)["errors"]] == [f"#/changes/0/{field}"]


def test_only_those_who_may_see_sealed_offers_ask_and_read(client_as: As, session: Session) -> None:
    kept = what_if_row()
    for user in (make.UserFactory(), make.RegulatorFactory(), make.PlatformAdminFactory()):
        client = client_as(user)
        assert client.get("/api/v1/what-ifs").status_code == 403
        assert client.get(f"/api/v1/what-ifs/{kept.id}").status_code == 403
        assert client.post(f"/api/v1/runs/{kept.run_id}/criticality").status_code == 403
    staff = client_as(make.StaffFactory())
    assert staff.get(f"/api/v1/what-ifs/{uuid.UUID(int=1)}").status_code == 404
    assert [one["id"] for one in body(staff.get("/api/v1/what-ifs"))["items"]] == [str(kept.id)]
    waiting = make.RunFactory(queued=True)
    assert staff.post(f"/api/v1/runs/{waiting.id}/criticality").status_code == 409


def test_every_look_at_an_answer_is_logged(client_as: As, session: Session) -> None:
    one, other = make.FirmFactory(), make.FirmFactory()
    session.flush()
    named = [{"kind": "without_firm", "firm_id": str(firm.id)} for firm in (one, other)]
    kept = what_if_row(changes=named)
    ranking = what_if_row(kind=WhatIfKind.CRITICALITY, changes=[])
    staff = make.StaffFactory()
    for row in (kept, ranking):
        assert client_as(staff).get(f"/api/v1/what-ifs/{row.id}").status_code == 200
    looks = session.execute(sa.select(AccessLog.object_kind, AccessLog.object_id, AccessLog.firm_id)).all()
    assert set(looks) == {
        ("what_if", str(kept.id), one.id),
        ("what_if", str(kept.id), other.id),
        ("what_if", str(ranking.id), None),
    }


def what_if_row(**changes: Any) -> WhatIf:
    run = make.RunFactory()
    values = {
        "round_id": run.round_id,
        "run_id": run.id,
        "kind": WhatIfKind.SCENARIO,
        "title": "without the largest",
        "changes": [{"kind": "quota"}],
    }
    row = WhatIf(**values | changes)
    db.session.add(row)
    db.session.flush()
    return row


def test_a_question_is_answered_once_whoever_is_at_it(own_app: Application) -> None:
    _town, run, cheap, *_ = settled()
    row = what_if_row(
        round_id=run.round_id, run_id=run.id, changes=[{"kind": "without_firm", "firm_id": str(cheap.firm_id)}]
    )
    db.session.commit()
    with only_one("what_if", row.id), pytest.raises(AtWork):
        work.work_out(row.id, clock=clock)
    with transaction() as session:
        assert questions.start(session, what_if_id=row.id, now=clock()) == 1  # and is killed here
    assert work.work_out(row.id, clock=clock) is RunState.DONE
    with transaction() as session, pytest.raises(WhatIfTakenOver):
        questions.finish(session, what_if_id=row.id, attempt=1, result={}, now=clock())
    assert work.work_out(row.id, clock=clock) is RunState.DONE
    db.session.expire_all()
    assert row.attempt == 2


def test_what_kills_every_worker_is_given_up(own_app: Application) -> None:
    _town, run, *_ = settled()
    row = what_if_row(round_id=run.round_id, run_id=run.id)
    db.session.commit()
    for _ in range(3):
        with transaction() as session:
            questions.start(session, what_if_id=row.id, now=clock())
    assert work.work_out(row.id, clock=clock) is RunState.FAILED
    db.session.expire_all()
    assert "given up" in str(row.error)


def test_a_question_without_a_job_gets_one(own_app: Application) -> None:
    row = what_if_row()
    db.session.commit()
    with transaction() as session:
        assert requeue_forgotten(session) == 1
        assert requeue_forgotten(session) == 0
    jobs = sa.text("SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'what_if_id' = :key")
    assert db.session.scalar(jobs, {"key": str(row.id)}) == 1


def test_the_database_keeps_questions_whole(session: Session) -> None:
    with violates("ck_what_if_scenario_has_changes"), session.begin_nested():
        what_if_row(changes=[])
    row = what_if_row()
    with violates("ck_what_if_done_has_result"), session.begin_nested():
        row.state, row.finished_at = RunState.DONE, make.NOON
        session.flush()
    session.refresh(row)
    with violates("what_if_frozen"), session.begin_nested():
        row.changes = [{"kind": "price"}]
        session.flush()
