"""The linear programme of hubs, which has as many rows as there are hubs in layers, however many offers stand at them.

What is passed on to a longer layer is more than somebody has where a year is sold with what others sell by the quarter.
Rows against it come when they are broken, and few ever are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .engine import AT_LOWER, AT_UPPER, BASIC, INFINITY, Basis, Engine, Face, Point
from .hub_positions import HubPositions
from .hubs import hubs_of
from .ladder import Ladder
from .pricing import TIE, foremost
from .program import SUPPORT, Program
from .rounds import FEW
from .sides import Bools, Floats, Ints

HARDLY = 1e-4  # positions that pass on what they have not, for each row: so few are left to the programme of pairs
AROUND, EACH = 0.05, 3  # arcs of longer layers that a solve begins with: what one may lose, and how many of each hub


@dataclass(frozen=True, slots=True, kw_only=True)
class AtHubs:
    """The optimum of a market at its hubs, with quantities in typical values.

    `duals` are the row duals that it means for the market's programme, and `full` says which of its rows are at their
    limit. `full` and `basis` are None from an engine that keeps no basis."""

    duals: Floats  # [rows of the programme]
    prices: Floats  # [hubs, V] over the window of each layer
    traded: Floats  # [positions, V] what each sells or buys under contracts over that window
    flow: Floats  # [arcs, V]
    activity: Floats  # [conversions x S]
    full: Bools | None  # [rows of the programme]
    basis: Basis | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """Bounds and worth of each variable of positions, the cost of each arc in each layer."""

    lower: Floats
    upper: Floats
    worth: Floats
    cost: Floats


class HubProgramme:
    """The programme of hubs of a market, or of one market after the other that have the same positions and terms.

    Variables: those of positions (see `HubPositions`); then hubs that pass on whatever is there, only where a solve
    begins; then arcs in layers, in the order in which they were added. Rows: the balance of each hub in each layer, in
    which nothing leaves that did not come; then what some positions have left in some layers.
    """

    def __init__(self, program: Program, ladder: Ladder, engine: type[Engine]) -> None:
        self.hubs, self.ladder = hubs_of(program.market), ladder
        self.positions = HubPositions(program, self.hubs, ladder)
        self.tail, self.head = self._in_layers(self.hubs.tail), self._in_layers(self.hubs.head)
        self.height = len(self.hubs) * len(ladder)
        self.balance = self.positions.at_hubs(len(self.hubs))  # [rows, positions x V]
        self.engine = engine(self.height)
        self.engine.add_columns(sparse.csc_array(self.balance @ self.positions.trades))
        self.passing = 0  # hubs in layers that pass on
        # Of an input that is withheld no more is used than is signed for; of all else no more is signed than there is.
        taking = self.positions.withheld & ~self.positions.sells[:, None]
        self.held_sign = np.where(taking, 1.0, -1.0).ravel()
        self.held = np.zeros(0, dtype=np.int64)  # positions in layers, as position x V + layer
        self._hold(np.flatnonzero(self.positions.withheld))
        self.arcs = np.zeros(0, dtype=np.int64)  # as arc x V + layer

    def clear(self, program: Program) -> AtHubs:
        """The optimum at the hubs of a programme: arcs come until none would gain, and rows until none is broken.

        :raises engine.SolverFailed: the solver found no optimum."""
        given, near, settled = self._given(program), False, False
        if not len(self.arcs):
            self._add(self._first(given.cost))
        while True:
            point = self._solve(given, near=near)
            gain = self._gain(point.duals[: self.height], given.cost)
            gain[self.arcs] = 0.0
            gaining = int((gain > TIE).sum())
            trades = np.asarray(self.positions.trades @ point.variables[: len(given.upper)])
            broken = np.setdiff1d(np.flatnonzero(trades < -SUPPORT), self.held)
            enough = len(broken) <= HARDLY * self.height
            if not gaining and enough:
                return self._read(program, given, point, trades)
            near = gaining <= FEW * self.height
            # Never both at once: from where rows come or arcs come, each by itself, the way is short.
            if not enough and (settled or not gaining):
                settled = True
                self._hold(broken)
            else:
                self._add(self._best(gain, least=TIE))

    def begin(self, program: Program, segments: HubProgramme, ended: Sequence[AtHubs]) -> None:
        """Let the first solve begin where the hubs of all segments ended: at their prices nothing gains, as long as who
        asks for longer stands in segments and hubs pass on whatever is there. Nothing if their engine keeps no basis.
        """
        bases = [one.basis for one in ended if one.basis is not None]
        if len(bases) < len(ended):
            return
        own, size, there = self.positions, len(self.ladder), segments.positions.offers.position
        self._pass_on()
        self._hold(np.setdiff1d((segments.held[:, None] * size + self.ladder.segment).ravel(), self.held))
        held, order = np.full(len(self.held), BASIC), np.argsort(self.held)
        arcs = self._join(program, segments, ended)
        offers = np.full((len(own.hub), size), AT_LOWER)  # [positions, V] also of those apart
        conversions = np.full((own.conversions // len(ended), len(ended)), AT_LOWER)
        rows = np.full((len(self.hubs), size), AT_UPPER)
        for at, (basis, layer) in enumerate(zip(bases, self.ladder.segment.tolist(), strict=True)):
            ends = np.cumsum([len(there), len(conversions), len(segments.positions.spare)])
            here, made, _, ways = np.split(basis.variables, ends)
            offers[there, layer], conversions[:, at] = here, made
            arcs[np.searchsorted(self.arcs, segments.arcs[: len(ways)] * size + layer)] = ways
            rows[:, layer], left = np.split(basis.rows, [len(self.hubs)])
            of = segments.held[: len(left)] * size + layer
            held[order[np.searchsorted(self.held, of, sorter=order)]] = left
        variables = [
            offers[own.offers.position, own.offers.layer],
            conversions.ravel(),
            np.full(len(own.longer), AT_LOWER),
            offers[own.apart.position, own.apart.layer],
            np.full(len(own.spare), AT_LOWER),
            np.full(self.passing, BASIC),
            arcs,
        ]
        self.engine.begin(Basis(variables=np.concatenate(variables), rows=np.concatenate([rows.ravel(), held])))

    def _pass_on(self) -> None:
        """Hubs that pass on to longer layers whatever stands in their segments."""
        size, height = len(self.ladder), self.engine.matrix.shape[0]
        longer = np.setdiff1d(np.arange(size), self.ladder.segment)
        hub, layer = (table.ravel() for table in np.meshgrid(np.arange(len(self.hubs)), longer, indexing="ij"))
        onto = hub * size + layer, np.full(len(hub), -1.0)
        within = self.ladder.within.astype(float)
        columns = _columns(height, onto, *((hub * size + one, within[one, layer]) for one in self.ladder.segment))
        columns.eliminate_zeros()
        self.engine.add_columns(columns)
        self.passing = len(hub)

    def _join(self, program: Program, segments: HubProgramme, ended: Sequence[AtHubs]) -> Ints:
        """Add the arcs that the segments know, and in longer layers those that then lose little or nothing, in
        their order; their statuses, all of them at their lower bounds."""
        size = len(self.ladder)
        part = program.segments.length / program.market.periods  # of the prices over the horizon
        prices = (np.concatenate([one.prices for one in ended], axis=1) * part) @ self.ladder.over.T
        gain = self._gain(prices.ravel(), self._given(program).cost)
        gain[np.isin(np.arange(len(gain)) % size, self.ladder.segment)] = -INFINITY
        near = np.union1d(np.flatnonzero(gain > -TIE), self._best(gain, least=-AROUND, each=EACH))
        known = (segments.arcs[:, None] * size + self.ladder.segment).ravel()
        self._add(np.union1d(known, near))
        return np.full(len(self.arcs), AT_LOWER)

    def _given(self, program: Program) -> _Given:
        lower, upper = self.positions.bounds(program)
        return _Given(
            lower=lower,
            upper=upper,
            worth=self.positions.worth(program),
            cost=(self.hubs.cost[:, None] * program.market.lengths[self.ladder.windows]).ravel(),
        )

    def _solve(self, given: _Given, *, near: bool) -> Point:
        passing, rows = np.zeros(self.passing), np.zeros(self.engine.matrix.shape[0])
        face = Face(
            engine=self.engine,
            row_lower=rows - INFINITY,
            row_upper=rows,
            lower=np.concatenate([given.lower, passing, np.zeros(len(self.arcs))]),
            upper=np.concatenate([given.upper, passing, np.full(len(self.arcs), INFINITY)]),
        )
        return face.maximise(np.concatenate([given.worth, passing, -given.cost[self.arcs]]), near=near)

    def _read(self, program: Program, given: _Given, point: Point, trades: Floats) -> AtHubs:
        size, prices, held = len(self.ladder), *np.split(point.duals, [self.height])
        gain = given.worth - np.asarray(self.engine.matrix.T @ point.duals)[: len(given.worth)]
        taken = np.asarray(self.balance.T @ prices)  # what one unit of a trade takes
        taken[self.held] += self.held_sign[self.held] * held
        duals, basis = np.zeros(len(program.limits)), self.engine.basis()
        values = self.positions.values(program, gain, taken.reshape(-1, size))
        duals[: values.size] = values.ravel()
        traded = np.where(self.positions.withheld.ravel(), 0.0, np.maximum(trades, 0.0))
        flow = np.zeros(len(self.tail))
        flow[self.arcs] = point.variables[-len(self.arcs) or len(point.variables) :]
        first = len(self.positions.offers)
        return AtHubs(
            duals=duals,
            prices=prices.reshape(-1, size),
            traded=traded.reshape(-1, size),
            flow=flow.reshape(-1, size),
            activity=point.variables[first : first + self.positions.conversions],
            full=None if basis is None else self._full(program, basis, gain),
            basis=basis,
        )

    def _full(self, program: Program, basis: Basis, gain: Floats) -> Bools:
        """[rows of the programme] which are at their limit."""
        full = np.zeros(len(program.limits), dtype=bool)
        own = self.positions
        each = own.full(program, basis.variables, gain)
        position, layer = np.divmod(self.held[basis.rows[self.height :] == BASIC], len(self.ladder))
        spare = own.withheld[position, layer]
        each[position[spare], self.ladder.over[layer[spare]].argmax(axis=1)] = False
        full[: each.size] = each.ravel()
        return full

    def _in_layers(self, hubs: Ints) -> Ints:
        return (hubs[:, None] * len(self.ladder) + np.arange(len(self.ladder))).ravel()

    def _gain(self, prices: Floats, cost: Floats) -> Floats:
        """[arcs x V] what each would gain at some prices [hubs x V]."""
        return np.asarray(prices[self.head] - prices[self.tail] - cost)

    def _first(self, cost: Floats) -> Ints:
        """The nearest way from and to each hub, and all ways from grade to grade."""
        lower = np.repeat(np.arange(len(self.hubs.tail)) >= self.hubs.shipping, len(self.ladder))
        return np.union1d(self._best(-cost), np.flatnonzero(lower))

    def _best(self, gain: Floats, *, least: float = -INFINITY, each: int = 1) -> Ints:
        """The few arcs that gain most from each hub and to each hub, of those that gain more than `least`."""
        order = np.argsort(-gain, kind="stable")
        order = order[gain[order] > least]
        return np.union1d(foremost(order, self.tail, each), foremost(order, self.head, each))

    def _add(self, arcs: Ints) -> None:
        ones, rows = np.ones(len(arcs)), self.engine.matrix.shape[0]
        self.engine.add_columns(_columns(rows, (self.tail[arcs], ones), (self.head[arcs], -ones)))
        self.arcs = np.concatenate([self.arcs, arcs])

    def _hold(self, positions: Ints) -> None:
        """Let some positions in some layers pass on no more than they have."""
        if len(positions):
            rows = sparse.diags_array(self.held_sign[positions]) @ self.positions.trades[positions]
            more = sparse.csr_array((len(positions), self.engine.matrix.shape[1] - rows.shape[1]))
            self.engine.add_rows(sparse.csr_array(sparse.hstack([rows, more], format="csr")))
            self.held = np.concatenate([self.held, positions])


def _columns(rows: int, *entries: tuple[Ints, Floats]) -> sparse.csc_array:
    """Columns with one entry from each of some lists of rows and values."""
    count = len(entries[0][0])
    where = np.concatenate([at for at, _ in entries]), np.tile(np.arange(count), len(entries))
    return sparse.csc_array((np.concatenate([value for _, value in entries]), where), shape=(rows, count))
