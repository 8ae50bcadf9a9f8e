"""A market written out in full for general tools: every lane in every window as one column of one linear programme.

Made straight from the arrays of `matching.sides` and `matching.lanes`, not from the programme that the clearing grows,
so that agreement of optima says something. Making it is not counted against the tool that solves it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from matching.building import build
from matching.lanes import Lanes, admissible, find_lanes
from matching.limits import UNLIMITED
from matching.sides import Market
from matching.snapshot import Snapshot

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Maximise `gain` v over matrix v <= limit, 0 <= v <= most; quantities in lots, gains in CNY."""

    gain: Floats  # [n]
    most: Floats  # [n] infinite where only rows limit
    matrix: sparse.csc_array  # [m, n]
    limit: Floats  # [m]
    lanes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """One period, no conversions: what network methods take. Gains are whole cents, quantities whole lots.

    `lane` columns join seller `tail` to buyer `head`; lanes without gain are left out.
    """

    supply: Ints  # [S]
    demand: Ints  # [B]
    tail: Ints  # [L]
    head: Ints  # [L]
    cents: Ints  # [L] gain per lot
    lanes: int


def write_out(snapshot: Snapshot) -> Written:
    """The whole market as one programme; memory grows with lanes x windows x periods."""
    market = build(snapshot)
    lanes = find_lanes(market)
    first, last, lane = _candidates(market, lanes)
    columns = _Columns(market, lanes)
    columns.contracts(first, last, lane)
    columns.conversions(len(lane))
    activities = market.capacity.size
    length = last - first + 1
    asks, bids = _running(market.sellers.price), _running(market.buyers.price)
    seller, buyer = lanes.seller[lane], lanes.buyer[lane]
    gain = bids[buyer, last + 1] - bids[buyer, first] - asks[seller, last + 1] + asks[seller, first]
    return Written(
        gain=np.concatenate([gain - lanes.freight[lane] * length, -market.fee.ravel()]),
        most=np.concatenate([np.full(len(lane), np.inf), market.capacity.ravel()]),
        matrix=columns.matrix(len(lane) + activities),
        limit=_limits(market, lanes),
        lanes=len(lanes),
    )


def transport(snapshot: Snapshot) -> Transport:
    """:raises ValueError: the market has several periods, conversions or limits beside quantities."""
    market = build(snapshot)
    lanes = find_lanes(market)
    if market.periods > 1 or market.conversions or lanes.families:
        raise ValueError("a network method takes one period without conversions, shares or quotas")
    cents = np.rint(
        100 * (market.buyers.price[lanes.buyer, 0] - market.sellers.price[lanes.seller, 0] - lanes.freight)
    ).astype(np.int64)
    kept = np.flatnonzero(cents > 0)
    return Transport(
        supply=market.sellers.quantity[:, 0],
        demand=market.buyers.quantity[:, 0],
        tail=lanes.seller[kept],
        head=lanes.buyer[kept],
        cents=cents[kept],
        lanes=len(lanes),
    )


def _candidates(market: Market, lanes: Lanes) -> tuple[Ints, Ints, Ints]:
    """First and last period and lane of every lane in every window both sides admit."""
    sell, buy = admissible(market.sellers, market.windows), admissible(market.buyers, market.windows)
    firsts, lasts, found = [], [], []
    for at, (first, last) in enumerate(market.windows.tolist()):
        lane = np.flatnonzero(sell[lanes.seller, at] & buy[lanes.buyer, at] & (first <= lanes.latest_start))
        found.append(lane)
        firsts.append(np.full(len(lane), first))
        lasts.append(np.full(len(lane), last))
    return np.concatenate(firsts), np.concatenate(lasts), np.concatenate(found)


def _running(table: Floats) -> Floats:
    """[n, T + 1] running sums, so that a window's sum is a difference."""
    return np.concatenate([np.zeros((len(table), 1)), np.cumsum(table, axis=1)], axis=1)


class _Columns:
    """Entries of the matrix as they are found: rows of sellers, buyers and limits, each once a period."""

    def __init__(self, market: Market, lanes: Lanes) -> None:
        self.market, self.lanes = market, lanes
        self.rows: list[Ints] = []
        self.columns: list[Ints] = []
        self.entries: list[Floats] = []
        self.above = len(market.sellers)
        self.height = (self.above + len(market.buyers) + len(lanes.families)) * market.periods

    def _put(self, row: Ints, column: Ints, entry: Floats) -> None:
        self.rows.append(row)
        self.columns.append(column)
        self.entries.append(entry)

    def contracts(self, first: Ints, last: Ints, lane: Ints) -> None:
        """One lot of a contract takes one of its seller, buyer and limits; it brings one to a conversion's input."""
        periods = self.market.periods
        buys = self.above + len(self.market.buyers)
        for period in range(periods):
            at = np.flatnonzero((first <= period) & (period <= last))
            seller, buyer = self.lanes.seller[lane[at]], self.lanes.buyer[lane[at]]
            self._put(seller * periods + period, at, np.ones(len(at)))
            sign = np.where(buyer < self.market.buyers.offers, 1.0, -1.0)
            self._put((self.above + buyer) * periods + period, at, sign)
            for kind in range(self.lanes.family.shape[1]):
                family = self.lanes.family[lane[at], kind]
                some = np.flatnonzero(family >= 0)
                self._put((buys + family[some]) * periods + period, at[some], np.ones(len(some)))

    def conversions(self, before: int) -> None:
        """One lot of activity makes one of the output and takes the coefficient of each input."""
        market, periods = self.market, self.market.periods
        made = np.arange(market.capacity.size)
        self._put(market.sellers.offers * periods + made, before + made, -np.ones(len(made)))
        time = np.arange(periods)
        for k, coefficient in enumerate(market.coefficient):
            position = market.buyers.offers + k
            of = int(market.buyers.conversion[position])
            row = (self.above + position) * periods + time
            self._put(row, before + of * periods + time, np.full(periods, float(coefficient)))

    def matrix(self, width: int) -> sparse.csc_array:
        where = np.concatenate(self.rows), np.concatenate(self.columns)
        return sparse.csc_array((np.concatenate(self.entries), where), shape=(self.height, width))


def _limits(market: Market, lanes: Lanes) -> Floats:
    bought = market.buyers.quantity.astype(float)
    for k, stock in enumerate(market.own_stock):
        bought[market.buyers.offers + k] = float(stock)
    families = [np.where(f.limit >= UNLIMITED, np.inf, f.limit).astype(float) for f in lanes.families]
    return np.concatenate([market.sellers.quantity.astype(float), bought, *families], axis=None)
