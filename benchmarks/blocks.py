"""`python -m benchmarks.blocks`: minimum rates at size, how soon there is an answer and how far it is from the bound.

Seconds are the processor's: nothing here runs on two, and others may use the machine. For each size those that the
clearing takes without block terms, those on top of it to the first answer and to the last, and how far both stay behind
the divisible optimum over all candidates that have room for their minimum rate (no answer is worth more), in per cent;
last, how far that optimum is below the market without block terms.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from matching.block_choice import Choice, SearchLimits
from matching.block_terms import read_terms
from matching.building import build
from matching.clearing import clear
from matching.engine import WarmEngine
from matching.graph import sub_markets
from matching.lanes import find_lanes

from .instances import Case, make, short

ASKING = 0.5  # part of the offers with a minimum rate
SIZES: dict[str, Case] = {
    "9k": Case(offers=1_100, lanes=9_000, products=5, min_rates=ASKING),
    "30k": Case(offers=3_500, lanes=30_000, min_rates=ASKING),
    "100k": Case(offers=7_000, lanes=100_000, min_rates=ASKING),
    "1M": Case(offers=20_000, lanes=1_000_000, min_rates=ASKING),
    "9k-T4": Case(offers=1_100, lanes=9_000, products=5, periods=4, windows="ladder", min_rates=ASKING),
    "30k-T4": Case(offers=3_500, lanes=30_000, periods=4, windows="ladder", min_rates=ASKING),
    "100k-T4": Case(offers=7_000, lanes=100_000, periods=4, windows="ladder", min_rates=ASKING),
}
DEFAULT = ("9k", "30k", "100k", "1M", "9k-T4", "30k-T4")
COLUMNS = ("lanes", "clearing s", "first s", "first gap %", "total s", "gap %", "bound below divisible %")


@dataclass(slots=True, kw_only=True)
class Row:
    """Sums over the sub-markets of a case: lanes, seconds, and welfare in CNY."""

    lanes: int = 0
    clearing: float = 0.0
    first: float = 0.0
    total: float = 0.0
    divisible: float = 0.0
    bound: float = 0.0
    first_found: float = 0.0
    found: float = 0.0

    def told(self, name: str) -> tuple[str, ...]:
        """The fields of a printed line."""
        gaps = (1 - self.first_found / self.bound, 1 - self.found / self.bound, 1 - self.bound / self.divisible)
        first, last, below = (f"{100 * gap:.3f}" for gap in gaps)
        seconds = (f"{value:.2f}" for value in (self.clearing, self.first, self.total))
        clearing, soonest, total = seconds
        return f"{name} ({short(self.lanes)})", clearing, soonest, first, total, last, below


def measure(case: Case, seconds: float) -> Row:
    """Clear every sub-market of a case and search for at most so many seconds in all, shared by their lanes."""
    snapshot, row = make(case), Row()
    parts = []
    for products in sub_markets(snapshot):
        market = build(snapshot.of_products(products))
        parts.append((market, find_lanes(market)))
    every = sum(len(lanes) for _, lanes in parts)
    for market, lanes in parts:
        begun = time.process_time()
        start = clear(market, lanes, WarmEngine, in_parts=False)
        cleared = time.process_time()
        terms = read_terms(market)
        first = Choice(start, terms, SearchLimits(seconds=0.0))
        answered = time.process_time()
        best = first
        if seconds:
            # A search adds to the programme that it begins from: the second one gets its own.
            start = clear(market, lanes, WarmEngine, in_parts=False)
            answered = time.process_time()
            best = Choice(start, terms, SearchLimits(seconds=seconds * len(lanes) / every))
        row.lanes += len(lanes)
        row.clearing += cleared - begun
        row.first += answered - cleared
        row.total += time.process_time() - (answered if seconds else cleared)
        value = start.program.value
        row.divisible += start.point.value * value
        row.bound += best.bound.most
        row.first_found += first.kept.point.value * value
        row.found += best.kept.point.value * value
    return row


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 2 for a size that is not known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.blocks", description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=list(DEFAULT), metavar="SIZE", help=", ".join(SIZES))
    parser.add_argument("--seconds", type=float, default=60.0, help="of search beyond the first answer, per size")
    asked = parser.parse_args(arguments)
    for name in asked.sizes:
        if name not in SIZES:
            print(f"{name!r} is none of: {', '.join(SIZES)}", file=sys.stderr)
            return 2
    print(_line(COLUMNS))
    for name in asked.sizes:
        print(_line(measure(SIZES[name], asked.seconds).told(name)), flush=True)
    return 0


def _line(fields: Sequence[str]) -> str:
    widths = (18, 11, 9, 12, 9, 9, 24)
    left = fields[0].ljust(widths[0])
    return "  ".join([left, *(field.rjust(width) for field, width in zip(fields[1:], widths[1:], strict=True))])


if __name__ == "__main__":
    sys.exit(main())
