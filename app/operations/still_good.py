"""What of an answer still holds when it is written: offers and volume may have changed while the run worked."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.models import Offer, OfferPeriod, OfferState, Proposal, Site
from app.operations.bulk import among
from app.operations.drafts import bundles_of, reservations
from app.operations.snapshots import FrozenRound
from matching.answer import Answer, Contract

RESERVED = "reserved"
Lane = tuple[str, str, str]  # product, region of origin, region of destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What changed meanwhile: offers with the change, lanes whose quota somebody else now uses."""

    offers: Mapping[uuid.UUID, str]
    lanes: frozenset[Lane]


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
    quotas = {(corridor.product, corridor.origin, corridor.destination) for corridor in frozen.snapshot.corridors}
    lanes = set()
    for pair, lane in _lanes(session, taken_up):
        for offer in pair:
            offers.setdefault(offer, RESERVED)
        lanes.add(lane)
    return Touched(offers=offers, lanes=frozenset(lanes & quotas))


def keep(
    session: Session, frozen: FrozenRound, answer: Answer, changes: Touched
) -> tuple[list[Contract], Counter[str]]:
    """The contracts of the bundles that still hold, and how many bundles are dropped, by cause."""
    free = _free(session, _matched(answer))
    labels = frozen.snapshot.horizon.labels()
    kept: list[Contract] = []
    dropped: Counter[str] = Counter()
    for contracts in bundles_of(answer.contracts).values():
        causes: set[str] = set()
        needed: dict[tuple[uuid.UUID, str], int] = defaultdict(int)
        for contract in contracts:
            seller, buyer = frozen.offers[uuid.UUID(contract.seller)], frozen.offers[uuid.UUID(contract.buyer)]
            causes |= {changes.offers[offer.id] for offer in (seller, buyer) if offer.id in changes.offers}
            if (contract.product, seller.region, buyer.region) in changes.lanes:
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


def _lanes(session: Session, proposals: Collection[uuid.UUID]) -> list[tuple[tuple[uuid.UUID, uuid.UUID], Lane]]:
    """Both offers, and the lane, of some proposals."""
    sell, buy, origin, destination = aliased(Offer), aliased(Offer), aliased(Site), aliased(Site)
    query = (
        sa.select(sell.id, buy.id, Proposal.product_code, origin.region_code, destination.region_code)
        .join(sell, sell.id == Proposal.sell_offer_id)
        .join(buy, buy.id == Proposal.buy_offer_id)
        .join(origin, origin.id == sell.site_id)
        .join(destination, destination.id == buy.site_id)
        .where(among(Proposal.id, proposals))
        .order_by(Proposal.id)
    )
    return [((a, b), (product, start, end)) for a, b, product, start, end in session.execute(query)]
