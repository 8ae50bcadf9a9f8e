"""Force majeure: the notice of an event under contracts, what is left shared pro rata, the lots that nobody owes.

An event is its firm's; under each contract it is told by a notice, which is in time or counts from a later day. The
decisions are in docs/decisions/0074.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.clock import day_of
from app.errors import Conflict, Forbidden, Refused
from app.models import (
    Allocation,
    Contract,
    Evidence,
    ExcusedVolume,
    ForceMajeure,
    ForceMajeureNotice,
    Proposal,
    SubjectKind,
)
from app.operations import contracts, evidence, moves, outbox, quantities
from app.operations.evidence import File
from app.operations.hindrances import find_event
from app.operations.returned_volume import excused_lots, give_back_excused, used_lots
from app.operations.terms_in_force import terms_in_force
from app.permissions import Permission
from contracts import force_majeure as arithmetic
from contracts.state import Actor
from contracts.terms import Terms
from contracts.wording import Text
from market.periods import Period

IN_FORCE = ("effective", "suspended")


def declare(
    session: Session,
    *,
    principal: Principal,
    contract_ids: Collection[uuid.UUID],
    description: str,
    began_on: dt.date,
    affected: Decimal,
    now: dt.datetime,
) -> ForceMajeure:
    """Tell of an event under some of the asker's contracts; `affected` is the share that cannot be performed (0..1].

    :raises NotFound: a contract that is not the asker's.
    :raises Conflict: a contract that is not in force.
    :raises Refused: it begins in the future, or the share is none.
    """
    firm = _notifier(principal)
    if began_on > day_of(now):
        raise Refused(Text("起始日不能晚于今天", "expected a day not after today"), field="began_on")
    if not 0 < affected <= 1:
        raise Refused(Text("受影响比例须大于 0 且不超过 1", "expected a share above 0, at most 1"), field="affected")
    event = ForceMajeure(firm_id=firm, description=description, began_on=began_on, affected=affected, told_at=now)
    session.add(event)
    session.flush()
    _give_notices(session, principal, event, contract_ids, now)
    session.expire(event)
    return event


def give_notice(
    session: Session,
    *,
    principal: Principal,
    event_id: uuid.UUID,
    contract_ids: Collection[uuid.UUID],
    now: dt.datetime,
) -> ForceMajeure:
    """Tell of an event under further contracts.

    :raises NotFound: the event or a contract is not the asker's.
    :raises Conflict: told under the contract before, or the contract is not in force.
    """
    event = _own_event(session, principal, event_id)
    _give_notices(session, principal, event, contract_ids, now)
    session.expire(event)
    return event


def attach(session: Session, *, principal: Principal, event_id: uuid.UUID, file: File, now: dt.datetime) -> Evidence:
    """Add a file to the asker's own event.

    :raises NotFound: it is not the asker's.
    :raises Refused: the file is not taken; see `evidence.add`.
    """
    event = _own_event(session, principal, event_id)
    side = event.notices[0].side
    return evidence.add(session, principal=principal, side=side, file=file, force_majeure_id=event.id, now=now)


def read_evidence(session: Session, *, principal: Principal, event_id: uuid.UUID, evidence_id: uuid.UUID) -> Evidence:
    """:raises NotFound: no such file of an event that the asker may know of."""
    event = find_event(session, principal=principal, event_id=event_id)
    return evidence.read(session, evidence_id=evidence_id, among=Evidence.force_majeure_id == event.id)


def allocate(
    session: Session,
    *,
    principal: Principal,
    event_id: uuid.UUID,
    product_code: str,
    period: str,
    available: int,
    now: dt.datetime,
) -> Allocation:
    """Share what the seller still has of a product in a period among all its contracts that deliver in it.

    Pro rata of what each was promised and is not yet supplied: nobody is served first. What a contract does not get,
    nobody owes; it goes back to the buyer's demand.

    :raises NotFound: the event is not the asker's.
    :raises Conflict: shared out before, or excused by days already.
    :raises Refused: nothing is promised in the period, or a contract that delivers in it has not been told.
    """
    event = _own_event(session, principal, event_id)
    wanted = Period.parse(period)
    if available < 0:
        raise Refused(Text("可供批数不能为负", "expected 0 lots or more"), field="available")
    notices = {notice.contract_id: notice for notice in event.notices}
    promised: dict[uuid.UUID, int] = {}
    held: dict[uuid.UUID, Contract] = {}
    for contract in _selling(session, event.firm_id, product_code):
        lots = _owed(session, contract, quantities.agreed_terms(session, contract=contract)).get(wanted, 0)
        if lots:
            promised[contract.id], held[contract.id] = lots, contract
    if not promised:
        what = Text("该期间没有尚未供应的合同数量", "no contract of this product has lots left to supply in the period")
        raise Refused(what, field="period")
    if untold := sorted(held[one].number for one in promised.keys() - notices.keys()):
        listed = ", ".join(untold)
        what = Text(
            f"须先向下列合同发出通知：{listed}", f"these contracts share, too, and have not been told: {listed}"
        )
        raise Refused(what, field="period")
    made = Allocation(
        force_majeure_id=event.id, product_code=product_code, period=str(wanted), available=available, made_at=now
    )
    for contract_id in promised:
        _not_excused_yet(session, notices[contract_id], str(wanted))
    session.add(made)
    session.flush()
    for contract_id, share in arithmetic.pro_rata(available, promised).items():
        owed = promised[contract_id]
        _excuse(
            session,
            held[contract_id],
            notices[contract_id],
            promised={wanted: owed},
            lots={wanted: owed - share},
            now=now,
            allocation=made,
        )
    session.expire(event)
    return made


def end(
    session: Session, *, principal: Principal, event_id: uuid.UUID, ended_on: dt.date, now: dt.datetime
) -> ForceMajeure:
    """The event is over. What it took of each period, by its days, nobody owes, but where it was shared out before.

    :raises NotFound: the event is not the asker's.
    :raises Conflict: it has ended already.
    :raises Refused: the day lies before its beginning, or in the future.
    """
    event = _own_event(session, principal, event_id)
    if event.ended_on is not None:
        raise Conflict(Text("该事件已经结束", f"the event ended on {event.ended_on}"))
    if not event.began_on <= ended_on <= day_of(now):
        span = f"{event.began_on} - {day_of(now)}"
        raise Refused(Text(f"须在 {span} 之间", f"expected a day of {span}"), field="ended_on")
    event.ended_on = ended_on
    for notice in sorted(event.notices, key=lambda one: one.contract_id):
        contract = contracts.lock_contract(session, principal=principal, contract_id=notice.contract_id)
        if contract.state in IN_FORCE:
            _end_under(session, event, notice, contract=contract, ended_on=ended_on, now=now)
            _tell(session, "force_majeure.ended", event, contract, now)
    session.flush()
    session.expire(event)
    return event


def _notifier(principal: Principal) -> uuid.UUID:
    if principal.firm_id is None or not principal.may(Permission.CONTRACT_NOTIFY):
        raise Forbidden(Text("通知须由合同当事方发出", "giving notice is for the traders of a contract's parties"))
    return principal.firm_id


def _own_event(session: Session, principal: Principal, event_id: uuid.UUID) -> ForceMajeure:
    firm = _notifier(principal)
    event = find_event(session, principal=principal, event_id=event_id, lock=True)
    if event.firm_id != firm:
        raise Forbidden(Text("只有发出通知的一方可以这样做", "this is for the firm that told of the event"))
    return event


def _give_notices(
    session: Session,
    principal: Principal,
    event: ForceMajeure,
    contract_ids: Collection[uuid.UUID],
    now: dt.datetime,
) -> None:
    if not contract_ids:
        raise Refused(Text("至少选择一份合同", "expected at least one contract"), field="contract_ids")
    day = day_of(now)
    for contract_id in sorted(set(contract_ids)):
        contract = contracts.lock_contract(session, principal=principal, contract_id=contract_id)
        side = Actor.SELLER if contract.seller_firm_id == event.firm_id else Actor.BUYER
        told = sa.select(ForceMajeureNotice.id).where(
            ForceMajeureNotice.force_majeure_id == event.id, ForceMajeureNotice.contract_id == contract.id
        )
        if session.scalar(told) is not None:
            raise Conflict(Text(f"已向 {contract.number} 发出通知", f"{contract.number} has been told of it already"))
        rule = terms_in_force(session, contract=contract, on=day).force_majeure
        moves.make(
            session, contract, "give_notice", acting_as=side, principal=principal, note=event.description, now=now
        )
        session.add(
            ForceMajeureNotice(
                force_majeure_id=event.id,
                contract_id=contract.id,
                side=side.value,
                in_time=arithmetic.notice_in_time(rule, event.began_on, day),
                counts_from=arithmetic.counts_from(rule, event.began_on, day),
                given_at=now,
            )
        )
        _tell(session, "force_majeure.declared", event, contract, now)
    session.flush()


def _selling(session: Session, firm_id: uuid.UUID, product_code: str) -> Sequence[Contract]:
    """The contracts in force by which a firm sells a product, locked."""
    query = (
        sa.select(Contract)
        .join(Proposal, Proposal.id == Contract.proposal_id)
        .where(Contract.seller_firm_id == firm_id, Contract.state.in_(IN_FORCE), Proposal.product_code == product_code)
        .order_by(Contract.id)
        .with_for_update(of=Contract)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).all()


def _owed(session: Session, contract: Contract, terms: Terms) -> dict[Period, int]:
    """Lots of each period that are neither supplied nor excused."""
    used = used_lots(session, contract_id=contract.id)
    excused = excused_lots(session, contract_id=contract.id)
    return {
        line.period: max(line.lots - used.get(str(line.period), 0) - excused.get(str(line.period), 0), 0)
        for line in terms.schedule
    }


def _end_under(
    session: Session,
    event: ForceMajeure,
    notice: ForceMajeureNotice,
    *,
    contract: Contract,
    ended_on: dt.date,
    now: dt.datetime,
) -> None:
    terms = quantities.agreed_terms(session, contract=contract)
    owed = _owed(session, contract, terms)
    shared = {one.period for one in notice.excused}
    lots = {}
    for line in terms.schedule:
        took = arithmetic.excused_lots(line.lots, line.period, notice.counts_from, ended_on, event.affected)
        if str(line.period) not in shared and (less := min(took, owed[line.period])):
            lots[line.period] = less
    _excuse(session, contract, notice, promised=owed, lots=lots, now=now)


def _excuse(
    session: Session,
    contract: Contract,
    notice: ForceMajeureNotice,
    *,
    promised: Mapping[Period, int],
    lots: Mapping[Period, int],
    now: dt.datetime,
    allocation: Allocation | None = None,
) -> None:
    """Write down what nobody owes, lower what may be called, give it back to the side that is not hindered."""
    for period, less in lots.items():
        session.add(
            ExcusedVolume(
                notice_id=notice.id,
                period=str(period),
                promised=promised[period],
                excused=less,
                allocation_id=None if allocation is None else allocation.id,
                at=now,
            )
        )
    session.flush()
    freed = {str(period): less for period, less in lots.items()}
    give_back_excused(session, contract=contract, hindered=notice.side, lots=freed, now=now)
    quantities.write_limits(session, contract=contract)


def _not_excused_yet(session: Session, notice: ForceMajeureNotice, period: str) -> None:
    if session.get(ExcusedVolume, (notice.id, period)) is not None:
        raise Conflict(
            Text(f"{period} 的数量已经分配或免除", f"the lots of {period} are shared out or excused already")
        )


def _tell(session: Session, topic: str, event: ForceMajeure, contract: Contract, now: dt.datetime) -> None:
    outbox.tell(
        session,
        topic=topic,
        about=(SubjectKind.CONTRACT, contract.id),
        firms=(contract.seller_firm_id, contract.buyer_firm_id),
        payload={"contract": contract.number, "contract_id": str(contract.id), "force_majeure_id": str(event.id)},
        now=now,
    )
