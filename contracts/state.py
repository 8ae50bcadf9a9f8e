"""Moving along the state table: which moves are open, and whether one may be made.

Nothing here knows a transition; all of them are rows of `transitions.TABLES`.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from enum import StrEnum
from typing import TypeVar

from market.errors import InvalidValue, MarketError

from .reasons import REASONS, ReasonGroup, codes_of
from .transitions import MOVE_TEXTS, RULE_VERSION, TABLES, TRANSITIONS, Transition
from .vocabulary import (
    ACTOR_TEXTS,
    GUARD_TEXTS,
    STATES,
    SUBJECT_TEXTS,
    TIMER_TEXTS,
    Actor,
    Guard,
    State,
    Subject,
    Timer,
)
from .wording import Text

__all__ = [
    "ACTOR_TEXTS",
    "GUARD_TEXTS",
    "MOVE_TEXTS",
    "REASONS",
    "RULE_VERSION",
    "STATES",
    "SUBJECT_TEXTS",
    "TABLES",
    "TIMER_TEXTS",
    "TRANSITIONS",
    "Actor",
    "BundleRefused",
    "Guard",
    "MoveRefused",
    "ReasonGroup",
    "State",
    "Subject",
    "Timer",
    "Transition",
    "describe",
    "end_states",
    "find_transition",
    "move",
    "move_bundle",
    "moves_from",
    "reserves_volume",
    "state_names",
    "table_of",
    "timers_in",
]


Member = TypeVar("Member", bound=Hashable)
Name = TypeVar("Name", bound=StrEnum)


class MoveRefused(MarketError):
    """A move that is not open: not from this state, not to this actor, not with these guards or this reason.

    `text` says it in both languages, `open_moves` lists the names of the moves the actor has from this state (guards
    aside), `missing` the guards that stood in the way (one tuple for each row that would have allowed it),
    `reason_codes` the codes to choose from when the reason was what lacked.
    """

    def __init__(
        self,
        *,
        subject: Subject,
        state: str | None,
        name: str,
        actor: Actor,
        why: Text,
        missing: tuple[tuple[Guard, ...], ...] = (),
        reason_codes: tuple[str, ...] = (),
        rule_version: str = RULE_VERSION,
    ) -> None:
        self.subject, self.state, self.name, self.actor = subject, state, name, actor
        self.why, self.missing, self.reason_codes = why, missing, reason_codes
        self.open_moves = sorted({row.move for row in moves_from(subject, state, actor, rule_version=rule_version)})
        self.text = self._told()
        super().__init__(self.text.en)

    def _told(self) -> Text:
        listed = ", ".join(self.open_moves) or "none"
        where = f"{self.subject} in state {self.state}" if self.state else f"new {self.subject}"
        english = f"{where}: {self.name!r} by {self.actor} refused: {self.why.en}; open to {self.actor}: {listed}"
        subject, actor = SUBJECT_TEXTS[self.subject].zh, ACTOR_TEXTS[self.actor].zh
        state = next((one.text.zh for one in STATES[self.subject] if one.name == self.state), None)
        place = f"{subject}（{state}）" if state else f"新建{subject}"
        move_zh = MOVE_TEXTS[self.name].zh if self.name in MOVE_TEXTS else self.name
        open_zh = "、".join(MOVE_TEXTS[one].zh for one in self.open_moves) or "无"
        return Text(f"{place}：{actor}不可“{move_zh}”：{self.why.zh}；{actor}当前可进行：{open_zh}", english)


class BundleRefused(MarketError):
    """A bundle did not move, because at least one member may not; `refusals` says why for each of those."""

    def __init__(self, refusals: Mapping[Hashable, MoveRefused]) -> None:
        self.refusals = dict(refusals)
        super().__init__("\n".join(f"{member}: {refusal}" for member, refusal in self.refusals.items()))


def state_names(subject: Subject | str) -> tuple[str, ...]:
    """The states of a subject in the order of its life."""
    return tuple(state.name for state in STATES[_subject(subject)])


def end_states(subject: Subject | str) -> tuple[str, ...]:
    """The states no move leads out of."""
    subject = _subject(subject)
    left = {row.from_state for row in TRANSITIONS if row.subject == subject}
    return tuple(name for name in state_names(subject) if name not in left)


def reserves_volume(subject: Subject | str, state: str) -> bool:
    """Whether the volume behind a subject in this state is kept from the next run.

    A proposal that became a contract no longer reserves itself: the contract does.
    """
    return next(found.reserves for found in STATES[_subject(subject)] if found.name == _state(subject, state))


def timers_in(subject: Subject | str, state: str) -> tuple[Timer, ...]:
    """The clocks that run while a subject is in this state, in the order of the table."""
    rows = moves_from(subject, state, Actor.TIMER)
    return tuple(dict.fromkeys(row.timer for row in rows if row.timer is not None))


def table_of(rule_version: str) -> tuple[Transition, ...]:
    """The rows of one rule set: a contract moves by the set it was made under, whatever has been added since.

    :raises InvalidValue: no such set.
    """
    if rule_version not in TABLES:
        raise InvalidValue(f"{rule_version!r} is not a rule set; expected one of {', '.join(TABLES)}")
    return TABLES[rule_version]


def moves_from(
    subject: Subject | str,
    state: str | None,
    actor: Actor | str | None = None,
    *,
    rule_version: str = RULE_VERSION,
) -> tuple[Transition, ...]:
    """The rows out of a state, for one actor or for all; state None for what brings the subject into being.

    :raises InvalidValue: an unknown subject, state, actor or rule set.
    """
    subject, state = _subject(subject), _state(subject, state)
    wanted = None if actor is None else _actor(actor)
    return tuple(
        row
        for row in table_of(rule_version)
        if row.subject == subject and row.from_state == state and (wanted is None or wanted in row.actors)
    )


def find_transition(
    subject: Subject | str,
    state: str | None,
    name: str,
    actor: Actor | str,
    guards_met: Collection[Guard | str] = (),
    *,
    reason: str | None = None,
    rule_version: str = RULE_VERSION,
) -> Transition:
    """The row by which `actor` makes the move `name` from `state`: its new state and its event.

    `guards_met` are the conditions the caller found true; naming more than the row asks for does no harm.

    :raises MoveRefused: no row of the table allows it.
    :raises InvalidValue: an unknown subject, state, actor, guard or rule set.
    """
    subject, actor = _subject(subject), _actor(actor)
    met = {_guard(guard) for guard in guards_met}

    def refused(
        why: Text, missing: tuple[tuple[Guard, ...], ...] = (), reason_codes: tuple[str, ...] = ()
    ) -> MoveRefused:
        return MoveRefused(
            subject=subject,
            state=state,
            name=name,
            actor=actor,
            why=why,
            missing=missing,
            reason_codes=reason_codes,
            rule_version=rule_version,
        )

    named = [row for row in moves_from(subject, state, rule_version=rule_version) if row.move == name]
    if not named:
        raise refused(Text("此状态下没有这一操作", "there is no such move from this state"))
    rows = [row for row in named if actor in row.actors]
    if not rows:
        who = sorted({person for row in named for person in row.actors})
        listed = "、".join(ACTOR_TEXTS[person].zh for person in who)
        raise refused(Text(f"须由{listed}进行", f"it is for {', '.join(who)}"))
    missing = tuple(tuple(guard for guard in row.guards if guard not in met) for row in rows)
    if () not in missing:
        lacking = "；或".join("、".join(GUARD_TEXTS[guard].zh for guard in guards) for guards in missing)
        english = "; or ".join(map(", ".join, missing))
        raise refused(Text(f"条件未满足：{lacking}", f"not met: {english}"), missing=missing)
    row = rows[missing.index(())]
    codes = codes_of(row.reasons) if row.reasons else ()
    if row.reasons and reason not in codes:
        found = "no reason code" if reason is None else f"reason code {reason!r}"
        told = Text(f"须从列表中选择原因：{'、'.join(codes)}", f"{found}; expected one of {', '.join(codes)}")
        raise refused(told, reason_codes=codes)
    return row


def move(
    subject: Subject | str,
    state: str | None,
    name: str,
    actor: Actor | str,
    guards_met: Collection[Guard | str] = (),
    *,
    reason: str | None = None,
) -> str:
    """The state after the move; raises as `find_transition` does."""
    return find_transition(subject, state, name, actor, guards_met, reason=reason).to_state


def move_bundle(
    subject: Subject | str,
    states: Mapping[Member, str],
    name: str,
    actor: Actor | str,
    guards_met: Mapping[Member, Collection[Guard | str]],
    *,
    reason: str | None = None,
) -> dict[Member, str]:
    """The states of all members of a bundle after the same move of each: all of them move, or none.

    `states` and `guards_met` are keyed by member (a proposal's id, say) and must name the same members. That the
    bundle is whole is what this function sees to, so `whole_bundle_moves` need not be among the guards.

    :raises BundleRefused: at least one member may not make the move.
    :raises InvalidValue: the bundle is empty, or states and guards name different members.
    """
    if not states or set(states) != set(guards_met):
        raise InvalidValue(
            f"a bundle of {sorted(map(str, states))} was given guards for {sorted(map(str, guards_met))}; "
            "expected the same members, at least one"
        )
    after: dict[Member, str] = {}
    refusals: dict[Hashable, MoveRefused] = {}
    for member, state in states.items():
        try:
            met = {*guards_met[member], Guard.WHOLE_BUNDLE_MOVES}
            after[member] = move(subject, state, name, actor, met, reason=reason)
        except MoveRefused as refusal:
            refusals[member] = refusal
    if refusals:
        raise BundleRefused(refusals)
    return after


def describe(subject: Subject | str, *, rule_version: str = RULE_VERSION) -> dict[str, object]:
    """The table of one subject in one rule set as plain lists and strings, for the API.

    :raises InvalidValue: an unknown subject or rule set.
    """
    subject = _subject(subject)
    return {
        "subject": str(subject),
        "rule_version": rule_version,
        "states": [
            {
                "name": state.name,
                "zh": state.text.zh,
                "en": state.text.en,
                "reserves_volume": state.reserves,
                "end": state.name in end_states(subject),
            }
            for state in STATES[subject]
        ],
        "moves": [
            {
                "move": row.move,
                "zh": MOVE_TEXTS[row.move].zh,
                "en": MOVE_TEXTS[row.move].en,
                "from": row.from_state,
                "to": row.to_state,
                "actors": sorted(map(str, row.actors)),
                "guards": list(map(str, row.guards)),
                "timer": None if row.timer is None else str(row.timer),
                "reasons": list(codes_of(row.reasons)) if row.reasons else [],
                "event": row.event,
            }
            for row in table_of(rule_version)
            if row.subject == subject
        ],
    }


def _member(kind: type[Name], value: str, what: str) -> Name:
    try:
        return kind(value)
    except ValueError:
        raise InvalidValue(f"{value!r} is not {what}; expected one of {', '.join(kind)}") from None


def _subject(value: str) -> Subject:
    return _member(Subject, value, "a subject of the state table")


def _actor(value: str) -> Actor:
    return _member(Actor, value, "an actor")


def _guard(value: str) -> Guard:
    return _member(Guard, value, "a guard")


def _state(subject: Subject | str, state: str | None) -> str | None:
    if state is not None and state not in state_names(subject):
        names = ", ".join(state_names(subject))
        raise InvalidValue(f"{state!r} is not a state of a {subject}; expected one of {names}")
    return state
