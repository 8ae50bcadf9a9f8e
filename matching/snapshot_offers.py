"""Reads what is traded and by whom: periods, grades, offers and conversions with all that is told about each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from market.periods import Horizon, Period

from . import snapshot_tables as tables
from .csv_tables import LARGEST, Faults, Row, Table, read_table
from .snapshot import Bound, Conversion, ConversionInput, Grade, Offer, Side

CONVERSION = "conversion"


@dataclass(slots=True, kw_only=True)
class Draft:
    """An offer or conversion while its rows come together; `quantity` in lots, `price` is the fee of a conversion."""

    row: Row
    kind: str  # sell, buy or conversion
    firm: str
    product: str
    grade: str
    region: str
    first: int
    last: int
    quantity: list[int]
    price: list[Decimal]
    min_term: int
    max_term: int | None
    min_rate: int = 0
    all_or_none: bool = False
    max_share: Decimal | None = None
    group: str = ""
    most_contracts: int | None = None
    only_with: str | None = None
    inputs: list[ConversionInput] = field(default_factory=list)
    specification: dict[str, Decimal] = field(default_factory=dict)
    certificates: dict[str, int | None] = field(default_factory=dict)
    approved: set[str] | None = None
    freight_included: bool = False
    origin: str | None = None
    origins: set[str] | None = None
    barred: set[str] = field(default_factory=set)


class OfferReader:
    """One folder being read. Tables that others refer to come first; where one of them is faulty, what refers to it
    is not blamed."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.faults = directory, Faults()
        if not directory.is_dir():
            self.faults.add(str(directory), None, None, "there is no such folder", "a folder of CSV files")
            self.faults.refuse()
        self.found = {table: read_table(directory, table, self.faults) for table in tables.TABLES}
        self.horizon: Horizon | None = None
        self.discount: tuple[Decimal, ...] = ()
        self.grades: dict[tuple[str, str], Grade] = {}
        self.lot: dict[str, Decimal] = {}
        self.drafts: dict[str, Draft] = {}
        self.bounds: dict[str, Bound] = {}

    def read_offers(self) -> None:
        """Everything there is to know of offers and conversions, into `drafts`."""
        self._read_horizon()
        self._read_grades()
        self._read_offers()
        self._read_conversions()
        self._read_inputs()
        self._read_profiles()
        self._read_specifications()
        self._read_certificates()
        self._read_delivery()
        self._read_origins()

    def rows(self, table: Table) -> list[Row]:
        return self.found[table] or []

    def once(self, table: Table, *columns: str) -> Iterator[Row]:
        """The rows of a table, with a fault for a second row of the same cells in `columns`."""
        seen: dict[tuple[str, ...], int] = {}
        for row in self.rows(table):
            key = tuple(row[column] for column in columns)
            if key in seen and all(key):
                row.fault(columns[0], f"{', '.join(map(repr, key))} is on row {seen[key]} already", "one row of each")
            seen.setdefault(key, row.at)
            yield row

    def _read_horizon(self) -> None:
        periods: list[tuple[Period, Row]] = []
        faults = len(self.faults.found)
        for row in self.once(tables.PERIODS, "period"):
            period = row.period("period")
            if period is None:
                continue
            if row["months"] and row.count("months", period.months) != period.months:
                row.fault("months", f"{row['months']} months in {period}", str(period.months))
            periods.append((period, row))
        periods.sort(key=lambda found: found[0])
        if self.found[tables.PERIODS] == []:
            self.faults.add(tables.PERIODS.file, None, None, "there is no period", "at least one row")
        for (before, _), (period, row) in pairwise(periods):
            if period not in (before, before + 1):
                row.fault("period", f"{period} does not follow {before}", f"an unbroken run, {before + 1} next")
        if periods and len(self.faults.found) == faults:
            self.horizon = Horizon(periods[0][0], len(periods))
            if any(row["discount"] for _, row in periods):
                self.discount = tuple(self._worth(row) for _, row in periods)

    @staticmethod
    def _worth(row: Row) -> Decimal:
        return row.number("discount", above_zero=True, most=Decimal(1)) if row["discount"] else Decimal(1)

    def _read_grades(self) -> None:
        of_product: dict[str, Grade] = {}
        if self.found[tables.GRADES] == []:
            self.faults.add(tables.GRADES.file, None, None, "there is no grade", "at least one row")
        for row in self.once(tables.GRADES, "product", "grade"):
            grade = Grade(
                product=row.label("product"),
                grade=row.label("grade"),
                rank=row.count("rank", 0, least=None),
                lot=row.number("lot", above_zero=True),
                unit=row.label("unit"),
            )
            first = of_product.setdefault(grade.product, grade)
            for column, here, there in (("lot", grade.lot, first.lot), ("unit", grade.unit, first.unit)):
                if here != there:
                    row.fault(column, f"{here} differs from another grade's of {grade.product}", str(there))
            self.grades[grade.product, grade.grade] = grade
            if grade.lot:
                self.lot[grade.product] = grade.lot

    def _known_grade(self, row: Row, product: str, grade: str) -> tuple[str, str]:
        found = row.label(product), row.label(grade)
        if all(found) and self.found[tables.GRADES] and found not in self.grades:
            if any(known == found[0] for known, _ in self.grades):
                row.fault(grade, f"{found[0]} has no grade {row.shown(grade)}", "a grade of it in grades.csv")
            else:
                row.fault(product, f"{row.shown(product)} is not known", "a product of grades.csv")
        return found

    def known_product(self, row: Row) -> str:
        product = row.label("product")
        if product and self.found[tables.GRADES] and not any(known == product for known, _ in self.grades):
            row.fault("product", f"{row.shown('product')} is not known", "a product of grades.csv")
        return product

    def lots(self, row: Row, column: str, product: str, *, above_zero: bool = False) -> int:
        """A quantity in units of the product, as whole lots."""
        value = row.number(column, above_zero=above_zero)
        lot = self.lot.get(product)
        if lot is None:
            return 0
        lots = Fraction(value) / Fraction(lot)
        if lots.denominator != 1:
            row.fault(column, f"{value} is not a whole number of lots", f"a multiple of {lot}, the lot of {product}")
        if lots > LARGEST:
            row.fault(column, f"{value} is too large", f"at most {LARGEST} lots")
            return 0
        return int(lots)

    def _draft(self, row: Row, columns: tuple[str, str, str, str, str], kind: str) -> tuple[str, Draft]:
        """What offers and conversions have alike; `columns` name label, product, grade, quantity and price."""
        label = row.label(columns[0])
        product, grade = self._known_grade(row, columns[1], columns[2])
        first, last = row.span(self.horizon)
        periods = len(self.horizon) if self.horizon else 0
        lots = self.lots(row, columns[3], product, above_zero=True)
        least, most = row.count("min_term", 1), row.count("max_term", 0) or None
        if most is not None and most < least:
            row.fault("max_term", f"{most} is below min_term {least}", f"{least} or more, or nothing")
        draft = Draft(
            row=row,
            kind=kind,
            firm=row.label("firm"),
            product=product,
            grade=grade,
            region=row.label("region"),
            first=first,
            last=last,
            quantity=[lots if first <= position <= last else 0 for position in range(periods)],
            price=[row.number(columns[4])] * periods,
            min_term=least,
            max_term=most,
            origin=row.label("origin") or None,
        )
        if label in self.drafts:
            there = self.drafts[label].row
            where = f"{there.table.file} row {there.at}"
            row.fault(columns[0], f"{row.shown(columns[0])} is in {where} already", "a label of its own")
        return label, draft

    def _read_offers(self) -> None:
        for row in self.rows(tables.OFFERS):
            side = row.choice("side", [*Side])
            label, draft = self._draft(row, ("offer", "product", "grade", "quantity", "price"), side)
            if row["max_share"] and row["side"] == Side.SELL:
                row.fault("max_share", "a sell offer has a largest share", "an empty cell; only demand has one")
            if draft.origin and row["side"] == Side.BUY:
                row.fault("origin", "a buy offer has an origin", "an empty cell; origins.csv says what it takes")
            share = row.number("max_share", most=Decimal(1))
            draft.max_share = share if row["max_share"] else None
            draft.all_or_none, draft.group = row.flag("all_or_none"), row.label("group")
            draft.min_rate = self.lots(row, "min_rate", draft.product)
            draft.most_contracts = row.count("most_contracts", 0, least=0) if row["most_contracts"] else None
            draft.only_with = row.label("only_with") or None
            if label:
                self.drafts.setdefault(label, draft)
        for row in self.rows(tables.OFFERS):
            if row["only_with"] and row["only_with"] == row["offer"]:
                row.fault("only_with", "the offer depends on itself", "the label of another offer, or nothing")
            self.known(row, "only_with", *Side)

    def _read_conversions(self) -> None:
        columns = ("conversion", "output_product", "output_grade", "capacity", "fee")
        for row in self.rows(tables.CONVERSIONS):
            label, draft = self._draft(row, columns, CONVERSION)
            if label:
                self.drafts.setdefault(label, draft)

    def _read_inputs(self) -> None:
        for row in self.once(tables.CONVERSION_INPUTS, "conversion", "product"):
            product, grade = self._known_grade(row, "product", "grade")
            need = ConversionInput(
                product=product,
                grade=grade,
                quantity_per_output=row.number("quantity_per_output", above_zero=True),
                own_stock=row.number("own_stock_per_period"),
            )
            draft = self.known(row, "conversion", CONVERSION)
            if draft:
                draft.inputs.append(need)
        if self.found[tables.CONVERSION_INPUTS] is None:
            return
        for label, draft in self.drafts.items():
            if draft.kind == CONVERSION and not draft.inputs:
                draft.row.fault("conversion", f"{label!r} has no inputs", "a row of it in conversion_inputs.csv")

    def known(self, row: Row, column: str, *kinds: str) -> Draft | None:
        """The offer or conversion a cell names, of one of `kinds`; None, with a fault, where there is none."""
        draft = self.drafts.get(row[column])
        if draft is not None and (not kinds or draft.kind in kinds):
            return draft
        if row[column] and self.found[tables.OFFERS] is not None and self.found[tables.CONVERSIONS] is not None:
            what = f"a {' or '.join(kinds)}" if kinds else "an offer or conversion"
            row.fault(column, f"{row.shown(column)} is not {what} of this folder", f"the label of {what}")
        return None

    def _read_profiles(self) -> None:
        for row in self.once(tables.PROFILES, "offer", "period"):
            draft = self.known(row, "offer")
            period = row.period("period")
            price = row.number("price")
            if draft is None:
                row.number("quantity")
                continue
            lots = self.lots(row, "quantity", draft.product)
            if period is None or self.horizon is None:
                continue
            labels = self.horizon.labels()
            if str(period) not in labels[draft.first : draft.last + 1]:
                window = f"{labels[draft.first]} to {labels[draft.last]}"
                row.fault("period", f"{period} is outside the window of {row['offer']}", f"a period from {window}")
                continue
            position = self.horizon.position(period)
            if row["quantity"]:
                draft.quantity[position] = lots
            if row["price"]:
                draft.price[position] = price

    def _read_specifications(self) -> None:
        told: dict[str, int] = {}
        for row in self.once(tables.SPECIFICATIONS, "offer", "attribute"):
            attribute = row.label("attribute")
            bound = Bound(row.choice("bound", [*Bound]))
            if self.bounds.setdefault(attribute, bound) is not bound:
                row.fault("bound", f"{bound} for {attribute}, {self.bounds[attribute]} on row {told[attribute]}", "one")
            told.setdefault(attribute, row.at)
            if bool(row["offer"]) != bool(row["value"]):
                column = "value" if row["offer"] else "offer"
                row.fault(column, "the cell is empty", "offer and value, or neither to declare the attribute alone")
            value, draft = row.signed("value"), self.known(row, "offer") if row["offer"] else None
            if draft and value is not None:
                draft.specification[attribute] = value

    def _read_certificates(self) -> None:
        for row in self.once(tables.CERTIFICATES, "offer", "certificate"):
            certificate, draft, until = row.label("certificate"), self.known(row, "offer"), row.period("valid_to")
            if draft is None or self.horizon is None:
                continue
            if until is not None and until.months != self.horizon.first.months:
                row.fault("valid_to", f"{until} is not a {self.horizon.first.kind}", f"a {self.horizon.first.kind}")
            elif until is None or until > self.horizon.last:
                draft.certificates[certificate] = None
            elif until >= self.horizon.first:
                draft.certificates[certificate] = self.horizon.position(until)
            elif draft.kind == Side.BUY:
                row.fault("valid_to", f"{until} is before the horizon", "nothing, for a certificate that is required")

    def _read_delivery(self) -> None:
        for row in self.once(tables.DELIVERY, "offer"):
            included, draft = row.flag("freight_included"), self.known(row, "offer", *Side)
            if draft:
                draft.freight_included = included
        for row in self.once(tables.APPROVED, "offer", "product", "firm"):
            firm, draft = row.label("firm"), self.known(row, "offer")
            if draft and draft.kind == CONVERSION:
                self._approve_for_input(row, draft, firm)
            elif draft:
                if row["product"] not in ("", draft.product):
                    row.fault("product", f"{row['offer']} is not about {row.shown('product')}", "nothing")
                draft.approved = (draft.approved or set()) | ({firm} if firm else set())

    @staticmethod
    def _approve_for_input(row: Row, draft: Draft, firm: str) -> None:
        for at, need in enumerate(draft.inputs):
            if need.product == row["product"]:
                approved = (need.approved_firms or frozenset()) | ({firm} if firm else frozenset())
                draft.inputs[at] = replace(need, approved_firms=approved)
                return
        row.fault("product", f"{row['offer']} takes no {row.shown('product')}", "a product of its inputs")

    def _read_origins(self) -> None:
        for row in self.once(tables.ORIGINS, "offer", "origin"):
            origin, accepted = row.label("origin"), row.flag("accepted")
            draft = self.known(row, "offer", Side.BUY)
            if not origin and not accepted:
                row.fault("origin", "the cell is empty", "an origin; only with accepted 1 it may be empty: none at all")
            if draft and accepted:
                draft.origins = (draft.origins or set()) | ({origin} if origin else set())
            elif draft:
                draft.barred.add(origin)


