"""Offers through the API: what may be posted, how it changes, and what is refused, each fault by its place."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.db import db
from app.models import (
    AccessLog,
    Event,
    Firm,
    Offer,
    OfferPeriod,
    OfferState,
    Reason,
    Reservation,
    Round,
    RoundKind,
    RoundState,
    RunState,
    User,
    UserRole,
)
from app.operations import offers
from tests import factories as f
from tests.functional.market_place import NOON, MarketPlace, market_place, place, trader

from .web_market import at_noon

__all__ = ["at_noon", "place", "trader"]

URL = "/api/v1/offers"
Browser = Any  # a FlaskClient; its answers' `json` may be anything
SignIn = Callable[[User], Browser]


def pointers(answer: Any) -> dict[str, str]:
    return {error["pointer"]: error["detail"] for error in answer.json["errors"]}


def change(browser: Browser, offer: dict[str, Any], **terms: Any) -> Any:
    tag = browser.get(f"{URL}/{offer['id']}").headers["ETag"]
    return browser.patch(f"{URL}/{offer['id']}", json=terms, headers={"If-Match": tag})


def act(browser: Browser, offer: dict[str, Any], move: str) -> Any:
    tag = browser.get(f"{URL}/{offer['id']}").headers["ETag"]
    return browser.post(f"{URL}/{offer['id']}/{move}", headers={"If-Match": tag})


def test_a_capacity_is_posted_in_units_and_stored_in_lots(client_as: SignIn, session: Session) -> None:
    place = market_place(lot=Decimal(10))
    body = place.offer(
        periods=[{"period": "2027-Q2", "quantity": "50", "price": "71.5"}],
        min_rate="20",
        reference="S-1",
        specification={"assay_percent": "99.5"},
        certificates=["ISO9001"],
        exclusions=[str(f.FirmFactory().id)],
        group="either",
    )
    answer = client_as(place.trader).post(URL, json=body)
    assert answer.status_code == 201, answer.json
    shown = answer.json
    assert shown["periods"][0] == {"period": "2027-Q1", "quantity": "100", "price": None, "reserved": "0"}
    assert shown["periods"][1] == {"period": "2027-Q2", "quantity": "50", "price": "71.5", "reserved": "0"}
    assert (shown["state"], shown["revision"], shown["basis"], shown["min_rate"]) == ("open", 1, "ex_works", "20")
    assert (shown["lot"], shown["unit"], shown["warnings"]) == ("10", "t", [])
    stored = session.get_one(Offer, uuid.UUID(shown["id"]))
    assert [period.quantity for period in stored.periods] == [10, 5, 10, 10, 10, 10, 10, 10]
    assert stored.min_rate == 2
    assert stored.posted_by_id == place.trader.id
    assert [event.name for event in events_of(session, stored)] == ["offer.post"]


def events_of(session: Session, offer: Offer) -> list[Event]:
    return list(session.scalars(sa.select(Event).where(Event.subject_id == offer.id).order_by(Event.id)))


def test_a_demand_and_a_conversion_are_posted(place: MarketPlace, trader: Browser) -> None:
    supplier = f.FirmFactory()
    demand = trader.post(
        URL, json=place.offer(kind="demand", max_share="0.4", approved_suppliers=[str(supplier.id)], min_term=2)
    )
    assert demand.status_code == 201, demand.json
    assert (demand.json["basis"], demand.json["max_share"]) == ("delivered", "0.4")
    ore = f.GradeFactory(code="SC6", product=f.ProductFactory(code="spodumene", lot=Decimal(10)))
    line = {
        "product": ore.product_code,
        "grade": "SC6",
        "quantity_per_output": "7.658466",
        "own_stock_per_period": "50",
    }
    conversion = trader.post(URL, json=place.offer(kind="conversion", price="16000", inputs=[line]))
    assert conversion.status_code == 201, conversion.json
    assert conversion.json["inputs"] == [line]


BAD_TERMS: list[tuple[dict[str, Any], str, str]] = [
    ({"grade": "gold"}, "#/grade", "found gold; expected a grade of the product: technical, battery"),
    ({"product": "water"}, "#/product", "found water; expected a product code of the list"),
    ({"site_id": str(uuid.UUID(int=7))}, "#/site_id", "expected an active site of your own firm"),
    (
        {"first_period": "2026-Q4"},
        "#/first_period",
        "found 2026-Q4; expected a period of the round: 2027-Q1 to",
    ),
    ({"first_period": "2027"}, "#/first_period", "expected a period of the round"),
    ({"first_period": "2028-Q4", "last_period": "2028-Q3"}, "#/last_period", "not before the first, 2028-Q4"),
    ({"quantity": "0.5"}, "#/periods/2027-Q1/quantity", "found 0.5; expected a multiple of 1 t"),
    ({"quantity": "0"}, "#/quantity", "above 0 in at least one period"),
    ({"min_rate": "101"}, "#/min_rate", "at most the largest quantity of a period, 100"),
    ({"min_rate": "1.5"}, "#/min_rate", "a multiple of 1 t"),
    ({"min_term": 9}, "#/min_term", "at most the 8 periods of the offer"),
    ({"min_term": 4, "max_term": 3}, "#/max_term", "not less than the shortest term, 4"),
    ({"currency": "USD"}, "#/currency", "CNY or a currency the round has a rate for: CNY"),
    ({"max_share": "0.5"}, "#/max_share", "only a demand names a largest share"),
    ({"kind": "demand", "max_share": "0"}, "#/max_share", "more than 0 and at most 1"),
    ({"specification": {"colour": "3"}}, "#/specification/colour", "an attribute of the product: assay_percent"),
    ({"certificates": ["ISO0"]}, "#/certificates", "a kind of certificate: ISO9001"),
    ({"exclusions": [str(uuid.UUID(int=7))]}, "#/exclusions", "a registered firm"),
    ({"kind": "conversion"}, "#/inputs", "found nothing; expected at least one input"),
    ({"kind": "conversion", "basis": "delivered"}, "#/basis", "ex_works for a conversion"),
    ({"valid_until": "2026-11-20T03:59:00Z"}, "#/valid_until", "expected a time after 2026-11-20T04:00+00:00"),
    ({"periods": [{"period": "2030-Q1", "quantity": "1"}]}, "#/periods/2030-Q1", "a period from 2027-Q1 to 2028-Q4"),
]


@pytest.mark.parametrize(("changes", "pointer", "detail"), BAD_TERMS)
def test_bad_terms_are_refused_by_place_found_and_expected(
    place: MarketPlace, trader: Browser, session: Session, *, changes: dict[str, Any], pointer: str, detail: str
) -> None:
    answer = trader.post(URL, json=place.offer(**changes))
    assert answer.status_code == 422, answer.json
    assert detail in pointers(answer)[pointer]
    assert session.scalar(sa.select(sa.func.count(Offer.id))) == 0


def test_all_faults_are_told_at_once(place: MarketPlace, trader: Browser) -> None:
    answer = trader.post(URL, json=place.offer(grade="gold", min_term=9, currency="USD"))
    assert set(pointers(answer)) == {"#/grade", "#/min_term", "#/currency"}


def test_a_period_without_a_quantity_is_named(place: MarketPlace, trader: Browser) -> None:
    body = place.offer(last_period="2027-Q2", periods=[{"period": "2027-Q1", "quantity": "5"}])
    del body["quantity"]
    assert pointers(trader.post(URL, json=body)) == {
        "#/periods/2027-Q2/quantity": "found nothing; expected a quantity for 2027-Q2"
    }


def test_a_quantity_as_a_number_is_refused(place: MarketPlace, trader: Browser) -> None:
    answer = trader.post(URL, json=place.offer(quantity=100))
    assert answer.status_code == 422
    assert "written as a string" in pointers(answer)["#/quantity"]


def test_another_currency_needs_a_rate_of_the_round(client_as: SignIn, session: Session) -> None:
    place = market_place(currency_rates={"USD": "7.1"})
    answer = client_as(place.trader).post(URL, json=place.offer(currency="USD"))
    assert answer.status_code == 201, answer.json


def test_the_same_key_posts_once(place: MarketPlace, trader: Browser, session: Session) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = trader.post(URL, json=place.offer(), headers=headers)
    second = trader.post(URL, json=place.offer(), headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json
    assert session.scalar(sa.select(sa.func.count(Offer.id))) == 1


def test_a_draft_is_not_for_sale_until_it_is_opened(place: MarketPlace, trader: Browser, session: Session) -> None:
    draft = trader.post(URL, json=place.offer(draft=True)).json
    assert (draft["state"], draft["posted_at"]) == ("draft", None)
    changed = change(trader, draft, price="69")
    assert (changed.json["price"], changed.json["revision"]) == ("69", 1)
    opened = act(trader, draft, "open")
    assert (opened.status_code, opened.json["state"]) == (200, "open")
    versions = trader.get(f"{URL}/{draft['id']}/revisions").json["items"]
    assert [(version["revision"], version["terms"]["price"]) for version in versions] == [(1, "69")]
    offer = session.get_one(Offer, uuid.UUID(draft["id"]))
    assert [event.name for event in events_of(session, offer)] == ["offer.draft", "offer.amend", "offer.post"]
    again = act(trader, draft, "open")
    assert (again.status_code, again.json["open_moves"]) == (409, ["amend", "withdraw"])


def test_a_draft_waits_for_a_round_that_has_not_begun(place: MarketPlace, trader: Browser) -> None:
    place.round.opens_at = NOON + dt.timedelta(hours=1)
    assert trader.post(URL, json=place.offer()).status_code == 409
    draft = trader.post(URL, json=place.offer(draft=True))
    assert draft.status_code == 201
    assert act(trader, draft.json, "open").status_code == 409


def test_an_amendment_keeps_what_it_does_not_name_and_the_versions(place: MarketPlace, trader: Browser) -> None:
    posted = trader.post(
        URL, json=place.offer(reference="S-1", periods=[{"period": "2027-Q2", "quantity": "40", "price": "80"}])
    ).json
    amended = change(trader, posted, last_period="2027-Q3", periods=[{"period": "2027-Q3", "quantity": "7"}])
    assert amended.status_code == 200, amended.json
    assert [(line["period"], line["quantity"], line["price"]) for line in amended.json["periods"]] == [
        ("2027-Q1", "100", None),
        ("2027-Q2", "40", "80"),
        ("2027-Q3", "7", None),
    ]
    assert (amended.json["revision"], amended.json["reference"]) == (2, "S-1")
    flat = change(trader, posted, price="75")
    assert {line["price"] for line in flat.json["periods"]} == {None}
    same = change(trader, posted, price="75")
    assert same.json["revision"] == 3, "the same terms again are no new version"
    versions = trader.get(f"{URL}/{posted['id']}/revisions").json["items"]
    assert [version["terms"]["price"] for version in versions] == ["70", "70", "75"]
    assert [len(version["terms"]["periods"]) for version in versions] == [8, 3, 3]


def test_parts_are_replaced_added_and_removed(place: MarketPlace, trader: Browser) -> None:
    one, two, three = (str(f.FirmFactory().id) for _ in range(3))
    f.AttributeFactory(product=place.product, code="moisture_percent")
    posted = trader.post(
        URL, json=place.offer(exclusions=[one, two], specification={"assay_percent": "99.5"}, certificates=["ISO9001"])
    ).json
    amended = change(
        trader,
        posted,
        exclusions=[two, three],
        specification={"assay_percent": "99.2", "moisture_percent": "0.25"},
        certificates=[],
    ).json
    assert amended["exclusions"] == sorted([two, three])
    assert amended["specification"] == {"assay_percent": "99.2", "moisture_percent": "0.25"}
    assert amended["certificates"] == []


def test_a_change_names_the_version_it_has_seen(place: MarketPlace, trader: Browser) -> None:
    posted = trader.post(URL, json=place.offer())
    url, tag = f"{URL}/{posted.json['id']}", posted.headers["ETag"]
    assert trader.get(url, headers={"If-None-Match": tag}).status_code == 304
    assert trader.patch(url, json={"price": "71"}).status_code == 428
    assert trader.patch(url, json={"price": "71"}, headers={"If-Match": tag}).status_code == 200
    assert trader.patch(url, json={"price": "72"}, headers={"If-Match": tag}).status_code == 412
    assert trader.post(f"{url}/withdraw", headers={"If-Match": tag}).status_code == 412


def test_kind_and_product_never_change(place: MarketPlace, trader: Browser) -> None:
    posted = trader.post(URL, json=place.offer()).json
    assert "#/kind" in pointers(change(trader, posted, kind="demand"))


def reserve(place: MarketPlace, offer_id: str, quantity: int, *, period: str = "2027-Q1") -> Reservation:
    run = f.RunFactory(round=place.round)
    offer = db.session.get_one(Offer, uuid.UUID(offer_id))
    proposal = f.ProposalFactory(run=run, sell_offer=offer)
    reservation: Reservation = f.ReservationFactory(proposal=proposal, period=period, quantity=quantity)
    db.session.expire_all()
    return reservation


def test_no_amendment_goes_below_what_is_reserved(place: MarketPlace, trader: Browser) -> None:
    posted = trader.post(URL, json=place.offer()).json
    reserve(place, posted["id"], 60)
    assert trader.get(f"{URL}/{posted['id']}").json["periods"][0]["reserved"] == "60"
    below = change(trader, posted, quantity="59")
    assert pointers(below) == {
        "#/periods/2027-Q1/quantity": "found 59; expected at least the 60 t that are reserved in 2027-Q1"
    }
    assert "#/periods/2027-Q1/quantity" in pointers(change(trader, posted, first_period="2027-Q2"))
    assert "#/grade" in pointers(change(trader, posted, grade="technical"))
    assert change(trader, posted, quantity="60").status_code == 200


def test_a_period_that_was_reserved_once_stays_in_the_window(
    place: MarketPlace, trader: Browser, session: Session
) -> None:
    posted = trader.post(URL, json=place.offer()).json
    reserve(place, posted["id"], 60).released_at = NOON
    session.flush()
    session.expire_all()
    assert "#/periods/2027-Q1" in pointers(change(trader, posted, first_period="2027-Q2"))
    assert change(trader, posted, periods=[{"period": "2027-Q1", "quantity": "0"}]).status_code == 200


def test_offers_stand_once_the_round_is_closed(place: MarketPlace, trader: Browser, session: Session) -> None:
    posted = trader.post(URL, json=place.offer()).json
    place.round.state = RoundState.CLOSED
    for answer in (change(trader, posted, price="71"), act(trader, posted, "withdraw")):
        assert (answer.status_code, answer.json["type"]) == (409, "/problems/conflict")
    assert trader.post(URL, json=place.offer()).status_code == 409
    assert session.get_one(Offer, uuid.UUID(posted["id"])).state is OfferState.OPEN


def test_a_withdrawn_offer_stays_so(place: MarketPlace, trader: Browser) -> None:
    posted = trader.post(URL, json=place.offer(reference="S-1")).json
    withdrawn = act(trader, posted, "withdraw")
    assert (withdrawn.status_code, withdrawn.json["state"]) == (200, "withdrawn")
    assert change(trader, posted, price="71").status_code == 409
    assert trader.post(URL, json=place.offer(reference="S-1")).status_code == 201, "the reference is free again"


def test_a_reference_is_taken_once_by_each_firm(place: MarketPlace, trader: Browser, client_as: SignIn) -> None:
    assert trader.post(URL, json=place.offer(reference="S-1")).status_code == 201
    assert "#/reference" in pointers(trader.post(URL, json=place.offer(reference="S-1")))
    other = f.UserFactory()
    site = f.SiteFactory(firm=other.firm)
    theirs = client_as(other).post(URL, json=place.offer(reference="S-1", site_id=str(site.id)))
    assert theirs.status_code == 201, theirs.json


def test_expiry_ends_what_was_valid_until_now(place: MarketPlace, trader: Browser, session: Session) -> None:
    soon = trader.post(URL, json=place.offer(valid_until="2026-11-20T05:00:00Z")).json
    later = trader.post(URL, json=place.offer(valid_until="2026-11-21T05:00:00Z")).json
    at = NOON + dt.timedelta(hours=1)
    assert offers.expire(session, principal=SYSTEM, now=at - dt.timedelta(seconds=1)) == 0
    assert offers.expire(session, principal=SYSTEM, now=at) == 1
    assert session.get_one(Offer, uuid.UUID(soon["id"])).state is OfferState.EXPIRED
    assert session.get_one(Offer, uuid.UUID(later["id"])).state is OfferState.OPEN


def test_promised_above_built_capacity_is_a_warning(place: MarketPlace, trader: Browser) -> None:
    first = trader.post(URL, json=place.offer(quantity="3000"))
    assert first.json["warnings"] == []
    second = trader.post(URL, json=place.offer(quantity="2001", first_period="2027-Q1", last_period="2027-Q1"))
    assert second.status_code == 201
    assert [(warning["code"], warning["message"]) for warning in second.json["warnings"]] == [
        ("above_built_capacity", "2027-Q1: 5001 t are promised, the site is built for 5000 t")
    ]


def test_a_site_without_registered_capacity_is_a_warning(place: MarketPlace, trader: Browser) -> None:
    elsewhere = f.SiteFactory(firm=place.firm)
    answer = trader.post(URL, json=place.offer(site_id=str(elsewhere.id)))
    assert [warning["code"] for warning in answer.json["warnings"]] == ["no_built_capacity"]


def test_only_guests_post_to_a_docking_round(place: MarketPlace, trader: Browser) -> None:
    docking: Round = f.RoundFactory(kind=RoundKind.DOCKING)
    closed_door = trader.post(URL, json=place.offer(round_id=str(docking.id)))
    unknown = trader.post(URL, json=place.offer(round_id=str(uuid.UUID(int=9))))
    assert closed_door.status_code == unknown.status_code == 422
    assert closed_door.json["errors"][0]["detail"].split(";")[1] == unknown.json["errors"][0]["detail"].split(";")[1]


def test_the_list_is_filtered_and_paged(place: MarketPlace, trader: Browser) -> None:
    ids = [trader.post(URL, json=place.offer(reference=f"S-{number}")).json["id"] for number in range(3)]
    act(trader, {"id": ids[0]}, "withdraw")
    page = trader.get(f"{URL}?limit=1&state=open").json
    rest = trader.get(f"{URL}?limit=5&state=open&cursor={page['next']}").json
    assert {page["items"][0]["id"], *(item["id"] for item in rest["items"])} == set(ids[1:])
    assert rest["next"] is None


def test_results_tell_quantity_reason_and_distance_of_finished_runs(place: MarketPlace, trader: Browser) -> None:
    posted = trader.post(URL, json=place.offer()).json
    offer = db.session.get_one(Offer, uuid.UUID(posted["id"]))
    missed = f.RunFactory(round=place.round)
    f.RunResultFactory(
        run=missed, offer=offer, reason=Reason.OUT_OF_THE_MONEY, distance=Decimal("3200.5"), filled=[0] * 8
    )
    other = f.RunResultFactory(
        run=f.RunFactory(round=place.round),
        offer=offer,
        reason=Reason.NO_ELIGIBLE_LANE,
        detail={"failed": "certificate", "lanes": 3},
        filled=[0] * 8,
    )
    failed = f.RunFactory(round=place.round, state=RunState.FAILED, error="stopped")
    f.RunResultFactory(run=failed, offer=offer)
    found = trader.get(f"{URL}/{posted['id']}/results").json["items"]
    assert {result["run_id"]: (result["reason"], result["distance"], result["requirement"]) for result in found} == {
        str(missed.id): ("out_of_the_money", "3200.5", None),
        str(other.run.id): ("no_eligible_lane", None, "certificate"),
    }
    assert not any(result["distance_at_least"] for result in found)
    assert found[0]["filled"][0] == {"period": "2027-Q1", "quantity": "0"}
    assert "lanes" not in found[0], "nothing else of the run's working is told"


def test_staff_look_at_a_sealed_offer_with_a_reason_that_is_kept(
    place: MarketPlace, trader: Browser, client_as: SignIn, session: Session
) -> None:
    posted = trader.post(URL, json=place.offer()).json
    staff = f.StaffFactory()
    browser, url = client_as(staff), f"/api/v1/sealed-offers/{posted['id']}"
    assert browser.get(f"{URL}/{posted['id']}").status_code == 403
    assert browser.get(url).status_code == 422, "a look without a reason"
    seen = browser.get(url, query_string={"reason": "review of a proposal"})
    assert (seen.status_code, seen.json["price"]) == (200, "70")
    look = session.scalars(sa.select(AccessLog)).one()
    assert (look.user_id, look.object_id, look.firm_id, look.reason) == (
        staff.id,
        posted["id"],
        place.firm.id,
        "review of a proposal",
    )
    for role in (UserRole.PLATFORM_ADMIN, UserRole.REGULATOR):
        other = f.StaffFactory(role=role)
        assert client_as(other).get(url, query_string={"reason": "curiosity"}).status_code == 403
    draft = trader.post(URL, json=place.offer(draft=True)).json
    hidden = browser.get(f"/api/v1/sealed-offers/{draft['id']}", query_string={"reason": "review of it"})
    assert hidden.status_code == 404


def test_another_firms_offer_does_not_exist(place: MarketPlace, trader: Browser, client_as: SignIn) -> None:
    posted = trader.post(URL, json=place.offer())
    stranger, tag = client_as(f.UserFactory()), {"If-Match": posted.headers["ETag"]}
    url = f"{URL}/{posted.json['id']}"
    nobody = f"{URL}/{uuid.UUID(int=1)}"
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/revisions", None),
        ("GET", "/results", None),
        ("PATCH", "", {"price": "1"}),
        ("POST", "/open", None),
        ("POST", "/withdraw", None),
    ):
        there = stranger.open(url + path, method=method, json=body, headers=tag)
        not_there = stranger.open(nobody + path, method=method, json=body, headers=tag)
        assert there.status_code == not_there.status_code == 404, (method, path)
        assert {**there.json, "instance": None} == {**not_there.json, "instance": None}
    assert trader.get(url).json["price"] == "70"


def test_a_key_of_the_firm_posts_within_its_scopes(
    place: MarketPlace, client: Browser, key_headers: Callable[..., dict[str, str]], session: Session
) -> None:
    headers = key_headers(f.FirmAdminFactory(firm=place.firm))
    posted = client.post(URL, json=place.offer(), headers=headers)
    assert posted.status_code == 201
    offer = session.get_one(Offer, uuid.UUID(posted.json["id"]))
    assert offer.posted_by_id is None
    assert offer.posted_by_key_id is not None


def test_the_database_keeps_quantity_above_what_is_reserved(place: MarketPlace, session: Session) -> None:
    """The last line, should an amendment and a reservation pass each other."""
    offer = f.OfferFactory(round=place.round, grade=place.grade, firm=place.firm, quantity=10)
    reserve(place, str(offer.id), 6)
    lower = sa.update(OfferPeriod).where(OfferPeriod.offer_id == offer.id).values(quantity=5)
    with pytest.raises(sa.exc.IntegrityError, match="reserved_within_quantity"), session.begin_nested():
        session.execute(lower)


def test_only_firms_post(place: MarketPlace, client_as: SignIn, session: Session) -> None:
    for staff in (f.StaffFactory(), f.PlatformAdminFactory()):
        assert client_as(staff).post(URL, json=place.offer()).status_code == 403
    assert session.scalar(sa.select(sa.func.count(Firm.id))) == 1
