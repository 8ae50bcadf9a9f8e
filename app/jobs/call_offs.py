"""The nomination calendar at work: forecasts lapse, nominations become firm, overdue confirmations are told."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from functools import partial

from app.clock import day_of
from app.jobs.transactions import in_transaction
from app.logs import log
from app.operations import call_off_timers


def run_call_off_timers(*, now: dt.datetime) -> dict[str, int]:
    """Do what is due by `now`, one transaction for each contract; doing it again does nothing.

    Returns how many call-offs lapsed, became firm, or are overdue.
    """
    done: Counter[str] = Counter()
    for contract_id in in_transaction(partial(call_off_timers.due_contracts, today=day_of(now))):
        done.update(in_transaction(partial(call_off_timers.run_timers, contract_id=contract_id, now=now)))
    if any(done.values()):
        log.info("call_off_timers", **done)
    return dict(done)
