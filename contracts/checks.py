"""What makes a contract's terms sound, each finding with the JSON pointer of its place."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from market import credit_code
from market.errors import Fault, InvalidValue

from .canonical import LARGEST_INTEGER, decimal_text
from .clauses import Better, Clause, Party, QualityTerm, ScheduleLine, SpecificationLimit
from .price_formula import EscalatedPrice, FixedPrice, Price, PriceFormula
from .wording import Text, fault

if TYPE_CHECKING:
    from .terms import Terms

REQUIRED_CLAUSES = ("law", "arbitration", "confidentiality", "liability")

ABOVE_0_TO_1 = Text("大于 0，至多 1", "more than 0, at most 1")
EVERY_ATTRIBUTE_ONCE = Text("每个指标一次", "every attribute once")
NO_LIMIT = Text("没有限值", "no limit")
SOME_LIMIT = Text("下限、上限或两者", "a minimum, a maximum or both")
ALL_CLAUSES = Text("全部：" + "、".join(REQUIRED_CLAUSES), "all of " + ", ".join(REQUIRED_CLAUSES))

_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_FOREIGN = re.compile(r"(?!CN)[A-Z]{2}:\S.*\Z")


class Findings:
    """The faults found so far."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def need(self, holds: bool, pointer: str, found: object, expected: Text) -> None:
        """Note a fault at a place unless the condition holds; `found` is a value, or words in both languages."""
        if not holds:
            shown = decimal_text(found) if isinstance(found, Decimal) and found.is_finite() else str(found)
            self.faults.append(fault(pointer, found if isinstance(found, Text) else shown, expected))

    def once(self, holds: bool, pointer: str, name: str, expected: Text) -> None:
        """Note a name that comes again."""
        self.need(holds, pointer, Text(f"{name!r} 重复", f"{name!r} again"), expected)

    def share(self, value: Decimal, pointer: str) -> None:
        self.need(0 <= value <= 1, pointer, value, Text("0 到 1 之间的比例", "a share from 0 to 1"))

    def positive(self, value: Decimal | int, pointer: str) -> None:
        self.need(value > 0, pointer, value, Text("大于 0", "more than 0"))

    def not_negative(self, value: Decimal | int, pointer: str) -> None:
        self.need(value >= 0, pointer, value, Text("0 或更大", "0 or more"))

    def filled(self, value: str, pointer: str) -> None:
        self.need(bool(value.strip()), pointer, repr(value), Text("文字", "some text"))

    def told(self, value: Text, pointer: str) -> None:
        self.filled(value.zh, f"{pointer}/zh")
        self.filled(value.en, f"{pointer}/en")


def faults_in(terms: Terms) -> list[Fault]:
    """Everything wrong with the terms, in the order of the contract; empty if they are sound."""
    found = Findings()
    found.filled(terms.number, "/number")
    found.positive(terms.version, "/version")
    _parties(found, terms)
    found.filled(terms.product, "/product")
    found.filled(terms.grade, "/grade")
    _specification(found, terms.specification)
    found.positive(terms.lot.size, "/lot/size")
    found.filled(terms.lot.unit, "/lot/unit")
    _schedule(found, terms.schedule)
    _window(found, terms)
    found.share(terms.tolerance.over, "/tolerance/over")
    found.share(terms.tolerance.under, "/tolerance/under")
    price_faults(found, terms.price)
    _delivery(found, terms)
    _payment(found, terms)
    _commitments(found, terms)
    _quality(found, terms.quality)
    _days(found, terms)
    _texts(found, terms)
    return found.faults


def _parties(found: Findings, terms: Terms) -> None:
    for side in ("seller", "buyer"):
        party: Party = getattr(terms, side)
        for pointer, code in (
            (f"/{side}/credit_code", party.credit_code),
            *((f"/{side}/affiliates/{at}", code) for at, code in enumerate(party.affiliates)),
        ):
            if _FOREIGN.match(code):
                continue
            try:
                found.need(
                    credit_code.validate(code) == code, pointer, repr(code), Text("大写的代码", "the code in capitals")
                )
            except InvalidValue as error:
                told = Text(repr(code), str(error))
                found.need(False, pointer, told, Text("统一社会信用代码", "a unified social credit code"))
        found.told(party.name, f"/{side}/name")
    seller, buyer = terms.seller.credit_code, terms.buyer.credit_code
    own = Text(f"卖方自己的代码 {buyer}", f"the seller's own code {buyer}")
    found.need(seller != buyer, "/buyer/credit_code", own, Text("另一家企业", "another firm"))


def _specification(found: Findings, limits: tuple[SpecificationLimit, ...]) -> None:
    seen: set[str] = set()
    for at, limit in enumerate(limits):
        pointer = f"/specification/{at}"
        found.filled(limit.attribute, f"{pointer}/attribute")
        found.once(limit.attribute not in seen, f"{pointer}/attribute", limit.attribute, EVERY_ATTRIBUTE_ONCE)
        seen.add(limit.attribute)
        low, high = limit.minimum, limit.maximum
        found.need(low is not None or high is not None, pointer, NO_LIMIT, SOME_LIMIT)
        if low is not None and high is not None:
            told = decimal_text(low)
            found.need(
                low <= high, f"{pointer}/maximum", high, Text(f"不低于下限 {told}", f"at least the minimum {told}")
            )


