"""The mixed-integer programme of block terms over some candidates, given to HiGHS.

Variables: what conversions make, the rate of each candidate, then binaries: does a party trade (all-or-none, member
of an exclusive group, one that depends on another), is a candidate with a minimum rate used, does a party with a
largest number of counterparties trade with a firm. Scale and rows are those of `program.Program`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import highspy
import numpy as np
from scipy import sparse

from .block_terms import NOBODY, BlockTerms, Rooms, least_rate
from .engine import INFINITY
from .limits import UNLIMITED
from .program import Program
from .sides import Bools, Floats, Ints

ENOUGH = 1e-9  # a gap smaller than this, relative to the welfare, is none
WHOLE = 1e-9  # how far a binary may be off; more would let a contract fall below its minimum rate unnoticed


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The best point found, as variables of the linear programme; `bound` holds for the candidates given."""

    variables: Floats
    value: float
    bound: float
    optimal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Integers:
    """A mixed-integer programme: maximise objective v, row_lower <= matrix v <= row_upper, lower <= v <= upper."""

    matrix: sparse.csc_array
    row_lower: Floats
    row_upper: Floats
    lower: Floats
    upper: Floats
    integral: Bools
    objective: Floats

    def maximise(self, *, seconds: float, nodes: int, seed: Floats | None = None) -> tuple[Floats, float, bool] | None:
        """The best point found, a bound, and whether that is the optimum; None where nothing was found."""
        highs = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("time_limit", max(seconds, 0.0)),
            ("mip_max_nodes", nodes),
            ("mip_rel_gap", ENOUGH),
            ("mip_abs_gap", ENOUGH),
            # HiGHS 1.15's presolve of integers loses optima (columns alone in a row) and can crash the process.
            ("presolve", "off"),
            ("mip_feasibility_tolerance", WHOLE),
            ("primal_feasibility_tolerance", WHOLE),
        ):
            highs.setOptionValue(option, value)
        highs.passModel(self._model())
        if seed is not None:
            start = highspy.HighsSolution()
            start.col_value = seed.tolist()
            highs.setSolution(start)
        highs.run()
        info = highs.getInfo()
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return None
        optimal = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        # A programme that turns out to have no integers left has no bound of branch and bound.
        bound = info.objective_function_value if optimal else info.mip_dual_bound
        return np.array(highs.getSolution().col_value), -float(bound), optimal

    def _model(self) -> highspy.HighsLp:
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = self.matrix.shape
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = -self.objective, self.lower, self.upper
        lp.row_lower_, lp.row_upper_ = self.row_lower, self.row_upper
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.num_row_, lp.a_matrix_.num_col_ = self.matrix.shape
        lp.a_matrix_.start_, lp.a_matrix_.index_ = self.matrix.indptr, self.matrix.indices
        lp.a_matrix_.value_ = self.matrix.data
        kinds = highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger
        lp.integrality_ = [kinds[int(whole)] for whole in self.integral]
        return lp


