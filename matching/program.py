"""The linear programme of one sub-market over a chosen set of candidates, and the set of its best points.

Variables: the rate of each candidate, then the activity of each conversion in each period. Rows: each selling and
buying position in each period (for a conversion, its balance), then each limit family in each period. All
quantities are counted in value at the product's typical price, divided by one typical value, so that coefficients
are near one; prices are relative to the product's typical price.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from .lanes import UNLIMITED, Lanes
from .pricing import TIE, Candidates, Duals, conversion_margin, family_level
from .sides import Bools, Floats, Ints, Market

FEASIBILITY = 1e-10  # the smallest HiGHS accepts, for both its tolerances
SUPPORT = 1e-9  # a rate above this, in typical values, counts as traded


class SolverFailed(Exception):
    """The solver gave no optimum; the message holds its own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An optimum of a face: the variables, the rows' duals and the value, in the programme's own scale."""

    variables: Floats
    duals: Floats
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """The set of points {lower <= v <= upper, matrix v <= rhs, with equality where tight}.

    Optimising over it and keeping only the optima gives a smaller face; doing so in turn is lexicographic
    optimisation, exact because a point is optimal if and only if it is complementary to one optimal dual.
    """

    matrix: sparse.csr_array
    rhs: Floats
    tight: Bools
    lower: Floats
    upper: Floats

    def maximise(self, objective: Floats) -> Point:
        """:raises SolverFailed: the face is empty or the objective has no bound on it."""
        if not len(objective):
            return Point(variables=np.zeros(0), duals=np.zeros(len(self.rhs)), value=0.0)
        loose = ~self.tight
        found = linprog(  # type: ignore[call-overload]  # the stubs know no sparse matrices
            -objective,
            A_ub=self.matrix[loose] if loose.any() else None,
            b_ub=self.rhs[loose] if loose.any() else None,
            A_eq=self.matrix[self.tight] if self.tight.any() else None,
            b_eq=self.rhs[self.tight] if self.tight.any() else None,
            bounds=np.stack([self.lower, self.upper], axis=1),
            method="highs",
            options={"primal_feasibility_tolerance": FEASIBILITY, "dual_feasibility_tolerance": FEASIBILITY},
        )
        if found.status != 0:
            raise SolverFailed(found.message)
        duals = np.zeros(len(self.rhs))
        if loose.any():
            duals[loose] = np.maximum(-found.ineqlin.marginals, 0.0)
        if self.tight.any():
            duals[self.tight] = -found.eqlin.marginals
        return Point(variables=found.x, duals=duals, value=-float(found.fun))

    def optima(self, objective: Floats, duals: Floats) -> Face:
        """The part of this face that is optimal for an objective, given the row duals of any one optimum."""
        reduced = objective - self.matrix.T @ duals
        return replace(
            self,
            tight=self.tight | (duals > TIE),
            lower=np.where(reduced > TIE, self.upper, self.lower),
            upper=np.where(reduced < -TIE, self.lower, self.upper),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A market restricted to some candidates; see the module for variables and rows."""

    market: Market
    lanes: Lanes
    candidates: Candidates
    value: float  # the typical value, CNY, that counts as one
    level: Floats  # [P]
    face: Face
    welfare: Floats  # objective: welfare per unit of each variable

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

    @property
    def volume(self) -> Floats:
        """Objective: volume over the whole window, in value at typical prices; conversions do not count twice."""
        return np.concatenate([self.length.astype(float), np.zeros(self.market.capacity.size)])

    def rates(self, variables: Floats) -> Floats:
        """Rate of each candidate, lots per period."""
        product = self.market.sellers.product[self.seller]
        return variables[: len(self.candidates)] * self.value / self.level[product]

    def row_duals(self, duals: Duals) -> Floats:
        """Shadow prices back as row duals in the programme's scale; the inverse of `duals`."""
        table = np.concatenate([duals.seller, duals.buyer, duals.family]).ravel()
        return table / _row_level(self.market, self.lanes, self.level)

    def duals(self, rows: Floats) -> Duals:
        """Row duals as shadow prices in CNY per lot; the rent of a conversion is what is left of its margin."""
        market, periods = self.market, self.market.periods
        sells, buys = len(market.sellers), len(market.buyers)
        table = (rows * _row_level(market, self.lanes, self.level)).reshape(-1, periods)
        duals = Duals(
            seller=table[:sells],
            buyer=table[sells : sells + buys],
            family=table[sells + buys :],
            rent=np.zeros_like(market.fee),
        )
        return replace(duals, rent=np.maximum(conversion_margin(market, duals), 0.0))


def _row_level(market: Market, lanes: Lanes, level: Floats) -> Floats:
    """Typical price of the product of each row."""
    by_position = [
        level[market.sellers.product],
        level[market.buyers.product],
        family_level(market, lanes, level),
    ]
    return np.repeat(np.concatenate(by_position), market.periods)


def typical_value(market: Market, level: Floats) -> float:
    """Median value per period of what is offered: CNY."""
    values = np.concatenate(
        [
            (market.sellers.quantity * level[market.sellers.product][:, None]).ravel(),
            (market.buyers.quantity * level[market.buyers.product][:, None]).ravel(),
        ]
    )
    return float(np.median(values[values > 0])) if (values > 0).any() else 1.0


