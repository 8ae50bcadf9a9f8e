"""Block terms of a market as arrays, and where a set of rates breaks them.

A party is a position on either side: selling positions first, buying positions after them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from .lanes import Lanes
from .limits import UNLIMITED
from .pricing import Candidates
from .program import Program
from .segments import between_boundaries
from .sides import Bools, Floats, Ints, Market
from .snapshot import Offer

NOBODY = -1
NOTHING = 1e-8  # a rate below this, in typical values, is a solver's zero
ROUNDED = 1e-9  # what sums of rates are rounded by, relative to what a term asks
NEAR = 1e-6  # of a lot: less is told from nothing by no rate
HALF_LOT = 0.5  # whole lots are told apart whatever the solver's nothing comes to


class Term(StrEnum):
    """What an offer may ask that makes it indivisible; the order is that in which a breach is mended."""

    LEAST = "minimum rate"
    GROUP = "exclusive group"
    MOST = "most contracts"
    PARENT = "only with"
    WHOLE = "all or none"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTerms:
    """The block terms of a market of N parties.

    `bound` holds, for parties with a largest number of counterparties, the firms they are committed to already;
    `idle` are parties whose terms allow no contract whatever the answer: the offer they depend on is not there,
    another of their exclusive group is committed, or no window ends where the quantity of an all-or-none offer changes.
    """

    whole: Bools  # [N] all or none
    least: Ints  # [N] lots per period that each contract must have; 1 where nothing is asked
    most: Ints  # [N] counterparties it may have beside `bound`, UNLIMITED where nothing limits
    bound: dict[int, frozenset[int]]
    groups: tuple[tuple[int, ...], ...]  # of each at most one may trade
    parent: Ints  # [N] the party that must trade too, NOBODY where none
    idle: Bools  # [N]

    @property
    def any(self) -> bool:
        asked = self.whole.any() or (self.least > 1).any() or (self.most < UNLIMITED).any()
        return bool(asked or self.groups or (self.parent != NOBODY).any() or self.idle.any())

    @property
    def grouped(self) -> Bools:
        """[N] members of an exclusive group."""
        found = np.zeros(len(self.whole), dtype=bool)
        for members in self.groups:
            found[list(members)] = True
        return found


def read_terms(market: Market) -> BlockTerms:
    """The block terms of a market; what is committed already counts as taken."""
    offers = {offer.offer: offer for offer in market.snapshot.offers}
    at = _party_of(market)
    count = len(market.sellers) + len(market.buyers)
    committed = _committed_firms(market)
    even = _even(market)
    whole, idle = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    least, most = np.ones(count, dtype=np.int64), np.full(count, UNLIMITED, dtype=np.int64)
    parent, bound = np.full(count, NOBODY, dtype=np.int64), {}
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for label, party in at.items():
        offer = offers[label]
        whole[party], least[party] = offer.all_or_none, max(offer.min_rate, 1)
        idle[party] = offer.all_or_none and not even[party]
        if offer.most_contracts is not None:
            bound[party] = frozenset(committed[label])
            most[party] = max(offer.most_contracts - len(committed[label]), 0)
        if offer.group:
            groups[offer.firm, offer.group].append(party)
        if offer.only_with is not None and not committed[offer.only_with]:
            parent[party] = at.get(offer.only_with, NOBODY)
            idle[party] |= parent[party] == NOBODY
    for members in groups.values():
        labels = {party: label for label, party in at.items() if party in members}
        taken = [party for party in members if committed[labels[party]]]
        idle[[party for party in members if taken and party not in taken]] = True
    return BlockTerms(
        whole=whole,
        least=least,
        most=most,
        bound=bound,
        groups=tuple(tuple(sorted(members)) for _, members in sorted(groups.items()) if len(members) > 1),
        parent=parent,
        idle=idle,
    )


def _even(market: Market) -> Bools:
    """[N] is as much free in every period of each segment? What is not can never be taken whole: a contract has one
    rate over all of a segment."""
    segments = between_boundaries(market.windows, market.periods)
    free = np.concatenate([market.sellers.quantity, market.buyers.quantity])
    return np.asarray((free == segments.smallest(free)[:, segments.of]).all(axis=1))


def _party_of(market: Market) -> dict[str, int]:
    """Offers by label."""
    sells = len(market.sellers)
    sold = {label: i for i, label in enumerate(market.sellers.label[: market.sellers.offers])}
    return sold | {label: sells + j for j, label in enumerate(market.buyers.label[: market.buyers.offers])}


def _committed_firms(market: Market) -> dict[str, set[int]]:
    """By offer, the firms it is committed to."""
    offers: dict[str, Offer] = {offer.offer: offer for offer in market.snapshot.offers}
    firm = {name: at for at, name in enumerate(market.firms)}
    found: dict[str, set[int]] = defaultdict(set)
    for commitment in market.snapshot.commitments:
        if any(commitment.quantity):
            for one, other in ((commitment.sell, commitment.buy), (commitment.buy, commitment.sell)):
                # A firm that has no other offer here is nobody else's counterparty; it still counts.
                name = offers[other].firm
                found[one].add(firm.get(name, -1 - len(found[one])))
    return found


class Rooms:
    """The most one contract could have: the smallest quantity or limit over its window, lots per period."""

    def __init__(self, market: Market, lanes: Lanes) -> None:
        self.market, self.lanes = market, lanes
        self.sold = _smallest(market, market.sellers.quantity)
        self.sold[market.sellers.offers :] = _smallest(market, market.capacity)
        self.bought = _smallest(market, market.buyers.quantity)
        for k, coefficient in enumerate(market.coefficient):
            taken = int(market.buyers.conversion[market.buyers.offers + k])
            wanted = np.ceil(self.sold[market.sellers.offers + taken] * float(coefficient)).astype(np.int64)
            self.bought[market.buyers.offers + k] = wanted
        limits = np.array([family.limit for family in lanes.families], dtype=np.int64).reshape(-1, market.periods)
        # One more row that limits nothing at the end: lanes without a family point at -1.
        self.moved = _smallest(market, np.concatenate([limits, np.full((1, market.periods), UNLIMITED)]))

    def of(self, lane: Ints, window: Ints) -> Ints:
        """For candidates given by lane and window."""
        most = np.minimum(self.sold[self.lanes.seller[lane], window], self.bought[self.lanes.buyer[lane], window])
        for kind in range(self.lanes.family.shape[1]):
            most = np.minimum(most, self.moved[self.lanes.family[lane, kind], window])
        return most


def _smallest(market: Market, table: Ints) -> Ints:
    """[n, W] smallest entry of a [n, T] table in each window."""
    found = np.empty((len(table), len(market.windows)), dtype=np.int64)
    for at, (first, last) in enumerate(market.windows):
        found[:, at] = table[:, first : last + 1].min(axis=1, initial=UNLIMITED)
    return found


def least_rate(terms: BlockTerms, market: Market, lanes: Lanes, lane: Ints) -> Ints:
    """The smallest rate a contract on each of some lanes may have, by both sides' terms."""
    buyer = len(market.sellers) + lanes.buyer[lane]
    return np.maximum(terms.least[lanes.seller[lane]], terms.least[buyer])


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A term that rates break: whose it is, the candidate for a minimum rate, and how much of what it asks is there
    (of a group or a counterparty too many, its part of the trade)."""

    term: Term
    party: int
    share: float
    candidate: int = NOBODY
    firm: int = NOBODY


def short_of(amount: Floats | Ints | float, asked: Floats | Ints | float, nothing: Floats | float) -> Bools:
    """Which amounts of lots fall short of what is asked by more than a solver's `nothing`; never a whole lot."""
    return np.asarray(asked - amount > np.minimum(nothing + NEAR + ROUNDED * asked, HALF_LOT))


