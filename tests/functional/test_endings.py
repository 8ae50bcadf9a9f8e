"""Force majeure, rest, termination and the ends of contracts: who may, when, and what the database refuses."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.clock import day_of
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.errors import Conflict, Forbidden, NotFound, Refused
from app.jobs.contract_timers import run_contract_timers
from app.models import (
    Amendment,
    CallOffLedger,
    Contract,
    ForceMajeure,
    ForceMajeureNotice,
    Outbox,
    Reopening,
    ReopeningOutcome,
    Suspension,
    TerminationGround,
)
from app.operations import force_majeure, hindrances, moves, quantities, reopeners, suspension, termination
from app.transaction import Application
from contracts.state import RULE_VERSION, TABLES, TRANSITIONS, Actor, Subject
from market.errors import InvalidValue
from tests import factories as make
from tests.functional.hindered_market import (
    INSIDE,
    PDF,
    Supply,
    at,
    came,
    claim_of,
    event_of,
    rest,
    senior,
    staff,
    supply,
    wish_to_end,
)
from tests.functional.night_market import standing_application
from tests.functional.refusals import violates


@pytest.fixture
def found(session: Session) -> Supply:
    return supply()


def declared(session: Session, found: Supply, now: dt.datetime, **more: Any) -> ForceMajeure:
    fields: dict[str, Any] = {
        "principal": found.sells,
        "contract_ids": [found.contract.id],
        "description": "Flood",
        "began_on": dt.date(2027, 2, 1),
        "affected": Decimal("0.5"),
        "now": now,
    }
    return force_majeure.declare(session, **fields | more)


def topics(session: Session) -> list[str]:
    return list(session.scalars(sa.select(Outbox.topic).order_by(Outbox.id)))


def end_event(session: Session, found: Supply, event_id: Any, ended_on: str, **more: Any) -> ForceMajeure:
    return force_majeure.end(
        session,
        principal=more.pop("principal", found.sells),
        event_id=event_id,
        ended_on=dt.date.fromisoformat(ended_on),
        now=more.pop("now", at("2027-05-02")),
    )


# Force majeure


def test_a_notice_in_time_counts_from_the_beginning_and_a_late_one_from_later(session: Session, found: Supply) -> None:
    (early,) = declared(session, found, at("2027-02-06")).notices
    assert (early.in_time, early.counts_from) == (True, dt.date(2027, 2, 1))
    (late,) = declared(session, found, at("2027-02-20")).notices
    assert (late.in_time, late.counts_from) == (False, dt.date(2027, 2, 15))
    assert topics(session) == ["force_majeure.declared"] * 2


def test_the_day_is_china_s(session: Session, found: Supply) -> None:
    evening = dt.datetime(2027, 2, 6, 17, tzinfo=dt.UTC)
    assert day_of(evening) == dt.date(2027, 2, 7)
    (notice,) = declared(session, found, evening).notices
    assert not notice.in_time


def test_who_tells_of_an_event_and_under_what(session: Session, found: Supply) -> None:
    other = supply()
    for who in (staff(), of_user(make.RegulatorFactory())):
        with pytest.raises(Forbidden):
            declared(session, found, INSIDE, principal=who)
    with pytest.raises(NotFound):
        declared(session, found, INSIDE, contract_ids=[other.contract.id])
    with pytest.raises(Refused) as future:
        declared(session, found, INSIDE, began_on=dt.date(2027, 3, 2))
    assert future.value.field == "began_on"
    with pytest.raises(Refused) as share:
        declared(session, found, INSIDE, affected=Decimal("1.1"))
    assert share.value.field == "affected"
    event = declared(session, found, INSIDE)
    with pytest.raises(Conflict, match="told of it already"):
        force_majeure.give_notice(
            session, principal=found.sells, event_id=event.id, contract_ids=[found.contract.id], now=INSIDE
        )
    assert hindrances.find_event(session, principal=found.buys, event_id=event.id) is event
    with pytest.raises(NotFound):
        hindrances.find_event(session, principal=other.buys, event_id=event.id)
    with pytest.raises(Forbidden):
        end_event(session, found, event.id, "2027-02-28", principal=found.buys)
    proof = force_majeure.attach(session, principal=found.sells, event_id=event.id, file=PDF, now=INSIDE)
    read = force_majeure.read_evidence(session, principal=found.buys, event_id=event.id, evidence_id=proof.id)
    assert read.content == PDF.content


def test_a_notice_is_of_a_party_in_the_database_too(session: Session, found: Supply) -> None:
    event = declared(session, found, INSIDE)
    row = {"in_time": True, "counts_from": event.began_on, "side": "seller"}
    with violates("ck_force_majeure_notice_of_party"), session.begin_nested():
        session.add(ForceMajeureNotice(force_majeure_id=event.id, contract_id=supply().contract.id, **row))
        session.flush()
    session.expire_all()
    with violates("force_majeure_frozen"), session.begin_nested():
        session.execute(sa.update(ForceMajeure).values(began_on=dt.date(2027, 1, 1)))


def test_what_the_days_took_is_owed_by_nobody_and_not_called_any_more(session: Session, found: Supply) -> None:
    quantities.write_limits(session, contract=found.contract)
    came(found, 90)
    event = declared(session, found, at("2027-02-03"))
    ended = end_event(session, found, event.id, "2027-04-30")
    (notice,) = ended.notices
    assert {one.period: (one.promised, one.excused) for one in notice.excused} == {
        "2027-Q1": (10, 10),  # 59 of 90 days and one half are 33 of 100, but only 10 were still owed
        "2027-Q2": (100, 16),  # 30 of 91 days, one half
    }
    limits = {row.period: (row.lots, row.maximum) for row in session.scalars(sa.select(CallOffLedger))}
    assert limits["2027-Q1"] == (90, 100)
    assert limits["2027-Q2"] == (84, 94)
    assert limits["2027-Q3"] == (100, 110)
    with pytest.raises(Conflict):
        end_event(session, found, event.id, "2027-04-30")


def test_the_term_is_put_off_by_the_days_lost(session: Session, found: Supply) -> None:
    terms = quantities.agreed_terms(session, contract=found.contract)
    event_of(found, began="2027-02-01", ended="2027-02-10")
    event_of(found, began="2027-02-06", ended="2027-02-20", side="buyer")

    def days(on: str) -> int:
        return hindrances.extension_days(session, contract=found.contract, terms=terms, on=dt.date.fromisoformat(on))

    assert days("2027-05-01") == 20
    event_of(found, began="2027-06-01")
    assert (days("2027-06-10"), days("2029-01-01")) == (30, 180)
    stop = hindrances.long_stop(session, contract=found.contract, terms=terms, on=dt.date(2027, 6, 10))
    assert stop == terms.long_stop + dt.timedelta(days=30)


# Rest


def test_a_contract_rests_for_an_event_and_goes_on_after_it(session: Session, found: Supply) -> None:
    act: dict[str, Any] = {"contract_id": found.contract.id, "now": INSIDE}
    with pytest.raises(Conflict, match="force_majeure_notice_given"):
        suspension.suspend(session, principal=staff(), reason_code="force_majeure", **act)
    event = declared(session, found, INSIDE)
    with pytest.raises(Forbidden):
        suspension.suspend(session, principal=found.sells, reason_code="force_majeure", **act)
    row = suspension.suspend(session, principal=senior(), reason_code="force_majeure", note="Seen", **act)
    assert (found.contract.state, row.notice_id) == ("suspended", event.notices[0].id)
    with violates("uq_suspension_one_open"), session.begin_nested():
        again = {"contract_id": found.contract.id, "reason_code": "force_majeure", "notice_id": row.notice_id}
        session.add(Suspension(**again, suspended_at=INSIDE))
        session.flush()
    session.expire_all()
    with pytest.raises(Conflict, match="suspension_cause_ended"):
        suspension.resume(session, principal=staff(), **act)
    end_event(session, found, event.id, "2027-02-28")
    resumed = suspension.resume(session, principal=staff(), contract_id=found.contract.id, now=at("2027-05-02"))
    assert resumed is not None
    assert (found.contract.state, resumed.resume_reason) == ("effective", "force_majeure_ended")
    assert topics(session)[1:] == ["contract.suspended", "force_majeure.ended", "contract.resumed"]


def test_a_contract_rests_for_a_certificate_that_is_suspended(session: Session, found: Supply) -> None:
    act: dict[str, Any] = {
        "principal": staff(),
        "contract_id": found.contract.id,
        "reason_code": "certificate_suspended",
    }
    with pytest.raises(Conflict, match="certificate_suspended"):
        suspension.suspend(session, now=INSIDE, **act)
    certificate = make.CertificateFactory(firm=found.contract.seller, suspended=True)
    stranger = make.CertificateFactory(suspended=True)
    with pytest.raises(Refused):
        suspension.suspend(session, certificate_id=stranger.id, now=INSIDE, **act)
    suspension.suspend(session, certificate_id=certificate.id, now=INSIDE, **act)
    assert found.contract.state == "suspended"
    with pytest.raises(Conflict):
        suspension.resume(session, principal=staff(), contract_id=found.contract.id, now=INSIDE)
    certificate.suspended = False
    session.flush()
    resumed = suspension.resume(session, principal=staff(), contract_id=found.contract.id, now=INSIDE)
    assert resumed is not None
    assert resumed.resume_reason == "certificate_restored"


# Termination


def told(session: Session, found: Supply, **more: Any) -> Any:
    fields: dict[str, Any] = {
        "principal": found.buys,
        "contract_id": found.contract.id,
        "ground": TerminationGround.CAUSE,
        "reason_code": "non_delivery",
        "statement": "Nothing came",
        "now": at("2027-03-01"),
    }
    return termination.give_notice(session, **fields | more)


def terminate(session: Session, who: Any, wish: Any, day: str) -> Any:
    return termination.terminate(session, principal=who, termination_id=wish.id, now=at(day))


def test_for_a_cause_the_other_side_has_its_days_to_cure(session: Session, found: Supply) -> None:
    wish = told(session, found)
    assert wish.cure_until == dt.date(2027, 3, 31)
    with pytest.raises(Conflict, match="cause_established"):
        terminate(session, found.buys, wish, "2027-04-01")
    termination.establish(session, principal=staff(), termination_id=wish.id, note="No waybill at all", now=INSIDE)
    with pytest.raises(Conflict):
        termination.establish(session, principal=staff(), termination_id=wish.id, note="-", now=INSIDE)
    with pytest.raises(Conflict, match="cause_established"):
        terminate(session, found.buys, wish, "2027-03-31")
    with pytest.raises(Conflict, match="cause_established"):
        terminate(session, found.sells, wish, "2027-04-01")
    terminate(session, found.buys, wish, "2027-04-01")
    assert (found.contract.state, wish.side, wish.done_at) == ("terminated", "buyer", at("2027-04-01"))
    assert topics(session)[-1] == "contract.terminated"
    with pytest.raises(Conflict):
        terminate(session, found.buys, wish, "2027-04-01")


def test_an_upheld_claim_establishes_the_cause(session: Session, found: Supply) -> None:
    claim = claim_of(found)
    wish = told(session, found, claim_id=claim.id)
    with pytest.raises(Conflict):
        terminate(session, found.buys, wish, "2027-04-05")
    claim.state, claim.amount_awarded, claim.decided_at = "upheld", Decimal(1), INSIDE
    terminate(session, found.buys, wish, "2027-04-05")
    assert found.contract.state == "terminated"


def test_a_claim_of_the_other_side_establishes_nothing(session: Session, found: Supply) -> None:
    claim = claim_of(found)
    with pytest.raises(Refused) as refused:
        told(session, found, principal=found.sells, claim_id=claim.id)
    assert refused.value.field == "claim_id"


def test_by_consent_the_other_side_ends_it(session: Session, found: Supply) -> None:
    wish = told(session, found, ground=TerminationGround.CONSENT, reason_code="mutual_agreement")
    assert wish.cure_until is None
    with pytest.raises(Conflict, match="both_parties_consent"):
        terminate(session, found.buys, wish, "2027-03-01")
    terminate(session, found.sells, wish, "2027-03-01")
    assert found.contract.state == "terminated"


def test_after_the_exit_day_of_an_event_either_side_may_end_it(session: Session, found: Supply) -> None:
    rest(found, event_of(found, began="2027-02-01"))
    wish = told(session, found, ground=TerminationGround.FORCE_MAJEURE, reason_code="prolonged_force_majeure")
    with pytest.raises(Conflict, match="force_majeure_exit_date_passed"):
        terminate(session, found.buys, wish, "2027-07-30")
    terminate(session, found.buys, wish, "2027-07-31")
    assert found.contract.state == "terminated"


def test_an_event_that_has_ended_gives_no_exit(session: Session, found: Supply) -> None:
    rest(found, event_of(found, began="2027-02-01", ended="2027-07-01"))
    wish = wish_to_end(found, ground=TerminationGround.FORCE_MAJEURE)
    with pytest.raises(Conflict, match="force_majeure_exit_date_passed"):
        terminate(session, found.buys, wish, "2027-12-31")


def test_reasons_fit_their_ground_and_a_side_has_one_notice(session: Session, found: Supply) -> None:
    with pytest.raises(Refused, match="mutual_agreement"):
        told(session, found, ground=TerminationGround.CONSENT)
    with pytest.raises(Refused, match="non_payment"):
        told(session, found, reason_code="mutual_agreement")
    wish = told(session, found)
    with pytest.raises(Conflict, match="stands already"):
        told(session, found)
    assert told(session, found, principal=found.sells).side == "seller"
    with pytest.raises(Forbidden):
        termination.withdraw(session, principal=found.sells, termination_id=wish.id, now=INSIDE)
    termination.withdraw(session, principal=found.buys, termination_id=wish.id, now=INSIDE)
    with pytest.raises(Conflict):
        terminate(session, found.buys, wish, "2027-12-01")
    with pytest.raises(NotFound):
        terminate(session, supply().buys, wish, "2027-12-01")
    assert told(session, found).id != wish.id


# Ends by the clock


def test_fulfilled_and_expired_are_two_ends(session: Session) -> None:
    full, short, under_way, nothing = (supply() for _ in range(4))
    for quarter in (1, 2, 3, 4):
        came(full, 100, period=f"2027-Q{quarter}")
        came(short, 80, period=f"2027-Q{quarter}")
    came(under_way, 90, state="shipped")
    session.commit()
    ids = {one.contract.id: one for one in (full, short, under_way, nothing)}

    def states() -> list[str]:
        found = dict(session.execute(sa.select(Contract.id, Contract.state)).all())
        return [found[number] for number in ids]

    assert run_contract_timers(now=at("2027-12-31")) == {"fulfilled": 1}
    assert run_contract_timers(now=at("2028-01-01")) == {"expired": 2}
    assert states() == ["fulfilled", "expired", "effective", "expired"]
    assert run_contract_timers(now=at("2028-03-30")) == {}
    assert run_contract_timers(now=at("2028-03-31")) == {"expired": 1}, "the day after the long-stop day"


def test_within_the_tolerance_a_contract_is_fulfilled_when_its_term_is_over(session: Session, found: Supply) -> None:
    for quarter in (1, 2, 3, 4):
        came(found, 90, period=f"2027-Q{quarter}")
    session.commit()
    assert run_contract_timers(now=at("2027-12-31")) == {}
    assert run_contract_timers(now=at("2028-01-01")) == {"fulfilled": 1}


def test_what_was_excused_is_not_missed(session: Session, found: Supply) -> None:
    event = declared(session, found, at("2027-02-03"), affected=Decimal(1))
    end_event(session, found, event.id, "2027-04-30")  # 66 and 33 lots
    came(found, 34)
    came(found, 67, period="2027-Q2")
    for quarter in (3, 4):
        came(found, 100, period=f"2027-Q{quarter}")
    session.commit()
    assert run_contract_timers(now=at("2027-12-30")) == {"fulfilled": 1}


def test_one_contract_that_cannot_be_read_does_not_stop_the_others(
    app: Application, postgres: EmbeddedPostgres, worker_name: str
) -> None:
    with standing_application(app, postgres, worker_name):
        make.ContractFactory(state="effective", terms={"rate": 10})
        supply()
        db.session.commit()
        assert run_contract_timers(now=at("2028-01-02")) == {"expired": 1}
        states = sa.select(Contract.state).order_by(Contract.state)
        assert db.session.scalars(states).all() == ["effective", "expired"]


# Reopeners


def market(session: Session, found: Supply, values: dict[str, str]) -> None:
    product = found.contract.proposal.grade.product
    index = make.MarketIndexFactory(product=product)
    for day, value in values.items():
        make.IndexPriceFactory(index=index, date=dt.date.fromisoformat(day), value=Decimal(value))
    session.commit()


FAR = {"2027-01-15": "110", "2027-02-15": "50", "2027-03-15": "120", "2027-03-16": "110"}


def test_three_months_beyond_the_share_ask_for_an_amendment_once(session: Session, found: Supply) -> None:
    market(session, found, FAR)
    assert run_contract_timers(now=at("2027-03-31")) == {}, "March is not over"
    assert run_contract_timers(now=at("2027-04-02")) == {"reopened": 1}
    assert run_contract_timers(now=at("2027-04-03")) == {}
    (row,) = session.scalars(sa.select(Reopening)).all()
    assert (row.side, row.triggered_on, row.talk_until) == (None, dt.date(2027, 3, 31), dt.date(2027, 5, 2))
    assert row.working["steps"][2]["en"] == "2027-03: index mean 115, contract price 78, off by +47.44 %"
    assert "contract.notice" in topics(session)
    assert run_contract_timers(now=at("2027-05-02")) == {}
    assert run_contract_timers(now=at("2027-05-03")) == {"closed": 1}
    session.expire_all()
    assert (row.outcome, found.contract.state) == (ReopeningOutcome.KEPT, "effective")
    assert run_contract_timers(now=at("2027-05-04")) == {}, "the same months count once"


def test_a_month_that_is_near_enough_triggers_nothing(session: Session, found: Supply) -> None:
    market(session, found, FAR | {"2027-02-16": "150"})
    assert run_contract_timers(now=at("2027-04-02")) == {}
    with pytest.raises(Conflict, match="trigger"):
        reopeners.invoke(
            session,
            principal=found.buys,
            contract_id=found.contract.id,
            clause=0,
            statement="Too dear",
            now=at("2027-04-02"),
        )


def test_a_side_invokes_it_and_a_signed_amendment_closes_it(session: Session, found: Supply) -> None:
    market(session, found, FAR)
    act: dict[str, Any] = {
        "principal": found.buys,
        "contract_id": found.contract.id,
        "statement": "Too dear",
        "now": at("2027-04-02"),
    }
    with pytest.raises(Refused) as refused:
        reopeners.invoke(session, clause=1, **act)
    assert refused.value.field == "clause"
    row = reopeners.invoke(session, clause=0, **act)
    assert (row.side, row.working["steps"][0]["en"]) == ("buyer", "Too dear")
    with pytest.raises(Conflict, match="open already"):
        reopeners.invoke(session, clause=0, **act)
    amended = Amendment(
        contract_id=found.contract.id,
        proposed_by="buyer",
        number=2,
        reason_code="price_reopener",
        in_force_from=dt.date(2027, 7, 1),
        terms=found.contract.terms,
        terms_hash="0" * 64,
        state="pending",
        proposed_at=at("2027-04-03"),
        expires_at=at("2027-06-30"),
        created_at=at("2027-04-03"),
    )
    session.add(amended)
    session.flush()
    assert reopeners.close_if_due(session, reopening_id=row.id, now=at("2027-05-10")) is None, "they are still talking"
    session.execute(sa.text("ALTER TABLE amendment DISABLE TRIGGER USER"))
    amended.state = "active"
    session.flush()
    assert reopeners.close_if_due(session, reopening_id=row.id, now=at("2027-05-10")) is ReopeningOutcome.AMENDED


# The rule set a contract was made under


def test_a_contract_moves_by_the_rules_it_was_made_under(
    session: Session, found: Supply, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that is added later, or one that is gone, is not this contract's."""
    kept = tuple(row for row in TRANSITIONS if not (row.subject is Subject.CONTRACT and row.move == "give_notice"))
    monkeypatch.setitem(TABLES, "2025.1", kept)
    session.execute(sa.text("ALTER TABLE contract DISABLE TRIGGER contract_frozen"))
    found.contract.rule_version = "2025.1"
    session.flush()
    with pytest.raises(Conflict, match="no such move"):
        declared(session, found, INSIDE)
    found.contract.rule_version = RULE_VERSION
    session.flush()
    assert declared(session, found, INSIDE).notices
    found.contract.rule_version = "1999.9"
    session.flush()
    with pytest.raises(InvalidValue, match="rule set"):
        moves.make(session, found.contract, "give_notice", acting_as=Actor.SELLER, principal=found.sells, now=INSIDE)
