"""Locked prices: the midpoint of the clearing prices best for sellers and those best for buyers.

Optimal duals form a polyhedron. Best for sellers is the point of it with the greatest surplus of sell offers, best
for buyers the one with the greatest surplus of demands; a conversion is paid its fee, and more only where its
capacity is scarce at both ends; the rent of a limit stays with the buyer. Where products share a surplus that their
offers cannot divide (two scarce inputs of one conversion), the end is the mean of the points best for each product.
The polyhedron is convex, so means and the midpoint are optimal too.

An extreme dual is found without building the polyhedron: it is the dual of the programme of small changes. With the
limits moved against a direction, traded candidates free to go up or down, untraded ones only up, the shadow prices
of the best change are the optimal dual that goes furthest in that direction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import shake_128

import numpy as np

from .engine import FEASIBILITY, INFINITY, Face
from .pricing import TIE, Duals, Values, best_candidates
from .program import SUPPORT, Program
from .reach import running
from .rounds import RAISED, Cleared, at_ceiling, ceiling
from .sides import Bools, Floats, Ints

CEILING = 1e3  # times the product's price: no value inside a chain is told above it
SLACK = 1e-7  # a row with more slack than this, in typical values, is not scarce
SEED = 20_27  # the direction that tells whether an end is unique is drawn, but always the same


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRange:
    """The two ends and the middle of the clearing prices."""

    sellers_best: Duals
    buyers_best: Duals
    middle: Duals

    def each(self) -> tuple[Duals, Duals, Duals]:
        """Lowest, highest, middle."""
        return self.buyers_best, self.sellers_best, self.middle


def price_range(cleared: Cleared) -> PriceRange:
    """:raises engine.SolverFailed: a programme of small changes found no optimum."""
    ends = _Ends(cleared)
    sellers, buyers = (cleared.program.duals(ends.best_for(selling=selling)) for selling in (True, False))
    return PriceRange(sellers_best=sellers, buyers_best=buyers, middle=sellers.midpoint(buyers))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Duals:
    """A face of the optimal duals, by complementarity: `scarce` rows may have a price, `free` variables must be
    priced at zero exactly, the others must not gain (`full` ones: must not lose)."""

    scarce: Bools
    free: Bools
    full: Bools

    @property
    def key(self) -> bytes:
        """The same for the same face, however many candidates without a say have been added."""
        return b"|".join(np.flatnonzero(mask).tobytes() for mask in (self.scarce, self.free, self.full))


class _Ends:
    """The extreme duals of a cleared market; row duals throughout."""

    def __init__(self, cleared: Cleared) -> None:
        self.program, self.traded = cleared.program, cleared.point.variables
        self.priced_out: set[bytes] = set()  # duals at which no lane gains: most products end at the same ones
        self.weights = _drawn_weights(cleared.program)
        self.runs = _could_run(cleared.program)

    def best_for(self, *, selling: bool) -> Floats:
        """The end best for sellers, or for buyers."""
        program = self.program
        variables = np.zeros(len(program.face.lower))  # candidates that the other end has added are not traded
        variables[: len(self.traded)] = self.traded
        rows = np.arange(len(program.limits))
        sells = len(program.market.sellers) * len(program.segments)
        on_side = np.where((rows < sells) == selling, _traded_volume(program, variables), 0.0)
        on_side[program.inside] = 0.0
        best, _ = self._furthest(_optimal_duals(program, variables), on_side)
        ends = self._of_each_product(best, on_side)
        inside = np.zeros(len(rows))
        inside[program.inside] = np.where(self.runs, 1.0 if selling else -1.0, -1.0)
        found, count = np.zeros(len(rows)), 0
        for times, end, point in ends:
            # Where nothing else decides, values inside the chain lean the same way: what an idle conversion would
            # have to charge (best for sellers), or could at most pay (best for buyers); then prices are as low as
            # they can be. What is asked for an input that nobody can bring has no upper end: there its value is what
            # is left for it at both ends. Weights drawn from what is offered leave one point, whoever looks for it.
            most = (CEILING + 10 * point)[program.inside]
            leaning, known = self._furthest(end, inside, within=(point, most))
            found += times * self._furthest(leaning, -self.weights, within=(known, most))[1]
            count += times
        return np.asarray(found / count)

    def _furthest(
        self, face: _Duals, direction: Floats, *, within: tuple[Floats, Floats] | None = None
    ) -> tuple[_Duals, Floats]:
        """The part of a face of duals that goes furthest in a direction, and a point of it; candidates that the point
        does not price out are added to the programme.

        `within` bounds the values inside the chain where the direction itself does not: a point of the face, and the
        most that may be told [rows inside the chain]. Values are looked for near the point first: as long as the
        candidates that hold them are missing all would go to the bound, and the way back from there is long."""
        program = self.program
        held = most = np.zeros(len(program.inside))
        if within is not None:
            known, most = within
            held = np.minimum(ceiling(program, known), most)
        while True:
            grown = len(program.face.lower) - len(face.free)
            face = replace(face, free=_padded(face.free, grown), full=_padded(face.full, grown))
            changes = _changes(program, face, direction, slack=within is not None)
            point = changes.maximise(_priced(program, held), near=True)
            if not self._is_priced_out(point.duals):
                continue
            reached = at_ceiling(program, point) & (held < most)
            if not reached.any():
                break
            held = np.where(reached, np.minimum(RAISED * held, most), held)
        moved = np.abs(point.variables) > SUPPORT
        slack = -direction - program.engine.activity(point.variables)
        narrowed = replace(face, scarce=face.scarce & (slack <= SLACK), free=face.free | moved)
        return narrowed, np.maximum(point.duals, 0.0)

    def _is_priced_out(self, duals: Floats) -> bool:
        """Does no lane gain at these duals, but those the programme has? Those it lacks are added."""
        program, key = self.program, duals.tobytes()
        if key not in self.priced_out:
            pricing = Values(program.market, program.lanes, program.duals(duals)).best()
            if pricing.reduced.max(initial=0.0) > TIE and program.add(best_candidates(program.lanes, pricing)):
                return False
            self.priced_out.add(key)
        return True

    def _of_each_product(self, face: _Duals, on_side: Floats) -> list[tuple[int, _Duals, Floats]]:
        """The parts of a face that are best for the offers of each product in turn, with a point of each; most products
        have the same, which is told once, with their number."""
        product = self._product_of_rows()
        traded = np.isin(np.arange(len(self.program.market.products)), product[on_side > 0])
        open_, point = self._open(face, on_side, product)
        parts: dict[bytes, tuple[int, _Duals, Floats]] = {}
        if not open_.any() or (traded & ~open_).any():
            parts[face.key] = max(int((traded & ~open_).sum()), 1), face, point
        for p in np.flatnonzero(open_).tolist():
            part, point = self._furthest(face, np.where(product == p, on_side, 0.0))
            key = part.key
            parts[key] = (1 + parts[key][0] if key in parts else 1, part, point)
        return list(parts.values())

    def _product_of_rows(self) -> Ints:
        """[rows] the product whose offers a row is about, -1 for a limit."""
        market, segments = self.program.market, len(self.program.segments)
        product = np.full(len(self.program.limits), -1)
        of_positions = np.repeat(np.concatenate([market.sellers.product, market.buyers.product]), segments)
        product[: len(of_positions)] = of_positions
        return product

    def _open(self, face: _Duals, on_side: Floats, product: Ints) -> tuple[Bools, Floats]:
        """[products] those whose offers' surplus is not the same all over a face; and a point of the face.

        All others are asked at once, with drawn weights: if one of them were open, the two ends of the sum would be
        the same with probability zero."""
        found = np.zeros(len(self.program.market.products), dtype=bool)
        weights = np.random.default_rng(SEED).uniform(0.5, 1.5, len(found))
        while True:
            asked = np.where(product >= 0, np.where(found, 0.0, weights)[product], 0.0) * on_side
            low, high = (self._furthest(face, sign * asked)[1] for sign in (-1.0, 1.0))
            apart = np.bincount(product[product >= 0], (asked * (high - low))[product >= 0], len(found))
            least = 1e-6 * (1.0 + abs(float(asked @ high)))
            if apart.sum() <= least:
                return found, high
            found |= apart > least / len(found)


def _drawn_weights(program: Program) -> Floats:
    """[rows] weights between 1 and 1.5, drawn from the content of each position or limit and never from its place."""
    market, segments = program.market, len(program.segments)
    limits = (f"{family.kind}|{market.products[family.product]}|{family.limit}" for family in program.lanes.families)
    subjects = [*market.sellers.content, *market.buyers.content, *limits]
    drawn = b"".join(shake_128(subject.encode()).digest(4 * segments) for subject in subjects)
    return 1.0 + np.frombuffer(drawn, dtype=np.uint32) / 2.0**33


def _could_run(program: Program) -> Bools:
    """[rows inside the chain] True where the row's conversion could have all its inputs, whatever they cost."""
    market, segments = program.market, program.segments
    whole = segments.smallest(running(market, program.lanes).astype(np.int64)) > 0
    of_position = np.concatenate([market.sellers.conversion, market.buyers.conversion])
    position, at = np.divmod(program.inside, len(segments))
    return np.asarray(whole[of_position[position], at], dtype=bool)


