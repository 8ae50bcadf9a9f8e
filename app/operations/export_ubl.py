"""Contracts and invoices as documents of UBL 2.1: one, or many in a ZIP with one file each."""

from __future__ import annotations

import datetime as dt
import uuid
import zipfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from decimal import Decimal
from types import MappingProxyType
from typing import IO

from sqlalchemy.orm import Session

from app.auth import Principal
from app.clock import day_of
from app.errors import NotFound
from app.models import Contract, LineName
from app.operations.contract_terms import frozen_terms
from app.operations.export_rows import IssuedInvoice, Wanted, read_invoices, read_terms
from app.operations.terms_in_force import terms_in_force
from contracts import ubl
from contracts.state import Actor
from contracts.terms import Terms
from contracts.wording import Text
from market.periods import Period

Documents = Iterable[tuple[str, str]]
LINES: Mapping[LineName, Text] = MappingProxyType(
    {
        LineName.GOODS: Text("货款", "Goods"),
        LineName.FREIGHT: Text("运费", "Freight"),
        LineName.QUALITY: Text("质量增减价", "Quality"),
        LineName.TAKE_OR_PAY: Text("照付不议", "Take or pay"),
        LineName.SUPPLY_OR_PAY: Text("不供即付", "Supply or pay"),
        LineName.LATE_DAMAGES: Text("迟延交付违约金", "Damages for late delivery"),
        LineName.INTEREST: Text("逾期利息", "Interest"),
        LineName.CLAIM: Text("索赔裁定款", "Award on a claim"),
    }
)


def order_of(session: Session, *, contract: Contract, on: dt.date) -> str:
    """A contract that the asker may read, with its terms in force on a day, as an Order."""
    terms = terms_in_force(session, contract=contract, on=on)
    return ubl.order(terms, contract_id=contract.id, agreed=day_of(contract.created_at))


def invoice_of(session: Session, *, principal: Principal, invoice_id: uuid.UUID) -> str:
    """An invoice, or a credit note where it gives back.

    :raises NotFound: no such invoice, or not of a contract of the asker's.
    """
    with closing(read_invoices(session, principal=principal, wanted=Wanted(), invoice_id=invoice_id)) as found:
        for invoice in found:
            return _invoice(invoice)[1]
    raise NotFound("no such invoice")


def orders(
    session: Session, *, principal: Principal, wanted: Wanted, on: dt.date
) -> Generator[tuple[str, str], None, None]:
    """Contracts that the asker may read: names of files and documents."""
    for contract in read_terms(session, principal=principal, wanted=wanted, on=on):
        terms = frozen_terms(contract.terms)
        yield f"{terms.number}.xml", ubl.order(terms, contract_id=contract.id, agreed=day_of(contract.agreed_at))


def invoices(session: Session, *, principal: Principal, wanted: Wanted) -> Generator[tuple[str, str], None, None]:
    """Invoices that the asker may read: names of files and documents."""
    for invoice in read_invoices(session, principal=principal, wanted=wanted):
        yield _invoice(invoice)


def write_zip(file: IO[bytes], documents: Documents, *, now: dt.datetime) -> None:
    """A ZIP of documents, one after the other; the same documents at the same time give the same bytes."""
    moment = (now.year, now.month, now.day, now.hour, now.minute, now.second)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, document in documents:
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, document)


def _invoice(invoice: IssuedInvoice) -> tuple[str, str]:
    terms = frozen_terms(invoice.terms)
    number = _number(terms, invoice.number)
    period = Period.parse(invoice.period)
    billed = ubl.Billed(
        id=invoice.id,
        number=number,
        issued=invoice.issued_on,
        due=invoice.due_on,
        first_day=period.first_day,
        last_day=period.last_day,
        lines=[
            ubl.BilledLine(
                what=LINES[LineName(line["name"])],
                lots=line["lots"],
                net=Decimal(line["net"]),
                steps=[Text(step["zh"], step["en"]) for step in line["steps"]],
            )
            for line in invoice.lines
        ],
        net=invoice.net,
        vat=invoice.vat,
        gross=invoice.gross,
        by_seller=invoice.creditor == Actor.SELLER,
        is_taxed=invoice.is_taxed,
        about=None if invoice.about is None else _number(terms, invoice.about),
    )
    return f"{number}.xml", ubl.invoice(terms, billed)


def _number(terms: Terms, number: int) -> str:
    return f"{terms.number}-{number}"
