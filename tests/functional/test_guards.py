"""Rules that triggers keep: rows that are only added, frozen terms, windows, and the ledger of reserved lots."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.orm import Session

from app import create_app, models
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from tests import factories as make
from tests.conftest import TEMPLATE
from tests.functional.refusals import violates
from tests.functional.rows import ONE_OF, added, proposal_version


@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("access_log", "path"),
        ("event", "to_state"),
        ("offer_revision", "terms"),
        ("sign_in_event", "outcome"),
        ("contract_version", "terms"),
        ("contract_document", "seal"),
        ("document_signature", "signer"),
        ("reference_change", "row_key"),
    ],
)
def test_rows_that_are_only_added(session: Session, table: str, column: str, statement: str) -> None:
    ONE_OF[table]()
    with violates(f"{table}_append_only"):
        session.execute(sa.text(statement.format(table, column, column)))


@pytest.mark.parametrize(
    "change",
    [{"terms": {"rate": 11}}, {"terms_hash": make.digest("other")}, {"rule_version": "2030.1"}, {"number": "CD-1"}],
)
def test_a_contract_is_frozen(session: Session, change: dict[str, Any]) -> None:
    contract = make.ContractFactory()
    for name, value in change.items():
        setattr(contract, name, value)
    with violates("contract_frozen"):
        session.flush()


def test_a_contract_moves_on(session: Session) -> None:
    contract = make.ContractFactory()
    contract.state = "signing"
    session.flush()
    assert contract.version == 2


def test_a_contract_is_kept(session: Session) -> None:
    session.delete(make.ContractFactory())
    with violates("contract_kept"):
        session.flush()


@pytest.mark.parametrize(
    "change",
    [{"terms": {"rate": 1}}, {"number": 3}, {"message": "more"}, {"expires_at": make.NOON + dt.timedelta(days=9)}],
)
def test_a_version_of_the_terms_is_frozen(session: Session, change: dict[str, Any]) -> None:
    version = proposal_version()
    for name, value in change.items():
        setattr(version, name, value)
    with violates("proposal_version_frozen"):
        session.flush()


def test_a_version_of_the_terms_is_kept(session: Session) -> None:
    session.delete(proposal_version())
    with violates("proposal_version_kept"):
        session.flush()


def test_terms_do_not_change_under_an_acceptance(session: Session) -> None:
    proposal = make.ProposalFactory(seller_accepted_at=make.NOON)
    proposal.terms, proposal.terms_hash = {"rate": 9}, make.digest("other")
    with violates("proposal_acceptance_of_version"):
        session.flush()


@pytest.mark.parametrize("state", ["released", "countered"])
def test_a_counter_waits_exactly_while_its_proposal_is_countered(session: Session, state: str) -> None:
    """Both ends are checked when the transaction ends."""
    if state == "released":
        proposal_version(proposal_id=make.ProposalFactory(state="released").id)
    else:
        proposal = make.ProposalFactory(state="released")
        proposal.state, proposal.countered_by = "countered", "buyer"
    session.flush()
    with violates("ck_proposal_countered_has_counter"):
        session.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))


COUNTED: dict[str, Callable[[models.Grade], object]] = {
    "offer": lambda grade: make.OfferFactory(grade=grade),
    "conversion input": lambda grade: make.ConversionFactory(input_grade=grade),
    "corridor": lambda grade: make.CorridorFactory(product=grade.product),
}


@pytest.mark.parametrize("use", COUNTED.values(), ids=COUNTED.keys())
def test_the_lot_is_frozen_once_quantities_count_in_it(session: Session, use: Callable[[models.Grade], object]) -> None:
    grade = make.GradeFactory()
    grade.product.lot = 10  # not yet used
    session.flush()
    use(grade)
    grade.product.lot = 1
    with violates("product_lot_frozen"):
        session.flush()


def test_an_offer_stays_with_its_firm_round_and_kind(session: Session) -> None:
    make.OfferFactory(periods=[]).kind = models.OfferKind.DEMAND
    with violates("offer_identity_frozen"):
        session.flush()


def test_a_period_outside_the_window(session: Session) -> None:
    offer = make.OfferFactory(first_period="2027-Q2", last_period="2027-Q3")
    offer.periods.append(models.OfferPeriod(period="2027-Q4", quantity=1))
    with violates("ck_offer_period_inside_window"):
        session.flush()


def test_a_period_does_not_move(session: Session) -> None:
    make.OfferFactory(last_period="2027-Q2").periods[1].period = "2027-Q3"
    with violates("offer_period_key_frozen"):
        session.flush()


def test_a_window_that_leaves_a_period_outside(session: Session) -> None:
    make.OfferFactory(last_period="2027-Q3").last_period = "2027-Q2"
    session.flush()
    with violates("ck_offer_period_inside_window"):
        session.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))


def test_an_amendment_shortens_window_and_quantities_together(session: Session) -> None:
    offer = make.OfferFactory(last_period="2027-Q3")
    offer.last_period = "2027-Q2"
    del offer.periods[2]
    session.flush()
    session.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    session.expire_all()
    assert [period.period for period in offer.periods] == ["2027-Q1", "2027-Q2"]


def test_only_conversions_take_inputs(session: Session) -> None:
    grade = make.GradeFactory()
    with violates("ck_conversion_input_of_conversion"):
        added(
            models.ConversionInput(
                offer_id=make.OfferFactory().id,
                product_code=grade.product_code,
                grade_code=grade.code,
                quantity_per_output=1,
            )
        )


def test_a_currency_needs_a_rate(session: Session) -> None:
    make.OfferFactory(currency="USD", round=make.RoundFactory(currency_rates={"USD": "7.1"}))
    with violates("ck_offer_currency_has_rate"):
        make.OfferFactory(currency="EUR", round=make.RoundFactory(currency_rates={"USD": "7.1"}))


def reserved(session: Session, reservation: models.Reservation) -> int:
    """What the ledger says for the reservation's offer and period."""
    key = (models.OfferPeriod.offer_id == reservation.offer_id, models.OfferPeriod.period == reservation.period)
    return session.scalars(sa.select(models.OfferPeriod.reserved).where(*key)).one()


