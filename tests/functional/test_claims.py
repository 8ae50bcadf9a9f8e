"""Claims: their days, their evidence, who knows of them, what penalties come to, what the database keeps."""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.errors import Conflict, Forbidden, NotFound, Refused
from app.jobs.contract_timers import run_contract_timers
from app.models import LARGEST_FILE, Claim, Evidence, Outbox, Penalty
from app.operations import claims
from app.operations.evidence import MOST_FILES, File
from tests import factories as make
from tests.functional.hindered_market import (
    PDF,
    Supply,
    at,
    came,
    claim_of,
    event_of,
    put,
    senior,
    staff,
    supply,
)
from tests.functional.refusals import violates

BREACH = dt.date(2027, 2, 10)
FILED = at("2027-02-20")  # the other side may answer until 2027-03-12


@pytest.fixture
def found(session: Session) -> Supply:
    return supply()


def drafted(session: Session, found: Supply, **more: Any) -> Claim:
    fields: dict[str, Any] = {
        "principal": found.buys,
        "contract_id": found.contract.id,
        "kind": "late_delivery",
        "breach_on": BREACH,
        "statement": "It came late",
        "amount": Decimal(500),
        "now": FILED,
    }
    return claims.draft(session, **fields | more)


def told(session: Session) -> list[tuple[str, int]]:
    """Topics and numbers of firms of the messages about claims."""
    query = sa.select(Outbox).where(Outbox.about_kind == "claim").order_by(Outbox.id)
    return [(one.topic, len(one.firm_ids)) for one in session.scalars(query)]


def test_from_draft_to_an_award(session: Session, found: Supply) -> None:
    claim = drafted(session, found)
    assert (claim.state, claim.file_by) == ("draft", dt.date(2027, 4, 11))
    with pytest.raises(Conflict, match="evidence_attached"):
        claims.file(session, principal=found.buys, claim_id=claim.id, now=FILED)
    claims.attach(session, principal=found.buys, claim_id=claim.id, file=PDF, now=FILED)
    claims.file(session, principal=found.buys, claim_id=claim.id, now=FILED)
    assert (claim.state, claim.answer_by) == ("pending", dt.date(2027, 3, 12))
    claims.defend(session, principal=found.sells, claim_id=claim.id, defence="The road was closed", now=FILED)
    claims.attach(session, principal=found.sells, claim_id=claim.id, file=PDF, now=FILED)
    claims.uphold(session, principal=staff(), claim_id=claim.id, amount=Decimal("300.50"), note="In part", now=FILED)
    assert (claim.state, claim.amount_awarded, sorted(one.side for one in claim.evidence)) == (
        "upheld",
        Decimal("300.50"),
        ["buyer", "seller"],
    )
    assert told(session) == [("claim.pending", 2), ("claim.defended", 2), ("claim.upheld", 2)]


def test_the_last_day_to_claim_is_the_contract_s(session: Session, found: Supply) -> None:
    last = at("2027-04-11")
    assert drafted(session, found, now=last).state == "draft"
    with pytest.raises(Conflict, match="within_claim_time_limit"):
        drafted(session, found, now=at("2027-04-12"))
    with pytest.raises(Refused) as refused:
        drafted(session, found, breach_on=dt.date(2027, 2, 21))
    assert refused.value.field == "breach_on"


def test_a_draft_that_is_not_filed_in_time_lapses_by_the_job(session: Session, found: Supply) -> None:
    claim = claim_of(found, filed=False)
    claims.attach(session, principal=found.buys, claim_id=claim.id, file=PDF, now=FILED)
    late = at("2027-04-12")
    with pytest.raises(Conflict, match="within_claim_time_limit"):
        claims.file(session, principal=found.buys, claim_id=claim.id, now=late)
    assert list(claims.overdue_drafts(session, now=at("2027-04-11"))) == []
    session.commit()
    assert run_contract_timers(now=late)["lapsed_claims"] == 1
    assert run_contract_timers(now=late)["lapsed_claims"] == 0
    session.expire_all()
    assert claim.state == "lapsed"
    assert told(session) == [("claim.lapsed", 1)], "the other side never knew of it"


