"""What there is of reference data, and the form of one fact: which fields, how each is read, what is wrong with it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from flask_babel import LazyString, lazy_gettext

from app.db import Model
from app.models import (
    Attribute,
    BillOfMaterials,
    CertificateKind,
    Freight,
    Grade,
    GradeSpecification,
    IndexPrice,
    MarketIndex,
    Product,
    Region,
)
from app.operations.offer_cells import CellFault, number
from app.operations.offer_faults import expected
from app.web.formats import language
from app.web.texts import _

LONGEST_TEXT = 1000
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
NAMES: Mapping[str, LazyString] = {
    "code": lazy_gettext("Code"),
    "name_zh": lazy_gettext("Name in Chinese"),
    "name_en": lazy_gettext("Name in English"),
    "tier": lazy_gettext("Tier"),
    "unit": lazy_gettext("Unit"),
    "lot": lazy_gettext("Units in one lot"),
    "product_code": lazy_gettext("Product"),
    "grade_code": lazy_gettext("Grade"),
    "attribute_code": lazy_gettext("Attribute"),
    "rank": lazy_gettext("Rank: a higher one serves a lower requirement"),
    "bound": lazy_gettext("Bound"),
    "decimals": lazy_gettext("Decimals shown"),
    "value": lazy_gettext("Figure"),
    "output_product_code": lazy_gettext("Product made"),
    "output_grade_code": lazy_gettext("Grade made"),
    "input_product_code": lazy_gettext("Input"),
    "input_grade_code": lazy_gettext("Grade of the input"),
    "quantity_per_output": lazy_gettext("Per unit of output"),
    "method": lazy_gettext("Method"),
    "country": lazy_gettext("Country"),
    "lat": lazy_gettext("Latitude"),
    "lon": lazy_gettext("Longitude"),
    "currency": lazy_gettext("Currency"),
    "index_code": lazy_gettext("Index"),
    "date": lazy_gettext("Day"),
    "from_region_code": lazy_gettext("From region"),
    "to_region_code": lazy_gettext("To region"),
    "cost": lazy_gettext("CNY per unit"),
    "distance_km": lazy_gettext("Distance, km"),
    "source": lazy_gettext("Source"),
    "estimated": lazy_gettext("Estimated"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a fact as a form asks for it."""

    column: sa.Column[Any]

    @property
    def name(self) -> str:
        return self.column.key

    @property
    def required(self) -> bool:
        return not self.column.nullable and not self.has_default

    @property
    def has_default(self) -> bool:
        return self.column.server_default is not None

    @property
    def points_at(self) -> str | None:
        """The table whose code it names, where one column does."""
        tables = {key.column.table.name for key in self.column.foreign_keys if key.column.name == "code"}
        return next(iter(tables), None)

    @property
    def codes(self) -> tuple[str, ...]:
        """What it may be, where it is one of some."""
        return tuple(self.column.type.enums) if isinstance(self.column.type, sa.Enum) else ()

    @property
    def is_flag(self) -> bool:
        return isinstance(self.column.type, sa.Boolean)


def _table(model: type[Model]) -> sa.Table:
    """The table of a model, which is none of SQL's other selectables here."""
    table = model.__table__
    if not isinstance(table, sa.Table):
        raise TypeError(f"{model.__name__} is no table")
    return table


@dataclass(frozen=True)
class Subject:
    """One kind of fact. `key` tells rows apart, `order` is that of the list, each column never null."""

    name: str
    title: LazyString
    model: type[Model]
    key: tuple[str, ...]
    order: tuple[str, ...]
    newest_first: bool = False
    editable: bool = True

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        found = {column.key: Field(column) for column in _table(self.model).columns if column.key != "id"}
        return tuple(found.pop(name) for name in self.key) + tuple(found.values())


