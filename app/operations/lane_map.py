"""What a run moves of a product from region to region: its proposals, added up by where they load and unload."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.auth import Principal
from app.errors import Forbidden
from app.models import Offer, Product, Proposal, Region, RoundPeriod, Site
from app.operations.runs import get_run
from app.permissions import Permission
from contracts.wording import Text

PRICE_STEP = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionLane:
    """All contracts of a product between two regions, or within one: units and CNY over the whole windows.

    `freight` is its mean by volume, CNY per unit.
    """

    origin: Region
    destination: Region
    contracts: int
    units: Decimal
    value: Decimal
    freight: Decimal


def region_lanes(session: Session, *, principal: Principal, run_id: uuid.UUID, product: str) -> list[RegionLane]:
    """The lanes of a run for a product, the largest volume first, whatever has become of its proposals since.

    :raises NotFound: no such run, or not for the asker.
    :raises Forbidden: who ships how much is for those who review.
    """
    get_run(session, principal=principal, run_id=run_id)
    if not principal.may(Permission.REVIEW_READ):
        raise Forbidden(
            Text("地区间的运输仅供平台人员查看", "what is shipped from where to where is for the platform's staff")
        )
    first, last = aliased(RoundPeriod), aliased(RoundPeriod)
    sold, bought = aliased(Offer), aliased(Offer)
    loads, unloads = aliased(Site), aliased(Site)
    units = Proposal.rate * (last.position - first.position + 1) * Product.lot
    moved = sa.func.sum(units)
    query = (
        sa.select(
            loads.region_code,
            unloads.region_code,
            sa.func.count(),
            moved,
            sa.func.sum(Proposal.total_value),
            sa.func.sum(units * Proposal.freight) / moved,
        )
        .select_from(Proposal)
        .join(Product, Product.code == Proposal.product_code)
        .join(first, sa.and_(first.round_id == Proposal.round_id, first.period == Proposal.first_period))
        .join(last, sa.and_(last.round_id == Proposal.round_id, last.period == Proposal.last_period))
        .join(sold, sold.id == Proposal.sell_offer_id)
        .join(loads, loads.id == sold.site_id)
        .join(bought, bought.id == Proposal.buy_offer_id)
        .join(unloads, unloads.id == bought.site_id)
        .where(Proposal.run_id == run_id, Proposal.product_code == product)
        .group_by(loads.region_code, unloads.region_code)
        .order_by(moved.desc(), loads.region_code, unloads.region_code)
    )
    rows = session.execute(query).all()
    wanted = {code for row in rows for code in row[:2]}
    regions = {one.code: one for one in session.scalars(sa.select(Region).where(Region.code.in_(wanted)))}
    return [
        RegionLane(
            origin=regions[origin],
            destination=regions[destination],
            contracts=contracts,
            units=Decimal(moved_units),
            value=value,
            freight=Decimal(freight).quantize(PRICE_STEP),
        )
        for origin, destination, contracts, moved_units, value, freight in rows
    ]


def traded_products(session: Session, *, run_id: uuid.UUID) -> list[str]:
    """The products that a run the asker may read proposes contracts of, the largest value first."""
    value = sa.func.sum(Proposal.total_value)
    query = sa.select(Proposal.product_code).where(Proposal.run_id == run_id).group_by(Proposal.product_code)
    return list(session.scalars(query.order_by(value.desc(), Proposal.product_code)))


def regions_of_china(session: Session) -> list[Region]:
    """The register's regions of China, by code."""
    return list(session.scalars(sa.select(Region).where(Region.country == "CN").order_by(Region.code)))
