"""Proposals as their parties see them: who, what, when, how much, the locked price; accepted or declined.

Nothing here tells an ask, a bid, a surplus or an alternative, and nothing tells of a proposal before its release.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.auth import SYSTEM, Principal
from app.errors import Conflict, Forbidden, NotFound
from app.models import Contract, Firm, Grade, Product, Proposal, SubjectKind
from app.operations import bundles, contracts, events, moves
from app.operations.drafts import cents
from app.permissions import Permission
from contracts.state import Actor, Guard, Subject, moves_from
from contracts.wording import Text
from market.periods import Period

KNOWN_TO_PARTIES = ("released", "accepted", "countered", "agreed", "declined", "expired", "cancelled")
SUBJECT = Subject.PROPOSAL
WAITS = "waits for the other proposals of its bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyProposal:
    """What a party sees of a proposal.

    `conditional`: it takes effect only together with others. Units, prices and total are those of the terms on offer
    (of a formula, at the price the run locked); `rate` is the lots per period that were matched, a negotiated schedule
    may have fewer. `open_moves` are the party's own.
    """

    id: uuid.UUID
    round_id: uuid.UUID
    own_offer_id: uuid.UUID
    side: Actor
    seller: Firm
    buyer: Firm
    product: Product
    grade: Grade
    first_period: str
    last_period: str
    rate: int
    units: Decimal
    price_ex_works: Decimal
    freight: Decimal
    price_delivered: Decimal
    total_value: Decimal
    conditional: bool
    state: str
    accepted_by_us: bool
    accepted_by_other: bool
    countered_by_us: bool
    countered_by_other: bool
    expires_at: dt.datetime | None
    terms: dict[str, Any]
    terms_hash: str
    contract_id: uuid.UUID | None
    version: int
    open_moves: tuple[str, ...]


def visible_proposals(principal: Principal) -> sa.Select[Proposal]:
    """The released proposals of the asker's own firm; none for anybody without a firm."""
    own = principal.firm_id
    query = sa.select(Proposal).options(
        selectinload(Proposal.seller),
        selectinload(Proposal.buyer),
        selectinload(Proposal.grade).selectinload(Grade.product),
    )
    if own is None or not principal.may(Permission.PROPOSAL_READ):
        return query.where(sa.false())
    return query.where(
        sa.or_(Proposal.seller_firm_id == own, Proposal.buyer_firm_id == own),
        Proposal.state.in_(KNOWN_TO_PARTIES),
        Proposal.terms.is_not(None),
    )


def find_proposal(session: Session, *, principal: Principal, proposal_id: uuid.UUID) -> PartyProposal:
    """:raises NotFound: the asker's firm knows of no such proposal."""
    return party_views(session, principal=principal, proposals=[find_row(session, principal, proposal_id)])[0]


def party_views(session: Session, *, principal: Principal, proposals: Sequence[Proposal]) -> list[PartyProposal]:
    """What the asker's firm sees of its proposals (rows of `visible_proposals`)."""
    ties = {proposal.bundle_id for proposal in proposals}
    sizes = sa.select(Proposal.bundle_id, sa.func.count()).where(Proposal.bundle_id.in_(ties))
    tied = {bundle for bundle, size in session.execute(sizes.group_by(Proposal.bundle_id)) if size > 1}
    made = sa.select(Contract.proposal_id, Contract.id).where(
        Contract.proposal_id.in_([proposal.id for proposal in proposals])
    )
    contract: dict[uuid.UUID, uuid.UUID] = dict(session.execute(made).all())
    return [
        _view(proposal, side_of(principal, proposal), proposal.bundle_id in tied, contract.get(proposal.id))
        for proposal in proposals
    ]


def side_of(principal: Principal, proposal: Proposal) -> Actor:
    """On which side of a proposal the asker's firm stands."""
    return Actor.SELLER if proposal.seller_firm_id == principal.firm_id else Actor.BUYER


