"""The parts of a snapshot that do not depend on offers: grades, attributes, freight, corridors, windows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Attribute, Corridor, Freight, Grade, Product, Round, WindowRule
from matching import snapshot as frozen
from matching.snapshot import ANY_PRODUCT, Bound


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


def windows(market_round: Round) -> tuple[tuple[int, int], ...] | None:
    """The admissible first and last positions; None for every run of periods."""
    if market_round.windows is WindowRule.ALL:
        return None
    at = market_round.horizon.position
    return tuple((at(window.first_period), at(window.last_period)) for window in market_round.ladder)