def _schedule(found: Findings, schedule: tuple[ScheduleLine, ...]) -> None:
    found.need(bool(schedule), "/schedule", Text("没有一行", "no line"), Text("至少一个期间", "at least one period"))
    for at, line in enumerate(schedule):
        pointer = f"/schedule/{at}"
        if at:
            following = schedule[at - 1].period + 1
            expected = Text(f"下一期间 {following}", f"{following}, the next period")
            found.need(line.period == following, f"{pointer}/period", line.period, expected)
        number = Text("批数，0 或更大", "a number of lots, 0 or more")
        found.need(0 <= line.lots <= LARGEST_INTEGER, f"{pointer}/lots", line.lots, number)
        within = Text(f"0 至该期间的 {line.lots}", f"from 0 to the period's {line.lots}")
        found.need(0 <= line.minimum <= line.lots, f"{pointer}/minimum", line.minimum, within)
        least = Text(f"不少于该期间的 {line.lots}", f"at least the period's {line.lots}")
        found.need(line.lots <= line.maximum <= LARGEST_INTEGER, f"{pointer}/maximum", line.maximum, least)
    if schedule:
        total = sum(line.lots for line in schedule)
        found.need(total > 0, "/schedule", Text("共 0 批", "0 lots in all"), Text("至少一批", "at least one lot"))


def _window(found: Findings, terms: Terms) -> None:
    if terms.schedule:
        end = terms.schedule[-1].period.last_day
        expected = Text(f"{end} 或更晚，即末期的最后一天", f"{end} or later, the last period's end")
        found.need(terms.long_stop >= end, "/long_stop", terms.long_stop, expected)
    if terms.renewal is not None:
        found.positive(terms.renewal.periods, "/renewal/periods")
        found.not_negative(terms.renewal.notice_days, "/renewal/notice_days")


def price_faults(found: Findings, price: Price) -> None:
    """Note what is wrong with a price."""
    match price:
        case FixedPrice():
            found.positive(price.amount, "/price/amount")
        case EscalatedPrice():
            found.positive(price.amount, "/price/amount")
            expected = Text("大于 -1 且小于 1", "more than -1 and less than 1")
            found.need(abs(price.rate) < 1, "/price/rate", price.rate, expected)
            found.positive(price.every_months, "/price/every_months")
        case PriceFormula():
            _formula(found, price)


def _formula(found: Findings, price: PriceFormula) -> None:
    found.not_negative(price.base, "/price/base")
    found.need(
        bool(price.indices), "/price/indices", Text("没有指数", "no index"), Text("至少一个指数", "at least one index")
    )
    names = [share.index for share in price.indices]
    for at, share in enumerate(price.indices):
        pointer = f"/price/indices/{at}"
        found.filled(share.index, f"{pointer}/index")
        once = Text("每个指数一次", "every index once")
        found.once(names.index(share.index) == at, f"{pointer}/index", share.index, once)
        found.need(0 < share.weight <= 1, f"{pointer}/weight", share.weight, ABOVE_0_TO_1)
        found.positive(share.coefficient, f"{pointer}/coefficient")
        found.share(share.quoted_tax, f"{pointer}/quoted_tax")
    total = sum((share.weight for share in price.indices), Decimal(0))
    weights = Text(f"权重合计 {decimal_text(total)}", f"weights of {decimal_text(total)} in all")
    found.need(total <= 1, "/price/indices", weights, Text("合计至多 1", "at most 1 in all"))
    if total < 1:
        found.positive(price.base, "/price/base")
    if price.floor is not None:
        found.not_negative(price.floor, "/price/floor")
    if price.ceiling is not None:
        found.positive(price.ceiling, "/price/ceiling")
    if price.floor is not None and price.ceiling is not None:
        floor = decimal_text(price.floor)
        at_least = Text(f"不低于下限 {floor}", f"at least the floor {floor}")
        found.need(price.floor <= price.ceiling, "/price/ceiling", price.ceiling, at_least)
    found.not_negative(price.failure.carry_days, "/price/failure/carry_days")
    found.positive(price.failure.substitute_factor, "/price/failure/substitute_factor")
    other = price.failure.substitute
    own = Text(f"{other!r}，公式本身的指数", f"{other!r}, an index of the formula itself")
    another = Text("另一指数，或没有", "another index, or none")
    found.need(other not in names, "/price/failure/substitute", own, another)


def _delivery(found: Findings, terms: Terms) -> None:
    found.filled(terms.delivery.place, "/delivery/place")
    found.not_negative(terms.delivery.freight, "/delivery/freight")
    found.need(
        terms.delivery.basis != "EXW" or terms.delivery.freight == 0,
        "/delivery/freight",
        terms.delivery.freight,
        Text("EXW 交货由买方运输，应为 0", "0 with delivery EXW, where the buyer carries"),
    )


