"""Counter-offers over HTTP: versions and what they change, limits, answers, timers, bundles, what two do at once."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs.expiries import expire_all
from app.models import Contract, Event, Offer, Outbox, Proposal, ProposalVersion, Reservation, VersionState
from app.transaction import Application
from tests import factories as make

from .night_market import Town, body, browser, chain, clear, count, later, proposals_of, reserved, standing_application
from .test_proposals import accept, listed, release, trader


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


@dataclass
class Deal:
    """A released proposal of ten lots per quarter at 78 ex works (ask 70, bid 90, freight 4), and its parties."""

    app: Application
    sell: Offer
    buy: Offer
    seller: FlaskClient
    buyer: FlaskClient
    id: str

    def now(self, client: FlaskClient | None = None) -> dict[str, Any]:
        answer = (client or self.seller).get(f"/api/v1/proposals/{self.id}")
        found: dict[str, Any] = body(answer)
        return found

    def counter(self, client: FlaskClient, **asked: Any) -> Any:
        document = {"version": self.now(client)["version"]} | asked
        return client.post(f"/api/v1/proposals/{self.id}/counters", json=document)

    def answer(self, client: FlaskClient, what: str, terms_hash: str, **more: Any) -> Any:
        return client.post(f"/api/v1/proposals/{self.id}/counters/{what}", json={"terms_hash": terms_hash} | more)

    def versions(self, client: FlaskClient | None = None) -> list[dict[str, Any]]:
        answer = (client or self.seller).get(f"/api/v1/proposals/{self.id}/versions")
        items: list[dict[str, Any]] = body(answer)["items"]
        return items

    def row(self) -> Proposal:
        db.session.rollback()
        return db.session.scalars(sa.select(Proposal)).one()


def price(amount: str) -> dict[str, str]:
    return {"kind": "fixed", "amount": amount}


def deal_of(app: Application, town: Town, **terms: Any) -> Deal:
    sell, buy = town.sells(**terms.get("sell", {})), town.buys(**terms.get("buy", {}))
    run = clear(town.round)
    release(app, run)
    (proposal,) = proposals_of(run)
    return Deal(app, sell, buy, trader(app, sell), trader(app, buy), str(proposal.id))


@pytest.fixture
def deal(own_app: Application) -> Deal:
    return deal_of(own_app, Town())


def faults(answer: Any) -> dict[str, str]:
    return {fault["place"]: fault["detail"] for fault in body(answer)["errors"]}


def test_the_release_is_the_first_version_and_a_counter_the_next(deal: Deal) -> None:
    (first,) = deal.versions()
    assert (first["number"], first["state"], first["side"], first["differences"]) == (1, "on_offer", None, [])
    answer = deal.counter(deal.buyer, price=price("76.5"), message="the market has fallen")
    assert answer.status_code == 200, answer.json
    assert (body(answer)["state"], body(answer)["countered_by_us"]) == ("countered", True)
    first, second = deal.versions()
    assert (second["number"], second["state"], second["side"]) == (2, "open", "buyer")
    assert second["message"] == "the market has fallen"
    assert second["expires_at"] == "2026-11-23T04:00:00Z"
    (change,) = second["differences"]
    assert change == {
        "pointer": "/price/amount",
        "name_zh": "价格（出厂）",
        "name_en": "Price ex works",
        "measure": "money",
        "period": None,
        "old": "78",
        "new": "76.5",
    }
    assert second["terms"]["price"] == price("76.5")
    assert second["by_user_id"] is None, "who of the buyer's people it was is the buyer's business"
    assert deal.versions(deal.buyer)[1]["by_user_id"] is not None
    assert deal.now()["terms_hash"] == first["terms_hash"], "until it is taken up, the version before is what stands"


def test_a_counter_taken_up_is_accepted_by_both_with_one_hash_and_becomes_the_contract(deal: Deal) -> None:
    deal.counter(deal.buyer, price=price("76.5"))
    first, second = deal.versions()
    assert deal.now(deal.seller)["open_moves"] == ["decline", "reject_counter", "take_counter"]
    assert deal.now(deal.buyer)["open_moves"] == ["decline", "withdraw_counter"]
    taken = body(deal.answer(deal.seller, "take", second["terms_hash"]))
    assert (taken["state"], taken["terms_hash"]) == ("released", second["terms_hash"])
    assert [taken[name] for name in ("price_ex_works", "price_delivered", "total_value")] == ["76.5", "80.5", "3220"]
    assert not taken["accepted_by_us"]
    assert not taken["accepted_by_other"]
    assert accept(deal.seller, {"id": deal.id, "terms_hash": first["terms_hash"]}).status_code == 409
    assert accept(deal.seller, taken).status_code == 200
    agreed = accept(deal.buyer, taken)
    assert (agreed.status_code, body(agreed)["state"]) == (200, "agreed")
    contract = db.session.scalars(sa.select(Contract)).one()
    assert (contract.terms_hash, contract.terms["price"]) == (second["terms_hash"], price("76.5"))
    assert [version["state"] for version in deal.versions()] == ["replaced", "on_offer"]
    steps = body(deal.buyer.get(f"/api/v1/contracts/{contract.id}/events"))["items"]
    assert [step["name"] for step in steps][:4] == [
        "proposal.release",
        "proposal.counter",
        "proposal.take_counter",
        "proposal.accept",
    ]
    assert [step["version_hash"] for step in steps][1:4] == [second["terms_hash"]] * 3


def test_taking_up_and_accepting_at_once(deal: Deal) -> None:
    deal.counter(deal.buyer, price=price("76.5"))
    taken = body(deal.answer(deal.seller, "take", deal.versions()[1]["terms_hash"], accept=True))
    assert (taken["state"], taken["accepted_by_us"], taken["accepted_by_other"]) == ("accepted", True, False)
    assert body(accept(deal.buyer, taken))["state"] == "agreed"


@pytest.mark.parametrize(("what", "state"), [("reject", "rejected"), ("withdraw", "withdrawn")])
def test_a_counter_that_fails_leaves_the_version_before_with_nobody_having_accepted(
    deal: Deal, what: str, state: str
) -> None:
    assert accept(deal.seller, deal.now()).status_code == 200
    before = deal.now()
    assert before["accepted_by_us"]
    deal.counter(deal.buyer, price=price("76.5"))
    waiting = deal.versions()[1]["terms_hash"]
    answering, other = (deal.seller, deal.buyer) if what == "reject" else (deal.buyer, deal.seller)
    assert deal.answer(other, what, waiting).status_code == 409, "it is not that side's to do"
    answer = deal.answer(answering, what, waiting)
    assert (answer.status_code, body(answer)["state"]) == (200, "released")
    after = deal.now()
    assert (after["terms_hash"], after["accepted_by_us"]) == (before["terms_hash"], False)
    assert [version["state"] for version in deal.versions()] == ["on_offer", state]
    assert deal.answer(answering, what, waiting).status_code == 409
    again = deal.counter(deal.buyer, price=price("76.5"))
    assert again.status_code == 200, "the same may be asked again"
    assert deal.versions()[2]["terms_hash"] == waiting


def test_only_the_counter_that_was_read_is_answered(deal: Deal) -> None:
    deal.counter(deal.buyer, price=price("76.5"))
    for what, client in (("take", deal.seller), ("reject", deal.seller), ("withdraw", deal.buyer)):
        answer = deal.answer(client, what, "0" * 64)
        assert answer.status_code == 409
        assert "another version waits" in body(answer)["detail"]
    assert accept(deal.seller, deal.now()).status_code == 409, "while a counter waits nothing is accepted"


def test_nobody_counters_what_he_has_not_seen(deal: Deal) -> None:
    seen = deal.now(deal.buyer)["version"]
    assert accept(deal.seller, deal.now()).status_code == 200
    answer = deal.counter(deal.buyer, version=seen, price=price("76"))
    assert answer.status_code == 409
    assert "has changed since" in body(answer)["detail"]
    assert deal.now()["accepted_by_us"]
    assert deal.counter(deal.buyer, price=price("76")).status_code == 200


LIMITS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a seller below his ask": ("seller", {"price": price("69.99")}, "/price/amount", "at least your own limit, 70"),
    "a buyer above his bid": ("buyer", {"price": price("86.01")}, "/price/amount", "at most your own limit, 86"),
    "more than was matched": ("buyer", {"schedule": [{"period": "2027-Q2", "lots": 11}]}, "/schedule/2027-Q2", "10"),
    "a hole": ("seller", {"schedule": [{"period": "2027-Q2", "lots": 0}]}, "/schedule/2027-Q2", "from 1 to 10 lots"),
    "outside the window": (
        "seller",
        {"schedule": [{"period": "2028-Q1", "lots": 1}]},
        "/schedule/2028-Q1",
        "2027-Q1 to 2027-Q4",
    ),
    "a share of more than one": (
        "buyer",
        {"numbers": {"/payment/provisional_share": "1.1"}},
        "/payment/provisional_share",
        "0 to 1",
    ),
    "half a day": ("buyer", {"numbers": {"/payment/due_days": "30.5"}}, "/payment/due_days", "a whole number"),
    "days without end": ("buyer", {"numbers": {"/payment/due_days": "99999"}}, "/payment/due_days", "at most 730"),
    "a fraction as a number": ("buyer", {"price": {"kind": "fixed", "amount": 77.5}}, "/", "written as a string"),
    "periods of another kind": (
        "seller",
        {"schedule": [{"period": "2027-01", "lots": 1}, {"period": "2029-Q1", "lots": 1}]},
        "/schedule/2027-01",
        "2027-Q1 to 2027-Q4",
    ),
    "more tolerance": ("buyer", {"numbers": {"/tolerance/over": "0.06"}}, "/tolerance/over", "at most 0.05"),
    "nothing": ("buyer", {"price": price("78")}, "/", "at least one change"),
    "seven decimals": ("buyer", {"price": price("77.1234567")}, "/price/amount", "six digits"),
    "no price": ("buyer", {"price": price("-1")}, "/price/amount", "more than 0"),
    "an unbounded formula": (
        "buyer",
        {
            "price": {
                "kind": "formula",
                "base": "78",
                "indices": [{"index": "x", "weight": "1", "coefficient": "1", "quoted_tax": "0"}],
                "quotation": "month_before",
                "premium": "0",
                "floor": None,
                "ceiling": "86",
                "failure": {"carry_days": 5, "substitute": None, "substitute_factor": "1"},
            }
        },
        "/price",
        "a formula with a floor and a ceiling",
    ),
}


@pytest.mark.parametrize("case", LIMITS)
def test_no_counter_leaves_the_limits_and_the_refusal_names_the_field(deal: Deal, case: str) -> None:
    side, asked, place, expected = LIMITS[case]
    client = {"seller": deal.seller, "buyer": deal.buyer}[side]
    answer = deal.counter(client, **asked)
    assert answer.status_code == 422, answer.json
    assert expected in faults(answer)[place]
    assert deal.now()["state"] == "released"
    assert len(deal.versions()) == 1


def test_all_that_is_wrong_is_told_at_once(deal: Deal) -> None:
    asked = {"price": price("90"), "schedule": [{"period": "2027-Q1", "lots": 12}, {"period": "2027-Q2", "lots": 30}]}
    assert set(faults(deal.counter(deal.buyer, **asked))) == {"/price/amount", "/schedule/2027-Q1", "/schedule/2027-Q2"}


def test_the_other_sides_limit_is_told_to_nobody(deal: Deal) -> None:
    """A seller may ask for more than the buyer's bid; only the buyer is told, and only when he would take it."""
    answer = deal.counter(deal.seller, price=price("89"))
    assert answer.status_code == 200, "whether the buyer can pay it is not told by a refusal"
    taken = deal.answer(deal.buyer, "take", deal.versions()[1]["terms_hash"])
    assert taken.status_code == 422
    assert "at most your own limit, 86" in faults(taken)["/price/amount"]
    assert deal.now()["state"] == "countered"
    for client, hidden in ((deal.seller, "86"), (deal.buyer, "70")):
        room = client.get(f"/api/v1/proposals/{deal.id}/counters/room")
        assert f'"{hidden}"' not in json.dumps(room.json)


