"""Whether the terms of an offer may stand: every fault at once, and warnings that change nothing."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import (
    Attribute,
    Basis,
    CertificateKind,
    Firm,
    Grade,
    Offer,
    OfferKind,
    OfferPeriod,
    OfferState,
    Product,
    Round,
    Site,
    SiteCapability,
)
from app.operations.forward_curve import forward_curves
from app.operations.offer_faults import OfferFault, OfferWarning
from app.operations.offer_terms import PRICE_STEP, OfferTerms, plain, window_labels
from market.errors import InvalidValue
from market.periods import Period

LARGEST = Decimal(10) ** 12
LARGEST_VALUE = Decimal(10) ** 9  # of a specification or a coefficient, which have nine places
PLACES, PLACES_OF_VALUES = 6, 9
LONGEST_LABEL = 100
LONGEST_TERM = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What an offer of one firm to one round may name. `firms` has every registered firm by its number.

    `references` are those that the firm's draft and open offers in this round bear, with the offer; `curves` has CNY
    per unit of each index that a formula may follow, by period.
    """

    firm_id: uuid.UUID
    round: Round
    sites: Mapping[uuid.UUID, Site]
    products: Mapping[str, Product]
    grades: Mapping[str, Mapping[str, Grade]]
    attributes: Mapping[str, frozenset[str]]
    certificate_kinds: frozenset[str]
    firms: Mapping[str, uuid.UUID]
    references: Mapping[str, uuid.UUID]
    curves: Mapping[str, Mapping[str, Decimal]]

    @property
    def lots(self) -> dict[str, Decimal]:
        return {code: product.lot for code, product in self.products.items()}


def admission(session: Session, *, firm_id: uuid.UUID, market_round: Round, now: dt.datetime) -> Admission:
    """Read what the checks of this firm's offers to this round look at."""
    products = {row.code: row for row in session.scalars(sa.select(Product).order_by(Product.code))}
    grades: dict[str, dict[str, Grade]] = {code: {} for code in products}
    for grade in session.scalars(sa.select(Grade).order_by(Grade.product_code, Grade.rank, Grade.code)):
        grades[grade.product_code][grade.code] = grade
    attributes: dict[str, set[str]] = {code: set() for code in products}
    for row in session.execute(sa.select(Attribute.product_code, Attribute.code)):
        attributes[row.product_code].add(row.code)
    sites = session.scalars(sa.select(Site).where(Site.firm_id == firm_id, Site.active).order_by(Site.code, Site.id))
    numbers = sa.func.coalesce(Firm.credit_code, Firm.country + " " + Firm.registration_number)
    references = sa.select(Offer.reference, Offer.id).where(
        Offer.firm_id == firm_id,
        Offer.round_id == market_round.id,
        Offer.reference.is_not(None),
        Offer.state.in_([OfferState.DRAFT, OfferState.OPEN]),
    )
    return Admission(
        firm_id=firm_id,
        round=market_round,
        sites={site.id: site for site in sites},
        products=products,
        grades=grades,
        attributes={code: frozenset(known) for code, known in attributes.items()},
        certificate_kinds=frozenset(session.scalars(sa.select(CertificateKind.code))),
        firms={row.number: row.id for row in session.execute(sa.select(numbers.label("number"), Firm.id))},
        references={row.reference: row.id for row in session.execute(references)},
        curves=forward_curves(session, market_round=market_round, now=now),
    )


def priced(terms: OfferTerms, *, admitted: Admission) -> OfferTerms:
    """Checked terms with the price that their formula gives, on average over the window; others as they are."""
    if terms.formula is None:
        return terms
    curve = admitted.curves[terms.formula.index]
    found = [terms.formula.price_at(curve[label]) for label in terms.quantities]
    return replace(terms, price=(sum(found, Decimal(0)) / len(found)).quantize(PRICE_STEP, ROUND_HALF_EVEN))


def check(
    terms: OfferTerms, *, admitted: Admission, now: dt.datetime, offer_id: uuid.UUID | None = None
) -> list[OfferFault]:
    """Everything wrong with the terms; `offer_id` is the offer that is amended."""
    return [
        *_objects(terms, admitted),
        *_window(terms, admitted),
        *_amounts(terms, admitted),
        *_prices(terms, admitted),
        *_formula(terms, admitted),
        *_lengths(terms, admitted),
        *_demand_only(terms),
        *_specification(terms, admitted),
        *_counterparties(terms, admitted),
        *_origins(terms),
        *_inputs(terms, admitted),
        *_labels(terms, admitted, now, offer_id),
    ]


