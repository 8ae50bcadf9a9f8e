"""Clauses of the printed contract on what is owed: taking and supplying, quality, payment, force majeure, the end."""

from __future__ import annotations

from .canonical import decimal_text
from .clauses import Better, QualityTerm
from .document_parts import Grid, Occasion, Section, joined, listed, per_unit
from .reasons import REASONS, ReasonGroup
from .terms import Terms
from .wording import Text
from .working import percent, shown


def commitments_section(terms: Terms) -> Section:
    """Take-or-pay, supply-or-pay and late damages, or that they are not agreed."""
    return Section(
        title=Text("照付不议、照供不误与逾期", "Take-or-pay, supply-or-pay and delay"),
        parts=(_take_or_pay(terms), _supply_or_pay(terms), _late(terms)),
    )


def _take_or_pay(terms: Terms) -> Text:
    rule = terms.take_or_pay
    if rule is None:
        return Text("不适用照付不议。", "There is no take-or-pay.")
    share, pay, carry = percent(rule.share), percent(rule.payment_share), percent(rule.carry_forward_share)
    return Text(
        f"照付不议：买方每一日历年提取当年计划批数（扣除免除批数）的 {share}，向上取整；"
        f"短提部分按当年平均单价的 {pay} 付款；已锁定而卖方未交的批数视为已提。"
        f"已付款未提的批数可在其后 {rule.make_up_years} 年内，于当年义务之外补提并抵扣。"
        "超出当年全部计划提取的批数结转，"
        f"可在其后 {rule.carry_forward_years} 年内抵减义务，每年至多为当年计划的 {carry}。",
        f"Take-or-pay: in each calendar year the buyer takes {share} of that year's schedule (less lots "
        "excused), whole "
        f"lots rounded up, or pays {pay} of the year's mean unit price for what lacks; lots called firm and not "
        "delivered count as taken. Lots paid for and not taken may "
        f"be made up within the next {rule.make_up_years} years beyond those years' obligations, and what was paid is "
        "credited. Lots taken beyond a year's whole schedule are carried forward and lower the obligations of the next "
        f"{rule.carry_forward_years} years, by at most {carry} of each year's schedule.",
    )


def _supply_or_pay(terms: Terms) -> Text:
    rule = terms.supply_or_pay
    if rule is None:
        return Text("不适用照供不误。", "There is no supply-or-pay.")
    share, pay = percent(rule.share), percent(rule.payment_share)
    return Text(
        f"照供不误：卖方每一日历年交付确定调用批数（扣除免除批数）的 {share}，向上取整；短供部分按单价的 {pay} 付款。",
        f"Supply-or-pay: in each calendar year the seller delivers {share} of the firm call-offs (less lots excused), "
        f"whole lots rounded up, or pays {pay} of the price for what lacks.",
    )


def _late(terms: Terms) -> Text:
    rule = terms.late_damages
    if rule is None:
        return Text("不约定逾期交付违约金。", "There are no agreed damages for late delivery.")
    per_day, cap = percent(rule.per_day), percent(rule.cap)
    return Text(
        f"逾期交付：宽限 {rule.grace_days} 日，其后每日按逾期批货值的 {per_day} 支付违约金，至多为该货值的 {cap}。",
        f"Late delivery: after {rule.grace_days} days of grace the seller pays {per_day} of the late lots' value for "
        f"each day more, at most {cap} of that value.",
    )


def quality_section(terms: Terms, occasion: Occasion) -> Section:
    """Sampling, assays of both sides, splitting limit and umpire, bonus and penalty by attribute."""
    assaying = terms.assaying
    sampling = Text(f"取样：{assaying.sampling.zh}", f"Sampling: {assaying.sampling.en}")
    assays = Text(
        f"双方在 {assaying.exchange_days} 日内交换检验结果。差值不超过分歧限的取均值；"
        f"超过的由仲裁方（{assaying.umpire}）"
        "检验，取三者的中间值，费用由偏离仲裁结果较远的一方承担，等距的双方分担。"
        "自收货日起逾期未提交结果的一方以对方结果为准；双方均未提交的，以基准值为准。",
        f"Both sides exchange their assays within {assaying.exchange_days} days. Results no further apart than the "
        f"splitting limit are averaged; else the umpire ({assaying.umpire}) assays and the middle one of the three "
        "binds. The side further from the umpire bears its cost, at equal distance both share it. A side that hands in "
        "no result in that time from the receipt of the goods is bound by the other's; without either, the reference "
        "counts.",
    )
    title = Text("质量与检验", "Quality and assay")
    if not terms.quality:
        none = Text("质量不影响价格。", "Quality does not change the price.")
        return Section(title=title, parts=(sampling, assays, none))
    rule = Text(
        "奖励与扣减按偏离基准的档数比例计算（不足一档按比例），各不超过上限；超出拒收限的，买方可以拒收。",
        "Bonus and penalty follow the steps from the reference, fractions of a step pro rata, each up to its cap. "
        "Beyond the rejection limit the buyer may reject the goods.",
    )
    return Section(title=title, parts=(sampling, assays, rule, _quality(terms, occasion)))


