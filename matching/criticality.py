"""How much the chain would miss a firm: welfare and volume lost without it.

No firm needs a clearing of its own: in the warm programme its limits are set to nothing and it is solved on, new
candidates included, until every lane is priced out again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .building import build
from .clearing import clear
from .engine import Engine, Face, Point, WarmEngine
from .fan_out import at_once, fan_out
from .graph import sub_markets
from .lanes import find_lanes
from .pricing import TIE, Values, best_candidates
from .program import Program
from .rounds import Cleared
from .sides import Floats, Market
from .snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Criticality:
    """What is lost without a firm: welfare (CNY over the horizon, and as a share of its sub-market's) and, of each
    product that loses, volume (units over the horizon)."""

    firm: str
    welfare_lost: float
    share: float
    volume_lost: Mapping[str, float]


def criticality(
    snapshot: Snapshot,
    count: int = 50,
    engine: type[Engine] = WarmEngine,
    progress: Callable[[str], None] | None = None,
    owner: Callable[[str], str] | None = None,
) -> list[Criticality]:
    """The `count` firms that offer most (value at typical prices), ranked by the welfare lost without each.

    A firm in several sub-markets is told once in each. `progress` is called with each firm's name; `owner` gives the
    firm behind a name, where a firm bears several.
    """
    heard = progress if at_once() == 1 else None  # what hears cannot go to another process
    markets = [snapshot.of_products(products) for products in sub_markets(snapshot)]
    found = []
    for missed in fan_out(_of_market, [(market, count, engine, heard, owner) for market in markets]):
        found += missed
    found.sort(key=lambda missed: (-missed.welfare_lost, missed.firm))
    return found[:count]


def _of_market(
    snapshot: Snapshot,
    count: int,
    engine: type[Engine],
    progress: Callable[[str], None] | None,
    owner: Callable[[str], str] | None,
) -> list[Criticality]:
    """The largest firms of one sub-market."""
    market = build(snapshot)
    cleared = clear(market, find_lanes(market), engine)
    before = _volumes(cleared.program, _greatest_volume(cleared.program, cleared.program.face, cleared.point))
    owners = [name if owner is None else owner(name) for name in market.firms]
    found = []
    for firm in _largest(market, owners, count):
        if progress is not None:
            progress(firm)
        found.append(_missed(cleared, firm, [at for at, name in enumerate(owners) if name == firm], before))
    return found


def _largest(market: Market, owners: Sequence[str], count: int) -> list[str]:
    """Firms by what they offer, bids and capacity at typical prices alike."""
    value = np.zeros(len(market.firms))
    for side in (market.sellers, market.buyers):
        np.add.at(value, side.firm, side.quantity.sum(axis=1) * market.level[side.product])
    outputs = slice(market.sellers.offers, None)
    made = market.capacity.sum(axis=1) * market.level[market.sellers.product[outputs]]
    np.add.at(value, market.sellers.firm[outputs], made)
    total: dict[str, float] = defaultdict(float)
    for at in np.flatnonzero(value).tolist():
        total[owners[at]] += value[at]
    return sorted(total, key=lambda firm: (-total[firm], firm))[:count]


def _missed(cleared: Cleared, firm: str, names: Sequence[int], before: Mapping[str, float]) -> Criticality:
    program = cleared.program
    point = _solved_without(program, names)
    after = _volumes(program, _greatest_volume(program, _without(program, names), point))
    welfare = cleared.point.value * program.value
    lost = max(welfare - point.value * program.value, 0.0)
    falls = {product: before[product] - after.get(product, 0.0) for product in before}
    return Criticality(
        firm=firm,
        welfare_lost=lost,
        share=lost / welfare if welfare else 0.0,
        volume_lost={product: fall for product, fall in falls.items() if fall > 1e-6 * before[product]},
    )


def _without(program: Program, names: Sequence[int]) -> Face:
    """All feasible points at which a firm's offers and conversions stand still."""
    market, face = program.market, program.face
    mine = np.isin(np.concatenate([market.sellers.firm, market.buyers.firm]), names)
    rows = np.zeros(len(program.limits), dtype=bool)
    rows[: len(mine) * len(program.segments)] = np.repeat(mine, len(program.segments))
    idle = np.zeros(len(face.upper), dtype=bool)
    makes = np.repeat(np.isin(market.sellers.firm[market.sellers.offers :], names), len(program.segments))
    idle[: len(makes)] = makes
    return replace(face, row_upper=np.where(rows, 0.0, face.row_upper), upper=np.where(idle, 0.0, face.upper))


def _solved_without(program: Program, names: Sequence[int]) -> Point:
    while True:
        point = _without(program, names).maximise(program.welfare)
        pricing = Values(program.market, program.lanes, program.duals(point.duals)).best()
        worst = pricing.reduced.max(initial=0.0)
        if worst <= TIE or not program.add(best_candidates(program.lanes, pricing)):
            return point


def _greatest_volume(program: Program, face: Face, point: Point) -> Floats:
    """Of the welfare optima among the candidates at hand, one with the greatest volume."""
    return face.optima(program.welfare, point.duals).maximise(program.volume).variables


def _volumes(program: Program, variables: Floats) -> dict[str, float]:
    """Units traded over the horizon by product."""
    market = program.market
    lots = program.rates(variables) * program.length
    product = market.sellers.product[program.seller]
    totals = np.bincount(product, weights=lots, minlength=len(market.products))
    units = {name: float(totals[at]) * float(market.lot[at]) for at, name in enumerate(market.products)}
    return {name: amount for name, amount in units.items() if amount > 0}
