"""One clearing, from snapshot to answer: lanes, welfare, prices, volume and fairness, lots, certificate, results."""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import networkx as nx

from . import certificate as proof
from .answer import Answer, Certificate, Contract, OfferResult, ShadowPrice
from .blocks import LeftOut, block_offers, next_left_out
from .clearing import clear
from .engine import Engine, WarmEngine
from .explain import results
from .fairness import settle
from .graph import sub_markets
from .lanes import Lanes, find_lanes
from .locking import locked_contracts
from .lots import whole_lots
from .prices import PriceRange, price_range
from .shadow_prices import hub_prices, list_duals, read_duals
from .sides import Market, build
from .snapshot import Snapshot

PHASES = ("lanes", "clearing", "prices", "fairness", "lots", "certificate")
Progress = Callable[[str, int, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The answer of one sub-market."""

    contracts: list[Contract]
    results: list[OfferResult]
    prices: list[ShadowPrice]
    finding: proof.Finding
    bound: float
    rounds: int


def run(snapshot: Snapshot, progress: Progress | None = None, engine: type[Engine] = WarmEngine) -> Answer:
    """Clear a snapshot.

    `progress` is called with (phase, round of the solver, share of the work done 0..1) and may raise to stop.
    :raises engine.SolverFailed: the solver gave no optimum.
    """
    report = progress or _unheard
    seconds: dict[str, float] = defaultdict(float)
    parts = []
    markets = sub_markets(snapshot)
    for done, products in enumerate(markets):
        clock = _Clock(seconds, report, done / len(markets), 1 / len(markets))
        parts.append(_sub_market(snapshot, products, engine, clock))
    contracts = _bundled(snapshot, [contract for part in parts for contract in part.contracts])
    blocks = sorted(block_offers(snapshot))
    certificate = proof.merge([part.finding for part in parts], blocks)
    return Answer(
        contracts=tuple(contracts),
        results=tuple(sorted((r for part in parts for r in part.results), key=lambda result: result.offer)),
        prices=tuple(sorted((p for part in parts for p in part.prices), key=lambda p: (p.kind, p.subject, p.position))),
        certificate=_completed(certificate, parts, seconds),
    )


def _unheard(_phase: str, _rounds: int, _share: float) -> None:
    """Progress that nobody asked for."""


def _completed(certificate: Certificate, parts: Sequence[_Part], seconds: dict[str, float]) -> Certificate:
    divisible = sum(part.bound for part in parts)
    lost = Decimal(repr(divisible - float(certificate.welfare))).quantize(Decimal("0.01"))
    return replace(
        certificate,
        rounding_loss=lost,
        rounds=sum(part.rounds for part in parts),
        seconds={phase: round(seconds[phase], 3) for phase in PHASES if phase in seconds},
        peak_memory=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


class _Clock:
    """Time by phase, and progress between `start` and `start + share` of the whole."""

    def __init__(self, seconds: dict[str, float], report: Progress, start: float, share: float) -> None:
        self.seconds, self.report, self.start, self.share = seconds, report, start, share
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
class _Divisible:
    """One divisible clearing of a sub-market, whole lots included; `bound` is the welfare before lots."""

    market: Market
    lanes: Lanes
    prices: PriceRange
    contracts: list[Contract]
    bound: float
    rounds: int


def _sub_market(snapshot: Snapshot, products: frozenset[str], engine: type[Engine], clock: _Clock) -> _Part:
    """Clear one sub-market, again while its answer breaks block terms."""
    whole = build(snapshot, products)
    cleared = _divisible(whole, LeftOut(), engine, clock)
    bound, left_out = cleared.bound, next_left_out(snapshot, cleared.contracts, LeftOut())
    while left_out is not None:
        market = build(left_out.from_snapshot(snapshot), products)
        cleared = _divisible(market, left_out, engine, clock)
        left_out = next_left_out(snapshot, cleared.contracts, left_out)
    part = _reported(whole, cleared)
    clock.finished("certificate")
    return replace(part, bound=bound)


def _divisible(market: Market, left_out: LeftOut, engine: type[Engine], clock: _Clock) -> _Divisible:
    lanes = find_lanes(market, left_out.pairs)
    clock.finished("lanes")
    cleared = clear(market, lanes, engine, clock.round)
    clock.finished("clearing")
    prices = price_range(cleared)
    clock.finished("prices")
    program, rates = settle(cleared, prices.middle)
    clock.finished("fairness")
    contracts = locked_contracts(program, whole_lots(program, rates), prices.middle)
    clock.finished("lots")
    return _Divisible(
        market=market,
        lanes=lanes,
        prices=prices,
        contracts=contracts,
        bound=cleared.point.value * cleared.program.value,
        rounds=cleared.rounds,
    )


def _reported(whole: Market, cleared: _Divisible) -> _Part:
    """Certificate and results of the whole sub-market, what was left out of its clearing included.

    The check reads the shadow prices as they will be written, not as they were computed.
    """
    lanes = find_lanes(whole)
    named = [list(list_duals(cleared.market, cleared.lanes, duals)) for duals in cleared.prices.each()]
    low, high, middle = (read_duals(whole, lanes, prices) for prices in named)
    finding = proof.check_market(whole, cleared.contracts, middle, sorted(block_offers(whole.snapshot)))
    prices = PriceRange(buyers_best=low, sellers_best=high, middle=middle)
    return _Part(
        contracts=cleared.contracts,
        results=results(whole, lanes, cleared.contracts, prices),
        prices=[*named[-1], *hub_prices(whole, lanes, middle)],
        finding=finding,
        bound=cleared.bound,
        rounds=cleared.rounds,
    )


def _bundled(snapshot: Snapshot, contracts: Sequence[Contract]) -> list[Contract]:
    """Contracts with their bundles: those tied by a conversion, directly or through others, share one."""
    conversions = {conversion.conversion for conversion in snapshot.conversions}
    ties: nx.Graph[int | str] = nx.Graph()
    for at, contract in enumerate(contracts):
        ties.add_node(at)
        ties.add_edges_from((at, label) for label in (contract.seller, contract.buyer) if label in conversions)
    bundle = {}
    parts = sorted(sorted(n for n in part if isinstance(n, int)) for part in nx.connected_components(ties))
    for number, part in enumerate(parts, start=1):
        bundle.update(dict.fromkeys(part, f"B{number:05d}"))
    return [replace(contract, bundle=bundle[at]) for at, contract in enumerate(contracts)]
