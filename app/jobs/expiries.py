"""What has run out of time comes to its end: offers past their validity, proposals past their deadline."""

from __future__ import annotations

import datetime as dt
import uuid
from functools import partial

from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.jobs.transactions import in_transaction
from app.logs import log
from app.operations import counters, expiry, offers


def expire_all(*, now: dt.datetime) -> dict[str, int]:
    """Expire what is due by `now`, one transaction for the offers and one for each bundle; doing it again does nothing.

    Returns how many offers, proposals and counter-offers came to their end.
    """
    ended = {"offers": in_transaction(partial(offers.expire, principal=SYSTEM, now=now)), "proposals": 0, "counters": 0}
    for bundle_id in in_transaction(partial(expiry.due_bundles, now=now)):
        ended["proposals"] += in_transaction(partial(_expire_bundle, bundle_id=bundle_id, now=now))
    for proposal_id in in_transaction(partial(counters.due, now=now)):
        ended["counters"] += in_transaction(partial(counters.expire, proposal_id=proposal_id, now=now))
    if any(ended.values()):
        log.info("expired", **ended)
    return ended


def _expire_bundle(session: Session, *, bundle_id: uuid.UUID, now: dt.datetime) -> int:
    return expiry.expire_bundle(session, bundle_id=bundle_id, now=now)
