"""A night of the market: what a run leaves in the database, and that it leaves all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.models import Event, Reason, Reservation, RunResult, ShadowPrice
from app.transaction import Application

from .night_market import Town, chain, clear, count, proposals_of, reserved, standing_application


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def test_one_seller_one_buyer_meet_at_the_midpoint(own_app: Application) -> None:
    town = Town()
    sell, buy = town.sells(price=70), town.buys(price=90)
    run = clear(town.round)
    (proposal,) = proposals_of(run)
    assert (proposal.sell_offer_id, proposal.buy_offer_id) == (sell.id, buy.id)
    assert [proposal.price_ex_works, proposal.freight, proposal.price_delivered] == [78, 4, 82]
    assert (proposal.rate, proposal.first_period, proposal.last_period) == (10, "2027-Q1", "2027-Q4")
    assert proposal.total_value == 82 * 40
    assert [proposal.surplus_seller, proposal.surplus_buyer] == [8 * 40, 8 * 40]
    assert proposal.state == "proposed"
    assert reserved() == 2 * 40
    results = {row.offer_id: row.reason for row in db.session.scalars(sa.select(RunResult))}
    assert results == {sell.id: Reason.MATCHED, buy.id: Reason.MATCHED}
    assert db.session.scalar(sa.select(Event.to_state).where(Event.name == "proposal.propose")) == "proposed"
    assert run.headline is not None
    assert run.headline["contracts"] == 1


def test_the_chain_is_one_bundle(own_app: Application) -> None:
    town, carbonate, converter, buyer = chain()
    run = clear(town.round)
    into, out = sorted(proposals_of(run), key=lambda proposal: proposal.sell_offer_id == converter.id)
    assert (into.sell_offer_id, into.buy_offer_id, into.rate) == (carbonate.id, converter.id, 10)
    assert (out.sell_offer_id, out.buy_offer_id, out.rate) == (converter.id, buyer.id, 40)
    assert into.bundle_id == out.bundle_id
    held = {tuple(row) for row in db.session.execute(sa.select(Reservation.proposal_id, Reservation.offer_id))}
    assert held == {(into.id, carbonate.id), (out.id, converter.id), (out.id, buyer.id)}
    assert out.surplus_seller >= 0
    assert into.surplus_buyer == 0
    assert count(ShadowPrice)
