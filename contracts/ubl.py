"""UBL 2.1 (OASIS standard, also ISO/IEC 19845): a contract as an Order with its schedule, invoices and credit notes.

A contract over many periods is a blanket order: one line for each period, with the fewest and most that may be called.
Elements stand in the order of the published schemas, which is part of the standard. Units are those of UN/ECE
Recommendation 20, documents' types those of UNTDID 1001, categories of tax those of UNTDID 5305.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from xml.sax.saxutils import escape, quoteattr

from .clauses import Party, ScheduleLine, SpecificationLimit
from .price_formula import EscalatedPrice, FixedPrice, PriceFormula
from .terms import Terms, terms_hash
from .wording import Text
from .working import cents, total

VERSION = "2.1"
NAMESPACE = "urn:oasis:names:specification:ubl:schema:xsd:"
UNIT_CODES = {"t": "TNE", "kg": "KGM", "m2": "MTK", "kWh": "KWH", "MWh": "MWH", "piece": "H87"}
BLANKET_ORDER, INVOICE, CREDIT_NOTE = "221", "380", "381"
STANDARD_RATE, OUT_OF_SCOPE = "S", "O"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
# What XML 1.0 cannot hold at all, not even as a reference.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledLine:
    """One line of an invoice: what it is for, the lots it values (0 where none are), its net amount, its working."""

    what: Text
    lots: int
    net: Decimal
    steps: Sequence[Text] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """An invoice as it was issued; a negative `gross` makes a credit note. Days of the period are both included.

    `by_seller` says which side it is from, `is_taxed` whether VAT is due on it at all, `about` is the number of the
    invoice it is about.
    """

    id: uuid.UUID
    number: str
    issued: dt.date
    due: dt.date
    first_day: dt.date
    last_day: dt.date
    lines: Sequence[BilledLine]
    net: Decimal
    vat: Decimal
    gross: Decimal
    by_seller: bool = True
    is_taxed: bool = True
    about: str | None = None


def order(terms: Terms, *, contract_id: uuid.UUID, agreed: dt.date) -> str:
    """A contract as a UBL Order document, text of an XML file in UTF-8.

    Lines of a contract at a fixed price have price and amount; others say how the price is found in a note.

    :raises LookupError: the unit has no code of UN/ECE.
    """
    first, last = terms.first_period.first_day, terms.last_period.last_day
    lines = [_order_line(terms, number, line) for number, line in enumerate(terms.schedule, start=1)]
    return _document(
        "Order",
        _leaf("cbc:UBLVersionID", VERSION),
        _leaf("cbc:ID", terms.number),
        _leaf("cbc:UUID", str(contract_id)),
        _leaf("cbc:IssueDate", agreed.isoformat()),
        _leaf("cbc:OrderTypeCode", BLANKET_ORDER, listID="UNTDID1001"),
        *_price_notes(terms),
        _leaf("cbc:DocumentCurrencyCode", terms.payment.currency),
        _leaf("cbc:LineCountNumeric", str(len(lines))),
        _period("cac:ValidityPeriod", first, last),
        _branch(
            "cac:Contract",
            _leaf("cbc:ID", terms.number),
            _leaf("cbc:IssueDate", agreed.isoformat()),
            _leaf("cbc:VersionID", str(terms.version)),
            _period("cac:ValidityPeriod", first, last),
            _terms_reference(terms),
        ),
        _branch("cac:BuyerCustomerParty", _party(terms.buyer)),
        _branch("cac:SellerSupplierParty", _party(terms.seller)),
        _delivery_terms(terms),
        _payment_terms(terms),
        *_order_totals(terms),
        *lines,
    )


def invoice(terms: Terms, billed: Billed) -> str:
    """An invoice or a credit note under a contract as a UBL document, text of an XML file in UTF-8.

    A credit note tells what is given back in positive numbers.

    :raises LookupError: the unit has no code of UN/ECE.
    """
    credit = billed.gross < 0
    sign = -1 if credit else 1
    name, line_name, quantity = (
        ("CreditNote", "cac:CreditNoteLine", "cbc:CreditedQuantity")
        if credit
        else ("Invoice", "cac:InvoiceLine", "cbc:InvoicedQuantity")
    )
    code = _leaf(f"cbc:{name}TypeCode", CREDIT_NOTE if credit else INVOICE, listID="UNTDID1001")
    return _document(
        name,
        _leaf("cbc:UBLVersionID", VERSION),
        _leaf("cbc:ID", billed.number),
        _leaf("cbc:UUID", str(billed.id)),
        _leaf("cbc:IssueDate", billed.issued.isoformat()),
        "" if credit else _leaf("cbc:DueDate", billed.due.isoformat()),
        code,
        _leaf("cbc:DocumentCurrencyCode", terms.payment.currency),
        _leaf("cbc:LineCountNumeric", str(len(billed.lines))),
        _period("cac:InvoicePeriod", billed.first_day, billed.last_day),
        _branch("cac:OrderReference", _leaf("cbc:ID", terms.number)),
        _branch("cac:BillingReference", _branch("cac:InvoiceDocumentReference", _leaf("cbc:ID", billed.about)))
        if billed.about
        else "",
        _branch("cac:ContractDocumentReference", *_terms_document(terms)),
        _branch("cac:AccountingSupplierParty", _party(terms.seller if billed.by_seller else terms.buyer)),
        _branch("cac:AccountingCustomerParty", _party(terms.buyer if billed.by_seller else terms.seller)),
        _payment_terms(terms),
        _tax(terms, sign * billed.net, sign * billed.vat, is_due=billed.is_taxed),
        _totals("cac:LegalMonetaryTotal", terms, sign * billed.net, sign * billed.gross),
        *(
            _branch(
                line_name,
                _leaf("cbc:ID", str(number)),
                *_working(line.steps),
                _quantity(quantity, terms, line.lots) if line.lots else "",
                _amount("cbc:LineExtensionAmount", terms, sign * line.net),
                _item(terms, line.what),
            )
            for number, line in enumerate(billed.lines, start=1)
        ),
    )


def _order_line(terms: Terms, number: int, line: ScheduleLine) -> str:
    freight = terms.delivery.freight
    charge = ""
    if isinstance(terms.price, FixedPrice) and freight:
        charge = _branch(
            "cac:AllowanceCharge",
            _leaf("cbc:ChargeIndicator", "true"),
            _leaf("cbc:AllowanceChargeReason", "freight"),
            _amount("cbc:Amount", terms, _value(terms, line.lots, freight)),
            _leaf("cbc:PerUnitAmount", _plain(freight), currencyID=terms.payment.currency),
        )
    return _branch(
        "cac:OrderLine",
        _branch(
            "cac:LineItem",
            _leaf("cbc:ID", str(number)),
            _quantity("cbc:Quantity", terms, line.lots),
            _amount("cbc:LineExtensionAmount", terms, _line_value(terms, line))
            if isinstance(terms.price, FixedPrice)
            else "",
            _quantity("cbc:MinimumQuantity", terms, line.minimum),
            _quantity("cbc:MaximumQuantity", terms, line.maximum),
            _leaf("cbc:PartialDeliveryIndicator", "true"),
            _branch(
                "cac:Delivery",
                _period("cac:RequestedDeliveryPeriod", line.period.first_day, line.period.last_day),
            ),
            charge,
            _price(terms),
            _item(terms),
        ),
    )


def _price(terms: Terms) -> str:
    if not isinstance(terms.price, FixedPrice):
        return ""
    return _branch(
        "cac:Price",
        _leaf("cbc:PriceAmount", _plain(terms.price.amount), currencyID=terms.payment.currency),
        _leaf("cbc:BaseQuantity", "1", unitCode=UNIT_CODES[terms.lot.unit]),
    )


def _price_notes(terms: Terms) -> Iterable[str]:
    match terms.price:
        case FixedPrice():
            return
        case EscalatedPrice() as price:
            zh = f"价格自 {_plain(price.amount)} 起按合同条款定期调整。"
            en = f"The price starts at {_plain(price.amount)} and moves at the contract's intervals."
        case PriceFormula() as price:
            listed = ", ".join(share.index for share in price.indices)
            zh = f"价格按合同公式由指数计算：{listed}。"
            en = f"The price follows the contract's formula over the indices {listed}."
    yield _leaf("cbc:Note", zh, languageID="zh")
    yield _leaf("cbc:Note", en, languageID="en")


def _order_totals(terms: Terms) -> Iterable[str]:
    if not isinstance(terms.price, FixedPrice):
        return
    net = total(_line_value(terms, line) for line in terms.schedule)
    vat = cents(Fraction(net) * Fraction(terms.payment.vat))
    yield _tax(terms, net, vat)
    yield _totals("cac:AnticipatedMonetaryTotal", terms, net, total((net, vat)))


def _line_value(terms: Terms, line: ScheduleLine) -> Decimal:
    """Goods and freight of one period, net: the sum of both as they are shown."""
    price = terms.price.amount if isinstance(terms.price, FixedPrice) else Decimal(0)
    return total(_value(terms, line.lots, one) for one in (price, terms.delivery.freight))


def _value(terms: Terms, lots: int, price: Decimal) -> Decimal:
    return cents(Fraction(terms.lot.size) * lots * Fraction(price))


def _working(steps: Sequence[Text]) -> Iterable[str]:
    if steps:
        yield _leaf("cbc:Note", "；".join(step.zh for step in steps), languageID="zh")
        yield _leaf("cbc:Note", "; ".join(step.en for step in steps), languageID="en")


def _tax(terms: Terms, net: Decimal, vat: Decimal, *, is_due: bool = True) -> str:
    category, rate = (STANDARD_RATE, terms.payment.vat * 100) if is_due else (OUT_OF_SCOPE, Decimal(0))
    return _branch(
        "cac:TaxTotal",
        _amount("cbc:TaxAmount", terms, vat),
        _branch(
            "cac:TaxSubtotal",
            _amount("cbc:TaxableAmount", terms, net),
            _amount("cbc:TaxAmount", terms, vat),
            _branch(
                "cac:TaxCategory",
                _leaf("cbc:ID", category, schemeID="UNTDID5305"),
                _leaf("cbc:Percent", _plain(rate)),
                _branch("cac:TaxScheme", _leaf("cbc:ID", "VAT")),
            ),
        ),
    )


def _totals(name: str, terms: Terms, net: Decimal, gross: Decimal) -> str:
    return _branch(
        name,
        _amount("cbc:LineExtensionAmount", terms, net),
        _amount("cbc:TaxExclusiveAmount", terms, net),
        _amount("cbc:TaxInclusiveAmount", terms, gross),
        _amount("cbc:PayableAmount", terms, gross),
    )


def _terms_reference(terms: Terms) -> str:
    return _branch("cac:ContractDocumentReference", *_terms_document(terms))


def _terms_document(terms: Terms) -> Iterable[str]:
    """The canonical text of the terms, known by its hash."""
    yield _leaf("cbc:ID", terms.number)
    yield _leaf("cbc:DocumentType", "terms")
    yield _leaf("cbc:VersionID", str(terms.version))
    yield _branch(
        "cac:Attachment",
        _branch(
            "cac:ExternalReference",
            _leaf("cbc:DocumentHash", terms_hash(terms)),
            _leaf("cbc:HashAlgorithmMethod", SHA256),
            _leaf("cbc:MimeCode", "application/json"),
        ),
    )


def _party(party: Party) -> str:
    return _branch(
        "cac:Party",
        _branch("cac:PartyIdentification", _leaf("cbc:ID", party.credit_code)),
        _branch("cac:PartyName", _leaf("cbc:Name", party.name.zh, languageID="zh")),
        _branch("cac:PartyName", _leaf("cbc:Name", party.name.en, languageID="en")),
        _branch(
            "cac:PartyLegalEntity",
            _leaf("cbc:RegistrationName", party.name.zh),
            _leaf("cbc:CompanyID", party.credit_code),
        ),
    )


def _delivery_terms(terms: Terms) -> str:
    return _branch(
        "cac:DeliveryTerms",
        _leaf("cbc:ID", terms.delivery.basis.value, schemeID="Incoterms2020"),
        _branch("cac:DeliveryLocation", _leaf("cbc:Description", terms.delivery.place)),
    )


def _payment_terms(terms: Terms) -> str:
    days = terms.payment.due_days
    return _branch(
        "cac:PaymentTerms",
        _leaf("cbc:Note", f"开票后 {days} 日内付款", languageID="zh"),
        _leaf("cbc:Note", f"{days} days from the invoice", languageID="en"),
    )


def _item(terms: Terms, what: Text | None = None) -> str:
    described = (
        ()
        if what is None
        else (
            _leaf("cbc:Description", what.zh, languageID="zh"),
            _leaf("cbc:Description", what.en, languageID="en"),
        )
    )
    return _branch(
        "cac:Item",
        *described,
        _leaf("cbc:Name", terms.product),
        _branch("cac:SellersItemIdentification", _leaf("cbc:ID", f"{terms.product}/{terms.grade}")),
        *(_limit(limit) for limit in terms.specification),
    )


def _limit(limit: SpecificationLimit) -> str:
    """What every lot must keep, as a property of the item: "≥ 99.5 %"."""
    least, most = limit.minimum, limit.maximum
    bounds = [f"{sign} {_plain(bound)}" for sign, bound in (("≥", least), ("≤", most)) if bound is not None]
    return _branch(
        "cac:AdditionalItemProperty",
        _leaf("cbc:Name", limit.attribute),
        _leaf("cbc:Value", f"{', '.join(bounds)} {limit.unit}".strip()),
    )


def _period(name: str, first: dt.date, last: dt.date) -> str:
    return _branch(name, _leaf("cbc:StartDate", first.isoformat()), _leaf("cbc:EndDate", last.isoformat()))


def _quantity(name: str, terms: Terms, lots: int) -> str:
    return _leaf(name, _plain(terms.lot.size * lots), unitCode=UNIT_CODES[terms.lot.unit])


def _amount(name: str, terms: Terms, value: Decimal) -> str:
    return _leaf(name, format(value, ".2f"), currencyID=terms.payment.currency)


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _document(name: str, *content: str) -> str:
    spaces = f'xmlns="{NAMESPACE}{name}-2" xmlns:cac="{NAMESPACE}CommonAggregateComponents-2"'
    common = f'xmlns:cbc="{NAMESPACE}CommonBasicComponents-2"'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} {spaces} {common}>{"".join(content)}</{name}>\n'


def _branch(name: str, *content: str) -> str:
    return f"<{name}>{''.join(content)}</{name}>"


def _leaf(name: str, text: str, **attributes: str) -> str:
    said = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    shown = escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", text))
    return f"<{name}{said}>{shown}</{name}>"
