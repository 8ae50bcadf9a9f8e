"""Termination: by which right a side ends a contract, how long the other may cure, and who ended it in the end.

For a cause: notice, the days to cure, a cause that is established by an upheld claim or by the platform. By consent:
the other side agrees. After force majeure: either side, from the exit day on, while the event and the rest go on.
Before a contract takes effect it is cancelled, by consent only, and its bundle with it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.auth import Principal
from app.clock import day_of
from app.errors import Conflict, Forbidden, NotFound, Refused
from app.models import Claim, Contract, SubjectKind, Termination, TerminationGround
from app.operations import contracts, effect, endings, events, hindrances, moves, outbox
from app.operations.lapses import BEFORE_EFFECT, end_bundle
from app.operations.suspension import acting_staff
from app.operations.terms_in_force import terms_in_force
from app.permissions import Permission
from contracts.reasons import ReasonGroup, codes_of
from contracts.state import Actor, Guard
from contracts.wording import Text

OF_GROUND: Mapping[TerminationGround, tuple[str, ...]] = {
    TerminationGround.CONSENT: ("mutual_agreement",),
    TerminationGround.FORCE_MAJEURE: ("prolonged_force_majeure",),
}
CAUSES = tuple(
    code for code in codes_of(ReasonGroup.TERMINATE) if not any(code in codes for codes in OF_GROUND.values())
)


def of_contract(session: Session, *, contract: Contract) -> Sequence[Termination]:
    """The wishes to end a contract, in the order of time."""
    query = (
        sa.select(Termination)
        .where(Termination.contract_id == contract.id)
        .order_by(Termination.given_at, Termination.id)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).all()


def visible_terminations(principal: Principal) -> sa.Select[Termination]:
    """The wishes to end contracts that the asker may read."""
    known = contracts.visible_contracts(principal).with_only_columns(Contract.id).order_by(None)
    return sa.select(Termination).where(Termination.contract_id.in_(known)).options(selectinload(Termination.contract))


def find_termination(session: Session, *, principal: Principal, termination_id: uuid.UUID) -> Termination:
    """:raises NotFound: no such wish under a contract of the asker's."""
    found: Termination | None = session.scalar(visible_terminations(principal).where(Termination.id == termination_id))
    if found is None:
        raise NotFound("no such notice of termination")
    return found


def give_notice(
    session: Session,
    *,
    principal: Principal,
    contract_id: uuid.UUID,
    ground: TerminationGround,
    reason_code: str,
    statement: str,
    claim_id: uuid.UUID | None = None,
    now: dt.datetime,
) -> Termination:
    """Tell the other side that the asker's wants to end a contract; for a cause, the days to cure begin.

    :raises NotFound: the contract is not the asker's.
    :raises Conflict: it is not in force, or this side's earlier notice still stands.
    :raises Refused: a reason that does not fit the ground, or a claim that is not this side's.
    """
    contract = contracts.lock_contract(session, principal=principal, contract_id=contract_id)
    side, day = notifying_side(principal, contract), day_of(now)
    fitting = OF_GROUND.get(ground, CAUSES)
    if reason_code not in fitting:
        listed = ", ".join(fitting)
        raise Refused(Text(f"原因须为 {listed}", f"expected one of {listed}"), field="reason_code")
    if claim_id is not None and (
        ground is not TerminationGround.CAUSE or not _own_claim(session, contract, side, claim_id)
    ):
        raise Refused(Text("须为本方在该合同下的索赔", "expected a claim of your side under it"), field="claim_id")
    if any(one.side == side and stands(one) for one in of_contract(session, contract=contract)):
        raise Conflict(Text("本方已有未了结的解除通知", "a notice of your side stands already; withdraw it first"))
    if contract.state in BEFORE_EFFECT:
        _ask_to_cancel(session, contract, ground=ground, side=side, principal=principal, note=statement, now=now)
    else:
        moves.make(session, contract, "give_notice", acting_as=side, principal=principal, note=statement, now=now)
    cure_until = None
    if ground is TerminationGround.CAUSE:
        days = terms_in_force(session, contract=contract, on=day).deadlines.cure_days
        cure_until = day + dt.timedelta(days=days)
    found = Termination(
        contract_id=contract.id,
        side=side.value,
        ground=ground,
        reason_code=reason_code,
        statement=statement,
        claim_id=claim_id,
        cure_until=cure_until,
        given_at=now,
    )
    session.add(found)
    session.flush()
    outbox.tell(
        session,
        topic="contract.notice",
        about=(SubjectKind.CONTRACT, contract.id),
        firms=(contract.seller_firm_id, contract.buyer_firm_id),
        payload={"contract": contract.number, "contract_id": str(contract.id), "termination_id": str(found.id)},
        now=now,
    )
    return found


def establish(
    session: Session, *, principal: Principal, termination_id: uuid.UUID, note: str, now: dt.datetime
) -> Termination:
    """The platform finds that the cause of a notice is there, where no claim can show it.

    :raises Conflict: the notice stands no more, is for no cause, or its cause is established already.
    """
    actor = acting_staff(principal)
    found, contract = _lock(session, principal, termination_id)
    if found.ground is not TerminationGround.CAUSE or not stands(found) or found.established_at is not None:
        raise Conflict(Text("该通知无待认定的事由", "there is no cause of it left to be established"))
    found.established_at = now
    events.record(
        session,
        principal=principal,
        subject=(SubjectKind.CONTRACT, contract.id),
        name="contract.establish_cause",
        acting_as=actor,
        from_state=contract.state,
        to_state=contract.state,
        reason_code=found.reason_code,
        note=note,
        version_hash=contract.terms_hash,
        now=now,
    )
    session.flush()
    return found


