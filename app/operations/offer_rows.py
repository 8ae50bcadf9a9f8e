"""Reads one row of the sheet as a statement of an offer, with every fault by its column."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from app.models import Basis, OfferKind
from app.operations import offer_cells as cells
from app.operations.offer_cells import CellFault
from app.operations.offer_checks import Admission
from app.operations.offer_columns import COLUMNS, INPUT_EXAMPLE, PAIR_EXAMPLE, Layout
from app.operations.offer_faults import OfferFault
from app.operations.offer_file import Cell, OfferSheet
from app.operations.offer_terms import IndexFormula, InputTerms, Statement, plain

SIDES = {
    "sell": OfferKind.CAPACITY,
    "buy": OfferKind.DEMAND,
    "convert": OfferKind.CONVERSION,
}
SIDES_ZH = {"sell": "卖", "buy": "买", "convert": "加工"}
BASES = {"ex_works": Basis.EX_WORKS, "delivered": Basis.DELIVERED}
BASES_ZH = {"ex_works": "出厂", "delivered": "送到"}
LONGEST_FOUND = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What cells may call the sites, products and grades: code, Chinese or English name, or code and name."""

    sites: Mapping[str, str]
    products: Mapping[str, str]
    grades: Mapping[str, Mapping[str, str]]
    sides: Mapping[str, str]
    bases: Mapping[str, str]

    @classmethod
    def of(cls, admitted: Admission) -> Names:
        return cls(
            sites=_names((str(key), site.code, site.name_zh, site.name_en) for key, site in admitted.sites.items()),
            products=_names((row.code, row.code, row.name_zh, row.name_en) for row in admitted.products.values()),
            grades={
                product: _names((row.code, row.code, row.name_zh, row.name_en) for row in grades.values())
                for product, grades in admitted.grades.items()
            },
            sides=_names((OfferKind(kind), side, SIDES_ZH[side], side) for side, kind in SIDES.items()),
            bases=_names((Basis(basis), code, BASES_ZH[code], code) for code, basis in BASES.items()),
        )


def _names(rows: Any) -> dict[str, str]:
    """Every name to its code; a name that two codes share names neither, unless it is a code itself."""
    found: dict[str, str] = {}
    shared = set()
    listed = list(rows)
    for key, code, zh, en in listed:
        for name in {cells.text(name).lower() for name in (zh, en, f"{code} {zh}")}:
            if found.setdefault(name, key) != key:
                shared.add(name)
    for name in shared:
        del found[name]
    return found | {cells.text(code).lower(): key for key, code, _, _ in listed}


class RowReader:
    """Reads the rows of one sheet."""

    def __init__(self, sheet: OfferSheet, layout: Layout, admitted: Admission) -> None:
        self.sheet, self.layout, self.admitted = sheet, layout, admitted
        self.names = Names.of(admitted)

    def read(self, number: int, row: list[Cell]) -> tuple[Statement | None, list[OfferFault]]:
        """The statement that a row makes, or None and everything wrong with its cells."""
        reading = _Reading(self, number, row)
        said: dict[str, Any] = {}
        rule: dict[str, Any] = {}
        by_formula = reading.is_filled("formula/index")
        for column in COLUMNS:
            required = column.required and not (by_formula and column.field == "price")
            value = reading.field(column.field, required=required)
            if value is None:
                continue
            head, slash, part = column.field.partition("/")
            (rule if slash else said)[part if slash else head] = value
        quantities, prices = reading.periods()
        if rule and not by_formula and not reading.faults:
            reading.faults.append(_fault("formula/index", "", "required"))
        if "price" in said and by_formula:
            reading.faults.append(_fault("price", plain(said.pop("price")), "price_or_formula"))
        if reading.faults:
            return None, reading.faults
        if rule:
            said["formula"] = IndexFormula(**rule)
        filled = [label for label in self.admitted.round.horizon.labels() if quantities.get(label)]
        if not filled and "first_period" not in said:
            return None, [_fault("quantity", "", "some_quantity")]
        said.setdefault("first_period", filled[0] if filled else "")
        said.setdefault("last_period", filled[-1] if filled else said["first_period"])
        said["quantity"] = Decimal(0)
        said["periods"] = [
            {"period": label, "quantity": quantities.get(label, Decimal(0))}
            | ({"price": prices[label]} if label in prices else {})
            for label in sorted(set(filled) | prices.keys())
        ]
        return cast("Statement", said), []


