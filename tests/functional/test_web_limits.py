"""The pages of limits, hub prices and what-if: what they show, what forms refuse beside the field, who may enter."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs import what_if as work
from app.models import (
    AccessLog,
    Ceiling,
    Corridor,
    OriginRule,
    PricePublication,
    RunState,
    SupplierApproval,
    User,
    WhatIf,
)
from app.transaction import Application
from tests import factories as make
from tests.functional.night_market import Town, browser, chain, clear, count, standing_application

from .web_market import at_noon

__all__ = ["at_noon"]

As = Callable[[User], FlaskClient]


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def english(client: FlaskClient) -> FlaskClient:
    client.set_cookie("language", "en")
    return client


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_staff_set_and_end_each_kind_of_limit_by_form(client_as: As, session: Session) -> None:
    town = Town()
    firm, other = make.FirmFactory(), make.FirmFactory()
    session.flush()
    client, here = client_as(make.StaffFactory()), f"/console/rounds/{town.round.id}/limits"
    product, ways = town.grade.product_code, {"from_region": town.origin.code, "to_region": town.destination.code}
    forms = {
        "corridor": {"product": product, **ways, "period": "2027-Q2", "limit": "1,200"},
        "ceiling": {"product": product, "firm": "", "share": "40"},
        "origin_rule": {"product": product, "origin": "CN", "to_region": town.destination.code, "limit": "0"},
        "supplier_approval": {"product": product, "buyer": str(firm.id), "supplier": str(other.id)},
    }
    for kind, values in forms.items():
        answer = client.post(f"{here}/{kind}", data=values)
        assert answer.status_code == 303, words(answer.text)
    assert session.scalars(sa.select(Corridor.limit_per_period)).one() == 1200
    assert session.scalars(sa.select(Ceiling.share)).one() == Decimal("0.4")
    page = client.get(here)
    assert page.status_code == 200
    models: dict[str, Any] = {"ceiling": Ceiling, "origin_rule": OriginRule, "supplier_approval": SupplierApproval}
    for kind, model in models.items():
        row = session.scalars(sa.select(model)).one()
        assert client.post(f"{here}/{kind}/{row.id}/end").status_code == 303
        session.refresh(row)
        assert row.ended_at is not None
    quota = session.scalars(sa.select(Corridor)).one()
    assert client.post(f"{here}/corridor/{quota.id}/end").status_code == 303
    assert session.scalar(sa.select(Corridor.id)) is None
    assert client.get(here).status_code == 200


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        ("ceiling", {"share": "much"}, "share"),
        ("ceiling", {"share": "40", "product": "gold"}, "product"),
        ("ceiling", {"share": "40", "firm": "nobody"}, "firm"),
        ("origin_rule", {"origin": "CN", "to_region": "nowhere", "limit": "1"}, "to_region"),
        ("origin_rule", {"origin": "CN", "to_region": "own", "limit": "0.5"}, "limit"),
        ("corridor", {"from_region": "own", "to_region": "nowhere", "limit": "1"}, "to_region"),
        ("supplier_approval", {"buyer": "", "supplier": ""}, "buyer"),
    ],
)
def test_a_fault_stands_beside_its_field(
    client_as: As, session: Session, kind: str, values: dict[str, str], field: str
) -> None:
    town = Town()
    session.flush()
    said = {"product": town.grade.product_code} | values
    said = {name: town.destination.code if value == "own" else value for name, value in said.items()}
    answer = client_as(make.StaffFactory()).post(f"/console/rounds/{town.round.id}/limits/{kind}", data=said)
    assert answer.status_code == 422
    assert f'id="error-{kind}/{field}"' in answer.text
    assert session.scalar(sa.select(sa.func.count()).select_from(Ceiling)) == 0


def test_the_run_tells_what_its_limits_cost(own_app: Application) -> None:
    town = Town()
    town.sells(quantity=20, price=50, origin_country="CL")
    town.sells(quantity=20, price=70)
    town.buys(quantity=20, price=90)
    key = {"round_id": town.round.id, "product_code": town.grade.product_code}
    db.session.add(OriginRule(**key, origin_country="CL", to_region_code=town.destination.code, limit_per_period=5))
    db.session.commit()
    run = clear(town.round)
    client = english(browser(own_app, make.StaffFactory()))
    for path in (f"/console/runs/{run.id}", f"/console/rounds/{town.round.id}/limits"):
        said = words(client.get(path).text)
        assert "rule on origin CL" in said
        assert "This limit costs the market CNY 100 a quarter." in said
        assert "One unit more in every period would bring 20 CNY/t." in said
    regulator = browser(own_app, make.RegulatorFactory())
    assert "CNY 100" not in words(english(regulator).get(f"/console/runs/{run.id}").text)
    assert regulator.get(f"/console/rounds/{town.round.id}/limits").status_code == 403


def test_staff_publish_and_withdraw_hub_prices(own_app: Application) -> None:
    town = Town()
    for _ in range(3):
        town.sells(quantity=20)
        town.buys(quantity=10)
    run = clear(town.round)
    client, anyone = browser(own_app, make.StaffFactory()), own_app.test_client()
    here = f"/console/runs/{run.id}/prices"
    assert client.get(here).status_code == 200
    assert client.post(here).status_code == 303
    page = anyone.get("/prices").text
    assert town.origin.name_zh in page
    assert page.count('class="run-line mean"') == 1, "the mean of the grade over the periods, drawn"
    whole = len(town.round.horizon.labels())
    assert len(re.findall(r'<circle class="(?:run|region)-dot"', page)) == 2 * whole, "and that of its one region"
    assert client.post(here).status_code == 303  # and is told that they are published
    row = db.session.scalars(sa.select(PricePublication)).one()
    assert client.post(f"/console/price-publications/{row.id}/withdraw").status_code == 303
    assert town.origin.name_zh not in anyone.get("/prices").text
    assert browser(own_app, make.RegulatorFactory()).get(here).status_code == 403


def test_a_scenario_is_asked_by_form_and_answered_on_its_page(own_app: Application) -> None:
    town = Town()
    cheap = town.sells(price=50)
    town.sells(price=70)
    town.buys(quantity=15, price=90)
    run = clear(town.round)
    client = english(browser(own_app, make.StaffFactory()))
    form = client.get(f"/console/runs/{run.id}/what-if")
    assert form.status_code == 200
    typed = {"without_firm/firm_id": str(cheap.firm_id), "price/side": "sell"}
    sent = client.post(f"/console/runs/{run.id}/what-if", data=typed)
    assert sent.status_code == 303, words(sent.text)
    assert 'data-progress="' in client.get(sent.location).text
    assert client.get(f"{sent.location}/progress").get_json()["is_open"] is True
    row = db.session.scalars(sa.select(WhatIf)).one()
    assert work.work_out(row.id, clock=clock) is RunState.DONE
    said = words(client.get(sent.location).text)
    assert "without " + cheap.firm.name_en in said
    assert "starves" in said
    assert "-63.6%" in said or "−63.6%" in said
    assert '<rect class="fill-sell" x="0.0" width="50.0"' in client.get(sent.location).text, (
        "the largest loss fills its half"
    )
    assert town.round.name_en in words(client.get("/console/what-if").text)
    assert count(AccessLog, AccessLog.object_kind == "what_if") == 3


def test_where_nothing_changes_the_bars_are_empty(own_app: Application) -> None:
    town = Town()
    seller = town.sells(price=50)
    town.buys(price=90)
    run = clear(town.round)
    client = english(browser(own_app, make.StaffFactory()))
    typed = {"capacity/firm_id": str(seller.firm_id), "capacity/factor": "1", "price/side": "sell"}
    sent = client.post(f"/console/runs/{run.id}/what-if", data=typed)
    assert work.work_out(db.session.scalars(sa.select(WhatIf)).one().id, clock=clock) is RunState.DONE
    bars = re.findall(r'<rect class="fill-(?:buy|sell)" x="[\d.]+" width="([\d.]+)"', client.get(sent.location).text)
    assert set(bars) == {"0.0"}, "a full bar would say that all is lost or won"


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"price/side": "sell"}, "changes"),
        ({"capacity/firm_id": "own", "capacity/factor": "half"}, "capacity/factor"),
        ({"without_firm/firm_id": "nobody"}, "without_firm/firm_id"),
        ({"quota/product": "gold", "quota/limit": "5"}, "quota/product"),
        ({"without_limit/limit_of": "x/y"}, "without_limit/limit_kind"),
    ],
)
def test_a_form_that_says_nothing_sensible_is_refused(
    client_as: As, session: Session, typed: dict[str, str], field: str
) -> None:
    town = Town()
    seller = town.sells()
    session.flush()
    run = make.RunFactory(round=town.round)
    said = {name: str(seller.firm_id) if value == "own" else value for name, value in typed.items()}
    answer = client_as(make.StaffFactory()).post(f"/console/runs/{run.id}/what-if", data=said)
    assert answer.status_code == 422
    if not field.startswith("without_limit"):
        assert f'id="error-{field}"' in answer.text


def test_a_limit_is_chosen_to_be_taken_away_and_the_ranking_has_its_page(own_app: Application) -> None:
    town, *_ = chain()
    key = {"round_id": town.round.id, "product_code": town.grade.product_code}
    db.session.add(Ceiling(**key, share=Decimal("0.5")))
    db.session.commit()
    run = clear(town.round)
    client = browser(own_app, make.StaffFactory())
    choice = f"ceiling/{town.grade.product_code}///"
    assert f'value="{choice}"' in client.get(f"/console/runs/{run.id}/what-if").text
    sent = client.post(f"/console/runs/{run.id}/what-if", data={"without_limit/limit_of": choice, "price/side": "buy"})
    ranked = client.post(f"/console/runs/{run.id}/criticality")
    assert (sent.status_code, ranked.status_code) == (303, 303)
    for row in db.session.scalars(sa.select(WhatIf)):
        assert work.work_out(row.id, clock=clock) is RunState.DONE
    for address in (sent.location, ranked.location):
        assert client.get(address).status_code == 200
    assert client.get("/console/what-if").status_code == 200
    graph = client.get(f"/console/rounds/{town.round.id}/graph").text
    assert f'href="{ranked.location}">The whole ranking</a>' in graph
    assert "What is lost without each, of" in graph


def test_who_sees_no_sealed_offer_asks_nothing(client_as: As) -> None:
    run = make.RunFactory()
    for user in (make.UserFactory(), make.RegulatorFactory(), make.PlatformAdminFactory()):
        for path in ("/console/what-if", f"/console/runs/{run.id}/what-if", f"/console/what-if/{uuid.UUID(int=1)}"):
            assert client_as(user).get(path).status_code == 403
