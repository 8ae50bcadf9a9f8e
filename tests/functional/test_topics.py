"""Every topic of a contract's life is told by the operation that makes it so, and leads its reader to a page."""

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
from app.models import Amendment, Firm, FixingKind, Outbox, TerminationGround, User
from app.operations import (
    amendments,
    assays,
    call_off_timers,
    claims,
    contracts,
    effect,
    endings,
    force_majeure,
    lapses,
    nominations,
    shipments,
    suspension,
    termination,
)
from app.operations.topics import TOPICS, Audience
from app.transaction import Application
from app.web.notifications import place_of
from tests import factories as make

from .delivery_market import ASSAY, FIRM, SHIPPED
from .hindered_market import AFTER_LONG_STOP, INSIDE, PDF, at, came, claim_of, staff, supply
from .settlement_market import deal as settled_deal
from .settlement_market import fixed, load_june, record
from .signed_market import DAY, NOON, contract_to_sign, drafted, effective_contract, moved, sign_for, trader

# Told before there is a contract, by the night, or about webhooks: see test_negotiation, test_night, test_webhooks.
ELSEWHERE = {"proposal", "message", "run", "webhook"}


def made_and_signed() -> None:
    proposal = make.AgreedProposalFactory()
    contract_to_sign_of = contracts.conclude(db.session(), proposal, now=NOON)
    assert contract_to_sign_of.state == "agreed"
    effective_contract()


def never_signed() -> None:
    contract = contract_to_sign()
    other = make.ContractFactory(
        proposal=make.AgreedProposalFactory(run=contract.proposal.run, bundle=contract.proposal.bundle),
        state="signed",
        created_at=NOON,
    )
    sign_for(contract, "seller")
    late = NOON + 30 * DAY
    assert lapses.lapse(db.session(), bundle_id=contract.proposal.bundle_id, now=late) == 2
    assert {contract.state, other.state} == {"lapsed", "cancelled"}
    assert effect.due_bundles(db.session(), now=late) == []


def amended() -> None:
    session, contract = db.session(), effective_contract()

    def proposed() -> tuple[dict[str, Any], Amendment]:
        amendment = moved("propose", drafted(contract), "seller")
        return {"contract_id": contract.id, "amendment_id": amendment.id, "now": NOON}, amendment

    ids, _ = proposed()
    amendments.cancel(session, principal=trader(contract.seller), **ids)
    ids, _ = proposed()
    amendments.refuse(session, principal=trader(contract.buyer), reason_code="not_agreed", **ids)
    proposed()
    assert amendments.expire(session, now=NOON + 30 * DAY) == 1
    _, last = proposed()
    moved("sign", last, "buyer")


def delivered() -> None:
    session, found = db.session(), supply(quality=(ASSAY,))
    found.call(5, nominate_now=False)
    gone = found.call(5)
    nominations.cancel(session, principal=found.buys, call_off_id=gone.id, note=None, now=NOON)
    refused = found.call(5)
    good = found.confirmed(10)
    call_off_timers.run_timers(session, contract_id=found.contract.id, now=FIRM)
    call_off_timers.run_timers(session, contract_id=found.contract.id, now=FIRM + 10 * DAY)
    shipments.refuse(session, principal=found.sells, call_off_id=refused.id, reason_code="transport", now=FIRM)
    found.receive(found.ship(good, 10), 10)
    for by, value in ((found.sells, "99.0"), (found.buys, "98.5")):
        found.assay(good, by, value)
    found.assay(good, staff(), "98.6")
    assays.reject(session, principal=found.buys, call_off_id=good.id, reason_code="beyond_rejection_limit", now=SHIPPED)


def invoiced() -> None:
    load_june()
    deal = settled_deal()
    deal.delivers(10)
    (row,) = deal.issue("2025-07-20").invoices
    record(dt.date(2025, 6, 4), 62_080, reason="corrected by the exchange")
    deal.issue("2025-07-22")
    deal.issue("2025-09-01")
    deal.pays(row, row.gross, "2025-09-02")
    fixed().issue("2026-01-05")
    other = settled_deal()
    for day in (24, 25, 26, 27, 30):
        record(dt.date(2025, 6, day), None, kind=FixingKind.WITHDRAWN, reason="not published")
    other.delivers(10)
    other.issue("2025-07-20")


