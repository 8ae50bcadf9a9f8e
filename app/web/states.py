"""The state table as a page: what may become of a proposal, a contract, a call-off ..., drawn and told move by move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app.auth import requires
from app.permissions import Permission
from app.web.formats import in_words
from app.web.state_drawing import HEIGHT, WIDTH, draw
from contracts.state import (
    ACTOR_TEXTS,
    GUARD_TEXTS,
    MOVE_TEXTS,
    REASONS,
    RULE_VERSION,
    STATES,
    SUBJECT_TEXTS,
    TABLES,
    TIMER_TEXTS,
    Subject,
    Transition,
    table_of,
)
from contracts.wording import Text

blueprint = Blueprint("states", __name__)


@blueprint.get("/states")
@requires(Permission.REFERENCE_READ)
def show() -> ResponseReturnValue:
    """One subject of the table (`?subject=`, a contract without it) in one of its rule sets (`?rules=`, the newest)."""
    asked, rules = request.args.get("subject"), request.args.get("rules")
    subject = Subject(asked) if asked in set(Subject) else Subject.CONTRACT
    version = rules if rules is not None and rules in TABLES else RULE_VERSION
    rows = [row for row in table_of(version) if row.subject is subject]
    return render_template(
        "states.html",
        subject=subject,
        subjects=[(one.value, _in_words(SUBJECT_TEXTS[one])) for one in Subject],
        version=version,
        versions=sorted(TABLES, reverse=True),
        names={state.name: _in_words(state.text) for state in STATES[subject]},
        states=STATES[subject],
        drawing=draw(subject, rows),
        box=(WIDTH, HEIGHT),
        moves=[_told(row) for row in rows],
    )


def _told(row: Transition) -> dict[str, Any]:
    """One row of the table in the language of the page."""
    return {
        "from": row.from_state,
        "to": row.to_state,
        "move": _in_words(MOVE_TEXTS[row.move]),
        "who": _listed(ACTOR_TEXTS[actor] for actor in sorted(row.actors)),
        "guards": [_in_words(GUARD_TEXTS[guard]) for guard in row.guards],
        "timer": None if row.timer is None else _in_words(TIMER_TEXTS[row.timer]),
        "reasons": [_in_words(reason.text) for reason in REASONS[row.reasons]] if row.reasons else [],
    }


def _listed(texts: Iterable[Text]) -> str:
    found = list(texts)
    return in_words("、".join(text.zh for text in found), ", ".join(text.en for text in found))


def _in_words(text: Text) -> str:
    return in_words(text.zh, text.en)