def test_the_room_tells_a_side_its_own_limits(deal: Deal) -> None:
    room = body(deal.seller.get(f"/api/v1/proposals/{deal.id}/counters/room"))
    assert (room["least_price"], room["most_price"]) == ("70", None)
    assert room["schedule"][0] == {"period": "2027-Q1", "lots": 10, "least_lots": 1, "most_lots": 10}
    assert room["schedule_fixed"] is None
    assert room["numbers"]["/payment/due_days"] == "30"
    assert room["places"] == [], "the goods come to the buyer: he says where"
    assert len(body(deal.buyer.get(f"/api/v1/proposals/{deal.id}/counters/room"))["places"]) == 1


def test_a_formula_is_taken_by_its_worst_case(deal: Deal) -> None:
    formula = {
        "kind": "formula",
        "base": "0",
        "indices": [{"index": "carbonate", "weight": "1", "coefficient": "1", "quoted_tax": "0.13"}],
        "quotation": "month_before",
        "premium": "0",
        "floor": "72",
        "ceiling": "86",
        "failure": {"carry_days": 5, "substitute": None, "substitute_factor": "1"},
    }
    assert "/price/floor" in faults(deal.counter(deal.seller, price=formula | {"floor": "69"}))
    assert deal.counter(deal.seller, price=formula).status_code == 200
    waiting = deal.versions()[1]
    assert {"/price/kind", "/price/floor", "/price/ceiling"} <= {one["pointer"] for one in waiting["differences"]}
    taken = deal.answer(deal.buyer, "take", waiting["terms_hash"], accept=True)
    assert taken.status_code == 200, taken.json
    assert body(accept(deal.seller, body(taken)))["state"] == "agreed"
    assert db.session.scalars(sa.select(Contract)).one().terms["price"] == formula


