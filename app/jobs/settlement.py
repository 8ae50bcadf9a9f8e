"""The settlement of a day: whatever is due under any contract is issued."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from functools import partial

from sqlalchemy.orm import Session

from app.jobs.transactions import in_transaction
from app.logs import log
from app.operations import invoicing


def issue_all(*, now: dt.datetime) -> dict[str, int]:
    """Issue what is due on the day of `now`, one transaction for each contract; doing it again does nothing.

    A contract that fails does not hold the others up: it is logged and left as it was. Returns how many invoices and
    statements were issued, how many periods wait, how many contracts failed.
    """
    done: Counter[str] = Counter(invoices=0, statements=0, waiting=0, failed=0)
    for contract_id in in_transaction(invoicing.contracts_with_dues):
        try:
            done.update(in_transaction(partial(_issue, contract_id=contract_id, now=now)))
        except Exception:
            log.exception("settlement_failed", contract=contract_id)
            done["failed"] += 1
    if any(done.values()):
        log.info("settlement", **done)
    return dict(done)


def _issue(session: Session, *, contract_id: uuid.UUID, now: dt.datetime) -> dict[str, int]:
    issued = invoicing.issue_due(session, contract_id=contract_id, now=now)
    return {"invoices": len(issued.invoices), "statements": issued.statements, "waiting": len(issued.waiting)}