def restricted(market: Market, lanes: Lanes, candidates: Candidates) -> Program:
    """The programme over these candidates only."""
    level = market.level
    value = typical_value(market, level)
    first, last = market.windows[candidates.window].T
    seller, buyer = lanes.seller[candidates.lane], lanes.buyer[candidates.lane]
    margin = _window_sums(market.buyers.price)[buyer, last + 1] - _window_sums(market.buyers.price)[buyer, first]
    margin -= _window_sums(market.sellers.price)[seller, last + 1] - _window_sums(market.sellers.price)[seller, first]
    margin -= lanes.freight[candidates.lane] * (last - first + 1)
    makes = market.sellers.product[market.sellers.offers :]
    fee = market.fee / level[makes][:, None] if len(makes) else market.fee
    matrix = sparse.hstack(
        [_candidate_columns(market, lanes, candidates), _conversion_columns(market, lanes, level)], format="csr"
    )
    rhs = _limits(market, lanes) * _row_level(market, lanes, level) / value
    capacity = market.capacity * level[makes][:, None] / value if len(makes) else market.capacity.astype(float)
    variables = len(candidates) + capacity.size
    face = Face(
        matrix=sparse.csr_array(matrix),
        rhs=rhs,
        tight=np.zeros(len(rhs), dtype=bool),
        lower=np.zeros(variables),
        upper=np.concatenate([np.full(len(candidates), np.inf), capacity.ravel()]),
    )
    return Program(
        market=market,
        lanes=lanes,
        candidates=candidates,
        value=value,
        level=level,
        face=face,
        welfare=np.concatenate([margin / level[market.sellers.product[seller]], -fee.ravel()]),
    )


def _window_sums(table: Floats) -> Floats:
    """[n, T + 1] running sums over periods, so that a window's sum is a difference of two entries."""
    return np.concatenate([np.zeros((len(table), 1)), np.cumsum(table, axis=1)], axis=1)


def _candidate_columns(market: Market, lanes: Lanes, candidates: Candidates) -> sparse.csr_array:
    """One column a candidate: 1 in the rows of its seller, buyer (-1 for a conversion's input) and limits."""
    periods, sells, buys = market.periods, len(market.sellers), len(market.buyers)
    first, last = market.windows[candidates.window].T
    length = last - first + 1
    column = np.repeat(np.arange(len(candidates)), length)
    ends = np.cumsum(length)
    period = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - length, length) + np.repeat(first, length)
    seller = lanes.seller[candidates.lane][column]
    buyer = lanes.buyer[candidates.lane][column]
    rows = [seller * periods + period, (sells + buyer) * periods + period]
    columns = [column, column]
    entries = [np.ones(len(column)), np.where(buyer < market.buyers.offers, 1.0, -1.0)]
    bounded = np.array([f.limit < UNLIMITED for f in lanes.families] + [np.zeros(periods, dtype=bool)])
    for kind in range(lanes.family.shape[1]):
        family = lanes.family[candidates.lane, kind][column]
        limited = (family >= 0) & bounded[family, period]
        rows.append((sells + buys + family[limited]) * periods + period[limited])
        columns.append(column[limited])
        entries.append(np.ones(int(limited.sum())))
    height = (sells + buys + len(lanes.families)) * periods
    where = np.concatenate(rows), np.concatenate(columns)
    return sparse.csr_array((np.concatenate(entries), where), shape=(height, len(candidates)))


def _conversion_columns(market: Market, lanes: Lanes, level: Floats) -> sparse.csr_array:
    """One column a conversion and period: -1 in its output's row, what it takes in each of its inputs' rows."""
    periods, sells, buys = market.periods, len(market.sellers), len(market.buyers)
    height, width = (sells + buys + len(lanes.families)) * periods, market.capacity.size
    time = np.arange(periods)
    rows, columns, entries = [], [], []
    for m in range(len(market.conversions)):
        rows.append((market.sellers.offers + m) * periods + time)
        columns.append(m * periods + time)
        entries.append(np.full(periods, -1.0))
    for k, coefficient in enumerate(market.coefficient):
        position = market.buyers.offers + k
        m = int(market.buyers.conversion[position])
        worth = level[market.buyers.product[position]] / level[market.sellers.product[market.sellers.offers + m]]
        rows.append((sells + position) * periods + time)
        columns.append(m * periods + time)
        entries.append(np.full(periods, float(coefficient) * worth))
    if not rows:
        return sparse.csr_array((height, width))
    return sparse.csr_array(
        (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))), shape=(height, width)
    )


def _limits(market: Market, lanes: Lanes) -> Floats:
    """Right-hand side of every row, lots; a row that limits nothing has no entries, and 0 here."""
    bought = market.buyers.quantity.astype(float)
    for k, stock in enumerate(market.own_stock):
        bought[market.buyers.offers + k] = float(stock)
    families = [np.where(f.limit >= UNLIMITED, 0, f.limit).astype(float) for f in lanes.families]
    return np.concatenate([market.sellers.quantity.astype(float), bought, *families], axis=None)
