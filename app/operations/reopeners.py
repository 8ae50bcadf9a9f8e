"""Reopeners: when the price has moved as far as the terms say, the parties are asked to talk about an amendment.

Nothing changes by itself. A reopener stays open until an amendment for its reason is signed, or the days to talk are
over and the contract is kept as it is.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM, Principal
from app.clock import day_of
from app.errors import Conflict, Refused
from app.models import (
    Amendment,
    Contract,
    IndexPrice,
    MarketIndex,
    Product,
    Reopening,
    ReopeningOutcome,
    SubjectKind,
)
from app.operations import contracts, events, outbox
from app.operations.month_prices import final_price
from app.operations.termination import notifying_side
from app.operations.terms_in_force import terms_in_force
from contracts.clauses import Reopener
from contracts.fixings import IndexMissing
from contracts.reopeners import PriceDrift, Trigger, measure_of, triggered
from contracts.state import Actor
from contracts.terms import Terms
from contracts.wording import Text
from contracts.working import cents
from market.errors import InvalidValue
from market.periods import Period

IN_FORCE = ("effective", "suspended")
REASON = "price_reopener"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clause:
    """One reopener of a contract as it stands on a day."""

    contract: Contract
    terms: Terms
    place: int
    reopener: Reopener
    day: dt.date


def of_contract(session: Session, *, contract: Contract) -> Sequence[Reopening]:
    """What was reopened under a contract, in the order of time."""
    query = sa.select(Reopening).where(Reopening.contract_id == contract.id)
    return session.scalars(query.order_by(Reopening.opened_at, Reopening.id)).all()


def check(session: Session, *, contract_id: uuid.UUID, now: dt.datetime) -> int:
    """Open the reopeners of one contract whose trigger is there; returns how many. Doing it again opens none twice."""
    query = sa.select(Contract).where(Contract.id == contract_id, Contract.state.in_(IN_FORCE))
    contract = session.scalar(query.with_for_update(of=Contract).execution_options(populate_existing=True))
    if contract is None:
        return 0
    opened = 0
    for clause in _clauses(session, contract, day_of(now)):
        measure = measure_of(clause.reopener)
        trigger = None if measure is None else _trigger(session, clause, measure)
        if measure and trigger and not _was_opened(session, clause, measure, trigger):
            _open(session, clause, trigger.steps, trigger.month.last_day, principal=SYSTEM, side=None, now=now)
            opened += 1
    return opened


def invoke(
    session: Session,
    *,
    principal: Principal,
    contract_id: uuid.UUID,
    clause: int,
    statement: str,
    now: dt.datetime,
) -> Reopening:
    """A side reopens the contract by a clause of its terms, counted from 0.

    :raises NotFound: the contract is not the asker's.
    :raises Conflict: it is not in force, the clause is open already, or its trigger can be measured and is not there.
    :raises Refused: the terms have no such reopener.
    """
    contract = contracts.lock_contract(session, principal=principal, contract_id=contract_id)
    side, day = notifying_side(principal, contract), day_of(now)
    if contract.state not in IN_FORCE:
        raise Conflict(Text("合同未在履行期内", "the contract is not in force"))
    found = {one.place: one for one in _clauses(session, contract, day)}.get(clause)
    if found is None:
        raise Refused(Text("合同没有这一条重议条款", "the terms have no such reopener"), field="clause")
    measure = measure_of(found.reopener)
    trigger = None if measure is None else _trigger(session, found, measure)
    if measure is not None and trigger is None:
        raise Conflict(Text("触发条件未满足", "the trigger of this clause is not met"))
    if any(one.clause == clause and one.closed_at is None for one in of_contract(session, contract=contract)):
        raise Conflict(Text("该条款正在重议中", "the clause is open already"))
    said = (Text(statement, statement),)
    steps = said if trigger is None else (*said, *trigger.steps)
    return _open(session, found, steps, day, principal=principal, side=side, now=now)


def open_ones(session: Session) -> Sequence[uuid.UUID]:
    """The reopeners that are open, for the job that closes them."""
    return session.scalars(sa.select(Reopening.id).where(Reopening.closed_at.is_(None)).order_by(Reopening.id)).all()


def close_if_due(session: Session, *, reopening_id: uuid.UUID, now: dt.datetime) -> ReopeningOutcome | None:
    """Close one that an amendment has answered, or whose days to talk are over with none under way; None if neither."""
    found = session.scalar(
        sa.select(Reopening)
        .where(Reopening.id == reopening_id, Reopening.closed_at.is_(None))
        .with_for_update(of=Reopening)
        .execution_options(populate_existing=True)
    )
    if found is None:
        return None
    query = sa.select(Amendment.state).where(
        Amendment.contract_id == found.contract_id,
        Amendment.reason_code == REASON,
        Amendment.created_at >= found.opened_at,
    )
    states = set(session.scalars(query))
    if "active" in states:
        found.outcome = ReopeningOutcome.AMENDED
    elif day_of(now) > found.talk_until and "pending" not in states:
        found.outcome = ReopeningOutcome.KEPT
    else:
        return None
    found.closed_at = now
    session.flush()
    return found.outcome


def _clauses(session: Session, contract: Contract, day: dt.date) -> Iterable[_Clause]:
    terms = terms_in_force(session, contract=contract, on=day)
    return [
        _Clause(contract=contract, terms=terms, place=place, reopener=reopener, day=day)
        for place, reopener in enumerate(terms.reopeners)
    ]


def _trigger(session: Session, clause: _Clause, measure: PriceDrift) -> Trigger | None:
    """Whether the last whole months, as far as they lie in the contract's window, are all beyond the share."""
    last = Period.of(clause.day, "month") + -1
    first = clause.terms.first_period.start
    months = [last + -back for back in range(measure.months) if (last + -back).start >= first]
    if len(months) < measure.months:
        return None
    prices = {}
    for month in months:
        try:
            prices[month] = final_price(session, contract=clause.contract, month=month, on=clause.day).value
        except (IndexMissing, InvalidValue):
            return None  # without the contract's own price there is nothing to compare
    return triggered(measure, prices, _means(session, clause.terms.product, months), last=last)


