"""Offers by file: every row checked, one result per row, nothing written unless all rows are good or it is asked for.

A file of up to `AT_ONCE` rows is handled inside the request, a longer one (up to `offer_file.MOST_ROWS`) by a job: see
`offer_import_job`. Checks look at memory, and the rows are written together.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import NotFound
from app.models import ImportState, Language, Offer, OfferImport, OfferImportRow, Round, RowOutcome
from app.operations import offer_sheet
from app.operations.offer_cells import text
from app.operations.offer_checks import Admission, admission, check
from app.operations.offer_columns import Layout, layout
from app.operations.offer_faults import OfferFault, expected
from app.operations.offer_file import Cell, OfferSheet, read_sheet, refused
from app.operations.offer_rows import LONGEST_FOUND, RowReader
from app.operations.offer_terms import OfferTerms, stated
from app.operations.offers import make, own_firm, round_for_offers

EXAMPLES = ("EXAMPLE", "示例")
AT_ONCE = 200  # rows; a second or so of work
TOLD_EVERY = 100  # rows


@dataclass(slots=True)
class _Row:
    """One row of the file: its terms if they are good, or what is wrong by the title of the column."""

    number: int
    reference: str | None
    terms: OfferTerms | None = None
    faults: list[tuple[str | None, OfferFault]] = field(default_factory=list)
    offer: Offer | None = None


def visible_imports(principal: Principal) -> sa.Select[OfferImport]:
    """The files of the asker's own firm."""
    return sa.select(OfferImport).where(OfferImport.firm_id == principal.firm_id)


def visible_rows(principal: Principal, import_id: uuid.UUID) -> sa.Select[OfferImportRow]:
    """What became of the rows of a file of the asker's own firm."""
    own = visible_imports(principal).where(OfferImport.id == import_id).with_only_columns(OfferImport.id)
    return sa.select(OfferImportRow).where(OfferImportRow.import_id.in_(own))


def find_import(session: Session, *, principal: Principal, import_id: uuid.UUID) -> OfferImport:
    """:raises NotFound: the asker's firm has sent no such file."""
    found = session.scalar(visible_imports(principal).where(OfferImport.id == import_id))
    if found is None:
        raise NotFound("no such import")
    return found


def posted_count(session: Session, *, offer_import: OfferImport) -> int:
    """How many offers a file brought."""
    brought = sa.select(sa.func.count(OfferImportRow.offer_id)).where(OfferImportRow.import_id == offer_import.id)
    return session.scalar(brought) or 0


def import_offers(
    session: Session,
    *,
    principal: Principal,
    round_id: uuid.UUID,
    filename: str,
    content: bytes,
    dry_run: bool,
    partial: bool,
    now: dt.datetime,
) -> OfferImport:
    """Check a file of offers and post them: all rows if all are good, with `partial` the good ones in any case.

    The result has a row for each good row of the file and one for each fault of the others. A long file is only kept,
    `queued`: the caller sees to it that somebody works through it.

    :raises BadInput: the file cannot be read as the template; nothing is kept.
    :raises Refused: no such round for the firm.
    :raises Conflict: the round does not take offers now; a dry run only needs it not to be over.
    """
    firm_id = own_firm(principal)
    market_round = round_for_offers(session, principal=principal, round_id=round_id, draft=dry_run, now=now)
    sheet = read_sheet(content, filename=filename)
    where = layout(sheet, horizon=market_round.horizon, kind=market_round.period_kind)
    count = sum(not _is_example(cells, where) for _, cells in sheet.rows)
    if not count:
        raise refused(sheet.name, "no row but examples", "rows")
    offer_import = OfferImport(
        id=uuid.uuid4(),
        firm_id=firm_id,
        round_id=market_round.id,
        uploaded_by_id=principal.user_id,
        uploaded_by_key_id=principal.api_key_id,
        filename=text(filename)[:LONGEST_FOUND] or "offers",
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        dry_run=dry_run,
        partial=partial,
        state=ImportState.QUEUED,
        row_count=count,
        checked_count=0,
        attempt=0,
        created_at=now,
    )
    session.add(offer_import)
    if count <= AT_ONCE:
        work_through(session, principal=principal, offer_import=offer_import, file=(sheet, where), now=now)
    session.flush()
    return offer_import


def work_through(
    session: Session,
    *,
    principal: Principal,
    offer_import: OfferImport,
    file: tuple[OfferSheet, Layout],
    now: dt.datetime,
    told: Callable[[int], None] = lambda _checked: None,
) -> None:
    """Check the rows of a kept file, post what is to be posted, write the results. `told` hears of rows checked.

    :raises Refused, Conflict: as `import_offers`.
    """
    sheet, where = file
    market_round = round_for_offers(
        session, principal=principal, round_id=offer_import.round_id, draft=offer_import.dry_run, now=now
    )
    admitted = admission(session, firm_id=own_firm(principal), market_round=market_round, now=now)
    rows = _checked_rows(sheet, where, admitted, now=now, told=told)
    good = [(row, row.terms) for row in rows if row.terms is not None]
    if not offer_import.dry_run and (offer_import.partial or len(good) == len(rows)):
        for row, terms in good:
            row.offer = make(session, principal=principal, admitted=admitted, terms=terms, draft=False, now=now)
        session.flush()
    offer_import.rows = [result for row in rows for result in _results(sheet.name, row)]
    offer_import.checked_count, offer_import.accepted_count = len(rows), len(good)
    offer_import.rejected_count = len(rows) - len(good)
    offer_import.state, offer_import.finished_at = ImportState.DONE, now


