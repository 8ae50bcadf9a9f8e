"""Rounds: made, filled with windows, guests and limits, opened and closed by staff."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict, NotFound, Refused
from app.models import (
    Corridor,
    Firm,
    PeriodKind,
    Product,
    Proposal,
    Region,
    Round,
    RoundInvitation,
    RoundKind,
    RoundState,
    Run,
    RunState,
    SubjectKind,
    WindowRule,
)
from app.operations.events import record
from app.operations.reference_data import Outcome
from app.operations.round_rules import check_hours, ladder, position_of, stored_rates
from app.permissions import Permission
from contracts.wording import Text
from market.errors import InvalidValue
from market.periods import Period

MOVES = {RoundState.DRAFT: ("open",), RoundState.OPEN: ("close",), RoundState.CLOSED: ("settle",)}
# What still waits for somebody keeps its round from being settled.
WAITING = ("proposed", "under_review", "released", "accepted", "countered")
CHANGES_WHILE_OPEN = frozenset({"name_zh", "name_en", "closes_at"})


def visible_rounds(principal: Principal) -> sa.Select[Round]:
    """Drafts for who manages rounds; else rounds that were opened, and for firms those open to them.

    A firm sees every nightly round, and a docking round when it is invited.
    """
    select = sa.select(Round)
    if principal.may(Permission.ROUND_MANAGE):
        return select
    select = select.where(Round.state != RoundState.DRAFT)
    return select if principal.firm_id is None else select.where(_open_to(principal.firm_id))


def _open_to(firm_id: uuid.UUID) -> sa.ColumnElement[bool]:
    invited = sa.exists().where(RoundInvitation.round_id == Round.id, RoundInvitation.firm_id == firm_id)
    return (Round.kind == RoundKind.NIGHTLY) | invited


def find_round(session: Session, *, principal: Principal, round_id: uuid.UUID, lock: bool = False) -> Round:
    """:raises NotFound: there is no such round for the asker."""
    select = visible_rounds(principal).where(Round.id == round_id)
    found = session.scalar(select.with_for_update(of=Round) if lock else select)
    if found is None:
        raise NotFound("no such round")
    return found


def takes_offers(market_round: Round, *, now: dt.datetime) -> bool:
    """Whether offers may be posted, amended and withdrawn now: it is open, its hour has come and is not over."""
    return market_round.state is RoundState.OPEN and market_round.opens_at <= now < market_round.closes_at


def create(
    session: Session,
    *,
    principal: Principal,
    code: str,
    name_zh: str,
    name_en: str,
    kind: RoundKind,
    first_period: str,
    period_count: int,
    opens_at: dt.datetime,
    closes_at: dt.datetime,
    windows: Sequence[tuple[str, str]] = (),
    proposal_days: int = 7,
    review_threshold: Decimal = Decimal(0),
    discount_rate: Decimal = Decimal(0),
    currency_rates: Mapping[str, Decimal] | None = None,
    now: dt.datetime,
) -> Round:
    """Make a round in draft, with its horizon. `windows` are the ladder; without one every run of periods is a window.

    :raises Refused: a period, a window, a time or a currency is not what it should be.
    :raises Conflict: the code is taken.
    """
    try:
        first = Period.parse(first_period)
    except InvalidValue as error:
        told = Text(f"{first_period!r} 不是期间；应为 2027、2027-Q1 或 2027-01 等形式", str(error))
        raise Refused(told, field="first_period") from error
    if session.scalar(sa.select(Round.id).where(Round.code == code)) is not None:
        raise Conflict(Text(f"代码为 {code!r} 的场次已存在", f"a round with the code {code!r} is there"))
    market_round = Round(
        code=code,
        name_zh=name_zh,
        name_en=name_en,
        kind=kind,
        period_kind=PeriodKind(first.kind),
        first_period=str(first),
        period_count=period_count,
        windows=WindowRule.LADDER if windows else WindowRule.ALL,
        opens_at=opens_at,
        closes_at=closes_at,
        proposal_days=proposal_days,
        review_threshold=review_threshold,
        discount_rate=discount_rate,
        currency_rates=stored_rates(currency_rates or {}),
        created_at=now,
    )
    check_hours(market_round)
    market_round.lay_out_periods()
    session.add(market_round)
    session.flush()
    market_round.ladder = ladder(market_round.horizon, windows)
    _move(session, principal, market_round, name="round.create", from_state=None, now=now)
    session.flush()
    return market_round


def change(session: Session, *, principal: Principal, round_id: uuid.UUID, now: dt.datetime, **values: Any) -> Round:
    """Change what is named; an open round only its names and its end. The horizon of a round never changes.

    :raises NotFound: there is no such round.
    :raises Conflict: the round is past changing this.
    :raises Refused: a value is not what it should be.
    """
    market_round = find_round(session, principal=principal, round_id=round_id, lock=True)
    admitted = {RoundState.DRAFT: set(values), RoundState.OPEN: CHANGES_WHILE_OPEN}.get(market_round.state, set())
    if beyond := sorted(set(values) - admitted):
        raise Conflict(
            Text(
                f"该状态的场次不能变更：{', '.join(beyond)}",
                f"{', '.join(beyond)} cannot change in a round that is {market_round.state}",
            ),
            open_moves=MOVES.get(market_round.state, ()),
        )
    named = ", ".join(sorted(values))
    if "windows" in values:
        windows = values.pop("windows")
        market_round.ladder = ladder(market_round.horizon, windows)
        market_round.windows = WindowRule.LADDER if windows else WindowRule.ALL
    if "currency_rates" in values:
        values["currency_rates"] = stored_rates(values["currency_rates"])
    for name, value in values.items():
        setattr(market_round, name, value)
    check_hours(market_round)
    state = market_round.state
    _move(session, principal, market_round, name="round.change", from_state=state, now=now, note=named)
    session.flush()
    return market_round


def invite(
    session: Session, *, principal: Principal, round_id: uuid.UUID, firm_id: uuid.UUID, now: dt.datetime
) -> Outcome:
    """Let a firm take part in a docking round; doing it again changes nothing.

    :raises NotFound: there is no such round.
    :raises Refused: the round is open to all, or there is no such active firm.
    :raises Conflict: the round is over.
    """
    market_round = find_round(session, principal=principal, round_id=round_id, lock=True)
    if market_round.kind is not RoundKind.DOCKING:
        raise Refused(
            Text(
                "每晚场次对所有企业开放；应为对接场次",
                "a nightly round is open to every firm; expected a docking round",
            )
        )
    _expect(market_round, RoundState.DRAFT, RoundState.OPEN)
    if session.scalar(sa.select(Firm.id).where(Firm.id == firm_id, Firm.active)) is None:
        raise Refused(
            Text(
                f"没有启用的企业 {firm_id}；应为已登记的企业",
                f"there is no active firm {firm_id}; expected a registered one",
            ),
            field="firm_id",
        )
    if any(invitation.firm_id == firm_id for invitation in market_round.invitations):
        return Outcome.UNCHANGED
    market_round.invitations.append(RoundInvitation(firm_id=firm_id, invited_at=now))
    session.flush()
    return Outcome.CREATED


def uninvite(session: Session, *, principal: Principal, round_id: uuid.UUID, firm_id: uuid.UUID) -> Outcome:
    """Take an invitation back while the round is a draft; once it is open, invitations stand.

    :raises NotFound: there is no such round.
    :raises Conflict: the round is no draft any more.
    """
    market_round = find_round(session, principal=principal, round_id=round_id, lock=True)
    _expect(market_round, RoundState.DRAFT)
    kept = [invitation for invitation in market_round.invitations if invitation.firm_id != firm_id]
    outcome = Outcome.UNCHANGED if len(kept) == len(market_round.invitations) else Outcome.CHANGED
    market_round.invitations = kept
    session.flush()
    return outcome


def open_round(session: Session, *, principal: Principal, round_id: uuid.UUID, now: dt.datetime) -> Round:
    """Open a draft; offers are taken from its hour on.

    :raises NotFound: there is no such round.
    :raises Conflict: it is no draft, it would be over already, or a docking round has no guests.
    """
    market_round = find_round(session, principal=principal, round_id=round_id, lock=True)
    _expect(market_round, RoundState.DRAFT)
    if market_round.closes_at <= now:
        raise Conflict(
            Text(
                f"场次将已于 {market_round.closes_at.isoformat()} 截止；应为更晚的截止时间",
                f"the round would have closed at {market_round.closes_at.isoformat()}; expected a later end",
            )
        )
    if market_round.kind is RoundKind.DOCKING and not market_round.invitations:
        raise Conflict(
            Text(
                "没有受邀企业的对接场次不能开放；应至少邀请一家企业",
                "a docking round without guests cannot open; expected at least one invited firm",
            )
        )
    market_round.state = RoundState.OPEN
    _move(session, principal, market_round, name="round.open", from_state=RoundState.DRAFT, now=now)
    session.flush()
    return market_round


def close_round(session: Session, *, principal: Principal, round_id: uuid.UUID, now: dt.datetime) -> Round:
    """Close an open round: from now on its offers stand as they are.

    :raises NotFound: there is no such round.
    :raises Conflict: it is not open.
    """
    market_round = find_round(session, principal=principal, round_id=round_id, lock=True)
    _expect(market_round, RoundState.OPEN)
    market_round.state = RoundState.CLOSED
    _move(session, principal, market_round, name="round.close", from_state=RoundState.OPEN, now=now)
    session.flush()
    return market_round


def settle_round(session: Session, *, principal: Principal, round_id: uuid.UUID, now: dt.datetime) -> Round:
    """End a closed round for good: it is not cleared again, and nothing of it waits for anybody.

    :raises NotFound: there is no such round.
    :raises Conflict: it is not closed, a run of it is open, or proposals of it wait for staff or the parties.
    """
    market_round = find_round(session, principal=principal, round_id=round_id, lock=True)
    _expect(market_round, RoundState.CLOSED)
    is_open = Run.state.in_((RunState.QUEUED, RunState.RUNNING))
    if session.scalar(sa.select(Run.id).where(Run.round_id == round_id, is_open).limit(1)) is not None:
        raise Conflict(Text("该场次还有未结束的撮合运行", "a run of the round is open; expected none"))
    waiting = session.scalar(
        sa.select(sa.func.count()).where(Proposal.round_id == round_id, Proposal.state.in_(WAITING))
    )
    if waiting:
        raise Conflict(
            Text(f"该场次还有 {waiting} 个提案等待处理", f"{waiting} proposals of the round wait; expected none")
        )
    market_round.state = RoundState.SETTLED
    _move(session, principal, market_round, name="round.settle", from_state=RoundState.CLOSED, now=now)
    session.flush()
    return market_round


def visible_corridors(principal: Principal) -> sa.Select[Corridor]:
    """The limits of the rounds that the asker sees."""
    return sa.select(Corridor).where(Corridor.round_id.in_(visible_rounds(principal).with_only_columns(Round.id)))


def put_corridor(
    session: Session,
    *,
    principal: Principal,
    round_id: uuid.UUID,
    product_code: str,
    from_region_code: str,
    to_region_code: str,
    period: str | None,
    limit: Decimal,
    note: str | None,
    now: dt.datetime,
) -> tuple[Corridor, Outcome]:
    """Limit what moves from one region to another, in product units per period (each period where none is named).

    :raises NotFound: there is no such round.
    :raises Refused: the product, a region or the period is unknown, or the limit is not a whole number of lots.
    :raises Conflict: the round is over.
    """
    market_round = find_round(session, principal=principal, round_id=round_id, lock=True)
    _expect(market_round, RoundState.DRAFT, RoundState.OPEN)
    product = session.get(Product, product_code)
    if product is None:
        raise Refused(
            Text(
                f"没有产品 {product_code!r}；应为列表中的代码",
                f"there is no product {product_code!r}; expected a code of the list",
            ),
            field="product",
        )
    for field, code in (("from_region", from_region_code), ("to_region", to_region_code)):
        if session.get(Region, code) is None:
            raise Refused(
                Text(
                    f"没有地区 {code!r}；应为列表中的代码", f"there is no region {code!r}; expected a code of the list"
                ),
                field=field,
            )
    if period is not None:
        position_of(market_round.horizon, period, field="period")
    lots, rest = divmod(limit, product.lot)
    if rest:
        raise Refused(
            Text(
                f"{limit} 不是整批；应为 {product.lot:f} 的倍数",
                f"{limit} is no whole number of lots; expected a multiple of {product.lot:f}",
            ),
            field="limit",
        )
    key = {
        "round_id": market_round.id,
        "product_code": product_code,
        "from_region_code": from_region_code,
        "to_region_code": to_region_code,
        "period": period,
    }
    corridor = session.scalar(sa.select(Corridor).filter_by(**key))
    if corridor is None:
        corridor = Corridor(**key, limit_per_period=int(lots), note=note, created_at=now)
        session.add(corridor)
        outcome = Outcome.CREATED
    elif (corridor.limit_per_period, corridor.note) == (int(lots), note):
        return corridor, Outcome.UNCHANGED
    else:
        corridor.limit_per_period, corridor.note = int(lots), note
        outcome = Outcome.CHANGED
    session.flush()
    return corridor, outcome


def remove_corridor(session: Session, *, principal: Principal, corridor_id: uuid.UUID) -> None:
    """Take a limit away.

    :raises NotFound: there is no such limit.
    :raises Conflict: the round is over.
    """
    corridor = session.scalar(visible_corridors(principal).where(Corridor.id == corridor_id))
    if corridor is None:
        raise NotFound("no such corridor")
    _expect(find_round(session, principal=principal, round_id=corridor.round_id), RoundState.DRAFT, RoundState.OPEN)
    session.delete(corridor)
    session.flush()


def _expect(market_round: Round, *states: RoundState) -> None:
    if market_round.state not in states:
        raise Conflict(
            Text("场次当前状态不允许此操作", f"the round is {market_round.state}; expected {' or '.join(states)}"),
            open_moves=MOVES.get(market_round.state, ()),
        )


def _move(
    session: Session,
    principal: Principal,
    market_round: Round,
    *,
    name: str,
    from_state: RoundState | None,
    now: dt.datetime,
    note: str | None = None,
) -> None:
    record(
        session,
        principal=principal,
        subject=(SubjectKind.ROUND, market_round.id),
        name=name,
        from_state=from_state,
        to_state=market_round.state or RoundState.DRAFT,
        now=now,
        acting_as="staff",
        note=note,
    )
