"""What an offer asks, bids or charges in each period: its own prices, or its formula on the round's forward curve."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy.orm import Session

from app.models import Offer, Proposal
from app.operations.forward_curve import forward_curves
from app.operations.offer_terms import formula_of


def moment_of(proposal: Proposal) -> dt.datetime:
    """When the run behind a proposal read the offers and the curve."""
    return proposal.run.snapshot_at or proposal.created_at


def prices_by_period(session: Session, *, offer: Offer, now: dt.datetime) -> dict[str, Decimal]:
    """The price of each period of the offer's window, in the offer's currency per unit, as the curve was known by then.

    A formula whose index has no curve any more gives what it gave when the offer was last written.
    """
    rule = formula_of(offer)
    if rule is None:
        return {one.period: offer.price if one.price is None else one.price for one in offer.periods}
    curve = forward_curves(session, market_round=offer.round, now=now).get(rule.index, {})
    return {
        one.period: rule.price_at(curve[one.period]) if one.period in curve else offer.price for one in offer.periods
    }
