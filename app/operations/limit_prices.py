"""What the limits of a round cost the market in one run: their shadow prices, and those times what moved under them.

A limit that does not bind costs nothing and is not listed. The largest shares that buyers set themselves are sealed
with their offers and are not listed either.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.models import Firm, Offer, Product, Proposal, Region, Run, ShadowPrice, ShadowPriceKind, Site
from app.operations.affiliates import topmost_parents
from app.operations.still_good import Limit, limits_of

SET_BY_STAFF = (ShadowPriceKind.CORRIDOR, ShadowPriceKind.CEILING, ShadowPriceKind.ORIGIN)
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPrice:
    """One limit that binds. `prices` is CNY per unit and `moved` units, by period; `begin` is a region of a corridor
    or a country of origin, `end` the region it goes to, `firm` the supplier under a ceiling."""

    kind: ShadowPriceKind
    product: Product
    begin: str | None
    end: str | None
    firm: Firm | None
    prices: Mapping[str, Decimal]
    moved: Mapping[str, Decimal]

    @property
    def cost(self) -> Decimal:
        """CNY over the horizon: each period's shadow price times what moved under the limit."""
        return sum((price * self.moved[period] for period, price in self.prices.items()), Decimal(0)).quantize(CENT)

    @property
    def widened(self) -> Decimal:
        """CNY over the horizon that one unit more in every period would bring. The sum is told because how contracts'
        windows spread it over single periods means nothing."""
        return sum(self.prices.values(), Decimal(0))


def limit_prices(session: Session, *, run: Run) -> list[LimitPrice]:
    """The limits that bind in a run, the dearest first."""
    query = sa.select(ShadowPrice).where(
        ShadowPrice.run_id == run.id,
        ShadowPrice.subject_kind.in_(SET_BY_STAFF),
        ShadowPrice.period.is_not(None),
        ShadowPrice.value > 0,
    )
    prices: dict[Limit, dict[str, Decimal]] = defaultdict(dict)
    for row in session.scalars(query.order_by(ShadowPrice.id)):
        prices[row.subject_kind.value, *row.subject.split("/")][str(row.period)] = row.value
    if not prices:
        return []
    products = {row.code: row for row in session.scalars(sa.select(Product).order_by(Product.code))}
    moved = _moved(session, run, products)
    firms = _firms(session, [limit[2] for limit in prices if limit[0] == ShadowPriceKind.CEILING])
    found = [_priced(limit, by_period, products, firms, moved[limit]) for limit, by_period in prices.items()]
    return sorted(found, key=lambda one: (-one.cost, one.kind, one.product.code, str(one.begin), str(one.end)))


def _priced(
    limit: Limit,
    prices: Mapping[str, Decimal],
    products: Mapping[str, Product],
    firms: Mapping[str, Firm],
    moved: Mapping[str, Decimal],
) -> LimitPrice:
    kind, product, *about = limit
    is_ceiling = kind == ShadowPriceKind.CEILING
    return LimitPrice(
        kind=ShadowPriceKind(kind),
        product=products[product],
        begin=None if is_ceiling else about[0],
        end=None if is_ceiling else about[1],
        firm=firms.get(about[0]) if is_ceiling else None,
        prices=prices,
        moved={period: moved.get(period, Decimal(0)) for period in prices},
    )


def _firms(session: Session, names: Sequence[str]) -> dict[str, Firm]:
    query = sa.select(Firm).where(Firm.id.in_([uuid.UUID(name) for name in names]))
    return {str(firm.id): firm for firm in session.scalars(query)}


def _moved(session: Session, run: Run, products: Mapping[str, Product]) -> Mapping[Limit, Mapping[str, Decimal]]:
    """Units by limit and period that the proposals of a run move."""
    labels, group = run.round.horizon.labels(), topmost_parents(session)
    total: dict[Limit, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for product, way, firm, window, rate in _contracted(session, run):
        units = rate * products[product].lot
        for limit in limits_of(product, way, group[firm]):
            for period in labels[labels.index(window[0]) : labels.index(window[1]) + 1]:
                total[limit][period] += units
    return total


Contracted = tuple[str, tuple[str, str, str], uuid.UUID, tuple[str, str], int]


def _contracted(session: Session, run: Run) -> Iterator[Contracted]:
    """Product, way, selling firm, window and lots per period of each proposal."""
    sell, buy, origin, destination = aliased(Offer), aliased(Offer), aliased(Site), aliased(Site)
    query = (
        sa.select(
            Proposal.product_code,
            origin.region_code,
            sa.func.coalesce(sell.origin_country, Region.country),
            destination.region_code,
            Proposal.seller_firm_id,
            Proposal.first_period,
            Proposal.last_period,
            Proposal.rate,
        )
        .join(sell, sell.id == Proposal.sell_offer_id)
        .join(buy, buy.id == Proposal.buy_offer_id)
        .join(origin, origin.id == sell.site_id)
        .join(Region, Region.code == origin.region_code)
        .join(destination, destination.id == buy.site_id)
        .where(Proposal.run_id == run.id)
        .order_by(Proposal.id)
    )
    for product, region, country, end, firm, first, last, rate in session.execute(query):
        yield product, (region, country, end), firm, (first, last), rate
