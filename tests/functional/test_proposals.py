"""From a run to contracts over HTTP: what parties see, accept, decline; bundles; what two do at once."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs.expiries import expire_all
from app.models import Contract, Event, Firm, Offer, Proposal, Reservation, Run
from app.transaction import Application
from contracts.canonical import canonical_text
from contracts.terms import terms_from_json, terms_hash
from tests import factories as make

from .night_market import Town, body, browser, chain, clear, count, later, proposals_of, reserved, standing_application

HIDDEN = ("surplus", "next_best", "ask", "bid", "alternative", "flags", "index_value")


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def trader(app: Application, offer: Offer) -> FlaskClient:
    return browser(app, make.UserFactory(firm=offer.firm))


def release(app: Application, run: Run) -> None:
    staff = browser(app, make.StaffFactory())
    wanted = [{"id": str(one.id), "version": one.version} for one in proposals_of(run)]
    releases = {"proposals": wanted, "reason_code": "sound"}
    answer = staff.post("/api/v1/review/releases", json=releases)
    assert answer.status_code == 200, answer.json
    assert {verdict["outcome"] for verdict in body(answer)["verdicts"]} == {"released"}, answer.json


def listed(client: FlaskClient) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/proposals")
    assert answer.status_code == 200
    items: list[dict[str, Any]] = body(answer)["items"]
    return items


def accept(client: FlaskClient, proposal: dict[str, Any]) -> Any:
    terms = {"terms_hash": proposal["terms_hash"]}
    return client.post(f"/api/v1/proposals/{proposal['id']}/accept", json=terms)


@pytest.fixture
def pair(own_app: Application) -> tuple[FlaskClient, FlaskClient]:
    """A seller and a buyer to whom one proposal has been released."""
    town = Town()
    sell, buy = town.sells(), town.buys()
    release(own_app, clear(town.round))
    return trader(own_app, sell), trader(own_app, buy)


def test_before_the_release_a_proposal_does_not_exist_for_its_parties(own_app: Application) -> None:
    town = Town()
    sell, buy = town.sells(), town.buys()
    (proposal,) = proposals_of(clear(town.round))
    for client in (trader(own_app, sell), trader(own_app, buy)):
        assert listed(client) == []
        assert client.get(f"/api/v1/proposals/{proposal.id}").status_code == 404
        answer = client.post(f"/api/v1/proposals/{proposal.id}/decline", json={"reason_code": "price"})
        assert answer.status_code == 404


def test_a_party_sees_who_what_when_how_much_and_the_price(pair: tuple[FlaskClient, FlaskClient]) -> None:
    for client, side in zip(pair, ("seller", "buyer"), strict=True):
        (proposal,) = listed(client)
        assert proposal["side"] == side
        assert [proposal[name] for name in ("price_ex_works", "freight", "price_delivered")] == ["78", "4", "82"]
        assert [proposal[name] for name in ("rate", "quantity", "total_value")] == ["10", "40", "3280"]
        assert proposal["open_moves"] == ["accept", "counter", "decline"]
        text = json.dumps(proposal)
        assert not [word for word in HIDDEN if f'"{word}' in text]
        assert proposal["terms"]["price"] == {"kind": "fixed", "amount": "78"}


def test_a_stranger_sees_nothing(own_app: Application, pair: tuple[FlaskClient, FlaskClient]) -> None:
    (proposal,) = listed(pair[0])
    stranger = browser(own_app, make.UserFactory())
    assert listed(stranger) == []
    assert stranger.get(f"/api/v1/proposals/{proposal['id']}").status_code == 404
    assert accept(stranger, proposal).status_code == 404


def test_both_accept_and_the_contract_has_the_terms_they_saw(
    own_app: Application, pair: tuple[FlaskClient, FlaskClient]
) -> None:
    seller, buyer = pair
    (proposal,) = listed(seller)
    first = accept(seller, proposal)
    assert (first.status_code, body(first)["state"], body(first)["accepted_by_us"]) == (200, "accepted", True)
    second = accept(buyer, proposal)
    assert (second.status_code, body(second)["state"]) == (200, "agreed")
    contract = body(buyer.get(f"/api/v1/contracts/{body(second)['contract_id']}"))
    assert contract["terms"] == proposal["terms"]
    assert contract["terms_hash"] == proposal["terms_hash"]
    assert terms_hash(terms_from_json(canonical_text(contract["terms"]))) == proposal["terms_hash"]
    assert (contract["effective_from"], contract["effective_to"]) == ("2027-01-01", "2027-12-31")
    assert reserved() == 2 * 40, "the contract keeps the volume"
    steps = body(buyer.get(f"/api/v1/contracts/{contract['id']}/events"))["items"]
    assert [step["name"] for step in steps] == [
        "proposal.release",
        "proposal.accept",
        "proposal.accept",
        "contract.conclude",
    ]
    assert {step["version_hash"] for step in steps if step["name"] != "proposal.release"} == {proposal["terms_hash"]}
    stranger = browser(own_app, make.UserFactory())
    assert stranger.get(f"/api/v1/contracts/{contract['id']}").status_code == 404
    assert body(stranger.get("/api/v1/contracts"))["items"] == []


def test_one_side_accepts_once_and_only_the_version_it_names(pair: tuple[FlaskClient, FlaskClient]) -> None:
    seller, buyer = pair
    (proposal,) = listed(seller)
    other = accept(seller, proposal | {"terms_hash": "0" * 64})
    assert other.status_code == 409
    assert body(other)["open_moves"] == ["accept", "counter", "decline"]
    assert accept(seller, proposal).status_code == 200
    again = accept(seller, proposal)
    assert again.status_code == 409
    assert body(again)["open_moves"] == ["counter", "decline"]
    assert accept(buyer, proposal | {"terms_hash": "0" * 64}).status_code == 409
    assert count(Contract) == 0


def test_a_repeated_acceptance_with_its_key_gets_the_first_answer(pair: tuple[FlaskClient, FlaskClient]) -> None:
    (proposal,) = listed(pair[0])
    url, terms = f"/api/v1/proposals/{proposal['id']}/accept", {"terms_hash": proposal["terms_hash"]}
    first = pair[0].post(url, json=terms, headers={"Idempotency-Key": "one"})
    again = pair[0].post(url, json=terms, headers={"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"


def test_declining_needs_a_reason_of_the_list_and_frees_the_volume(pair: tuple[FlaskClient, FlaskClient]) -> None:
    seller, buyer = pair
    (proposal,) = listed(buyer)
    url = f"/api/v1/proposals/{proposal['id']}/decline"
    assert buyer.post(url, json={"reason_code": "mood"}).status_code == 422
    assert accept(seller, proposal).status_code == 200
    answer = buyer.post(url, json={"reason_code": "price"})
    assert (answer.status_code, body(answer)["state"], body(answer)["open_moves"]) == (200, "declined", [])
    assert reserved() == 0
    assert accept(seller, proposal).status_code == 409
    again = buyer.post(url, json={"reason_code": "price"})
    assert again.status_code == 409
    assert body(again).get("open_moves", []) == []


def test_after_its_time_a_proposal_expires_once_and_frees_the_volume(
    own_app: Application, pair: tuple[FlaskClient, FlaskClient]
) -> None:
    seller, buyer = pair
    (proposal,) = listed(seller)
    accept(seller, proposal)
    later(own_app, days=8)
    seller, buyer = (browser(own_app, make.UserFactory(firm=firm)) for firm in _firms())
    late = accept(buyer, proposal)
    assert late.status_code == 409
    assert "ran out" in body(late)["detail"]
    assert expire_all(now=clock()) == {"offers": 0, "proposals": 1, "counters": 0}
    assert expire_all(now=clock()) == {"offers": 0, "proposals": 0, "counters": 0}
    assert reserved() == 0
    assert body(buyer.get(f"/api/v1/proposals/{proposal['id']}"))["state"] == "expired"


def _firms() -> tuple[Firm, Firm]:
    proposal = db.session.scalars(sa.select(Proposal)).one()
    return proposal.seller, proposal.buyer


def test_the_chain_becomes_contracts_together(own_app: Application) -> None:
    town, carbonate, converter, buyer = chain()
    release(own_app, clear(town.round))
    miner, processor, maker = (trader(own_app, offer) for offer in (carbonate, converter, buyer))
    (into,) = listed(miner)
    (out,) = listed(maker)
    assert into["conditional"]
    assert out["conditional"]
    assert body(accept(miner, into))["state"] == "accepted"
    waiting = accept(processor, into)
    assert (waiting.status_code, body(waiting)["state"]) == (200, "accepted"), "the bundle is not complete"
    assert body(waiting)["open_moves"] == ["counter", "decline"]
    assert body(accept(maker, out))["state"] == "accepted"
    assert count(Contract) == 0
    assert body(accept(processor, out))["state"] == "agreed"
    db.session.rollback()
    assert count(Contract) == 2
    assert {one.state for one in db.session.scalars(sa.select(Proposal))} == {"agreed"}


def test_one_refusal_ends_the_bundle(own_app: Application) -> None:
    town, carbonate, _, buyer = chain()
    release(own_app, clear(town.round))
    miner, maker = trader(own_app, carbonate), trader(own_app, buyer)
    (into,), (out,) = listed(miner), listed(maker)
    accept(miner, into)
    maker.post(f"/api/v1/proposals/{out['id']}/decline", json={"reason_code": "quality"})
    assert body(miner.get(f"/api/v1/proposals/{into['id']}"))["state"] == "cancelled"
    reasons = sa.select(Event.reason_code).where(Event.name == "proposal.fall_with_bundle")
    assert db.session.scalars(reasons).all() == ["member_declined"]
    assert reserved() == 0
    assert count(Reservation, Reservation.released_at.is_(None)) == 0


def test_two_traders_of_one_side_accept_at_once(own_app: Application, pair: tuple[FlaskClient, FlaskClient]) -> None:
    (proposal,) = listed(pair[0])
    firm, _ = _firms()
    clients = [browser(own_app, make.UserFactory(firm=firm)) for _ in range(2)]
    assert sorted(_at_once(lambda client: accept(client, proposal).status_code, clients)) == [200, 409]


def test_acceptance_and_expiry_at_once_leave_one_of_the_two(
    own_app: Application, pair: tuple[FlaskClient, FlaskClient]
) -> None:
    seller, buyer = pair
    (proposal,) = listed(seller)
    accept(seller, proposal)
    # For the job the time is over, for the party it is not yet: both go for the same row.
    over = clock() + dt.timedelta(days=8)
    answers: list[int] = []

    def expiry() -> None:
        with own_app.app_context():
            expire_all(now=over)

    thread = threading.Thread(target=expiry)
    thread.start()
    answers.append(accept(buyer, proposal).status_code)
    thread.join()
    db.session.rollback()
    contracts = count(Contract)
    state = db.session.scalars(sa.select(Proposal.state)).one()
    assert (answers, contracts, state, reserved()) in (([200], 1, "agreed", 80), ([409], 0, "expired", 0))


def _at_once(act: Any, clients: list[FlaskClient]) -> list[Any]:
    answers: list[Any] = []
    start = threading.Barrier(len(clients))

    def go(client: FlaskClient) -> None:
        with client.application.app_context():
            start.wait()
            answers.append(act(client))

    threads = [threading.Thread(target=go, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
