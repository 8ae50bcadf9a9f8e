"""Block terms of offers, and which of them a set of contracts breaks, by label and in whole lots.

Minimum rate, all-or-none, exclusive group, most contracts and "only with" make the market indivisible. Prices by
quantity need no term of their own: steps that grow worse with volume are several offers, a discount for volume is an
exclusive group of offers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from .answer import Contract
from .snapshot import Offer, Snapshot


def block_offers(snapshot: Snapshot) -> frozenset[str]:
    """Offers with a term that makes the problem indivisible."""
    return frozenset(
        o.offer
        for o in snapshot.offers
        if o.min_rate > 1 or o.all_or_none or o.group or o.most_contracts is not None or o.only_with is not None
    )


def tied_products(snapshot: Snapshot) -> frozenset[tuple[str, str]]:
    """Pairs of products that an exclusive group or an offer depending on another ties together."""
    product = {offer.offer: offer.product for offer in snapshot.offers}
    tied = {(o.product, product[o.only_with]) for o in snapshot.offers if o.only_with in product}
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for offer in snapshot.offers:
        if offer.group:
            groups[offer.firm, offer.group].add(offer.product)
    return frozenset(tied | {pair for group in groups.values() for pair in combinations(sorted(group), 2)})


def block_faults(snapshot: Snapshot, contracts: Sequence[Contract]) -> Iterator[str]:
    """Every block term but minimum rates that contracts break, in words; commitments count as taken."""
    offers = {offer.offer: offer for offer in snapshot.offers}
    volume = _volumes(contracts)
    partners = _partners(snapshot)
    yield from _partly_filled(snapshot, offers, volume)
    yield from _beside_in_group(offers, volume, partners)
    yield from _too_many(snapshot, offers, contracts, partners)
    for label in sorted(volume.keys() & offers.keys()):
        parent = offers[label].only_with
        if parent is not None and parent not in volume and not partners[parent]:
            yield f"{label} trades without {parent}"


def _volumes(contracts: Sequence[Contract]) -> dict[str, int]:
    volume: dict[str, int] = defaultdict(int)
    for contract in contracts:
        lots = contract.rate * (contract.last - contract.first + 1)
        volume[contract.seller] += lots
        volume[contract.buyer] += lots
    return dict(volume)


def _partners(snapshot: Snapshot) -> Mapping[str, set[str]]:
    """The firms each offer is committed to."""
    firm = {offer.offer: offer.firm for offer in snapshot.offers}
    found: dict[str, set[str]] = defaultdict(set)
    for commitment in snapshot.commitments:
        if any(commitment.quantity):
            found[commitment.sell].add(firm[commitment.buy])
            found[commitment.buy].add(firm[commitment.sell])
    return found


def _partly_filled(snapshot: Snapshot, offers: Mapping[str, Offer], volume: Mapping[str, int]) -> Iterator[str]:
    """All-or-none offers that sell or buy some but not all of what is free."""
    committed: dict[str, int] = defaultdict(int)
    for commitment in snapshot.commitments:
        committed[commitment.sell] += sum(commitment.quantity)
        committed[commitment.buy] += sum(commitment.quantity)
    for label in sorted(volume.keys() & offers.keys()):
        free = sum(offers[label].quantity) - committed[label]
        if offers[label].all_or_none and volume[label] < free:
            yield f"{label}: {volume[label] / free:.1%} of an all-or-none offer"


def _beside_in_group(
    offers: Mapping[str, Offer], volume: Mapping[str, int], partners: Mapping[str, set[str]]
) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    for label in sorted(offers):
        if offers[label].group:
            groups[offers[label].firm, offers[label].group].append(offers[label])
    for (_, group), members in sorted(groups.items()):
        trading = [one.offer for one in members if one.offer in volume]
        taken = [one.offer for one in members if one.offer in volume or partners.get(one.offer)]
        if len(trading) > 1 or (trading and len(taken) > 1 and not partners.get(trading[0])):
            yield f"exclusive group {group}: {', '.join(taken)} all trade"


def _too_many(
    snapshot: Snapshot,
    offers: Mapping[str, Offer],
    contracts: Sequence[Contract],
    partners: Mapping[str, set[str]],
) -> Iterator[str]:
    firm = {o.offer: o.firm for o in snapshot.offers} | {c.conversion: c.firm for c in snapshot.conversions}
    found: dict[str, set[str]] = defaultdict(set)
    for contract in contracts:
        found[contract.seller].add(firm[contract.buyer])
        found[contract.buyer].add(firm[contract.seller])
    for label in sorted(found.keys() & offers.keys()):
        most, bound = offers[label].most_contracts, partners.get(label, set())
        new = found[label] - bound
        if most is not None and new and len(new | bound) > most:
            yield f"{label}: contracts with {len(new | bound)} firms; it asks for {most} at most"
