"""Reads the reference tables: compact facts, each row with its source and an estimated mark."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from market.errors import BadInput, Fault

from . import rows as r

FOLDER = Path(__file__).parent / "tables"
READS_AS = {str: "text", bool: "true or false", int: "a whole number", Decimal: "a decimal number"}
RowT = TypeVar("RowT", bound=r.Fact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """All reference tables; each a tuple sorted by its key, so the order of lines in a file means nothing."""

    products: tuple[r.Product, ...]
    grades: tuple[r.Grade, ...]
    attributes: tuple[r.Attribute, ...]
    regions: tuple[r.Region, ...]
    firms: tuple[r.Firm, ...]
    sites: tuple[r.Site, ...]
    capacity: tuple[r.Capacity, ...]
    cells: tuple[r.CellCapacity, ...]
    chemistry: tuple[r.ChemistryShare, ...]
    bom: tuple[r.BillOfMaterials, ...]
    prices: tuple[r.Price, ...]
    fees: tuple[r.Fee, ...]
    freight_rates: tuple[r.FreightRate, ...]
    recovery: tuple[r.Recovery, ...]
    observed_contracts: tuple[r.ObservedContract, ...]
    utilisation: tuple[r.Utilisation, ...]
    in_house_output: tuple[r.InHouseOutput, ...]
    in_house_need: tuple[r.InHouseNeed, ...]
    posted_share: tuple[r.PostedShare, ...]
    spreads: tuple[r.Spread, ...]
    assumptions: tuple[r.Assumption, ...]
    certificates: tuple[r.CertificateKind, ...]

    def assumption(self, name: str) -> Decimal:
        """The declared number of that name.

        :raises KeyError: there is none.
        """
        return {row.name: row.value for row in self.assumptions}[name]


def load(folder: Path = FOLDER) -> Tables:
    """Read and cross-check every table of `folder`.

    :raises BadInput: with one line per fault: file, row, column, what was found and what was expected.
    """
    faults: list[Fault] = []
    tables = Tables(
        products=_read(folder, "products.csv", r.Product, ("product",), faults),
        grades=_read(folder, "grades.csv", r.Grade, ("product", "grade"), faults),
        attributes=_read(folder, "attributes.csv", r.Attribute, ("product", "grade", "attribute", "bound"), faults),
        regions=_read(folder, "regions.csv", r.Region, ("region",), faults),
        firms=_read(folder, "firms.csv", r.Firm, ("firm",), faults),
        sites=_read(folder, "sites.csv", r.Site, ("site",), faults),
        capacity=_read(folder, "capacity.csv", r.Capacity, ("firm", "site", "product", "grade"), faults),
        cells=_read(folder, "cells.csv", r.CellCapacity, ("firm",), faults),
        chemistry=_read(folder, "chemistry.csv", r.ChemistryShare, ("chemistry",), faults),
        bom=_read(folder, "bom.csv", r.BillOfMaterials, ("output", "input"), faults),
        prices=_read(folder, "prices.csv", r.Price, ("series", "date", "kind"), faults),
        fees=_read(folder, "fees.csv", r.Fee, ("product",), faults),
        freight_rates=_read(folder, "freight_rates.csv", r.FreightRate, ("mode",), faults),
        recovery=_read(folder, "recovery.csv", r.Recovery, ("scheme", "metal", "stage"), faults),
        observed_contracts=_read(folder, "observed_contracts.csv", r.ObservedContract, ("contract",), faults),
        utilisation=_read(folder, "utilisation.csv", r.Utilisation, ("product",), faults),
        in_house_output=_read(folder, "in_house_output.csv", r.InHouseOutput, ("firm", "product"), faults),
        in_house_need=_read(folder, "in_house_need.csv", r.InHouseNeed, ("firm", "product"), faults),
        posted_share=_read(folder, "posted_share.csv", r.PostedShare, ("product",), faults),
        spreads=_read(folder, "spreads.csv", r.Spread, ("product",), faults),
        assumptions=_read(folder, "assumptions.csv", r.Assumption, ("name",), faults),
        certificates=_read(folder, "certificates.csv", r.CertificateKind, ("certificate",), faults),
    )
    faults = faults or _broken_references(folder, tables)
    if faults:
        raise BadInput(faults)
    return tables


def _read(folder: Path, name: str, kind: type[RowT], key: tuple[str, ...], faults: list[Fault]) -> tuple[RowT, ...]:
    """The rows of one file, sorted by `key`; what is wrong is added to `faults` and its row left out."""
    path = folder / name
    if not path.is_file():
        faults.append(Fault(place=name, row=None, column=None, found="no such file", expected="a table"))
        return ()
    hints = get_type_hints(kind)
    columns = {field.name.rstrip("_"): field.name for field in fields(kind)}
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines, strict=True)
        if set(reader.fieldnames or ()) != set(columns):
            wanted = ", ".join(sorted(columns))
            faults.append(Fault(place=name, row=1, column=None, found=f"columns {reader.fieldnames}", expected=wanted))
            return ()
        found: dict[tuple[str, ...], RowT] = {}
        for number, cells in enumerate(reader, start=2):
            values: dict[str, object] = {}
            for column, field in columns.items():
                value, fault = _cell(name, number, column, cells[column], hints[field])
                if fault:
                    faults.append(fault)
                values[field] = value
            if None in cells:
                faults.append(
                    Fault(place=name, row=number, column=None, found="more cells", expected="as many as columns")
                )
            if None in values.values() or None in cells:
                continue
            identity = tuple(str(values[part]) for part in key)
            if identity in found:
                faults.append(
                    Fault(place=name, row=number, column=key[0], found=f"{identity} again", expected="one row per key")
                )
            found[identity] = kind(**cast("dict[str, Any]", values))
    return tuple(found[identity] for identity in sorted(found))


def _cell(place: str, row: int, column: str, text: str | None, kind: type) -> tuple[object | None, Fault | None]:
    """One cell as its type, or None and the fault."""
    if text is None:
        found, expected = "no cell", "as many cells as the header has columns"
    elif column == "source" and not text.strip():
        found, expected = "an empty source", "where the fact comes from"
    else:
        value, found, expected = _value(text, kind), repr(text), READS_AS[kind]
        if value is not None:
            return value, None
    return None, Fault(place=place, row=row, column=column, found=found, expected=expected)


def _value(text: str, kind: type) -> object | None:
    """The cell's text as a value of `kind`, None where it is none."""
    if kind is str:
        return text
    if kind is bool:
        return {"true": True, "false": False}.get(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or (kind is int and number != int(number)):
        return None
    return int(number) if kind is int else number


def _line_of(folder: Path, place: str, column: str, value: str) -> int:
    """The first line of a file, header as 1, that has a value in a column."""
    with (folder / place).open(encoding="utf-8", newline="") as lines:
        return next(number for number, cells in enumerate(csv.DictReader(lines), start=2) if cells[column] == value)


def _broken_references(folder: Path, tables: Tables) -> list[Fault]:
    """Rows that name a firm, site, region, product or grade no other table has."""
    known = {
        "firm": {row.firm for row in tables.firms},
        "region": {row.region for row in tables.regions},
        "product": {row.product for row in tables.products},
        "grade": {row.grade for row in tables.grades} | {""},
        "site": {row.site for row in tables.sites} | {""},
    }
    checks: list[tuple[str, tuple[r.Fact, ...], dict[str, str]]] = [
        ("grades.csv", tables.grades, {"product": "product"}),
        ("attributes.csv", tables.attributes, {"product": "product", "grade": "grade"}),
        ("firms.csv", tables.firms, {"group": "firm"}),
        ("sites.csv", tables.sites, {"firm": "firm", "region": "region"}),
        ("capacity.csv", tables.capacity, {"firm": "firm", "site": "site", "product": "product", "grade": "grade"}),
        ("cells.csv", tables.cells, {"firm": "firm"}),
        ("in_house_output.csv", tables.in_house_output, {"firm": "firm", "product": "product"}),
        ("in_house_need.csv", tables.in_house_need, {"firm": "firm", "product": "product"}),
        ("observed_contracts.csv", tables.observed_contracts, {"supplier": "firm", "buyer": "firm"}),
    ]
    return [
        Fault(
            place=place,
            row=_line_of(folder, place, column, value),
            column=column,
            found=repr(value),
            expected=f"a {what} of {what}s.csv",
        )
        for place, rows, columns in checks
        for row in rows
        for column, what in columns.items()
        if (value := getattr(row, column)) not in known[what]
    ]
