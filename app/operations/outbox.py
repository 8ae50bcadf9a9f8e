"""Telling: a message is written in the transaction of what it tells about, and leaves after that has committed."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.models import Outbox
from app.operations.topics import TOPICS


def tell(
    session: Session,
    *,
    topic: str,
    about: tuple[str, uuid.UUID],
    firms: Iterable[uuid.UUID],
    payload: Mapping[str, Any],
    now: dt.datetime,
) -> Outbox:
    """Write one message. It exists if, and only if, the transaction it is written in commits.

    `topic` is a row of `app.operations.topics`; `about` the kind and the id of the record (SubjectKind fits);
    `firms` whose people and endpoints hear of it; `payload` is JSON that every one of them may read: numbers of
    records and states, nothing that one party keeps from another. "contract" in it is the contract's number, "round"
    the code of a round: titles show them.

    :raises LookupError: the table has no such topic.
    """
    if topic not in TOPICS:
        raise LookupError(f"no topic {topic!r}; expected one of {', '.join(TOPICS)}")
    kind, number = about
    message = Outbox(
        topic=topic,
        about_kind=str(kind),
        about_id=number,
        firm_ids=sorted(set(firms)),
        payload=dict(payload),
        created_at=now,
    )
    session.add(message)
    return message
