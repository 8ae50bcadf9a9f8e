"""One clearing, from snapshot to answer: lanes, welfare, prices, volume and fairness, lots, certificate, results."""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np

from . import certificate as proof
from .answer import Answer, Certificate, Contract, OfferResult, ShadowPrice
from .block_choice import Choice, SearchLimits
from .block_lots import lots_of_blocks
from .block_terms import BlockTerms, Trade, breaches, read_terms
from .blocks import block_offers
from .building import build
from .bundles import bundled
from .clearing import clear
from .engine import Engine, WarmEngine
from .explain import results
from .fairness import settle
from .fan_out import at_once, fan_out
from .graph import sub_markets
from .lanes import Lanes, find_lanes
from .locking import paying_contracts
from .lots import whole_lots
from .prices import PriceRange, price_range
from .rounds import Cleared
from .shadow_prices import hub_prices, list_duals, read_duals
from .sides import Market
from .snapshot import Snapshot

PHASES = ("lanes", "clearing", "prices", "fairness", "lots", "certificate")
Progress = Callable[[str, int, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The answer of one sub-market; `seconds` by phase and `peak_memory` (MB) of the process that cleared it."""

    contracts: list[Contract]
    results: list[OfferResult]
    prices: list[ShadowPrice]
    finding: proof.Finding
    bound: float
    rounds: int
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory: float = 0.0


def run(
    snapshot: Snapshot,
    progress: Progress | None = None,
    engine: type[Engine] = WarmEngine,
    limits: SearchLimits = SearchLimits(),  # noqa: B008  # frozen
) -> Answer:
    """Clear a snapshot.

    `limits` bound the search for which offers with block terms to take, in each sub-market.
    `progress` is called with (phase, round of the solver, share of the work done 0..1) and may raise to stop; where
    sub-markets are spread over processes (see `fan_out`), only after each of them.
    :raises engine.SolverFailed: the solver gave no optimum.
    """
    parts = _parts([snapshot.of_products(products) for products in sub_markets(snapshot)], progress, engine, limits)
    contracts = bundled(snapshot, [contract for part in parts for contract in part.contracts])
    blocks = sorted(block_offers(snapshot))
    certificate = proof.merge([part.finding for part in parts], blocks)
    return Answer(
        contracts=tuple(contracts),
        results=tuple(sorted((r for part in parts for r in part.results), key=lambda result: result.offer)),
        prices=tuple(sorted((p for part in parts for p in part.prices), key=lambda p: (p.kind, p.subject, p.position))),
        certificate=_completed(certificate, parts),
    )


def _parts(
    markets: Sequence[Snapshot], progress: Progress | None, engine: type[Engine], limits: SearchLimits
) -> list[_Part]:
    """The sub-markets cleared, in their order: here one after the other, or wherever work is spread to."""
    report, share = progress or _unheard, 1 / max(len(markets), 1)
    if at_once() == 1:
        return [
            _sub_market(market, engine, limits, _Clock(report, done * share, share))
            for done, market in enumerate(markets)
        ]
    alone = _Clock(_unheard, 0.0, 1.0)
    parts = []
    for part in fan_out(_sub_market, [(market, engine, limits, alone) for market in markets]):
        parts.append(part)
        report(PHASES[-1], part.rounds, len(parts) * share)
    return parts


def _unheard(_phase: str, _rounds: int, _share: float) -> None:
    """Progress that nobody asked for."""


def _completed(certificate: Certificate, parts: Sequence[_Part]) -> Certificate:
    divisible = sum(part.bound for part in parts)
    lost = Decimal(repr(divisible - float(certificate.welfare))).quantize(Decimal("0.01"))
    return replace(
        certificate,
        rounding_loss=lost,
        rounds=sum(part.rounds for part in parts),
        seconds={phase: round(sum(part.seconds.get(phase, 0.0) for part in parts), 3) for phase in PHASES},
        peak_memory=max((part.peak_memory for part in parts), default=0.0),
    )


class _Clock:
    """Time by phase, and progress between `start` and `start + share` of the whole."""

    def __init__(self, report: Progress, start: float, share: float) -> None:
        self.report, self.start, self.share = report, start, share
        self.seconds: dict[str, float] = defaultdict(float)
        self.since, self.rounds = time.perf_counter(), 0

    def finished(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds[phase] += now - self.since
        self.since = now
        done = (PHASES.index(phase) + 1) / len(PHASES)
        self.report(phase, self.rounds, self.start + self.share * done)

    def round(self, rounds: int, _worst: float) -> None:
        self.rounds += 1
        # How many rounds it takes is not known; the share approaches the end of its phase.
        done = (1 + rounds / (rounds + 8)) / len(PHASES)
        self.report("clearing", self.rounds, self.start + self.share * done)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cleared:
    """A sub-market cleared, whole lots included; `bound` is the divisible welfare before lots, `optimum` where it is
    reached but for lots: where nobody asks for block terms."""

    market: Market
    lanes: Lanes
    prices: PriceRange
    contracts: list[Contract]
    bound: float
    rounds: int
    optimum: Cleared | None


def _sub_market(snapshot: Snapshot, engine: type[Engine], limits: SearchLimits, clock: _Clock) -> _Part:
    """Everything about one sub-market, by itself; it may run in another process or on another machine."""
    clock.since = time.perf_counter()
    market = build(snapshot)
    lanes = find_lanes(market)
    clock.finished("lanes")
    terms = read_terms(market)
    start = clear(market, lanes, engine, clock.round, in_parts=not terms.any)
    clock.finished("clearing")
    prices, contracts = _contracted(start, terms, limits, clock)
    part = _reported(
        _Cleared(
            market=market,
            lanes=lanes,
            prices=prices,
            contracts=contracts,
            bound=start.point.value * start.program.value,
            rounds=start.rounds,
            optimum=None if block_offers(snapshot) else start,
        )
    )
    clock.finished("certificate")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return replace(part, seconds=dict(clock.seconds), peak_memory=round(memory, 1))


def _contracted(
    start: Cleared, terms: BlockTerms, limits: SearchLimits, clock: _Clock
) -> tuple[PriceRange, list[Contract]]:
    """Prices and contracts of a sub-market from its divisible optimum on."""
    if not terms.any:
        prices = price_range(start)
        clock.finished("prices")
        program, rates = settle(start, prices.middle)
        clock.finished("fairness")
        contracts, _ = paying_contracts(program, whole_lots(program, rates), prices.middle)
        clock.finished("lots")
        return prices, contracts
    choice = Choice(start, terms, limits)
    clock.finished("clearing")
    while True:
        cleared, hold = choice.cleared(), choice.holder
        prices = price_range(cleared)
        clock.finished("prices")
        if choice.regrets(prices.middle):
            continue
        program, rates = settle(cleared, prices.middle, hold)
        clock.finished("fairness")
        rounded, trade = lots_of_blocks(program, rates, terms, hold)
        contracts, lots = paying_contracts(program, rounded, prices.middle, begin=False)
        clock.finished("lots")
        if lots is not rounded:
            trade = Trade(trade.market, trade.lanes, trade.candidates, lots, np.zeros(len(lots)))
        broken = breaches(terms, trade)
        if not broken:
            return prices, contracts
        choice.leave_out(broken, trade)


def _reported(cleared: _Cleared) -> _Part:
    """Certificate and results. The check reads the shadow prices as they will be written, not as they were computed."""
    market, lanes = cleared.market, cleared.lanes
    named = [list(list_duals(market, lanes, duals)) for duals in cleared.prices.each()]
    low, high, middle = (read_duals(market, lanes, prices) for prices in named)
    finding = proof.check_market(market, cleared.contracts, middle, sorted(block_offers(market.snapshot)))
    prices = PriceRange(buyers_best=low, sellers_best=high, middle=middle)
    return _Part(
        contracts=cleared.contracts,
        results=results(market, lanes, cleared.contracts, prices, cleared.optimum),
        prices=[*named[-1], *hub_prices(market, lanes, middle)],
        finding=finding,
        bound=cleared.bound,
        rounds=cleared.rounds,
    )
