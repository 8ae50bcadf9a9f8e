"""Amendments: one side drafts a change and proposes it with its signature, the other signs or refuses it.

Signed by both it adds a version to the contract's terms, in force from its day; nothing that was signed is edited.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM, Principal
from app.clock import day_of
from app.errors import Conflict, NotFound, Refused
from app.models import Amendment, Contract, ContractDocument, ContractVersion, SubjectKind
from app.operations import contracts, documents, events, moves, outbox, quantities, signing, terms_in_force
from app.operations.amendment_terms import amended, beyond_the_offers, changes_between, hold_volume, stored
from app.operations.called_volume import below_what_is_called
from app.operations.contract_terms import frozen_terms
from app.operations.signing_flaws import Flaw, NotSignable
from contracts.canonical import Change
from contracts.state import Actor, Guard, Subject, Transition
from contracts.terms import Terms, terms_hash
from contracts.wording import Text
from market.errors import BadInput

IN_FORCE = frozenset({"effective", "suspended"})
STALE = Text("起草后合同条款已变更，请重新起草", "the terms have changed since this was drafted; draft it again")
ONE_AT_A_TIME = Text(
    "另有一项变更待答复，同一时间只能提议一项", "another amendment waits for its answer; expected one at a time"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """Who moves which amendment, for which side, when; contract and amendment are locked."""

    contract: Contract
    amendment: Amendment
    side: Actor
    principal: Principal
    now: dt.datetime


def visible_amendments(principal: Principal, contract: Contract) -> sa.Select[Amendment]:
    """The amendments of a contract that the asker may read: those that were proposed, and its own side's drafts."""
    query = sa.select(Amendment).where(Amendment.contract_id == contract.id)
    said = Amendment.proposed_at.is_not(None)
    side = contracts.side_of(principal, contract)
    return query.where(said if side is None else sa.or_(said, Amendment.proposed_by == str(side)))


def find_amendment(
    session: Session, *, principal: Principal, contract_id: uuid.UUID, amendment_id: uuid.UUID
) -> Amendment:
    """:raises NotFound: no such contract or amendment of the asker's."""
    contract = contracts.find_contract(session, principal=principal, contract_id=contract_id)
    found: Amendment | None = session.scalar(
        visible_amendments(principal, contract).where(Amendment.id == amendment_id)
    )
    if found is None:
        raise NotFound("no such amendment")
    return found


def changes(session: Session, *, amendment: Amendment) -> list[Change]:
    """Every place that an amendment changes in the version before it."""
    before = session.get_one(ContractVersion, (amendment.contract_id, amendment.number - 1))
    return changes_between(frozen_terms(before.terms), frozen_terms(amendment.terms))


def draft(
    session: Session,
    *,
    principal: Principal,
    contract_id: uuid.UUID,
    reason_code: str,
    in_force_from: dt.date,
    new_values: Mapping[str, Any],
    note: str | None = None,
    now: dt.datetime,
) -> Amendment:
    """Draft a change of a contract's last version; the other side learns of it when it is proposed.

    `new_values` are those of `amendment_terms.amended`.

    :raises NotFound: no such contract of the asker's.
    :raises Forbidden: the asker signs for neither party.
    :raises Conflict: the contract is not in force.
    :raises Refused: the reason is none of the list, or the day is not after the last version's and not past.
    :raises BadInput: what is wrong with the new values, by place.
    """
    contract = contracts.lock_contract(session, principal=principal, contract_id=contract_id)
    side = contracts.signing_side(principal, contract)
    guards = {Guard.CONTRACT_IN_FORCE} if contract.state in IN_FORCE else set()
    row = moves.allowed(
        Subject.AMENDMENT, None, "draft", side, guards, reason=reason_code, rule_version=contract.rule_version
    )
    last = _last(session, contract)
    _check_day(last, in_force_from, now)
    terms = amended(frozen_terms(last.terms), new_values, in_force_from=in_force_from)
    amendment = Amendment(
        contract_id=contract.id,
        proposed_by=str(side),
        number=terms.version,
        reason_code=reason_code,
        note=note,
        in_force_from=in_force_from,
        terms=stored(terms),
        terms_hash=terms_hash(terms),
        state=row.to_state,
        created_at=now,
    )
    session.add(amendment)
    session.flush()
    case = _Case(contract=contract, amendment=amendment, side=side, principal=principal, now=now)
    _record(session, case, row.event, None, reason=reason_code)
    return amendment