def read_file(session: Session, offer_import: OfferImport) -> tuple[OfferSheet, Layout]:
    """The sheet of a kept file and where its columns stand.

    :raises BadInput: the file cannot be read as the template.
    """
    market_round = session.get_one(Round, offer_import.round_id)
    sheet = read_sheet(offer_import.content or b"", filename=offer_import.filename)
    return sheet, layout(sheet, horizon=market_round.horizon, kind=market_round.period_kind)


def corrected_file(session: Session, *, principal: Principal, import_id: uuid.UUID, now: dt.datetime) -> bytes:
    """The file as an XLSX with what is wrong beside the cells; rows whose offers were posted are left out.

    :raises NotFound: the asker's firm has sent no such file.
    """
    offer_import = find_import(session, principal=principal, import_id=import_id)
    if offer_import.content is None:
        raise NotFound("the file of this import is not kept")
    sheet = read_sheet(offer_import.content, filename=offer_import.filename)
    errors: dict[int, dict[str | None, str]] = defaultdict(dict)
    posted = set()
    for row in offer_import.rows:
        if row.outcome is RowOutcome.REJECTED:
            errors[row.row][row.column] = f"{said(row, Language.CHINESE)} / {said(row, Language.ENGLISH)}"
        elif row.offer_id is not None:
            posted.add(row.row)
    wanted = [number for number, _ in sheet.rows if number not in posted]
    return offer_sheet.corrected(sheet, errors=errors, rows=wanted, now=now)


def said(row: OfferImportRow, language: Language) -> str:
    """What is wrong with a rejected row, in words: what was found and what was expected."""
    wanted = expected(row.code, row.params or {}, language) if row.code else row.expected
    if language is Language.ENGLISH:
        return f"found {row.found}; expected {wanted}"
    return f"填写为“{row.found}”，应为{wanted}"


def _checked_rows(
    sheet: OfferSheet, where: Layout, admitted: Admission, *, now: dt.datetime, told: Callable[[int], None]
) -> list[_Row]:
    reader = RowReader(sheet, where, admitted)
    seen: dict[tuple[str, ...], int] = {}
    references: dict[str, int] = {}
    rows = []
    for number, cells in sheet.rows:
        if _is_example(cells, where):
            continue
        row = _Row(number, _reference(cells, where))
        rows.append(row)
        statement, faults = reader.read(number, cells)
        if statement is not None:
            terms = stated(statement, horizon=admitted.round.horizon)
            faults = check(terms, admitted=admitted, now=now)
            faults += _repeated(number, cells, terms, seen, references)
            row.terms = None if faults else terms
        row.faults = [(where.title(fault.field), fault) for fault in faults]
        if len(rows) % TOLD_EVERY == 0:
            told(len(rows))
    return rows


def _is_example(cells: list[Cell], where: Layout) -> bool:
    return (_reference(cells, where) or "").upper().startswith(EXAMPLES)


def _reference(cells: list[Cell], where: Layout) -> str | None:
    """The firm's own name for the offer of a row, whatever else is wrong with it."""
    position = where.fields.get("reference")
    named = text(cells[position]) if position is not None and position < len(cells) else ""
    return named[:LONGEST_FOUND] or None


def _repeated(
    number: int, cells: list[Cell], terms: OfferTerms, seen: dict[tuple[str, ...], int], references: dict[str, int]
) -> list[OfferFault]:
    """A row that says the same as one before it, or bears its reference."""
    content = tuple(text(cell) for cell in cells)
    if (first := seen.setdefault(content, number)) != number:
        return [_repeats("row", "the same row 重复行", first)]
    if terms.reference is not None and (first := references.setdefault(terms.reference, number)) != number:
        return [_repeats("reference", terms.reference, first)]
    return []


def _repeats(field_name: str, found: str, first: int) -> OfferFault:
    return OfferFault(field=field_name, found=found, code="row_once", params={"row": str(first)})


def _results(sheet: str, row: _Row) -> list[OfferImportRow]:
    if row.terms is not None:
        return [
            OfferImportRow(
                sheet=sheet,
                row=row.number,
                reference=row.reference,
                outcome=RowOutcome.ACCEPTED,
                offer_id=row.offer.id if row.offer is not None else None,
            )
        ]
    first_of_column: dict[str | None, OfferFault] = {}
    for column, fault in row.faults:
        first_of_column.setdefault(column, fault)
    return [
        OfferImportRow(
            sheet=sheet,
            row=row.number,
            reference=row.reference,
            column=column,
            outcome=RowOutcome.REJECTED,
            found=fault.found[:LONGEST_FOUND],
            code=fault.code,
            params=dict(fault.params),
            expected=fault.expected(Language.ENGLISH),
        )
        for column, fault in first_of_column.items()
    ]
