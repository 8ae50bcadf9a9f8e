"""What an invoice was made from is written, read back and settled again to the same cents, whoever reads it."""

from __future__ import annotations

import datetime as dt
import decimal
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.clauses import Lot, ScheduleLine, SupplyOrPay, TakeOrPay
from contracts.defaults import PAYMENT
from contracts.fixings import Fixings, IndexFailure, IndexMissing, QuotationPeriod, index_mean, mean_so_far
from contracts.price_formula import FixedPrice, IndexShare, PriceFormula, estimate_for
from contracts.remedies import LateLots
from contracts.settlement import Account, charge, interest, late_interest
from contracts.settlement_inputs import (
    AssayUsed,
    ClaimInputs,
    Delivered,
    FixingUsed,
    Inputs,
    InterestInputs,
    LateInputs,
    MonthInputs,
    PaidPart,
    Said,
    SupplyOrPayInputs,
    TakeOrPayInputs,
    YearInputs,
    YearSupplied,
    inputs_from_text,
    inputs_hash,
    inputs_text,
    settle,
    year_from_text,
)
from contracts.take_or_pay import YearTaken, statements
from contracts.wording import Text
from contracts.working import Working, total
from contracts.year_statement import positions, year_told
from market.errors import BadInput
from market.periods import Period
from tests.unit.test_contracts_settlement import MARCH, terms

FORMULA = PriceFormula(
    base=Decimal(60000),
    indices=(IndexShare(index="LC", weight=Decimal("0.6"), coefficient=Decimal("1.05"), quoted_tax=Decimal("0.13")),),
    quotation=QuotationPeriod.MONTH_BEFORE,
    premium=Decimal(-200),
    floor=None,
    ceiling=None,
    failure=IndexFailure(carry_days=3, substitute=None, substitute_factor=Decimal(1)),
)
FEBRUARY = [dt.date(2027, 2, day) for day in range(1, 29)]
RULE = TakeOrPay(
    share=Decimal("0.9"),
    payment_share=Decimal(1),
    make_up_years=2,
    carry_forward_share=Decimal("0.1"),
    carry_forward_years=2,
)
LOT = Lot(size=Decimal("0.1"), unit="t")
values = st.decimals(min_value=1, max_value=200_000, places=2)


def used(series: list[Decimal]) -> tuple[FixingUsed, ...]:
    return tuple(
        FixingUsed(index="LC", day=day, value=value, determined=False)
        for day, value in zip(FEBRUARY, series, strict=True)
    )


def month(series: list[Decimal], consignments: tuple[Delivered, ...], *, on: dt.date, priced: bool) -> MonthInputs:
    return MonthInputs(
        terms=terms(price=FORMULA),
        month=MARCH,
        on=on,
        priced=priced,
        consignments=consignments,
        fixings=used(series),
        said=(),
        vat_said=Decimal("0.00"),
    )


def said_by(told: object) -> tuple[Said, ...]:
    account = told.account  # type: ignore[attr-defined]
    return tuple(Said(name=name, net=net) for name, net in account.net.items())


def assayed(result: Decimal) -> tuple[AssayUsed, ...]:
    return (AssayUsed(attribute="Li2CO3", seller=result, buyer=result, umpire=None),)


@settings(max_examples=40)
@given(
    series=st.lists(values, min_size=28, max_size=28),
    lots=st.lists(st.integers(1, 400), min_size=1, max_size=4),
    result=st.decimals(min_value="99.20", max_value="100", places=3),
    precision=st.integers(3, 50),
)
def test_read_back_they_give_the_same_cents_in_any_decimal_context(
    series: list[Decimal], lots: list[int], result: Decimal, precision: int
) -> None:
    goods = tuple(
        Delivered(reference=f"#{at}", lots=count, estimate=None, assays=assayed(result))
        for at, count in enumerate(lots)
    )
    inputs = month(series, goods, on=dt.date(2027, 4, 1), priced=True)
    first = settle(inputs)
    with decimal.localcontext(prec=precision):
        again = inputs_from_text(inputs_text(inputs))
        assert again == inputs
        assert inputs_hash(again) == inputs_hash(inputs)
        assert settle(again) == first


