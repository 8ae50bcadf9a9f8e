"""Every state of contracts and claims, and every move from it, walked on rows of the database by the operations.

What must happen is not written here: it is read from the state table itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM, Principal
from app.errors import Conflict, Refused
from app.models import Claim, Contract, Event
from app.operations import claims, endings, force_majeure, moves, suspension, termination
from contracts.reasons import REASONS
from contracts.state import TRANSITIONS, Actor, Guard, Subject, Transition, moves_from, state_names
from contracts.wording import as_said
from tests.functional.hindered_market import (
    AFTER_LONG_STOP,
    INSIDE,
    PDF,
    Supply,
    at,
    came,
    claim_of,
    event_of,
    put,
    rest,
    staff,
    supply,
    wish_to_end,
)

CONTRACT_STATES, CLAIM_STATES = state_names(Subject.CONTRACT), state_names(Subject.CLAIM)
MOVES = {
    subject: sorted({row.move for row in TRANSITIONS if row.subject == subject})
    for subject in (Subject.CONTRACT, Subject.CLAIM)
}


def row_of(subject: Subject, state: str, move: str, actor: Actor | None = None) -> Transition | None:
    """The first row of the table by which the move is open, whatever its guards."""
    return next((row for row in moves_from(subject, state, actor) if row.move == move), None)


def events_about(session: Session, number: object) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(Event).where(Event.subject_id == number)) or 0


def walk(session: Session, subject: Contract | Claim, kind: Subject, state: str) -> tuple[int, int]:
    """Try every move by every actor from a state; returns how many were open and how many refused."""
    opened = refused = 0
    for move in MOVES[kind]:
        for actor in Actor:
            row = row_of(kind, state, move, actor)
            reason = REASONS[row.reasons][0].code if row is not None and row.reasons else None
            before = events_about(session, subject.id)
            nested = session.begin_nested()
            subject.state = state
            told: tuple[str, ...] | None = None
            try:
                moves.make(
                    session,
                    subject,
                    move,
                    acting_as=actor,
                    principal=SYSTEM,
                    guards=set(Guard),
                    reason=reason,
                    now=INSIDE,
                )
            except Conflict as conflict:
                told = conflict.open_moves
            ways = {one.move for one in moves_from(kind, state, actor)}
            assert (told is None) is (row is not None), (state, move, actor)
            if row is None:
                assert (told, subject.state) == (tuple(sorted(ways)), state)
                refused += 1
            else:
                assert subject.state == row.to_state
                assert events_about(session, subject.id) == before + 1
                opened += 1
            nested.rollback()
            session.expire_all()
    return opened, refused


@pytest.mark.parametrize("state", CONTRACT_STATES)
def test_every_move_of_a_contract_by_everybody(session: Session, state: str) -> None:
    contract = supply().contract
    rows = {(row.move, actor) for row in moves_from(Subject.CONTRACT, state) for actor in row.actors}
    assert walk(session, contract, Subject.CONTRACT, state) == (
        len(rows),
        len(MOVES[Subject.CONTRACT]) * len(Actor) - len(rows),
    )


@pytest.mark.parametrize("row", [row for row in TRANSITIONS if row.subject in MOVES and row.from_state and row.guards])
def test_every_guard_of_a_row_holds_it_shut(session: Session, row: Transition) -> None:
    """Without one of its guards a move is open only if another row of the same move does not ask for that one."""
    found = supply()
    subject: Contract | Claim = found.contract if row.subject is Subject.CONTRACT else claim_of(found)
    actor = min(row.actors)
    reason = REASONS[row.reasons][0].code if row.reasons else None
    for guard in row.guards:
        subject.state = row.from_state or ""
        met = set(Guard) - {guard}
        others = [one for one in moves_from(row.subject, row.from_state, actor) if one.move == row.move]
        met -= {other.guards[0] for other in others if other is not row and other.guards}
        with session.no_autoflush, pytest.raises(Conflict):
            moves.make(
                session, subject, row.move, acting_as=actor, principal=SYSTEM, guards=met, reason=reason, now=INSIDE
            )
        session.expire(subject)


Act = Callable[[Session, Supply], object]


def give_notice(session: Session, found: Supply) -> object:
    return force_majeure.declare(
        session,
        principal=found.sells,
        contract_ids=[found.contract.id],
        description="Flood",
        began_on=dt.date(2027, 2, 27),
        affected=Decimal("0.5"),
        now=INSIDE,
    )


def suspend(session: Session, found: Supply) -> object:
    return suspension.suspend(
        session, principal=staff(), contract_id=found.contract.id, reason_code="force_majeure", now=INSIDE
    )


def resume(session: Session, found: Supply) -> object:
    return suspension.resume(session, principal=staff(), contract_id=found.contract.id, now=INSIDE)


def terminate(session: Session, found: Supply) -> object:
    (wish,) = termination.of_contract(session, contract=found.contract)
    return termination.terminate(session, principal=found.buys, termination_id=wish.id, now=INSIDE)


def by_the_clock(session: Session, found: Supply) -> object:
    if endings.end_if_due(session, contract_id=found.contract.id, now=AFTER_LONG_STOP) is None:
        raise Conflict(as_said("not due"))
    return found


def hindered(found: Supply) -> None:
    event_of(found)


def resting(found: Supply) -> None:
    rest(found, event_of(found, ended="2027-02-20"))


def with_wish(found: Supply) -> None:
    wish_to_end(found)


def supplied(found: Supply) -> None:
    for quarter in (1, 2, 3, 4):
        came(found, 100, period=f"2027-Q{quarter}")


def as_it_is(found: Supply) -> None:
    """Nothing has happened."""


OPERATIONS: dict[str, tuple[Callable[[Supply], None], Act]] = {
    "give_notice": (as_it_is, give_notice),
    "suspend": (hindered, suspend),
    "resume": (resting, resume),
    "terminate": (with_wish, terminate),
    "fulfil": (supplied, by_the_clock),
    "expire": (as_it_is, by_the_clock),
}


@pytest.mark.parametrize("state", CONTRACT_STATES)
@pytest.mark.parametrize("move", OPERATIONS)
def test_operations_move_contracts_as_the_table_says(session: Session, move: str, state: str) -> None:
    prepare, act = OPERATIONS[move]
    found = supply()
    prepare(found)
    put(found.contract, state)
    row = row_of(Subject.CONTRACT, state, move)
    if move == "fulfil" and state == "suspended":
        row = row_of(Subject.CONTRACT, state, "expire")  # the long-stop day ends what rests, however much has come
    before = events_about(session, found.contract.id)
    if row is None:
        with pytest.raises(Conflict):
            act(session, found)
        session.refresh(found.contract)
        assert (found.contract.state, events_about(session, found.contract.id)) == (state, before)
        return
    act(session, found)
    assert found.contract.state == row.to_state
    newest = session.scalars(sa.select(Event).where(Event.subject_id == found.contract.id).order_by(Event.id)).all()
    assert (newest[-1].name, newest[-1].from_state, newest[-1].to_state) == (row.event, state, row.to_state)
    if row.reasons:
        assert newest[-1].reason_code is not None


# Who makes the moves of a claim, and how; the table names the actors, the side of the supply plays them.
CLAIM_MOVES: dict[str, Callable[[Session, Supply, Claim, Actor], object]] = {
    "file": lambda s, f, c, a: claims.file(s, principal=player(f, a), claim_id=c.id, now=at("2027-03-30")),
    "defend": lambda s, f, c, a: claims.defend(
        s, principal=player(f, a), claim_id=c.id, defence="It did not", now=at("2027-03-30")
    ),
    "concede": lambda s, f, c, a: claims.concede(s, principal=player(f, a), claim_id=c.id, now=at("2027-03-30")),
    "withdraw": lambda s, f, c, a: claims.withdraw(s, principal=player(f, a), claim_id=c.id, now=at("2027-03-30")),
    "uphold": lambda s, f, c, a: claims.uphold(
        s, principal=player(f, a), claim_id=c.id, amount=Decimal(100), now=at("2027-03-30")
    ),
    "decline": lambda s, f, c, a: claims.decline(
        s, principal=player(f, a), claim_id=c.id, reason_code="no_breach", now=at("2027-03-30")
    ),
}
ROADS: dict[str, tuple[str, ...]] = {
    "draft": (),
    "pending": ("file",),
    "defended": ("file", "defend"),
    "upheld": ("file", "concede"),
    "declined": ("file", "decline"),
    "withdrawn": ("withdraw",),
    "lapsed": ("lapse",),
}


def player(found: Supply, actor: Actor) -> Principal:
    return {Actor.CLAIMANT: found.buys, Actor.RESPONDENT: found.sells}.get(actor) or staff()


def claim_in(session: Session, found: Supply, state: str) -> Claim:
    """A claim that came to a state by the operations themselves; its evidence is attached in any case."""
    claim = claim_of(found, filed=False)
    claims.attach(session, principal=found.buys, claim_id=claim.id, file=PDF, now=at("2027-02-20"))
    for move in ROADS[state]:
        if move == "lapse":
            assert claims.lapse(session, claim_id=claim.id, now=at("2027-05-01"))
            continue
        if move == "file":
            claims.file(session, principal=found.buys, claim_id=claim.id, now=at("2027-02-20"))
            continue
        row = row_of(Subject.CLAIM, claim.state, move)
        assert row is not None
        CLAIM_MOVES[move](session, found, claim, min(row.actors - {Actor.SENIOR_STAFF}))
    assert claim.state == state
    return claim


@pytest.mark.parametrize("state", CLAIM_STATES)
def test_every_move_of_a_claim_by_everybody(session: Session, state: str) -> None:
    """Both sides and the platform try every move; what the table refuses leaves everything as it was."""
    found = supply()
    claim = claim_in(session, found, state)
    known = claim.filed_at is not None
    for move, act in CLAIM_MOVES.items():
        for actor in (Actor.CLAIMANT, Actor.RESPONDENT, Actor.STAFF):
            if not known and actor is not Actor.CLAIMANT:
                continue  # nobody else knows of it: see test_claims
            row = row_of(Subject.CLAIM, state, move, actor)
            nested = session.begin_nested()
            try:
                act(session, found, claim, actor)
            except Conflict:
                assert row is None, (state, move, actor)
            else:
                assert row is not None, (state, move, actor)
                assert claim.state == row.to_state
            nested.rollback()
            session.expire_all()
    assert claim.state == state


def test_a_move_that_needs_a_reason_takes_one_of_its_list(session: Session) -> None:
    found = supply()
    claim = claim_in(session, found, "defended")
    with pytest.raises(Refused) as refused:
        claims.decline(session, principal=staff(), claim_id=claim.id, reason_code="mood", now=INSIDE)
    assert refused.value.field == "reason_code"
    assert refused.value.text.zh != refused.value.text.en