def _view(proposal: Proposal, side: Actor, conditional: bool, contract_id: uuid.UUID | None) -> PartyProposal:
    selling, product = side is Actor.SELLER, proposal.grade.product
    accepted = proposal.seller_accepted_at is not None, proposal.buyer_accepted_at is not None
    ours, other = accepted if selling else accepted[::-1]
    figures = _on_offer(proposal)
    return PartyProposal(
        id=proposal.id,
        round_id=proposal.round_id,
        own_offer_id=proposal.sell_offer_id if selling else proposal.buy_offer_id,
        side=side,
        seller=proposal.seller,
        buyer=proposal.buyer,
        product=product,
        grade=proposal.grade,
        first_period=proposal.first_period,
        last_period=proposal.last_period,
        rate=proposal.rate,
        units=figures.units,
        price_ex_works=figures.price_ex_works,
        freight=proposal.freight,
        price_delivered=figures.price_ex_works + proposal.freight,
        total_value=figures.total_value,
        conditional=conditional,
        state=proposal.state,
        accepted_by_us=ours,
        accepted_by_other=other,
        countered_by_us=proposal.countered_by == side,
        countered_by_other=proposal.countered_by not in {None, side},
        expires_at=proposal.expires_at,
        terms=proposal.terms or {},
        terms_hash=proposal.terms_hash,
        contract_id=contract_id,
        version=proposal.version,
        open_moves=open_moves(proposal, side),
    )


def units_of(proposal: Proposal) -> Decimal:
    """Units of the product over the whole window."""
    return proposal.rate * periods_of(proposal) * proposal.grade.product.lot


class _Figures(NamedTuple):
    """What the terms on offer come to."""

    units: Decimal
    price_ex_works: Decimal
    total_value: Decimal


def _on_offer(proposal: Proposal) -> _Figures:
    """The row keeps what the run found; what was negotiated since stands in the terms. A formula has no one price."""
    terms = proposal.terms or {}
    if "schedule" not in terms:
        return _Figures(units_of(proposal), proposal.price_ex_works, proposal.total_value)
    units = sum(line["lots"] for line in terms["schedule"]) * proposal.grade.product.lot
    price = Decimal(terms["price"].get("amount", proposal.price_ex_works))
    return _Figures(units, price, cents((price + proposal.freight) * units))


def periods_of(proposal: Proposal) -> int:
    """Length of the window in periods."""
    first, last = Period.parse(proposal.first_period), Period.parse(proposal.last_period)
    return (last.start - first.start) // first.months + 1


def accept(
    session: Session, *, principal: Principal, proposal_id: uuid.UUID, terms_hash: str, now: dt.datetime
) -> PartyProposal:
    """Accept the version of the terms that the hash names, for the asker's side.

    When both sides of every proposal of the bundle have accepted, all become agreed and a contract each.

    :raises NotFound: the asker's firm knows of no such proposal.
    :raises Conflict: it is not on offer any more, has other terms, or was accepted by this side before.
    """
    proposal, members = lock(session, principal, proposal_id)
    side = side_of(principal, proposal)
    still_running(proposal, now)
    mine, theirs = proposal.seller_accepted_at, proposal.buyer_accepted_at
    if side is Actor.BUYER:
        mine, theirs = theirs, mine
    if mine is not None and proposal.state == "accepted":
        raise Conflict(Text("贵方已接受", "your side has accepted already"), open_moves=open_moves(proposal, side))
    guards = {Guard.CURRENT_VERSION_HASH} if terms_hash == proposal.terms_hash else set()
    if theirs is None:
        moves.make(session, proposal, "accept", acting_as=side, principal=principal, guards=guards, now=now)
        _note_acceptance(proposal, principal, side, now)
    else:
        moves.allowed(Subject.PROPOSAL, proposal.state, "accept", side, {*guards, Guard.OTHER_SIDE_ACCEPTED})
        _note_acceptance(proposal, principal, side, now)
        if all(member.seller_accepted_at and member.buyer_accepted_at for member in members):
            _agree(session, members, by={proposal.id: principal}, now=now)
        else:
            _wait(session, proposal, principal, side, now)
    bundles.tell(session, proposal, now=now)
    session.flush()
    return party_views(session, principal=principal, proposals=[proposal])[0]


