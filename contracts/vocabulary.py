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
