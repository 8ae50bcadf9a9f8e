"""Years of a contract: what was scheduled, taken and supplied, and what take-or-pay and supply-or-pay make of it.

A year is told once it is over and everything shipped in it is final. Facts that change later give a new revision, and
the difference in money goes into an invoice of its own.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from app.auth import Principal
from app.clock import day_of
from app.errors import NotFound
from app.models import CallOff, Contract, Invoice, InvoiceKind, Penalty, Termination, YearStatement
from app.operations import contracts, excuses
from app.operations.invoice_writing import invoices_of, said_by, write
from app.operations.month_prices import final_price
from app.operations.outbox import tell
from app.operations.returned_volume import excused_lots
from app.operations.terms_in_force import terms_in_force, version_in_force
from contracts.clauses import Payment
from contracts.fixings import IndexMissing
from contracts.settlement_inputs import (
    SupplyOrPayInputs,
    TakeOrPayInputs,
    YearInputs,
    YearSupplied,
    inputs_hash,
    inputs_text,
    mean_price,
    settle,
)
from contracts.state import Actor
from contracts.take_or_pay import YearTaken
from contracts.terms import Terms
from contracts.wording import Text
from contracts.working import cents
from contracts.year_statement import PeriodPosition, YearTold, positions, year_told
from market.errors import InvalidValue
from market.periods import Period

TOLD_STATES = ("effective", "suspended", "fulfilled", "expired", "terminated")
FIRM_STATES = ("firm", "confirmed", "shipped", "received", "assayed", "settled", "refused", "rejected")
DELIVERED = ("received", "assayed", "settled")
NOT_FINAL = ("shipped", "received", "assayed")


@dataclass(slots=True, kw_only=True)
class YearsIssued:
    """The invoices issued for years now, how many years were told, and what waits: (year, why)."""

    invoices: list[Invoice] = field(default_factory=list)
    statements: int = 0
    waiting: list[tuple[str, Text]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LotsOfPeriod:
    """Lots of one line of the schedule: called firm, delivered, and excused by force majeure."""

    firm: int
    delivered: int
    hindered: int

    @property
    def undelivered(self) -> int:
        """Called firm and not delivered, beyond what force majeure excused."""
        return max(self.firm - self.delivered - self.hindered, 0)

    @property
    def excused_for_seller(self) -> int:
        """What of the firm lots force majeure kept from being delivered."""
        return min(self.hindered, max(self.firm - self.delivered, 0))


def visible_statements(principal: Principal) -> sa.Select[YearStatement]:
    """The statements of the contracts that the asker may read."""
    seen = contracts.visible_contracts(principal).with_only_columns(Contract.id).options()
    return sa.select(YearStatement).where(YearStatement.contract_id.in_(seen))


def find_statement(session: Session, *, principal: Principal, statement_id: uuid.UUID) -> YearStatement:
    """:raises NotFound: no such statement, or not of a contract of the asker's."""
    found: YearStatement | None = session.scalar(visible_statements(principal).where(YearStatement.id == statement_id))
    if found is None:
        raise NotFound("no such statement")
    return found


def statements_of(session: Session, *, contract_id: uuid.UUID) -> list[YearStatement]:
    """The newest revision of every year told, by year."""
    query = (
        sa.select(YearStatement)
        .where(YearStatement.contract_id == contract_id)
        .ext(distinct_on(YearStatement.year))
        .order_by(YearStatement.year, YearStatement.revision.desc())
    )
    return list(session.scalars(query))


def position_of(session: Session, *, contract: Contract, on: dt.date) -> tuple[PeriodPosition, ...]:
    """Where the calendar year of a day stands under take-or-pay, period by period; nothing without that rule.

    Of periods that are over, lots called firm and not delivered count as taken.
    """
    terms = terms_in_force(session, contract=contract, on=on)
    if terms.take_or_pay is None:
        return ()
    lots = lots_of_periods(session, contract=contract, terms=terms)
    return positions(
        terms.schedule,
        terms.take_or_pay.share,
        on.year,
        excused={period: one.hindered for period, one in lots.items()},
        taken={
            period: one.delivered + (one.undelivered if period.last_day < on else 0) for period, one in lots.items()
        },
    )


