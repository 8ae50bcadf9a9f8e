"""What people and firms' systems are told about: one table of topics with their texts and who hears of each.

A topic is "<what>.<what happened>". Whoever tells about something new adds its row here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from app.models import UserRole
from contracts.wording import Text


class Audience(StrEnum):
    """Whose people are told; "firms" are those named with the message."""

    FIRMS = "firms"
    FIRM_ADMINS = "firm_admins"
    STAFF = "staff"
    BOTH = "both"  # the firms and the staff
    ENDPOINT = "endpoint"  # nobody: it goes to one endpoint that asked for it


FIRM_ROLES = frozenset({UserRole.FIRM_TRADER, UserRole.FIRM_ADMIN})
STAFF_ROLES = frozenset({UserRole.PLATFORM_STAFF, UserRole.SENIOR_STAFF})
ROLES: Mapping[Audience, frozenset[UserRole]] = MappingProxyType(
    {
        Audience.FIRMS: FIRM_ROLES,
        Audience.FIRM_ADMINS: frozenset({UserRole.FIRM_ADMIN}),
        Audience.STAFF: STAFF_ROLES,
        Audience.BOTH: FIRM_ROLES | STAFF_ROLES,
        Audience.ENDPOINT: frozenset(),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One kind of message. `mail` is whether it goes by e-mail to who has chosen nothing, too."""

    code: str
    text: Text
    audience: Audience = Audience.FIRMS
    mail: bool = False

    @property
    def group(self) -> str:
        """What it is about: the part before the full stop."""
        return self.code.partition(".")[0]


def _topic(code: str, zh: str, en: str, audience: Audience = Audience.FIRMS, *, mail: bool = False) -> Topic:
    return Topic(code=code, text=Text(zh, en), audience=audience, mail=mail)


