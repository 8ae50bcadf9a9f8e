"""Contracts and invoices as UBL 2.1: structured as the standard's schemas ask, and their sums agree."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from dataclasses import replace
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ubl
from contracts.clauses import Lot, Party, SpecificationLimit
from contracts.defaults import standard_terms
from contracts.price_formula import EscalatedPrice, EscalationBasis, FixedPrice, Price
from contracts.terms import Terms, terms_hash
from contracts.ubl import Billed, BilledLine
from contracts.wording import Text
from market.credit_code import complete
from market.periods import Horizon, Period

from .ubl_structure import AGGREGATE, BASIC, faults

SPACES = {"cac": AGGREGATE, "cbc": BASIC}
AGREED = dt.date(2026, 11, 20)
HARD = 'A & B <"C"> 甲乙\x01 Co.'


def party(number: int, name: str = "甲方") -> Party:
    code = complete(f"91420100{number:08d}")
    return Party(credit_code=code, name=Text(name, name), address=None, signatory=None, affiliates=())


def terms(
    *,
    lots: list[int] | None = None,
    price: Price | None = None,
    freight: str = "4",
    unit: str = "t",
    place: str = "Yichun",
) -> Terms:
    """Terms over quarters from 2027 on, lots of 0.1 at 78.5 and freight of 4."""
    lots = lots or [5, 7]
    window = Horizon(Period.parse("2027-Q1"), len(lots))
    limit = SpecificationLimit(attribute="assay", unit="%", minimum=Decimal("99.5"), maximum=None)
    return standard_terms(
        number="CD-0123456789AB",
        seller=party(1),
        buyer=party(2, "乙 & Sons"),
        product="lithium_carbonate",
        grade="battery",
        lot=Lot(size=Decimal("0.1"), unit=unit),
        lots=dict(zip(window, lots, strict=True)),
        price=price or FixedPrice(amount=Decimal("78.5")),
        freight=Decimal(freight),
        place=place,
        specification=(limit,),
    )


def order(of: Terms) -> str:
    return ubl.order(of, contract_id=uuid.UUID(int=7), agreed=AGREED)


def texts(document: str, path: str) -> list[str]:
    root = ET.fromstring(document.encode())  # noqa: S314 - our own document
    return [element.text or "" for element in root.findall(path, SPACES)]


def billed(*nets: str, **changes: object) -> Billed:
    """An invoice over some net amounts at 13 %."""
    net = sum(map(Decimal, nets), Decimal(0))
    vat = (net * Decimal("0.13")).quantize(Decimal("0.01"))
    made = Billed(
        id=uuid.UUID(int=8),
        number="I-1",
        issued=dt.date(2027, 2, 1),
        due=dt.date(2027, 3, 3),
        first_day=dt.date(2027, 1, 1),
        last_day=dt.date(2027, 1, 31),
        lines=[
            BilledLine(what=Text("货款", "goods"), lots=3 * (at == 0), net=Decimal(one)) for at, one in enumerate(nets)
        ],
        net=net,
        vat=vat,
        gross=net + vat,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_contract_is_an_order_with_a_line_for_each_period() -> None:
    document = order(terms())
    assert faults(document) == []
    assert texts(document, "cbc:ID") == ["CD-0123456789AB"]
    lines = "cac:OrderLine/cac:LineItem"
    assert texts(document, f"{lines}/cbc:Quantity") == ["0.5", "0.7"]
    assert texts(document, f"{lines}/cac:Delivery/cac:RequestedDeliveryPeriod/cbc:EndDate") == [
        "2027-03-31",
        "2027-06-30",
    ]
    assert texts(document, f"{lines}/cbc:LineExtensionAmount") == ["41.25", "57.75"]  # 0.5 t × 82.5, 0.7 t × 82.5
    assert texts(document, "cac:AnticipatedMonetaryTotal/cbc:PayableAmount") == ["111.87"]  # 99.00 and 13 %
    assert texts(document, f"{lines}/cac:Item/cac:AdditionalItemProperty/cbc:Value") == ["≥ 99.5 %"] * 2


def test_the_order_names_the_terms_by_their_hash() -> None:
    of = terms()
    (digest,) = texts(
        order(of),
        "cac:Contract/cac:ContractDocumentReference/cac:Attachment/cac:ExternalReference/cbc:DocumentHash",
    )
    assert digest == terms_hash(of)


def test_a_price_that_moves_is_told_in_words_not_as_an_amount() -> None:
    price = EscalatedPrice(amount=Decimal(80), rate=Decimal("0.03"), every_months=12, basis=EscalationBasis.FIRST_PRICE)
    document = order(terms(price=price))
    assert faults(document) == []
    assert texts(document, ".//cac:Price") == texts(document, ".//cbc:LineExtensionAmount") == []
    assert len(texts(document, "cbc:Note")) == 2


@pytest.mark.parametrize(("unit", "code"), ubl.UNIT_CODES.items())
def test_every_unit_of_the_exchange_has_its_code(unit: str, code: str) -> None:
    document = order(terms(unit=unit))
    assert faults(document) == []
    assert f'unitCode="{code}"' in document


def test_what_xml_cannot_hold_is_replaced_and_the_rest_escaped() -> None:
    document = order(terms(place=HARD))
    assert faults(document) == []
    assert texts(document, "cac:DeliveryTerms/cac:DeliveryLocation/cbc:Description") == [HARD.replace("\x01", "�")]


@given(lots=st.lists(st.integers(1, 10**6), min_size=1, max_size=12), freight=st.sampled_from(["0", "4", "0.333333"]))
def test_the_lines_of_an_order_add_up_to_its_total(lots: list[int], freight: str) -> None:
    document = order(terms(lots=lots, freight=freight))
    assert faults(document) == []
    lines = [Decimal(one) for one in texts(document, "cac:OrderLine/cac:LineItem/cbc:LineExtensionAmount")]
    net, tax, gross = (
        Decimal(texts(document, path)[0])
        for path in (
            "cac:AnticipatedMonetaryTotal/cbc:TaxExclusiveAmount",
            "cac:TaxTotal/cbc:TaxAmount",
            "cac:AnticipatedMonetaryTotal/cbc:TaxInclusiveAmount",
        )
    )
    assert sum(lines) == net
    assert net + tax == gross


def test_an_invoice_with_a_line_that_gives_back() -> None:
    document = ubl.invoice(terms(), billed("100.00", "-2.50", about="I-0"))
    assert faults(document) == []
    assert texts(document, "cac:InvoiceLine/cbc:LineExtensionAmount") == ["100.00", "-2.50"]
    assert texts(document, "cac:LegalMonetaryTotal/cbc:PayableAmount") == ["110.18"]
    assert texts(document, "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID") == ["I-0"]
    assert texts(document, "cbc:DueDate") == ["2027-03-03"]


def test_what_is_given_back_altogether_is_a_credit_note_in_positive_numbers() -> None:
    document = ubl.invoice(terms(), billed("-100.00", "2.50"))
    assert faults(document) == []
    assert document.splitlines()[1].startswith("<CreditNote ")
    assert texts(document, "cac:CreditNoteLine/cbc:LineExtensionAmount") == ["100.00", "-2.50"]
    assert texts(document, "cac:LegalMonetaryTotal/cbc:PayableAmount") == ["110.18"]
    assert texts(document, "cbc:CreditNoteTypeCode") == ["381"]


def test_what_the_buyer_asks_for_has_the_sides_the_other_way_round_and_its_working() -> None:
    steps = (Text("违约金", "damages"), Text("合计", "in all"))
    line = BilledLine(what=Text("违约金", "late damages"), lots=0, net=Decimal(5), steps=steps)
    document = ubl.invoice(terms(), billed("5.00", lines=[line], by_seller=False, is_taxed=False))
    assert faults(document) == []
    assert texts(document, "cac:AccountingSupplierParty/cac:Party/cac:PartyName/cbc:Name") == ["乙 & Sons"] * 2
    assert texts(document, "cac:InvoiceLine/cbc:Note") == ["违约金；合计", "damages; in all"]
    assert texts(document, "cac:InvoiceLine/cbc:InvoicedQuantity") == []
    assert texts(document, ".//cac:TaxCategory/cbc:ID") == ["O"]


# -- the check itself -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "instead", "place"),
    [
        (r"<cbc:IssueDate>.*?</cbc:IssueDate>", "", "/Order holds"),  # a member that must be there
        (r"(<cbc:ID>CD-\w+</cbc:ID>)(<cbc:UUID>.*?</cbc:UUID>)", r"\2\1", "/Order holds"),  # the order of members
        (r' currencyID="CNY"', "", "lacks currencyID"),
        (r"<cbc:StartDate>2027-01-01", "<cbc:StartDate>1.1.2027", "/StartDate is '1.1.2027'"),
        (r"<cbc:Name>lithium_carbonate</cbc:Name>", "<cbc:Name></cbc:Name>", "/Item/Name is empty"),
        (r"cac:LineItem", "cac:Line", "/OrderLine holds Line"),
        (r"Order-2", "Order-3", "is no document of UBL"),
    ],
)
def test_the_check_finds_what_is_wrong(found: str, instead: str, place: str) -> None:
    broken = re.sub(found, instead, order(terms()))
    assert any(place in fault for fault in faults(broken))
