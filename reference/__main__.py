"""`python -m reference --out DIR`: write the reference scenario as a folder of CSV files."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from market.errors import MarketError

from . import derive, write_snapshot


def main(arguments: list[str] | None = None) -> int:
    """Write the folder and say what is in it; 2 when a table of facts is faulty."""
    parser = argparse.ArgumentParser(prog="python -m reference", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=2027, help="seed of the synthetic prices and terms")
    options = parser.parse_args(arguments)
    try:
        scenario = derive(options.seed)
    except MarketError as refusal:
        print(refusal, file=sys.stderr)
        return 2
    write_snapshot(scenario, options.out)
    sides = Counter(offer.side for offer in scenario.offers)
    print(
        f"{len(scenario.offers)} offers ({sides['sell']} sell, {sides['buy']} buy, {sides['conversion']} conversion) "
        f"of {len(scenario.firms)} firms, {scenario.horizon.first} to {scenario.horizon.last}, in {options.out}. "
        "Volumes rest on cited capacities; prices and terms are synthetic."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