def claimed() -> None:
    session, found = db.session(), supply()
    upheld, declined, withdrawn = (claim_of(found) for _ in range(3))
    claims.defend(session, principal=found.sells, claim_id=upheld.id, defence="No", now=at("2027-02-21"))
    claims.uphold(session, principal=staff(), claim_id=upheld.id, amount=Decimal(100), now=at("2027-02-22"))
    claims.decline(session, principal=staff(), claim_id=declined.id, reason_code="no_breach", now=at("2027-04-01"))
    claims.withdraw(session, principal=found.buys, claim_id=withdrawn.id, now=at("2027-02-22"))
    late = claim_of(found, filed=False)
    claims.attach(session, principal=found.buys, claim_id=late.id, file=PDF, now=at("2027-02-20"))
    assert claims.lapse(session, claim_id=late.id, now=at("2027-05-01"))


def hindered() -> None:
    session, found = db.session(), supply()
    event = force_majeure.declare(
        session,
        principal=found.sells,
        contract_ids=[found.contract.id],
        description="Flood",
        began_on=dt.date(2027, 2, 27),
        affected=Decimal(1),
        now=INSIDE,
    )
    act: dict[str, Any] = {"contract_id": found.contract.id}
    suspension.suspend(session, principal=staff(), reason_code="force_majeure", now=INSIDE, **act)
    end = at("2027-03-20")
    force_majeure.end(session, principal=found.sells, event_id=event.id, ended_on=dt.date(2027, 3, 19), now=end)
    suspension.resume(session, principal=staff(), now=end, **act)


def ended() -> None:
    session = db.session()
    by_consent, over, done = supply(), supply(), supply()
    wish = termination.give_notice(
        session,
        principal=by_consent.buys,
        contract_id=by_consent.contract.id,
        ground=TerminationGround.CONSENT,
        reason_code="mutual_agreement",
        statement="Let us part",
        now=INSIDE,
    )
    termination.terminate(session, principal=by_consent.sells, termination_id=wish.id, now=INSIDE)
    for quarter in (1, 2, 3, 4):
        came(done, 100, period=f"2027-Q{quarter}")
    for found in (over, done):
        assert endings.end_if_due(session, contract_id=found.contract.id, now=AFTER_LONG_STOP) is not None


LIVES: dict[str, tuple[Callable[[], None], set[str]]] = {
    "made and signed": (
        made_and_signed,
        {"contract.agreed", "contract.signing", "contract.signed", "contract.effective"},
    ),
    "never signed": (never_signed, {"contract.lapsed", "contract.cancelled"}),
    "amended": (amended, {f"amendment.{state}" for state in ("pending", "active", "refused", "cancelled", "expired")}),
    "delivered": (
        delivered,
        {
            f"call_off.{state}"
            for state in (
                *("forecast", "nominated", "firm", "overdue", "confirmed", "shipped", "received", "assayed"),
                *("refused", "rejected", "cancelled", "lapsed"),
            )
        }
        | {"assay.disputed"},
    ),
    "invoiced": (
        invoiced,
        {f"invoice.{what}" for what in ("issued", "corrected", "paid", "overdue")}
        | {"call_off.settled", "statement.issued", "index.missing"},
    ),
    "claimed": (
        claimed,
        {f"claim.{state}" for state in ("pending", "defended", "upheld", "declined", "withdrawn", "lapsed")},
    ),
    "hindered": (
        hindered,
        {"force_majeure.declared", "force_majeure.ended", "contract.suspended", "contract.resumed"},
    ),
    "ended": (ended, {"contract.notice", "contract.terminated", "contract.expired", "contract.fulfilled"}),
}


@pytest.mark.parametrize("life", LIVES)
def test_what_is_told_leads_to_its_page(
    app: Application, session: Session, client_as: Callable[[User], FlaskClient], life: str
) -> None:
    live, expected = LIVES[life]
    live()
    session.flush()
    told = {one.topic: one for one in session.scalars(sa.select(Outbox).order_by(Outbox.id))}
    assert expected <= told.keys()
    of_firm: dict[object, User] = {}
    platform = make.StaffFactory()
    for topic in sorted(expected):
        message = told[topic]
        readers = [
            of_firm.setdefault(firm, make.UserFactory(firm=session.get_one(Firm, firm))) for firm in message.firm_ids
        ]
        if TOPICS[topic].audience is Audience.BOTH:
            readers.append(platform)
        for reader in readers:
            with app.test_request_context():
                address = place_of(message, of_user(reader))
            assert address is not None, topic
            answer = client_as(reader).get(address)
            assert answer.status_code == 200, (topic, address)
            assert message.about_kind == "contract" or str(message.about_id) in address


def test_no_topic_is_left_out() -> None:
    walked = {topic for _, topics in LIVES.values() for topic in topics}
    assert {topic.code for topic in TOPICS.values() if topic.group not in ELSEWHERE} == walked
