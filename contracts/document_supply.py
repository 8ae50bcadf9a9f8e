"""Clauses of the printed contract on who, what, when and where: parties, product, schedule, delivery, nomination."""

from __future__ import annotations

import datetime as dt

from .canonical import decimal_text
from .clauses import DeliveryBasis, Party
from .document_parts import NOT_STATED, Grid, Occasion, Section, day, joined, listed, per_unit, units
from .nomination import firm_from
from .schedule import cumulative_limits
from .terms import Terms
from .wording import Text
from .working import percent, shown

SELLER, BUYER = Text("卖方", "Seller"), Text("买方", "Buyer")
BASES = {
    DeliveryBasis.EXW: Text("工厂交货", "Ex Works"),
    DeliveryBasis.FCA: Text("货交承运人", "Free Carrier"),
    DeliveryBasis.CPT: Text("运费付至", "Carriage Paid To"),
    DeliveryBasis.CIP: Text("运费和保险费付至", "Carriage and Insurance Paid To"),
    DeliveryBasis.DAP: Text("目的地交货", "Delivered at Place"),
    DeliveryBasis.DPU: Text("目的地卸货后交货", "Delivered at Place Unloaded"),
    DeliveryBasis.DDP: Text("完税后交货", "Delivered Duty Paid"),
    DeliveryBasis.FAS: Text("船边交货", "Free Alongside Ship"),
    DeliveryBasis.FOB: Text("船上交货", "Free on Board"),
    DeliveryBasis.CFR: Text("成本加运费", "Cost and Freight"),
    DeliveryBasis.CIF: Text("成本、保险费加运费", "Cost, Insurance and Freight"),
}


def parties_section(terms: Terms) -> Section:
    """Both parties side by side, as their registers know them."""
    sides = (terms.seller, terms.buyer)
    rows: tuple[tuple[str | Text, ...], ...] = (
        ("名称 Name", *(side.name for side in sides)),
        ("登记 Register", *(_register(side) for side in sides)),
        ("住所 Address", *(side.address or NOT_STATED for side in sides)),
        ("签署人 Signatory", *(side.signatory or NOT_STATED for side in sides)),
        ("关联方 Affiliates", *(listed(side.affiliates, Text("无", "none")) for side in sides)),
    )
    head = (Text("", ""), SELLER, BUYER)
    return Section(title=Text("双方", "Parties"), parts=(Grid(head=head, rows=rows, widths=(3, 8, 8)),))


def _register(party: Party) -> Text:
    """The credit code of a Chinese entity, country and number of a foreign one."""
    country, colon, number = party.credit_code.partition(":")
    if colon:
        return Text(f"境外登记 {country}：{number}", f"Foreign register, {country}: {number}")
    return Text(f"统一社会信用代码 {party.credit_code}", f"Unified social credit code {party.credit_code}")


def definitions_section(terms: Terms) -> Section:
    """What the words of the contract mean, and which text holds."""
    lot = f"{shown(terms.lot.size)} {terms.lot.unit}"
    return Section(
        title=Text("定义与解释", "Definitions and interpretation"),
        parts=(
            Text(
                f"“批”指 {lot} 产品；数量均为整批。“期间”指第 4 条计划表所列的日历期间，"
                "自其首日起至末日止。“日”指日历日。",
                f"A lot is {lot} of the product; quantities are whole lots. A period is a calendar period of the "
                "schedule in section 4, its first and last day included. Days are calendar days.",
            ),
            Text(
                "“平台”指撮合本合同的交易平台；“条款数据”指附于本文件的规范 JSON 条款，其 SHA-256 哈希值印于每页页眉。",
                "The platform is the exchange on which this contract was matched. The terms data are the terms in "
                "canonical JSON attached to this document, whose SHA-256 hash stands at the head of each page.",
            ),
            Text(
                f"金额与数量按规则版本 {terms.rule_version} 计算；初始条款为平台标准条款 {terms.standard}。"
                "金额在发票行取整至 0.01，四舍六入五成双。",
                f"Amounts and quantities are computed by rule version {terms.rule_version}; the terms started from the "
                f"platform's standard terms {terms.standard}. Money is rounded to 0.01 at the invoice line, half-even.",
            ),
            Text(
                "中英文对照；文义不一致的，以中文为准。印刷文本与条款数据不一致的，以双方接受的条款数据为准。",
                "Chinese and English stand side by side; where they differ in meaning the Chinese holds. Where the "
                "printed text and the terms data differ, the terms data that both parties accepted hold.",
            ),
        ),
    )


