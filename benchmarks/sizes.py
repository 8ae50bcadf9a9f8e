"""The sizes by name: what `python -m benchmarks --sizes` takes."""

from __future__ import annotations

from .instances import Case

SIZES: dict[str, Case] = {
    # One period, no conversions: every method.
    "10k": Case(offers=1_200, lanes=10_000, products=5),
    "30k": Case(offers=3_500, lanes=30_000),
    "100k": Case(offers=7_000, lanes=100_000),
    "300k": Case(offers=11_500, lanes=300_000),
    "1M": Case(offers=20_000, lanes=1_000_000),
    "10M": Case(offers=100_000, lanes=10_000_000),
    # Twelve periods.
    "10k-ladder": Case(offers=1_200, lanes=10_000, products=5, periods=12, windows="ladder"),
    "100k-ladder": Case(offers=7_000, lanes=100_000, periods=12, windows="ladder"),
    "1M-ladder": Case(offers=20_000, lanes=1_000_000, periods=12, windows="ladder"),
    "10M-ladder": Case(offers=100_000, lanes=10_000_000, periods=12, windows="ladder"),
    "10k-all": Case(offers=1_200, lanes=10_000, products=5, periods=12, windows="all"),
    "1M-all": Case(offers=20_000, lanes=1_000_000, periods=12, windows="all"),
    # Longer horizons on a ladder, for the curve over periods.
    "30k-T4": Case(offers=3_500, lanes=30_000, periods=4, windows="ladder"),
    "30k-T12": Case(offers=3_500, lanes=30_000, periods=12, windows="ladder"),
    "30k-T36": Case(offers=3_500, lanes=30_000, periods=36, windows="ladder"),
    # Conversions over five tiers; with the lanes of its processors the largest have ten million.
    "10k-conversions": Case(offers=1_200, lanes=10_000, products=10, conversions=True),
    "100k-conversions": Case(offers=7_000, lanes=100_000, conversions=True),
    "1M-conversions": Case(offers=20_000, lanes=1_000_000, conversions=True),
    "10M-conversions": Case(offers=100_000, lanes=6_500_000, conversions=True),
    "10k-ladder-conversions": Case(
        offers=1_200, lanes=10_000, products=10, periods=12, windows="ladder", conversions=True
    ),
    "1M-ladder-conversions": Case(offers=20_000, lanes=1_000_000, periods=12, windows="ladder", conversions=True),
    "10M-ladder-conversions": Case(offers=100_000, lanes=6_500_000, periods=12, windows="ladder", conversions=True),
    "100k-all-conversions": Case(offers=7_000, lanes=100_000, periods=12, windows="all", conversions=True),
    "300k-all-conversions": Case(offers=11_500, lanes=300_000, periods=12, windows="all", conversions=True),
    "1M-all-conversions": Case(offers=20_000, lanes=1_000_000, periods=12, windows="all", conversions=True),
}

DEFAULT = ("10k", "30k", "100k", "30k-T4", "30k-T12", "10k-ladder", "10k-conversions", "10k-ladder-conversions")
