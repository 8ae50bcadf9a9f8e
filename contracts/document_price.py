"""The price clause in words, and its example computed by the price arithmetic itself."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

from market.periods import Period

from .document_parts import Example, Grid, Occasion, Section, joined, per_unit
from .fixings import Fixings, QuotationPeriod, quotation_days
from .price_formula import EscalatedPrice, EscalationBasis, FixedPrice, IndexShare, PriceFormula, price_for
from .terms import Terms
from .wording import Text
from .working import Working, cents, percent, shown

QUOTATIONS = {
    QuotationPeriod.MONTH_OF_DELIVERY: Text("交付当月（M）", "the month of delivery (M)"),
    QuotationPeriod.MONTH_BEFORE: Text("交付月的前一个月（M-1）", "the month before the month of delivery (M-1)"),
    QuotationPeriod.TWO_MONTHS_BEFORE: Text(
        "交付月之前的第二个月（M-2）", "the second month before the month of delivery (M-2)"
    ),
    QuotationPeriod.QUARTER_BEFORE: Text(
        "交付月所在季度的前一季度（Q-1）", "the quarter before that of the month of delivery (Q-1)"
    ),
}
_RISE = Fraction(11, 10)
"""Assumed fixings stand this much over the base price, so that the example shows the price move."""


def first_month(terms: Terms) -> Period:
    """The first month of the contract's window."""
    return Period.of(terms.first_period.first_day, "month")


def price_section(terms: Terms, occasion: Occasion) -> Section:
    """How the price of a unit is found, with the worked example of a formula or an escalation."""
    unit = Text(
        f"价格按每 {terms.lot.unit}、以 {terms.payment.currency} 计，工厂交货基础，不含增值税；运费另计。",
        f"Prices are per {terms.lot.unit} in {terms.payment.currency}, ex works, excluding VAT; freight is added.",
    )
    price = terms.price
    match price:
        case FixedPrice():
            told: tuple[Text | Grid, ...] = (
                Text(
                    f"固定价：{per_unit(price.amount, terms)}，适用于全部交付。",
                    f"Fixed price: {per_unit(price.amount, terms)} for every delivery.",
                ),
            )
        case EscalatedPrice():
            month = first_month(terms) + price.every_months
            working = price_for(price, month, first_month=first_month(terms))
            told = (_escalation(price, terms), _example(month, working, assumed=False))
        case PriceFormula():
            told = (*_formula(price, terms, occasion), _formula_example(price, terms, occasion))
    return Section(title=Text("价格", "Price"), parts=(unit, *told))


def _escalation(price: EscalatedPrice, terms: Terms) -> Text:
    zh, en = (
        ("始终以首价为基数", "always of the first price")
        if price.basis is EscalationBasis.FIRST_PRICE
        else ("以上一期已取整的价格为基数", "each time of the rounded price before")
    )
    amount, rate = per_unit(price.amount, terms), percent(price.rate)
    return Text(
        f"首价 {amount}，自 {first_month(terms)} 起每 {price.every_months} 个月调整 {rate}，{zh}。",
        f"First price {amount}, changed by {rate} every {price.every_months} months from {first_month(terms)} "
        f"on, {en}.",
    )


