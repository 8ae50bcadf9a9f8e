"""Amendments: drafted, proposed, signed by both, refused, taken back, run out; and the terms in force on a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
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
    Outbox,
    Reservation,
    SubjectKind,
    User,
)
from app.operations import amendments, terms_in_force
from app.operations.contract_terms import frozen_terms
from app.operations.signing_flaws import Flaw, NotSignable, SignatureRefused
from contracts.signing import verify_signed
from contracts.state import Subject, state_names
from contracts.terms import terms_hash
from market.errors import BadInput
from tests import factories as make

from .refusals import violates
from .signed_market import (
    DAY,
    NOON,
    ROOTS,
    contract_in_force,
    contract_to_sign,
    drafted,
    elsewhere,
    given,
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
