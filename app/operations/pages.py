"""What the pages read beyond single records: people's names, choices of a form, counts of what waits for whom."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from app.auth import Principal
from app.models import (
    Attribute,
    BillOfMaterials,
    CertificateKind,
    Contract,
    Event,
    Firm,
    Grade,
    Offer,
    OfferState,
    Product,
    Proposal,
    Region,
    Round,
    RoundKind,
    RoundState,
    Run,
    RunResult,
    RunState,
    Side,
    SignInEvent,
    Site,
    SubjectKind,
    User,
)
from app.operations import contracts, firms, offers, rounds, runs
from app.permissions import Permission

ANSWERABLE = ("released", "accepted", "countered")


def person(session: Session, *, principal: Principal) -> User | None:
    """The person who asks; none for a key."""
    return None if principal.user_id is None else session.get(User, principal.user_id)


def names_of_people(session: Session, user_ids: Iterable[uuid.UUID | None]) -> Mapping[uuid.UUID, str]:
    """Names by id. For records that the asker may read already."""
    wanted = {user_id for user_id in user_ids if user_id is not None}
    if not wanted:
        return {}
    return dict(session.execute(sa.select(User.id, User.name).where(User.id.in_(wanted))).all())


def events_of(session: Session, *, subject: tuple[SubjectKind, uuid.UUID]) -> Sequence[Event]:
    """The steps of a record that the asker may read, in order."""
    kind, number = subject
    query = sa.select(Event).where(Event.subject_kind == kind, Event.subject_id == number)
    return session.scalars(query.order_by(Event.id)).all()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormChoices:
    """What a form for an offer lets people choose from."""

    rounds: Sequence[Round]
    sites: Sequence[Site]
    products: Sequence[Product]
    certificates: Sequence[CertificateKind]
    firms: Sequence[Firm]


def form_choices(session: Session, *, principal: Principal, now: dt.datetime) -> FormChoices:
    """Rounds that are not over, the asker's sites, all products with grades and attributes, certificates, firms."""
    not_over = rounds.visible_rounds(principal).where(Round.state == RoundState.OPEN, Round.closes_at > now)
    own_sites = firms.visible_sites(principal).where(Site.active)
    products = sa.select(Product).options(
        orm.selectinload(Product.grades).selectinload(Grade.specifications), orm.selectinload(Product.attributes)
    )
    others = firms.visible_firms(principal).where(Firm.active, Firm.id != principal.firm_id)
    return FormChoices(
        rounds=session.scalars(not_over.order_by(Round.closes_at, Round.code)).all(),
        sites=session.scalars(own_sites.order_by(Site.code, Site.id)).all(),
        products=session.scalars(products.order_by(Product.code)).all(),
        certificates=session.scalars(sa.select(CertificateKind).order_by(CertificateKind.code)).all(),
        firms=session.scalars(others.order_by(Firm.name_en, Firm.id)).all(),
    )


def usual_inputs(session: Session, *, product_code: str) -> Sequence[BillOfMaterials]:
    """The known bill of materials of a product: a proposal for the inputs of a conversion."""
    lines = sa.select(BillOfMaterials).where(BillOfMaterials.output_product_code == product_code)
    return session.scalars(lines.order_by(BillOfMaterials.input_product_code, BillOfMaterials.id)).all()


def latest_results(
    session: Session, *, principal: Principal, offer_ids: Sequence[uuid.UUID]
) -> Mapping[uuid.UUID, RunResult]:
    """What the newest finished run made of each of the asker's offers."""
    own = offers.visible_offers(principal).where(Offer.id.in_(offer_ids)).with_only_columns(Offer.id)
    query = (
        sa.select(RunResult)
        .join(Run, RunResult.run_id == Run.id)
        .where(Run.state == RunState.DONE, RunResult.offer_id.in_(own))
        .options(orm.contains_eager(RunResult.run))
        .ext(distinct_on(RunResult.offer_id))
        .order_by(RunResult.offer_id, Run.created_at.desc(), Run.id)
    )
    return {result.offer_id: result for result in session.scalars(query)}


def latest_run(
    session: Session, *, principal: Principal, round_id: uuid.UUID | None = None, done: bool = False
) -> Run | None:
    """The newest run that the asker may read, of a round if one is named."""
    query = runs.visible_runs(principal).options(orm.joinedload(Run.round))
    if round_id is not None:
        query = query.where(Run.round_id == round_id)
    if done:
        query = query.where(Run.state == RunState.DONE)
    return session.scalar(query.order_by(Run.created_at.desc(), Run.id).limit(1))


