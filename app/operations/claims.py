"""Claims: one side says that the other broke the contract, proves it, the other answers, the platform decides.

The days are the contract's own: `claim_days` after the breach to raise a claim, `defence_days` to answer it. A draft is
its claimant's alone; what was filed is known to both sides and to those who oversee contracts.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.auth import SYSTEM, Principal
from app.clock import day_of
from app.errors import Conflict, Forbidden, NotFound, Refused
from app.models import Claim, Contract, Evidence, Penalty, SubjectKind
from app.operations import contracts, events, evidence, excuses, moves, outbox, penalties
from app.operations.evidence import File
from app.operations.terms_in_force import terms_in_force
from app.permissions import Permission
from contracts.state import Actor, Guard, Subject, moves_from
from contracts.wording import Text
from market.periods import Period

# A claim may outlive its contract, but there is no breach of one that never took effect.
CAME_INTO_FORCE = ("effective", "suspended", "fulfilled", "expired", "terminated")
OPEN_TO_EVIDENCE = ("draft", "pending", "defended")
KIND_OF: dict[Penalty, str] = {Penalty.LATE_DAMAGES: "late_delivery", Penalty.SUPPLY_OR_PAY: "short_delivery"}


def visible_claims(principal: Principal) -> sa.Select[Claim]:
    """The claims under the asker's contracts; another side's drafts are not among them."""
    known = contracts.visible_contracts(principal).with_only_columns(Contract.id).order_by(None)
    own = sa.case((Contract.seller_firm_id == principal.firm_id, "seller"), else_="buyer")
    query = (
        sa.select(Claim)
        .join(Contract, Contract.id == Claim.contract_id)
        .where(Claim.contract_id.in_(known))
        .options(
            selectinload(Claim.evidence),
            selectinload(Claim.contract).options(selectinload(Contract.seller), selectinload(Contract.buyer)),
        )
    )
    if principal.firm_id is None:
        return query.where(Claim.filed_at.is_not(None))
    return query.where(sa.or_(Claim.filed_at.is_not(None), Claim.claimant == own))


def find_claim(session: Session, *, principal: Principal, claim_id: uuid.UUID, lock: bool = False) -> Claim:
    """:raises NotFound: no such claim that the asker may know of."""
    query = visible_claims(principal).where(Claim.id == claim_id)
    if lock:
        query = query.with_for_update(of=Claim).execution_options(populate_existing=True)
    found: Claim | None = session.scalar(query)
    if found is None:
        raise NotFound("no such claim")
    return found


def of_contract(session: Session, *, principal: Principal, contract: Contract) -> Sequence[Claim]:
    """The claims under one contract that the asker may know of, the first first."""
    query = visible_claims(principal).where(Claim.contract_id == contract.id)
    return session.scalars(query.order_by(Claim.created_at, Claim.id)).all()


def open_moves(principal: Principal, claim: Claim) -> tuple[str, ...]:
    """The asker's moves from a claim's state, guards aside."""
    try:
        actor = _actor(principal, claim)
    except Forbidden:
        return ()
    rows = moves_from(Subject.CLAIM, claim.state, actor, rule_version=claim.contract.rule_version)
    return tuple(sorted({row.move for row in rows}))


def draft(
    session: Session,
    *,
    principal: Principal,
    contract_id: uuid.UUID,
    kind: str,
    breach_on: dt.date,
    statement: str,
    amount: Decimal | None = None,
    penalty: Penalty | None = None,
    penalty_period: str | None = None,
    now: dt.datetime,
) -> Claim:
    """Draft a claim for a breach on a day: for an amount in CNY, or for what the terms' own penalty comes to.

    :raises NotFound: the contract is not the asker's.
    :raises Conflict: the days to claim are over, the contract never took effect, or an invoice asks for the penalty.
    :raises Refused: a kind that is none, a day to come, an amount that is none, or a penalty that does not fit.
    """
    contract = contracts.find_contract(session, principal=principal, contract_id=contract_id)
    side, day = claiming_side(principal, contract), day_of(now)
    if contract.state not in CAME_INTO_FORCE:
        raise Conflict(Text("合同从未生效，不存在违约", "the contract never took effect: there is no breach of it"))
    if breach_on > day:
        raise Refused(Text("违约日不能晚于今天", "expected a day not after today"), field="breach_on")
    terms = terms_in_force(session, contract=contract, on=breach_on)
    file_by = breach_on + dt.timedelta(days=terms.deadlines.claim_days)
    row = moves.allowed(
        Subject.CLAIM,
        None,
        "draft",
        Actor.CLAIMANT,
        {Guard.WITHIN_CLAIM_TIME_LIMIT} if day <= file_by else set(),
        reason=kind,
        rule_version=contract.rule_version,
    )
    value, working = amount, None
    if penalty is not None:
        _check_penalty(side, kind, penalty, penalty_period, amount)
        _check_not_invoiced(session, contract, penalty, penalty_period)
        found = penalties.worth(session, contract=contract, penalty=penalty, period=penalty_period or "", on=day)
        steps = [{"zh": step.zh, "en": step.en} for step in found.steps]
        value, working = found.value, {"value": str(found.value), "steps": steps}
    if value is None or value <= 0:
        what = Text("索赔金额须大于 0", f"{value} CNY; expected an amount above 0, or a penalty that comes to one")
        raise Refused(what, field="penalty" if penalty else "amount")
    claim = Claim(
        contract_id=contract.id,
        claimant=side.value,
        kind=kind,
        breach_on=breach_on,
        statement=statement,
        amount_claimed=value,
        penalty=penalty,
        penalty_period=penalty_period if penalty else None,
        working=working,
        state=row.to_state,
        file_by=file_by,
        created_at=now,
    )
    session.add(claim)
    session.flush()
    events.record(
        session,
        principal=principal,
        subject=(SubjectKind.CLAIM, claim.id),
        name=row.event,
        acting_as=Actor.CLAIMANT,
        from_state=None,
        to_state=row.to_state,
        reason_code=kind,
        version_hash=contract.terms_hash,
        now=now,
    )
    return claim


def attach(session: Session, *, principal: Principal, claim_id: uuid.UUID, file: File, now: dt.datetime) -> Evidence:
    """Add a file on the asker's side, until the claim is decided.

    :raises NotFound: no such claim that the asker may know of.
    :raises Conflict: the claim has come to its end.
    :raises Refused: the file is not taken; see `evidence.add`.
    """
    claim = find_claim(session, principal=principal, claim_id=claim_id, lock=True)
    side = claiming_side(principal, claim.contract)
    if claim.state not in OPEN_TO_EVIDENCE:
        raise Conflict(Text("索赔已经了结", "the claim has come to its end"), open_moves=open_moves(principal, claim))
    found = evidence.add(session, principal=principal, side=side.value, file=file, claim_id=claim.id, now=now)
    session.expire(claim, ["evidence"])
    return found


def read_evidence(session: Session, *, principal: Principal, claim_id: uuid.UUID, evidence_id: uuid.UUID) -> Evidence:
    """:raises NotFound: no such file of a claim that the asker may know of."""
    claim = find_claim(session, principal=principal, claim_id=claim_id)
    return evidence.read(session, evidence_id=evidence_id, among=Evidence.claim_id == claim.id)


def file(session: Session, *, principal: Principal, claim_id: uuid.UUID, now: dt.datetime) -> Claim:
    """Put a draft before the other side; from now on nothing of it changes, and the days to answer run.

    :raises NotFound: no such claim that the asker may know of.
    :raises Conflict: it is no draft, its days are over, or it has no evidence.
    """
    claim, day = find_claim(session, principal=principal, claim_id=claim_id, lock=True), day_of(now)
    guards = {Guard.WITHIN_CLAIM_TIME_LIMIT} if day <= claim.file_by else set()
    if claim.evidence:
        guards.add(Guard.EVIDENCE_ATTACHED)
    terms = terms_in_force(session, contract=claim.contract, on=claim.breach_on)
    if claim.penalty is not None:
        _check_not_invoiced(session, claim.contract, claim.penalty, claim.penalty_period)
    _move(session, claim, "file", principal=principal, now=now, guards=guards)
    claim.filed_at, claim.answer_by = now, day + dt.timedelta(days=terms.deadlines.defence_days)
    return _told(session, claim, now)


def defend(session: Session, *, principal: Principal, claim_id: uuid.UUID, defence: str, now: dt.datetime) -> Claim:
    """The other side answers; late answers are heard too, as long as nothing was decided.

    :raises NotFound: no such claim that the asker may know of.
    :raises Conflict: it does not wait for an answer of the asker's.
    """
    claim = find_claim(session, principal=principal, claim_id=claim_id, lock=True)
    _move(session, claim, "defend", principal=principal, now=now)
    claim.defence, claim.defended_at = defence, now
    return _told(session, claim, now)


def concede(session: Session, *, principal: Principal, claim_id: uuid.UUID, now: dt.datetime) -> Claim:
    """The other side owns up: the claim is upheld in full.

    :raises NotFound: no such claim that the asker may know of.
    :raises Conflict: it does not wait for the asker.
    """
    claim = find_claim(session, principal=principal, claim_id=claim_id, lock=True)
    _move(session, claim, "concede", principal=principal, now=now)
    claim.amount_awarded, claim.decided_at = claim.amount_claimed, now
    return _told(session, claim, now)


def withdraw(session: Session, *, principal: Principal, claim_id: uuid.UUID, now: dt.datetime) -> Claim:
    """The claimant takes it back.

    :raises NotFound: no such claim that the asker may know of.
    :raises Conflict: it is not the asker's, or has come to its end.
    """
    claim = find_claim(session, principal=principal, claim_id=claim_id, lock=True)
    _move(session, claim, "withdraw", principal=principal, now=now)
    return _told(session, claim, now)


def uphold(
    session: Session,
    *,
    principal: Principal,
    claim_id: uuid.UUID,
    amount: Decimal,
    note: str | None = None,
    now: dt.datetime,
) -> Claim:
    """The platform finds for the claimant, for all or a part of the amount; without a defence once its time is over.

    :raises NotFound: no such claim.
    :raises Conflict: it is not to be decided (yet).
    :raises Refused: an amount that is none, or more than was claimed.
    """
    claim = find_claim(session, principal=principal, claim_id=claim_id, lock=True)
    if not 0 < amount <= claim.amount_claimed:
        most = claim.amount_claimed
        raise Refused(Text(f"金额须大于 0 且不超过 {most}", f"expected above 0, at most {most}"), field="amount")
    _move(session, claim, "uphold", principal=principal, now=now, guards=_time_over(claim, now), note=note)
    claim.amount_awarded, claim.decided_at = amount, now
    return _told(session, claim, now)


def decline(
    session: Session,
    *,
    principal: Principal,
    claim_id: uuid.UUID,
    reason_code: str,
    note: str | None = None,
    now: dt.datetime,
) -> Claim:
    """The platform finds against the claimant.

    :raises NotFound: no such claim.
    :raises Conflict: it is not to be decided (yet).
    :raises Refused: a reason that is none of the list.
    """
    claim = find_claim(session, principal=principal, claim_id=claim_id, lock=True)
    _move(
        session,
        claim,
        "decline",
        principal=principal,
        now=now,
        guards=_time_over(claim, now),
        reason=reason_code,
        note=note,
    )
    claim.decided_at = now
    return _told(session, claim, now)


def overdue_drafts(session: Session, *, now: dt.datetime) -> Sequence[uuid.UUID]:
    """The drafts whose time to be filed is over."""
    query = sa.select(Claim.id).where(Claim.state == "draft", Claim.file_by < day_of(now))
    return session.scalars(query.order_by(Claim.id)).all()


def lapse(session: Session, *, claim_id: uuid.UUID, now: dt.datetime) -> bool:
    """End a draft whose time is over; False if there is none any more. Doing it again does nothing."""
    query = sa.select(Claim).where(Claim.id == claim_id, Claim.state == "draft", Claim.file_by < day_of(now))
    claim = session.scalar(query.with_for_update(of=Claim).execution_options(populate_existing=True))
    if claim is None:
        return False
    moves.make(session, claim, "lapse", acting_as=Actor.TIMER, principal=SYSTEM, now=now)
    _told(session, claim, now)
    return True


def claiming_side(principal: Principal, contract: Contract) -> Actor:
    """The side for which the asker claims and answers claims.

    :raises Forbidden: the asker acts for neither party.
    """
    side = contracts.side_of(principal, contract)
    if side is None or not principal.may(Permission.CLAIM_RAISE):
        raise Forbidden(Text("须由合同当事方办理", "this is for the traders of the contract's parties"))
    return side


def _actor(principal: Principal, claim: Claim) -> Actor:
    if principal.firm_id is None:
        if not principal.may(Permission.CLAIM_DECIDE) or principal.user_id is None:
            raise Forbidden(
                Text("须由平台工作人员本人裁定", "deciding on claims is for the platform's staff, in person")
            )
        return Actor.SENIOR_STAFF if principal.may(Permission.REVIEW_SECOND) else Actor.STAFF
    side = claiming_side(principal, claim.contract)
    return Actor.CLAIMANT if side == claim.claimant else Actor.RESPONDENT


def _time_over(claim: Claim, now: dt.datetime) -> set[Guard]:
    return {Guard.DEFENCE_TIME_OVER} if claim.answer_by is not None and day_of(now) > claim.answer_by else set()


def _check_penalty(side: Actor, kind: str, penalty: Penalty, period: str | None, amount: Decimal | None) -> None:
    if side is not Actor.BUYER:
        raise Refused(Text("该违约金由买方主张", "the seller owes it: expected a claim of the buyer"), field="penalty")
    if kind != KIND_OF[penalty]:
        raise Refused(Text(f"须为 {KIND_OF[penalty]}", f"expected {KIND_OF[penalty]}"), field="kind")
    if not period:
        raise Refused(Text("须填写期间", "expected the period of the penalty"), field="penalty_period")
    if amount is not None:
        raise Refused(Text("金额由合同条款计算", "the terms compute it; expected none"), field="amount")


def _check_not_invoiced(session: Session, contract: Contract, penalty: Penalty, period: str | None) -> None:
    """:raises Conflict: an invoice asks for the same already; nobody owes it twice."""
    if period and excuses.is_invoiced(session, contract=contract, rule=penalty, period=Period.parse(period)):
        raise Conflict(
            Text(
                "该违约金已开具账单，不再另行索赔", "an invoice asks for this penalty already: nothing is left to claim"
            )
        )


def _move(
    session: Session,
    claim: Claim,
    move: str,
    *,
    principal: Principal,
    now: dt.datetime,
    guards: Collection[Guard] = (),
    reason: str | None = None,
    note: str | None = None,
) -> None:
    moves.make(
        session,
        claim,
        move,
        acting_as=_actor(principal, claim),
        principal=principal,
        guards=guards,
        reason=reason,
        note=note,
        now=now,
    )


def _told(session: Session, claim: Claim, now: dt.datetime) -> Claim:
    """A message to both sides, once the other one knows of the claim."""
    session.flush()
    if claim.filed_at is not None or claim.state == "lapsed":
        contract = claim.contract
        own = contract.seller_firm_id if claim.claimant == Actor.SELLER else contract.buyer_firm_id
        firms = {own} if claim.filed_at is None else {contract.seller_firm_id, contract.buyer_firm_id}
        outbox.tell(
            session,
            topic=f"claim.{claim.state}",
            about=(SubjectKind.CLAIM, claim.id),
            firms=firms,
            payload={
                "contract": contract.number,
                "contract_id": str(contract.id),
                "claim_id": str(claim.id),
                "state": claim.state,
            },
            now=now,
        )
    return claim
