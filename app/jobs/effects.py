"""What happens to contracts by itself: documents are printed, bundles take effect or lapse, amendments run out."""

from __future__ import annotations

import datetime as dt
from functools import partial

from app.jobs.transactions import in_transaction
from app.logs import log
from app.operations import amendments, documents, effect, lapses


def advance_contracts(*, now: dt.datetime) -> dict[str, int]:
    """Do what is due by `now`, one transaction for each bundle; doing it again does nothing.

    Returns how many documents were printed, contracts took effect or lapsed, and amendments ran out.
    """
    done = {"printed": in_transaction(partial(documents.prepare_due, now=now)), "effective": 0}
    for bundle_id in in_transaction(partial(effect.due_bundles, now=now)):
        done["effective"] += in_transaction(partial(effect.take_effect, bundle_id=bundle_id, now=now))
    done["lapsed"] = 0
    for bundle_id in in_transaction(partial(lapses.due_bundles, now=now)):
        done["lapsed"] += in_transaction(partial(lapses.lapse, bundle_id=bundle_id, now=now))
    done["amendments_expired"] = in_transaction(partial(amendments.expire, now=now))
    if any(done.values()):
        log.info("contracts_advanced", **done)
    return done
