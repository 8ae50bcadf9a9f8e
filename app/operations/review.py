"""The review of proposals by staff: taken up, released, withheld; above the round's threshold by two persons.

A bundle moves as one: whoever decides on a proposal decides on its bundle, and the bundle's whole value counts
against the threshold. Above it one person recommends and another, senior, decides.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session, attributes, selectinload

from app.auth import Principal
from app.errors import Conflict, Forbidden, NotFound, Refused, Told
from app.models import Grade, Proposal, ReviewAction, ReviewDecision, ReviewStep, Round, Run
from app.operations import bundles, moves, proposal_versions
from app.operations.contract_terms import PARTS, affiliates_of, freeze_terms
from app.permissions import Permission
from contracts.state import STATES, Actor, Guard, Subject, moves_from
from contracts.wording import Text
from market.errors import MarketError

UNDER_REVIEW = ("proposed", "under_review")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a decision came to: made, or a recommendation that waits for another person; and the bundle it moved."""

    step: ReviewStep
    proposals: tuple[Proposal, ...]


class Outcome(StrEnum):
    """What became of one proposal of many."""

    RELEASED = "released"
    RECOMMENDED = "recommended"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome for one proposal of many; `why` says why it was refused."""

    proposal_id: uuid.UUID
    outcome: Outcome
    why: Text | None = None

    @property
    def detail(self) -> str | None:
        """Why it was refused, as programs are told."""
        return None if self.why is None else self.why.en


def visible_reviews(principal: Principal) -> sa.Select[Proposal]:
    """All proposals for those who review; none for anybody else."""
    query = sa.select(Proposal).options(
        selectinload(Proposal.seller),
        selectinload(Proposal.buyer),
        selectinload(Proposal.grade).selectinload(Grade.product),
        selectinload(Proposal.decisions),
        selectinload(Proposal.run).selectinload(Run.round),
    )
    return query if principal.may(Permission.REVIEW_READ) else query.where(sa.false())


def reviews(
    principal: Principal,
    *,
    states: Sequence[str] = UNDER_REVIEW,
    round_code: str | None = None,
    run_id: uuid.UUID | None = None,
    bundle_id: uuid.UUID | None = None,
    product: str | None = None,
    firm_id: uuid.UUID | None = None,
    least_value: Decimal | None = None,
) -> sa.Select[Proposal]:
    """The proposals a reviewer looks for, those that wait for a decision unless other states are named."""
    query = visible_reviews(principal).where(Proposal.state.in_(states))
    if round_code is not None:
        query = query.where(Proposal.round_id.in_(sa.select(Round.id).where(Round.code == round_code)))
    if run_id is not None:
        query = query.where(Proposal.run_id == run_id)
    if bundle_id is not None:
        query = query.where(Proposal.bundle_id == bundle_id)
    if product is not None:
        query = query.where(Proposal.product_code == product)
    if firm_id is not None:
        query = query.where(sa.or_(Proposal.seller_firm_id == firm_id, Proposal.buyer_firm_id == firm_id))
    if least_value is not None:
        query = query.where(Proposal.total_value >= least_value)
    return query


def find_review(session: Session, *, principal: Principal, proposal_id: uuid.UUID) -> Proposal:
    """:raises NotFound: no such proposal, or the asker does not review."""
    found: Proposal | None = session.scalar(visible_reviews(principal).where(Proposal.id == proposal_id))
    if found is None:
        raise NotFound("no such proposal")
    return found


def find_bundle(session: Session, *, principal: Principal, proposal_id: uuid.UUID) -> dict[uuid.UUID, Proposal]:
    """A proposal and all that are tied to it, by their ids.

    :raises NotFound: as `find_review` does.
    """
    tie = sa.select(Proposal.bundle_id).where(Proposal.id == proposal_id).scalar_subquery()
    found = session.scalars(visible_reviews(principal).where(Proposal.bundle_id == tie).order_by(Proposal.id))
    members = {proposal.id: proposal for proposal in found}
    if proposal_id not in members:
        raise NotFound("no such proposal")
    return members


def hold(session: Session, *, principal: Principal, proposal_id: uuid.UUID) -> Proposal:
    """Lock a proposal and its bundle until the transaction ends, and read it as it is now.

    :raises NotFound: as `find_review` does.
    """
    proposal = find_review(session, principal=principal, proposal_id=proposal_id)
    bundles.lock(session, proposal.bundle_id)
    return proposal


def take_up(
    session: Session, *, principal: Principal, proposal_id: uuid.UUID, version: int | None = None, now: dt.datetime
) -> Proposal:
    """Take a bundle under review: no later run supersedes it then.

    :raises NotFound: as `find_review` does.
    :raises Forbidden: the asker does not decide on reviews.
    :raises Conflict: it has been taken up, or is not of the version the asker saw.
    """
    actor = _reviewer(principal)
    proposal, members = _lock(session, principal, proposal_id, version)
    _take_up(session, members, principal, actor, now)
    session.flush()
    return proposal


def decide(
    session: Session,
    *,
    principal: Principal,
    proposal_id: uuid.UUID,
    action: ReviewAction,
    reason_code: str,
    note: str | None = None,
    version: int | None = None,
    now: dt.datetime,
) -> Decided:
    """Release or withhold a proposal and its bundle, or recommend it where two persons have to.

    `version` is that of the proposal as the asker saw it; None when he has just locked it by `hold`.

    :raises NotFound: as `find_review` does.
    :raises Forbidden: the asker does not decide on reviews.
    :raises Refused: the reason code is none of the list for this action.
    :raises Conflict: decided already, of another version, out of time, or one's own recommendation.
    """
    actor = _reviewer(principal)
    _, members = _lock(session, principal, proposal_id, version)
    if any(member.state == UNDER_REVIEW[0] for member in members):
        _take_up(session, members, principal, actor, now)
    step, guards = _step(members, principal, action)
    move = action.value if step is ReviewStep.DECISION else f"recommend_{action.value}"
    if step is ReviewStep.DECISION and action is ReviewAction.RELEASE:
        _release(session, members, now)
    for member in members:
        moves.make(
            session,
            member,
            move,
            acting_as=actor,
            principal=principal,
            guards=guards,
            reason=reason_code,
            note=note,
            now=now,
        )
        _sign(session, member, principal, action, step, reason_code=reason_code, note=note, now=now)
        bundles.tell(session, member, now=now)
    if step is ReviewStep.DECISION and action is ReviewAction.WITHHOLD:
        bundles.release_volume(session, bundles.ids(members), now=now)
    session.flush()
    return Decided(step=step, proposals=tuple(members))


def release_many(
    session: Session,
    *,
    principal: Principal,
    proposals: Sequence[tuple[uuid.UUID, int]],
    reason_code: str,
    note: str | None = None,
    now: dt.datetime,
) -> list[Verdict]:
    """Release many proposals (id, version), each bundle by itself: one that is refused does not stop the others.

    :raises Forbidden: the asker does not decide on reviews.
    :raises Refused: the reason code is none of the list for releasing.
    """
    _reviewer(principal)
    found = session.execute(
        visible_reviews(principal)
        .where(Proposal.id.in_([proposal_id for proposal_id, _ in proposals]))
        .with_only_columns(Proposal.id, Proposal.bundle_id)
    )
    bundle = dict(found.all())
    verdicts: dict[uuid.UUID, Verdict] = {}
    # In the order of the bundles: two reviewers who release the same ones wait for each other, and that is all.
    for proposal_id, version in sorted(proposals, key=lambda one: (str(bundle.get(one[0])), str(one[0]))):
        if proposal_id in verdicts:
            continue
        try:
            with session.begin_nested():
                decided = decide(
                    session,
                    principal=principal,
                    proposal_id=proposal_id,
                    action=ReviewAction.RELEASE,
                    reason_code=reason_code,
                    note=note,
                    version=version,
                    now=now,
                )
        except Refused as refusal:
            if refusal.field == "reason_code":
                raise
            verdicts[proposal_id] = refused(proposal_id, refusal)
        except MarketError as refusal:
            verdicts[proposal_id] = refused(proposal_id, refusal)
        else:
            made = Outcome.RELEASED if decided.step is ReviewStep.DECISION else Outcome.RECOMMENDED
            verdicts |= {one.id: Verdict(proposal_id=one.id, outcome=made) for one in decided.proposals}
    return [verdicts[proposal_id] for proposal_id, _ in proposals]


def needs_two(value: Decimal, market_round: Round) -> bool:
    """Whether a bundle of this value takes two persons."""
    return value > market_round.review_threshold


def open_moves(proposal: Proposal, principal: Principal) -> tuple[str, ...]:
    """The moves a reviewer has from the proposal's state, four eyes aside."""
    if not principal.may(Permission.REVIEW_DECIDE):
        return ()
    actor = Actor.SENIOR_STAFF if principal.may(Permission.REVIEW_SECOND) else Actor.STAFF
    return tuple(sorted({row.move for row in moves_from(Subject.PROPOSAL, proposal.state, actor)}))


