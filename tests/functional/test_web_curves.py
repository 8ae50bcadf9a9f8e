"""Curves, fill rates, lanes and prices over time: what they tell, to whom, and that sealed looks are written down."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.errors import Forbidden, NotFound
from app.models import AccessLog, Offer, OfferKind, OfferRevision, Reason, Region, RoundKind, Run, RunState, User
from app.operations import curves, fill_rates, hub_prices, lane_map, offer_terms, price_history, run_progress
from app.transaction import Application
from app.web import lane_map as map_of_lanes
from app.web.axes import axis
from app.web.curves import drawing_of, months_between
from app.web.lane_places import MARGIN, WIDTH, places_of
from tests import factories as make

from .night_market import Town, browser, chain, clear, count, proposals_of, standing_application
from .test_web_console import CERTIFICATE, headline
from .web_market import at_noon

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def keep(*offers: Offer) -> None:
    """Write the terms of offers as their second revision: the first one of the factories is empty, and stays."""
    for offer in offers:
        terms = offer_terms.document(offer_terms.terms_of(db.session(), offer))
        db.session.add(OfferRevision(offer_id=offer.id, revision=2, terms=terms))
        offer.revision = 2
    db.session.commit()


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def of_product(run: Run, product: str, period: str = "2027-Q1") -> Any:
    """The curves, as staff get them; their decimals are compared with whole numbers."""
    return curves.market_curves(
        db.session(),
        principal=of_user(make.StaffFactory()),
        run_id=run.id,
        product=product,
        period=period,
        path="/test",
        now=clock(),
    )


def test_curves_show_what_was_asked_and_bid_and_what_was_matched(own_app: Application) -> None:
    town = Town()
    keep(town.sells(10, 70), town.sells(6, 60), town.sells(5, 85), town.buys(12, 90), town.buys(20, 50))
    found = of_product(clear(town.round), town.grade.product_code)
    assert [(step.price, step.units, step.taken) for step in found.supply] == [(60, 6, 6), (70, 10, 6), (85, 5, 0)]
    assert [(step.price, step.units, step.taken) for step in found.demand] == [(90, 12, 12), (50, 20, 0)]
    assert found.locked is not None
    assert (found.locked.units, found.locked.ex_works, found.locked.delivered) == (12, 70, 74)


def test_curves_keep_the_terms_that_the_run_saw(own_app: Application) -> None:
    town = Town()
    ask, bid = town.sells(10, 70), town.buys(10, 90)
    keep(ask, bid)
    run = clear(town.round)
    terms = db.session.get_one(OfferRevision, (ask.id, 2)).terms
    db.session.add(OfferRevision(offer_id=ask.id, revision=3, terms=terms | {"price": "80"}))
    ask.revision, ask.price = 3, Decimal(80)
    db.session.commit()
    assert [step.price for step in of_product(run, town.grade.product_code).supply] == [70]


def test_prices_in_another_currency_stand_in_cny_and_periods_may_have_their_own(own_app: Application) -> None:
    town = Town()
    town.round.currency_rates = {"USD": "7"}
    ask, bid = town.sells(10, 10, currency="USD"), town.buys(10, 90)
    ask.periods[1].price = Decimal(11)
    keep(ask, bid)
    run = clear(town.round)
    assert [step.price for step in of_product(run, town.grade.product_code).supply] == [70]
    assert [step.price for step in of_product(run, town.grade.product_code, "2027-Q2").supply] == [77]


def test_conversions_stand_at_the_prices_locked_for_them(own_app: Application) -> None:
    town, carbonate, _converter, buyer = chain()
    keep(carbonate, buyer)
    run = clear(town.round)
    bought = of_product(run, town.grade.product_code)
    sold = of_product(run, buyer.product_code)
    (taken,), (made,) = bought.demand, sold.supply
    inputs, outputs = (
        [one for one in proposals_of(run) if one.product_code == code]
        for code in (
            town.grade.product_code,
            buyer.product_code,
        )
    )
    assert (taken.by_conversion, taken.units) == (True, sum(one.rate for one in inputs))
    assert taken.price == inputs[0].price_delivered.quantize(Decimal("0.01"))
    assert (made.by_conversion, made.units) == (True, 40)
    assert made.price == outputs[0].price_ex_works.quantize(Decimal("0.01"))


def test_each_look_at_curves_is_written_down_and_others_see_published_prices_only(own_app: Application) -> None:
    town = Town()
    offers = [offer for _ in range(3) for offer in (town.sells(20, 71), town.buys(10, 93))]
    keep(*offers)
    run, product = clear(town.round), town.grade.product_code
    staff, regulator = make.StaffFactory(), make.RegulatorFactory()
    page = f"/console/runs/{run.id}/curves?product={product}&period=2027-Q2"
    seen = browser(own_app, staff).get(page)
    assert seen.status_code == 200
    assert 'class="sell-line"' in seen.text
    assert "Clearing price ex works" in seen.text
    look = db.session.scalars(sa.select(AccessLog)).one()
    assert (look.object_kind, look.object_id, look.user_id, look.path) == ("curves", str(run.id), staff.id, page)
    overseer = browser(own_app, regulator)
    hidden = words(overseer.get(page).text)
    assert "Nothing is published of this product in this run" in hidden
    assert "sell-line" not in hidden
    assert " 93 " not in hidden
    hub_prices.publish(db.session(), principal=of_user(staff), run_id=run.id, now=clock())
    db.session.commit()
    told = words(overseer.get(page).text)
    assert "Nothing is published" not in told
    assert "71" in told
    assert count(AccessLog) == 1
    with pytest.raises(Forbidden):
        curves.market_curves(
            db.session(),
            principal=of_user(regulator),
            run_id=run.id,
            product=product,
            period="2027-Q1",
            path="",
            now=clock(),
        )


def test_curves_of_what_the_run_does_not_know_are_not_there(own_app: Application) -> None:
    town = Town()
    keep(town.sells(), town.buys())
    run = clear(town.round)
    for product, period in (("gold", "2027-Q1"), (town.grade.product_code, "2031-Q1")):
        with pytest.raises(NotFound):
            of_product(run, product, period)
    page = browser(own_app, make.StaffFactory()).get(f"/console/runs/{run.id}/curves?product=gold&period=never")
    assert page.status_code == 200
    assert "2027 Q1" in page.text


def test_fill_rates_by_product_side_and_period(own_app: Application) -> None:
    town = Town()
    keep(town.sells([10, 10, 10, 20], 70), town.sells(5, 200), town.buys([5, 10, 0, 10], 90, max_term=1))
    run = clear(town.round)
    staff = make.StaffFactory()
    found: dict[OfferKind, Any] = {
        one.kind: one for one in fill_rates.fill_rates(db.session(), principal=of_user(staff), run_id=run.id)
    }
    sold, met = found[OfferKind.CAPACITY], found[OfferKind.DEMAND]
    assert sold.posted == {"2027-Q1": 15, "2027-Q2": 15, "2027-Q3": 15, "2027-Q4": 25}
    assert [sold.filled[label] for label in sorted(sold.filled)] == [5, 10, 0, 10]
    assert (met.rate(), met.rate("2027-Q3"), sold.rate("2027-Q2")) == (1, None, Decimal(10) / 15)
    assert sold.unmatched == {Reason.OUT_OF_THE_MONEY: 1}
    assert (sold.offers, fill_rates.by_reason(list(found.values()))) == (2, {Reason.OUT_OF_THE_MONEY: 1})
    moved = [of_product(run, town.grade.product_code, f"2027-Q{quarter}").locked for quarter in range(1, 5)]
    assert [one and one.units for one in moved] == [5, 10, None, 10]
    page = words(browser(own_app, staff).get(f"/console/runs/{run.id}/fill").text)
    assert "1 × Price did not meet the market" in page
    assert browser(own_app, make.RegulatorFactory()).get(f"/console/runs/{run.id}/fill").status_code == 403


def test_the_map_adds_up_what_moves_between_regions(own_app: Application) -> None:
    town = Town()
    keep(town.sells(10, 70), town.buys(4, 90), town.buys(6, 95))
    run = clear(town.round)
    staff = make.StaffFactory()
    lane: Any
    (lane,) = lane_map.region_lanes(
        db.session(), principal=of_user(staff), run_id=run.id, product=town.grade.product_code
    )
    moved = proposals_of(run)
    assert (lane.origin, lane.destination, lane.units, lane.freight) == (town.origin, town.destination, 40, 4)
    assert (lane.contracts, lane.value) == (len(moved), sum(one.total_value for one in moved))
    page = browser(own_app, staff).get(f"/console/runs/{run.id}/lanes")
    assert page.text.count('class="lane"') == page.text.count('<circle class="lane-number"') == 1
    assert f"{town.origin.name_en} → {town.destination.name_en}: 40 t" in page.text
    assert browser(own_app, make.RegulatorFactory()).get(f"/console/runs/{run.id}/lanes").status_code == 403
    assert browser(own_app, make.UserFactory()).get(f"/console/runs/{run.id}/lanes").status_code == 403


def test_regions_stand_apart_east_of_each_other_and_beyond_the_frame() -> None:
    def region(code: str, lat: float, lon: float) -> Region:
        return Region(code=code, lat=Decimal(str(lat)), lon=Decimal(str(lon)))

    inner = [region("SC", 30.7, 104.1), region("JS", 32.1, 118.8), region("HL", 45.7, 126.6)]
    outer = [region("CL", -23.6, -70.3), region("DE", 51.6, 12.3), region("AU", -32.2, 115.8)]
    layout = places_of([*inner, *outer])
    found, (left, top, right, bottom) = layout.points, layout.frame
    assert len(set(found.values())) == 6
    assert found["DE"][0] < left < found["SC"][0] < found["JS"][0] < found["HL"][0] < right < found["CL"][0]
    assert top < found["HL"][1] < found["JS"][1] < found["SC"][1] < bottom < found["AU"][1] < layout.height
    between = region("HB", 30.6, 114.3)
    assert [(one.code, left < x < right) for one, (x, y) in layout.within([*inner, between])] == [("HB", True)]
    alone = places_of(inner).frame
    assert (alone[0], alone[2]) == (MARGIN, WIDTH - MARGIN), "no room is kept for edges that nobody lies beyond"


def test_the_largest_lanes_are_numbered_and_no_name_or_number_covers_another() -> None:
    spots = {"SC": (30.7, 104.1), "JS": (32.1, 118.8), "AH": (31.9, 118.0), "SH": (31.2, 121.5), "ZJ": (31.2, 120.7)}
    regions = [
        Region(
            code=code, name_zh=f"Region {code}", name_en=f"Region {code}", lat=Decimal(str(lat)), lon=Decimal(str(lon))
        )
        for code, (lat, lon) in spots.items()
    ]
    pairs = [(a, b) for a in regions for b in regions][:12]
    lanes = [
        lane_map.RegionLane(
            origin=a, destination=b, contracts=1, units=Decimal(1200 - 100 * at), value=Decimal(1), freight=Decimal(1)
        )
        for at, (a, b) in enumerate(pairs)
    ]
    product = make.ProductFactory.build()
    drawing = map_of_lanes.drawing_of(lanes, product)
    assert [one.number for one in drawing.numbers] == list(range(1, 9))
    assert sorted(line.number for line in drawing.lines if line.number) == [
        at for at, (a, b) in enumerate(pairs[:8], 1) if a is not b
    ]
    assert drawing.lines[-1].width > drawing.lines[0].width, "the large ones are drawn over the small ones"
    boxes = [(one.x - 8, one.y - 8, one.x + 8, one.y + 8) for one in drawing.numbers if one.number not in {1, 7}]
    for place in drawing.places:
        width = 6 * len(place.region.name_en)
        left = place.label[0] - {"start": 0, "middle": width / 2, "end": width}[place.anchor]
        boxes.append((left, place.label[1] - 9, left + width, place.label[1] + 1))
    covered = [
        (a, b)
        for a, b in itertools.combinations(boxes, 2)
        if min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
    ]
    assert covered == []


def test_the_legend_of_widths_has_round_volumes_that_are_on_the_map() -> None:
    product = make.ProductFactory.build()
    found = map_of_lanes.samples_of(Decimal(278_587), product)
    assert [sample.text.split()[0] for sample in found] == ["200,000", "50,000", "10,000"]
    assert [sample.width for sample in found] == [13.6, 6.8, 3.0]
    assert map_of_lanes.samples_of(Decimal(1), product)[0].text.startswith("1 ")


def test_prices_over_time_are_those_of_nightly_runs(session: Session, client_as: As) -> None:
    product = make.ProductFactory()
    index = make.MarketIndexFactory(product=product)
    make.IndexPriceFactory(index=index, date=make.NOON.date() - dt.timedelta(days=3), value=Decimal(75_000))
    lines = headline()["products"]
    for price, kind in (("72000", RoundKind.NIGHTLY), (None, RoundKind.NIGHTLY), ("1", RoundKind.DOCKING)):
        line = lines[0] | {"product": product.code, "price": price}
        market_round = make.RoundFactory(kind=kind)
        make.RunFactory(round=market_round, certificate=CERTIFICATE, headline=headline(products=[line]))
    session.flush()
    found: Any = price_history.price_history(
        session, principal=of_user(make.RegulatorFactory()), product=product, now=make.NOON
    )
    assert [run.price for run in found.runs] == [72_000]
    assert found.days == ((make.NOON.date() - dt.timedelta(days=3), 75_000),)
    page = client_as(make.RegulatorFactory()).get(f"/console/price-history?product={product.code}")
    assert page.text.count("run-dot") == 1
    assert "−4 %" in page.text
    nobody = price_history.price_history(session, principal=of_user(make.UserFactory()), product=product, now=make.NOON)
    assert nobody.runs == ()


def test_the_time_left_follows_the_pace_and_the_last_run(session: Session) -> None:
    run = make.RunFactory(
        state=RunState.RUNNING, started_at=make.NOON, finished_at=None, certificate=None, headline=None
    )
    now = make.NOON + dt.timedelta(seconds=30)

    def left() -> int | None:
        return run_progress.seconds_left(session, run=run, now=now)

    run.percent = 2
    assert left() is None
    run.percent = 25
    assert left() == 90
    make.RunFactory(round=run.round, started_at=make.NOON, finished_at=make.NOON + dt.timedelta(seconds=70))
    session.flush()
    assert left() == round(0.25 * 90 + 0.75 * 40)
    run.percent = 0
    assert left() == 40
    run.state = RunState.QUEUED
    assert left() is None


@given(st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1, max_size=20), st.integers(2, 9))
def test_an_axis_holds_its_values_in_order_and_marks_round_numbers(values: list[float], marks: int) -> None:
    found = axis(values, start=0.0, end=1000.0)
    places = [found.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= place <= 1000 for place in places)
    ticks = found.ticks(str, marks)
    assert len(ticks) <= marks + 1
    assert all(a.at < b.at and Decimal(a.text) < Decimal(b.text) for a, b in itertools.pairwise(ticks))
    assert all(-0.1 <= tick.at <= 1000.1 for tick in ticks)


@given(st.dates(dt.date(1990, 1, 1), dt.date(2090, 1, 1)), st.integers(0, 5000))
def test_marks_of_time_are_few_and_first_days_of_months(first: dt.date, days: int) -> None:
    last = first + dt.timedelta(days=days)
    found = months_between(first, last)
    assert 1 <= len(found) <= 6
    assert found == sorted(set(found))
    assert found == [last] or all(first <= one <= last and one.day == 1 for one in found)


def test_the_steps_of_a_drawing_meet(own_app: Application) -> None:
    town = Town()
    keep(town.sells(10, 70), town.sells(6, 60), town.buys(12, 90))
    drawing = drawing_of(of_product(clear(town.round), town.grade.product_code))
    first, second = drawing.supply_strokes
    assert (first.end, drawing.supply.count("V")) == (second.begin, 1)
    assert first.level > second.level  # dearer is higher on the page
