"""The printed contract: made once from the terms, kept as it was made, and with each signature as it then stood."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from app.auth import Principal
from app.clock import day_of
from app.errors import NotFound
from app.models import (
    Amendment,
    Attribute,
    Contract,
    ContractDocument,
    Grade,
    MarketIndex,
    Product,
)
from app.operations import contracts
from app.operations.contract_terms import frozen_terms
from contracts.document import contract_pdf, seal_of
from contracts.document_parts import Occasion
from contracts.terms import Terms
from contracts.wording import Text

PREPARED_AT_ONCE = 20
"""How many documents one job makes: each takes about a second."""


def document_of(session: Session, *, contract: Contract) -> ContractDocument | None:
    """The document of a contract's first version, if it was made."""
    query = sa.select(ContractDocument).where(
        ContractDocument.contract_id == contract.id, ContractDocument.amendment_id.is_(None)
    )
    found: ContractDocument | None = session.scalar(query)
    return found


def document_of_amendment(session: Session, *, amendment: Amendment) -> ContractDocument | None:
    """The document of an amendment's terms as they are now, if it was made."""
    query = sa.select(ContractDocument).where(
        ContractDocument.amendment_id == amendment.id, ContractDocument.terms_hash == amendment.terms_hash
    )
    found: ContractDocument | None = session.scalar(query)
    return found


def find_amendment_document(session: Session, *, amendment: Amendment) -> ContractDocument:
    """:raises NotFound: the amendment's terms have not been printed yet."""
    found = document_of_amendment(session, amendment=amendment)
    if found is None:
        raise NotFound("no document of this amendment yet")
    return found


def documents(session: Session, *, contract: Contract) -> list[ContractDocument]:
    """The documents of the versions that are or were in force, by number; those of amendments not signed are not."""
    query = (
        sa.select(ContractDocument)
        .outerjoin(Amendment, Amendment.id == ContractDocument.amendment_id)
        .where(
            ContractDocument.contract_id == contract.id,
            sa.or_(ContractDocument.amendment_id.is_(None), Amendment.state == "active"),
            sa.or_(ContractDocument.amendment_id.is_(None), Amendment.terms_hash == ContractDocument.terms_hash),
        )
        .options(joinedload(ContractDocument.signatures))
        .order_by(ContractDocument.number, ContractDocument.id)
    )
    return list(session.scalars(query).unique())


def content_of(document: ContractDocument) -> bytes:
    """The document with all signatures that stand on it so far."""
    return document.signatures[-1].content if document.signatures else document.content


def find_document(
    session: Session, *, principal: Principal, contract_id: uuid.UUID, number: int = 1
) -> ContractDocument:
    """The document of one version.

    :raises NotFound: no such contract of the asker's, or no document of that version yet.
    """
    contract = contracts.find_contract(session, principal=principal, contract_id=contract_id)
    for document in documents(session, contract=contract):
        if document.number == number:
            return document
    raise NotFound(f"no document of version {number} yet")


def prepare(session: Session, *, principal: Principal, contract_id: uuid.UUID, now: dt.datetime) -> ContractDocument:
    """The document of a contract's first version, made if it is not there. Doing it again changes nothing.

    :raises NotFound: no such contract of the asker's.
    """
    contract = contracts.lock_contract(session, principal=principal, contract_id=contract_id)
    return document_of(session, contract=contract) or make(session, contract=contract, now=now)


def prepare_amendment(
    session: Session, *, contract: Contract, amendment: Amendment, now: dt.datetime
) -> ContractDocument:
    """The document of an amendment's terms, made if it is not there; the caller has locked the contract."""
    found = document_of_amendment(session, amendment=amendment)
    return found or make(session, contract=contract, amendment=amendment, now=now)


def prepare_due(session: Session, *, now: dt.datetime) -> int:
    """Make documents of contracts that wait for signatures; returns how many. Contracts that others hold come later."""
    query = (
        sa.select(Contract)
        .where(
            Contract.state == "agreed",
            ~sa.exists().where(ContractDocument.contract_id == Contract.id, ContractDocument.amendment_id.is_(None)),
        )
        .order_by(Contract.created_at, Contract.id)
        .limit(PREPARED_AT_ONCE)
        .with_for_update(of=Contract, skip_locked=True)
    )
    found = list(session.scalars(query))
    for contract in found:
        make(session, contract=contract, now=now)
    return len(found)


def make(
    session: Session, *, contract: Contract, amendment: Amendment | None = None, now: dt.datetime
) -> ContractDocument:
    """Print the terms of a contract, or of an amendment, and keep the bytes; the caller has locked the contract."""
    source = contract if amendment is None else amendment
    terms = frozen_terms(source.terms)
    dated = contract.created_at if amendment is None else now
    content = contract_pdf(terms, occasion_of(session, terms, dated=day_of(dated)))
    seal = seal_of(content)
    if seal is None:
        raise AssertionError("a printed contract carries a seal")
    document = ContractDocument(
        contract_id=contract.id,
        number=terms.version,
        amendment_id=None if amendment is None else amendment.id,
        terms_hash=source.terms_hash,
        seal=seal,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        created_at=now,
    )
    session.add(document)
    session.flush()
    return document


def occasion_of(session: Session, terms: Terms, *, dated: dt.date) -> Occasion:
    """The day, and what the codes in the terms are called in both languages."""
    queries = (
        sa.select(Product.code, Product.name_zh, Product.name_en).where(Product.code == terms.product),
        sa.select(Grade.code, Grade.name_zh, Grade.name_en).where(
            Grade.product_code == terms.product, Grade.code == terms.grade
        ),
        sa.select(Attribute.code, Attribute.name_zh, Attribute.name_en)
        .where(Attribute.product_code == terms.product)
        .order_by(Attribute.code),
        sa.select(MarketIndex.code, MarketIndex.name_zh, MarketIndex.name_en).order_by(MarketIndex.code),
    )
    names = {code: Text(zh, en) for query in queries for code, zh, en in session.execute(query)}
    return Occasion(dated=dated, names=names)
