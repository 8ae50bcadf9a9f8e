"""How the two firms come to terms: staff release, a counter-offer, acceptances, signatures, effect, an amendment."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal

from sqlalchemy.orm import Session

from app.auth import Principal
from app.demo import plot, replay
from app.demo.plot import moment
from app.demo.stage import Stage
from app.models import ReviewAction, ReviewStep
from app.operations import amendments, contracts, counters, effect, proposal_versions, proposals, review, signing
from app.operations.contract_terms import frozen_terms
from app.operations.signing import CertificateFile
from app.trust import demo_signature, trusted_roots
from contracts.canonical import to_plain
from contracts.clauses import Clause
from contracts.counter import Changes
from contracts.fixings import IndexFailure, QuotationPeriod
from contracts.price_formula import IndexShare, PriceFormula
from contracts.state import Actor
from contracts.terms import Terms
from contracts.wording import Text
from reference.tables import Tables

TEN, PLACES = Decimal(10), Decimal("0.0001")


def agree(stage: Stage, proposal_id: uuid.UUID) -> uuid.UUID:
    """From the night's proposal to a contract in force with its first amendment; returns the contract's id."""
    with stage.act() as session:
        replay.put_index(session)
    _release(stage, proposal_id)
    _counter(stage, proposal_id)
    contract_id = _accept(stage, proposal_id)
    for side, day in ((Actor.SELLER, plot.SELLER_SIGNS), (Actor.BUYER, plot.BUYER_SIGNS)):
        _sign(stage, contract_id, side, moment(day))
    with stage.act() as session:
        bundle_id = review.find_review(session, principal=stage.cast.staff, proposal_id=proposal_id).bundle_id
        effect.take_effect(session, bundle_id=bundle_id, now=moment(plot.EFFECTIVE))
    _amend(stage, contract_id)
    return contract_id


def _release(stage: Stage, proposal_id: uuid.UUID) -> None:
    """One reviewer suffices below the policy's value; above it he recommends and a senior one decides."""
    cast = stage.cast
    with stage.act() as session:
        review.take_up(session, principal=cast.staff, proposal_id=proposal_id, now=moment(plot.TAKEN_UP))
        step = _speak(session, cast.staff, proposal_id, now=moment(plot.TAKEN_UP, 11))
    if step is ReviewStep.RECOMMENDATION:
        with stage.act() as session:
            _speak(session, cast.senior, proposal_id, now=moment(plot.RELEASED))


def _speak(session: Session, reviewer: Principal, proposal_id: uuid.UUID, *, now: dt.datetime) -> ReviewStep:
    return review.decide(
        session,
        principal=reviewer,
        proposal_id=proposal_id,
        action=ReviewAction.RELEASE,
        reason_code="sound",
        now=now,
    ).step


def _counter(stage: Stage, proposal_id: uuid.UUID) -> None:
    """The buyer asks for a price that follows the index by half; the seller takes it up."""
    with stage.act() as session:
        seller = counters.what_may_change(session, principal=stage.cast.seller, proposal_id=proposal_id)
        buyer = counters.what_may_change(session, principal=stage.cast.buyer, proposal_id=proposal_id)
        seen = proposals.find_proposal(session, principal=stage.cast.buyer, proposal_id=proposal_id)
        price = _formula(stage.tables, seen.price_ex_works, seller.room.least_price, buyer.room.most_price)
        counters.counter(
            session,
            principal=stage.cast.buyer,
            proposal_id=proposal_id,
            version=seen.version,
            changes=Changes(price=price),
            message=plot.COUNTER_MESSAGE,
            now=moment(plot.COUNTERED),
        )


def _formula(tables: Tables, locked: Decimal, least: Decimal | None, most: Decimal | None) -> PriceFormula:
    """The locked price at the index's mean of late; its collar inside what either side can bear.

    Neither side knows the other's limit: the demo, which plays both, spares them the refusals.
    """
    floor = max(_up(locked * (1 - plot.COLLAR)), _up(least or Decimal(0)))
    ceiling = _down(locked * (1 + plot.COLLAR))
    usual = replay.mean_without_tax(tables, plot.USUAL_MONTHS)
    share = IndexShare(
        index=replay.CODE,
        weight=plot.INDEX_WEIGHT,
        coefficient=(locked / usual).quantize(PLACES, ROUND_HALF_EVEN),
        quoted_tax=tables.assumption("vat"),
    )
    return PriceFormula(
        base=locked,
        indices=(share,),
        quotation=QuotationPeriod.MONTH_OF_DELIVERY,
        premium=Decimal(0),
        floor=floor,
        ceiling=ceiling if most is None else min(ceiling, _down(most)),
        failure=IndexFailure(carry_days=5, substitute=None, substitute_factor=Decimal(1)),
    )


