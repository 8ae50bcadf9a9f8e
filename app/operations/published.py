"""What everybody may know: market indices as published, and prices of the rounds where enough firms stand behind one.

A figure of the rounds is published only if at least five firms stand behind it and the largest two make up at most
85 % of it, so that nobody can work out from it what one firm has done. Affiliates count as one firm.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from app.models import IndexPrice, MarketIndex, Product, Proposal, Round, RoundKind, RoundPeriod, Run, RunState
from app.operations.affiliates import topmost_parents

FEWEST_FIRMS = 5
LARGEST_TWO = Decimal("0.85")
PRICE_STEP = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSeries:
    """A market index with its values by day, oldest first."""

    index: MarketIndex
    days: Sequence[tuple[dt.date, Decimal]]

    @property
    def latest(self) -> tuple[dt.date, Decimal]:
        return self.days[-1]


def index_series(session: Session) -> list[IndexSeries]:
    """Every index that has a value, by code."""
    days: dict[str, list[tuple[dt.date, Decimal]]] = defaultdict(list)
    query = sa.select(IndexPrice.index_code, IndexPrice.date, IndexPrice.value)
    for code, day, value in session.execute(query.order_by(IndexPrice.index_code, IndexPrice.date)):
        days[code].append((day, value))
    found = session.scalars(sa.select(MarketIndex).order_by(MarketIndex.code))
    return [IndexSeries(index=index, days=days[index.code]) for index in found if days[index.code]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPrice:
    """The mean ex-works price of a product in the latest run of a round, weighted by volume, CNY per unit."""

    round: Round
    product: Product
    price: Decimal
    firms: int
    cleared_at: dt.datetime


def round_prices(session: Session) -> list[RoundPrice]:
    """Prices of nightly rounds that may be published, newest round first, by product."""
    newest = (
        sa.select(Run.id)
        .join(Round, Round.id == Run.round_id)
        .where(Run.state == RunState.DONE, Round.kind == RoundKind.NIGHTLY)
        .ext(distinct_on(Run.round_id))
        .order_by(Run.round_id, Run.created_at.desc(), Run.id)
    )
    first, last = aliased(RoundPeriod), aliased(RoundPeriod)
    lots = Proposal.rate * (last.position - first.position + 1)
    query = (
        sa.select(
            Proposal.run_id,
            Proposal.product_code,
            Proposal.seller_firm_id,
            Proposal.buyer_firm_id,
            sa.func.sum(lots),
            sa.func.sum(lots * Proposal.price_ex_works),
        )
        .join(first, sa.and_(first.round_id == Proposal.round_id, first.period == Proposal.first_period))
        .join(last, sa.and_(last.round_id == Proposal.round_id, last.period == Proposal.last_period))
        .where(Proposal.run_id.in_(newest))
        .group_by(Proposal.run_id, Proposal.product_code, Proposal.seller_firm_id, Proposal.buyer_firm_id)
        .order_by(Proposal.run_id, Proposal.product_code, Proposal.seller_firm_id, Proposal.buyer_firm_id)
    )
    group = topmost_parents(session)
    tallies: dict[tuple[uuid.UUID, str], Tally] = defaultdict(Tally)
    for run_id, product, seller, buyer, volume, value in session.execute(query):
        tallies[run_id, product].add(group[seller], group[buyer], int(volume), Decimal(value))
    products = {row.code: row for row in session.scalars(sa.select(Product).order_by(Product.code))}
    found = [
        _round_price(session.get_one(Run, run_id), products[product], tally)
        for (run_id, product), tally in tallies.items()
        if tally.may_be_published
    ]
    return sorted(found, key=lambda one: (-one.round.closes_at.timestamp(), one.round.code, one.product.code))


def _round_price(run: Run, product: Product, tally: Tally) -> RoundPrice:
    return RoundPrice(
        round=run.round,
        product=product,
        price=(tally.value / tally.volume).quantize(PRICE_STEP),
        firms=tally.firms,
        cleared_at=run.finished_at or run.created_at,
    )


class Tally:
    """Volume by firm on each side of one product in one run."""

    def __init__(self) -> None:
        self.volume, self.value = 0, Decimal(0)
        self.sold: dict[uuid.UUID, int] = defaultdict(int)
        self.bought: dict[uuid.UUID, int] = defaultdict(int)

    def add(self, seller: uuid.UUID, buyer: uuid.UUID, volume: int, value: Decimal) -> None:
        self.volume += volume
        self.value += value
        self.sold[seller] += volume
        self.bought[buyer] += volume

    @property
    def firms(self) -> int:
        return len(self.sold.keys() | self.bought.keys())

    @property
    def may_be_published(self) -> bool:
        """Both sides must hide their largest two: what one side has done is known to the other already."""
        return self.firms >= FEWEST_FIRMS and all(
            _largest_two(side, self.volume) <= LARGEST_TWO for side in (self.sold, self.bought)
        )


def _largest_two(side: Mapping[uuid.UUID, int], whole: int) -> Decimal:
    return Decimal(sum(sorted(side.values())[-2:])) / whole if whole else Decimal(1)
