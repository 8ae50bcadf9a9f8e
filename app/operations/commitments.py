"""Volume that is promised already, as a snapshot tells it: reservations of open proposals and of contracts.

Lots that an event of force majeure took from one side go nowhere: they are no commitment between two offers any more,
but the side that was hindered cannot offer them to anybody else either. See docs/decisions/0074.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.models import Contract, ExcusedVolume, ForceMajeureNotice, Offer, Proposal, Region, Reservation, Site
from app.operations.bulk import among
from contracts.state import Actor
from market.periods import Horizon
from matching.snapshot import Commitment, Side
from matching.snapshot import Offer as FrozenOffer

# What a new run may take back: proposals that nobody has taken up for review. See docs/decisions/0040.
UNTOUCHED = "proposed"

Lots = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Lots per period that one proposal, or the contract made of it, keeps from its two offers.

    `quantity` goes from the one to the other; `sell_lost` and `buy_lost` are kept from one offer and go nowhere.
    """

    proposal: uuid.UUID
    sell: uuid.UUID
    buy: uuid.UUID
    product: str
    grade: str
    quantity: Lots
    sell_lost: Lots
    buy_lost: Lots


def untouched_proposals(session: Session, *, round_id: uuid.UUID) -> frozenset[uuid.UUID]:
    """Proposals of the round's runs that a new run supersedes."""
    query = sa.select(Proposal.id).where(Proposal.round_id == round_id, Proposal.state == UNTOUCHED)
    return frozenset(session.scalars(query.order_by(Proposal.id)))


def held_volumes(
    session: Session, *, round_id: uuid.UUID, horizon: Horizon, leave_out: frozenset[uuid.UUID]
) -> list[Held]:
    """What is reserved in a round, by proposal, but for the proposals left out.

    The selling offer of every proposal is reserved, of a conversion's input the selling offer only.
    """

    def held_of(offer: InstrumentedAttribute[uuid.UUID]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(Reservation.quantity).filter(Reservation.offer_id == offer), 0)

    about = (Proposal.id, Proposal.sell_offer_id, Proposal.buy_offer_id, Proposal.product_code, Proposal.grade_code)
    query = (
        sa.select(*about, Reservation.period, held_of(Proposal.sell_offer_id), held_of(Proposal.buy_offer_id))
        .join(Reservation, Reservation.proposal_id == Proposal.id)
        .where(Proposal.round_id == round_id, Reservation.released_at.is_(None))
        .group_by(Proposal.id, Reservation.period)
        .order_by(Proposal.id, Reservation.period)
    )
    lost = _lost_by_sellers(session, round_id=round_id)
    position = {label: at for at, label in enumerate(horizon.labels())}
    lots: dict[uuid.UUID, list[list[int]]] = {}
    facts: dict[uuid.UUID, dict[str, Any]] = {}
    for proposal, sell, buy, product, grade, period, sold, bought in session.execute(query):
        if proposal not in leave_out:
            going = max(int(sold) - lost.get((proposal, period), 0), 0)
            profile = lots.setdefault(proposal, [[0] * len(horizon) for _ in range(3)])
            for row, value in zip(profile, (going, sold - going, max(bought - going, 0)), strict=True):
                row[position[period]] = int(value)
            facts[proposal] = {"sell": sell, "buy": buy, "product": product, "grade": grade}
    return [
        Held(
            proposal=key,
            quantity=tuple(lots[key][0]),
            sell_lost=tuple(lots[key][1]),
            buy_lost=tuple(lots[key][2]),
            **one,
        )
        for key, one in facts.items()
    ]


def _lost_by_sellers(session: Session, *, round_id: uuid.UUID) -> dict[tuple[uuid.UUID, str], int]:
    """Lots by proposal and period that sellers still hold but will not deliver, because they were excused."""
    query = (
        sa.select(Contract.proposal_id, ExcusedVolume.period, sa.func.sum(ExcusedVolume.excused))
        .join(ForceMajeureNotice, ForceMajeureNotice.id == ExcusedVolume.notice_id)
        .join(Contract, Contract.id == ForceMajeureNotice.contract_id)
        .join(Proposal, Proposal.id == Contract.proposal_id)
        .where(Proposal.round_id == round_id, ForceMajeureNotice.side == Actor.SELLER)
        .group_by(Contract.proposal_id, ExcusedVolume.period)
    )
    return {(proposal, period): int(lots) for proposal, period, lots in session.execute(query)}


