"""What every part of the exchange raises when it refuses."""

from __future__ import annotations

from dataclasses import dataclass


class MarketError(Exception):
    """A refusal with a reason a person can act on; the base of all domain errors."""


class InvalidValue(MarketError):
    """A value is not what its place expects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong in an input: where it is, what was found, what was expected.

    `place` names a file or sheet, `row` counts from 1 with the header as row 1, `column` is the header's name.
    `found` and `expected` are English; the Chinese stands beside them where they are more than a value.
    """

    place: str
    row: int | None
    column: str | None
    found: str
    expected: str
    found_zh: str | None = None
    expected_zh: str | None = None

    def __str__(self) -> str:
        where = self.place
        if self.row is not None:
            where += f", row {self.row}"
        if self.column is not None:
            where += f", column {self.column}"
        return f"{where}: {self.found}; expected {self.expected}"


class BadInput(MarketError):
    """An input document was refused as a whole; `faults` has one line per thing wrong."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults
