"""Laws of calling off: no order of nominations passes a limit, and splitting changes nothing in what may be called."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.models import CallOff, CallOffLedger
from app.operations import nominations
from app.operations.quantities import ContractStanding, agreed_terms, limits_of, quantities

from .delivery_market import NOON, Supply, supply

MONTHS = ("2027-01", "2027-03", "2027-04", "2027-06", "2027-08", "2027-11")
EARLY = NOON.replace(day=10)  # all months of the year are open, January is not yet binding
few = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
wishes = st.lists(st.tuples(st.sampled_from(MONTHS), st.integers(1, 130)), min_size=1, max_size=6)


def try_call(session: Session, deal: Supply, month: str, lots: int) -> CallOff | None:
    try:
        with session.begin_nested():
            return deal.call(lots, month, now=EARLY)
    except Conflict:
        return None


def standing(session: Session, deal: Supply) -> ContractStanding:
    return quantities(session, contract=deal.contract, on=EARLY.date())


def expect_inside(session: Session, deal: Supply) -> None:
    """What is called is inside every limit, and the ledger says the same as the call-offs themselves."""
    terms = agreed_terms(session, contract=deal.contract)
    query = sa.select(CallOff).where(CallOff.contract_id == deal.contract.id).order_by(CallOff.number)
    called = dict.fromkeys(limits_of(terms.schedule, terms.tolerance), 0)
    for call_off in session.scalars(query):
        called[call_off.period] += call_off.counted_lots
    rows = sa.select(CallOffLedger).where(CallOffLedger.contract_id == deal.contract.id).order_by(CallOffLedger.period)
    ledger = session.scalars(rows.execution_options(populate_existing=True)).all()
    so_far = 0
    for row, (_, maximum, most) in zip(ledger, limits_of(terms.schedule, terms.tolerance).values(), strict=True):
        so_far += called[row.period]
        assert (row.called, row.called_so_far) == (called[row.period], so_far)
        assert row.called <= maximum
        assert row.called_so_far <= most


@few
@given(wishes=wishes, over=st.sampled_from(["0", "0.03", "0.1"]), changes=st.lists(st.integers(0, 130), max_size=4))
def test_no_order_of_nominations_passes_a_limit(
    session: Session, wishes: list[tuple[str, int]], over: str, changes: list[int]
) -> None:
    deal = supply(over=over)
    accepted = [made for month, lots in wishes if (made := try_call(session, deal, month, lots)) is not None]
    for call_off, lots in zip(accepted, changes, strict=False):
        change(session, deal, call_off, lots)
    if accepted:
        expect_inside(session, deal)


def change(session: Session, deal: Supply, call_off: CallOff, lots: int) -> None:
    """Another number of lots, or none."""
    told: dict[str, Any] = {"principal": deal.buys, "call_off_id": call_off.id, "now": EARLY}
    try:
        with session.begin_nested():
            if lots:
                nominations.revise(session, wish={"lots": lots}, **told)
            else:
                nominations.cancel(session, note=None, **told)
    except Conflict:
        session.refresh(call_off)


@few
@given(wishes=wishes, data=st.data())
def test_splitting_a_call_off_changes_nothing_in_what_may_be_called(
    session: Session, wishes: list[tuple[str, int]], data: st.DataObject
) -> None:
    whole, split = supply(over="0.03"), supply(over="0.03")
    for month, lots in wishes:
        first = data.draw(st.integers(0, lots))
        point = session.begin_nested()
        parts = [try_call(session, split, month, part) for part in (first, lots - first) if part]
        at_once = try_call(session, whole, month, lots)
        assert (at_once is not None) == all(part is not None for part in parts)
        if at_once is None:
            point.rollback()  # take back the part that was let through alone
        else:
            point.commit()
        rooms = [
            [(line.room.least, line.room.most) for line in standing(session, one).periods] for one in (whole, split)
        ]
        assert rooms[0] == rooms[1]
