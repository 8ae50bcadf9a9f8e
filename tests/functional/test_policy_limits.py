"""Limits that staff set for a round: who may, what is refused, what the matcher makes of them, what they cost."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.models import (
    Ceiling,
    Event,
    OfferApprovedSupplier,
    OfferOrigin,
    OriginRule,
    Reason,
    RoundState,
    RunResult,
    SupplierApproval,
    User,
)
from app.operations import snapshots
from app.transaction import Application
from tests import factories as make
from tests.functional.market_place import market_place
from tests.functional.night_market import Town, body, browser, clear, proposals_of, standing_application
from tests.functional.refusals import violates

from .web_market import at_noon

__all__ = ["at_noon"]

As = Callable[[User], FlaskClient]


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def staff_posts(client_as: As, path: str, values: dict[str, Any]) -> Any:
    return client_as(make.StaffFactory()).post(f"/api/v1{path}", json=values)


def ceiling(town: Town, **changes: Any) -> Ceiling:
    row = Ceiling(**{"round_id": town.round.id, "product_code": town.grade.product_code, "share": Decimal(1)} | changes)
    db.session.add(row)
    db.session.flush()
    return row


def origin_rule(town: Town, **changes: Any) -> OriginRule:
    values = {
        "round_id": town.round.id,
        "product_code": town.grade.product_code,
        "origin_country": "CL",
        "to_region_code": town.destination.code,
        "limit_per_period": 0,
    }
    row = OriginRule(**values | changes)
    db.session.add(row)
    db.session.flush()
    return row


def test_staff_set_list_and_end_limits(client_as: As, session: Session) -> None:
    town = Town()
    firm, other = make.FirmFactory(), make.FirmFactory()
    chile = make.RegionFactory(country="CL")
    session.flush()
    here, product = f"/rounds/{town.round.id}", town.grade.product_code
    rule = {"product": product, "origin": "CL", "to_region": chile.code, "limit": "40", "note": "quota"}
    made = {
        "ceilings": {"product": product, "share": "0.25", "firm_id": str(firm.id)},
        "origin-rules": rule,
        "supplier-approvals": {
            "product": product,
            "buyer_firm_id": str(firm.id),
            "supplier_firm_id": str(other.id),
        },
    }
    for kind, values in made.items():
        answer = staff_posts(client_as, f"{here}/{kind}", values)
        assert answer.status_code == 201, answer.text
        assert {name: answer.json[name] for name in values} == values
        staff = client_as(make.StaffFactory())
        assert [one["id"] for one in body(staff.get(f"/api/v1{here}/{kind}"))["items"]] == [answer.json["id"]]
        again = staff_posts(client_as, f"{here}/{kind}", values)
        assert (again.status_code, "holds already" in again.text) == (409, True)
        ended = staff_posts(client_as, f"/{kind}/{answer.json['id']}/end", {})
        assert ended.json["ended_at"] is not None
        assert staff_posts(client_as, f"/{kind}/{answer.json['id']}/end", {}).status_code == 409
        assert body(staff.get(f"/api/v1{here}/{kind}"))["items"] == []
        assert len(body(staff.get(f"/api/v1{here}/{kind}?ended=true"))["items"]) == 1
    names = list(session.scalars(sa.select(Event.name).where(Event.name.like("round.limit%")).order_by(Event.id)))
    assert names == ["round.limit_set", "round.limit_end"] * 3


def test_another_share_takes_the_place_of_the_one_that_holds(client_as: As, session: Session) -> None:
    town = Town()
    path, product = f"/rounds/{town.round.id}/ceilings", town.grade.product_code
    for share in ("0.5", "0.25"):
        assert staff_posts(client_as, path, {"product": product, "share": share}).status_code == 201
    holding = session.scalars(sa.select(Ceiling).where(Ceiling.ended_at.is_(None))).all()
    assert [one.share for one in holding] == [Decimal("0.25")]
    assert session.scalar(sa.select(sa.func.count()).select_from(Ceiling)) == 2


@pytest.mark.parametrize(
    ("path", "changes", "field"),
    [
        ("ceilings", {"product": "gold"}, "product"),
        ("ceilings", {"share": "1.1"}, "share"),
        ("ceilings", {"firm_id": str(uuid.UUID(int=7))}, "firm_id"),
        ("origin-rules", {"origin": "XX"}, "origin"),
        ("origin-rules", {"origin": "chile"}, "origin"),
        ("origin-rules", {"to_region": "nowhere"}, "to_region"),
        ("origin-rules", {"period": "2031-Q1"}, "period"),
        ("origin-rules", {"limit": "0.5"}, "limit"),
        ("supplier-approvals", {"supplier_firm_id": str(uuid.UUID(int=7))}, "supplier_firm_id"),
        ("supplier-approvals", {"supplier_firm_id": "own"}, "supplier_firm_id"),
    ],
)
def test_what_is_wrong_is_named(
    client_as: As, session: Session, path: str, changes: dict[str, str], field: str
) -> None:
    town = Town()
    firm, other = make.FirmFactory(), make.FirmFactory()
    session.flush()
    given: dict[str, dict[str, Any]] = {
        "ceilings": {"share": "0.5"},
        "origin-rules": {"origin": "CN", "to_region": town.destination.code, "limit": "1"},
        "supplier-approvals": {"buyer_firm_id": str(firm.id), "supplier_firm_id": str(other.id)},
    }
    values = {"product": town.grade.product_code} | given[path] | changes
    if values.get("supplier_firm_id") == "own":
        values["supplier_firm_id"] = str(firm.id)
    answer = staff_posts(client_as, f"/rounds/{town.round.id}/{path}", values)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json["errors"]] == [f"#/{field}"]


def test_only_staff_set_limits_and_only_while_the_round_is_not_over(client_as: As, session: Session) -> None:
    town = Town()
    values = {"product": town.grade.product_code, "share": "0.5"}
    path = f"/api/v1/rounds/{town.round.id}/ceilings"
    for user in (make.UserFactory(), make.RegulatorFactory(), make.PlatformAdminFactory()):
        assert client_as(user).post(path, json=values).status_code == 403
    town.round.state = RoundState.CLOSED
    assert staff_posts(client_as, f"/rounds/{town.round.id}/ceilings", values).status_code == 409
    assert staff_posts(client_as, f"/rounds/{uuid.UUID(int=3)}/ceilings", values).status_code == 404


def test_a_firm_sees_the_rules_for_all_and_its_own(client_as: As, session: Session) -> None:
    town = Town()
    user = make.UserFactory()
    other = make.FirmFactory()
    session.flush()
    ceiling(town)
    ceiling(town, firm_id=user.firm_id)
    ceiling(town, firm_id=other.id)
    origin_rule(town)
    key = {"round_id": town.round.id, "product_code": town.grade.product_code}
    session.add(SupplierApproval(**key, buyer_firm_id=user.firm_id, supplier_firm_id=other.id))
    session.add(SupplierApproval(**key, buyer_firm_id=other.id, supplier_firm_id=user.firm_id))
    session.flush()
    client, here = client_as(user), f"/api/v1/rounds/{town.round.id}"
    assert {one["firm_id"] for one in body(client.get(f"{here}/ceilings"))["items"]} == {None, str(user.firm_id)}
    assert len(body(client.get(f"{here}/origin-rules"))["items"]) == 1
    lists = body(client.get(f"{here}/supplier-approvals"))["items"]
    assert [one["buyer_firm_id"] for one in lists] == [str(user.firm_id)]


def test_the_database_keeps_limits_as_they_were(session: Session) -> None:
    row = ceiling(Town())
    with violates("ceiling_frozen"), session.begin_nested():
        session.execute(sa.update(Ceiling).values(share=Decimal("0.1")))
    with violates("ceiling_kept"), session.begin_nested():
        session.execute(sa.delete(Ceiling))
    row.ended_at = make.NOON
    row.created_at = make.NOON
    with pytest.raises(DBAPIError):  # made again at another time
        session.flush()


def test_one_limit_of_a_kind_holds(session: Session) -> None:
    town = Town()
    ceiling(town)
    with violates("uq_ceiling_one_that_holds"), session.begin_nested():
        ceiling(town)
    origin_rule(town)
    with violates("uq_origin_rule_one_that_holds"), session.begin_nested():
        origin_rule(town, limit_per_period=7)


def test_snapshots_carry_what_holds(session: Session) -> None:
    town = Town()
    seller = town.sells(origin_country="CL")
    unsaid = town.sells()
    buyer = town.buys()
    firm = make.FirmFactory()
    session.flush()
    session.add(OfferOrigin(offer_id=buyer.id, country="CL", accepted=False))
    ceiling(town, share=Decimal("0.4"), firm_id=seller.firm_id)
    ceiling(town, share=Decimal("0.9"), ended_at=make.NOON, created_at=make.NOON)
    origin_rule(town, limit_per_period=12, period="2027-Q2")
    key = {"round_id": town.round.id, "product_code": town.grade.product_code, "buyer_firm_id": buyer.firm_id}
    session.add(SupplierApproval(**key, supplier_firm_id=unsaid.firm_id))
    session.add(SupplierApproval(**key, supplier_firm_id=firm.id))
    session.flush()
    found = snapshots.freeze(session, round_id=town.round.id, now=make.NOON).snapshot
    offers = {offer.offer: offer for offer in found.offers}
    assert [(one.share, one.firm) for one in found.ceilings] == [(Decimal("0.4"), str(seller.firm_id))]
    (rule,) = found.origin_rules
    assert (rule.origin, rule.destination, rule.position, rule.limit) == ("CL", town.destination.code, 1, Decimal(12))
    assert [offers[str(one.id)].origin for one in (seller, unsaid, buyer)] == ["CL", "CN", None]
    frozen = offers[str(buyer.id)]
    assert (frozen.origins, frozen.barred_origins) == (None, frozenset({"CL"}))
    assert frozen.approved_firms == frozenset({str(unsaid.firm_id)})


def test_an_offer_names_suppliers_and_its_firms_list_narrows_them(session: Session) -> None:
    town = Town()
    one, other, unnamed = town.sells(), town.sells(), town.sells()
    buyer = town.buys()
    session.flush()
    session.add_all(OfferApprovedSupplier(offer_id=buyer.id, firm_id=offer.firm_id) for offer in (one, other))
    key = {"round_id": town.round.id, "product_code": town.grade.product_code, "buyer_firm_id": buyer.firm_id}
    session.add_all(SupplierApproval(**key, supplier_firm_id=firm) for firm in (other.firm_id, unnamed.firm_id))
    session.flush()
    found = snapshots.freeze(session, round_id=town.round.id, now=make.NOON).snapshot
    wanted = next(offer for offer in found.offers if offer.offer == str(buyer.id))
    assert wanted.approved_firms == frozenset({str(other.firm_id)})


def test_a_run_obeys_the_limits_and_tells_what_they_cost(own_app: Application) -> None:
    town = Town()
    chilean = town.sells(quantity=20, price=50, origin_country="CL")
    town.sells(quantity=20, price=70)
    town.buys(quantity=20, price=90)
    origin_rule(town, limit_per_period=5)
    firm = chilean.firm
    db.session.commit()
    run = clear(town.round)
    rates = {one.sell_offer_id: one.rate for one in proposals_of(run)}
    assert rates[chilean.id] == 5
    staff = browser(own_app, make.StaffFactory())
    (told,) = body(staff.get(f"/api/v1/runs/{run.id}/limit-prices"))
    assert [told[name] for name in ("kind", "origin", "to_region")] == ["origin", "CL", town.destination.code]
    assert told["periods"][0] == {"period": "2027-Q1", "shadow_price": "20", "moved": "5"}
    assert told["cost"] == "400"  # 5 t at 20 CNY in each of four quarters
    assert browser(own_app, make.RegulatorFactory()).get(f"/api/v1/runs/{run.id}/limit-prices").status_code == 403
    # The same with a ceiling beside it: of 20 t demanded, a tenth.
    ceiling(town, share=Decimal("0.1"), firm_id=firm.id)
    second = clear(town.round)
    assert {one.sell_offer_id: one.rate for one in proposals_of(second)}[chilean.id] == 2
    (ceiled,) = body(staff.get(f"/api/v1/runs/{second.id}/limit-prices"))
    assert (ceiled["kind"], ceiled["firm_id"], ceiled["cost"]) == ("ceiling", str(firm.id), "160")


def test_an_offer_that_no_rule_admits_is_told_so(own_app: Application) -> None:
    town = Town()
    kept_out = town.sells(origin_country="CL")
    town.buys()
    origin_rule(town)
    db.session.commit()
    run = clear(town.round)
    result = db.session.get_one(RunResult, (run.id, kept_out.id))
    assert (result.reason, result.detail) == (Reason.NO_ELIGIBLE_LANE, {"failed": "origin"})


def test_a_firm_says_where_its_material_comes_from_and_what_it_takes(client_as: As, session: Session) -> None:
    place = market_place()
    client = client_as(place.trader)
    sold = client.post("/api/v1/offers", json=place.offer(origin="CL"))
    assert (sold.status_code, body(sold)["origin"]) == (201, "CL")
    wanted = place.offer(kind="demand", accepted_origins=["CN", "AU"], barred_origins=["CL"])
    bought = client.post("/api/v1/offers", json=wanted)
    assert [body(bought)[name] for name in ("accepted_origins", "barred_origins")] == [["AU", "CN"], ["CL"]]
    tag = {"If-Match": client.get(f"/api/v1/offers/{body(bought)['id']}").headers["ETag"]}
    changed = client.patch(f"/api/v1/offers/{body(bought)['id']}", json={"accepted_origins": []}, headers=tag)
    assert [body(changed)[name] for name in ("accepted_origins", "barred_origins")] == [[], ["CL"]]
    for values, field in (
        ({"origin": "cl"}, "origin"),
        ({"barred_origins": ["CL"]}, "barred_origins"),
        ({"kind": "demand", "origin": "CL"}, "origin"),
        ({"kind": "demand", "accepted_origins": ["CL"], "barred_origins": ["CL"]}, "barred_origins"),
    ):
        refused = client.post("/api/v1/offers", json=place.offer(**values))
        assert refused.status_code == 422
        assert body(refused)["errors"][0]["pointer"].startswith(f"#/{field}"), values


def test_the_database_refuses_origins_that_are_none(session: Session) -> None:
    offer = make.OfferFactory()
    with violates("ck_offer_origin_of_demand"), session.begin_nested():
        session.add(OfferOrigin(offer_id=offer.id, country="CL", accepted=True))
        session.flush()
    demand = make.DemandFactory()
    with violates("ck_offer_origin_of_supply"), session.begin_nested():
        demand.origin_country = "CL"
        session.flush()
