"""People to sign in as: one for each role, with first passwords that are drawn here and written to one private file."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.models import Language, User, UserRole
from app.operations import people

DOMAIN = "demo.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of the demo; `firm` is a label of the reference tables."""

    account: str
    name: str
    role: UserRole
    firm: str | None = None

    @property
    def email(self) -> str:
        return f"{self.account}@{DOMAIN}"


# Both sides of a trade, so that a proposal can be accepted by both; nobody here works for the firm named.
PERSONS = (
    Person(account="trader.yuneng", name="演示交易员 · 湖南裕能", role=UserRole.FIRM_TRADER, firm="yuneng"),
    Person(account="admin.yuneng", name="演示管理员 · 湖南裕能", role=UserRole.FIRM_ADMIN, firm="yuneng"),
    Person(account="trader.catl", name="演示交易员 · 宁德时代", role=UserRole.FIRM_TRADER, firm="catl"),
    Person(account="staff", name="演示审核员", role=UserRole.PLATFORM_STAFF),
    Person(account="senior", name="演示高级审核员", role=UserRole.SENIOR_STAFF),
    Person(account="regulator", name="演示监管员", role=UserRole.REGULATOR),
    Person(account="admin", name="演示平台管理员", role=UserRole.PLATFORM_ADMIN),
)


def settle(session: Session, *, firms: Mapping[str, uuid.UUID], file: Path, now: dt.datetime) -> dict[str, str]:
    """Make the accounts that are missing; returns the new passwords by address.

    Where the file with the passwords is gone, all accounts get new ones: nobody can read the old ones again.
    """
    known = {user.email: user for user in session.scalars(people.visible_users(SYSTEM).order_by(User.id))}
    passwords: dict[str, str] = {}
    for person in PERSONS:
        user = known.get(person.email)
        if user is None:
            _, passwords[person.email] = people.invite(
                session,
                principal=SYSTEM,
                email=person.email,
                name=person.name,
                role=person.role,
                firm_id=None if person.firm is None else firms[person.firm],
                language=Language.CHINESE,
                now=now,
            )
        elif not file.exists():
            _, passwords[person.email] = people.new_password(session, principal=SYSTEM, user_id=user.id)
    return passwords


def keep(passwords: Mapping[str, str], file: Path) -> None:
    """Write new passwords to the file, which only its owner may read; those of other accounts stay in it."""
    if not passwords:
        return
    kept = dict(line.split()[:2] for line in file.read_text().splitlines() if line) if file.exists() else {}
    kept |= passwords
    roles = {person.email: person.role.value for person in PERSONS}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # whatever its mode was
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.writelines(
            f"{email:<28} {password:<22} {roles[email]}\n" for email, password in kept.items() if email in roles
        )
