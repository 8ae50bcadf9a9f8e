"""Limits beside the two quantities of a contract: largest shares, corridor and origin quotas, ceilings on a supplier.

A limit family is one limit with a value for each period. All are in whole lots and take off what is already
committed, so every comparison with them is between integers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from .sides import Ints, Market, origin_of
from .snapshot import Corridor, OriginRule

NO_FAMILY = -1
UNLIMITED = np.iinfo(np.int64).max // 4


class LimitKind(StrEnum):
    """SHARE: what one supplier gives one demand. CORRIDOR: what moves of a product from one region to another.
    CEILING: what one supplier gives of a product in all. ORIGIN: what comes from one origin to a region."""

    SHARE = "share"
    CORRIDOR = "corridor"
    CEILING = "ceiling"
    ORIGIN = "origin"


KINDS = tuple(LimitKind)  # the order of the columns of Lanes.family


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFamily:
    """One limit; `subject` names it: (demand, supplier), (product, from, to), (product, supplier) or
    (product, origin, to)."""

    kind: LimitKind
    product: int
    subject: tuple[str, ...]
    limit: Ints  # [T] lots, UNLIMITED where nothing limits


def limit_families(market: Market, seller: Ints, buyer: Ints) -> tuple[Ints, tuple[LimitFamily, ...]]:
    """The families that touch the lanes given by their two ends, and [L, kind] which family each lane is in."""
    families: list[LimitFamily] = []
    columns = [
        _shares(market, seller, buyer, families),
        _corridors(market, seller, buyer, families),
        _ceilings(market, seller, families),
        _origins(market, seller, buyer, families),
    ]
    return np.stack(columns, axis=1), tuple(families)


def supplier_name(market: Market, group: int) -> str:
    """Name of a group of affiliated suppliers: the group's own, or the firm that stands alone."""
    firm = market.firms[int(market.sellers.firm[int(np.flatnonzero(market.sellers.supplier == group)[0])])]
    return market.snapshot.affiliates.get(firm, firm)


def _shares(market: Market, seller: Ints, buyer: Ints, families: list[LimitFamily]) -> Ints:
    """A share is one of the whole demand posted."""
    offers = {offer.offer: offer for offer in market.snapshot.offers}
    committed = _committed(market, lambda promise: (promise.buy, promise.supplier))
    found = np.full(len(seller), NO_FAMILY, dtype=np.int64)
    for position in range(market.buyers.offers):
        share = market.buyers.max_share[position]
        if share is None or share >= 1:  # the whole demand limits nothing that the demand itself does not
            continue
        label = market.buyers.label[position]
        mine = np.flatnonzero(buyer == position)
        supplier = market.sellers.supplier[seller[mine]]
        cap = _part(share, np.array(offers[label].quantity, dtype=np.int64))
        for group in np.unique(supplier).tolist():
            found[mine[supplier == group]] = len(families)
            limit = np.maximum(cap - committed.get((label, group), 0), 0)
            subject = label, supplier_name(market, group)
            product = int(market.buyers.product[position])
            families.append(LimitFamily(kind=LimitKind.SHARE, product=product, subject=subject, limit=limit))
    return found


def _corridors(market: Market, seller: Ints, buyer: Ints, families: list[LimitFamily]) -> Ints:
    moved = _committed(market, lambda promise: (promise.product, promise.origin, promise.destination))
    ways = _Ways(LimitKind.CORRIDOR, market.snapshot.corridors, market.regions, moved)
    return _quotas(market, ways, (market.sellers.region[seller], seller, buyer), families)


def _origins(market: Market, seller: Ints, buyer: Ints, families: list[LimitFamily]) -> Ints:
    moved = _committed(market, lambda promise: (promise.product, promise.material, promise.destination))
    ways = _Ways(LimitKind.ORIGIN, market.snapshot.origin_rules, market.origins, moved)
    return _quotas(market, ways, (market.sellers.origin[seller], seller, buyer), families)


class _Ways(NamedTuple):
    """Quotas on ways that begin at one of `names` and end in a region, and what is promised on them already."""

    kind: LimitKind
    quotas: Sequence[Corridor | OriginRule]
    names: tuple[str, ...]
    moved: Mapping[object, Ints]