class Trade:
    """Rates of candidates, lots per period, seen from the parties; `least` [candidates] is what counts as a trade, and
    by how much a rate may miss what it is meant to be."""

    def __init__(
        self, market: Market, lanes: Lanes, candidates: Candidates, rates: Floats | Ints, least: Floats
    ) -> None:
        self.market, self.lanes, self.candidates, self.rates = market, lanes, candidates, rates
        self.nothing = least
        first, last = market.windows[candidates.window].T
        self.traded = rates > least
        self.volume = np.where(self.traded, rates, 0) * (last - first + 1)
        self.seller = lanes.seller[candidates.lane]
        self.buyer = len(market.sellers) + lanes.buyer[candidates.lane]
        count = len(market.sellers) + len(market.buyers)
        self.by_party = np.bincount(self.seller, self.volume, count) + np.bincount(self.buyer, self.volume, count)

    @classmethod
    def of_point(cls, program: Program, variables: Floats) -> Trade:
        """The trade of a point of a programme that may have had fewer candidates."""
        count = len(variables) - program.fixed
        found = Candidates(lane=program.candidates.lane[:count], window=program.candidates.window[:count])
        unit = program.value / program.level[program.market.sellers.product[program.seller[:count]]]
        # Lots of a solver's nothing; where lots are small next to the volumes, half of one is nothing too.
        least = np.minimum(unit * NOTHING, HALF_LOT)
        return cls(program.market, program.lanes, found, variables[program.fixed :] * unit, least)

    def of(self, party: int) -> Ints:
        """The candidates a party trades."""
        return np.flatnonzero(self.traded & ((self.seller == party) | (self.buyer == party)))

    def counterparties(self, party: int) -> dict[int, float]:
        """Volume by the other side's firm."""
        mine = self.of(party)
        selling = party < len(self.market.sellers)
        firm = self.market.buyers.firm[self.buyer[mine] - len(self.market.sellers)]
        firm = firm if selling else self.market.sellers.firm[self.seller[mine]]
        found: dict[int, float] = defaultdict(float)
        for name, lots in zip(firm.tolist(), self.volume[mine].tolist(), strict=True):
            found[name] += lots
        return found


