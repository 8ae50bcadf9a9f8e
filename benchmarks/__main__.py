"""`python -m benchmarks`: a table of sizes and methods, whether all optima agree, JSON and a picture of the curves."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .cell import Cell, measure
from .curves import draw
from .instances import Case
from .methods import METHODS
from .sizes import DEFAULT, SIZES

AGREE = 1e-9  # relative difference of optima
OURS = "ours"
SLOW = 300.0  # seconds a cell may take unless told otherwise


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all optima agree, 1 when two differ, 2 for a wrong call."""
    asked = _parser().parse_args(arguments)
    for given, known in ((asked.sizes, SIZES), (asked.methods or [], METHODS)):
        for name in given:
            if name not in known:
                print(f"{name!r} is none of: {', '.join(known)}", file=sys.stderr)
                return 2
    cells: list[Cell] = []
    print(_line(("case", "method", "build s", "solve s", "total s", "peak MB", "ratio")))
    for size in asked.sizes:
        case = SIZES[size]
        row = [measure(case, method, asked.seconds) for method in _methods(case, asked.methods)]
        for cell in row:
            print(_line(_told(cell, row)), flush=True)
        cells += row
    wrong = disagreements(cells)
    print("\n".join(wrong) or f"all optima agree to {AGREE:g}")
    if asked.json:
        Path(asked.json).write_text(json.dumps([asdict(cell) for cell in cells], indent=1) + "\n")
    if asked.picture:
        Path(asked.picture).write_text(draw(cells, {SIZES[size].name: SIZES[size] for size in asked.sizes}))
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=list(DEFAULT), metavar="SIZE", help=", ".join(SIZES))
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="all that fit a size, unless named")
    parser.add_argument("--seconds", type=float, default=SLOW, help="limit of one cell")
    parser.add_argument("--json", metavar="FILE", help="write what was measured")
    parser.add_argument("--picture", metavar="FILE", help="write the curves as SVG")
    return parser


def _methods(case: Case, wanted: Sequence[str] | None) -> list[str]:
    """Those that can express a case; ours first. Methods nobody named are left out where they are known to be slow."""
    able = [name for name, (_, fits, _) in METHODS.items() if fits(case)]
    if wanted:
        return [name for name in able if name in wanted]
    windows = {"one": 1, "ladder": 7, "all": case.periods * (case.periods + 1) // 2}[case.windows]
    return [name for name in able if name == OURS or case.lanes * windows <= METHODS[name][2]]


def _told(cell: Cell, row: Sequence[Cell]) -> tuple[str, ...]:
    if cell.failed:
        return cell.case, cell.method, "", "", cell.failed, "", ""
    ours = next((other.total for other in row if other.method == OURS and not other.failed), 0.0)
    ratio = f"{cell.total / ours:.3g}" if ours else ""
    seconds = tuple(f"{value:.3f}" for value in (cell.build, cell.solve, cell.total))
    return cell.case, cell.method, *seconds, f"{cell.memory:.0f}", ratio


def _line(fields: Sequence[str]) -> str:
    widths = (46, 24, 9, 9, 9, 8, 7)
    left = [field.ljust(width) for field, width in zip(fields[:2], widths, strict=False)]
    return "  ".join(left + [field.rjust(width) for field, width in zip(fields[2:], widths[2:], strict=True)]).rstrip()


def disagreements(cells: Sequence[Cell]) -> list[str]:
    """Every method whose optimum differs from the greatest found for its case, in words."""
    found = []
    for case in dict.fromkeys(cell.case for cell in cells):
        solved = [cell for cell in cells if cell.case == case and not cell.failed]
        best = max((cell.welfare for cell in solved), default=0.0)
        found += [
            f"{case}: {cell.method} finds {cell.welfare!r}, another {best!r}"
            for cell in solved
            if best - cell.welfare > AGREE * abs(best)
        ]
    return found


if __name__ == "__main__":
    sys.exit(main())
