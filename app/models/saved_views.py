"""Choices of a list that somebody keeps under a name, to come back to them with one click."""

from __future__ import annotations

import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Model

from .columns import Document, Now, RandomKey, Text, choice, part_of


class ListName(StrEnum):
    """The lists whose choices can be kept."""

    REVIEW = "review"


class SavedView(Model):
    """Filters and order of one list, a person's own. `arguments` are those of the list's address, each one text."""

    __tablename__ = "saved_view"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "list_name", "name"),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 60", name="name_length"),
        sa.CheckConstraint("jsonb_typeof(arguments) = 'object'", name="arguments"),
    )

    id: Mapped[RandomKey]
    user_id: Mapped[uuid.UUID] = mapped_column(part_of("user_account.id"))
    list_name: Mapped[ListName] = mapped_column(choice(ListName, "list_name"))
    name: Mapped[Text]
    arguments: Mapped[Document]
    created_at: Mapped[Now]
