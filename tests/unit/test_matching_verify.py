"""`python -m matching verify`: an answer that somebody has changed does not hold, and what was changed is named."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from matching.__main__ import main
from matching.answer import Contract
from matching.answer_files import read_answer, write_answer
from matching.block_choice import SearchLimits
from matching.blocks import block_offers
from matching.run import run
from matching.snapshot import Conversion, ConversionInput, Offer, Snapshot
from matching.snapshot_files import read_snapshot, write_snapshot
from matching.verification import verify

from .markets import buy, markets, sell, snapshot
from .test_matching_blocks import block_markets
from .test_matching_command import ROOT, command, folder, table


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a snapshot (in) and its answer (out): two sellers, two buyers, one works."""
    path = tmp_path_factory.mktemp("answered")
    folder(
        path / "in",
        2,
        [
            "S1 sell carbonate east 30 60000",
            "S2 sell carbonate west 10 61000",
            "S3 sell carbonate east 10 62000 2027-Q1 2027-Q1",
            "B1 buy cathode east 100 30000",
            "B2 buy carbonate east 5 70000 - - 2",
        ],
        freight=["*,east,west,300", "*,west,east,300"],
        conversions=["C1,works,east,cathode,LFP,,,400,8000,,"],
        conversion_inputs=["C1,carbonate,battery,0.25,"],
    )
    assert command(path / "in", "--out", path / "out", "--quiet").returncode == 0
    return path


def rewritten(name: str, change: Callable[[list[dict[str, str]]], object]) -> Callable[[Path], None]:
    """Tampering with the rows of a file."""

    def tamper(out: Path) -> None:
        rows = table(out / name)
        columns = list(rows[0])
        change(rows)
        with (out / name).open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    return tamper


def put(column: str, text: str, **where: str) -> Callable[[list[dict[str, str]]], None]:
    def change(rows: list[dict[str, str]]) -> None:
        row = next(row for row in rows if where.items() <= row.items())
        assert row[column] != text
        row[column] = text

    return change


def stated(name: str, amount: object) -> Callable[[Path], None]:
    def tamper(out: Path) -> None:
        document = json.loads((out / "certificate.json").read_text(encoding="utf-8"))
        document[name] = amount
        (out / "certificate.json").write_text(json.dumps(document), encoding="utf-8")

    return tamper


def all_of(*changes: Callable[[Path], None]) -> Callable[[Path], None]:
    def tamper(out: Path) -> None:
        for change in changes:
            change(out)

    return tamper


def contracts(change: Callable[[list[dict[str, str]]], object]) -> Callable[[Path], None]:
    return rewritten("contracts.csv", change)


def results(change: Callable[[list[dict[str, str]]], object]) -> Callable[[Path], None]:
    return rewritten("results.csv", change)


def prices(change: Callable[[list[dict[str, str]]], object]) -> Callable[[Path], None]:
    return rewritten("prices.csv", change)


def another(**changed: str) -> Callable[[list[dict[str, str]]], object]:
    """One more contract, like the one of B2 but for some cells."""
    return lambda rows: rows.append(next(row for row in rows if row["buyer"] == "B2") | changed)


