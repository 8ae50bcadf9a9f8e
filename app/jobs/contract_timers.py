"""The clocks of contracts in force and of claims: what is due comes to its end, what the price triggers is opened."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from app.jobs.transactions import Result, in_transaction
from app.logs import log
from app.operations import claims, endings, reopeners


def run_contract_timers(*, now: dt.datetime) -> Counter[str]:
    """Make every move that is due by `now`, each in a transaction of its own; doing it again does nothing.

    Returns how many contracts came to which end ("fulfilled", "expired"), how many drafts of claims lapsed
    ("lapsed_claims"), and how many reopeners were opened and closed ("reopened", "closed").
    """
    done: Counter[str] = Counter()
    for contract_id in in_transaction(endings.running):
        ended = _each(partial(endings.end_if_due, contract_id=contract_id, now=now), contract_id)
        if ended is not None:
            done[ended] += 1
        else:
            done["reopened"] += _each(partial(reopeners.check, contract_id=contract_id, now=now), contract_id) or 0
    for claim_id in in_transaction(partial(claims.overdue_drafts, now=now)):
        done["lapsed_claims"] += _each(partial(claims.lapse, claim_id=claim_id, now=now), claim_id) or 0
    for reopening_id in in_transaction(reopeners.open_ones):
        closed = _each(partial(reopeners.close_if_due, reopening_id=reopening_id, now=now), reopening_id)
        done["closed"] += closed is not None
    done = +done
    if done:
        log.info("contract_timers", **done)
    return done


def _each(work: Callable[[Session], Result], about: uuid.UUID) -> Result | None:
    """One record's turn. What goes wrong with it is logged and tried again next time; the others have theirs."""
    try:
        return in_transaction(work)
    except Exception:
        log.exception("contract_timer_failed", about=about)
        return None