def product_section(terms: Terms, occasion: Occasion) -> Section:
    """Product, grade and the limits every lot must keep."""
    product, grade = occasion.name(terms.product), occasion.name(terms.grade)
    told = Text(
        f"产品：{product.zh} [{terms.product}]，牌号：{grade.zh} [{terms.grade}]。",
        f"Product: {product.en} [{terms.product}], grade: {grade.en} [{terms.grade}].",
    )
    title = Text("产品与规格", "Product and specification")
    if not terms.specification:
        bare = Text("双方未另约定规格限值。", "The parties agreed no limits of specification besides.")
        return Section(title=title, parts=(told, bare))
    every = Text("每批均须符合下表限值。", "Every lot keeps the limits of this table.")
    table = Grid(
        head=(Text("指标", "Attribute"), Text("单位", "Unit"), Text("最小", "Minimum"), Text("最大", "Maximum")),
        rows=tuple(
            (
                _attribute(occasion, limit.attribute),
                limit.unit,
                "—" if limit.minimum is None else decimal_text(limit.minimum),
                "—" if limit.maximum is None else decimal_text(limit.maximum),
            )
            for limit in terms.specification
        ),
        widths=(4, 2, 2, 2),
        figures=frozenset({2, 3}),
    )
    return Section(title=title, parts=(joined(told, every), table))


def _attribute(occasion: Occasion, code: str) -> str | Text:
    name = occasion.name(code)
    return code if name.zh == code else name


def schedule_section(terms: Terms) -> Section:
    """Window, quantities by period with their own and the cumulative limits, last day, renewal."""
    first, last = terms.first_period, terms.last_period
    begin, end, stop = day(first.first_day), day(last.last_day), day(terms.long_stop)
    total = units(terms.total_lots, terms)
    window = Text(
        f"供货期自{begin.zh}至{end.zh}（{first} 至 {last}），共 {terms.total_lots:,} 批，即 {total}。"
        f"最迟交付日为{stop.zh}。",
        f"Delivery runs from {begin.en} to {end.en} ({first} to {last}): {terms.total_lots:,} lots in all, that is "
        f"{total}. The last day on which anything may still be delivered is {stop.en}.",
    )
    over, under = percent(terms.tolerance.over), percent(terms.tolerance.under)
    tolerance = Text(
        f"买方每一期间的调用量须在表中最少与最多之间；自首期起的累计调用量"
        f"不得超过累计计划的 +{over}，也不得低于 −{under}。"
        "容差按累计计划计算，不按剩余量计算，拆分调用不改变可调用总量。",
        "In each period the buyer calls between the fewest and the most lots of the table; what is called since the "
        f"first period stays within +{over} and −{under} of the schedule's sum so far. The tolerance is of that sum, "
        "never of what remains, so splitting call-offs does not change the total.",
    )
    renewal = Text("本合同不设续约选择权。", "There is no option to renew.")
    if terms.renewal is not None:
        periods, notice = terms.renewal.periods, terms.renewal.notice_days
        renewal = Text(
            f"可续约 {periods} 个期间，须在期满前至少 {notice} 日通知，并以双方签署的变更约定。",
            f"The contract may be renewed for {periods} periods, told at least {notice} days before its end and agreed "
            "by an amendment that both sign.",
        )
    return Section(
        title=Text("供货期与数量", "Term and quantity"), parts=(window, _schedule(terms), tolerance, renewal)
    )