def propose(
    session: Session,
    *,
    principal: Principal,
    contract_id: uuid.UUID,
    amendment_id: uuid.UUID,
    given: signing.Given,
    roots: Sequence[bytes],
    now: dt.datetime,
) -> Amendment:
    """Propose a draft to the other side, with the signature of one's own.

    :raises NotFound: no such contract or amendment of the asker's.
    :raises Conflict: it is no draft any more, another amendment is pending, or the terms have changed since.
    :raises BadInput: it wants more than both sides' offers still have, or leaves less than was called already.
    :raises SignatureRefused: what is wrong with the key or the signature.
    """
    case = _lock(session, principal, contract_id, amendment_id, now)
    amendment, last = case.amendment, _last(session, case.contract)
    if amendment.state == "draft":
        _check_follows(session, case, last)
    guards = _guards(case, last, given) | {Guard.INSIDE_MARKET_LIMITS}
    _allow(case, "propose", guards)
    old, new = _inside_the_offers(session, case, last)
    _sign(session, case, new, given, roots)
    amendment.proposed_at = now
    amendment.expires_at = now + dt.timedelta(days=old.deadlines.amendment_days)
    _move(session, case, "propose", guards)
    return amendment


def sign(
    session: Session,
    *,
    principal: Principal,
    contract_id: uuid.UUID,
    amendment_id: uuid.UUID,
    given: signing.Given,
    roots: Sequence[bytes],
    now: dt.datetime,
) -> Amendment:
    """Sign what the other side has proposed: it becomes the next version of the terms.

    :raises NotFound: no such contract or amendment of the asker's.
    :raises Conflict: it is not pending, was proposed by the asker's own side, or ran out.
    :raises BadInput: both sides' offers have no longer what it wants, or more was called than it leaves.
    :raises SignatureRefused: what is wrong with the key or the signature.
    """
    case = _lock(session, principal, contract_id, amendment_id, now)
    contract, amendment, last = case.contract, case.amendment, _last(session, case.contract)
    guards = _guards(case, last, given)
    _allow(case, "sign", guards)
    if amendment.expires_at is not None and amendment.expires_at <= now:
        raise NotSignable(Flaw.TOO_LATE)
    old, new = _inside_the_offers(session, case, last)
    _sign(session, case, new, given, roots)
    _move(session, case, "sign", guards)
    session.add(
        ContractVersion(
            contract_id=contract.id,
            number=amendment.number,
            terms=amendment.terms,
            terms_hash=amendment.terms_hash,
            in_force_from=amendment.in_force_from,
            amendment_id=amendment.id,
            created_at=now,
        )
    )
    contract.effective_to = new.last_period.last_day
    hold_volume(session, contract=contract, old=old, new=new, now=now)
    quantities.write_limits(session, contract=contract)
    return amendment


def refuse(
    session: Session,
    *,
    principal: Principal,
    contract_id: uuid.UUID,
    amendment_id: uuid.UUID,
    reason_code: str,
    note: str | None = None,
    now: dt.datetime,
) -> Amendment:
    """Refuse what the other side has proposed; the terms stay as they are.

    :raises NotFound: no such contract or amendment of the asker's.
    :raises Conflict: it is not pending, or was proposed by the asker's own side.
    :raises Refused: the reason code is none of the list.
    """
    case = _lock(session, principal, contract_id, amendment_id, now)
    _move(session, case, "refuse", _sides(case), reason=reason_code, note=note)
    return case.amendment


def cancel(
    session: Session, *, principal: Principal, contract_id: uuid.UUID, amendment_id: uuid.UUID, now: dt.datetime
) -> Amendment:
    """Take back one's own draft or proposal.

    :raises NotFound: no such contract or amendment of the asker's.
    :raises Conflict: it is neither draft nor pending, or the other side's.
    """
    case = _lock(session, principal, contract_id, amendment_id, now)
    _move(session, case, "cancel", _sides(case))
    return case.amendment


def prepare_document(
    session: Session, *, principal: Principal, contract_id: uuid.UUID, amendment_id: uuid.UUID, now: dt.datetime
) -> ContractDocument:
    """The document of an amendment's terms, made if it is not there.

    :raises NotFound: no such contract or amendment of the asker's.
    """
    contract = contracts.lock_contract(session, principal=principal, contract_id=contract_id)
    amendment = find_amendment(session, principal=principal, contract_id=contract_id, amendment_id=amendment_id)
    return documents.prepare_amendment(session, contract=contract, amendment=amendment, now=now)


def expire(session: Session, *, now: dt.datetime) -> int:
    """End the proposed amendments that nobody answered in time; returns how many. Safe to repeat."""
    query = (
        sa.select(Amendment, Contract)
        .join(Contract, Contract.id == Amendment.contract_id)
        .where(Amendment.state == "pending", Amendment.expires_at <= now)
        .order_by(Contract.id, Amendment.id)
        .with_for_update(of=(Contract, Amendment), skip_locked=True)
        .execution_options(populate_existing=True)
    )
    due = list(session.execute(query))
    for amendment, contract in due:
        case = _Case(contract=contract, amendment=amendment, side=Actor.TIMER, principal=SYSTEM, now=now)
        _move(session, case, "expire")
    return len(due)


