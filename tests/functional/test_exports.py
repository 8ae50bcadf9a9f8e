"""Exports: own records only, every kind of file, exact numbers, nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import IO, Any, cast

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.errors import Refused
from app.models import (
    Amendment,
    CallOff,
    CallOffLedger,
    Consignment,
    Contract,
    ContractVersion,
    Firm,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    LineName,
    Payment,
    User,
)
from app.operations import export_files, export_rows
from app.operations.export_columns import COLUMNS, Kind, Sheet
from app.operations.export_files import write_csv, write_xlsx
from app.operations.export_rows import Wanted
from app.permissions import Permission
from contracts.clauses import Lot, Party
from contracts.defaults import standard_terms
from contracts.price_formula import FixedPrice
from contracts.terms import canonical_json, terms_hash
from contracts.wording import Text
from market.periods import Horizon, Period
from tests import factories as make

from .ubl_structure import faults
from .web_market import at_noon

__all__ = ["at_noon"]

As = Callable[[User], FlaskClient]
EVIL = '=HYPERLINK("http://example.org","x")'
TODAY = make.NOON.date()


def agreed(session: Session, *, lots: tuple[int, ...] = (5, 7), name: str = "甲方", **more: Any) -> Contract:
    """A contract over quarters from 2027 on, in lots of 0.1 t at 78.5 and freight of 4; `name` is the seller's."""
    proposal = make.AgreedProposalFactory()
    window = Horizon(Period.parse(more.pop("first", "2027-Q1")), len(lots))
    number = f"CD-{proposal.id.hex[:12].upper()}"
    terms = standard_terms(
        number=number,
        seller=_party(proposal.seller, name),
        buyer=_party(proposal.buyer, "乙方"),
        product=more.pop("product", "lithium_carbonate"),
        grade="battery",
        lot=Lot(size=Decimal("0.1"), unit="t"),
        lots=dict(zip(window, lots, strict=True)),
        price=FixedPrice(amount=Decimal("78.5")),
        freight=Decimal(4),
        place=more.pop("place", "Yichun"),
    )
    contract: Contract = make.ContractFactory(
        proposal=proposal,
        number=number,
        terms=json.loads(canonical_json(terms)),
        terms_hash=terms_hash(terms),
        effective_from=window.first.first_day,
        effective_to=window.last.last_day,
        created_at=make.NOON,
        **more,
    )
    session.flush()
    return contract


def _party(firm: Firm, name: str) -> Party:
    return Party(credit_code=str(firm.credit_code), name=Text(name, name), address=None, signatory=None, affiliates=())


def invoiced(session: Session, contract: Contract, *nets: str, number: int = 1, **more: Any) -> Invoice:
    """An invoice of January 2027 with a line for each net amount, VAT of 13 %."""
    net = sum(map(Decimal, nets), Decimal(0))
    vat = (net * Decimal("0.13")).quantize(Decimal("0.01"))
    fields: dict[str, Any] = {
        "contract_id": contract.id,
        "number": number,
        "kind": InvoiceKind.PROVISIONAL,
        "period": "2027-01",
        "creditor": "seller",
        "currency": "CNY",
        "net": net,
        "vat": vat,
        "gross": net + vat,
        "vat_step": {"zh": "增值税", "en": "VAT"},
        "issued_on": dt.date(2027, 2, 1),
        "due_on": dt.date(2027, 3, 3),
        "terms_version": 1,
        "terms_hash": contract.terms_hash,
        "inputs": {},
        "inputs_hash": make.digest(f"{contract.number} {number}"),
    }
    invoice = Invoice(**fields | more)
    invoice.lines = [
        InvoiceLine(
            position=position,
            name=name,
            lots=3,
            to_date=Decimal(one),
            already=Decimal(0),
            net=Decimal(one),
            steps=[{"zh": "货款", "en": "goods"}],
        )
        for position, (name, one) in enumerate(zip(LineName, nets, strict=False), start=1)
    ]
    session.add(invoice)
    session.flush()
    return invoice


def table(client: FlaskClient, address: str) -> list[dict[str, str]]:
    """The rows of a CSV by the titles of its header."""
    answer = client.get(f"/api/v1/exports/{address}")
    assert answer.status_code == 200, answer.text
    assert answer.content_length == len(answer.data)
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))


