"""Reads an uploaded file of offers, XLSX or CSV, into rows of cells, and refuses what would harm the reader.

A workbook is looked at before it is parsed: a small archive may unpack to gigabytes, one cell in the last corner of a
sheet makes a parser lay out all the cells before it, and one long text may be repeated in every cell.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath
from xml.sax.saxutils import unescape

from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from app.models import Language
from app.operations.offer_faults import expected
from market.errors import BadInput, Fault

MEGABYTE = 1024 * 1024
LARGEST_FILE, LARGEST_UNPACKED = 5 * MEGABYTE, 60 * MEGABYTE
MOST_ROWS, MOST_COLUMNS, LONGEST_CELL = 5000, 320, 2000  # rows with offers, besides the header
MOST_FILES = 200
SHEET = "Offers 报价"
SHEET_NAMES = ("offers 报价", "offers", "报价")
CSV_SHEET = "CSV"

Cell = str | int | float | bool | dt.date | dt.datetime | dt.time | dt.timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSheet:
    """The header and the rows of one sheet; `rows` has (row number, cells), empty rows left out.

    The header is row 1. `formulas` holds the places, (row, column from 0), where the file has a formula.
    """

    name: str
    header: list[Cell]
    rows: list[tuple[int, list[Cell]]]
    formulas: frozenset[tuple[int, int]] = field(default_factory=frozenset)


def read_sheet(content: bytes, *, filename: str) -> OfferSheet:
    """The sheet of offers in a file. Hidden sheets are never read.

    :raises BadInput: it is too large, no XLSX or CSV, damaged, or has no sheet or row of offers.
    """
    if len(content) > LARGEST_FILE:
        raise refused(filename, f"{len(content) / MEGABYTE:.1f} MB", "file_size", limit=LARGEST_FILE // MEGABYTE)
    suffix = PurePosixPath(filename).suffix.lower()
    if content.startswith(b"PK\x03\x04"):
        sheet = _read_workbook(content, filename)
    elif suffix == ".csv" and b"\0" not in content:
        sheet = _read_csv(content, filename)
    else:
        raise refused(filename, suffix or "a name without an ending", "file_type")
    if not sheet.rows:
        raise refused(sheet.name, "no row", "rows")
    if len(sheet.rows) > MOST_ROWS:
        raise _too_wide(sheet.name, f"{len(sheet.rows)} rows")
    return sheet


def refused(
    place: str, found: str, code: str, *, row: int | None = None, column: str | None = None, **params: object
) -> BadInput:
    """A file refused as a whole, for one fault."""
    return BadInput([fault(place, found, code, row=row, column=column, **params)])


def fault(
    place: str, found: str, code: str, *, row: int | None = None, column: str | None = None, **params: object
) -> Fault:
    """A fault whose expectation is said in both languages."""
    said = {name: str(value) for name, value in params.items()}
    both = f"{expected(code, said, Language.ENGLISH)} / {expected(code, said, Language.CHINESE)}"
    return Fault(place=place, row=row, column=column, found=found, expected=both)


def _too_wide(place: str, found: str) -> BadInput:
    return refused(place, found, "file_shape", rows=MOST_ROWS, columns=MOST_COLUMNS, text=LONGEST_CELL)


def _read_csv(content: bytes, filename: str) -> OfferSheet:
    text = None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        break
    if text is None:
        raise refused(filename, "bytes that are neither", "file_encoding")
    first_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=first_line.count)
    rows: list[tuple[int, list[Cell]]] = []
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True), start=1):
            if len(cells) > MOST_COLUMNS or any(len(cell) > LONGEST_CELL for cell in cells):
                raise _too_wide(CSV_SHEET, f"row {number}")
            rows.append((number, list(cells)))
            if len(rows) > MOST_ROWS * 2:
                raise _too_wide(CSV_SHEET, f"more than {MOST_ROWS * 2} lines")
    except csv.Error as error:
        raise refused(filename, str(error), "file_readable") from error
    formulas = frozenset(
        (number, column)
        for number, cells in rows[1:]
        for column, cell in enumerate(cells)
        if isinstance(cell, str) and cell.startswith("=")
    )
    return _sheet(CSV_SHEET, rows, formulas)


def _read_workbook(content: bytes, filename: str) -> OfferSheet:
    parts = _unpacked(content, filename)
    for name, part in parts.items():
        if name.startswith("xl/worksheets/") or name == "xl/sharedStrings.xml":
            _check_shape(part, filename)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        shown = [
            sheet.name
            for sheet in workbook.sheets_metadata
            if sheet.visible is SheetVisibleEnum.Visible and sheet.name.strip().lower() in SHEET_NAMES
        ]
        if not shown:
            visible = [sheet.name for sheet in workbook.sheets_metadata if sheet.visible is SheetVisibleEnum.Visible]
            raise refused(filename, ", ".join(visible) or "no visible sheet", "sheet", name=SHEET)
        table = workbook.get_sheet_by_name(shown[0]).to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError) as error:
        raise refused(filename, "a workbook that does not open", "file_readable") from error
    rows = [(number, list(cells)) for number, cells in enumerate(table, start=1)]
    return _sheet(shown[0], rows, _formulas(parts, shown[0]))


def _sheet(name: str, rows: list[tuple[int, list[Cell]]], formulas: frozenset[tuple[int, int]]) -> OfferSheet:
    header = rows[0][1] if rows else []
    filled = [
        (number, cells)
        for number, cells in rows[1:]
        if any(not isinstance(cell, str) or cell.strip() for cell in cells)
        or any(place[0] == number for place in formulas)
    ]
    return OfferSheet(name=name, header=header, rows=filled, formulas=formulas)


def _unpacked(content: bytes, filename: str) -> dict[str, bytes]:
    """The XML parts of a workbook, counted while they are unpacked: what the archive says of sizes is not believed."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise refused(filename, "a damaged archive", "file_readable") from error
    if len(entries) > MOST_FILES or any(entry.flag_bits & 1 for entry in entries):
        raise refused(filename, f"{len(entries)} parts, or an encrypted one", "file_readable")
    left = LARGEST_UNPACKED
    parts = {}
    for entry in entries:
        data = bytearray()
        for piece in _pieces(content, entry, filename):
            left -= len(piece)
            if left < 0:
                unpacked = LARGEST_UNPACKED // MEGABYTE
                raise refused(filename, f"more than {unpacked} MB", "file_unpacked", limit=unpacked)
            data += piece
        if entry.filename.endswith((".xml", ".rels")):
            parts[entry.filename.lstrip("/")] = bytes(data)
    return parts


