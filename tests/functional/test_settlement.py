"""Who owes what under a contract: provisional and final invoices, corrections, years, late money; all of it again."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs.settlement import issue_all
from app.jobs.transactions import in_transaction
from app.models import (
    Claim,
    FixingKind,
    ForceMajeure,
    ForceMajeureNotice,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    Outbox,
    Payment,
    Penalty,
    YearStatement,
)
from app.operations import invoicing
from app.operations.replay import replay
from app.settlement_commands import issue as issue_command
from app.settlement_commands import run_replay
from app.transaction import Application
from contracts.fixings import QuotationPeriod
from contracts.working import total
from tests.functional.refusals import violates

from .night_market import standing_application
from .settlement_market import FORMULA, Deal, deal, fixed, load_june, noon, record


def money(row: Invoice) -> tuple[Decimal, Decimal, Decimal]:
    return row.net, row.vat, row.gross


def steps(row: Invoice) -> str:
    return "\n".join(step["en"] for line in row.lines for step in line.steps)


def test_a_month_by_the_real_fixings(session: Session) -> None:
    """Provisional on shipment, final on the assay, the difference between, and every step of the way."""
    load_june()
    contract = deal()
    call_off = contract.ships(100)
    (first,) = contract.issue("2025-07-10").invoices
    # 56 000 x 0.3 + 0.7 x mean(20 closes) / 1.13 + 800, 90 % of it and of the freight
    price = Decimal("55118.76")
    assert (first.kind, first.number, first.creditor, first.payer) == (InvoiceKind.PROVISIONAL, 1, "seller", "buyer")
    assert first.net == Decimal("498318.84")
    assert "mean of 20 fixings of GFEX-LC from 2025-06-01 to 2025-06-30 = " in steps(first)
    assert "floor 50,000 not reached" in steps(first)
    assert f"#{call_off.number}: goods 100 lots × 0.1 t × {price:,} × provisional 90 %" in steps(first)
    assert contract.issue("2025-07-11").invoices == ()
    contract.assayed(contract.arrives(call_off), "99.38", "99.34")
    (final,) = contract.issue("2025-07-20").invoices
    assert (final.kind, final.number) == (InvoiceKind.FINAL, 2)
    assert [(line.name, line.to_date) for line in final.lines] == [
        ("goods", price * 10),
        ("freight", Decimal(2500)),
        ("quality", Decimal(-4200)),
    ]
    assert total((first.net, final.net)) == price * 10 + 2500 - 4200
    assert total((first.vat, final.vat)) == Decimal("71433.39")
    assert call_off.state == "settled"
    assert final.due_on == dt.date(2025, 8, 19)
    assert contract.issue("2025-07-21").invoices == ()


def test_a_quotation_period_that_is_not_over_gives_an_estimate_that_stays_until_the_end(session: Session) -> None:
    load_june()
    contract = deal(price=replace(FORMULA, quotation=QuotationPeriod.MONTH_OF_DELIVERY))
    june = dt.date(2025, 6, 30)
    call_off = contract.ships(100, day=3)
    (first,) = contract.issue("2025-07-03").invoices
    assert f"estimate: no fixing of GFEX-LC in its quotation period yet, that of {june} counts, 62,260" in steps(first)
    record(dt.date(2025, 7, 1), 70000, on="2025-07-02")
    assert contract.issue("2025-07-04").invoices == ()
    contract.assayed(contract.arrives(call_off), "99.5", "99.5")
    waits = contract.issue("2025-07-20")
    assert waits.invoices == ()
    for day in range(2, 32):
        if dt.date(2025, 7, day).weekday() < 5:
            record(dt.date(2025, 7, day), 70000, on="2025-08-01")
    (final,) = contract.issue("2025-08-01").invoices
    assert final.kind is InvoiceKind.FINAL
    assert "mean of 23 fixings of GFEX-LC from 2025-07-01 to 2025-07-31 = 70,000" in steps(final)


def test_parts_in_any_order_settle_to_the_cents_of_the_whole(session: Session) -> None:
    load_june()
    whole, parts = deal(), deal()
    whole.delivers(100, assay="99.43")
    whole.issue("2025-07-20")
    on_the_way = [parts.ships(lots, day=day) for lots, day in ((33, 3), (41, 9), (26, 15))]
    parts.issue("2025-07-03")
    for at, day in ((2, "2025-07-18"), (0, "2025-07-19"), (1, "2025-07-22")):
        parts.assayed(parts.arrives(on_the_way[at]), "99.43", "99.43")
        parts.issue(day)
    assert len(of(session, parts)) == 4
    assert sums(session, parts) == sums(session, whole)


def of(session: Session, one: Deal) -> list[Invoice]:
    query = sa.select(Invoice).where(Invoice.contract_id == one.contract.id).order_by(Invoice.number)
    return list(session.scalars(query))


def sums(session: Session, one: Deal) -> tuple[Decimal, Decimal]:
    rows = of(session, one)
    return total(row.net for row in rows), total(row.vat for row in rows)


def test_a_corrected_fixing_is_named_and_the_difference_invoiced(session: Session) -> None:
    load_june()
    contract = deal()
    contract.delivers(100)
    contract.issue("2025-07-20")
    assert replay(session, contract_id=contract.contract.id).found == ()
    record(dt.date(2025, 6, 4), 62080, reason="misprint", on="2025-07-25")
    (found,) = replay(session, contract_id=contract.contract.id).found
    assert found.differences == ()
    assert (found.document.en, found.document.zh) == ("invoice 1", "第 1 号账单")
    (changed,) = found.changed
    assert changed.en == "fixing GFEX-LC on 2025-06-04: invoiced with 61080, now 62080"
    assert changed.zh == "GFEX-LC 于 2025-06-04 的报价：开票时为 61080，现为 62080"
    (more,) = contract.issue("2025-07-26").invoices
    # 1 000 over 20 days: 50, less tax, 70 %, of 10 t; rounded on the price
    assert (more.kind, more.net) == (InvoiceKind.CORRECTION, Decimal("309.70"))
    assert contract.issue("2025-07-27").invoices == ()


def test_everything_comes_out_again_and_a_changed_cent_is_found(session: Session) -> None:
    load_june()
    first, second = deal(), fixed()
    for contract in (first, second):
        contract.delivers(100, assay="99.36")
        contract.delivers(90, month="2025-08")
        contract.ships(80, month="2025-09")
        contract.issue("2025-09-20")
        contract.issue("2026-03-01")
    all_of_it = replay(session)
    assert all_of_it.same
    assert all_of_it.count >= 6
    session.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    session.execute(sa.text("ALTER TABLE invoice DISABLE TRIGGER USER"))
    session.execute(sa.update(Invoice).where(Invoice.number == 1).values(net=Invoice.net + 1, gross=Invoice.gross + 1))
    session.expire_all()
    broken = replay(session)
    assert not broken.same
    assert [one.differences[0].en.partition(":")[0] for one in broken.found if one.differences] == ["net", "net"]


def test_a_fixing_that_is_missing_is_waited_for_until_staff_determine_it(session: Session) -> None:
    load_june()
    contract = deal()
    for day in (23, 24, 25, 26, 27):
        record(dt.date(2025, 6, day), None, kind=FixingKind.WITHDRAWN, reason="exchange cancelled the day")
    call_off = contract.delivers(100)
    first = contract.issue("2025-07-20")
    assert [row.kind for row in first.invoices] == [InvoiceKind.PROVISIONAL]
    assert "estimate: mean of the 15 fixings" in steps(first.invoices[0])
    assert "no fixing on 2025-06-24" in first.waiting[0].why.en
    assert call_off.state == "assayed"
    for day in (24, 25, 26, 27):
        record(dt.date(2025, 6, day), 60000, kind=FixingKind.DETERMINED, reason="mean of two brokers")
    (final,) = contract.issue("2025-07-21").invoices
    assert final.kind is InvoiceKind.FINAL
    told = steps(final)
    assert "no fixing on 2025-06-23: that of 2025-06-20 stands in, " in told
    assert "no fixing on 2025-06-24: staff determined 60,000" in told
    record(dt.date(2025, 6, 24), None, kind=FixingKind.WITHDRAWN, reason="under dispute")
    again = contract.issue("2025-07-22")
    assert again.invoices == ()
    assert "2025-06-24" in again.waiting[0].why.en
    assert replay(session, contract_id=contract.contract.id).same


def test_assays_too_far_apart_wait_for_the_umpire(session: Session) -> None:
    contract = fixed()
    call_off = contract.assayed(contract.arrives(contract.ships(10)), "99.6", "99.4")
    held = contract.issue("2025-07-20")
    assert [row.kind for row in held.invoices] == [InvoiceKind.PROVISIONAL]
    assert "expected an umpire's result" in held.waiting[0].why.en
    contract.umpire(call_off, "99.48")
    (final,) = contract.issue("2025-07-21").invoices
    assert final.kind is InvoiceKind.FINAL
    assert "Li2CO3 99.48 % against 99.5: 0.2 steps × 300 = penalty of 60 per unit" in steps(final)


def test_rejected_goods_are_credited(session: Session) -> None:
    contract = fixed()
    kept, bad = contract.delivers(10), contract.arrives(contract.ships(10))
    contract.issue("2025-07-20")
    bad.state = "rejected"
    session.flush()
    (credit,) = contract.issue("2025-07-25").invoices
    assert credit.is_credit_note
    assert credit.payer == "seller"
    assert credit.net == Decimal("-54225.00")  # 10 x 0.1 x 60 250 x 90 %
    assert [row.consignment for row in credit.consignments] == [kept.consignment]
    assert sums(session, contract)[0] == Decimal(60250)


def test_late_lots_cost_damages_up_to_the_cap(session: Session) -> None:
    contract = fixed()
    late = contract.ships(100, day=10, promised_on=dt.date(2025, 7, 12))
    contract.assayed(contract.arrives(late, "2025-07-25"), "99.5", "99.5")
    rows = contract.issue("2025-08-01").invoices
    (note,) = [row for row in rows if row.kind is InvoiceKind.LATE_DAMAGES]
    # 13 days late, 3 of grace, 0.05 % a day of 600 000
    assert money(note) == (Decimal(3000), Decimal(0), Decimal(3000))
    assert (note.creditor, note.payer, note.vat_step) == ("buyer", "seller", None)
    assert f"#{late.number}: 100 lots worth 600,000, 13 days late (3 of grace)" in steps(note)
    assert contract.issue("2025-08-02").invoices == ()
    very = contract.ships(100, month="2025-08", day=1, promised_on=dt.date(2025, 8, 2))
    contract.assayed(contract.arrives(very, "2026-02-20"), "99.5", "99.5")
    (capped,) = [row for row in contract.issue("2026-02-21").invoices if row.kind is InvoiceKind.LATE_DAMAGES]
    assert capped.gross == Decimal(30000)
    assert "(capped)" in steps(capped)


def test_what_is_paid_late_bears_interest_once(session: Session) -> None:
    contract = fixed()
    contract.ships(100)
    (first,) = contract.issue("2025-07-10").invoices
    assert first.due_on == dt.date(2025, 8, 9)
    contract.pays(first, "100000", "2025-08-01")
    contract.pays(first, "200000", "2025-08-29")
    (note,) = contract.issue("2025-08-30").invoices
    # 200 000 x 6 % x 20 / 365
    assert (note.kind, note.gross, note.about_id) == (InvoiceKind.INTEREST, Decimal("657.53"), first.id)
    assert contract.issue("2025-08-31").invoices == ()
    contract.pays(first, first.unpaid, "2025-09-08")
    (more,) = contract.issue("2025-09-08").invoices
    assert more.gross == Decimal("1542.30")  # 312 742.50 x 6 % x 30 / 365 = 1542.29; 2199.83 in all
    assert first.unpaid == 0
    assert replay(session, contract_id=contract.contract.id).same


def test_a_year_that_falls_short_is_paid_and_comes_back(session: Session) -> None:
    contract = fixed(quarters=("2025-Q3", "2025-Q4", "2026-Q1"), lots=100)
    contract.delivers(85, month="2025-07")
    contract.delivers(65, month="2025-10")
    early = contract.issue("2025-12-31")
    assert early.statements == 0
    told = contract.issue("2026-01-02")
    assert told.statements == 1
    (asked,) = told.invoices
    # 90 % of 200 is 180, taken 150: 30 lots of 0.1 t at 60 000
    assert (asked.kind, asked.period) == (InvoiceKind.TAKE_OR_PAY, "2025")
    assert money(asked) == (Decimal(180000), Decimal(23400), Decimal(203400))
    year = session.scalars(sa.select(YearStatement)).one()
    assert year.outcome["take_or_pay"]["deficiency"] == 30
    assert year.outcome["supply_or_pay"]["payment"] == "0.00"
    assert contract.issue("2026-01-03").invoices == ()
    contract.delivers(110, month="2026-01")
    last = contract.issue("2027-01-02")
    (credit,) = [row for row in last.invoices if row.kind is InvoiceKind.TAKE_OR_PAY]
    # obligation 90; 20 of the 110 make up for paid ones: 20 x 0.1 x 60 000
    assert (credit.net, credit.is_credit_note, credit.period) == (Decimal(-120000), True, "2026")
    assert "made up: 20 lots, credited 120,000" in steps(credit)
    assert replay(session, contract_id=contract.contract.id).same


def test_what_the_seller_does_not_deliver_is_excused_and_paid_for(session: Session) -> None:
    contract = fixed(quarters=("2025-Q3", "2025-Q4"), lots=100)
    contract.delivers(90, month="2025-07")
    undelivered = contract.ships(90, month="2025-10")
    undelivered.state, undelivered.shipped_lots = "confirmed", None
    session.flush()
    told = contract.issue("2026-01-02").invoices
    # firm 180, 95 % is 171, delivered 90: 81 lots of 0.1 t at 60 000, 20 %
    (owed,) = [row for row in told if row.kind is InvoiceKind.SUPPLY_OR_PAY]
    assert (owed.gross, owed.creditor, owed.vat) == (Decimal(97200), "buyer", Decimal(0))
    assert not [row for row in told if row.kind is InvoiceKind.TAKE_OR_PAY], "called 180, which is 90 % of 200"


def test_an_invoice_stays_as_it_was_issued(session: Session) -> None:
    contract = fixed()
    contract.ships(10)
    (row,) = contract.issue("2025-07-10").invoices
    session.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    session.delete(row.lines[0])
    with violates("invoice_line_append_only"), session.begin_nested():
        session.flush()


@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("invoice", "net"),
        ("invoice_line", "net"),
        ("invoice_consignment", "lots"),
        ("payment", "amount"),
        ("year_statement", "year"),
        ("index_fixing", "value"),
    ],
)
def test_rows_that_are_only_added(session: Session, table: str, column: str, statement: str) -> None:
    with violates(f"{table}_append_only"):
        session.execute(sa.text(statement.format(table, column, column)))


def test_numbers_have_no_gap(session: Session) -> None:
    contract = fixed()
    contract.ships(10)
    (row,) = contract.issue("2025-07-10").invoices
    values = {column.name: getattr(row, column.key) for column in Invoice.__table__.columns if column.name != "id"}
    with violates("ck_invoice_number_follows"), session.begin_nested():
        session.execute(sa.insert(Invoice).values(values | {"number": 3, "inputs_hash": "0" * 64}))
    with violates("uq_invoice_contract_id_kind_inputs_hash"), session.begin_nested():
        session.execute(sa.insert(Invoice).values(values | {"number": 2}))


def test_lines_make_up_the_sum(session: Session) -> None:
    contract = fixed()
    contract.ships(10)
    (row,) = contract.issue("2025-07-10").invoices
    line = {"invoice_id": row.id, "position": 9, "name": "quality", "lots": 0, "steps": []}
    with violates("ck_invoice_lines_sum_up"), session.begin_nested():
        session.execute(sa.insert(InvoiceLine).values(line | {"to_date": 5, "already": 0, "net": 5}))
        session.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))


def test_no_more_is_paid_than_asked(session: Session) -> None:
    contract = fixed()
    contract.ships(10)
    (row,) = contract.issue("2025-07-10").invoices
    contract.pays(row, row.gross, "2025-07-12")
    with violates("ck_payment_within_invoice"), session.begin_nested():
        session.add(Payment(invoice_id=row.id, amount=Decimal(1), paid_on=row.issued_on, recorded_by="buyer"))
        session.flush()


def test_days_of_the_sellers_force_majeure_are_no_late_days(session: Session) -> None:
    contract = fixed()
    firm = contract.contract.seller
    event = ForceMajeure(firm_id=firm.id, description="flood", began_on=dt.date(2025, 7, 14), affected=Decimal(1))
    event.ended_on = dt.date(2025, 7, 20)
    session.add(event)
    session.flush()
    notice = ForceMajeureNotice(force_majeure_id=event.id, contract_id=contract.contract.id, side="seller")
    notice.in_time, notice.counts_from = True, event.began_on
    session.add(notice)
    late = contract.ships(100, day=10, promised_on=dt.date(2025, 7, 12))
    contract.assayed(contract.arrives(late, "2025-07-25"), "99.5", "99.5")
    (note,) = [row for row in contract.issue("2025-08-01").invoices if row.kind is InvoiceKind.LATE_DAMAGES]
    assert "6 days late (3 of grace)" in steps(note)


def test_what_is_claimed_is_not_asked_for_twice(session: Session) -> None:
    contract = fixed()
    late = contract.ships(100, day=10, promised_on=dt.date(2025, 7, 12))
    contract.assayed(contract.arrives(late, "2025-07-25"), "99.5", "99.5")
    claim = Claim(
        contract_id=contract.contract.id,
        claimant="buyer",
        kind="late_delivery",
        breach_on=dt.date(2025, 7, 12),
        statement="late",
        amount_claimed=Decimal(3000),
        penalty=Penalty.LATE_DAMAGES,
        penalty_period="2025-Q3",
        working={"value": "3000.00", "steps": []},
        state="pending",
        file_by=dt.date(2025, 9, 10),
        filed_at=noon("2025-07-26"),
        answer_by=dt.date(2025, 8, 15),
    )
    session.add(claim)
    session.flush()
    assert [row.kind for row in contract.issue("2025-08-01").invoices] == [InvoiceKind.FINAL]
    claim.state = "withdrawn"
    session.flush()
    assert [row.kind for row in contract.issue("2025-08-02").invoices] == [InvoiceKind.LATE_DAMAGES]


def test_who_is_told(session: Session) -> None:
    load_june()
    contract = deal()
    record(dt.date(2025, 6, 30), None, kind=FixingKind.WITHDRAWN, reason="not published")
    for day in (24, 25, 26, 27):
        record(dt.date(2025, 6, day), None, kind=FixingKind.WITHDRAWN, reason="not published")
    contract.delivers(10)
    for on in ("2025-07-20", "2025-07-21", "2025-09-01", "2025-09-02"):
        contract.issue(on)
    query = sa.select(Outbox).where(Outbox.payload["contract"].astext == contract.contract.number).order_by(Outbox.id)
    told = list(session.scalars(query))
    assert [one.topic for one in told] == ["index.missing", "invoice.issued", "invoice.overdue"]
    assert told[0].payload["days"] == ["2025-06-27", "2025-06-30"]
    assert set(told[1].firm_ids) == {contract.contract.seller_firm_id, contract.contract.buyer_firm_id}


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


def test_the_job_issues_for_all_and_a_contract_that_fails_holds_nobody_up(own_app: Application) -> None:
    good, bad = fixed(), fixed()
    for contract in (good, bad):
        contract.ships(10)
    damaged = bad.ships(10).consignment
    db.session.commit()
    db.session.execute(sa.text("ALTER TABLE consignment DISABLE TRIGGER USER"))
    db.session.delete(damaged)
    db.session.commit()
    assert issue_all(now=noon("2025-07-20")) == {"invoices": 1, "statements": 0, "waiting": 0, "failed": 1}
    assert issue_all(now=noon("2025-07-20"))["invoices"] == 0
    runner = own_app.test_cli_runner()
    assert "invoices 0" in runner.invoke(issue_command, ["--day", "2025-07-21"]).output
    assert "1 computed again, 0 otherwise" in runner.invoke(run_replay, []).output
    assert runner.invoke(run_replay, ["--contract", "CD-NONE"]).exit_code == 1


def test_two_who_issue_at_once_issue_once(own_app: Application) -> None:
    contract = fixed()
    contract.ships(10)
    contract_id = contract.contract.id
    db.session.commit()
    start = threading.Barrier(4)

    def issue() -> int:
        with own_app.app_context():
            start.wait()
            done = in_transaction(lambda own: invoicing.issue_due(own, contract_id=contract_id, now=noon("2025-07-20")))
            return len(done.invoices)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(one.result() for one in [pool.submit(issue) for _ in range(4)]) == [0, 0, 0, 1]
    assert db.session.scalars(sa.select(Invoice.number)).all() == [1]