def workbook(client: FlaskClient, address: str) -> list[list[Any]]:
    answer = client.get(f"/api/v1/exports/{address}")
    assert answer.status_code == 200, answer.text
    (name,) = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).sheet_names
    return CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_name(name).to_python()


def documents(client: FlaskClient, address: str) -> dict[str, str]:
    answer = client.get(f"/api/v1/exports/{address}")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


# -- what the files hold ----------------------------------------------------------------------------------------------


def test_a_contract_as_a_row(session: Session, client_as: As) -> None:
    contract = agreed(session)
    (row,) = table(client_as(make.StaffFactory()), "contracts.csv?language=en")
    assert row["Contract"] == contract.number
    assert (row["Seller"], row["Seller's code"]) == ("甲方", contract.seller.credit_code)
    assert (row["Agreed on"], row["From"], row["To"]) == ("2026-11-20", "2027-01-01", "2027-06-30")
    assert (row["Lots in all"], row["Units in a lot"], row["Quantity in all"]) == ("12", "0.1", "1.2")
    assert (row["Kind of price"], row["Price or base, without tax"], row["Freight"]) == ("fixed", "78.5", "4")
    assert (row["Version of the terms"], row["SHA-256 of the terms"]) == ("1", contract.terms_hash)


def test_a_schedule_has_a_row_for_each_period_with_what_became_of_it(session: Session, client_as: As) -> None:
    contract = agreed(session, lots=(50, 70), state="effective")
    for period, most in (("2027-Q1", 50), ("2027-Q2", 120)):
        session.add(CallOffLedger(contract_id=contract.id, period=period, lots=70, maximum=70, most_so_far=most))
    session.flush()
    for number, (state, received) in enumerate((("confirmed", None), ("received", 20), ("cancelled", None)), start=1):
        call_off = CallOff(
            contract_id=contract.id,
            number=number,
            period="2027-Q1",
            month="2027-01",
            state=state,
            nominated_lots=20,
            confirmed_lots=20,
            shipped_lots=received,
            received_lots=received,
            place="Yichun",
        )
        session.add(call_off)
        if received:
            goods = Consignment(
                transport_document="W-1",
                certificate="C-1",
                shipped_on=dt.date(2027, 1, 5),
                received_on=dt.date(2027, 1, 9),
            )
            call_off.consignment = goods
        session.flush()
    rows = table(client_as(make.StaffFactory()), "schedules.csv?language=en")
    told = [
        [row[title] for title in ("Period", "From", "To", "Lots", "Fewest lots", "Most lots", "Quantity")]
        for row in rows
    ]
    assert told == [
        ["2027-Q1", "2027-01-01", "2027-03-31", "50", "45", "55", "5"],
        ["2027-Q2", "2027-04-01", "2027-06-30", "70", "63", "77", "7"],
    ]
    standing = [
        [row[f"Lots {what}"] for what in ("nominated", "confirmed", "delivered", "not delivered")] for row in rows
    ]
    assert standing == [["40", "40", "20", "30"], ["0", "0", "0", "70"]]


@pytest.mark.parametrize(("on", "version", "lots"), [(1, 1, 5), (2, 2, 8), (9, 2, 8), (10, 3, 9)])
def test_the_terms_are_those_in_force(session: Session, on: int, version: int, lots: int) -> None:
    contract = agreed(session)
    for number, day, called in ((2, 2, 8), (3, 10, 9)):
        lines = [line | {"lots": called, "minimum": 0, "maximum": called} for line in contract.terms["schedule"]]
        terms = contract.terms | {"version": number, "schedule": lines}
        amendment = Amendment(
            contract_id=contract.id,
            proposed_by="seller",
            number=number,
            reason_code="reopener",
            in_force_from=dt.date(2027, 1, day),
            terms=terms,
            terms_hash=make.digest(f"terms {number}"),
            state="active",
            proposed_at=make.NOON,
            expires_at=make.NOON,
        )
        session.add(amendment)
        session.flush()
        shared = {name: getattr(amendment, name) for name in ("contract_id", "number", "terms", "terms_hash")}
        session.add(ContractVersion(amendment_id=amendment.id, in_force_from=amendment.in_force_from, **shared))
        session.flush()

    def told(sheet: Sheet, column: str) -> Any:
        rows = export_rows.read_rows(
            session, sheet, principal=SYSTEM, wanted=Wanted(), on=dt.date(2027, 1, on), language="zh"
        )
        return next(rows)[[one.name for one in COLUMNS[sheet]].index(column)]

    assert (told(Sheet.CONTRACTS, "terms_version"), told(Sheet.SCHEDULES, "lots")) == (version, lots)
    (read,) = export_rows.read_terms(session, principal=SYSTEM, wanted=Wanted(), on=dt.date(2027, 1, on))
    assert read.terms["version"] == version


