"""The headline of a run: what it is told by on the console, in the demo and to the regulator.

Amounts and quantities are decimal strings: CNY over the whole windows, units of the product.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Firm, OfferKind, Product, Reason
from app.operations.drafts import Draft, cents
from app.operations.index_prices import distance_in_percent
from app.operations.snapshots import FrozenRound
from contracts.canonical import decimal_text
from matching.answer import Certificate

LARGEST = 10
RATE_STEP = Decimal("0.0001")
PRICE_STEP = Decimal("0.01")
TAKEN = {Reason.MATCHED, Reason.PARTLY_MATCHED}


def headline(
    session: Session,
    *,
    frozen: FrozenRound,
    drafts: Sequence[Draft],
    reasons: Mapping[uuid.UUID, Reason],
    certificate: Certificate,
    index: Mapping[str, Decimal],
) -> dict[str, Any]:
    """The numbers of a run. `reasons` has the reason of every offer."""
    products = {
        product.code: product
        for product in session.scalars(
            sa.select(Product).where(Product.code.in_({grade.product for grade in frozen.snapshot.grades}))
        )
    }
    lines = _products(frozen, drafts, products, index)
    return {
        "offers": {kind.value: sum(row.kind is kind for row in frozen.offers.values()) for kind in OfferKind},
        "lanes": certificate.lanes,
        "candidates": certificate.candidates,
        "contracts": len(drafts),
        "bundles": len({draft.bundle_id for draft in drafts}),
        "value": decimal_text(sum((draft.total_value for draft in drafts), Decimal(0))),
        "products": lines,
        "tiers": _tiers(lines),
        "unmatched": dict(sorted(Counter(reason.value for reason in reasons.values() if reason not in TAKEN).items())),
        "largest": _largest(session, frozen, drafts),
        "certificate": {
            "holds": certificate.holds,
            "welfare": str(certificate.welfare),
            "gap": str(certificate.gap),
            "rounding_loss": str(certificate.rounding_loss),
            "blocking_pairs": certificate.blocking_pairs,
            "violations": len(certificate.violations),
            "uncertified": len(certificate.uncertified),
        },
    }


def certificate_document(certificate: Certificate) -> dict[str, Any]:
    """The certificate as it is stored and shown."""
    return {
        "welfare": str(certificate.welfare),
        "dual_bound": str(certificate.dual_bound),
        "gap": str(certificate.gap),
        "rounding_loss": str(certificate.rounding_loss),
        "lanes": certificate.lanes,
        "candidates": certificate.candidates,
        "rounds": certificate.rounds,
        "blocking_pairs": certificate.blocking_pairs,
        "violations": list(certificate.violations),
        "uncertified": list(certificate.uncertified),
        "seconds": {phase: str(seconds) for phase, seconds in certificate.seconds.items()},
        "peak_memory_mb": str(certificate.peak_memory),
    }


def _products(
    frozen: FrozenRound, drafts: Sequence[Draft], products: Mapping[str, Product], index: Mapping[str, Decimal]
) -> list[dict[str, Any]]:
    posted = _posted(frozen)
    sold: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        sold[draft.contract.product].append(draft)
    lines = []
    for code, product in sorted(products.items()):
        mine = sold[code]
        units, value = _units(mine), sum((draft.total_value for draft in mine), Decimal(0))
        ex_works = sum((draft.contract.price_ex_works * draft.units for draft in mine), Decimal(0))
        price = ex_works / units if units else None
        from_sellers = _units(draft for draft in mine if draft.seller.kind is OfferKind.CAPACITY)
        to_buyers = _units(draft for draft in mine if draft.buyer.kind is OfferKind.DEMAND)
        lines.append(
            {
                "product": code,
                "name_zh": product.name_zh,
                "name_en": product.name_en,
                "tier": product.tier.value,
                "unit": product.unit.value,
                "contracts": len(mine),
                "offered": decimal_text(posted[code, OfferKind.CAPACITY]),
                "convertible": decimal_text(posted[code, OfferKind.CONVERSION]),
                "demanded": decimal_text(posted[code, OfferKind.DEMAND]),
                "matched": decimal_text(units),
                "value": decimal_text(value),
                "fill_offered": _ratio(from_sellers, posted[code, OfferKind.CAPACITY]),
                "fill_demanded": _ratio(to_buyers, posted[code, OfferKind.DEMAND]),
                "price": None if price is None else decimal_text(price.quantize(PRICE_STEP)),
                "index": None if code not in index else decimal_text(index[code].quantize(PRICE_STEP)),
                "index_distance": _text(None if price is None else distance_in_percent(price, index.get(code))),
            }
        )
    return lines


def _posted(frozen: FrozenRound) -> dict[tuple[str, OfferKind], Decimal]:
    """Units over the horizon that are offered, demanded or could be made, by product."""
    lot = {grade.product: grade.lot for grade in frozen.snapshot.grades}
    total: dict[tuple[str, OfferKind], Decimal] = defaultdict(Decimal)
    for row in frozen.offers.values():
        total[row.product, row.kind] += sum(row.quantity) * lot[row.product]
    return total


def _tiers(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Contracts and value of each tier; volumes of different units are not added up."""
    value: dict[str, Decimal] = defaultdict(Decimal)
    contracts: Counter[str] = Counter()
    for line in lines:
        value[line["tier"]] += Decimal(line["value"])
        contracts[line["tier"]] += line["contracts"]
    return [
        {"tier": tier, "contracts": contracts[tier], "value": decimal_text(cents(value[tier]))}
        for tier in sorted(value)
    ]


def _largest(session: Session, frozen: FrozenRound, drafts: Sequence[Draft]) -> list[dict[str, Any]]:
    top = sorted(drafts, key=lambda draft: (-draft.total_value, draft.contract.seller, draft.contract.buyer))[:LARGEST]
    firms = {draft.seller.firm for draft in top} | {draft.buyer.firm for draft in top}
    names = {firm.id: firm for firm in session.scalars(sa.select(Firm).where(Firm.id.in_(firms)))}
    labels = frozen.snapshot.horizon.labels()
    return [
        {
            "proposal_id": str(draft.id),
            "seller_zh": names[draft.seller.firm].name_zh,
            "seller_en": names[draft.seller.firm].name_en,
            "buyer_zh": names[draft.buyer.firm].name_zh,
            "buyer_en": names[draft.buyer.firm].name_en,
            "product": draft.contract.product,
            "first_period": labels[draft.contract.first],
            "last_period": labels[draft.contract.last],
            "units": decimal_text(draft.units),
            "price_ex_works": decimal_text(draft.contract.price_ex_works),
            "value": decimal_text(draft.total_value),
        }
        for draft in top
    ]


def _units(drafts: Iterable[Draft]) -> Decimal:
    return sum((draft.units for draft in drafts), Decimal(0))


def _ratio(part: Decimal, whole: Decimal) -> str | None:
    return decimal_text((part / whole).quantize(RATE_STEP)) if whole else None


def _text(number: Decimal | None) -> str | None:
    return None if number is None else decimal_text(number)