def lost_volumes(held: Iterable[Held]) -> dict[uuid.UUID, Lots]:
    """Lots per period that offers cannot give or take any more, because an event of their own firm took them."""
    lost: dict[uuid.UUID, Lots] = {}
    for one in held:
        for offer, lots in ((one.sell, one.sell_lost), (one.buy, one.buy_lost)):
            if any(lots):
                lost[offer] = _sum(lost.get(offer), lots)
    return lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """Commitments between offers of the snapshot, and offers added to it that have nothing free."""

    commitments: tuple[Commitment, ...]
    stand_ins: tuple[FrozenOffer, ...]


class _StandIn(NamedTuple):
    """Takes the place of a conversion, or of an offer that is no longer open, as one side of a commitment."""

    offer: uuid.UUID
    side: Side
    product: str
    grade: str

    @property
    def label(self) -> str:
        return "/".join(("committed", str(self.offer), self.side, self.product, self.grade))


def committed(
    session: Session, *, held: Sequence[Held], open_offers: Collection[uuid.UUID], horizon: Horizon
) -> Committed:
    """What is held, between offers of the snapshot: the `open_offers` (capacity and demand) and stand-ins.

    A stand-in offers exactly the committed volume, so nothing of it is free; shares, corridors and exclusive groups
    count it.
    """
    volume: dict[_StandIn, Lots] = {}
    commitments = []
    for one in held:
        if not any(one.quantity):
            continue
        labels = {}
        for side, offer in ((Side.SELL, one.sell), (Side.BUY, one.buy)):
            labels[side] = str(offer)
            if offer not in open_offers:
                stand_in = _StandIn(offer, side, one.product, one.grade)
                labels[side] = stand_in.label
                volume[stand_in] = _sum(volume.get(stand_in), one.quantity)
        commitments.append(Commitment(sell=labels[Side.SELL], buy=labels[Side.BUY], quantity=one.quantity))
    places = _places(session, {stand_in.offer for stand_in in volume})
    return Committed(
        commitments=tuple(commitments),
        stand_ins=tuple(
            FrozenOffer(
                offer=stand_in.label,
                side=stand_in.side,
                firm=str(places[stand_in.offer].firm_id),
                product=stand_in.product,
                grade=stand_in.grade,
                region=places[stand_in.offer].region_code,
                origin=places[stand_in.offer].origin if stand_in.side is Side.SELL else None,
                group=places[stand_in.offer].group_label or "",
                quantity=quantity,
                price=(Decimal(0),) * len(horizon),
            )
            for stand_in, quantity in volume.items()
        ),
    )


def volumes_of_offers(held: Iterable[Held]) -> tuple[dict[uuid.UUID, Lots], dict[tuple[uuid.UUID, str], Lots]]:
    """Lots per period that are promised by each selling offer, and of each product to each buying offer."""
    out: dict[uuid.UUID, Lots] = {}
    taken: dict[tuple[uuid.UUID, str], Lots] = {}
    for one in held:
        out[one.sell] = _sum(out.get(one.sell), one.quantity)
        taken[one.buy, one.product] = _sum(taken.get((one.buy, one.product)), one.quantity)
    return out, taken


def _sum(one: Lots | None, other: Lots) -> Lots:
    return other if one is None else tuple(a + b for a, b in zip(one, other, strict=True))


def _places(
    session: Session, offers: Collection[uuid.UUID]
) -> dict[uuid.UUID, sa.Row[uuid.UUID, uuid.UUID, str, str, str | None]]:
    """Firm, region, country of origin and exclusive group of some offers."""
    origin = sa.func.coalesce(Offer.origin_country, Region.country).label("origin")
    query = (
        sa.select(Offer.id, Offer.firm_id, Site.region_code, origin, Offer.group_label)
        .join(Site, Site.id == Offer.site_id)
        .join(Region, Region.code == Site.region_code)
        .where(among(Offer.id, offers))
        .order_by(Offer.id)
    )
    return {row.id: row for row in session.execute(query)}