def test_invoices_with_what_was_paid(session: Session, client_as: As) -> None:
    contract = agreed(session)
    invoice = invoiced(session, contract, "100.00", "-2.50")
    session.add(Payment(invoice_id=invoice.id, amount=Decimal("10.18"), paid_on=TODAY, recorded_by="buyer"))
    invoiced(session, contract, "-50.00", number=2, kind=InvoiceKind.FINAL, issued_on=dt.date(2027, 2, 2))
    first, second = table(client_as(make.StaffFactory()), "invoices.csv?language=en")
    assert first["Invoice"] == f"{contract.number}-1"
    assert [first[title] for title in ("Net", "VAT", "Gross", "Paid")] == ["97.50", "12.68", "110.18", "10.18"]
    assert [second[title] for title in ("Kind of invoice", "Gross", "Paid")] == ["final", "-56.50", "0.00"]


def test_a_workbook_has_typed_cells_and_chinese_titles(session: Session, client_as: As) -> None:
    agreed(session)
    header, first, _ = workbook(client_as(make.StaffFactory()), "schedules.xlsx")
    row = dict(zip(header, first, strict=True))
    assert row["起始日"] == dt.date(2027, 1, 1)
    assert (row["批数"], row["数量"], row["价格或基价（不含税）"]) == (5.0, 0.5, 78.5)
    assert header == [column.zh for column in COLUMNS[Sheet.SCHEDULES]]


def test_orders_and_invoices_in_ubl(session: Session, client_as: As) -> None:
    contract = agreed(session)
    invoice = invoiced(session, contract, "100.00")
    invoiced(session, contract, "-50.00", number=2, kind=InvoiceKind.FINAL)
    staff = client_as(make.StaffFactory())
    orders = documents(staff, "contracts.zip")
    assert list(orders) == [f"{contract.number}.xml"]
    found = documents(staff, "invoices.zip")
    assert sorted(found) == [f"{contract.number}-1.xml", f"{contract.number}-2.xml"]
    assert "<CreditNote " in found[f"{contract.number}-2.xml"]
    one = staff.get(f"/api/v1/exports/contracts/{contract.id}.xml")
    assert one.text == orders[f"{contract.number}.xml"]
    other = staff.get(f"/api/v1/exports/invoices/{invoice.id}.xml")
    assert other.text == found[f"{contract.number}-1.xml"]
    for document in (*orders.values(), *found.values()):
        assert faults(document) == []
    assert one.headers["Content-Disposition"] == f"attachment; filename={contract.number}.xml"


# -- who gets what ----------------------------------------------------------------------------------------------------


def test_a_firm_gets_its_own_only_and_overseers_all(session: Session, client_as: As) -> None:
    ours, others = agreed(session), agreed(session)
    invoices = {contract: invoiced(session, contract, "1.00") for contract in (ours, others)}
    party = client_as(make.UserFactory(firm=ours.buyer))
    for sheet in Sheet:
        assert {row["Contract"] for row in table(party, f"{sheet}.csv?language=en")} == {ours.number}
        for overseer in (make.StaffFactory(), make.RegulatorFactory()):
            seen = {row["Contract"] for row in table(client_as(overseer), f"{sheet}.csv?language=en")}
            assert seen == {ours.number, others.number}
        assert table(client_as(make.UserFactory()), f"{sheet}.csv") == []
        assert client_as(make.PlatformAdminFactory()).get(f"/api/v1/exports/{sheet}.xlsx").status_code == 403
    assert list(documents(party, "contracts.zip")) == [f"{ours.number}.xml"]
    assert list(documents(party, "invoices.zip")) == [f"{ours.number}-1.xml"]
    for contract, status in ((ours, 200), (others, 404)):
        assert party.get(f"/api/v1/exports/contracts/{contract.id}.xml").status_code == status
        assert party.get(f"/api/v1/exports/invoices/{invoices[contract].id}.xml").status_code == status


