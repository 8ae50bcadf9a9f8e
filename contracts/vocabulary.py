"""The names of the state table: subjects, states, actors, guards and timers, each with what it says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .wording import Text


class Subject(StrEnum):
    """What has a state."""

    PROPOSAL = "proposal"
    CONTRACT = "contract"
    AMENDMENT = "amendment"
    CALL_OFF = "call_off"
    CLAIM = "claim"


class Actor(StrEnum):
    """In which capacity somebody moves. The edge decides who may act as what."""

    MATCHER = "matcher"
    STAFF = "staff"
    SENIOR_STAFF = "senior_staff"
    SELLER = "seller"
    BUYER = "buyer"
    LABORATORY = "laboratory"
    CLAIMANT = "claimant"
    RESPONDENT = "respondent"
    SYSTEM = "system"
    TIMER = "timer"


class Guard(StrEnum):
    """A condition the caller has checked before a move. The table only knows its name."""

    RUN_CERTIFIED = "run_certified"
    BELOW_FOUR_EYES_VALUE = "below_four_eyes_value"
    RECOMMENDED_BY_ANOTHER_PERSON = "recommended_by_another_person"
    WHOLE_BUNDLE_MOVES = "whole_bundle_moves"
    CURRENT_VERSION_HASH = "current_version_hash"
    OTHER_SIDE_ACCEPTED = "other_side_accepted"
    LISTED_FIELDS_ONLY = "listed_fields_only"
    INSIDE_MARKET_LIMITS = "inside_market_limits"
    COUNTERED_BY_OTHER_SIDE = "countered_by_other_side"
    COUNTERED_BY_SAME_SIDE = "countered_by_same_side"
    BUNDLE_BROKEN = "bundle_broken"
    BOTH_ACCEPTED_SAME_HASH = "both_accepted_same_hash"
    SIGNED_VERSION_HASH = "signed_version_hash"
    OTHER_SIDE_SIGNED = "other_side_signed"
    BOTH_PARTIES_CONSENT = "both_parties_consent"
    BUNDLE_COMPLETE = "bundle_complete"
    CERTIFICATES_VALID = "certificates_valid"
    PRODUCT_QUALIFIED = "product_qualified"
    START_NOT_PAST = "start_not_past"
    FORCE_MAJEURE_NOTICE_GIVEN = "force_majeure_notice_given"
    CERTIFICATE_SUSPENDED = "certificate_suspended"
    SUSPENSION_CAUSE_ENDED = "suspension_cause_ended"
    EVERYTHING_SETTLED = "everything_settled"
    TERM_OVER = "term_over"
    CAUSE_ESTABLISHED = "cause_established"
    FORCE_MAJEURE_EXIT_DATE_PASSED = "force_majeure_exit_date_passed"
    CONTRACT_IN_FORCE = "contract_in_force"
    DATED_AFTER_PREVIOUS = "dated_after_previous"
    PROPOSED_BY_OTHER_SIDE = "proposed_by_other_side"
    PROPOSED_BY_SAME_SIDE = "proposed_by_same_side"
    CONTRACT_EFFECTIVE = "contract_effective"
    CONTRACT_ENDED = "contract_ended"
    NOMINATION_WINDOW_OPEN = "nomination_window_open"
    WITHIN_CALL_OFF_LIMITS = "within_call_off_limits"
    WHOLE_QUANTITY = "whole_quantity"
    PART_OF_QUANTITY = "part_of_quantity"
    WITHIN_CONFIRMED_QUANTITY = "within_confirmed_quantity"
    ANALYSIS_CERTIFICATE_ATTACHED = "analysis_certificate_attached"
    ASSAY_DETERMINED = "assay_determined"
    BEYOND_REJECTION_LIMIT = "beyond_rejection_limit"
    FINAL_INVOICE_ISSUED = "final_invoice_issued"
    WITHIN_CLAIM_TIME_LIMIT = "within_claim_time_limit"
    EVIDENCE_ATTACHED = "evidence_attached"
    DEFENCE_TIME_OVER = "defence_time_over"


class Timer(StrEnum):
    """A clock that runs in a state; when it runs out, the move that names it is made by a job."""

    REVIEW_DEADLINE = "review_deadline"
    PROPOSAL_EXPIRY = "proposal_expiry"
    COUNTER_EXPIRY = "counter_expiry"
    SIGNING_DEADLINE = "signing_deadline"
    START_DATE = "start_date"
    TERM_END = "term_end"
    LONG_STOP = "long_stop"
    AMENDMENT_EXPIRY = "amendment_expiry"
    NOMINATION_DEADLINE = "nomination_deadline"
    FIRM_ZONE = "firm_zone"
    CLAIM_TIME_LIMIT = "claim_time_limit"
    ASSAY_EXCHANGE = "assay_exchange"


@dataclass(frozen=True, slots=True)
class State:
    """One state of a subject. `reserves` says that the volume behind it is not for sale again."""

    name: str
    text: Text
    reserves: bool = False


def _states(*rows: tuple[str, str, str] | tuple[str, str, str, bool]) -> tuple[State, ...]:
    return tuple(State(row[0], Text(row[1], row[2]), len(row) == 4) for row in rows)


STATES: dict[Subject, tuple[State, ...]] = {
    Subject.PROPOSAL: _states(
        ("proposed", "已生成", "Proposed", True),
        ("under_review", "审核中", "Under review", True),
        ("released", "已放行", "Released", True),
        ("accepted", "一方已接受", "Accepted by one side", True),
        ("countered", "已还盘", "Countered", True),
        ("agreed", "已达成一致", "Agreed"),
        ("withheld", "不予放行", "Withheld"),
        ("declined", "已拒绝", "Declined"),
        ("expired", "已过期", "Expired"),
        ("cancelled", "已取消", "Cancelled"),
    ),
    Subject.CONTRACT: _states(
        ("agreed", "已达成一致", "Agreed", True),
        ("signing", "签署中", "Signing", True),
        ("signed", "已签署", "Signed", True),
        ("effective", "生效", "Effective", True),
        ("suspended", "中止", "Suspended", True),
        ("fulfilled", "履行完毕", "Fulfilled"),
        ("expired", "期满终了", "Expired"),
        ("terminated", "解除", "Terminated"),
        ("lapsed", "未生效失效", "Lapsed before effect"),
        ("cancelled", "已取消", "Cancelled"),
    ),
    Subject.AMENDMENT: _states(
        ("draft", "草稿", "Draft"),
        ("pending", "待对方签署", "Pending"),
        ("active", "有效", "Active"),
        ("refused", "已拒绝", "Refused"),
        ("cancelled", "已取消", "Cancelled"),
        ("expired", "已过期", "Expired"),
    ),
    Subject.CALL_OFF: _states(
        ("forecast", "预测", "Forecast"),
        ("nominated", "已提名", "Nominated", True),
        ("firm", "已锁定", "Firm", True),
        ("confirmed", "已确认", "Confirmed", True),
        ("shipped", "已发运", "Shipped", True),
        ("received", "已收货", "Received", True),
        ("assayed", "已检验", "Assayed", True),
        ("settled", "已结算", "Settled", True),
        ("refused", "卖方拒绝", "Refused"),
        ("rejected", "买方拒收", "Rejected"),
        ("cancelled", "已取消", "Cancelled"),
        ("lapsed", "逾期失效", "Lapsed"),
    ),
    Subject.CLAIM: _states(
        ("draft", "草稿", "Draft"),
        ("pending", "待答辩", "Pending"),
        ("defended", "已答辩", "Defended"),
        ("upheld", "成立", "Upheld"),
        ("declined", "不成立", "Declined"),
        ("withdrawn", "已撤回", "Withdrawn"),
        ("lapsed", "逾期失效", "Lapsed"),
    ),
}


SUBJECT_TEXTS: dict[Subject, Text] = {
    Subject.PROPOSAL: Text("提案", "Proposal"),
    Subject.CONTRACT: Text("合同", "Contract"),
    Subject.AMENDMENT: Text("合同变更", "Amendment"),
    Subject.CALL_OFF: Text("交货", "Call-off"),
    Subject.CLAIM: Text("索赔", "Claim"),
}
ACTOR_TEXTS: dict[Actor, Text] = {
    Actor.MATCHER: Text("撮合系统", "the matcher"),
    Actor.STAFF: Text("审核员", "a reviewer"),
    Actor.SENIOR_STAFF: Text("高级审核员", "a senior reviewer"),
    Actor.SELLER: Text("卖方", "the seller"),
    Actor.BUYER: Text("买方", "the buyer"),
    Actor.LABORATORY: Text("实验室", "the laboratory"),
    Actor.CLAIMANT: Text("索赔方", "the claimant"),
    Actor.RESPONDENT: Text("被索赔方", "the side claimed from"),
    Actor.SYSTEM: Text("平台", "the platform"),
    Actor.TIMER: Text("期限届满", "a deadline"),
}
GUARD_TEXTS: dict[Guard, Text] = {
    Guard.RUN_CERTIFIED: Text("撮合结果已验证", "the run is certified"),
    Guard.BELOW_FOUR_EYES_VALUE: Text("金额低于双人复核限额", "the value is below that of four eyes"),
    Guard.RECOMMENDED_BY_ANOTHER_PERSON: Text("已由另一人建议", "another person recommended it"),
    Guard.WHOLE_BUNDLE_MOVES: Text("组合整体一并变动", "the whole bundle moves"),
    Guard.CURRENT_VERSION_HASH: Text("针对当前版本", "it is about the version on offer"),
    Guard.OTHER_SIDE_ACCEPTED: Text("对方已接受", "the other side has accepted"),
    Guard.LISTED_FIELDS_ONLY: Text("仅变更允许的条款", "only listed terms change"),
    Guard.INSIDE_MARKET_LIMITS: Text("未超出市场限制", "it stays inside the market's limits"),
    Guard.COUNTERED_BY_OTHER_SIDE: Text("由对方还盘", "the other side countered"),
    Guard.COUNTERED_BY_SAME_SIDE: Text("由本方还盘", "the own side countered"),
    Guard.BUNDLE_BROKEN: Text("组合已破裂", "the bundle is broken"),
    Guard.BOTH_ACCEPTED_SAME_HASH: Text("双方接受同一版本", "both accepted the same version"),
    Guard.SIGNED_VERSION_HASH: Text("签署的是该版本", "this version is what is signed"),
    Guard.OTHER_SIDE_SIGNED: Text("对方已签署", "the other side has signed"),
    Guard.BOTH_PARTIES_CONSENT: Text("双方同意", "both parties consent"),
    Guard.BUNDLE_COMPLETE: Text("组合内合同均已签署", "all contracts of the bundle are signed"),
    Guard.CERTIFICATES_VALID: Text("证书有效", "the certificates are valid"),
    Guard.PRODUCT_QUALIFIED: Text("产品已通过认证", "the product is qualified"),
    Guard.START_NOT_PAST: Text("起始日未过", "the first day is not past"),
    Guard.FORCE_MAJEURE_NOTICE_GIVEN: Text("已通知不可抗力", "force majeure was told"),
    Guard.CERTIFICATE_SUSPENDED: Text("证书被暂停", "a certificate is suspended"),
    Guard.SUSPENSION_CAUSE_ENDED: Text("中止原因已消除", "what it was suspended for has ended"),
    Guard.EVERYTHING_SETTLED: Text("全部结清", "everything is settled"),
    Guard.TERM_OVER: Text("合同期已满", "the term is over"),
    Guard.CAUSE_ESTABLISHED: Text("解除事由成立", "the cause is established"),
    Guard.FORCE_MAJEURE_EXIT_DATE_PASSED: Text("不可抗力已过退出日", "the exit date of force majeure is past"),
    Guard.CONTRACT_IN_FORCE: Text("合同有效或中止中", "the contract is in force"),
    Guard.DATED_AFTER_PREVIOUS: Text("生效日晚于前一版本", "it is dated after the version before"),
    Guard.PROPOSED_BY_OTHER_SIDE: Text("由对方提出", "the other side proposed it"),
    Guard.PROPOSED_BY_SAME_SIDE: Text("由本方提出", "the own side proposed it"),
    Guard.CONTRACT_EFFECTIVE: Text("合同生效且未中止", "the contract is effective"),
    Guard.CONTRACT_ENDED: Text("合同已终了", "the contract has ended"),
    Guard.NOMINATION_WINDOW_OPEN: Text("在提名期内", "the nomination window is open"),
    Guard.WITHIN_CALL_OFF_LIMITS: Text("未超出合同数量", "the contract leaves that much"),
    Guard.WHOLE_QUANTITY: Text("全部数量", "it is the whole quantity"),
    Guard.PART_OF_QUANTITY: Text("部分数量", "it is a part of the quantity"),
    Guard.WITHIN_CONFIRMED_QUANTITY: Text("未超出已确认数量", "no more than was confirmed"),
    Guard.ANALYSIS_CERTIFICATE_ATTACHED: Text("附有质检单", "a certificate of analysis is there"),
    Guard.ASSAY_DETERMINED: Text("检验结果已确定", "the assay is determined"),
    Guard.BEYOND_REJECTION_LIMIT: Text("超出拒收限", "it is beyond the rejection limit"),
    Guard.FINAL_INVOICE_ISSUED: Text("最终账单已出具", "the final invoice is issued"),
    Guard.WITHIN_CLAIM_TIME_LIMIT: Text("在索赔期限内", "within the time to claim"),
    Guard.EVIDENCE_ATTACHED: Text("已附证据", "evidence is attached"),
    Guard.DEFENCE_TIME_OVER: Text("答辩期已过", "the time to answer is over"),
}
TIMER_TEXTS: dict[Timer, Text] = {
    Timer.REVIEW_DEADLINE: Text("审核期限", "time of review"),
    Timer.PROPOSAL_EXPIRY: Text("提案有效期", "time of the proposal"),
    Timer.COUNTER_EXPIRY: Text("还盘有效期", "time of the counter-offer"),
    Timer.SIGNING_DEADLINE: Text("签署期限", "time to sign"),
    Timer.START_DATE: Text("合同起始日", "first day of the contract"),
    Timer.TERM_END: Text("合同期满", "end of the term"),
    Timer.LONG_STOP: Text("最后交付日", "long-stop day"),
    Timer.AMENDMENT_EXPIRY: Text("变更提议有效期", "time of the amendment"),
    Timer.NOMINATION_DEADLINE: Text("提名截止日", "last day to nominate"),
    Timer.FIRM_ZONE: Text("锁定日", "day of the firm zone"),
    Timer.CLAIM_TIME_LIMIT: Text("索赔期限", "time to claim"),
    Timer.ASSAY_EXCHANGE: Text("检验结果交换期限", "time to exchange assays"),
}
