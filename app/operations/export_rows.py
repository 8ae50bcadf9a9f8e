"""The rows of exports: one query each, read through a cursor of the server, so that their number does not matter.

A cursor shows the database as it was when it was opened: an export is of one moment, however long it takes.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, aggregate_order_by
from sqlalchemy.orm import Session, aliased

from app.auth import Principal
from app.clock import EXCHANGE
from app.models import CallOff, Consignment, Contract, ContractVersion, Invoice, InvoiceLine, Payment
from app.operations.contracts import visible_contracts
from app.operations.export_columns import COLUMNS, Sheet
from app.operations.quantities import NOT_STANDING
from market.periods import Period

AT_ONCE = 500  # rows that are in memory together
Rows = Generator[tuple[Any, ...], None, None]
Expressions = Mapping[str, sa.ColumnElement[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows are wanted; None wants all.

    Days are both included: contracts and schedule lines whose window meets them, invoices issued on them.
    """

    state: str | None = None
    product: str | None = None
    number: str | None = None
    first_day: dt.date | None = None
    last_day: dt.date | None = None


def read_rows(
    session: Session, sheet: Sheet, *, principal: Principal, wanted: Wanted, on: dt.date, language: str
) -> Rows:
    """The rows of a sheet that the asker may read, in the order of its columns; terms are those in force on a day.

    Names of firms are those they signed with, in the language ("zh" or "en").
    """
    if sheet is Sheet.SCHEDULES:
        yield from _dated(_stream(session, _schedule_query(principal, wanted, on, language)), wanted)
    elif sheet is Sheet.CONTRACTS:
        yield from _stream(session, _contract_query(principal, wanted, on, language))
    else:
        yield from _stream(session, _invoice_query(principal, wanted, language))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedTerms:
    """A contract, when it was agreed, and the document of its terms in force."""

    id: uuid.UUID
    agreed_at: dt.datetime
    terms: dict[str, Any]


