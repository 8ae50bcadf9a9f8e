"""Invoices of a delivery month: provisional and final lines, freight, quality, VAT, due day; charges and interest.

A month has one account. Each invoice brings it up to date: every line is the exact value of all consignments so far,
rounded once, less what earlier invoices already said. So the sum does not depend on how deliveries were split, on
the order of events, or on how many invoices were written on the way.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from market.errors import InvalidValue
from market.periods import Period

from .clauses import Payment
from .fixings import NO_FIXINGS, Fixings
from .price_formula import price_for
from .quality import Assay, adjustments
from .terms import Terms
from .wording import Text
from .working import Working, cents, percent, shown, total

GOODS, FREIGHT, QUALITY = "goods", "freight", "quality"
TAKE_OR_PAY, SUPPLY_OR_PAY = "take_or_pay", "supply_or_pay"
LATE_DAMAGES, INTEREST, CLAIM = "late_damages", "interest", "claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consignment:
    """Delivered lots of one call-off: provisional while `assays` is None, final with the assays by attribute.

    `price` is the unit price ex works at which they are valued now: an estimate before the quotation period is over,
    the month's price after.
    """

    reference: str
    lots: int
    price: Decimal
    assays: Mapping[str, Assay] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the invoices of a month said so far: net amount by line name, and VAT."""

    net: Mapping[str, Decimal] = field(default_factory=dict)
    vat: Decimal = Decimal("0.00")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One line: `name` is goods, freight, quality or what a charge is for, `lots` those it values (0 for a charge).

    `net` is `to_date` less `already` and may be negative.
    """

    name: str
    lots: int
    to_date: Decimal
    already: Decimal
    net: Decimal
    steps: tuple[Text, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """The lines that bring the account of a period up to date; negative sums are a credit note.

    `account` is the new one. `price` is the month's unit price with its working where goods are invoiced; `vat_step` is
    None where no VAT is due (damages, interest).
    """

    period: Period
    lines: tuple[InvoiceLine, ...]
    net: Decimal
    vat: Decimal
    gross: Decimal
    vat_step: Text | None
    account: Account
    price: Working | None = None


def unit_price(terms: Terms, month: Period, fixings: Fixings = NO_FIXINGS) -> Working:
    """Price ex works of a unit delivered in `month` under the terms, with its working; raises as `price_for` does."""
    return price_for(terms.price, month, first_month=Period.of(terms.first_period.first_day, "month"), fixings=fixings)


def invoice(terms: Terms, month: Period, consignments: Sequence[Consignment], account: Account) -> Invoice:
    """The invoice that brings the account of a delivery month up to date.

    `consignments` are all those of the month so far, `account` what its earlier invoices said (`Account()` before the
    first). A provisional consignment counts at the contract's provisional share, without quality.

    :raises InvalidValue: a consignment is named twice or has less than one lot.
    :raises UmpireNeeded: the assays of a final consignment do not determine its quality.
    """
    _check(consignments)
    values = {
        GOODS: _goods(terms, consignments),
        FREIGHT: _freight(terms, consignments),
        QUALITY: _quality(terms, consignments),
    }
    lots = sum(one.lots for one in consignments)
    final_lots = sum(one.lots for one in consignments if one.assays is not None)
    lines = tuple(
        _line(name, final_lots if name == QUALITY else lots, value, account.net.get(name, Decimal("0.00")), steps)
        for name, (value, steps) in values.items()
        if steps or name in account.net
    )
    net_to_date = total(line.to_date for line in lines)
    vat_to_date = cents(Fraction(net_to_date) * Fraction(terms.payment.vat))
    vat = total((vat_to_date, -account.vat))
    net = total(line.net for line in lines)
    return Invoice(
        period=month,
        lines=lines,
        net=net,
        vat=vat,
        gross=total((net, vat)),
        vat_step=_vat_step(terms.payment.vat, net_to_date, vat_to_date, account.vat),
        account=Account(net={line.name: line.to_date for line in lines}, vat=vat_to_date),
    )


def charge(name: str, period: Period, owed: Working, account: Account, *, vat: Decimal | None) -> Invoice:
    """The invoice that brings an account with the single line `name` up to what is `owed` to date.

    `vat` is the rate of VAT, None for damages and interest, which are no sale.
    """
    line = _line(name, 0, Fraction(owed.value), account.net.get(name, Decimal("0.00")), owed.steps)
    vat_to_date = cents(0 if vat is None else Fraction(line.to_date) * Fraction(vat))
    vat_now = total((vat_to_date, -account.vat))
    return Invoice(
        period=period,
        lines=(line,),
        net=line.net,
        vat=vat_now,
        gross=total((line.net, vat_now)),
        vat_step=None if vat is None else _vat_step(vat, line.to_date, vat_to_date, account.vat),
        account=Account(net={name: line.to_date}, vat=vat_to_date),
    )


def due_day(payment: Payment, issued: dt.date) -> dt.date:
    """The last day on which an invoice issued on a day is paid in time."""
    return issued + dt.timedelta(days=payment.due_days)


def interest(payment: Payment, amount: Decimal, *, due: dt.date, paid: dt.date) -> Working:
    """Simple interest on an amount from the day after it was due to the day it was paid, both by the calendar."""
    days = max((paid - due).days, 0)
    value = cents(Fraction(amount) * Fraction(payment.interest) * days / payment.year_days)
    sum_ = f"{shown(amount)} × {percent(payment.interest)} × {days} / {payment.year_days} = {shown(value)}"
    return Working(value, (Text(f"逾期利息 {sum_}", f"interest {sum_}"),))


def late_interest(payment: Payment, parts: Iterable[tuple[Decimal, dt.date]], *, due: dt.date) -> Working:
    """Interest on the parts of an invoice, each an amount and the day it was paid: summed exactly, rounded once.

    So it does not matter in how many parts the same money came on a day.
    """
    value, steps = Fraction(0), []
    for amount, paid in parts:
        days = max((paid - due).days, 0)
        if not days:
            continue
        part = Fraction(amount) * Fraction(payment.interest) * days / payment.year_days
        value += part
        sum_ = f"{shown(amount)} × {percent(payment.interest)} × {days} / {payment.year_days} = {shown(part)}"
        steps.append(Text(f"{due} 到期，{paid} 支付：{sum_}", f"due {due}, paid {paid}: {sum_}"))
    return Working(cents(value), tuple(steps))


def _check(consignments: Sequence[Consignment]) -> None:
    seen: set[str] = set()
    for one in consignments:
        if one.lots < 1:
            raise InvalidValue(f"consignment {one.reference} has {one.lots} lots; expected at least 1")
        if one.reference in seen:
            raise InvalidValue(f"consignment {one.reference} is named twice; expected each once")
        seen.add(one.reference)


def _line(name: str, lots: int, value: Fraction, already: Decimal, steps: tuple[Text, ...]) -> InvoiceLine:
    to_date = cents(value)
    net = total((to_date, -already))
    closing = Text(f"累计 {shown(to_date)}", f"to date {shown(to_date)}")
    if already:
        closing = Text(
            f"{closing.zh}，减已开 {shown(already)} = {shown(net)}",
            f"{closing.en}, less {shown(already)} already invoiced = {shown(net)}",
        )
    return InvoiceLine(name=name, lots=lots, to_date=to_date, already=already, net=net, steps=(*steps, closing))


def _vat_step(rate: Decimal, net: Decimal, vat: Decimal, already: Decimal) -> Text:
    sum_ = f"{shown(net)} × {percent(rate)} = {shown(vat)}"
    less = Text(f"，减已开 {shown(already)}", f", less {shown(already)} already invoiced") if already else Text("", "")
    return Text(f"增值税 {sum_}{less.zh}", f"VAT {sum_}{less.en}")


def _share(terms: Terms, one: Consignment) -> Fraction:
    """The share of its value at which a consignment counts now."""
    return Fraction(1) if one.assays is not None else Fraction(terms.payment.provisional_share)


def _told(terms: Terms, one: Consignment, rate: Fraction | Decimal, value: Fraction, what: Text) -> Text:
    """One step: lots × size × rate (x provisional share) = value."""
    share = _share(terms, one)
    provisional = Text("", "")
    if one.assays is None:
        provisional = Text(f" × 暂付 {percent(share)}", f" × provisional {percent(share)}")
    size = f"{shown(terms.lot.size)} {terms.lot.unit}"
    return Text(
        f"{one.reference}：{what.zh} {one.lots:,} 批 × {size} × {shown(rate)}{provisional.zh} = {shown(value)}",
        f"{one.reference}: {what.en} {one.lots:,} lots × {size} × {shown(rate)}{provisional.en} = {shown(value)}",
    )


def _valued(terms: Terms, one: Consignment, rate: Fraction | Decimal, what: Text) -> tuple[Fraction, Text]:
    value = one.lots * Fraction(terms.lot.size) * Fraction(rate) * _share(terms, one)
    return value, _told(terms, one, rate, value, what)


def _goods(terms: Terms, consignments: Sequence[Consignment]) -> tuple[Fraction, tuple[Text, ...]]:
    valued = [_valued(terms, one, one.price, Text("货款", "goods")) for one in consignments]
    return sum((value for value, _ in valued), Fraction(0)), tuple(step for _, step in valued)


def _freight(terms: Terms, consignments: Sequence[Consignment]) -> tuple[Fraction, tuple[Text, ...]]:
    if not terms.delivery.freight:
        return Fraction(0), ()
    valued = [_valued(terms, one, terms.delivery.freight, Text("运费", "freight")) for one in consignments]
    return sum((value for value, _ in valued), Fraction(0)), tuple(step for _, step in valued)


def _quality(terms: Terms, consignments: Sequence[Consignment]) -> tuple[Fraction, tuple[Text, ...]]:
    value, steps = Fraction(0), []
    for one in consignments:
        if one.assays is None:
            continue
        for found in adjustments(terms.quality, one.assays):
            amount, step = _valued(terms, one, found.per_unit, Text("质量", "quality"))
            value += amount
            steps += [Text(f"{one.reference}：{found.step.zh}", f"{one.reference}: {found.step.en}"), step]
    return value, tuple(steps)
