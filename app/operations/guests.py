"""The guests of a docking round: who is invited, and who has answered with an offer."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.models import Firm, Offer, OfferState, RoundInvitation
from app.operations.rounds import find_round


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """An invited firm; `offers` counts what it has open in the round, `answered_at` is when it first posted."""

    firm: Firm
    invited_at: dt.datetime
    offers: int
    answered_at: dt.datetime | None


def guests(session: Session, *, principal: Principal, round_id: uuid.UUID) -> Sequence[Guest]:
    """The guests by name. For who manages rounds: guests are not told of each other.

    :raises NotFound: there is no such round for the asker.
    """
    find_round(session, principal=principal, round_id=round_id)
    is_open = Offer.state == OfferState.OPEN
    posted = (
        sa.select(
            Offer.firm_id,
            sa.func.count().filter(is_open).label("offers"),
            sa.func.min(Offer.posted_at).label("answered_at"),
        )
        .where(Offer.round_id == round_id, Offer.posted_at.is_not(None))
        .group_by(Offer.firm_id)
        .subquery()
    )
    query = (
        sa.select(Firm, RoundInvitation.invited_at, sa.func.coalesce(posted.c.offers, 0), posted.c.answered_at)
        .join(RoundInvitation, RoundInvitation.firm_id == Firm.id)
        .outerjoin(posted, posted.c.firm_id == Firm.id)
        .where(RoundInvitation.round_id == round_id)
        .order_by(Firm.name_en, Firm.id)
    )
    return [
        Guest(firm=firm, invited_at=invited_at, offers=offers, answered_at=answered_at)
        for firm, invited_at, offers, answered_at in session.execute(query)
    ]


def firms_by_number(session: Session, *, numbers: Sequence[str]) -> dict[str, uuid.UUID]:
    """Active firms by their unified social credit code, or by country and number of a foreign register."""
    number = sa.func.coalesce(Firm.credit_code, Firm.country + " " + Firm.registration_number)
    query = sa.select(number, Firm.id).where(Firm.active, number.in_(numbers))
    return dict(session.execute(query).all())
