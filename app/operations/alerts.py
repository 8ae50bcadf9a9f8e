"""Open alerts, worked out from what is known now: nothing is kept, so an alert ends when its cause does.

A firm gets those about itself, staff who review get all, everybody else none. That an offer promises more than is
built follows from what is sealed: it is told without a figure, to those who may see sealed offers and to the firm.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.auth import Principal
from app.clock import day_of
from app.models import (
    CallOff,
    Certificate,
    Contract,
    Firm,
    Invoice,
    Offer,
    OfferCertificate,
    OfferKind,
    OfferPeriod,
    OfferState,
    Payment,
    PeriodKind,
    Product,
    Proposal,
    Round,
    RoundState,
    Site,
    SiteCapability,
    StopReason,
    WebhookEndpoint,
)
from app.permissions import Permission

FAR_FROM_INDEX = Decimal("0.20")  # of the index
SOON = dt.timedelta(days=90)
MOST_OF_A_KIND = 200
BINDING = ("agreed", "signing", "signed", "effective", "suspended")  # states of contracts that are to be fulfilled
WAITING = ("proposed", "under_review", "released", "accepted", "countered")  # states of proposals still to be decided


class AlertKind(StrEnum):
    """What is wrong; in the order in which they are told."""

    CONFIRMATION = "confirmation"  # a firm call-off that the seller has not confirmed in time
    INVOICE = "invoice"  # due and not paid
    CERTIFICATE = "certificate"  # that a buyer requires ends before a contract does, or is suspended
    CAPABILITY = "capability"  # a site offers more than is built there
    PRICE = "price"  # proposals of a product far from its index
    WEBHOOK = "webhook"  # stopped, because the address failed for days or is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that is wrong about `firm` (None: about a product in a run).

    `subject_id` is of the call-off, invoice, certificate, site, run or endpoint; `since` the day it went or will go
    wrong; `facts` by kind: what the sentence about it needs.
    """

    kind: AlertKind
    firm: Firm | None
    subject_id: uuid.UUID
    since: dt.date | None
    urgent: bool
    facts: dict[str, Any] = field(default_factory=dict)


def open_alerts(
    session: Session, *, principal: Principal, now: dt.datetime, firms: Collection[uuid.UUID] | None = None
) -> list[Alert]:
    """The alerts that the asker may know, about some firms if any are named; urgent ones first, then by kind and day.

    At most 200 of a kind, the oldest of them.
    """
    about = _firms_of(principal, firms)
    if about is not None and not about:
        return []
    found = [
        alert
        for kind in AlertKind
        if kind is not AlertKind.CAPABILITY or principal.firm_id or principal.may(Permission.SEALED_READ)
        if kind is not AlertKind.PRICE or principal.firm_id is None
        for alert in _READERS[kind](session, about, day_of(now))
    ]
    order = {kind: at for at, kind in enumerate(AlertKind)}

    def place(one: Alert) -> tuple[bool, int, dt.date, str, str]:
        return not one.urgent, order[one.kind], one.since or dt.date.max, str(one.subject_id), str(one.facts)

    return sorted(found, key=place)


def _firms_of(principal: Principal, wanted: Collection[uuid.UUID] | None) -> frozenset[uuid.UUID] | None:
    """The firms whose alerts are wanted and may be known; None for all there are."""
    if principal.firm_id is not None:
        return frozenset({principal.firm_id} & (set(wanted) if wanted is not None else {principal.firm_id}))
    if not principal.may(Permission.REVIEW_READ):
        return frozenset()
    return None if wanted is None else frozenset(wanted)


Firms = frozenset[uuid.UUID] | None


def _only(column: Any, firms: Firms) -> sa.ColumnElement[bool]:
    condition: sa.ColumnElement[bool] = sa.true() if firms is None else column.in_(firms)
    return condition


def _confirmations(session: Session, firms: Firms, today: dt.date) -> list[Alert]:
    query = (
        sa.select(CallOff, Contract.number, Firm)
        .join(Contract, Contract.id == CallOff.contract_id)
        .join(Firm, Firm.id == Contract.seller_firm_id)
        .where(CallOff.state == "firm", CallOff.confirm_by < today, _only(Firm.id, firms))
        .order_by(CallOff.confirm_by, CallOff.id)
        .limit(MOST_OF_A_KIND)
    )
    return [
        Alert(
            kind=AlertKind.CONFIRMATION,
            firm=firm,
            subject_id=call_off.id,
            since=call_off.confirm_by,
            urgent=True,
            facts={"contract": number, "month": call_off.month, "number": call_off.number},
        )
        for call_off, number, firm in session.execute(query)
    ]


