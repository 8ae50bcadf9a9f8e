"""The terms of an offer as people state them: quantities in product units, by period; prices in a currency.

The tables hold lots; the change from units to lots and back is made here and nowhere else.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, TypedDict

from sqlalchemy.orm import Session

from app.models import (
    Basis,
    ConversionInput,
    Offer,
    OfferApprovedSupplier,
    OfferCertificate,
    OfferExclusion,
    OfferKind,
    OfferOrigin,
    OfferPeriod,
    OfferSpecification,
    Product,
)
from market.errors import InvalidValue
from market.periods import Horizon

PRICE_STEP = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputTerms:
    """Input units that a conversion takes per output unit, and input units the processor has himself per period."""

    product: str
    grade: str
    quantity_per_output: Decimal
    own_stock_per_period: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFormula:
    """A price that follows an index: factor x index + premium, between floor and ceiling, CNY per unit."""

    index: str
    factor: Decimal = Decimal(1)
    premium: Decimal = Decimal(0)
    floor: Decimal | None = None
    ceiling: Decimal | None = None

    def price_at(self, value: Decimal) -> Decimal:
        """The price where the index has this value, rounded half-even to six places; never below 0."""
        price = self.factor * value + self.premium
        if self.ceiling is not None:
            price = min(price, self.ceiling)
        return max(price, self.floor or Decimal(0)).quantize(PRICE_STEP, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTerms:
    """Everything that an amendment may change, and what it may not: `kind` and `product`.

    `quantities` has units of the product for each period from `first_period` to `last_period`; `prices` the periods
    whose price is not `price`. With a formula every period is priced on the round's forward curve, and `price` tells
    what that gives on average over the window. Origins are countries; a supply without one comes from its site's.
    `min_rate` is units per period, terms count periods. `basis` is delivered for a demand and ex works for the others
    unless it is named.
    """

    kind: OfferKind
    site_id: uuid.UUID
    product: str
    grade: str
    first_period: str
    last_period: str
    quantities: Mapping[str, Decimal]
    price: Decimal
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    formula: IndexFormula | None = None
    currency: str = "CNY"
    basis: Basis
    min_term: int = 1
    max_term: int | None = None
    min_rate: Decimal = Decimal(0)
    all_or_none: bool = False
    max_share: Decimal | None = None
    group: str | None = None
    reference: str | None = None
    valid_until: dt.datetime | None = None
    specification: Mapping[str, Decimal] = field(default_factory=dict)
    certificates: frozenset[str] = frozenset()
    exclusions: frozenset[uuid.UUID] = frozenset()
    approved_suppliers: frozenset[uuid.UUID] = frozenset()
    inputs: tuple[InputTerms, ...] = ()
    origin: str | None = None
    accepted_origins: frozenset[str] = frozenset()
    barred_origins: frozenset[str] = frozenset()


class PeriodStatement(TypedDict, total=False):
    """One period of a statement; without a quantity or price it has that of the offer, a price of None likewise."""

    period: str
    quantity: Decimal
    price: Decimal | None


class Statement(TypedDict, total=False):
    """What somebody says of an offer, new or amended: the fields of `OfferTerms`, and quantities in short.

    `quantity` holds for every period of the window, `periods` for those it names. In an amendment what is not named
    stays; a new `price` holds for all periods that are not priced beside it, and ends a formula; a new `formula` holds
    for all periods.
    """

    kind: OfferKind
    site_id: uuid.UUID
    product: str
    grade: str
    first_period: str
    last_period: str
    quantity: Decimal
    periods: Sequence[PeriodStatement]
    price: Decimal
    formula: IndexFormula | None
    currency: str
    basis: Basis
    min_term: int
    max_term: int | None
    min_rate: Decimal
    all_or_none: bool
    max_share: Decimal | None
    group: str | None
    reference: str | None
    valid_until: dt.datetime | None
    specification: Mapping[str, Decimal]
    certificates: Iterable[str]
    exclusions: Iterable[uuid.UUID]
    approved_suppliers: Iterable[uuid.UUID]
    inputs: Sequence[InputTerms]
    origin: str | None
    accepted_origins: Iterable[str]
    barred_origins: Iterable[str]


def stated(statement: Statement, *, horizon: Horizon, base: OfferTerms | None = None) -> OfferTerms:
    """The whole terms that a statement makes, on top of `base` in an amendment. Nothing is checked here.

    Quantities of periods outside the window stay in when the statement names them, so that the check can tell.
    """
    said: dict[str, Any] = dict(statement)
    flat, periods = said.pop("quantity", None), said.pop("periods", ())
    values = {name: getattr(base, name) for name in OfferTerms.__slots__} if base else {}
    quantities, prices = dict(values.pop("quantities", {})), dict(values.pop("prices", {}))
    for name in ("certificates", "exclusions", "approved_suppliers", "accepted_origins", "barred_origins"):
        if name in said:
            said[name] = frozenset(said[name])
    if "inputs" in said:
        said["inputs"] = tuple(said["inputs"])
    _choose_pricing(said, prices)
    values |= said
    values.setdefault("basis", Basis.DELIVERED if values["kind"] is OfferKind.DEMAND else Basis.EX_WORKS)
    window = window_labels(horizon, values["first_period"], values["last_period"])
    quantities = {label: quantity for label, quantity in quantities.items() if label in window}
    prices = {label: price for label, price in prices.items() if label in window and "price" not in said}
    if flat is not None:
        quantities = dict.fromkeys(window, flat)
    for line in periods:
        label = line["period"]
        if "quantity" in line:
            quantities[label] = line["quantity"]
        if "price" in line:
            prices.pop(label, None)
            if line["price"] is not None:
                prices[label] = line["price"]
    return OfferTerms(**values, quantities=quantities, prices=prices)


def _choose_pricing(said: dict[str, Any], prices: dict[str, Decimal]) -> None:
    """A formula and a price of one's own end each other; of both at once the formula holds."""
    if said.get("formula") is not None:
        prices.clear()
        said["price"] = Decimal(0)  # what the formula gives is known once the curve is
    elif said.get("price") is not None:
        said["formula"] = None


