"""The forward curve of a round: what its formulas are evaluated on."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Model

from .columns import Now, PeriodLabel, Price, part_of, restrict


class ForwardPrice(Model):
    """What an index is taken to be in one period of a round, in the index's currency and unit, tax excluded.

    A period without a row has the last value that the index was published with.
    """

    __tablename__ = "forward_price"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["round_id", "period"], ["round_period.round_id", "round_period.period"], ondelete="RESTRICT"
        ),
        sa.CheckConstraint("value > 0", name="value_positive"),
    )

    round_id: Mapped[uuid.UUID] = mapped_column(part_of("round.id"), primary_key=True)
    index_code: Mapped[str] = mapped_column(restrict("market_index.code"), primary_key=True, index=True)
    period: Mapped[PeriodLabel] = mapped_column(primary_key=True)
    value: Mapped[Price]
    entered_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    entered_at: Mapped[Now]