def _invoices(session: Session, firms: Firms, today: dt.date) -> list[Alert]:
    """Due and not paid in full; the firm is who owes it: of a credit note the side that wrote it."""
    paid = (
        sa.select(sa.func.coalesce(sa.func.sum(Payment.amount), 0))
        .where(Payment.invoice_id == Invoice.id)
        .scalar_subquery()
    )
    unpaid = sa.func.abs(Invoice.gross) - paid
    seller_pays = (Invoice.creditor == "seller") == (Invoice.gross < 0)
    payer = sa.case((seller_pays, Contract.seller_firm_id), else_=Contract.buyer_firm_id)
    query = (
        sa.select(Invoice, Contract.number, unpaid, Firm)
        .join(Contract, Contract.id == Invoice.contract_id)
        .join(Firm, Firm.id == payer)
        .where(Invoice.due_on < today, unpaid > 0, _only(Firm.id, firms))
        .order_by(Invoice.due_on, Invoice.id)
        .limit(MOST_OF_A_KIND)
    )
    return [
        Alert(
            kind=AlertKind.INVOICE,
            firm=firm,
            subject_id=invoice.id,
            since=invoice.due_on,
            urgent=True,
            facts={"contract": number, "number": invoice.number, "unpaid": left, "currency": invoice.currency},
        )
        for invoice, number, left, firm in session.execute(query)
    ]


def _certificates(session: Session, firms: Firms, today: dt.date) -> list[Alert]:
    """Certificates that buyers require and that end before contracts they stand behind, unless another one goes on."""
    later, offer = aliased(Certificate), aliased(Offer)
    in_place = sa.or_(Certificate.site_id.is_(None), Certificate.site_id == offer.site_id)
    goes_on = sa.exists().where(
        later.firm_id == Certificate.firm_id,
        later.kind_code == Certificate.kind_code,
        sa.or_(later.site_id.is_(None), later.site_id == offer.site_id),
        later.valid_to >= Contract.effective_to,
        ~later.suspended,
    )
    required = sa.exists().where(
        OfferCertificate.offer_id == Proposal.buy_offer_id, OfferCertificate.kind_code == Certificate.kind_code
    )
    query = (
        sa.select(Certificate, Firm, sa.func.count(Contract.id), sa.func.max(Contract.effective_to))
        .join(Firm, Firm.id == Certificate.firm_id)
        .join(Contract, Contract.seller_firm_id == Firm.id)
        .join(Proposal, Proposal.id == Contract.proposal_id)
        .join(offer, offer.id == Proposal.sell_offer_id)
        .where(Contract.state.in_(BINDING), Contract.effective_to >= today, in_place, required, ~goes_on)
        .where(sa.or_(Certificate.valid_to < Contract.effective_to, Certificate.suspended))
        .where(_only(Firm.id, firms))
        .group_by(Certificate.id, Firm.id)
        .order_by(Certificate.valid_to, Certificate.id)
        .limit(MOST_OF_A_KIND)
    )
    return [
        Alert(
            kind=AlertKind.CERTIFICATE,
            firm=firm,
            subject_id=certificate.id,
            since=certificate.valid_to,
            urgent=certificate.suspended or certificate.valid_to <= today + SOON,
            facts={
                "certificate": certificate.kind_code,
                "number": certificate.number,
                "suspended": certificate.suspended,
                "contracts": contracts,
                "last": last,
            },
        )
        for certificate, firm, contracts, last in session.execute(query)
    ]


