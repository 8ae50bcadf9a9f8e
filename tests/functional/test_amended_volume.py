"""An amended schedule and what hangs on it: volume held of both offers, limits of call-offs, what was called before."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import db
from app.errors import Conflict
from app.models import Amendment, CallOff, CallOffLedger, Contract, ForceMajeure, ForceMajeureNotice, OfferPeriod
from app.operations import force_majeure, nominations, quantities
from app.operations.nominations import Wish
from market.errors import BadInput
from tests import factories as make

from .signed_market import NOON, contract_in_force, drafted, moved, trader

SOON = dt.date(2027, 1, 10)
NAMES = ("lots", "minimum", "maximum")


@pytest.fixture
def contract(session: Session) -> Contract:
    """Ten lots in each of eight quarters from 2027-Q1, of which one more or less may be called."""
    return contract_in_force()


def line(at: int, lots: int, minimum: int, maximum: int) -> dict[str, int]:
    return {f"/schedule/{at}/{name}": value for name, value in zip(NAMES, (lots, minimum, maximum), strict=True)}


def active(contract: Contract, values: dict[str, Any], *, day: dt.date = SOON) -> Amendment:
    amendment = drafted(contract, reason_code="schedule", in_force_from=day, new_values=values)
    return moved("sign", moved("propose", amendment, "seller"), "buyer")


def call(contract: Contract, lots: int, month: str = "2027-02", *, now: dt.datetime = NOON) -> CallOff:
    return nominations.call(
        db.session(),
        principal=trader(contract.buyer),
        contract_id=contract.id,
        month=month,
        wish=cast("Wish", {"lots": lots}),
        nominate_now=True,
        now=now,
    )


def ledger(contract: Contract) -> dict[str, tuple[int, int, int]]:
    """By period: lots, the most that may be called in it, the most from the start to its end."""
    query = sa.select(CallOffLedger).where(CallOffLedger.contract_id == contract.id)
    query = query.execution_options(populate_existing=True)
    return {row.period: (row.lots, row.maximum, row.most_so_far) for row in db.session.scalars(query)}


def reserved(contract: Contract, period: str) -> set[int]:
    """What both offers hold for contracts in a period."""
    offers = [contract.proposal.sell_offer_id, contract.proposal.buy_offer_id]
    query = sa.select(OfferPeriod.reserved).where(OfferPeriod.offer_id.in_(offers), OfferPeriod.period == period)
    return set(db.session.scalars(query))


def faults(contract: Contract, values: dict[str, Any]) -> dict[str, str]:
    """Why a draft is not proposed, by place."""
    amendment = drafted(contract, reason_code="schedule", in_force_from=SOON, new_values=values)
    with pytest.raises(BadInput) as refused:
        moved("propose", amendment, "seller")
    assert amendment.state == "draft"
    return {fault.place: fault.expected for fault in refused.value.faults}


def test_limits_and_volume_follow_what_both_signed(contract: Contract) -> None:
    call(contract, 2)
    before = ledger(contract)
    amendment = drafted(
        contract, reason_code="schedule", in_force_from=SOON, new_values=line(1, 30, 20, 40) | line(7, 4, 0, 6)
    )
    moved("propose", amendment, "seller")
    assert ledger(contract) == before, "a proposal changes nothing"
    moved("sign", amendment, "buyer")
    after = ledger(contract)
    assert after["2027-Q2"][:2] == (30, 40)
    assert after["2028-Q4"][:2] == (4, 6)
    assert after["2027-Q2"][2] > before["2027-Q2"][2]
    assert (reserved(contract, "2027-Q2"), reserved(contract, "2028-Q4")) == ({30}, {4})
    spring = call(contract, 30, "2027-05")
    assert spring.nominated_lots == 30
    with pytest.raises(Conflict):
        call(contract, 7, "2028-11", now=dt.datetime(2028, 6, 1, 4, tzinfo=dt.UTC))


def test_what_is_called_is_not_amended_away(contract: Contract) -> None:
    call(contract, 9, "2027-05")
    found = faults(contract, line(1, 5, 0, 8))
    assert found["/schedule/1/maximum"] == "at least 9: 9 lots are called"
    assert set(faults(contract, line(0, 0, 0, 0) | line(1, 5, 0, 20))) == {"/schedule/1/lots"}
    active(contract, line(1, 9, 9, 9))
    assert ledger(contract)["2027-Q2"][:2] == (9, 9)


def test_lots_called_between_proposal_and_answer_stay_called(contract: Contract) -> None:
    amendment = drafted(contract, reason_code="schedule", in_force_from=SOON, new_values=line(1, 5, 0, 8))
    moved("propose", amendment, "seller")
    call(contract, 9, "2027-05")
    with pytest.raises(BadInput, match="9 lots are called"):
        moved("sign", amendment, "buyer")
    assert amendment.state == "pending"


def test_a_line_with_call_offs_stays_and_a_price_is_amended_all_the_same(contract: Contract) -> None:
    call(contract, 1, "2028-10", now=dt.datetime(2028, 1, 10, 4, tzinfo=dt.UTC))
    shorter = [
        {"lots": 10, "maximum": 10, "minimum": 10, "period": f"{year}-Q{quarter}"}
        for year in (2027, 2028)
        for quarter in (1, 2, 3, 4)
    ][:-1]
    assert set(faults(contract, {"/schedule": shorter})) == {"/schedule"}
    active(contract, {"/price/amount": "75"})


def test_periods_stay_of_their_kind(contract: Contract) -> None:
    months = [
        {"lots": 4, "maximum": 4, "minimum": 0, "period": f"{2027 + at // 12}-{at % 12 + 1:02d}"} for at in range(24)
    ]
    with pytest.raises(BadInput, match="lines by the month"):
        drafted(contract, reason_code="schedule", in_force_from=SOON, new_values={"/schedule": months})


def test_excused_lots_do_not_come_back_by_an_amendment_or_a_call_off(session: Session, contract: Contract) -> None:
    event = ForceMajeure(
        firm_id=contract.seller_firm_id,
        description="Flood",
        began_on=dt.date(2027, 4, 1),
        affected=Decimal(1),
        told_at=NOON,
    )
    session.add(event)
    session.flush()
    notice = ForceMajeureNotice(force_majeure_id=event.id, contract_id=contract.id, side="seller", given_at=NOON)
    notice.in_time, notice.counts_from = True, event.began_on
    session.add(notice)
    session.flush()
    later = dt.datetime(2027, 5, 20, 4, tzinfo=dt.UTC)
    force_majeure.end(
        session, principal=trader(contract.seller), event_id=event.id, ended_on=dt.date(2027, 5, 15), now=later
    )
    lost = 4  # 45 of the 91 days of the second quarter, of 10 lots
    excused = quantities.callable_terms(session, contract=contract).schedule[1]
    assert 10 - excused.lots in {lost, lost + 1}
    lowered = ledger(contract)["2027-Q2"]
    assert lowered[:2] == (excused.lots, excused.maximum)
    call(contract, 1, "2027-09", now=later)
    assert ledger(contract)["2027-Q2"] == lowered, "nor by a call-off of another period"
    amendment = drafted(
        contract, now=later, in_force_from=dt.date(2027, 7, 1), reason_code="schedule", new_values=line(5, 12, 8, 14)
    )
    moved("sign", moved("propose", amendment, "seller", now=later), "buyer", now=later)
    assert ledger(contract)["2027-Q2"] == lowered
    assert ledger(contract)["2028-Q2"][:2] == (12, 14)
    standing = quantities.quantities(session, contract=contract, on=later.date())
    assert (standing.periods[1].own.original, standing.periods[1].room.most) == (10, excused.maximum)


def test_volume_follows_the_schedule(contract: Contract) -> None:
    active(contract, line(4, 0, 0, 0) | line(5, 4, 3, 5) | line(6, 100, 90, 100))
    periods = ("2027-Q4", "2028-Q1", "2028-Q2", "2028-Q3")
    assert [reserved(contract, period) for period in periods] == [{10}, {0}, {4}, {100}]
    active(contract, line(4, 10, 10, 10), day=SOON + dt.timedelta(days=1))
    assert reserved(contract, "2028-Q1") == {10}


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
