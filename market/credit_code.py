"""The unified social credit code (统一社会信用代码) of a Chinese legal entity.

Eighteen characters: authority, category, six digits of region, nine of organisation code, one check character.
Source: GB 32100-2015; the organisation code inside carries its own check character by GB 11714-1997.
"""

from __future__ import annotations

from .errors import InvalidValue

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ORGANISATION_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LENGTH = 18


def check_character(body: str) -> str:
    """The last character for the first seventeen: 31 less the sum of value x 3^position, modulo 31."""
    total = sum(ALPHABET.index(character) * pow(3, position, 31) for position, character in enumerate(body))
    return ALPHABET[(31 - total % 31) % 31]


def organisation_check(body: str) -> str:
    """The ninth character of an organisation code for its first eight, modulo 11 with X for ten."""
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(
        ORGANISATION_ALPHABET.index(character) * weight for character, weight in zip(body, weights, strict=True)
    )
    remainder = (11 - total % 11) % 11
    return "X" if remainder == 10 else str(remainder)


def validate(code: str) -> str:
    """The code in capitals, if it is one.

    :raises InvalidValue: wrong length, a character outside the alphabet, or a check character that does not fit.
    """
    code = code.strip().upper()
    if len(code) != LENGTH:
        raise InvalidValue(f"credit code has {len(code)} characters; expected {LENGTH}")
    for position, character in enumerate(code, start=1):
        if character not in ALPHABET:
            raise InvalidValue(
                f"credit code has {character!r} at position {position}; expected a digit or a capital letter other "
                "than I, O, S, V, Z"
            )
    if not code[2:8].isdigit():
        raise InvalidValue(f"credit code has region {code[2:8]!r}; expected six digits")
    if (expected := organisation_check(code[8:16])) != code[16]:
        raise InvalidValue(f"credit code has organisation check character {code[16]!r}; expected {expected!r}")
    if (expected := check_character(code[:17])) != code[17]:
        raise InvalidValue(f"credit code ends in {code[17]!r}; its check character would be {expected!r}")
    return code


def complete(body: str) -> str:
    """A whole code from its first sixteen characters, both check characters worked out."""
    if len(body) != LENGTH - 2:
        raise InvalidValue(f"the body of a credit code has {LENGTH - 2} characters, not {len(body)}")
    seventeen = body + organisation_check(body[8:])
    return validate(seventeen + check_character(seventeen))
