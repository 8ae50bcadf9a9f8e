"""How much of what was posted a run filled, by product, side and period, and why the rest was not."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Forbidden
from app.models import Offer, OfferKind, OfferRevision, Product, Reason, RunResult
from app.operations.runs import get_run
from app.permissions import Permission
from contracts.wording import Text

MATCHED = (Reason.MATCHED, Reason.PARTLY_MATCHED)


@dataclass(slots=True, kw_only=True)
class Fill:
    """One product on one side. Units by period as posted (of a conversion: what it could make) and as filled; offers by
    what became of them."""

    product: Product
    kind: OfferKind
    posted: dict[str, Decimal] = field(default_factory=dict)
    filled: dict[str, Decimal] = field(default_factory=dict)
    reasons: dict[Reason, int] = field(default_factory=dict)

    def rate(self, period: str | None = None) -> Decimal | None:
        """The part that was filled, of a period or of the horizon; None where nothing was posted."""
        if period is not None:
            posted, filled = self.posted.get(period, Decimal(0)), self.filled.get(period, Decimal(0))
        else:
            posted, filled = sum(self.posted.values(), Decimal(0)), sum(self.filled.values(), Decimal(0))
        return filled / posted if posted else None

    @property
    def offers(self) -> int:
        return sum(self.reasons.values())

    @property
    def unmatched(self) -> Mapping[Reason, int]:
        """Offers that got nothing, by reason, the most frequent first."""
        left = {reason: count for reason, count in self.reasons.items() if reason not in MATCHED}
        return dict(sorted(left.items(), key=lambda one: (-one[1], one[0].value)))


def fill_rates(session: Session, *, principal: Principal, run_id: uuid.UUID) -> list[Fill]:
    """By product and side, in the revisions of the offers that the run saw.

    :raises NotFound: no such run, or not for the asker.
    :raises Forbidden: sums of what is sealed, of few offers each, are for those who review.
    """
    run = get_run(session, principal=principal, run_id=run_id)
    if not principal.may(Permission.REVIEW_READ):
        raise Forbidden(
            Text("各产品成交率仅供平台人员查看", "what was filled of which product is for the platform's staff")
        )
    products = {one.code: one for one in session.scalars(sa.select(Product).order_by(Product.code))}
    found: dict[tuple[str, OfferKind], Fill] = {}

    def of(product: str, kind: OfferKind) -> Fill:
        return found.setdefault((product, kind), Fill(product=products[product], kind=kind))

    key = (Offer.product_code, Offer.kind)
    of_run = sa.select(*key).join(RunResult, RunResult.offer_id == Offer.id).where(RunResult.run_id == run.id)
    reasons = of_run.add_columns(RunResult.reason, sa.func.count()).group_by(*key, RunResult.reason)
    for product, kind, reason, count in session.execute(reasons.order_by(*key, RunResult.reason)):
        of(product, kind).reasons[reason] = count
    for product, kind, period, units in session.execute(_posted(of_run)):
        of(product, kind).posted[period] = units
    labels = run.round.horizon.labels()
    for product, kind, position, lots in session.execute(_filled(of_run)):
        one = of(product, kind)
        one.filled[labels[position - 1]] = lots * one.product.lot
    order = {kind: at for at, kind in enumerate(OfferKind)}
    return sorted(found.values(), key=lambda one: (one.product.tier.value, one.product.code, order[one.kind]))


def _posted(of_run: sa.Select[str, OfferKind]) -> sa.Select[str, OfferKind, str, Decimal]:
    seen = sa.and_(OfferRevision.offer_id == Offer.id, OfferRevision.revision == RunResult.offer_revision)
    line = sa.func.jsonb_array_elements(OfferRevision.terms["periods"]).table_valued("value").alias("line")
    value = sa.type_coerce(line.c.value, OfferRevision.terms.type)
    period, units = value["period"].astext, sa.cast(value["quantity"].astext, sa.Numeric)
    columns = (Offer.product_code, Offer.kind, period)
    return (
        of_run.join(OfferRevision, seen)
        .join(line, sa.true())
        .add_columns(period, sa.func.sum(units))
        .group_by(*columns)
        .order_by(*columns)
    )


def _filled(of_run: sa.Select[str, OfferKind]) -> sa.Select[str, OfferKind, int, int]:
    lots = (
        sa.func.unnest(RunResult.filled)
        .table_valued(sa.column("lots", sa.BigInteger), with_ordinality="at", name="filling")
        .render_derived()
    )
    columns = (Offer.product_code, Offer.kind, lots.c.at)
    return (
        of_run.join(lots, sa.true())
        .add_columns(lots.c.at, sa.func.sum(lots.c.lots))
        .group_by(*columns)
        .order_by(*columns)
    )


def by_reason(fills: list[Fill]) -> Mapping[Reason, int]:
    """Offers that got nothing, over all products and sides."""
    total: dict[Reason, int] = defaultdict(int)
    for one in fills:
        for reason, count in one.unmatched.items():
            total[reason] += count
    return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0].value)))