def withdraw(session: Session, *, principal: Principal, termination_id: uuid.UUID, now: dt.datetime) -> Termination:
    """The side that gave notice takes it back.

    :raises Conflict: it stands no more.
    """
    found, contract = _lock(session, principal, termination_id)
    if notifying_side(principal, contract) != found.side:
        raise Forbidden(Text("只有发出通知的一方可以撤回", "taking it back is for the side that gave it"))
    if not stands(found):
        raise Conflict(Text("该通知已经了结", "it stands no more"))
    found.withdrawn_at = now
    session.flush()
    return found


def terminate(session: Session, *, principal: Principal, termination_id: uuid.UUID, now: dt.datetime) -> Termination:
    """End the contract on a notice: by the side that gave it, or, by consent, by the other one.

    :raises NotFound: the notice is under no contract of the asker's.
    :raises Conflict: the contract is not in force, the notice stands no more, or what it takes is not there (yet).
    """
    found = find_termination(session, principal=principal, termination_id=termination_id)
    # A bundle's contracts are locked in one order, so before effect the whole bundle comes first.
    members = effect.lock_bundle(session, found.contract.proposal.bundle_id)
    found, contract = _lock(session, principal, termination_id)
    side = notifying_side(principal, contract)
    if not stands(found):
        raise Conflict(Text("该通知已经了结", "the notice stands no more"))
    before_effect = contract.state in BEFORE_EFFECT
    moves.make(
        session,
        contract,
        "cancel" if before_effect else "terminate",
        acting_as=side,
        principal=principal,
        guards=guards_met(session, termination=found, contract=contract, side=side, now=now),
        reason=found.reason_code,
        note=found.statement,
        now=now,
    )
    found.done_at = now
    if before_effect:
        end_bundle(session, [one for one in members if one is contract or one.state in BEFORE_EFFECT], now=now)
    else:
        endings.finish(session, contract=contract, now=now)
    return found


def _ask_to_cancel(
    session: Session,
    contract: Contract,
    *,
    ground: TerminationGround,
    side: Actor,
    principal: Principal,
    note: str,
    now: dt.datetime,
) -> None:
    """:raises Conflict: on any other ground than the consent of both."""
    if ground is not TerminationGround.CONSENT:
        raise Conflict(
            Text("合同尚未生效，只能经双方同意取消", "not in force yet: it is cancelled by consent of both only")
        )
    events.record(
        session,
        principal=principal,
        subject=(SubjectKind.CONTRACT, contract.id),
        name="contract.give_notice",
        acting_as=side,
        from_state=contract.state,
        to_state=contract.state,
        note=note,
        version_hash=contract.terms_hash,
        now=now,
    )


def guards_met(
    session: Session, *, termination: Termination, contract: Contract, side: Actor, now: dt.datetime
) -> set[Guard]:
    """What a side may rely on if it ends the contract now."""
    own, day = termination.side == side, day_of(now)
    match termination.ground:
        case TerminationGround.CONSENT:
            return set() if own else {Guard.BOTH_PARTIES_CONSENT}
        case TerminationGround.CAUSE:
            cured = termination.cure_until is None or day <= termination.cure_until
            proven = termination.established_at is not None or _is_upheld(session, termination)
            return {Guard.CAUSE_ESTABLISHED} if own and proven and not cured else set()
        case TerminationGround.FORCE_MAJEURE:
            terms = terms_in_force(session, contract=contract, on=day)
            exit_day = hindrances.exit_day(session, contract=contract, terms=terms)
            passed = exit_day is not None and exit_day <= day
            return {Guard.FORCE_MAJEURE_EXIT_DATE_PASSED} if own and passed else set()


def stands(found: Termination) -> bool:
    """Whether a notice is neither withdrawn nor done."""
    return found.withdrawn_at is None and found.done_at is None


def notifying_side(principal: Principal, contract: Contract) -> Actor:
    """The side for which the asker gives notices.

    :raises Forbidden: the asker gives notices for neither party.
    """
    side = contracts.side_of(principal, contract)
    if side is None or not principal.may(Permission.CONTRACT_NOTIFY):
        raise Forbidden(Text("通知须由合同当事方发出", "giving notice is for the traders of a contract's parties"))
    return side


def _lock(session: Session, principal: Principal, termination_id: uuid.UUID) -> tuple[Termination, Contract]:
    found = find_termination(session, principal=principal, termination_id=termination_id)
    contract = contracts.lock_contract(session, principal=principal, contract_id=found.contract_id)
    session.refresh(found)
    return found, contract


def _own_claim(session: Session, contract: Contract, side: Actor, claim_id: uuid.UUID) -> bool:
    claim = session.get(Claim, claim_id)
    return claim is not None and claim.contract_id == contract.id and claim.claimant == side


def _is_upheld(session: Session, found: Termination) -> bool:
    if found.claim_id is None:
        return False
    return session.scalar(sa.select(Claim.state).where(Claim.id == found.claim_id)) == "upheld"
