"""The state table as a page to read, drawn from the same rows that the exchange obeys."""

from __future__ import annotations

from .state import MOVE_TEXTS, RULE_VERSION, STATES, TRANSITIONS, Subject, end_states
from .transitions import Transition

HEADING = f"""# States and moves

The rule set `{RULE_VERSION}`, written from `contracts/transitions.py`; a test compares this page with the table.
Where a move has several rows from one state, any one of them suffices; the guards of a row hold together.

    python -c "from contracts.state_table import as_markdown; print(as_markdown(), end='')" > docs/contracts/states.md
"""


def as_markdown() -> str:
    """The page docs/contracts/states.md."""
    return HEADING + "".join(_section(subject) for subject in Subject)


def _section(subject: Subject) -> str:
    names = {state.name: state.text.zh for state in STATES[subject]}
    listed = ", ".join(f"{name} ({zh})" for name, zh in names.items())
    reserving = ", ".join(state.name for state in STATES[subject] if state.reserves) or "none"
    rows = "".join(_row(row) for row in TRANSITIONS if row.subject == subject)
    return (
        f"\n## {subject.replace('_', '-').capitalize()}\n\n"
        f"States: {listed}.\n"
        f"Ends: {', '.join(end_states(subject))}.\n"
        f"Volume reserved in: {reserving}.\n\n"
        f"```mermaid\nstateDiagram-v2\n{_drawn(subject)}```\n\n"
        "| from | move | to | who | guards | timer | reason |\n|---|---|---|---|---|---|---|\n" + rows
    )


def _drawn(subject: Subject) -> str:
    """The same rows as a diagram: one arrow from a state to another, with all moves that lead so."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for row in TRANSITIONS:
        if row.subject == subject:
            names = arrows.setdefault((row.from_state or "[*]", row.to_state), [])
            if row.move not in names:
                names.append(row.move)
    lines = [f"    {before} --> {after}: {', '.join(names)}\n" for (before, after), names in arrows.items()]
    return "".join(lines) + "".join(f"    {end} --> [*]\n" for end in end_states(subject))


def _row(row: Transition) -> str:
    cells = (
        row.from_state or "(none)",
        f"{row.move} {MOVE_TEXTS[row.move].zh}",
        row.to_state,
        ", ".join(sorted(row.actors)),
        ", ".join(row.guards),
        row.timer or "",
        row.reasons or "",
    )
    return f"| {' | '.join(cells)} |\n"
