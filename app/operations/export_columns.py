"""What exports hold: the columns of contracts, schedule lines and invoices, with their titles in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What the cells of a column hold."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    MONEY = "money"
    DAY = "day"


class Sheet(StrEnum):
    """What is exported."""

    CONTRACTS = "contracts"
    SCHEDULES = "schedules"
    INVOICES = "invoices"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in queries, its titles, what its cells hold, its width in characters."""

    name: str
    zh: str
    en: str
    kind: Kind = Kind.TEXT
    width: int = 14


TITLES: Mapping[Sheet, tuple[str, str]] = MappingProxyType(
    {
        Sheet.CONTRACTS: ("合同", "Contracts"),
        Sheet.SCHEDULES: ("交货计划", "Schedules"),
        Sheet.INVOICES: ("账单", "Invoices"),
    }
)

_WHO = (
    Column("number", "合同编号", "Contract", width=18),
    Column("state", "状态", "State"),
    Column("seller", "卖方", "Seller", width=30),
    Column("seller_code", "卖方代码", "Seller's code", width=22),
    Column("buyer", "买方", "Buyer", width=30),
    Column("buyer_code", "买方代码", "Buyer's code", width=22),
)
_GOODS = (
    Column("product", "产品", "Product", width=20),
    Column("grade", "等级", "Grade", width=18),
)
_PRICE = (
    Column("price_kind", "价格类型", "Kind of price"),
    Column("price", "价格或基价（不含税）", "Price or base, without tax", Kind.NUMBER, 18),
    Column("freight", "运费", "Freight", Kind.NUMBER),
    Column("currency", "币种", "Currency", width=10),
    Column("basis", "交货条件", "Delivery term", width=12),
    Column("place", "交货地点", "Place", width=36),
)

COLUMNS: Mapping[Sheet, tuple[Column, ...]] = MappingProxyType(
    {
        Sheet.CONTRACTS: (
            *_WHO,
            *_GOODS,
            Column("agreed_on", "订立日", "Agreed on", Kind.DAY, 12),
            Column("first_day", "起始日", "From", Kind.DAY, 12),
            Column("last_day", "截止日", "To", Kind.DAY, 12),
            Column("unit", "单位", "Unit", width=8),
            Column("lot_size", "每批数量", "Units in a lot", Kind.NUMBER),
            Column("lots", "总批数", "Lots in all", Kind.WHOLE),
            Column("quantity", "总数量", "Quantity in all", Kind.NUMBER, 16),
            *_PRICE,
            Column("vat", "增值税率", "VAT rate", Kind.NUMBER, 10),
            Column("due_days", "付款天数", "Days to pay", Kind.WHOLE, 10),
            Column("terms_version", "条款版本", "Version of the terms", Kind.WHOLE, 10),
            Column("terms_hash", "条款摘要 SHA-256", "SHA-256 of the terms", width=66),
        ),
        Sheet.SCHEDULES: (
            *_WHO,
            *_GOODS,
            Column("period", "交割期", "Period", width=10),
            Column("first_day", "起始日", "From", Kind.DAY, 12),
            Column("last_day", "截止日", "To", Kind.DAY, 12),
            Column("lots", "批数", "Lots", Kind.WHOLE, 10),
            Column("minimum", "最少批数", "Fewest lots", Kind.WHOLE, 10),
            Column("maximum", "最多批数", "Most lots", Kind.WHOLE, 10),
            Column("unit", "单位", "Unit", width=8),
            Column("lot_size", "每批数量", "Units in a lot", Kind.NUMBER),
            Column("quantity", "数量", "Quantity", Kind.NUMBER, 16),
            Column("nominated", "已提名批数", "Lots nominated", Kind.WHOLE),
            Column("confirmed", "已确认批数", "Lots confirmed", Kind.WHOLE),
            Column("delivered", "已交付批数", "Lots delivered", Kind.WHOLE),
            Column("remaining", "未交付批数", "Lots not delivered", Kind.WHOLE),
            *_PRICE,
        ),
        Sheet.INVOICES: (
            *_WHO,
            Column("invoice", "账单编号", "Invoice", width=22),
            Column("invoice_kind", "账单类型", "Kind of invoice"),
            Column("creditor", "收款方", "Creditor", width=10),
            Column("period", "期间", "Period", width=10),
            Column("issued_on", "开具日", "Issued on", Kind.DAY, 12),
            Column("due_on", "到期日", "Due on", Kind.DAY, 12),
            Column("currency", "币种", "Currency", width=10),
            Column("net", "不含税金额", "Net", Kind.MONEY, 18),
            Column("vat", "增值税", "VAT", Kind.MONEY, 16),
            Column("gross", "价税合计", "Gross", Kind.MONEY, 18),
            Column("paid", "已付", "Paid", Kind.MONEY, 18),
            Column("terms_hash", "条款摘要 SHA-256", "SHA-256 of the terms", width=66),
        ),
    }
)
