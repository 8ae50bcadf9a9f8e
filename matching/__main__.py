"""`python -m matching SNAPSHOT_DIR --out DIR` clears a folder of CSV files; `python -m matching verify SNAPSHOT_DIR
ANSWER_DIR` checks an answer again without a solver; `python -m matching critical SNAPSHOT_DIR` ranks the firms by what
the chain would lose without them; `python -m matching limits SNAPSHOT_DIR` tells what each limit costs."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from market.errors import BadInput, MarketError

from .answer_files import read_answer, refuse_other_content, write_answer
from .csv_tables import MOST_FAULTS
from .fan_out import spread
from .snapshot_files import read_snapshot, unread_files
from .verification import verify

if TYPE_CHECKING:
    from .answer import Answer, Certificate
    from .snapshot import Snapshot

DONE, NOT_VERIFIED, BAD_INPUT, NOT_CERTIFIED = 0, 1, 2, 3


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 done, 2 bad input or folder, 3 the certificate does not hold; of `verify`, 1 where it fails."""
    given = sys.argv[1:] if arguments is None else arguments
    command = {"verify": _verify, "critical": _critical, "limits": _limits}.get(given[0] if given else "")
    return command(given[1:]) if command else _clear(given)


def _clear(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m matching",
        description="Clear a folder of CSV files (see docs/matching-files.md).",
        epilog="python -m matching verify SNAPSHOT_DIR ANSWER_DIR checks an answer again, without a solver; "
        "python -m matching critical SNAPSHOT_DIR ranks firms by what the chain would lose without them; "
        "python -m matching limits SNAPSHOT_DIR tells what each limit costs the market.",
    )
    parser.add_argument("snapshot", type=Path, metavar="SNAPSHOT_DIR", help="folder to read")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; replaced if an answer")
    parser.add_argument("--quiet", action="store_true", help="no summary and no progress")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the sub-markets (default 1)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="the Dask scheduler whose workers share the sub-markets")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    try:
        refuse_other_content(options.out)
        snapshot = read_snapshot(options.snapshot)
        for name in unread_files(options.snapshot):
            _tell(f"{name}: not a file of a snapshot, it was not read")
        with spread(workers=options.workers, cluster=options.cluster):
            answer = _cleared(snapshot, quiet=options.quiet)
        write_answer(answer, snapshot, options.out)
    except (MarketError, OSError) as refusal:
        return _refused(refusal)
    if not options.quiet:
        print(_summary(snapshot, answer, time.perf_counter() - began))
    for violation in answer.certificate.violations:
        _tell(violation)
    return DONE if answer.certificate.holds else NOT_CERTIFIED


def _cleared(snapshot: Snapshot, *, quiet: bool) -> Answer:
    # The solver is loaded here and nowhere else: `verify` does without it.
    from .run import run  # noqa: PLC0415

    shown = not quiet and sys.stderr.isatty()
    answer = run(snapshot, _show if shown else None)
    if shown:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return answer


def _show(phase: str, rounds: int, share: float) -> None:
    print(f"\r\033[K{share:4.0%} {phase}, round {rounds}", end="", file=sys.stderr, flush=True)


def _verify(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m matching verify", description="Check an answer again, from its files alone, without a solver."
    )
    parser.add_argument("snapshot", type=Path, metavar="SNAPSHOT_DIR")
    parser.add_argument("answer", type=Path, metavar="ANSWER_DIR")
    options = parser.parse_args(arguments)
    try:
        snapshot = read_snapshot(options.snapshot)
    except MarketError as refusal:
        return _refused(refusal)
    try:
        found = verify(snapshot, read_answer(options.answer, snapshot))
    except BadInput as refusal:
        _refused(refusal)
        return NOT_VERIFIED
    for violation in found.violations:
        _tell(violation)
    if found.violations:
        print(f"The answer does not hold: {len(found.violations)} things speak against it.")
        return NOT_VERIFIED
    print(f"The answer holds. {_optimality(found.certificate)}")
    return DONE


def _critical(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m matching critical",
        description="Rank the firms that offer most by the welfare that the market would lose without each.",
    )
    parser.add_argument("snapshot", type=Path, metavar="SNAPSHOT_DIR")
    parser.add_argument("--firms", type=int, default=50, help="how many firms to look at (default 50)")
    options = parser.parse_args(arguments)
    from .criticality import criticality  # noqa: PLC0415  # loads the solver

    try:
        ranked = criticality(read_snapshot(options.snapshot), options.firms)
    except MarketError as refusal:
        return _refused(refusal)
    print("firm, welfare lost without it (million CNY, share), volume lost by product")
    for missed in ranked:
        falls = ", ".join(f"{product} {lost:,.0f}" for product, lost in sorted(missed.volume_lost.items()))
        print(f"{missed.firm:24} {missed.welfare_lost / 1e6:12,.1f} {missed.share:7.2%}  {falls or '-'}")
    return DONE


def _limits(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m matching limits",
        description="Tell what quotas, ceilings, shares, lists, rules of origin and exclusions cost the market.",
    )
    parser.add_argument("snapshot", type=Path, metavar="SNAPSHOT_DIR")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the clearings (default 1)")
    options = parser.parse_args(arguments)
    from .limit_costs import limit_costs  # noqa: PLC0415  # loads the solver

    try:
        with spread(workers=options.workers, cluster=None):
            costs = limit_costs(read_snapshot(options.snapshot))
    except MarketError as refusal:
        return _refused(refusal)
    print("limit, what it costs (CNY over the horizon, a period)")
    for cost in costs:
        print(f"{cost.kind:10} {' '.join(cost.subject):40} {cost.welfare:18,.2f} {cost.per_period:18,.2f}")
    return DONE


def _refused(refusal: Exception) -> int:
    _tell(str(refusal))
    if isinstance(refusal, BadInput) and len(refusal.faults) >= MOST_FAULTS:
        _tell(f"The first {MOST_FAULTS} faults are shown.")
    return BAD_INPUT


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _summary(snapshot: Snapshot, answer: Answer, seconds: float) -> str:
    certificate = answer.certificate
    reasons = Counter(str(result.reason) for result in answer.results)
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items(), key=lambda r: (-r[1], r[0])))
    horizon = f"{snapshot.horizon.first} to {snapshot.horizon.last}"
    return "\n".join(
        [
            f"offers       {len(snapshot.offers)}, and {len(snapshot.conversions)} conversions; {horizon}",
            f"lanes        {certificate.lanes}, with {certificate.candidates} candidates",
            f"contracts    {len(answer.contracts)} in {len({c.bundle for c in answer.contracts})} bundles",
            f"results      {told or 'none'}",
            f"welfare      {certificate.welfare:,} CNY, at most {certificate.dual_bound:,} CNY were possible",
            f"gap          {certificate.gap:,} CNY, {certificate.rounding_loss:,} CNY of it by whole lots",
            f"certificate  {_optimality(certificate)}",
            f"seconds      {seconds:.2f}",
        ]
    )


def _optimality(certificate: Certificate) -> str:
    if certificate.violations:
        return f"It does not hold: {len(certificate.violations)} violations."
    if certificate.blocking_pairs:
        return f"It does not hold: {certificate.blocking_pairs} pairs would rather contract with each other."
    words = "Every limit, term and price holds exactly; no pair would rather contract with each other."
    if certificate.uncertified:
        words += f" Of {len(certificate.uncertified)} offers with block terms the latter is not certified."
    return words


if __name__ == "__main__":
    sys.exit(main())
