"""What a reviewer checks a proposal against: its requirements, certificates, built capacity, shares of the market."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import (
    Attribute,
    Bound,
    Certificate,
    GradeSpecification,
    Offer,
    OfferPeriod,
    Proposal,
    SiteCapability,
)
from app.operations.affiliates import topmost_parents
from contracts.state import Subject, reserves_volume, state_names
from market.periods import Period

SHARE_STEP = Decimal("0.0001")
# A proposal that became a contract holds its volume through the contract.
HOLDING = tuple(
    state for state in state_names(Subject.PROPOSAL) if state == "agreed" or reserves_volume(Subject.PROPOSAL, state)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One attribute: what the seller guarantees and what the buyer asks, in the attribute's unit."""

    attribute: str
    unit: str
    bound: Bound
    guaranteed: Decimal | None
    required: Decimal | None

    @property
    def met(self) -> bool:
        """Whether the guarantee satisfies what is asked."""
        if self.required is None:
            return True
        if self.guaranteed is None:
            return False
        return self.guaranteed >= self.required if self.bound is Bound.MIN else self.guaranteed <= self.required


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateEnd:
    """A certificate of the seller's that ends inside the window, or is suspended; `required` if the buyer asks it."""

    kind: str
    number: str
    valid_to: dt.date
    suspended: bool
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """Units a year: what the site promises of the product at its fullest in the window, and what is built there.

    `promised` counts what proposals and contracts hold of all offers of the site in this round.
    """

    promised: Decimal
    built: Decimal
    utilisation: Decimal | None

    @property
    def exceeded(self) -> bool:
        return self.promised > self.built


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketShares:
    """Shares of all that is held of the product in the round, this proposal included, affiliates merged."""

    seller: Decimal | None
    buyer: Decimal | None


def requirements(session: Session, proposal: Proposal, sell: Offer, buy: Offer) -> tuple[Requirement, ...]:
    """Every attribute that one side names or the seller's grade promises, by its code."""
    attributes = session.scalars(
        sa.select(Attribute).where(Attribute.product_code == proposal.product_code).order_by(Attribute.code)
    )
    promised = sa.select(GradeSpecification.attribute_code, GradeSpecification.value).where(
        GradeSpecification.product_code == proposal.product_code, GradeSpecification.grade_code == sell.grade_code
    )
    guaranteed: dict[str, Decimal] = dict(session.execute(promised).all())
    guaranteed |= {line.attribute_code: line.value for line in sell.specifications}
    # A processor's own specification is of what it makes, not of what it takes.
    asked = buy.specifications if buy.product_code == proposal.product_code else []
    required = {line.attribute_code: line.value for line in asked}
    return tuple(
        Requirement(
            attribute=one.code,
            unit=one.unit,
            bound=one.bound,
            guaranteed=guaranteed.get(one.code),
            required=required.get(one.code),
        )
        for one in attributes
        if one.code in guaranteed or one.code in required
    )


def certificate_ends(session: Session, proposal: Proposal, sell: Offer, buy: Offer) -> tuple[CertificateEnd, ...]:
    """The seller's certificates that do not hold to the end of the window."""
    first, last = Period.parse(proposal.first_period).first_day, Period.parse(proposal.last_period).last_day
    required = {line.kind_code for line in buy.certificates}
    query = (
        sa.select(Certificate)
        .where(
            Certificate.firm_id == sell.firm_id,
            sa.or_(Certificate.site_id.is_(None), Certificate.site_id == sell.site_id),
            sa.or_(Certificate.valid_to.between(first, last - dt.timedelta(days=1)), Certificate.suspended),
        )
        .order_by(Certificate.valid_to, Certificate.id)
    )
    return tuple(
        CertificateEnd(
            kind=one.kind_code,
            number=one.number,
            valid_to=one.valid_to,
            suspended=one.suspended,
            required=one.kind_code in required,
        )
        for one in session.scalars(query)
    )


def capability(session: Session, proposal: Proposal, sell: Offer) -> Capability | None:
    """Promised against built; None where nothing is registered for the site."""
    built = session.execute(
        sa.select(SiteCapability.capacity_per_year, SiteCapability.utilisation)
        .where(
            SiteCapability.site_id == sell.site_id,
            SiteCapability.product_code == proposal.product_code,
            sa.or_(SiteCapability.grade_code.is_(None), SiteCapability.grade_code == sell.grade_code),
        )
        .order_by(SiteCapability.grade_code.nulls_last(), SiteCapability.id)
    ).first()
    if built is None:
        return None
    held = (
        sa.select(sa.func.sum(OfferPeriod.reserved).label("lots"))
        .join(Offer, Offer.id == OfferPeriod.offer_id)
        .where(
            Offer.site_id == sell.site_id,
            Offer.round_id == proposal.round_id,
            Offer.product_code == proposal.product_code,
            OfferPeriod.period.between(proposal.first_period, proposal.last_period),
        )
        .group_by(OfferPeriod.period)
        .subquery()
    )
    lots = session.scalar(sa.select(sa.func.coalesce(sa.func.max(held.c.lots), 0))) or 0
    yearly = Decimal(12) / Period.parse(proposal.first_period).months
    return Capability(
        promised=lots * proposal.grade.product.lot * yearly,
        built=built.capacity_per_year,
        utilisation=built.utilisation,
    )


def market_shares(session: Session, proposal: Proposal) -> MarketShares:
    """Of the product's volume that the round's proposals and contracts hold, each side's group's part."""
    group = topmost_parents(session)
    months = Period.parse(proposal.first_period).months
    query = sa.select(
        Proposal.seller_firm_id, Proposal.buyer_firm_id, Proposal.first_period, Proposal.last_period, Proposal.rate
    ).where(
        Proposal.round_id == proposal.round_id,
        Proposal.product_code == proposal.product_code,
        sa.or_(Proposal.state.in_(HOLDING), Proposal.id == proposal.id),
    )
    sold: dict[uuid.UUID, int] = defaultdict(int)
    bought: dict[uuid.UUID, int] = defaultdict(int)
    for seller, buyer, first, last, rate in session.execute(query):
        lots = rate * ((Period.parse(last).start - Period.parse(first).start) // months + 1)
        sold[group[seller]] += lots
        bought[group[buyer]] += lots
    return MarketShares(
        seller=_share(sold[group[proposal.seller_firm_id]], sum(sold.values())),
        buyer=_share(bought[group[proposal.buyer_firm_id]], sum(bought.values())),
    )


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(SHARE_STEP) if whole else None
