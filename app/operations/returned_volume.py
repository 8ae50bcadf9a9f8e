"""What a contract gives back to the market: the lots of its two offers that it will not take any more.

Lots that were shipped stay used up for ever, whatever becomes of the contract. Lots that force majeure excused go back
to the side that was not hindered: the other side's goods, or its need, are gone with the event.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.models import (
    CallOff,
    Contract,
    ExcusedVolume,
    ForceMajeureNotice,
    Proposal,
    Reservation,
    ReturnCause,
    ReturnedVolume,
)
from contracts.state import Actor

# The states of call-offs whose goods have left the seller and are not on their way back.
GONE = ("shipped", "received", "assayed", "settled")


def excused_lots(session: Session, *, contract_id: uuid.UUID, side: str | None = None) -> dict[str, int]:
    """Lots by period that nobody owes, because of events of one side or of both."""
    query = (
        sa.select(ExcusedVolume.period, sa.func.sum(ExcusedVolume.excused))
        .join(ForceMajeureNotice, ForceMajeureNotice.id == ExcusedVolume.notice_id)
        .where(ForceMajeureNotice.contract_id == contract_id)
        .group_by(ExcusedVolume.period)
    )
    if side is not None:
        query = query.where(ForceMajeureNotice.side == side)
    return {period: int(lots) for period, lots in session.execute(query)}


def used_lots(session: Session, *, contract_id: uuid.UUID) -> dict[str, int]:
    """Lots by period that have left the seller; of goods that are still on their way, those that were shipped."""
    lots = sa.func.coalesce(CallOff.received_lots, CallOff.shipped_lots)
    query = (
        sa.select(CallOff.period, sa.func.sum(lots))
        .where(CallOff.contract_id == contract_id, CallOff.state.in_(GONE))
        .group_by(CallOff.period)
    )
    return {period: int(sum_) for period, sum_ in session.execute(query)}


def give_back_excused(
    session: Session, *, contract: Contract, hindered: str, lots: Mapping[str, int], now: dt.datetime
) -> int:
    """Free lots by period on the side that was not hindered; returns how many. The caller has locked the contract."""
    unhindered = Actor.BUYER if hindered == Actor.SELLER else Actor.SELLER
    return sum(
        _free(session, contract, row, lots=lots.get(row.period, 0), cause=ReturnCause.EXCUSED, now=now)
        for row in _reservations(session, contract)
        if _side(contract, row) == unhindered
    )


def give_back_rest(session: Session, *, contract: Contract, cause: ReturnCause, now: dt.datetime) -> int:
    """Free on both sides all that was neither used nor lost to that side's own event, when a contract has ended.

    Returns how many lots, both sides together. Doing it again frees nothing.
    """
    used = used_lots(session, contract_id=contract.id)
    lost: dict[str, dict[str, int]] = defaultdict(dict)
    for side in (Actor.SELLER, Actor.BUYER):
        lost[side] = excused_lots(session, contract_id=contract.id, side=side)
    freed = 0
    for row in _reservations(session, contract):
        kept = used.get(row.period, 0) + lost[_side(contract, row)].get(row.period, 0)
        freed += _free(session, contract, row, lots=row.quantity - kept, cause=cause, now=now)
    return freed


def returned(session: Session, *, principal: Principal, contract: Contract) -> Sequence[ReturnedVolume]:
    """What a contract has given back of the asker's own offer, of both to overseers; in the order of time."""
    query = sa.select(ReturnedVolume).where(ReturnedVolume.contract_id == contract.id)
    if principal.firm_id is not None:
        proposal: Proposal = contract.proposal
        sells = principal.firm_id == contract.seller_firm_id
        query = query.where(ReturnedVolume.offer_id == (proposal.sell_offer_id if sells else proposal.buy_offer_id))
    return session.scalars(query.order_by(ReturnedVolume.id)).all()


def _reservations(session: Session, contract: Contract) -> Sequence[Reservation]:
    query = (
        sa.select(Reservation)
        .where(Reservation.proposal_id == contract.proposal_id, Reservation.released_at.is_(None))
        .order_by(Reservation.offer_id, Reservation.period)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).all()


def _side(contract: Contract, row: Reservation) -> str:
    proposal: Proposal = contract.proposal
    return Actor.SELLER if row.offer_id == proposal.sell_offer_id else Actor.BUYER


def _free(
    session: Session, contract: Contract, row: Reservation, *, lots: int, cause: ReturnCause, now: dt.datetime
) -> int:
    """Take lots out of a reservation. The flush keeps the sums of the offers in step, one row at a time."""
    lots = min(lots, row.quantity)
    if lots <= 0:
        return 0
    if lots == row.quantity:
        row.released_at = now
    else:
        row.quantity -= lots
    session.add(
        ReturnedVolume(
            contract_id=contract.id, offer_id=row.offer_id, period=row.period, lots=lots, cause=cause, at=now
        )
    )
    session.flush()
    return lots
