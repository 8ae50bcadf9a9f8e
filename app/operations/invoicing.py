"""Invoices of delivery months: provisional when goods are shipped, final when price and quality are determined.

What is due is found from the facts of a day: a new consignment, a determined one, or a fact that was corrected. Asking
again on the same facts issues nothing.
"""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.clock import day_of
from app.models import (
    GOODS_KINDS,
    AssayResult,
    AssaySide,
    CallOff,
    Consignment,
    Contract,
    Invoice,
    InvoiceConsignment,
    InvoiceKind,
    SubjectKind,
)
from app.operations import call_offs, charges, statements
from app.operations.invoice_writing import ValuedConsignment, invoices_of, said_by, tell_once, write
from app.operations.month_prices import missing_of, month_account
from contracts.fixings import IndexMissing
from contracts.quality import UmpireNeeded, closed_assay, determine
from contracts.settlement_inputs import AssayUsed, Delivered, MonthInputs, month_price, settle
from contracts.state import Actor
from contracts.terms import Terms
from contracts.wording import Text
from market.errors import InvalidValue
from market.periods import Period

SHIPPED = ("shipped", "received", "assayed", "settled")
DETERMINED = ("assayed", "settled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What holds an invoice or a statement of a period back, and why."""

    period: str
    why: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What came of asking for what is due: the invoices issued now, the years told now, what waits."""

    invoices: tuple[Invoice, ...]
    statements: int
    waiting: tuple[Waiting, ...]


def contracts_with_dues(session: Session) -> list[uuid.UUID]:
    """The contracts of which something was ever shipped, or that were ever in force, by id."""
    shipped = sa.exists().where(CallOff.contract_id == Contract.id, CallOff.state.in_((*SHIPPED, "rejected")))
    query = sa.select(Contract.id).where(sa.or_(shipped, Contract.state.in_(statements.TOLD_STATES)))
    return list(session.scalars(query.order_by(Contract.id)))


def issue_due(session: Session, *, contract_id: uuid.UUID, now: dt.datetime) -> Issued:
    """Issue what is due of one contract on the day of `now`: goods, late damages, years, awards, interest."""
    contract = session.get_one(Contract, contract_id)
    call_offs.hold(session, contract)
    made: list[Invoice] = []
    waiting: list[Waiting] = []
    goods = _shipped(session, contract)
    earlier = invoices_of(session, contract_id=contract.id, kinds=GOODS_KINDS)
    for label in sorted({*goods, *(invoice.period for invoice in earlier)}):
        of_month = [invoice for invoice in earlier if invoice.period == label]
        issue = _Month(session, contract, Period.parse(label), goods.get(label, []), of_month, now, waiting)
        made += issue.invoices()
    made += charges.issue_late_damages(session, contract=contract, now=now)
    told = statements.issue_years(session, contract=contract, now=now)
    waiting += [Waiting(period=period, why=why) for period, why in told.waiting]
    made += told.invoices
    made += charges.issue_awards(session, contract=contract, now=now)
    made += charges.issue_interest(session, contract=contract, now=now)
    charges.tell_overdue(session, contract=contract, now=now)
    return Issued(invoices=tuple(made), statements=told.statements, waiting=tuple(waiting))


def missing_text(missing: IndexMissing) -> Text:
    """Which days of which index wait for a fixing."""
    return Text(f"指数 {missing.index} 缺 {'、'.join(map(str, missing.days))} 的报价，待公布或由平台核定", str(missing))


def reference_of(call_off: CallOff) -> str:
    """What a consignment is called in workings: the number of its call-off."""
    return f"#{call_off.number}"


def assays_used(terms: Terms, results: Sequence[AssayResult]) -> tuple[AssayUsed, ...]:
    """The results by the contract's quality terms, of goods that are assayed: who has none is bound by the other's.

    :raises UmpireNeeded: two results lie too far apart and no umpire's is there.
    """
    used = []
    for term in terms.quality:
        found = {result.side: result.value for result in results if result.attribute == term.attribute}
        assay = closed_assay(
            term,
            seller=found.get(AssaySide.SELLER),
            buyer=found.get(AssaySide.BUYER),
            umpire=found.get(AssaySide.UMPIRE),
        )
        determine(term, assay)
        used.append(AssayUsed(attribute=term.attribute, seller=assay.seller, buyer=assay.buyer, umpire=assay.umpire))
    return tuple(used)


def _shipped(session: Session, contract: Contract) -> dict[str, list[CallOff]]:
    """The call-offs on their way or delivered, by delivery month and number."""
    query = (
        sa.select(CallOff)
        .options(selectinload(CallOff.consignment).selectinload(Consignment.assays))
        .where(CallOff.contract_id == contract.id, CallOff.state.in_(SHIPPED))
        .order_by(CallOff.month, CallOff.number)
        .execution_options(populate_existing=True)
    )
    return {month: list(rows) for month, rows in itertools.groupby(session.scalars(query), key=lambda row: row.month)}


@dataclass(slots=True)
class _Month:
    """One delivery month of one contract: what was invoiced of it, what is known of it now."""

    session: Session
    contract: Contract
    month: Period
    goods: Sequence[CallOff]
    earlier: Sequence[Invoice]
    now: dt.datetime
    waiting: list[Waiting]

    def invoices(self) -> list[Invoice]:
        """The invoice that brings the account up to date, if anything has changed; it settles what is final by it."""
        on = day_of(self.now)
        try:
            version, account = month_account(self.session, contract=self.contract, month=self.month, on=on)
        except InvalidValue as wrong:
            return self._wait(Text(f"指数报价的含税口径与合同不符：{wrong}", str(wrong)))
        if account.priced and (missing := missing_of(account)) is not None:
            self._wait_for_index(missing)
            account = replace(account, priced=False)
        before = self._before()
        if not account.priced and any(row.is_final for row in before.values()):
            return []  # what was final does not become provisional again: the fixing that lacks is to be decided
        said, vat_said = said_by(self.earlier)
        delivered = tuple(self._delivered(account, call_off, before) for call_off in self.goods)
        inputs = replace(account, consignments=delivered, said=said, vat_said=vat_said)
        try:
            rows = self._valued(inputs)
        except IndexMissing as missing:
            return self._wait_for_index(missing)
        if not self._is_due(inputs, rows, before):
            return []
        row = write(
            self.session,
            contract=self.contract,
            version=version,
            payment=inputs.terms.payment,
            kind=self._kind(rows, before),
            inputs=inputs,
            creditor=Actor.SELLER,
            now=self.now,
            consignments=rows,
        )
        for call_off, valued in zip(self.goods, rows, strict=True):
            if valued.is_final and call_off.state == "assayed":
                call_offs.settle(self.session, call_off=call_off, now=self.now)
        return [row]

    def _wait(self, why: Text) -> list[Invoice]:
        self.waiting.append(Waiting(period=str(self.month), why=why))
        return []

    def _wait_for_index(self, missing: IndexMissing) -> list[Invoice]:
        """The parties and the platform are told once of the days for which the contract's rule has no stand-in."""
        facts = {"index": missing.index, "month": str(self.month), "days": [day.isoformat() for day in missing.days]}
        about = (SubjectKind.CONTRACT.value, self.contract.id)
        tell_once(self.session, topic="index.missing", about=about, contract=self.contract, facts=facts, now=self.now)
        return self._wait(missing_text(missing))

    def _before(self) -> dict[uuid.UUID, InvoiceConsignment]:
        """The consignments as the last invoice of the month has them."""
        return {row.consignment_id: row for row in self.earlier[-1].consignments} if self.earlier else {}

    def _delivered(
        self, account: MonthInputs, call_off: CallOff, before: dict[uuid.UUID, InvoiceConsignment]
    ) -> Delivered:
        """A call-off as its month's account has it: final when it is assayed and the month is priced."""
        goods = _goods_of(call_off)
        assays = None
        if account.priced and call_off.state in DETERMINED:
            try:
                assays = assays_used(account.terms, goods.assays)
            except UmpireNeeded as needed:
                self._wait(
                    Text(f"第 {call_off.number} 号交货的检验结果待仲裁方确定", f"call-off {call_off.number}: {needed}")
                )
        known = before.get(goods.id)
        lots = call_off.shipped_lots if assays is None else call_off.received_lots
        return Delivered(
            reference=reference_of(call_off),
            lots=lots or 0,
            estimate=known.price if assays is None and known is not None else None,
            assays=assays,
        )

    def _valued(self, inputs: MonthInputs) -> list[ValuedConsignment]:
        """:raises IndexMissing: a consignment is to be estimated, and there is no fixing at all."""
        rows = []
        for call_off, one in zip(self.goods, inputs.consignments, strict=True):
            price = one.estimate if one.estimate is not None else month_price(inputs).value
            rows.append(
                ValuedConsignment(
                    consignment_id=_goods_of(call_off).id, lots=one.lots, price=price, is_final=one.assays is not None
                )
            )
        return rows

    def _is_due(
        self, inputs: MonthInputs, rows: Sequence[ValuedConsignment], before: dict[uuid.UUID, InvoiceConsignment]
    ) -> bool:
        """Whether consignments came, went or became final, or a corrected fact changes the money."""
        if {(row.consignment_id, row.lots, row.is_final) for row in rows} != _states(before):
            return True
        if not self.earlier:
            return False
        told = settle(inputs)
        return bool(told.vat or any(line.net for line in told.lines))

    @staticmethod
    def _kind(rows: Sequence[ValuedConsignment], before: dict[uuid.UUID, InvoiceConsignment]) -> InvoiceKind:
        if not all(row.is_final for row in rows):
            return InvoiceKind.PROVISIONAL
        ids = {row.consignment_id for row in rows}
        was_final = before and all(row.is_final for row in before.values())
        return InvoiceKind.CORRECTION if was_final and ids <= before.keys() else InvoiceKind.FINAL


def _states(before: dict[uuid.UUID, InvoiceConsignment]) -> set[tuple[uuid.UUID, int, bool]]:
    return {(row.consignment_id, row.lots, row.is_final) for row in before.values()}


def _goods_of(call_off: CallOff) -> Consignment:
    if call_off.consignment is None:
        raise InvalidValue(f"call-off {call_off.number} is {call_off.state}; expected a consignment with it")
    return call_off.consignment
