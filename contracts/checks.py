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
from .wording import Text

if TYPE_CHECKING:
    from .terms import Terms

REQUIRED_CLAUSES = ("law", "arbitration", "confidentiality", "liability")

_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_FOREIGN = re.compile(r"(?!CN)[A-Z]{2}:\S.*\Z")


class Findings:
    """The faults found so far."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def need(self, holds: bool, pointer: str, found: object, expected: str) -> None:
        """Note a fault at a place unless the condition holds."""
        if not holds:
            shown = decimal_text(found) if isinstance(found, Decimal) and found.is_finite() else str(found)
            self.faults.append(Fault(place=pointer, row=None, column=None, found=shown, expected=expected))

    def share(self, value: Decimal, pointer: str) -> None:
        self.need(0 <= value <= 1, pointer, value, "a share from 0 to 1")

    def positive(self, value: Decimal | int, pointer: str) -> None:
        self.need(value > 0, pointer, value, "more than 0")

    def not_negative(self, value: Decimal | int, pointer: str) -> None:
        self.need(value >= 0, pointer, value, "0 or more")

    def filled(self, value: str, pointer: str) -> None:
        self.need(bool(value.strip()), pointer, repr(value), "some text")

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
                found.need(credit_code.validate(code) == code, pointer, repr(code), "the code in capitals")
            except InvalidValue as error:
                found.need(False, pointer, str(error), "a unified social credit code")
        found.told(party.name, f"/{side}/name")
    seller, buyer = terms.seller.credit_code, terms.buyer.credit_code
    found.need(seller != buyer, "/buyer/credit_code", f"the seller's own code {buyer}", "another firm")


def _specification(found: Findings, limits: tuple[SpecificationLimit, ...]) -> None:
    seen: set[str] = set()
    for at, limit in enumerate(limits):
        pointer = f"/specification/{at}"
        found.filled(limit.attribute, f"{pointer}/attribute")
        found.need(
            limit.attribute not in seen,
            f"{pointer}/attribute",
            f"{limit.attribute!r} again",
            "every attribute once",
        )
        seen.add(limit.attribute)
        low, high = limit.minimum, limit.maximum
        found.need(low is not None or high is not None, pointer, "no limit", "a minimum, a maximum or both")
        if low is not None and high is not None:
            found.need(low <= high, f"{pointer}/maximum", high, f"at least the minimum {decimal_text(low)}")


def _schedule(found: Findings, schedule: tuple[ScheduleLine, ...]) -> None:
    found.need(bool(schedule), "/schedule", "no line", "at least one period")
    for at, line in enumerate(schedule):
        pointer = f"/schedule/{at}"
        if at:
            following = schedule[at - 1].period + 1
            found.need(line.period == following, f"{pointer}/period", line.period, f"{following}, the next period")
        found.need(0 <= line.lots <= LARGEST_INTEGER, f"{pointer}/lots", line.lots, "a number of lots, 0 or more")
        found.need(
            0 <= line.minimum <= line.lots, f"{pointer}/minimum", line.minimum, f"from 0 to the period's {line.lots}"
        )
        found.need(
            line.lots <= line.maximum <= LARGEST_INTEGER,
            f"{pointer}/maximum",
            line.maximum,
            f"at least the period's {line.lots}",
        )
    if schedule:
        total = sum(line.lots for line in schedule)
        found.need(total > 0, "/schedule", "0 lots in all", "at least one lot")


def _window(found: Findings, terms: Terms) -> None:
    if terms.schedule:
        end = terms.schedule[-1].period.last_day
        found.need(terms.long_stop >= end, "/long_stop", terms.long_stop, f"{end} or later, the last period's end")
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
            found.need(abs(price.rate) < 1, "/price/rate", price.rate, "more than -1 and less than 1")
            found.positive(price.every_months, "/price/every_months")
        case PriceFormula():
            _formula(found, price)


def _formula(found: Findings, price: PriceFormula) -> None:
    found.not_negative(price.base, "/price/base")
    found.need(bool(price.indices), "/price/indices", "no index", "at least one index")
    names = [share.index for share in price.indices]
    for at, share in enumerate(price.indices):
        pointer = f"/price/indices/{at}"
        found.filled(share.index, f"{pointer}/index")
        found.need(names.index(share.index) == at, f"{pointer}/index", f"{share.index!r} again", "every index once")
        found.need(0 < share.weight <= 1, f"{pointer}/weight", share.weight, "more than 0, at most 1")
        found.positive(share.coefficient, f"{pointer}/coefficient")
        found.share(share.quoted_tax, f"{pointer}/quoted_tax")
    total = sum((share.weight for share in price.indices), Decimal(0))
    found.need(total <= 1, "/price/indices", f"weights of {decimal_text(total)} in all", "at most 1 in all")
    if total < 1:
        found.positive(price.base, "/price/base")
    if price.floor is not None:
        found.not_negative(price.floor, "/price/floor")
    if price.ceiling is not None:
        found.positive(price.ceiling, "/price/ceiling")
    if price.floor is not None and price.ceiling is not None:
        at_least = f"at least the floor {decimal_text(price.floor)}"
        found.need(price.floor <= price.ceiling, "/price/ceiling", price.ceiling, at_least)
    found.not_negative(price.failure.carry_days, "/price/failure/carry_days")
    found.positive(price.failure.substitute_factor, "/price/failure/substitute_factor")
    found.need(
        price.failure.substitute not in names,
        "/price/failure/substitute",
        f"{price.failure.substitute!r}, an index of the formula itself",
        "another index, or none",
    )


def _delivery(found: Findings, terms: Terms) -> None:
    found.filled(terms.delivery.place, "/delivery/place")
    found.not_negative(terms.delivery.freight, "/delivery/freight")
    found.need(
        terms.delivery.basis != "EXW" or terms.delivery.freight == 0,
        "/delivery/freight",
        terms.delivery.freight,
        "0 with delivery EXW, where the buyer carries",
    )


def _payment(found: Findings, terms: Terms) -> None:
    payment = terms.payment
    found.need(
        bool(_CURRENCY.match(payment.currency)), "/payment/currency", repr(payment.currency), "three letters, as CNY"
    )
    found.share(payment.vat, "/payment/vat")
    found.share(payment.provisional_share, "/payment/provisional_share")
    found.not_negative(payment.due_days, "/payment/due_days")
    found.share(payment.interest, "/payment/interest")
    found.need(payment.year_days in {360, 365}, "/payment/year_days", payment.year_days, "360 or 365")


def _commitments(found: Findings, terms: Terms) -> None:
    take, supply, late = terms.take_or_pay, terms.supply_or_pay, terms.late_damages
    if take is not None:
        found.need(0 < take.share <= 1, "/take_or_pay/share", take.share, "more than 0, at most 1")
        found.share(take.payment_share, "/take_or_pay/payment_share")
        found.not_negative(take.make_up_years, "/take_or_pay/make_up_years")
        found.share(take.carry_forward_share, "/take_or_pay/carry_forward_share")
        found.not_negative(take.carry_forward_years, "/take_or_pay/carry_forward_years")
    if supply is not None:
        found.need(0 < supply.share <= 1, "/supply_or_pay/share", supply.share, "more than 0, at most 1")
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
        again = f"{term.attribute!r} again"
        found.need(names.index(term.attribute) == at, f"{pointer}/attribute", again, "every attribute once")
        found.positive(term.step, f"{pointer}/step")
        for name in ("bonus", "bonus_cap", "penalty", "penalty_cap", "splitting_limit"):
            found.not_negative(getattr(term, name), f"{pointer}/{name}")
        if term.rejection is not None:
            worse = term.rejection <= term.reference
            if term.better is Better.LOWER:
                worse = term.rejection >= term.reference
            expected = f"no better than the reference {decimal_text(term.reference)}"
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
        f"at least the {calendar.firm_days} days at which a nomination becomes firm",
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
        found.need(name in names, "/clauses", f"no clause {name!r}", "all of " + ", ".join(REQUIRED_CLAUSES))


def _clause(found: Findings, clause: Clause, pointer: str, *, again: bool) -> None:
    found.need(not again, f"{pointer}/name", f"{clause.name!r} again", "every clause once")
    found.told(clause.title, f"{pointer}/title")
    found.told(clause.text, f"{pointer}/text")