_ROWS: Iterable[Topic] = (
    _topic("run.done", "撮合运行完成，有提案待审核", "A run is done and proposals wait for review", Audience.STAFF),
    _topic("proposal.released", "收到新的合同提案", "A contract is proposed to you", mail=True),
    _topic("proposal.accepted", "一方已接受提案", "One side has accepted the proposal"),
    _topic("proposal.countered", "对方对提案还盘", "The proposal has been countered", mail=True),
    _topic("proposal.agreed", "双方已就提案达成一致", "Both sides agree on the proposal", mail=True),
    _topic("proposal.declined", "提案被拒绝", "The proposal is declined", mail=True),
    _topic("proposal.expired", "提案已过期", "The proposal has run out"),
    _topic("proposal.cancelled", "提案随组合取消", "The proposal fell with its bundle"),
    _topic(
        "proposal.counter_taken", "还盘已被采纳为新版本", "The counter-offer is taken up as the new version", mail=True
    ),
    _topic("proposal.counter_rejected", "还盘被拒绝", "The counter-offer is rejected", mail=True),
    _topic("proposal.counter_withdrawn", "对方撤回还盘", "The counter-offer is withdrawn"),
    _topic("proposal.counter_expired", "还盘已过期", "The counter-offer has run out"),
    _topic("message.posted", "对方发来消息", "There is a message from the other side", mail=True),
    _topic("contract.agreed", "合同已订立", "The contract is made", mail=True),
    _topic("contract.signing", "一方已签署，等待另一方签署", "One side has signed, the other is to sign", mail=True),
    _topic("contract.signed", "双方均已签署合同", "Both sides have signed the contract", mail=True),
    _topic("contract.effective", "合同已生效", "The contract is in force"),
    _topic("contract.notice", "收到合同项下的通知", "A notice under the contract has been given", mail=True),
    _topic("contract.suspended", "合同已中止", "The contract is suspended", Audience.BOTH, mail=True),
    _topic("contract.resumed", "合同恢复履行", "The contract is resumed", Audience.BOTH, mail=True),
    _topic("contract.fulfilled", "合同履行完毕", "The contract is fulfilled"),
    _topic("contract.expired", "合同到期", "The contract has run out"),
    _topic("contract.terminated", "合同已解除", "The contract is terminated", Audience.BOTH, mail=True),
    _topic("contract.lapsed", "合同因逾期未签而失效", "The contract lapsed without signatures", mail=True),
    _topic("contract.cancelled", "合同已取消", "The contract is cancelled", mail=True),
    _topic("amendment.pending", "收到合同变更提议", "An amendment is proposed", mail=True),
    _topic("amendment.active", "合同变更生效", "The amendment is in force", mail=True),
    _topic("amendment.refused", "合同变更被拒绝", "The amendment is refused"),
    _topic("amendment.cancelled", "合同变更提议已撤回", "The amendment is withdrawn"),
    _topic("amendment.expired", "合同变更提议已过期", "The amendment has run out"),
    _topic("call_off.forecast", "收到交货预测", "A call-off is forecast"),
    _topic("call_off.nominated", "收到交货提名", "A call-off is nominated", mail=True),
    _topic("call_off.firm", "交货提名已锁定", "A call-off is firm"),
    _topic("call_off.overdue", "交货提名逾期未确认", "The confirmation of a call-off is overdue", mail=True),
    _topic("call_off.confirmed", "交货提名已确认", "A call-off is confirmed"),
    _topic("call_off.shipped", "货物已发运", "A delivery is shipped"),
    _topic("call_off.received", "货物已收货", "A delivery is received"),
    _topic("call_off.assayed", "检验结果已提交", "A delivery is assayed"),
    _topic("call_off.settled", "交货已结算", "A delivery is settled"),
    _topic("call_off.refused", "交货提名被拒绝", "A call-off is refused", mail=True),
    _topic("call_off.rejected", "货物被拒收", "A delivery is rejected", mail=True),
    _topic("call_off.cancelled", "交货提名已取消", "A call-off is cancelled"),
    _topic("call_off.lapsed", "交货提名已失效", "A call-off has lapsed", mail=True),
    _topic(
        "assay.disputed",
        "双方检验结果超出允差",
        "The two assays differ by more than the limit",
        Audience.BOTH,
        mail=True,
    ),
    _topic("invoice.issued", "账单已出具", "An invoice is issued", mail=True),
    _topic("invoice.corrected", "账单已更正", "An invoice is corrected", mail=True),
    _topic("invoice.paid", "账单已支付", "An invoice is paid"),
    _topic("invoice.overdue", "账单逾期未付", "An invoice is overdue", mail=True),
    _topic("statement.issued", "期间结算单已出具", "A statement of a period is issued"),
    _topic("index.missing", "指数缺失，按合同规则处理", "An index is missing; the written rule applies", Audience.BOTH),
    _topic("claim.pending", "收到索赔", "A claim is made", Audience.BOTH, mail=True),
    _topic("claim.defended", "对方已就索赔答辩", "A claim is defended", Audience.BOTH, mail=True),
    _topic("claim.upheld", "索赔成立", "A claim is upheld", mail=True),
    _topic("claim.declined", "索赔不成立", "A claim is declined", mail=True),
    _topic("claim.withdrawn", "索赔已撤回", "A claim is withdrawn"),
    _topic("claim.lapsed", "索赔因逾期失效", "A claim is out of time", mail=True),
    _topic("force_majeure.declared", "对方通知不可抗力", "Force majeure is declared", Audience.BOTH, mail=True),
    _topic("force_majeure.ended", "不可抗力结束", "Force majeure has ended", Audience.BOTH, mail=True),
    _topic("webhook.disabled", "回调地址已停用", "A webhook endpoint is disabled", Audience.FIRM_ADMINS, mail=True),
    _topic("webhook.test", "测试消息", "A test message", Audience.ENDPOINT),
)

TOPICS: Mapping[str, Topic] = MappingProxyType({topic.code: topic for topic in _ROWS})


def topics_for(role: UserRole) -> list[Topic]:
    """The topics that a person of some role can be told about, in the table's order."""
    return [topic for topic in TOPICS.values() if role in ROLES[topic.audience]]


def webhook_topics() -> list[str]:
    """The topics that an endpoint of a firm can ask for: all that firms are told about."""
    return [topic.code for topic in TOPICS.values() if ROLES[topic.audience] & FIRM_ROLES]


def by_group(topics: Iterable[Topic]) -> dict[str, list[Topic]]:
    """Topics by what they are about, groups and topics in the order they come in."""
    groups: dict[str, list[Topic]] = {}
    for topic in topics:
        groups.setdefault(topic.group, []).append(topic)
    return groups
