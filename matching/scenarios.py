"""What if: the same market without a firm, with less capacity, with a quota, with a price moved.

A scenario is a changed copy of the snapshot, cleared like any other; `difference` sets two answers side by side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from market.errors import InvalidValue

from .accounts import length, mean_price
from .answer import PRICE_STEP, Answer
from .fan_out import fan_out
from .run import run
from .snapshot import Corridor, Side, Snapshot

Cleared = tuple[Snapshot, Answer]


def without_firm(snapshot: Snapshot, *names: str) -> Snapshot:
    """The market without the offers and conversions of a firm, under all the names it bears, and without what they
    are committed to.

    :raises InvalidValue: the firm has none.
    """
    gone = {offer.offer for offer in snapshot.offers if offer.firm in names}
    if not gone and all(conversion.firm not in names for conversion in snapshot.conversions):
        raise InvalidValue(f"firm {' or '.join(names)} has neither offer nor conversion in this snapshot")
    return replace(
        snapshot,
        offers=tuple(offer for offer in snapshot.offers if offer.firm not in names),
        conversions=tuple(conversion for conversion in snapshot.conversions if conversion.firm not in names),
        commitments=tuple(c for c in snapshot.commitments if not {c.sell, c.buy} & gone),
    )


def with_quantity(snapshot: Snapshot, label: str | Collection[str], factor: Fraction) -> Snapshot:
    """The market with an offer's quantity, or a conversion's capacity, times a factor, rounded down to lots; of one
    or of several.

    :raises InvalidValue: there is no such offer or conversion.
    """
    labels = _known(snapshot, label)

    def scaled(lots: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(int(quantity * factor) for quantity in lots)

    return replace(
        snapshot,
        offers=tuple(replace(o, quantity=scaled(o.quantity)) if o.offer in labels else o for o in snapshot.offers),
        conversions=tuple(
            replace(c, capacity=scaled(c.capacity)) if c.conversion in labels else c for c in snapshot.conversions
        ),
    )


def with_price(snapshot: Snapshot, label: str, change: Decimal) -> Snapshot:
    """The market with an offer's price, or a conversion's fee, moved by so many CNY per unit, never below 0.

    :raises InvalidValue: there is no such offer or conversion.
    """
    return _repriced(snapshot, _known(snapshot, label), lambda price: max(price + change, Decimal(0)))


def with_price_factor(snapshot: Snapshot, label: str | Collection[str], factor: Decimal) -> Snapshot:
    """The market with the price of an offer, or a conversion's fee, times a factor of 0 or more, in steps of the
    locked prices; of one or of several.

    :raises InvalidValue: there is no such offer or conversion, or the factor is negative.
    """
    if factor < 0:
        raise InvalidValue(f"prices times {factor}; expected a factor of 0 or more")
    return _repriced(snapshot, _known(snapshot, label), lambda price: (price * factor).quantize(PRICE_STEP))


def _repriced(snapshot: Snapshot, labels: Collection[str], moved: Callable[[Decimal], Decimal]) -> Snapshot:
    def each(prices: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
        return tuple(map(moved, prices))

    return replace(
        snapshot,
        offers=tuple(replace(o, price=each(o.price)) if o.offer in labels else o for o in snapshot.offers),
        conversions=tuple(replace(c, fee=each(c.fee)) if c.conversion in labels else c for c in snapshot.conversions),
    )


def with_quota(snapshot: Snapshot, quota: Corridor) -> Snapshot:
    """The market with one more quota."""
    return replace(snapshot, corridors=(*snapshot.corridors, quota))


def clear_all(scenarios: Sequence[Snapshot]) -> list[Answer]:
    """The answer of each scenario, in their order; they are spread over workers where there are some (`fan_out`)."""
    return list(fan_out(run, [(scenario,) for scenario in scenarios]))


def _known(snapshot: Snapshot, label: str | Collection[str]) -> frozenset[str]:
    wanted = frozenset((label,) if isinstance(label, str) else label)
    unknown = wanted - {offer.offer for offer in snapshot.offers} - {c.conversion for c in snapshot.conversions}
    if unknown or not wanted:
        raise InvalidValue(f"{min(unknown, default='nothing')} is neither an offer nor a conversion of this snapshot")
    return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Scenario less base; what does not change is left out.

    Welfare in CNY over the horizon; volume in units by product; price in CNY per unit by product, the mean ex works
    of what both answers trade of it; value traded in CNY by firm, what it sells and what it buys; surplus in
    CNY by firm: what its contracts bring above its asks and fees, and leave below its bids.
    """

    welfare: Decimal
    volume: Mapping[str, Decimal]
    price: Mapping[str, Decimal]
    traded_value: Mapping[str, Decimal]
    surplus: Mapping[str, Decimal]