def open_rounds(session: Session, *, principal: Principal, now: dt.datetime) -> Sequence[Round]:
    """Rounds that take offers now, the one that closes first in front."""
    query = rounds.visible_rounds(principal).where(
        Round.state == RoundState.OPEN, Round.opens_at <= now, Round.closes_at > now
    )
    return session.scalars(query.order_by(Round.closes_at, Round.code)).all()


def calendar(session: Session, *, limit: int = 60) -> Sequence[Round]:
    """The rounds that are open to every firm, the newest first. Docking events are known to their guests only."""
    query = sa.select(Round).where(Round.kind == RoundKind.NIGHTLY, Round.state != RoundState.DRAFT)
    return session.scalars(query.order_by(Round.closes_at.desc(), Round.code).limit(limit)).all()


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmDesk:
    """What a firm's people find on their first page."""

    open_offers: int
    drafts: int
    to_answer: int
    waiting_for_other: int


def firm_desk(session: Session, *, principal: Principal) -> FirmDesk:
    """Counts over the asker's own offers and proposals."""
    own = offers.visible_offers(principal).with_only_columns(Offer.state, sa.func.count()).group_by(Offer.state)
    by_state = dict(session.execute(own).all())
    own_side, other_side = own_acceptance(principal)
    open_to_us = sa.and_(Proposal.state.in_(ANSWERABLE), _is_party(principal))
    own_counter = _own_counter(principal)
    counts = session.execute(
        sa.select(
            sa.func.count().filter(sa.and_(open_to_us, own_side.is_(None), ~own_counter)),
            sa.func.count().filter(
                sa.and_(open_to_us, sa.or_(own_counter, sa.and_(own_side.is_not(None), other_side.is_(None))))
            ),
        ).select_from(Proposal)
    ).one()
    return FirmDesk(
        open_offers=by_state.get(OfferState.OPEN, 0),
        drafts=by_state.get(OfferState.DRAFT, 0),
        to_answer=counts[0],
        waiting_for_other=counts[1],
    )


def own_acceptance(principal: Principal) -> tuple[sa.ColumnElement[dt.datetime], sa.ColumnElement[dt.datetime]]:
    """When the asker's own side and the other side accepted, as columns of a proposal."""
    sells = Proposal.seller_firm_id == principal.firm_id
    return (
        sa.case((sells, Proposal.seller_accepted_at), else_=Proposal.buyer_accepted_at),
        sa.case((sells, Proposal.buyer_accepted_at), else_=Proposal.seller_accepted_at),
    )


def _own_counter(principal: Principal) -> sa.ColumnElement[bool]:
    """Whether a counter-offer of the asker's own side waits for the other."""
    own = sa.case((Proposal.seller_firm_id == principal.firm_id, Side.SELLER.value), else_=Side.BUYER.value)
    return sa.func.coalesce(sa.cast(Proposal.countered_by, sa.Text) == own, sa.false())


