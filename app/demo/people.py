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


STAFF = Person(account="staff", name="演示审核员", role=UserRole.PLATFORM_STAFF)
SENIOR = Person(account="senior", name="演示高级审核员", role=UserRole.SENIOR_STAFF)
# Both sides of a trade, so that a proposal can be accepted by both; nobody here works for the firm named.
PERSONS = (
    Person(account="trader.yuneng", name="演示交易员 · 湖南裕能", role=UserRole.FIRM_TRADER, firm="yuneng"),
    Person(account="admin.yuneng", name="演示管理员 · 湖南裕能", role=UserRole.FIRM_ADMIN, firm="yuneng"),
    Person(account="trader.catl", name="演示交易员 · 宁德时代", role=UserRole.FIRM_TRADER, firm="catl"),
    STAFF,
    SENIOR,
    Person(account="regulator", name="演示监管员", role=UserRole.REGULATOR),
    Person(account="admin", name="演示平台管理员", role=UserRole.PLATFORM_ADMIN),
)
# The two firms of the contract whose life is played; which they are the night decides.
SELLER = Person(account="seller", name="演示交易员 · 卖方", role=UserRole.FIRM_TRADER)
BUYER = Person(account="buyer", name="演示交易员 · 买方", role=UserRole.FIRM_TRADER)


EVERYBODY = (*PERSONS, SELLER, BUYER)


def persons_with_firms(firms: Mapping[str, uuid.UUID]) -> dict[Person, uuid.UUID | None]:
    """Those of every demo and the firms they act for, by the labels of the reference tables."""
    return {person: None if person.firm is None else firms[person.firm] for person in PERSONS}


def settle(
    session: Session, *, persons: Mapping[Person, uuid.UUID | None], file: Path, now: dt.datetime
) -> dict[str, str]:
    """Make the accounts that are missing, each for its firm; returns the new passwords by address.

    Whose password is not in the file gets a new one: nobody can read the old one again.
    """
    known = {user.email: user for user in session.scalars(people.visible_users(SYSTEM).order_by(User.id))}
    kept = _read(file)
    passwords: dict[str, str] = {}
    for person, firm_id in persons.items():
        user = known.get(person.email)
        if user is None:
            _, passwords[person.email] = people.invite(
                session,
                principal=SYSTEM,
                email=person.email,
                name=person.name,
                role=person.role,
                firm_id=firm_id,
                language=Language.CHINESE,
                now=now,
            )
        elif person.email not in kept:
            _, passwords[person.email] = people.new_password(session, principal=SYSTEM, user_id=user.id)
    return passwords


def keep(passwords: Mapping[str, str], file: Path) -> None:
    """Write new passwords to the file, which only its owner may read; those of other accounts stay in it."""
    if not passwords:
        return
    kept = {**_read(file), **passwords}
    roles = {person.email: person.role.value for person in EVERYBODY}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # whatever its mode was
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.writelines(
            f"{email:<28} {password:<22} {roles[email]}\n" for email, password in kept.items() if email in roles
        )


def _read(file: Path) -> dict[str, str]:
    """The passwords in the file by address; none where there is no file."""
    if not file.exists():
        return {}
    return {line.split()[0]: line.split()[1] for line in file.read_text().splitlines() if line}
