"""Looks at what is sealed: written down one by one, read by those who audit."""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Forbidden
from app.models import AccessLog
from app.permissions import Permission
from contracts.wording import Text


def note_look(
    session: Session,
    *,
    principal: Principal,
    kind: str,
    object_id: uuid.UUID,
    firm_id: uuid.UUID | None,
    path: str,
    reason: str | None = None,
    now: dt.datetime,
) -> None:
    """Record one look of a person at something sealed, of a firm's or made of several firms'; `path` says from where.

    :raises Forbidden: the asker may not see what is sealed.
    """
    if not principal.may(Permission.SEALED_READ) or principal.user_id is None:
        raise Forbidden(Text("密封内容仅供审核人员查看", "what is sealed is for staff in review"))
    session.add(
        AccessLog(
            at=now,
            user_id=principal.user_id,
            object_kind=kind,
            object_id=str(object_id),
            firm_id=firm_id,
            path=path,
            reason=reason,
        )
    )


def looks(
    principal: Principal,
    *,
    user_id: uuid.UUID | None = None,
    firm_id: uuid.UUID | None = None,
    object_kind: str | None = None,
    object_id: str | None = None,
) -> sa.Select[AccessLog]:
    """The looks at what is sealed: all for auditors, one's own for those whose looks are noted, none for others."""
    query = sa.select(AccessLog)
    if not principal.may(Permission.AUDIT_READ):
        own = principal.may(Permission.LOOK_READ) and principal.user_id is not None
        query = query.where(AccessLog.user_id == principal.user_id if own else sa.false())
    for column, wanted in (
        (AccessLog.user_id, user_id),
        (AccessLog.firm_id, firm_id),
        (AccessLog.object_kind, object_kind),
        (AccessLog.object_id, object_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    return query