def test_less_volume_is_held_until_agreement_and_then_given_back(deal: Deal) -> None:
    fewer = [{"period": "2027-Q1", "lots": 4}, {"period": "2027-Q2", "lots": 8}]
    answer = deal.counter(deal.buyer, schedule=fewer)
    assert answer.status_code == 200, answer.json
    waiting = deal.versions()[1]
    quantities = [
        (one["period"], one["old"], one["new"]) for one in waiting["differences"] if one["name_en"] == "Quantity"
    ]
    assert quantities == [("2027-Q1", 10, 4), ("2027-Q2", 10, 8)]
    taken = body(deal.answer(deal.seller, "take", waiting["terms_hash"], accept=True))
    assert (taken["quantity"], taken["total_value"]) == ("32", "2624")
    assert reserved() == 80, "until both have accepted, all that was matched is held"
    assert body(accept(deal.buyer, taken))["state"] == "agreed"
    assert reserved() == 64
    held = sa.select(Reservation.period, Reservation.quantity).order_by(Reservation.period, Reservation.offer_id)
    assert [tuple(row) for row in db.session.execute(held)][:4] == [("2027-Q1", 4)] * 2 + [("2027-Q2", 8)] * 2


def test_the_side_whose_gate_it_is_chooses_another_of_its_sites_in_the_region(own_app: Application) -> None:
    town = Town()
    deal = deal_of(own_app, town)
    near = make.SiteFactory(firm=deal.buy.firm, region=town.destination, name_zh="二厂", name_en="Plant 2")
    far = make.SiteFactory(firm=deal.buy.firm, region=town.origin)
    foreign = make.SiteFactory(region=town.destination)
    db.session.commit()
    for site in (far, foreign):
        answer = deal.counter(deal.buyer, delivery_site_id=str(site.id))
        assert "/delivery/place" in faults(answer)
    assert "/delivery/place" in faults(deal.counter(deal.seller, delivery_site_id=str(near.id)))
    assert deal.counter(deal.buyer, delivery_site_id=str(near.id)).status_code == 200
    waiting = deal.versions()[1]
    assert waiting["terms"]["delivery"]["place"].startswith("二厂 Plant 2, ")
    assert [one["pointer"] for one in waiting["differences"]] == ["/delivery/place"]
    assert deal.answer(deal.seller, "take", waiting["terms_hash"]).status_code == 200