def _reviewer(principal: Principal) -> Actor:
    if not principal.may(Permission.REVIEW_DECIDE) or principal.user_id is None:
        raise Forbidden(
            Text("提案由平台审核人员亲自决定", "deciding on proposals is for the platform's reviewers, in person")
        )
    return Actor.SENIOR_STAFF if principal.may(Permission.REVIEW_SECOND) else Actor.STAFF


def _lock(
    session: Session, principal: Principal, proposal_id: uuid.UUID, version: int | None
) -> tuple[Proposal, list[Proposal]]:
    proposal = find_review(session, principal=principal, proposal_id=proposal_id)
    members = bundles.lock(session, proposal.bundle_id, *PARTS, selectinload(Proposal.decisions))
    if version is not None and proposal.version != version:
        now = next(state.text for state in STATES[Subject.PROPOSAL] if state.name == proposal.state)
        raise Conflict(
            Text(
                f"提案在第 {version} 版读取后已有变动，现为“{now.zh}”",
                f"the proposal has changed since version {version} was read; it is “{now.en}” now",
            ),
            open_moves=open_moves(proposal, principal),
        )
    return proposal, members


def _take_up(
    session: Session, members: Sequence[Proposal], principal: Principal, actor: Actor, now: dt.datetime
) -> None:
    for member in members:
        moves.make(session, member, "take_up", acting_as=actor, principal=principal, now=now)