Q1 = {"first_period": "2027-Q1", "last_period": "2027-Q1"}
WITHOUT_B2 = all_of(
    contracts(lambda rows: rows.pop(1)),
    results(put("2027-Q1", "0", offer="B2")),
    results(put("2027-Q2", "0", offer="B2")),
    results(put("reason", "capacity_exhausted_pro_rata", offer="B2")),
    results(put("2027-Q1", "25", offer="S1")),
    results(put("2027-Q2", "25", offer="S1")),
    stated("welfare", 1_400_000.0),
    stated("gap", 100_000.0),
    stated("rounding_loss", 100_000.0),
)


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        # Quantities, terms, windows.
        (contracts(put("rate", "101", seller="C1")), "B1 in 2027-Q1: 101 lots bought, 100 free"),
        (contracts(put("rate", "26", buyer="C1")), "S1 in 2027-Q1: 31 lots sold, 30 free"),
        (contracts(put("rate", "24", buyer="C1")), "C1 in 2027-Q1: 100 lots sold, inputs and capacity make 96"),
        (contracts(put("rate", "0", buyer="B2")), "[0, 1]: rate 0; expected at least one lot"),
        (contracts(put("rate", "0.5", seller="C1")), "rate: 0.5 is not a whole number of lots"),
        (contracts(put("last_period", "2028-Q1", buyer="B2")), "2028-Q1 is not a period of the"),
        (contracts(put("last_period", "2027-Q1", buyer="B2")), "[0, 0]: 1 periods; B2 asks for 2 to 2"),
        (contracts(another(seller="S3", buyer="C1")), "S3 -> C1 [0, 1]: S3 offers nothing in part of the window"),
        (contracts(put("buyer", "B9", buyer="B2")), "no eligible lane between the two"),
        (contracts(put("product", "cathode", buyer="B2")), "no eligible lane between the two"),
        (contracts(another()), "contract S1 -> B2 [0, 1]: it is there twice"),
        # Money.
        (contracts(put("price_ex_works", "59999", buyer="B2")), "is below the ask 60000.0000"),
        (contracts(put("price_delivered", "70001", buyer="B2")), "is above the bid 70000.0000"),
        (contracts(put("price_delivered", "60651", buyer="B2")), "delivered price 60651 is not ex works plus freight"),
        (contracts(put("freight", "1", buyer="B2")), "freight 1; the table says 0"),
        (
            all_of(
                contracts(put("price_ex_works", "60651", buyer="B2")),
                contracts(put("price_delivered", "60651", buyer="B2")),
            ),
            "contract S1 -> B2 [0, 1]: price 60651 ex works; its shadow prices give 60650.0000",
        ),
        (
            all_of(
                contracts(put("price_ex_works", "22000", seller="C1")),
                contracts(put("price_delivered", "22000", seller="C1")),
            ),
            "C1: earns 232500.00 CNY less than its fee",
        ),
        # What is left out.
        (contracts(lambda rows: rows.pop(1)), "pair S1 -> B2 [0, 1]: left out; there is room for a lot more"),
        (
            WITHOUT_B2,
            "left out; there is room for a lot more, which brings 10000.0000 CNY a unit",
        ),
        (contracts(lambda rows: rows.pop(1)), "welfare: stated 1500000.0 CNY, recomputed 1400000.00 CNY"),
        (contracts(lambda rows: rows.clear()), "B1: its result says [100, 100] lots, its contracts"),
        # Bundles.
        (
            contracts(put("bundle", "B00001", buyer="B2")),
            "bundle B00001; what conversions tie gives B00002",
        ),
        # Shadow prices and reference prices.
        (prices(lambda rows: rows.clear()), "blocking pairs: both sides would gain"),
        (prices(put("shadow_price", "-5", kind="offer")), "-5 is negative"),
        (prices(put("shadow_price", "651", subject="S1")), "price 60650 ex works; its shadow prices give 60650.5000"),
        (
            prices(put("shadow_price", "6838", subject="B1")),
            "dual bound: stated 1500000.0 CNY, recomputed 1500050",
        ),
        (prices(put("shadow_price", "60651", kind="hub")), "60651; the shadow prices give 60650.0000"),
        (prices(lambda rows: rows.pop(0)), "hub carbonate battery east in 2027-Q1: none; the shadow prices give 60650"),
        (prices(lambda rows: rows.append(rows[-1])), "output C1 in 2027-Q2: it is there twice"),
        (prices(put("subject", "S9", subject="S1")), "offer S9 in 2027-Q1: there is nothing of that name"),
        (prices(put("kind", "share", subject="S1")), "share S1 in 2027-Q1: there is nothing of that name"),
        (prices(put("kind", "conversion", kind="output")), "conversion C1 in 2027-Q1: not what output, inputs and fee"),
        # Results.
        (results(lambda rows: rows.pop()), "no result; expected one for every offer"),
        (
            results(put("2027-Q1", "99", offer="B1")),
            "B1: its result says [99, 100] lots, its contracts",
        ),
        (
            results(put("reason", "paradoxically_rejected", offer="B1")),
            "says paradoxically_rejected, and 200 lots",
        ),
        (results(put("reason", "matched", offer="S2")), "S2: its result says matched, and 0 lots in all"),
        (results(put("reason", "no_eligible_lane", offer="S2")), "S2: its result says no_eligible_lane; it has a lane"),
        (results(put("reason", "thrown_out", offer="S2")), "'thrown_out' is not known"),
        (
            results(put("distance", "500", offer="S2")),
            "says 500.0000 CNY off; the shadow prices keep it 650.0000 CNY",
        ),
        (results(put("distance", "", offer="S2")), "S2: its result says out_of_the_money and a distance of None"),
        # The certificate's own words.
        (stated("welfare", 1.0), "welfare: stated 1.0 CNY, recomputed"),
        (stated("dual_bound", 1.0), "dual bound: stated 1.0 CNY, recomputed"),
        (stated("gap", 1.0), "gap: stated 1.0 CNY, recomputed 0.00 CNY"),
        (stated("gap", float("inf")), "certificate.json, column gap: it says 'Infinity'; expected an amount in CNY"),
        (stated("rounding_loss", 5.0), "rounding loss: stated 5.0 CNY, recomputed 0.00 CNY"),
        (stated("lanes", 7), "lanes: stated 7, recomputed 6"),
        (stated("candidates", 17), "candidates: stated 17, recomputed 18"),
        (stated("blocking_pairs", 1), "blocking pairs: stated 1, recomputed 0"),
        (stated("violations", ["a limit"]), "violations: 1 are stated, none found"),
        (stated("uncertified", ["S1"]), "uncertified: the offers stated are not those with block terms"),
        (stated("lanes", "many"), "certificate.json, column lanes: it says 'many'; expected a count"),
        (lambda out: (out / "prices.csv").unlink(), "prices.csv: the file is missing"),
        (shutil.rmtree, "there is no such folder"),
    ],
)
def test_a_tampered_answer_does_not_hold(
    answered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tamper: Callable[[Path], None], told: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(answered / "out", out)
    assert main(["verify", str(answered / "in"), str(out)]) == 0
    tamper(out)
    assert main(["verify", str(answered / "in"), str(out)]) == 1
    said = capsys.readouterr().err
    assert any(told in line for line in said.splitlines()), said


def test_of_the_loss_by_block_terms_only_what_can_be_known_is_held_against_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(tmp_path / "in", 1, ["S1 sell carbonate east 30 60000", "B1 buy carbonate east 20 70000"])
    offers = (tmp_path / "in" / "offers.csv").read_text(encoding="utf-8")
    (tmp_path / "in" / "offers.csv").write_text(offers.replace("60000,,,,,,", "60000,,,25,,,"), encoding="utf-8")
    assert main([str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert main(["verify", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    stated("uncertified", [])(tmp_path / "out")
    assert main(["verify", str(tmp_path / "in"), str(tmp_path / "out")]) == 1
    assert "uncertified: the offers stated" in capsys.readouterr().err


@settings(max_examples=25, derandomize=True)
@given(block_markets(), st.data())
def test_beside_block_terms_a_pair_without_any_is_not_left_out(market: Snapshot, data: st.DataObject) -> None:
    """Whatever contract between two offers without block terms is taken out, that is told by name."""
    beside = [kind(f"plain {n}", [3] * len(market.horizon), price) for n, kind, price in ((0, sell, 20), (1, buy, 90))]
    market = replace(market, offers=(*market.offers, *beside))
    answer = run(market, limits=SearchLimits(seconds=0.5, renewals=2, rounds=1, tries=5))
    offers, barred = {offer.offer: offer for offer in market.offers}, block_offers(market)
    plain = [c for c in answer.contracts if {c.seller, c.buyer} <= offers.keys() and not {c.seller, c.buyer} & barred]
    worth = [c for c in plain if gain_of(c, offers) > c.freight]
    assume(worth)
    gone = data.draw(st.sampled_from(worth))
    fewer = replace(answer, contracts=tuple(c for c in answer.contracts if c != gone))
    with tempfile.TemporaryDirectory() as place:
        write_answer(fewer, market, Path(place))
        said = verify(market, read_answer(Path(place), market)).violations
    named = f"pair {gone.seller} -> {gone.buyer} [{gone.first}, {gone.last}]: left out"
    assert any(told.startswith(named) for told in said), said


def gain_of(contract: Contract, offers: dict[str, Offer]) -> Fraction:
    """Bid less ask over the window of a contract, CNY per unit."""
    inside = slice(contract.first, contract.last + 1)
    bid, ask = (Fraction(sum(offers[label].price[inside])) for label in (contract.buyer, contract.seller))
    return (bid - ask) / (contract.last - contract.first + 1)


def test_verification_needs_no_solver(answered: Path) -> None:
    """Neither by name nor by what it would load: no solver is among the modules of a process that has verified."""
    script = (
        "import sys\n"
        "from matching.__main__ import main\n"
        f"status = main(['verify', {str(answered / 'in')!r}, {str(answered / 'out')!r}])\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(roots & {'scipy', 'highspy', 'ortools', 'pulp', 'pyomo', 'linopy', 'cvxpy', 'pylmcf'}))\n"
        "print(sorted(sys.modules.keys() & {'matching.engine', 'matching.clearing', 'matching.run'}))\n"
        "raise SystemExit(status)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told, solvers, ours = done.stdout.splitlines()
    assert told.startswith("The answer holds.")
    assert (solvers, ours) == ("[]", "[]")


@settings(max_examples=25, derandomize=True)
@given(st.one_of(markets(chain=True, most=30), markets(), block_markets()))
def test_every_answer_as_it_is_written_holds(market: Snapshot) -> None:
    quotas = [(quota.product, quota.origin, quota.destination, quota.position) for quota in market.corridors]
    assume(len(quotas) == len(set(quotas)))  # files name each quota once
    with tempfile.TemporaryDirectory() as place:
        answer = run(market, limits=SearchLimits(seconds=0.5, renewals=2, rounds=1, tries=5))
        write_snapshot(market, Path(place) / "in")
        write_answer(answer, market, Path(place) / "out")
        read = read_snapshot(Path(place) / "in")
        assert verify(read, read_answer(Path(place) / "out", read)).violations == ()


def works(
    label: str, region: str, route: tuple[str, str], coefficient: str, *, fee: str = "0", stock: str = "0"
) -> Conversion:
    source, product = route
    need = ConversionInput(
        product=source, grade="plain", quantity_per_output=Decimal(coefficient), own_stock=Decimal(stock)
    )
    return Conversion(
        conversion=label,
        firm=f"firm of {label}",
        region=region,
        product=product,
        grade="plain",
        capacity=(300,),
        fee=(Decimal(fee),),
        inputs=(need,),
    )


def test_demand_that_a_cut_output_leaves_goes_to_another_seller() -> None:
    """At fractions of lots cells would be made of salt made of cells; whole lots of it stop the loop at its stock, when
    the seller, who may not keep the loop going himself, has had his share of the demand already."""
    free = {("*", "north", "south"): Decimal(0), ("*", "south", "north"): Decimal(0)}
    market = snapshot(
        sell("s", [500], "48", product="cell"),
        buy("b", [500], "55", product="cell", region="south"),
        conversions=(
            works("c", "north", ("salt", "cell"), "0.05", stock="1.5"),
            works("d", "south", ("cell", "salt"), "0.3333333333", fee="30"),
        ),
        freight=free,
        exclusions=frozenset([frozenset(["firm of s", "firm of d"])]),
    )
    answer = run(replace(market, grades=tuple(replace(grade, lot=Decimal(10)) for grade in market.grades)))
    given_out = {contract.seller: contract.rate for contract in answer.contracts if contract.buyer == "b"}
    assert given_out == {"c": 3, "s": 497}
    assert answer.certificate.holds