def test_without_a_defence_staff_wait_until_its_time_is_over(session: Session, found: Supply) -> None:
    claim = claim_of(found)
    amount = Decimal(500)
    with pytest.raises(Conflict, match="defence_time_over"):
        claims.uphold(session, principal=staff(), claim_id=claim.id, amount=amount, now=at("2027-03-12"))
    with pytest.raises(Refused) as refused:
        claims.uphold(session, principal=staff(), claim_id=claim.id, amount=amount * 2, now=at("2027-03-13"))
    assert refused.value.field == "amount"
    claims.uphold(session, principal=senior(), claim_id=claim.id, amount=amount, now=at("2027-03-13"))
    assert claim.state == "upheld"


def test_the_other_side_may_concede(session: Session, found: Supply) -> None:
    claim = claim_of(found)
    claims.concede(session, principal=found.sells, claim_id=claim.id, now=FILED)
    assert (claim.state, claim.amount_awarded) == ("upheld", claim.amount_claimed)


def test_who_knows_of_a_claim(session: Session, found: Supply) -> None:
    claim = claim_of(found, filed=False)
    stranger = of_user(make.UserFactory())
    for who in (found.sells, stranger, staff(), of_user(make.RegulatorFactory())):
        with pytest.raises(NotFound):
            claims.find_claim(session, principal=who, claim_id=claim.id)
    claims.attach(session, principal=found.buys, claim_id=claim.id, file=PDF, now=FILED)
    claims.file(session, principal=found.buys, claim_id=claim.id, now=FILED)
    for who in (found.sells, staff(), of_user(make.RegulatorFactory())):
        assert claims.find_claim(session, principal=who, claim_id=claim.id) is claim
    for who in (stranger, of_user(make.PlatformAdminFactory())):
        with pytest.raises(NotFound):
            claims.find_claim(session, principal=who, claim_id=claim.id)
    with pytest.raises(Forbidden):
        claims.defend(session, principal=of_user(make.RegulatorFactory()), claim_id=claim.id, defence="-", now=FILED)
    assert claims.open_moves(found.sells, claim) == ("concede", "defend")
    assert claims.open_moves(found.buys, claim) == ("withdraw",)
    assert claims.open_moves(of_user(make.RegulatorFactory()), claim) == ()


def test_nobody_breaks_a_contract_that_never_took_effect(session: Session, found: Supply) -> None:
    put(found.contract, "signed")
    with pytest.raises(Conflict, match="never took effect"):
        drafted(session, found)
    put(found.contract, "terminated")
    assert drafted(session, found).state == "draft", "a claim outlives its contract"


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("proof.exe", b"MZ", "expected a file of"),
        ("proof", b"%PDF-", "expected a file of"),
        ("proof.pdf", b"", "expected 1 byte"),
        ("proof.pdf", b"%PDF-" + b"0" * LARGEST_FILE, "expected 1 byte"),
        ("proof.pdf", b"<html>", "not that of a pdf"),
        ("proof.png", b"%PDF-", "not that of a png"),
        ("proof.txt", b"\xff\xfe\x00", "not that of a text"),
    ],
)
def test_files_that_are_not_taken(session: Session, found: Supply, name: str, content: bytes, word: str) -> None:
    claim = claim_of(found, filed=False)
    with pytest.raises(Refused, match=word) as refused:
        claims.attach(
            session, principal=found.buys, claim_id=claim.id, file=File(name=name, content=content), now=FILED
        )
    assert refused.value.field == "file"


def test_evidence_is_kept_as_it_came(session: Session, found: Supply) -> None:
    claim = claim_of(found)
    (proof,) = claim.evidence
    read = claims.read_evidence(session, principal=found.sells, claim_id=claim.id, evidence_id=proof.id)
    assert (read.content, read.size) == (PDF.content, len(PDF.content))
    assert read.sha256 == hashlib.sha256(PDF.content).hexdigest()
    other = claim_of(supply())
    with pytest.raises(NotFound):
        claims.read_evidence(session, principal=found.sells, claim_id=claim.id, evidence_id=other.evidence[0].id)
    with violates("evidence_append_only"):
        session.execute(sa.update(Evidence).values(filename="other.pdf"))


def test_there_is_an_end_of_files(session: Session, found: Supply) -> None:
    claim = claim_of(found, filed=False)
    for _ in range(MOST_FILES):
        claims.attach(session, principal=found.buys, claim_id=claim.id, file=PDF, now=FILED)
    with pytest.raises(Refused, match="the most"):
        claims.attach(session, principal=found.buys, claim_id=claim.id, file=PDF, now=FILED)


