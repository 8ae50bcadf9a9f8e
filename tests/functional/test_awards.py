"""What is awarded on a claim becomes an invoice: once, in full, with its working, the same when computed again."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.errors import Conflict
from app.models import Claim, Invoice, InvoiceKind, LineName, Penalty
from app.operations import claims
from app.operations.replay import replay

from .hindered_market import PDF, staff
from .refusals import violates
from .settlement_market import Deal, fixed, noon

BREACH = dt.date(2025, 7, 15)


def claim_of(session: Session, deal: Deal, **more: Any) -> Claim:
    """A claim of the buyer, filed on 2025-08-01."""
    fields: dict[str, Any] = {"kind": "late_delivery", "breach_on": BREACH, "amount": Decimal(3000)} | more
    buyer, now = of_user(deal.buyer), noon("2025-08-01")
    claim = claims.draft(
        session, principal=buyer, contract_id=deal.contract.id, statement="It came late", now=now, **fields
    )
    claims.attach(session, principal=buyer, claim_id=claim.id, file=PDF, now=now)
    return claims.file(session, principal=buyer, claim_id=claim.id, now=now)


def late_goods(deal: Deal) -> None:
    late = deal.ships(100, day=10, promised_on=dt.date(2025, 7, 12))
    deal.assayed(deal.arrives(late, "2025-07-25"), "99.5", "99.5")


def decided(session: Session, claim: Claim, amount: str) -> Claim:
    return claims.uphold(session, principal=staff(), claim_id=claim.id, amount=Decimal(amount), now=noon("2025-09-10"))


def awards(deal: Deal, day: str) -> list[Invoice]:
    return [row for row in deal.issue(day).invoices if row.kind is InvoiceKind.CLAIM]


def test_an_award_is_asked_for_once_and_comes_out_again(session: Session) -> None:
    deal = fixed()
    claim = claim_of(session, deal)
    assert awards(deal, "2025-08-02") == [], "nothing is owed before the decision"
    decided(session, claim, "2500.50")
    (row,) = awards(deal, "2025-09-11")
    assert (row.creditor, row.payer, row.net, row.vat, row.gross) == (
        "buyer",
        "seller",
        Decimal("2500.50"),
        Decimal("0.00"),
        Decimal("2500.50"),
    )
    assert (row.period, row.claim_id, row.due_on) == ("2025-07", claim.id, dt.date(2025, 10, 11))
    (line,) = row.lines
    assert line.name is LineName.CLAIM
    assert [step["en"] for step in line.steps] == [
        "breach on 2025-07-15: Late delivery",
        "claimed 3,000, awarded 2,500.5",
        "to date 2,500.5",
    ]
    assert awards(deal, "2025-09-12") == []
    again = replay(session, contract_id=deal.contract.id)
    assert (again.same, again.count) == (True, len(session.scalars(sa.select(Invoice.id)).all()))


def test_what_the_terms_compute_stands_in_the_working_and_is_asked_for_by_the_claim_only(session: Session) -> None:
    deal = fixed()
    late_goods(deal)
    claim = claim_of(session, deal, amount=None, penalty=Penalty.LATE_DAMAGES, penalty_period="2025-07")
    assert [row.kind for row in deal.issue("2025-08-05").invoices] == [InvoiceKind.FINAL]
    claims.concede(session, principal=of_user(deal.seller), claim_id=claim.id, now=noon("2025-08-06"))
    (row,) = deal.issue("2025-08-07").invoices
    assert (row.kind, row.gross) == (InvoiceKind.CLAIM, claim.amount_claimed)
    told = [step["en"] for step in row.lines[0].steps]
    assert any("13 days late (3 of grace)" in step for step in told)
    later = {row.kind for row in deal.issue("2026-02-01").invoices}
    assert later & {InvoiceKind.CLAIM, InvoiceKind.LATE_DAMAGES} == set()


def test_a_declined_claim_costs_nothing(session: Session) -> None:
    deal = fixed()
    claim = claim_of(session, deal)
    claims.decline(session, principal=staff(), claim_id=claim.id, reason_code="no_breach", now=noon("2025-09-10"))
    assert awards(deal, "2025-09-11") == []


def test_what_an_invoice_asks_for_is_not_claimed_as_well(session: Session) -> None:
    deal = fixed()
    late_goods(deal)
    kinds = [row.kind for row in deal.issue("2025-08-01").invoices]
    assert kinds == [InvoiceKind.FINAL, InvoiceKind.LATE_DAMAGES]
    with pytest.raises(Conflict, match="asks for this penalty already"):
        claim_of(session, deal, amount=None, penalty=Penalty.LATE_DAMAGES, penalty_period="2025-Q3")


def test_a_draft_is_not_filed_after_an_invoice_asked_for_the_same(session: Session) -> None:
    deal = fixed()
    late_goods(deal)
    buyer, now = of_user(deal.buyer), noon("2025-08-01")
    draft = claims.draft(
        session,
        principal=buyer,
        contract_id=deal.contract.id,
        kind="late_delivery",
        breach_on=BREACH,
        statement="It came late",
        penalty=Penalty.LATE_DAMAGES,
        penalty_period="2025-07",
        now=now,
    )
    claims.attach(session, principal=buyer, claim_id=draft.id, file=PDF, now=now)
    assert InvoiceKind.LATE_DAMAGES in {row.kind for row in deal.issue("2025-08-01").invoices}
    with pytest.raises(Conflict, match="asks for this penalty already"):
        claims.file(session, principal=buyer, claim_id=draft.id, now=now)


def test_the_database_takes_awards_as_they_were_decided_only(session: Session) -> None:
    deal = fixed()
    claim = decided(session, claim_of(session, deal), "2500.50")
    with violates("claim_decided_frozen"), session.begin_nested():
        session.execute(sa.update(Claim).where(Claim.id == claim.id).values(amount_awarded=Decimal(2600)))
    (row,) = awards(deal, "2025-09-11")
    other = claim_of(session, deal)
    columns = [column.key for column in Invoice.__table__.columns if not column.primary_key]
    values = {name: getattr(row, name) for name in columns} | {"number": row.number + 1, "inputs_hash": "0" * 64}
    with violates("ck_invoice_as_awarded"), session.begin_nested():
        session.execute(sa.insert(Invoice).values(values | {"claim_id": other.id}))
