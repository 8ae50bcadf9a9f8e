"""Prices of a run by hub, and which of them may be published: staff publish them as the round's reference prices.

A hub is a product's grade in a region; its price in a period is the mean of the locked prices ex works at which it
sells then, weighted by volume. The shadow prices of single periods are no such price: contracts fix their mean over a
window, and how it is spread over the periods of the window means nothing. Beside the hubs stands the mean over all
regions. As with every figure of the rounds, five firms at least must stand behind it and the largest two of each side
may make up 85 % at most. What is published is kept as it was: later changes to firms or proposals do not change it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict, NotFound, Refused
from app.models import (
    Offer,
    PricePublication,
    Proposal,
    PublishedPrice,
    Round,
    RoundKind,
    Run,
    RunState,
    Site,
    SubjectKind,
)
from app.operations.affiliates import topmost_parents
from app.operations.bulk import copy_rows
from app.operations.events import record
from app.operations.published import Tally
from app.operations.runs import get_run
from app.permissions import Permission
from contracts.wording import Text

PRICE_STEP = Decimal("0.01")
PUBLISHED_COLUMNS = (
    "publication_id",
    "round_id",
    "product_code",
    "grade_code",
    "region_code",
    "period",
    "price",
    "firms",
)
Hub = tuple[str, str, str | None]  # product, grade, region; no region: all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class HubPrice:
    """CNY per unit ex works in one period; `firms` trade there by the run's proposals."""

    product: str
    grade: str
    region: str | None
    period: str
    price: Decimal
    firms: int
    may_be_published: bool


def hub_table(session: Session, *, run: Run) -> list[HubPrice]:
    """The prices of a run by product, grade, region (all of them first) and period."""
    found = [
        HubPrice(
            product=product,
            grade=grade,
            region=region,
            period=period,
            price=(tally.value / tally.volume).quantize(PRICE_STEP),
            firms=tally.firms,
            may_be_published=tally.may_be_published,
        )
        for ((product, grade, region), period), tally in _tallies(session, run).items()
    ]
    return sorted(found, key=lambda one: (one.product, one.grade, one.region or "", one.period))


def _tallies(session: Session, run: Run) -> dict[tuple[Hub, str], Tally]:
    """Who trades how much at which prices at each hub and period by the run's proposals, and over all regions."""
    key = (
        *(Offer.product_code, Offer.grade_code, Site.region_code, Proposal.first_period, Proposal.last_period),
        *(Proposal.seller_firm_id, Proposal.buyer_firm_id),
    )
    query = (
        sa.select(*key, sa.func.sum(Proposal.rate), sa.func.sum(Proposal.rate * Proposal.price_ex_works))
        .join(Offer, Offer.id == Proposal.sell_offer_id)
        .join(Site, Site.id == Offer.site_id)
        .where(Proposal.run_id == run.id)
        .group_by(*key)
        .order_by(*key)
    )
    labels, group = run.round.horizon.labels(), topmost_parents(session)
    tallies: dict[tuple[Hub, str], Tally] = defaultdict(Tally)
    for product, grade, region, first, last, seller, buyer, lots, value in session.execute(query):
        for period in labels[labels.index(first) : labels.index(last) + 1]:
            for hub in ((product, grade, region), (product, grade, None)):
                tallies[hub, period].add(group[seller], group[buyer], int(lots), Decimal(value))
    return tallies


