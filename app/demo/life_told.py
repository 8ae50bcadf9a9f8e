"""One contract's life as a page of a terminal: dates, moves, quantities, fixings, invoices, claims."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import zip_longest

from app.clock import day_of
from app.demo import replay
from app.demo.biography import Biography, Delivery, Priced
from app.demo.choice import RULE
from app.demo.terminal import WIDTH, cell, heading, number, paragraph, width
from app.models import GOODS_KINDS, Invoice, LineName
from contracts.price_formula import PriceFormula
from contracts.wording import Text
from contracts.working import shown

INVENTED = (
    "INVENTED from here on, on a played clock: the two firms have offered, signed, delivered and claimed nothing; keys "
    "and signatures are the demonstration's own. Real are the index's daily closes alone, those of two years before, "
    "told again in their order. Every step took the operations that the API takes."
)
SIDES, ZERO = ("seller", "buyer"), Decimal("0.00")
TITLE = "━━ 一份合同 ONE CONTRACT'S LIFE "


def told(life: Biography) -> Iterator[str]:
    """Lines of at most 100 columns."""
    yield TITLE + "━" * (WIDTH - width(TITLE))
    yield from paragraph(INVENTED)
    yield ""
    yield from _head(life)
    yield ""
    yield from _moves(life)
    yield ""
    yield from _deliveries(life)
    yield ""
    yield from _prices(life)
    yield ""
    yield from _invoices(life)
    yield ""
    yield from _ends(life)


def amount(value: Decimal) -> str:
    """Money in cents."""
    return number(value, 2)


def formula_in_words(price: PriceFormula) -> str:
    """The formula as one line of arithmetic."""
    share = price.indices[0]
    return (
        f"{price.base.normalize():f} × {1 - share.weight} + index without tax × {share.weight} × {share.coefficient}, "
        f"floor {number(price.floor or Decimal(0))}, ceiling {number(price.ceiling or Decimal(0))} CNY/t"
    )


def _head(life: Biography) -> Iterator[str]:
    contract, terms, first = life.contract, life.terms, life.released
    seller, buyer = contract.seller, contract.buyer
    lot = terms.lot
    total, rate = terms.total_lots * lot.size, terms.schedule[0].lots * lot.size
    value = (life.locked + terms.delivery.freight) * total / 10**9
    yield f"  {seller.name_zh} {seller.name_en} → {buyer.name_zh} {buyer.name_en}"
    yield (
        f"  碳酸锂 Lithium carbonate, battery grade · {number(total)} {lot.unit}, {number(rate)} a quarter, "
        f"{terms.first_period} to {terms.last_period}"
    )
    yield (
        f"  Locked by the night: {number(life.locked, 3)} CNY/{lot.unit} ex works, freight "
        f"{amount(terms.delivery.freight)}, {number(value, 2)} bn CNY in all"
    )
    if isinstance(first.price, PriceFormula):
        yield from paragraph(f"Agreed by counter-offer: {formula_in_words(first.price)}")
    yield f"  {contract.number}, version {terms.version}, terms {life.signed[-1].terms_hash[:16]}…"
    yield from paragraph(f"Chosen: {RULE}.")


def _moves(life: Biography) -> Iterator[str]:
    """Two to a line: a life has many."""
    yield heading("经过 Moves")
    lines = [f"{one.day or 'the night'!s:<11}{one.who:<13}{one.what.en.partition(' as ')[0]}" for one in life.moves]
    half = (len(lines) + 1) // 2
    for left, right in zip_longest(lines[:half], lines[half:], fillvalue=""):
        yield f"  {cell(left, 50)}{right}".rstrip()


def _deliveries(life: Biography) -> Iterator[str]:
    unit = life.terms.lot.unit
    yield heading(f"数量 Quantities, {unit}")
    yield (
        f"  {'month':<9}{'called':>7}{'confirmed':>11}{'shipped':>15}{'received':>15}   "
        "Li2CO3 %: seller / buyer / umpire"
    )
    for one in life.deliveries:
        yield _delivery(one)
    for standing in life.periods:
        own, excused = standing.own, life.excused(standing.period)
        less = f", {number(excused)} excused" if excused else ""
        yield (
            f"  {standing.period!s:<9}{number(own.nominated):>7}{number(own.confirmed):>11}{'':>15}"
            f"{number(own.delivered):>9}{'':6}   of {number(own.original)} scheduled{less}"
        )


def _delivery(one: Delivery) -> str:
    call_off, goods = one.call_off, one.call_off.consignment
    called, confirmed = (number(lots or 0) for lots in (call_off.nominated_lots, call_off.confirmed_lots))
    shipped = _on(call_off.shipped_lots, None if goods is None else goods.shipped_on)
    received = _on(call_off.received_lots, None if goods is None else goods.received_on)
    return f"  {call_off.month:<9}{called:>7}{confirmed:>11}{shipped:>15}{received:>15}   {_assay(one)}"


def _on(lots: int | None, day: dt.date | None) -> str:
    return "" if lots is None or day is None else f"{number(lots)} {day:%m-%d}"


def _assay(one: Delivery) -> str:
    if one.determination is None:
        return "no quality terms yet: certificate"
    results = " / ".join(shown(value) for value in one.results)
    return f"{results} = {shown(one.determination.value)}"


def _prices(life: Biography) -> Iterator[str]:
    yield heading("指数与价格 Fixings and prices, CNY/t")
    yield f"  {'month':<9}{'real month':<12}{'fixings':>8}{'mean with tax':>15}{'without':>10}{'price ex works':>17}"
    for one in life.prices:
        yield _price(one)
    told = next((one for one in life.prices if one.held), life.prices[0])
    yield from _working(f"{told.month}", told.working.steps)


def _price(one: Priced) -> str:
    real = one.month + -replay.MONTHS_LATER
    held = f"  held at the {one.held}" if one.held else ""
    return (
        f"  {one.month!s:<9}{real!s:<12}{one.fixings:>8}{amount(one.mean):>15}{number(one.net, 0):>10}"
        f"{amount(one.working.value):>17}{held}"
    )


def _working(name: str, steps: Iterable[Text]) -> Iterator[str]:
    """Steps as a paragraph, the name first."""
    yield from paragraph(f"{name}: " + "; ".join(step.en for step in steps) + ".", indent=4)


def _invoices(life: Biography) -> Iterator[str]:
    yield heading("发票 Invoices, CNY")
    yield (f"  {'no':>3}  {'issued':<7}{'for':<9}{'kind':<13}{'from':<7}{'net':>15}{'VAT':>14}{'gross':>16}  paid")
    for invoice in life.invoices:
        yield _invoice(invoice)
    asked = {side: sum((one.gross for one in life.invoices if one.creditor == side), ZERO) for side in SIDES}
    paid = {side: sum((one.paid for one in life.invoices if one.creditor == side), ZERO) for side in SIDES}
    yield (
        f"  {'':>3}  seller asked {amount(asked['seller'])} ({amount(paid['seller'])} paid), "
        f"buyer {amount(asked['buyer'])} ({amount(paid['buyer'])} paid)"
    )
    for invoice in _worth_telling(life):
        for line in invoice.lines:
            yield from _working(f"no {invoice.number}, {line.name.replace('_', ' ')}", _texts(line.steps))


def _invoice(one: Invoice) -> str:
    last = max((payment.paid_on for payment in one.payments), default=None)
    paid = "open" if one.unpaid else "" if last is None else f"{last:%m-%d}" + (" late" if last > one.due_on else "")
    return (
        f"  {one.number:>3}  {one.issued_on:%m-%d}  {one.period:<9}{one.kind.replace('_', ' '):<13}{one.creditor:<7}"
        f"{amount(one.net):>15}{amount(one.vat):>14}{amount(one.gross):>16}  {paid}"
    )


def _worth_telling(life: Biography) -> Iterator[Invoice]:
    """The invoice with a penalty for quality, and the ones that are no goods."""
    for invoice in life.invoices:
        penalised = any(line.name is LineName.QUALITY and line.net < 0 for line in invoice.lines)
        if penalised or invoice.kind not in GOODS_KINDS:
            yield invoice


def _texts(steps: Iterable[Mapping[str, str]]) -> Iterator[Text]:
    return (Text(step["zh"], step["en"]) for step in steps)


def _ends(life: Biography) -> Iterator[str]:
    yield heading("索赔、不可抗力、照付不议 Claim, force majeure, take or pay")
    for notice in life.notices:
        event, excused = (
            notice.event,
            ", ".join(f"{number(one.excused)} lots of {one.period}" for one in notice.excused),
        )
        yield from paragraph(
            f"Force majeure of the {notice.side}, {event.began_on} to {event.ended_on}, "
            f"{number(event.affected * 100)} % held back; told on {day_of(notice.given_at)}, in time. "
            f"Nobody owes {excused}."
        )
    for claim in life.claims:
        yield from paragraph(
            f"Claim of the {claim.claimant} for {claim.kind}, breach on {claim.breach_on}: "
            f"{amount(claim.amount_claimed)} CNY claimed, {claim.state}, "
            f"{amount(claim.amount_awarded or ZERO)} CNY awarded."
        )
    if life.position is not None:
        yield from paragraph(f"Take or pay, lots: {life.position.step.en}.")
