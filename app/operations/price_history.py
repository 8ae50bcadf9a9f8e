"""Mean locked prices of a product over the runs, beside the market index of its day."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.clock import day_of
from app.models import IndexPrice, MarketIndex, Product, Round, RoundKind, Run, RunState
from app.operations.runs import visible_runs

MOST_RUNS = 400
SPAN = dt.timedelta(days=3 * 365)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPrice:
    """What a run locked on average ex works, weighted by volume; `index` is that which the run was compared with."""

    run_id: uuid.UUID
    round: Round
    day: dt.date
    price: Decimal
    index: Decimal | None
    distance: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceHistory:
    """Prices in CNY per unit without tax: of the runs, and of the product's index by day, both oldest first."""

    product: Product
    index: MarketIndex | None
    days: tuple[tuple[dt.date, Decimal], ...]
    runs: tuple[RunPrice, ...]


def price_history(session: Session, *, principal: Principal, product: Product, now: dt.datetime) -> PriceHistory:
    """The last 400 finished runs of nightly rounds that have the product, and three years of its index in CNY."""
    query = (
        visible_runs(principal)
        .join(Round, Round.id == Run.round_id)
        .where(Run.state == RunState.DONE, Round.kind == RoundKind.NIGHTLY, Run.headline.is_not(None))
        .with_only_columns(Run.id, Round, Run.finished_at, Run.headline)
        .order_by(Run.finished_at.desc(), Run.id)
        .limit(MOST_RUNS)
    )
    runs = []
    for run_id, market_round, finished_at, headline in session.execute(query):
        lines = (headline or {}).get("products", ())
        line = next((one for one in lines if one["product"] == product.code), None)
        if line is not None and line.get("price") is not None and finished_at is not None:
            runs.append(
                RunPrice(
                    run_id=run_id,
                    round=market_round,
                    day=day_of(finished_at),
                    price=Decimal(line["price"]),
                    index=_decimal(line.get("index")),
                    distance=_decimal(line.get("index_distance")),
                )
            )
    index = session.scalar(
        sa.select(MarketIndex)
        .where(
            MarketIndex.product_code == product.code, MarketIndex.unit == product.unit, MarketIndex.currency == "CNY"
        )
        .order_by(MarketIndex.code)
        .limit(1)
    )
    return PriceHistory(
        product=product, index=index, days=_days(session, index, day_of(now)), runs=tuple(reversed(runs))
    )


def _days(session: Session, index: MarketIndex | None, today: dt.date) -> tuple[tuple[dt.date, Decimal], ...]:
    if index is None:
        return ()
    query = sa.select(IndexPrice.date, IndexPrice.value).where(
        IndexPrice.index_code == index.code, IndexPrice.date.between(today - SPAN, today)
    )
    return tuple((day, value) for day, value in session.execute(query.order_by(IndexPrice.date)))


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
