"""The stand-alone command, run as an analyst would: golden cases, exit statuses, verification of tampered answers."""

from __future__ import annotations

import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from market.errors import InvalidValue
from matching.answer_files import read_answer, refuse_other_content, write_answer
from matching.run import run
from matching.snapshot_files import read_snapshot

ROOT = Path(__file__).parents[2]
QUARTERS = ("2027-Q1", "2027-Q2", "2027-Q3", "2027-Q4")
COLUMNS = {
    "offers": (
        "offer,side,firm,product,grade,region,first_period,last_period,quantity,price,min_term,max_term,min_rate,"
        "all_or_none,max_share,group"
    ),
    "conversions": (
        "conversion,firm,region,output_product,output_grade,first_period,last_period,capacity,fee,min_term,max_term"
    ),
    "conversion_inputs": "conversion,product,grade,quantity_per_output,own_stock_per_period",
    "freight": "product,from_region,to_region,cost",
    "grades": "product,grade,rank,lot,unit",
    "periods": "period,months",
}
GRADES = ("carbonate,battery,1,1,t", "cathode,LFP,1,1,t")


def folder(path: Path, periods: int, offers: list[str], **more: list[str]) -> Path:
    """A snapshot folder; offers are written (label, side, product, region, quantity, price, first, last, min_term)."""
    rows = {"periods": [f"{quarter},3" for quarter in QUARTERS[:periods]], "grades": list(GRADES), **more}
    rows["offers"] = []
    for offer in offers:
        label, side, product, region, quantity, price, first, last, term = (*offer.split(), *(["-"] * 3))[:9]
        grade = "LFP" if product == "cathode" else "battery"
        window = ",".join("" if cell == "-" else cell for cell in (first, last))
        least = "" if term == "-" else term
        rows["offers"].append(
            f"{label},{side},firm {label},{product},{grade},{region},{window},{quantity},{price},{least},,,,,"
        )
    path.mkdir()
    for name, columns in COLUMNS.items():
        (path / f"{name}.csv").write_text("\n".join([columns, *rows.get(name, [])]) + "\n", encoding="utf-8")
    return path


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "matching", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def cleared(snapshot: Path, *, status: int = 0) -> tuple[list[dict[str, str]], dict[str, dict[str, str]]]:
    """Contracts, and results by offer, of a folder run through the command and verified."""
    out = snapshot.with_name(snapshot.name + " out")
    done = command(snapshot, "--out", out)
    assert (done.returncode, done.stderr) == (status, "")
    checked = command("verify", snapshot, out)
    assert (checked.returncode, checked.stderr) == (0, "")
    return table(out / "contracts.csv"), {row["offer"]: row for row in table(out / "results.csv")}


def contract(**terms: str) -> dict[str, str]:
    """A carbonate contract of the first quarter without freight; terms replace what differs."""
    usual = {
        "seller": "S1",
        "buyer": "B1",
        "product": "carbonate",
        "first_period": "2027-Q1",
        "last_period": "2027-Q1",
        "rate": "10",
        "freight": "0",
        "bundle": "B00001",
    }
    return usual | terms


FREIGHT = ["*,east,west,4"]


@pytest.mark.parametrize("turned", [False, True])
def test_equal_sellers_share_equally_whatever_the_order_of_rows(tmp_path: Path, *, turned: bool) -> None:
    offers = ["S1 sell carbonate east 100 70", "S2 sell carbonate east 100 70", "B1 buy carbonate east 100 90"]
    found, results = cleared(folder(tmp_path / "in", 1, offers[::-1] if turned else offers))
    at_70 = {"rate": "50", "price_ex_works": "70", "price_delivered": "70"}
    assert found == [contract(**at_70), contract(**at_70, seller="S2", bundle="B00002")]
    assert {label: (row["2027-Q1"], row["reason"]) for label, row in results.items()} == {
        "B1": ("100", "matched"),
        "S1": ("50", "matched"),
        "S2": ("50", "matched"),
    }