def _up(price: Decimal) -> Decimal:
    return (price / TEN).to_integral_value(ROUND_UP) * TEN


def _down(price: Decimal) -> Decimal:
    return (price / TEN).to_integral_value(ROUND_DOWN) * TEN


def _accept(stage: Stage, proposal_id: uuid.UUID) -> uuid.UUID:
    with stage.act() as session:
        proposal = proposals.find_row(session, stage.cast.seller, proposal_id)
        waiting = proposal_versions.open_counter(session, proposal)
        counters.take(
            session,
            principal=stage.cast.seller,
            proposal_id=proposal_id,
            terms_hash="" if waiting is None else waiting.terms_hash,
            accept=True,
            now=moment(plot.COUNTER_TAKEN),
        )
    with stage.act() as session:
        seen = proposals.find_proposal(session, principal=stage.cast.buyer, proposal_id=proposal_id)
        agreed = proposals.accept(
            session,
            principal=stage.cast.buyer,
            proposal_id=proposal_id,
            terms_hash=seen.terms_hash,
            now=moment(plot.AGREED),
        )
    if agreed.contract_id is None:
        raise LookupError(f"proposal {proposal_id} is {agreed.state}; expected a contract of it")
    return agreed.contract_id


def _sign(stage: Stage, contract_id: uuid.UUID, side: Actor, now: dt.datetime) -> None:
    with stage.act() as session:
        principal = stage.cast.of(side)
        contract = contracts.find_contract(session, principal=principal, contract_id=contract_id)
        signing.sign(
            session,
            principal=principal,
            contract_id=contract_id,
            given=_key(stage, frozen_terms(contract.terms), contract.terms_hash, side, now),
            roots=trusted_roots(stage.config, now=now),
            now=now,
        )


def _key(stage: Stage, terms: Terms, terms_hash: str, side: Actor, now: dt.datetime) -> CertificateFile:
    """A key of the demonstration's own authority, made for this one signature."""
    return demo_signature(stage.config, terms.seller if side is Actor.SELLER else terms.buyer, terms_hash, now=now)


def _amend(stage: Stage, contract_id: uuid.UUID) -> None:
    """The buyer proposes quality terms, and that the document says what it is; the seller signs."""
    mark = Clause(name="demonstration", title=Text("演示文件", "A demonstration"), text=plot.DEMONSTRATION)
    now, buyer = moment(plot.AMENDMENT_PROPOSED), stage.cast.buyer
    with stage.act() as session:
        contract = contracts.find_contract(session, principal=buyer, contract_id=contract_id)
        limits = frozen_terms(contract.terms).specification
        quality = [to_plain(plot.quality_of(one)) for one in limits if one.attribute == plot.ATTRIBUTE]
        drafted = amendments.draft(
            session,
            principal=buyer,
            contract_id=contract_id,
            reason_code="quality",
            in_force_from=plot.AMENDED_FROM,
            new_values={"/quality": quality, "/clauses/-": to_plain(mark)},
            now=now,
        )
        amendment_id, terms, terms_hash = drafted.id, frozen_terms(drafted.terms), drafted.terms_hash
        amendments.propose(
            session,
            principal=buyer,
            contract_id=contract_id,
            amendment_id=amendment_id,
            given=_key(stage, terms, terms_hash, Actor.BUYER, now),
            roots=trusted_roots(stage.config, now=now),
            now=now,
        )
    now = moment(plot.AMENDMENT_SIGNED)
    with stage.act() as session:
        amendments.sign(
            session,
            principal=stage.cast.seller,
            contract_id=contract_id,
            amendment_id=amendment_id,
            given=_key(stage, terms, terms_hash, Actor.SELLER, now),
            roots=trusted_roots(stage.config, now=now),
            now=now,
        )