def decline(
    session: Session,
    *,
    principal: Principal,
    proposal_id: uuid.UUID,
    reason_code: str,
    note: str | None = None,
    now: dt.datetime,
) -> PartyProposal:
    """Decline a proposal: it ends, its bundle with it, and what they held is for sale again.

    :raises NotFound: the asker's firm knows of no such proposal.
    :raises Conflict: it has ended already.
    :raises Refused: the reason code is none of the list for declining.
    """
    proposal, members = lock(session, principal, proposal_id)
    moves.make(
        session,
        proposal,
        "decline",
        acting_as=side_of(principal, proposal),
        principal=principal,
        reason=reason_code,
        note=note,
        now=now,
    )
    bundles.tell(session, proposal, now=now)
    bundles.fall(session, members, because="member_declined", now=now)
    bundles.release_volume(session, bundles.ids(members), now=now)
    session.flush()
    return party_views(session, principal=principal, proposals=[proposal])[0]


def find_row(session: Session, principal: Principal, proposal_id: uuid.UUID) -> Proposal:
    """:raises NotFound: the asker's firm knows of no such proposal."""
    found: Proposal | None = session.scalar(visible_proposals(principal).where(Proposal.id == proposal_id))
    if found is None:
        raise NotFound("no such proposal")
    return found


def may_decide(principal: Principal) -> bool:
    """Whether the asker speaks for a party."""
    return principal.may(Permission.PROPOSAL_DECIDE)


def lock(session: Session, principal: Principal, proposal_id: uuid.UUID) -> tuple[Proposal, list[Proposal]]:
    """A proposal of the asker's firm and its whole bundle, locked until the transaction ends.

    :raises Forbidden: the asker does not decide on proposals.
    :raises NotFound: the asker's firm knows of no such proposal.
    """
    if not may_decide(principal):
        raise Forbidden(Text("提案由其双方的交易员决定", "deciding on a proposal is for the traders of its parties"))
    proposal = find_row(session, principal, proposal_id)
    return proposal, bundles.lock(session, proposal.bundle_id)


def still_running(proposal: Proposal, now: dt.datetime) -> None:
    """:raises Conflict: the proposal's time is over, though its timer has not come round yet."""
    if proposal.state not in bundles.ENDED and proposal.expires_at is not None and proposal.expires_at <= now:
        raise Conflict(
            Text(
                f"提案已于 {proposal.expires_at.isoformat()} 到期",
                f"the proposal ran out at {proposal.expires_at.isoformat()}",
            )
        )


def open_moves(proposal: Proposal, side: Actor) -> tuple[str, ...]:
    """A party's moves as far as it can make them now: a side accepts once, and answers only the other's counter."""
    found = {row.move for row in moves_from(SUBJECT, proposal.state, side)}
    accepted = proposal.seller_accepted_at if side is Actor.SELLER else proposal.buyer_accepted_at
    if accepted is not None:
        found.discard("accept")
    found -= {"take_counter", "reject_counter"} if proposal.countered_by == side else {"withdraw_counter"}
    return tuple(sorted(found))


def _note_acceptance(proposal: Proposal, principal: Principal, side: Actor, now: dt.datetime) -> None:
    if side is Actor.SELLER:
        proposal.seller_accepted_at, proposal.seller_accepted_by_id = now, principal.user_id
    else:
        proposal.buyer_accepted_at, proposal.buyer_accepted_by_id = now, principal.user_id


def _wait(session: Session, proposal: Proposal, principal: Principal, side: Actor, now: dt.datetime) -> None:
    """The second acceptance is recorded at once; the state follows when the whole bundle is accepted."""
    events.record(
        session,
        principal=principal,
        subject=(SubjectKind.PROPOSAL, proposal.id),
        name=f"{Subject.PROPOSAL}.accept",
        acting_as=side,
        from_state=proposal.state,
        to_state=proposal.state,
        version_hash=proposal.terms_hash,
        note=WAITS,
        now=now,
    )


def _agree(
    session: Session, members: Sequence[Proposal], *, by: Mapping[uuid.UUID, Principal], now: dt.datetime
) -> None:
    """All members are agreed and concluded at once, each by the side that accepted last.

    `by` says who asks; members that only waited are moved by the system.
    """
    for member in members:
        seller_last = (member.seller_accepted_at or now) > (member.buyer_accepted_at or now)
        moves.make(
            session,
            member,
            "accept",
            acting_as=Actor.SELLER if seller_last else Actor.BUYER,
            principal=by.get(member.id, SYSTEM),
            guards={Guard.CURRENT_VERSION_HASH, Guard.OTHER_SIDE_ACCEPTED},
            now=now,
        )
        session.flush()
        contracts.conclude(session, member, now=now)
        bundles.keep_agreed_volume(session, member)
