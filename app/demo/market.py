"""Puts a derived scenario into the database, the way firms and staff would: certificates, a round, limits, offers."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM, Principal
from app.models import Firm, OfferKind, Round, RoundKind
from app.operations import firms, offer_checks, offers, rounds
from app.operations.offer_terms import InputTerms, PeriodStatement, Statement, stated
from market.periods import Period
from reference.offers import Scenario, ScenarioFirm, ScenarioOffer

ROUND = "2027-2028"
KINDS = {"sell": OfferKind.CAPACITY, "buy": OfferKind.DEMAND, "conversion": OfferKind.CONVERSION}
OPEN_FOR = dt.timedelta(days=365)
PROPOSAL_DAYS = 14
REVIEW_THRESHOLD = Decimal(500_000_000)
CERTIFIED_FROM, CERTIFIED_TO = dt.date(2025, 1, 1), dt.date(2030, 12, 31)


def find_market(session: Session) -> Round | None:
    """The demo's round, if it is there."""
    return session.scalar(rounds.visible_rounds(SYSTEM).where(Round.code == ROUND))


def lay_out(session: Session, *, scenario: Scenario, now: dt.datetime) -> Round:
    """Make the round and everything in it. The firms and the other reference data are there already.

    :raises app.errors.Refused: an offer does not stand; with every fault.
    """
    known = firm_keys(session, scenario.firms)
    for firm in scenario.firms:
        _certify(session, firm, known[firm.firm], now)
    for pair in scenario.exclusions:
        own = replace(SYSTEM, firm_id=known[pair.firm_a])
        firms.exclude(session, principal=own, firm_id=known[pair.firm_b], now=now)
    market_round = _open_round(session, scenario, now)
    for quota in scenario.corridors:
        rounds.put_corridor(
            session,
            principal=SYSTEM,
            round_id=market_round.id,
            product_code=quota.product,
            from_region_code=quota.from_region,
            to_region_code=quota.to_region,
            period=None,
            limit=Decimal(quota.limit),
            note="demo",
            now=now,
        )
    for label, own_offers in groupby(sorted(scenario.offers, key=_firm), key=_firm):
        own = replace(SYSTEM, firm_id=known[label])
        _post(session, own, market_round, list(own_offers), now)
    session.flush()
    return market_round


def firm_keys(session: Session, wanted: Sequence[ScenarioFirm]) -> dict[str, uuid.UUID]:
    """Label of the reference tables to the key of the firm's row."""
    number = sa.func.coalesce(Firm.credit_code, Firm.country + " " + Firm.registration_number)
    query = firms.visible_firms(SYSTEM).with_only_columns(number.label("number"), Firm.id)
    known = {row.number: row.id for row in session.execute(query)}
    return {firm.firm: known[firm.credit_code or f"{firm.country} {firm.registration_number}"] for firm in wanted}


def _firm(offer: ScenarioOffer) -> str:
    return offer.firm


def _certify(session: Session, firm: ScenarioFirm, firm_id: uuid.UUID, now: dt.datetime) -> None:
    for held in firm.certificates:
        firms.add_certificate(
            session,
            principal=SYSTEM,
            firm_id=firm_id,
            site_id=None,
            kind_code=held.certificate,
            number=f"SYNTHETIC-{firm.firm}-{held.certificate}",
            valid_from=CERTIFIED_FROM,
            valid_to=Period.parse(held.valid_to).last_day if held.valid_to else CERTIFIED_TO,
            now=now,
        )


def _open_round(session: Session, scenario: Scenario, now: dt.datetime) -> Round:
    labels = scenario.horizon.labels()
    market_round = rounds.create(
        session,
        principal=SYSTEM,
        code=ROUND,
        name_zh="2027—2028 年长单撮合",
        name_en="Long-term contracts 2027-2028",
        kind=RoundKind.NIGHTLY,
        first_period=labels[0],
        period_count=len(labels),
        opens_at=now,
        closes_at=now + OPEN_FOR,
        proposal_days=PROPOSAL_DAYS,
        review_threshold=REVIEW_THRESHOLD,
        now=now,
    )
    return rounds.open_round(session, principal=SYSTEM, round_id=market_round.id, now=now)


def _post(
    session: Session, firm: Principal, market_round: Round, wanted: Sequence[ScenarioOffer], now: dt.datetime
) -> None:
    """Post the offers of one firm: what its offers may name is read once, not for each of them."""
    firm_id = offers.own_firm(firm)
    offers.round_for_offers(session, principal=firm, round_id=market_round.id, draft=False, now=now)
    admitted = offer_checks.admission(session, firm_id=firm_id, market_round=market_round, now=now)
    sites = {site.code: key for key, site in admitted.sites.items()}
    for offer in wanted:
        terms = stated(_statement(offer, sites), horizon=market_round.horizon)
        offers.refuse_faults(offer_checks.check(terms, admitted=admitted, now=now))
        offers.make(session, principal=firm, admitted=admitted, terms=terms, draft=False, now=now)


def _statement(offer: ScenarioOffer, sites: Mapping[str, uuid.UUID]) -> Statement:
    said = Statement(
        kind=KINDS[offer.side],
        site_id=sites[offer.site],
        product=offer.product,
        grade=offer.grade,
        first_period=offer.first_period,
        last_period=offer.last_period,
        periods=_periods(offer),
        price=offer.price[0],
        min_term=offer.min_term,
        max_term=offer.max_term,
        reference=offer.offer,
        specification={limit.attribute: limit.value for limit in offer.specification},
        certificates=[required.certificate for required in offer.certificates],
        inputs=[
            InputTerms(
                product=needed.product,
                grade=needed.grade,
                quantity_per_output=needed.quantity_per_output,
                own_stock_per_period=Decimal(needed.own_stock_per_period),
            )
            for needed in offer.inputs
        ],
    )
    if offer.max_share < 1:
        said["max_share"] = offer.max_share
    return said


def _periods(offer: ScenarioOffer) -> list[PeriodStatement]:
    """Quantity of each period, and its price where it is not that of the first."""
    first = Period.parse(offer.first_period)
    lines = []
    for at, (quantity, price) in enumerate(zip(offer.quantity, offer.price, strict=True)):
        line = PeriodStatement(period=str(first + at), quantity=Decimal(quantity))
        if price != offer.price[0]:
            line["price"] = price
        lines.append(line)
    return lines
