"""The supply graph of a round as it stands: hubs with what is offered there, tiers, loops, and what a hub reaches.

It is drawn from sealed offers, added up by hub: only those who may see these may look, and each look is logged.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Forbidden
from app.models import (
    ConversionInput,
    Firm,
    Offer,
    OfferKind,
    OfferPeriod,
    OfferState,
    Product,
    Round,
    Site,
    WhatIf,
    WhatIfKind,
)
from app.models import RunState as State
from app.operations import audit, snapshot_limits
from app.operations.rounds import find_round
from app.operations.what_if import visible_what_ifs
from app.permissions import Permission
from contracts.wording import Text
from matching import graph, snapshot
from matching.graph import Hub


@dataclass(frozen=True, slots=True, kw_only=True)
class HubVolume:
    """Units over the horizon that are offered, wanted, makeable by conversions and taken by them at a hub.

    `supplies` and `serves` count the other hubs of the product that it can deliver to and be delivered from;
    `freight` is the cheapest way in, CNY per unit, None where there is none.
    """

    hub: Hub
    selling: Decimal
    buying: Decimal
    makeable: Decimal
    supplies: int
    serves: int
    freight: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """The processors that make a product of others: firms, units of output they could make, units taken per unit."""

    product: str
    firms: tuple[Firm, ...]
    capacity: Decimal
    inputs: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyGraph:
    """Products by code with their tier (conversions that stand at most above them); arcs from input to output."""

    tiers: Mapping[str, int]
    loops: Sequence[frozenset[str]]
    sub_markets: Sequence[frozenset[str]]
    hubs: Mapping[str, Sequence[HubVolume]]
    conversions: Mapping[str, Conversion]
    arcs: int

    @property
    def links(self) -> list[tuple[str, str]]:
        return sorted((need, one.product) for one in self.conversions.values() for need in one.inputs)


def look(
    session: Session,
    *,
    principal: Principal,
    round_id: uuid.UUID,
    start: Hub | None = None,
    path: str,
    now: dt.datetime,
) -> tuple[SupplyGraph, frozenset[Hub]]:
    """The graph of a round's open offers, and the hubs that material of `start` can come to.

    :raises NotFound: there is no such round for the asker.
    :raises Forbidden: the asker may not see what is sealed.
    """
    market_round = find_round(session, principal=principal, round_id=round_id)
    if not principal.may(Permission.SEALED_READ):
        raise Forbidden(
            Text(
                "供应网络由密封报价绘出，仅供审核人员查看",
                "the supply graph is drawn from sealed offers; it is for staff in review",
            )
        )
    audit.note_look(
        session, principal=principal, kind="supply_graph", object_id=round_id, firm_id=None, path=path, now=now
    )
    rows = _Rows(session, market_round)
    frozen = rows.snapshot()
    drawn = graph.supply_graph(frozen)
    reached = frozenset(graph.reach(drawn, start)) if start is not None and start in drawn else frozenset()
    return (
        SupplyGraph(
            tiers=graph.tiers(frozen),
            loops=graph.loops(frozen),
            sub_markets=graph.sub_markets(frozen),
            hubs=rows.hubs(drawn),
            conversions=rows.conversions(),
            arcs=drawn.number_of_edges(),
        ),
        reached,
    )


def ranking(session: Session, *, principal: Principal, round_id: uuid.UUID) -> WhatIf | None:
    """The newest finished ranking of a round's firms by what is lost without each, for those who may ask for one."""
    query = visible_what_ifs(principal).where(
        WhatIf.round_id == round_id, WhatIf.kind == WhatIfKind.CRITICALITY, WhatIf.state == State.DONE
    )
    return session.scalar(query.order_by(WhatIf.created_at.desc(), WhatIf.id).limit(1))


