"""How far a side may move in a counter-offer: its own limit price, the volume that was matched, its own sites.

A limit is told to nobody but the side whose limit it is; so a counter is held against the proposer's limits when it is
made, and against both sides' when it is taken up. See docs/decisions/0070.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Offer, OfferKind, Proposal, Reservation, Round, Site
from app.operations import proposal_versions
from app.operations.contract_terms import frozen_terms, place_of
from app.operations.offer_prices import moment_of, prices_by_period
from contracts.clauses import DeliveryBasis
from contracts.counter import Room, range_of
from contracts.state import Actor
from contracts.terms import Terms
from contracts.wording import Text
from market.periods import Period

PRICE_STEP = Decimal("0.000001")
TIED = Text(
    "组合内各提案的数量相互依存，不可还盘", "the quantity as it is: the proposals of a bundle hold each other's volume"
)
WHOLE = Text("贵方报价须整量成交，数量不可还盘", "the quantity as it is: your own offer is all or none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A site at which a side may have the goods handed over, and what the terms would call it."""

    site_id: uuid.UUID
    place: str


def room_of(session: Session, *, proposal: Proposal, members: Sequence[Proposal], side: Actor, terms: Terms) -> Room:
    """Within what `side` may move when the terms are `terms`; the caller has locked the bundle `members`."""
    first = proposal_versions.first_terms(session, proposal)
    offer = proposal.sell_offer if side is Actor.SELLER else proposal.buy_offer
    limit = _own_limit(session, proposal, members, side, terms)
    if terms.schedule == first.schedule and (locked := range_of(first.price)):
        # The run found the locked price good for both; its rounding to whole lots and six places must not refuse it.
        limit = min(limit, locked[0]) if side is Actor.SELLER else max(limit, locked[1])
    fixed = TIED if len(members) > 1 else WHOLE if offer.all_or_none else None
    return Room(
        most_lots=matched_lots(session, proposal),
        least_lots=offer.min_rate,
        schedule_fixed=fixed,
        least_price=limit.quantize(PRICE_STEP, ROUND_FLOOR) if side is Actor.SELLER else None,
        most_price=limit.quantize(PRICE_STEP, ROUND_CEILING) if side is Actor.BUYER else None,
        places=frozenset(place.place for place in places_of(session, proposal=proposal, side=side, terms=terms)),
        most_over=first.tolerance.over,
    )


def matched_lots(session: Session, proposal: Proposal) -> dict[Period, int]:
    """Lots per period that the proposal holds for both sides: nobody else can be promised them, and no more are."""
    query = (
        sa.select(Reservation.period, sa.func.min(Reservation.quantity))
        .where(Reservation.proposal_id == proposal.id, Reservation.released_at.is_(None))
        .group_by(Reservation.period)
        .order_by(Reservation.period)
    )
    return {Period.parse(period): lots for period, lots in session.execute(query)}


def places_of(session: Session, *, proposal: Proposal, side: Actor, terms: Terms) -> list[Place]:
    """Where a side may choose to have the goods handed over: its sites in the region of the lane's own end.

    Goods are collected at a site of the seller, or delivered to one of the buyer; the other side has no choice. The
    region stays, because freight and quotas belong to it.
    """
    collected = terms.delivery.basis is DeliveryBasis.EXW
    if collected != (side is Actor.SELLER):
        return []
    own = (proposal.sell_offer if collected else proposal.buy_offer).site
    query = sa.select(Site).where(Site.firm_id == own.firm_id, Site.region_code == own.region_code, Site.active)
    sites = session.scalars(query.order_by(Site.code, Site.id))
    return [Place(site_id=site.id, place=place_of(site)) for site in sites]


def _own_limit(session: Session, proposal: Proposal, members: Sequence[Proposal], side: Actor, terms: Terms) -> Decimal:
    """A seller's least or a buyer's highest price ex works, CNY per unit, in the mean over the schedule."""
    offer = proposal.sell_offer if side is Actor.SELLER else proposal.buy_offer
    if offer.kind is OfferKind.CONVERSION:
        return _limit_of_converter(session, proposal, members, offer, terms)
    mean = _mean_price(_prices(session, offer, moment_of(proposal)), terms)
    return mean if side is Actor.SELLER else mean - terms.delivery.freight


def _limit_of_converter(
    session: Session, proposal: Proposal, members: Sequence[Proposal], offer: Offer, terms: Terms
) -> Decimal:
    """A processor names no price: what is left of his fee decides, over all that he buys and sells in the bundle.

    Of a formula the worse end counts: the floor of what he sells, the ceiling of what he buys.
    """
    fees, rest = _prices(session, offer, moment_of(proposal)), Decimal(0)
    for member in members:
        its = terms if member is proposal else frozen_terms(member.terms or {})
        low, high = range_of(its.price) or (member.price_ex_works, member.price_ex_works)
        if member.sell_offer_id == offer.id:
            rest -= _mean_price(fees, its) * units_of(its)
            rest += Decimal(0) if member is proposal else low * units_of(its)
        elif member.buy_offer_id == offer.id:
            rest -= (its.delivery.freight + (Decimal(0) if member is proposal else high)) * units_of(its)
    sells = proposal.sell_offer_id == offer.id
    return (-rest if sells else rest) / units_of(terms)


def _prices(session: Session, offer: Offer, at: dt.datetime) -> Mapping[Period | None, Decimal]:
    """Ask, bid or fee of an offer in CNY per unit, by period; under None where a period has none of its own."""
    rates = session.scalars(sa.select(Round.currency_rates).where(Round.id == offer.round_id)).one()
    rate = Decimal(1) if offer.currency == "CNY" else Decimal(rates[offer.currency])
    own: dict[Period | None, Decimal] = {
        Period.parse(period): price * rate for period, price in prices_by_period(session, offer=offer, now=at).items()
    }
    return {None: offer.price * rate, **own}


def _mean_price(prices: Mapping[Period | None, Decimal], terms: Terms) -> Decimal:
    total = sum((prices.get(line.period, prices[None]) * line.lots for line in terms.schedule), Decimal(0))
    return total / terms.total_lots


def units_of(terms: Terms) -> Decimal:
    """Units of the product over the whole schedule."""
    return terms.total_lots * terms.lot.size