def test_a_decided_claim_takes_no_file(session: Session, found: Supply) -> None:
    claim = claim_of(found)
    claims.concede(session, principal=found.sells, claim_id=claim.id, now=FILED)
    with pytest.raises(Conflict):
        claims.attach(session, principal=found.buys, claim_id=claim.id, file=PDF, now=FILED)


def test_what_was_filed_stays(session: Session, found: Supply) -> None:
    claim = claim_of(found)
    with violates("claim_filed_frozen"), session.begin_nested():
        claim.amount_claimed = Decimal(900)
        session.flush()
    session.expire_all()
    with violates("claim_kept"), session.begin_nested():
        session.execute(sa.delete(Claim).where(Claim.id == claim.id))
    with violates("ck_claim_upheld_has_amount"), session.begin_nested():
        claim.state, claim.decided_at = "upheld", FILED
        session.flush()


def test_damages_for_late_lots_are_held_by_their_cap(session: Session, found: Supply) -> None:
    came(found, 10, days_late=13)  # 3 of grace, 10 x 0.05 % of 780
    came(found, 20, days_late=203)  # 200 x 0.05 % is 10 %, held at 5 % of 1 560
    late = {
        "amount": None,
        "penalty": Penalty.LATE_DAMAGES,
        "penalty_period": "2027-Q1",
        "breach_on": dt.date(2027, 9, 1),
    }
    claim = drafted(session, found, now=at("2027-09-10"), **late)
    assert claim.amount_claimed == Decimal("3.90") + Decimal("78.00")
    assert claim.working is not None
    steps = [step["en"] for step in claim.working["steps"]]
    assert steps[0] == "#1: 10 lots worth 780, 13 days late (3 of grace) × 0.05 %: 0.5 % = 3.9"
    assert "5 % (capped)" in steps[1]
    assert steps[-1] == "late damages 81.9"
    with pytest.raises(Refused, match="a claim of the buyer"):
        drafted(session, found, principal=found.sells, now=at("2027-09-10"), **late)
    with pytest.raises(Refused, match="the terms compute it"):
        drafted(session, found, now=at("2027-09-10"), **late | {"amount": Decimal(5)})
    with pytest.raises(Refused, match="outside the contract"):
        drafted(session, found, now=at("2027-09-10"), **late | {"penalty_period": "2026"})
    with pytest.raises(Refused, match="expected late_delivery"):
        drafted(session, found, now=at("2027-09-10"), **late | {"kind": "quality"})


def test_days_of_force_majeure_are_not_late(session: Session, found: Supply) -> None:
    came(found, 10, days_late=13)
    event_of(found, began="2027-02-11", ended="2027-02-15")
    late = {
        "amount": None,
        "penalty": Penalty.LATE_DAMAGES,
        "penalty_period": "2027-02",
        "breach_on": dt.date(2027, 2, 23),
    }
    claim = drafted(session, found, now=at("2027-02-25"), **late)
    assert claim.amount_claimed == Decimal("1.95"), "8 days late, 3 of them grace"


def test_lots_not_supplied_are_paid_for(session: Session, found: Supply) -> None:
    came(found, 60)
    came(found, 40, state="firm")
    wanted = {"kind": "short_delivery", "amount": None, "penalty": Penalty.SUPPLY_OR_PAY, "penalty_period": "2027"}
    year = {"breach_on": dt.date(2027, 12, 31), "now": at("2028-01-05")}
    claim = drafted(session, found, **wanted, **year)
    assert claim.amount_claimed == Decimal("546.00"), "95 % of 100 firm lots less 60, at a fifth of 78"
    with pytest.raises(Refused, match="not over"):
        drafted(session, found, **wanted, breach_on=BREACH)
    with pytest.raises(Refused, match="calendar year"):
        drafted(session, found, **wanted | {"penalty_period": "2027-Q1"}, **year)


def test_a_penalty_that_comes_to_nothing_is_no_claim(session: Session, found: Supply) -> None:
    came(found, 10, days_late=2)
    with pytest.raises(Refused) as refused:
        drafted(session, found, amount=None, penalty=Penalty.LATE_DAMAGES, penalty_period="2027-02")
    assert refused.value.field == "penalty"
