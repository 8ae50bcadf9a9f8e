"""A long file of offers, worked through by a job: started, watched, ended. The rows themselves are `offer_import`'s."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.auth.principal import of_api_key, of_user
from app.errors import Conflict, Forbidden, NotFound
from app.models import ApiKey, ImportState, OfferImport, User
from app.permissions import Permission
from contracts.wording import Text
from market.errors import MarketError

OPEN = (ImportState.QUEUED, ImportState.RUNNING)
MOST_ATTEMPTS = 3
LONGEST_ERROR = 4000
CHECKED_PERCENT = 60  # of the work is done when all rows are checked; the rest is writing


class ImportTakenOver(MarketError):
    """The file is worked through, or another process has started it anew: this one must leave it alone."""


def start(session: Session, *, import_id: uuid.UUID, now: dt.datetime) -> int | None:
    """Begin an attempt at an open file; returns its number, or None when there is nothing (more) to do.

    A file that ended its worker too often fails instead of ending the next one.
    """
    found = _locked(session, import_id)
    if found.state not in OPEN:
        return None
    if found.attempt >= MOST_ATTEMPTS:
        _fail(
            found,
            f"已放弃：{found.attempt} 次尝试均未完成 / given up: {found.attempt} attempts ended without an answer",
            now,
        )
        return None
    found.state, found.attempt, found.checked_count = ImportState.RUNNING, found.attempt + 1, 0
    session.flush()
    return found.attempt


def note_checked(session: Session, *, import_id: uuid.UUID, attempt: int, checked: int) -> None:
    """Write how many rows an attempt has looked at.

    :raises ImportTakenOver: it is no longer this attempt's file.
    """
    mine = (OfferImport.id == import_id, OfferImport.attempt == attempt, OfferImport.state == ImportState.RUNNING)
    change = sa.update(OfferImport).where(*mine).values(checked_count=checked)
    if cast("sa.CursorResult[Any]", session.execute(change)).rowcount != 1:
        raise ImportTakenOver(f"file {import_id} is no longer attempt {attempt}'s")


def hold(session: Session, *, import_id: uuid.UUID, attempt: int) -> None:
    """Lock the file of an attempt until the transaction ends.

    :raises ImportTakenOver: it is no longer this attempt's.
    """
    mine = (OfferImport.id == import_id, OfferImport.attempt == attempt, OfferImport.state == ImportState.RUNNING)
    if session.scalar(sa.select(OfferImport.id).where(*mine).with_for_update()) is None:
        raise ImportTakenOver(f"file {import_id} is no longer attempt {attempt}'s")


def sender(session: Session, offer_import: OfferImport, *, now: dt.datetime) -> Principal:
    """Who sent the file, with what he may do today.

    :raises Forbidden: his account or key has ended, or may not post offers any more.
    """
    found: Principal | None = None
    if offer_import.uploaded_by_id is not None:
        user = session.get_one(User, offer_import.uploaded_by_id)
        found = of_user(user) if user.active else None
    elif offer_import.uploaded_by_key_id is not None:
        key = session.get_one(ApiKey, offer_import.uploaded_by_key_id)
        is_good = key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
        found = of_api_key(key) if is_good else None
    if found is None or found.firm_id != offer_import.firm_id or not found.may(Permission.OFFER_IMPORT):
        raise Forbidden(
            Text(
                "上传者的账户或密钥已失效", "whoever sent the file has no account or key any more that may post offers"
            )
        )
    return found


def fail(session: Session, *, import_id: uuid.UUID, attempt: int, error: str, now: dt.datetime) -> None:
    """End a file without an answer; the reason stays visible. Nothing happens if it is no longer this attempt's."""
    found = _locked(session, import_id)
    if found.state is ImportState.RUNNING and found.attempt == attempt:
        _fail(found, error, now)
        session.flush()


def give_up(session: Session, *, import_id: uuid.UUID, now: dt.datetime) -> None:
    """End a file that still waits; its firm sees that it was taken out of the queue.

    :raises NotFound: there is no such file.
    :raises Conflict: it does not wait any more.
    """
    found = _locked(session, import_id)
    if found.state is not ImportState.QUEUED:
        raise Conflict(Text("该文件不在等待中", f"the file is {found.state}; expected one that waits"))
    _fail(found, "平台已将该文件移出队列，请重新上传 / the platform took the file out of the queue; send it again", now)
    session.flush()


def percent(offer_import: OfferImport) -> int:
    """How far a file is: up to 60 % with the rows checked, the rest is writing."""
    if offer_import.state not in OPEN:
        return 100
    return CHECKED_PERCENT * offer_import.checked_count // max(1, offer_import.row_count)


def _fail(found: OfferImport, error: str, now: dt.datetime) -> None:
    found.state, found.finished_at, found.error = ImportState.FAILED, now, error[:LONGEST_ERROR]


def _locked(session: Session, import_id: uuid.UUID) -> OfferImport:
    query = sa.select(OfferImport).where(OfferImport.id == import_id).with_for_update()
    found = session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise NotFound("no such import")
    return found