def _fault(field: str, found: object, code: str, **params: object) -> OfferFault:
    said = plain(found) if isinstance(found, Decimal) else str(found)
    return OfferFault(
        field=field,
        found=said,
        code=code,
        params={name: plain(value) if isinstance(value, Decimal) else str(value) for name, value in params.items()},
    )


def _objects(terms: OfferTerms, admitted: Admission) -> Iterator[OfferFault]:
    if terms.site_id not in admitted.sites:
        yield _fault("site_id", terms.site_id, "own_site")
    if terms.product not in admitted.products:
        yield _fault("product", terms.product, "known_product")
    elif terms.grade not in (grades := admitted.grades[terms.product]):
        yield _fault("grade", terms.grade, "known_grade", choices=", ".join(grades))


def _window(terms: OfferTerms, admitted: Admission) -> Iterator[OfferFault]:
    horizon = admitted.round.horizon
    outside = False
    for field, label in (("first_period", terms.first_period), ("last_period", terms.last_period)):
        try:
            horizon.position(label)
        except InvalidValue:
            outside = True
            yield _fault(field, label, "period", first=horizon.first, last=horizon.last)
    if outside:
        return
    window = window_labels(horizon, terms.first_period, terms.last_period)
    if not window:
        yield _fault("last_period", terms.last_period, "window_order", first=terms.first_period)
        return
    for label in sorted((terms.quantities.keys() | terms.prices.keys()) - set(window)):
        yield _fault(f"periods/{label}", label, "period_inside", first=window[0], last=window[-1])
    for label in window:
        if label not in terms.quantities:
            yield _fault(f"periods/{label}/quantity", "nothing", "period_missing", period=label)


def _amounts(terms: OfferTerms, admitted: Admission) -> Iterator[OfferFault]:
    product = admitted.products.get(terms.product)
    for label, quantity in sorted(terms.quantities.items()):
        yield from _whole_lots(f"periods/{label}/quantity", quantity, product)
    if terms.quantities and not any(quantity > 0 for quantity in terms.quantities.values()):
        yield _fault("quantity", "0", "some_quantity")
    yield from _whole_lots("min_rate", terms.min_rate, product)
    most = max(terms.quantities.values(), default=Decimal(0))
    if terms.min_rate > most > 0:
        yield _fault("min_rate", terms.min_rate, "rate_fits", most=most)


def _whole_lots(field: str, quantity: Decimal, product: Product | None) -> Iterator[OfferFault]:
    if quantity < 0:
        yield _fault(field, quantity, "not_negative")
    elif quantity > LARGEST:
        yield _fault(field, quantity, "largest", limit=LARGEST)
    elif product is not None and quantity % product.lot:
        yield _fault(field, quantity, "whole_lots", lot=product.lot, unit=product.unit)


def _prices(terms: OfferTerms, admitted: Admission) -> Iterator[OfferFault]:
    stated = {"price": terms.price} | {f"periods/{label}/price": price for label, price in sorted(terms.prices.items())}
    for field, price in stated.items():
        yield from _number(field, price, largest=LARGEST, places=PLACES)
    rates = admitted.round.currency_rates
    if terms.currency != "CNY" and terms.currency not in rates:
        yield _fault("currency", terms.currency, "currency", choices=", ".join(["CNY", *sorted(rates)]))
    if terms.kind is OfferKind.CONVERSION and terms.basis is not Basis.EX_WORKS:
        yield _fault("basis", terms.basis, "conversion_basis")


