"""Counter-offers: a party of a released proposal asks for other terms, the other takes them up or does not.

A counter is the next version of the terms. Taken up, it is on offer in place of the version before; rejected,
withdrawn or run out, the version before is on offer again. Either way both sides accept anew, one and the same hash.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM, Principal
from app.errors import Conflict, Refused
from app.models import Proposal, ProposalVersion, Side, SubjectKind, VersionState
from app.operations import bundles, counter_limits, messages, moves, outbox, proposal_versions, proposals
from app.operations.contract_terms import frozen_terms
from app.operations.counter_limits import Place
from app.operations.proposals import PartyProposal
from contracts.counter import POINTERS, Changes, CounterRefused, Finding, Room, amended, check, value_at
from contracts.price_formula import FixedPrice
from contracts.state import Actor, Guard
from contracts.terms import Terms, canonical_json, terms_hash
from contracts.wording import Text

USUAL_TIME = dt.timedelta(days=3)
LEAST_TIME = dt.timedelta(hours=1)
PRICE_STEP = Decimal("0.000001")


class NotNow(Conflict):
    """A conflict that is told in both languages."""

    def __init__(self, told: Text, *, open_moves: Sequence[str] = ()) -> None:
        super().__init__(told, open_moves=open_moves)
        self.told = told


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A counter that is being answered: by whom, for which side, in a bundle that is locked."""

    proposal: Proposal
    members: Sequence[Proposal]
    counter: ProposalVersion
    principal: Principal
    side: Actor
    now: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What a party may ask for now: its own limits, its sites, the negotiable numbers as they stand."""

    terms: Terms
    room: Room
    places: tuple[Place, ...]
    numbers: dict[str, Decimal | int]
    latest: dt.datetime | None


def what_may_change(session: Session, *, principal: Principal, proposal_id: uuid.UUID) -> Offered:
    """The asker's room for a counter-offer to the version on offer.

    :raises NotFound: the asker's firm knows of no such proposal.
    """
    proposal = proposals.find_row(session, principal, proposal_id)
    in_bundle = sa.select(Proposal).where(Proposal.bundle_id == proposal.bundle_id).order_by(Proposal.id)
    members = session.scalars(in_bundle).all()
    side, terms = proposals.side_of(principal, proposal), frozen_terms(proposal.terms or {})
    numbers = {pointer: value_at(terms, pointer) for pointer in POINTERS}
    return Offered(
        terms=terms,
        room=counter_limits.room_of(session, proposal=proposal, members=members, side=side, terms=terms),
        places=tuple(counter_limits.places_of(session, proposal=proposal, side=side, terms=terms)),
        numbers={pointer: value for pointer, value in numbers.items() if value is not None},
        latest=proposal.expires_at,
    )


def counter(
    session: Session,
    *,
    principal: Principal,
    proposal_id: uuid.UUID,
    version: int,
    changes: Changes,
    site_id: uuid.UUID | None = None,
    message: str | None = None,
    expires_at: dt.datetime | None = None,
    now: dt.datetime,
) -> PartyProposal:
    """Ask for other terms than those on offer; whatever was accepted before has to be accepted anew.

    `version` is that of the proposal as the asker saw it: what the other side did meanwhile, an acceptance too, is
    not countered unseen. `site_id` is a site of the asker's own for the delivery. The counter waits until
    `expires_at` (three days, if nothing is said), the proposal's own end at the latest.

    :raises NotFound: the asker's firm knows of no such proposal.
    :raises Conflict: it is not open for counters, or not of that version any more.
    :raises Refused: the counter's end is too early or too late.
    :raises CounterRefused: a change outside the market's or the asker's own limits; `findings` names each place.
    :raises market.errors.BadInput: the new terms are not sound.
    """
    proposal, members = proposals.lock(session, principal, proposal_id)
    side = proposals.side_of(principal, proposal)
    proposals.still_running(proposal, now)
    moves.allowed(proposals.SUBJECT, proposal.state, "counter", side, _BOTH_GUARDS)
    if proposal.version != version:
        raise NotNow(
            Text(
                "提案在您查看之后已有变化，请重新查看后再还盘",
                f"the proposal has changed since version {version} was read; read it again before you counter",
            ),
            open_moves=proposals.open_moves(proposal, side),
        )
    ends = _end_of(proposal, expires_at, now)
    base = frozen_terms(proposal.terms or {})
    places = counter_limits.places_of(session, proposal=proposal, side=side, terms=base)
    terms = amended(base, replace(changes, place=_chosen(places, site_id)))
    check(base, terms, counter_limits.room_of(session, proposal=proposal, members=members, side=side, terms=terms))
    _six_places(terms)
    _forget_acceptances(proposal)
    event = moves.make(session, proposal, "counter", acting_as=side, principal=principal, guards=_BOTH_GUARDS, now=now)
    event.version_hash = terms_hash(terms)
    proposal.countered_by = side.value
    _add(session, proposal, terms, principal, message=message, ends=ends, now=now)
    _tell(session, proposal, "proposal.countered", {_other(proposal, side)}, now=now)
    session.flush()
    return _view(session, principal, proposal)


def take(
    session: Session,
    *,
    principal: Principal,
    proposal_id: uuid.UUID,
    terms_hash: str,
    accept: bool = False,
    now: dt.datetime,
) -> PartyProposal:
    """Put the other side's counter on offer as the next version; with `accept`, accept it at once for the own side.

    :raises NotFound: the asker's firm knows of no such proposal.
    :raises Conflict: no counter of that hash waits, or it fits the market's limits no longer.
    :raises CounterRefused: it is outside the asker's own limits.
    """
    found = _waiting(session, principal, proposal_id, move="take_counter", named=terms_hash, now=now)
    proposal, waiting = found.proposal, found.counter
    terms = frozen_terms(waiting.terms)
    _still_fits(session, found, terms)
    before = proposal_versions.on_offer(session, proposal)
    if before is not None:
        before.state, before.answered_at = VersionState.REPLACED, now
        session.flush()  # one version at a time is on offer
    waiting.state, waiting.answered_at = VersionState.ON_OFFER, now
    # The figures of the row stay those of the run: statistics of the clearing are not negotiated.
    proposal.terms, proposal.terms_hash = waiting.terms, waiting.terms_hash
    moves.make(
        session,
        proposal,
        "take_counter",
        acting_as=found.side,
        principal=principal,
        guards={Guard.COUNTERED_BY_OTHER_SIDE},
        now=now,
    )
    _tell(session, proposal, "proposal.counter_taken", {_other(proposal, found.side)}, now=now)
    session.flush()
    if accept:
        return proposals.accept(session, principal=principal, proposal_id=proposal_id, terms_hash=terms_hash, now=now)
    return _view(session, principal, proposal)


def reject(
    session: Session,
    *,
    principal: Principal,
    proposal_id: uuid.UUID,
    terms_hash: str,
    message: str | None = None,
    now: dt.datetime,
) -> PartyProposal:
    """Say no to the other side's counter: the version before is on offer again. A message goes to the thread.

    :raises NotFound: the asker's firm knows of no such proposal.
    :raises Conflict: no counter of that hash waits.
    """
    found = _waiting(session, principal, proposal_id, move="reject_counter", named=terms_hash, now=now)
    _close(session, found, VersionState.REJECTED, "reject_counter")
    if message:
        messages.add(session, proposal=found.proposal, principal=principal, body=message, now=now)
    _tell(session, found.proposal, "proposal.counter_rejected", {_other(found.proposal, found.side)}, now=now)
    session.flush()
    return _view(session, principal, found.proposal)


def withdraw(
    session: Session, *, principal: Principal, proposal_id: uuid.UUID, terms_hash: str, now: dt.datetime
) -> PartyProposal:
    """Take the own counter back: the version before is on offer again.

    :raises NotFound: the asker's firm knows of no such proposal.
    :raises Conflict: no counter of that hash waits.
    """
    found = _waiting(session, principal, proposal_id, move="withdraw_counter", named=terms_hash, now=now)
    _close(session, found, VersionState.WITHDRAWN, "withdraw_counter")
    _tell(session, found.proposal, "proposal.counter_withdrawn", {_other(found.proposal, found.side)}, now=now)
    session.flush()
    return _view(session, principal, found.proposal)


def due(session: Session, *, now: dt.datetime) -> list[uuid.UUID]:
    """Proposals with a counter whose time is over."""
    query = sa.select(ProposalVersion.proposal_id).where(
        ProposalVersion.state == VersionState.OPEN, ProposalVersion.expires_at <= now
    )
    return list(session.scalars(query.order_by(ProposalVersion.proposal_id)))


def expire(session: Session, *, proposal_id: uuid.UUID, now: dt.datetime) -> int:
    """End a counter that ran out of time: the version before is on offer again. Returns 1, or 0 if there is none."""
    bundle_id = session.scalars(sa.select(Proposal.bundle_id).where(Proposal.id == proposal_id)).one()
    members = bundles.lock(session, bundle_id)
    proposal = next(member for member in members if member.id == proposal_id)
    waiting = proposal_versions.open_counter(session, proposal)
    if waiting is None or waiting.expires_at is None or waiting.expires_at > now:
        return 0
    found = Answered(proposal=proposal, members=members, counter=waiting, principal=SYSTEM, side=Actor.TIMER, now=now)
    _close(session, found, VersionState.EXPIRED, "counter_expires")
    _tell(session, proposal, "proposal.counter_expired", {proposal.seller_firm_id, proposal.buyer_firm_id}, now=now)
    session.flush()
    return 1


_BOTH_GUARDS = {Guard.LISTED_FIELDS_ONLY, Guard.INSIDE_MARKET_LIMITS}


def _waiting(
    session: Session, principal: Principal, proposal_id: uuid.UUID, *, move: str, named: str, now: dt.datetime
) -> Answered:
    """The counter that a party answers, after all that speaks against the move."""
    proposal, members = proposals.lock(session, principal, proposal_id)
    side = proposals.side_of(principal, proposal)
    proposals.still_running(proposal, now)
    moves.allowed(proposals.SUBJECT, proposal.state, move, side, _guards(proposal, side))
    waiting = proposal_versions.open_counter(session, proposal)
    open_moves = proposals.open_moves(proposal, side)
    if waiting is None or waiting.terms_hash != named:
        told = Text("等待答复的还盘不是这一版本，请重新查看", "another version waits for an answer; read it again")
        raise NotNow(told, open_moves=open_moves)
    if waiting.expires_at is not None and waiting.expires_at <= now and move != "withdraw_counter":
        ended = waiting.expires_at.isoformat()
        raise NotNow(Text("该还盘已过期", f"the counter ran out at {ended}"), open_moves=open_moves)
    return Answered(proposal=proposal, members=members, counter=waiting, principal=principal, side=side, now=now)


def _guards(proposal: Proposal, side: Actor) -> set[Guard]:
    return {Guard.COUNTERED_BY_SAME_SIDE if proposal.countered_by == side else Guard.COUNTERED_BY_OTHER_SIDE}


def _end_of(proposal: Proposal, asked: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    latest = proposal.expires_at or now + USUAL_TIME
    if asked is None:
        return min(now + USUAL_TIME, latest)
    earliest = min(now + LEAST_TIME, latest)
    if not earliest <= asked <= latest:
        raise Refused(
            Text(
                f"{asked.isoformat()}；应在 {earliest.isoformat()} 至 {latest.isoformat()} 之间",
                f"{asked.isoformat()}; expected from {earliest.isoformat()} to {latest.isoformat()}",
            ),
            field="expires_at",
        )
    return asked


def _chosen(places: Sequence[Place], site_id: uuid.UUID | None) -> str | None:
    if site_id is None:
        return None
    for place in places:
        if place.site_id == site_id:
            return place.place
    own = Text(
        "贵方在同一地区、可在该处交接的场所",
        "an active site of your own, in the lane's region, at the place of delivery",
    )
    raise CounterRefused([Finding("/delivery/place", str(site_id), own)])


def _six_places(terms: Terms) -> None:
    price = terms.price
    if isinstance(price, FixedPrice) and price.amount != price.amount.quantize(PRICE_STEP):
        expected = Text("最多六位小数", "at most six digits after the point")
        raise CounterRefused([Finding("/price/amount", str(price.amount), expected)])


def _still_fits(session: Session, answered: Answered, terms: Terms) -> None:
    """Since the counter was made, offers and other proposals of the bundle may have changed."""
    proposal, taker = answered.proposal, answered.side
    proposer = Actor.BUYER if taker is Actor.SELLER else Actor.SELLER
    base = frozen_terms(proposal.terms or {})

    def room(side: Actor) -> Room:
        return counter_limits.room_of(session, proposal=proposal, members=answered.members, side=side, terms=terms)

    try:
        check(base, terms, room(proposer))
    except CounterRefused as refusal:
        told = Text("该还盘已不符合市场限制", "the counter does not fit the limits of the market any more")
        raise NotNow(told, open_moves=proposals.open_moves(proposal, taker)) from refusal
    # Where the goods are handed over is the choice of the side whose gate it is.
    check(base, terms, replace(room(taker), places=frozenset({terms.delivery.place})))


def _forget_acceptances(proposal: Proposal) -> None:
    proposal.seller_accepted_at = proposal.seller_accepted_by_id = None
    proposal.buyer_accepted_at = proposal.buyer_accepted_by_id = None


def _add(
    session: Session,
    proposal: Proposal,
    terms: Terms,
    principal: Principal,
    *,
    message: str | None,
    ends: dt.datetime,
    now: dt.datetime,
) -> None:
    numbers = sa.select(sa.func.max(ProposalVersion.number)).where(ProposalVersion.proposal_id == proposal.id)
    session.add(
        ProposalVersion(
            proposal_id=proposal.id,
            number=session.scalars(numbers).one() + 1,
            terms=json.loads(canonical_json(terms)),
            terms_hash=terms_hash(terms),
            state=VersionState.OPEN,
            proposed_by_side=Side(proposal.countered_by or ""),
            proposed_by_id=principal.user_id,
            proposed_by_key_id=principal.api_key_id,
            message=message,
            created_at=now,
            expires_at=ends,
        )
    )


def _close(session: Session, answered: Answered, state: VersionState, move: str) -> None:
    """A counter comes to its end without being taken up; the step bears its hash."""
    proposal, by_timer = answered.proposal, answered.side is Actor.TIMER
    answered.counter.state, answered.counter.answered_at = state, answered.now
    event = moves.make(
        session,
        proposal,
        move,
        acting_as=answered.side,
        principal=answered.principal,
        guards=set() if by_timer else _guards(proposal, answered.side),
        now=answered.now,
    )
    event.version_hash = answered.counter.terms_hash


def _view(session: Session, principal: Principal, proposal: Proposal) -> PartyProposal:
    return proposals.party_views(session, principal=principal, proposals=[proposal])[0]


def _other(proposal: Proposal, side: Actor) -> uuid.UUID:
    return proposal.buyer_firm_id if side is Actor.SELLER else proposal.seller_firm_id


def _tell(session: Session, proposal: Proposal, topic: str, firms: set[uuid.UUID], *, now: dt.datetime) -> None:
    outbox.tell(
        session,
        topic=topic,
        about=(SubjectKind.PROPOSAL, proposal.id),
        firms=firms,
        payload={"proposal_id": str(proposal.id), "state": proposal.state},
        now=now,
    )
