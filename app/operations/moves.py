"""Moves along the state table: the one way in which anything changes its state, with its event row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict, Refused
from app.models import Claim, Contract, Event, Proposal, SubjectKind
from app.operations import events
from contracts.state import RULE_VERSION, Actor, Guard, MoveRefused, Subject, Transition, find_transition

Movable = Proposal | Contract | Claim
KINDS: dict[type[Movable], tuple[Subject, SubjectKind]] = {
    Proposal: (Subject.PROPOSAL, SubjectKind.PROPOSAL),
    Contract: (Subject.CONTRACT, SubjectKind.CONTRACT),
    Claim: (Subject.CLAIM, SubjectKind.CLAIM),
}


def allowed(
    subject: Subject,
    state: str | None,
    move: str,
    actor: Actor,
    guards: Collection[Guard] = (),
    *,
    reason: str | None = None,
    rule_version: str = RULE_VERSION,
) -> Transition:
    """The row of the state table, in the rule set named, that allows a move.

    :raises Conflict: no row does; `open_moves` names the moves the actor has.
    :raises Refused: the move takes a reason code, and this is none of its list.
    """
    try:
        return find_transition(subject, state, move, actor, guards, reason=reason, rule_version=rule_version)
    except MoveRefused as refusal:
        if refusal.reason_codes:
            raise Refused(refusal.why, field="reason_code") from refusal
        raise Conflict(refusal.text, open_moves=refusal.open_moves) from refusal


def make(
    session: Session,
    subject: Movable,
    move: str,
    *,
    acting_as: Actor,
    principal: Principal,
    now: dt.datetime,
    guards: Collection[Guard] = (),
    reason: str | None = None,
    note: str | None = None,
) -> Event:
    """Move one subject and record it; the caller has locked the row, and makes a bundle move as a whole.

    What belongs to a contract moves by the rule set of that contract.

    :raises Conflict: the move is not open.
    :raises Refused: a reason code that the move does not take.
    """
    kind, about = KINDS[type(subject)]
    origin = subject if isinstance(subject, Proposal | Contract) else subject.contract
    rule_version = RULE_VERSION if isinstance(origin, Proposal) else origin.rule_version
    before = subject.state
    row = allowed(kind, before, move, acting_as, guards, reason=reason, rule_version=rule_version)
    subject.state = row.to_state
    return events.record(
        session,
        principal=principal,
        subject=(about, subject.id),
        name=row.event,
        acting_as=acting_as,
        from_state=before,
        to_state=row.to_state,
        reason_code=reason,
        note=note,
        version_hash=origin.terms_hash,
        now=now,
    )