class _Rows:
    """Open offers of a round, added up by hub; conversions one by one."""

    def __init__(self, session: Session, market_round: Round) -> None:
        self.session, self.round = session, market_round
        open_offers = (Offer.round_id == market_round.id, Offer.state == OfferState.OPEN)
        hub = (Offer.product_code, Offer.grade_code, Site.region_code)
        lots = sa.func.sum(OfferPeriod.quantity)
        posted = (
            sa.select(Offer.kind, *hub, lots)
            .join(Site, Site.id == Offer.site_id)
            .join(OfferPeriod, OfferPeriod.offer_id == Offer.id)
            .where(*open_offers)
            .group_by(Offer.kind, *hub)
            .order_by(Offer.kind, *hub)
        )
        self.lots: dict[tuple[OfferKind, Hub], int] = {
            (kind, (product, grade, region)): int(total)
            for kind, product, grade, region, total in session.execute(posted)
        }
        makers = (
            sa.select(Offer.id, Offer.firm_id, *hub)
            .join(Site, Site.id == Offer.site_id)
            .where(*open_offers, Offer.kind == OfferKind.CONVERSION)
            .order_by(Offer.id)
        )
        self.makers = session.execute(makers).all()
        needs = (
            sa.select(ConversionInput)
            .join(Offer, Offer.id == ConversionInput.offer_id)
            .where(*open_offers)
            .order_by(ConversionInput.offer_id, ConversionInput.product_code, ConversionInput.grade_code)
        )
        self.needs: dict[uuid.UUID, list[ConversionInput]] = defaultdict(list)
        for need in session.scalars(needs):
            self.needs[need.offer_id].append(need)
        self.products = {hub[0] for _, hub in self.lots}
        self.products |= {need.product_code for needs in self.needs.values() for need in needs}
        found = session.scalars(sa.select(Product).where(Product.code.in_(self.products)).order_by(Product.code))
        self.lot = {one.code: one.lot for one in found}

    def snapshot(self) -> snapshot.Snapshot:
        """The shape of the round: one offer without a quantity for each side of a hub, conversions, ways and grades."""
        sides = {OfferKind.CAPACITY: snapshot.Side.SELL, OfferKind.DEMAND: snapshot.Side.BUY}
        nothing, free = (0,) * self.round.period_count, (Decimal(0),) * self.round.period_count
        return snapshot.Snapshot(
            horizon=self.round.horizon,
            grades=snapshot_limits.grades(self.session, self.products),
            offers=tuple(
                snapshot.Offer(
                    offer=f"{side}/{'/'.join(hub)}",
                    side=side,
                    firm="",
                    product=hub[0],
                    grade=hub[1],
                    region=hub[2],
                    quantity=nothing,
                    price=free,
                )
                for (kind, hub) in self.lots
                if (side := sides.get(kind)) is not None
            ),
            conversions=tuple(
                snapshot.Conversion(
                    conversion=str(offer),
                    firm=str(firm),
                    region=region,
                    product=product,
                    grade=grade,
                    capacity=nothing,
                    fee=free,
                    inputs=tuple(
                        snapshot.ConversionInput(
                            product=need.product_code,
                            grade=need.grade_code,
                            quantity_per_output=need.quantity_per_output,
                        )
                        for need in self.needs[offer]
                    ),
                )
                for offer, firm, product, grade, region in self.makers
            ),
            freight=snapshot_limits.freight(self.session, self.products),
        )

    def hubs(self, drawn: graph.Digraph) -> dict[str, list[HubVolume]]:
        """By product, those with the largest volume in front."""
        found: dict[str, list[HubVolume]] = defaultdict(list)
        for hub in drawn.nodes:
            if not isinstance(hub, tuple):
                continue
            lot = self.lot[hub[0]]
            near = [other for other in drawn.successors(hub) if isinstance(other, tuple)]
            before = [other for other in drawn.predecessors(hub) if isinstance(other, tuple)]
            costs = [drawn.edges[other, hub]["cost"] for other in before if "cost" in drawn.edges[other, hub]]
            selling, buying, makeable = (
                self.lots.get((kind, hub), 0) * lot
                for kind in (OfferKind.CAPACITY, OfferKind.DEMAND, OfferKind.CONVERSION)
            )
            found[hub[0]].append(
                HubVolume(
                    hub=hub,
                    selling=selling,
                    buying=buying,
                    makeable=makeable,
                    supplies=len(near),
                    serves=len(before),
                    freight=min(costs, default=None),
                )
            )
        for lines in found.values():
            lines.sort(key=lambda one: (-(one.selling + one.makeable + one.buying), one.hub))
        return dict(found)

    def conversions(self) -> dict[str, Conversion]:
        """By what is made; what one unit takes is the mean over the processors."""
        firms: dict[str, set[uuid.UUID]] = defaultdict(set)
        taken: dict[str, dict[str, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
        for offer, firm, product, _grade, _region in self.makers:
            firms[product].add(firm)
            for need in self.needs[offer]:
                taken[product][need.product_code].append(need.quantity_per_output)
        wanted = {firm for group in firms.values() for firm in group}
        known = self.session.scalars(sa.select(Firm).where(Firm.id.in_(wanted)).order_by(Firm.name_en, Firm.id)).all()
        capacity: dict[str, Decimal] = defaultdict(Decimal)
        for (kind, hub), lots in self.lots.items():
            if kind is OfferKind.CONVERSION:
                capacity[hub[0]] += lots * self.lot[hub[0]]
        return {
            product: Conversion(
                product=product,
                firms=tuple(firm for firm in known if firm.id in group),
                capacity=capacity[product],
                inputs={code: sum(each, Decimal(0)) / len(each) for code, each in sorted(taken[product].items())},
            )
            for product, group in sorted(firms.items())
        }
