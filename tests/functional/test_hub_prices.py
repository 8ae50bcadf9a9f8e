"""Prices by hub: published by staff, only where enough firms stand behind them, kept as they were."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.models import Event, PricePublication, PublishedPrice, RoundKind, Run, User
from app.operations.hub_prices import hub_table
from app.transaction import Application
from tests import factories as make
from tests.functional.night_market import Town, body, browser, clear, standing_application
from tests.functional.refusals import violates

As = Callable[[User], FlaskClient]


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def crowded() -> tuple[Town, Run]:
    """Three sellers and three buyers of equal size: six firms, and no two of a side above two thirds."""
    town = Town()
    for _ in range(3):
        town.sells(quantity=20)
        town.buys(quantity=10)
    return town, clear(town.round)


def published() -> list[PublishedPrice]:
    return list(db.session.scalars(sa.select(PublishedPrice).order_by(PublishedPrice.id)))


def test_staff_publish_what_has_enough_firms_behind_it(own_app: Application) -> None:
    town, run = crowded()
    staff = browser(own_app, make.StaffFactory())
    made = staff.post(f"/api/v1/runs/{run.id}/price-publications")
    assert made.status_code == 201, made.text
    prices = body(staff.get(f"/api/v1/published-prices?product={town.grade.product_code}"))["items"]
    assert {(one["region"], one["period"], one["price"], one["firms"]) for one in prices} == {
        (region, f"2027-Q{quarter}", "70", 6) for quarter in range(1, 5) for region in (None, town.origin.code)
    }
    db.session.rollback()
    assert db.session.scalar(sa.select(Event.name).order_by(Event.id.desc()).limit(1)) == "round.publish_prices"
    again = staff.post(f"/api/v1/runs/{run.id}/price-publications")
    assert (again.status_code, "published already" in again.text) == (409, True)


def test_everybody_reads_what_is_published_and_nothing_after_it_is_withdrawn(own_app: Application) -> None:
    _town, run = crowded()
    staff, anyone = browser(own_app, make.StaffFactory()), own_app.test_client()

    def rows() -> list[dict[str, Any]]:
        return list(csv.DictReader(io.StringIO(anyone.get("/prices/hubs.csv").text.lstrip("\ufeff"))))

    assert rows() == []
    made = body(staff.post(f"/api/v1/runs/{run.id}/price-publications"))
    assert len(rows()) == 8
    assert rows()[0]["price"] == "70"
    page = anyone.get("/prices?lang=en")
    assert run.round.name_en in page.text or run.round.name_zh in page.text
    assert staff.post(f"/api/v1/price-publications/{made['id']}/withdraw").status_code == 200
    assert rows() == []
    assert staff.post(f"/api/v1/price-publications/{made['id']}/withdraw").status_code == 404


def test_another_runs_prices_take_the_place_of_the_former(own_app: Application) -> None:
    town, first = crowded()
    second = clear(town.round)
    staff = browser(own_app, make.StaffFactory())
    for run in (first, second):
        assert staff.post(f"/api/v1/runs/{run.id}/price-publications").status_code == 201
    listed = body(staff.get("/api/v1/price-publications"))["items"]
    assert [one["run_id"] for one in listed] == [str(second.id)]
    assert len(body(staff.get("/api/v1/published-prices"))["items"]) == 8


@pytest.mark.parametrize(("sellers", "buyers"), [((10, 10), (10, 10)), ((90, 5, 5), (40, 30, 30)), ((5,) * 6, (30,))])
def test_few_or_large_firms_hide_a_price(
    own_app: Application, sellers: tuple[int, ...], buyers: tuple[int, ...]
) -> None:
    town = Town()
    for quantity in sellers:
        town.sells(quantity=quantity)
    for quantity in buyers:
        town.buys(quantity=quantity)
    run = clear(town.round)
    table = hub_table(db.session(), run=run)
    assert table
    assert not any(line.may_be_published for line in table)
    answer = browser(own_app, make.StaffFactory()).post(f"/api/v1/runs/{run.id}/price-publications")
    assert answer.status_code == 422
    assert published() == []


def test_affiliates_count_as_one(own_app: Application) -> None:
    town = Town()
    parent = make.FirmFactory()
    for _ in range(3):
        town.sells(quantity=20, firm=make.FirmFactory(parent=parent))
        town.buys(quantity=10)
    run = clear(town.round)
    assert not any(line.may_be_published for line in hub_table(db.session(), run=run))


def test_a_hub_is_hidden_and_the_mean_over_all_regions_told(own_app: Application) -> None:
    town = Town()
    beside = make.RegionFactory()
    make.FreightFactory(from_region=beside, to_region=town.destination, cost=Decimal(10))
    for _ in range(3):
        town.sells(quantity=20)
        town.buys(quantity=30)
    small = make.FirmFactory()
    town.sells(quantity=5, firm=small, site=make.SiteFactory(firm=small, region=beside))
    run = clear(town.round)
    lines = {line.region: line for line in hub_table(db.session(), run=run) if line.period == "2027-Q1"}
    assert {region: line.may_be_published for region, line in lines.items()} == {
        None: True,
        town.origin.code: True,
        beside.code: False,
    }
    weighted = (60 * lines[town.origin.code].price + 5 * lines[beside.code].price) / 65
    assert lines[None].price == weighted.quantize(Decimal("0.01"))


def test_docking_events_and_unfinished_runs_are_not_published(client_as: As, session: Session) -> None:
    docking = make.RunFactory(round=make.RoundFactory(kind=RoundKind.DOCKING))
    waiting = make.RunFactory(queued=True)
    staff = client_as(make.StaffFactory())
    assert staff.post(f"/api/v1/runs/{docking.id}/price-publications").status_code == 422
    assert staff.post(f"/api/v1/runs/{waiting.id}/price-publications").status_code == 409
    for run in (docking, waiting):
        with violates("ck_price_publication_of_finished_run"), session.begin_nested():
            session.add(PricePublication(round_id=run.round_id, run_id=run.id))
            session.flush()


def test_who_may_not_manage_rounds_publishes_nothing(client_as: As) -> None:
    run = make.RunFactory()
    for user in (make.UserFactory(), make.RegulatorFactory(), make.PlatformAdminFactory()):
        assert client_as(user).post(f"/api/v1/runs/{run.id}/price-publications").status_code == 403


def test_what_is_published_stays_as_it_was(own_app: Application) -> None:
    _town, run = crowded()
    browser(own_app, make.StaffFactory()).post(f"/api/v1/runs/{run.id}/price-publications")
    for broken in (sa.update(PublishedPrice).values(price=1), sa.delete(PublishedPrice)):
        with violates("published_price_append_only"), db.session.begin_nested():
            db.session.execute(broken)