def publish(session: Session, *, principal: Principal, run_id: uuid.UUID, now: dt.datetime) -> PricePublication:
    """Publish what may be published of a run's prices; what the round has published before is withdrawn.

    :raises NotFound: no such run, or not for the asker.
    :raises Conflict: the run has not ended well, or its prices are published.
    :raises Refused: the round is a docking event, or no price has enough firms behind it.
    """
    run = get_run(session, principal=principal, run_id=run_id)
    # The lock on the round keeps two publications of it apart.
    session.execute(sa.select(Round.id).where(Round.id == run.round_id).with_for_update())
    if run.state is not RunState.DONE:
        raise Conflict(Text("只有已完成的撮合才能发布价格", f"the run is {run.state}; expected done"))
    if run.round.kind is not RoundKind.NIGHTLY:
        raise Refused(
            Text("专场的价格不公开", "a docking event is known to its guests only; expected a run of a nightly round")
        )
    before = session.scalar(visible_publications(principal).where(PricePublication.round_id == run.round_id))
    if before is not None and before.run_id == run.id:
        raise Conflict(Text("该次撮合的价格已发布", "the prices of this run are published already"))
    lines = [line for line in hub_table(session, run=run) if line.may_be_published]
    if not lines:
        raise Refused(
            Text(
                "没有可以发布的价格：每个数据须有至少五家企业且前两大不超过 85%",
                "no price may be published: none has five firms behind it with the largest two at 85 % at most",
            )
        )
    if before is not None:
        _withdraw(session, principal, before, now)
    made = PricePublication(
        round_id=run.round_id, run_id=run.id, published_at=now, published_by_id=principal.user_id, run=run
    )
    session.add(made)
    session.flush()
    rows = (
        (
            *(made.id, made.round_id, one.product, one.grade, one.region, one.period),
            *(one.price, one.firms),
        )
        for one in lines
    )
    copy_rows(session, PublishedPrice, PUBLISHED_COLUMNS, rows)
    _record(session, principal, made, "round.publish_prices", now)
    return made


def withdraw(
    session: Session, *, principal: Principal, publication_id: uuid.UUID, now: dt.datetime
) -> PricePublication:
    """Take a publication back; the page shows it no more.

    :raises NotFound: there is no such publication, or it is withdrawn.
    """
    query = visible_publications(principal).where(PricePublication.id == publication_id).with_for_update()
    found: PricePublication | None = session.scalar(query)
    if found is None:
        raise NotFound("no such publication")
    _withdraw(session, principal, found, now)
    return found


def _withdraw(session: Session, principal: Principal, found: PricePublication, now: dt.datetime) -> None:
    found.withdrawn_at, found.withdrawn_by_id = now, principal.user_id
    session.flush()
    _record(session, principal, found, "round.withdraw_prices", now)


def _record(session: Session, principal: Principal, found: PricePublication, name: str, now: dt.datetime) -> None:
    state = session.get_one(Round, found.round_id).state
    record(
        session,
        principal=principal,
        subject=(SubjectKind.ROUND, found.round_id),
        name=name,
        from_state=state,
        to_state=state,
        note=f"run {found.run_id}",
        acting_as="staff",
        now=now,
    )
    session.flush()


def visible_publications(principal: Principal) -> sa.Select[PricePublication]:
    """What is published now: the same for all who may read reference data, as it is public."""
    query = sa.select(PricePublication).where(PricePublication.withdrawn_at.is_(None))
    return query if principal.may(Permission.REFERENCE_READ) else query.where(sa.false())


def visible_prices(principal: Principal) -> sa.Select[PublishedPrice]:
    """The prices that are published now."""
    now_published = visible_publications(principal).with_only_columns(PricePublication.id)
    return sa.select(PublishedPrice).where(PublishedPrice.publication_id.in_(now_published))


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A publication with its prices by product, grade, region (all of them first) and period."""

    publication: PricePublication
    prices: Sequence[PublishedPrice]


def publications(session: Session, *, limit: int = 6) -> list[Published]:
    """What is published, the newest first. For everybody."""
    query = (
        sa.select(PricePublication)
        .where(PricePublication.withdrawn_at.is_(None))
        .options(orm.joinedload(PricePublication.round), orm.joinedload(PricePublication.run))
        .order_by(PricePublication.published_at.desc(), PricePublication.id)
        .limit(limit)
    )
    found = session.scalars(query).all()
    prices: dict[uuid.UUID, list[PublishedPrice]] = defaultdict(list)
    of_these = sa.select(PublishedPrice).where(PublishedPrice.publication_id.in_([one.id for one in found]))
    order = (
        PublishedPrice.product_code,
        PublishedPrice.grade_code,
        PublishedPrice.region_code.asc().nulls_first(),
        PublishedPrice.period,
        PublishedPrice.id,
    )
    for price in session.scalars(of_these.order_by(*order)):
        prices[price.publication_id].append(price)
    return [Published(publication=one, prices=prices[one.id]) for one in found]
