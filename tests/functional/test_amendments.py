"""Amendments: drafted, proposed, signed by both, refused, taken back, run out; and the terms in force on a day."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.db import db
from app.errors import Conflict, Forbidden, NotFound, Refused
from app.models import (
    Amendment,
    Contract,
    ContractDocument,
    ContractVersion,
    OfferPeriod,
    Outbox,
    Reservation,
    SubjectKind,
    User,
)
from app.operations import amendments, terms_in_force
from app.operations.contract_terms import frozen_terms
from app.operations.signing_flaws import Flaw, NotSignable, SignatureRefused
from app.transaction import Application
from contracts.signing import verify_signed
from contracts.state import Subject, state_names
from contracts.terms import terms_hash
from market.errors import BadInput
from tests import factories as make

from .night_market import body
from .refusals import violates
from .signed_market import (
    DAY,
    NOON,
    PASSPHRASE,
    ROOTS,
    authority,
    contract_in_force,
    contract_to_sign,
    drafted,
    effective_contract,
    elsewhere,
    given,
    key,
    moved,
    trader,
)
from .web_market import at_noon, moves_of

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]
APRIL = dt.date(2027, 4, 1)


@pytest.fixture
def contract(session: Session) -> Contract:
    return contract_in_force()


@pytest.fixture
def signed_contract(session: Session) -> Contract:
    return effective_contract()


def active(contract: Contract, **changes: Any) -> Amendment:
    return moved("sign", moved("propose", drafted(contract, **changes), "seller"), "buyer")


def price_on(contract: Contract, day: dt.date) -> Decimal:
    price = terms_in_force.terms_in_force(db.session(), contract=contract, on=day).price
    return price.amount  # type: ignore[union-attr]


def test_signed_by_both_it_becomes_the_next_version(contract: Contract) -> None:
    amendment = drafted(contract)
    assert (amendment.state, amendment.number, amendment.proposed_by) == ("draft", 2, "seller")
    assert terms_hash(frozen_terms(amendment.terms)) == amendment.terms_hash
    moved("propose", amendment, "seller")
    assert (amendment.state, amendment.expires_at) == ("pending", NOON + 14 * DAY)
    assert len(terms_in_force.versions(db.session(), contract=contract)) == 1
    moved("sign", amendment, "buyer", now=NOON + DAY)
    assert amendment.state == "active"
    first, second = terms_in_force.versions(db.session(), contract=contract)
    assert (first.terms_hash, second.terms_hash) == (contract.terms_hash, amendment.terms_hash)
    assert (second.number, second.in_force_from, second.amendment_id) == (2, APRIL, amendment.id)
    assert moves_of(SubjectKind.AMENDMENT) == ["amendment.draft", "amendment.propose", "amendment.sign"]
    topics = db.session.scalars(sa.select(Outbox.topic).order_by(Outbox.id)).all()
    assert topics[-2:] == ["amendment.pending", "amendment.active"]
    printed = db.session.scalars(sa.select(ContractDocument).where(ContractDocument.number == 2)).one()
    signed = verify_signed(printed.signatures[-1].content, roots=ROOTS, now=NOON, stored=frozen_terms(amendment.terms))
    assert signed.signed_by_both


def test_the_terms_in_force_on_a_day(contract: Contract) -> None:
    active(contract)
    july = dt.date(2027, 7, 1)
    active(contract, in_force_from=july, new_values={"/price/amount": "70", "/deadlines/claim_days": 45})
    days = (dt.date(2026, 1, 1), APRIL - DAY, APRIL, july - DAY, july, dt.date(2030, 1, 1))
    assert [price_on(contract, day) for day in days] == [78, 78, 75, 75, 70, 70]
    (_, nothing), (_, second), (_, third) = terms_in_force.history(db.session(), contract=contract)
    assert nothing == []
    assert [(one.pointer, one.old, one.new) for one in second] == [("/price/amount", "78", "75")]
    assert [(one.pointer, one.old, one.new) for one in third] == [
        ("/deadlines/claim_days", 60, 45),
        ("/price/amount", "75", "70"),
    ]
    other = contract_to_sign()
    found = terms_in_force.versions_in_force(db.session(), contracts=[contract.id, other.id], on=APRIL)
    assert {one: version.number for one, version in found.items()} == {contract.id: 2, other.id: 1}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({}, "/changes"),
        ({"/price/amount": "78"}, "/changes"),
        ({"price/amount": "75"}, "price/amount"),
        ({"/price/sum": "75"}, "/price/sum"),
        ({"/schedule/99/lots": 1}, "/schedule/99/lots"),
        ({"/price/amount": 75.5}, "/price/amount"),
        ({"/price/amount": "-1"}, "/price/amount"),
        ({"/price/amount": None}, "/price/amount"),
        ({"/deadlines": {"claim_days": float("nan")}}, "/deadlines"),
        ({"/schedule/5/lots": -1}, "/schedule/5/lots"),
        ({"/schedule/5/lots": "9"}, "/schedule/5/lots"),
        ({"/number": "CD-1"}, "/number"),
        ({"/rule_version": "0"}, "/rule_version"),
        ({"/seller/credit_code": "91420100000000017X"}, "/seller/credit_code"),
        ({"/product": "gold"}, "/product"),
        ({"/lot/size": "2"}, "/lot/size"),
        ({"/clauses": []}, "/clauses"),
        ({"/schedule/0/minimum": 0}, "/schedule/0"),
    ],
    ids=str,
)
def test_terms_that_are_not_sound_or_not_for_the_parties_to_change(
    contract: Contract, changes: dict[str, Any], place: str
) -> None:
    with pytest.raises(BadInput) as refused:
        drafted(contract, new_values=changes)
    assert place in {one.place for one in refused.value.faults}, str(refused.value)


def test_a_period_may_be_added_at_the_end(contract: Contract) -> None:
    last = frozen_terms(contract.terms).schedule[-1].period
    line = {"period": str(last + 1), "lots": 5, "minimum": 4, "maximum": 6}
    long_stop = str((last + 2).last_day)
    active(contract, reason_code="renewal", new_values={"/schedule/-": line, "/long_stop": long_stop})
    assert contract.effective_to == (last + 1).last_day
    held = sa.select(sa.func.count()).select_from(Reservation).where(Reservation.proposal_id == contract.proposal_id)
    assert db.session.scalar(held) == 16  # no offer covers the new period, so nothing more is held


@pytest.mark.parametrize("day", [dt.date(2027, 1, 1), dt.date(2026, 12, 31)])
def test_it_is_dated_after_the_version_before(contract: Contract, day: dt.date) -> None:
    with pytest.raises(Refused, match="2027-01-02 or later") as refused:
        drafted(contract, in_force_from=day)
    assert refused.value.field == "in_force_from"
    assert "生效日" in refused.value.text.zh


def test_it_is_not_dated_back(contract: Contract) -> None:
    with pytest.raises(Refused, match="2027-05-01 or later"):
        drafted(contract, now=dt.datetime(2027, 5, 1, 4, tzinfo=dt.UTC))


def test_reasons_are_those_of_the_list(contract: Contract) -> None:
    with pytest.raises(Refused, match="expected one of") as refused:
        drafted(contract, reason_code="because")
    assert refused.value.field == "reason_code"


@pytest.mark.parametrize("state", [s for s in state_names(Subject.CONTRACT) if s not in amendments.IN_FORCE])
def test_only_contracts_in_force_are_amended(session: Session, state: str) -> None:
    session.execute(sa.text("ALTER TABLE contract DISABLE TRIGGER contract_signed_by_both"))
    contract = contract_to_sign()
    contract.state = state
    session.flush()
    with pytest.raises(Conflict, match="contract_in_force"):
        drafted(contract)


# Every state, and who may move out of it.


def of(amendment: Amendment) -> dict[str, Any]:
    return {"contract_id": amendment.contract_id, "amendment_id": amendment.id, "now": NOON}


def at(state: str, contract: Contract) -> Amendment:
    """An amendment of the seller's in some state."""
    amendment = drafted(contract)
    own: dict[str, Any] = of(amendment) | {"principal": trader(contract.seller)}
    if state == "cancelled":
        return amendments.cancel(db.session(), **own)
    if state != "draft":
        moved("propose", amendment, "seller")
    if state == "active":
        moved("sign", amendment, "buyer")
    if state == "refused":
        other = own | {"principal": trader(contract.buyer)}
        amendments.refuse(db.session(), reason_code="not_agreed", **other)
    if state == "expired":
        assert amendments.expire(db.session(), now=NOON + 14 * DAY) == 1
    return amendment


