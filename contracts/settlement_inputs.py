"""What an invoice was made from, complete and frozen: written as canonical JSON, known by its hash, settled again.

An invoice keeps its inputs. Whoever reads them back gets the same lines, steps and cents, whatever was amended,
corrected or delivered since: `settle(inputs_from_plain(...))` needs nothing else.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, cast

from market.periods import Period

from . import canonical
from .clauses import Lot, Payment, SupplyOrPay, TakeOrPay
from .fixings import Fixings, quotation_days
from .price_formula import PriceFormula, estimate_for
from .quality import Assay
from .remedies import LateLots, late_damages, supply_or_pay
from .settlement import (
    CLAIM,
    GOODS,
    INTEREST,
    LATE_DAMAGES,
    SUPPLY_OR_PAY,
    TAKE_OR_PAY,
    Account,
    Consignment,
    Invoice,
    charge,
    invoice,
    late_interest,
    unit_price,
)
from .take_or_pay import YearTaken, statements
from .terms import Terms
from .wording import Text
from .working import Working, cents, shown, total


@dataclass(frozen=True, slots=True, kw_only=True)
class FixingUsed:
    """The state of an index on a day: its fixing as quoted, staff's determination, or (no value) no publication."""

    index: str
    day: dt.date
    value: Decimal | None
    determined: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AssayUsed:
    """The results for one attribute of a consignment."""

    attribute: str
    seller: Decimal
    buyer: Decimal
    umpire: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """Lots of one consignment: provisional while `assays` is None, final with them.

    `estimate` is the unit price at which it was invoiced provisionally before, None if this is the first time.
    """

    reference: str
    lots: int
    estimate: Decimal | None
    assays: tuple[AssayUsed, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What earlier invoices of an account said: net amount by line name, and VAT."""

    name: str
    net: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthInputs:
    """The account of a delivery month as it stands on a day. `priced`: its quotation period is over and complete."""

    kind: ClassVar[str] = "month"
    terms: Terms
    month: Period
    on: dt.date
    priced: bool
    consignments: tuple[Delivered, ...]
    fixings: tuple[FixingUsed, ...]
    said: tuple[Said, ...]
    vat_said: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LateInputs:
    """The seller's damages for the lots of a delivery month that came late."""

    kind: ClassVar[str] = "late_damages"
    terms: Terms
    month: Period
    late: tuple[LateLots, ...]
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOrPayInputs:
    """The buyer's take-or-pay account from the first year of the contract to the last one told."""

    kind: ClassVar[str] = "take_or_pay"
    rule: TakeOrPay
    lot: Lot
    vat: Decimal
    years: tuple[YearTaken, ...]
    said: tuple[Said, ...]
    vat_said: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class YearSupplied:
    """What happened in a calendar year, in lots: called firm, excused, delivered; the year's mean unit price."""

    year: int
    firm: int
    excused: int
    delivered: int
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyOrPayInputs:
    """The seller's supply-or-pay account from the first year of the contract to the last one told."""

    kind: ClassVar[str] = "supply_or_pay"
    rule: SupplyOrPay
    lot: Lot
    years: tuple[YearSupplied, ...]
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class YearInputs:
    """All years of a contract up to the one told, in order; a rule is None where the contract has none."""

    kind: ClassVar[str] = "year"
    lot: Lot
    take_or_pay: TakeOrPay | None
    supply_or_pay: SupplyOrPay | None
    taken: tuple[YearTaken, ...]
    supplied: tuple[YearSupplied, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidPart:
    """A part of an invoice and the day it was paid."""

    amount: Decimal
    paid: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestInputs:
    """Interest on the parts of invoice `number` that were paid after its due day."""

    kind: ClassVar[str] = "interest"
    payment: Payment
    number: int
    due: dt.date
    parts: tuple[PaidPart, ...]
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimInputs:
    """What was awarded on a claim for a breach on a day: `cause` says which, `steps` how the terms computed the sum.

    The award is final: one invoice asks for all of it. Damages bear no VAT.
    """

    kind: ClassVar[str] = "claim"
    cause: Text
    breach_on: dt.date
    claimed: Decimal
    awarded: Decimal
    steps: tuple[Text, ...]


Inputs = MonthInputs | LateInputs | TakeOrPayInputs | SupplyOrPayInputs | InterestInputs | ClaimInputs


def inputs_text(inputs: Inputs | YearInputs) -> str:
    """The one JSON text of the inputs (RFC 8785 form; decimals, days and periods as strings)."""
    return canonical.canonical_text(canonical.to_plain(inputs))


def inputs_hash(inputs: Inputs | YearInputs) -> str:
    """SHA-256 of the canonical JSON in UTF-8, 64 hexadecimal digits."""
    return hashlib.sha256(inputs_text(inputs).encode()).hexdigest()


def inputs_from_text(text: str) -> Inputs:
    """The inputs that a canonical JSON tells.

    :raises BadInput: a member is missing, unknown or of another kind; the fault names its place.
    """
    return cast("Inputs", canonical.from_plain(Inputs, canonical.read_json(text)))


def year_from_text(text: str) -> YearInputs:
    """The inputs of a year's statement; raises as `inputs_from_text`."""
    return cast("YearInputs", canonical.from_plain(YearInputs, canonical.read_json(text)))


def settle(inputs: Inputs) -> Invoice:
    """The invoice that these inputs give: the same cents each time.

    :raises IndexMissing: a month that is `priced` lacks a fixing, or an estimate has none at all.
    :raises UmpireNeeded: the assays of a final consignment do not determine its quality.
    """
    match inputs:
        case MonthInputs():
            return _month(inputs)
        case LateInputs():
            rule = inputs.terms.late_damages
            if rule is None:
                owed = Working(total(()), (Text("合同无逾期违约金", "the contract has no late damages"),))
            else:
                owed = late_damages(rule, inputs.terms.lot, inputs.late)
            return charge(LATE_DAMAGES, inputs.month, owed, _account(inputs.said), vat=None)
        case TakeOrPayInputs():
            told = statements(inputs.rule, inputs.lot, inputs.years)
            amounts = [(one.year, total((one.payment, -one.credit))) for one in told]
            steps = tuple(step for one in told[-1:] for step in one.steps)
            account = _account(inputs.said, inputs.vat_said)
            return charge(TAKE_OR_PAY, _last(inputs.years), _years(amounts, steps), account, vat=inputs.vat)
        case SupplyOrPayInputs():
            owing = [(one.year, _supply(inputs, one)) for one in inputs.years]
            steps = owing[-1][1].steps if owing else ()
            summed = _years([(year, working.value) for year, working in owing], steps)
            return charge(SUPPLY_OR_PAY, _last(inputs.years), summed, _account(inputs.said), vat=None)
        case InterestInputs():
            parts = [(part.amount, part.paid) for part in inputs.parts]
            about = Text(f"第 {inputs.number} 号发票逾期利息", f"interest on invoice {inputs.number}")
            owed = late_interest(inputs.payment, parts, due=inputs.due)
            owed = Working(owed.value, (about, *owed.steps))
            last = max((part.paid for part in inputs.parts), default=inputs.due)
            return charge(INTEREST, Period.of(last, "month"), owed, _account(inputs.said), vat=None)
        case ClaimInputs():
            return charge(CLAIM, Period.of(inputs.breach_on, "month"), _award(inputs), Account(), vat=None)


def fixings_of(used: Iterable[FixingUsed]) -> Fixings:
    """The fixings that a list of states tells."""
    published: dict[str, dict[dt.date, Decimal]] = defaultdict(dict)
    determined: dict[str, dict[dt.date, Decimal]] = defaultdict(dict)
    closed: dict[str, set[dt.date]] = defaultdict(set)
    for one in used:
        if one.value is None:
            closed[one.index].add(one.day)
        else:
            (determined if one.determined else published)[one.index][one.day] = one.value
    off = {index: frozenset(days) for index, days in closed.items()}
    return Fixings(published=published, determined=determined, closed=off)


def indices_of(terms: Terms) -> tuple[str, ...]:
    """The indices whose fixings a price needs, substitutes included; none for a price without a formula."""
    if not isinstance(terms.price, PriceFormula):
        return ()
    named = {share.index for share in terms.price.indices}
    if terms.price.failure.substitute:
        named.add(terms.price.failure.substitute)
    return tuple(sorted(named))


def days_needed(terms: Terms, month: Period) -> tuple[dt.date, dt.date]:
    """First and last day of the fixings that price a delivery month: the quotation period, and what may stand in."""
    if not isinstance(terms.price, PriceFormula):
        return month.first_day, month.first_day
    first, last = quotation_days(terms.price.quotation, month)
    return first - dt.timedelta(days=terms.price.failure.carry_days), last


def _month(inputs: MonthInputs) -> Invoice:
    price = month_price(inputs)
    consignments = [
        Consignment(
            reference=one.reference,
            lots=one.lots,
            price=price.value if one.assays is not None or one.estimate is None else one.estimate,
            assays=None
            if one.assays is None
            else {
                found.attribute: Assay(seller=found.seller, buyer=found.buyer, umpire=found.umpire)
                for found in one.assays
            },
        )
        for one in inputs.consignments
    ]
    told = invoice(inputs.terms, inputs.month, consignments, _account(inputs.said, inputs.vat_said))
    uses_price = any(one.assays is not None or one.estimate is None for one in inputs.consignments)
    lines = tuple(
        replace(line, steps=(*price.steps, *line.steps)) if line.name == GOODS and uses_price else line
        for line in told.lines
    )
    return replace(told, lines=lines, price=price if uses_price else None)


def month_price(inputs: MonthInputs) -> Working:
    """The unit price of the month: by the contract's rule once `priced`, before that as far as it is known."""
    fixings = fixings_of(inputs.fixings)
    if inputs.priced:
        return unit_price(inputs.terms, inputs.month, fixings)
    first = Period.of(inputs.terms.first_period.first_day, "month")
    return estimate_for(inputs.terms.price, inputs.month, first_month=first, fixings=fixings, on=inputs.on)


def _account(said: tuple[Said, ...], vat: Decimal = Decimal("0.00")) -> Account:
    return Account(net={one.name: total((one.net,)) for one in said}, vat=total((vat,)))


def _supply(inputs: SupplyOrPayInputs, year: YearSupplied) -> Working:
    return supply_or_pay(
        inputs.rule, inputs.lot, firm=year.firm, excused=year.excused, delivered=year.delivered, price=year.price
    )


def _award(inputs: ClaimInputs) -> Working:
    day, cause = inputs.breach_on, inputs.cause
    claimed, awarded = shown(inputs.claimed), shown(inputs.awarded)
    about = Text(f"{day} 违约：{cause.zh}", f"breach on {day}: {cause.en}")
    found = Text(f"索赔 {claimed}，裁定 {awarded}", f"claimed {claimed}, awarded {awarded}")
    return Working(cents(Fraction(inputs.awarded)), (about, *inputs.steps, found))


def _last(years: tuple[YearTaken, ...] | tuple[YearSupplied, ...]) -> Period:
    return Period.parse(str(years[-1].year))


def _years(amounts: list[tuple[int, Decimal]], steps: tuple[Text, ...]) -> Working:
    """The sum over the years, with the steps of the last one and what the earlier ones came to."""
    earlier = tuple(
        Text(f"{year} 年：{shown(amount)}", f"{year}: {shown(amount)}") for year, amount in amounts[:-1] if amount
    )
    return Working(total(amount for _, amount in amounts), (*earlier, *steps))


def mean_price(prices: Sequence[Decimal]) -> Decimal:
    """The mean of the unit prices of a year's months, each counted once, rounded half-even to 0.01; at least one."""
    return cents(sum(map(Fraction, prices), Fraction(0)) / len(prices))