def test_a_key_needs_the_scope(
    session: Session, client: FlaskClient, key_headers: Callable[..., dict[str, str]]
) -> None:
    contract = agreed(session)
    admin = make.FirmAdminFactory(firm=contract.seller)
    without = client.get("/api/v1/exports/contracts.csv", headers=key_headers(admin, Permission.OFFER_READ))
    assert without.status_code == 403
    client.environ_base["HTTP_AUTHORIZATION"] = key_headers(admin, Permission.CONTRACT_READ)["Authorization"]
    assert [row["Contract"] for row in table(client, "contracts.csv?language=en")] == [contract.number]


@pytest.mark.parametrize(
    ("query", "contracts", "periods"),
    [
        ("state=agreed", ["early"], ["2027-Q1", "2027-Q2"]),
        ("product=nickel", ["late"], ["2028-Q1", "2028-Q2"]),
        ("first_day=2027-06-30&last_day=2028-01-01", ["early", "late"], ["2027-Q2", "2028-Q1"]),
        ("last_day=2027-03-31", ["early"], ["2027-Q1"]),
        ("first_day=2029-01-01", [], []),
    ],
)
def test_what_is_wanted(session: Session, client_as: As, query: str, contracts: list[str], periods: list[str]) -> None:
    names = {
        agreed(session).number: "early",
        agreed(session, first="2028-Q1", product="nickel", state="signed").number: "late",
    }
    staff = client_as(make.StaffFactory())
    found = table(staff, f"contracts.csv?language=en&{query}")
    assert sorted(names[row["Contract"]] for row in found) == contracts
    assert sorted(row["Period"] for row in table(staff, f"schedules.csv?language=en&{query}")) == periods
    assert sorted(names[name.removesuffix(".xml")] for name in documents(staff, f"contracts.zip?{query}")) == contracts


def test_what_is_asked_wrongly_is_named(session: Session, client_as: As) -> None:
    answer = client_as(make.StaffFactory()).get("/api/v1/exports/contracts.csv?state=lost&first_day=1.1.2027&x=1")
    assert answer.status_code == 422
    assert answer.json is not None
    assert {error["parameter"] for error in answer.json["errors"]} == {"state", "first_day", "x"}


# -- nothing runs, nothing is lost ------------------------------------------------------------------------------------


def test_a_name_that_is_a_formula_stays_a_text(session: Session, client_as: As) -> None:
    agreed(session, name=EVIL)
    staff = client_as(make.StaffFactory())
    (row,) = table(staff, "contracts.csv?language=en")
    assert row["Seller"] == f"'{EVIL}"
    answer = staff.get("/api/v1/exports/contracts.xlsx")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert "hyperlink" not in "".join(archive.namelist()).lower()
    header, first = workbook(staff, "contracts.xlsx?language=en")
    assert dict(zip(header, first, strict=True))["Seller"] == EVIL


@pytest.mark.parametrize("wanted", [True, False])
def test_the_byte_order_mark_is_there_if_wanted(session: Session, client_as: As, wanted: bool) -> None:
    answer = client_as(make.StaffFactory()).get(f"/api/v1/exports/contracts.csv?byte_order_mark={wanted}")
    assert answer.data.startswith(b"\xef\xbb\xbf") is wanted
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == "attachment; filename=contracts-2026-11-20.csv"


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(texts=st.lists(TEXTS, min_size=len(COLUMNS[Sheet.INVOICES]), max_size=len(COLUMNS[Sheet.INVOICES])))
def test_whatever_a_text_holds_csv_gives_it_back_and_nothing_runs(texts: list[str]) -> None:
    file = io.BytesIO()
    write_csv(file, Sheet.INVOICES, [texts], language="zh", byte_order_mark=False)
    _, cells = csv.reader(io.StringIO(file.getvalue().decode(), newline=""))
    for text, cell in zip(texts, cells, strict=True):
        assert cell in {text, f"'{text}"}
        assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))


