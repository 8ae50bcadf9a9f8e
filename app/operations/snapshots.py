"""From the rows of a round to the frozen input of a run, in a few bulk queries.

The caller draws one consistent (repeatable read) transaction around it. Offers are labelled by their ids.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.models import (
    Basis,
    ConversionInput,
    Firm,
    GradeSpecification,
    Offer,
    OfferApprovedSupplier,
    OfferCertificate,
    OfferKind,
    OfferPeriod,
    OfferSpecification,
    OfferState,
    Region,
    Round,
    Site,
)
from app.operations import commitments, snapshot_limits
from app.operations.commitments import Held
from app.operations.forward_curve import forward_curves
from app.operations.offer_terms import formula_of
from app.operations.snapshot_firms import CertificateRegister, firm_names
from app.operations.snapshot_limits import attribute_name
from market.errors import InvalidValue
from market.periods import Horizon
from matching import snapshot as frozen
from matching.snapshot import Side, Snapshot

CNY = "CNY"
# fmt: off
_READ = (
    Offer.id, Offer.kind, Offer.firm_id, Offer.site_id, Offer.product_code, Offer.grade_code, Offer.revision,
    Offer.price, Offer.currency, Offer.basis, Offer.min_term, Offer.max_term, Offer.min_rate, Offer.all_or_none,
    Offer.max_share, Offer.group_label, Offer.index_code, Offer.index_factor, Offer.index_premium,
    Offer.price_floor, Offer.price_ceiling, Site.region_code,
    sa.func.coalesce(Offer.origin_country, Region.country).label("origin"), Site.active.label("site_active"),
    Firm.active.label("firm_active"),
)
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenRound:
    """A snapshot, and what its answer needs on the way back to rows.

    `offers` has the open offers that the snapshot holds, `invalid` those it could not take, with the field at fault.
    The volume of the proposals `superseding` counts as free in it.
    """

    round_id: uuid.UUID
    taken_at: dt.datetime
    snapshot: Snapshot
    offers: Mapping[uuid.UUID, OfferRow]
    invalid: Mapping[uuid.UUID, str]
    revisions: Mapping[uuid.UUID, int]
    superseding: frozenset[uuid.UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRow:
    """What is read of one open offer. `quantity` is lots per period of the horizon, `price` CNY per unit."""

    id: uuid.UUID
    kind: OfferKind
    firm: uuid.UUID
    site: uuid.UUID
    region: str
    origin: str
    product: str
    grade: str
    quantity: tuple[int, ...]
    price: tuple[Decimal, ...]
    terms: Any  # the row's remaining columns, by name


def freeze(session: Session, *, round_id: uuid.UUID, now: dt.datetime) -> FrozenRound:
    """The snapshot of a round as the session's transaction sees it.

    :raises NotFound: there is no such round.
    :raises market.errors.InvalidValue: rows that the matcher cannot take; the message names the offer.
    """
    market_round = session.get(Round, round_id)
    if market_round is None:
        raise NotFound("no such round")
    superseding = commitments.untouched_proposals(session, round_id=round_id)
    held = commitments.held_volumes(session, round_id=round_id, horizon=market_round.horizon, leave_out=superseding)
    rows, invalid, revisions = _offers(session, market_round, commitments.lost_volumes(held), now)
    return FrozenRound(
        round_id=round_id,
        taken_at=now,
        snapshot=_Writer(session, market_round, rows, held).snapshot(),
        offers={row.id: row for row in rows},
        invalid=invalid,
        revisions=revisions,
        superseding=superseding,
    )


def _offers(
    session: Session, market_round: Round, lost: Mapping[uuid.UUID, Sequence[int]], now: dt.datetime
) -> tuple[list[OfferRow], dict[uuid.UUID, str], dict[uuid.UUID, int]]:
    horizon = market_round.horizon
    quantity, price = _profiles(session, market_round.id, horizon)
    query = (
        sa.select(*_READ)
        .join(Site, Site.id == Offer.site_id)
        .join(Region, Region.code == Site.region_code)
        .join(Firm, Firm.id == Offer.firm_id)
        .where(Offer.round_id == market_round.id, Offer.state == OfferState.OPEN)
        .where(sa.or_(Offer.valid_until.is_(None), Offer.valid_until > now))
        .order_by(Offer.id)
    )
    rates = {CNY: Decimal(1)} | {code: Decimal(rate) for code, rate in market_round.currency_rates.items()}
    curves = forward_curves(session, market_round=market_round, now=now)
    rows, invalid, revisions = [], {}, {}
    for row in session.execute(query):
        revisions[row.id] = row.revision
        if not (row.firm_active and row.site_active):
            invalid[row.id] = "site" if row.firm_active else "firm"
            continue
        if row.currency not in rates:
            raise InvalidValue(f"offer {row.id} is in {row.currency}; the round has a rate for {', '.join(rates)} only")
        if row.index_code is not None and row.index_code not in curves:
            invalid[row.id] = "formula/index"
            continue
        rate, own = rates[row.currency], _priced(row, price.get(row.id, {}), curves)
        rows.append(
            OfferRow(
                id=row.id,
                kind=row.kind,
                firm=row.firm_id,
                site=row.site_id,
                region=row.region_code,
                origin=row.origin,
                product=row.product_code,
                grade=row.grade_code,
                quantity=_without(quantity[row.id], lost.get(row.id)),
                price=tuple(own.get(at, row.price) * rate for at in range(len(horizon))),
                terms=row,
            )
        )
    return rows, invalid, revisions


def _priced(row: Any, own: Mapping[int, Decimal], curves: Mapping[str, Mapping[str, Decimal]]) -> Mapping[int, Decimal]:
    """The prices of periods that are not the offer's own: stated, or what its formula gives on the forward curve."""
    rule = formula_of(row)
    if rule is None:
        return own
    return {at: rule.price_at(value) for at, value in enumerate(curves[rule.index].values())}


