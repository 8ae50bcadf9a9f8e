"""Many proposals decided at once; releasing many is the review's own, withholding many follows it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Refused
from app.models import Proposal, ReviewAction, ReviewDecision, ReviewStep
from app.operations import review
from app.operations.review import Outcome, Verdict
from market.errors import MarketError


def decide_many(
    session: Session,
    *,
    principal: Principal,
    action: ReviewAction,
    proposals: Sequence[tuple[uuid.UUID, int]],
    reason_code: str,
    note: str | None,
    now: dt.datetime,
) -> list[Verdict]:
    """Release or withhold many proposals (id, version), each bundle by itself: a refusal does not stop the others.

    A withheld proposal's verdict is RELEASED or RECOMMENDED in the same sense: decided, or waiting for another person.

    :raises Forbidden: the asker does not decide on reviews.
    :raises Refused: the reason code is none of the list for the action.
    """
    if action is ReviewAction.RELEASE:
        return review.release_many(
            session, principal=principal, proposals=proposals, reason_code=reason_code, note=note, now=now
        )
    ties = review.visible_reviews(principal).where(Proposal.id.in_([one for one, _ in proposals]))
    bundle = dict(session.execute(ties.with_only_columns(Proposal.id, Proposal.bundle_id)).all())
    verdicts: dict[uuid.UUID, Verdict] = {}
    # In the order of the bundles, as releasing many does: two reviewers then wait for each other, and that is all.
    for proposal_id, version in sorted(proposals, key=lambda one: (str(bundle.get(one[0])), str(one[0]))):
        if proposal_id not in verdicts:
            terms = _Terms(principal=principal, reason_code=reason_code, note=note, now=now)
            verdicts |= _withhold(session, proposal_id, version, terms)
    return [verdicts[proposal_id] for proposal_id, _ in proposals]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What is the same for all of many."""

    principal: Principal
    reason_code: str
    note: str | None
    now: dt.datetime


def _withhold(session: Session, proposal_id: uuid.UUID, version: int, terms: _Terms) -> dict[uuid.UUID, Verdict]:
    try:
        with session.begin_nested():
            decided = review.decide(
                session,
                principal=terms.principal,
                proposal_id=proposal_id,
                action=ReviewAction.WITHHOLD,
                reason_code=terms.reason_code,
                note=terms.note,
                version=version,
                now=terms.now,
            )
    except MarketError as refusal:
        if isinstance(refusal, Refused) and refusal.field == "reason_code":
            raise
        return {proposal_id: review.refused(proposal_id, refusal)}
    made = Outcome.RELEASED if decided.step is ReviewStep.DECISION else Outcome.RECOMMENDED
    return {one.id: Verdict(proposal_id=one.id, outcome=made) for one in decided.proposals}


def next_waiting(
    session: Session, *, principal: Principal, below: tuple[Decimal, uuid.UUID] | None
) -> uuid.UUID | None:
    """The most valuable proposal that waits for a word of the asker, below the one named by value and id."""
    spoken = sa.exists().where(ReviewDecision.proposal_id == Proposal.id, ReviewDecision.user_id == principal.user_id)
    query = review.reviews(principal).where(~spoken).with_only_columns(Proposal.id)
    if below is not None:
        query = query.where(sa.tuple_(Proposal.total_value, Proposal.id) < sa.tuple_(*map(sa.literal, below)))
    return session.scalar(query.order_by(Proposal.total_value.desc(), Proposal.id.desc()).limit(1))