def test_an_offer_of_all_or_none_keeps_its_quantity(own_app: Application) -> None:
    deal = deal_of(own_app, Town(), sell={"all_or_none": True})
    less = [{"period": "2027-Q1", "lots": 9}]
    assert "all or none" in faults(deal.counter(deal.seller, schedule=less))["/schedule/2027-Q1"]
    assert deal.counter(deal.buyer, schedule=less).status_code == 200, "the seller's term is not told to the buyer"
    taken = deal.answer(deal.seller, "take", deal.versions()[1]["terms_hash"])
    assert "/schedule/2027-Q1" in faults(taken)


def test_a_limit_that_moved_meanwhile_counts_when_the_counter_is_taken_up(deal: Deal) -> None:
    assert deal.counter(deal.buyer, price=price("84")).status_code == 200
    deal.buy.price = Decimal(85)
    db.session.commit()
    answer = deal.answer(deal.seller, "take", deal.versions()[1]["terms_hash"])
    assert answer.status_code == 409
    assert "does not fit the limits" in body(answer)["detail"]


def test_a_counter_runs_out_and_the_version_before_is_on_offer_again(deal: Deal) -> None:
    early = {"price": price("77"), "expires_at": "2026-11-20T04:10:00Z"}
    assert deal.counter(deal.buyer, **early).status_code == 422
    assert deal.counter(deal.buyer, **early | {"expires_at": "2026-12-20T04:00:00Z"}).status_code == 422
    assert deal.counter(deal.buyer, **early | {"expires_at": "2026-11-21T04:00:00Z"}).status_code == 200
    later(deal.app, hours=25)
    seller = browser(deal.app, make.UserFactory(firm=deal.sell.firm))
    late = deal.answer(seller, "take", deal.versions(seller)[1]["terms_hash"])
    assert late.status_code == 409
    assert "ran out" in body(late)["detail"]
    assert expire_all(now=clock()) == {"offers": 0, "proposals": 0, "counters": 1}
    assert expire_all(now=clock()) == {"offers": 0, "proposals": 0, "counters": 0}
    found = deal.now(seller)
    assert (found["state"], found["open_moves"]) == ("released", ["accept", "counter", "decline"])
    assert deal.versions(seller)[1]["state"] == "expired"