def lots_of_periods(session: Session, *, contract: Contract, terms: Terms) -> dict[Period, LotsOfPeriod]:
    """The lots of each line of the schedule as they are now."""
    firm: dict[str, int] = defaultdict(int)
    delivered: dict[str, int] = defaultdict(int)
    # What was firm when its contract ended has been called, and was not delivered.
    fallen = sa.and_(CallOff.state == "cancelled", CallOff.confirm_by.is_not(None))
    counted = sa.or_(CallOff.state.in_(FIRM_STATES), fallen)
    query = sa.select(CallOff).where(CallOff.contract_id == contract.id, counted)
    for one in session.scalars(query.order_by(CallOff.number)):
        firm[one.period] += one.nominated_lots or 0
        delivered[one.period] += (one.received_lots or 0) if one.state in DELIVERED else 0
    hindered = excused_lots(session, contract_id=contract.id)
    return {
        line.period: LotsOfPeriod(
            firm=firm[str(line.period)],
            delivered=delivered[str(line.period)],
            hindered=int(hindered.get(str(line.period), 0)),
        )
        for line in terms.schedule
    }


def issue_years(session: Session, *, contract: Contract, now: dt.datetime) -> YearsIssued:
    """Tell every year that is over and not told as it is now, and ask for what all years together make due."""
    found, on = YearsIssued(), day_of(now)
    if contract.state not in TOLD_STATES:
        return found
    taken: list[YearTaken] = []
    supplied: list[YearSupplied] = []
    inputs = None
    last = terms_in_force(session, contract=contract, on=on).last_period.last_day.year
    for year in range(contract.effective_from.year, min(on.year - 1, last) + 1):
        terms = terms_in_force(session, contract=contract, on=dt.date(year, 12, 31))
        if terms.take_or_pay is None and terms.supply_or_pay is None:
            continue
        try:
            price = _year_price(session, contract, terms, year, on)
        except (IndexMissing, InvalidValue) as missing:
            found.waiting.append(
                (str(year), Text(f"年度均价未定：{missing}", f"no mean price of the year yet: {missing}"))
            )
            break
        if (open_ones := _not_final(session, contract, year)) is not None:
            found.waiting.append((str(year), open_ones))
            break
        bought, sold = _facts(session, contract, terms, year, price)
        taken.append(bought)
        supplied.append(sold)
        inputs = YearInputs(
            lot=terms.lot,
            take_or_pay=terms.take_or_pay,
            supply_or_pay=terms.supply_or_pay,
            taken=tuple(taken),
            supplied=tuple(supplied),
        )
        found.statements += _tell_year(session, contract, inputs, now)
    if inputs is not None:
        found.invoices += _charges(session, contract, inputs, now)
    return found


def _year_price(session: Session, contract: Contract, terms: Terms, year: int, on: dt.date) -> Decimal:
    """The year's mean unit price ex works: of the contract's months in it, each counted once.

    :raises IndexMissing: a month has no price yet.
    """
    first = max(terms.first_period.first_day, dt.date(year, 1, 1))
    last = min(terms.last_period.last_day, dt.date(year, 12, 31))
    months = []
    month = Period.of(first, "month")
    while month.first_day <= last:
        months.append(final_price(session, contract=contract, month=month, on=on).value)
        month = month + 1
    return mean_price(months)


def _not_final(session: Session, contract: Contract, year: int) -> Text | None:
    """What was shipped for the year and has no final invoice; None if nothing."""
    query = sa.select(CallOff.number).where(
        CallOff.contract_id == contract.id, CallOff.state.in_(NOT_FINAL), CallOff.month.startswith(f"{year}-")
    )
    numbers = session.scalars(query.order_by(CallOff.number)).all()
    listed = ", ".join(f"#{number}" for number in numbers)
    return Text(f"{listed} 尚无最终发票", f"no final invoice of {listed}") if numbers else None


def _facts(
    session: Session, contract: Contract, terms: Terms, year: int, price: Decimal
) -> tuple[YearTaken, YearSupplied]:
    """The lots of one year; of a terminated contract, only the periods that were over count as scheduled."""
    ended = session.scalar(
        sa.select(Termination.done_at).where(Termination.contract_id == contract.id, Termination.done_at.is_not(None))
    )
    last = dt.date.max if ended is None else day_of(ended)
    lots = lots_of_periods(session, contract=contract, terms=terms)
    lines = [line for line in terms.schedule if line.period.first_day.year == year]
    counted = [lots[line.period] for line in lines if line.period.last_day <= last]
    every = [lots[line.period] for line in lines]
    delivered = sum(one.delivered for one in every)
    return (
        YearTaken(
            year=year,
            scheduled=sum(line.lots for line in lines if line.period.last_day <= last),
            excused=sum(one.hindered for one in counted),
            taken=delivered,
            price=price,
            undelivered=sum(one.undelivered for one in counted),
        ),
        YearSupplied(
            year=year,
            firm=sum(one.firm for one in every),
            excused=sum(one.excused_for_seller for one in every),
            delivered=delivered,
            price=price,
        ),
    )