SUBJECTS = (
    Subject("products", lazy_gettext("Products"), Product, ("code",), ("code",)),
    Subject("grades", lazy_gettext("Grades"), Grade, ("product_code", "code"), ("product_code", "code")),
    Subject("attributes", lazy_gettext("Attributes"), Attribute, ("product_code", "code"), ("product_code", "code")),
    Subject(
        "grade-specifications",
        lazy_gettext("What grades promise"),
        GradeSpecification,
        ("product_code", "grade_code", "attribute_code"),
        ("product_code", "grade_code", "attribute_code"),
    ),
    Subject(
        "bills-of-materials",
        lazy_gettext("Bills of materials"),
        BillOfMaterials,
        ("output_product_code", "output_grade_code", "input_product_code", "input_grade_code"),
        ("output_product_code", "input_product_code", "id"),
    ),
    Subject("regions", lazy_gettext("Regions"), Region, ("code",), ("code",)),
    Subject(
        "freight",
        lazy_gettext("Freight"),
        Freight,
        ("product_code", "from_region_code", "to_region_code"),
        ("from_region_code", "to_region_code", "id"),
    ),
    Subject("indices", lazy_gettext("Market indices"), MarketIndex, ("code",), ("code",)),
    # Money is settled by fixings: they are corrected there, with a reason, and these values follow.
    Subject(
        "index-prices",
        lazy_gettext("Index prices"),
        IndexPrice,
        ("index_code", "date"),
        ("index_code", "date"),
        newest_first=True,
        editable=False,
    ),
    Subject("certificate-kinds", lazy_gettext("Kinds of certificates"), CertificateKind, ("code",), ("code",)),
)


class ReferenceForm:
    """One fact as it was typed, and what is wrong by field."""

    def __init__(self, subject: Subject, values: Mapping[str, str]) -> None:
        self.subject, self.values = subject, {name: text.strip() for name, text in values.items()}
        self.errors: dict[str, str] = {}

    @classmethod
    def of_row(cls, subject: Subject, row: Model) -> ReferenceForm:
        """The form that says what a fact says."""
        values = {field.name: getattr(row, field.name) for field in subject.fields}
        return cls(subject, {name: _typed(value) for name, value in values.items()})

    def read_key(self) -> dict[str, Any]:
        """What tells the row apart."""
        return {field.name: self._value(field) for field in self.subject.fields if field.name in self.subject.key}

    def read(self) -> dict[str, Any]:
        """All else; what the table has a default for and nobody typed is not said."""
        fields = [field for field in self.subject.fields if field.name not in self.subject.key]
        typed = [field for field in fields if self.values.get(field.name) or not field.has_default or field.is_flag]
        return {field.name: self._value(field) for field in typed}

    def _value(self, field: Field) -> Any:
        text = self.values.get(field.name, "")
        if field.is_flag:
            return bool(text)
        if text:
            return self._read(field, text)
        if not field.column.nullable:
            self.errors[field.name] = _("This is needed.")
        return None

    def _read(self, field: Field, text: str) -> Any:
        kind = field.column.type
        if field.codes:
            return self._one_of(field, text)
        if isinstance(kind, sa.Numeric):
            places = kind.scale or 0
            return self._decimal(field, text, places=places, digits=(kind.precision or 18) - places)
        if isinstance(kind, sa.Integer):
            return self._whole(field, text)
        return self._day(field, text) if isinstance(kind, sa.Date) else self._text(field, text)

    def _one_of(self, field: Field, text: str) -> Any:
        kind = field.column.type
        if text not in field.codes or not isinstance(kind, sa.Enum) or kind.enum_class is None:
            self.errors[field.name] = _("Choose one of the list.")
            return None
        return kind.enum_class(text)

    def _decimal(self, field: Field, text: str, *, places: int, digits: int) -> Decimal | None:
        try:
            found = number(text)
        except CellFault as fault:
            self.errors[field.name] = expected(fault.code, fault.params, language())
            return None
        exponent = found.normalize().as_tuple().exponent
        if abs(found) >= Decimal(10) ** digits or (isinstance(exponent, int) and -exponent > places):
            self.errors[field.name] = _(
                "A number with at most %(digits)s digits and %(places)s decimals is expected.",
                digits=digits,
                places=places,
            )
        return found

    def _whole(self, field: Field, text: str) -> int | None:
        if not re.fullmatch(r"[0-9]{1,4}", text):
            self.errors[field.name] = _("A whole number is expected, at most 9999.")
            return None
        return int(text)

    def _day(self, field: Field, text: str) -> dt.date | None:
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            self.errors[field.name] = _("A day is expected.")
            return None

    def _text(self, field: Field, text: str) -> str:
        if field.name == "code" and not _CODE.fullmatch(text):
            self.errors[field.name] = _("Letters, digits, dots, - and _ are expected, at most 60.")
        most = getattr(field.column.type, "length", None) or LONGEST_TEXT
        if len(text) > most or _CONTROL.search(text):
            self.errors[field.name] = _("At most %(most)s printable characters are expected.", most=most)
        return text


def field_name(name: str) -> str:
    """What a column is called."""
    return str(NAMES.get(name, name))


def _typed(value: Any) -> str:
    if value is None or value is False:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return "1" if value is True else str(value)
