"""A snapshot folder reads back as it was written, and whatever is wrong in it is named by file, row and column."""

from __future__ import annotations

import dataclasses
import random
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.errors import BadInput, InvalidValue
from market.periods import Horizon
from matching.snapshot import (
    Bound,
    Commitment,
    Conversion,
    ConversionInput,
    Corridor,
    Grade,
    Offer,
    Side,
    Snapshot,
)
from matching.snapshot_files import read_snapshot, unread_files, write_snapshot

GOOD = {
    "periods.csv": "period,months\n2027-Q1,3\n2027-Q2,3\n2027-Q3,3\n2027-Q4,3\n",
    "grades.csv": (
        "product,grade,rank,lot,unit\ncarbonate,battery,2,0.1,t\ncarbonate,industrial,1,0.1,t\ncathode,LFP,1,1,t\n"
    ),
    "offers.csv": (
        "offer,side,firm,product,grade,region,first_period,last_period,quantity,price,min_term,max_term,min_rate,"
        "all_or_none,max_share,group\n"
        "S1,sell,mine,carbonate,battery,CN-QH,2027-Q1,2027-Q3,100,60000,,,,,,\n"
        "B1,buy,cells,cathode,LFP,CN-FJ,,,50,30000,2,4,0,0,0.5,\n"
    ),
    "conversions.csv": (
        "conversion,firm,region,output_product,output_grade,first_period,last_period,capacity,fee,min_term,max_term\n"
        "C1,works,CN-HN,cathode,LFP,,,400,8000,,\n"
    ),
    "conversion_inputs.csv": (
        "conversion,product,grade,quantity_per_output,own_stock_per_period\nC1,carbonate,battery,0.25,1.234\n"
    ),
    "freight.csv": "product,from_region,to_region,cost\n*,CN-QH,CN-HN,400\n*,CN-HN,CN-FJ,120.5\n",
}


def folder(path: Path, **changed: str | None) -> Path:
    """A good folder with some files (by name without ending) replaced, or left out where None."""
    path.mkdir(parents=True, exist_ok=True)
    for name, text in (GOOD | {f"{name}.csv": text for name, text in changed.items()}).items():
        if text is not None:
            (path / name).write_text(text, encoding="utf-8")
    return path


def edited(name: str, old: str, new: str) -> dict[str, str | None]:
    """One file of the good folder with a piece of text replaced."""
    assert old in GOOD[f"{name}.csv"]
    return {name: GOOD[f"{name}.csv"].replace(old, new, 1)}


def faults(path: Path) -> list[str]:
    with pytest.raises(BadInput) as refusal:
        read_snapshot(path)
    return [str(fault) for fault in refusal.value.faults]


def test_files_become_lots_and_vectors(tmp_path: Path) -> None:
    snapshot = read_snapshot(
        folder(
            tmp_path,
            profiles="offer,period,quantity,price\nS1,2027-Q2,,61000\nB1,2027-Q4,0,\nC1,2027-Q1,200,9000\n",
            certificates="offer,certificate,valid_to\nS1,ISO9001,2027-Q2\nS1,REACH,2026-Q4\nS1,IATF,2031-Q1\nB1,IATF,\n",
            specifications="offer,attribute,bound,value\nS1,moisture,max,0.2\n,assay,min,\n",
            corridors="product,from_region,to_region,period,limit\ncarbonate,CN-QH,CN-HN,*,0.35\n",
            exclusions="firm_a,firm_b\nmine,mine\n",
            windows="first_period,last_period\n2027-Q1,2027-Q2\n",
            affiliates="firm,group\nmine,holding\n",
            approved="offer,firm\nB1,\n",
            delivery="offer,freight_included\nS1,1\n",
        )
    )
    offers = {offer.offer: offer for offer in snapshot.offers}
    sell, buy, conversion = offers["S1"], offers["B1"], snapshot.conversions[0]
    assert sell.quantity == (1000, 1000, 1000, 0)
    assert sell.price == tuple(map(Decimal, (60000, 61000, 60000, 60000)))
    assert sell.certificates == {"ISO9001": 1, "IATF": None}
    assert sell.specification == {"moisture": Decimal("0.2")}
    assert sell.freight_included
    assert (buy.quantity, buy.min_term, buy.max_term) == ((50, 50, 50, 0), 2, 4)
    assert (buy.max_share, buy.approved_firms) == (Decimal("0.5"), frozenset())
    assert conversion.capacity == (200, 400, 400, 400)
    assert conversion.fee == tuple(map(Decimal, (9000, 8000, 8000, 8000)))
    assert conversion.inputs[0].own_stock == Decimal("1.234")
    assert snapshot.attributes == {"moisture": Bound.MAX, "assay": Bound.MIN}
    assert snapshot.exclusions == {frozenset({"mine"})}
    assert snapshot.windows == ((0, 1),)
    assert snapshot.corridors[0].limit == Decimal("0.35")


