"""Passwords: argon2id hashes and the rule for new ones."""

from __future__ import annotations

import re
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import Refused
from contracts.wording import Text

SHORTEST, LONGEST = 12, 128
FEWEST_DIFFERENT_CHARACTERS = 6
# Parts that make up most of the long passwords on public lists of the common ones.
COMMON_PARTS = ("password", "passw0rd", "qwerty", "asdfgh", "zxcvbn", "123456", "abcdef", "111111", "letmein", "woaini")
hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106, section 4, second choice


def hash_password(password: str) -> str:
    return hasher.hash(password)


def verify(stored: str, password: str) -> bool:
    """Whether the password fits the stored hash. Takes the same time for a wrong as for a right one."""
    try:
        return hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def verify_nobody(password: str) -> None:
    """Spend the time of a verification where there is no account to verify."""
    verify(_nobodys_hash(), password)


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return hasher.check_needs_rehash(stored)


@cache
def _nobodys_hash() -> str:
    return hash_password("nobody signs in with this")


def check_new_password(password: str, *, email: str) -> None:
    """The rule for a new password: length and guessability, not kinds of characters.

    :raises Refused: too short, too long, guessable, or holding the account's own name.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(
            Text(
                f"密码有 {len(password)} 个字符；应为 {SHORTEST} 至 {LONGEST} 个",
                f"the password has {len(password)} characters; expected {SHORTEST} to {LONGEST}",
            ),
            field="password",
        )
    plain = password.lower()
    if len(set(plain)) < FEWEST_DIFFERENT_CHARACTERS:
        raise Refused(
            Text(
                f"密码有 {len(set(plain))} 个不同字符；应至少 {FEWEST_DIFFERENT_CHARACTERS} 个",
                f"the password has {len(set(plain))} different characters; "
                f"expected {FEWEST_DIFFERENT_CHARACTERS} or more",
            ),
            field="password",
        )
    name = email.lower().partition("@")[0]
    own_names = {own for own in (name, re.sub(r"[^a-z0-9]", "", name)) if len(own) >= 4}
    rest = plain
    for part in (*own_names, *COMMON_PARTS):
        rest = rest.replace(part, "")
    if len(rest) < SHORTEST // 2:
        raise Refused(
            Text(
                "密码容易被猜到；不应含常见部分或您的姓名",
                "the password is easy to guess; expected one without common parts or your name",
            ),
            field="password",
        )
