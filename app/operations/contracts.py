"""Contracts: made when all parties of a bundle's proposals have accepted; read by their parties and overseers."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.auth import SYSTEM, Principal
from app.errors import Forbidden, NotFound
from app.models import Amendment, Contract, Event, Proposal, SubjectKind
from app.operations import events, moves, outbox
from app.operations.contract_terms import contract_number, frozen_terms
from app.permissions import Permission
from contracts.clauses import Party
from contracts.state import RULE_VERSION, Actor, Guard, Subject
from contracts.wording import Text
from market.periods import Period

# What the parties of a proposal may know of its way: staff's review before the release is not among it.
_PARTY_MOVES = (
    "release",
    "accept",
    "counter",
    "take_counter",
    "reject_counter",
    "withdraw_counter",
    "counter_expires",
    "decline",
    "expire",
    "fall_with_bundle",
)
PARTY_MOVES = frozenset(f"{Subject.PROPOSAL}.{move}" for move in _PARTY_MOVES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a contract or of the proposal it was made of; who and why only as far as the asker may know."""

    id: int
    at: dt.datetime
    subject: SubjectKind
    name: str
    acting_as: str | None
    from_state: str | None
    to_state: str
    reason_code: str | None
    note: str | None
    version_hash: str | None
    user_id: uuid.UUID | None


def visible_contracts(principal: Principal) -> sa.Select[Contract]:
    """A firm's own contracts; all for those of the platform and the regulator who may read contracts."""
    query = sa.select(Contract).options(selectinload(Contract.seller), selectinload(Contract.buyer))
    if not principal.may(Permission.CONTRACT_READ):
        return query.where(sa.false())
    if principal.firm_id is None:
        return query
    own = principal.firm_id
    return query.where(sa.or_(Contract.seller_firm_id == own, Contract.buyer_firm_id == own))


def find_contract(session: Session, *, principal: Principal, contract_id: uuid.UUID) -> Contract:
    """:raises NotFound: no such contract, or not the asker's."""
    found: Contract | None = session.scalar(visible_contracts(principal).where(Contract.id == contract_id))
    if found is None:
        raise NotFound("no such contract")
    return found


def lock_contract(session: Session, *, principal: Principal, contract_id: uuid.UUID) -> Contract:
    """A contract as it is now and stays until the transaction ends; whoever moves one locks it first.

    :raises NotFound: no such contract, or not the asker's.
    """
    query = visible_contracts(principal).where(Contract.id == contract_id)
    found: Contract | None = session.scalar(
        query.with_for_update(of=Contract).execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("no such contract")
    return found


def side_of(principal: Principal, contract: Contract) -> Actor | None:
    """On which side of a contract the asker's firm stands; None for those who only oversee it."""
    sides = {contract.seller_firm_id: Actor.SELLER, contract.buyer_firm_id: Actor.BUYER}
    return None if principal.firm_id is None else sides.get(principal.firm_id)


def party_of(principal: Principal, contract: Contract) -> Party:
    """The asker's firm as the contract names it.

    :raises Forbidden: the asker signs for neither party.
    """
    terms = frozen_terms(contract.terms)
    return terms.seller if signing_side(principal, contract) is Actor.SELLER else terms.buyer


def signing_side(principal: Principal, contract: Contract) -> Actor:
    """The side for which the asker may sign.

    :raises Forbidden: the asker signs for neither party.
    """
    side = side_of(principal, contract)
    if side is None or not principal.may(Permission.CONTRACT_SIGN):
        raise Forbidden(Text("仅合同双方的交易员可以签署", "signing a contract is for the traders of its parties"))
    return side


def steps(session: Session, *, principal: Principal, contract: Contract) -> list[Step]:
    """The steps of a contract and its proposal in their order.

    A firm sees no reviewer's reasons, and names of its own people only; overseers see who made each step.
    """
    # A draft is its own side's; the other learns of an amendment when it is proposed.
    proposed = sa.select(Amendment.id).where(Amendment.contract_id == contract.id, Amendment.proposed_at.is_not(None))
    of_amendment = Event.subject_id.in_(proposed), Event.name != f"{Subject.AMENDMENT}.draft"
    query = sa.select(Event).where(
        sa.or_(
            sa.and_(Event.subject_kind == SubjectKind.CONTRACT, Event.subject_id == contract.id),
            sa.and_(Event.subject_kind == SubjectKind.PROPOSAL, Event.subject_id == contract.proposal_id),
            sa.and_(Event.subject_kind == SubjectKind.AMENDMENT, *of_amendment),
        )
    )
    if principal.firm_id is not None:
        query = query.where(sa.or_(Event.subject_kind != SubjectKind.PROPOSAL, Event.name.in_(PARTY_MOVES)))
    return [step_of(event, principal) for event in session.scalars(query.order_by(Event.id))]


def step_of(event: Event, principal: Principal) -> Step:
    """An event as the asker may know it; the caller has found that the asker may know of it."""
    overseer = principal.firm_id is None
    by_staff = event.acting_as in {Actor.STAFF, Actor.SENIOR_STAFF}
    told = overseer or not by_staff
    return Step(
        id=event.id,
        at=event.at,
        subject=event.subject_kind,
        name=event.name,
        acting_as=event.acting_as if overseer or not by_staff else Actor.STAFF,
        from_state=event.from_state,
        to_state=event.to_state,
        reason_code=event.reason_code if told else None,
        note=event.note if overseer else None,
        version_hash=event.version_hash,
        user_id=event.user_id if overseer or event.user_id == principal.user_id else None,
    )


def conclude(session: Session, proposal: Proposal, *, now: dt.datetime) -> Contract:
    """The contract of an agreed proposal, with the terms that both sides accepted. It keeps the proposal's volume."""
    row = moves.allowed(Subject.CONTRACT, None, "conclude", Actor.SYSTEM, {Guard.BOTH_ACCEPTED_SAME_HASH})
    contract = Contract(
        number=contract_number(proposal.id),
        proposal_id=proposal.id,
        seller_firm_id=proposal.seller_firm_id,
        buyer_firm_id=proposal.buyer_firm_id,
        terms=proposal.terms,
        terms_hash=proposal.terms_hash,
        rule_version=RULE_VERSION,
        state=row.to_state,
        effective_from=Period.parse(proposal.first_period).first_day,
        effective_to=Period.parse(proposal.last_period).last_day,
        created_at=now,
    )
    session.add(contract)
    session.flush()
    events.record(
        session,
        principal=SYSTEM,
        subject=(SubjectKind.CONTRACT, contract.id),
        name=row.event,
        acting_as=Actor.SYSTEM,
        from_state=None,
        to_state=row.to_state,
        version_hash=contract.terms_hash,
        now=now,
    )
    outbox.tell(
        session,
        topic="contract.agreed",
        about=(SubjectKind.CONTRACT, contract.id),
        firms=(contract.seller_firm_id, contract.buyer_firm_id),
        payload={"contract": contract.number, "contract_id": str(contract.id), "state": contract.state},
        now=now,
    )
    return contract