def test_a_byte_order_mark_blank_lines_and_left_out_columns_are_fine(tmp_path: Path) -> None:
    plain = read_snapshot(folder(tmp_path / "plain"))
    other = folder(tmp_path / "other", conversions=GOOD["conversions.csv"].replace(",,\n", ",,\n\n"))
    (other / "periods.csv").write_bytes(b"\xef\xbb\xbf" + GOOD["periods.csv"].replace("\n", "\r\n").encode())
    (other / "grades.csv").write_text(GOOD["grades.csv"].replace("\n", "\n,,,,\n"), encoding="utf-8")
    (other / "conversion_inputs.csv").write_text(
        "grade,conversion,quantity_per_output,product,own_stock_per_period\nbattery, C1 ,0.250,carbonate,1.234\n",
        encoding="utf-8",
    )
    assert read_snapshot(other).digest() == plain.digest()


def test_the_order_of_rows_and_columns_means_nothing(tmp_path: Path) -> None:
    plain = read_snapshot(folder(tmp_path / "plain"))
    shuffled: dict[str, str | None] = {}
    for name, text in GOOD.items():
        header, *rows = text.splitlines()
        random.Random(3).shuffle(rows)
        shuffled[name.removesuffix(".csv")] = "\n".join([header, *reversed(rows)]) + "\n"
    assert read_snapshot(folder(tmp_path / "shuffled", **shuffled)).digest() == plain.digest()


