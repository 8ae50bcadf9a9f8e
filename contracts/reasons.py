"""Reason codes: why a person made a move that needs a reason. Codes are stable; texts may be polished."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .wording import Text


class ReasonGroup(StrEnum):
    """Which list of codes a move draws its reason from."""

    RELEASE = "release"
    WITHHOLD = "withhold"
    DECLINE = "decline"
    BUNDLE = "bundle"
    CANCEL = "cancel"
    SUSPEND = "suspend"
    RESUME = "resume"
    TERMINATE = "terminate"
    AMEND = "amend"
    REFUSE_AMENDMENT = "refuse_amendment"
    SHORT_CONFIRMATION = "short_confirmation"
    REJECT_DELIVERY = "reject_delivery"
    CLAIM = "claim"
    DECLINE_CLAIM = "decline_claim"


@dataclass(frozen=True, slots=True)
class Reason:
    """One code of a group and what it says."""

    code: str
    text: Text


def _group(*rows: tuple[str, str, str]) -> tuple[Reason, ...]:
    return tuple(Reason(code, Text(zh, en)) for code, zh, en in rows)


REASONS: dict[ReasonGroup, tuple[Reason, ...]] = {
    ReasonGroup.RELEASE: _group(
        ("sound", "各项检查均无异常", "All checks are in order"),
        ("sound_with_remark", "可放行，另附审核意见", "In order, with a remark of the reviewer"),
        ("concern_cleared", "疑点已核实并排除", "A concern was examined and cleared"),
    ),
    ReasonGroup.WITHHOLD: _group(
        ("capability_doubtful", "承诺产能超出已建成产能", "The promised capacity exceeds what is built"),
        ("certificate_invalid", "证书无效或将在交付期内到期", "A certificate is invalid or ends inside the window"),
        ("price_abnormal", "价格明显偏离市场指数", "The price is far from the market index"),
        ("concentration", "成交后市场份额过高", "The share of the market after signing is too high"),
        ("sanction_or_legal", "制裁、诉讼或法律障碍", "A sanction, a lawsuit or another legal obstacle"),
        ("data_error", "报价数据有误", "The offer's figures are wrong"),
        ("suspected_manipulation", "涉嫌操纵市场", "Manipulation of the market is suspected"),
    ),
    ReasonGroup.DECLINE: _group(
        ("price", "价格不可接受", "The price is not acceptable"),
        ("schedule", "交付计划不可接受", "The schedule is not acceptable"),
        ("counterparty", "对方资信不可接受", "The counterparty's standing is not acceptable"),
        ("quality", "质量条款不可接受", "The quality terms are not acceptable"),
        ("need_changed", "需求或产能已变化", "Need or capacity has changed"),
        ("other_terms", "其他条款不可接受", "Other terms are not acceptable"),
    ),
    ReasonGroup.BUNDLE: _group(
        ("member_declined", "同一组合中的另一份提案被拒绝", "Another proposal of the bundle was declined"),
        ("member_expired", "同一组合中的另一份提案已过期", "Another proposal of the bundle ran out"),
        (
            "member_ended",
            "同一组合中的另一份合同已取消或失效",
            "Another contract of the bundle was cancelled or lapsed",
        ),
    ),
    ReasonGroup.CANCEL: _group(
        ("mutual_agreement", "双方协商一致", "Both parties agreed to it"),
        ("certificate_lost", "生效前证书失效", "A certificate was lost before effect"),
        ("qualification_failed", "产品未通过认证", "The product did not pass its qualification"),
        ("legal_obstacle", "法律障碍", "A legal obstacle"),
    ),
    ReasonGroup.SUSPEND: _group(
        ("force_majeure", "不可抗力", "Force majeure"),
        ("certificate_suspended", "证书被暂停", "A certificate is suspended"),
    ),
    ReasonGroup.RESUME: _group(
        ("force_majeure_ended", "不可抗力已结束", "Force majeure has ended"),
        ("certificate_restored", "证书已恢复", "The certificate is restored"),
    ),
    ReasonGroup.TERMINATE: _group(
        ("mutual_agreement", "双方协商一致", "Both parties agreed to it"),
        ("non_payment", "逾期未付款", "Payment is overdue"),
        ("non_delivery", "严重未交付", "Delivery failed in a grave way"),
        ("repeated_off_specification", "多次质量不合格", "Goods were off specification again and again"),
        ("insolvency", "破产或丧失偿付能力", "Insolvency"),
        ("prolonged_force_majeure", "不可抗力超过退出期限", "Force majeure lasted beyond the exit date"),
        ("certificate_revoked", "证书被撤销", "A certificate was revoked"),
        ("illegality", "履行违法", "Performance became unlawful"),
    ),
    ReasonGroup.AMEND: _group(
        ("schedule", "调整交付计划", "A change of the schedule"),
        ("price_reopener", "触发价格重议", "A price reopener was triggered"),
        ("index_replacement", "更换价格指数", "Replacement of a price index"),
        ("force_majeure_extension", "因不可抗力顺延", "An extension after force majeure"),
        ("delivery_point", "变更交付地点", "A change of the delivery place"),
        ("quality", "调整质量条款", "A change of the quality terms"),
        ("correction", "更正笔误", "Correction of a slip of the pen"),
        ("renewal", "续约", "Renewal"),
    ),
    ReasonGroup.REFUSE_AMENDMENT: _group(
        ("not_agreed", "不同意变更", "The change is not agreed"),
        ("trigger_not_met", "触发条件未满足", "The trigger is not met"),
        ("needs_another_form", "须以其他方式变更", "The change needs another form"),
    ),
    ReasonGroup.SHORT_CONFIRMATION: _group(
        ("production_outage", "生产中断", "An outage of production"),
        ("input_shortage", "原料不足", "A shortage of input material"),
        ("transport", "运输受阻", "Transport is obstructed"),
        ("force_majeure", "不可抗力", "Force majeure"),
        ("buyer_overdue", "买方逾期未付款", "The buyer's payment is overdue"),
    ),
    ReasonGroup.REJECT_DELIVERY: _group(
        ("beyond_rejection_limit", "检验结果超出拒收限", "An assay is beyond the rejection limit"),
        ("wrong_product", "货物品种或牌号不符", "Another product or grade was delivered"),
        ("damaged", "包装破损或受污染", "The goods are damaged or contaminated"),
    ),
    ReasonGroup.CLAIM: _group(
        ("late_delivery", "逾期交付", "Late delivery"),
        ("short_delivery", "短交", "Short delivery"),
        ("quality", "质量不符", "Quality"),
        ("late_payment", "逾期付款", "Late payment"),
        ("not_taken", "未按约提货", "Goods were not taken"),
        ("confidentiality", "泄露商业秘密", "Breach of confidentiality"),
    ),
    ReasonGroup.DECLINE_CLAIM: _group(
        ("no_breach", "不构成违约", "There was no breach"),
        ("lack_of_evidence", "证据不足", "The evidence does not suffice"),
    ),
}


def codes_of(group: ReasonGroup) -> tuple[str, ...]:
    """The codes of a group, in the order they are shown."""
    return tuple(reason.code for reason in REASONS[group])


def text_of(group: ReasonGroup, code: str) -> Text:
    """What a stored code says.

    :raises KeyError: the group has no such code.
    """
    return {reason.code: reason.text for reason in REASONS[group]}[code]
