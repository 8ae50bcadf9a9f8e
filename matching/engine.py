"""Linear programmes that grow by columns and change their bounds, kept warm between solves.

Two engines behind the same few lines: HiGHS through highspy, which goes on from its last basis, and HiGHS through
scipy, which starts afresh each time and is the reference. Both see the same arrays; there is one model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import highspy
import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from market.errors import MarketError

from .pricing import TIE
from .sides import Bools, Floats, Ints

FEASIBILITY = 1e-10  # the smallest HiGHS accepts, for both its tolerances
INFINITY = np.inf
# Variables that stand in more than one row. Measured on two cores: at 94 000 simplex and interior point take the same
# time, at 213 000 79 s and 31 s. Rows count as well: with 9 000 of them and 142 000 variables the interior takes 23 s,
# simplex 4.
LARGE, TALL = 100_000, 20_000
# A solve that goes on for so many pivots has lost its way: the longest seen took one for every row and 10 000 more.
# Near an optimum a tenth of one for every row will do: a few thousand are usual, 31 000 were seen with 461 000 rows.
PIVOTS, PIVOTS_A_ROW = 20_000, 10
# Steepest edges need a linear system solved for each row before the first pivot, and again whenever columns came: with
# 461 000 rows 28 s, for a handful of pivots. Devex needs none, but a third more pivots over a whole clearing.
WEIGHTS, CHOOSE, DEVEX = "simplex_dual_edge_weight_strategy", -1, 1
STRATEGY, CHOOSE_METHOD, DUAL = "simplex_strategy", 0, 1
PERTURBATION = "dual_simplex_cost_perturbation_multiplier"


class SolverFailed(MarketError):
    """The solver gave no optimum; the message holds its own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An optimum: the variables, the rows' duals (the gain of one more unit of the row's limit) and the value."""

    variables: Floats
    duals: Floats
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Where a simplex solve stands: HiGHS's status of each variable and each row, as integers."""

    variables: Ints
    rows: Ints


BASIC, AT_LOWER = int(highspy.HighsBasisStatus.kBasic), int(highspy.HighsBasisStatus.kLower)
AT_UPPER = int(highspy.HighsBasisStatus.kUpper)
STATUSES = {int(status): status for status in highspy.HighsBasisStatus.__members__.values()}


class Engine:
    """{lower <= v <= upper, row_lower <= matrix v <= row_upper}, to be maximised for one objective after another."""

    def __init__(self, rows: int) -> None:
        self.matrix = sparse.csc_array((rows, 0))

    def add_columns(self, block: sparse.csc_array) -> None:
        """More variables, after those there are."""
        # Places in 32 bits, as HiGHS has them, too: scipy takes 64 from whoever made the block with them.
        places = block.indices.astype(np.int32), block.indptr.astype(np.int32)
        short = sparse.csc_array((block.data, *places), shape=block.shape)
        self.matrix = sparse.csc_array(sparse.hstack([self.matrix, short], format="csc"))

    def add_rows(self, block: sparse.csr_array) -> None:
        """More rows, after those there are, each with an entry for every variable."""
        self.matrix = sparse.csc_array(sparse.vstack([self.matrix, block], format="csc"))

    def keep(self, columns: Bools) -> None:
        """Let go of the other variables, none of which is basic; the next solve begins where the last one ended."""
        self.matrix = self.matrix[:, np.flatnonzero(columns)]

    def activity(self, variables: Floats) -> Floats:
        """[rows] what the variables come to in each row."""
        return np.asarray(self.matrix @ variables, dtype=float)

    def maximise(self, face: Face, objective: Floats, *, near: bool = False) -> Point:
        """`near`: the optimum is thought to be few pivots from where the last solve ended.

        :raises SolverFailed: the face is empty or the objective has no bound on it."""
        raise NotImplementedError

    def basis(self) -> Basis | None:
        """Where the last solve ended; None from an engine that keeps no basis."""
        return None

    def begin(self, basis: Basis) -> None:
        """Let the next solve begin at a basis, where the engine keeps one. As many variables and rows must be basic as
        there are rows; which of them depend on each other the solver finds out."""

    def following(self, row: int) -> tuple[Ints, Floats]:
        """The variables that follow at the last optimum, and how far, when a row at its bound is moved by a unit;
        none from an engine that keeps no basis. Whether their bounds let them is for the caller to check."""
        return np.zeros(0, dtype=np.int64), np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """The points of an engine's programme within bounds on its rows and variables.

    Optimising over it and keeping only the optima gives a smaller face; doing so in turn is lexicographic
    optimisation, exact because a point is optimal if and only if it is complementary to one optimal dual.
    """

    engine: Engine
    row_lower: Floats
    row_upper: Floats
    lower: Floats
    upper: Floats

    def maximise(self, objective: Floats, *, near: bool = False) -> Point:
        """See `Engine.maximise`."""
        return self.engine.maximise(self, objective, near=near)

    def optima(self, objective: Floats, duals: Floats) -> Face:
        """The part of this face that is optimal for an objective, given the row duals of any one optimum."""
        reduced = objective - self.engine.matrix.T @ duals
        return replace(
            self,
            row_lower=np.where(duals > TIE, self.row_upper, self.row_lower),
            row_upper=np.where(duals < -TIE, self.row_lower, self.row_upper),
            lower=np.where(reduced > TIE, self.upper, self.lower),
            upper=np.where(reduced < -TIE, self.lower, self.upper),
        )


