"""The state table: every move of a proposal, contract, amendment, call-off and claim, as data.

The only place of transitions. `state.py` asks it, the pages and documents draw it, the tests walk it. Where a move
has several rows from one state, any one of them suffices (its guards hold together, the rows are alternatives).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .reasons import ReasonGroup
from .vocabulary import Actor, Guard, Subject, Timer
from .wording import Text

RULE_VERSION = "2026.2"
"""Stored with every contract: the table and the arithmetic that were in force when it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row: who may take a subject from one state to another, on which conditions.

    `from_state` None brings the subject into being. `timer` is the clock whose running out makes the move; `reasons`
    the list a reason code must come from; `event` the name of the event row the move writes.
    """

    subject: Subject
    from_state: str | None
    move: str
    to_state: str
    actors: frozenset[Actor]
    guards: tuple[Guard, ...] = ()
    timer: Timer | None = None
    reasons: ReasonGroup | None = None

    @property
    def event(self) -> str:
        return f"{self.subject}.{self.move}"


MOVE_TEXTS: dict[str, Text] = {
    "propose": Text("提出", "Propose"),
    "take_up": Text("开始审核", "Take up the review"),
    "recommend_release": Text("建议放行", "Recommend release"),
    "recommend_withhold": Text("建议不予放行", "Recommend withholding"),
    "release": Text("放行", "Release"),
    "withhold": Text("不予放行", "Withhold"),
    "accept": Text("接受", "Accept"),
    "counter": Text("还盘", "Counter"),
    "take_counter": Text("同意还盘版本", "Take the counter as the new version"),
    "reject_counter": Text("拒绝还盘", "Reject the counter"),
    "withdraw_counter": Text("撤回还盘", "Withdraw the counter"),
    "counter_expires": Text("还盘过期", "The counter runs out"),
    "decline": Text("拒绝", "Decline"),
    "expire": Text("过期", "Run out"),
    "fall_with_bundle": Text("随组合取消", "Fall with its bundle"),
    "conclude": Text("订立", "Conclude"),
    "sign": Text("签署", "Sign"),
    "cancel": Text("取消", "Cancel"),
    "lapse": Text("失效", "Lapse"),
    "take_effect": Text("生效", "Take effect"),
    "give_notice": Text("发出通知", "Give notice"),
    "suspend": Text("中止", "Suspend"),
    "resume": Text("恢复", "Resume"),
    "fulfil": Text("履行完毕", "Fulfil"),
    "terminate": Text("解除", "Terminate"),
    "draft": Text("起草", "Draft"),
    "refuse": Text("拒绝", "Refuse"),
    "forecast": Text("预测", "Forecast"),
    "revise": Text("修改", "Revise"),
    "nominate": Text("提名", "Nominate"),
    "firm_up": Text("锁定", "Become firm"),
    "confirm": Text("确认", "Confirm"),
    "confirm_part": Text("部分确认", "Confirm in part"),
    "split": Text("拆分", "Split off"),
    "ship": Text("发运", "Ship"),
    "receive": Text("收货", "Receive"),
    "assay": Text("检验", "Assay"),
    "reject": Text("拒收", "Reject"),
    "settle": Text("结算", "Settle"),
    "fall_with_contract": Text("随合同终止", "End with its contract"),
    "file": Text("提交", "File"),
    "defend": Text("答辩", "Defend"),
    "concede": Text("承认", "Concede"),
    "uphold": Text("裁定成立", "Uphold"),
    "withdraw": Text("撤回", "Withdraw"),
}

PARTIES = frozenset({Actor.SELLER, Actor.BUYER})
REVIEWERS = frozenset({Actor.STAFF, Actor.SENIOR_STAFF})


def _rows(
    subject: Subject,
    from_states: str | None,
    move: str,
    to_state: str,
    actors: Actor | frozenset[Actor],
    *guards: Guard,
    timer: Timer | None = None,
    reasons: ReasonGroup | None = None,
) -> Iterable[Transition]:
    """One row per source state (separated by spaces)."""
    for from_state in [None] if from_states is None else from_states.split():
        yield Transition(
            subject=subject,
            from_state=from_state,
            move=move,
            to_state=to_state,
            actors=frozenset({actors}) if isinstance(actors, Actor) else actors,
            guards=guards,
            timer=timer,
            reasons=reasons,
        )


def _proposal() -> Iterable[Transition]:
    own = Subject.PROPOSAL
    bundle = Guard.WHOLE_BUNDLE_MOVES
    second = Guard.RECOMMENDED_BY_ANOTHER_PERSON
    single = Guard.BELOW_FOUR_EYES_VALUE
    senior, staff = Actor.SENIOR_STAFF, REVIEWERS
    open_to_parties = "released accepted countered"
    yield from _rows(own, None, "propose", "proposed", Actor.MATCHER, Guard.RUN_CERTIFIED)
    yield from _rows(own, "proposed", "take_up", "under_review", staff)
    for verdict, end, reasons in (
        ("release", "released", ReasonGroup.RELEASE),
        ("withhold", "withheld", ReasonGroup.WITHHOLD),
    ):
        # Above the policy's value one person recommends and another, senior, decides: four eyes.
        yield from _rows(own, "under_review", f"recommend_{verdict}", "under_review", staff, bundle, reasons=reasons)
        yield from _rows(own, "under_review", verdict, end, staff, bundle, single, reasons=reasons)
        yield from _rows(own, "under_review", verdict, end, senior, bundle, second, reasons=reasons)
    yield from _rows(
        own, "proposed under_review", "expire", "expired", Actor.TIMER, bundle, timer=Timer.REVIEW_DEADLINE
    )
    yield from _rows(own, "released", "accept", "accepted", PARTIES, Guard.CURRENT_VERSION_HASH)
    yield from _rows(
        own, "accepted", "accept", "agreed", PARTIES, Guard.CURRENT_VERSION_HASH, Guard.OTHER_SIDE_ACCEPTED
    )
    yield from _rows(
        own,
        "released accepted",
        "counter",
        "countered",
        PARTIES,
        Guard.LISTED_FIELDS_ONLY,
        Guard.INSIDE_MARKET_LIMITS,
    )
    # A counter taken up is released as the next version; a counter that fails leaves the version before it on offer.
    # Either way nobody has accepted any more: acceptances belong to one version and are given again.
    yield from _rows(own, "countered", "take_counter", "released", PARTIES, Guard.COUNTERED_BY_OTHER_SIDE)
    yield from _rows(own, "countered", "reject_counter", "released", PARTIES, Guard.COUNTERED_BY_OTHER_SIDE)
    yield from _rows(own, "countered", "withdraw_counter", "released", PARTIES, Guard.COUNTERED_BY_SAME_SIDE)
    yield from _rows(own, "countered", "counter_expires", "released", Actor.TIMER, timer=Timer.COUNTER_EXPIRY)
    yield from _rows(own, open_to_parties, "decline", "declined", PARTIES, reasons=ReasonGroup.DECLINE)
    yield from _rows(own, open_to_parties, "expire", "expired", Actor.TIMER, timer=Timer.PROPOSAL_EXPIRY)
    yield from _rows(
        own,
        "proposed under_review " + open_to_parties,
        "fall_with_bundle",
        "cancelled",
        Actor.SYSTEM,
        Guard.BUNDLE_BROKEN,
        reasons=ReasonGroup.BUNDLE,
    )


def _contract() -> Iterable[Transition]:
    own = Subject.CONTRACT
    before_effect = "agreed signing signed"
    yield from _rows(own, None, "conclude", "agreed", Actor.SYSTEM, Guard.BOTH_ACCEPTED_SAME_HASH)
    yield from _rows(own, "agreed", "sign", "signing", PARTIES, Guard.SIGNED_VERSION_HASH)
    yield from _rows(own, "signing", "sign", "signed", PARTIES, Guard.SIGNED_VERSION_HASH, Guard.OTHER_SIDE_SIGNED)
    yield from _rows(own, "agreed signing", "lapse", "lapsed", Actor.TIMER, timer=Timer.SIGNING_DEADLINE)
    yield from _rows(
        own, before_effect, "cancel", "cancelled", PARTIES, Guard.BOTH_PARTIES_CONSENT, reasons=ReasonGroup.CANCEL
    )
    yield from _rows(
        own,
        before_effect,
        "fall_with_bundle",
        "cancelled",
        Actor.SYSTEM,
        Guard.BUNDLE_BROKEN,
        reasons=ReasonGroup.BUNDLE,
    )
    yield from _rows(
        own,
        "signed",
        "take_effect",
        "effective",
        Actor.SYSTEM,
        Guard.BUNDLE_COMPLETE,
        Guard.CERTIFICATES_VALID,
        Guard.PRODUCT_QUALIFIED,
        Guard.START_NOT_PAST,
    )
    yield from _rows(own, "signed", "lapse", "lapsed", Actor.TIMER, timer=Timer.START_DATE)
    yield from _contract_in_force(own)


def _contract_in_force(own: Subject) -> Iterable[Transition]:
    reasons = ReasonGroup.SUSPEND
    # A party's notice is an event of its own; staff confirm it by suspending (or resuming) the contract.
    yield from _rows(own, "effective", "give_notice", "effective", PARTIES)
    yield from _rows(own, "suspended", "give_notice", "suspended", PARTIES)
    for cause in (Guard.FORCE_MAJEURE_NOTICE_GIVEN, Guard.CERTIFICATE_SUSPENDED):
        yield from _rows(own, "effective", "suspend", "suspended", REVIEWERS, cause, reasons=reasons)
    yield from _rows(
        own,
        "suspended",
        "resume",
        "effective",
        REVIEWERS,
        Guard.SUSPENSION_CAUSE_ENDED,
        reasons=ReasonGroup.RESUME,
    )
    yield from _rows(own, "effective", "fulfil", "fulfilled", Actor.SYSTEM, Guard.EVERYTHING_SETTLED)
    yield from _rows(own, "effective", "expire", "expired", Actor.TIMER, Guard.TERM_OVER, timer=Timer.TERM_END)
    yield from _rows(own, "suspended", "expire", "expired", Actor.TIMER, Guard.TERM_OVER, timer=Timer.LONG_STOP)
    for ground in (Guard.CAUSE_ESTABLISHED, Guard.BOTH_PARTIES_CONSENT):
        yield from _rows(
            own, "effective suspended", "terminate", "terminated", PARTIES, ground, reasons=ReasonGroup.TERMINATE
        )
    yield from _rows(
        own,
        "suspended",
        "terminate",
        "terminated",
        PARTIES,
        Guard.FORCE_MAJEURE_EXIT_DATE_PASSED,
        reasons=ReasonGroup.TERMINATE,
    )


def _amendment() -> Iterable[Transition]:
    own = Subject.AMENDMENT
    yield from _rows(own, None, "draft", "draft", PARTIES, Guard.CONTRACT_IN_FORCE, reasons=ReasonGroup.AMEND)
    # Proposing is the proposer's signature; the other side's signature makes it active.
    yield from _rows(
        own,
        "draft",
        "propose",
        "pending",
        PARTIES,
        Guard.CONTRACT_IN_FORCE,
        Guard.PROPOSED_BY_SAME_SIDE,
        Guard.DATED_AFTER_PREVIOUS,
        Guard.INSIDE_MARKET_LIMITS,
        Guard.SIGNED_VERSION_HASH,
    )
    yield from _rows(
        own,
        "pending",
        "sign",
        "active",
        PARTIES,
        Guard.CONTRACT_IN_FORCE,
        Guard.PROPOSED_BY_OTHER_SIDE,
        Guard.DATED_AFTER_PREVIOUS,
        Guard.SIGNED_VERSION_HASH,
    )
    yield from _rows(
        own,
        "pending",
        "refuse",
        "refused",
        PARTIES,
        Guard.PROPOSED_BY_OTHER_SIDE,
        reasons=ReasonGroup.REFUSE_AMENDMENT,
    )
    yield from _rows(own, "draft pending", "cancel", "cancelled", PARTIES, Guard.PROPOSED_BY_SAME_SIDE)
    yield from _rows(own, "pending", "expire", "expired", Actor.TIMER, timer=Timer.AMENDMENT_EXPIRY)


def _call_off() -> Iterable[Transition]:
    own = Subject.CALL_OFF
    buyer, seller = Actor.BUYER, Actor.SELLER
    nominating = (Guard.CONTRACT_EFFECTIVE, Guard.NOMINATION_WINDOW_OPEN, Guard.WITHIN_CALL_OFF_LIMITS)
    yield from _rows(own, None, "forecast", "forecast", buyer, Guard.CONTRACT_EFFECTIVE)
    yield from _rows(own, "forecast", "revise", "forecast", buyer, Guard.CONTRACT_EFFECTIVE)
    yield from _rows(own, "forecast", "nominate", "nominated", buyer, *nominating)
    yield from _rows(own, "nominated", "revise", "nominated", buyer, *nominating)
    yield from _rows(own, "forecast nominated", "cancel", "cancelled", buyer, Guard.NOMINATION_WINDOW_OPEN)
    yield from _rows(own, "forecast", "lapse", "lapsed", Actor.TIMER, timer=Timer.NOMINATION_DEADLINE)
    yield from _rows(own, "nominated", "firm_up", "firm", Actor.TIMER, timer=Timer.FIRM_ZONE)
    yield from _rows(own, "firm", "confirm", "confirmed", seller, Guard.CONTRACT_EFFECTIVE, Guard.WHOLE_QUANTITY)
    short = ReasonGroup.SHORT_CONFIRMATION
    yield from _rows(
        own,
        "firm",
        "confirm_part",
        "confirmed",
        seller,
        Guard.CONTRACT_EFFECTIVE,
        Guard.PART_OF_QUANTITY,
        reasons=short,
    )
    yield from _rows(own, "firm", "refuse", "refused", seller, reasons=short)
    yield from _rows(own, None, "split", "confirmed", seller, Guard.CONTRACT_EFFECTIVE, Guard.WITHIN_CONFIRMED_QUANTITY)
    yield from _rows(
        own,
        "confirmed",
        "ship",
        "shipped",
        seller,
        Guard.CONTRACT_EFFECTIVE,
        Guard.WITHIN_CONFIRMED_QUANTITY,
        Guard.ANALYSIS_CERTIFICATE_ATTACHED,
    )
    # What has not left the seller when the contract ends is not delivered under it any more; goods on their way are.
    yield from _rows(
        own,
        "forecast nominated firm confirmed",
        "fall_with_contract",
        "cancelled",
        Actor.SYSTEM,
        Guard.CONTRACT_ENDED,
    )
    yield from _rows(own, "shipped", "receive", "received", buyer)
    yield from _rows(own, "received", "assay", "assayed", Actor.LABORATORY, Guard.ASSAY_DETERMINED)
    # Whoever hands in no result in time is bound by the other side's.
    yield from _rows(
        own, "received", "assay", "assayed", Actor.TIMER, Guard.ASSAY_DETERMINED, timer=Timer.ASSAY_EXCHANGE
    )
    yield from _rows(
        own,
        "assayed",
        "reject",
        "rejected",
        buyer,
        Guard.BEYOND_REJECTION_LIMIT,
        reasons=ReasonGroup.REJECT_DELIVERY,
    )
    yield from _rows(own, "assayed", "settle", "settled", Actor.SYSTEM, Guard.FINAL_INVOICE_ISSUED)


def _claim() -> Iterable[Transition]:
    own = Subject.CLAIM
    claimant, respondent = Actor.CLAIMANT, Actor.RESPONDENT
    yield from _rows(own, None, "draft", "draft", claimant, Guard.WITHIN_CLAIM_TIME_LIMIT, reasons=ReasonGroup.CLAIM)
    yield from _rows(own, "draft", "file", "pending", claimant, Guard.WITHIN_CLAIM_TIME_LIMIT, Guard.EVIDENCE_ATTACHED)
    yield from _rows(own, "draft", "lapse", "lapsed", Actor.TIMER, timer=Timer.CLAIM_TIME_LIMIT)
    yield from _rows(own, "draft pending defended", "withdraw", "withdrawn", claimant)
    yield from _rows(own, "pending", "defend", "defended", respondent)
    yield from _rows(own, "pending defended", "concede", "upheld", respondent)
    for from_state, guards in (("pending", (Guard.DEFENCE_TIME_OVER,)), ("defended", ())):
        yield from _rows(own, from_state, "uphold", "upheld", REVIEWERS, *guards)
        yield from _rows(own, from_state, "decline", "declined", REVIEWERS, *guards, reasons=ReasonGroup.DECLINE_CLAIM)


TRANSITIONS: tuple[Transition, ...] = (*_proposal(), *_contract(), *_amendment(), *_call_off(), *_claim())

TABLES: Mapping[str, tuple[Transition, ...]] = {
    "2026.1": tuple(
        row for row in TRANSITIONS if row.move != "fall_with_contract" and row.timer is not Timer.ASSAY_EXCHANGE
    ),
    RULE_VERSION: TRANSITIONS,
}
"""Every rule set that a contract may still live under, by its version. A new set is added; none is taken away.

2026.2 ends the call-offs of a contract that has come to its end, and the waiting for assays that do not come.
"""
