"""The reference tables: every fact cited, every coefficient what chemistry says, every fault named by its place."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from market import credit_code
from market.errors import BadInput
from reference.prices import index_fixings
from reference.tables import FOLDER, load

# IUPAC abridged standard atomic weights (2021); lithium is the conventional value.
MASS = {
    "H": 1.008,
    "Li": 6.94,
    "C": 12.011,
    "O": 15.999,
    "F": 18.998,
    "P": 30.974,
    "S": 32.06,
    "Mn": 54.938,
    "Fe": 55.845,
    "Co": 58.933,
    "Ni": 58.693,
}
CARBONATE = {"Li": 2, "C": 1, "O": 3}
HYDROXIDE = {"Li": 1, "O": 2, "H": 3}
SC6_LITHIUM = 0.06 * 2 * MASS["Li"] / (2 * MASS["Li"] + MASS["O"])


def weight(formula: Mapping[str, float]) -> float:
    return sum(MASS[element] * count for element, count in formula.items())


def ncm(nickel: float, cobalt: float, manganese: float) -> dict[str, float]:
    return {"Li": 1, "Ni": nickel, "Co": cobalt, "Mn": manganese, "O": 2}


def ncm_precursor(nickel: float, cobalt: float, manganese: float) -> dict[str, float]:
    return {"Ni": nickel, "Co": cobalt, "Mn": manganese, "O": 2, "H": 2}


LFP, FEPO4 = {"Li": 1, "Fe": 1, "P": 1, "O": 4}, {"Fe": 1, "P": 1, "O": 4}
LIPF6 = {"Li": 1, "P": 1, "F": 6}
NCM523, NCM811 = ncm(0.5, 0.2, 0.3), ncm(0.8, 0.1, 0.1)
PRECURSOR523, PRECURSOR811 = ncm_precursor(0.5, 0.2, 0.3), ncm_precursor(0.8, 0.1, 0.1)
STOICHIOMETRY = {
    ("cathode_LFP", "lithium_carbonate"): weight(CARBONATE) / 2 / weight(LFP),
    ("cathode_LFP", "iron_phosphate"): weight(FEPO4) / weight(LFP),
    ("cathode_NCM523", "lithium_carbonate"): weight(CARBONATE) / 2 / weight(NCM523),
    ("cathode_NCM523", "precursor_NCM523"): weight(PRECURSOR523) / weight(NCM523),
    ("cathode_NCM811", "lithium_hydroxide"): weight(HYDROXIDE) / weight(NCM811),
    ("cathode_NCM811", "precursor_NCM811"): weight(PRECURSOR811) / weight(NCM811),
    ("LiPF6", "lithium_carbonate"): weight(CARBONATE) / 2 / weight(LIPF6),
    ("lithium_hydroxide", "lithium_carbonate"): weight(CARBONATE) / 2 / weight(HYDROXIDE),
    ("lithium_carbonate", "spodumene_concentrate"): 2 * MASS["Li"] / weight(CARBONATE) / SC6_LITHIUM,
    ("lithium_hydroxide", "spodumene_concentrate"): MASS["Li"] / weight(HYDROXIDE) / SC6_LITHIUM,
    ("precursor_NCM523", "nickel_metal"): 0.5 * MASS["Ni"] / weight(PRECURSOR523),
    ("precursor_NCM523", "cobalt_metal"): 0.2 * MASS["Co"] / weight(PRECURSOR523),
    ("precursor_NCM523", "manganese_metal"): 0.3 * MASS["Mn"] / weight(PRECURSOR523),
    ("precursor_NCM811", "nickel_metal"): 0.8 * MASS["Ni"] / weight(PRECURSOR811),
    ("precursor_NCM811", "cobalt_metal"): 0.1 * MASS["Co"] / weight(PRECURSOR811),
    ("precursor_NCM811", "manganese_metal"): 0.1 * MASS["Mn"] / weight(PRECURSOR811),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tables that a test may spoil."""
    copy = tmp_path / "tables"
    shutil.copytree(FOLDER, copy)
    return copy


