"""The state table: every state reached, every move that is not in it refused."""

from __future__ import annotations

import itertools

import pytest

from contracts.state import (
    ACTOR_TEXTS,
    GUARD_TEXTS,
    MOVE_TEXTS,
    REASONS,
    STATES,
    SUBJECT_TEXTS,
    TIMER_TEXTS,
    TRANSITIONS,
    Actor,
    BundleRefused,
    Guard,
    MoveRefused,
    ReasonGroup,
    Subject,
    Timer,
    describe,
    end_states,
    find_transition,
    move,
    move_bundle,
    moves_from,
    reserves_volume,
    state_names,
    timers_in,
)
from market.errors import InvalidValue

ALL_GUARDS = frozenset(Guard)
MOVES = sorted({row.move for row in TRANSITIONS})


def reason_for(group: ReasonGroup | None) -> str | None:
    return REASONS[group][0].code if group else None


def test_the_main_road_from_run_to_settled_contract() -> None:
    state = move("proposal", None, "propose", "matcher", ["run_certified"])
    state = move("proposal", state, "take_up", "staff")
    met = ["whole_bundle_moves", "below_four_eyes_value"]
    state = move("proposal", state, "release", "staff", met, reason="sound")
    assert state == "released"
    state = move("proposal", state, "accept", "seller", ["current_version_hash"])
    assert state == "accepted"
    state = move("proposal", state, "accept", "buyer", ["current_version_hash", "other_side_accepted"])
    assert state == "agreed"
    state = move("contract", None, "conclude", "system", ["both_accepted_same_hash"])
    state = move("contract", state, "sign", "buyer", ["signed_version_hash"])
    assert state == "signing"
    state = move("contract", state, "sign", "seller", ["signed_version_hash", "other_side_signed"])
    ready = ["bundle_complete", "certificates_valid", "product_qualified", "start_not_past"]
    state = move("contract", state, "take_effect", "system", ready)
    state = move("contract", state, "suspend", "staff", ["force_majeure_notice_given"], reason="force_majeure")
    state = move("contract", state, "resume", "staff", ["suspension_cause_ended"], reason="force_majeure_ended")
    assert move("contract", state, "fulfil", "system", ["everything_settled"]) == "fulfilled"


@pytest.mark.parametrize("subject", list(Subject))
def test_every_state_is_reached_from_nothing_and_leads_to_an_end(subject: Subject) -> None:
    after: dict[str | None, set[str]] = {}
    for row in TRANSITIONS:
        if row.subject == subject:
            after.setdefault(row.from_state, set()).add(row.to_state)

    def reachable(start: str | None) -> set[str]:
        seen: set[str] = set()
        waiting = set(after.get(start, ()))
        while waiting:
            state = waiting.pop()
            seen.add(state)
            waiting |= after.get(state, set()) - seen
        return seen

    assert reachable(None) == set(state_names(subject))
    ends = set(end_states(subject))
    assert ends
    assert all(state in ends or reachable(state) & ends for state in state_names(subject))


