"""What if: the same market without a firm, with less capacity, with a quota, with a price moved.

A scenario is a changed copy of the snapshot, cleared like any other; `difference` sets two answers side by side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from market.errors import InvalidValue

from .answer import Answer
from .snapshot import Corridor, Snapshot


def without_firm(snapshot: Snapshot, firm: str) -> Snapshot:
    """The market without a firm's offers and conversions, and without what they are committed to.

    :raises InvalidValue: the firm has none.
    """
    gone = {offer.offer for offer in snapshot.offers if offer.firm == firm}
    if not gone and all(conversion.firm != firm for conversion in snapshot.conversions):
        raise InvalidValue(f"firm {firm} has neither offer nor conversion in this snapshot")
    return replace(
        snapshot,
        offers=tuple(offer for offer in snapshot.offers if offer.firm != firm),
        conversions=tuple(conversion for conversion in snapshot.conversions if conversion.firm != firm),
        commitments=tuple(c for c in snapshot.commitments if not {c.sell, c.buy} & gone),
    )


def with_quantity(snapshot: Snapshot, label: str, factor: Fraction) -> Snapshot:
    """The market with an offer's quantity, or a conversion's capacity, times a factor, rounded down to lots.

    :raises InvalidValue: there is no such offer or conversion.
    """
    _known(snapshot, label)

    def scaled(lots: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(int(quantity * factor) for quantity in lots)

    return replace(
        snapshot,
        offers=tuple(replace(o, quantity=scaled(o.quantity)) if o.offer == label else o for o in snapshot.offers),
        conversions=tuple(
            replace(c, capacity=scaled(c.capacity)) if c.conversion == label else c for c in snapshot.conversions
        ),
    )


def with_price(snapshot: Snapshot, label: str, change: Decimal) -> Snapshot:
    """The market with an offer's price, or a conversion's fee, moved by so many CNY per unit, never below 0.

    :raises InvalidValue: there is no such offer or conversion.
    """
    _known(snapshot, label)

    def moved(prices: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
        return tuple(max(price + change, Decimal(0)) for price in prices)

    return replace(
        snapshot,
        offers=tuple(replace(o, price=moved(o.price)) if o.offer == label else o for o in snapshot.offers),
        conversions=tuple(replace(c, fee=moved(c.fee)) if c.conversion == label else c for c in snapshot.conversions),
    )


def with_quota(snapshot: Snapshot, quota: Corridor) -> Snapshot:
    """The market with one more quota."""
    return replace(snapshot, corridors=(*snapshot.corridors, quota))


def _known(snapshot: Snapshot, label: str) -> None:
    labels = {offer.offer for offer in snapshot.offers} | {c.conversion for c in snapshot.conversions}
    if label not in labels:
        raise InvalidValue(f"{label} is neither an offer nor a conversion of this snapshot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Scenario less base; what does not change is left out.

    Welfare in CNY over the horizon; volume in units by product; price in CNY per unit by product, the mean over the
    hubs and periods that both answers price; value traded in CNY by firm, what it sells and what it buys.
    """

    welfare: Decimal
    volume: Mapping[str, Decimal]
    price: Mapping[str, Decimal]
    traded_value: Mapping[str, Decimal]


def difference(base: tuple[Snapshot, Answer], scenario: tuple[Snapshot, Answer]) -> Difference:
    """What a scenario changes."""
    return Difference(
        welfare=scenario[1].certificate.welfare - base[1].certificate.welfare,
        volume=_changed(_volumes(*base), _volumes(*scenario)),
        price=_price_changes(base[1], scenario[1]),
        traded_value=_changed(_traded_values(*base), _traded_values(*scenario)),
    )


def _changed(before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> dict[str, Decimal]:
    keys = sorted(before.keys() | after.keys())
    none = Decimal(0)
    return {key: after.get(key, none) - before.get(key, none) for key in keys if after.get(key) != before.get(key)}


def _volumes(snapshot: Snapshot, answer: Answer) -> dict[str, Decimal]:
    volume: dict[str, Decimal] = defaultdict(Decimal)
    lot = {grade.product: grade.lot for grade in snapshot.grades}
    for contract in answer.contracts:
        volume[contract.product] += contract.rate * (contract.last - contract.first + 1) * lot[contract.product]
    return volume


def _traded_values(snapshot: Snapshot, answer: Answer) -> dict[str, Decimal]:
    firm = {offer.offer: offer.firm for offer in snapshot.offers}
    firm |= {conversion.conversion: conversion.firm for conversion in snapshot.conversions}
    lot = {grade.product: grade.lot for grade in snapshot.grades}
    value: dict[str, Decimal] = defaultdict(Decimal)
    for contract in answer.contracts:
        amount = contract.rate * (contract.last - contract.first + 1) * lot[contract.product]
        value[firm[contract.seller]] += amount * contract.price_ex_works
        value[firm[contract.buyer]] += amount * contract.price_delivered
    return value


def _price_changes(base: Answer, scenario: Answer) -> dict[str, Decimal]:
    before, after = (
        {(price.subject, price.position): price.value for price in answer.prices if price.kind == "hub"}
        for answer in (base, scenario)
    )
    changes: dict[str, list[Decimal]] = defaultdict(list)
    for key in sorted(before.keys() & after.keys()):
        changes[key[0][0]].append(after[key] - before[key])
    means = {product: sum(moves, Decimal(0)) / len(moves) for product, moves in changes.items()}
    return {product: mean.quantize(Decimal("0.0001")) for product, mean in means.items() if mean}