class _Reading:
    """One row being read; faults gather as it goes."""

    def __init__(self, reader: RowReader, number: int, row: list[Cell]) -> None:
        self.reader, self.number, self.row = reader, number, row
        self.faults: list[OfferFault] = []
        self.product = ""

    def field(self, name: str, *, required: bool) -> Any:
        """The value of a field, None where its cell is empty or wrong."""
        position = self.reader.layout.fields.get(name)
        cell = self._cell(position)
        if cell is None:
            if required and not self._has_fault(name):
                self.faults.append(_fault(name, "", "required"))
            return None
        value = self._read(name, cell, lambda: self._value(name, cell))
        if name == "product" and value is not None:
            self.product = value
        return value

    def is_filled(self, name: str) -> bool:
        """Whether the cell of a field holds anything."""
        position = self.reader.layout.fields.get(name)
        if position is None or position >= len(self.row):
            return False
        cell = self.row[position]
        return not isinstance(cell, str) or bool(cells.text(cell))

    def periods(self) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        """Quantities and prices of the periods whose cells are filled."""
        found: tuple[dict[str, Decimal], dict[str, Decimal]] = ({}, {})
        layout = self.reader.layout
        for kept, columns, what in ((found[0], layout.quantities, "quantity"), (found[1], layout.prices, "price")):
            for label, position in columns.items():
                cell = self._cell(position)
                if cell is None:
                    continue
                value = self._read(f"periods/{label}/{what}", cell, lambda cell=cell: cells.number(cell))  # type: ignore[misc]
                if value is not None:
                    kept[label] = value
        return found

    def _cell(self, position: int | None) -> Cell | None:
        """The cell at a place, None where there is nothing but blanks; a formula is a fault."""
        if position is None:
            return None
        if (self.number, position) in self.reader.sheet.formulas:
            field = self._field_at(position)
            self.faults.append(_fault(field, "a formula 公式", "value_not_formula"))
            return None
        cell = self.row[position] if position < len(self.row) else ""
        return None if isinstance(cell, str) and not cells.text(cell) else cell

    def _field_at(self, position: int) -> str:
        layout = self.reader.layout
        for field, place in layout.fields.items():
            if place == position:
                return field
        for columns, what in ((layout.quantities, "quantity"), (layout.prices, "price")):
            for label, place in columns.items():
                if place == position:
                    return f"periods/{label}/{what}"
        raise LookupError(f"no field at column {position}")

    def _has_fault(self, field: str) -> bool:
        return any(fault.field == field for fault in self.faults)

    def _read(self, field: str, cell: Cell, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except CellFault as error:
            self.faults.append(
                OfferFault(field=field, found=cells.text(cell)[:LONGEST_FOUND], code=error.code, params=error.params)
            )
            return None

    def _value(self, name: str, cell: Cell) -> Any:
        """What a cell of a column means.

        :raises CellFault: nothing.
        """
        simple: dict[str, Callable[[Cell], Any]] = {
            "price": cells.number,
            "formula/index": cells.text,
            "formula/factor": cells.number,
            "formula/premium": cells.number,
            "formula/floor": cells.number,
            "formula/ceiling": cells.number,
            "min_rate": cells.number,
            "min_term": cells.whole_number,
            "max_term": cells.whole_number,
            "all_or_none": cells.yes_or_no,
            "max_share": cells.share,
            "valid_until": cells.end_of_day,
            "currency": lambda cell: cells.text(cell).upper(),
            "specification": lambda cell: cells.pairs(cell, example=PAIR_EXAMPLE),
            "certificates": cells.parts,
            "exclusions": self._firms,
            "approved_suppliers": self._firms,
            "inputs": self._inputs,
        }
        if name in simple:
            return simple[name](cell)
        if name in {"first_period", "last_period"}:
            return cells.period_label(cell, self.reader.admitted.round.period_kind)
        if name in {"reference", "group"}:
            return cells.text(cell)
        return self._named(name, cell)

    def _named(self, name: str, cell: Cell) -> Any:
        names, admitted = self.reader.names, self.reader.admitted
        if name == "kind":
            return OfferKind(cells.one_of(cell, names.sides, choices="sell 卖, buy 买, convert 加工"))
        if name == "basis":
            return Basis(cells.one_of(cell, names.bases, choices="ex_works 出厂, delivered 送到"))
        if name == "site_id":
            choices = ", ".join(site.code for site in admitted.sites.values()) or "—"
            return uuid.UUID(cells.one_of(cell, names.sites, choices=choices))
        if name == "product":
            return cells.one_of(cell, names.products, choices=", ".join(admitted.products))
        # Without a product nobody knows which grades there are; the product's own fault says enough.
        grades = names.grades.get(self.product, {})
        choices = ", ".join(admitted.grades.get(self.product, ()))
        return cells.one_of(cell, grades, choices=choices) if self.product else cells.text(cell)

    def _firms(self, cell: Cell) -> list[uuid.UUID]:
        known = self.reader.admitted.firms
        found = [known.get(part.upper()) for part in cells.parts(cell)]
        if any(firm is None for firm in found):
            raise CellFault("firm_code")
        return [firm for firm in found if firm is not None]

    def _inputs(self, cell: Cell) -> list[InputTerms]:
        """Lines such as lithium_carbonate/battery=0.25@100."""
        found = []
        for part in cells.parts(cell):
            name, _, amounts = part.partition("=")
            product, _, grade = name.partition("/")
            quantity, at, stock = amounts.partition("@")
            try:
                found.append(
                    InputTerms(
                        product=product.strip(),
                        grade=grade.strip(),
                        quantity_per_output=cells.number(quantity.strip()),
                        own_stock_per_period=cells.number(stock.strip()) if at else Decimal(0),
                    )
                )
            except CellFault:
                raise CellFault("pairs", example=INPUT_EXAMPLE) from None
        return found


def _fault(field: str, found: str, code: str) -> OfferFault:
    return OfferFault(field=field, found=found or "nothing 空", code=code, params={})