def attempt(move: str, amendment: Amendment, side: str) -> str:
    """Make a move for a side; "not open" where it is not open, "unknown" where the side may not know of it."""
    contract = db.session.get_one(Contract, amendment.contract_id)
    firm = getattr(contract, side)
    own: dict[str, Any] = of(amendment) | {"principal": trader(firm)}
    try:
        with db.session.begin_nested():
            if move in {"propose", "sign"}:
                moved(move, amendment, side)
            elif move == "refuse":
                amendments.refuse(db.session(), reason_code="not_agreed", **own)
            else:
                amendments.cancel(db.session(), **own)
    except Conflict:
        return "not open"
    except NotFound:
        return "unknown"
    return amendment.state


OPEN = {
    ("draft", "propose", "seller"): "pending",
    ("draft", "cancel", "seller"): "cancelled",
    ("pending", "cancel", "seller"): "cancelled",
    ("pending", "sign", "buyer"): "active",
    ("pending", "refuse", "buyer"): "refused",
}


@pytest.mark.parametrize("state", state_names(Subject.AMENDMENT))
def test_every_state_and_every_move(contract: Contract, state: str) -> None:
    amendment = at(state, contract)
    assert amendment.state == state
    hidden = state in {"draft", "cancelled"}
    for side in ("seller", "buyer"):
        for move in ("propose", "sign", "refuse", "cancel"):
            expected = OPEN.get((state, move, side), "unknown" if hidden and side == "buyer" else "not open")
            if expected in {"not open", "unknown"}:
                assert attempt(move, amendment, side) == expected, (side, move)
                db.session.refresh(amendment)
                assert amendment.state == state
    for (from_state, move, side), expected in OPEN.items():
        if from_state == state:
            with db.session.begin_nested() as attempted:
                assert attempt(move, amendment, side) == expected
                attempted.rollback()
            db.session.refresh(amendment)


