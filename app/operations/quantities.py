"""What a contract allows and what became of it: original, forecast, nominated, confirmed, delivered, invoiced lots."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, selectinload

from app.models import CallOff, CallOffLedger, Contract, Invoice, InvoiceConsignment
from app.operations.returned_volume import excused_lots
from app.operations.terms_in_force import terms_in_force
from contracts.clauses import Lot, ScheduleLine, Tolerance
from contracts.schedule import Quantities, Room, Standing, cumulative_limits, room, standings, whole
from contracts.terms import Terms
from market.periods import Period

# States in which lots no longer (or not yet) stand as nominated.
NOT_STANDING = ("forecast", "refused", "rejected", "cancelled", "lapsed")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodStanding:
    """One line of the schedule: its own lots, those from the start to its end, and what may still be called in it."""

    period: Period
    forecast: int
    own: Standing
    to_date: Standing
    room: Room


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractStanding:
    """The lines of the schedule in their order, their sum, and the size of a lot."""

    lot: Lot
    periods: tuple[PeriodStanding, ...]
    whole: Standing
    forecast: int


def agreed_terms(session: Session, *, contract: Contract) -> Terms:
    """The last version that both sides have signed, whenever it begins: its schedule is what may be called.

    An amendment of the coming year is called of in this one, so the limits are those of the whole course agreed.
    """
    return terms_in_force(session, contract=contract, on=dt.date.max)


def callable_terms(session: Session, *, contract: Contract) -> Terms:
    """The last terms signed, with the lots that nobody owes taken out of the schedule: what may still be called."""
    terms = agreed_terms(session, contract=contract)
    return without_excused(terms, excused_lots(session, contract_id=contract.id))


def without_excused(terms: Terms, excused: Mapping[str, int]) -> Terms:
    """Terms with the lots of periods that nobody owes taken out of the schedule."""
    return replace(terms, schedule=tuple(_less(line, excused.get(str(line.period), 0)) for line in terms.schedule))


def _less(line: ScheduleLine, lots: int) -> ScheduleLine:
    return replace(
        line,
        lots=max(line.lots - lots, 0),
        minimum=max(line.minimum - lots, 0),
        maximum=max(line.maximum - lots, 0),
    )


def quantities(
    session: Session, *, contract: Contract, on: dt.date, call_offs: Sequence[CallOff] | None = None
) -> ContractStanding:
    """Where a contract stands, per line of the schedule and from its start, in lots.

    Lots count as delivered and invoiced by the days up to `on`; nominations and confirmations stand as they do now.
    The original lots are those of the schedule; what force majeure excused leaves less room to call. `call_offs` are
    all of the contract's where they are known already.
    """
    terms = agreed_terms(session, contract=contract)
    left = without_excused(terms, excused_lots(session, contract_id=contract.id))
    call_offs = of_contract(session, contract=contract) if call_offs is None else call_offs
    lines = [line.period for line in terms.schedule]
    invoiced = _invoiced(session, contract=contract, on=on)
    found = standings(terms.schedule, [_steps(one, on, invoiced) for one in call_offs if _stands(one, lines)])
    called = called_lots(call_offs, lines)
    forecast: dict[Period, int] = defaultdict(int)
    for one in call_offs:
        if one.state == "forecast":
            forecast[Period.parse(one.period)] += one.forecast_lots or 0
    periods = tuple(
        PeriodStanding(
            period=period,
            forecast=forecast[period],
            own=own,
            to_date=to_date,
            room=room(left.schedule, left.tolerance, called, period),
        )
        for (period, own), to_date in zip(found.items(), itertools.accumulate(found.values(), _sum), strict=True)
    )
    return ContractStanding(lot=terms.lot, periods=periods, whole=whole(found), forecast=sum(forecast.values()))


def of_contract(session: Session, *, contract: Contract) -> Sequence[CallOff]:
    """All call-offs of a contract by their numbers."""
    query = sa.select(CallOff).options(selectinload(CallOff.consignment)).where(CallOff.contract_id == contract.id)
    return session.scalars(query.order_by(CallOff.number)).all()


def called_lots(call_offs: Iterable[CallOff], lines: Sequence[Period]) -> Mapping[Period, int]:
    """The lots by which call-offs take room in each period of a schedule."""
    called: dict[Period, int] = defaultdict(int)
    for one in call_offs:
        if (period := Period.parse(one.period)) in lines:
            called[period] += one.counted_lots
    return called


def period_of(schedule: Sequence[ScheduleLine], month: Period) -> Period | None:
    """The line of the schedule that holds a month."""
    lines = (line.period for line in schedule)
    return next((line for line in lines if line.start <= month.start < line.start + line.months), None)


def write_limits(session: Session, *, contract: Contract) -> Terms:
    """Write what may be called into the contract's ledger, on which the database checks every call-off.

    Returns the terms that it was written from. A line that an amendment took out of the schedule allows nothing any
    more, and lots that were excused stay excused, whatever is amended.
    """
    terms = callable_terms(session, contract=contract)
    limits = limits_of(terms.schedule, terms.tolerance)
    held = session.scalars(sa.select(CallOffLedger.period).where(CallOffLedger.contract_id == contract.id))
    for period in set(held) - limits.keys():
        before = [most for label, (_, _, most) in limits.items() if label < period]
        limits[period] = (0, 0, before[-1] if before else 0)
    rows = [
        {"contract_id": contract.id, "period": period, "lots": lots, "maximum": maximum, "most_so_far": most}
        for period, (lots, maximum, most) in sorted(limits.items())
    ]
    added = insert(CallOffLedger).values(rows)
    names = ("lots", "maximum", "most_so_far")
    changed = sa.or_(*(getattr(CallOffLedger, name).is_distinct_from(added.excluded[name]) for name in names))
    session.execute(
        added.on_conflict_do_update(
            index_elements=["contract_id", "period"], set_={name: added.excluded[name] for name in names}, where=changed
        )
    )
    return terms


def limits_of(schedule: Sequence[ScheduleLine], tolerance: Tolerance) -> dict[str, tuple[int, int, int]]:
    """Of each period, in order: its lots, the most that may be called in it, the most from the start to its end."""
    most = cumulative_limits(schedule, tolerance)
    return {
        str(line.period): (line.lots, line.maximum, so_far) for line, (_, so_far) in zip(schedule, most, strict=True)
    }


def _stands(call_off: CallOff, lines: Sequence[Period]) -> bool:
    return call_off.state not in NOT_STANDING and Period.parse(call_off.period) in lines


def _invoiced(session: Session, *, contract: Contract, on: dt.date) -> dict[uuid.UUID, int]:
    """The lots of each consignment as the last invoice until a day has them."""
    query = (
        sa.select(InvoiceConsignment.consignment_id, InvoiceConsignment.lots)
        .join(Invoice, Invoice.id == InvoiceConsignment.invoice_id)
        .where(Invoice.contract_id == contract.id, Invoice.issued_on <= on)
        .order_by(Invoice.number)
    )
    return dict(session.execute(query).all())


def _steps(call_off: CallOff, on: dt.date, invoiced: Mapping[uuid.UUID, int]) -> Quantities:
    goods = call_off.consignment
    delivered = billed = 0
    if goods is not None and goods.received_on is not None and goods.received_on <= on:
        delivered = call_off.received_lots or 0
        # Goods on their way may be invoiced; they count when they have arrived.
        billed = min(invoiced.get(goods.id, 0), delivered)
    return Quantities(
        period=Period.parse(call_off.period),
        nominated=call_off.nominated_lots or 0,
        confirmed=call_off.confirmed_lots or 0,
        delivered=delivered,
        invoiced=billed,
    )


def _sum(one: Standing, other: Standing) -> Standing:
    return Standing(
        original=one.original + other.original,
        nominated=one.nominated + other.nominated,
        confirmed=one.confirmed + other.confirmed,
        delivered=one.delivered + other.delivered,
        invoiced=one.invoiced + other.invoiced,
    )
