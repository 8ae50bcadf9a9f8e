"""Files of offers that firms send in, and what became of each of their rows."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model

from .columns import Count, Digest, Document, Now, RandomKey, SerialKey, Text, choice, part_of, restrict


class ImportState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RowOutcome(StrEnum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class OfferImport(Model):
    """One uploaded file and its bytes. Totals count the file's rows, `checked_count` those looked at so far.

    A long file is worked through by a job; `attempt` counts its starts.

    A dry run checks all and posts nothing. Otherwise all rows are posted if all are good, and with `partial` the good
    ones in any case.
    """

    __tablename__ = "offer_import"
    __table_args__ = (
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        sa.CheckConstraint("row_count >= 0", name="row_count_not_negative"),
        sa.CheckConstraint("accepted_count >= 0", name="accepted_count_not_negative"),
        sa.CheckConstraint("rejected_count >= 0", name="rejected_count_not_negative"),
        sa.CheckConstraint("accepted_count + rejected_count <= row_count", name="totals"),
        sa.CheckConstraint("(state IN ('done', 'failed')) = (finished_at IS NOT NULL)", name="finished_has_time"),
        sa.CheckConstraint("state <> 'failed' OR error IS NOT NULL", name="failed_says_why"),
        sa.CheckConstraint("state IN ('done', 'failed') OR content IS NOT NULL", name="open_has_content"),
        sa.CheckConstraint("checked_count >= 0", name="checked_count_not_negative"),
        sa.CheckConstraint("attempt >= 0", name="attempt_not_negative"),
        sa.Index(None, "firm_id", "created_at", "id"),
    )

    id: Mapped[RandomKey]
    firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    round_id: Mapped[uuid.UUID] = mapped_column(restrict("round.id"))
    uploaded_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    uploaded_by_key_id: Mapped[uuid.UUID | None] = mapped_column(restrict("api_key.id"))
    filename: Mapped[Text]
    sha256: Mapped[Digest]
    content: Mapped[bytes | None]
    dry_run: Mapped[bool]
    partial: Mapped[bool] = mapped_column(server_default=sa.false())
    state: Mapped[ImportState] = mapped_column(choice(ImportState, "state"), server_default=ImportState.QUEUED.value)
    row_count: Mapped[int] = mapped_column(server_default="0")
    accepted_count: Mapped[int] = mapped_column(server_default="0")
    rejected_count: Mapped[int] = mapped_column(server_default="0")
    checked_count: Mapped[int] = mapped_column(server_default="0")
    attempt: Mapped[Count] = mapped_column(server_default="0")
    error: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[Now]
    finished_at: Mapped[dt.datetime | None]

    rows: Mapped[list[OfferImportRow]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="OfferImportRow.id"
    )


class OfferImportRow(Model):
    """What became of one row: accepted, with its offer if it was posted, or one thing wrong in one column.

    `reference` is the row's, as the firm names the offer, because people look for that and not for a number.
    `code` and `params` say what was expected, so that it can be told in any language; `expected` says it in English.
    """

    __tablename__ = "offer_import_row"
    __table_args__ = (
        sa.UniqueConstraint("import_id", "sheet", "row", "column", postgresql_nulls_not_distinct=True),
        sa.CheckConstraint("row >= 1", name="row_positive"),
        sa.CheckConstraint("outcome = 'accepted' OR offer_id IS NULL", name="offer_of_accepted"),
        sa.CheckConstraint(
            "outcome = 'accepted' OR (found IS NOT NULL AND expected IS NOT NULL)", name="rejected_says_why"
        ),
    )

    id: Mapped[SerialKey]
    import_id: Mapped[uuid.UUID] = mapped_column(part_of("offer_import.id"))
    sheet: Mapped[Text]
    row: Mapped[int]
    reference: Mapped[str | None] = mapped_column(sa.Text)
    column: Mapped[str | None] = mapped_column(sa.Text)
    outcome: Mapped[RowOutcome] = mapped_column(choice(RowOutcome, "outcome"))
    offer_id: Mapped[uuid.UUID | None] = mapped_column(restrict("offer.id"), index=True)
    found: Mapped[str | None] = mapped_column(sa.Text)
    code: Mapped[str | None] = mapped_column(sa.Text)
    params: Mapped[Document | None]
    expected: Mapped[str | None] = mapped_column(sa.Text)
