"""How contracts come to their end by themselves: fulfilled or expired, two ends that are never one.

A contract is fulfilled when nothing is left to deliver and all is settled. It expires when its term is over and it is
not: at the end of the last period if nothing is under way, else at the long-stop day, later by what force majeure took.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.clock import day_of
from app.models import CallOff, Contract, ReturnCause, SubjectKind
from app.operations import call_offs, hindrances, moves, outbox, quantities
from app.operations.returned_volume import excused_lots, give_back_rest
from contracts.state import Actor, Guard, Subject, end_states
from contracts.terms import Terms

IN_FORCE = ("effective", "suspended")
CALL_OFF_ENDS = frozenset(end_states(Subject.CALL_OFF))
CAUSES: Mapping[str, ReturnCause] = {
    "fulfilled": ReturnCause.FULFILLED,
    "expired": ReturnCause.EXPIRED,
    "terminated": ReturnCause.TERMINATED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a contract has come: lots settled, the fewest that fulfil it, and whether a call-off is under way."""

    settled: int
    required: int
    scheduled: int
    under_way: bool


def running(session: Session) -> Sequence[uuid.UUID]:
    """The contracts in force, for the job that looks at each."""
    query = sa.select(Contract.id).where(Contract.state.in_(IN_FORCE)).order_by(Contract.id)
    return session.scalars(query).all()


def end_if_due(session: Session, *, contract_id: uuid.UUID, now: dt.datetime) -> str | None:
    """Fulfil or expire one contract if it is time; returns the state it came to. Doing it again does nothing."""
    query = sa.select(Contract).where(Contract.id == contract_id, Contract.state.in_(IN_FORCE))
    contract = session.scalar(query.with_for_update(of=Contract).execution_options(populate_existing=True))
    if contract is None:
        return None
    terms, day = quantities.agreed_terms(session, contract=contract), day_of(now)
    found = progress(session, contract=contract, terms=terms)
    over = day > terms.last_period.last_day
    stopped = day > hindrances.long_stop(session, contract=contract, terms=terms, on=day)
    if contract.state == "effective" and is_fulfilled(found, over=over):
        how: tuple[str, Actor, Guard] = "fulfil", Actor.SYSTEM, Guard.EVERYTHING_SETTLED
    elif stopped or (contract.state == "effective" and over and not found.under_way):
        how = "expire", Actor.TIMER, Guard.TERM_OVER
    else:
        return None
    move, actor, guard = how
    moves.make(session, contract, move, acting_as=actor, principal=SYSTEM, guards={guard}, now=now)
    finish(session, contract=contract, now=now)
    return contract.state


def progress(session: Session, *, contract: Contract, terms: Terms) -> Progress:
    """Count what is settled against the schedule, less what is excused and less the tolerance for the buyer."""
    excused = sum(excused_lots(session, contract_id=contract.id).values())
    scheduled = max(terms.total_lots - excused, 0)
    least = scheduled * (1 - Fraction(terms.tolerance.under))
    query = sa.select(CallOff.state, CallOff.received_lots).where(CallOff.contract_id == contract.id)
    rows = session.execute(query.order_by(CallOff.number)).all()
    return Progress(
        settled=sum(lots or 0 for state, lots in rows if state == "settled"),
        required=-(-least.numerator // least.denominator),
        scheduled=scheduled,
        under_way=any(state not in CALL_OFF_ENDS for state, _ in rows),
    )


def is_fulfilled(found: Progress, *, over: bool) -> bool:
    """Whether nothing is left to do: all lots are settled, or the term is over and those within tolerance are.

    A contract of which nothing was settled is not fulfilled, even if all of it was excused: it expires.
    """
    if found.under_way or not found.settled:
        return False
    return found.settled >= found.scheduled or (over and found.settled >= found.required)


def finish(session: Session, *, contract: Contract, now: dt.datetime) -> None:
    """What every end after effect has in common: open call-offs end, the rest returns to the market, both hear."""
    session.flush()
    call_offs.fall_with_contract(session, contract=contract, now=now)
    give_back_rest(session, contract=contract, cause=CAUSES[contract.state], now=now)
    outbox.tell(
        session,
        topic=f"contract.{contract.state}",
        about=(SubjectKind.CONTRACT, contract.id),
        firms=(contract.seller_firm_id, contract.buyer_firm_id),
        payload={"contract": contract.number, "contract_id": str(contract.id), "state": contract.state},
        now=now,
    )
    session.flush()
