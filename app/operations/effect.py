"""Taking effect: signed contracts come into force when all that they wait for holds, a bundle as one."""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from app.auth import SYSTEM
from app.clock import day_of
from app.models import Certificate, Contract, Offer, Proposal, SubjectKind, SupplierApproval
from app.operations import moves, outbox
from app.operations.contract_terms import frozen_terms
from contracts.state import Actor, Guard

NEEDED = (Guard.BUNDLE_COMPLETE, Guard.CERTIFICATES_VALID, Guard.PRODUCT_QUALIFIED, Guard.START_NOT_PAST)
BEGUN = ("signed", "effective", "suspended", "fulfilled")


def due_bundles(session: Session, *, now: dt.datetime) -> list[uuid.UUID]:
    """Bundles with a signed contract whose start is not past."""
    query = (
        sa.select(Proposal.bundle_id)
        .join(Contract, Contract.proposal_id == Proposal.id)
        .where(Contract.state == "signed", Contract.effective_from >= day_of(now))
        .distinct()
        .order_by(Proposal.bundle_id)
    )
    return list(session.scalars(query))


def take_effect(session: Session, *, bundle_id: uuid.UUID, now: dt.datetime) -> int:
    """Bring the signed contracts of a bundle into force if nothing is missing for any of them; returns how many.

    Safe to repeat: what is missing today may be there tomorrow.
    """
    signed = [contract for contract in lock_bundle(session, bundle_id) if contract.state == "signed"]
    if any(missing(session, contract=contract, now=now) for contract in signed):
        return 0
    for contract in signed:
        moves.make(
            session, contract, "take_effect", acting_as=Actor.SYSTEM, principal=SYSTEM, guards=set(NEEDED), now=now
        )
        tell(session, contract, now=now)
    session.flush()
    return len(signed)


def lock_bundle(session: Session, bundle_id: uuid.UUID) -> list[Contract]:
    """The contracts of a bundle as they are now and stay until the transaction ends, in the order of their ids."""
    query = (
        sa.select(Contract)
        .join(Proposal, Proposal.id == Contract.proposal_id)
        .where(Proposal.bundle_id == bundle_id)
        .order_by(Contract.id)
        .with_for_update(of=Contract)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(query))


def tell(session: Session, contract: Contract, *, now: dt.datetime) -> None:
    """A message to both parties that a contract came to its present state."""
    outbox.tell(
        session,
        topic=f"contract.{contract.state}",
        about=(SubjectKind.CONTRACT, contract.id),
        firms=(contract.seller_firm_id, contract.buyer_firm_id),
        payload={"contract": contract.number, "contract_id": str(contract.id), "state": contract.state},
        now=now,
    )


def missing(session: Session, *, contract: Contract, now: dt.datetime) -> tuple[Guard, ...]:
    """What a contract still waits for before it may take effect, in the order of the state table."""
    proposal = session.scalars(
        sa.select(Proposal)
        .where(Proposal.id == contract.proposal_id)
        .options(
            joinedload(Proposal.sell_offer),
            joinedload(Proposal.buy_offer).options(
                selectinload(Offer.certificates), selectinload(Offer.approved_suppliers)
            ),
        )
    ).one()
    holds = {
        Guard.BUNDLE_COMPLETE: _bundle_complete(session, proposal),
        Guard.CERTIFICATES_VALID: not _certificates_missing(session, contract, proposal),
        Guard.PRODUCT_QUALIFIED: _qualified(session, proposal),
        Guard.START_NOT_PAST: day_of(now) <= contract.effective_from,
    }
    return tuple(guard for guard in NEEDED if not holds[guard])


def _bundle_complete(session: Session, proposal: Proposal) -> bool:
    """Whether every proposal of the bundle became a contract that both have signed and nobody has ended."""
    query = (
        sa.select(sa.func.count())
        .select_from(Proposal)
        .outerjoin(Contract, Contract.proposal_id == Proposal.id)
        .where(Proposal.bundle_id == proposal.bundle_id)
        .where(sa.or_(Contract.id.is_(None), Contract.state.not_in(BEGUN)))
    )
    return session.scalar(query) == 0


def _certificates_missing(session: Session, contract: Contract, proposal: Proposal) -> frozenset[str]:
    """Kinds that the terms or the buyer's offer ask for, and the seller has none of that is valid at the start."""
    wanted = set(frozen_terms(contract.terms).provenance.certificates)
    wanted |= {line.kind_code for line in proposal.buy_offer.certificates}
    start = contract.effective_from
    query = sa.select(Certificate.kind_code).where(
        Certificate.firm_id == contract.seller_firm_id,
        Certificate.kind_code.in_(wanted),
        sa.or_(Certificate.site_id.is_(None), Certificate.site_id == proposal.sell_offer.site_id),
        Certificate.valid_from <= start,
        Certificate.valid_to >= start,
        Certificate.suspended.is_(False),
    )
    return frozenset(wanted - set(session.scalars(query)))


def _qualified(session: Session, proposal: Proposal) -> bool:
    """Where the buyer's offer names whom it has qualified, or the firm's list for the product does, the seller is
    among them still; without any list all are."""
    query = sa.select(SupplierApproval.supplier_firm_id).where(
        SupplierApproval.round_id == proposal.round_id,
        SupplierApproval.buyer_firm_id == proposal.buyer_firm_id,
        SupplierApproval.product_code == proposal.product_code,
        SupplierApproval.ended_at.is_(None),
    )
    lists = {line.firm_id for line in proposal.buy_offer.approved_suppliers}, set(session.scalars(query))
    return all(proposal.seller_firm_id in named for named in lists if named)