def _quality(terms: Terms, occasion: Occasion) -> Grid:
    return Grid(
        head=(
            Text("指标", "Attribute"),
            Text("基准", "Reference"),
            Text("每档", "Step"),
            Text("每档奖励（上限）", "Bonus per step (cap)"),
            Text("每档扣减（上限）", "Penalty per step (cap)"),
            Text("分歧限", "Splitting limit"),
            Text("拒收限", "Rejection"),
        ),
        rows=tuple(_quality_row(term, terms, occasion) for term in terms.quality),
        widths=(4, 4, 3, 5, 5, 3, 3),
    )


def _quality_row(term: QualityTerm, terms: Terms, occasion: Occasion) -> tuple[str | Text, ...]:
    name = occasion.name(term.attribute)
    higher = term.better is Better.HIGHER
    bound = "<" if higher else ">"
    return (
        name if name.zh != term.attribute else term.attribute,
        Text(
            f"{decimal_text(term.reference)} {term.unit}，{'高者优' if higher else '低者优'}",
            "higher is better" if higher else "lower is better",
        ),
        f"{decimal_text(term.step)} {term.unit}",
        f"{shown(term.bonus)} ({per_unit(term.bonus_cap, terms)})",
        f"{shown(term.penalty)} ({per_unit(term.penalty_cap, terms)})",
        f"{decimal_text(term.splitting_limit)} {term.unit}",
        "—" if term.rejection is None else f"{bound} {decimal_text(term.rejection)} {term.unit}",
    )


def payment_section(terms: Terms) -> Section:
    """Provisional and final invoices, VAT, when they are due, interest."""
    payment = terms.payment
    provisional, vat, interest = percent(payment.provisional_share), percent(payment.vat), percent(payment.interest)
    return Section(
        title=Text("发票与付款", "Invoices and payment"),
        parts=(
            Text(
                f"卖方按交付月结算：检验确定前开具货值及运费 {provisional} 的暂付发票，确定后开具最终发票，"
                "计入质量奖励或扣减。"
                "每份发票将该月账目结清至最新，每行为截至当时的精确值取整一次，减去此前已开部分。",
                f"The seller settles by month of delivery: provisional invoices of {provisional} of goods and "
                "freight until "
                "the assays bind, then final ones with bonus or penalty. Each invoice brings the month's account up to "
                "date: a line is the exact value so far, rounded once, less what was invoiced before.",
            ),
            Text(
                f"货币为 {payment.currency}；另加增值税 {vat}。发票开具之日起 {payment.due_days} 日内付款。",
                f"The currency is {payment.currency}; VAT of {vat} is added. An invoice is due within "
                f"{payment.due_days} "
                "days of the day of issue.",
            ),
            Text(
                f"逾期付款按年利率 {interest} 计单利：金额 × {interest} × 逾期天数 ÷ {payment.year_days}。",
                f"Late payment bears simple interest of {interest} a year: amount × {interest} × days late / "
                f"{payment.year_days}.",
            ),
        ),
    )


def provenance_section(terms: Terms) -> Section:
    """Certificates, countries of origin, recycled content."""
    rule = terms.provenance
    none = Text("无", "none")
    certificates = listed(rule.certificates, none)
    origins = listed(rule.origins, Text("不限", "any"))
    recycled = none if rule.recycled_share is None else Text(percent(rule.recycled_share), percent(rule.recycled_share))
    return Section(
        title=Text("来源与证书", "Origin and certificates"),
        parts=(
            Text(
                f"须持续有效的证书：{certificates.zh}。允许的原产地：{origins.zh}。再生料最低比例：{recycled.zh}。",
                f"Certificates that stay valid throughout: {certificates.en}. Countries of origin admitted: "
                f"{origins.en}. "
                f"Least recycled share: {recycled.en}.",
            ),
        ),
    )


