"""Fixings of market indices for settlement: loaded day by day, corrected by new rows, determined where a rule says so.

Of an index and a day the newest row counts; those before it stay and can be read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from app.auth import Principal
from app.clock import day_of
from app.errors import Forbidden, Refused
from app.models import FixingKind, IndexFixing, IndexPrice, MarketIndex
from app.operations.bulk import among
from app.operations.reference_data import Counts, Outcome, RowResult
from app.permissions import Permission
from contracts.price_formula import PriceFormula
from contracts.settlement_inputs import FixingUsed, days_needed, indices_of
from contracts.terms import Terms
from contracts.wording import Text
from market.errors import InvalidValue
from market.periods import Period

EXACT = Decimal("0.000001")
LONGEST_SPAN = dt.timedelta(days=3660)
# Who says that a published value was wrong, or sets one that was not published, moves money.
DECISIONS = frozenset({FixingKind.DETERMINED, FixingKind.WITHDRAWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class FixingRow:
    """What is to be known of an index for a day; `value` per unit of the index as quoted, with `quoted_tax` inside."""

    index: str
    day: dt.date
    kind: FixingKind
    value: Decimal | None
    quoted_tax: Decimal
    source: str
    reason: str | None


def visible_fixings(*, all_revisions: bool) -> sa.Select[IndexFixing]:
    """Fixings are open to all who are signed in; the newest row of each index and day, or the whole history."""
    query = sa.select(IndexFixing)
    if all_revisions:
        return query
    newer = sa.orm.aliased(IndexFixing)
    return query.where(
        ~sa.exists().where(
            newer.index_code == IndexFixing.index_code,
            newer.day == IndexFixing.day,
            newer.revision > IndexFixing.revision,
        )
    )


def record(session: Session, *, principal: Principal, row: FixingRow, now: dt.datetime) -> Outcome:
    """Add what is known; the same again changes nothing, anything else about a day already told is a correction.

    :raises Refused: an unknown index, a day to come, a value where there is none or none where there is one, a
        correction without a reason, a determination of a day that has a published value.
    :raises Forbidden: a correction or determination by somebody who may only load.
    """
    _check(session, row, now)
    _lock(session, row)
    latest = session.scalar(
        visible_fixings(all_revisions=False).where(IndexFixing.index_code == row.index, IndexFixing.day == row.day)
    )
    if latest is not None and _same(latest, row):
        return Outcome.UNCHANGED
    _check_decision(principal, latest, row)
    session.add(
        IndexFixing(
            index_code=row.index,
            day=row.day,
            revision=1 if latest is None else latest.revision + 1,
            kind=row.kind,
            value=row.value,
            quoted_tax=row.quoted_tax,
            source=row.source,
            reason=row.reason,
            loaded_by_id=principal.user_id,
            loaded_at=now,
        )
    )
    session.flush()
    _follow(session, row, latest)
    return Outcome.CREATED if latest is None else Outcome.CHANGED


def record_each(
    session: Session, *, principal: Principal, rows: Iterable[tuple[int, FixingRow]], now: dt.datetime
) -> list[RowResult]:
    """Record numbered rows one by one; one result per row. What is refused leaves no trace."""
    results = []
    for number, row in rows:
        result = RowResult(number)
        try:
            result.outcome = record(session, principal=principal, row=row, now=now)
        except Refused as refusal:
            result.faults, result.told = {refusal.field or "": [str(refusal)]}, refusal.text
        except Forbidden as refusal:
            result.faults, result.told = {"": [str(refusal)]}, refusal.text
        results.append(result)
    return results


def load_first(session: Session, *, rows: Iterable[FixingRow]) -> Counts:
    """Add the rows of days that nothing is told of, from the project's own tables; what is told stays as it is."""
    counts = Counts()
    told = {(index, day) for index, day in session.execute(sa.select(IndexFixing.index_code, IndexFixing.day))}
    for row in rows:
        if (row.index, row.day) in told:
            counts.add(Outcome.UNCHANGED)
            continue
        fields = {"day": row.day, "kind": row.kind, "value": row.value, "quoted_tax": row.quoted_tax}
        session.add(IndexFixing(index_code=row.index, revision=1, source=row.source, reason=row.reason, **fields))
        counts.add(Outcome.CREATED)
    session.flush()
    return counts


def counts_of(results: Sequence[RowResult]) -> Counts:
    """How many rows were new, corrections, and nothing new."""
    counts = Counts()
    for result in results:
        if result.outcome is not None:
            counts.add(result.outcome)
    return counts


def used_for(session: Session, *, terms: Terms, month: Period, on: dt.date) -> tuple[FixingUsed, ...]:
    """What the price of a delivery month is computed from, as it is known now: by index and day up to `on`.

    Beside the quotation period this holds the days whose fixings may stand in for missing ones, and where nothing of
    the period is there yet, the last fixing before it.

    :raises InvalidValue: a fixing holds another rate of tax than the contract takes out.
    """
    indices = indices_of(terms)
    if not indices:
        return ()
    first, last = days_needed(terms, month)
    query = visible_fixings(all_revisions=False).where(
        among(IndexFixing.index_code, indices), IndexFixing.day <= min(last, on)
    )
    inside = query.where(IndexFixing.day >= first)
    earlier = (
        query.where(IndexFixing.day < first, IndexFixing.kind == FixingKind.PUBLISHED)
        .ext(distinct_on(IndexFixing.index_code))
        .order_by(IndexFixing.index_code, IndexFixing.day.desc())
    )
    rows = list(session.scalars(inside.order_by(IndexFixing.index_code, IndexFixing.day)))
    known = {row.index_code for row in rows if row.kind is FixingKind.PUBLISHED}
    rows = [row for row in session.scalars(earlier) if row.index_code not in known] + rows
    _check_tax(terms, rows)
    return tuple(
        FixingUsed(index=row.index_code, day=row.day, value=row.value, determined=row.kind is FixingKind.DETERMINED)
        for row in sorted(rows, key=lambda row: (row.index_code, row.day))
        if row.kind is not FixingKind.WITHDRAWN
    )