def test_a_draft_is_its_own_sides(contract: Contract) -> None:
    amendment = drafted(contract, "buyer")
    for principal, count in ((trader(contract.buyer), 1), (trader(contract.seller), 0)):
        query = amendments.visible_amendments(principal, contract)
        assert len(db.session.scalars(query.order_by(Amendment.id)).all()) == count
    with pytest.raises(NotFound):
        amendments.find_amendment(
            db.session(), principal=trader(contract.seller), contract_id=contract.id, amendment_id=amendment.id
        )


def test_one_at_a_time_and_on_the_terms_as_they_are(contract: Contract) -> None:
    first, second = drafted(contract), drafted(contract, "buyer", new_values={"/price/amount": "70"})
    moved("propose", first, "seller")
    with pytest.raises(Conflict, match="one at a time"):
        moved("propose", second, "buyer")
    moved("sign", first, "buyer")
    with pytest.raises(Conflict, match="draft it again"):
        moved("propose", second, "buyer")


def test_nobody_answers_after_the_time(contract: Contract) -> None:
    amendment = at("pending", contract)
    with pytest.raises(NotSignable) as refused:
        moved("sign", amendment, "buyer", now=NOON + 14 * DAY)
    assert refused.value.flaw is Flaw.TOO_LATE
    assert amendments.expire(db.session(), now=NOON + 14 * DAY - dt.timedelta(seconds=1)) == 0
    assert amendments.expire(db.session(), now=NOON + 14 * DAY) == 1
    assert amendments.expire(db.session(), now=NOON + 14 * DAY) == 0
    assert amendment.state == "expired"


def test_other_terms_or_anothers_key_are_not_signed(contract: Contract) -> None:
    amendment = at("pending", contract)
    with pytest.raises(Conflict, match="signed_version_hash"):
        moved("sign", amendment, "buyer", given=given(contract, "buyer"))  # the hash of the first version
    with pytest.raises(SignatureRefused) as refused:
        moved("sign", amendment, "buyer", given=given(contract, "seller", amendment.terms_hash))
    assert refused.value.flaw is Flaw.OTHER_PARTY
    assert amendment.state == "pending"


def test_an_amendment_signed_elsewhere(contract: Contract) -> None:
    amendment = drafted(contract)
    ids = {"contract_id": contract.id, "amendment_id": amendment.id}
    printed = amendments.prepare_document(db.session(), principal=trader(contract.seller), now=NOON, **ids)
    moved("propose", amendment, "seller", given=elsewhere(contract, "seller", printed.content))
    current = printed.signatures[-1].content
    moved("sign", amendment, "buyer", given=elsewhere(contract, "buyer", current))
    assert amendment.state == "active"


