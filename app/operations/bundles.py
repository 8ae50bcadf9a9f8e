"""Bundles: proposals that a conversion ties together move as one, and what they hold is given back as one.

Whoever moves a proposal locks its whole bundle first, always in the order of the ids.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from app.auth import SYSTEM
from app.models import Proposal, Reservation, SubjectKind
from app.operations import moves, outbox, proposal_versions
from app.operations.bulk import among
from contracts.state import Actor, Guard, Subject, end_states

ENDED = frozenset(end_states(Subject.PROPOSAL))


def lock(session: Session, bundle_id: uuid.UUID, *options: ORMOption) -> list[Proposal]:
    """The proposals of a bundle, as they are now and stay until the transaction ends."""
    query = (
        sa.select(Proposal)
        .where(Proposal.bundle_id == bundle_id)
        .order_by(Proposal.id)
        .with_for_update(of=Proposal)
        .options(*options)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(query))


def fall(session: Session, members: Iterable[Proposal], *, because: str, now: dt.datetime) -> None:
    """Cancel the members that are still open, because another one came to its end (a code of the group BUNDLE).

    Counter-offers that wait in the bundle end with it.
    """
    members = list(members)
    proposal_versions.void_open(session, ids(members), now=now)
    for member in members:
        if member.state not in ENDED:
            moves.make(
                session,
                member,
                "fall_with_bundle",
                acting_as=Actor.SYSTEM,
                principal=SYSTEM,
                guards={Guard.BUNDLE_BROKEN},
                reason=because,
                now=now,
            )
            tell(session, member, now=now)


def release_volume(session: Session, proposals: Collection[uuid.UUID], *, now: dt.datetime) -> None:
    """Give back what some proposals hold. Doing it again changes nothing."""
    session.flush()
    session.execute(
        sa.update(Reservation)
        .where(among(Reservation.proposal_id, proposals), Reservation.released_at.is_(None))
        .values(released_at=now)
        .execution_options(synchronize_session=False)
    )


def keep_agreed_volume(session: Session, proposal: Proposal) -> None:
    """Give back what was matched beyond the schedule that was agreed on."""
    agreed = {line["period"]: line["lots"] for line in (proposal.terms or {}).get("schedule", ())}
    for held in session.scalars(
        sa.select(Reservation)
        .where(Reservation.proposal_id == proposal.id, Reservation.released_at.is_(None))
        .order_by(Reservation.offer_id, Reservation.period)
    ):
        held.quantity = min(held.quantity, agreed.get(held.period, held.quantity))


def tell(session: Session, proposal: Proposal, *, now: dt.datetime) -> None:
    """A message to both parties, if they know of the proposal; it leaves after the commit."""
    if proposal.terms is not None:
        outbox.tell(
            session,
            topic=f"proposal.{proposal.state}",
            about=(SubjectKind.PROPOSAL, proposal.id),
            firms=(proposal.seller_firm_id, proposal.buyer_firm_id),
            payload={"proposal_id": str(proposal.id), "state": proposal.state},
            now=now,
        )


def ids(proposals: Sequence[Proposal]) -> list[uuid.UUID]:
    return [proposal.id for proposal in proposals]