@pytest.mark.parametrize("end", ["decline", "expire"])
def test_a_counter_ends_with_its_proposal(deal: Deal, end: str) -> None:
    deal.counter(deal.buyer, price=price("77"))
    if end == "decline":
        answer = deal.buyer.post(f"/api/v1/proposals/{deal.id}/decline", json={"reason_code": "price"})
        assert body(answer)["state"] == "declined"
    else:
        expire_all(now=clock() + dt.timedelta(days=8))
    states = db.session.scalars(sa.select(ProposalVersion.state).order_by(ProposalVersion.number)).all()
    assert states == [VersionState.ON_OFFER, VersionState.VOID]
    assert deal.row().countered_by is None
    assert reserved() == 0


def test_in_a_bundle_the_quantity_stays_and_a_processor_keeps_his_fee(own_app: Application) -> None:
    town, carbonate, converter, buyer = chain()
    release(own_app, clear(town.round))
    miner, processor, maker = (trader(own_app, offer) for offer in (carbonate, converter, buyer))
    (into,), (out,) = listed(miner), listed(maker)

    def counter(client: FlaskClient, proposal: dict[str, Any], **asked: Any) -> Any:
        seen = body(client.get(f"/api/v1/proposals/{proposal['id']}"))["version"]
        return client.post(f"/api/v1/proposals/{proposal['id']}/counters", json={"version": seen} | asked)

    less = [{"period": "2027-Q1", "lots": 1}]
    assert "bundle" in faults(counter(maker, out, schedule=less))["/schedule/2027-Q1"]
    # Of 30 000 per tonne of cathode 8 000 are the fee: a quarter of a tonne of carbonate may cost the rest.
    room = body(processor.get(f"/api/v1/proposals/{into['id']}/counters/room"))
    most = (float(out["price_ex_works"]) - 8_000) / 0.25 - 4  # the freight
    assert abs(float(room["most_price"]) - most) < 0.01
    assert counter(processor, into, price=price(f"{most + 1:.2f}")).status_code == 422
    accepted = body(accept(maker, out))
    assert accepted["accepted_by_us"]
    assert counter(miner, into, price=price(f"{most - 100:.2f}")).status_code == 200
    waiting = body(processor.get(f"/api/v1/proposals/{into['id']}/versions"))["items"][1]
    url = f"/api/v1/proposals/{into['id']}/counters/take"
    assert processor.post(url, json={"terms_hash": waiting["terms_hash"], "accept": True}).status_code == 200
    # What is left to give away on the other side has shrunk with it.
    room = body(processor.get(f"/api/v1/proposals/{out['id']}/counters/room"))
    assert abs(float(room["least_price"]) - (float(out["price_ex_works"]) - 25)) < 0.01
    assert body(maker.get(f"/api/v1/proposals/{out['id']}"))["accepted_by_us"], "its own terms have not changed"
    assert body(accept(processor, out))["state"] == "accepted"
    assert body(accept(miner, waiting | {"id": into["id"]}))["state"] == "agreed"
    assert count(Contract) == 2


