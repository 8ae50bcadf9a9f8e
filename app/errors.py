"""How operations refuse. `app.problems` turns each of these into an answer; nothing here knows HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.wording import Text
from market.errors import MarketError


class Told(MarketError):
    """A refusal that people read; `text` says it in both languages."""

    def __init__(self, message: Text) -> None:
        self.text = message
        super().__init__(message.en)


class NotFound(MarketError):
    """There is no such record, or it is not the asker's: both look the same from outside."""


class Forbidden(Told):
    """The record is the asker's to see, the act is not the asker's to do."""


class Conflict(Told):
    """The record is not in a state that admits this; `open_moves` names the moves that are possible now."""

    def __init__(self, message: Text, *, open_moves: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.open_moves = tuple(open_moves)


class Refused(Told):
    """Well-formed, but against a rule of the market; `field` is the place in the input, as in "lines/0/quantity".

    `further` holds what else was found wrong with the same input.
    """

    def __init__(self, message: Text, *, field: str | None = None, further: Sequence[Refused] = ()) -> None:
        super().__init__(message)
        self.field = field
        self.further = tuple(further)