def test_overseers_and_strangers_do_not_amend(contract: Contract) -> None:
    change = {"in_force_from": APRIL, "new_values": {"/price/amount": "75"}}
    values: dict[str, Any] = change | {"reason_code": "correction", "now": NOON}
    for user, error in ((make.UserFactory(), NotFound), (make.SeniorStaffFactory(), Forbidden)):
        with pytest.raises(error):
            amendments.draft(db.session(), principal=of_user(user), contract_id=contract.id, **values)


# Volume.


def reserved(contract: Contract, period: str) -> list[int]:
    query = sa.select(OfferPeriod.reserved).where(
        OfferPeriod.offer_id.in_([contract.proposal.sell_offer_id, contract.proposal.buy_offer_id]),
        OfferPeriod.period == period,
    )
    return list(db.session.scalars(query.order_by(OfferPeriod.offer_id)))


def test_volume_follows_the_schedule(contract: Contract) -> None:
    lines = {4: (0, 0, 0), 5: (4, 3, 5), 6: (100, 90, 100)}
    values = {
        f"/schedule/{at}/{name}": value
        for at, line in lines.items()
        for name, value in zip(("lots", "minimum", "maximum"), line, strict=True)
    }
    active(contract, reason_code="schedule", new_values=values)
    periods = ("2027-Q4", "2028-Q1", "2028-Q2", "2028-Q3")
    assert [reserved(contract, period) for period in periods] == [[10, 10], [0, 0], [4, 4], [100, 100]]
    back = {f"/schedule/4/{name}": 10 for name in ("lots", "minimum", "maximum")}
    active(contract, reason_code="schedule", in_force_from=APRIL + DAY, new_values=back)
    assert reserved(contract, "2028-Q1") == [10, 10]


def test_no_more_than_the_offers_have(contract: Contract) -> None:
    amendment = drafted(contract, new_values={"/schedule/5/lots": 101, "/schedule/5/maximum": 101})
    with pytest.raises(BadInput) as refused:
        moved("propose", amendment, "seller")
    (fault,) = refused.value.faults
    assert fault.place == "/schedule/5/lots"
    assert "100" not in fault.found + fault.expected  # what the other side has on offer stays sealed
    assert amendment.state == "draft"


def test_volume_that_went_elsewhere_meanwhile_is_not_signed_away(contract: Contract) -> None:
    amendment = drafted(contract, new_values={"/schedule/5/lots": 100, "/schedule/5/maximum": 100})
    moved("propose", amendment, "seller")
    other = make.AgreedProposalFactory(
        run=contract.proposal.run, bundle=contract.proposal.bundle, sell_offer=contract.proposal.sell_offer
    )
    make.ReservationFactory(proposal=other, offer_id=other.sell_offer_id, period="2028-Q2", quantity=1)
    with pytest.raises(BadInput):
        moved("sign", amendment, "buyer")
    assert amendment.state == "pending"


# What the database refuses by itself.


def test_what_was_proposed_is_frozen(contract: Contract) -> None:
    at("pending", contract)
    for name, value in (("in_force_from", APRIL + DAY), ("note", "x"), ("terms_hash", "0" * 64), ("number", 3)):
        with violates("amendment_frozen"), db.session.begin_nested():
            db.session.execute(sa.update(Amendment).values({name: value}))
    with violates("amendment_proposed_kept"), db.session.begin_nested():
        db.session.execute(sa.delete(Amendment))


def test_a_version_comes_from_an_amendment_that_is_active(contract: Contract) -> None:
    amendment = at("pending", contract)
    row = {
        "contract_id": contract.id,
        "number": 2,
        "terms": amendment.terms,
        "terms_hash": amendment.terms_hash,
        "in_force_from": amendment.in_force_from,
        "amendment_id": amendment.id,
    }
    with violates("ck_contract_version_as_signed"), db.session.begin_nested():
        db.session.execute(sa.insert(ContractVersion).values(row))
    with violates("ck_contract_version_follows"), db.session.begin_nested():
        db.session.execute(sa.insert(ContractVersion).values(row | {"number": 3}))
    with violates("ck_contract_version_follows"), db.session.begin_nested():
        db.session.execute(sa.insert(ContractVersion).values(row | {"in_force_from": contract.effective_from}))
    with violates("ck_contract_version_later_by_amendment"), db.session.begin_nested():
        db.session.execute(sa.insert(ContractVersion).values(row | {"number": 1}))


