"""Who asks: one frozen record per request, whatever the way of signing in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal

from flask import g

from app.models import ApiKey, User, UserRole
from app.permissions import GRANTS, KEY_SCOPES, Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A signed-in person, an API key, or the platform itself (jobs and commands).

    `firm_id` is set for firm roles only: whoever has one sees and does nothing outside that firm.
    """

    kind: Literal["user", "api_key", "system"]
    permissions: frozenset[Permission]
    roles: frozenset[UserRole] = frozenset()
    user_id: uuid.UUID | None = None
    api_key_id: uuid.UUID | None = None
    firm_id: uuid.UUID | None = None

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def __str__(self) -> str:
        """Name for logs and for keys that belong to one principal: "user:<id>", "api_key:<id>", "system"."""
        number = self.user_id if self.kind == "user" else self.api_key_id
        return self.kind if number is None else f"{self.kind}:{number}"


SYSTEM = Principal(kind="system", permissions=frozenset(Permission))


def of_user(user: User) -> Principal:
    """What a person may do follows from the role alone."""
    return Principal(
        kind="user",
        user_id=user.id,
        firm_id=user.firm_id,
        roles=frozenset({user.role}),
        permissions=GRANTS[user.role],
    )


def of_api_key(key: ApiKey) -> Principal:
    """A key acts for its firm, with its scopes as far as keys may have them today."""
    return Principal(
        kind="api_key", api_key_id=key.id, firm_id=key.firm_id, permissions=KEY_SCOPES.intersection(key.scopes)
    )


def current_principal() -> Principal | None:
    """Who makes the current request; None when nobody signed in. The database is asked at most once, if at all.

    :raises Unauthorized: the request carries a key that is no good.
    """
    if "principal" not in g:
        g.principal = g.identify() if "identify" in g else None
    found: Principal | None = g.principal
    return found


def principal() -> Principal:
    """Who makes the current request, in a view that `requires` a permission."""
    found = current_principal()
    if found is None:
        raise LookupError("no principal: the view is public, or there is no request")
    return found