def _is_party(principal: Principal) -> sa.ColumnElement[bool]:
    return (Proposal.seller_firm_id == principal.firm_id) | (Proposal.buyer_firm_id == principal.firm_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffDesk:
    """What waits for whom on the platform: numbers of proposals."""

    to_review: int
    for_second: int
    with_parties: int
    half_accepted: int
    expiring: int


def staff_desk(session: Session, *, principal: Principal, now: dt.datetime) -> StaffDesk:
    """Counts over all proposals; nothing for who does not review."""
    if not principal.may(Permission.REVIEW_READ):
        return StaffDesk(to_review=0, for_second=0, with_parties=0, half_accepted=0, expiring=0)
    soon = now + dt.timedelta(days=2)
    waiting = Proposal.state.in_(("proposed", "under_review"))
    # Counted from the few recommendations, not asked of each of the many that wait.
    recommended = sa.select(Event.subject_id).where(
        Event.name.in_(("proposal.recommend_release", "proposal.recommend_withhold"))
    )
    for_second = session.scalar(sa.select(sa.func.count()).where(waiting, Proposal.id.in_(recommended))) or 0
    row = session.execute(
        sa.select(
            sa.func.count().filter(waiting),
            sa.func.count().filter(Proposal.state.in_(("released", "countered"))),
            sa.func.count().filter(Proposal.state == "accepted"),
            sa.func.count().filter(
                Proposal.state.in_(("proposed", "under_review", *ANSWERABLE)), Proposal.expires_at <= soon
            ),
        ).select_from(Proposal)
    ).one()
    return StaffDesk(
        to_review=row[0] - for_second,
        for_second=for_second,
        with_parties=row[1],
        half_accepted=row[2],
        expiring=row[3],
    )


def products_by_code(session: Session) -> Mapping[str, Product]:
    """All products."""
    return {row.code: row for row in session.scalars(sa.select(Product).order_by(Product.code))}


def grade_names(session: Session, *, product_code: str) -> Mapping[str, Grade]:
    """The grades of a product by code."""
    query = sa.select(Grade).where(Grade.product_code == product_code).order_by(Grade.rank, Grade.code)
    return {row.code: row for row in session.scalars(query)}


def attributes_by_code(session: Session, *, product_code: str) -> Mapping[str, Attribute]:
    """The attributes that a specification of a product may name."""
    query = sa.select(Attribute).where(Attribute.product_code == product_code).order_by(Attribute.code)
    return {row.code: row for row in session.scalars(query)}


def offer_counts(
    session: Session, *, principal: Principal, round_id: uuid.UUID
) -> Mapping[tuple[str, str], int] | None:
    """Posted offers of a round by kind and state; None for who may not see what is sealed, counts included."""
    if not principal.may(Permission.SEALED_READ):
        return None
    query = (
        sa.select(Offer.kind, Offer.state, sa.func.count())
        .where(Offer.round_id == round_id, Offer.state != OfferState.DRAFT)
        .group_by(Offer.kind, Offer.state)
    )
    return {(kind.value, state.value): count for kind, state, count in session.execute(query)}


def newest_results(session: Session, *, principal: Principal, limit: int = 12) -> Sequence[RunResult]:
    """What the newest run that has looked at the asker's offers made of them."""
    own = offers.visible_offers(principal).with_only_columns(Offer.id)
    of_own = sa.select(RunResult.run_id).where(RunResult.offer_id.in_(own))
    newest = sa.select(Run.id).where(Run.state == RunState.DONE, Run.id.in_(of_own))
    run_id = session.scalar(newest.order_by(Run.created_at.desc(), Run.id).limit(1))
    query = (
        sa.select(RunResult)
        .where(RunResult.run_id == run_id, RunResult.offer_id.in_(own))
        .options(orm.joinedload(RunResult.run), orm.joinedload(RunResult.offer).joinedload(Offer.product))
    )
    return session.scalars(query.order_by(RunResult.reason, RunResult.offer_id).limit(limit)).all()


def contract_states(session: Session, *, principal: Principal) -> Mapping[str, int]:
    """How many contracts the asker may read, by state."""
    query = contracts.visible_contracts(principal).with_only_columns(Contract.state, sa.func.count())
    return dict(session.execute(query.group_by(Contract.state)).all())


def visible_events(principal: Principal) -> sa.Select[Event]:
    """Every step of everything, for those who audit; none for anybody else."""
    query = sa.select(Event)
    return query if principal.may(Permission.AUDIT_READ) else query.where(sa.false())


def visible_sign_ins(principal: Principal) -> sa.Select[SignInEvent]:
    """Every attempt to sign in, for those who look after accounts; none for anybody else."""
    query = sa.select(SignInEvent)
    return query if principal.may(Permission.SIGN_IN_READ) else query.where(sa.false())


def firms_by_id(
    session: Session, *, principal: Principal, firm_ids: Iterable[uuid.UUID | None]
) -> Mapping[uuid.UUID, Firm]:
    """Some firms of the register that the asker may see."""
    wanted = {firm_id for firm_id in firm_ids if firm_id is not None}
    return {row.id: row for row in session.scalars(firms.visible_firms(principal).where(Firm.id.in_(wanted)))}


def all_grades(session: Session) -> Mapping[tuple[str, str], Grade]:
    """Every grade by product and code."""
    query = sa.select(Grade).order_by(Grade.product_code, Grade.code)
    return {(row.product_code, row.code): row for row in session.scalars(query)}


def all_regions(session: Session) -> Mapping[str, Region]:
    """Every region by code."""
    return {row.code: row for row in session.scalars(sa.select(Region).order_by(Region.code))}
