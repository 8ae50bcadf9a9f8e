"""The thread of a proposal: what its two parties write to each other, and how far each has read.

Only the parties write; they and staff in review read. A message cannot be taken back or changed.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict, NotFound
from app.models import Proposal, ProposalMessage, ProposalRead, Side, SubjectKind
from app.operations import audit, outbox, proposals, review
from app.operations.bulk import among
from contracts.wording import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One message as the asker sees it; `by_user_id` is told to the author's own firm and to the platform only.

    `read` says whether the other side has read it.
    """

    number: int
    side: Side
    ours: bool
    by_user_id: uuid.UUID | None
    body: str
    created_at: dt.datetime
    read: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The messages of a proposal in their order; `unread` of the other side's; whether the asker may write now."""

    messages: tuple[MessageView, ...]
    unread: int
    may_write: bool


def thread(session: Session, *, principal: Principal, proposal_id: uuid.UUID) -> Thread:
    """The thread of a proposal of the asker's own firm.

    :raises NotFound: the asker's firm knows of no such proposal.
    """
    return _thread(session, principal, proposals.find_row(session, principal, proposal_id))


def thread_for_review(
    session: Session, *, principal: Principal, proposal_id: uuid.UUID, path: str, now: dt.datetime
) -> Thread:
    """The thread of any proposal, for staff in review; that they looked is written down for both firms.

    :raises NotFound: no such proposal, or the asker does not review.
    :raises Forbidden: the asker may not see what is sealed.
    """
    proposal = review.find_review(session, principal=principal, proposal_id=proposal_id)
    for firm_id in (proposal.seller_firm_id, proposal.buyer_firm_id):
        audit.note_look(
            session,
            principal=principal,
            kind="proposal_thread",
            object_id=proposal.id,
            firm_id=firm_id,
            path=path,
            now=now,
        )
    session.flush()
    return _thread(session, principal, proposal)


def write(
    session: Session, *, principal: Principal, proposal_id: uuid.UUID, body: str, now: dt.datetime
) -> MessageView:
    """Write to the other party; what it wrote before counts as read.

    :raises NotFound: the asker's firm knows of no such proposal.
    :raises Forbidden: the asker does not decide on proposals.
    :raises Conflict: the proposal has ended without a contract.
    """
    proposal, _ = proposals.lock(session, principal, proposal_id)
    number = add(session, proposal=proposal, principal=principal, body=body, now=now)
    session.flush()
    return next(one for one in _thread(session, principal, proposal).messages if one.number == number)


def add(session: Session, *, proposal: Proposal, principal: Principal, body: str, now: dt.datetime) -> int:
    """Write to the thread of a proposal that the caller has locked; returns the message's number.

    :raises Conflict: as `write` does.
    """
    side = Side(proposals.side_of(principal, proposal).value)
    if not _is_open(proposal):
        raise Conflict(
            Text("提案已结束，双方不能再写消息", f"the proposal is {proposal.state}; its parties write no more")
        )
    last = _last(session, proposal)
    session.add(
        ProposalMessage(
            proposal_id=proposal.id,
            number=last + 1,
            side=side,
            author_id=principal.user_id,
            author_key_id=principal.api_key_id,
            body=body,
            created_at=now,
        )
    )
    session.flush()
    _mark(session, proposal, side, last + 1, now)
    outbox.tell(
        session,
        topic="message.posted",
        about=(SubjectKind.PROPOSAL, proposal.id),
        firms={proposal.buyer_firm_id if side is Side.SELLER else proposal.seller_firm_id},
        payload={"proposal_id": str(proposal.id), "number": last + 1},
        now=now,
    )
    return last + 1


def mark_read(
    session: Session, *, principal: Principal, proposal_id: uuid.UUID, until: int, now: dt.datetime
) -> Thread:
    """Note that the asker's side has read the thread up to a message; going back changes nothing.

    :raises NotFound: the asker's firm knows of no such proposal, or it has no message of that number.
    """
    proposal = proposals.find_row(session, principal, proposal_id)
    if not 1 <= until <= _last(session, proposal):
        raise NotFound("the thread has no such message")
    _mark(session, proposal, Side(proposals.side_of(principal, proposal).value), until, now)
    return _thread(session, principal, proposal)


def unread_counts(
    session: Session, *, principal: Principal, proposal_ids: Collection[uuid.UUID]
) -> Mapping[uuid.UUID, int]:
    """Messages of the other side that the asker's firm has not read, by proposal of its own."""
    own = sa.case((Proposal.seller_firm_id == principal.firm_id, Side.SELLER.value), else_=Side.BUYER.value)
    query = (
        sa.select(ProposalMessage.proposal_id, sa.func.count())
        .join(Proposal, Proposal.id == ProposalMessage.proposal_id)
        .outerjoin(
            ProposalRead, sa.and_(ProposalRead.proposal_id == Proposal.id, sa.cast(ProposalRead.side, sa.Text) == own)
        )
        .where(
            among(ProposalMessage.proposal_id, list(proposal_ids)),
            sa.or_(Proposal.seller_firm_id == principal.firm_id, Proposal.buyer_firm_id == principal.firm_id),
            sa.cast(ProposalMessage.side, sa.Text) != own,
            ProposalMessage.number > sa.func.coalesce(ProposalRead.read_until, 0),
        )
        .group_by(ProposalMessage.proposal_id)
        .order_by(ProposalMessage.proposal_id)
    )
    return dict(session.execute(query).all())


def _thread(session: Session, principal: Principal, proposal: Proposal) -> Thread:
    written = sa.select(ProposalMessage).where(ProposalMessage.proposal_id == proposal.id)
    marks = sa.select(ProposalRead.side, ProposalRead.read_until).where(ProposalRead.proposal_id == proposal.id)
    read: dict[Side, int] = dict(session.execute(marks).all())
    firm = {Side.SELLER: proposal.seller_firm_id, Side.BUYER: proposal.buyer_firm_id}
    other = {Side.SELLER: Side.BUYER, Side.BUYER: Side.SELLER}
    views = tuple(
        MessageView(
            number=message.number,
            side=message.side,
            ours=firm[message.side] == principal.firm_id,
            by_user_id=message.author_id if principal.firm_id in {None, firm[message.side]} else None,
            body=message.body,
            created_at=message.created_at,
            read=read.get(other[message.side], 0) >= message.number,
        )
        for message in session.scalars(written.order_by(ProposalMessage.number))
    )
    is_party = principal.firm_id in firm.values()
    return Thread(
        messages=views,
        unread=sum(1 for view in views if is_party and not view.ours and not view.read),
        may_write=is_party and proposals.may_decide(principal) and _is_open(proposal),
    )


def _is_open(proposal: Proposal) -> bool:
    """The parties write while they negotiate, and afterwards about their contract."""
    return proposal.state in {"released", "accepted", "countered", "agreed"}


def _last(session: Session, proposal: Proposal) -> int:
    query = sa.select(sa.func.max(ProposalMessage.number)).where(ProposalMessage.proposal_id == proposal.id)
    return session.scalar(query) or 0


def _mark(session: Session, proposal: Proposal, side: Side, until: int, now: dt.datetime) -> None:
    added = postgresql.insert(ProposalRead).values(proposal_id=proposal.id, side=side, read_until=until, read_at=now)
    session.execute(
        added.on_conflict_do_update(
            index_elements=[ProposalRead.proposal_id, ProposalRead.side],
            set_={"read_until": added.excluded.read_until, "read_at": added.excluded.read_at},
            where=ProposalRead.read_until < added.excluded.read_until,
        )
    )