BAD: list[tuple[str, dict[str, str | None], str]] = [
    ("missing file", {"offers": None}, "offers.csv: the file is missing; expected columns offer"),
    ("unknown column", edited("offers", "price", "pryce"), "offers.csv, row 1, column pryce: unknown column"),
    ("missing column", edited("offers", "price", "pryce"), "offers.csv, row 1, column price: the column is missing"),
    ("double column", edited("grades", "grade,", "product,"), "grades.csv, row 1, column product: the column is there"),
    ("empty file", {"grades": ""}, "grades.csv, row 1: there is no header line"),
    ("no period", {"periods": "period,months\n"}, "periods.csv: there is no period"),
    ("no grade", {"grades": "product,grade,rank,lot,unit\n"}, "grades.csv: there is no grade"),
    ("ragged", edited("periods", "Q2,3", "Q2,3,1"), "periods.csv, row 3: the row has 3 cells; expected 2"),
    ("open quote", edited("periods", "2027-Q2", '"2027-Q2'), "periods.csv, row 3: unexpected end of data"),
    ("empty cell", edited("offers", "60000", ""), "offers.csv, row 2, column price: the cell is empty"),
    ("label twice", edited("offers", "B1,", "S1,"), "offers.csv, row 3, column offer: 'S1' is in offers.csv row 2"),
    ("labels meet", edited("conversions", "C1", "S1"), "conversions.csv, row 2, column conversion: 'S1' is in offers"),
    ("separator", edited("offers", "S1", "S|1"), "offers.csv, row 2, column offer: 'S|1' is not a name"),
    ("line break", edited("offers", "mine", '"mi\nne"'), "offers.csv, row 2, column firm: 'mi\\nne' is not a name"),
    ("side", edited("offers", "sell", "ask"), "offers.csv, row 2, column side: 'ask' is not known; expected sell or"),
    ("product", edited("offers", "carbonate", "salt"), "offers.csv, row 2, column product: 'salt' is not known"),
    ("grade", edited("offers", "battery", "x"), "offers.csv, row 2, column grade: carbonate has no grade 'x'"),
    ("bad period", edited("offers", "2027-Q1", "Q1"), "offers.csv, row 2, column first_period: 'Q1' is not a period"),
    ("outside", edited("offers", "2027-Q3", "2028-Q3"), "offers.csv, row 2, column last_period: 2028-Q3 is not a"),
    ("kind", edited("offers", "2027-Q3", "2027"), "offers.csv, row 2, column last_period: 2027 is not a period of"),
    ("backwards", edited("offers", "2027-Q1", "2027-Q4"), "offers.csv, row 2, column last_period: 2027-Q3 is before"),
    ("gap", edited("periods", "2027-Q2,3\n", ""), "periods.csv, row 3, column period: 2027-Q3 does not follow 2027-Q1"),
    ("period twice", edited("periods", "2027-Q2", "2027-Q1"), "periods.csv, row 3, column period: '2027-Q1' is on row"),
    ("months", edited("periods", "Q2,3", "Q2,4"), "periods.csv, row 3, column months: 4 months in 2027-Q2; expected 3"),
    ("part of a lot", edited("offers", "100,", "0.25,"), "offers.csv, row 2, column quantity: 0.25 is not a whole"),
    ("no quantity", edited("offers", "100,", "0,"), "offers.csv, row 2, column quantity: 0 is not above zero"),
    ("negative", edited("offers", "100,", "-1,"), "offers.csv, row 2, column quantity: -1 is negative; expected a"),
    ("too large", edited("offers", "100,", "1e40,"), "offers.csv, row 2, column quantity: 1E+40 is too large"),
    ("negative price", edited("offers", "60000", "-2"), "offers.csv, row 2, column price: -2 is negative; expected a"),
    ("no number", edited("offers", "60000", "6o"), "offers.csv, row 2, column price: '6o' is not a number"),
    ("infinite", edited("offers", "60000", "inf"), "offers.csv, row 2, column price: 'inf' is not a number"),
    ("not a number", edited("offers", "60000", "NaN"), "offers.csv, row 2, column price: 'NaN' is not a number"),
    ("underscore", edited("offers", "60000", "6_0"), "offers.csv, row 2, column price: '6_0' is not a number"),
    ("terms", edited("offers", "30000,2,4", "30000,5,4"), "offers.csv, row 3, column max_term: 4 is below min_term 5"),
    ("no term", edited("offers", "30000,2", "30000,0"), "offers.csv, row 3, column min_term: 0 is too small"),
    ("half a term", edited("offers", "30000,2", "30000,1.5"), "offers.csv, row 3, column min_term: '1.5' is not a"),
    ("flag", edited("offers", "4,0,0,", "4,0,yes,"), "offers.csv, row 3, column all_or_none: 'yes' is not known"),
    ("minimum rate", edited("offers", "4,0,0,", "4,0.5,0,"), "offers.csv, row 3, column min_rate: 0.5 is not a whole"),
    ("share", edited("offers", "0.5", "1.5"), "offers.csv, row 3, column max_share: 1.5 is too large; expected a"),
    (
        "seller's share",
        edited("offers", "60000,,,,,,", "60000,,,,,0.5,"),
        "offers.csv, row 2, column max_share: a sell",
    ),
    ("lot", edited("grades", "2,0.1", "2,0.2"), "grades.csv, row 3, column lot: 0.1 differs from another grade's"),
    ("no lot", edited("grades", "1,1,t", "1,0,t"), "grades.csv, row 4, column lot: 0 is not above zero"),
    (
        "unit",
        edited("grades", "1,0.1,t", "1,0.1,kg"),
        "grades.csv, row 3, column unit: kg differs from another grade's",
    ),
    (
        "grade twice",
        edited("grades", "industrial", "battery"),
        "grades.csv, row 3, column product: 'carbonate', 'battery'",
    ),
    ("no inputs", {"conversion_inputs": None}, "conversions.csv, row 2, column conversion: 'C1' has no inputs"),
    (
        "inputs alike",
        {"conversion_inputs": GOOD["conversion_inputs.csv"] + "C1,carbonate,industrial,1,\n"},
        "conversion_inputs.csv, row 3, column conversion: 'C1', 'carbonate' is on row 2 already",
    ),
    (
        "input of none",
        {"conversions": None},
        "conversion_inputs.csv, row 2, column conversion: 'C1' is not a conversion",
    ),
    ("no need", edited("conversion_inputs", "0.25", "0"), "column quantity_per_output: 0 is not above zero"),
    ("fee", edited("conversions", "8000", "-8000"), "conversions.csv, row 2, column fee: -8000 is negative"),
    ("freight", edited("freight", "120.5", "-1"), "freight.csv, row 3, column cost: -1 is negative"),
    (
        "freight twice",
        edited("freight", "CN-HN,CN-FJ", "CN-QH,CN-HN"),
        "freight.csv, row 3, column product: '*', 'CN-QH'",
    ),
    ("freight of", edited("freight", "*,", "salt,"), "freight.csv, row 2, column product: 'salt' is not known"),
    (
        "profile of",
        {"profiles": "offer,period,quantity,price\nX,2027-Q1,1,1\n"},
        "profiles.csv, row 2, column offer: 'X'",
    ),
    (
        "profile outside",
        {"profiles": "offer,period,quantity,price\nS1,2027-Q4,1,1\n"},
        "profiles.csv, row 2, column period: 2027-Q4 is outside the window of S1; expected a period from 2027-Q1 to",
    ),
    (
        "profile twice",
        {"profiles": "offer,period,quantity,price\nS1,2027-Q1,1,\nS1,2027-Q1,,1\n"},
        "profiles.csv, row 3, column offer: 'S1', '2027-Q1' is on row 2 already",
    ),
    (
        "corridor",
        {"corridors": "product,from_region,to_region,period,limit\nsalt,A,B,*,1\n"},
        "corridors.csv, row 2, column product: 'salt' is not known",
    ),
    ("no window", {"windows": "first_period,last_period\n"}, "windows.csv: there is no window"),
    (
        "window",
        {"windows": "first_period,last_period\n2027-Q2,2027-Q1\n"},
        "windows.csv, row 2, column last_period: 2027-Q1 is before first_period 2027-Q2",
    ),
    (
        "bounds",
        {"specifications": "offer,attribute,bound,value\nS1,assay,min,1\nC1,assay,max,1\n"},
        "specifications.csv, row 3, column bound: max for assay, min on row 2",
    ),
    (
        "value",
        {"specifications": "offer,attribute,bound,value\nS1,assay,min,\n"},
        "specifications.csv, row 2, column value: the cell is empty",
    ),
    (
        "certificate",
        {"certificates": "offer,certificate,valid_to\nS1,ISO9001,2028\n"},
        "certificates.csv, row 2, column valid_to: 2028 is not a quarter",
    ),
    (
        "affiliate twice",
        {"affiliates": "firm,group\nmine,a\nmine,b\n"},
        "affiliates.csv, row 3, column firm: 'mine' is on row 2 already",
    ),
    (
        "commitment",
        {"commitments": "sell,buy,period,quantity\nS1,B1,2027-Q1,1\n"},
        "commitments.csv, row 2, column buy: 'B1' is about cathode; expected carbonate",
    ),
    (
        "sides",
        {"commitments": "sell,buy,period,quantity\nC1,B1,2027-Q1,1\n"},
        "commitments.csv, row 2, column sell: 'C1' is not a sell of this folder",
    ),
]


