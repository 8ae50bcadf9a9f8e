"""The feed of changes: under transactions that overlap in every order nothing is lost, nothing comes twice."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.auth.principal import Principal, of_user
from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.models import Amendment, Contract, Event, SubjectKind, User
from app.operations import change_feed, events
from app.operations.change_feed import OtherServer, Position
from app.permissions import Permission
from app.transaction import Application
from tests import factories as make

from .night_market import body, browser, standing_application
from .refusals import violates


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


@pytest.fixture
def contract(own_app: Application) -> Contract:
    made: Contract = make.ContractFactory()
    db.session.commit()
    return made


def write(session: Session, contract_id: uuid.UUID, name: str) -> None:
    """One step of a contract, written but not committed."""
    events.record(
        session,
        principal=SYSTEM,
        subject=(SubjectKind.CONTRACT, contract_id),
        name=name,
        from_state="agreed",
        to_state="agreed",
        now=clock(),
    )
    session.flush()


SETTLED = 60.0  # seconds: transactions of other tests on the same server hold the feed back while they are open


def read_settled(principal: Principal, after: Position | None, count: int) -> tuple[list[str], Position]:
    """As `read`, again and again until so many steps have come."""
    names: list[str] = []
    deadline = time.monotonic() + SETTLED
    while True:
        some, after = read(principal, after)
        names += some
        if len(names) >= count or time.monotonic() > deadline:
            return names, after
        time.sleep(0.05)


def read(principal: Principal, after: Position | None, limit: int = 100) -> tuple[list[str], Position]:
    """The names of all steps after a position, in pages, and the position after them."""
    names: list[str] = []
    while True:
        with Session(db.engine) as session:
            found = change_feed.changes(session, principal=principal, after=after, limit=limit)
        names += [change.step.name for change in found.items]
        after = found.position
        if not found.more:
            return names, after


def party(contract: Contract) -> Principal:
    user = make.UserFactory(firm=contract.seller)
    db.session.commit()
    return of_user(user)


def test_a_step_that_is_numbered_early_and_committed_late_is_not_lost(contract: Contract) -> None:
    who = party(contract)
    with Session(db.engine) as slow, Session(db.engine) as quick:
        write(slow, contract.id, "slow")
        write(quick, contract.id, "quick")
        quick.commit()
        assert db.session.scalars(sa.select(Event.name).order_by(Event.id)).all() == ["quick"], (
            "ids alone would lose it"
        )
        early, position = read(who, None)
        assert early == [], "the slow transaction is still before it"
        slow.commit()
    late, position = read_settled(who, position, 2)
    assert late == ["slow", "quick"]
    assert read(who, position)[0] == []


def test_a_transaction_that_is_undone_holds_up_nothing(contract: Contract) -> None:
    who = party(contract)
    with Session(db.engine) as undone, Session(db.engine) as quick:
        write(undone, contract.id, "undone")
        write(quick, contract.id, "quick")
        quick.commit()
        undone.rollback()
    assert read_settled(who, None, 1)[0] == ["quick"]


def test_a_reader_holds_up_nothing(contract: Contract) -> None:
    who = party(contract)
    with Session(db.engine) as reader, Session(db.engine) as quick:
        reader.scalars(sa.select(Event)).all()
        write(quick, contract.id, "quick")
        quick.commit()
        assert read_settled(who, None, 1)[0] == ["quick"]


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    ends=st.lists(st.booleans(), min_size=2, max_size=4),
    turns=st.lists(st.integers(0, 3), min_size=6, max_size=16),
    limit=st.integers(1, 3),
)
def test_in_whatever_order_transactions_write_and_end(
    contract: Contract, ends: list[bool], turns: list[int], limit: int
) -> None:
    """Several transactions write by turns, the last turn of each ends it; a reader comes after every turn."""
    who = party(contract)
    _, after = read(who, None)
    turns = [turn % len(ends) for turn in turns]
    last = {turn: place for place, turn in enumerate(turns)}
    sessions = [Session(db.engine) for _ in ends]
    seen: list[str] = []
    for place, turn in enumerate(turns):
        if place < last[turn]:
            write(sessions[turn], contract.id, f"{turn}/{place}")
        elif ends[turn]:
            sessions[turn].commit()
        else:
            sessions[turn].rollback()
        names, after = read(who, after, limit=limit)
        seen += names
    for session in sessions:
        session.close()
    told = [f"{turn}/{place}" for place, turn in enumerate(turns) if place < last[turn] and ends[turn]]
    seen += read_settled(who, after, len(told) - len(seen))[0]
    assert sorted(seen) == sorted(told)


def test_many_writers_and_a_reader_at_once(contract: Contract) -> None:
    writers, each = 6, 25
    done = threading.Event()
    who, engine, contract_id = party(contract), db.engine, contract.id
    seen: list[str] = []

    def write_some(writer: int) -> None:
        for number in range(each):
            with Session(engine) as session:
                session.add(
                    Event(
                        at=make.NOON,
                        subject_kind=SubjectKind.CONTRACT,
                        subject_id=contract_id,
                        name=f"{writer}/{number}",
                        actor_kind="system",
                        to_state="agreed",
                    )
                )
                session.flush()
                time.sleep((writer * 7 + number) % 5 / 1000)  # numbered, and committed a little later
                session.commit()

    def follow() -> None:
        after, deadline = None, time.monotonic() + SETTLED
        while True:
            last = done.is_set() and (len(seen) >= writers * each or time.monotonic() > deadline)
            with Session(engine) as session:
                found = change_feed.changes(session, principal=who, after=after, limit=7)
            seen.extend(change.step.name for change in found.items)
            after = found.position
            if last and not found.more:
                return

    with ThreadPoolExecutor(writers + 1) as pool:
        reader = pool.submit(follow)
        for written in [pool.submit(write_some, number) for number in range(writers)]:
            written.result()
        done.set()
        reader.result()
    assert len(seen) == writers * each
    assert set(seen) == {f"{writer}/{number}" for writer in range(writers) for number in range(each)}
    for writer in range(writers):
        own = [name for name in seen if name.startswith(f"{writer}/")]
        assert own == [f"{writer}/{number}" for number in range(each)], "one writer's steps keep their order"


def test_an_event_of_another_transaction_is_refused(contract: Contract) -> None:
    db.session.add(make.EventFactory.build(subject_id=contract.id, txid=1))
    with violates("event_of_its_transaction"):
        db.session.flush()


def test_a_position_of_another_server_is_refused(contract: Contract) -> None:
    who = party(contract)
    _, position = read(who, None)
    with pytest.raises(OtherServer):
        read(who, Position(position.server + 1, position.transaction, position.number))


# -- who sees what ----------------------------------------------------------------------------------------------------


def steps_of_everything(contract: Contract) -> None:
    """Steps of a contract, its proposal before and after the release, an offer, a round."""
    for kind, number, name in (
        (SubjectKind.OFFER, contract.proposal.sell_offer_id, "offer.post"),
        (SubjectKind.ROUND, contract.proposal.round_id, "round.open"),
        (SubjectKind.RUN, contract.proposal.run_id, "run.done"),
        (SubjectKind.PROPOSAL, contract.proposal_id, "proposal.propose"),
        (SubjectKind.PROPOSAL, contract.proposal_id, "proposal.release"),
        (SubjectKind.CONTRACT, contract.id, "contract.conclude"),
    ):
        make.EventFactory(subject_kind=kind, subject_id=number, name=name)
    db.session.commit()


def names(client: FlaskClient) -> list[str]:
    return [item["name"] for item in body(client.get("/api/v1/changes"))["items"]]


def test_each_sees_the_steps_of_what_is_theirs(own_app: Application, contract: Contract) -> None:
    steps_of_everything(contract)
    seller, buyer = (make.UserFactory(firm=firm) for firm in (contract.seller, contract.buyer))
    assert names(browser(own_app, seller)) == ["offer.post", "proposal.release", "contract.conclude"]
    assert names(browser(own_app, buyer)) == ["proposal.release", "contract.conclude"]
    assert names(browser(own_app, make.UserFactory())) == []
    everything = [
        "offer.post",
        "round.open",
        "run.done",
        "proposal.propose",
        "proposal.release",
        "contract.conclude",
    ]
    assert names(browser(own_app, make.RegulatorFactory())) == everything
    assert names(browser(own_app, make.StaffFactory())) == everything[1:], "what is sealed is looked at one by one"
    assert browser(own_app, make.PlatformAdminFactory()).get("/api/v1/changes").status_code == 403


def test_a_key_sees_what_its_scopes_let_it_read(contract: Contract) -> None:
    steps_of_everything(contract)
    who = Principal(
        kind="api_key",
        api_key_id=uuid.uuid4(),
        firm_id=contract.seller_firm_id,
        permissions=frozenset({Permission.CONTRACT_READ}),
    )
    assert read(who, None)[0] == ["contract.conclude"]


def test_every_kind_of_record_has_its_scope() -> None:
    assert set(change_feed.SCOPES) == set(SubjectKind)


def test_a_draft_is_its_own_sides(contract: Contract) -> None:
    """The other side learns of an amendment when it is proposed, and never of its drafting."""
    amendment = Amendment(
        contract_id=contract.id,
        proposed_by="seller",
        number=2,
        reason_code="reopener",
        in_force_from=contract.effective_to,
        terms=contract.terms,
        terms_hash=contract.terms_hash,
    )
    db.session.add(amendment)
    db.session.flush()
    make.EventFactory(subject_kind=SubjectKind.AMENDMENT, subject_id=amendment.id, name="amendment.draft")
    db.session.commit()
    seller, buyer, staff = (of_user(user) for user in (*_traders(contract), make.StaffFactory()))
    db.session.commit()
    drafted, after_draft = read(seller, None)
    assert drafted == ["amendment.draft"]
    nothing, before = read(buyer, None)
    assert nothing == read(staff, None)[0] == []
    amendment.state, amendment.proposed_at, amendment.expires_at = "pending", make.NOON, make.NOON
    make.EventFactory(subject_kind=SubjectKind.AMENDMENT, subject_id=amendment.id, name="amendment.propose")
    db.session.commit()
    assert read(seller, after_draft)[0] == read(buyer, before)[0] == read(staff, None)[0] == ["amendment.propose"]
    assert read(buyer, None)[0] == ["amendment.propose"]


def _traders(contract: Contract) -> tuple[User, User]:
    seller, buyer = (make.UserFactory(firm=firm) for firm in (contract.seller, contract.buyer))
    return seller, buyer


def test_pages_go_on_where_the_last_ended(own_app: Application, contract: Contract) -> None:
    steps_of_everything(contract)
    client = browser(own_app, make.RegulatorFactory())
    first = body(client.get("/api/v1/changes?limit=4"))
    assert (len(first["items"]), first["more"]) == (4, True)
    second = body(client.get(f"/api/v1/changes?limit=4&after={first['next']}"))
    assert (len(second["items"]), second["more"]) == (2, False)
    assert body(client.get(f"/api/v1/changes?after={second['next']}"))["items"] == []
    assert client.get("/api/v1/changes?after=elsewhere").status_code == 422
    one = first["items"][0]
    assert one["subject_id"] == str(contract.proposal.sell_offer_id)


def test_a_firm_does_not_learn_the_reasons_of_staff(own_app: Application, contract: Contract) -> None:
    make.EventFactory(
        subject_id=contract.proposal_id,
        name="proposal.release",
        acting_as="senior_staff",
        reason_code="sound",
        note="for the file",
    )
    db.session.commit()
    (item,) = body(browser(own_app, make.UserFactory(firm=contract.buyer)).get("/api/v1/changes"))["items"]
    assert (item["acting_as"], item["reason_code"], item["note"]) == ("staff", None, None)
