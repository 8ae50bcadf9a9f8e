"""Who belongs together: firms under one topmost parent count as one."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Firm


def topmost_parents(session: Session) -> dict[uuid.UUID, uuid.UUID]:
    """The topmost parent of every firm, itself where it has none. Of firms in a ring each is its own."""
    parent: dict[uuid.UUID, uuid.UUID | None] = dict(session.execute(sa.select(Firm.id, Firm.parent_id)).all())
    found: dict[uuid.UUID, uuid.UUID] = {}
    for firm in parent:
        seen = [firm]
        while (above := parent[seen[-1]]) is not None and above not in seen:
            seen.append(above)
        found[firm] = seen[-1] if parent[seen[-1]] is None else firm
    return found
