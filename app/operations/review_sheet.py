"""What a reviewer sees: a line per proposal without anything sealed, and the full sheet of one, each look noted.

Quantities in lots or units as said, prices in CNY per unit, amounts in CNY over the window, shares from 0 to 1.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from app.auth import Principal
from app.models import (
    Event,
    Firm,
    Grade,
    Offer,
    Product,
    Proposal,
    ReviewAction,
    ReviewDecision,
    ReviewStep,
    Round,
    RunResult,
    Site,
    SubjectKind,
)
from app.operations import audit, review
from app.operations.index_prices import distance_in_percent
from app.operations.offer_prices import moment_of, prices_by_period
from app.operations.processing_costs import InputCost, input_costs
from app.operations.proposals import periods_of, units_of
from app.operations.review_checks import (
    Capability,
    CertificateEnd,
    MarketShares,
    Requirement,
    capability,
    certificate_ends,
    market_shares,
    requirements,
)
from contracts.reasons import ReasonGroup, codes_of

SHARE_STEP = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLine:
    """One proposal in the reviewers' list. `recommended` names the actions somebody has recommended so far."""

    id: uuid.UUID
    version: int
    bundle_id: uuid.UUID
    bundle_size: int
    bundle_value: Decimal
    round: Round
    run_id: uuid.UUID
    seller: Firm
    buyer: Firm
    product: Product
    grade: Grade
    first_period: str
    last_period: str
    periods: int
    rate: int
    units: Decimal
    price_ex_works: Decimal
    freight: Decimal
    price_delivered: Decimal
    total_value: Decimal
    index_value: Decimal | None
    index_distance: Decimal | None
    needs_two: bool
    recommended: tuple[ReviewAction, ...]
    state: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    open_moves: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextBest:
    """The other firm that a side could contract with, and at what price at the published shadow prices."""

    firm: Firm
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSide:
    """One side of a proposal with its sealed offer.

    `price` is the mean over the window in the offer's own currency and basis, `offered` its units over the window,
    `taken` what of them is held by proposals and contracts, this one included.
    """

    offer: Offer
    price: Decimal
    offered: Decimal
    taken: Decimal
    share_taken: Decimal | None
    surplus: Decimal
    surplus_share: Decimal | None
    next_best: NextBest | None
    result: RunResult | None
    market_share: Decimal | None
    inputs: Sequence[InputCost]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSheet:
    """Everything about one proposal that a decision needs."""

    line: ReviewLine
    seller: OfferSide
    buyer: OfferSide
    specification: tuple[Requirement, ...]
    certificates: tuple[CertificateEnd, ...]
    capability: Capability | None
    decisions: tuple[ReviewDecision, ...]
    steps: tuple[Event, ...]
    bundle: tuple[ReviewLine, ...]
    reason_codes: dict[str, tuple[str, ...]]


def review_lines(session: Session, *, principal: Principal, proposals: Sequence[Proposal]) -> list[ReviewLine]:
    """The lines of some proposals (rows of `review.visible_reviews`)."""
    ties = {proposal.bundle_id for proposal in proposals}
    query = sa.select(Proposal.bundle_id, sa.func.count(), sa.func.sum(Proposal.total_value))
    sums = session.execute(query.where(Proposal.bundle_id.in_(ties)).group_by(Proposal.bundle_id))
    bundle = {tie: (count, value) for tie, count, value in sums}
    return [_line(proposal, principal, *bundle[proposal.bundle_id]) for proposal in proposals]


def _line(proposal: Proposal, principal: Principal, size: int, value: Decimal) -> ReviewLine:
    product, market_round = proposal.grade.product, proposal.run.round
    spoken = {one.action for one in proposal.decisions if one.step is ReviewStep.RECOMMENDATION}
    return ReviewLine(
        id=proposal.id,
        version=proposal.version,
        bundle_id=proposal.bundle_id,
        bundle_size=size,
        bundle_value=value,
        round=market_round,
        run_id=proposal.run_id,
        seller=proposal.seller,
        buyer=proposal.buyer,
        product=product,
        grade=proposal.grade,
        first_period=proposal.first_period,
        last_period=proposal.last_period,
        periods=periods_of(proposal),
        rate=proposal.rate,
        units=units_of(proposal),
        price_ex_works=proposal.price_ex_works,
        freight=proposal.freight,
        price_delivered=proposal.price_delivered,
        total_value=proposal.total_value,
        index_value=proposal.index_value,
        index_distance=distance_in_percent(proposal.price_ex_works, proposal.index_value),
        needs_two=review.needs_two(value, market_round),
        recommended=tuple(sorted(spoken)),
        state=proposal.state,
        created_at=proposal.created_at,
        expires_at=proposal.expires_at,
        open_moves=review.open_moves(proposal, principal),
    )