@pytest.mark.parametrize("subject", list(Subject))
def test_every_pair_of_state_and_move_and_actor_is_in_the_table_or_refused(subject: Subject) -> None:
    refused = allowed = 0
    for state, name, actor in itertools.product([None, *state_names(subject)], MOVES, Actor):
        rows = [
            row
            for row in TRANSITIONS
            if (row.subject, row.from_state, row.move) == (subject, state, name) and actor in row.actors
        ]
        if rows:
            reason = reason_for(rows[0].reasons)
            assert move(subject, state, name, actor, ALL_GUARDS, reason=reason) == rows[0].to_state
            allowed += 1
        else:
            with pytest.raises(MoveRefused) as refusal:
                move(subject, state, name, actor, ALL_GUARDS, reason="sound")
            assert refusal.value.open_moves == sorted({row.move for row in moves_from(subject, state, actor)})
            refused += 1
    assert allowed
    assert refused > allowed


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: f"{row.subject}-{row.from_state}-{row.move}-{row.guards}")
def test_each_guard_of_each_row_is_needed_and_together_they_suffice(row: object) -> None:
    assert row in TRANSITIONS
    row = next(found for found in TRANSITIONS if found == row)
    for actor in row.actors:
        reason = reason_for(row.reasons)
        found = find_transition(row.subject, row.from_state, row.move, actor, row.guards, reason=reason)
        assert found.to_state == row.to_state
        others = [
            other.guards
            for other in moves_from(row.subject, row.from_state, actor)
            if other.move == row.move and other != row
        ]
        for guard in row.guards:
            met = set(row.guards) - {guard}
            if any(set(alternative) <= met for alternative in others):
                continue
            with pytest.raises(MoveRefused) as refusal:
                move(row.subject, row.from_state, row.move, actor, met, reason=reason)
            assert (guard,) in refusal.value.missing
        if row.reasons:
            for wrong in (None, "because"):
                with pytest.raises(MoveRefused) as refusal:
                    move(row.subject, row.from_state, row.move, actor, row.guards, reason=wrong)
                assert reason in refusal.value.reason_codes


def test_rows_of_one_move_lead_to_one_state() -> None:
    ends: dict[tuple[Subject, str | None, str], set[str]] = {}
    for row in TRANSITIONS:
        ends.setdefault((row.subject, row.from_state, row.move), set()).add(row.to_state)
    assert {key: found for key, found in ends.items() if len(found) > 1} == {}
    assert len(set(TRANSITIONS)) == len(TRANSITIONS)


def test_nothing_in_the_vocabulary_is_idle() -> None:
    assert {guard for row in TRANSITIONS for guard in row.guards} == set(Guard)
    assert {row.timer for row in TRANSITIONS if row.timer} == set(Timer)
    assert {row.reasons for row in TRANSITIONS if row.reasons} == set(ReasonGroup) == set(REASONS)
    assert {actor for row in TRANSITIONS for actor in row.actors} == set(Actor)
    assert set(MOVES) == set(MOVE_TEXTS)
    assert all((row.timer is None) == (Actor.TIMER not in row.actors) for row in TRANSITIONS)


def test_every_name_has_its_words_and_refusals_speak_both_languages() -> None:
    for names, texts in ((Guard, GUARD_TEXTS), (Actor, ACTOR_TEXTS), (Timer, TIMER_TEXTS), (Subject, SUBJECT_TEXTS)):
        assert set(texts) == set(names)
        assert all(text.zh and text.zh != text.en for text in texts.values())
    with pytest.raises(MoveRefused) as closed:
        move(Subject.CALL_OFF, "received", "assay", Actor.LABORATORY)
    assert (
        closed.value.text.zh == "交货（已收货）：实验室不可“检验”：条件未满足：检验结果已确定；实验室当前可进行：检验"
    )
    assert closed.value.text.en == str(closed.value)
    with pytest.raises(MoveRefused) as not_his:
        move(Subject.CONTRACT, None, "conclude", Actor.BUYER)
    assert not_his.value.text.zh == "新建合同：买方不可“订立”：须由平台进行；买方当前可进行：无"


def test_above_the_value_one_pair_of_eyes_does_not_release() -> None:
    with pytest.raises(MoveRefused) as refusal:
        move("proposal", "under_review", "release", "staff", ["whole_bundle_moves"], reason="sound")
    assert refusal.value.missing == ((Guard.BELOW_FOUR_EYES_VALUE,),)
    second = ["whole_bundle_moves", "recommended_by_another_person"]
    with pytest.raises(MoveRefused):
        move("proposal", "under_review", "release", "staff", second, reason="sound")
    assert move("proposal", "under_review", "release", "senior_staff", second, reason="sound") == "released"


def test_one_side_cannot_accept_for_both() -> None:
    with pytest.raises(MoveRefused) as refusal:
        move("proposal", "accepted", "accept", "seller", ["current_version_hash"])
    assert refusal.value.missing == ((Guard.OTHER_SIDE_ACCEPTED,),)


