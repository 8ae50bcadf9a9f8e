"""The methods, each a module of its own: one is imported only in the process that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from matching.snapshot import Snapshot

from ..instances import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """What a method found: welfare in CNY, and seconds to make its model and to solve it."""

    welfare: float
    build: float
    solve: float
    lanes: int


Solve = Callable[[Snapshot], Solved]


def _any(_case: Case) -> bool:
    return True


def _network(case: Case) -> bool:
    """One period and no conversions: what a network method can express."""
    return case.periods == 1 and not case.conversions and not case.shares


# Name in the table -> module here, what it may be asked, and candidates beyond which it is left out unless named.
METHODS: dict[str, tuple[str, Callable[[Case], bool], int]] = {
    "ours": ("ours", _any, 100_000_000),
    "HiGHS on all candidates": ("highs_written", _any, 2_000_000),
    "scipy linprog": ("scipy_written", _any, 1_000_000),
    "OR-Tools GLOP": ("glop_written", _any, 2_000_000),
    "PuLP + CBC": ("pulp_written", _network, 200_000),
    "linopy + HiGHS": ("linopy_written", _network, 1_000_000),
    "Pyomo + HiGHS": ("pyomo_written", _network, 200_000),
    "PyPSA": ("pypsa_network", _network, 20_000),
    "OR-Tools min-cost flow": ("ortools_flow", _network, 10_000_000),
    "LEMON network simplex": ("lemon_flow", _network, 10_000_000),
    "POT emd": ("pot_emd", _network, 10_000_000),
}


def load(name: str) -> Solve:
    """The method's function.

    :raises KeyError: no method has that name.
    :raises ImportError: the tool is not installed; `pip install -e '.[bench]'` brings all.
    """
    solve: Solve = import_module(f"{__name__}.{METHODS[name][0]}").solve
    return solve