def spoil(path: Path, row: int, column: str, text: str) -> None:
    """Put `text` into one cell; rows count from 1 with the header as row 1."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    rows[row - 1][rows[0].index(column)] = text
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines, lineterminator="\n").writerows(rows)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.csv")), ids=lambda path: path.stem)
def test_every_row_names_its_source_and_whether_it_is_an_estimate(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    assert all(row["source"].strip() and row["estimated"] in {"true", "false"} for row in rows)


def test_a_fact_called_an_estimate_in_its_source_is_marked_as_one() -> None:
    for path in FOLDER.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                if "estimate of the project" in row["source"]:
                    assert row["estimated"] == "true", (path.name, row)


def test_bill_of_materials_is_what_atomic_masses_say() -> None:
    found = {(row.output, row.input): row for row in load().bom if row.method == "stoichiometry"}
    assert set(found) == set(STOICHIOMETRY)
    for key, expected in STOICHIOMETRY.items():
        assert float(found[key].quantity) == pytest.approx(expected, rel=1e-3), key


def test_lithium_in_spent_cells_follows_from_bill_of_materials_and_cell_weight() -> None:
    tables = load()
    cathode = next(row.quantity for row in tables.bom if (row.output, row.input) == ("cell_LFP", "cathode_LFP"))
    cell = next(row.tonnes_per_unit for row in tables.products if row.product == "cell_LFP")
    lithium = float(cathode) * MASS["Li"] / weight(LFP) / float(cell)
    assert float(tables.assumption("cell_lithium")) == pytest.approx(lithium, rel=0.01)
    assert float(tables.assumption("carbonate_per_lithium")) == pytest.approx(
        weight(CARBONATE) / (2 * MASS["Li"]), rel=1e-3
    )


def test_credit_codes_are_whole_and_plainly_synthetic() -> None:
    tables = load()
    codes = [row.credit_code for row in tables.firms if row.credit_code]
    assert len(codes) == len(set(codes)) > 30
    assert all(credit_code.validate(code)[:12] == "YY000000FAKE" for code in codes)
    assert all(row.credit_code_synthetic == bool(row.credit_code) for row in tables.firms)
    assert not any(row.credit_code for row in tables.firms if row.aggregate or row.country != "CN")
    others = [row.registration_number for row in tables.firms if not row.credit_code]
    assert len(others) == len(set(others))
    assert all(number.startswith("SYNTHETIC-") for number in others)


def test_units_agree_across_tables() -> None:
    tables = load()
    unit = {row.product: row.unit for row in tables.products}
    assert all(row.unit == unit[row.product] for row in tables.grades)
    assert all(row.unit == unit[row.product] for row in tables.capacity)
    assert all(row.lot > 0 for row in tables.grades)
    assert len({(row.product, row.lot) for row in tables.grades}) == len(tables.products)


def test_an_unknown_name_of_an_assumption_is_refused() -> None:
    with pytest.raises(KeyError, match="no_such_number"):
        load().assumption("no_such_number")


@pytest.mark.parametrize(
    ("name", "row", "column", "text", "fault"),
    [
        (
            "capacity.csv",
            3,
            "per_year",
            "many",
            "capacity.csv, row 3, column per_year: 'many'; expected a decimal number",
        ),
        ("cells.csv", 2, "gwh_per_year", "NaN", "cells.csv, row 2, column gwh_per_year: 'NaN'"),
        ("grades.csv", 2, "lot", "1.5", "grades.csv, row 2, column lot: '1.5'; expected a whole number"),
        ("sites.csv", 5, "estimated", "no", "sites.csv, row 5, column estimated: 'no'; expected true or false"),
        ("bom.csv", 4, "source", " ", "bom.csv, row 4, column source: an empty source"),
        (
            "sites.csv",
            7,
            "region",
            "CN-QQ",
            "sites.csv, row 7, column region: 'CN-QQ'; expected a region of regions.csv",
        ),
        ("firms.csv", 4, "group", "nobody", "firms.csv, row 4, column group: 'nobody'; expected a firm of firms.csv"),
        ("regions.csv", 2, "region", "CN-HN", "column region: ('CN-HN',) again; expected one row per key"),
    ],
)
def test_a_fault_is_told_by_file_row_and_column(  # noqa: PLR0917
    folder: Path, name: str, row: int, column: str, text: str, fault: str
) -> None:
    spoil(folder / name, row, column, text)
    with pytest.raises(BadInput) as refusal:
        load(folder)
    assert fault in str(refusal.value)


def test_a_missing_table_and_a_missing_column_are_told(folder: Path) -> None:
    (folder / "fees.csv").unlink()
    (folder / "recovery.csv").write_text("scheme,metal\n", encoding="utf-8")
    with pytest.raises(BadInput) as refusal:
        load(folder)
    assert [fault.place for fault in refusal.value.faults] == ["fees.csv", "recovery.csv"]
    assert "stage" in refusal.value.faults[1].expected


def test_a_ragged_row_is_told(folder: Path) -> None:
    path = folder / "chemistry.csv"
    path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + ",too much\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"chemistry\.csv, row 3: more cells"):
        load(folder)


def test_the_index_is_told_without_tax() -> None:
    closes = index_fixings(load())
    assert closes["2025-06-30"] == Decimal(62260) / Decimal("1.13")
    means = index_fixings(load(), "monthly_mean")
    june = [price for day, price in closes.items() if day.startswith("2025-06")]
    assert float(means["2025-06-01"]) == pytest.approx(float(sum(june)) / len(june), rel=1e-4)
