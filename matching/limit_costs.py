"""What each limit costs the market: the welfare that a clearing without it would bring more.

A shadow price tells what one unit more of a limit is worth; a list of approved suppliers or an exclusion has no units,
and a rule that closes an origin has no lane to price. All of them have this cost, and it is found the same way. Limits
that are seen not to bind are not cleared without: a quantity whose shadow price is zero costs nothing, nor does a list
if no pair that it closes would gain at the shadow prices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from .building import build
from .clearing import clear
from .engine import Engine, WarmEngine
from .fan_out import fan_out
from .graph import sub_markets
from .lanes import find_lanes
from .pricing import TIE, Values
from .rounds import Cleared
from .shadow_prices import list_duals, read_duals
from .snapshot import Side, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCost:
    """A limit and the welfare it costs, CNY over the horizon (in money of its first period).

    `kind` and `subject`: "corridor" (product, from, to), "origin" (product, origin, to), "ceiling" (product, firm or
    "*"), "share" (offer), "approved" (firm, product), "exclusion" (firm, firm). `periods` are those of the horizon:
    the cost divided by them is what it costs in one.
    """

    kind: str
    subject: tuple[str, ...]
    welfare: float
    periods: int

    @property
    def per_period(self) -> float:
        return self.welfare / self.periods


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """One limit of a snapshot, and the snapshot without it."""

    kind: str
    subject: tuple[str, ...]
    without: Snapshot


def limit_costs(
    snapshot: Snapshot, engine: type[Engine] = WarmEngine, progress: Callable[[str], None] | None = None
) -> list[LimitCost]:
    """The limits that cost something, the dearest first. Block terms are not counted: the welfare compared is that of
    the divisible market.

    `progress` is called with each limit's name; sub-markets and limits are spread over workers (`fan_out`).
    :raises engine.SolverFailed: the solver gave no optimum.
    """
    parts = [snapshot.of_products(products) for products in sub_markets(snapshot)]
    found = []
    for part in parts:
        limits = list(_limits(part))
        if not limits:
            continue
        market = build(part)
        cleared = clear(market, find_lanes(market), engine)
        binding = [limit for limit in limits if _may_bind(cleared, limit)]
        base = cleared.point.value * cleared.program.value
        for limit, free in zip(binding, fan_out(_welfare, [(one.without, engine) for one in binding]), strict=True):
            if progress is not None:
                progress(" ".join((limit.kind, *limit.subject)))
            if free - base > 2 * TIE * abs(free):
                found.append(
                    LimitCost(kind=limit.kind, subject=limit.subject, welfare=free - base, periods=market.periods)
                )
    return sorted(found, key=lambda cost: (-cost.welfare, cost.kind, cost.subject))


def _welfare(snapshot: Snapshot, engine: type[Engine]) -> float:
    market = build(snapshot)
    cleared = clear(market, find_lanes(market), engine)
    return cleared.point.value * cleared.program.value


def _limits(snapshot: Snapshot) -> Iterator[_Limit]:
    """Every limit of a sub-market; rows about one subject are one limit."""
    ways = sorted({(one.product, one.origin, one.destination) for one in snapshot.corridors})
    for way in ways:
        left = tuple(one for one in snapshot.corridors if (one.product, one.origin, one.destination) != way)
        yield _Limit(kind="corridor", subject=way, without=replace(snapshot, corridors=left))
    rules = sorted({(one.product, one.origin, one.destination) for one in snapshot.origin_rules})
    for rule in rules:
        kept = tuple(one for one in snapshot.origin_rules if (one.product, one.origin, one.destination) != rule)
        yield _Limit(kind="origin", subject=rule, without=replace(snapshot, origin_rules=kept))
    for ceiling in snapshot.ceilings:
        rest = tuple(one for one in snapshot.ceilings if one != ceiling)
        subject = ceiling.product, ceiling.firm or "*"
        yield _Limit(kind="ceiling", subject=subject, without=replace(snapshot, ceilings=rest))
    yield from _of_offers(snapshot)
    for pair in sorted(snapshot.exclusions, key=sorted):
        if len(pair) > 1:  # that a firm does not trade with itself is no limit that anybody would lift
            lifted = replace(snapshot, exclusions=snapshot.exclusions - {pair})
            yield _Limit(kind="exclusion", subject=tuple(sorted(pair)), without=lifted)


def _of_offers(snapshot: Snapshot) -> Iterator[_Limit]:
    """Largest shares, offer by offer, and lists of approved suppliers, by firm and product."""
    for offer in snapshot.offers:
        if offer.max_share is not None and offer.max_share < 1:
            free = tuple(replace(one, max_share=None) if one is offer else one for one in snapshot.offers)
            yield _Limit(kind="share", subject=(offer.offer,), without=replace(snapshot, offers=free))
    lists = {(o.firm, o.product) for o in snapshot.offers if o.side is Side.BUY and o.approved_firms is not None}
    lists |= {(c.firm, n.product) for c in snapshot.conversions for n in c.inputs if n.approved_firms is not None}
    for firm, product in sorted(lists):
        yield _Limit(kind="approved", subject=(firm, product), without=_without_list(snapshot, firm, product))


def _without_list(snapshot: Snapshot, firm: str, product: str) -> Snapshot:
    return replace(
        snapshot,
        offers=tuple(
            replace(o, approved_firms=None) if (o.firm, o.product) == (firm, product) else o for o in snapshot.offers
        ),
        conversions=tuple(
            replace(c, inputs=tuple(replace(n, approved_firms=None) if n.product == product else n for n in c.inputs))
            if c.firm == firm
            else c
            for c in snapshot.conversions
        ),
    )


def _may_bind(cleared: Cleared, limit: _Limit) -> bool:
    """Does an optimum leave open whether the limit costs anything?

    The shadow prices of the optimum are tried on the market without it: where no lane gains there and the limit itself
    has no price, the same prices prove the same welfare."""
    program = cleared.program
    if _priced(cleared, limit):
        return True
    market = build(limit.without)
    lanes = find_lanes(market)
    if len(lanes) == len(program.lanes):
        return False
    known = list(list_duals(program.market, program.lanes, cleared.duals))
    reduced = Values(market, lanes, read_duals(market, lanes, known)).best().reduced
    return bool(reduced.max(initial=0.0) > TIE)


def _priced(cleared: Cleared, limit: _Limit) -> bool:
    """Has a limit of quantities a shadow price anywhere?"""
    affiliates = cleared.program.market.snapshot.affiliates
    for at, family in enumerate(cleared.program.lanes.families):
        if family.kind != limit.kind or not np.any(cleared.duals.family[at] > 0):
            continue
        if limit.kind == "share":
            same = family.subject[:1] == limit.subject
        elif limit.kind == "ceiling":
            named = affiliates.get(limit.subject[1], limit.subject[1])
            same = family.subject[0] == limit.subject[0] and named in ("*", family.subject[1])
        else:
            same = family.subject == limit.subject
        if same:
            return True
    return False
