"""Block terms: minimum rate, all-or-none, exclusive groups.

The divisible market is cleared first; where its answer breaks a block term the lane or the offer is left out and the
rest is cleared again, until nothing is broken. The answer always keeps every term, no one is matched at a loss, and
the certificate gives the gap to the divisible bound and claims no absence of blocking pairs for these offers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .answer import Contract
from .snapshot import Offer, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What a clearing leaves out: whole offers, and pairs (seller, buyer) by label."""

    offers: frozenset[str] = frozenset()
    pairs: frozenset[tuple[str, str]] = frozenset()

    def from_snapshot(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot without the offers left out, nor what they are committed to."""
        if not self.offers:
            return snapshot
        return replace(
            snapshot,
            offers=tuple(o for o in snapshot.offers if o.offer not in self.offers),
            commitments=tuple(c for c in snapshot.commitments if not {c.sell, c.buy} & self.offers),
        )


def block_offers(snapshot: Snapshot) -> frozenset[str]:
    """Offers with a term that makes the problem indivisible."""
    return frozenset(o.offer for o in snapshot.offers if o.min_rate > 1 or o.all_or_none or o.group)


def next_left_out(snapshot: Snapshot, contracts: Sequence[Contract], left_out: LeftOut) -> LeftOut | None:
    """More to leave out because an answer breaks block terms; None when it breaks none.

    Least filled first: of an exclusive group the fullest offer stays; of the contracts below a minimum rate an
    offer's largest is tried once more with the others gone.
    """
    offers = {offer.offer: offer for offer in snapshot.offers}
    pairs = _below_minimum(offers, contracts)
    if pairs:
        return replace(left_out, pairs=left_out.pairs | pairs)
    dropped = _beside_in_group(offers, contracts) or _least_filled(offers, contracts, snapshot)
    return replace(left_out, offers=left_out.offers | dropped) if dropped else None


def _volumes(contracts: Sequence[Contract]) -> dict[str, int]:
    volume: dict[str, int] = defaultdict(int)
    for contract in contracts:
        lots = contract.rate * (contract.last - contract.first + 1)
        volume[contract.seller] += lots
        volume[contract.buyer] += lots
    return volume


def _below_minimum(offers: dict[str, Offer], contracts: Sequence[Contract]) -> frozenset[tuple[str, str]]:
    below: dict[str, list[Contract]] = defaultdict(list)
    for contract in contracts:
        for label in (contract.seller, contract.buyer):
            if label in offers and contract.rate < offers[label].min_rate:
                below[label].append(contract)
    out = set()
    for few in below.values():
        few.sort(key=lambda c: (c.rate * (c.last - c.first + 1), c.seller, c.buyer, c.first))
        out |= {(c.seller, c.buyer) for c in (few[:-1] or few)}
    return frozenset(out)


def _beside_in_group(offers: dict[str, Offer], contracts: Sequence[Contract]) -> frozenset[str]:
    """Of every exclusive group that trades more than once, all offers but the fullest."""
    volume = _volumes(contracts)
    out: set[str] = set()
    for members in trading_groups(offers, contracts).values():
        out |= set(sorted(members, key=lambda label: (volume[label], label))[:-1])
    return frozenset(out)


def trading_groups(offers: dict[str, Offer], contracts: Sequence[Contract]) -> dict[tuple[str, str], list[str]]:
    """The offers that trade, by firm and exclusive group."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for label in sorted(_volumes(contracts)):
        if label in offers and offers[label].group:
            groups[offers[label].firm, offers[label].group].append(label)
    return groups


def _least_filled(offers: dict[str, Offer], contracts: Sequence[Contract], snapshot: Snapshot) -> frozenset[str]:
    """The all-or-none offer with the smallest filled share, if one is not whole."""
    shares = partly_filled(offers, contracts, snapshot)
    return frozenset([min(shares, key=lambda label: (shares[label], label))]) if shares else frozenset()


def partly_filled(offers: dict[str, Offer], contracts: Sequence[Contract], snapshot: Snapshot) -> dict[str, float]:
    """All-or-none offers that sell or buy some but not all of what is free, and what share."""
    committed: dict[str, int] = defaultdict(int)
    for commitment in snapshot.commitments:
        committed[commitment.sell] += sum(commitment.quantity)
        committed[commitment.buy] += sum(commitment.quantity)
    volume = _volumes(contracts)
    free = {
        label: sum(offers[label].quantity) - committed[label]
        for label in volume
        if label in offers and offers[label].all_or_none
    }
    return {label: volume[label] / free[label] for label in free if volume[label] < free[label]}
