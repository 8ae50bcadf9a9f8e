"""Invoices: provisional and final, quality, VAT, interest; the sum does not depend on the road to it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.clauses import Better, Lot, Party, QualityTerm
from contracts.defaults import PAYMENT, standard_terms
from contracts.price_formula import FixedPrice
from contracts.quality import Assay, CostBearer, UmpireNeeded, adjustment, determine
from contracts.settlement import Account, Consignment, due_day, interest, invoice, unit_price
from contracts.terms import Terms, terms_hash
from contracts.wording import Text
from contracts.working import total
from market.credit_code import complete
from market.errors import InvalidValue
from market.periods import Period

MARCH = Period.parse("2027-03")
LITHIA = QualityTerm(
    attribute="Li2CO3",
    unit="%",
    better=Better.HIGHER,
    reference=Decimal("99.5"),
    step=Decimal("0.1"),
    bonus=Decimal(150),
    bonus_cap=Decimal(450),
    penalty=Decimal(300),
    penalty_cap=Decimal(1500),
    splitting_limit=Decimal("0.05"),
    rejection=Decimal("99.2"),
)
WATER = dataclasses.replace(
    LITHIA, attribute="H2O", better=Better.LOWER, reference=Decimal("0.25"), rejection=Decimal("0.5")
)
GOOD = {"Li2CO3": Assay(seller=Decimal("99.5"), buyer=Decimal("99.5"))}


def party(body: str, name: str) -> Party:
    return Party(credit_code=complete(body), name=Text(name, name), address=None, signatory=None, affiliates=())


def terms(**changes: Any) -> Terms:
    made = standard_terms(
        number="C-2027-0001",
        seller=party("9151090000000001", "川北锂业"),
        buyer=party("9132040000000002", "江南正极"),
        product="lithium-carbonate",
        grade="battery",
        lot=Lot(size=Decimal("0.1"), unit="t"),
        lots={Period.parse("2027-Q1") + step: 1000 for step in range(4)},
        price=FixedPrice(amount=Decimal(70000)),
        freight=Decimal(250),
        place="常州",
        quality=(LITHIA,),
    )
    return dataclasses.replace(made, **changes)


def sums(made: Terms, consignments: list[Consignment], account: Account | None = None) -> tuple[Decimal, Decimal]:
    told = invoice(made, MARCH, consignments, account or Account())
    return told.net, told.vat


def test_provisional_then_final_with_a_penalty() -> None:
    first = invoice(terms(), MARCH, [Consignment(reference="D1", lots=100, price=Decimal(70000))], Account())
    # 100 x 0.1 t x (70 000 + 250) x 90 %
    assert [(line.name, line.net) for line in first.lines] == [
        ("goods", Decimal("630000.00")),
        ("freight", Decimal("2250.00")),
    ]
    assert (first.net, first.vat, first.gross) == (Decimal(632250), Decimal("82192.50"), Decimal("714442.50"))
    assays = {"Li2CO3": Assay(seller=Decimal("99.38"), buyer=Decimal("99.34"))}
    final = [Consignment(reference="D1", lots=100, price=Decimal(71000), assays=assays)]
    second = invoice(terms(), MARCH, final, first.account)
    # mean 99.36 %, 1.4 steps below at 300 a step
    assert [(line.name, line.to_date, line.net) for line in second.lines] == [
        ("goods", Decimal(710000), Decimal(80000)),
        ("freight", Decimal(2500), Decimal(250)),
        ("quality", Decimal(-4200), Decimal(-4200)),
    ]
    assert second.net == Decimal(76050)
    assert total((first.vat, second.vat)) == Decimal("92079.00")  # 13 % of 708 300
    told = "\n".join(step.en for line in second.lines for step in line.steps)
    assert "D1: goods 100 lots × 0.1 t × 71,000 = 710,000" in told
    assert "1.4 steps × 300 = penalty of 420 per unit" in told
    assert "to date 710,000, less 630,000 already invoiced = 80,000" in told
    assert second.vat_step is not None
    assert second.vat_step.en == "VAT 708,300 × 13 % = 92,079, less 82,192.5 already invoiced"


def test_a_consignment_taken_back_gives_a_credit_note() -> None:
    both = [Consignment(reference=name, lots=10, price=Decimal(70000), assays=GOOD) for name in ("D1", "D2")]
    told = invoice(terms(), MARCH, both, Account())
    credit = invoice(terms(), MARCH, both[:1], told.account)
    assert credit.net == Decimal(-70250)
    assert credit.vat == Decimal("-9132.50")
    nothing = invoice(terms(), MARCH, [], credit.account)
    assert total((told.net, credit.net, nothing.net)) == 0


def test_nothing_new_gives_an_invoice_of_nothing() -> None:
    one = [Consignment(reference="D1", lots=7, price=Decimal("70000.01"), assays=GOOD)]
    account = invoice(terms(), MARCH, one, Account()).account
    assert sums(terms(), one, account) == (Decimal(0), Decimal(0))


@pytest.mark.parametrize(
    ("consignments", "told"),
    [
        ([Consignment(reference="D1", lots=0, price=Decimal(1))], "0 lots; expected at least 1"),
        ([Consignment(reference="D1", lots=1, price=Decimal(1))] * 2, "named twice"),
    ],
)
def test_bad_consignments_are_named(consignments: list[Consignment], told: str) -> None:
    with pytest.raises(InvalidValue, match=f"D1 .*{told}"):
        invoice(terms(), MARCH, consignments, Account())


prices = st.decimals(min_value="0.01", max_value=200000, places=2)
results = st.decimals(min_value="99.20", max_value="100", places=3)


@settings(max_examples=60)
@given(
    parts=st.lists(st.integers(1, 400), min_size=1, max_size=6),
    price=prices,
    freight=st.decimals(min_value=0, max_value=900, places=2),
    result=results,
)
def test_split_deliveries_settle_to_the_sum_of_the_whole(
    parts: list[int], price: Decimal, freight: Decimal, result: Decimal
) -> None:
    made = terms()
    made = dataclasses.replace(made, delivery=dataclasses.replace(made.delivery, freight=freight))
    assays = {"Li2CO3": Assay(seller=result, buyer=result)}
    whole = [Consignment(reference="D", lots=sum(parts), price=price, assays=assays)]
    split = [Consignment(reference=f"D{at}", lots=lots, price=price, assays=assays) for at, lots in enumerate(parts)]
    account, nets, vats = Account(), [], []
    for upto in range(1, len(split) + 1):
        told = invoice(made, MARCH, split[:upto], account)
        account = told.account
        nets.append(told.net)
        vats.append(told.vat)
    assert (total(nets), total(vats)) == sums(made, whole)


@settings(max_examples=60)
@given(
    lots=st.lists(st.integers(1, 400), min_size=1, max_size=5),
    estimates=st.lists(prices, min_size=5, max_size=5),
    price=prices,
    outcomes=st.lists(results, min_size=5, max_size=5),
    data=st.data(),
)
def test_order_of_events_and_number_of_invoices_do_not_matter(
    lots: list[int], estimates: list[Decimal], price: Decimal, outcomes: list[Decimal], data: st.DataObject
) -> None:
    """Shipments and assays arrive in any order, with an invoice now and then: the sum ends at the same cents."""
    final = [
        Consignment(
            reference=f"D{at}",
            lots=count,
            price=price,
            assays={"Li2CO3": Assay(seller=outcomes[at], buyer=outcomes[at])},
        )
        for at, count in enumerate(lots)
    ]
    events = [("ship", at) for at in range(len(lots))] + [("assay", at) for at in range(len(lots))]
    known: dict[int, Consignment] = {}
    account, nets, vats = Account(), [], []
    for kind, at in [*data.draw(st.permutations(events)), ("last", 0)]:
        if kind == "ship":
            known.setdefault(at, dataclasses.replace(final[at], price=estimates[at], assays=None))
        elif kind == "assay":
            known[at] = final[at]
        if kind == "last" or data.draw(st.booleans()):
            told = invoice(terms(), MARCH, list(known.values()), account)
            account = told.account
            nets.append(told.net)
            vats.append(told.vat)
    assert (total(nets), total(vats)) == sums(terms(), final)


def test_a_signed_price_stays_whatever_later_versions_and_lists_say() -> None:
    old = terms()
    before = (terms_hash(old), unit_price(old, MARCH).value)
    new = dataclasses.replace(old, version=2, price=FixedPrice(amount=Decimal(65000)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        old.price = new.price  # type: ignore[misc]
    assert unit_price(new, MARCH).value == Decimal(65000)
    assert (terms_hash(old), unit_price(old, MARCH).value) == before
    assert terms_hash(new) != before[0]


@pytest.mark.parametrize(
    ("seller", "buyer", "umpire", "value", "paid_by"),
    [
        ("99.50", "99.45", None, "99.475", CostBearer.NOBODY),
        ("99.60", "99.40", "99.48", "99.48", CostBearer.SELLER),
        ("99.60", "99.40", "99.55", "99.55", CostBearer.BUYER),
        ("99.60", "99.40", "99.70", "99.6", CostBearer.BUYER),
        ("99.60", "99.40", "99.10", "99.4", CostBearer.SELLER),
        ("99.60", "99.40", "99.50", "99.5", CostBearer.BOTH),
    ],
)
def test_two_assays_and_an_umpire(seller: str, buyer: str, umpire: str | None, value: str, paid_by: CostBearer) -> None:
    assay = Assay(seller=Decimal(seller), buyer=Decimal(buyer), umpire=None if umpire is None else Decimal(umpire))
    found = determine(LITHIA, assay)
    assert found.value == Decimal(value)
    assert found.umpire_paid_by is paid_by


def test_assays_too_far_apart_wait_for_the_umpire() -> None:
    apart = {"Li2CO3": Assay(seller=Decimal("99.60"), buyer=Decimal("99.54"))}
    with pytest.raises(UmpireNeeded, match=r"further apart than 0\.05 %"):
        sums(terms(), [Consignment(reference="D1", lots=1, price=Decimal(1), assays=apart)])
    with pytest.raises(UmpireNeeded, match="no assay"):
        sums(terms(), [Consignment(reference="D1", lots=1, price=Decimal(1), assays={})])


@pytest.mark.parametrize(
    ("term", "value", "per_unit"),
    [
        (LITHIA, "99.5", 0),
        (LITHIA, "99.55", 75),
        (LITHIA, "99.9", 450),
        (LITHIA, "99.43", -210),
        (LITHIA, "98", -1500),
        (WATER, "0.15", 150),
        (WATER, "0.35", -300),
    ],
)
def test_bonus_and_penalty_pro_rata_and_capped(term: QualityTerm, value: str, per_unit: int) -> None:
    determined = determine(term, Assay(seller=Decimal(value), buyer=Decimal(value)))
    assert adjustment(term, determined.value).per_unit == per_unit


@pytest.mark.parametrize(
    ("term", "value", "rejectable"),
    [(LITHIA, "99.2", False), (LITHIA, "99.19", True), (WATER, "0.5", False), (WATER, "0.51", True)],
)
def test_beyond_the_rejection_limit(term: QualityTerm, value: str, rejectable: bool) -> None:
    found = determine(term, Assay(seller=Decimal(value), buyer=Decimal(value)))
    assert found.rejectable is rejectable
    assert not determine(
        dataclasses.replace(term, rejection=None), Assay(seller=Decimal(0), buyer=Decimal(0))
    ).rejectable


def test_due_day_and_interest() -> None:
    due = due_day(PAYMENT, dt.date(2027, 4, 5))
    assert due == dt.date(2027, 5, 5)
    late = interest(PAYMENT, Decimal(714442), due=due, paid=dt.date(2027, 5, 25))
    assert late.value == Decimal("2348.85")  # 714 442 x 6 % x 20 / 365 = 2348.8504
    assert interest(PAYMENT, Decimal(714442), due=due, paid=due).value == 0
    assert interest(PAYMENT, Decimal(714442), due=due, paid=dt.date(2027, 5, 1)).value == 0
