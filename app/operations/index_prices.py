"""The market index of each product, as prices are compared with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import IndexPrice, MarketIndex, Product

PERCENT_STEP = Decimal("0.01")
OLDEST = dt.timedelta(days=730)  # lithium salts have risen and fallen tenfold in less: an older value says nothing


def latest_index_prices(
    session: Session, *, products: Collection[str], rates: Mapping[str, Any], now: dt.datetime
) -> dict[str, Decimal]:
    """CNY per unit of each product that has an index: the last value published by `now`, at most two years old.

    `rates` gives CNY per unit of other currencies. An index in another unit, or in a currency without a rate, does
    not compare and is left out; of several the first by code counts.
    """
    latest = (
        sa.select(IndexPrice.index_code, sa.func.max(IndexPrice.date).label("date"))
        .where(IndexPrice.date <= now.date(), IndexPrice.date >= now.date() - OLDEST)
        .group_by(IndexPrice.index_code)
        .subquery()
    )
    query = (
        sa.select(MarketIndex.product_code, MarketIndex.currency, IndexPrice.value)
        .join(Product, sa.and_(Product.code == MarketIndex.product_code, Product.unit == MarketIndex.unit))
        .join(latest, latest.c.index_code == MarketIndex.code)
        .join(IndexPrice, sa.and_(IndexPrice.index_code == MarketIndex.code, IndexPrice.date == latest.c.date))
        .where(MarketIndex.product_code.in_(products))
        .order_by(MarketIndex.code)
    )
    found: dict[str, Decimal] = {}
    for product, currency, value in session.execute(query):
        rate = Decimal(1) if currency == "CNY" else rates.get(currency)
        if rate is not None:
            found.setdefault(product, value * Decimal(rate))
    return found


def distance_in_percent(price: Decimal, index: Decimal | None) -> Decimal | None:
    """How far a price stands above (or, negative, below) an index; None without one."""
    if not index:
        return None
    return ((price / index - 1) * 100).quantize(PERCENT_STEP, ROUND_HALF_EVEN)