def force_majeure_section(terms: Terms) -> Section:
    """Notice, sharing of what is left, extension, exit."""
    rule = terms.force_majeure
    return Section(
        title=Text("不可抗力", "Force majeure"),
        parts=(
            Text(
                f"受影响方在事件发生之日起 {rule.notice_days} 日内通知。受影响期间的批数按受阻天数与受影响比例免除；"
                "剩余产量在卖方各合同之间按承诺量比例分配。",
                f"The side affected gives notice within {rule.notice_days} days of the beginning. Lots of a period are "
                "excused pro rata of the days lost and the share affected; what the seller has left is shared "
                "among its "
                "contracts in the ratio of what each was promised.",
            ),
            Text(
                f"最迟交付日按受阻天数顺延，至多 {rule.longest_extension_days} 日；事件持续 {rule.exit_days} 日的，"
                "任何一方可以解除合同。",
                f"The last day of delivery moves by the days lost, at most {rule.longest_extension_days}; after "
                f"{rule.exit_days} days without a break either side may terminate.",
            ),
        ),
    )


def ending_section(terms: Terms) -> Section:
    """Reopeners, amendments, claims, suspension and termination."""
    times = terms.deadlines
    reopeners = tuple(
        Text(
            f"重议：{one.trigger.zh}时，任何一方可提前 {one.notice_days} 日通知要求重新协商；"
            "结果须为双方签署的变更，不自动生效。",
            f"Reopener: {one.trigger.en}: either side may call for talks with {one.notice_days} days' notice; the "
            "outcome is an amendment that both sign, never an automatic change.",
        )
        for one in terms.reopeners
    )
    causes = [reason.text for reason in REASONS[ReasonGroup.TERMINATE]]
    suspensions = [reason.text for reason in REASONS[ReasonGroup.SUSPEND]]
    claims = Text(
        f"索赔自事由发生之日起 {times.claim_days} 日内提出，对方在 {times.defence_days} 日内答辩；违约方有 "
        f"{times.cure_days} 日补救期。",
        f"A claim is raised within {times.claim_days} days of its cause and defended within "
        f"{times.defence_days}; a side in breach "
        f"has {times.cure_days} days to cure it.",
    )
    suspension = Text(
        f"中止：{'；'.join(one.zh for one in suspensions)}。经平台确认后中止，原因消除后恢复。",
        f"Suspension: {_in_a_row(suspensions)}. The platform confirms it, and resumes once the cause has ended.",
    )
    termination = Text(
        f"解除事由：{'；'.join(one.zh for one in causes)}。已交付部分照常结算，已产生的请求权不受影响。",
        f"Grounds of termination: {_in_a_row(causes)}. What was delivered is settled all the same, and claims that "
        "arose before stand.",
    )
    amendment = Text(
        f"变更须经双方签署并形成新版本；变更提议在 {times.amendment_days} 日内答复，逾期失效。",
        f"An amendment is signed by both and makes a new version; a proposal is answered within {times.amendment_days} "
        "days or lapses.",
    )
    return Section(
        title=Text("重议、变更、索赔、中止与解除", "Reopeners, amendments, claims, suspension and termination"),
        parts=(*reopeners, amendment, claims, suspension, termination),
    )


def _in_a_row(texts: list[Text]) -> str:
    return "; ".join(one.en[0].lower() + one.en[1:] for one in texts)


def recorded_section(terms: Terms) -> Section:
    """The clauses that are text only: law, arbitration, confidentiality, liability."""
    return Section(
        title=Text("法律、争议与其他", "Law, disputes and the rest"),
        parts=tuple(Text(f"{one.title.zh}：{one.text.zh}", f"{one.title.en}: {one.text.en}") for one in terms.clauses),
    )


def signing_section(terms: Terms, terms_hash: str) -> Section:
    """What the parties sign; the hash in two halves, so that no line breaks it elsewhere."""
    halves = f"{terms_hash[:32]}\n{terms_hash[32:]}"
    return Section(
        title=Text("签署", "Signatures"),
        parts=(
            joined(
                Text(
                    f"双方签署合同 {terms.number} 第 {terms.version} 版，条款数据的 SHA-256 为：\n{halves}\n",
                    f"The parties sign version {terms.version} of contract {terms.number}; the SHA-256 of its "
                    "terms data "
                    f"is:\n{halves}\n",
                ),
                Text(
                    f"须在 {terms.deadlines.signing_days} 日内由双方签署；第一份签名之后不得修改。",
                    f"Both sign within {terms.deadlines.signing_days} days; nothing is edited after the first "
                    "signature.",
                ),
            ),
        ),
    )