def _without(quantity: Sequence[int], lost: Sequence[int] | None) -> tuple[int, ...]:
    return tuple(quantity if lost is None else (max(a - b, 0) for a, b in zip(quantity, lost, strict=True)))


def _profiles(
    session: Session, round_id: uuid.UUID, horizon: Horizon
) -> tuple[dict[uuid.UUID, list[int]], dict[uuid.UUID, dict[int, Decimal]]]:
    """Per offer its lots in each period, and its prices where a period has its own, in the offer's currency."""
    quantity: dict[uuid.UUID, list[int]] = defaultdict(lambda: [0] * len(horizon))
    price: dict[uuid.UUID, dict[int, Decimal]] = defaultdict(dict)
    position = {label: at for at, label in enumerate(horizon.labels())}
    query = (
        sa.select(OfferPeriod.offer_id, OfferPeriod.period, OfferPeriod.quantity, OfferPeriod.price)
        .join(Offer, Offer.id == OfferPeriod.offer_id)
        .where(Offer.round_id == round_id, Offer.state == OfferState.OPEN)
    )
    for offer, period, lots, own in session.execute(query):
        quantity[offer][position[period]] = lots
        if own is not None:
            price[offer][position[period]] = own
    return quantity, price


class _Writer:
    """Puts the rows of one round into the words of the matcher."""

    def __init__(self, session: Session, market_round: Round, rows: Sequence[OfferRow], held: Sequence[Held]) -> None:
        self.session, self.round, self.rows, self.held = session, market_round, rows, held
        self.horizon = market_round.horizon
        self.nothing = (0,) * len(self.horizon)
        self.given_out, self.taken_in = commitments.volumes_of_offers(held)
        self.inputs = self._parts(ConversionInput)
        self.products = {row.product for row in rows} | {one.product for one in held}
        self.products |= {need.product_code for needs in self.inputs.values() for need in needs}
        self.lots = snapshot_limits.lots(session, self.products)
        self.names = firm_names(
            session,
            round_id=market_round.id,
            offers={row.id: (row.firm, row.terms.group_label) for row in rows},
        )
        self.promised, self.specified = self._promises(), self._specified()
        self.required = self._codes(OfferCertificate.kind_code, OfferCertificate.offer_id)
        self.approved = self._codes(OfferApprovedSupplier.firm_id, OfferApprovedSupplier.offer_id)
        self.listed = snapshot_limits.approvals(session, market_round)
        self.origins = snapshot_limits.origins_of_demands(session, market_round)
        demanded = {kind for row in rows if row.kind is OfferKind.DEMAND for kind in self.required.get(row.id, ())}
        self.register = CertificateRegister(session, horizon=self.horizon, kinds=demanded)

    def snapshot(self) -> Snapshot:
        traded = [row for row in self.rows if row.kind is not OfferKind.CONVERSION]
        taken = commitments.committed(
            self.session, held=self.held, open_offers={row.id for row in traded}, horizon=self.horizon
        )
        return Snapshot(
            horizon=self.horizon,
            grades=snapshot_limits.grades(self.session, self.products),
            offers=(*(self._offer(row) for row in traded), *taken.stand_ins),
            conversions=tuple(self._conversion(row) for row in self.rows if row.kind is OfferKind.CONVERSION),
            freight=snapshot_limits.freight(self.session, self.products),
            corridors=snapshot_limits.corridors(self.session, self.round, self.lots),
            ceilings=snapshot_limits.ceilings(self.session, self.round, self.products),
            origin_rules=snapshot_limits.origin_rules(self.session, self.round, self.lots),
            exclusions=self.names.exclusions,
            windows=snapshot_limits.windows(self.round),
            affiliates=self.names.affiliates,
            attributes=snapshot_limits.attributes(self.session, self.products),
            commitments=taken.commitments,
            discount=snapshot_limits.discount(self.round),
        )

    def _offer(self, row: OfferRow) -> frozen.Offer:
        terms, selling = row.terms, row.kind is OfferKind.CAPACITY
        # A seller who delivers at his ask, a buyer who collects at his bid.
        included = terms.basis is (Basis.DELIVERED if selling else Basis.EX_WORKS)
        return frozen.Offer(
            offer=str(row.id),
            side=Side.SELL if selling else Side.BUY,
            firm=self.names.of_offer[row.id],
            product=row.product,
            grade=row.grade,
            region=row.region,
            quantity=row.quantity,
            price=row.price,
            min_term=terms.min_term,
            max_term=terms.max_term,
            min_rate=terms.min_rate,
            all_or_none=terms.all_or_none,
            max_share=terms.max_share,
            group=terms.group_label or "",
            freight_included=included,
            specification=self._specification(row),
            certificates=self._held(row) if selling else dict.fromkeys(self.required.get(row.id, ())),
            approved_firms=self._approved(row, row.product),
            origin=row.origin if selling else None,
            origins=None if (wanted := self.origins[row.id].accepted) == set() else frozenset(wanted),
            barred_origins=frozenset(self.origins[row.id].barred),
        )

    def _conversion(self, row: OfferRow) -> frozen.Conversion:
        sold = self.given_out.get(row.id, self.nothing)
        return frozen.Conversion(
            conversion=str(row.id),
            firm=self.names.of_offer[row.id],
            region=row.region,
            product=row.product,
            grade=row.grade,
            capacity=tuple(max(0, most - gone) for most, gone in zip(row.quantity, sold, strict=True)),
            fee=row.price,
            inputs=tuple(self._input(row, need, sold) for need in self.inputs.get(row.id, ())),
            min_term=row.terms.min_term,
            max_term=row.terms.max_term,
            specification=self._specification(row),
            certificates=self._held(row),
            origin=row.origin,
        )

    def _input(self, row: OfferRow, need: ConversionInput, sold: Sequence[int]) -> frozen.ConversionInput:
        """An input with the stock that promised outputs leave: the least over the periods, as stock is one number."""
        lot, out = self.lots[need.product_code], self.lots[row.product]
        bought = self.taken_in.get((row.id, need.product_code), self.nothing)
        stock = min(
            (
                (need.own_stock_per_period + came) * lot - need.quantity_per_output * gone * out
                for came, gone in zip(bought, sold, strict=True)
            ),
            default=Decimal(0),
        )
        return frozen.ConversionInput(
            product=need.product_code,
            grade=need.grade_code,
            quantity_per_output=need.quantity_per_output,
            own_stock=max(stock, Decimal(0)),
            approved_firms=self._approved(row, need.product_code),
        )

    def _approved(self, row: OfferRow, product: str) -> frozenset[str] | None:
        """Who may supply a product to an offer: whom it names, and of these whom the firm's list for it admits."""
        lists = [self.approved.get(row.id), self.listed.get((row.firm, product))]
        known = [frozenset(firms) for firms in lists if firms is not None]
        if not known:
            return None
        firms = frozenset.intersection(*known)
        return frozenset(name for firm in firms for name in self.names.of_firm.get(firm, ()))

    def _held(self, row: OfferRow) -> dict[str, int | None]:
        start = next((at for at, lots in enumerate(row.quantity) if lots), 0)
        return self.register.of(row.firm, row.site, start)

    def _specification(self, row: OfferRow) -> dict[str, Decimal]:
        """A seller promises what the grade does unless the offer says otherwise; a buyer requires what he names."""
        promised = {} if row.kind is OfferKind.DEMAND else self.promised.get((row.product, row.grade), {})
        return promised | self.specified.get(row.id, {})

    def _promises(self) -> dict[tuple[str, str], dict[str, Decimal]]:
        promises: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
        query = sa.select(GradeSpecification).where(GradeSpecification.product_code.in_(self.products))
        for line in self.session.scalars(query):
            name = attribute_name(line.product_code, line.attribute_code)
            promises[line.product_code, line.grade_code][name] = line.value
        return promises

    def _specified(self) -> dict[uuid.UUID, dict[str, Decimal]]:
        specified: dict[uuid.UUID, dict[str, Decimal]] = defaultdict(dict)
        query = (
            sa.select(
                OfferSpecification.offer_id,
                OfferSpecification.product_code,
                OfferSpecification.attribute_code,
                OfferSpecification.value,
            )
            .join(Offer, Offer.id == OfferSpecification.offer_id)
            .where(Offer.round_id == self.round.id, Offer.state == OfferState.OPEN)
        )
        for offer, product, attribute, value in self.session.execute(query):
            specified[offer][attribute_name(product, attribute)] = value
        return specified

    def _parts(self, part: type[ConversionInput]) -> dict[uuid.UUID, list[ConversionInput]]:
        found: dict[uuid.UUID, list[ConversionInput]] = defaultdict(list)
        query = (
            sa.select(part)
            .join(Offer, Offer.id == part.offer_id)
            .where(Offer.round_id == self.round.id, Offer.state == OfferState.OPEN)
            .order_by(part.offer_id, part.product_code, part.grade_code)
        )
        for one in self.session.scalars(query):
            found[one.offer_id].append(one)
        return found

    def _codes(self, code: Any, offer: Any) -> dict[uuid.UUID, list[Any]]:
        """Per offer the values of a column of one of its parts."""
        found: dict[uuid.UUID, list[Any]] = defaultdict(list)
        query = (
            sa.select(offer, code)
            .join(Offer, Offer.id == offer)
            .where(Offer.round_id == self.round.id, Offer.state == OfferState.OPEN)
            .order_by(offer, code)
        )
        for key, value in self.session.execute(query):
            found[key].append(value)
        return found