class BlockProgram:
    """Block terms on the candidates of a programme that are `seen`; those that a minimum rate leaves no room for are
    left away."""

    def __init__(self, program: Program, terms: BlockTerms, rooms: Rooms, seen: Bools) -> None:
        market, lanes = program.market, program.lanes
        self.program, self.terms = program, terms
        lane, window = program.candidates.lane, program.candidates.window
        room, least = rooms.of(lane, window), least_rate(terms, market, lanes, lane)
        possible = seen & (room >= least)
        self.keep, self.lane = np.flatnonzero(possible), lane[possible]
        unit = program.level[market.sellers.product[lanes.seller[self.lane]]] / program.value
        self.unit, self.room, self.least = unit, room[possible] * unit, least[possible]
        self.seller = lanes.seller[self.lane]
        self.buyer = len(market.sellers) + lanes.buyer[self.lane]
        # Columns: conversions, candidates, then the binaries.
        self.made = len(program.capacity)
        self.switched = np.flatnonzero(terms.whole | terms.grouped | (terms.parent != NOBODY))
        self.stepped = np.flatnonzero(self.least > 1)
        self.firms = self._counterparties()
        self.binaries = self.made + len(self.keep)
        self.columns = self.binaries + len(self.switched) + len(self.stepped) + len(self.firms)
        self.rows: list[tuple[list[int], list[float], float]] = []  # columns, entries, largest value
        self._write_rows()

    def _counterparties(self) -> list[tuple[int, int, Ints]]:
        """(party, firm, candidates between them) wherever the number of counterparties is limited."""
        market, sells = self.program.market, len(self.program.market.sellers)
        found = []
        for party in np.flatnonzero(self.terms.most < UNLIMITED).tolist():
            mine = np.flatnonzero((self.seller == party) | (self.buyer == party))
            other = market.buyers.firm[self.buyer[mine] - sells] if party < sells else None
            other = market.sellers.firm[self.seller[mine]] if other is None else other
            firms = set(other.tolist()) - self.terms.bound[party]
            found += [(party, firm, mine[other == firm]) for firm in sorted(firms)]
        return found

    def _switch(self, party: int) -> int:
        """Column of a party's binary."""
        return self.binaries + int(np.searchsorted(self.switched, party))

    def _write_rows(self) -> None:
        steps = self.binaries + len(self.switched)
        for at, k in enumerate(self.stepped.tolist()):
            least = float(self.least[k] * self.unit[k])
            self.rows.append(([self.made + k, steps + at], [1.0, -float(self.room[k])], 0.0))
            self.rows.append(([self.made + k, steps + at], [-1.0, least], 0.0))
        firms = steps + len(self.stepped)
        for at, (_, _, mine) in enumerate(self.firms):
            for k in mine.tolist():
                self.rows.append(([self.made + k, firms + at], [1.0, -float(self.room[k])], 0.0))
        for party in self.terms.bound:
            of = [firms + at for at, (limited, _, _) in enumerate(self.firms) if limited == party]
            self.rows.append((of, [1.0] * len(of), float(self.terms.most[party])))
        for members in self.terms.groups:
            self.rows.append(([self._switch(party) for party in members], [1.0] * len(members), 1.0))
        self.rows += self._dependences()

    def _dependences(self) -> Iterator[tuple[list[int], list[float], float]]:
        """A party trades only if the one it depends on has contracts of a lot at least."""
        for party in np.flatnonzero(self.terms.parent != NOBODY).tolist():
            parent = int(self.terms.parent[party])
            theirs = np.flatnonzero((self.seller == parent) | (self.buyer == parent))
            lots = (-1.0 / self.unit[theirs]).tolist()
            yield [*(self.made + theirs).tolist(), self._switch(party)], [*lots, 1.0], 0.0

    def _integers(self, allowed: Bools) -> Integers:
        program = self.program
        count, height = self.columns - self.binaries, len(program.limits)
        table = sparse.csc_array(program.engine.matrix)
        body = table[:, np.concatenate([np.arange(self.made), program.fixed + self.keep])]
        periods = len(program.segments)
        row = (self.switched[:, None] * periods + np.arange(periods)).ravel()
        column = np.repeat(np.arange(len(self.switched)), periods)
        gates = sparse.csc_array((-program.limits[row], (row, column)), shape=(height, count))
        entries = [
            (at, c, e)
            for at, (columns, values, _) in enumerate(self.rows)
            for c, e in zip(columns, values, strict=True)
        ]
        rows, columns, values = (list(part) for part in zip(*entries, strict=True)) if entries else ([], [], [])
        extra = sparse.csc_array((values, (rows, columns)), shape=(len(self.rows), self.columns))
        lower, upper = np.full(height, -INFINITY), program.limits.copy()
        upper[row] = 0.0
        whole = self.switched[self.terms.whole[self.switched]]
        lower[(whole[:, None] * periods + np.arange(periods)).ravel()] = 0.0
        welfare = program.welfare
        none = np.zeros(count)
        return Integers(
            matrix=sparse.csc_array(sparse.vstack([sparse.hstack([body, gates]), extra], format="csc")),
            row_lower=np.concatenate([lower, np.full(len(self.rows), -INFINITY)]),
            row_upper=np.concatenate([upper, [most for _, _, most in self.rows]]),
            lower=np.zeros(self.columns),
            upper=np.concatenate([program.capacity, np.where(allowed[self.keep], INFINITY, 0.0), none + 1]),
            integral=np.arange(self.columns) >= self.binaries,
            objective=np.concatenate([welfare[: self.made], welfare[program.fixed :][self.keep], none]),
        )

    def _seed(self, variables: Floats) -> Floats:
        """A point of the linear programme that keeps all terms, with its binaries."""
        seed = np.zeros(self.columns)
        seed[: self.made] = variables[: self.made]
        rates = np.zeros(len(self.program.candidates))
        rates[: len(variables) - self.program.fixed] = variables[self.program.fixed :]
        rates = rates[self.keep]
        seed[self.made : self.binaries] = rates
        used = rates > ENOUGH
        trading = np.zeros(len(self.terms.whole), dtype=bool)
        trading[self.seller[used]] = True
        trading[self.buyer[used]] = True
        binaries = [
            *trading[self.switched],
            *used[self.stepped],
            *(bool(used[mine].any()) for _, _, mine in self.firms),
        ]
        seed[self.binaries :] = binaries
        return seed

    def solve(self, allowed: Bools, known: Floats, *, seconds: float, nodes: int) -> Chosen | None:
        """The best choice found among the candidates `allowed` (of all the programme's), beginning at a point known
        to keep all terms."""
        found = self._integers(allowed).maximise(seconds=seconds, nodes=nodes, seed=self._seed(known))
        if found is None:
            return None
        point, bound, optimal = found
        variables = np.zeros(self.program.fixed + len(self.program.candidates))
        variables[: self.made] = point[: self.made]
        variables[self.program.fixed + self.keep] = point[self.made : self.binaries]
        value = float(self.program.welfare @ variables)
        return Chosen(variables=variables, value=value, bound=bound, optimal=optimal)
