"""Moves along the state table: the one way in which a proposal or a contract changes its state, with its event row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict, Refused
from app.models import Contract, Event, Proposal, SubjectKind
from app.operations import events
from contracts.state import Actor, Guard, MoveRefused, Subject, Transition, find_transition

KINDS = {Subject.PROPOSAL: SubjectKind.PROPOSAL, Subject.CONTRACT: SubjectKind.CONTRACT}


def allowed(
    subject: Subject,
    state: str | None,
    move: str,
    actor: Actor,
    guards: Collection[Guard] = (),
    *,
    reason: str | None = None,
) -> Transition:
    """The row of the state table that allows a move.

    :raises Conflict: no row does; `open_moves` names the moves the actor has.
    :raises Refused: the move takes a reason code, and this is none of its list.
    """
    try:
        return find_transition(subject, state, move, actor, guards, reason=reason)
    except MoveRefused as refusal:
        if refusal.reason_codes:
            raise Refused(refusal.why, field="reason_code") from refusal
        raise Conflict(str(refusal), open_moves=refusal.open_moves) from refusal


def make(
    session: Session,
    subject: Proposal | Contract,
    move: str,
    *,
    acting_as: Actor,
    principal: Principal,
    now: dt.datetime,
    guards: Collection[Guard] = (),
    reason: str | None = None,
    note: str | None = None,
) -> Event:
    """Move a proposal or contract and record it; the caller has locked the row, and makes a bundle move as a whole.

    :raises Conflict: the move is not open.
    :raises Refused: a reason code that the move does not take.
    """
    kind = Subject.PROPOSAL if isinstance(subject, Proposal) else Subject.CONTRACT
    before = subject.state
    row = allowed(kind, before, move, acting_as, guards, reason=reason)
    subject.state = row.to_state
    return events.record(
        session,
        principal=principal,
        subject=(KINDS[kind], subject.id),
        name=row.event,
        acting_as=acting_as,
        from_state=before,
        to_state=row.to_state,
        reason_code=reason,
        note=note,
        version_hash=subject.terms_hash,
        now=now,
    )