def _pieces(content: bytes, entry: zipfile.ZipInfo, filename: str) -> Iterator[bytes]:
    """What an entry of the archive unpacks to, a piece at a time."""
    offset = entry.header_offset
    header = content[offset : offset + 30]
    if len(header) < 30 or entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise refused(filename, f"an odd part {entry.filename}", "file_readable")
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    start = offset + 30 + name_length + extra_length
    packed = content[start : start + entry.compress_size]
    if entry.compress_type == zipfile.ZIP_STORED:
        yield packed
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        while packed and not inflater.eof:
            yield inflater.decompress(packed, MEGABYTE)
            packed = inflater.unconsumed_tail
    except zlib.error as error:
        raise refused(filename, f"a damaged part {entry.filename}", "file_readable") from error


_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*?\br=[\"'](\d+)[\"']")
_CELL = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Za-z]+)(\d+)[\"']")
_ANY_ROW = re.compile(rb"<(?:\w+:)?row\b")
_ANY_CELL = re.compile(rb"<(?:\w+:)?c\b")
_STRING_ITEM = re.compile(rb"<(?:\w+:)?si\b")
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")


def _check_shape(part: bytes, filename: str) -> None:
    """Refuse a sheet whose cells lie far out, or whose texts are long enough to fill the memory when repeated."""
    rows = [int(number) for number in _ROW.findall(part)] + [len(_ANY_ROW.findall(part))]
    cells = _CELL.findall(part)
    deepest = max([*rows, *(int(number) for _, number in cells)])
    widest = max((_column_number(letters) for letters, _ in cells), default=0)
    # Cells that do not say where they stand follow the one before.
    widest = max([widest, *(len(_ANY_CELL.findall(row)) for row in _ANY_ROW.split(part))])
    if deepest > MOST_ROWS * 2 or widest > MOST_COLUMNS:
        raise _too_wide(filename, f"cells down to row {deepest}, column {widest}")
    edges = [*(found.start() for found in _STRING_ITEM.finditer(part)), len(part)]
    # Markup of formatted text counts as well; four times the limit leaves room for it.
    if any(end - start > LONGEST_CELL * 4 for start, end in pairwise(edges)):
        raise _too_wide(filename, "a very long text")


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper()[:4]:
        number = number * 26 + letter - 64
    return number


def _formulas(parts: dict[str, bytes], sheet: str) -> frozenset[tuple[int, int]]:
    """Places of formulas in the sheet of this name, found through the workbook's relations."""
    workbook = parts.get("xl/workbook.xml", b"").decode(errors="replace")
    relations = parts.get("xl/_rels/workbook.xml.rels", b"").decode(errors="replace")
    targets = {}
    for tag in re.findall(r"<(?:\w+:)?Relationship\b[^>]*>", relations):
        attributes = dict(re.findall(r"(\w+)=[\"']([^\"']*)[\"']", tag))
        targets[attributes.get("Id")] = attributes.get("Target", "")
    for tag in re.findall(r"<(?:\w+:)?sheet\b[^>]*>", workbook):
        attributes = dict(re.findall(r"([\w:]+)=[\"']([^\"']*)[\"']", tag))
        if unescape(attributes.get("name", "")) == sheet:
            target = targets.get(attributes.get("r:id"), "")
            part = parts.get(target.lstrip("/") if target.startswith("/") else f"xl/{target}", b"")
            return frozenset(_formula_places(part))
    return frozenset()


def _formula_places(part: bytes) -> Iterator[tuple[int, int]]:
    for found in _FORMULA.finditer(part):
        # The formula is the first thing in its cell, so the cell's tag is right before it.
        cells = _CELL.findall(part[max(0, found.start() - 400) : found.start()])
        if cells:
            letters, row = cells[-1]
            yield int(row), _column_number(letters) - 1
