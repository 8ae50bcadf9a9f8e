"""The terms of a contract on a day: the version whose day has come, of all those that were signed."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from itertools import pairwise

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from app.models import Contract, ContractVersion
from app.operations.amendment_terms import changes_between
from app.operations.bulk import among
from app.operations.contract_terms import frozen_terms
from contracts.canonical import Change
from contracts.terms import Terms


def terms_in_force(session: Session, *, contract: Contract, on: dt.date) -> Terms:
    """What the contract says on a day, checked as everything read is. Before its first day: what it will say then."""
    return frozen_terms(version_in_force(session, contract=contract, on=on).terms)


def version_in_force(session: Session, *, contract: Contract, on: dt.date) -> ContractVersion:
    """The last version dated on that day or before; before the first version's day, the first."""
    return versions_in_force(session, contracts=[contract.id], on=on)[contract.id]


def versions_in_force(
    session: Session, *, contracts: Collection[uuid.UUID], on: dt.date
) -> dict[uuid.UUID, ContractVersion]:
    """The same for many contracts at once, by their ids."""
    query = (
        sa.select(ContractVersion)
        .where(
            among(ContractVersion.contract_id, contracts),
            sa.or_(ContractVersion.in_force_from <= on, ContractVersion.number == 1),
        )
        .order_by(ContractVersion.contract_id, ContractVersion.number.desc())
        .ext(distinct_on(ContractVersion.contract_id))
    )
    return {version.contract_id: version for version in session.scalars(query)}


def versions(session: Session, *, contract: Contract) -> list[ContractVersion]:
    """All versions, the first first; the last is what an amendment starts from."""
    query = sa.select(ContractVersion).where(ContractVersion.contract_id == contract.id)
    return list(session.scalars(query.order_by(ContractVersion.number)))


def history(session: Session, *, contract: Contract) -> list[tuple[ContractVersion, list[Change]]]:
    """All versions with what each changed in the one before; the first changed nothing."""
    found = versions(session, contract=contract)
    changed = [changes_between(frozen_terms(old.terms), frozen_terms(new.terms)) for old, new in pairwise(found)]
    return list(zip(found, [[], *changed], strict=True))