def read_terms(
    session: Session, *, principal: Principal, wanted: Wanted, on: dt.date
) -> Generator[AgreedTerms, None, None]:
    """The contracts that the asker may read, each with its terms in force on a day."""
    version = _version_in_force(on, "zh")
    query = _contracts((Contract.id, Contract.created_at, version.c.terms), version, principal, wanted)
    for number, agreed_at, terms in _stream(session, query):
        yield AgreedTerms(id=number, agreed_at=agreed_at, terms=terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedInvoice:
    """An invoice with the document of the terms it was issued under; `lines` have name, lots, net and steps."""

    id: uuid.UUID
    number: int
    period: str
    creditor: str
    net: Decimal
    vat: Decimal
    gross: Decimal
    is_taxed: bool
    issued_on: dt.date
    due_on: dt.date
    about: int | None
    lines: list[dict[str, Any]]
    terms: dict[str, Any]


def read_invoices(
    session: Session, *, principal: Principal, wanted: Wanted, invoice_id: uuid.UUID | None = None
) -> Generator[IssuedInvoice, None, None]:
    """The invoices that the asker may read, or one of them."""
    version, about = _version_of_invoice("zh"), aliased(Invoice)
    # As text: numbers in JSON would be read as binary ones.
    line = sa.func.jsonb_build_object(
        "name", InvoiceLine.name, "lots", InvoiceLine.lots, "net", sa.cast(InvoiceLine.net, sa.Text),
        "steps", InvoiceLine.steps,
    )  # fmt: skip
    lines = sa.select(sa.func.jsonb_agg(aggregate_order_by(line, InvoiceLine.position)))
    columns = (
        Invoice.id,
        Invoice.number,
        Invoice.period,
        Invoice.creditor,
        Invoice.net,
        Invoice.vat,
        Invoice.gross,
        Invoice.vat_step.is_not(None).label("is_taxed"),
        Invoice.issued_on,
        Invoice.due_on,
        about.number.label("about"),
        lines.where(InvoiceLine.invoice_id == Invoice.id).scalar_subquery().label("lines"),
        version.c.terms,
    )
    query = _invoices(columns, version, principal, wanted).outerjoin(about, about.id == Invoice.about_id)
    if invoice_id is not None:
        query = query.where(Invoice.id == invoice_id)
    names = [str(column.key) for column in query.selected_columns]
    for row in _stream(session, query):
        yield IssuedInvoice(**dict(zip(names, row, strict=True)))


def _stream(session: Session, query: sa.Select[Any]) -> Rows:
    """Whoever does not read to the end closes the rows: the cursor is closed with them."""
    with session.execute(query, execution_options={"yield_per": AT_ONCE}) as found:
        for row in found:
            yield tuple(row)


def _dated(rows: Iterable[tuple[Any, ...]], wanted: Wanted) -> Rows:
    """Schedule lines with the days of their periods, those of the wanted days."""
    names = [column.name for column in COLUMNS[Sheet.SCHEDULES]]
    label, first, last = (names.index(name) for name in ("period", "first_day", "last_day"))
    for row in rows:
        period = Period.parse(row[label])
        if (wanted.first_day is None or period.last_day >= wanted.first_day) and (
            wanted.last_day is None or period.first_day <= wanted.last_day
        ):
            filled = list(row)
            filled[first], filled[last] = period.first_day, period.last_day
            yield tuple(filled)


def _contract_query(principal: Principal, wanted: Wanted, on: dt.date, language: str) -> sa.Select[Any]:
    version = _version_in_force(on, language)
    lots = sa.func.jsonb_path_query(version.c.schedule, sa.cast("$[*].lots", JSONPATH)).column_valued("lots")
    in_all = sa.select(sa.func.sum(sa.cast(lots, sa.BigInteger)).label("lots")).lateral("in_all")
    found = _shared(version) | {
        "agreed_on": sa.cast(sa.func.timezone(str(EXCHANGE), Contract.created_at), sa.Date),
        "first_day": Contract.effective_from,
        "last_day": Contract.effective_to,
        "lots": in_all.c.lots,
        "quantity": in_all.c.lots * version.c.lot_size,
    }
    query = _contracts(_in_order(Sheet.CONTRACTS, found), version, principal, wanted)
    return query.join(in_all, sa.true())


def _schedule_query(principal: Principal, wanted: Wanted, on: dt.date, language: str) -> sa.Select[Any]:
    version = _version_in_force(on, language)
    lines = (
        sa.func.jsonb_array_elements(version.c.schedule)
        .table_valued(sa.column("line", JSONB), with_ordinality="position", name="line", joins_implicitly=True)
        .render_derived()
    )
    line: Any = lines.c.line
    period, lots = line["period"].astext, sa.cast(line["lots"], sa.BigInteger)
    standing = _standing(period)
    found = _shared(version) | {
        "period": period,
        "first_day": sa.null(),  # of the period, filled in below
        "last_day": sa.null(),
        "lots": lots,
        "minimum": sa.cast(line["minimum"], sa.BigInteger),
        "maximum": sa.cast(line["maximum"], sa.BigInteger),
        "quantity": lots * version.c.lot_size,
        "nominated": standing.c.nominated,
        "confirmed": standing.c.confirmed,
        "delivered": standing.c.delivered,
        "remaining": lots - standing.c.delivered,
    }
    query = _contracts(_in_order(Sheet.SCHEDULES, found), version, principal, wanted)
    return query.join(lines, sa.true()).join(standing, sa.true()).order_by(lines.c.position)


def _invoice_query(principal: Principal, wanted: Wanted, language: str) -> sa.Select[Any]:
    version = _version_of_invoice(language)
    paid = sa.select(sa.func.coalesce(sa.func.sum(Payment.amount), 0)).where(Payment.invoice_id == Invoice.id)
    found = _shared(version) | {
        "invoice": Contract.number + "-" + sa.cast(Invoice.number, sa.Text),
        "invoice_kind": Invoice.kind,
        "creditor": Invoice.creditor,
        "period": Invoice.period,
        "issued_on": Invoice.issued_on,
        "due_on": Invoice.due_on,
        "currency": Invoice.currency,
        "net": Invoice.net,
        "vat": Invoice.vat,
        "gross": Invoice.gross,
        "paid": paid.scalar_subquery(),
        "terms_hash": Invoice.terms_hash,
    }
    return _invoices(_in_order(Sheet.INVOICES, found), version, principal, wanted)


def _version_in_force(on: dt.date, language: str) -> sa.FromClause:
    """What the terms of a contract say that are in force on a day; before their first day, what they will say then.

    The same choice as `app.operations.terms_in_force` makes for one contract.
    """
    is_begun = sa.or_(ContractVersion.in_force_from <= on, ContractVersion.number == 1)
    return _version(language, ContractVersion.contract_id == Contract.id, is_begun)


def _version_of_invoice(language: str) -> sa.FromClause:
    """What the terms say that an invoice was issued under."""
    is_of_contract = ContractVersion.contract_id == Invoice.contract_id
    return _version(language, is_of_contract, ContractVersion.number == Invoice.terms_version)


def _version(language: str, *conditions: sa.ColumnElement[bool]) -> sa.FromClause:
    """The last version that fits. The limit keeps the database from taking the terms apart anew for every line."""
    columns = (
        ContractVersion.number.label("terms_version"),
        ContractVersion.terms_hash,
        ContractVersion.terms,
        *(expression.label(name) for name, expression in _facts(language).items()),
    )
    query = sa.select(*columns).where(*conditions).order_by(ContractVersion.number.desc())
    return query.limit(1).lateral("version")


def _contracts(columns: Iterable[Any], version: sa.FromClause, principal: Principal, wanted: Wanted) -> sa.Select[Any]:
    query = sa.select(*columns).select_from(Contract).join(version, sa.true())
    query = _within(query, Contract.effective_from, Contract.effective_to, wanted)
    return _chosen(query, version, principal, wanted).order_by(Contract.created_at, Contract.id)


def _invoices(columns: Iterable[Any], version: sa.FromClause, principal: Principal, wanted: Wanted) -> sa.Select[Any]:
    query = sa.select(*columns).select_from(Invoice).join(Contract).join(version, sa.true())
    query = _within(query, Invoice.issued_on, Invoice.issued_on, wanted)
    return _chosen(query, version, principal, wanted).order_by(Invoice.issued_on, Invoice.id)


def _chosen(query: sa.Select[Any], version: sa.FromClause, principal: Principal, wanted: Wanted) -> sa.Select[Any]:
    """Of the contracts that the asker may read those that are wanted."""
    query = query.where(Contract.id.in_(visible_contracts(principal).with_only_columns(Contract.id)))
    if wanted.state is not None:
        query = query.where(Contract.state == wanted.state)
    if wanted.number is not None:
        query = query.where(Contract.number == wanted.number)
    if wanted.product is not None:
        query = query.where(version.c.product == wanted.product)
    return query


def _within(
    query: sa.Select[Any], first: sa.ColumnElement[dt.date] | Any, last: sa.ColumnElement[dt.date] | Any, wanted: Wanted
) -> sa.Select[Any]:
    if wanted.first_day is not None:
        query = query.where(last >= wanted.first_day)
    if wanted.last_day is not None:
        query = query.where(first <= wanted.last_day)
    return query


def _facts(language: str) -> dict[str, sa.ColumnElement[Any]]:
    """What the rows tell of the terms."""
    terms: Any = ContractVersion.terms
    price = terms["price"]
    return {
        "seller": terms["seller"]["name"][language].astext,
        "seller_code": terms["seller"]["credit_code"].astext,
        "buyer": terms["buyer"]["name"][language].astext,
        "buyer_code": terms["buyer"]["credit_code"].astext,
        "product": terms["product"].astext,
        "grade": terms["grade"].astext,
        "unit": terms["lot"]["unit"].astext,
        "lot_size": _number(terms["lot"]["size"]),
        "price_kind": price["kind"].astext,
        "price": sa.func.coalesce(_number(price["amount"]), _number(price["base"])),
        "freight": _number(terms["delivery"]["freight"]),
        "currency": terms["payment"]["currency"].astext,
        "basis": terms["delivery"]["basis"].astext,
        "place": terms["delivery"]["place"].astext,
        "vat": _number(terms["payment"]["vat"]),
        "due_days": _number(terms["payment"]["due_days"]),
        "schedule": terms["schedule"],
    }


def _shared(version: sa.FromClause) -> dict[str, Any]:
    """What is of the contract and its terms, by the names of columns."""
    return dict(version.c.items()) | {"number": Contract.number, "state": Contract.state}


def _standing(period: sa.ColumnElement[str]) -> Any:
    """Lots nominated, confirmed and delivered in one line of a contract's schedule."""
    delivered = sa.case((Consignment.received_on.is_not(None), CallOff.received_lots), else_=0)
    sums = (
        sa.cast(sa.func.coalesce(sa.func.sum(lots), 0), sa.BigInteger).label(name)
        for name, lots in (
            ("nominated", CallOff.nominated_lots),
            ("confirmed", CallOff.confirmed_lots),
            ("delivered", delivered),
        )
    )
    return (
        sa.select(*sums)
        .select_from(CallOff)
        .outerjoin(Consignment, Consignment.call_off_id == CallOff.id)
        .where(CallOff.contract_id == Contract.id, CallOff.period == period, CallOff.state.not_in(NOT_STANDING))
        .lateral("standing")
    )


def _number(value: Any) -> sa.ColumnElement[Any]:
    return sa.cast(value.astext, sa.Numeric)


def _in_order(sheet: Sheet, found: Expressions) -> list[sa.ColumnElement[Any]]:
    return [found[column.name].label(column.name) for column in COLUMNS[sheet]]