def difference(base: Cleared, scenario: Cleared) -> Difference:
    """What a scenario changes."""
    return Difference(
        welfare=scenario[1].certificate.welfare - base[1].certificate.welfare,
        volume=_changed(volumes(*base), volumes(*scenario)),
        price=_price_changes(base, scenario),
        traded_value=_changed(_traded_values(*base), _traded_values(*scenario)),
        surplus=_changed(surpluses(*base), surpluses(*scenario)),
    )


def _changed(before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> dict[str, Decimal]:
    keys = sorted(before.keys() | after.keys())
    none = Decimal(0)
    return {key: after.get(key, none) - before.get(key, none) for key in keys if after.get(key) != before.get(key)}


def volumes(snapshot: Snapshot, answer: Answer) -> dict[str, Decimal]:
    """Units traded over the horizon by product."""
    volume: dict[str, Decimal] = defaultdict(Decimal)
    lot = {grade.product: grade.lot for grade in snapshot.grades}
    for contract in answer.contracts:
        volume[contract.product] += contract.rate * (contract.last - contract.first + 1) * lot[contract.product]
    return volume


def met(snapshot: Snapshot, answer: Answer) -> dict[str, Decimal]:
    """Units of demand that buy offers were given over the horizon, by product; what conversions take is not among
    them."""
    wanted = {offer.offer for offer in snapshot.offers if offer.side is Side.BUY}
    given: dict[str, Decimal] = defaultdict(Decimal)
    lot = {grade.product: grade.lot for grade in snapshot.grades}
    for contract in answer.contracts:
        if contract.buyer in wanted:
            given[contract.product] += contract.rate * (contract.last - contract.first + 1) * lot[contract.product]
    return given


def surpluses(snapshot: Snapshot, answer: Answer) -> dict[str, Decimal]:
    """CNY over the horizon by firm, in money of the first period. A processor's is what its output brings less what
    its inputs cost it and its fee; a part of a lot of an input that is left over counts as spent."""
    firm = {offer.offer: offer.firm for offer in snapshot.offers}
    firm |= {conversion.conversion: conversion.firm for conversion in snapshot.conversions}
    price = {offer.offer: offer.price for offer in snapshot.offers}
    fee = {conversion.conversion: conversion.fee for conversion in snapshot.conversions}
    lot = {grade.product: Fraction(grade.lot) for grade in snapshot.grades}
    total: dict[str, Fraction] = defaultdict(Fraction)
    for contract in answer.contracts:
        window = contract.first, contract.last
        amount = contract.rate * Fraction(length(snapshot, *window)) * lot[contract.product]
        asked = mean_price(snapshot, price.get(contract.seller) or fee[contract.seller], *window)
        bid = price.get(contract.buyer)
        worth = Fraction(0) if bid is None else mean_price(snapshot, bid, *window)
        total[firm[contract.seller]] += amount * (Fraction(contract.price_ex_works) - asked)
        total[firm[contract.buyer]] += amount * (worth - Fraction(contract.price_delivered))
    cent = Decimal("0.01")
    return {name: (Decimal(s.numerator) / Decimal(s.denominator)).quantize(cent) for name, s in total.items()}


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


def mean_prices(snapshot: Snapshot, answer: Answer) -> dict[str, Decimal]:
    """CNY per unit ex works by product, the mean over the contracts by volume.

    The shadow prices of single periods would not do: how a window's mean is spread over its periods means nothing.
    """
    value: dict[str, Decimal] = defaultdict(Decimal)
    lot = {grade.product: grade.lot for grade in snapshot.grades}
    for contract in answer.contracts:
        amount = contract.rate * (contract.last - contract.first + 1) * lot[contract.product]
        value[contract.product] += amount * contract.price_ex_works
    return {product: value[product] / volume for product, volume in volumes(snapshot, answer).items()}


def _price_changes(base: Cleared, scenario: Cleared) -> dict[str, Decimal]:
    before, after = mean_prices(*base), mean_prices(*scenario)
    moves = {product: (after[product] - before[product]).quantize(PRICE_STEP) for product in before.keys() & after}
    return {product: moves[product] for product in sorted(moves) if moves[product]}