def test_a_counter_ends_with_the_proposal_on_offer_again() -> None:
    other, same = ["countered_by_other_side"], ["countered_by_same_side"]
    assert move("proposal", "countered", "take_counter", "buyer", other) == "released"
    assert move("proposal", "countered", "reject_counter", "buyer", other) == "released"
    assert move("proposal", "countered", "withdraw_counter", "seller", same) == "released"
    with pytest.raises(MoveRefused):
        move("proposal", "countered", "take_counter", "seller", same)


def test_after_the_first_signature_there_is_no_edit() -> None:
    assert {row.move for row in moves_from("contract", "signing")} == {"sign", "lapse", "cancel", "fall_with_bundle"}


def test_ends_are_told_apart() -> None:
    assert set(end_states("contract")) == {"fulfilled", "expired", "terminated", "lapsed", "cancelled"}
    assert set(end_states("proposal")) == {"agreed", "withheld", "declined", "expired", "cancelled"}


def test_volume_is_free_at_once_when_a_proposal_fails() -> None:
    assert [name for name in state_names("proposal") if reserves_volume("proposal", name)] == [
        "proposed",
        "under_review",
        "released",
        "accepted",
        "countered",
    ]
    assert not reserves_volume("contract", "terminated")
    assert reserves_volume("contract", "suspended")


def test_timers_run_where_a_timer_may_move() -> None:
    assert timers_in("proposal", "countered") == (Timer.COUNTER_EXPIRY, Timer.PROPOSAL_EXPIRY)
    assert timers_in("contract", "fulfilled") == ()


def test_a_bundle_moves_whole() -> None:
    met = {"p1": ["below_four_eyes_value"], "p2": ["below_four_eyes_value"]}
    states = {"p1": "under_review", "p2": "under_review"}
    after = move_bundle("proposal", states, "release", "staff", met, reason="sound")
    assert after == {"p1": "released", "p2": "released"}
    assert states == {"p1": "under_review", "p2": "under_review"}


def test_a_bundle_with_one_lame_member_does_not_move_at_all() -> None:
    met = {"p1": ["below_four_eyes_value"], "p2": []}
    with pytest.raises(BundleRefused) as refusal:
        move_bundle("proposal", dict.fromkeys(met, "under_review"), "release", "staff", met, reason="sound")
    assert set(refusal.value.refusals) == {"p2"}
    assert "below_four_eyes_value" in str(refusal.value)
    with pytest.raises(InvalidValue, match="the same members"):
        move_bundle("proposal", {"p1": "under_review"}, "release", "staff", met, reason="sound")


def test_a_member_outside_its_bundle_does_not_move() -> None:
    with pytest.raises(MoveRefused) as refusal:
        move("proposal", "under_review", "release", "staff", ["below_four_eyes_value"], reason="sound")
    assert refusal.value.missing == ((Guard.WHOLE_BUNDLE_MOVES,),)


@pytest.mark.parametrize(
    ("subject", "state", "actor", "guards", "told"),
    [
        ("deal", "agreed", "seller", [], "'deal' is not a subject"),
        ("contract", "finished", "seller", [], "'finished' is not a state of a contract"),
        ("contract", "agreed", "sellers", [], "'sellers' is not an actor"),
        ("contract", "agreed", "seller", ["signed"], "'signed' is not a guard"),
    ],
)
def test_unknown_words_are_named(subject: str, state: str, actor: str, guards: list[str], told: str) -> None:
    with pytest.raises(InvalidValue, match=told):
        move(subject, state, "sign", actor, guards)


@pytest.mark.parametrize("subject", list(Subject))
def test_the_table_is_told_whole(subject: Subject) -> None:
    told = describe(subject)
    assert isinstance(told["moves"], list)
    assert isinstance(told["states"], list)
    assert len(told["moves"]) == sum(row.subject == subject for row in TRANSITIONS)
    assert [state["name"] for state in told["states"]] == [state.name for state in STATES[subject]]