def newest_of(session: Session, *, index: str, day: dt.date) -> IndexFixing:
    """The row that counts of an index and a day that something is told of."""
    query = visible_fixings(all_revisions=False)
    return session.scalars(query.where(IndexFixing.index_code == index, IndexFixing.day == day)).one()


def indices(session: Session) -> list[MarketIndex]:
    """All indices, by code."""
    return list(session.scalars(sa.select(MarketIndex).order_by(MarketIndex.code)))


def _check(session: Session, row: FixingRow, now: dt.datetime) -> None:
    if session.get(MarketIndex, row.index) is None:
        raise Refused(
            Text(f"没有代码为 {row.index!r} 的指数", f"{row.index!r} is no index; expected the code of one"),
            field="index",
        )
    today = day_of(now)
    if not today - LONGEST_SPAN <= row.day <= today:
        raise Refused(
            Text(
                f"{row.day} 不可用，应为不晚于 {today} 的日期",
                f"{row.day}; expected a day up to {today}, ten years back",
            ),
            field="day",
        )
    has_value = row.kind in {FixingKind.PUBLISHED, FixingKind.DETERMINED}
    if has_value != (row.value is not None):
        raise Refused(
            Text(
                f"{row.kind} {'须有数值' if has_value else '不得有数值'}",
                f"{row.kind} with value {row.value}; expected {'one' if has_value else 'none'}",
            ),
            field="value",
        )
    if not 0 <= row.quoted_tax < 1:
        raise Refused(
            Text("税率应不小于 0 且小于 1", f"{row.quoted_tax}; expected 0 or more, below 1"), field="quoted_tax"
        )
    if row.value is not None and row.value <= 0:
        raise Refused(Text("数值应大于 0", f"{row.value}; expected more than 0"), field="value")


def _lock(session: Session, row: FixingRow) -> None:
    """Two who load the same day wait for each other."""
    name = sa.func.hashtextextended(f"fixing {row.index} {row.day}", 0)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))


def _same(latest: IndexFixing, row: FixingRow) -> bool:
    told = (latest.kind, latest.value, latest.quoted_tax)
    return told == (row.kind, row.value, row.quoted_tax)


def _check_decision(principal: Principal, latest: IndexFixing | None, row: FixingRow) -> None:
    if latest is None and row.kind not in DECISIONS:
        return
    zh, en = f"{row.index} {row.day}", f"{row.index} on {row.day}"
    if not principal.may(Permission.FIXING_DECIDE):
        raise Forbidden(
            Text(
                f"{zh} 已有记录，更正与核定须由有权人员作出", f"{en} takes a decision; expected somebody who may decide"
            )
        )
    if not row.reason:
        raise Refused(
            Text(f"{zh} 的更正或核定须说明理由", f"{en} takes a decision; expected its reason"), field="reason"
        )
    if row.kind is FixingKind.WITHDRAWN and latest is None:
        raise Refused(Text(f"{zh} 尚无记录可撤回", f"nothing is told of {en}; expected a day that is"), field="day")
    if row.kind is FixingKind.DETERMINED and latest is not None and latest.kind is FixingKind.PUBLISHED:
        raise Refused(
            Text(
                f"{zh} 已有公布值，如有误请先更正或撤回",
                f"{en} was published; expected a correction of that, or a day without",
            ),
            field="day",
        )


def _follow(session: Session, row: FixingRow, before: IndexFixing | None) -> None:
    """Let the table of prices for comparison say the same, without tax."""
    price = session.get(IndexPrice, (row.index, row.day))
    if row.kind is FixingKind.PUBLISHED and row.value is not None:
        net = (row.value / (1 + row.quoted_tax)).quantize(EXACT, ROUND_HALF_EVEN)
        if price is None:
            session.add(IndexPrice(index_code=row.index, date=row.day, value=net, source=row.source))
        else:
            price.value, price.source, price.estimated = net, row.source, False
    elif price is not None and before is not None and before.kind is FixingKind.PUBLISHED:
        session.delete(price)
    session.flush()


def _check_tax(terms: Terms, rows: Sequence[IndexFixing]) -> None:
    if not isinstance(terms.price, PriceFormula):
        return
    rates = {share.index: share.quoted_tax for share in terms.price.indices}
    for row in rows:
        expected = rates.get(row.index_code)
        if row.value is not None and expected is not None and row.quoted_tax != expected:
            raise InvalidValue(
                f"{row.index_code} on {row.day} was loaded with tax {row.quoted_tax.normalize():f} inside; "
                f"expected {expected}, which the contract takes out"
            )