def window_labels(horizon: Horizon, first: str, last: str) -> list[str]:
    """Labels of the periods from first to last; none where one of them is outside the horizon."""
    try:
        return horizon.labels()[horizon.position(first) : horizon.position(last) + 1]
    except InvalidValue:
        return []


def terms_of(session: Session, offer: Offer) -> OfferTerms:
    """The terms of a stored offer."""
    lot = session.get_one(Product, offer.product_code).lot
    return OfferTerms(
        kind=offer.kind,
        site_id=offer.site_id,
        product=offer.product_code,
        grade=offer.grade_code,
        first_period=offer.first_period,
        last_period=offer.last_period,
        quantities={period.period: period.quantity * lot for period in offer.periods},
        price=offer.price,
        prices={period.period: period.price for period in offer.periods if period.price is not None},
        formula=formula_of(offer),
        currency=offer.currency,
        basis=offer.basis,
        min_term=offer.min_term,
        max_term=offer.max_term,
        min_rate=offer.min_rate * lot,
        all_or_none=offer.all_or_none,
        max_share=offer.max_share,
        group=offer.group_label,
        reference=offer.reference,
        valid_until=offer.valid_until,
        specification={limit.attribute_code: limit.value for limit in offer.specifications},
        certificates=frozenset(certificate.kind_code for certificate in offer.certificates),
        exclusions=frozenset(exclusion.firm_id for exclusion in offer.exclusions),
        approved_suppliers=frozenset(supplier.firm_id for supplier in offer.approved_suppliers),
        inputs=tuple(
            InputTerms(
                product=line.product_code,
                grade=line.grade_code,
                quantity_per_output=line.quantity_per_output,
                own_stock_per_period=line.own_stock_per_period * session.get_one(Product, line.product_code).lot,
            )
            for line in offer.inputs
        ),
        origin=offer.origin_country,
        accepted_origins=frozenset(one.country for one in offer.origins if one.accepted),
        barred_origins=frozenset(one.country for one in offer.origins if not one.accepted),
    )


def formula_of(offer: Offer) -> IndexFormula | None:
    """The formula of a stored offer, if it has one."""
    if offer.index_code is None or offer.index_factor is None:
        return None
    return IndexFormula(
        index=offer.index_code,
        factor=offer.index_factor,
        premium=offer.index_premium or Decimal(0),
        floor=offer.price_floor,
        ceiling=offer.price_ceiling,
    )