@given(value=st.decimals(-(10**14), 10**14, places=6, allow_nan=False))
def test_numbers_are_exact_and_no_formulas_in_csv(value: Decimal) -> None:
    file = io.BytesIO()
    row = [value if column.kind is Kind.NUMBER else None for column in COLUMNS[Sheet.SCHEDULES]]
    write_csv(file, Sheet.SCHEDULES, [row], language="zh", byte_order_mark=False)
    _, cells = csv.reader(io.StringIO(file.getvalue().decode()))
    assert {Decimal(cell) for cell in cells if cell} == {value}


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_files, "MOST_ROWS", 3)
    row = (None,) * len(COLUMNS[Sheet.INVOICES])
    write_xlsx(io.BytesIO(), Sheet.INVOICES, [row] * 3, language="zh", now=make.NOON)
    with pytest.raises(Refused, match="CSV"):
        write_xlsx(io.BytesIO(), Sheet.INVOICES, [row] * 4, language="zh", now=make.NOON)


def test_the_same_export_at_the_same_time_has_the_same_bytes(session: Session, client_as: As) -> None:
    agreed(session)
    staff = client_as(make.StaffFactory())
    for address in ("contracts.xlsx", "contracts.zip", "schedules.csv"):
        assert len({staff.get(f"/api/v1/exports/{address}").data for _ in range(2)}) == 1


def test_memory_does_not_grow_with_the_rows(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract of 20 000 lines is read and written in a fraction of what they take together."""
    count, row = 20_000, len(COLUMNS[Sheet.SCHEDULES])
    agreed(session, lots=(1,) * 12)
    monkeypatch.setattr(export_rows, "AT_ONCE", 100)

    def peak(lines: int) -> int:
        def rows() -> Iterator[tuple[Any, ...]]:
            for _ in range(lines):
                yield ("x" * 30,) * row

        file = cast("IO[bytes]", _Nowhere())
        tracemalloc.start()
        write_csv(file, Sheet.SCHEDULES, rows(), language="zh", byte_order_mark=False)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(count) < peak(count // 20) * 2


class _Nowhere(io.RawIOBase):
    """A file that keeps nothing."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return len(data)


def test_every_column_has_its_place(session: Session) -> None:
    """All columns of all sheets come out of the queries, under the titles of both languages."""
    invoiced(session, agreed(session), "1.00")
    for sheet, columns in COLUMNS.items():
        for language in ("zh", "en"):
            (*rows,) = export_rows.read_rows(
                session, sheet, principal=SYSTEM, wanted=Wanted(), on=TODAY, language=language
            )
            assert {len(row) for row in rows} == {len(columns)}
            assert all(value is not None for row in rows for value in row)
        assert len({column.name for column in columns}) == len(columns)
        assert all(column.zh and column.en for column in columns)


# -- the pages --------------------------------------------------------------------------------------------------------


def test_the_list_of_contracts_leads_to_its_files(session: Session, client_as: As) -> None:
    contract, other = agreed(session), agreed(session, state="signed")
    party, staff = client_as(make.UserFactory(firm=contract.seller)), client_as(make.StaffFactory())
    page = staff.get("/contracts?state=signed").text
    found = re.findall(r'href="(/exports/[^"]+)"', page)
    assert len(found) == 8
    for address in found:
        answer = staff.get(address.replace("&amp;", "&"))
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"].startswith("attachment")
    told = staff.get("/exports/contracts.csv?state=signed").data.decode()
    assert other.number in told
    assert contract.number not in told
    assert contract.number in party.get("/exports/schedules.csv").data.decode()
    assert other.number not in party.get("/exports/schedules.csv").data.decode()
    assert f"/api/v1/exports/contracts/{contract.id}.xml" in party.get(f"/contracts/{contract.id}").text
    for address in ("/exports/offers.csv", "/exports/schedules.zip", "/exports/contracts.pdf"):
        assert staff.get(address).status_code == 404


def test_too_long_a_workbook_is_told_on_a_page(
    session: Session, client_as: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed(session)
    monkeypatch.setattr(export_files, "MOST_ROWS", 1)
    answer = client_as(make.StaffFactory()).get("/exports/schedules.xlsx")
    assert answer.status_code == 422
    assert "CSV" in answer.text


def test_invoices_lead_to_their_files(session: Session, client_as: As) -> None:
    contract = agreed(session)
    invoice = invoiced(session, contract, "1.00")
    party = client_as(make.UserFactory(firm=contract.buyer))
    assert re.findall(r'href="(/exports/[^"]+)"', party.get("/invoices").text) == [
        "/exports/invoices.csv",
        "/exports/invoices.xlsx",
        "/exports/invoices.zip",
    ]
    assert f"/api/v1/exports/invoices/{invoice.id}.xml" in party.get(f"/invoices/{invoice.id}").text
