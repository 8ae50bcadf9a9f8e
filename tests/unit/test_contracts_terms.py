"""Terms of a contract: checks, canonical text, hash, way back, differences."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.canonical import decimal_text
from contracts.clauses import (
    Better,
    DeliveryBasis,
    Lot,
    Party,
    QualityTerm,
    Renewal,
    ScheduleLine,
    SpecificationLimit,
    Tolerance,
)
from contracts.defaults import INDEX_FAILURE, standard_schedule, standard_terms
from contracts.fixings import QuotationPeriod
from contracts.price_formula import (
    EscalatedPrice,
    EscalationBasis,
    FixedPrice,
    IndexShare,
    PriceFormula,
)
from contracts.terms import Terms, canonical_json, diff, terms_from_json, terms_hash, validate
from contracts.wording import Text
from market.credit_code import complete
from market.errors import BadInput
from market.periods import Period

SELLER = Party(
    credit_code=complete("9151090000000001"),
    name=Text("川北锂业有限公司", "Chuanbei Lithium Co., Ltd."),
    address="四川省射洪市",
    signatory="王一",
    affiliates=(),
)
BUYER = Party(
    credit_code=complete("9132040000000002"),
    name=Text("江南正极材料有限公司", "Jiangnan Cathode Co., Ltd."),
    address=None,
    signatory=None,
    affiliates=(complete("9132040000000003"),),
)
FORMULA = PriceFormula(
    base=Decimal(80000),
    indices=(
        IndexShare(
            index="lithium-carbonate-battery", weight=Decimal("0.7"), coefficient=Decimal(1), quoted_tax=Decimal("0.13")
        ),
    ),
    quotation=QuotationPeriod.MONTH_BEFORE,
    premium=Decimal(-500),
    floor=Decimal(60000),
    ceiling=Decimal("120000.00"),
    failure=INDEX_FAILURE,
)
ASSAY = QualityTerm(
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


def terms(**changes: Any) -> Terms:
    made = standard_terms(
        number="C-2027-0001",
        seller=SELLER,
        buyer=BUYER,
        product="lithium-carbonate",
        grade="battery",
        lot=Lot(size=Decimal(1), unit="t"),
        lots={Period.parse("2027-Q1") + step: 100 for step in range(8)},
        price=FORMULA,
        freight=Decimal(250),
        place="江苏省常州市",
        specification=(
            SpecificationLimit(attribute="Li2CO3", unit="%", minimum=Decimal("99.2"), maximum=None),
            SpecificationLimit(attribute="H2O", unit="%", minimum=None, maximum=Decimal("0.25")),
        ),
        quality=(ASSAY,),
    )
    return dataclasses.replace(made, **changes)


def test_standard_terms_are_sound_and_say_the_window() -> None:
    made = terms()
    validate(made)
    assert (str(made.first_period), str(made.last_period), made.total_lots) == ("2027-Q1", "2028-Q4", 800)
    assert made.schedule[0] == ScheduleLine(period=Period.parse("2027-Q1"), lots=100, minimum=90, maximum=110)
    assert made.long_stop == dt.date(2029, 3, 31)
    assert made.delivery.basis is DeliveryBasis.DAP


def test_canonical_text_is_sorted_tight_and_free_of_numbers_with_fractions() -> None:
    text = canonical_json(terms())
    plain = json.loads(text, parse_float=pytest.fail)
    assert list(plain) == sorted(plain)
    assert json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")) == text
    assert "川北锂业有限公司" in text
    assert plain["price"]["kind"] == "formula"
    assert plain["price"]["ceiling"] == "120000"
    assert plain["schedule"][0]["period"] == "2027-Q1"
    assert terms_hash(terms()) == hashlib.sha256(text.encode("utf-8")).hexdigest()


PRICES = [
    FixedPrice(amount=Decimal("70000.5")),
    EscalatedPrice(amount=Decimal(70000), rate=Decimal("0.03"), every_months=12, basis=EscalationBasis.PRICE_BEFORE),
    FORMULA,
]


@pytest.mark.parametrize("price", PRICES)
def test_the_way_back_is_exact(price: FixedPrice | EscalatedPrice | PriceFormula) -> None:
    made = terms(price=price, renewal=Renewal(periods=4, notice_days=90))
    back = terms_from_json(canonical_json(made))
    assert back == made
    assert canonical_json(back) == canonical_json(made)
    assert terms_from_json(canonical_json(made).encode()) == made


amounts = st.decimals(min_value="0.01", max_value="999999999", places=4)


@given(
    amount=amounts,
    freight=amounts,
    over=st.decimals(min_value=0, max_value=1, places=6),
    lots=st.lists(st.integers(1, 10**9), min_size=1, max_size=12),
    name=st.text(min_size=1).filter(str.strip),
)
def test_any_sound_terms_come_back_from_their_text(
    amount: Decimal, freight: Decimal, over: Decimal, lots: list[int], name: str
) -> None:
    made = terms(
        price=FixedPrice(amount=amount),
        delivery=dataclasses.replace(terms().delivery, freight=freight),
        tolerance=Tolerance(over=over, under=over),
        schedule=standard_schedule({Period.parse("2027-01") + step: count for step, count in enumerate(lots)}),
        long_stop=dt.date(2030, 1, 1),
        product=name,
    )
    text = canonical_json(made)
    assert terms_from_json(text) == made
    assert canonical_json(terms_from_json(text)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("1.50", "1.5"), ("7E+4", "70000"), ("-0.00", "0"), ("100", "100"), ("0.10", "0.1"), ("-3.20", "-3.2")],
)
def test_equal_decimals_have_one_text(value: str, text: str) -> None:
    assert decimal_text(Decimal(value)) == text


def test_equal_terms_have_one_hash_however_written() -> None:
    again = dataclasses.replace(FORMULA, ceiling=Decimal("1.2E5"), floor=Decimal("60000.000"))
    assert terms_hash(terms(price=again)) == terms_hash(terms())


def leaves(plain: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(plain, dict):
        return [leaf for name in plain for leaf in leaves(plain[name], (*path, name))]
    if isinstance(plain, list):
        return [leaf for at, member in enumerate(plain) for leaf in leaves(member, (*path, at))]
    return [path]


def test_no_leaf_of_the_text_changes_without_the_hash_and_the_diff() -> None:
    """Every single value is changed in turn; where the change is sound, hash and diff must tell it."""
    made = terms()
    told = 0
    for path in leaves(json.loads(canonical_json(made))):
        plain = json.loads(canonical_json(made))
        place = plain
        for step in path[:-1]:
            place = place[step]
        old = place[path[-1]]
        place[path[-1]] = old + 1 if isinstance(old, int) else other_text(old)
        try:
            changed = terms_from_json(json.dumps(plain))
        except BadInput:
            continue
        told += 1
        assert terms_hash(changed) != terms_hash(made), path
        changes = diff(made, changed)
        assert [change.pointer for change in changes] == ["/" + "/".join(map(str, path))]
        assert (changes[0].old, changes[0].new) == (old, place[path[-1]])
    assert told > 60


def other_text(old: str | None) -> str | None:
    if old is None:
        return "1"
    try:
        return decimal_text(Decimal(old) * Decimal("0.99"))
    except ArithmeticError:
        return "CIF" if old == "DAP" else old + "x"


def test_diff_of_schedule_and_price_kind() -> None:
    fewer = terms(schedule=terms().schedule[:-1], price=FixedPrice(amount=Decimal(1)))
    changes = {change.pointer: (change.old, change.new) for change in diff(terms(), fewer)}
    assert changes["/price/kind"] == ("formula", "fixed")
    assert changes["/price/base"] == ("80000", None)
    line = {"period": "2028-Q4", "lots": 100, "minimum": 90, "maximum": 110}
    assert changes["/schedule/7"] == (line, None)
    assert diff(terms(), terms()) == []


def test_a_foreign_party_is_known_by_its_own_register() -> None:
    foreign = dataclasses.replace(SELLER, credit_code="CL:96.529.340-1")
    validate(terms(seller=foreign))
    assert terms_from_json(canonical_json(terms(seller=foreign))).seller == foreign


def swap(place: str, **changes: Any) -> Callable[[], Terms]:
    return lambda: terms(**{place: dataclasses.replace(getattr(terms(), place), **changes)})


@pytest.mark.parametrize(
    ("make", "place", "found"),
    [
        (lambda: terms(buyer=SELLER), "/buyer/credit_code", "the seller's own code"),
        (swap("seller", credit_code="915109000000000"), "/seller/credit_code", "15 characters"),
        (swap("seller", credit_code="CN:1"), "/seller/credit_code", "4 characters"),
        (lambda: terms(schedule=()), "/schedule", "no line"),
        (lambda: terms(schedule=terms().schedule[::2]), "/schedule/1/period", "2027-Q3"),
        (lambda: terms(long_stop=dt.date(2028, 12, 30)), "/long_stop", "2028-12-30"),
        (lambda: terms(lot=Lot(size=Decimal(0), unit="t")), "/lot/size", "0"),
        (lambda: terms(lot=Lot(size=Decimal("NaN"), unit="t")), "/lot/size", "NaN"),
        (lambda: terms(lot=Lot(size=Decimal("1e-30"), unit="t")), "/lot/size", "0.000"),
        (lambda: terms(product="\ud800"), "/product", "ud800"),
        (swap("tolerance", over=Decimal(2)), "/tolerance/over", "2"),
        (swap("price", floor=Decimal(130000)), "/price/ceiling", "120000"),
        (swap("price", indices=FORMULA.indices * 2), "/price/indices/1/index", "again"),
        (swap("price", indices=()), "/price/indices", "no index"),
        (lambda: terms(price=FixedPrice(amount=Decimal(0))), "/price/amount", "0"),
        (swap("delivery", basis=DeliveryBasis.EXW), "/delivery/freight", "250"),
        (swap("payment", currency="yuan"), "/payment/currency", "yuan"),
        (swap("payment", vat=Decimal(13)), "/payment/vat", "13"),
        (swap("payment", year_days=366), "/payment/year_days", "366"),
        (swap("nomination", nominate_days=3), "/nomination/nominate_days", "3"),
        (lambda: terms(quality=(ASSAY, ASSAY)), "/quality/1/attribute", "again"),
        (
            lambda: terms(quality=(dataclasses.replace(ASSAY, rejection=Decimal(100)),)),
            "/quality/0/rejection",
            "100",
        ),
        (lambda: terms(clauses=terms().clauses[1:]), "/clauses", "'law'"),
    ],
)
def test_each_fault_is_named_by_its_place(make: Callable[[], Terms], place: str, found: str) -> None:
    with pytest.raises(BadInput) as refusal:
        validate(make())
    assert [fault.place for fault in refusal.value.faults if found in fault.found] == [place]


def test_all_faults_are_told_at_once() -> None:
    bad = terms(lot=Lot(size=Decimal(0), unit=""), grade="", tolerance=Tolerance(over=Decimal(9), under=Decimal(-1)))
    with pytest.raises(BadInput) as refusal:
        validate(bad)
    places = [fault.place for fault in refusal.value.faults]
    assert places == ["/grade", "/lot/size", "/lot/unit", "/tolerance/over", "/tolerance/under"]


@pytest.mark.parametrize(
    ("old", "new", "place", "told"),
    [
        ('"version":1', '"version":1.0', "/", "the number 1.0"),
        ('"version":1', '"version":true', "/version", "a whole number"),
        ('"version":1', '"version":1,"version":2', "/", "twice"),
        ('"version":1', '"version":1,"rebate":"5"', "/rebate", "unknown"),
        ('"version":1', '"edition":1', "/version", "nothing"),
        ('"freight":"250"', '"freight":250', "/delivery/freight", "a decimal written as a string"),
        ('"freight":"250"', '"freight":"2.5e2"', "/delivery/freight", "a decimal such as"),
        ('"period":"2027-Q2"', '"period":"2027-Q5"', "/schedule/1/period", "2027-Q1 or 2027-01"),
        ('"long_stop":"2029-03-31"', '"long_stop":"2029-02-30"', "/long_stop", "a day such as"),
        ('"basis":"DAP"', '"basis":"D"', "/delivery/basis", "one of EXW"),
        ('"kind":"formula"', '"kind":"index"', "/price/kind", "one of fixed, escalated, formula"),
        ("{", "", "/", "no JSON"),
    ],
)
def test_a_text_that_is_not_terms_is_refused_by_place(old: str, new: str, place: str, told: str) -> None:
    text = canonical_json(terms())
    assert old in text
    with pytest.raises(BadInput) as refusal:
        terms_from_json(text.replace(old, new, 1))
    assert any(fault.place == place and told in str(fault) for fault in refusal.value.faults), refusal.value
