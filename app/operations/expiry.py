"""Proposals that ran out of time: their timer ends them, with their whole bundle, and frees the volume."""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.models import Proposal
from app.operations import bundles, moves
from contracts.state import Actor, Guard

OPEN = ("proposed", "under_review", "released", "accepted", "countered")


def due_bundles(session: Session, *, now: dt.datetime) -> list[uuid.UUID]:
    """Bundles in which a proposal's time is over."""
    query = sa.select(Proposal.bundle_id).where(Proposal.state.in_(OPEN), Proposal.expires_at <= now).distinct()
    return list(session.scalars(query.order_by(Proposal.bundle_id)))


def expire_bundle(session: Session, *, bundle_id: uuid.UUID, now: dt.datetime) -> int:
    """End the open proposals of a bundle if the time of one is over; returns how many ended. Safe to repeat."""
    members = [member for member in bundles.lock(session, bundle_id) if member.state not in bundles.ENDED]
    due = [member for member in members if member.expires_at is not None and member.expires_at <= now]
    if not due:
        return 0
    for member in due:
        moves.make(
            session,
            member,
            "expire",
            acting_as=Actor.TIMER,
            principal=SYSTEM,
            guards={Guard.WHOLE_BUNDLE_MOVES},
            now=now,
        )
        bundles.tell(session, member, now=now)
    bundles.fall(session, members, because="member_expired", now=now)
    bundles.release_volume(session, bundles.ids(members), now=now)
    session.flush()
    return len(members)
