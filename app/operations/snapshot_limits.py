"""The parts of a snapshot that do not depend on offers: grades, attributes, freight, windows, limits."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import (
    Attribute,
    Ceiling,
    Corridor,
    Freight,
    Grade,
    Offer,
    OfferOrigin,
    OfferState,
    OriginRule,
    Product,
    Round,
    SupplierApproval,
    WindowRule,
)
from app.operations.affiliates import topmost_parents
from matching import snapshot as frozen
from matching.snapshot import ANY_PRODUCT, Bound

DISCOUNT_STEP = Decimal("1e-12")


def attribute_name(product: str, code: str) -> str:
    """Attributes are named per product: the same code may bind the other way elsewhere."""
    return f"{product}/{code}"


def lots(session: Session, products: Collection[str]) -> dict[str, Decimal]:
    """Size of one lot of each product, in its unit."""
    query = sa.select(Product.code, Product.lot).where(Product.code.in_(products))
    return dict(session.execute(query.order_by(Product.code)).all())


def grades(session: Session, products: Collection[str]) -> tuple[frozen.Grade, ...]:
    query = (
        sa.select(Grade.product_code, Grade.code, Grade.rank, Product.lot, Product.unit)
        .join(Product, Product.code == Grade.product_code)
        .where(Grade.product_code.in_(products))
        .order_by(Grade.product_code, Grade.code)
    )
    return tuple(
        frozen.Grade(product=product, grade=code, rank=rank, lot=lot, unit=unit.value)
        for product, code, rank, lot, unit in session.execute(query)
    )


def attributes(session: Session, products: Collection[str]) -> dict[str, Bound]:
    query = sa.select(Attribute).where(Attribute.product_code.in_(products))
    return {attribute_name(one.product_code, one.code): Bound(one.bound.value) for one in session.scalars(query)}


def freight(session: Session, products: Collection[str]) -> dict[tuple[str, str, str], Decimal]:
    """CNY per unit of a product, or of any that has no line of its own, from region to region."""
    query = sa.select(Freight.product_code, Freight.from_region_code, Freight.to_region_code, Freight.cost)
    return {
        (product or ANY_PRODUCT, origin, destination): cost
        for product, origin, destination, cost in session.execute(query.order_by(Freight.id))
        if product is None or product in products
    }


def corridors(session: Session, market_round: Round, lots: Mapping[str, Decimal]) -> tuple[frozen.Corridor, ...]:
    """Quotas on the products of `lots`, which gives the size of a lot."""
    query = sa.select(Corridor).where(Corridor.round_id == market_round.id, Corridor.product_code.in_(lots))
    return tuple(
        frozen.Corridor(
            product=one.product_code,
            origin=one.from_region_code,
            destination=one.to_region_code,
            position=None if one.period is None else market_round.horizon.position(one.period),
            limit=one.limit_per_period * lots[one.product_code],
        )
        for one in session.scalars(query.order_by(Corridor.id))
    )


def ceilings(session: Session, market_round: Round, products: Collection[str]) -> tuple[frozen.Ceiling, ...]:
    """Ceilings that hold, on some products; a firm is named by its topmost parent, as groups of suppliers are."""
    group = topmost_parents(session)
    query = sa.select(Ceiling).where(
        Ceiling.round_id == market_round.id, Ceiling.ended_at.is_(None), Ceiling.product_code.in_(products)
    )
    return tuple(
        frozen.Ceiling(
            product=one.product_code, share=one.share, firm=None if one.firm_id is None else str(group[one.firm_id])
        )
        for one in session.scalars(query.order_by(Ceiling.id))
    )


def origin_rules(session: Session, market_round: Round, lots: Mapping[str, Decimal]) -> tuple[frozen.OriginRule, ...]:
    """Rules that hold on the products of `lots`, which gives the size of a lot."""
    query = sa.select(OriginRule).where(
        OriginRule.round_id == market_round.id, OriginRule.ended_at.is_(None), OriginRule.product_code.in_(lots)
    )
    return tuple(
        frozen.OriginRule(
            product=one.product_code,
            origin=one.origin_country,
            destination=one.to_region_code,
            position=None if one.period is None else market_round.horizon.position(one.period),
            limit=one.limit_per_period * lots[one.product_code],
        )
        for one in session.scalars(query.order_by(OriginRule.id))
    )


def approvals(session: Session, market_round: Round) -> dict[tuple[uuid.UUID, str], set[uuid.UUID]]:
    """The suppliers on each firm's list for a product, as far as lists hold."""
    query = sa.select(
        SupplierApproval.buyer_firm_id, SupplierApproval.product_code, SupplierApproval.supplier_firm_id
    ).where(SupplierApproval.round_id == market_round.id, SupplierApproval.ended_at.is_(None))
    found: dict[tuple[uuid.UUID, str], set[uuid.UUID]] = defaultdict(set)
    for buyer, product, supplier in session.execute(query.order_by(SupplierApproval.id)):
        found[buyer, product].add(supplier)
    return dict(found)


@dataclass(frozen=True, slots=True)
class Origins:
    """Countries that a demand takes, and those it does not."""

    accepted: set[str] = field(default_factory=set)
    barred: set[str] = field(default_factory=set)


def origins_of_demands(session: Session, market_round: Round) -> Mapping[uuid.UUID, Origins]:
    """What the open demands of a round say of origins; those that say nothing take all."""
    query = (
        sa.select(OfferOrigin.offer_id, OfferOrigin.country, OfferOrigin.accepted)
        .join(Offer, Offer.id == OfferOrigin.offer_id)
        .where(Offer.round_id == market_round.id, Offer.state == OfferState.OPEN)
        .order_by(OfferOrigin.offer_id, OfferOrigin.country)
    )
    found: dict[uuid.UUID, Origins] = defaultdict(Origins)
    for offer, country, accepted in session.execute(query):
        (found[offer].accepted if accepted else found[offer].barred).add(country)
    return found


def discount(market_round: Round) -> tuple[Decimal, ...]:
    """What one yuan at the beginning of each period is worth at that of the first, by the round's rate per year; empty
    where all periods count alike."""
    horizon, rate = market_round.horizon, market_round.discount_rate
    if not rate:
        return ()
    years = (Decimal(period.start - horizon.first.start) / 12 for period in horizon)
    return tuple(((1 + rate) ** -time).quantize(DISCOUNT_STEP) for time in years)


def windows(market_round: Round) -> tuple[tuple[int, int], ...] | None:
    """The admissible first and last positions; None for every run of periods."""
    if market_round.windows is WindowRule.ALL:
        return None
    at = market_round.horizon.position
    return tuple((at(window.first_period), at(window.last_period)) for window in market_round.ladder)