def _traded_volume(program: Program, variables: Floats) -> Floats:
    """[rows] what candidates trade in each row; conversions and slacks left out."""
    rates = variables.copy()
    rates[: program.fixed] = 0.0
    return np.maximum(program.engine.activity(rates), 0.0)


def _optimal_duals(program: Program, variables: Floats) -> _Duals:
    full = at_capacity(program, variables)
    return _Duals(
        scarce=is_scarce(program, variables),
        free=(variables > SUPPORT) & ~full,
        full=full,
    )


def is_scarce(program: Program, variables: Floats) -> Bools:
    """[rows] True where nothing is left of a limit."""
    return np.asarray(program.limits - program.engine.activity(variables) <= _near(program.limits))


def at_capacity(program: Program, variables: Floats) -> Bools:
    """[variables] True for conversions that make all they can."""
    full = np.zeros(len(variables), dtype=bool)
    made, most = variables[: len(program.capacity)], program.capacity
    full[: len(most)] = (made >= most - _near(most)) & (most > 0)
    return full


def _near(limits: Floats) -> Floats:
    """How much of each limit may be left where nothing is; half of one that is next to nothing itself is a lot."""
    return np.where(limits > 0, np.clip(limits / 2, FEASIBILITY, SLACK), SLACK)


def _padded(mask: Bools, more: int) -> Bools:
    return np.concatenate([mask, np.zeros(more, dtype=bool)])


def _priced(program: Program, held: Floats) -> Floats:
    """Welfare, with the slacks of conversions' rows paid at what values there are held below."""
    objective = program.welfare
    objective[len(program.capacity) : program.fixed] = -held
    return objective


def _changes(program: Program, face: _Duals, direction: Floats, *, slack: bool) -> Face:
    """The programme of small changes against a direction; slacks take part where a ceiling pays for them."""
    lower = np.where(face.free | face.full, -INFINITY, 0.0)
    upper = np.where(face.full & ~face.free, 0.0, INFINITY)
    upper[program.fixed :][program.closed] = 0.0
    if not slack:
        lower[len(program.capacity) : program.fixed] = upper[len(program.capacity) : program.fixed] = 0.0
    return Face(
        engine=program.engine,
        row_lower=np.full(len(direction), -INFINITY),
        row_upper=np.where(face.scarce, -direction, INFINITY),
        lower=lower,
        upper=upper,
    )