def offer_of(label: str, draft: Draft) -> Offer:
    return Offer(
        offer=label,
        side=Side(draft.kind),
        firm=draft.firm,
        product=draft.product,
        grade=draft.grade,
        region=draft.region,
        quantity=tuple(draft.quantity),
        price=tuple(draft.price),
        min_term=draft.min_term,
        max_term=draft.max_term,
        min_rate=draft.min_rate,
        all_or_none=draft.all_or_none,
        max_share=draft.max_share,
        group=draft.group,
        most_contracts=draft.most_contracts,
        only_with=draft.only_with,
        freight_included=draft.freight_included,
        specification=draft.specification,
        certificates=draft.certificates,
        approved_firms=None if draft.approved is None else frozenset(draft.approved),
        origin=draft.origin,
        origins=None if draft.origins is None else frozenset(draft.origins),
        barred_origins=frozenset(draft.barred),
    )


def conversion_of(label: str, draft: Draft) -> Conversion:
    return Conversion(
        conversion=label,
        firm=draft.firm,
        region=draft.region,
        product=draft.product,
        grade=draft.grade,
        capacity=tuple(draft.quantity),
        fee=tuple(draft.price),
        inputs=tuple(draft.inputs),
        min_term=draft.min_term,
        max_term=draft.max_term,
        specification=draft.specification,
        certificates=draft.certificates,
        origin=draft.origin,
    )