def test_an_amendment_is_not_active_without_both_signatures(contract: Contract) -> None:
    amendment = at("pending", contract)
    with violates("amendment_signed_by_both"), db.session.begin_nested():
        db.session.execute(sa.update(Amendment).where(Amendment.id == amendment.id).values(state="active"))


def test_two_cannot_be_pending_at_once(contract: Contract) -> None:
    at("pending", contract)
    second = drafted(contract)
    with violates("uq_amendment_one_pending"), db.session.begin_nested():
        db.session.execute(
            sa.update(Amendment)
            .where(Amendment.id == second.id)
            .values(state="pending", proposed_at=NOON, expires_at=NOON + DAY)
        )


# By API and on the page.


@pytest.fixture
def trusting(app: Application, tmp_path: Path) -> Iterator[None]:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority().root)
    usual = app.config["CHANGDAN"]
    app.config["CHANGDAN"] = replace(usual, signing_roots=roots)
    yield
    app.config["CHANGDAN"] = usual


def sides(client_as: As, contract: Contract) -> tuple[FlaskClient, FlaskClient]:
    seller, buyer = (client_as(make.UserFactory(firm=firm)) for firm in (contract.seller, contract.buyer))
    return seller, buyer


def fields(contract: Contract, side: str, hash_: str) -> dict[str, Any]:
    archive = key(getattr(frozen_terms(contract.terms), side))
    return {
        "method": "certificate_file",
        "passphrase": PASSPHRASE.decode(),
        "terms_hash": hash_,
        "file": (BytesIO(archive), "key.p12"),
    }


@pytest.mark.usefixtures("trusting")
def test_amending_by_api(client_as: As, signed_contract: Contract) -> None:
    contract = signed_contract
    seller, buyer = sides(client_as, contract)
    url = f"/api/v1/contracts/{contract.id}"
    draft = {"reason_code": "price_reopener", "in_force_from": "2027-04-01", "new_values": {"/price/amount": "75"}}
    wrong = seller.post(f"{url}/amendments", json=draft | {"new_values": {"/price/sum": "75"}})
    (fault,) = body(wrong)["errors"]
    assert (wrong.status_code, fault["place"]) == (422, "/price/sum")
    assert fault["detail"] == "no such place; expected a place in the terms as they stand"
    assert fault["detail_zh"] == "没有这个位置；应为现行条款中的位置"
    made = seller.post(f"{url}/amendments", json=draft, headers={"Idempotency-Key": "one"})
    assert made.status_code == 201, made.text
    again = seller.post(f"{url}/amendments", json=draft, headers={"Idempotency-Key": "one"})
    assert body(again)["id"] == body(made)["id"]
    own = f"{url}/amendments/{body(made)['id']}"
    assert body(made)["changes"] == [{"pointer": "/price/amount", "old": "78", "new": "75"}]
    assert buyer.get(own).status_code == 404
    assert body(buyer.get(f"{url}/amendments"))["items"] == []
    assert seller.get(f"{own}/document.pdf").status_code == 404
    hash_ = body(made)["terms_hash"]
    assert body(seller.post(f"{own}/document"))["number"] == 2
    assert seller.get(f"{own}/document.pdf").data.startswith(b"%PDF")
    assert body(seller.post(f"{own}/propose", data=fields(contract, "seller", hash_)))["state"] == "pending"
    assert seller.post(f"{own}/sign", data=fields(contract, "seller", hash_)).status_code == 409
    assert body(buyer.post(f"{own}/sign", data=fields(contract, "buyer", hash_)))["state"] == "active"
    staff = client_as(make.StaffFactory())
    for day, number, price in (("2027-03-31", 1, "78"), ("2027-04-01", 2, "75")):
        shown = body(staff.get(f"{url}?as_of={day}"))
        assert (shown["term_version"], shown["terms"]["price"]["amount"]) == (number, price)
    assert body(staff.get(url))["term_version"] == 1  # today is in November
    assert staff.get(f"{url}?as_of=tomorrow").status_code == 422
    tags = {staff.get(f"{url}?as_of={day}").headers["ETag"] for day in ("2027-03-31", "2027-04-01")}
    assert len(tags) == 2
    versions = body(staff.get(f"{url}/versions"))["items"]
    assert [(one["number"], one["in_force_from"], len(one["changes"])) for one in versions] == [
        (1, "2027-01-01", 0),
        (2, "2027-04-01", 1),
    ]
    assert [one["number"] for one in body(staff.get(f"{url}/documents"))["items"]] == [1, 2]
    stranger = client_as(make.UserFactory())
    for path in ("", "/versions", "/amendments", f"/amendments/{body(made)['id']}"):
        assert stranger.get(url + path).status_code == 404
    names = [one["name"] for one in body(buyer.get(f"{url}/events"))["items"]]
    assert names[-2:] == ["amendment.propose", "amendment.sign"]
    assert "amendment.draft" not in names


