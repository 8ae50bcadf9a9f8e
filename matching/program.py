"""The linear programme of one sub-market over a growing set of candidates.

Variables: the activity of each conversion in each segment of periods; one slack for each row of a conversion, which
only the price stage opens; then the rate of each candidate. Rows: each selling and buying position in each segment
(for a conversion, its balance), then each limit family in each segment. All quantities are counted in value at the
product's typical price, divided by one typical value, so that coefficients are near one; prices are relative to the
product's typical price.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from .engine import INFINITY, Engine, Face
from .lanes import Lanes
from .limits import UNLIMITED
from .parts import Parts, implied
from .pricing import Candidates, Duals, conversion_margin, family_level
from .segments import Segments, between_boundaries, cross
from .sides import Bools, Floats, Ints, Market

SUPPORT = 1e-9  # a rate above this, in typical values, counts as traded
TANGLED = 50_000  # rows; see `Program.tangled`
COLUMNS_PER_BLOCK = 200_000  # bounds the memory that entries take while they are put in order


class Program:
    """A market restricted to some candidates; see the module for variables and rows.

    `value` is the typical value (CNY) that counts as one; `level` the typical price of each product. `in_parts`: a
    candidate over a long window is added as those of its parts, see `parts`.
    """

    def __init__(self, market: Market, lanes: Lanes, engine: type[Engine], *, in_parts: bool = False) -> None:
        self.market, self.lanes = market, lanes
        self.parts = Parts(market, lanes) if in_parts else None
        self.segments = between_boundaries(market.windows, market.periods)
        self.level = market.level
        self.value = typical_value(market, self.level)
        self.row_level = _row_level(market, lanes, self.level, len(self.segments))
        self.room = _room(market, lanes)
        smallest = self.segments.smallest(self.room).ravel()
        # A row that limits nothing has no entries; 0 is as good as any right-hand side.
        self.limits = np.where(np.isfinite(smallest), smallest, 0.0) * self.row_level / self.value
        makes = market.sellers.product[market.sellers.offers :]
        worth = self.level[makes][:, None]
        self.capacity = (self.segments.smallest(market.capacity) * worth / self.value).ravel()
        self.fee = (self.segments.total(market.fee) / worth).ravel()
        self.implied = _implied(market, lanes, self.segments)
        self.inside = np.flatnonzero(_of_conversions(market, lanes, len(self.segments)))
        self.fixed = len(self.capacity) + len(self.inside)  # variables before the first candidate
        self.engine = engine(len(self.limits))
        self.engine.add_columns(_conversion_columns(market, lanes, self.level, len(self.segments)))
        slack = -np.ones(len(self.inside)), (self.inside, np.arange(len(self.inside)))
        self.engine.add_columns(sparse.csc_array(slack, shape=(len(self.limits), len(self.inside))))
        empty = np.zeros(0, dtype=np.int64)
        self.candidates = Candidates(lane=empty, window=empty)
        self.closed = np.zeros(0, dtype=bool)  # candidates that only a basis needs; they are never traded
        self._sums = _window_sums(market.buyers.price), _window_sums(market.sellers.price)
        self.margin = np.zeros(0)  # welfare of one unit of each candidate

    def add(self, wanted: Candidates) -> int:
        """Add the candidates that are not yet there; how many were new."""
        new = (wanted if self.parts is None else self.parts.of(wanted)).without(self.candidates)
        first, last = self.market.windows[new.window].T
        seller, buyer = self.lanes.seller[new.lane], self.lanes.buyer[new.lane]
        bids, asks = self._sums
        margin = bids[buyer, last + 1] - bids[buyer, first] - asks[seller, last + 1] + asks[seller, first]
        margin -= self.lanes.freight[new.lane] * self.market.lengths[new.window]
        self.margin = np.concatenate([self.margin, margin / self.level[self.market.sellers.product[seller]]])
        blocks = [self._columns(new.some(at, at + COLUMNS_PER_BLOCK)) for at in range(0, len(new), COLUMNS_PER_BLOCK)]
        if blocks:
            self.engine.add_columns(sparse.csc_array(sparse.hstack(blocks, format="csc")))
        self.candidates = self.candidates.followed_by(new)
        self.closed = np.concatenate([self.closed, np.zeros(len(new), dtype=bool)])
        return len(new)

    def _columns(self, candidates: Candidates) -> sparse.csc_array:
        columns = _candidate_columns(self.market, self.lanes, self.segments, candidates)
        columns.data[self.implied[columns.indices]] = 0.0
        columns.eliminate_zeros()
        return columns

    def complete(self, wanted: Candidates) -> None:
        """Add candidates over the windows they have, not in parts, and let go of closed ones. The programme is not
        solved as one any more, so that its solver is let go."""
        self.parts, written = None, Engine(len(self.limits))
        written.add_columns(self.engine.matrix)
        self.engine = written
        self.keep(~self.closed)
        self.add(wanted)

    def keep(self, which: Bools) -> None:
        """Let go of the other candidates [n], none of which is basic."""
        self.candidates = Candidates(lane=self.candidates.lane[which], window=self.candidates.window[which])
        self.closed, self.margin = self.closed[which], self.margin[which]
        self.engine.keep(np.concatenate([np.ones(self.fixed, dtype=bool), which]))

    def close(self, which: Bools) -> None:
        """Keep some candidates [n] from being traded: a basis was taken over with them, and no side asks for them."""
        self.closed = which

    @property
    def tangled(self) -> bool:
        """A large programme in which windows cross and conversions tie products together: its optimum lies so far from
        those of simpler markets that a start from nothing is the shorter way."""
        crossing = len(self.market.conversions) > 0 and cross(self.market.windows)
        return crossing and len(self.limits) > TANGLED

    @property
    def face(self) -> Face:
        """All feasible points."""
        rates, slacks = np.zeros(len(self.candidates)), np.zeros(len(self.inside))
        return Face(
            engine=self.engine,
            row_lower=np.full(len(self.limits), -INFINITY),
            row_upper=self.limits,
            lower=np.concatenate([np.zeros_like(self.capacity), slacks, rates]),
            upper=np.concatenate([self.capacity, slacks, np.where(self.closed, 0.0, INFINITY)]),
        )

    def objective(self, rates: Floats, activities: Floats | float = 0.0) -> Floats:
        """An objective from a coefficient for each candidate and for each conversion and period."""
        return np.concatenate([np.zeros_like(self.capacity) + activities, np.zeros(len(self.inside)), rates])

    @property
    def welfare(self) -> Floats:
        return self.objective(self.margin, -self.fee)

    @property
    def volume(self) -> Floats:
        """Volume that reaches demand over the whole window, in value at typical prices."""
        return self.objective(np.where(self.buyer < self.market.buyers.offers, self.length.astype(float), 0.0))

    @property
    def used_input(self) -> Floats:
        """Inputs that conversions process less those they buy: the greater, the less is bought without a use."""
        activities = len(self.capacity)
        block = sparse.csc_array(self.engine.matrix[:, :activities])
        of = np.repeat(np.arange(activities), np.diff(block.indptr))
        taken = np.bincount(of, weights=np.maximum(block.data, 0.0), minlength=activities).astype(float)
        taken *= np.tile(self.segments.length, len(self.market.conversions))
        return self.objective(np.where(self.buyer < self.market.buyers.offers, 0.0, -self.length.astype(float)), taken)

    @property
    def length(self) -> Ints:
        """Periods in each candidate's window."""
        window = self.market.windows[self.candidates.window]
        return window[:, 1] - window[:, 0] + 1

    @property
    def seller(self) -> Ints:
        return self.lanes.seller[self.candidates.lane]

    @property
    def buyer(self) -> Ints:
        return self.lanes.buyer[self.candidates.lane]

    def traded(self, variables: Floats) -> Candidates:
        """The candidates with a rate."""
        used = np.flatnonzero(variables[self.fixed :] > SUPPORT)
        return Candidates(lane=self.candidates.lane[used], window=self.candidates.window[used])

    def rates(self, variables: Floats) -> Floats:
        """Rate of each candidate, lots per period."""
        product = self.market.sellers.product[self.seller]
        return variables[self.fixed :] * self.value / self.level[product]

    def row_duals(self, duals: Duals) -> Floats:
        """Shadow prices back as row duals in the programme's scale; the inverse of `duals`."""
        table = np.concatenate([duals.seller, duals.buyer, duals.family])
        return self.segments.total(table).ravel() / self.row_level

    def duals(self, rows: Floats) -> Duals:
        """Row duals as shadow prices in CNY per lot; the rent of a conversion is what is left of its margin."""
        market = self.market
        sells, buys = len(market.sellers), len(market.buyers)
        priced = (np.maximum(rows, 0.0) * self.row_level).reshape(-1, len(self.segments))
        table = self.segments.spread(priced, self.room)
        duals = Duals(
            seller=table[:sells],
            buyer=table[sells : sells + buys],
            family=table[sells + buys :],
            rent=np.zeros_like(market.fee),
        )
        if len(self.segments) < market.periods:
            outputs = slice(market.sellers.offers, None)
            duals.seller[outputs] = self._output_values(duals, priced[:sells][outputs])
        return replace(duals, rent=np.maximum(conversion_margin(market, duals), 0.0))

    def _output_values(self, duals: Duals, value: Floats) -> Floats:
        """[M, T] the value of each output, of which a segment has `value` [M, S]: it follows fee and inputs, and what
        is above them stands where capacity is scarce, so that no other period leaves a rent."""
        outputs, at = slice(self.market.sellers.offers, None), self.segments.of
        cost = duals.seller[outputs] - conversion_margin(self.market, duals)
        whole = self.segments.total(cost)
        part = np.divide(cost, whole[:, at], out=np.zeros_like(cost), where=whole[:, at] > 0)
        above = self.segments.spread(np.maximum(value - whole, 0.0), self.market.capacity)
        values: Floats = np.minimum(value, whole)[:, at] * part + above
        return values


