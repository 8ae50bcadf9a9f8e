"""The forward curve of a round: what each market index is taken to be in each of its periods.

Price formulas of offers are evaluated on it. Staff enter points; a period without one has the last published value.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict, Refused
from app.models import ForwardPrice, IndexPrice, MarketIndex, Round, RoundState, SubjectKind
from app.operations.events import record
from app.operations.index_prices import OLDEST
from app.operations.rounds import find_round
from contracts.wording import Text

CHANGEABLE = (RoundState.DRAFT, RoundState.OPEN)


def forward_curves(session: Session, *, market_round: Round, now: dt.datetime) -> dict[str, dict[str, Decimal]]:
    """CNY per unit of each index, by code and period label, tax excluded.

    An index without a point and without a value of the last two years, or in a currency that the round has no rate
    for, has no curve.
    """
    labels = market_round.horizon.labels()
    entered = points(session, round_id=market_round.id)
    latest = _last_values(session, now=now)
    found: dict[str, dict[str, Decimal]] = {}
    for index in session.scalars(sa.select(MarketIndex).order_by(MarketIndex.code)):
        rate = Decimal(1) if index.currency == "CNY" else market_round.currency_rates.get(index.currency)
        own, flat = entered.get(index.code, {}), latest.get(index.code)
        curve = {label: own.get(label, flat) for label in labels}
        if rate is not None and None not in curve.values():
            found[index.code] = {label: value * Decimal(rate) for label, value in curve.items() if value is not None}
    return found


def points(session: Session, *, round_id: uuid.UUID) -> dict[str, dict[str, Decimal]]:
    """What staff have entered, in each index's currency, by index and period."""
    found: dict[str, dict[str, Decimal]] = {}
    query = sa.select(ForwardPrice).where(ForwardPrice.round_id == round_id)
    for point in session.scalars(query.order_by(ForwardPrice.index_code, ForwardPrice.period)):
        found.setdefault(point.index_code, {})[point.period] = point.value
    return found


def enter_forward_prices(
    session: Session,
    *,
    principal: Principal,
    round_id: uuid.UUID,
    prices: Mapping[tuple[str, str], Decimal | None],
    now: dt.datetime,
) -> None:
    """Enter points by index and period, in the index's currency; None takes a point back. The same again does nothing.

    :raises NotFound: there is no such round.
    :raises Conflict: the round is closed: what its offers were measured on stays.
    :raises Refused: an index or a period is unknown, or a value is not above 0.
    """
    market_round = find_round(session, principal=principal, round_id=round_id, lock=True)
    if market_round.state not in CHANGEABLE:
        raise Conflict(Text("场次已关闭，远期曲线不再变化", f"the round is {market_round.state}; its curve stays"))
    known, labels = set(session.scalars(sa.select(MarketIndex.code))), set(market_round.horizon.labels())
    present = {
        (point.index_code, point.period): point
        for point in session.scalars(sa.select(ForwardPrice).where(ForwardPrice.round_id == round_id))
    }
    changed = set()
    for (index, period), value in prices.items():
        _check(index, period, value, known, labels)
        point = present.get((index, period))
        if (point.value if point else None) == value:
            continue
        changed.add(index)
        if value is None:
            session.delete(present[index, period])
        elif point is None:
            fields = {"round_id": round_id, "index_code": index, "period": period, "value": value}
            session.add(ForwardPrice(**fields, entered_by_id=principal.user_id, entered_at=now))
        else:
            point.value, point.entered_by_id, point.entered_at = value, principal.user_id, now
    if changed:
        record(
            session,
            principal=principal,
            subject=(SubjectKind.ROUND, round_id),
            name="round.enter_curve",
            from_state=market_round.state,
            to_state=market_round.state,
            note=", ".join(sorted(changed)),
            now=now,
            acting_as="staff",
        )
    session.flush()


def _check(index: str, period: str, value: Decimal | None, known: set[str], labels: set[str]) -> None:
    if index not in known:
        raise Refused(
            Text(f"没有指数 {index!r}", f"there is no index {index!r}; expected a code of the list"), field="index"
        )
    if period not in labels:
        raise Refused(
            Text(f"本场没有交割期 {period!r}", f"the round has no period {period!r}; expected one of its horizon"),
            field=f"{index}/{period}",
        )
    if value is not None and value <= 0:
        raise Refused(Text("应大于 0", f"{value} is no price; expected more than 0"), field=f"{index}/{period}")


def _last_values(session: Session, *, now: dt.datetime) -> dict[str, Decimal]:
    recent = (IndexPrice.date <= now.date(), IndexPrice.date >= now.date() - OLDEST)
    query = (
        sa.select(IndexPrice.index_code, IndexPrice.value)
        .where(*recent)
        .ext(distinct_on(IndexPrice.index_code))
        .order_by(IndexPrice.index_code, IndexPrice.date.desc())
    )
    return dict(session.execute(query).all())