def _quotas(market: Market, ways: _Ways, lanes: tuple[Ints, Ints, Ints], families: list[LimitFamily]) -> Ints:
    """Of several quotas on one way the tightest counts. `lanes` are their begins, sellers and buyers."""
    at = {name: position for position, name in enumerate(market.products)}
    place = {name: position for position, name in enumerate(market.regions)}
    begin = {name: position for position, name in enumerate(ways.names)}
    limits: dict[tuple[str, str, str], Ints] = {}
    for quota in ways.quotas:
        if quota.product in at and quota.origin in begin and quota.destination in place:
            key = quota.product, quota.origin, quota.destination
            limit = limits.setdefault(key, np.full(market.periods, UNLIMITED, dtype=np.int64))
            where = slice(None) if quota.position is None else quota.position
            lots = int(Fraction(quota.limit) / Fraction(market.lot[at[quota.product]]))
            limit[where] = np.minimum(limit[where], lots)
    origin, seller, buyer = lanes
    product, destination = market.sellers.product[seller], market.buyers.region[buyer]
    found = np.full(len(seller), NO_FAMILY, dtype=np.int64)
    for key, limit in sorted(limits.items()):
        found[(product == at[key[0]]) & (origin == begin[key[1]]) & (destination == place[key[2]])] = len(families)
        left = np.where(limit == UNLIMITED, limit, np.maximum(limit - ways.moved.get(key, 0), 0))
        families.append(LimitFamily(kind=ways.kind, product=at[key[0]], subject=key, limit=left))
    return found


def _ceilings(market: Market, seller: Ints, families: list[LimitFamily]) -> Ints:
    """A ceiling is a share of all demand posted for the product, what conversions could take of it included."""
    committed = _committed(market, lambda promise: (promise.product, promise.supplier))
    product, supplier = market.sellers.product[seller], market.sellers.supplier[seller]
    found = np.full(len(seller), NO_FAMILY, dtype=np.int64)
    for ceiling in sorted(market.snapshot.ceilings, key=lambda c: (c.product, c.firm or "")):
        if ceiling.product not in market.products:
            continue
        at = market.products.index(ceiling.product)
        cap = _part(ceiling.share, _posted_demand(market, at))
        for group in np.unique(supplier[product == at]).tolist():
            name = supplier_name(market, group)
            if ceiling.firm is not None and market.snapshot.affiliates.get(ceiling.firm, ceiling.firm) != name:
                continue
            found[(product == at) & (supplier == group)] = len(families)
            limit = np.maximum(cap - committed.get((ceiling.product, group), 0), 0)
            families.append(
                LimitFamily(kind=LimitKind.CEILING, product=at, subject=(ceiling.product, name), limit=limit)
            )
    return found


def _posted_demand(market: Market, product: int) -> Ints:
    """[T] lots."""
    name = market.products[product]
    total = np.zeros(market.periods, dtype=np.int64)
    for offer in market.snapshot.offers:
        if offer.product == name and offer.side == "buy":
            total += np.array(offer.quantity, dtype=np.int64)
    for k, coefficient in enumerate(market.coefficient):
        position = market.buyers.offers + k
        if market.buyers.product[position] == product:
            capacity = market.capacity[int(market.buyers.conversion[position])]
            total += np.array([int(coefficient * int(lots)) for lots in capacity], dtype=np.int64)
    return total


def _part(share: object, lots: Ints) -> Ints:
    """A share of quantities, rounded down to lots, exactly."""
    exact = Fraction(str(share))
    return np.array([int(exact * int(quantity)) for quantity in lots], dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Promise:
    """A commitment with what the limits ask about it."""

    buy: str
    product: str
    supplier: int
    origin: str
    destination: str
    material: str  # where it comes from


def _committed(market: Market, key: Callable[[_Promise], object]) -> Mapping[object, Ints]:
    """Lots already promised in this market, [T] by a key made of each commitment."""
    offers = {offer.offer: offer for offer in market.snapshot.offers}
    region = {label: offer.region for label, offer in offers.items()}
    region |= {conversion.conversion: conversion.region for conversion in market.snapshot.conversions}
    material = {label: origin_of(offer) for label, offer in offers.items()}
    material |= {conversion.conversion: origin_of(conversion) for conversion in market.snapshot.conversions}
    supplier = dict(zip(market.sellers.label, market.sellers.supplier.tolist(), strict=True))
    total: dict[object, Ints] = defaultdict(lambda: np.zeros(market.periods, dtype=np.int64))
    for commitment in market.snapshot.commitments:
        # One end may be a conversion; the other then says which product it is about.
        offer = offers.get(commitment.buy) or offers.get(commitment.sell)
        if offer is None or commitment.sell not in supplier:
            continue
        promise = _Promise(
            buy=commitment.buy,
            product=offer.product,
            supplier=supplier[commitment.sell],
            origin=region[commitment.sell],
            destination=region[commitment.buy],
            material=material[commitment.sell],
        )
        total[key(promise)] += np.array(commitment.quantity, dtype=np.int64)
    return total
