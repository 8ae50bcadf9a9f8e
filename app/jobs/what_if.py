"""Works out a question about a copy of a round: reads the round once, clears the copy, keeps the answer.

Nothing of the round is changed. A process killed anywhere leaves the question open; the next attempt starts anew.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from app.jobs.night import AtWork, Clock
from app.jobs.transactions import consistent_read, in_transaction, only_one, transaction
from app.logs import log
from app.models import RunState, WhatIf, WhatIfKind
from app.operations import snapshots, what_if
from app.operations.what_if import WhatIfTakenOver
from app.operations.what_if_answers import changed, criticality_document, owner, scenario_document
from matching.criticality import criticality
from matching.run import run as clear
from matching.snapshot import Snapshot

LARGEST = 50  # firms that criticality looks at
NOTE_EVERY = 0.5  # seconds


def work_out(what_if_id: uuid.UUID, *, clock: Clock) -> RunState:
    """Answer an open question in this process; one that has ended stays as it is. Returns the state it is left in.

    What goes wrong is written on the question, which then has failed.

    :raises AtWork: another living process is at it.
    """
    with only_one("what_if", what_if_id) as alone:
        if not alone:
            raise AtWork(f"question {what_if_id} is being worked out by another process")
        attempt = in_transaction(lambda session: what_if.start(session, what_if_id=what_if_id, now=clock()))
        if attempt is not None:
            _attempt(what_if_id, attempt, clock)
    with transaction() as session:
        return session.get_one(WhatIf, what_if_id).state


def _attempt(what_if_id: uuid.UUID, attempt: int, clock: Clock) -> None:
    def keep(**what: Any) -> None:
        in_transaction(
            lambda session: what_if.finish(session, what_if_id=what_if_id, attempt=attempt, now=clock(), **what)
        )

    try:
        keep(result=_answer(what_if_id, Progress(what_if_id, attempt), clock))
    except WhatIfTakenOver as taken:
        log.warning("what_if_taken_over", what_if=what_if_id, attempt=attempt, why=str(taken))
    except Exception as error:
        log.exception("what_if_failed", what_if=what_if_id, attempt=attempt)
        text = f"{type(error).__name__}: {error}"
        in_transaction(
            lambda session: what_if.fail(session, what_if_id=what_if_id, attempt=attempt, error=text, now=clock())
        )
    else:
        log.info("what_if_done", what_if=what_if_id, attempt=attempt)


def _answer(what_if_id: uuid.UUID, progress: Progress, clock: Clock) -> dict[str, Any]:
    with consistent_read() as session:
        asked = session.get_one(WhatIf, what_if_id)
        kind, changes, seen = asked.kind, asked.changes, asked.run.snapshot_digest
        market = snapshots.freeze(session, round_id=asked.round_id, now=clock()).snapshot
    progress.write(same_offers=market.digest() == seen)
    if kind is WhatIfKind.CRITICALITY:
        return _criticality(market, progress)
    other = changed(market, changes)
    before = clear(market, progress.between(5, 50))
    after = clear(other, progress.between(50, 97))
    return scenario_document((market, before), (other, after))


def _criticality(market: Snapshot, progress: Progress) -> dict[str, Any]:
    heard = 0

    def hear(_firm: str) -> None:
        nonlocal heard
        heard += 1
        progress.note("clearing", min(97, 20 + 77 * heard // LARGEST))

    return criticality_document(criticality(market, LARGEST, progress=hear, owner=owner))


class Progress:
    """Writes how far an attempt has come, in short transactions of its own, not more often than is useful."""

    def __init__(self, what_if_id: uuid.UUID, attempt: int) -> None:
        self._what_if_id, self._attempt = what_if_id, attempt
        self._phase, self._noted = "", 0.0

    def between(self, first: int, last: int) -> Any:
        """What the matcher calls while its share of the work is done, from one percent to another."""

        def hear(phase: str, _rounds: int, share: float) -> None:
            self.note(phase, round(first + (last - first) * share))

        return hear

    def note(self, phase: str, percent: int) -> None:
        if phase == self._phase and time.monotonic() - self._noted < NOTE_EVERY:
            return
        self.write(phase=phase, percent=percent)
        self._phase, self._noted = phase, time.monotonic()

    def write(self, **seen: object) -> None:
        """:raises WhatIfTakenOver: the question is no longer this attempt's."""
        with transaction() as session:
            what_if.note_progress(session, what_if_id=self._what_if_id, attempt=self._attempt, **seen)