def _tell_year(session: Session, contract: Contract, inputs: YearInputs, now: dt.datetime) -> int:
    """Write the statement of the inputs' last year, unless it says what the newest revision says; 1 if written."""
    told, digest = year_told(inputs), inputs_hash(inputs)
    newest = session.scalars(
        sa.select(YearStatement)
        .where(YearStatement.contract_id == contract.id, YearStatement.year == told.year)
        .order_by(YearStatement.revision.desc())
        .limit(1)
    ).one_or_none()
    if newest is not None and newest.inputs_hash == digest:
        return 0
    version = version_in_force(session, contract=contract, on=dt.date(told.year, 12, 31))
    row = YearStatement(
        contract_id=contract.id,
        year=told.year,
        revision=1 if newest is None else newest.revision + 1,
        issued_on=day_of(now),
        terms_hash=version.terms_hash,
        inputs=json.loads(inputs_text(inputs)),
        inputs_hash=digest,
        outcome=outcome_of(told),
        created_at=now,
    )
    session.add(row)
    session.flush()
    payload = {"contract": contract.number, "contract_id": str(contract.id), "year": told.year}
    firms = (contract.seller_firm_id, contract.buyer_firm_id)
    tell(session, topic="statement.issued", about=("statement", row.id), firms=firms, payload=payload, now=now)
    return 1


def outcome_of(told: YearTold) -> dict[str, Any]:
    """What a statement says, as a JSON document: lots as numbers, money as text, the steps in both languages."""
    buyer, seller = told.take_or_pay, told.supply_or_pay
    found: dict[str, Any] = {
        "scheduled": told.taken.scheduled,
        "excused": told.taken.excused,
        "taken": told.taken.taken,
        "firm": told.supplied.firm,
        "supplied": told.supplied.delivered,
        "undelivered": told.taken.undelivered,
        "price": str(cents(told.taken.price)),
        "take_or_pay": None,
        "supply_or_pay": None,
    }
    if buyer is not None:
        numbers = ("obligation", "carry_forward_used", "deficiency", "made_up", "forfeited", "carried_on")
        found["take_or_pay"] = {name: getattr(buyer, name) for name in numbers} | {
            "payment": str(buyer.payment),
            "credit": str(buyer.credit),
            "paid_open": [{"year": one.year, "lots": one.open} for one in buyer.paid],
            "carried_open": [{"year": one.year, "lots": one.open} for one in buyer.carried],
            "steps": [{"zh": step.zh, "en": step.en} for step in buyer.steps],
        }
    if seller is not None:
        found["supply_or_pay"] = {
            "payment": str(seller.value),
            "steps": [{"zh": step.zh, "en": step.en} for step in seller.steps],
        }
    return found


def _charges(session: Session, contract: Contract, inputs: YearInputs, now: dt.datetime) -> list[Invoice]:
    """What the years told so far make due, less what earlier invoices asked for."""
    last = inputs.taken[-1].year
    terms = terms_in_force(session, contract=contract, on=dt.date(last, 12, 31))
    made = []
    if inputs.take_or_pay is not None:
        said, vat_said = said_by(invoices_of(session, contract_id=contract.id, kinds=[InvoiceKind.TAKE_OR_PAY]))
        asked = TakeOrPayInputs(
            rule=inputs.take_or_pay,
            lot=inputs.lot,
            vat=terms.payment.vat,
            years=inputs.taken,
            said=said,
            vat_said=vat_said,
        )
        made += _write(session, contract, asked, terms.payment, now)
    year = Period.parse(str(last))
    claimed = excuses.is_claimed(session, contract=contract, rule=Penalty.SUPPLY_OR_PAY, period=year)
    if inputs.supply_or_pay is not None and not claimed:
        said, _ = said_by(invoices_of(session, contract_id=contract.id, kinds=[InvoiceKind.SUPPLY_OR_PAY]))
        owed = SupplyOrPayInputs(rule=inputs.supply_or_pay, lot=inputs.lot, years=inputs.supplied, said=said)
        made += _write(session, contract, owed, terms.payment, now)
    return made


def _write(
    session: Session,
    contract: Contract,
    inputs: TakeOrPayInputs | SupplyOrPayInputs,
    payment: Payment,
    now: dt.datetime,
) -> list[Invoice]:
    told = settle(inputs)
    if not (told.net or told.vat):
        return []
    by_buyer = isinstance(inputs, TakeOrPayInputs)
    return [
        write(
            session,
            contract=contract,
            version=version_in_force(session, contract=contract, on=dt.date(inputs.years[-1].year, 12, 31)),
            payment=payment,
            kind=InvoiceKind.TAKE_OR_PAY if by_buyer else InvoiceKind.SUPPLY_OR_PAY,
            inputs=inputs,
            creditor=Actor.SELLER if by_buyer else Actor.BUYER,
            now=now,
        )
    ]
