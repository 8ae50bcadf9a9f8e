"""Column types that every table shares: keys, money, quantities, times, choices.

Money is CNY with two places, prices and costs per unit have six, quantities are whole lots (the size of a lot stands in
the grade), and times are instants with a zone.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

# A key that a firm may see: random, because consecutive numbers would tell how many sealed offers there are.
RandomKey = Annotated[
    uuid.UUID, mapped_column(primary_key=True, default=uuid.uuid4, server_default=sa.text("gen_random_uuid()"))
]
# A key of rows that are only ever added, and never shown by number.
SerialKey = Annotated[int, mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)]
CodeKey = Annotated[str, mapped_column(sa.Text, primary_key=True)]

Text = Annotated[str, mapped_column(sa.Text)]
Count = Annotated[int, mapped_column(sa.SmallInteger)]
Lots = Annotated[int, mapped_column(sa.BigInteger)]
Money = Annotated[Decimal, mapped_column(sa.Numeric(18, 2))]
Price = Annotated[Decimal, mapped_column(sa.Numeric(20, 6))]
Quantity = Annotated[Decimal, mapped_column(sa.Numeric(18, 6))]
Coefficient = Annotated[Decimal, mapped_column(sa.Numeric(18, 9))]
Share = Annotated[Decimal, mapped_column(sa.Numeric(7, 6))]
# "2027", "2027-Q1" or "2027-01"; labels of one kind sort as their periods do.
PeriodLabel = Annotated[str, mapped_column(sa.String(7, collation="C"))]
CurrencyCode = Annotated[str, mapped_column(sa.String(3))]
Digest = Annotated[str, mapped_column(sa.String(64))]
# None is SQL's NULL here, not the JSON value null: a CHECK for NULL would not see that one.
Document = Annotated[dict[str, Any], mapped_column(JSONB(none_as_null=True))]
Now = Annotated[dt.datetime, mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())]

PERIOD_PATTERN = r"^[0-9]{4}(-(Q[1-4]|0[1-9]|1[0-2]))?$"


def choice(kind: type[StrEnum], name: str) -> sa.Enum:
    """Text that is one of the values of `kind`, guarded by the CHECK ck_<table>_<name>."""
    return sa.Enum(kind, name=name, native_enum=False, create_constraint=True, length=40, values_callable=_values)


def one_of(values: Sequence[str], name: str) -> sa.Enum:
    """Text that is one of `values`, which the domain keeps as plain names, guarded by the CHECK ck_<table>_<name>."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def choices(kind: type[StrEnum]) -> ARRAY[Any]:
    """An array of values of `kind`; the table adds the CHECK `only(column, kind)`."""
    return ARRAY(sa.Enum(kind, native_enum=False, create_constraint=False, length=40, values_callable=_values))


def only(column: str, kind: type[StrEnum]) -> str:
    """The condition that an array column holds values of `kind` and nothing else, and at least one of them."""
    allowed = ", ".join(f"'{value}'" for value in _values(kind))
    return f"{column} <@ ARRAY[{allowed}]::varchar[] AND cardinality({column}) > 0"


def restrict(target: str) -> sa.ForeignKey:
    """A foreign key whose target cannot go while it is pointed at."""
    return sa.ForeignKey(target, ondelete="RESTRICT")


def part_of(target: str) -> sa.ForeignKey:
    """A foreign key of a part, which goes with its whole."""
    return sa.ForeignKey(target, ondelete="CASCADE")


def _values(kind: type[StrEnum]) -> list[str]:
    return [member.value for member in kind]


class Cited:
    """A row that states a fact: where it comes from, and whether it is an estimate."""

    source: Mapped[Text]
    estimated: Mapped[bool] = mapped_column(server_default=sa.false())


class Versioned:
    """A row that people edit: each write counts `version` up, and a write to an older version is refused as stale."""

    version: Mapped[int] = mapped_column(server_default="1")

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - declared on the class
        return {"version_id_col": cls.version}