def test_the_ledger_follows_the_reservations(session: Session) -> None:
    reservation = make.ReservationFactory(quantity=40)
    assert reserved(session, reservation) == 40
    reservation.quantity = 30
    session.flush()
    assert reserved(session, reservation) == 30
    reservation.released_at = make.NOON
    session.flush()
    assert reserved(session, reservation) == 0
    reservation.released_at = None
    session.flush()
    session.delete(reservation)
    session.flush()
    assert reserved(session, reservation) == 0


def test_one_statement_may_reserve_the_same_period_twice(session: Session) -> None:
    first = make.ProposalFactory()
    second = make.ProposalFactory(run=first.run, sell_offer=first.sell_offer)
    row = {"offer_id": first.sell_offer_id, "period": "2027-Q1", "quantity": 50}
    session.execute(
        sa.insert(models.Reservation).values([{**row, "proposal_id": first.id}, {**row, "proposal_id": second.id}])
    )
    assert reserved(session, session.scalars(sa.select(models.Reservation).limit(1)).one()) == 100


def test_no_more_is_reserved_than_offered(session: Session) -> None:
    make.ReservationFactory(quantity=100)
    with violates("ck_offer_period_reserved_within_quantity"):
        make.ReservationFactory(quantity=101)


def test_a_reservation_does_not_grow_beyond_the_offer(session: Session) -> None:
    make.ReservationFactory(quantity=100).quantity = 101
    with violates("ck_offer_period_reserved_within_quantity"):
        session.flush()


def test_an_amendment_keeps_what_is_reserved(session: Session) -> None:
    reservation = make.ReservationFactory(quantity=60)
    reservation.proposal.sell_offer.periods[0].quantity = 59
    with violates("ck_offer_period_reserved_within_quantity"):
        session.flush()


def test_reserved_volume_cannot_be_removed_with_its_period(session: Session) -> None:
    reservation = make.ReservationFactory()
    del reservation.proposal.sell_offer.periods[0]
    with violates("fk_reservation_offer_id_period_offer_period"):
        session.flush()


