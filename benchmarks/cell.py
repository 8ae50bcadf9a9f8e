"""One method on one case in a process of its own, so that memory is its own and one cannot stop the others.

Called as `python -m benchmarks.cell`: a case and a method come in on standard input as JSON, what was measured goes
out on standard output as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from .instances import Case, make
from .methods import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one method took on one case: seconds, MB beyond what the market itself takes, CNY; `failed` says why not.

    `total` is build and solve; the snapshot and, for the others, the lanes are given.
    """

    case: str
    method: str
    lanes: int = 0
    build: float = 0.0
    solve: float = 0.0
    memory: float = 0.0
    welfare: float = 0.0
    failed: str = ""

    @property
    def total(self) -> float:
        return self.build + self.solve


def measure(case: Case, method: str, seconds: float) -> Cell:
    """Run one cell; a method that is too slow, missing or broken gives a cell that says so."""
    asked = json.dumps({"case": asdict(case), "method": method})
    command = [sys.executable, "-m", "benchmarks.cell"]
    try:
        done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return Cell(case=case.name, method=method, failed=f"> {seconds:g} s")
    if done.returncode:
        said = done.stderr.strip().splitlines()
        return Cell(case=case.name, method=method, failed=said[-1] if said else f"ended with {done.returncode}")
    return Cell(**json.loads(done.stdout.splitlines()[-1]))


def _peak() -> float:
    """MB, the largest this process or a solver it started has been."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own, started) / 1024


def main() -> None:
    asked = json.loads(sys.stdin.read())
    case, method = Case(**asked["case"]), str(asked["method"])
    solve = load(method)
    snapshot = make(case)
    before, start = _peak(), time.perf_counter()
    solved = solve(snapshot)
    spent = time.perf_counter() - start
    cell = Cell(
        case=case.name,
        method=method,
        lanes=solved.lanes,
        build=round(solved.build, 4),
        solve=round(min(solved.solve, spent), 4),
        memory=round(_peak() - before, 1),
        welfare=solved.welfare,
    )
    sys.stdout.write(json.dumps(asdict(cell)) + "\n")


if __name__ == "__main__":
    main()