def _schedule(terms: Terms) -> Grid:
    rows: list[tuple[str | Text, ...]] = []
    so_far = 0
    for line, (least, most) in zip(terms.schedule, cumulative_limits(terms.schedule, terms.tolerance), strict=True):
        so_far += line.lots
        figures = (f"{line.lots:,}", units(line.lots, terms), f"{line.minimum:,} – {line.maximum:,}", f"{so_far:,}")
        rows.append((str(line.period), *figures, f"{least:,} – {most:,}"))
    whole = Text("合计", "Total")
    rows.append((whole, f"{terms.total_lots:,}", units(terms.total_lots, terms), "", "", ""))
    return Grid(
        head=(
            Text("期间", "Period"),
            Text("批数", "Lots"),
            Text("数量", "Quantity"),
            Text("本期最少–最多", "Fewest – most"),
            Text("累计批数", "Lots so far"),
            Text("累计最少–最多", "So far, fewest – most"),
        ),
        rows=tuple(rows),
        widths=(3, 2, 3, 4, 3, 5),
        figures=frozenset({1, 2, 3, 4, 5}),
    )


def delivery_section(terms: Terms) -> Section:
    """Delivery basis and place, freight, title, risk, packing."""
    delivery = terms.delivery
    basis = BASES[delivery.basis]
    freight = Text("价格不加运费。", "No freight is added to the price.")
    if delivery.freight:
        rate = per_unit(delivery.freight, terms)
        freight = Text(f"运费 {rate}，加于价格之上。", f"Freight of {rate} is added to the price.")
    place = Text(
        f"交货条件：{delivery.basis} {delivery.place}（{basis.zh}，《国际贸易术语解释通则 2020》）。",
        f"Delivery: {delivery.basis} {delivery.place} ({basis.en}, Incoterms 2020).",
    )
    packing = Text(f"包装：{delivery.packing.zh}", f"Packing: {delivery.packing.en}")
    return Section(
        title=Text("交付、所有权与风险", "Delivery, title and risk"),
        parts=(joined(place, freight), delivery.title, packing),
    )


def nomination_section(terms: Terms) -> Section:
    """How a call-off hardens, with the days of the first period as the calendar's example."""
    calendar, period = terms.nomination, terms.first_period
    due = period.first_day - dt.timedelta(days=calendar.nominate_days)
    firm = firm_from(calendar, period)
    confirmed = firm + dt.timedelta(days=calendar.confirm_days)
    share = percent(calendar.revision_share)
    rows: tuple[tuple[str | Text, ...], ...] = (
        (
            Text("预测（不具约束力）", "Forecast (binds nobody)"),
            Text(f"提前至多 {calendar.forecast_months} 个月", f"up to {calendar.forecast_months} months ahead"),
            "—",
        ),
        (
            Text("提名", "Nomination"),
            Text(f"期间开始前 {calendar.nominate_days} 日", f"{calendar.nominate_days} days before the period"),
            day(due),
        ),
        (
            Text(f"修改，至多 ±{share}", f"Revision, at most ±{share}"),
            Text(f"期间开始前 {calendar.firm_days} 日为止", f"until {calendar.firm_days} days before the period"),
            day(firm - dt.timedelta(days=1)),
        ),
        (Text("确定，不得再改", "Firm, no change any more"), Text("此后", "after that"), day(firm)),
        (
            Text("卖方确认（可部分确认）", "Seller confirms (in part, too)"),
            Text(f"确定后 {calendar.confirm_days} 日内", f"within {calendar.confirm_days} days after that"),
            day(confirmed),
        ),
    )
    table = Grid(
        head=(
            Text("步骤", "Step"),
            Text("时限", "When"),
            Text(f"{period} 的日期", f"Day for {period}"),
        ),
        rows=rows,
        widths=(4, 4, 3),
    )
    call = Text(
        "买方按下列日程逐期提名；未在限期内提名的，不得在其后提名该期间。",
        "The buyer nominates period by period on this calendar; what is not nominated by its day "
        "is not nominated later.",
    )
    return Section(title=Text("提名日程", "Nomination calendar"), parts=(call, table))
