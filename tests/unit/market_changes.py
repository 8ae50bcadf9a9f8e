"""The same market with its rows in another order, more volume, or other names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeVar

from matching.snapshot import Conversion, Snapshot

T = TypeVar("T")
MANY = 1000  # so many lots a period that one more or less hardly moves a filled share


def mixed(rows: tuple[T, ...], random: Random) -> tuple[T, ...]:
    return tuple(random.sample(rows, len(rows)))


def scaled(market: Snapshot, by: int = MANY) -> Snapshot:
    """The same market with that many times the volume."""
    return replace(
        market,
        offers=tuple(replace(o, quantity=tuple(q * by for q in o.quantity)) for o in market.offers),
        conversions=tuple(
            replace(
                c,
                capacity=tuple(q * by for q in c.capacity),
                inputs=tuple(replace(need, own_stock=need.own_stock * by) for need in c.inputs),
            )
            for c in market.conversions
        ),
        corridors=tuple(replace(c, limit=c.limit * by) for c in market.corridors),
        commitments=tuple(replace(c, quantity=tuple(q * by for q in c.quantity)) for c in market.commitments),
    )


def renamed(market: Snapshot, new: Callable[[str], str]) -> Snapshot:
    """The same market with other names of products, offers, conversions, firms and regions."""
    return replace(
        market,
        grades=tuple(replace(g, product=new(g.product)) for g in market.grades),
        offers=tuple(
            replace(
                o,
                offer=new(o.offer),
                firm=new(o.firm),
                product=new(o.product),
                region=new(o.region),
                only_with=None if o.only_with is None else new(o.only_with),
                approved_firms=None if o.approved_firms is None else frozenset(map(new, o.approved_firms)),
            )
            for o in market.offers
        ),
        conversions=tuple(_renamed_conversion(c, new) for c in market.conversions),
        freight={
            (name if name == "*" else new(name), new(a), new(b)): cost for (name, a, b), cost in market.freight.items()
        },
        corridors=tuple(
            replace(c, product=new(c.product), origin=new(c.origin), destination=new(c.destination))
            for c in market.corridors
        ),
        ceilings=tuple(
            replace(c, product=new(c.product), firm=None if c.firm is None else new(c.firm)) for c in market.ceilings
        ),
        exclusions=frozenset(frozenset(map(new, pair)) for pair in market.exclusions),
        affiliates={new(firm): new(group) for firm, group in market.affiliates.items()},
        commitments=tuple(replace(c, sell=new(c.sell), buy=new(c.buy)) for c in market.commitments),
    )


def _renamed_conversion(conversion: Conversion, new: Callable[[str], str]) -> Conversion:
    return replace(
        conversion,
        conversion=new(conversion.conversion),
        firm=new(conversion.firm),
        product=new(conversion.product),
        region=new(conversion.region),
        inputs=tuple(replace(need, product=new(need.product)) for need in conversion.inputs),
    )
