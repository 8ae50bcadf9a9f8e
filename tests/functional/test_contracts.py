"""Contracts: terms written at the release and frozen from then on, read by their parties and overseers only."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from app.auth.principal import of_user
from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.models import Contract, GradeSpecification, Offer, OfferSpecification, Outbox, Proposal, ReviewAction
from app.operations import proposals, review
from app.operations.contract_terms import frozen_terms
from app.transaction import Application
from contracts.clauses import DeliveryBasis
from contracts.price_formula import FixedPrice
from contracts.state import RULE_VERSION
from contracts.terms import Terms, terms_hash
from market.errors import BadInput
from tests import factories as make

from .night_market import Town, body, browser, clear, proposals_of, standing_application


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def released(town: Town) -> Proposal:
    """The one proposal of a town, released."""
    (proposal,) = proposals_of(clear(town.round))
    review.decide(
        db.session(),
        principal=of_user(make.StaffFactory()),
        proposal_id=proposal.id,
        action=ReviewAction.RELEASE,
        reason_code="sound",
        now=clock(),
    )
    db.session.commit()
    return proposal


def agreed(proposal: Proposal) -> Contract:
    for firm in (proposal.seller, proposal.buyer):
        proposals.accept(
            db.session(),
            principal=of_user(make.UserFactory(firm=firm)),
            proposal_id=proposal.id,
            terms_hash=proposal.terms_hash,
            now=clock(),
        )
    db.session.commit()
    return db.session.scalars(sa.select(Contract).where(Contract.proposal_id == proposal.id)).one()


def terms_of(row: Proposal | Contract) -> Terms:
    assert row.terms is not None
    terms = frozen_terms(row.terms)
    assert terms_hash(terms) == row.terms_hash
    return terms


def test_the_terms_say_what_the_run_found(own_app: Application) -> None:
    town = Town(grade=make.GradeFactory(product=make.ProductFactory(lot=Decimal("0.1"))))
    product = town.grade.product
    assay, water = (make.AttributeFactory(product=product, code=code, bound=bound) for code, bound in BOUNDS)
    for attribute, value in ((assay, "99.2"), (water, "0.25")):
        line = {"product_code": product.code, "attribute_code": attribute.code, "value": Decimal(value)}
        db.session.add(GradeSpecification(grade_code=town.grade.code, **line))
    sell, buy = town.sells(), town.buys()
    sell.specifications = [OfferSpecification(attribute_code="assay", value=Decimal("99.5"))]
    parent = make.FirmFactory()
    sell.firm.parent_id = parent.id
    terms = terms_of(released(town))
    assert terms.seller.credit_code == sell.firm.credit_code
    assert terms.seller.affiliates == (parent.credit_code,)
    assert terms.buyer.name.zh == buy.firm.name_zh
    assert (terms.product, terms.grade) == (product.code, town.grade.code)
    assert (terms.lot.size, terms.lot.unit) == (Decimal("0.1"), "t")
    assert [(str(line.period), line.lots) for line in terms.schedule] == [(f"2027-Q{at}", 10) for at in (1, 2, 3, 4)]
    assert [(one.attribute, one.minimum, one.maximum) for one in terms.specification] == [
        ("assay", Decimal("99.5"), None),
        ("moisture", None, Decimal("0.25")),
    ]
    assert (terms.price, terms.delivery.freight) == (FixedPrice(amount=Decimal(78)), Decimal(4))
    assert terms.rule_version == RULE_VERSION


BOUNDS = (("assay", "min"), ("moisture", "max"))


@pytest.mark.parametrize(
    ("ask", "bid", "basis", "freight"),
    [
        ("ex_works", "delivered", DeliveryBasis.DAP, "4"),
        ("delivered", "delivered", DeliveryBasis.DAP, "0"),
        ("ex_works", "ex_works", DeliveryBasis.EXW, "0"),
        ("delivered", "ex_works", DeliveryBasis.DAP, "0"),
    ],
)
def test_where_the_goods_change_hands(
    own_app: Application, ask: str, bid: str, basis: DeliveryBasis, freight: str
) -> None:
    town = Town()
    sell, buy = town.sells(basis=ask), town.buys(basis=bid)
    delivery = terms_of(released(town)).delivery
    assert (delivery.basis, delivery.freight) == (basis, Decimal(freight))
    assert (sell if basis is DeliveryBasis.EXW else buy).site.name_en in delivery.place


def test_a_foreign_seller_is_named_by_its_register(own_app: Application) -> None:
    town = Town()
    town.sells(firm=make.FirmFactory(credit_code=None, country="CL", registration_number="96.529.340-1"))
    town.buys()
    assert terms_of(released(town)).seller.credit_code == "CL:96.529.340-1"


def test_terms_that_are_not_sound_are_not_released(own_app: Application) -> None:
    town = Town()
    town.sells(price=0)
    town.buys(price=0, basis="ex_works")
    with pytest.raises(BadInput, match="/price/amount"):
        released(town)
    db.session.rollback()
    assert db.session.scalars(sa.select(Proposal.state)).all() == ["proposed"]


def test_what_was_released_stays_as_it_was(own_app: Application) -> None:
    town = Town()
    sell: Offer = town.sells()
    town.buys()
    proposal = released(town)
    before = terms_of(proposal)
    sell.firm.name_en = "Renamed Co., Ltd."
    sell.price = Decimal(75)
    contract = agreed(proposal)
    assert terms_of(contract) == before
    assert contract.number == before.number
    contract.terms_hash = "0" * 64
    with pytest.raises(sa.exc.IntegrityError, match="contract_frozen"):
        db.session.flush()


def test_each_step_is_told_after_the_commit(own_app: Application) -> None:
    town = Town()
    town.sells()
    town.buys()
    contract = agreed(released(town))
    topics = db.session.scalars(sa.select(Outbox.topic).order_by(Outbox.id)).all()
    assert topics == ["run.done", "proposal.released", "proposal.accepted", "contract.agreed", "proposal.agreed"]
    told = db.session.scalars(sa.select(Outbox).where(Outbox.topic == "contract.agreed")).one()
    assert told.payload == {"contract": contract.number, "contract_id": str(contract.id), "state": "agreed"}
    assert set(told.firm_ids) == {contract.seller_firm_id, contract.buyer_firm_id}


def test_who_reads_contracts_and_their_steps(own_app: Application) -> None:
    town = Town()
    town.sells()
    town.buys()
    contract = agreed(released(town))
    url = f"/api/v1/contracts/{contract.id}"

    def steps(client: FlaskClient) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = body(client.get(f"{url}/events"))["items"]
        return items

    party = browser(own_app, make.UserFactory(firm=contract.seller))
    found = body(party.get("/api/v1/contracts"))["items"]
    assert [one["number"] for one in found] == [contract.number]
    release = steps(party)[0]
    assert (release["acting_as"], release["reason_code"], release["user_id"]) == ("staff", None, None)
    regulator = browser(own_app, make.RegulatorFactory())
    assert regulator.get(url).status_code == 200
    assert [step["name"] for step in steps(regulator)][:3] == [
        "proposal.propose",
        "proposal.take_up",
        "proposal.release",
    ]
    assert next(step for step in steps(regulator) if step["name"] == "proposal.release")["reason_code"] == "sound"
    stranger = browser(own_app, make.UserFactory())
    for path in ("", "/events"):
        assert stranger.get(url + path).status_code == 404
    assert browser(own_app, make.PlatformAdminFactory()).get(url).status_code == 403
    tag = party.get(url).headers["ETag"]
    assert party.get(url, headers={"If-None-Match": tag}).status_code == 304
