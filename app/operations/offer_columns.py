"""The columns of the offers' sheet: their names in both languages, and what is to be written in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.models import PeriodKind
from app.operations.offer_cells import period_label, text
from app.operations.offer_file import Cell, OfferSheet, fault
from market.errors import BadInput, Fault
from market.periods import Horizon

ERRORS = "Errors 错误"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: the field of the terms it fills, its English and Chinese name, and how to fill it in both."""

    field: str
    en: str
    zh: str
    help_en: str
    help_zh: str
    example: str = ""
    required: bool = False

    @property
    def title(self) -> str:
        return f"{self.en} {self.zh}"


# fmt: off
COLUMNS = (
    Column(field="reference", en="Reference", zh="编号", help_en="your own name for the offer, once in a round",
           help_zh="贵司自编号，每场唯一", example="EXAMPLE 示例"),
    Column(field="kind", en="Side", zh="方向", help_en="sell, buy or convert", help_zh="卖、买或加工",
           example="sell 卖", required=True),
    Column(field="site_id", en="Site", zh="工厂", help_en="code or name of your site", help_zh="贵司工厂代码或名称",
           required=True),
    Column(field="product", en="Product", zh="产品", help_en="code or name; what a conversion makes",
           help_zh="代码或名称；加工报价填产出", required=True),
    Column(field="grade", en="Grade", zh="等级", help_en="code or name", help_zh="代码或名称", required=True),
    Column(field="first_period", en="First period", zh="起始期",
           help_en="empty: the first period with a quantity", help_zh="不填则为首个有数量的交割期"),
    Column(field="last_period", en="Last period", zh="截止期",
           help_en="empty: the last period with a quantity", help_zh="不填则为最后一个有数量的交割期"),
    Column(field="price", en="Price", zh="价格", help_en="per unit, tax excluded; a conversion's fee",
           help_zh="每单位不含税价；加工报价填加工费", example="70000", required=True),
    Column(field="formula/index", en="Index", zh="指数",
           help_en="for a price by formula: the index's code; Price then stays empty",
           help_zh="公式定价时填指数代码；价格不填"),
    Column(field="formula/factor", en="Factor", zh="系数", help_en="units of the index in a unit; empty: 1",
           help_zh="每单位含指数单位数，不填为 1"),
    Column(field="formula/premium", en="Premium", zh="升贴水", help_en="added to factor x index; may be negative",
           help_zh="加在系数×指数之上，可为负"),
    Column(field="formula/floor", en="Floor", zh="下限", help_en="the formula's price is not below; empty: none",
           help_zh="公式价不低于此，不填为无"),
    Column(field="formula/ceiling", en="Ceiling", zh="上限", help_en="the formula's price is not above; empty: none",
           help_zh="公式价不高于此，不填为无"),
    Column(field="currency", en="Currency", zh="币种", help_en="empty: CNY", help_zh="不填为 CNY"),
    Column(field="basis", en="Basis", zh="交货方式", help_en="ex_works or delivered",
           help_zh="出厂或送到", example="ex_works 出厂"),
    Column(field="min_term", en="Shortest term", zh="最短期限", help_en="periods; empty: 1", help_zh="期数，不填为 1",
           example="2"),
    Column(field="max_term", en="Longest term", zh="最长期限", help_en="periods; empty: up to the whole window",
           help_zh="期数，不填为整个期间"),
    Column(field="min_rate", en="Least per period", zh="每期最小量",
           help_en="units per period of one contract; empty: none", help_zh="每份合同每期数量，不填为无"),
    Column(field="all_or_none", en="All or none", zh="全有或全无", help_en="yes or no", help_zh="是或否"),
    Column(field="max_share", en="Largest share", zh="最大份额",
           help_en="of one supplier in your demand: 0.4 or 40 %", help_zh="单一供应商占比：0.4 或 40 %"),
    Column(field="group", en="Group", zh="互斥组", help_en="of the offers of one group at most one is taken",
           help_zh="同组报价最多成交一个"),
    Column(field="valid_until", en="Valid until", zh="有效期至", help_en="a day, included: 2026-12-31",
           help_zh="日期，含当日：2026-12-31"),
    Column(field="specification", en="Specification", zh="指标",
           help_en="attribute=value; guaranteed by a seller, required by a buyer",
           help_zh="指标=数值；卖方保证，买方要求", example="assay_percent=99.5; moisture_percent=0.25"),
    Column(field="certificates", en="Certificates", zh="证书", help_en="codes, parted by ;", help_zh="代码，以 ; 分隔",
           example="ISO9001"),
    Column(field="exclusions", en="Excluded firms", zh="排除企业", help_en="credit codes, parted by ;",
           help_zh="统一社会信用代码，以 ; 分隔"),
    Column(field="approved_suppliers", en="Approved suppliers", zh="合格供应商",
           help_en="credit codes, parted by ;", help_zh="统一社会信用代码，以 ; 分隔"),
    Column(field="inputs", en="Inputs", zh="投入",
           help_en="of a conversion: product/grade=units per unit made, own stock per period after @ if any",
           help_zh="加工报价：产品/等级=单耗，自有库存写在 @ 之后"),
)
# fmt: on
BY_FIELD = {column.field: column for column in COLUMNS}
INPUT_EXAMPLE = "lithium_carbonate/battery=0.25@100"
PAIR_EXAMPLE = "assay_percent=99.5; moisture_percent=0.25"
_PRICE_OF_PERIOD = re.compile(r"(?P<period>[0-9Q-]+) ?(PRICE ?价格|PRICE|价格)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the columns stand in one sheet, from 0: by field, and by period for quantities and prices."""

    fields: dict[str, int]
    quantities: dict[str, int]
    prices: dict[str, int]
    titles: tuple[str, ...]

    def title(self, field: str) -> str | None:
        """The title, as the file has it, of the column that a field of the terms comes from."""
        head, _, rest = field.partition("/")
        if field in BY_FIELD:
            position = self.fields.get(field)
            return BY_FIELD[field].title if position is None else self._title_at(position)
        if head == "periods":
            label, _, what = rest.partition("/")
            position = (self.prices if what == "price" else self.quantities).get(label)
        elif head == "quantity":
            position = min(self.quantities.values(), default=None)
        else:
            position = self.fields.get(head)
        return BY_FIELD[head].title if position is None and head in BY_FIELD else self._title_at(position)

    def _title_at(self, position: int | None) -> str | None:
        return None if position is None else self.titles[position]


def price_title(period: str) -> str:
    return f"{period} price 价格"


def layout(sheet: OfferSheet, *, horizon: Horizon, kind: PeriodKind) -> Layout:
    """Find the columns by their names, in either language or both, in any order.

    :raises BadInput: with every column that is missing, unknown or there twice.
    """
    names = {_plain(name): column.field for column in COLUMNS for name in (column.en, column.zh, column.title)}
    names |= {_plain(column.field): column.field for column in COLUMNS}
    found: dict[str, dict[str, int]] = {"field": {}, "quantity": {}, "price": {}}
    faults: list[Fault] = []
    labels = set(horizon.labels())
    titles = tuple(text(cell) for cell in sheet.header)
    for position, (cell, title) in enumerate(zip(sheet.header, titles, strict=True)):
        if not title or title == ERRORS:
            continue
        role, name = _role(cell, title, names, labels, kind)
        if role is None:
            said = {"first": horizon.first, "last": horizon.last}
            faults.append(fault(sheet.name, title, "header_unknown", row=1, column=title, **said))
        elif name in found[role]:
            faults.append(fault(sheet.name, f"{title} again", "header_twice", row=1, column=title))
        else:
            found[role][name] = position
    faults += _missing(sheet.name, found)
    if faults:
        raise BadInput(faults)
    return Layout(fields=found["field"], quantities=found["quantity"], prices=found["price"], titles=titles)


def _role(cell: Cell, title: str, names: dict[str, str], labels: set[str], kind: PeriodKind) -> tuple[str | None, str]:
    """What a header stands for: a field, the quantity or the price of a period, or nothing."""
    if (field := names.get(_plain(title))) is not None:
        return "field", field
    if (label := period_label(cell, kind)) in labels:
        return "quantity", label
    priced = _PRICE_OF_PERIOD.fullmatch(title.upper())
    if priced and priced["period"] in labels:
        return "price", priced["period"]
    return None, ""


def _missing(sheet: str, found: dict[str, dict[str, int]]) -> Iterator[Fault]:
    for column in COLUMNS:
        if column.required and column.field not in found["field"]:
            yield fault(sheet, "no such column", "header_missing", row=1, column=column.title, name=column.title)
    if not found["quantity"]:
        yield fault(sheet, "no column of a period", "header_missing", row=1, name="2027-Q1 ...")


def _plain(name: str) -> str:
    return "".join(text(name).lower().replace("_", " ").split())
