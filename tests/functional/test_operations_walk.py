"""Every state of proposals and call-offs, brought about by operations; every operation tried from each by everybody.

What must happen is read from the state table: contracts and claims are walked in test_contract_walk, amendments in
test_amendments.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.auth import Principal
from app.auth.principal import of_user
from app.db import db
from app.errors import Conflict, Forbidden, NotFound
from app.models import CallOff, Proposal, ReviewAction
from app.operations import (
    assays,
    bundles,
    call_off_timers,
    call_offs,
    counters,
    expiry,
    nominations,
    proposal_versions,
    proposals,
    review,
    shipments,
)
from contracts.counter import Changes
from contracts.price_formula import FixedPrice
from contracts.state import Actor, Subject, end_states, moves_from, state_names
from contracts.wording import as_said
from tests import factories as make

from .delivery_market import ASSAY, BINDING, FIRM, NOON, SHIPPED, Supply, supply
from .web_market import proposal_for_review

Act = Callable[[Principal], object]
Road = list[tuple[Act, Principal]]
PEOPLE = (Actor.SELLER, Actor.BUYER, Actor.STAFF)


def walk(
    session: Session,
    subject: Proposal | CallOff,
    kind: Subject,
    acts: Mapping[str, Act],
    who: Mapping[Actor, Principal],
) -> int:
    """Try every act by everybody; returns how many moves went through. What the table does not have never does."""
    state, made = subject.state, set()
    for move, act in acts.items():
        for actor, principal in who.items():
            rows = [row for row in moves_from(kind, state, actor) if row.move == move]
            nested = session.begin_nested()
            try:
                act(principal)
            except (Conflict, Forbidden, NotFound):
                reached = None
            else:
                reached = subject.state
            assert reached is None or reached in {row.to_state for row in rows}, (state, move, actor, reached)
            if reached is not None:
                made.add(move)
            nested.rollback()
            session.expire_all()
            assert subject.state == state
    wanted = {row.move for row in moves_from(kind, state) if row.move in acts and row.actors & who.keys()}
    assert made == wanted, state
    return len(made)


# Call-offs.


def in_state(session: Session, found: Supply, state: str) -> CallOff:
    """A call-off of ten lots that came to a state by the operations themselves."""
    if state in {"forecast", "lapsed"}:
        call_off = found.call(nominate_now=False)
        if state == "lapsed":
            call_off_timers.run_timers(session, contract_id=found.contract.id, now=BINDING)
        return call_off
    if state in {"nominated", "cancelled", "firm", "refused"}:
        call_off = found.call()
        own: dict[str, Any] = {"call_off_id": call_off.id}
        if state == "cancelled":
            nominations.cancel(session, principal=found.buys, note=None, now=NOON, **own)
        if state in {"firm", "refused"}:
            call_off_timers.run_timers(session, contract_id=found.contract.id, now=FIRM)
        if state == "refused":
            shipments.refuse(session, principal=found.sells, reason_code="transport", now=FIRM, **own)
        return call_off
    return _delivered(session, found, state)


def _delivered(session: Session, found: Supply, state: str) -> CallOff:
    call_off = found.confirmed()
    if state != "confirmed":
        found.ship(call_off, 10)
    if state not in {"confirmed", "shipped"}:
        found.receive(call_off, 10)
    if state in {"assayed", "settled", "rejected"}:
        found.assay(call_off, found.sells, "98.50")
        found.assay(call_off, found.buys, "98.52")
    if state == "settled":
        call_offs.settle(session, call_off=call_off, now=SHIPPED)
    if state == "rejected":
        reason = "beyond_rejection_limit"
        assays.reject(session, principal=found.buys, call_off_id=call_off.id, reason_code=reason, now=SHIPPED)
    return call_off


def acts_on(session: Session, found: Supply, call_off: CallOff) -> dict[str, Act]:
    own: dict[str, Any] = {"call_off_id": call_off.id}
    day = {"forecast": NOON, "nominated": NOON, "firm": FIRM, "confirmed": SHIPPED}.get(call_off.state, SHIPPED)
    shipment: dict[str, Any] = {"transport_document": "W", "certificate": "C", "shipped_on": dt.date(2027, 2, 8)}
    received = dt.date(2027, 2, 10)
    short: dict[str, Any] = {"lots": 5, "reason_code": "transport"}

    def revise(who: Principal) -> object:
        return nominations.revise(session, principal=who, wish={"lots": 9}, now=day, **own)

    def nominate(who: Principal) -> object:
        return nominations.nominate(session, principal=who, lots=10, now=day, **own)

    def cancel(who: Principal) -> object:
        return nominations.cancel(session, principal=who, note=None, now=day, **own)

    def confirm(who: Principal) -> object:
        return shipments.confirm(session, principal=who, lots=10, now=day, **own)

    def confirm_part(who: Principal) -> object:
        return shipments.confirm(session, principal=who, now=day, **own, **short)

    def refuse(who: Principal) -> object:
        return shipments.refuse(session, principal=who, reason_code="transport", now=day, **own)

    def ship(who: Principal) -> object:
        return shipments.ship(session, principal=who, lots=10, now=day, **own, **shipment)

    def receive(who: Principal) -> object:
        return shipments.receive(session, principal=who, lots=10, received_on=received, now=day, **own)

    def reject(who: Principal) -> object:
        return assays.reject(session, principal=who, reason_code="beyond_rejection_limit", now=day, **own)

    return {
        "revise": revise,
        "nominate": nominate,
        "cancel": cancel,
        "confirm": confirm,
        "confirm_part": confirm_part,
        "refuse": refuse,
        "ship": ship,
        "receive": receive,
        "reject": reject,
    }


@pytest.mark.parametrize("state", state_names(Subject.CALL_OFF))
def test_every_operation_on_a_call_off_from_every_state(session: Session, state: str) -> None:
    found = supply(quality=(ASSAY,))
    call_off = in_state(session, found, state)
    assert call_off.state == state
    who = {Actor.SELLER: found.sells, Actor.BUYER: found.buys, Actor.STAFF: of_user(make.StaffFactory())}
    made = walk(session, call_off, Subject.CALL_OFF, acts_on(session, found, call_off), who)
    assert (made == 0) is (state in end_states(Subject.CALL_OFF) or state == "received")


@pytest.mark.parametrize("state", state_names(Subject.CALL_OFF))
def test_only_what_is_assayed_is_settled(session: Session, state: str) -> None:
    found = supply(quality=(ASSAY,))
    call_off = in_state(session, found, state)
    if state == "assayed":
        call_offs.settle(session, call_off=call_off, now=SHIPPED)
        assert call_off.state == "settled"
        return
    with pytest.raises(Conflict):
        call_offs.settle(session, call_off=call_off, now=SHIPPED)
    assert call_off.state == state


# Proposals.


class Parties:
    """A proposal and who may move it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.row = proposal_for_review()
        for offer in (self.row.sell_offer, self.row.buy_offer):
            for period in self.row.run.round.horizon.labels():
                make.ReservationFactory(proposal=self.row, offer_id=offer.id, period=period)
        self.who = {
            Actor.SELLER: of_user(make.UserFactory(firm=self.row.seller)),
            Actor.BUYER: of_user(make.UserFactory(firm=self.row.buyer)),
            Actor.STAFF: of_user(make.StaffFactory()),
        }
        self.own: dict[str, Any] = {"proposal_id": self.row.id, "now": NOON}

    def waiting(self) -> str:
        """The hash of the counter that waits; of none, another."""
        found = proposal_versions.versions_of(self.session, self.row) if self.row.terms is not None else []
        return next((one.terms_hash for one in found if one.state == "open"), "0" * 64)

    def accept(self, who: Principal) -> object:
        return proposals.accept(self.session, principal=who, terms_hash=self.row.terms_hash, **self.own)

    def decline(self, who: Principal) -> object:
        return proposals.decline(self.session, principal=who, reason_code="price", **self.own)

    def counter(self, who: Principal) -> object:
        price = FixedPrice(amount=Decimal(79))
        changes = Changes(price=price)
        return counters.counter(self.session, principal=who, version=self.row.version, changes=changes, **self.own)

    def take(self, who: Principal) -> object:
        return counters.take(self.session, principal=who, terms_hash=self.waiting(), **self.own)

    def reject(self, who: Principal) -> object:
        return counters.reject(self.session, principal=who, terms_hash=self.waiting(), **self.own)

    def withdraw(self, who: Principal) -> object:
        return counters.withdraw(self.session, principal=who, terms_hash=self.waiting(), **self.own)

    def take_up(self, who: Principal) -> object:
        return review.take_up(self.session, principal=who, **self.own)

    def release(self, who: Principal) -> object:
        return self._decide(who, ReviewAction.RELEASE, "sound")

    def withhold(self, who: Principal) -> object:
        return self._decide(who, ReviewAction.WITHHOLD, "price_abnormal")

    def _decide(self, who: Principal, action: ReviewAction, reason: str) -> object:
        if self.row.state == "proposed":
            raise Conflict(as_said("a decision takes the proposal up first: two moves"))
        return review.decide(self.session, principal=who, action=action, reason_code=reason, **self.own)

    def come_to(self, state: str) -> Proposal:
        """Bring it to a state by the operations themselves."""
        seller, buyer, staff = (self.who[actor] for actor in PEOPLE)
        taken: Road = [(self.take_up, staff)]
        released: Road = [*taken, (self.release, staff)]
        roads: dict[str, Road] = {
            "proposed": [],
            "under_review": taken,
            "withheld": [*taken, (self.withhold, staff)],
            "released": released,
            "expired": released,
            "cancelled": released,
            "accepted": [*released, (self.accept, seller)],
            "countered": [*released, (self.counter, seller)],
            "agreed": [*released, (self.accept, seller), (self.accept, buyer)],
            "declined": [*released, (self.decline, buyer)],
        }
        for act, who in roads[state]:
            act(who)
        if state == "expired":
            later = NOON + dt.timedelta(days=400)
            assert expiry.expire_bundle(self.session, bundle_id=self.row.bundle_id, now=later) == 1
        if state == "cancelled":
            bundles.fall(self.session, [self.row], because="member_declined", now=NOON)
        self.session.flush()
        return self.row


@pytest.mark.parametrize("state", state_names(Subject.PROPOSAL))
def test_every_operation_on_a_proposal_from_every_state(session: Session, state: str) -> None:
    parties = Parties(db.session())
    row = parties.come_to(state)
    assert row.state == state
    acts = {
        "accept": parties.accept,
        "decline": parties.decline,
        "counter": parties.counter,
        "take_counter": parties.take,
        "reject_counter": parties.reject,
        "withdraw_counter": parties.withdraw,
        "take_up": parties.take_up,
        "release": parties.release,
        "withhold": parties.withhold,
    }
    made = walk(session, row, Subject.PROPOSAL, acts, parties.who)
    assert (made == 0) is (state in end_states(Subject.PROPOSAL))
