"""The record of every step: one row for each move of something that has states."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy.orm import Session

from app.auth import Principal
from app.models import ActorKind, Event, SubjectKind

_ACTORS = {"user": ActorKind.USER, "api_key": ActorKind.API_KEY, "system": ActorKind.SYSTEM}


def record(
    session: Session,
    *,
    principal: Principal,
    subject: tuple[SubjectKind, uuid.UUID],
    name: str,
    from_state: str | None,
    to_state: str,
    now: dt.datetime,
    acting_as: str | None = None,
    reason_code: str | None = None,
    note: str | None = None,
    version_hash: str | None = None,
) -> Event:
    """Add the row of one step; it is written with the next flush."""
    kind, number = subject
    event = Event(
        at=now,
        subject_kind=kind,
        subject_id=number,
        name=name,
        acting_as=acting_as,
        actor_kind=_ACTORS[principal.kind],
        user_id=principal.user_id,
        api_key_id=principal.api_key_id,
        from_state=from_state,
        to_state=to_state,
        reason_code=reason_code,
        note=note,
        version_hash=version_hash,
    )
    session.add(event)
    return event
