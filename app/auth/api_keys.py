"""Keys of ERP systems: `cd_<public id>_<secret>`. Only a digest of the secret is kept; the key is shown once."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth.principal import Principal
from app.errors import NotFound, Refused
from app.models import ApiKey
from app.permissions import KEY_SCOPES, Permission
from contracts.wording import Text

_FORM = re.compile(r"cd_(?P<public_id>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9-]{43})\Z")
_USED_EVERY = dt.timedelta(minutes=5)


def issue(
    session: Session,
    *,
    principal: Principal,
    firm_id: uuid.UUID,
    name: str,
    scopes: Iterable[Permission],
    expires_at: dt.datetime | None,
    now: dt.datetime,
) -> tuple[ApiKey, str]:
    """Make a key for a firm; returns the row and the key itself, which cannot be read again later.

    :raises NotFound: another firm's admin asks for this firm.
    :raises Refused: no scope, a scope that keys may not have, or an expiry in the past.
    """
    if principal.firm_id is not None and principal.firm_id != firm_id:
        raise NotFound("no such firm")
    wanted = frozenset(scopes)
    if not wanted:
        raise Refused(
            Text("密钥没有任何权限；应至少有一项", "the key has no scope; expected at least one"), field="scopes"
        )
    if beyond := sorted(wanted - KEY_SCOPES):
        raise Refused(
            Text(
                f"密钥不能有 {', '.join(beyond)}；应为下列中的一些：{', '.join(sorted(KEY_SCOPES))}",
                f"a key may not have {', '.join(beyond)}; expected some of {', '.join(sorted(KEY_SCOPES))}",
            ),
            field="scopes",
        )
    if expires_at is not None and expires_at <= now:
        raise Refused(
            Text(
                f"{expires_at.isoformat()} 已过；应为更晚的时间",
                f"{expires_at.isoformat()} is past; expected a later time",
            ),
            field="expires_at",
        )
    secret = secrets.token_urlsafe(32).replace("_", "-")
    key = ApiKey(
        public_id=secrets.token_hex(6),
        secret_hash=_digest(secret),
        name=name,
        firm_id=firm_id,
        created_by_id=principal.user_id,
        scopes=sorted(wanted),
        created_at=now,
        expires_at=expires_at,
    )
    session.add(key)
    session.flush()
    return key, f"cd_{key.public_id}_{secret}"


def visible_keys(principal: Principal) -> sa.Select[ApiKey]:
    """The keys that the principal may see: a firm's own; all for the platform's admin."""
    select = sa.select(ApiKey)
    return select if principal.firm_id is None else select.where(ApiKey.firm_id == principal.firm_id)


def revoke(session: Session, *, principal: Principal, key_id: uuid.UUID, now: dt.datetime) -> ApiKey:
    """End a key at once; ending it again changes nothing.

    :raises NotFound: there is no such key among those the principal may see.
    """
    key = session.scalar(visible_keys(principal).where(ApiKey.id == key_id).with_for_update())
    if key is None:
        raise NotFound("no such API key")
    key.revoked_at = key.revoked_at or now
    session.flush()
    return key


def key_of_token(session: Session, token: str, *, now: dt.datetime) -> ApiKey | None:
    """The key that a token stands for, if it is good now; notes its use."""
    parts = _FORM.match(token)
    if not parts:
        return None
    key = session.scalar(sa.select(ApiKey).where(ApiKey.public_id == parts["public_id"]))
    if key is None or not hmac.compare_digest(key.secret_hash, _digest(parts["secret"])):
        return None
    if key.revoked_at or (key.expires_at and key.expires_at <= now) or not key.firm.active:
        return None
    if key.last_used_at is None or now - key.last_used_at > _USED_EVERY:
        # Requests of one key run side by side: whoever does not get the row leaves the note to the one who did.
        free = sa.select(ApiKey.id).where(ApiKey.id == key.id).with_for_update(skip_locked=True)
        session.execute(sa.update(ApiKey).where(ApiKey.id.in_(free)).values(last_used_at=now))
    return key


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
