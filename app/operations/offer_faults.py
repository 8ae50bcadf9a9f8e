"""What can be wrong with an offer, as codes with values, and how each is said in Chinese and English.

`expected` is a sentence part: "found X; expected ..." reads well in both languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.models import Language
from contracts.wording import Text

ZH, EN = Language.CHINESE, Language.ENGLISH

# code: (Chinese, English) of what was expected
EXPECTED: Mapping[str, tuple[str, str]] = {
    # the file
    "file_type": ("XLSX 或 CSV 文件", "an XLSX or CSV file"),
    "file_size": ("不超过 {limit} MB 的文件", "a file of at most {limit} MB"),
    "file_unpacked": ("解压后不超过 {limit} MB 的文件", "a file of at most {limit} MB when unpacked"),
    "file_shape": (
        "不超过 {rows} 行、{columns} 列，单元格内容不超过 {text} 字的表",
        "a sheet of at most {rows} rows and {columns} columns, with at most {text} characters in a cell",
    ),
    "file_readable": ("可以打开的工作簿（未加密、未损坏）", "a workbook that opens: not encrypted, not damaged"),
    "file_encoding": ("UTF-8 或 GB18030 编码的文本", "text in UTF-8 or GB18030"),
    "sheet": ("名为“{name}”的可见工作表", "a visible sheet named {name!r}"),
    "rows": ("至少一行报价", "at least one row with an offer"),
    "header_missing": ("表头中有“{name}”列", "a column {name!r} in the header"),
    "header_unknown": (
        "模板中的列名，或本场的交割期 {first} 至 {last}",
        "a column of the template, or a period of the round, {first} to {last}",
    ),
    "header_twice": ("每列只出现一次", "every column once"),
    # cells
    "required": ("必填", "a value"),
    "number": ("数字，例如 1200.5", "a number such as 1200.5"),
    "whole_number": ("整数，例如 4", "a whole number such as 4"),
    "date": ("日期，例如 2026-12-31", "a date such as 2026-12-31"),
    "value_not_formula": ("数值；请将公式粘贴为数值", "a value; paste the formula as a value"),
    "yes_or_no": ("是 或 否", "yes or no"),
    "choice": ("{choices} 之一", "one of {choices}"),
    "pairs": ("形如 {example} 的列表", "a list such as {example}"),
    "firm_code": ("已注册企业的统一社会信用代码", "the unified social credit code of a registered firm"),
    "row_once": ("与第 {row} 行不同的行", "a row other than row {row}"),
    # terms
    "round_open": ("开放报价的场次", "a round that takes offers now"),
    "own_site": ("本企业在用的工厂", "an active site of your own firm"),
    "known_product": ("目录中的产品代码", "a product code of the list"),
    "known_grade": ("该产品的等级：{choices}", "a grade of the product: {choices}"),
    "period": ("本场的交割期：{first} 至 {last}", "a period of the round: {first} to {last}"),
    "window_order": ("不早于起始期 {first} 的截止期", "a last period not before the first, {first}"),
    "period_inside": ("{first} 至 {last} 之内的交割期", "a period from {first} to {last}"),
    "period_missing": ("{period} 的数量", "a quantity for {period}"),
    "whole_lots": ("{lot} {unit} 的整数倍", "a multiple of {lot} {unit}"),
    "not_negative": ("0 或以上", "0 or more"),
    "some_quantity": ("至少一个交割期的数量大于 0", "a quantity above 0 in at least one period"),
    "largest": ("不超过 {limit}", "at most {limit}"),
    "places": ("小数点后不超过 {places} 位", "at most {places} places after the point"),
    "currency": ("CNY 或本场有汇率的货币：{choices}", "CNY or a currency the round has a rate for: {choices}"),
    "known_index": ("本场有远期曲线的指数：{choices}", "an index that the round has a curve for: {choices}"),
    "collar_order": ("不低于下限 {floor}", "not less than the floor, {floor}"),
    "formula_currency": ("公式报价以 CNY 计价", "CNY for a price by formula"),
    "price_or_formula": ("不填：公式适用于各期", "nothing: the formula holds for every period"),
    "conversion_basis": ("加工报价为出厂价（ex_works）", "ex_works for a conversion"),
    "term_from": ("1 或以上的期数", "1 period or more"),
    "term_order": ("不小于最短期限 {least}", "not less than the shortest term, {least}"),
    "term_fits": ("不超过报价的 {count} 个交割期", "at most the {count} periods of the offer"),
    "rate_fits": ("不超过单期最大数量 {most}", "at most the largest quantity of a period, {most}"),
    "share": ("大于 0 且不超过 1", "more than 0 and at most 1"),
    "share_of_demand": ("仅求购报价可填", "nothing: only a demand names a largest share"),
    "suppliers_of_demand": ("仅求购报价可填", "nothing: only a demand names suppliers"),
    "origin_of_supply": ("仅供货和加工报价可填", "nothing: a demand names origins it takes, not one of its own"),
    "origins_of_demand": ("仅求购报价可填", "nothing: only a demand names origins that it takes"),
    "origin_not_both": ("未列入可接受产地的国家或地区", "a country that is not among those accepted"),
    "country": ("两位大写国家或地区代码，例如 CL", "a country code of two capital letters such as CL"),
    "known_attribute": ("该产品的指标：{choices}", "an attribute of the product: {choices}"),
    "known_certificate": ("证书代码：{choices}", "a kind of certificate: {choices}"),
    "known_firm": ("已注册的企业", "a registered firm"),
    "other_firm": ("本企业以外的企业", "a firm other than your own"),
    "inputs_of_conversion": ("仅加工报价可填", "nothing: only a conversion has inputs"),
    "some_inputs": ("至少一种投入", "at least one input"),
    "input_once": ("每种投入产品只出现一次", "each input product once"),
    "input_not_output": ("与产出不同的产品", "a product other than the output"),
    "above_zero": ("大于 0", "more than 0"),
    "later": ("{now} 之后的时间", "a time after {now}"),
    "reference_free": ("本场中未使用的编号", "a reference that no other offer of yours in this round has"),
    "same_kind": (
        "与原报价相同：{value}（否则请撤回后重新报价）",
        "as before: {value} (otherwise withdraw and post anew)",
    ),
    "reserved": (
        "不少于已占用的 {reserved} {unit}（{period}）",
        "at least the {reserved} {unit} that are reserved in {period}",
    ),
    "reserved_once": (
        "包含 {period} 的期间（该期曾被占用；可将数量填 0）",
        "a window that holds {period}: volume of it was reserved once; its quantity may be 0",
    ),
    "text_length": ("不超过 {limit} 个字符", "at most {limit} characters"),
    "same_while_reserved": ("在有占用量时不变：{value}", "as before while volume is reserved: {value}"),
}

# code: (Chinese, English); a warning is told and changes nothing
WARNINGS: Mapping[str, tuple[str, str]] = {
    "above_built_capacity": (
        "{period}：已报和已占用 {promised} {unit}，该工厂建成产能为 {built} {unit}",
        "{period}: {promised} {unit} are promised, the site is built for {built} {unit}",
    ),
    "no_built_capacity": (
        "该工厂没有登记的 {product} 产能",
        "no built capacity for {product} is registered for the site",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFault:
    """One thing wrong: the field of the terms ("periods/2027-Q1/quantity"), what was found, and what was expected."""

    field: str
    found: str
    code: str
    params: Mapping[str, str]

    def expected(self, language: Language) -> str:
        return expected(self.code, self.params, language)

    @property
    def text(self) -> Text:
        return Text(f"填写为“{self.found}”；应为{self.expected(ZH)}", str(self))

    def __str__(self) -> str:
        return f"found {self.found}; expected {self.expected(EN)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferWarning:
    """Something the firm should know of its own offer; the offer stands."""

    code: str
    params: Mapping[str, str]

    def message(self, language: Language) -> str:
        return WARNINGS[self.code][language is EN].format(**self.params)


def expected(code: str, params: Mapping[str, str], language: Language) -> str:
    """What was expected, in words."""
    return EXPECTED[code][language is EN].format(**params)


def nothing(language: Language) -> str:
    """How an empty place is called."""
    return "nothing" if language is EN else "空"
