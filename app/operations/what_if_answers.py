"""From a question's changes to the changed market, and from two answers to the document that is kept.

In the documents amounts are CNY over the horizon and quantities units over the horizon, both as decimal strings.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from contracts.canonical import decimal_text
from market.errors import InvalidValue
from matching.answer import Answer
from matching.criticality import Criticality
from matching.scenarios import (
    difference,
    met,
    volumes,
    with_price_factor,
    with_quantity,
    with_quota,
    without_firm,
)
from matching.snapshot import Ceiling, Conversion, Corridor, Offer, OriginRule, Side, Snapshot

STARVED = Decimal("0.1")  # of the demand met before
STEP = Decimal("0.000001")
Cleared = tuple[Snapshot, Answer]


def owner(name: str) -> str:
    """The firm behind a name of the snapshot: an offer with exclusions of its own bears a longer one."""
    return name.partition("/")[0]


def changed(snapshot: Snapshot, changes: Sequence[Mapping[str, Any]]) -> Snapshot:
    """The market with all the changes, one after the other.

    :raises InvalidValue: a change finds nothing that it could change.
    """
    for change in changes:
        snapshot = _CHANGES[change["kind"]](snapshot, change)
    return snapshot


def _without_firm(snapshot: Snapshot, change: Mapping[str, Any]) -> Snapshot:
    known = {offer.firm for offer in snapshot.offers} | {conversion.firm for conversion in snapshot.conversions}
    names = {name for name in known if owner(name) == change["firm_id"]}
    return without_firm(snapshot, *(names or {change["firm_id"]}))


def _capacity(snapshot: Snapshot, change: Mapping[str, Any]) -> Snapshot:
    labels = [
        label
        for label, one in _posted(snapshot)
        if not (isinstance(one, Offer) and one.side is Side.BUY)
        and owner(one.firm) == change["firm_id"]
        and change["product"] in (None, one.product)
    ]
    return with_quantity(snapshot, labels, Fraction(change["factor"]))


def _quota(snapshot: Snapshot, change: Mapping[str, Any]) -> Snapshot:
    quota = Corridor(
        product=change["product"],
        origin=change["from_region"],
        destination=change["to_region"],
        position=None,
        limit=Decimal(change["limit"]),
    )
    return with_quota(snapshot, quota)


def _price(snapshot: Snapshot, change: Mapping[str, Any]) -> Snapshot:
    labels = [
        label
        for label, one in _posted(snapshot)
        if (one.side if isinstance(one, Offer) else "convert") == change["side"]
        and one.product == change["product"]
        and change["firm_id"] in (None, owner(one.firm))
    ]
    return with_price_factor(snapshot, labels, 1 + Decimal(change["percent"]) / 100)


def _without_limit(snapshot: Snapshot, change: Mapping[str, Any]) -> Snapshot:
    if change["limit_kind"] == "ceiling":
        kept = tuple(one for one in snapshot.ceilings if not _is_ceiling(one, change))
        found, snapshot = len(kept) < len(snapshot.ceilings), replace(snapshot, ceilings=kept)
    elif change["limit_kind"] == "origin":
        rules = tuple(one for one in snapshot.origin_rules if not _is_way(one, change))
        found, snapshot = len(rules) < len(snapshot.origin_rules), replace(snapshot, origin_rules=rules)
    else:
        ways = tuple(one for one in snapshot.corridors if not _is_way(one, change))
        found, snapshot = len(ways) < len(snapshot.corridors), replace(snapshot, corridors=ways)
    if not found:
        raise InvalidValue(f"the round has no such {change['limit_kind']} limit; expected one that holds")
    return snapshot


def _is_ceiling(ceiling: Ceiling, change: Mapping[str, Any]) -> bool:
    return (ceiling.product, ceiling.firm) == (change["product"], change["firm_id"])


def _is_way(quota: Corridor | OriginRule, change: Mapping[str, Any]) -> bool:
    way = change["product"], change["from_region"], change["to_region"]
    return (quota.product, quota.origin, quota.destination) == way


_CHANGES = {
    "without_firm": _without_firm,
    "capacity": _capacity,
    "quota": _quota,
    "price": _price,
    "without_limit": _without_limit,
}


def _posted(snapshot: Snapshot) -> Iterator[tuple[str, Offer | Conversion]]:
    """Offers and conversions by label, without those that only stand for volume promised already."""
    for offer in snapshot.offers:
        if not offer.offer.startswith("committed/"):
            yield offer.offer, offer
    for conversion in snapshot.conversions:
        yield conversion.conversion, conversion


def scenario_document(base: Cleared, scenario: Cleared) -> dict[str, Any]:
    """What a scenario changes, beside what it was; products that starve lose a tenth of their met demand or more."""
    change = difference(base, scenario)
    surplus, traded = _by_firm(change.surplus), _by_firm(change.traded_value)
    order = sorted(surplus.keys() | traded.keys(), key=lambda firm: (surplus[firm], traded[firm], firm))
    return {
        "welfare": _pair(base[1].certificate.welfare, scenario[1].certificate.welfare),
        "contracts": {"before": len(base[1].contracts), "after": len(scenario[1].contracts)},
        "certified": base[1].certificate.holds and scenario[1].certificate.holds,
        "products": _products(base, scenario, change.price),
        "firms": [
            {"firm_id": firm, "surplus": decimal_text(surplus[firm]), "traded": decimal_text(_cents(traded[firm]))}
            for firm in order
        ],
    }


def _products(base: Cleared, scenario: Cleared, price: Mapping[str, Decimal]) -> list[dict[str, Any]]:
    moved = volumes(*base), volumes(*scenario)
    given = met(*base), met(*scenario)
    none = Decimal(0)
    lines = []
    for product in sorted({grade.product for grade in base[0].grades}):
        before, after = given[0].get(product, none), given[1].get(product, none)
        lost = before - after
        lines.append(
            {
                "product": product,
                "volume": _pair(moved[0].get(product, none), moved[1].get(product, none)),
                "met": _pair(before, after),
                "price": decimal_text(price.get(product, none)),
                "starves": bool(before) and lost >= STARVED * before,
            }
        )
    return lines


def _pair(before: Decimal, after: Decimal) -> dict[str, str]:
    return {"before": decimal_text(before), "after": decimal_text(after)}


def _by_firm(amounts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = defaultdict(Decimal)
    for name, amount in amounts.items():
        total[owner(name)] += amount
    return total


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))


def criticality_document(ranked: Sequence[Criticality]) -> dict[str, Any]:
    """Firms by the welfare lost without each; of a firm in several sub-markets the losses are added up."""
    lost: dict[str, Decimal] = defaultdict(Decimal)
    share: dict[str, Decimal] = defaultdict(Decimal)
    volume: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for one in ranked:
        firm = str(uuid.UUID(one.firm))
        lost[firm] += Decimal(repr(one.welfare_lost))
        share[firm] = max(share[firm], Decimal(repr(one.share)))
        volume[firm] |= {product: Decimal(repr(amount)) for product, amount in one.volume_lost.items()}
    return {
        "firms": [
            {
                "firm_id": firm,
                "welfare_lost": decimal_text(_cents(lost[firm])),
                "share": decimal_text(share[firm].quantize(STEP)),
                "volume_lost": {
                    product: decimal_text(amount.quantize(STEP)) for product, amount in sorted(volume[firm].items())
                },
            }
            for firm in sorted(lost, key=lambda firm: (-lost[firm], firm))
        ]
    }