def write_terms(offer: Offer, terms: OfferTerms, *, lots: Mapping[str, Decimal]) -> None:
    """Put checked terms into the rows of an offer; `lots` has the lot of the product and of every input.

    Rows of periods that stay are changed in place: what is reserved of them stays reserved.
    """
    lot = lots[terms.product]
    offer.site_id, offer.product_code, offer.grade_code = terms.site_id, terms.product, terms.grade
    offer.first_period, offer.last_period = terms.first_period, terms.last_period
    offer.price, offer.currency, offer.basis = terms.price, terms.currency, terms.basis
    rule = terms.formula
    offer.index_code, offer.index_factor = (rule.index, rule.factor) if rule else (None, None)
    offer.index_premium = rule.premium if rule else None
    offer.price_floor, offer.price_ceiling = (rule.floor, rule.ceiling) if rule else (None, None)
    offer.min_term, offer.max_term = terms.min_term, terms.max_term
    offer.min_rate, offer.all_or_none = int(terms.min_rate / lot), terms.all_or_none
    offer.origin_country = terms.origin
    offer.max_share, offer.group_label = terms.max_share, terms.group
    offer.reference, offer.valid_until = terms.reference, terms.valid_until
    _write_periods(offer, terms, lot)
    _replace(
        offer.specifications,
        {code: OfferSpecification(attribute_code=code, value=value) for code, value in terms.specification.items()},
        "attribute_code",
    )
    _replace(offer.certificates, {code: OfferCertificate(kind_code=code) for code in terms.certificates}, "kind_code")
    _replace(offer.exclusions, {firm: OfferExclusion(firm_id=firm) for firm in terms.exclusions}, "firm_id")
    _replace(
        offer.approved_suppliers,
        {firm: OfferApprovedSupplier(firm_id=firm) for firm in terms.approved_suppliers},
        "firm_id",
    )
    countries = dict.fromkeys(terms.barred_origins, False) | dict.fromkeys(terms.accepted_origins, True)
    _replace(
        offer.origins,
        {country: OfferOrigin(country=country, accepted=accepted) for country, accepted in countries.items()},
        "country",
    )
    wanted = {
        line.product: ConversionInput(
            product_code=line.product,
            grade_code=line.grade,
            quantity_per_output=line.quantity_per_output,
            own_stock_per_period=int(line.own_stock_per_period / lots[line.product]),
        )
        for line in terms.inputs
    }
    _replace(offer.inputs, wanted, "product_code")


def _write_periods(offer: Offer, terms: OfferTerms, lot: Decimal) -> None:
    present = {period.period: period for period in offer.periods}
    for label, quantity in terms.quantities.items():
        period = present.pop(label, None)
        if period is None:
            period = OfferPeriod(period=label)
            offer.periods.append(period)
        period.quantity, period.price = int(quantity / lot), terms.prices.get(label)
    for gone in present.values():
        offer.periods.remove(gone)


_SAID_OF_PARTS = {"value", "accepted", "grade_code", "quantity_per_output", "own_stock_per_period"}


def _replace(rows: list[Any], wanted: Mapping[Any, Any], key: str) -> None:
    """Make the part rows those of `wanted`, changing rows that stay instead of replacing them."""
    for row in list(rows):
        better = wanted.get(getattr(row, key))
        if better is None:
            rows.remove(row)
            continue
        for column in _SAID_OF_PARTS & set(row.__table__.columns.keys()):
            setattr(row, column, getattr(better, column))
    present = {getattr(row, key) for row in rows}
    rows.extend(wanted[value] for value in sorted(wanted.keys() - present))


def document(terms: OfferTerms) -> dict[str, Any]:
    """The terms as JSON: what a revision keeps. Decimals are strings, sets are sorted."""
    return {
        "kind": terms.kind.value,
        "site_id": str(terms.site_id),
        "product": terms.product,
        "grade": terms.grade,
        "first_period": terms.first_period,
        "last_period": terms.last_period,
        "periods": [
            {
                "period": label,
                "quantity": plain(quantity),
                "price": plain(terms.prices[label]) if label in terms.prices else None,
            }
            for label, quantity in sorted(terms.quantities.items())
        ],
        "price": plain(terms.price),
        "formula": None if terms.formula is None else _said_formula(terms.formula),
        "currency": terms.currency,
        "basis": terms.basis.value,
        "min_term": terms.min_term,
        "max_term": terms.max_term,
        "min_rate": plain(terms.min_rate),
        "all_or_none": terms.all_or_none,
        "max_share": None if terms.max_share is None else plain(terms.max_share),
        "group": terms.group,
        "reference": terms.reference,
        "valid_until": terms.valid_until.isoformat() if terms.valid_until else None,
        "specification": {code: plain(value) for code, value in sorted(terms.specification.items())},
        "certificates": sorted(terms.certificates),
        "exclusions": sorted(map(str, terms.exclusions)),
        "approved_suppliers": sorted(map(str, terms.approved_suppliers)),
        "origin": terms.origin,
        "accepted_origins": sorted(terms.accepted_origins),
        "barred_origins": sorted(terms.barred_origins),
        "inputs": [
            {
                "product": line.product,
                "grade": line.grade,
                "quantity_per_output": plain(line.quantity_per_output),
                "own_stock_per_period": plain(line.own_stock_per_period),
            }
            for line in terms.inputs
        ],
    }


def _said_formula(formula: IndexFormula) -> dict[str, str | None]:
    return {
        "index": formula.index,
        "factor": plain(formula.factor),
        "premium": plain(formula.premium),
        "floor": None if formula.floor is None else plain(formula.floor),
        "ceiling": None if formula.ceiling is None else plain(formula.ceiling),
    }


def plain(value: Decimal) -> str:
    """A decimal without exponent and idle zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
