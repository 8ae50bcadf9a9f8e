"""One clearing of a round, from snapshot to proposals, whoever asks for it: the queue, a command, the nightly hour.

1. a short transaction starts the attempt; 2. one consistent read freezes the snapshot; 3. the matcher works without
any transaction, its progress is written in short ones; 4. one transaction writes all of the outcome. A process killed
anywhere leaves a run that is open and an empty hand: the next attempt starts from 1.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable

from sqlalchemy.orm import Session

from app.jobs.transactions import consistent_read, in_transaction, only_one, transaction
from app.logs import log
from app.models import RunState
from app.operations import alternatives, run_outcome, runs, snapshots
from app.operations.runs import RunTakenOver
from app.operations.snapshots import FrozenRound
from matching.run import run as clear

Clock = Callable[[], dt.datetime]
Watcher = Callable[[str, int, int], None]  # phase, percent, rounds of the solver
NOTE_EVERY = 0.5  # seconds
FIRST_PERCENT, LAST_PERCENT = 5, 90  # of the matcher's own work


class AtWork(Exception):
    """Another process is clearing this run now."""


def clear_run(run_id: uuid.UUID, *, clock: Clock, watch: Watcher | None = None) -> RunState:
    """Clear an open run in this process; a run that has ended stays as it is. Returns the state it is left in.

    `watch` hears what is written as progress. What goes wrong is written on the run, which then has failed.

    :raises AtWork: another living process is at it.
    """
    with only_one("run", run_id) as alone:
        if not alone:
            raise AtWork(f"run {run_id} is being cleared by another process")
        attempt = in_transaction(lambda session: runs.start(session, run_id=run_id, now=clock()))
        if attempt is not None:
            _attempt(run_id, attempt, clock, watch)
    with transaction() as session:
        return runs.state_of(session, run_id=run_id)


def _attempt(run_id: uuid.UUID, attempt: int, clock: Clock, watch: Watcher | None) -> None:
    progress = Progress(run_id, attempt, watch)
    try:
        _clear(run_id, attempt, clock, progress)
    except RunTakenOver as taken:
        log.warning("run_taken_over", run=run_id, attempt=attempt, why=str(taken))
    except Exception as error:
        log.exception("run_failed", run=run_id, attempt=attempt)
        text = f"{type(error).__name__}: {error}"
        in_transaction(lambda session: runs.fail(session, run_id=run_id, attempt=attempt, error=text, now=clock()))


def _clear(run_id: uuid.UUID, attempt: int, clock: Clock, progress: Progress) -> None:
    with consistent_read() as session:
        frozen = snapshots.freeze(session, round_id=runs.round_of(session, run_id=run_id), now=clock())
    progress.frozen(frozen)
    answer = clear(frozen.snapshot, progress.matcher)
    progress.note("alternatives", 92, answer.certificate.rounds)
    best = alternatives.next_best(frozen.snapshot, answer)
    progress.note("writing", 96, answer.certificate.rounds)

    def write(session: Session) -> None:
        run_outcome.settle(
            session,
            run_id=run_id,
            attempt=attempt,
            frozen=frozen,
            answer=answer,
            alternatives=best,
            now=clock(),
        )

    in_transaction(write)
    log.info("run_done", run=run_id, attempt=attempt, contracts=len(answer.contracts))


class Progress:
    """Writes how far an attempt has come, in short transactions of its own, not more often than is useful."""

    def __init__(self, run_id: uuid.UUID, attempt: int, watch: Watcher | None) -> None:
        self._run_id, self._attempt, self._watch = run_id, attempt, watch
        self._phase, self._noted = "", 0.0

    def frozen(self, frozen: FrozenRound) -> None:
        """:raises RunTakenOver: as the others do."""
        self._write(snapshot_digest=frozen.snapshot.digest(), snapshot_at=frozen.taken_at)

    def matcher(self, phase: str, rounds: int, share: float) -> None:
        """What the matcher calls: the phase, its rounds so far, the share of its work that is done."""
        if phase == self._phase and time.monotonic() - self._noted < NOTE_EVERY:
            return
        self.note(phase, round(FIRST_PERCENT + (LAST_PERCENT - FIRST_PERCENT) * share), rounds)

    def note(self, phase: str, percent: int, rounds: int) -> None:
        self._write(phase=phase, percent=percent, solver_rounds=rounds)
        self._phase, self._noted = phase, time.monotonic()
        if self._watch:
            self._watch(phase, percent, rounds)

    def _write(self, **seen: object) -> None:
        with transaction() as session:
            runs.note_progress(session, run_id=self._run_id, attempt=self._attempt, **seen)
