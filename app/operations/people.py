"""People: a firm's admin keeps his own team, the platform's admin keeps all."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.auth.passwords import hash_password
from app.errors import Conflict, NotFound, Refused
from app.models import Firm, Language, User, UserRole
from app.permissions import FIRM_ROLES
from contracts.wording import Text


def visible_users(principal: Principal) -> sa.Select[User]:
    """A firm's own team; all for the platform."""
    select = sa.select(User)
    return select if principal.firm_id is None else select.where(User.firm_id == principal.firm_id)


def find_user(session: Session, *, principal: Principal, user_id: uuid.UUID, lock: bool = False) -> User:
    """:raises NotFound: there is no such person among those the asker may see."""
    select = visible_users(principal).where(User.id == user_id)
    found = session.scalar(select.with_for_update(of=User) if lock else select)
    if found is None:
        raise NotFound("no such user")
    return found


def invite(
    session: Session,
    *,
    principal: Principal,
    email: str,
    name: str,
    role: UserRole,
    firm_id: uuid.UUID | None,
    language: Language,
    now: dt.datetime,
) -> tuple[User, str]:
    """Make an account; returns the person and a first password, which cannot be read again later.

    A firm's admin makes accounts of his own firm, which is what he gets without naming one.

    :raises NotFound: a firm's admin names another firm.
    :raises Refused: the role does not fit the firm, or the asker may not give it.
    :raises Conflict: the address has an account.
    """
    if principal.firm_id is not None:
        if firm_id not in {None, principal.firm_id}:
            raise NotFound("no such firm")
        firm_id = principal.firm_id
    _check_role(role, firm_id)
    if firm_id is not None and session.get(Firm, firm_id) is None:
        raise Refused(
            Text(f"没有企业 {firm_id}；应为已登记的企业", f"there is no firm {firm_id}; expected a registered one"),
            field="firm_id",
        )
    if session.scalar(sa.select(User.id).where(sa.func.lower(User.email) == email.lower())) is not None:
        raise Conflict(Text("该邮箱已有账号", "this address has an account"))
    password = secrets.token_urlsafe(15)
    user = User(
        email=email,
        name=name,
        role=role,
        firm_id=firm_id,
        language=language,
        password_hash=hash_password(password),
        created_at=now,
    )
    session.add(user)
    session.flush()
    return user, password


def change_user(
    session: Session,
    *,
    principal: Principal,
    user_id: uuid.UUID,
    name: str | None = None,
    role: UserRole | None = None,
    language: Language | None = None,
    active: bool | None = None,
) -> User:
    """Change what is named. A new role or the end of an account signs the person out everywhere.

    :raises NotFound: no such person among those the asker may see.
    :raises Refused: the role does not fit the firm, or the asker would change his own role or end his own account.
    """
    user = find_user(session, principal=principal, user_id=user_id, lock=True)
    if user.id == principal.user_id and (role not in {None, user.role} or active is False):
        raise Refused(
            Text(
                "不能更改自己的角色或停用自己的账号；应由他人操作",
                "nobody changes his own role or ends his own account; expected another person",
            )
        )
    if role is not None and role is not user.role:
        _check_role(role, user.firm_id)
        user.role, user.session_token = role, uuid.uuid4()
    if active is not None and active is not user.active:
        user.active, user.session_token = active, uuid.uuid4()
    user.name = name or user.name
    user.language = language or user.language
    session.flush()
    return user


def new_password(session: Session, *, principal: Principal, user_id: uuid.UUID) -> tuple[User, str]:
    """Give a person a new first password, free the lock and sign him out everywhere; the password is told once.

    :raises NotFound: no such person among those the asker may see.
    """
    user = find_user(session, principal=principal, user_id=user_id, lock=True)
    password = secrets.token_urlsafe(15)
    user.password_hash, user.session_token = hash_password(password), uuid.uuid4()
    user.failed_attempts, user.locked_until, user.password_changed_at = 0, None, None
    session.flush()
    return user, password


def _check_role(role: UserRole, firm_id: uuid.UUID | None) -> None:
    if firm_id is not None and role not in FIRM_ROLES:
        raise Refused(
            Text(
                "该角色属于平台；应为企业的角色",
                f"{role} is a role of the platform; expected firm_trader or firm_admin",
            ),
            field="role",
        )
    if firm_id is None and role in FIRM_ROLES:
        raise Refused(
            Text("该角色属于企业；应指明企业", f"{role} is a role of a firm; expected the firm to be named"),
            field="firm_id",
        )
