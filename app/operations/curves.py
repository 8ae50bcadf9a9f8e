"""Supply and demand of one product in one period of a run, as the asks and bids stood, and the prices locked then.

The steps are sealed: only those who may see sealed offers get them, and each look is logged once for the run. They name
no firm. Asks hold ex works and bids delivered, unless the offer says otherwise; they are drawn as they were posted, in
CNY per unit at the round's rates. A conversion names no price for what it takes or makes: what it traded stands at the
prices that were locked for it, and what it did not trade stands nowhere. A price by formula stands at its mean over the
offer's periods, as it was when the terms were written.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.auth import Principal
from app.errors import Forbidden, NotFound
from app.models import (
    Offer,
    OfferKind,
    OfferRevision,
    PricePublication,
    Product,
    Proposal,
    PublishedPrice,
    RoundPeriod,
    Run,
    RunResult,
)
from app.operations import audit
from app.operations.hub_prices import visible_prices
from app.operations.runs import get_run
from app.permissions import Permission
from contracts.wording import Text

PRICE_STEP = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Units of the product at one price, CNY per unit; `taken` of them were matched."""

    price: Decimal
    units: Decimal
    taken: Decimal
    by_conversion: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """What the contracts of the run move of a product in a period, and their prices weighted by volume."""

    units: Decimal
    contracts: int
    ex_works: Decimal
    delivered: Decimal
    lowest: Decimal
    highest: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Supply by rising and demand by falling price; `locked` is None where nothing was matched."""

    product: Product
    period: str
    supply: tuple[Step, ...]
    demand: tuple[Step, ...]
    locked: Locked | None


def market_curves(
    session: Session, *, principal: Principal, run_id: uuid.UUID, product: str, period: str, path: str, now: dt.datetime
) -> Curves:
    """The curves of a product in a period of a run; that they were looked at is written down.

    :raises NotFound: no such run for the asker, or the run knows no such product or period.
    :raises Forbidden: the asker may not see what is sealed.
    """
    run = get_run(session, principal=principal, run_id=run_id)
    if not principal.may(Permission.SEALED_READ):
        raise Forbidden(Text("报价曲线仅供审核人员查看", "what was asked and bid is for staff in review"))
    known, labels = session.get(Product, product), run.round.horizon.labels()
    if known is None or period not in labels:
        raise NotFound(f"the run knows no {product} in {period}")
    audit.note_look(session, principal=principal, kind="curves", object_id=run.id, firm_id=None, path=path, now=now)
    at = labels.index(period)
    posted = _posted(session, run, known, period, at)
    traded = _traded_by_conversions(session, run, known, at)
    return Curves(
        product=known,
        period=period,
        supply=_sorted(posted[OfferKind.CAPACITY] + traded[0], falling=False),
        demand=_sorted(posted[OfferKind.DEMAND] + traded[1], falling=True),
        locked=_locked(session, run, known, at),
    )


def published_lines(principal: Principal, *, run: Run, product: str) -> sa.Select[PublishedPrice]:
    """What those see instead who may not see what is sealed: the published prices of a product in the run."""
    of_run = sa.select(PricePublication.id).where(PricePublication.run_id == run.id)
    query = visible_prices(principal).where(
        PublishedPrice.publication_id.in_(of_run), PublishedPrice.product_code == product
    )
    return query.order_by(
        PublishedPrice.grade_code,
        PublishedPrice.region_code.asc().nulls_first(),
        PublishedPrice.period,
        PublishedPrice.id,
    )


def _posted(session: Session, run: Run, product: Product, period: str, at: int) -> dict[OfferKind, list[Step]]:
    """The steps of capacities and demands, in the revisions that the run saw."""
    query = (
        sa.select(Offer.kind, OfferRevision.terms, RunResult.filled)
        .join(Offer, Offer.id == RunResult.offer_id)
        .join(
            OfferRevision,
            sa.and_(OfferRevision.offer_id == RunResult.offer_id, OfferRevision.revision == RunResult.offer_revision),
        )
        .where(RunResult.run_id == run.id, Offer.product_code == product.code, Offer.kind != OfferKind.CONVERSION)
        .order_by(RunResult.offer_id)
    )
    rates = {"CNY": Decimal(1)} | {code: Decimal(rate) for code, rate in run.round.currency_rates.items()}
    steps: dict[OfferKind, list[Step]] = defaultdict(list)
    for kind, terms, filled in session.execute(query):
        line = _line(terms, period)
        if line is None or terms["currency"] not in rates:
            continue
        price = Decimal(line["price"] or terms["price"]) * rates[terms["currency"]]
        units, taken = Decimal(line["quantity"]), filled[at] * product.lot
        if units:
            steps[kind].append(Step(price=price, units=units, taken=min(taken, units), by_conversion=False))
    return steps


def _line(terms: Mapping[str, Any], period: str) -> dict[str, Any] | None:
    return next((line for line in terms.get("periods", ()) if line["period"] == period), None)


def _traded_by_conversions(session: Session, run: Run, product: Product, at: int) -> tuple[list[Step], list[Step]]:
    """What conversions sold and bought of the product in the period, by conversion, at its mean locked price."""
    sides: tuple[list[Step], list[Step]] = ([], [])
    columns = (
        (Proposal.sell_offer_id, Proposal.price_ex_works),
        (Proposal.buy_offer_id, Proposal.price_delivered),
    )
    for steps, (offer, price) in zip(sides, columns, strict=True):
        lots, value = sa.func.sum(Proposal.rate), sa.func.sum(Proposal.rate * price)
        query = (
            _in_period(sa.select(lots, value), run, product, at)
            .join(Offer, Offer.id == offer)
            .where(Offer.kind == OfferKind.CONVERSION)
            .group_by(offer)
            .order_by(offer)
        )
        for rate, worth in session.execute(query):
            units = rate * product.lot
            steps.append(Step(price=(worth / rate).quantize(PRICE_STEP), units=units, taken=units, by_conversion=True))
    return sides


def _locked(session: Session, run: Run, product: Product, at: int) -> Locked | None:
    rate = Proposal.rate
    query = sa.select(
        sa.func.sum(rate),
        sa.func.count(),
        sa.func.sum(rate * Proposal.price_ex_works),
        sa.func.sum(rate * Proposal.price_delivered),
        sa.func.min(Proposal.price_ex_works),
        sa.func.max(Proposal.price_ex_works),
    )
    lots, contracts, ex_works, delivered, lowest, highest = session.execute(_in_period(query, run, product, at)).one()
    if not lots:
        return None
    return Locked(
        units=lots * product.lot,
        contracts=contracts,
        ex_works=(ex_works / lots).quantize(PRICE_STEP),
        delivered=(delivered / lots).quantize(PRICE_STEP),
        lowest=lowest,
        highest=highest,
    )


def _in_period(query: Any, run: Run, product: Product, at: int) -> Any:
    """Over the run's proposals of the product whose window holds the period at a position of the horizon."""
    first, last = aliased(RoundPeriod), aliased(RoundPeriod)
    return (
        query.select_from(Proposal)
        .join(first, sa.and_(first.round_id == Proposal.round_id, first.period == Proposal.first_period))
        .join(last, sa.and_(last.round_id == Proposal.round_id, last.period == Proposal.last_period))
        .where(Proposal.run_id == run.id, Proposal.product_code == product.code)
        .where(first.position <= at, last.position >= at)
    )


def _sorted(steps: Iterable[Step], *, falling: bool) -> tuple[Step, ...]:
    """Steps by price, those of one price as one."""
    merged: dict[tuple[Decimal, bool], tuple[Decimal, Decimal]] = {}
    for step in steps:
        units, taken = merged.get((step.price, step.by_conversion), (Decimal(0), Decimal(0)))
        merged[step.price, step.by_conversion] = units + step.units, taken + step.taken
    found = [
        Step(price=price, units=units, taken=taken, by_conversion=by_conversion)
        for (price, by_conversion), (units, taken) in merged.items()
    ]
    return tuple(sorted(found, key=lambda step: (-step.price if falling else step.price, step.by_conversion)))