@settings(max_examples=40)
@given(
    series=st.lists(values, min_size=28, max_size=28),
    lots=st.lists(st.integers(1, 400), min_size=1, max_size=5),
    estimates=st.lists(values, min_size=5, max_size=5),
    results=st.lists(st.decimals(min_value="99.20", max_value="100", places=3), min_size=5, max_size=5),
    data=st.data(),
)
def test_what_came_before_does_not_matter(
    series: list[Decimal], lots: list[int], estimates: list[Decimal], results: list[Decimal], data: st.DataObject
) -> None:
    """Any order of shipments and assays, any invoices between, any estimates: the sums are those of the final facts."""
    final = [
        Delivered(reference=f"#{at}", lots=count, estimate=None, assays=assayed(results[at]))
        for at, count in enumerate(lots)
    ]
    whole = settle(month(series, tuple(final), on=dt.date(2027, 4, 1), priced=True))
    known: dict[int, Delivered] = {}
    said: tuple[Said, ...] = ()
    nets: list[Decimal] = []
    vats: list[Decimal] = []
    events = [(kind, at) for kind in ("ship", "assay") for at in range(len(lots))]
    for kind, at in [*data.draw(st.permutations(events)), ("last", 0)]:
        if kind == "ship" and at not in known:
            known[at] = replace(final[at], estimate=estimates[at], assays=None)
        elif kind == "assay":
            known[at] = final[at]
        if kind == "last" or data.draw(st.booleans()):
            base = month(series, tuple(known.values()), on=dt.date(2027, 4, 1), priced=True)
            told = settle(replace(base, said=said, vat_said=total(vats)))
            said = said_by(told)
            nets.append(told.net)
            vats.append(told.vat)
    assert (total(nets), total(vats)) == (whole.net, whole.vat)


EVERY_KIND: list[Inputs] = [
    LateInputs(
        terms=terms(),
        month=MARCH,
        late=(LateLots(lots=100, days=13, price=Decimal(70000), reference="#1"),),
        said=(Said(name="late_damages", net=Decimal("100.00")),),
    ),
    TakeOrPayInputs(
        rule=RULE,
        lot=LOT,
        vat=Decimal("0.13"),
        years=(YearTaken(year=2027, scheduled=100, excused=0, taken=80, price=Decimal(70000)),),
        said=(),
        vat_said=Decimal(0),
    ),
    SupplyOrPayInputs(
        rule=SupplyOrPay(share=Decimal("0.95"), payment_share=Decimal("0.2")),
        lot=LOT,
        years=(YearSupplied(year=2027, firm=100, excused=0, delivered=80, price=Decimal(70000)),),
        said=(),
    ),
    InterestInputs(
        payment=PAYMENT,
        number=3,
        due=dt.date(2027, 5, 5),
        parts=(PaidPart(amount=Decimal(100000), paid=dt.date(2027, 5, 25)),),
        said=(),
    ),
    ClaimInputs(
        cause=Text("逾期交付", "Late delivery"),
        breach_on=dt.date(2027, 2, 10),
        claimed=Decimal(500),
        awarded=Decimal("300.50"),
        steps=(Text("算式", "working"),),
    ),
]


@pytest.mark.parametrize(
    ("inputs", "net", "vat"),
    [
        (EVERY_KIND[0], "3400.00", "0.00"),
        (EVERY_KIND[1], "70000.00", "9100.00"),  # 90 - 80 lots of 0.1 t at 70 000
        (EVERY_KIND[2], "21000.00", "0.00"),  # 95 - 80 lots of 0.1 t at 70 000, 20 %
        (EVERY_KIND[3], "328.77", "0.00"),  # 100 000 x 6 % x 20 / 365
        (EVERY_KIND[4], "300.50", "0.00"),
    ],
    ids=[inputs.kind for inputs in EVERY_KIND],
)
def test_every_kind_of_charge(inputs: Inputs, net: str, vat: str) -> None:
    told = settle(inputs)
    assert (told.net, told.vat) == (Decimal(net), Decimal(vat))
    assert (told.vat_step is None) == (vat == "0.00")
    assert settle(inputs_from_text(inputs_text(inputs))) == told


def test_inputs_of_another_kind_are_named() -> None:
    with pytest.raises(BadInput, match="/kind"):
        inputs_from_text('{"kind":"guess"}')


@given(parts=st.lists(st.integers(1, 10**9), min_size=1, max_size=6), days=st.integers(0, 400))
def test_interest_of_parts_paid_on_one_day_is_that_of_the_sum(parts: list[int], days: int) -> None:
    due = dt.date(2027, 5, 5)
    paid = due + dt.timedelta(days=days)
    amounts = [Decimal(part) / 100 for part in parts]
    whole = interest(PAYMENT, sum(amounts, Decimal(0)), due=due, paid=paid)
    assert late_interest(PAYMENT, [(amount, paid) for amount in amounts], due=due).value == whole.value