def _of_conversions(market: Market, lanes: Lanes, segments: int) -> Bools:
    """[rows] True where the row belongs to a conversion's output or input."""
    position = np.concatenate([market.sellers.conversion >= 0, market.buyers.conversion >= 0])
    return np.repeat(np.concatenate([position, np.zeros(len(lanes.families), dtype=bool)]), segments)


def _implied(market: Market, lanes: Lanes, segments: Segments) -> Bools:
    """[rows] True where another row of the same offer says as much; such rows limit nothing and have no entries."""
    sides = [implied(side, market.windows, segments) for side in (market.sellers, market.buyers)]
    return np.concatenate([*sides, np.zeros((len(lanes.families), len(segments)), dtype=bool)]).ravel()


def _row_level(market: Market, lanes: Lanes, level: Floats, segments: int) -> Floats:
    """Typical price of the product of each row."""
    by_position = [
        level[market.sellers.product],
        level[market.buyers.product],
        family_level(lanes, level),
    ]
    return np.repeat(np.concatenate(by_position), segments)


def typical_value(market: Market, level: Floats) -> float:
    """Median value per period of what is offered: CNY."""
    values = np.concatenate(
        [
            (market.sellers.quantity * level[market.sellers.product][:, None]).ravel(),
            (market.buyers.quantity * level[market.buyers.product][:, None]).ravel(),
        ]
    )
    return float(np.median(values[values > 0])) if (values > 0).any() else 1.0


