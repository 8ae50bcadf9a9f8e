"""The feed of changes: every step of the asker's own records, once each, in an order in which none is lost.

Ids are given when a row is written, and rows appear when their transaction commits: a reader that goes by ids passes
over the rows of a slow transaction for good. So the feed goes by (transaction, id) and ends before the oldest
transaction that is still running: what lies before that horizon is all committed or all undone, and stays as it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.models import Contract, Event, Offer, Proposal, Round, Run, SubjectKind
from app.operations import contracts, offers, proposals, review, rounds, runs
from app.permissions import Permission

Records = sa.Select[tuple[uuid.UUID]]


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
    """The events of records that the asker may read; all of them for those who audit."""
    query = sa.select(Event)
    if principal.may(Permission.AUDIT_READ):
        return query
    records = records_of(principal)
    of_records = [
        sa.and_(Event.subject_kind == kind, Event.subject_id.in_(visible)) for kind, visible in records.items()
    ]
    if principal.firm_id is not None:
        of_records.append(
            sa.and_(
                Event.subject_kind == SubjectKind.PROPOSAL,
                Event.name.in_(contracts.PARTY_MOVES),
                Event.subject_id.in_(_ids(proposals.visible_proposals(principal), Proposal)),
            )
        )
    return query.where(sa.or_(sa.false(), *of_records))


def records_of(principal: Principal) -> Mapping[SubjectKind, Records]:
    """The ids of the records of each kind all of whose steps the asker may see."""
    found: dict[SubjectKind, Records] = {SubjectKind.CONTRACT: _ids(contracts.visible_contracts(principal), Contract)}
    if principal.firm_id is None:
        found[SubjectKind.PROPOSAL] = _ids(review.visible_reviews(principal), Proposal)
        found[SubjectKind.RUN] = _ids(runs.visible_runs(principal), Run)
        if principal.may(Permission.RUN_READ):
            found[SubjectKind.ROUND] = _ids(rounds.visible_rounds(principal), Round)
    elif principal.may(Permission.OFFER_READ):
        found[SubjectKind.OFFER] = _ids(offers.visible_offers(principal), Offer)
    return found


def _ids(visible: sa.Select[Any], model: type[Contract | Offer | Proposal | Round | Run]) -> Records:
    return visible.with_only_columns(model.id)
