"""The feed of changes: every step of the asker's own records, once each, in an order in which none is lost.

Ids are given when a row is written, and rows appear when their transaction commits: a reader that goes by ids passes
over the rows of a slow transaction for good. So the feed goes by (transaction, id) and ends before the oldest
transaction that is still running: what lies before that horizon is all committed or all undone, and stays as it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.models import (
    Amendment,
    CallOff,
    Claim,
    Contract,
    Event,
    Offer,
    Proposal,
    Round,
    Run,
    SubjectKind,
    WebhookEndpoint,
)
from app.operations import contracts, offers, proposals, review, rounds, runs, webhooks
from app.permissions import Permission
from contracts.state import Actor, Subject

Condition = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the feed: all events of earlier transactions are before it, and of this one those up to `number`.

    `server` is the database cluster that counted the transactions; another one counts anew.
    """

    server: int
    transaction: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step of one record."""

    subject_id: uuid.UUID
    step: contracts.Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Some changes and the position after them; with `more`, others are waiting already."""

    items: list[Change]
    position: Position
    more: bool


class OtherServer(Exception):
    """The position was counted by another database server: after a restore from a dump, say."""


def changes(session: Session, *, principal: Principal, after: Position | None, limit: int) -> Changes:
    """The changes after a position, at most `limit`, as far as all transactions before them have ended.

    Without a position from the beginning. What the asker may not see is passed over.

    :raises OtherServer: the position does not belong to this database.
    """
    server, horizon = session.execute(
        sa.select(
            sa.select(sa.column("system_identifier")).select_from(sa.func.pg_control_system()).scalar_subquery(),
            sa.cast(sa.cast(sa.func.pg_snapshot_xmin(sa.func.pg_current_snapshot()), sa.Text), sa.BigInteger),
        )
    ).one()
    start = after or Position(server, 0, 0)
    if start.server != server:
        raise OtherServer
    # Statements of their own, hence with a later view of the database: all before the horizon is to be seen in it.
    place = sa.tuple_(Event.txid, Event.id)
    query = _visible(principal).where(
        place > sa.tuple_(sa.literal(start.transaction), sa.literal(start.number)), Event.txid < horizon
    )
    events = session.scalars(query.order_by(Event.txid, Event.id).limit(limit + 1)).all()
    served = events[:limit]
    more = len(events) > limit
    end = Position(server, served[-1].txid, served[-1].id) if more else _newest(session, start, horizon)
    items = [Change(subject_id=event.subject_id, step=contracts.step_of(event, principal)) for event in served]
    return Changes(items=items, position=end, more=more)


def _newest(session: Session, start: Position, horizon: int) -> Position:
    """The place of the newest event before the horizon, whoever may see it, so that it is not looked through again.

    Not the horizon itself: after a crash the numbers of transactions that left no trace are given once more.
    """
    query = sa.select(Event.txid, Event.id).where(Event.txid < horizon)
    newest = session.execute(query.order_by(Event.txid.desc(), Event.id.desc()).limit(1)).one_or_none()
    if newest is None or tuple(newest) <= (start.transaction, start.number):
        return start
    return Position(start.server, newest.txid, newest.id)


def _visible(principal: Principal) -> sa.Select[Event]:
    """The events of records that the asker may read; all of them for those who audit.

    Whether an event is among them does not change with time, as far as it was ever to be seen: else it could come
    into view behind a reader who has passed it.
    """
    query = sa.select(Event)
    if principal.may(Permission.AUDIT_READ):
        return query
    found = [
        sa.and_(Event.subject_kind == kind, condition)
        for kind, conditions in SCOPES.items()
        for condition in conditions(principal)
    ]
    return query.where(sa.or_(sa.false(), *found))


def _of_offers(principal: Principal) -> Iterator[Condition]:
    if principal.may(Permission.OFFER_READ):
        yield _is_one_of(offers.visible_offers(principal), Offer)


