"""The trail of who changed which fact of reference."""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Model

from .columns import Document, SerialKey, Text, restrict


class ReferenceChange(Model):
    """One fact of reference that a person made or changed: the row before (nothing for a new one) and after.

    Rows are only added. What a command loads from files is not listed here: its facts name their source.
    """

    __tablename__ = "reference_change"
    __table_args__ = (
        sa.CheckConstraint("jsonb_typeof(after) = 'object'", name="after"),
        sa.CheckConstraint("before IS NULL OR jsonb_typeof(before) = 'object'", name="before"),
        sa.Index(None, "table_name", "row_key", "id"),
    )

    id: Mapped[SerialKey]
    at: Mapped[dt.datetime]
    user_id: Mapped[uuid.UUID] = mapped_column(restrict("user_account.id"))
    table_name: Mapped[Text]
    row_key: Mapped[Text]
    before: Mapped[Document | None]
    after: Mapped[Document]
