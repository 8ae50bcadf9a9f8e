"""What the places of a contract's terms are called, for whoever does not read JSON pointers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .counter import NUMBERS
from .wording import Text

SECTIONS: Mapping[str, Text] = MappingProxyType(
    {
        "": Text("整份条款", "the terms as a whole"),
        "changes": Text("变更", "Changes"),
        "number": Text("合同编号", "Number"),
        "version": Text("版本", "Version"),
        "rule_version": Text("规则版本", "Rules"),
        "standard": Text("标准条款", "Standard terms"),
        "seller": Text("卖方", "Seller"),
        "buyer": Text("买方", "Buyer"),
        "product": Text("产品", "Product"),
        "grade": Text("等级", "Grade"),
        "specification": Text("规格", "Specification"),
        "lot": Text("批", "Lot"),
        "schedule": Text("交货计划", "Schedule"),
        "tolerance": Text("累计溢短装", "Tolerance"),
        "long_stop": Text("最后交货日", "Last day of delivery"),
        "renewal": Text("续期", "Renewal"),
        "price": Text("价格", "Price"),
        "delivery": Text("交货", "Delivery"),
        "payment": Text("付款", "Payment"),
        "take_or_pay": Text("照付不议", "Take or pay"),
        "supply_or_pay": Text("保供", "Supply or pay"),
        "late_damages": Text("迟交违约金", "Late delivery"),
        "nomination": Text("提名日历", "Nominations"),
        "quality": Text("质量条款", "Quality"),
        "assaying": Text("化验", "Assaying"),
        "force_majeure": Text("不可抗力", "Force majeure"),
        "reopeners": Text("重新议价", "Reopeners"),
        "provenance": Text("来源", "Provenance"),
        "deadlines": Text("期限", "Deadlines"),
        "clauses": Text("条款", "Clause"),
    }
)
MEMBERS: Mapping[str, Text] = MappingProxyType(
    {
        "period": Text("期间", "period"),
        "lots": Text("批数", "lots"),
        "minimum": Text("下限", "minimum"),
        "maximum": Text("上限", "maximum"),
        "amount": Text("单价", "per unit"),
        "place": Text("地点", "place"),
        "freight": Text("运费", "freight"),
        "over": Text("溢", "over"),
        "under": Text("短", "under"),
        "attribute": Text("指标", "attribute"),
        "unit": Text("单位", "unit"),
        "better": Text("以何为优", "better"),
        "reference": Text("基准", "reference"),
        "step": Text("每级", "step"),
        "bonus": Text("每级奖价", "bonus a step"),
        "bonus_cap": Text("奖价上限", "cap of the bonus"),
        "penalty": Text("每级扣价", "penalty a step"),
        "penalty_cap": Text("扣价上限", "cap of the penalty"),
        "splitting_limit": Text("允许差异", "splitting limit"),
        "rejection": Text("拒收限", "limit of rejection"),
        "index": Text("指数", "index"),
        "weight": Text("权重", "weight"),
        "coefficient": Text("系数", "coefficient"),
        "quoted_tax": Text("报价含税率", "tax in the quotation"),
        "carry_days": Text("沿用天数", "days carried"),
        "substitute": Text("替代指数", "substitute"),
        "substitute_factor": Text("替代系数", "factor of the substitute"),
        "name": Text("名称", "name"),
        "title": Text("标题", "title"),
        "text": Text("正文", "text"),
        "zh": Text("中文", "Chinese"),
        "en": Text("英文", "English"),
        "due_days": Text("付款天数", "days until due"),
        "claim_days": Text("索赔天数", "days for claims"),
        "defence_days": Text("答辩天数", "days for the defence"),
        "cure_days": Text("补救天数", "days to cure"),
        "signing_days": Text("签署天数", "days to sign"),
        "amendment_days": Text("变更天数", "days for amendments"),
    }
)

VALUES: Mapping[str, Text] = MappingProxyType(
    {"higher": Text("越高越好", "higher is better"), "lower": Text("越低越好", "lower is better")}
)


def place_name(pointer: str) -> Text:
    """The name of a place by its JSON pointer: "/schedule/2/lots" is "Schedule 3: lots".

    A member without a name of its own is told as the terms' JSON calls it.
    """
    for number in NUMBERS:
        if number.pointer == pointer:
            return number.text
    section, *rest = pointer.strip("/").split("/")
    parts = [SECTIONS.get(section, Text(section, section)), *(_member(part) for part in rest)]
    english, chinese = parts[0].en, parts[0].zh
    for part, name in zip(rest, parts[1:], strict=True):
        english += f" {name.en}" if part.isdigit() else f": {name.en}"
        chinese += f" {name.zh}" if part.isdigit() else f"：{name.zh}"
    return Text(chinese, english)


def _member(part: str) -> Text:
    if part.isascii() and part.isdigit():
        return Text(str(int(part) + 1), str(int(part) + 1))
    return MEMBERS.get(part, Text(part, part))
