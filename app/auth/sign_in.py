"""Signing in with a password: lock after repeated failures, the same answer for every kind of failure, a trace of each.

The session cookie is signed, not secret: it holds the user's id, the session token that a sign-out everywhere renews,
the times of sign-in and of the last request, and a digest of the browser's name.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import uuid
from collections.abc import MutableMapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import passwords
from app.logs import log
from app.models import SignInEvent, SignInOutcome, User

FAILURES_BEFORE_LOCK = 5
FIRST_LOCK = dt.timedelta(minutes=15)
LONGEST_LOCK = dt.timedelta(hours=24)
IDLE_LIMIT = dt.timedelta(minutes=30)
SESSION_LIMIT = dt.timedelta(hours=12)
SEEN_EVERY = dt.timedelta(minutes=1)
LONGEST_EMAIL, LONGEST_USER_AGENT = 254, 400


def normalise_email(email: str) -> str:
    return email.strip().lower()


def attempt(
    session: Session,
    *,
    email: str,
    password: str,
    now: dt.datetime,
    address: str | None,
    user_agent: str | None,
) -> User | None:
    """Check a password and record the attempt; None, without a reason, when it fails."""
    email = normalise_email(email)
    # The lock makes guesses at one account wait for each other: none is left uncounted.
    user = session.scalar(
        sa.select(User)
        .where(sa.func.lower(User.email) == email)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    outcome = _try(user, password, now)
    record(session, outcome, user=user, email=email, now=now, address=address, user_agent=user_agent)
    return user if outcome is SignInOutcome.SIGNED_IN else None


def record(
    session: Session,
    outcome: SignInOutcome,
    *,
    user: User | None,
    email: str,
    now: dt.datetime,
    address: str | None,
    user_agent: str | None,
) -> None:
    """Write one row of the trace, and one line of the log (without the address that was typed)."""
    session.add(
        SignInEvent(
            at=now,
            user_id=user.id if user else None,
            email=email[:LONGEST_EMAIL],
            outcome=outcome,
            remote_address=address,
            user_agent=user_agent[:LONGEST_USER_AGENT] if user_agent else None,
        )
    )
    session.flush()
    log.info(outcome.value, user_id=user.id if user else None, address=address)


def _try(user: User | None, password: str, now: dt.datetime) -> SignInOutcome:
    if user is None or not _is_active(user) or (user.locked_until and user.locked_until > now):
        passwords.verify_nobody(password)
        if user is None:
            return SignInOutcome.UNKNOWN_EMAIL
        return SignInOutcome.LOCKED if _is_active(user) else SignInOutcome.INACTIVE
    if not passwords.verify(user.password_hash, password):
        user.failed_attempts += 1
        if (beyond := user.failed_attempts - FAILURES_BEFORE_LOCK) >= 0:
            # The exponent is held small: 2**1000 hours is no time span.
            user.locked_until = now + min(FIRST_LOCK * 2 ** min(beyond, 10), LONGEST_LOCK)
            log.warning("account_locked", user_id=user.id, until=user.locked_until.isoformat())
        return SignInOutcome.WRONG_PASSWORD
    if passwords.is_outdated(user.password_hash):
        user.password_hash = passwords.hash_password(password)
    user.failed_attempts = 0
    user.locked_until = None
    user.last_sign_in_at = now
    return SignInOutcome.SIGNED_IN


def set_password(user: User, password: str, *, now: dt.datetime) -> None:
    """Give a user a new password; all sessions end, a lock is lifted.

    :raises Refused: the password breaks the rule.
    """
    passwords.check_new_password(password, email=user.email)
    user.password_hash = passwords.hash_password(password)
    user.password_changed_at = now
    sign_out_everywhere(user)
    user.failed_attempts = 0
    user.locked_until = None


def sign_out_everywhere(user: User) -> None:
    """End all sessions of a user: each carries the token that is replaced here."""
    user.session_token = uuid.uuid4()


def open_session(cookie: MutableMapping[str, Any], user: User, *, now: dt.datetime, user_agent: str | None) -> None:
    """Start a session in the cookie. What was in it before goes, so that nobody can plant one."""
    cookie.clear()
    cookie.update(
        user=str(user.id),
        token=str(user.session_token),
        since=now.timestamp(),
        seen=now.timestamp(),
        agent=_digest(user_agent),
        language=user.language.value,
    )


def close_session(cookie: MutableMapping[str, Any]) -> None:
    """End this session; the chosen language stays."""
    language = cookie.get("language")
    cookie.clear()
    if language:
        cookie["language"] = language


def user_of_session(
    session: Session, cookie: MutableMapping[str, Any], *, now: dt.datetime, user_agent: str | None
) -> User | None:
    """The user of a session that is still good, else None; marks the session as seen."""
    if "user" not in cookie:
        return None
    since, seen = _moment(cookie["since"]), _moment(cookie["seen"])
    if now - since > SESSION_LIMIT or now - seen > IDLE_LIMIT or cookie["agent"] != _digest(user_agent):
        return None
    user = session.get(User, uuid.UUID(cookie["user"]))
    if user is None or not _is_active(user) or not hmac.compare_digest(str(user.session_token), cookie["token"]):
        return None
    if now - seen > SEEN_EVERY:
        cookie["seen"] = now.timestamp()
    return user


def _is_active(user: User) -> bool:
    return user.active and (user.firm is None or user.firm.active)


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _digest(user_agent: str | None) -> str:
    return hashlib.sha256((user_agent or "").encode()).hexdigest()[:16]