def _of_rounds(principal: Principal) -> Iterator[Condition]:
    """Rounds are nobody's own: their steps are for those who watch them."""
    if principal.may(Permission.RUN_READ):
        yield _is_one_of(rounds.visible_rounds(principal), Round)


def _of_runs(principal: Principal) -> Iterator[Condition]:
    yield _is_one_of(runs.visible_runs(principal), Run)


def _of_proposals(principal: Principal) -> Iterator[Condition]:
    """All steps for those who review; for the parties those from the release on."""
    yield _is_one_of(review.visible_reviews(principal), Proposal)
    known = _is_one_of(proposals.visible_proposals(principal), Proposal)
    yield sa.and_(Event.name.in_(contracts.PARTY_MOVES), known)


def _of_contracts(principal: Principal) -> Iterator[Condition]:
    yield _is_one_of(contracts.visible_contracts(principal), Contract)


def _of_call_offs(principal: Principal) -> Iterator[Condition]:
    yield Event.subject_id.in_(sa.select(CallOff.id).where(CallOff.contract_id.in_(_contracts(principal))))


def _of_amendments(principal: Principal) -> Iterator[Condition]:
    """Those that were proposed, without their drafting; all steps of what the asker's own side drafts."""
    drafts, known = sa.select(Amendment.id), Amendment.contract_id.in_(_contracts(principal))
    proposed = Event.subject_id.in_(drafts.where(known, Amendment.proposed_at.is_not(None)))
    yield sa.and_(Event.name != f"{Subject.AMENDMENT}.draft", proposed)
    own = Amendment.proposed_by == _own_side(principal)
    yield Event.subject_id.in_(drafts.join(Contract, Contract.id == Amendment.contract_id).where(known, own))


def _of_claims(principal: Principal) -> Iterator[Condition]:
    """Those that were filed, without their drafting; all steps of what the asker's own side claims."""
    drafts, known = sa.select(Claim.id), Claim.contract_id.in_(_contracts(principal))
    yield sa.and_(
        Event.name != f"{Subject.CLAIM}.draft", Event.subject_id.in_(drafts.where(known, Claim.filed_at.is_not(None)))
    )
    own = Claim.claimant == _own_side(principal)
    yield Event.subject_id.in_(drafts.join(Contract, Contract.id == Claim.contract_id).where(known, own))


def _of_webhooks(principal: Principal) -> Iterator[Condition]:
    yield _is_one_of(webhooks.visible_endpoints(principal), WebhookEndpoint)


SCOPES: Mapping[SubjectKind, Callable[[Principal], Iterator[Condition]]] = MappingProxyType(
    {
        SubjectKind.OFFER: _of_offers,
        SubjectKind.ROUND: _of_rounds,
        SubjectKind.RUN: _of_runs,
        SubjectKind.PROPOSAL: _of_proposals,
        SubjectKind.CONTRACT: _of_contracts,
        SubjectKind.CALL_OFF: _of_call_offs,
        SubjectKind.AMENDMENT: _of_amendments,
        SubjectKind.CLAIM: _of_claims,
        SubjectKind.WEBHOOK: _of_webhooks,
    }
)


def _contracts(principal: Principal) -> sa.Select[tuple[uuid.UUID]]:
    return contracts.visible_contracts(principal).with_only_columns(Contract.id)


def _own_side(principal: Principal) -> sa.ColumnElement[str | None]:
    """On which side of a contract the asker's firm stands, if on any."""
    own = principal.firm_id
    return sa.case(
        (Contract.seller_firm_id == own, str(Actor.SELLER)), (Contract.buyer_firm_id == own, str(Actor.BUYER))
    )


def _is_one_of(
    visible: sa.Select[Any], model: type[Contract | Offer | Proposal | Round | Run | WebhookEndpoint]
) -> Condition:
    return Event.subject_id.in_(visible.with_only_columns(model.id))