def _step(members: Sequence[Proposal], principal: Principal, action: ReviewAction) -> tuple[ReviewStep, set[Guard]]:
    """Whether this is the decision or a recommendation, and the guards that hold."""
    value = sum((member.total_value for member in members), Decimal(0))
    if not needs_two(value, members[0].run.round):
        return ReviewStep.DECISION, {Guard.WHOLE_BUNDLE_MOVES, Guard.BELOW_FOUR_EYES_VALUE}
    said = {decision.user_id for decision in members[0].decisions if decision.action is action}
    if principal.user_id in said:
        raise Conflict(
            Text(
                "您已就此表态；由另一位高级人员决定",
                f"you have spoken for this {action} already; another, senior person decides",
            )
        )
    if not said:
        return ReviewStep.RECOMMENDATION, {Guard.WHOLE_BUNDLE_MOVES}
    return ReviewStep.DECISION, {Guard.WHOLE_BUNDLE_MOVES, Guard.RECOMMENDED_BY_ANOTHER_PERSON}


def _release(session: Session, members: Sequence[Proposal], now: dt.datetime) -> None:
    """Freeze the terms and start the parties' time."""
    affiliates = affiliates_of(session)
    for member in members:
        if member.state == UNDER_REVIEW[1]:
            if member.expires_at is not None and member.expires_at <= now:
                raise Conflict(
                    Text(
                        f"提案的审核期限已于 {member.expires_at.isoformat()} 届满",
                        f"the time to review the proposal ran out at {member.expires_at.isoformat()}",
                    )
                )
            freeze_terms(member, affiliates=affiliates)
            proposal_versions.put_on_offer(session, member, now=now)
            member.expires_at = now + dt.timedelta(days=member.run.round.proposal_days)


def _sign(
    session: Session,
    member: Proposal,
    principal: Principal,
    action: ReviewAction,
    step: ReviewStep,
    *,
    reason_code: str,
    note: str | None,
    now: dt.datetime,
) -> None:
    """Write who spoke; the proposal counts a version further, so that nobody decides without having seen it."""
    session.add(
        ReviewDecision(
            proposal=member,
            user_id=principal.user_id,
            action=action,
            step=step,
            reason_code=reason_code,
            note=note,
            decided_at=now,
        )
    )
    attributes.flag_modified(member, "state")


def refused(proposal_id: uuid.UUID, refusal: MarketError) -> Verdict:
    """The verdict on a proposal that was refused; one that is not there for the asker has no words of its own."""
    why = refusal.text if isinstance(refusal, Told) else Text("没有该提案", str(refusal))
    return Verdict(proposal_id=proposal_id, outcome=Outcome.REFUSED, why=why)
