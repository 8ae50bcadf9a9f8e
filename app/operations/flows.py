"""What a run moves along the chain: its proposals, added up by who sells what to whom."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.auth import Principal
from app.errors import Forbidden
from app.models import Firm, Offer, OfferKind, Product, Proposal, RoundPeriod, RunResult
from app.operations.bulk import among
from app.operations.runs import get_run
from app.permissions import Permission
from contracts.wording import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A firm on one side of a flow; `roles` are its roles in the chain."""

    id: uuid.UUID
    name_zh: str
    name_en: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The contracts a run proposes between two firms in one product.

    `made_into` is the product that a processor makes of it, None where the buyer buys for itself. `units` of the
    product and `value` (CNY, delivered) are over the whole windows.
    """

    seller: Party
    buyer: Party
    product: str
    unit: str
    made_into: str | None
    contracts: int
    units: Decimal
    value: Decimal


def run_flows(session: Session, *, principal: Principal, run_id: uuid.UUID) -> list[Flow]:
    """The flows of a run, whatever has become of its proposals since; by product, seller and buyer.

    :raises NotFound: no such run, or not for the asker.
    :raises Forbidden: who contracts with whom is for those who review.
    """
    get_run(session, principal=principal, run_id=run_id)
    if not principal.may(Permission.REVIEW_READ):
        raise Forbidden(Text("合同双方的流向仅供平台人员查看", "who contracts with whom is for the platform's staff"))
    first, last = aliased(RoundPeriod), aliased(RoundPeriod)
    periods = last.position - first.position + 1
    made_into = sa.case((Offer.kind == OfferKind.CONVERSION, Offer.product_code))
    keys = (Proposal.product_code, Product.unit, Proposal.seller_firm_id, Proposal.buyer_firm_id, made_into)
    query = (
        sa.select(
            *keys,
            sa.func.count(),
            sa.func.sum(Proposal.rate * periods * Product.lot),
            sa.func.sum(Proposal.total_value),
        )
        .join(Product, Product.code == Proposal.product_code)
        .join(Offer, Offer.id == Proposal.buy_offer_id)
        .join(first, sa.and_(first.round_id == Proposal.round_id, first.period == Proposal.first_period))
        .join(last, sa.and_(last.round_id == Proposal.round_id, last.period == Proposal.last_period))
        .where(Proposal.run_id == run_id)
        .group_by(*keys)
        .order_by(*keys)
    )
    rows = session.execute(query).all()
    parties = _parties(session, {firm for row in rows for firm in row[2:4]})
    return [
        Flow(
            product=product,
            unit=unit.value,
            seller=parties[seller],
            buyer=parties[buyer],
            made_into=made,
            contracts=contracts,
            units=units,
            value=value,
        )
        for product, unit, seller, buyer, made, contracts, units, value in rows
    ]


def firms_in_run(session: Session, *, principal: Principal, run_id: uuid.UUID) -> int:
    """How many firms had offers in a run.

    :raises NotFound: no such run, or not for the asker.
    """
    get_run(session, principal=principal, run_id=run_id)
    firms = sa.select(sa.func.count(Offer.firm_id.distinct())).join(RunResult, RunResult.offer_id == Offer.id)
    return session.scalars(firms.where(RunResult.run_id == run_id)).one()


def _parties(session: Session, firms: set[uuid.UUID]) -> dict[uuid.UUID, Party]:
    query = sa.select(Firm).where(among(Firm.id, firms)).order_by(Firm.id)
    return {
        firm.id: Party(
            id=firm.id, name_zh=firm.name_zh, name_en=firm.name_en, roles=tuple(role.value for role in firm.roles)
        )
        for firm in session.scalars(query)
    }
