"""Contracts in force that are hindered, claimed on and ended: rows as the operations find them, in short."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import sqlalchemy as sa

from app.auth import Principal
from app.auth.principal import of_user
from app.db import db
from app.models import (
    CallOff,
    CallOffLedger,
    Claim,
    Consignment,
    Contract,
    ForceMajeure,
    ForceMajeureNotice,
    Suspension,
    Termination,
    TerminationGround,
)
from app.operations import claims, quantities
from app.operations.evidence import File
from tests import factories as make
from tests.functional.delivery_market import Supply, supply

__all__ = ["Supply", "supply"]
PDF = File(name="proof.pdf", content=b"%PDF-1.7 a waybill")
INSIDE = dt.datetime(2027, 3, 1, 4, tzinfo=dt.UTC)  # in the first quarter of the usual supply
AFTER_LONG_STOP = dt.datetime(2028, 7, 1, 4, tzinfo=dt.UTC)


def staff() -> Principal:
    return of_user(make.StaffFactory())


def senior() -> Principal:
    return of_user(make.SeniorStaffFactory())


def at(day: str) -> dt.datetime:
    """Noon of a day in China."""
    return dt.datetime.combine(dt.date.fromisoformat(day), dt.time(4), dt.UTC)


def event_of(
    found: Supply, *, side: str = "seller", began: str = "2027-02-01", ended: str | None = None, affected: str = "1"
) -> ForceMajeureNotice:
    """An event of one side, told in time under the contract, written as rows."""
    firm = found.contract.seller_firm_id if side == "seller" else found.contract.buyer_firm_id
    day = dt.date.fromisoformat(began)
    event = ForceMajeure(
        firm_id=firm,
        description="Flood",
        began_on=day,
        ended_on=None if ended is None else dt.date.fromisoformat(ended),
        affected=Decimal(affected),
        told_at=at(began),
    )
    db.session.add(event)
    db.session.flush()
    notice = ForceMajeureNotice(
        force_majeure_id=event.id,
        contract_id=found.contract.id,
        side=side,
        in_time=True,
        counts_from=day,
        given_at=at(began),
    )
    db.session.add(notice)
    db.session.flush()
    return notice


def rest(found: Supply, notice: ForceMajeureNotice) -> Suspension:
    """The contract rests for a notice, written as rows."""
    row = Suspension(
        contract_id=found.contract.id, reason_code="force_majeure", notice_id=notice.id, suspended_at=INSIDE
    )
    db.session.add(row)
    found.contract.state = "suspended"
    db.session.flush()
    return row


def wish_to_end(
    found: Supply,
    *,
    ground: TerminationGround = TerminationGround.CAUSE,
    side: str = "buyer",
    given: str = "2027-01-10",
) -> Termination:
    """A notice of termination whose days to cure are over in `INSIDE` and whose cause is established."""
    cause = ground is TerminationGround.CAUSE
    reasons = {
        TerminationGround.CONSENT: "mutual_agreement",
        TerminationGround.FORCE_MAJEURE: "prolonged_force_majeure",
    }
    row = Termination(
        contract_id=found.contract.id,
        side=side,
        ground=ground,
        reason_code=reasons.get(ground, "non_delivery"),
        statement="Nothing came",
        cure_until=dt.date.fromisoformat(given) + dt.timedelta(days=30) if cause else None,
        established_at=at(given) if cause else None,
        given_at=at(given),
    )
    db.session.add(row)
    db.session.flush()
    return row


def came(found: Supply, lots: int, *, period: str = "2027-Q1", state: str = "settled", days_late: int = 0) -> CallOff:
    """A call-off of the period's second month whose goods have come, written as rows."""
    contract = found.contract
    if db.session.get(CallOffLedger, (contract.id, period)) is None:
        quantities.write_limits(db.session(), contract=contract)
    month = f"{period[:4]}-{int(period[-1]) * 3 - 1:02d}"
    number = 1 + (
        db.session.scalar(sa.select(sa.func.max(CallOff.number)).where(CallOff.contract_id == contract.id)) or 0
    )
    due = dt.date.fromisoformat(f"{month}-10")
    received = state in {"received", "assayed", "settled", "rejected"}
    row = CallOff(
        contract_id=contract.id,
        number=number,
        period=period,
        month=month,
        state=state,
        nominated_lots=lots,
        confirmed_lots=lots,
        shipped_lots=lots if received or state == "shipped" else None,
        received_lots=lots if received else None,
        promised_on=due,
        confirm_by=due,
        place="Plant 1",
    )
    db.session.add(row)
    db.session.flush()
    if row.shipped_lots:
        arrived = due + dt.timedelta(days=days_late)
        db.session.add(
            Consignment(
                call_off_id=row.id,
                transport_document="W-1",
                certificate="COA-1",
                shipped_on=due,
                received_on=arrived if received else None,
            )
        )
        db.session.flush()
    return row


def claim_of(found: Supply, *, filed: bool = True, amount: str = "500") -> Claim:
    """A claim of the buyer for a breach on 2027-02-10, filed with evidence on 2027-02-20."""
    now = at("2027-02-20")
    claim = claims.draft(
        db.session(),
        principal=found.buys,
        contract_id=found.contract.id,
        kind="late_delivery",
        breach_on=dt.date(2027, 2, 10),
        statement="It came late",
        amount=Decimal(amount),
        now=now,
    )
    if filed:
        claims.attach(db.session(), principal=found.buys, claim_id=claim.id, file=PDF, now=now)
        claims.file(db.session(), principal=found.buys, claim_id=claim.id, now=now)
    return claim


def put(contract: Contract, state: str) -> None:
    """Write a state that no operation would have led to, to see what the operations make of it."""
    contract.state = state
    db.session.flush()
