"""Contracts that never take effect: not signed in time, or signed and not in force by their first day.

A bundle ends as one: what its other members hold is free again with it, in the same transaction.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.clock import day_of
from app.models import Contract, Proposal
from app.operations import bundles, effect, moves, signing
from contracts.state import Actor, Guard

TO_SIGN = ("agreed", "signing")
BEFORE_EFFECT = (*TO_SIGN, "signed")


def due_bundles(session: Session, *, now: dt.datetime) -> list[uuid.UUID]:
    """Bundles in which the time of a contract to be signed, or to take effect, is over."""
    days = Contract.terms["deadlines"]["signing_days"].as_integer()
    until = Contract.created_at + sa.func.make_interval(0, 0, 0, days)
    query = (
        sa.select(Proposal.bundle_id)
        .join(Contract, Contract.proposal_id == Proposal.id)
        .where(
            sa.or_(
                sa.and_(Contract.state.in_(TO_SIGN), until <= now),
                sa.and_(Contract.state == "signed", Contract.effective_from < day_of(now)),
            )
        )
        .distinct()
        .order_by(Proposal.bundle_id)
    )
    return list(session.scalars(query))


def lapse(session: Session, *, bundle_id: uuid.UUID, now: dt.datetime) -> int:
    """End the contracts of a bundle that are not in force, if the time of one is over; returns how many ended.

    Safe to repeat.
    """
    members = [one for one in effect.lock_bundle(session, bundle_id) if one.state in BEFORE_EFFECT]
    due = [one for one in members if _is_over(one, now)]
    if not due:
        return 0
    for contract in due:
        moves.make(session, contract, "lapse", acting_as=Actor.TIMER, principal=SYSTEM, now=now)
    end_bundle(session, members, now=now)
    return len(members)


def end_bundle(session: Session, members: Sequence[Contract], *, now: dt.datetime) -> None:
    """One contract of a bundle, all locked, has ended before effect: the others fall with it, all volume is free."""
    for contract in members:
        if contract.state in BEFORE_EFFECT:
            moves.make(
                session,
                contract,
                "fall_with_bundle",
                acting_as=Actor.SYSTEM,
                principal=SYSTEM,
                guards={Guard.BUNDLE_BROKEN},
                reason="member_ended",
                now=now,
            )
        effect.tell(session, contract, now=now)
    bundles.release_volume(session, [contract.proposal_id for contract in members], now=now)
    session.flush()


def _is_over(contract: Contract, now: dt.datetime) -> bool:
    if contract.state == "signed":
        return contract.effective_from < day_of(now)
    return signing.deadline(contract) <= now