def test_refusing_and_taking_back_by_api(client_as: As, contract: Contract) -> None:
    seller, buyer = sides(client_as, contract)
    first = at("pending", contract)
    url = f"/api/v1/contracts/{contract.id}/amendments"
    assert seller.post(f"{url}/{first.id}/refuse", json={"reason_code": "not_agreed"}).status_code == 409
    assert buyer.post(f"{url}/{first.id}/cancel").status_code == 409
    assert buyer.post(f"{url}/{first.id}/refuse", json={"reason_code": "never"}).status_code == 422
    assert body(buyer.post(f"{url}/{first.id}/refuse", json={"reason_code": "not_agreed"}))["state"] == "refused"
    second = drafted(contract)
    assert body(seller.post(f"{url}/{second.id}/cancel"))["state"] == "cancelled"


@pytest.mark.usefixtures("trusting")
def test_amending_on_the_pages(client_as: As, contract: Contract) -> None:
    seller, buyer = sides(client_as, contract)
    page = f"/contracts/{contract.id}"
    assert "The terms stand as they were signed." in buyer.get(page).text
    assert "Draft an amendment" in seller.get(page).text
    form = seller.get(f"{page}/amendments/new").text
    assert 'name="/price/amount"' in form
    sent = {
        "reason_code": "price_reopener",
        "in_force_from": "2027-04-01",
        "/price/amount": "75",
        "/schedule/5/lots": "10",
        "other": "/deadlines/claim_days = 45\n",
        "note": "the index has fallen",
    }
    early = seller.post(f"{page}/amendments/new", data=sent | {"in_force_from": "2027-01-01"})
    assert early.status_code == 422
    assert 'aria-invalid="true"' in early.text
    unreadable = seller.post(f"{page}/amendments/new", data=sent | {"other": "claim days: 45"})
    assert (unreadable.status_code, "Cannot be read" in unreadable.text) == (422, True)
    unsound = seller.post(f"{page}/amendments/new", data=sent | {"/price/amount": "free"})
    assert (unsound.status_code, 'id="error-/price/amount"' in unsound.text) == (422, True)
    seller.post("/language", data={"language": "zh"})
    told = seller.post(f"{page}/amendments/new", data=sent | {"/price/amount": "free", "other": "/clauses = []"}).text
    assert "实为 'free'；应为 小数，例如 70000 或 0.25" in html.unescape(told)
    seller.post("/language", data={"language": "en"})
    made = seller.post(f"{page}/amendments/new", data=sent)
    assert made.status_code == 303
    amendment = db.session.scalars(sa.select(Amendment)).one()
    own = f"{page}/amendments/{amendment.id}"
    assert made.location == own
    shown = seller.get(own).text
    for text in ("Price: per unit", "Deadlines: days for claims", "the index has fallen", "Sign and propose"):
        assert text in shown
    assert buyer.get(own).status_code == 404
    seller.post(f"{own}/document")
    assert seller.get(f"{own}.pdf").data.startswith(b"%PDF")
    seller.post(f"{own}/propose", data=fields(contract, "seller", amendment.terms_hash))
    answer = buyer.get(own).text
    assert "Your answer" in answer
    assert "Sign and propose" not in answer
    buyer.post(f"{own}/refuse", data={"reason_code": ""})
    assert "Pending" in buyer.get(own).text
    buyer.post(f"{own}/sign", data=fields(contract, "buyer", amendment.terms_hash))
    after = buyer.get(page).text
    assert "Versions of the terms" in after
    assert "Price: per unit" in after
    assert "75 CNY" in buyer.get(f"{page}?as_of=2027-04-01").text
    assert "The terms in force on" in buyer.get(f"{page}?as_of=2027-04-01").text
    assert buyer.get(f"{page}?as_of=never").status_code == 200
    assert client_as(make.UserFactory()).get(own).status_code == 404
    assert client_as(make.StaffFactory()).get(f"{page}/amendments/new").status_code == 403