def _capabilities(session: Session, firms: Firms, _today: dt.date) -> list[Alert]:
    """Sites whose open supply of a product in one period, made a year's, is more than is built of it."""
    months = sa.case({PeriodKind.MONTH: 1, PeriodKind.QUARTER: 3, PeriodKind.YEAR: 12}, value=Round.period_kind)
    offered = (
        sa.select(
            Offer.round_id,
            Offer.site_id,
            Offer.product_code,
            (sa.func.sum(OfferPeriod.quantity) * Product.lot * 12 / months).label("a_year"),
        )
        .join(OfferPeriod, OfferPeriod.offer_id == Offer.id)
        .join(Product, Product.code == Offer.product_code)
        .join(Round, Round.id == Offer.round_id)
        .where(Offer.kind != OfferKind.DEMAND, Offer.state == OfferState.OPEN, Round.state == RoundState.OPEN)
        .where(_only(Offer.firm_id, firms))
        .group_by(Offer.round_id, Offer.site_id, Offer.product_code, OfferPeriod.period, Product.lot, Round.period_kind)
        .subquery()
    )
    total = sa.func.sum(SiteCapability.capacity_per_year)
    # What is built for any grade stands for all; without such a line the grades add up.
    built = (
        sa.select(
            SiteCapability.site_id,
            SiteCapability.product_code,
            sa.func.coalesce(total.filter(SiteCapability.grade_code.is_(None)), total).label("a_year"),
        )
        .group_by(SiteCapability.site_id, SiteCapability.product_code)
        .subquery()
    )
    of_site = sa.and_(built.c.site_id == offered.c.site_id, built.c.product_code == offered.c.product_code)
    query = (
        sa.select(Site, Firm, Product)
        .join(Firm, Firm.id == Site.firm_id)
        .join(offered, offered.c.site_id == Site.id)
        .join(built, of_site)
        .join(Product, Product.code == offered.c.product_code)
        .where(offered.c.a_year > built.c.a_year)
        .group_by(Site.id, Firm.id, Product.code)
        .order_by(Firm.name_en, Site.id, Product.code)
        .limit(MOST_OF_A_KIND)
    )
    return [
        Alert(
            kind=AlertKind.CAPABILITY,
            firm=firm,
            subject_id=site.id,
            since=None,
            urgent=False,
            facts={"site": site, "product": product},
        )
        for site, firm, product in session.execute(query)
    ]


def _prices(session: Session, firms: Firms, _today: dt.date) -> list[Alert]:
    """Proposals still to be decided whose price is far from the index, by run and product."""
    distance = Proposal.price_ex_works / Proposal.index_value - 1
    count = sa.func.count()
    query = (
        sa.select(Proposal.run_id, Product, count, sa.func.min(distance), sa.func.max(distance))
        .join(Product, Product.code == Proposal.product_code)
        .where(Proposal.state.in_(WAITING), Proposal.index_value > 0, sa.func.abs(distance) > FAR_FROM_INDEX)
        .where(sa.or_(_only(Proposal.seller_firm_id, firms), _only(Proposal.buyer_firm_id, firms)))
        .group_by(Proposal.run_id, Product.code)
        .order_by(count.desc(), Proposal.run_id, Product.code)
        .limit(MOST_OF_A_KIND)
    )
    return [
        Alert(
            kind=AlertKind.PRICE,
            firm=None,
            subject_id=run_id,
            since=None,
            urgent=False,
            facts={"product": product, "proposals": number, "lowest": lowest * 100, "highest": highest * 100},
        )
        for run_id, product, number, lowest, highest in session.execute(query)
    ]


def _webhooks(session: Session, firms: Firms, _today: dt.date) -> list[Alert]:
    query = (
        sa.select(WebhookEndpoint, Firm)
        .join(Firm, Firm.id == WebhookEndpoint.firm_id)
        .where(WebhookEndpoint.stopped_at.is_not(None), WebhookEndpoint.stop_reason != StopReason.BY_FIRM)
        .where(_only(Firm.id, firms))
        .order_by(WebhookEndpoint.stopped_at, WebhookEndpoint.id)
        .limit(MOST_OF_A_KIND)
    )
    return [
        Alert(
            kind=AlertKind.WEBHOOK,
            firm=firm,
            subject_id=endpoint.id,
            since=None if endpoint.stopped_at is None else day_of(endpoint.stopped_at),
            urgent=False,
            facts={"reason": endpoint.stop_reason},
        )
        for endpoint, firm in session.execute(query)
    ]


_READERS: dict[AlertKind, Callable[[Session, Firms, dt.date], list[Alert]]] = {
    AlertKind.CONFIRMATION: _confirmations,
    AlertKind.INVOICE: _invoices,
    AlertKind.CERTIFICATE: _certificates,
    AlertKind.CAPABILITY: _capabilities,
    AlertKind.PRICE: _prices,
    AlertKind.WEBHOOK: _webhooks,
}