def test_where_nothing_is_scarce_the_price_is_the_midpoint(tmp_path: Path) -> None:
    offers = ["S1 sell carbonate east 10 70", "B1 buy carbonate west 10 90"]
    found, _ = cleared(folder(tmp_path / "in", 1, offers, freight=FREIGHT))
    assert found == [contract(price_ex_works="78", freight="4", price_delivered="82")]


def test_a_seller_with_too_much_sets_the_price_himself(tmp_path: Path) -> None:
    offers = ["S1 sell carbonate east 20 70", "B1 buy carbonate west 10 90"]
    found, results = cleared(folder(tmp_path / "in", 1, offers, freight=FREIGHT))
    assert found == [contract(price_ex_works="70", freight="4", price_delivered="74")]
    assert results["S1"]["2027-Q1"] == "10"


def test_terms_are_kept_to_the_period(tmp_path: Path) -> None:
    sell = "S1 sell carbonate east 60 70"
    two = folder(tmp_path / "two", 4, [sell, "B1 buy carbonate east 100 90 2027-Q2 2027-Q3 2"])
    found, results = cleared(two)
    assert found == [
        contract(first_period="2027-Q2", last_period="2027-Q3", rate="60", price_ex_works="90", price_delivered="90")
    ]
    assert [results["S1"][quarter] for quarter in QUARTERS] == ["0", "60", "60", "0"]
    three = folder(tmp_path / "three", 4, [sell, "B1 buy carbonate east 100 90 2027-Q2 2027-Q3 3"])
    found, results = cleared(three)
    assert found == []
    for label in ("S1", "B1"):
        assert (results[label]["reason"], results[label]["requirement"]) == ("no_eligible_lane", "term")


def chain(path: Path, bid: int) -> Path:
    return folder(
        path,
        1,
        ["S1 sell carbonate east 1000 60000", f"B1 buy cathode east 100 {bid}"],
        conversions=["C1,works,east,cathode,LFP,,,400,8000,,"],
        conversion_inputs=["C1,carbonate,battery,0.25,"],
    )


def test_a_conversion_ties_both_tiers_into_one_bundle(tmp_path: Path) -> None:
    found, results = cleared(chain(tmp_path / "in", 30000))
    sold, bought = found
    assert (sold["seller"], sold["buyer"], sold["rate"]) == ("C1", "B1", "100")
    assert (bought["seller"], bought["buyer"], bought["rate"]) == ("S1", "C1", "25")
    assert sold["bundle"] == bought["bundle"]
    # Carbonate is not scarce, the works is not full: all but the ask and the fee would be the buyer's.
    assert (bought["price_ex_works"], sold["price_ex_works"]) == ("60000", "23000")
    assert {label: row["2027-Q1"] for label, row in results.items()} == {"B1": "100", "C1": "100", "S1": "25"}
    certificate = json.loads((tmp_path / "in out" / "certificate.json").read_text(encoding="utf-8"))
    assert certificate["welfare"] == 100 * 7000
    assert certificate["gap"] == 0


def test_a_chain_that_does_not_pay_trades_on_no_tier(tmp_path: Path) -> None:
    found, results = cleared(chain(tmp_path / "in", 22000))
    assert found == []
    assert {row["reason"] for row in results.values()} == {"out_of_the_money"}
    assert results["B1"]["distance"] == "1000"


def test_a_pair_without_surplus_trades(tmp_path: Path) -> None:
    found, _ = cleared(folder(tmp_path / "in", 1, ["S1 sell carbonate east 10 80", "B1 buy carbonate east 10 80"]))
    assert found == [contract(price_ex_works="80", price_delivered="80")]