def _window_sums(table: Floats) -> Floats:
    """[n, T + 1] running sums over periods, so that a window's sum is a difference of two entries."""
    return np.concatenate([np.zeros((len(table), 1)), np.cumsum(table, axis=1)], axis=1)


def _candidate_columns(market: Market, lanes: Lanes, segments: Segments, candidates: Candidates) -> sparse.csc_array:
    """One column a candidate: 1 in the rows of its seller, buyer (-1 for a conversion's input) and limits."""
    count, sells, buys = len(segments), len(market.sellers), len(market.buyers)
    first, last = segments.of[market.windows[candidates.window]].T
    length = last - first + 1
    column = np.repeat(np.arange(len(candidates)), length)
    ends = np.cumsum(length)
    at = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - length, length) + np.repeat(first, length)
    seller = lanes.seller[candidates.lane][column]
    buyer = lanes.buyer[candidates.lane][column]
    rows = [seller * count + at, (sells + buyer) * count + at]
    columns = [column, column]
    entries = [np.ones(len(column)), np.where(buyer < market.buyers.offers, 1.0, -1.0)]
    limits = np.array([f.limit for f in lanes.families], dtype=np.int64).reshape(-1, market.periods)
    bounded = np.concatenate([segments.smallest(limits) < UNLIMITED, np.zeros((1, count), dtype=bool)])
    for kind in range(lanes.family.shape[1]):
        family = lanes.family[candidates.lane, kind][column]
        limited = (family >= 0) & bounded[family, at]
        rows.append((sells + buys + family[limited]) * count + at[limited])
        columns.append(column[limited])
        entries.append(np.ones(int(limited.sum())))
    height = (sells + buys + len(lanes.families)) * count
    where = np.concatenate(rows), np.concatenate(columns)
    return sparse.csc_array((np.concatenate(entries), where), shape=(height, len(candidates)))


def _conversion_columns(market: Market, lanes: Lanes, level: Floats, segments: int) -> sparse.csc_array:
    """One column a conversion and segment: -1 in its output's row, what it takes in each of its inputs' rows."""
    sells, buys = len(market.sellers), len(market.buyers)
    height, width = (sells + buys + len(lanes.families)) * segments, len(market.conversions) * segments
    at = np.arange(segments)
    rows, columns, entries = [], [], []
    for m in range(len(market.conversions)):
        rows.append((market.sellers.offers + m) * segments + at)
        columns.append(m * segments + at)
        entries.append(np.full(segments, -1.0))
    for k, coefficient in enumerate(market.coefficient):
        position = market.buyers.offers + k
        m = int(market.buyers.conversion[position])
        worth = level[market.buyers.product[position]] / level[market.sellers.product[market.sellers.offers + m]]
        rows.append((sells + position) * segments + at)
        columns.append(m * segments + at)
        entries.append(np.full(segments, float(coefficient) * worth))
    if not rows:
        return sparse.csc_array((height, width))
    return sparse.csc_array(
        (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))), shape=(height, width)
    )


def _room(market: Market, lanes: Lanes) -> Floats:
    """[positions and families, T] right-hand side, lots; infinite where a limit limits nothing."""
    bought = market.buyers.quantity.astype(float)
    for k, stock in enumerate(market.own_stock):
        bought[market.buyers.offers + k] = float(stock)
    limits = np.array([f.limit for f in lanes.families], dtype=float).reshape(-1, market.periods)
    return np.concatenate([market.sellers.quantity, bought, np.where(limits >= UNLIMITED, INFINITY, limits)])
