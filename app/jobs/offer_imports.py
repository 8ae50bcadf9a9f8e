"""Works through a long file of offers: a short transaction starts the attempt, one writes all of the outcome.

A process killed anywhere leaves the file open and nothing posted; the next attempt starts anew.
"""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Refused
from app.jobs.night import AtWork, Clock
from app.jobs.transactions import in_transaction, only_one, transaction
from app.logs import log
from app.models import ImportState, OfferImport
from app.operations import offer_import, offer_import_job
from app.operations.offer_import_job import ImportTakenOver


def work_through(import_id: uuid.UUID, *, clock: Clock) -> ImportState:
    """Work through an open file in this process; one that has ended stays as it is. Returns the state it is left in.

    What goes wrong is written on the file, which then has failed.

    :raises AtWork: another living process is at it.
    """
    with only_one("offer_import", import_id) as alone:
        if not alone:
            raise AtWork(f"file {import_id} is being worked through by another process")
        attempt = in_transaction(lambda session: offer_import_job.start(session, import_id=import_id, now=clock()))
        if attempt is not None:
            _attempt(import_id, attempt, clock)
    with transaction() as session:
        return session.get_one(OfferImport, import_id).state


def _attempt(import_id: uuid.UUID, attempt: int, clock: Clock) -> None:
    def fail(error: str) -> None:
        in_transaction(
            lambda session: offer_import_job.fail(
                session, import_id=import_id, attempt=attempt, error=error, now=clock()
            )
        )

    try:
        in_transaction(lambda session: _post(session, import_id, attempt, clock))
    except ImportTakenOver as taken:
        log.warning("offer_import_taken_over", offer_import=import_id, attempt=attempt, why=str(taken))
    except (Refused, Conflict, Forbidden) as refusal:
        fail(f"{refusal.text.zh} / {refusal.text.en}" if refusal.text.zh != refusal.text.en else refusal.text.en)
    except Exception as error:
        log.exception("offer_import_failed", offer_import=import_id, attempt=attempt)
        fail(f"{type(error).__name__}: {error}")
    else:
        log.info("offer_import_done", offer_import=import_id, attempt=attempt)


def _post(session: Session, import_id: uuid.UUID, attempt: int, clock: Clock) -> None:
    found = session.get_one(OfferImport, import_id)

    def told(checked: int) -> None:
        with transaction() as short:
            offer_import_job.note_checked(short, import_id=import_id, attempt=attempt, checked=checked)

    now = clock()
    offer_import.work_through(
        session,
        principal=offer_import_job.sender(session, found, now=now),
        offer_import=found,
        file=offer_import.read_file(session, found),
        now=now,
        told=told,
    )
    # The outcome is not to be sent before it is sure that the file is still this attempt's.
    with session.no_autoflush:
        offer_import_job.hold(session, import_id=import_id, attempt=attempt)
