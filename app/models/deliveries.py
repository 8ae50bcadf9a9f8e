"""Deliveries under a contract: what is called of it, how that was shipped, and what it was found to be."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model
from contracts.state import Subject, state_names

from .columns import Count, Lots, Now, PeriodLabel, Quantity, RandomKey, Text, Versioned, choice, one_of, restrict
from .contracts import Contract

# The states in which a call-off takes room in the contract, and by which of its numbers of lots.
NOMINATED = ("nominated", "firm")
CONFIRMED = ("confirmed", "shipped")
DELIVERED = ("received", "assayed", "settled")


class AssaySide(StrEnum):
    """Whose result an assay is."""

    SELLER = "seller"
    BUYER = "buyer"
    UMPIRE = "umpire"


class CallOffLedger(Model):
    """What a contract allows in one period of its schedule, and what is called of it: both in lots.

    `most_so_far` and `called_so_far` run from the start of the contract to the end of the period. Triggers on
    `call_off` keep what is called, under locks on all rows of the contract, and refuse whatever would pass a limit.
    """

    __tablename__ = "call_off_ledger"
    __table_args__ = (
        sa.CheckConstraint("lots >= 0 AND maximum >= 0 AND most_so_far >= 0", name="limits_not_negative"),
        sa.CheckConstraint("called >= 0 AND called_so_far >= called", name="called_not_negative"),
    )

    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"), primary_key=True)
    period: Mapped[PeriodLabel] = mapped_column(primary_key=True)
    lots: Mapped[Lots]
    maximum: Mapped[Lots]
    most_so_far: Mapped[Lots]
    called: Mapped[Lots] = mapped_column(server_default="0")
    called_so_far: Mapped[Lots] = mapped_column(server_default="0")


class CallOff(Versioned, Model):
    """Lots that the buyer calls for a delivery month; `number` counts within the contract.

    `period` is the line of the schedule that holds `month`. Lots are null until their step: forecast, nominated (the
    firm lots are those nominated), confirmed by the seller, shipped, received; none is more than the one before it.
    `deadline_lots` is what stood when the binding zone began, once that was changed in it. `wanted_on` is the day in
    the month that the buyer asks for, `promised_on` the seller's. `timer_on` is the first day on which a job has
    something to do: to let a forecast lapse, to make a nomination firm, to tell that a confirmation is overdue. A
    call-off that is shipped in part leaves its rest as a call-off of its own, which names it in `split_from_id`.
    """

    __tablename__ = "call_off"
    __table_args__ = (
        sa.UniqueConstraint("contract_id", "number"),
        sa.ForeignKeyConstraint(
            ["contract_id", "period"], ["call_off_ledger.contract_id", "call_off_ledger.period"], ondelete="RESTRICT"
        ),
        sa.CheckConstraint("number > 0", name="number_positive"),
        sa.CheckConstraint(
            r"month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$' AND period = CASE "
            "WHEN length(period) = 4 THEN left(month, 4) "
            "WHEN period LIKE '%Q%' THEN left(month, 4) || '-Q' || (right(month, 2)::integer + 2) / 3 "
            "ELSE month END",
            name="month_in_period",
        ),
        sa.CheckConstraint("to_char(wanted_on, 'YYYY-MM') = month", name="wanted_in_month"),
        sa.CheckConstraint(
            "least(forecast_lots, nominated_lots, confirmed_lots, shipped_lots, received_lots) > 0"
            " AND coalesce(deadline_lots, 0) >= 0",
            name="lots_positive",
        ),
        sa.CheckConstraint(
            "coalesce(confirmed_lots <= nominated_lots, true) AND coalesce(shipped_lots <= confirmed_lots, true)"
            " AND coalesce(received_lots <= shipped_lots, true)",
            name="lots_ordered",
        ),
        sa.CheckConstraint(
            "CASE WHEN state IN ('nominated', 'firm', 'refused') THEN nominated_lots IS NOT NULL"
            " WHEN state = 'confirmed' THEN confirmed_lots IS NOT NULL"
            " WHEN state = 'shipped' THEN shipped_lots IS NOT NULL"
            " WHEN state IN ('received', 'assayed', 'settled', 'rejected') THEN received_lots IS NOT NULL"
            " ELSE true END",
            name="lots_of_state",
        ),
        sa.CheckConstraint("state <> 'firm' OR confirm_by IS NOT NULL", name="firm_has_deadline"),
        sa.Index(None, "contract_id", "month"),
        sa.Index(None, "timer_on", "id"),
        sa.Index(None, "created_at", "id"),
    )

    id: Mapped[RandomKey]
    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"))
    number: Mapped[Count]
    period: Mapped[PeriodLabel]
    month: Mapped[PeriodLabel]
    state: Mapped[str] = mapped_column(one_of(state_names(Subject.CALL_OFF), "state"))
    forecast_lots: Mapped[Lots | None]
    nominated_lots: Mapped[Lots | None]
    deadline_lots: Mapped[Lots | None]
    confirmed_lots: Mapped[Lots | None]
    shipped_lots: Mapped[Lots | None]
    received_lots: Mapped[Lots | None]
    wanted_on: Mapped[dt.date | None]
    promised_on: Mapped[dt.date | None]
    confirm_by: Mapped[dt.date | None]
    timer_on: Mapped[dt.date | None]
    place: Mapped[Text]
    remarks: Mapped[str | None] = mapped_column(sa.Text)
    split_from_id: Mapped[uuid.UUID | None] = mapped_column(restrict("call_off.id"))
    created_at: Mapped[Now]

    contract: Mapped[Contract] = relationship(
        primaryjoin="CallOff.contract_id == Contract.id", foreign_keys=[contract_id]
    )
    consignment: Mapped[Consignment | None] = relationship(back_populates="call_off")

    @property
    def counted_lots(self) -> int:
        """The lots by which it takes room in the contract, as the trigger on the table counts them."""
        if self.state in NOMINATED:
            return self.nominated_lots or 0
        if self.state in CONFIRMED:
            return self.confirmed_lots or 0
        return (self.received_lots or 0) if self.state in DELIVERED else 0


class Consignment(Model):
    """The goods of one call-off on their way: what is received, assayed and settled. Lots are the call-off's.

    `transport_document` is the waybill's number, `certificate` that of the seller's certificate of analysis.
    """

    __tablename__ = "consignment"
    __table_args__ = (
        sa.UniqueConstraint("call_off_id"),
        sa.CheckConstraint("received_on >= shipped_on", name="received_after_shipped"),
    )

    id: Mapped[RandomKey]
    call_off_id: Mapped[uuid.UUID] = mapped_column(restrict("call_off.id"))
    transport_document: Mapped[Text]
    certificate: Mapped[Text]
    carrier: Mapped[str | None] = mapped_column(sa.Text)
    shipped_on: Mapped[dt.date]
    received_on: Mapped[dt.date | None]
    created_at: Mapped[Now]

    call_off: Mapped[CallOff] = relationship(back_populates="consignment")
    assays: Mapped[list[AssayResult]] = relationship(
        back_populates="consignment", order_by="AssayResult.attribute, AssayResult.side"
    )


class AssayResult(Model):
    """One side's result for one attribute of a consignment, in the unit of the contract's quality term; only added."""

    __tablename__ = "assay_result"
    __table_args__ = (
        sa.UniqueConstraint("consignment_id", "attribute", "side"),
        sa.CheckConstraint("value >= 0", name="value_not_negative"),
    )

    id: Mapped[RandomKey]
    consignment_id: Mapped[uuid.UUID] = mapped_column(restrict("consignment.id"))
    attribute: Mapped[Text]
    side: Mapped[AssaySide] = mapped_column(choice(AssaySide, "side"))
    value: Mapped[Quantity]
    laboratory: Mapped[Text]
    certificate: Mapped[Text]
    assayed_on: Mapped[dt.date]
    created_at: Mapped[Now]

    consignment: Mapped[Consignment] = relationship(back_populates="assays")
