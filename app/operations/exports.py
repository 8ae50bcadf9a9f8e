"""Exports: contracts, schedules and invoices that the asker may read, as one file.

A file is written to the end before any of it is sent: whoever reads slowly holds no transaction open, and a failure is
an answer, not half a file. What does not fit into a little memory lies in a file without a name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from os import SEEK_END
from tempfile import SpooledTemporaryFile
from typing import IO, cast

from sqlalchemy.orm import Session

from app.auth import Principal
from app.clock import day_of
from app.operations.export_columns import Sheet
from app.operations.export_files import write_csv, write_xlsx
from app.operations.export_rows import Wanted, read_rows
from app.operations.export_ubl import invoices, orders, write_zip

IN_MEMORY = 1024 * 1024


class Form(StrEnum):
    """What kind of file, by its ending."""

    CSV = "csv"
    XLSX = "xlsx"
    UBL = "zip"


MEDIA_TYPES = {
    Form.CSV: "text/csv; charset=utf-8",
    Form.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Form.UBL: "application/zip",
}
# A schedule is part of the Order that its contract becomes: it has no document of its own.
FORMS = {
    Sheet.CONTRACTS: (Form.CSV, Form.XLSX, Form.UBL),
    Sheet.SCHEDULES: (Form.CSV, Form.XLSX),
    Sheet.INVOICES: (Form.CSV, Form.XLSX, Form.UBL),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file, read from its beginning; whoever has it closes it."""

    file: IO[bytes]
    size: int
    name: str
    media_type: str


def export(
    session: Session,
    *,
    principal: Principal,
    sheet: Sheet,
    form: Form,
    wanted: Wanted,
    language: str,
    byte_order_mark: bool = True,
    now: dt.datetime,
) -> Exported:
    """Write what is wanted of the asker's own records; titles and names of firms in a language, "zh" or "en".

    :raises Refused: there are more rows than the kind of file can hold.
    """
    file = cast("IO[bytes]", SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 - closed by whoever gets it
    on = day_of(now)
    # Closed at once when the writing fails, or the cursor would live as long as the failure is talked about.
    try:
        if form is Form.UBL:
            with closing(_documents(session, sheet, principal=principal, wanted=wanted, on=on)) as documents:
                write_zip(file, documents, now=now)
        else:
            with closing(
                read_rows(session, sheet, principal=principal, wanted=wanted, on=on, language=language)
            ) as rows:
                if form is Form.CSV:
                    write_csv(file, sheet, rows, language=language, byte_order_mark=byte_order_mark)
                else:
                    write_xlsx(file, sheet, rows, language=language, now=now)
        file.seek(0, SEEK_END)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return Exported(file=file, size=size, name=f"{sheet}-{on}.{form}", media_type=MEDIA_TYPES[form])


def _documents(
    session: Session, sheet: Sheet, *, principal: Principal, wanted: Wanted, on: dt.date
) -> Generator[tuple[str, str], None, None]:
    if sheet is Sheet.INVOICES:
        return invoices(session, principal=principal, wanted=wanted)
    return orders(session, principal=principal, wanted=wanted, on=on)