def _payment(found: Findings, terms: Terms) -> None:
    payment = terms.payment
    letters = Text("三个字母，例如 CNY", "three letters, as CNY")
    found.need(bool(_CURRENCY.match(payment.currency)), "/payment/currency", repr(payment.currency), letters)
    found.share(payment.vat, "/payment/vat")
    found.share(payment.provisional_share, "/payment/provisional_share")
    found.not_negative(payment.due_days, "/payment/due_days")
    found.share(payment.interest, "/payment/interest")
    found.need(
        payment.year_days in {360, 365}, "/payment/year_days", payment.year_days, Text("360 或 365", "360 or 365")
    )


def _commitments(found: Findings, terms: Terms) -> None:
    take, supply, late = terms.take_or_pay, terms.supply_or_pay, terms.late_damages
    if take is not None:
        found.need(0 < take.share <= 1, "/take_or_pay/share", take.share, ABOVE_0_TO_1)
        found.share(take.payment_share, "/take_or_pay/payment_share")
        found.not_negative(take.make_up_years, "/take_or_pay/make_up_years")
        found.share(take.carry_forward_share, "/take_or_pay/carry_forward_share")
        found.not_negative(take.carry_forward_years, "/take_or_pay/carry_forward_years")
    if supply is not None:
        found.need(0 < supply.share <= 1, "/supply_or_pay/share", supply.share, ABOVE_0_TO_1)
        found.share(supply.payment_share, "/supply_or_pay/payment_share")
    if late is not None:
        found.not_negative(late.grace_days, "/late_damages/grace_days")
        found.share(late.per_day, "/late_damages/per_day")
        found.share(late.cap, "/late_damages/cap")


def _quality(found: Findings, quality: tuple[QualityTerm, ...]) -> None:
    names = [term.attribute for term in quality]
    for at, term in enumerate(quality):
        pointer = f"/quality/{at}"
        found.filled(term.attribute, f"{pointer}/attribute")
        first = names.index(term.attribute) == at
        found.once(first, f"{pointer}/attribute", term.attribute, EVERY_ATTRIBUTE_ONCE)
        found.positive(term.step, f"{pointer}/step")
        for name in ("bonus", "bonus_cap", "penalty", "penalty_cap", "splitting_limit"):
            found.not_negative(getattr(term, name), f"{pointer}/{name}")
        if term.rejection is not None:
            worse = term.rejection <= term.reference
            if term.better is Better.LOWER:
                worse = term.rejection >= term.reference
            told = decimal_text(term.reference)
            expected = Text(f"不优于基准 {told}", f"no better than the reference {told}")
            found.need(worse, f"{pointer}/rejection", term.rejection, expected)


def _days(found: Findings, terms: Terms) -> None:
    calendar, force = terms.nomination, terms.force_majeure
    found.not_negative(calendar.forecast_months, "/nomination/forecast_months")
    found.share(calendar.revision_share, "/nomination/revision_share")
    found.not_negative(calendar.firm_days, "/nomination/firm_days")
    found.not_negative(calendar.confirm_days, "/nomination/confirm_days")
    found.need(
        calendar.nominate_days >= calendar.firm_days,
        "/nomination/nominate_days",
        calendar.nominate_days,
        Text(
            f"不少于要求成为确定的 {calendar.firm_days} 天",
            f"at least the {calendar.firm_days} days at which a nomination becomes firm",
        ),
    )
    found.not_negative(terms.assaying.exchange_days, "/assaying/exchange_days")
    for name in ("notice_days", "longest_extension_days", "exit_days"):
        found.not_negative(getattr(force, name), f"/force_majeure/{name}")
    for name in ("signing_days", "amendment_days", "claim_days", "defence_days", "cure_days"):
        found.positive(getattr(terms.deadlines, name), f"/deadlines/{name}")


def _texts(found: Findings, terms: Terms) -> None:
    for at, reopener in enumerate(terms.reopeners):
        found.told(reopener.trigger, f"/reopeners/{at}/trigger")
        found.not_negative(reopener.notice_days, f"/reopeners/{at}/notice_days")
    if terms.provenance.recycled_share is not None:
        found.share(terms.provenance.recycled_share, "/provenance/recycled_share")
    found.told(terms.delivery.title, "/delivery/title")
    found.told(terms.delivery.packing, "/delivery/packing")
    found.told(terms.assaying.sampling, "/assaying/sampling")
    names = [clause.name for clause in terms.clauses]
    for at, clause in enumerate(terms.clauses):
        _clause(found, clause, f"/clauses/{at}", again=names.index(clause.name) != at)
    for name in REQUIRED_CLAUSES:
        none = Text(f"没有条款 {name!r}", f"no clause {name!r}")
        found.need(name in names, "/clauses", none, ALL_CLAUSES)


def _clause(found: Findings, clause: Clause, pointer: str, *, again: bool) -> None:
    found.once(not again, f"{pointer}/name", clause.name, Text("每个条款一次", "every clause once"))
    found.told(clause.title, f"{pointer}/title")
    found.told(clause.text, f"{pointer}/text")
