"""What the terms make a claim worth: damages for late lots, payment for lots not supplied, with the working."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.errors import Refused
from app.models import CallOff, Contract, Penalty
from app.operations import excuses
from app.operations.charges import due_on
from app.operations.month_prices import final_price
from app.operations.statements import lots_of_periods
from app.operations.terms_in_force import terms_in_force
from contracts import remedies
from contracts.fixings import IndexMissing
from contracts.remedies import LateLots
from contracts.settlement_inputs import mean_price
from contracts.terms import Terms
from contracts.wording import Text
from contracts.working import Working
from market.periods import Period

RECEIVED = ("received", "assayed", "settled")


def worth(session: Session, *, contract: Contract, penalty: Penalty, period: str, on: dt.date) -> Working:
    """CNY that a penalty comes to by what is known on a day, tax excluded, with its working.

    `period` is a delivery month or a line of the schedule for late lots, a calendar year for lots not supplied.

    :raises Refused: the contract has no such clause, the period is not its own, or a price is not known yet.
    :raises InvalidValue: the period is none.
    """
    wanted = Period.parse(period)
    terms = terms_in_force(session, contract=contract, on=wanted.first_day)
    if wanted.last_day < terms.first_period.first_day or wanted.first_day > terms.last_period.last_day:
        raise _refused("期间不在合同期内", f"{period} lies outside the contract's window")
    try:
        if penalty is Penalty.LATE_DAMAGES:
            return _late_damages(session, contract, terms, wanted, on)
        return _supply_or_pay(session, contract, terms, wanted, on)
    except IndexMissing as missing:
        raise _refused("该期间的价格尚未确定", f"the price of the period is not known: {missing}") from missing


def _late_damages(session: Session, contract: Contract, terms: Terms, period: Period, on: dt.date) -> Working:
    if terms.late_damages is None:
        raise _refused("合同未约定逾期违约金", "the contract has no damages for late delivery", "penalty")
    query = (
        sa.select(CallOff)
        .options(selectinload(CallOff.consignment))
        .where(CallOff.contract_id == contract.id, CallOff.state.in_(RECEIVED))
        .order_by(CallOff.number)
    )
    late = []
    for row in session.scalars(query):
        month = Period.parse(row.month)
        days = _days_late(session, contract, row)
        if days and period.start <= month.start < period.start + period.months:
            price = final_price(session, contract=contract, month=month, on=on).value
            late.append(LateLots(lots=row.received_lots or 0, days=days, price=price, reference=f"#{row.number}"))
    return remedies.late_damages(terms.late_damages, terms.lot, late)


def _days_late(session: Session, contract: Contract, row: CallOff) -> int:
    """Calendar days after its day on which a call-off arrived, without those of the seller's force majeure."""
    arrived, due = None if row.consignment is None else row.consignment.received_on, due_on(row)
    if arrived is None or arrived <= due:
        return 0
    first = due + dt.timedelta(days=1)
    return (arrived - due).days - excuses.days_hindered(session, contract=contract, first=first, last=arrived)


def _supply_or_pay(session: Session, contract: Contract, terms: Terms, year: Period, on: dt.date) -> Working:
    if terms.supply_or_pay is None:
        raise _refused("合同未约定短供付款", "the contract has no supply-or-pay", "penalty")
    if year.kind != "year":
        raise _refused("短供付款按日历年计算，例如 2027", f"{year} is no calendar year; expected one such as 2027")
    if year.last_day >= on:
        raise _refused("该年度尚未结束", f"{year} is not over")
    lots = [
        one
        for period, one in lots_of_periods(session, contract=contract, terms=terms).items()
        if period.first_day.year == year.first_day.year
    ]
    months = _months(terms, year)
    return remedies.supply_or_pay(
        terms.supply_or_pay,
        terms.lot,
        firm=sum(one.firm for one in lots),
        excused=sum(one.excused_for_seller for one in lots),
        delivered=sum(one.delivered for one in lots),
        price=mean_price([final_price(session, contract=contract, month=one, on=on).value for one in months]),
    )


def _months(terms: Terms, year: Period) -> Sequence[Period]:
    """The months of a year that lie in the contract's window."""
    first = max(year.start, terms.first_period.start)
    after = min(year.start + year.months, terms.last_period.start + terms.last_period.months)
    return [Period(start, 1) for start in range(first, after)]


def _refused(zh: str, en: str, field: str = "penalty_period") -> Refused:
    return Refused(Text(zh, en), field=field)
