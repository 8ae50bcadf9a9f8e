"""Plays one contract's life on a played clock, each act the way the API would: the operations, as a signed-in person,
in a transaction of its own. What invoices bring about (payments, interest) follows from the invoices themselves.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.demo import plot, replay
from app.demo.agreement import agree
from app.demo.plot import COMPLAINT, FLOOD, MONTHS, Month, Result, Shipment, moment
from app.demo.stage import Calendar, Stage
from app.models import CallOff, Claim, InvoiceKind
from app.operations import (
    assays,
    call_offs,
    claims,
    contracts,
    fixings,
    force_majeure,
    hindrances,
    invoicing,
    nominations,
    payments,
    shipments,
)
from app.operations.assays import Reading, Standing
from app.operations.evidence import File
from app.operations.fixings import FixingRow
from app.operations.invoice_writing import find_invoice
from contracts.state import Actor
from contracts.terms import Terms
from market.periods import Period

DAY = dt.timedelta(days=1)
CENT = Decimal("0.01")
LATE_PAID = {str(one.month) for one in MONTHS if one.pays_late}


@dataclass(slots=True)
class Life:
    """A contract in force, the calendar of what is still to come, and the fixings that are not told yet."""

    stage: Stage
    contract_id: uuid.UUID
    calendar: Calendar = field(default_factory=Calendar)
    untold: list[FixingRow] = field(default_factory=list)

    def play(self) -> int:
        """Let everything happen until the curtain; returns how many acts there were."""
        self.untold = list(replay.fixings(self.stage.tables, first=plot.FIRST_MONTH, last=plot.LAST_MONTH))
        for month in MONTHS:
            self._plan(month)
        self._plan_flood()
        self._plan_complaint()
        return self.calendar.run(plot.CURTAIN)

    def _plan(self, month: Month) -> None:
        """A delivery month: nominated, confirmed, shipped and received, invoiced when shipped and when it is over."""
        first = month.month.first_day
        put = self.calendar.put
        put(first - plot.NOMINATED_AHEAD * DAY, partial(self._nominate, month))
        put(first - plot.CONFIRMED_AHEAD * DAY, partial(self._confirm, month))
        for shipment in month.shipments:
            provisional_on = shipment.shipped_on + DAY
            final_on = max(shipment.received_on, month.month.last_day) + 3 * DAY
            put(shipment.shipped_on, partial(self._ship, month, shipment))
            put(provisional_on, partial(self._settle, provisional_on))
            put(shipment.received_on, partial(self._receive, month, shipment))
            put(final_on, partial(self._settle, final_on))

    def _nominate(self, month: Month) -> None:
        day = month.month.first_day - plot.NOMINATED_AHEAD * DAY
        with self.stage.act() as session:
            terms = self._terms(session, month.month)
            quarter = Period.of(month.month.first_day, "quarter")
            line = next(line for line in terms.schedule if line.period == quarter)
            nominations.call(
                session,
                principal=self.stage.cast.buyer,
                contract_id=self.contract_id,
                month=str(month.month),
                wish={"lots": int(line.lots * month.share), "wanted_on": month.shipments[0].received_on},
                nominate_now=True,
                now=moment(day),
            )

    def _confirm(self, month: Month) -> None:
        day = month.month.first_day - plot.CONFIRMED_AHEAD * DAY
        with self.stage.act() as session:
            call_off = self._call_off(session, month.month, "nominated")
            shipments.confirm(
                session,
                principal=self.stage.cast.seller,
                call_off_id=call_off.id,
                lots=call_off.nominated_lots or 0,
                promised_on=month.shipments[0].received_on,
                now=moment(day),
            )

    def _ship(self, month: Month, shipment: Shipment) -> None:
        with self.stage.act() as session:
            call_off = self._call_off(session, month.month, "confirmed")
            shipments.ship(
                session,
                principal=self.stage.cast.seller,
                call_off_id=call_off.id,
                lots=int((call_off.confirmed_lots or 0) * shipment.share),
                transport_document=f"DEMO-{shipment.shipped_on:%y%m%d}",
                certificate=f"COA-{shipment.shipped_on:%y%m%d}",
                shipped_on=shipment.shipped_on,
                now=moment(shipment.shipped_on),
            )

    def _receive(self, month: Month, shipment: Shipment) -> None:
        """The goods arrive, both sides hand in their results, and the umpire's follows where they part."""
        day, result = shipment.received_on, shipment.assay
        with self.stage.act() as session:
            call_off = self._call_off(session, month.month, "shipped")
            found = shipments.receive(
                session,
                principal=self.stage.cast.buyer,
                call_off_id=call_off.id,
                lots=call_off.shipped_lots or 0,
                received_on=day,
                now=moment(day),
            )
            call_off_id = found.id
            reference = next((one.reference for one in self._terms(session, month.month).quality), Decimal(0))
        if result is None:
            return
        for side, value in ((Actor.SELLER, result.seller), (Actor.BUYER, result.buyer)):
            with self.stage.act() as session:
                principal = self.stage.cast.of(side)
                readings = [_reading(f"{side} laboratory (demo)", reference + value, day)]
                assays.record(
                    session, principal=principal, call_off_id=call_off_id, readings=readings, now=moment(day, 16)
                )
        if result.umpire is not None:
            self.calendar.put(day + 5 * DAY, partial(self._umpire, call_off_id, result, day + 5 * DAY))

    def _umpire(self, call_off_id: uuid.UUID, result: Result, day: dt.date) -> None:
        with self.stage.act() as session:
            call_off = call_offs.find_call_off(session, principal=self.stage.cast.staff, call_off_id=call_off_id)
            disputed = [
                one.term
                for one in assays.standings(session, principal=self.stage.cast.staff, call_off=call_off)
                if one.standing is Standing.DISPUTED
            ]
            if disputed and result.umpire is not None:
                readings = [_reading("umpire laboratory (demo)", disputed[0].reference + result.umpire, day)]
                assays.record(
                    session,
                    principal=self.stage.cast.staff,
                    call_off_id=call_off_id,
                    readings=readings,
                    now=moment(day),
                )

    def _settle(self, day: dt.date) -> None:
        """Staff load the fixings published up to the day, the nightly job issues what is due by them."""
        with self.stage.act() as session:
            told = [row for row in self.untold if row.day <= day]
            results = fixings.record_each(
                session, principal=self.stage.cast.staff, rows=enumerate(told, start=1), now=moment(day, 17)
            )
            if faults := [one.faults for one in results if one.faults]:
                raise LookupError(f"fixings of the demo were refused: {faults[0]}")
        self.untold = self.untold[len(told) :]
        with self.stage.act() as session:
            issued = invoicing.issue_due(session, contract_id=self.contract_id, now=moment(day, 20))
            for invoice in issued.invoices:
                late = invoice.kind is InvoiceKind.FINAL and invoice.period in LATE_PAID
                paid_on = invoice.due_on + (plot.PAID_LATE if late else -plot.PAID_BEFORE_DUE) * DAY
                self.calendar.put(paid_on, partial(self._pay, invoice.id, paid_on))
                if late:
                    self.calendar.put(paid_on + DAY, partial(self._settle, paid_on + DAY))

    def _pay(self, invoice_id: uuid.UUID, day: dt.date) -> None:
        with self.stage.act() as session:
            invoice = find_invoice(session, principal=self.stage.cast.seller, invoice_id=invoice_id)
            payments.record_payment(
                session,
                principal=self.stage.cast.of(invoice.payer),
                invoice_id=invoice_id,
                amount=invoice.unpaid,
                paid_on=day,
                reference=f"DEMO-{invoice.number}",
                now=moment(day, 17),
            )

    def _plan_flood(self) -> None:
        self.calendar.put(FLOOD.told_on, self._tell_flood)
        self.calendar.put(FLOOD.over_told_on, self._end_flood)

    def _tell_flood(self) -> None:
        with self.stage.act() as session:
            seller, now = self.stage.cast.seller, moment(FLOOD.told_on)
            event = force_majeure.declare(
                session,
                principal=seller,
                contract_ids=[self.contract_id],
                description=FLOOD.description,
                began_on=FLOOD.began_on,
                affected=FLOOD.affected,
                now=now,
            )
            report = File(name="flood-report.txt", content=FLOOD.description.encode())
            force_majeure.attach(session, principal=seller, event_id=event.id, file=report, now=now)

    def _end_flood(self) -> None:
        with self.stage.act() as session:
            notice = hindrances.of_contract(session, contract_id=self.contract_id)[-1]
            force_majeure.end(
                session,
                principal=self.stage.cast.seller,
                event_id=notice.force_majeure_id,
                ended_on=FLOOD.ended_on,
                now=moment(FLOOD.over_told_on),
            )

    def _plan_complaint(self) -> None:
        put = self.calendar.put
        put(COMPLAINT.filed_on, self._file_claim)
        put(COMPLAINT.defended_on, self._defend_claim)
        put(COMPLAINT.decided_on, self._decide_claim)

    def _file_claim(self) -> None:
        """For an amount per tonne of what was received on the day of the breach, with the umpire's result."""
        buyer, now = self.stage.cast.buyer, moment(COMPLAINT.filed_on)
        with self.stage.act() as session:
            month = Period.of(COMPLAINT.breach_on, "month")
            terms = self._terms(session, month)
            bad = self._call_off(session, month, "settled")
            tonnes = (bad.received_lots or 0) * terms.lot.size
            claim = claims.draft(
                session,
                principal=buyer,
                contract_id=self.contract_id,
                kind="quality",
                breach_on=COMPLAINT.breach_on,
                statement=COMPLAINT.statement,
                amount=(tonnes * COMPLAINT.per_tonne).quantize(CENT),
                now=now,
            )
            results = [] if bad.consignment is None else bad.consignment.assays
            found = "; ".join(f"{one.attribute} {one.side} {one.value}" for one in results)
            report = File(name="assays.txt", content=f"{found}\n".encode())
            claims.attach(session, principal=buyer, claim_id=claim.id, file=report, now=now)
            claims.file(session, principal=buyer, claim_id=claim.id, now=now)

    def _defend_claim(self) -> None:
        with self.stage.act() as session:
            claims.defend(
                session,
                principal=self.stage.cast.seller,
                claim_id=self._claim(session).id,
                defence=COMPLAINT.defence,
                now=moment(COMPLAINT.defended_on),
            )

    def _decide_claim(self) -> None:
        with self.stage.act() as session:
            claim = self._claim(session)
            claims.uphold(
                session,
                principal=self.stage.cast.senior,
                claim_id=claim.id,
                amount=(claim.amount_claimed * COMPLAINT.awarded).quantize(CENT),
                note=COMPLAINT.ruling,
                now=moment(COMPLAINT.decided_on),
            )

    def _claim(self, session: Session) -> Claim:
        contract = contracts.find_contract(session, principal=SYSTEM, contract_id=self.contract_id)
        return claims.of_contract(session, principal=SYSTEM, contract=contract)[0]

    def _terms(self, session: Session, month: Period) -> Terms:
        contract = contracts.find_contract(session, principal=SYSTEM, contract_id=self.contract_id)
        return call_offs.terms_of_month(session, contract=contract, month=str(month))

    def _call_off(self, session: Session, month: Period, state: str) -> CallOff:
        """The call-off of a month that is in a state; the plot never leaves two there."""
        query = call_offs.visible_call_offs(SYSTEM).where(
            CallOff.contract_id == self.contract_id, CallOff.month == str(month), CallOff.state == state
        )
        found: CallOff = session.scalars(query).one()
        return found


def _reading(laboratory: str, value: Decimal, day: dt.date) -> Reading:
    certificate = f"DEMO-{day:%y%m%d}"
    return Reading(
        attribute=plot.ATTRIBUTE, value=value, laboratory=laboratory, certificate=certificate, assayed_on=day
    )


def play(stage: Stage, proposal_id: uuid.UUID) -> uuid.UUID:
    """From the night's proposal to the curtain; returns the contract's id."""
    contract_id = agree(stage, proposal_id)
    Life(stage=stage, contract_id=contract_id).play()
    return contract_id
