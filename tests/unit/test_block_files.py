"""Block terms in a folder of files: read as they are written, with a line for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from matching.__main__ import main
from matching.snapshot import Snapshot
from matching.snapshot_files import read_snapshot, write_snapshot

from .markets import buy, sell, snapshot


def market() -> Snapshot:
    return snapshot(
        sell("s1", [95], "50", min_rate=10, all_or_none=True, group="tender"),
        sell("s2", [60], "51", only_with="s1"),
        buy("b", [100], "70", most_contracts=1),
        buy("none", [100], "60", most_contracts=0),
    )


def test_block_terms_are_read_as_they_are_written(tmp_path: Path) -> None:
    write_snapshot(market(), tmp_path)
    read = read_snapshot(tmp_path)
    assert read.digest() == market().digest()
    assert {offer.offer: offer.most_contracts for offer in read.offers} == {"s1": None, "s2": None, "b": 1, "none": 0}


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ("-1,", "offers.csv, row 2, column most_contracts: -1 is too small; expected a whole number of 0 or more"),
        (",s9", "offers.csv, row 2, column only_with: 's9' is not a sell or buy of this folder"),
        (",b", "offers.csv, row 2, column only_with: the offer depends on itself"),
    ],
)
def test_a_faulty_block_term_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cells: str, told: str
) -> None:
    write_snapshot(market(), tmp_path)
    rows = (tmp_path / "offers.csv").read_text(encoding="utf-8").splitlines()
    assert rows[1].endswith(",1,")
    rows[1] = rows[1].removesuffix("1,") + cells
    (tmp_path / "offers.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err
