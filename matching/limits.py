"""Limits beside the two quantities of a contract: largest shares, corridor and origin quotas, ceilings on a supplier.

A limit family is one limit with a value for each period. All are in whole lots and take off what is already
committed, so every comparison with them is between integers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from .sides import Ints, Market
from .snapshot import Corridor, OriginRule, origin_of

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
    if not families:
        return _none((len(seller), len(columns))), ()
    return np.stack(columns, axis=1), tuple(families)


def _none(shape: tuple[int, ...]) -> Ints:
    """No lane in any family: a view of one number instead of a table of many."""
    return np.broadcast_to(np.int64(NO_FAMILY), shape)


def supplier_names(market: Market) -> dict[int, str]:
    """Name of each group of affiliated suppliers: the group's own, or the firm that stands alone."""
    affiliates, pairs = market.snapshot.affiliates, zip(market.sellers.supplier, market.sellers.firm, strict=True)
    return {int(group): affiliates.get(market.firms[firm], market.firms[firm]) for group, firm in pairs}


def _shares(market: Market, seller: Ints, buyer: Ints, families: list[LimitFamily]) -> Ints:
    """A share is one of the whole demand posted. A share of 1 limits nothing that the demand itself does not."""
    offers = {offer.offer: offer for offer in market.snapshot.offers}
    committed, names = _committed(market, lambda promise: (promise.buy, promise.supplier)), supplier_names(market)
    capped = np.array([share is not None and share < 1 for share in market.buyers.max_share], dtype=bool)
    if not capped.any():
        return _none(seller.shape)
    found = np.full(len(seller), NO_FAMILY, dtype=np.int64)
    mine = np.flatnonzero(capped[buyer])
    groups = 1 + int(market.sellers.supplier.max(initial=0))
    keys, of = np.unique(buyer[mine] * groups + market.sellers.supplier[seller[mine]], return_inverse=True)
    found[mine] = of + len(families)
    caps: dict[int, Ints] = {}
    for position, group in zip((keys // groups).tolist(), (keys % groups).tolist(), strict=True):
        label = market.buyers.label[position]
        if position not in caps:
            caps[position] = _part(market.buyers.max_share[position], np.array(offers[label].quantity, dtype=np.int64))
        limit = np.maximum(caps[position] - committed.get((label, group), 0), 0)
        product = int(market.buyers.product[position])
        families.append(LimitFamily(kind=LimitKind.SHARE, product=product, subject=(label, names[group]), limit=limit))
    return found


def _corridors(market: Market, seller: Ints, buyer: Ints, families: list[LimitFamily]) -> Ints:
    moved = _committed(market, lambda promise: (promise.product, promise.origin, promise.destination))
    ways = _Ways(LimitKind.CORRIDOR, market.snapshot.corridors, market.regions, moved)
    return _quotas(market, ways, (market.sellers.region, seller, buyer), families)


def _origins(market: Market, seller: Ints, buyer: Ints, families: list[LimitFamily]) -> Ints:
    moved = _committed(market, lambda promise: (promise.product, promise.material, promise.destination))
    ways = _Ways(LimitKind.ORIGIN, market.snapshot.origin_rules, market.origins, moved)
    return _quotas(market, ways, (market.sellers.origin, seller, buyer), families)


class _Ways(NamedTuple):
    """Quotas on ways that begin at one of `names` and end in a region, and what is promised on them already."""

    kind: LimitKind
    quotas: Sequence[Corridor | OriginRule]
    names: tuple[str, ...]
    moved: Mapping[object, Ints]


def _quotas(market: Market, ways: _Ways, lanes: tuple[Ints, Ints, Ints], families: list[LimitFamily]) -> Ints:
    """Of several quotas on one way the tightest counts. `lanes` are where the ways of each seller begin [positions],
    then the sellers and the buyers of the lanes."""
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
    if not limits:
        return _none(seller.shape)
    product, origin, destination = market.sellers.product[seller], origin[seller], market.buyers.region[buyer]
    found = np.full(len(seller), NO_FAMILY, dtype=np.int64)
    for key, limit in sorted(limits.items()):
        found[(product == at[key[0]]) & (origin == begin[key[1]]) & (destination == place[key[2]])] = len(families)
        left = np.where(limit == UNLIMITED, limit, np.maximum(limit - ways.moved.get(key, 0), 0))
        families.append(LimitFamily(kind=ways.kind, product=at[key[0]], subject=key, limit=left))
    return found


def _ceilings(market: Market, seller: Ints, families: list[LimitFamily]) -> Ints:
    """A ceiling is a share of all demand posted for the product, what conversions could take of it included. Of several
    on one supplier the tightest counts."""
    committed = _committed(market, lambda promise: (promise.product, promise.supplier))
    sellers, names = market.sellers, supplier_names(market)
    of_position = np.full(len(sellers), NO_FAMILY, dtype=np.int64)
    of_supplier: dict[tuple[int, int], int] = {}
    for ceiling in sorted(market.snapshot.ceilings, key=lambda c: (c.product, c.firm or "")):
        if ceiling.product not in market.products:
            continue
        at = market.products.index(ceiling.product)
        cap = _part(ceiling.share, _posted_demand(market, at))
        trading = np.unique(sellers.supplier[np.intersect1d(seller, np.flatnonzero(sellers.product == at))])
        for group in trading.tolist():
            name = names[group]
            if ceiling.firm is not None and market.snapshot.affiliates.get(ceiling.firm, ceiling.firm) != name:
                continue
            limit = np.maximum(cap - committed.get((ceiling.product, group), 0), 0)
            if (at, group) in of_supplier:
                known = of_supplier[at, group]
                families[known] = replace(families[known], limit=np.minimum(families[known].limit, limit))
                continue
            of_supplier[at, group] = len(families)
            of_position[(sellers.product == at) & (sellers.supplier == group)] = len(families)
            families.append(
                LimitFamily(kind=LimitKind.CEILING, product=at, subject=(ceiling.product, name), limit=limit)
            )
    return np.asarray(of_position[seller]) if of_supplier else _none(seller.shape)


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
