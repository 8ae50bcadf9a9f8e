"""What codes are called on the pages: kinds, states, reasons, tiers, roles, phases of a run.

Codes of the contract vocabulary carry their own two wordings; all others are texts of the catalogues, one table for
each kind of code.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from flask import Flask
from flask_babel import LazyString

from app.web.formats import in_words
from app.web.labels import contracts, market, people, platform
from app.web.labels.tones import tone_of
from contracts.reasons import REASONS
from contracts.state import MOVE_TEXTS, STATES, TRANSITIONS, Subject

__all__ = ["GROUPS_OF", "TABLES", "init_app", "label_of", "options", "reason_text", "tone_of"]
TABLES: Mapping[str, Mapping[str, LazyString]] = {
    **market.TABLES,
    **contracts.TABLES,
    **people.TABLES,
    **platform.TABLES,
}
_SUBJECTS = {subject.value: subject for subject in Subject}
# Which list the reasons of an event come from.
GROUPS_OF: Mapping[str, str] = {row.event: row.reasons.value for row in TRANSITIONS if row.reasons is not None}


def label_of(table: str, code: str) -> str:
    """The name of a code in the language of the page; the code itself where a newer one has no name yet."""
    code = str(code)
    if (text := TABLES.get(table, {}).get(code)) is not None:
        return str(text)
    subject = _SUBJECTS.get(table)
    if subject is not None:
        for state in STATES[subject]:
            if state.name == code:
                return in_words(state.text.zh, state.text.en)
    if table == "event" and (move := MOVE_TEXTS.get(code.partition(".")[2])) is not None:
        return in_words(move.zh, move.en)
    return code


def options(table: str, codes: list[StrEnum] | None = None) -> list[tuple[str, str]]:
    """Codes and names for a list to choose from."""
    return [(code, label_of(table, code)) for code in (codes or TABLES[table])]


def reason_text(code: str | None, given_for: str = "") -> str:
    """What a reason code says; empty without one. `given_for` is the event it was given for, or its group.

    The same code may say another thing in another group; without a group that has it, the first that has it counts.
    """
    if not code:
        return ""
    own = GROUPS_OF.get(given_for) or given_for
    for group in sorted(REASONS, key=lambda group: group != own):
        for reason in REASONS[group]:
            if reason.code == code:
                return in_words(reason.text.zh, reason.text.en)
    return code


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(label_of=label_of, tone_of=tone_of, reason_text=reason_text, options_of=options)