def test_a_stranger_finds_nothing_to_read_or_to_answer(deal: Deal) -> None:
    deal.counter(deal.buyer, price=price("77"))
    waiting = deal.versions()[1]["terms_hash"]
    stranger = browser(deal.app, make.UserFactory())
    for path in ("versions", "counters/room", "messages"):
        assert stranger.get(f"/api/v1/proposals/{deal.id}/{path}").status_code == 404
    for what in ("take", "reject", "withdraw"):
        assert deal.answer(stranger, what, waiting).status_code == 404
    asked = {"version": 1, "price": price("77")}
    assert stranger.post(f"/api/v1/proposals/{deal.id}/counters", json=asked).status_code == 404


def test_each_side_is_told_of_what_the_other_did(deal: Deal) -> None:
    deal.counter(deal.buyer, price=price("77"))
    deal.answer(deal.seller, "reject", deal.versions()[1]["terms_hash"], message="not below 78")
    db.session.rollback()
    told = sa.select(Outbox.topic, Outbox.firm_ids).where(Outbox.topic != "proposal.released").order_by(Outbox.id)
    assert [tuple(row) for row in db.session.execute(told) if row.topic != "run.done"] == [
        ("proposal.countered", [deal.sell.firm_id]),
        ("message.posted", [deal.buy.firm_id]),
        ("proposal.counter_rejected", [deal.buy.firm_id]),
    ]


def test_a_counter_and_an_acceptance_at_once_leave_one_of_the_two(deal: Deal) -> None:
    seen = deal.now()
    outcomes = _at_once(
        deal.app,
        lambda: accept(deal.seller, seen).status_code,
        lambda: deal.counter(deal.buyer, version=seen["version"], price=price("77")).status_code,
    )
    assert sorted(outcomes.values()) == [200, 409]
    assert deal.row().state == ("accepted" if outcomes[0] == 200 else "countered")
    assert count(ProposalVersion) == (1 if outcomes[0] == 200 else 2)


def test_two_counters_at_once_leave_one(deal: Deal) -> None:
    seen = deal.now()["version"]
    outcomes = _at_once(
        deal.app,
        lambda: deal.counter(deal.seller, version=seen, price=price("79")).status_code,
        lambda: deal.counter(deal.buyer, version=seen, price=price("77")).status_code,
    )
    assert sorted(outcomes.values()) == [200, 409]
    assert deal.row().countered_by == ("seller" if outcomes[0] == 200 else "buyer")


def test_a_counter_is_taken_up_or_withdrawn_never_both(deal: Deal) -> None:
    deal.counter(deal.buyer, price=price("77"))
    waiting = deal.versions()[1]["terms_hash"]
    outcomes = _at_once(
        deal.app,
        lambda: deal.answer(deal.seller, "take", waiting).status_code,
        lambda: deal.answer(deal.buyer, "withdraw", waiting).status_code,
    )
    assert sorted(outcomes.values()) == [200, 409]
    names = db.session.scalars(
        sa.select(Event.name).where(Event.name.in_(("proposal.take_counter", "proposal.withdraw_counter")))
    )
    assert len(names.all()) == 1


def test_a_repeated_counter_with_its_key_gets_the_first_answer(deal: Deal) -> None:
    url, asked = f"/api/v1/proposals/{deal.id}/counters", {"version": deal.now()["version"], "price": price("77")}
    first = deal.buyer.post(url, json=asked, headers={"Idempotency-Key": "one"})
    again = deal.buyer.post(url, json=asked, headers={"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code, again.json == first.json) == (200, 200, True)
    assert len(deal.versions()) == 2


def _at_once(app: Application, *acts: Any) -> dict[int, Any]:
    outcomes: dict[int, Any] = {}
    start = threading.Barrier(len(acts))

    def go(number: int, act: Any) -> None:
        with app.app_context():
            start.wait()
            outcomes[number] = act()

    threads = [threading.Thread(target=go, args=(number, act)) for number, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