@given(owed=st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=6))
def test_charges_to_date_add_up_to_the_last(owed: list[int]) -> None:
    account, nets, vats = Account(), [], []
    for cents in owed:
        working = Working(Decimal(cents).scaleb(-2), (Text("应付", "owed"),))
        told = charge("take_or_pay", MARCH, working, account, vat=Decimal("0.13"))
        account = told.account
        nets.append(told.net)
        vats.append(told.vat)
    once = charge("take_or_pay", MARCH, Working(Decimal(owed[-1]).scaleb(-2), ()), Account(), vat=Decimal("0.13"))
    assert (total(nets), total(vats)) == (once.net, once.vat)


def test_the_estimate_while_the_quotation_period_goes_on() -> None:
    january, february = dt.date(2027, 1, 29), dt.date(2027, 2, 1)
    fixings = Fixings(published={"LC": {january: Decimal(60000), **dict.fromkeys(FEBRUARY[:10], Decimal(70000))}})

    def mean(on: dt.date) -> str:
        found = mean_so_far("LC", fixings, first=february, last=dt.date(2027, 2, 28), on=on)
        return f"{found.value} {found.steps[0].en}"

    assert mean(dt.date(2027, 1, 31)).startswith("60000 estimate: no fixing of LC in its quotation period yet")
    assert mean(dt.date(2027, 2, 3)).startswith("70000 estimate: mean of the 3 fixings of LC")
    assert mean(dt.date(2027, 3, 9)).startswith("70000 estimate: mean of the 10 fixings of LC")
    with pytest.raises(IndexMissing):
        mean_so_far("LC", fixings, first=february, last=february, on=dt.date(2026, 1, 1))


def test_the_estimate_of_a_fixed_price_is_the_price() -> None:
    price = FixedPrice(amount=Decimal(70000))
    known = estimate_for(price, MARCH, first_month=MARCH, fixings=Fixings(), on=dt.date(2027, 3, 1))
    assert known.value == Decimal(70000)


def test_a_day_without_publication_of_one_index_is_a_gap_of_another() -> None:
    series = {day: Decimal(1000) for day in FEBRUARY[1:5]}
    fixings = Fixings(published={"A": series, "B": series}, closed={"A": frozenset({FEBRUARY[0]})})
    failure = IndexFailure(carry_days=3, substitute=None, substitute_factor=Decimal(1))
    span = {"first": FEBRUARY[0], "last": FEBRUARY[4]}
    assert index_mean("A", failure, fixings, **span).value == 1000
    with pytest.raises(IndexMissing, match="2027-02-01"):
        index_mean("B", failure, fixings, **span)


lots_of_year = st.integers(0, 300)


@given(scheduled=lots_of_year, taken=lots_of_year, undelivered=lots_of_year, excused=lots_of_year)
def test_lots_called_and_not_delivered_meet_the_obligation_and_bring_no_right(
    scheduled: int, taken: int, undelivered: int, excused: int
) -> None:
    year = YearTaken(year=2027, scheduled=scheduled, excused=excused, taken=taken, price=Decimal(1))
    (without,) = statements(RULE, LOT, [year])
    (told,) = statements(RULE, LOT, [replace(year, undelivered=undelivered)])
    assert told.deficiency == max(without.deficiency - undelivered, 0)
    assert (told.carried_on, told.made_up) == (without.carried_on, without.made_up)


@given(lines=st.lists(st.tuples(lots_of_year, lots_of_year, st.integers(0, 40)), min_size=4, max_size=4))
def test_the_last_period_of_a_year_stands_where_its_statement_does(lines: list[tuple[int, int, int]]) -> None:
    quarters = [Period.parse("2027-Q1") + at for at in range(4)]
    schedule = [
        ScheduleLine(period=period, lots=lots, minimum=0, maximum=lots)
        for period, (lots, _, _) in zip(quarters, lines, strict=True)
    ]
    taken = {period: got for period, (_, got, _) in zip(quarters, lines, strict=True)}
    excused = {period: less for period, (_, _, less) in zip(quarters, lines, strict=True)}
    last = positions(schedule, RULE.share, 2027, excused=excused, taken=taken)[-1]
    year = YearTaken(
        year=2027,
        scheduled=sum(line.lots for line in schedule),
        excused=sum(excused.values()),
        taken=sum(taken.values()),
        price=Decimal(1),
    )
    inputs = YearInputs(
        lot=LOT,
        take_or_pay=RULE,
        supply_or_pay=None,
        taken=(year,),
        supplied=(YearSupplied(year=2027, firm=0, excused=0, delivered=0, price=Decimal(1)),),
    )
    assert year_from_text(inputs_text(inputs)) == inputs
    told = year_told(inputs)
    assert told.supply_or_pay is None
    assert told.take_or_pay is not None
    assert (last.obligation, last.short, last.beyond) == (
        told.take_or_pay.obligation,
        told.take_or_pay.deficiency,
        told.take_or_pay.carried_on,
    )
