"""Locked prices: the midpoint of the clearing prices best for sellers and those best for buyers.

Optimal duals form a polyhedron. Best for sellers is the point of it with the greatest surplus of sell offers, best
for buyers the one with the greatest surplus of demands; a conversion is paid its fee, and more only where its
capacity is scarce at both ends; the rent of a limit stays with the buyer. Where an end is not unique (two scarce
inputs of one conversion, say) its surplus is spread max-min, per unit at the product's typical price. The polyhedron
is convex, so the midpoint is optimal too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .clearing import Cleared
from .fairness import max_min
from .lanes import Lanes
from .pricing import Candidates, Duals, Values, best_candidates
from .program import SUPPORT, Face, Program, restricted
from .sides import Bools, Floats, Market

CEILING = 1e3  # no shadow price is a thousand times the product's price; bounds the value of an input nobody sells
SLACK = 1e-7  # a row with more slack than this, in typical values, is not scarce


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRange:
    """The two ends and the middle of the clearing prices."""

    sellers_best: Duals
    buyers_best: Duals
    middle: Duals


def price_range(market: Market, lanes: Lanes, cleared: Cleared) -> PriceRange:
    """:raises program.SolverFailed: the dual programme found no optimum."""
    sellers = _end(market, lanes, cleared, selling=True)
    buyers = _end(market, lanes, cleared, selling=False)
    return PriceRange(sellers_best=sellers, buyers_best=buyers, middle=sellers.midpoint(buyers))


def _end(market: Market, lanes: Lanes, cleared: Cleared, *, selling: bool) -> Duals:
    """One end of the optimal duals, feasible for every lane and window: rows are added where pricing finds one."""
    used = cleared.program.candidates
    rates = cleared.point.variables[: len(used)]
    traded = Candidates(lane=used.lane[rates > SUPPORT], window=used.window[rates > SUPPORT])
    candidates = used
    while True:
        program = restricted(market, lanes, candidates)
        support = _members(candidates, traded)
        variables = np.zeros(len(program.face.lower))
        variables[np.flatnonzero(support)] = rates[rates > SUPPORT]
        variables[len(candidates) :] = cleared.point.variables[len(used) :]
        polyhedron = _OptimalDuals(program, variables, support)
        duals = program.duals(polyhedron.end(selling=selling))
        added = candidates.joined(best_candidates(lanes, Values(market, lanes, duals).best()))
        if len(added) == len(candidates):
            return duals
        candidates = added


def _members(candidates: Candidates, some: Candidates) -> Bools:
    """Which candidates are among `some`; both are ordered by lane and window."""
    width = 1 + max(candidates.window.max(initial=0), some.window.max(initial=0))
    return np.isin(candidates.lane * width + candidates.window, some.lane * width + some.window)


class _OptimalDuals:
    """Duals y >= 0 of the scarce rows with every candidate priced out, traded ones exactly, as a `Face` over
    (y, rent of conversions)."""

    def __init__(self, program: Program, variables: Floats, support: Bools) -> None:
        self.program, self.support = program, support
        market, face = program.market, program.face
        self.scarce = np.flatnonzero(face.rhs - face.matrix @ variables <= SLACK)
        activity = variables[len(support) :]
        full = activity >= face.upper[len(support) :] - SLACK
        columns = sparse.csr_array(face.matrix.T)[:, self.scarce]
        rent = sparse.vstack(
            [sparse.csr_array((len(support), len(activity))), sparse.eye_array(len(activity))], format="csr"
        )
        self.face = Face(
            matrix=sparse.csr_array(-sparse.hstack([columns, rent], format="csr")),
            rhs=-program.welfare,
            tight=np.concatenate([support, activity > SUPPORT]),
            lower=np.zeros(len(self.scarce) + len(activity)),
            upper=np.concatenate([np.full(len(self.scarce), CEILING), np.where(full, CEILING, 0.0)]),
        )
        self.rows = len(face.rhs)
        self.sells = len(market.sellers) * market.periods

    def end(self, *, selling: bool) -> Floats:
        """Row duals of the end best for sellers, or for buyers with the rents of limits counted as theirs."""
        of_sellers = self.scarce < self.sells
        weight = np.maximum(self.program.face.rhs[self.scarce], 0.0) * (of_sellers == selling)
        objective = np.concatenate([weight, np.zeros(len(self.face.lower) - len(self.scarce))])
        face = self.face.optima(objective, self.face.maximise(objective).duals)
        measures = self._unit_surplus(selling=selling)
        if measures.shape[0]:
            face = max_min(face, measures, levels=1)
        # Where nothing else decides, values inside the chain lean the same way: what an idle conversion would have
        # to charge (best for sellers) or could at most pay (best for buyers).
        inside = np.concatenate([self._of_conversions(), np.zeros(len(self.face.lower) - len(self.scarce))])
        lean = inside if selling else -inside
        face = face.optima(lean, face.maximise(lean).duals)
        y = face.maximise(-np.ones(len(face.lower))).variables
        rows = np.zeros(self.rows)
        rows[self.scarce] = y[: len(self.scarce)]
        return rows

    def _of_conversions(self) -> Floats:
        """[scarce rows] 1 where the row belongs to a conversion's output or input."""
        market = self.program.market
        position = np.concatenate([market.sellers.conversion, market.buyers.conversion])
        by_row = np.zeros(self.rows)
        by_row[: len(position) * market.periods] = np.repeat(position >= 0, market.periods)
        return np.asarray(by_row[self.scarce])

    def _unit_surplus(self, *, selling: bool) -> sparse.csr_array:
        """One row a traded candidate of an offer on the side: its mean surplus per unit over the window."""
        program, market = self.program, self.program.market
        side, position = (market.sellers, program.seller) if selling else (market.buyers, program.buyer)
        mine = np.flatnonzero(self.support & (position < side.offers))
        rows = np.arange(self.rows)
        on_side = (rows < self.sells) if selling else (rows >= self.sells)
        table = sparse.csr_array(program.face.matrix.T)[mine][:, self.scarce]
        keep = sparse.diags_array(on_side[self.scarce].astype(float))
        mean = sparse.diags_array(1.0 / program.length[mine])
        wide = sparse.hstack(
            [mean @ table @ keep, sparse.csr_array((len(mine), len(self.face.lower) - len(self.scarce)))], format="csr"
        )
        return sparse.csr_array(wide)