def _formula(terms: OfferTerms, admitted: Admission) -> Iterator[OfferFault]:
    rule = terms.formula
    if rule is None:
        return
    if rule.index not in admitted.curves:
        yield _fault("formula/index", rule.index, "known_index", choices=", ".join(sorted(admitted.curves)) or "—")
    if rule.factor <= 0:
        yield _fault("formula/factor", rule.factor, "above_zero")
    else:
        yield from _number("formula/factor", rule.factor, largest=LARGEST_VALUE, places=PLACES_OF_VALUES)
    yield from _number("formula/premium", abs(rule.premium), largest=LARGEST, places=PLACES)
    for field, bound in (("formula/floor", rule.floor), ("formula/ceiling", rule.ceiling)):
        if bound is not None:
            yield from _number(field, bound, largest=LARGEST, places=PLACES)
    if rule.floor is not None and rule.ceiling is not None and rule.ceiling < rule.floor:
        yield _fault("formula/ceiling", rule.ceiling, "collar_order", floor=rule.floor)
    if terms.currency != "CNY":
        yield _fault("currency", terms.currency, "formula_currency")
    for label, price in sorted(terms.prices.items()):
        yield _fault(f"periods/{label}/price", price, "price_or_formula")


def _number(field: str, value: Decimal, *, largest: Decimal, places: int) -> Iterator[OfferFault]:
    exponent = value.normalize().as_tuple().exponent
    if value < 0:
        yield _fault(field, value, "not_negative")
    elif value > largest:
        yield _fault(field, value, "largest", limit=largest)
    elif isinstance(exponent, int) and -exponent > places:
        yield _fault(field, value, "places", places=places)


def _lengths(terms: OfferTerms, admitted: Admission) -> Iterator[OfferFault]:
    count = len(window_labels(admitted.round.horizon, terms.first_period, terms.last_period))
    if terms.min_term < 1:
        yield _fault("min_term", terms.min_term, "term_from")
    elif count and terms.min_term > count:
        yield _fault("min_term", terms.min_term, "term_fits", count=count)
    if terms.max_term is not None and terms.max_term > LONGEST_TERM:
        yield _fault("max_term", terms.max_term, "largest", limit=LONGEST_TERM)
    elif terms.max_term is not None and terms.max_term < terms.min_term:
        yield _fault("max_term", terms.max_term, "term_order", least=terms.min_term)


def _demand_only(terms: OfferTerms) -> Iterator[OfferFault]:
    if terms.kind is not OfferKind.DEMAND:
        if terms.max_share is not None:
            yield _fault("max_share", terms.max_share, "share_of_demand")
        if terms.approved_suppliers:
            yield _fault("approved_suppliers", len(terms.approved_suppliers), "suppliers_of_demand")
    elif terms.max_share is not None and not 0 < terms.max_share <= 1:
        yield _fault("max_share", terms.max_share, "share")
    elif terms.max_share is not None:
        yield from _number("max_share", terms.max_share, largest=Decimal(1), places=PLACES)


def _specification(terms: OfferTerms, admitted: Admission) -> Iterator[OfferFault]:
    known = admitted.attributes.get(terms.product, frozenset())
    for code, value in sorted(terms.specification.items()):
        if terms.product in admitted.products and code not in known:
            yield _fault(f"specification/{code}", code, "known_attribute", choices=", ".join(sorted(known)))
        yield from _number(f"specification/{code}", value, largest=LARGEST_VALUE, places=PLACES_OF_VALUES)
    for code in sorted(terms.certificates - admitted.certificate_kinds):
        choices = ", ".join(sorted(admitted.certificate_kinds))
        yield _fault("certificates", code, "known_certificate", choices=choices)


def _counterparties(terms: OfferTerms, admitted: Admission) -> Iterator[OfferFault]:
    known = set(admitted.firms.values())
    for field, firms in (("exclusions", terms.exclusions), ("approved_suppliers", terms.approved_suppliers)):
        for firm_id in sorted(firms):
            if firm_id == admitted.firm_id:
                yield _fault(field, firm_id, "other_firm")
            elif firm_id not in known:
                yield _fault(field, firm_id, "known_firm")


def _origins(terms: OfferTerms) -> Iterator[OfferFault]:
    demanded = (("accepted_origins", terms.accepted_origins), ("barred_origins", terms.barred_origins))
    if terms.kind is OfferKind.DEMAND:
        if terms.origin is not None:
            yield _fault("origin", terms.origin, "origin_of_supply")
    else:
        for field, countries in demanded:
            if countries:
                yield _fault(field, ", ".join(sorted(countries)), "origins_of_demand")
    stated = [("origin", terms.origin)] if terms.origin is not None else []
    for field, country in [*stated, *((field, name) for field, names in demanded for name in sorted(names))]:
        if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):
            yield _fault(field, country, "country")
    for country in sorted(terms.accepted_origins & terms.barred_origins):
        yield _fault("barred_origins", country, "origin_not_both")


