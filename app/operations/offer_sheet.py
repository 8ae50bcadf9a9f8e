"""Writes workbooks of offers: the template to fill in, and a file sent back with what is wrong beside each cell."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import xlsxwriter
from sqlalchemy.orm import Session

from app.auth import Principal
from app.models import Site
from app.operations.offer_cells import text
from app.operations.offer_checks import Admission, admission
from app.operations.offer_columns import BY_FIELD, COLUMNS, ERRORS
from app.operations.offer_file import MOST_ROWS, SHEET, Cell, OfferSheet
from app.operations.offer_rows import BASES, BASES_ZH, SIDES, SIDES_ZH
from app.operations.offer_terms import plain
from app.operations.offers import own_firm
from app.operations.rounds import find_round

INSTRUCTIONS, LISTS = "Instructions 说明", "Lists"
MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WIDTH, WIDTH_OF_PERIOD = 18, 11


def template(session: Session, *, principal: Principal, round_id: Any, now: dt.datetime) -> bytes:
    """An XLSX to fill in for a round: one row per offer, one column per period, lists to choose from.

    :raises NotFound: there is no such round for the asker.
    :raises Forbidden: the asker has no firm.
    """
    market_round = find_round(session, principal=principal, round_id=round_id)
    admitted = admission(session, firm_id=own_firm(principal), market_round=market_round, now=now)
    buffer = io.BytesIO()
    workbook = xlsxwriter.Workbook(buffer, {"in_memory": True})
    # Without a time of its own the file would differ at every download.
    workbook.set_properties({"title": f"Offers 报价 {market_round.code}", "created": now.replace(tzinfo=None)})
    sheet = workbook.add_worksheet(SHEET)
    labels = market_round.horizon.labels()
    titles = [column.title for column in COLUMNS] + labels
    _write_header(workbook, sheet, titles)
    _write_example(workbook, sheet, admitted, labels)
    _write_instructions(workbook, admitted)
    _write_choices(workbook, sheet, admitted)
    workbook.close()
    return buffer.getvalue()


Faults = Mapping[str | None, str]
"""What is wrong with a row, by the title of the column; None where it is the row as a whole."""


def corrected(sheet: OfferSheet, *, errors: Mapping[int, Faults], rows: Sequence[int], now: dt.datetime) -> bytes:
    """The named rows of a sheet as they came. What is wrong stands on the cell, as a comment, and in a last column.

    `errors` has the faults by the number of the row. What came as text stays text: nothing becomes a formula.
    """
    buffer = io.BytesIO()
    workbook = xlsxwriter.Workbook(buffer, {"in_memory": True, "remove_timezone": True})
    workbook.set_properties({"created": now.replace(tzinfo=None)})
    kept = [position for position, cell in enumerate(sheet.header) if str(cell).strip() != ERRORS]
    written = workbook.add_worksheet(SHEET)
    _write_header(workbook, written, [str(sheet.header[position]) for position in kept] + [ERRORS])
    formats = _Formats.of(workbook)
    by_number = dict(sheet.rows)
    for line, number in enumerate(rows, start=1):
        cells, faults = by_number[number], errors.get(number, {})
        for column, position in enumerate(kept):
            fault = faults.get(text(sheet.header[position]))
            usual, dated = formats.wrong if fault else formats.of_bad_row if faults else formats.of_good_row
            _write_cell(written, (line, column), cells[position] if position < len(cells) else "", usual, dated)
            if fault:
                written.write_comment(line, column, fault, {"author": "", "x_scale": 2})
        if faults:
            lines = (f"{column or ''}: {fault}" for column, fault in faults.items())
            written.write_string(line, len(kept), "\n".join(lines), formats.words)
    written.set_column(len(kept), len(kept), 80)
    workbook.close()
    return buffer.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Formats:
    """How cells of the file to correct look: a usual one and a date, by what is wrong, their row or they themselves."""

    of_good_row: tuple[Any, Any]
    of_bad_row: tuple[Any, Any]
    wrong: tuple[Any, Any]
    words: Any

    @classmethod
    def of(cls, workbook: Any) -> _Formats:
        row = {"bg_color": "#FDE9E7"}
        cell = {"bg_color": "#F5A79B", "border": 1, "border_color": "#B0271B"}
        date = {"num_format": "yyyy-mm-dd"}
        add = workbook.add_format
        return cls(
            of_good_row=(None, add(date)),
            of_bad_row=(add(row), add(row | date)),
            wrong=(add(cell), add(cell | date)),
            words=add(row | {"text_wrap": True}),
        )


def _write_header(workbook: Any, sheet: Any, titles: Sequence[str]) -> None:
    required = {column.title for column in COLUMNS if column.required}
    usual = workbook.add_format({"bold": True, "text_wrap": True, "bottom": 1, "bg_color": "#E8EEF4"})
    wanted = workbook.add_format({"bold": True, "text_wrap": True, "bottom": 2, "bg_color": "#C9D9EA"})
    for column, title in enumerate(titles):
        sheet.write_string(0, column, title, wanted if title in required else usual)
    sheet.set_column(0, len(COLUMNS) - 1, WIDTH)
    sheet.set_column(len(COLUMNS), max(len(titles) - 1, len(COLUMNS)), WIDTH_OF_PERIOD)
    sheet.freeze_panes(1, 1)


def _write_example(workbook: Any, sheet: Any, admitted: Admission, labels: Sequence[str]) -> None:
    """A row that shows how, and is passed over when the file is read: its reference says EXAMPLE."""
    product = min(admitted.products.values(), key=lambda row: row.code, default=None)
    grades = list(admitted.grades[product.code].values()) if product else []
    site = next(iter(admitted.sites.values()), None)
    shown = {column.field: column.example for column in COLUMNS} | {
        "site_id": _site_choice(site) if site else "",
        "product": f"{product.code} {product.name_zh}" if product else "",
        "grade": f"{grades[0].code} {grades[0].name_zh}" if grades else "",
        "first_period": labels[0],
        "last_period": labels[-1],
        "min_term": str(min(2, len(labels))),
        "specification": "",
        "certificates": "",
    }
    grey = workbook.add_format({"font_color": "#808080", "italic": True})
    for column, field in enumerate(shown):
        sheet.write_string(1, column, shown[field], grey)
    for offset in range(len(labels)):
        sheet.write_number(1, len(COLUMNS) + offset, float((product.lot if product else Decimal(1)) * 100), grey)


def _write_instructions(workbook: Any, admitted: Admission) -> None:
    sheet = workbook.add_worksheet(INSTRUCTIONS)
    bold = workbook.add_format({"bold": True})
    market_round = admitted.round
    lines = [
        [f"{market_round.name_zh} / {market_round.name_en} ({market_round.code})"],
        ["一行一个报价；带颜色较深的列必填；交割期列填每期数量，不填为 0。", ""],
        [
            "One row is one offer; the darker columns are required; a period's column takes its quantity, empty is 0.",
            "",
        ],
        ["编号以 EXAMPLE 或 示例 开头的行不读入；公式请粘贴为数值。", ""],
        ["A row whose reference begins with EXAMPLE is passed over; paste formulas as values.", ""],
        ["如某期价格不同，可加一列，例如“2027-Q1 price 价格”。", ""],
        ["Where a period has a price of its own, add a column such as “2027-Q1 price 价格”.", ""],
        [],
        ["Column 列", "", "说明", "How to fill"],
        *(
            [column.title, "必填 required" if column.required else "", column.help_zh, column.help_en]
            for column in COLUMNS
        ),
        [],
        ["Product 产品", "Lot 手", "Grades 等级", "Attributes 指标"],
        *(
            [
                f"{product.code} {product.name_zh}",
                f"{plain(product.lot)} {product.unit.value}",
                ", ".join(f"{grade.code} {grade.name_zh}" for grade in admitted.grades[product.code].values()),
                ", ".join(sorted(admitted.attributes[product.code])),
            ]
            for product in admitted.products.values()
        ),
        [],
        ["Certificates 证书", ", ".join(sorted(admitted.certificate_kinds))],
    ]
    for row, cells in enumerate(lines):
        heading = bool(cells) and cells[0] in {"Column 列", "Product 产品", "Certificates 证书"}
        for column, cell in enumerate(cells):
            sheet.write_string(row, column, cell, bold if heading or row == 0 else None)
    sheet.set_column(0, 3, 40)


def _write_choices(workbook: Any, sheet: Any, admitted: Admission) -> None:
    """Lists to choose from, kept in a hidden sheet: a list inside a rule may have 255 characters only."""
    lists = workbook.add_worksheet(LISTS)
    lists.hide()
    grades = sorted({f"{grade.code} {grade.name_zh}" for known in admitted.grades.values() for grade in known.values()})
    choices = {
        "kind": [f"{side} {SIDES_ZH[side]}" for side in SIDES],
        "site_id": [_site_choice(site) for site in admitted.sites.values()],
        "product": [f"{product.code} {product.name_zh}" for product in admitted.products.values()],
        "grade": grades,
        "first_period": admitted.round.horizon.labels(),
        "last_period": admitted.round.horizon.labels(),
        "basis": [f"{basis} {BASES_ZH[basis]}" for basis in BASES],
        "all_or_none": ["是 yes", "否 no"],
    }
    for position, (field, values) in enumerate(choices.items()):
        if not values:
            continue
        for row, value in enumerate(values):
            lists.write_string(row, position, value)
        letter = xlsxwriter.utility.xl_col_to_name(position)
        column = list(BY_FIELD).index(field)
        rule = {"validate": "list", "source": f"={LISTS}!${letter}$1:${letter}${len(values)}", "error_type": "warning"}
        sheet.data_validation(1, column, MOST_ROWS, column, rule)


def _site_choice(site: Site) -> str:
    return f"{site.code} {site.name_zh}"


def _write_cell(sheet: Any, place: tuple[int, int], cell: Cell, usual: Any, dated: Any) -> None:
    if isinstance(cell, bool):
        sheet.write_boolean(*place, cell, usual)
    elif isinstance(cell, int | float):
        sheet.write_number(*place, cell, usual)
    elif isinstance(cell, dt.date | dt.datetime):
        sheet.write_datetime(*place, cell, dated)
    elif str(cell):
        sheet.write_string(*place, str(cell), usual)
    elif usual is not None:
        sheet.write_blank(*place, None, usual)