def _formula(price: PriceFormula, terms: Terms, occasion: Occasion) -> tuple[Text | Grid, ...]:
    quotation = QUOTATIONS[price.quotation]
    rule = Text(
        "单价 = 基价 ×（1 − 权重之和）+ Σ（权重 × 系数 × 指数不含税均值）+ 升贴水，再以上下限约束；"
        f"自基价起算，不自上一期价格起算。均值取{quotation.zh}内各报价日报价的算术平均。",
        "Unit price = base × (1 − sum of weights) + Σ (weight × coefficient × mean of the index less its tax) + "
        "premium, then held between floor and ceiling; it starts from the base each time, never from the price before. "
        f"The mean is the arithmetic one of the fixings in {quotation.en}.",
    )
    none = Text("无", "none")
    figures = Grid(
        head=(
            Text("基价", "Base"),
            Text("升贴水", "Premium"),
            Text("下限", "Floor"),
            Text("上限", "Ceiling"),
        ),
        rows=(
            (
                per_unit(price.base, terms),
                per_unit(price.premium, terms),
                none if price.floor is None else per_unit(price.floor, terms),
                none if price.ceiling is None else per_unit(price.ceiling, terms),
            ),
        ),
        widths=(1, 1, 1, 1),
    )
    indices = Grid(
        head=(
            Text("指数", "Index"),
            Text("权重", "Weight"),
            Text("系数", "Coefficient"),
            Text("报价含税", "Tax inside the quotation"),
        ),
        rows=tuple(_index_row(share, occasion) for share in price.indices),
        widths=(4, 1, 1, 2),
        figures=frozenset({1, 2, 3}),
    )
    rounding = Text(
        "计算全程不取整，最后一次取整至 0.01（四舍六入五成双）。",
        "Nothing is rounded on the way; the price is rounded once, at the end, half-even to 0.01.",
    )
    return rule, figures, indices, joined(_failure(price, occasion), rounding)


def _index_row(share: IndexShare, occasion: Occasion) -> tuple[str | Text, ...]:
    name = occasion.name(share.index)
    code = "" if name.zh == share.index else f" [{share.index}]"
    return (
        Text(name.zh, name.en + code),
        percent(share.weight),
        shown(share.coefficient),
        percent(share.quoted_tax),
    )


def _failure(price: PriceFormula, occasion: Occasion) -> Text:
    rule = price.failure
    start = Text(
        f"报价日无报价的，沿用之前最近一次报价，但不早于 {rule.carry_days} 个日历日；",
        f"On a publication day without a fixing the last one before it stands in, if at most {rule.carry_days} "
        "calendar days old;",
    )
    end = Text("仍无可用报价的，由平台人员核定。", "failing that, the platform's staff determine it.")
    if rule.substitute is None:
        return joined(start, end)
    name = occasion.name(rule.substitute)
    middle = Text(
        f"否则以 {name.zh} 当日报价 × {shown(rule.substitute_factor)} 替代；",
        f"else the fixing of {name.en} on that day × {shown(rule.substitute_factor)};",
    )
    return joined(start, middle, end)


def _formula_example(price: PriceFormula, terms: Terms, occasion: Occasion) -> Text:
    example = occasion.example or assumed_example(price, terms)
    working = price_for(price, example.month, first_month=first_month(terms), fixings=example.fixings)
    return _example(example.month, working, assumed=example.assumed)


def _example(month: Period, working: Working, *, assumed: bool) -> Text:
    """The steps of the arithmetic as lines under their heading."""
    zh, en = ("（报价为假定，仅示算法）", " (assumed fixings, to show the arithmetic only)") if assumed else ("", "")
    return Text(
        f"算例：{month} 交付{zh}\n{working.told('zh')}",
        f"Worked example: delivery in {month}{en}\n{working.told('en')}",
    )


def assumed_example(price: PriceFormula, terms: Terms) -> Example:
    """An example for the first delivery month: each index, less tax and times coefficient, 10 % over the base price."""
    month = first_month(terms)
    first, last = quotation_days(price.quotation, month)
    days = [first + dt.timedelta(days=step) for step in range((last - first).days + 1)]
    anchor = next((one for one in (price.base, price.floor, price.ceiling) if one), Decimal(1000))
    published = {
        share.index: dict.fromkeys(
            (one for one in days if one.weekday() < 5),
            cents(Fraction(anchor) * _RISE * (1 + Fraction(share.quoted_tax)) / Fraction(share.coefficient)),
        )
        for share in price.indices
    }
    return Example(month=month, fixings=Fixings(published=published), assumed=True)