def open_sheet(
    session: Session, *, principal: Principal, proposal_id: uuid.UUID, path: str, now: dt.datetime
) -> ReviewSheet:
    """The full sheet of a proposal; that the asker looked at both sealed offers is written down.

    :raises NotFound: no such proposal, or the asker does not review.
    :raises Forbidden: the asker may not see what is sealed.
    """
    members = review.find_bundle(session, principal=principal, proposal_id=proposal_id)
    proposal = members[proposal_id]
    offers = _offers(session, proposal)
    for offer in offers:
        audit.note_look(
            session,
            principal=principal,
            kind="offer",
            object_id=offer.id,
            firm_id=offer.firm_id,
            path=path,
            reason=f"review of proposal {proposal.id}",
            now=now,
        )
    session.flush()
    shares = market_shares(session, proposal)
    lines = {line.id: line for line in review_lines(session, principal=principal, proposals=list(members.values()))}
    steps = session.scalars(
        sa.select(Event)
        .where(Event.subject_kind == SubjectKind.PROPOSAL, Event.subject_id == proposal.id)
        .order_by(Event.id)
    )
    return ReviewSheet(
        line=lines[proposal.id],
        seller=_side(session, proposal, offers[0], shares, selling=True),
        buyer=_side(session, proposal, offers[1], shares, selling=False),
        specification=requirements(session, proposal, *offers),
        certificates=certificate_ends(session, proposal, *offers),
        capability=capability(session, proposal, offers[0]),
        decisions=tuple(proposal.decisions),
        steps=tuple(steps),
        bundle=tuple(line for line in lines.values() if line.id != proposal.id),
        reason_codes={
            action.value: codes_of(group)
            for action, group in (
                (ReviewAction.RELEASE, ReasonGroup.RELEASE),
                (ReviewAction.WITHHOLD, ReasonGroup.WITHHOLD),
            )
        },
    )


def _offers(session: Session, proposal: Proposal) -> tuple[Offer, Offer]:
    """The sell and the buy offer with their parts."""
    query = (
        sa.select(Offer)
        .where(Offer.id.in_([proposal.sell_offer_id, proposal.buy_offer_id]))
        .options(
            selectinload(Offer.firm),
            selectinload(Offer.site).options(joinedload(Site.region)),
            selectinload(Offer.periods),
            selectinload(Offer.specifications),
            selectinload(Offer.certificates),
        )
    )
    found = {offer.id: offer for offer in session.scalars(query)}
    return found[proposal.sell_offer_id], found[proposal.buy_offer_id]


def _side(session: Session, proposal: Proposal, offer: Offer, shares: MarketShares, *, selling: bool) -> OfferSide:
    window = [one for one in offer.periods if proposal.first_period <= one.period <= proposal.last_period]
    lot = offer.grade.product.lot
    by_period = prices_by_period(session, offer=offer, now=moment_of(proposal))
    prices = [by_period[one.period] for one in window]
    offered, taken = sum(one.quantity for one in window), sum(one.reserved for one in window)
    surplus = proposal.surplus_seller if selling else proposal.surplus_buyer
    whole = proposal.surplus_seller + proposal.surplus_buyer
    return OfferSide(
        offer=offer,
        price=sum(prices, Decimal(0)) / max(1, len(prices)),
        offered=offered * lot,
        taken=taken * lot,
        share_taken=(Decimal(taken) / offered).quantize(SHARE_STEP) if offered else None,
        surplus=surplus,
        surplus_share=(surplus / whole).quantize(SHARE_STEP) if whole else None,
        next_best=_next_best(session, proposal.next_best, selling=selling),
        result=session.get(RunResult, (proposal.run_id, offer.id)),
        market_share=shares.seller if selling else shares.buyer,
        inputs=input_costs(session, proposal=proposal, offer=offer) if selling else (),
    )


def _next_best(session: Session, told: dict[str, Any], *, selling: bool) -> NextBest | None:
    found = told.get("seller" if selling else "buyer")
    if not found:
        return None
    firm = session.get_one(Firm, uuid.UUID(found["firm_id"]))
    return NextBest(firm=firm, price=Decimal(found["price_ex_works" if selling else "price_delivered"]))