def _means(session: Session, product: str, months: Sequence[Period]) -> dict[Period, Decimal]:
    """The monthly means of the product's index in CNY per unit, tax excluded; of several the first by code."""
    index = session.scalar(
        sa.select(MarketIndex.code)
        .join(Product, sa.and_(Product.code == MarketIndex.product_code, Product.unit == MarketIndex.unit))
        .where(MarketIndex.product_code == product, MarketIndex.currency == "CNY")
        .order_by(MarketIndex.code)
        .limit(1)
    )
    days = sa.select(IndexPrice.date, IndexPrice.value).where(
        IndexPrice.index_code == index,
        IndexPrice.date.between(min(months).first_day, max(months).last_day),
    )
    values: dict[Period, list[Fraction]] = defaultdict(list)
    for date, value in session.execute(days.order_by(IndexPrice.date)):
        values[Period.of(date, "month")].append(Fraction(value))
    return {month: cents(sum(known, Fraction(0)) / len(known)) for month, known in values.items()}


def _was_opened(session: Session, clause: _Clause, measure: PriceDrift, trigger: Trigger) -> bool:
    """Whether it is open, or was triggered by one of these very months: months count once."""
    first = trigger.month + -(measure.months - 1)
    return any(
        one.clause == clause.place and (one.closed_at is None or one.triggered_on >= first.first_day)
        for one in of_contract(session, contract=clause.contract)
    )


def _open(
    session: Session,
    clause: _Clause,
    steps: Sequence[Text],
    triggered_on: dt.date,
    *,
    principal: Principal,
    side: Actor | None,
    now: dt.datetime,
) -> Reopening:
    contract = clause.contract
    found = Reopening(
        contract_id=contract.id,
        clause=clause.place,
        side=None if side is None else side.value,
        triggered_on=triggered_on,
        talk_until=clause.day + dt.timedelta(days=clause.reopener.notice_days),
        working={"steps": [{"zh": step.zh, "en": step.en} for step in steps]},
        opened_at=now,
    )
    session.add(found)
    session.flush()
    events.record(
        session,
        principal=principal,
        subject=(SubjectKind.CONTRACT, contract.id),
        name="contract.reopen",
        acting_as=side or Actor.TIMER,
        from_state=contract.state,
        to_state=contract.state,
        reason_code=REASON,
        version_hash=contract.terms_hash,
        now=now,
    )
    outbox.tell(
        session,
        topic="contract.notice",
        about=(SubjectKind.CONTRACT, contract.id),
        firms=(contract.seller_firm_id, contract.buyer_firm_id),
        payload={"contract": contract.number, "contract_id": str(contract.id), "reopening_id": str(found.id)},
        now=now,
    )
    return found