def _inputs(terms: OfferTerms, admitted: Admission) -> Iterator[OfferFault]:
    if terms.kind is not OfferKind.CONVERSION:
        if terms.inputs:
            yield _fault("inputs", len(terms.inputs), "inputs_of_conversion")
        return
    if not terms.inputs:
        yield _fault("inputs", "nothing", "some_inputs")
    seen: set[str] = set()
    for number, line in enumerate(terms.inputs):
        here = f"inputs/{number}"
        if line.product in seen:
            yield _fault(f"{here}/product", line.product, "input_once")
        seen.add(line.product)
        if line.product == terms.product:
            yield _fault(f"{here}/product", line.product, "input_not_output")
        if line.product not in admitted.products:
            yield _fault(f"{here}/product", line.product, "known_product")
        elif line.grade not in (grades := admitted.grades[line.product]):
            yield _fault(f"{here}/grade", line.grade, "known_grade", choices=", ".join(grades))
        if line.quantity_per_output <= 0:
            yield _fault(f"{here}/quantity_per_output", line.quantity_per_output, "above_zero")
        else:
            yield from _number(
                f"{here}/quantity_per_output", line.quantity_per_output, largest=LARGEST_VALUE, places=PLACES_OF_VALUES
            )
        input_product = admitted.products.get(line.product)
        yield from _whole_lots(f"{here}/own_stock_per_period", line.own_stock_per_period, input_product)


def _labels(
    terms: OfferTerms, admitted: Admission, now: dt.datetime, offer_id: uuid.UUID | None
) -> Iterator[OfferFault]:
    if terms.valid_until is not None and terms.valid_until <= now:
        yield _fault("valid_until", terms.valid_until.isoformat(), "later", now=now.isoformat(timespec="minutes"))
    for field, label in (("reference", terms.reference), ("group", terms.group)):
        if label is not None and len(label) > LONGEST_LABEL:
            yield _fault(field, f"{len(label)}", "text_length", limit=LONGEST_LABEL)
    if terms.reference is not None and admitted.references.get(terms.reference, offer_id) != offer_id:
        yield _fault("reference", terms.reference, "reference_free")


def warnings(session: Session, *, offer: Offer) -> list[OfferWarning]:
    """What the site is built for against what the firm promises of it: open in this round, or reserved in any.

    One warning for each period in which more is promised than built; one where no capacity is registered.
    """
    if offer.kind is OfferKind.DEMAND or offer.state not in {OfferState.DRAFT, OfferState.OPEN}:
        return []
    product = session.get_one(Product, offer.product_code)
    built_per_year = session.scalar(
        sa.select(sa.func.sum(SiteCapability.capacity_per_year)).where(
            SiteCapability.site_id == offer.site_id, SiteCapability.product_code == offer.product_code
        )
    )
    if built_per_year is None:
        return [OfferWarning(code="no_built_capacity", params={"product": product.code})]
    is_for_sale = (Offer.round_id == offer.round_id) & ((Offer.state == OfferState.OPEN) | (Offer.id == offer.id))
    lots = sa.func.sum(sa.case((is_for_sale, OfferPeriod.quantity), else_=OfferPeriod.reserved))
    promised = session.execute(
        sa.select(OfferPeriod.period, lots)
        .join(Offer, OfferPeriod.offer_id == Offer.id)
        .where(Offer.site_id == offer.site_id, Offer.product_code == offer.product_code)
        .where(Offer.kind != OfferKind.DEMAND)
        .where(OfferPeriod.period.in_([period.period for period in offer.periods]))
        .group_by(OfferPeriod.period)
        .order_by(OfferPeriod.period)
    )
    found = []
    for label, count in promised:
        built = built_per_year * Period.parse(label).months / 12
        if count * product.lot > built:
            params = {"period": label, "promised": plain(count * product.lot), "built": plain(built)}
            found.append(OfferWarning(code="above_built_capacity", params=params | {"unit": product.unit.value}))
    return found