def breaches(terms: BlockTerms, trade: Trade) -> list[Breach]:
    """Every block term that the rates break."""
    return [
        *_below_least(terms, trade),
        *_beside_in_group(terms, trade),
        *_counterparties_too_many(terms, trade),
        *_without_parent(terms, trade),
        *_partly_filled(terms, trade),
    ]


def _below_least(terms: BlockTerms, trade: Trade) -> Iterator[Breach]:
    ends = np.stack([trade.seller, trade.buyer])
    least = terms.least[ends]
    below = trade.traded & (least > 1) & short_of(trade.rates, least, trade.nothing)
    for k in np.flatnonzero(below.any(axis=0)).tolist():
        for end in np.flatnonzero(below[:, k]).tolist():
            share = float(trade.rates[k] / least[end, k])
            yield Breach(term=Term.LEAST, party=int(ends[end, k]), share=share, candidate=k)


def _beside_in_group(terms: BlockTerms, trade: Trade) -> Iterator[Breach]:
    """Of every exclusive group that trades more than once, all but the fullest."""
    for members in terms.groups:
        trading = sorted((trade.by_party[party], party) for party in members if trade.by_party[party] > 0)
        for volume, party in trading[:-1]:
            yield Breach(term=Term.GROUP, party=party, share=float(volume / sum(lots for lots, _ in trading)))


def _counterparties_too_many(terms: BlockTerms, trade: Trade) -> Iterator[Breach]:
    """Counterparties beyond the largest ones that are allowed."""
    for party, bound in terms.bound.items():
        others = {firm: lots for firm, lots in trade.counterparties(party).items() if firm not in bound}
        allowed = int(terms.most[party])
        for firm in sorted(others, key=lambda firm: (-others[firm], firm))[allowed:]:
            share = others[firm] / sum(others.values())
            yield Breach(term=Term.MOST, party=party, share=share, firm=firm)


def _without_parent(terms: BlockTerms, trade: Trade) -> Iterator[Breach]:
    """Rates that come to less than a lot will not be a trade once lots are whole."""
    for party in np.flatnonzero((terms.parent != NOBODY) & (trade.by_party > 0)).tolist():
        theirs = trade.of(int(terms.parent[party]))
        if short_of(trade.rates[theirs].sum(), 1, trade.nothing[theirs].max(initial=0.0)):
            yield Breach(term=Term.PARENT, party=party, share=0.0)


def _partly_filled(terms: BlockTerms, trade: Trade) -> Iterator[Breach]:
    offered = np.concatenate([trade.market.sellers.quantity, trade.market.buyers.quantity]).sum(axis=1)
    for party in np.flatnonzero(terms.whole & (trade.by_party > 0)).tolist():
        nothing = trade.nothing[trade.of(party)].max(initial=0.0)
        if short_of(trade.by_party[party], offered[party], nothing):
            yield Breach(term=Term.WHOLE, party=party, share=float(trade.by_party[party] / offered[party]))