def test_a_proposal_reserves_its_own_offers_only(session: Session) -> None:
    with violates("ck_reservation_offer_of_proposal"):
        make.ReservationFactory(offer_id=make.OfferFactory().id)


def test_a_reservation_does_not_move(session: Session) -> None:
    make.ReservationFactory().period = "2027-Q2"
    with violates("reservation_key_frozen"):
        session.flush()


def test_nobody_else_writes_the_ledger(session: Session) -> None:
    make.OfferFactory().periods[0].reserved = 5
    with violates("offer_period_reserved_kept_by_ledger"):
        session.flush()


def test_a_new_period_is_not_reserved(session: Session) -> None:
    with violates("offer_period_reserved_by_ledger"):
        make.OfferFactory(last_period="2027-Q1", periods=[models.OfferPeriod(period="2027-Q1", quantity=9, reserved=5)])


RESERVE = "INSERT INTO reservation (proposal_id, offer_id, period, quantity) VALUES (%s, %s, '2027-Q1', %s)"


class Contest:
    """One offer of 100 lots and eight proposals for it, committed where several connections see them."""

    def __init__(self, conninfo: str, offer: object, proposals: list[object]) -> None:
        self.conninfo, self.offer, self.proposals = conninfo, offer, proposals

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.conninfo)


@pytest.fixture
def contest(postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Contest]:
    name = sql.Identifier(f"contest_{worker_name}")
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(TEMPLATE)))
    application = create_app(environment="test", database_url=postgres.url(f"contest_{worker_name}"))
    with application.app_context():
        run = make.RunFactory()
        offer = make.OfferFactory(round=run.round, last_period="2027-Q1")
        proposals = [make.ProposalFactory(run=run, sell_offer=offer).id for _ in range(8)]
        offer_id = offer.id
        db.session.commit()
        db.session.remove()
        db.engine.dispose()
    yield Contest(postgres.conninfo(f"contest_{worker_name}"), offer_id, proposals)
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def test_the_second_of_two_open_transactions_waits_and_is_refused(contest: Contest) -> None:
    begun, refused = threading.Event(), []

    def second() -> None:
        with contest.connect() as connection:
            begun.set()
            with pytest.raises(psycopg.errors.CheckViolation) as caught:
                connection.execute(RESERVE, [contest.proposals[1], contest.offer, 60])
            refused.append(caught.value.diag.constraint_name)

    with contest.connect() as first:
        first.execute(RESERVE, [contest.proposals[0], contest.offer, 60])
        thread = threading.Thread(target=second)
        thread.start()
        assert begun.wait(10)
        thread.join(0.3)
        assert thread.is_alive(), "the second transaction did not wait for the first"
        first.commit()
        thread.join(10)
    assert refused == ["ck_offer_period_reserved_within_quantity"]


def test_the_second_gets_what_the_first_gives_back(contest: Contest) -> None:
    with contest.connect() as first, ThreadPoolExecutor(1) as pool:
        first.execute(RESERVE, [contest.proposals[0], contest.offer, 60])

        def second() -> None:
            with contest.connect() as connection:
                connection.execute(RESERVE, [contest.proposals[1], contest.offer, 60])

        waiting = pool.submit(second)
        first.rollback()
        waiting.result(10)
    with contest.connect() as connection:
        found = connection.execute("SELECT reserved FROM offer_period WHERE offer_id = %s", [contest.offer])
        assert found.fetchall() == [(60,)]


def test_of_eight_at_once_as_many_succeed_as_there_is_volume_for(contest: Contest) -> None:
    start = threading.Barrier(8)

    def reserve(proposal: object) -> bool:
        with contest.connect() as connection:
            start.wait(10)
            try:
                connection.execute(RESERVE, [proposal, contest.offer, 30])
            except psycopg.errors.CheckViolation:
                connection.rollback()
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(reserve, contest.proposals)) == 3
    with contest.connect() as connection:
        found = connection.execute("SELECT reserved FROM offer_period WHERE offer_id = %s", [contest.offer])
        assert found.fetchall() == [(90,)]
