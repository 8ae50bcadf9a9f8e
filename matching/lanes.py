"""Who may trade with whom: eligible pairs of a selling and a buying position, made in blocks of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from .limits import LimitFamily, limit_families
from .sides import Bools, Floats, Ints, Market, MarketSide

PAIRS_PER_BLOCK = 1_000_000  # bounds the memory of one eligibility table to a few MB


class Requirement(StrEnum):
    """What a pair must satisfy to be a lane; the order is the order in which a refusal is told."""

    SPECIFICATION = "specification"
    CERTIFICATE = "certificate"
    EXCLUSION = "exclusion"
    ORIGIN = "origin"
    REGION = "region"
    TERM = "term"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """All eligible pairs; L lanes. `freight` is CNY per lot and period; `latest_start` the last position at which a
    contract may begin (certificates); `family` holds the limit families of a lane, NO_FAMILY where none."""

    seller: Ints  # [L]
    buyer: Ints  # [L]
    freight: Floats  # [L]
    latest_start: Ints  # [L]
    family: Ints  # [L, one column a kind of limit]
    families: tuple[LimitFamily, ...]

    def __len__(self) -> int:
        return len(self.seller)


def admissible(side: MarketSide, windows: Ints, which: slice | Ints = slice(None)) -> Bools:
    """[n, W]: may the position, or each of some, contract over the window, by its open periods and its terms alone."""
    first, last = windows[:, 0], windows[:, 1]
    length, open_in = last - first + 1, side.open[which]
    opened = np.concatenate([np.zeros((len(open_in), 1), dtype=np.int64), np.cumsum(open_in, axis=1)], axis=1)
    inside = opened[:, last + 1] - opened[:, first] == length
    allowed: Bools = inside & (length >= side.min_term[which, None]) & (length <= side.max_term[which, None])
    return allowed


def refusals(market: Market, sellers: Ints, buyers: Ints) -> dict[Requirement, Bools]:
    """For each requirement a table [len(sellers), len(buyers)]: True where the pair fails it.

    The positions must be of one product.
    """
    s, b = market.sellers, market.buyers
    fails = {Requirement.SPECIFICATION: s.rank[sellers][:, None] < b.rank[buyers][None, :]}
    for k, sign in enumerate(market.attribute_sign):
        wanted, given = b.attributes[buyers, k][None, :], s.attributes[sellers, k][:, None]
        # A comparison with NaN is False: a seller who guarantees nothing fails every buyer who asks.
        fails[Requirement.SPECIFICATION] |= ~(np.isnan(wanted) | (sign * given >= sign * wanted))
    latest = _latest_start(market, sellers, buyers)
    fails[Requirement.CERTIFICATE] = latest < 0
    fails[Requirement.EXCLUSION] = _excluded(market, sellers, buyers)
    fails[Requirement.ORIGIN] = b.barred[buyers][:, s.origin[sellers]].T
    products = s.product[sellers][:, None]
    fails[Requirement.REGION] = np.isnan(
        market.freight[products, s.region[sellers][:, None], b.region[buyers][None, :]]
    )
    fails[Requirement.TERM] = ~_common_window(market, sellers, buyers, np.where(latest < 0, market.periods, latest))
    return fails


def _latest_start(market: Market, sellers: Ints, buyers: Ints) -> Ints:
    """Last position at which every certificate the buyer requires is valid; -1 where one is missing."""
    latest = np.full((len(sellers), len(buyers)), market.periods, dtype=np.int64)
    for k in range(market.sellers.certificates.shape[1]):
        required = market.buyers.certificates[buyers, k] >= 0
        held = market.sellers.certificates[sellers, k]
        latest = np.where(required[None, :], np.minimum(latest, held[:, None]), latest)
    return latest


def _excluded(market: Market, sellers: Ints, buyers: Ints) -> Bools:
    s, b = market.sellers, market.buyers
    table = np.zeros((len(sellers), len(buyers)), dtype=bool)
    if market.excluded:
        pairs = np.zeros((len(market.firms), len(market.firms)), dtype=bool)
        pairs[tuple(np.array(sorted(market.excluded)).T)] = True
        table |= pairs[s.firm[sellers][:, None], b.firm[buyers][None, :]]
    for column, buyer in enumerate(buyers):
        approved = b.approved[buyer]
        if approved is not None:
            table[:, column] |= ~np.isin(s.firm[sellers], sorted(approved))
    return table


def _common_window(market: Market, sellers: Ints, buyers: Ints, latest: Ints) -> Bools:
    """Is there a window that both sides admit and that begins no later than `latest`?"""
    sold = admissible(market.sellers, market.windows, sellers).astype(np.float32)
    bought = admissible(market.buyers, market.windows, buyers).astype(np.float32)
    found = np.zeros(latest.shape, dtype=bool)
    for start in np.flatnonzero(np.bincount(latest.ravel())):
        early = market.windows[:, 0] <= start
        found |= (latest == start) & (sold[:, early] @ bought[:, early].T > 0)
    return found


def blocks(market: Market) -> Iterator[tuple[Ints, Ints]]:
    """Sellers and buyers of one product at a time, cut so that a table of pairs stays small."""
    for product in range(len(market.products)):
        sellers = np.flatnonzero(market.sellers.product == product)
        buyers = np.flatnonzero(market.buyers.product == product)
        if not len(sellers) or not len(buyers):
            continue
        step = max(1, PAIRS_PER_BLOCK // len(buyers))
        for start in range(0, len(sellers), step):
            yield sellers[start : start + step], buyers


def find_lanes(market: Market, left_out: frozenset[tuple[str, str]] = frozenset()) -> Lanes:
    """Every eligible pair, by product, seller, buyer; `left_out` names pairs (seller, buyer) to do without."""
    seller_out = {label for label, _ in left_out}
    sellers, buyers, latest, freight = [], [], [], []
    certified = bool((market.buyers.certificates >= 0).any())
    for some, others in blocks(market):
        failed = np.zeros((len(some), len(others)), dtype=bool)
        for table in refusals(market, some, others).values():
            failed |= table
        for row in [at for at, i in enumerate(some) if market.sellers.label[i] in seller_out]:
            label = market.sellers.label[some[row]]
            failed[row] |= [(label, market.buyers.label[j]) in left_out for j in others]
        rows, columns = np.nonzero(~failed)
        sellers.append(some[rows])
        buyers.append(others[columns])
        freight.append(_freight(market, sellers[-1], buyers[-1]))
        if certified:
            latest.append(_latest_start(market, some, others)[rows, columns])
    seller, buyer = _joined(sellers), _joined(buyers)
    family, families = limit_families(market, seller, buyer)
    return Lanes(
        seller=seller,
        buyer=buyer,
        freight=np.concatenate([np.zeros(0), *freight]),
        latest_start=_joined(latest) if certified else np.broadcast_to(np.int64(market.periods), seller.shape),
        family=family,
        families=families,
    )


def _freight(market: Market, seller: Ints, buyer: Ints) -> Floats:
    """CNY per lot and period of some lanes; nothing where one side's price includes it."""
    free = market.sellers.freight_included[seller] | market.buyers.freight_included[buyer]
    origin, destination = market.sellers.region[seller], market.buyers.region[buyer]
    return np.where(free, 0.0, market.freight[market.sellers.product[seller], origin, destination])


def _joined(parts: list[Ints]) -> Ints:
    """The parts in one array; they are let go, as all lanes twice may be more than there is room for."""
    joined = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
    parts.clear()
    return joined
