"""The supply graph of a round and the drawing of a bundle."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.errors import Forbidden
from app.models import AccessLog, RunState, User, WhatIf, WhatIfKind
from app.operations import review, review_sheet, supply_graph
from app.operations.snapshots import freeze
from app.transaction import Application
from app.web.bundle_graph import BOX_WIDTH, MOST_FIRMS, bundle_drawing
from matching import graph
from tests import factories as make

from .night_market import Town, browser, chain, clear, proposals_of, standing_application
from .web_market import at_noon

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def look(town: Town, start: graph.Hub | None = None) -> tuple[supply_graph.SupplyGraph, frozenset[graph.Hub]]:
    return supply_graph.look(
        db.session(),
        principal=of_user(make.StaffFactory()),
        round_id=town.round.id,
        start=start,
        path="/test",
        now=clock(),
    )


def test_the_graph_by_hubs_is_that_of_the_whole_snapshot(own_app: Application) -> None:
    town, *_others = chain()
    town.sells(7, 61_000)
    town.buys(3, 70_000)
    db.session.commit()
    whole = graph.supply_graph(freeze(db.session(), round_id=town.round.id, now=clock()).snapshot)
    found, _reached = look(town)
    hubs = {node for node in whole.nodes if isinstance(node, tuple)}
    assert {one.hub for lines in found.hubs.values() for one in lines} == hubs
    assert found.arcs == whole.number_of_edges()
    for lines in found.hubs.values():
        for one in lines:
            assert one.selling == whole.nodes[one.hub].get("selling", 0)
            assert one.buying == whole.nodes[one.hub].get("buying", 0)


def test_tiers_conversions_and_what_a_hub_reaches(own_app: Application) -> None:
    town, carbonate, converter, buyer = chain()
    start = carbonate.product_code, carbonate.grade_code, town.origin.code
    found, reached = look(town, start)
    assert found.tiers == {carbonate.product_code: 0, buyer.product_code: 1}
    assert (found.loops, found.sub_markets) == ([], [frozenset({carbonate.product_code, buyer.product_code})])
    made: Any = found.conversions[buyer.product_code]
    assert (made.firms, made.capacity) == ((converter.firm,), 160)
    assert made.inputs == {carbonate.product_code: Decimal("0.25")}
    assert found.links == [(carbonate.product_code, buyer.product_code)]
    assert (buyer.product_code, buyer.grade_code, town.destination.code) in reached
    assert start not in reached
    assert look(town, ("gold", "pure", "moon"))[1] == frozenset()


def test_a_product_that_feeds_back_is_a_loop(own_app: Application) -> None:
    town, carbonate, _converter, buyer = chain()
    make.ConversionFactory(
        round=town.round,
        grade=town.grade,
        input_grade=buyer.grade,
        site=make.SiteFactory(firm=(firm := make.FirmFactory()), region=town.destination),
        firm=firm,
    )
    db.session.commit()
    found, _reached = look(town)
    assert found.loops == [frozenset({carbonate.product_code, buyer.product_code})]
    assert set(found.tiers.values()) == {0}
    page = browser(own_app, make.StaffFactory()).get(f"/console/rounds/{town.round.id}/graph")
    assert page.status_code == 200


def test_the_page_of_the_graph_is_for_those_who_see_what_is_sealed_and_is_logged(own_app: Application) -> None:
    town, carbonate, converter, _buyer = chain()
    carbonate.product.name_zh = carbonate.product.name_en = "Lithium hydroxide monohydrate"
    run = clear(town.round)
    db.session.add(
        WhatIf(
            round_id=town.round.id,
            run_id=run.id,
            kind=WhatIfKind.CRITICALITY,
            title="x",
            changes=[],
            state=RunState.DONE,
            created_at=make.NOON,
            started_at=make.NOON,
            finished_at=make.NOON,
            result={
                "firms": [
                    {"firm_id": str(converter.firm_id), "welfare_lost": "123456", "share": "0.5", "volume_lost": {}}
                ]
            },
        )
    )
    db.session.commit()
    hub = f"{carbonate.product_code}/{carbonate.grade_code}/{town.origin.code}"
    here = f"/console/rounds/{town.round.id}/graph?product={carbonate.product_code}&hub={hub}"
    staff = make.StaffFactory()
    page = browser(own_app, staff).get(here)
    assert page.status_code == 200
    assert page.text.count('class="arc-head here"') == 1
    assert re.search(r">Lithium hydroxide </tspan><tspan[^>]*>monohydrate</tspan>", page.text), "no long name is cut"
    assert converter.firm.name_en in page.text
    assert "50%" in page.text
    assert "40 t" in page.text  # ten lots in each of four periods
    sealed = db.session.scalars(sa.select(AccessLog)).one()
    assert (sealed.object_kind, sealed.object_id, sealed.user_id) == ("supply_graph", str(town.round.id), staff.id)
    assert browser(own_app, make.RegulatorFactory()).get(here).status_code == 403
    with pytest.raises(Forbidden):
        supply_graph.look(
            db.session(), principal=of_user(make.RegulatorFactory()), round_id=town.round.id, path="", now=clock()
        )


def test_a_round_without_offers_says_so(session: Session, client_as: As) -> None:
    market_round = make.RoundFactory()
    page = client_as(make.StaffFactory()).get(f"/console/rounds/{market_round.id}/graph")
    assert "No offers are open in this round" in page.text


def test_a_bundle_is_drawn_from_left_to_right_around_the_proposal(own_app: Application) -> None:
    town, carbonate, converter, buyer = chain()
    run = clear(town.round)
    first = next(one for one in proposals_of(run) if one.sell_offer_id == carbonate.id)
    staff = of_user(make.StaffFactory())
    rows = db.session.scalars(review.visible_reviews(staff).order_by("id")).all()
    lines = review_sheet.review_lines(db.session(), principal=staff, proposals=rows)
    own = next(line for line in lines if line.id == first.id)
    drawing = bundle_drawing(own, [line for line in lines if line.id != first.id])
    at = {box.text: box for box in drawing.boxes}
    names = [one.firm.name_zh for one in (carbonate, converter, buyer)]
    places = [at[name].x for name in names]
    assert places == sorted(places)
    assert [at[name].party for name in names] == [True, True, False]
    assert [arrow.here for arrow in drawing.arrows] == [False, True]
    assert drawing.left_out == 0
    assert all(box.x + BOX_WIDTH <= drawing.width for box in drawing.boxes)
    page = browser(own_app, make.StaffFactory()).get(f"/console/review/{first.id}").text
    assert page.count('class="node here"') == 2
    assert re.search(r"<title>[^<]*→[^<]*</title>", page)


def test_of_a_large_bundle_the_nearest_firms_are_drawn(own_app: Application) -> None:
    town = Town()
    town.buys(100, 90)
    for _ in range(MOST_FIRMS + 4):
        town.sells(5, 70)
    clear(town.round)
    staff = of_user(make.StaffFactory())
    rows = db.session.scalars(review.visible_reviews(staff).order_by("id")).all()
    lines = review_sheet.review_lines(db.session(), principal=staff, proposals=rows)
    drawing = bundle_drawing(lines[0], lines[1:])
    assert (len(drawing.boxes), drawing.left_out) == (MOST_FIRMS, 5)
    assert len(drawing.arrows) == MOST_FIRMS - 1