def test_the_summary_tells_the_run_and_quiet_tells_nothing(tmp_path: Path) -> None:
    snapshot = folder(tmp_path / "in", 1, ["S1 sell carbonate east 10 70", "B1 buy carbonate east 10 90"])
    told = command(snapshot, "--out", tmp_path / "out").stdout
    lines = dict(line.split(maxsplit=1) for line in told.splitlines())
    assert list(lines) == ["offers", "lanes", "contracts", "results", "welfare", "gap", "certificate", "seconds"]
    assert lines["offers"] == "2, and 0 conversions; 2027-Q1 to 2027-Q1"
    assert lines["contracts"] == "1 in 1 bundles"
    assert lines["welfare"] == "200.00 CNY, at most 200.00 CNY were possible"
    assert lines["certificate"].startswith("Every limit, term and price holds exactly")
    quiet = command(snapshot, "--out", tmp_path / "out", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_progress_is_shown_on_a_terminal(tmp_path: Path) -> None:
    snapshot = folder(tmp_path / "in", 1, ["S1 sell carbonate east 10 70", "B1 buy carbonate east 10 90"])
    ours, theirs = pty.openpty()
    arguments = [sys.executable, "-m", "matching", str(snapshot), "--out", str(tmp_path / "out")]
    subprocess.run(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=theirs, check=True, timeout=120)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    os.close(theirs)
    assert "clearing, round 1" in shown
    assert "100% certificate" in shown


def test_bad_input_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    snapshot = folder(tmp_path / "in", 1, ["S1 sell carbonate east x 70", "B1 buy carbonate east 10 -90"])
    done = command(snapshot, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "offers.csv, row 2, column quantity: 'x' is not a number; expected a number above 0, at most 1000000000000",
        "offers.csv, row 3, column price: -90 is negative; expected a number of 0 or more, at most 1000000000000",
    ]
    assert not (tmp_path / "out").exists()
    assert command(tmp_path / "nowhere", "--out", tmp_path / "out").returncode == 2
    assert command("verify", snapshot, tmp_path / "out").returncode == 2


def test_a_file_that_is_not_read_is_told(tmp_path: Path) -> None:
    snapshot = folder(tmp_path / "in", 1, ["S1 sell carbonate east 10 70"])
    (snapshot / "profile.csv").write_text("offer\n", encoding="utf-8")
    done = command(snapshot, "--out", tmp_path / "out")
    assert done.stderr == "profile.csv: not a file of a snapshot, it was not read\n"


def test_only_an_answer_is_replaced(tmp_path: Path) -> None:
    snapshot = folder(tmp_path / "in", 1, ["S1 sell carbonate east 10 70", "B1 buy carbonate east 10 90"])
    read = read_snapshot(snapshot)
    out = tmp_path / "deep" / "out"
    write_answer(run(read), read, out)
    (out / "contracts.csv").write_text("old\n", encoding="utf-8")
    write_answer(run(read), read, out)
    assert len(read_answer(out, read).contracts) == 1
    (out / "notes.txt").write_text("mine\n", encoding="utf-8")
    done = command(snapshot, "--out", out)
    assert done.returncode == 2
    assert "holds notes.txt; expected an empty folder, an earlier answer or none" in done.stderr
    assert (out / "notes.txt").read_text(encoding="utf-8") == "mine\n"
    assert command(snapshot, "--out", snapshot).returncode == 2
    with pytest.raises(InvalidValue, match=r"holds notes\.txt"):
        write_answer(run(read), read, out)
    with pytest.raises(InvalidValue, match="is a file"):
        refuse_other_content(out / "notes.txt")


def test_what_fails_while_writing_leaves_the_earlier_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = folder(tmp_path / "in", 1, ["S1 sell carbonate east 10 70", "B1 buy carbonate east 10 90"])
    read, out = read_snapshot(snapshot), tmp_path / "out"
    answer = run(read)
    write_answer(answer, read, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    rename = Path.rename

    def full(path: Path, target: Path) -> Path:
        if path.name.endswith(".new"):
            raise OSError("no space")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="no space"):
        write_answer(answer, read, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
