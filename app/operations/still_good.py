"""What of an answer still holds when it is written: offers and volume may have changed while the run worked."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.models import Offer, OfferPeriod, OfferState, Proposal, Region, Site
from app.operations.affiliates import topmost_parents
from app.operations.bulk import among
from app.operations.drafts import bundles_of, reservations
from app.operations.snapshots import FrozenRound
from matching.answer import Answer, Contract

RESERVED = "reserved"
Limit = tuple[str, ...]  # kind, product, and what the limit is about


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What changed meanwhile: offers with the change, limits of the round that somebody else now uses up."""

    offers: Mapping[uuid.UUID, str]
    limits: frozenset[Limit]


def touched(
    session: Session,
    frozen: FrozenRound,
    answer: Answer,
    *,
    taken_up: Collection[uuid.UUID],
    now: dt.datetime,
) -> Touched:
    """Compare the matched offers with the snapshot, locking them until the transaction ends.

    `taken_up` are proposals that were to be superseded and are under review now: their volume was not free after all.
    """
    matched = _matched(answer)
    query = (
        sa.select(Offer.id, Offer.state, Offer.revision, Offer.valid_until)
        .where(among(Offer.id, matched))
        .order_by(Offer.id)
        .with_for_update(read=True)
    )
    offers: dict[uuid.UUID, str] = {}
    for offer, state, revision, valid_until in session.execute(query):
        if state is not OfferState.OPEN:
            offers[offer] = state.value
        elif revision != frozen.revisions[offer]:
            offers[offer] = "amended"
        elif valid_until is not None and valid_until <= now:
            offers[offer] = OfferState.EXPIRED.value
    limits: set[Limit] = set()
    for pair, used in _used(session, taken_up):
        for offer in pair:
            offers.setdefault(offer, RESERVED)
        limits |= used
    return Touched(offers=offers, limits=frozenset(limits & _limited(session, frozen)))


def keep(
    session: Session, frozen: FrozenRound, answer: Answer, changes: Touched
) -> tuple[list[Contract], Counter[str]]:
    """The contracts of the bundles that still hold, and how many bundles are dropped, by cause."""
    free = _free(session, _matched(answer))
    labels, group = frozen.snapshot.horizon.labels(), topmost_parents(session)
    kept: list[Contract] = []
    dropped: Counter[str] = Counter()
    for contracts in bundles_of(answer.contracts).values():
        causes: set[str] = set()
        needed: dict[tuple[uuid.UUID, str], int] = defaultdict(int)
        for contract in contracts:
            seller, buyer = frozen.offers[uuid.UUID(contract.seller)], frozen.offers[uuid.UUID(contract.buyer)]
            causes |= {changes.offers[offer.id] for offer in (seller, buyer) if offer.id in changes.offers}
            way = (seller.region, seller.origin, buyer.region)
            if changes.limits & limits_of(contract.product, way, group[seller.firm]):
                causes.add(RESERVED)
            for offer, period, lots in reservations(contract, seller, buyer, labels):
                needed[offer, period] += lots
        if any(free.get(place, 0) < lots for place, lots in needed.items()):
            causes.add(RESERVED)
        if causes:
            dropped[min(causes)] += 1
            continue
        for place, lots in needed.items():
            free[place] -= lots
        kept += contracts
    return kept, dropped


def _matched(answer: Answer) -> set[uuid.UUID]:
    return {uuid.UUID(label) for contract in answer.contracts for label in (contract.seller, contract.buyer)}


def _free(session: Session, offers: Collection[uuid.UUID]) -> dict[tuple[uuid.UUID, str], int]:
    """Lots of some offers that nothing holds, by offer and period."""
    query = sa.select(OfferPeriod.offer_id, OfferPeriod.period, OfferPeriod.quantity - OfferPeriod.reserved)
    rows = session.execute(query.where(among(OfferPeriod.offer_id, offers)))
    return {(offer, period): lots for offer, period, lots in rows}


def limits_of(product: str, way: tuple[str, str, str], supplier: uuid.UUID) -> set[Limit]:
    """The limits that a contract may count against; `way` is region and country of origin, and the region it goes
    to, `supplier` the parent of the selling firm."""
    region, country, destination = way
    return {
        ("corridor", product, region, destination),
        ("origin", product, country, destination),
        ("ceiling", product, str(supplier)),
    }


def _limited(session: Session, frozen: FrozenRound) -> set[Limit]:
    """The limits that the snapshot has."""
    market, group = frozen.snapshot, topmost_parents(session)
    found: set[Limit] = {("corridor", one.product, one.origin, one.destination) for one in market.corridors}
    found |= {("origin", one.product, one.origin, one.destination) for one in market.origin_rules}
    for ceiling in market.ceilings:
        named = map(str, group.values()) if ceiling.firm is None else (ceiling.firm,)
        found |= {("ceiling", ceiling.product, firm) for firm in named}
    return found


def _used(session: Session, proposals: Collection[uuid.UUID]) -> list[tuple[tuple[uuid.UUID, uuid.UUID], set[Limit]]]:
    """Both offers of some proposals, and the limits that each may count against."""
    sell, buy, origin, destination = aliased(Offer), aliased(Offer), aliased(Site), aliased(Site)
    query = (
        sa.select(
            sell.id,
            buy.id,
            Proposal.product_code,
            origin.region_code,
            sa.func.coalesce(sell.origin_country, Region.country),
            destination.region_code,
            sell.firm_id,
        )
        .join(sell, sell.id == Proposal.sell_offer_id)
        .join(buy, buy.id == Proposal.buy_offer_id)
        .join(origin, origin.id == sell.site_id)
        .join(Region, Region.code == origin.region_code)
        .join(destination, destination.id == buy.site_id)
        .where(among(Proposal.id, proposals))
        .order_by(Proposal.id)
    )
    group = topmost_parents(session)
    return [
        ((one, other), limits_of(product, (region, country, end), group[firm]))
        for one, other, product, region, country, end, firm in session.execute(query)
    ]