class WarmEngine(Engine):
    """HiGHS through highspy: the basis of the last solve is where the next one begins."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self._empty()

    def _empty(self) -> None:
        """A HiGHS with the rows and no variables."""
        rows = self.matrix.shape[0]
        self.highs = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("primal_feasibility_tolerance", FEASIBILITY),
            ("dual_feasibility_tolerance", FEASIBILITY),
            # HiGHS perturbs costs against degeneracy. That leads a warm solve away from a basis that is nearly optimal,
            # through thousands of needless pivots.
            (PERTURBATION, 0.0),
        ):
            self.highs.setOptionValue(option, value)
        free = np.full(rows, INFINITY)
        starts = np.zeros(rows, dtype=np.int32)
        self.highs.addRows(rows, -free, free, 0, starts, np.zeros(0, dtype=np.int32), np.zeros(0))
        # What HiGHS was told last. Not a face: that knows its engine, and an engine in a circle is not let go in time.
        self.row_bounds, self.bounds = (-free, free), (np.zeros(0), np.zeros(0))
        self.cost = np.zeros(0)
        self.basic: Ints | None = None  # the basis of the last solve, once asked for

    def add_columns(self, block: sparse.csc_array) -> None:
        super().add_columns(block)
        if block.shape[1]:
            self._tell(block)

    def add_rows(self, block: sparse.csr_array) -> None:
        super().add_rows(block)
        free = np.full(block.shape[0], INFINITY)
        pointers, columns = block.indptr[:-1].astype(np.int32), block.indices.astype(np.int32)
        self.highs.addRows(len(free), -free, free, block.nnz, pointers, columns, block.data)
        self.row_bounds = np.concatenate([self.row_bounds[0], -free]), np.concatenate([self.row_bounds[1], free])

    def keep(self, columns: Bools) -> None:
        ended = self.basis()
        super().keep(columns)
        self._empty()  # HiGHS would delete columns, but not give their memory back
        self._tell(self.matrix)
        if ended is not None:
            self.begin(Basis(variables=ended.variables[columns], rows=ended.rows))

    def _tell(self, block: sparse.csc_array) -> None:
        """Tell HiGHS of more columns."""
        count = block.shape[1]
        none = np.zeros(count)
        pointers, rows = block.indptr[:-1].astype(np.int32), block.indices.astype(np.int32, copy=False)
        self.highs.addCols(count, none, none, none, block.nnz, pointers, rows, block.data)
        self.cost = np.concatenate([self.cost, none])
        self.bounds = np.concatenate([self.bounds[0], none]), np.concatenate([self.bounds[1], none])

    def maximise(self, face: Face, objective: Floats, *, near: bool = False) -> Point:
        self._send(face, objective)
        self.basic = None
        most = PIVOTS + PIVOTS_A_ROW * len(face.row_upper) // (100 if near else 1)
        self.highs.setOptionValue(WEIGHTS, DEVEX if near else CHOOSE)
        self.highs.setOptionValue(STRATEGY, CHOOSE_METHOD if near else DUAL)
        self.highs.setOptionValue("simplex_iteration_limit", most)
        self._run()
        status = self.highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            status = self._afresh()
        if status not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kModelEmpty):
            raise SolverFailed(self.highs.modelStatusToString(status))
        solution = self.highs.getSolution()
        return Point(
            variables=np.array(solution.col_value),
            duals=-np.array(solution.row_dual),
            value=-float(self.highs.getInfo().objective_function_value),
        )

    def _afresh(self) -> highspy.HighsModelStatus:
        """Solve from nothing, with perturbed costs and without a limit: a basis from another face can mislead the
        simplex method, and without perturbation it may go in a circle."""
        self.highs.clearSolver()
        self.highs.setOptionValue(PERTURBATION, 1.0)
        self.highs.setOptionValue("simplex_iteration_limit", highspy.kHighsIInf)
        self._run()
        self.highs.setOptionValue(PERTURBATION, 0.0)
        return self.highs.getModelStatus()

    def _run(self) -> None:
        """Without a basis to go on from, a large programme is faster by the interior, with a crossover to a vertex."""
        # What stands in one row alone, as an offer at its hub, is a bound of it and no work for simplex.
        variables = int((np.diff(self.matrix.indptr) > 1).sum())
        interior = not self.highs.getBasis().valid and variables > LARGE and self.matrix.shape[0] > TALL
        self.highs.setOptionValue("solver", "ipm" if interior else "choose")
        self.highs.run()

    def basis(self) -> Basis | None:
        at = self.highs.getBasis()
        if not at.valid:
            return None
        return Basis(variables=_numbers(at.col_status), rows=_numbers(at.row_status))

    def begin(self, basis: Basis) -> None:
        at = highspy.HighsBasis()
        at.col_status = [STATUSES[status] for status in basis.variables.tolist()]
        at.row_status = [STATUSES[status] for status in basis.rows.tolist()]
        self.highs.setBasis(at)

    def following(self, row: int) -> tuple[Ints, Floats]:
        # Both are missing in the stubs only.
        _, moves, count, places = self.highs.getBasisInverseColSparse(row)  # type: ignore[attr-defined]
        if self.basic is None:
            self.basic = np.asarray(self.highs.getBasicVariables()[1], dtype=np.int64)  # type: ignore[attr-defined]
        moving = self.basic[places[:count]]
        of_variables = moving >= 0
        return moving[of_variables], np.asarray(moves[places[:count]][of_variables], dtype=float)

    def _send(self, face: Face, objective: Floats) -> None:
        """Tell HiGHS only what changed since the last solve."""
        rows = np.flatnonzero((face.row_lower != self.row_bounds[0]) | (face.row_upper != self.row_bounds[1]))
        if len(rows):
            at = rows.astype(np.int32)
            self.highs.changeRowsBounds(  # type: ignore[attr-defined]  # missing in the stubs only
                len(rows), at, face.row_lower[rows], face.row_upper[rows]
            )
        columns = np.flatnonzero((face.lower != self.bounds[0]) | (face.upper != self.bounds[1]))
        if len(columns):
            at = columns.astype(np.int32)
            self.highs.changeColsBounds(len(columns), at, face.lower[columns], face.upper[columns])
        costs = np.flatnonzero(self.cost != -objective)
        if len(costs):
            self.highs.changeColsCost(len(costs), costs.astype(np.int32), -objective[costs])
        self.row_bounds, self.bounds = (face.row_lower, face.row_upper), (face.lower, face.upper)
        self.cost = -objective


def _numbers(statuses: Sequence[highspy.HighsBasisStatus]) -> Ints:
    return np.fromiter(map(int, statuses), dtype=np.int64, count=len(statuses))


class ReferenceEngine(Engine):
    """HiGHS through scipy's linprog, from scratch each time."""

    def maximise(self, face: Face, objective: Floats, *, near: bool = False) -> Point:
        if not len(objective):
            return Point(variables=np.zeros(0), duals=np.zeros(len(face.row_upper)), value=0.0)
        equal = face.row_lower == face.row_upper
        above = np.isfinite(face.row_upper) & ~equal
        below = np.isfinite(face.row_lower) & ~equal
        table = sparse.csr_array(self.matrix)
        found = linprog(  # type: ignore[call-overload]  # the stubs know no sparse matrices
            -objective,
            A_ub=sparse.vstack([table[above], -table[below]], format="csr"),
            b_ub=np.concatenate([face.row_upper[above], -face.row_lower[below]]),
            A_eq=table[equal] if equal.any() else None,
            b_eq=face.row_upper[equal] if equal.any() else None,
            bounds=np.stack([face.lower, face.upper], axis=1),
            method="highs",
            options={"primal_feasibility_tolerance": FEASIBILITY, "dual_feasibility_tolerance": FEASIBILITY},
        )
        if found.status != 0:
            raise SolverFailed(found.message)
        duals = np.zeros(len(face.row_upper))
        marginals = found.ineqlin.marginals
        duals[above] -= marginals[: int(above.sum())]
        duals[below] += marginals[int(above.sum()) :]
        if equal.any():
            duals[equal] = -found.eqlin.marginals
        return Point(variables=found.x, duals=duals, value=-float(found.fun))