def _lock(
    session: Session, principal: Principal, contract_id: uuid.UUID, amendment_id: uuid.UUID, now: dt.datetime
) -> _Case:
    """Contract and amendment as they are now and stay, and the side for which the asker signs."""
    contract = contracts.lock_contract(session, principal=principal, contract_id=contract_id)
    amendment = find_amendment(session, principal=principal, contract_id=contract_id, amendment_id=amendment_id)
    session.refresh(amendment, with_for_update=True)
    side = contracts.signing_side(principal, contract)
    return _Case(contract=contract, amendment=amendment, side=side, principal=principal, now=now)


def _last(session: Session, contract: Contract) -> ContractVersion:
    return terms_in_force.versions(session, contract=contract)[-1]


def _check_day(last: ContractVersion, day: dt.date, now: dt.datetime) -> None:
    earliest = max(last.in_force_from + dt.timedelta(days=1), day_of(now))
    if day < earliest:
        told = Text(
            f"生效日 {day} 过早：应不早于 {earliest}（当日，且晚于第 {last.number} 版的生效日）",
            f"in force from {day}; expected {earliest} or later: today, and after version {last.number}",
        )
        raise Refused(told, field="in_force_from")


def _check_follows(session: Session, case: _Case, last: ContractVersion) -> None:
    """:raises Conflict: the draft is of terms that are not the last any more, or another is pending already."""
    if case.amendment.number != last.number + 1:
        raise Conflict(STALE, open_moves=("cancel",))
    pending = sa.select(Amendment.id).where(Amendment.contract_id == case.contract.id, Amendment.state == "pending")
    if session.scalar(pending.order_by(Amendment.id)) is not None:
        raise Conflict(ONE_AT_A_TIME, open_moves=("cancel",))
    _check_day(last, case.amendment.in_force_from, case.now)


def _sides(case: _Case) -> set[Guard]:
    same = case.amendment.proposed_by == case.side
    return {Guard.PROPOSED_BY_SAME_SIDE if same else Guard.PROPOSED_BY_OTHER_SIDE}


def _guards(case: _Case, last: ContractVersion, given: signing.Given) -> set[Guard]:
    holds = {
        Guard.CONTRACT_IN_FORCE: case.contract.state in IN_FORCE,
        Guard.DATED_AFTER_PREVIOUS: case.amendment.in_force_from > last.in_force_from,
        Guard.SIGNED_VERSION_HASH: signing.signs_terms(given, case.amendment.terms_hash),
    }
    return _sides(case) | {guard for guard, held in holds.items() if held}


def _inside_the_offers(session: Session, case: _Case, last: ContractVersion) -> tuple[Terms, Terms]:
    """The terms before and after.

    :raises BadInput: the later ones want more than both sides' offers still have, or less than was called.
    """
    old, new = frozen_terms(last.terms), frozen_terms(case.amendment.terms)
    faults = beyond_the_offers(session, contract=case.contract, old=old, new=new)
    if faults := faults + below_what_is_called(session, contract=case.contract, old=old, new=new):
        raise BadInput(faults)
    return old, new


def _sign(session: Session, case: _Case, terms: Terms, given: signing.Given, roots: Sequence[bytes]) -> None:
    signing.take(
        session,
        principal=case.principal,
        document=documents.prepare_amendment(session, contract=case.contract, amendment=case.amendment, now=case.now),
        side=case.side,
        terms=terms,
        given=given,
        roots=roots,
        now=case.now,
    )


def _allow(case: _Case, move: str, guards: Collection[Guard], reason: str | None = None) -> Transition:
    rules = case.contract.rule_version
    return moves.allowed(
        Subject.AMENDMENT, case.amendment.state, move, case.side, guards, reason=reason, rule_version=rules
    )


def _move(
    session: Session,
    case: _Case,
    move: str,
    guards: Collection[Guard] = (),
    *,
    reason: str | None = None,
    note: str | None = None,
) -> None:
    """Make a move, record it, and tell both parties unless it is a draft that one side alone knows."""
    contract, amendment = case.contract, case.amendment
    row = _allow(case, move, guards, reason)
    before, amendment.state = amendment.state, row.to_state
    _record(session, case, row.event, before, reason=reason, note=note)
    if amendment.proposed_at is not None:
        outbox.tell(
            session,
            topic=f"amendment.{amendment.state}",
            about=(SubjectKind.AMENDMENT, amendment.id),
            firms=(contract.seller_firm_id, contract.buyer_firm_id),
            payload={"contract": contract.number, "contract_id": str(contract.id), "state": amendment.state},
            now=case.now,
        )
    session.flush()


def _record(
    session: Session,
    case: _Case,
    name: str,
    before: str | None,
    *,
    reason: str | None = None,
    note: str | None = None,
) -> None:
    events.record(
        session,
        principal=case.principal,
        subject=(SubjectKind.AMENDMENT, case.amendment.id),
        name=name,
        acting_as=case.side,
        from_state=before,
        to_state=case.amendment.state,
        reason_code=reason,
        note=note,
        version_hash=case.amendment.terms_hash,
        now=case.now,
    )