@pytest.mark.parametrize(("changed", "told"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_each_kind_of_fault_is_told_by_its_place(tmp_path: Path, changed: dict[str, str | None], told: str) -> None:
    found = faults(folder(tmp_path, **changed))
    assert any(told in line for line in found), found
    assert all("\n" not in line and "; expected " in line for line in found)
    assert len(found) <= 3  # one mistake does not draw a cloud of others


def test_a_file_that_is_not_utf_8_is_told_with_its_row(tmp_path: Path) -> None:
    directory = folder(tmp_path)
    (directory / "exclusions.csv").write_bytes("firm_a,firm_b\n宁德,比亚迪\n".encode("gb18030"))
    assert faults(directory) == ["exclusions.csv, row 2: byte 0xc4 is not UTF-8; expected a file in UTF-8"]


def test_faults_of_all_files_are_told_at_once_and_no_more_than_fifty(tmp_path: Path) -> None:
    two = folder(tmp_path / "two", **edited("offers", "60000", "x"), **edited("freight", "400", "y"))
    assert [line.split(",")[0] for line in faults(two)] == ["offers.csv", "freight.csv"]
    many = folder(tmp_path / "many", exclusions="firm_a,firm_b\n" + "a|,b\n" * 80)
    assert len(faults(many)) == 50


def test_a_missing_folder_and_unknown_files_are_told(tmp_path: Path) -> None:
    assert "there is no such folder" in faults(tmp_path / "nowhere")[0]
    directory = folder(tmp_path / "here")
    (directory / "profile.csv").write_text("offer\n", encoding="utf-8")
    assert unread_files(directory) == ["profile.csv"]


def test_a_term_longer_than_the_window_is_an_answer_not_a_fault(tmp_path: Path) -> None:
    snapshot = read_snapshot(folder(tmp_path, **edited("offers", "60000,,", "60000,9,")))
    assert [offer.min_term for offer in snapshot.offers if offer.offer == "S1"] == [9]


def test_writing_again_removes_what_no_longer_holds(tmp_path: Path) -> None:
    first = read_snapshot(folder(tmp_path / "in", profiles="offer,period,quantity,price\nS1,2027-Q2,7,1\n"))
    second = read_snapshot(folder(tmp_path / "other"))
    write_snapshot(first, tmp_path / "out")
    write_snapshot(second, tmp_path / "out")
    assert read_snapshot(tmp_path / "out").digest() == second.digest()


def test_an_attribute_without_a_bound_cannot_be_written(tmp_path: Path) -> None:
    snapshot = read_snapshot(folder(tmp_path, specifications="offer,attribute,bound,value\nS1,assay,min,1\n"))
    with pytest.raises(InvalidValue, match="S1 names attribute assay without a bound"):
        write_snapshot(dataclasses.replace(snapshot, attributes={}), tmp_path / "out")


NAMES = st.text(st.sampled_from("ab,'\"碳 酸锂-_é"), min_size=1, max_size=6).map(str.strip).filter(bool)
AMOUNTS = st.decimals(0, 10**6, places=3)
PERIODS = 4


VECTORS = st.lists(st.integers(0, 3) | st.integers(0, 10**6), min_size=PERIODS, max_size=PERIODS).map(tuple)
PRICES = st.lists(st.sampled_from([Decimal(5), Decimal("7.5")]) | AMOUNTS, min_size=PERIODS, max_size=PERIODS)
WINDOWS = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda ends: (min(ends), max(ends)))


@st.composite
def parties(
    draw: st.DrawFn, grades: list[Grade], attributes: dict[str, Bound]
) -> tuple[tuple[Offer, ...], tuple[Conversion, ...]]:
    values = st.decimals(-100, 100, places=2)
    offers, conversions = [], []
    for label in draw(st.lists(NAMES, min_size=3, max_size=8, unique=True)):
        grade, terms = draw(st.sampled_from(grades)), draw(st.sampled_from([(1, None), (2, 4), (9, 9)]))
        quantity, price = draw(VECTORS), tuple(draw(PRICES))
        alike: dict[str, Any] = {
            "firm": draw(NAMES),
            "product": grade.product,
            "grade": grade.grade,
            "region": draw(NAMES),
            "min_term": terms[0],
            "max_term": terms[1],
            "specification": {name: draw(values) for name in attributes if draw(st.booleans())},
            "certificates": draw(st.dictionaries(NAMES, st.none() | st.integers(0, PERIODS - 1), max_size=2)),
        }
        side = draw(st.sampled_from([*Side, None]))
        if side is None:
            products = sorted({grade.product for grade in grades})
            inputs = tuple(
                ConversionInput(product=p, grade="g0", quantity_per_output=draw(AMOUNTS) + 1, own_stock=draw(AMOUNTS))
                for p in draw(st.lists(st.sampled_from(products), min_size=1, unique=True))
            )
            conversions.append(Conversion(conversion=label, capacity=quantity, fee=price, inputs=inputs, **alike))
            continue
        offers.append(
            Offer(
                offer=label,
                side=side,
                quantity=quantity,
                price=price,
                min_rate=draw(st.integers(0, 5)),
                all_or_none=draw(st.booleans()),
                max_share=draw(st.none() | st.decimals(0, 1, places=2)) if side is Side.BUY else None,
                group=draw(st.just("") | NAMES),
                freight_included=draw(st.booleans()),
                approved_firms=draw(st.none() | st.frozensets(NAMES, max_size=2)),
                **alike,
            )
        )
    return tuple(offers), tuple(conversions)


@st.composite
def commitments(draw: st.DrawFn, offers: tuple[Offer, ...]) -> tuple[Commitment, ...]:
    pairs = [
        (sell.offer, buy.offer)
        for sell in offers
        for buy in offers
        if (sell.side, buy.side) == (Side.SELL, Side.BUY) and sell.product == buy.product
    ]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=2, unique=True)) if pairs else []
    return tuple(Commitment(sell=sell, buy=buy, quantity=draw(VECTORS.filter(any))) for sell, buy in chosen)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    products = draw(st.lists(NAMES, min_size=2, max_size=3, unique=True))
    lots = {product: draw(st.sampled_from([Decimal(1), Decimal("0.1"), Decimal(25)])) for product in products}
    grades = [
        Grade(product=product, grade=f"g{rank}", rank=rank, lot=lots[product], unit="t")
        for product in products
        for rank in range(2)
    ]
    attributes = draw(st.dictionaries(NAMES, st.sampled_from(Bound), max_size=2))
    offers, conversions = draw(parties(grades, attributes))
    routes = st.tuples(st.sampled_from([*products, "*"]), NAMES, NAMES)
    quotas = draw(
        st.dictionaries(st.tuples(st.sampled_from(products), NAMES, NAMES, st.sampled_from([None, 0, 3])), AMOUNTS)
    )
    return Snapshot(
        horizon=Horizon.parse(["2027-Q3", "2027-Q4", "2028-Q1", "2028-Q2"]),
        grades=tuple(grades),
        offers=offers,
        conversions=conversions,
        freight=draw(st.dictionaries(routes, AMOUNTS, max_size=4)),
        corridors=tuple(
            Corridor(product=p, origin=a, destination=b, position=at, limit=limit)
            for (p, a, b, at), limit in quotas.items()
        ),
        exclusions=draw(st.frozensets(st.tuples(NAMES, NAMES).map(frozenset), max_size=3)),
        windows=draw(st.none() | st.lists(WINDOWS, min_size=1, max_size=4, unique=True).map(tuple)),
        affiliates=draw(st.dictionaries(NAMES, NAMES, max_size=3)),
        attributes=attributes,
        commitments=draw(commitments(offers)),
    )


@given(snapshots())
@settings(max_examples=150, deadline=None)
def test_what_is_written_reads_back_the_same(snapshot: Snapshot) -> None:
    with tempfile.TemporaryDirectory() as directory:
        write_snapshot(snapshot, Path(directory))
        assert read_snapshot(Path(directory)).digest() == snapshot.digest()
