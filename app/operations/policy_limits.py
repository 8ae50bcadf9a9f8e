"""Limits that staff set for a round beside its corridors: ceilings, rules of origin, suppliers' lists. Added and ended.

A limit is not rewritten: setting one where another of the same subject holds ends that one.
"""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict, NotFound, Refused
from app.models import (
    Ceiling,
    Firm,
    OriginRule,
    Product,
    Region,
    Round,
    RoundState,
    SubjectKind,
    SupplierApproval,
)
from app.operations.events import record
from app.operations.rounds import find_round, visible_rounds
from app.permissions import Permission
from contracts.wording import Text
from market.errors import InvalidValue

Limit = Ceiling | OriginRule | SupplierApproval
Kind = TypeVar("Kind", bound=Limit)
CHANGEABLE = (RoundState.DRAFT, RoundState.OPEN)
KINDS: dict[str, type[Limit]] = {
    "ceiling": Ceiling,
    "origin_rule": OriginRule,
    "supplier_approval": SupplierApproval,
}


def visible_limits(principal: Principal, kind: type[Kind]) -> sa.Select[Kind]:
    """Limits of one kind of the rounds that the asker sees; of those that name firms, a firm sees its own."""
    query = sa.select(kind).where(kind.round_id.in_(visible_rounds(principal).with_only_columns(Round.id)))
    if principal.firm_id is None and principal.may(Permission.RUN_READ):
        return query
    if kind is Ceiling:
        return query.where(sa.or_(Ceiling.firm_id.is_(None), Ceiling.firm_id == principal.firm_id))
    if kind is SupplierApproval:
        return query.where(SupplierApproval.buyer_firm_id == principal.firm_id)
    return query


def set_ceiling(
    session: Session,
    *,
    principal: Principal,
    round_id: uuid.UUID,
    product_code: str,
    firm_id: uuid.UUID | None,
    share: Decimal,
    note: str | None,
    now: dt.datetime,
) -> Ceiling:
    """Let one supplier (each where no firm is named) have at most this share of all demand posted for a product.

    :raises NotFound: there is no such round.
    :raises Refused: the product or the firm is unknown, or the share is not between 0 and 1.
    :raises Conflict: the round is over, or this very limit holds already.
    """
    market_round = _changeable(session, principal, round_id)
    product = _product(session, product_code)
    if firm_id is not None:
        _firm(session, firm_id, field="firm_id")
    if not 0 <= share <= 1:
        raise Refused(Text("占比应在 0 到 1 之间", f"a share of {share} was asked for; expected 0 to 1"), field="share")
    key = {"round_id": market_round.id, "product_code": product.code, "firm_id": firm_id}
    setting = Setting(session, principal, market_round, now)
    return setting.place(Ceiling, key, {"share": share}, note)


def set_origin_rule(
    session: Session,
    *,
    principal: Principal,
    round_id: uuid.UUID,
    product_code: str,
    origin_country: str,
    to_region_code: str,
    period: str | None,
    limit: Decimal,
    note: str | None,
    now: dt.datetime,
) -> OriginRule:
    """Let at most so many units per period (in each where none is named) come from a country to a region; 0: none.

    :raises NotFound: there is no such round.
    :raises Refused: product, region, period or country is unknown, or the limit is not a whole number of lots.
    :raises Conflict: the round is over, or this very limit holds already.
    """
    market_round = _changeable(session, principal, round_id)
    product = _product(session, product_code)
    if session.scalar(sa.select(Region.code).where(Region.country == origin_country).limit(1)) is None:
        raise Refused(
            Text(
                f"目录中没有 {origin_country} 的地区；应为目录中的国家或地区代码",
                f"there is no region in {origin_country!r}; expected a country of the list",
            ),
            field="origin",
        )
    if session.get(Region, to_region_code) is None:
        raise Refused(
            Text(
                f"没有地区 {to_region_code}；应为目录中的代码",
                f"there is no region {to_region_code!r}; expected a code of the list",
            ),
            field="to_region",
        )
    if period is not None:
        try:
            market_round.horizon.position(period)
        except InvalidValue as error:
            raise Refused(Text(f"期间 {period} 不在场次范围内", str(error)), field="period") from error
    lots, rest = divmod(limit, product.lot)
    if rest or limit < 0:
        raise Refused(
            Text(
                f"{limit} 不是整数手；应为 {product.lot:f} 的整数倍",
                f"{limit} is no whole number of lots; expected a multiple of {product.lot:f}",
            ),
            field="limit",
        )
    key = {
        "round_id": market_round.id,
        "product_code": product.code,
        "origin_country": origin_country,
        "to_region_code": to_region_code,
        "period": period,
    }
    setting = Setting(session, principal, market_round, now)
    return setting.place(OriginRule, key, {"limit_per_period": int(lots)}, note)


def approve_supplier(
    session: Session,
    *,
    principal: Principal,
    round_id: uuid.UUID,
    product_code: str,
    buyer_firm_id: uuid.UUID,
    supplier_firm_id: uuid.UUID,
    note: str | None,
    now: dt.datetime,
) -> SupplierApproval:
    """Put a supplier on a firm's list for a product; while the list has any, no other supplies the firm with it.

    :raises NotFound: there is no such round.
    :raises Refused: the product or a firm is unknown, or both are one firm.
    :raises Conflict: the round is over, or the supplier is on the list.
    """
    market_round = _changeable(session, principal, round_id)
    product = _product(session, product_code)
    _firm(session, buyer_firm_id, field="buyer_firm_id")
    _firm(session, supplier_firm_id, field="supplier_firm_id")
    if buyer_firm_id == supplier_firm_id:
        raise Refused(
            Text("企业不能为自己供货；应为另一企业", "a firm does not supply itself; expected another firm"),
            field="supplier_firm_id",
        )
    key = {
        "round_id": market_round.id,
        "product_code": product.code,
        "buyer_firm_id": buyer_firm_id,
        "supplier_firm_id": supplier_firm_id,
    }
    return Setting(session, principal, market_round, now).place(SupplierApproval, key, {}, note)


def end_limit(
    session: Session, *, principal: Principal, kind: type[Kind], limit_id: uuid.UUID, now: dt.datetime
) -> Kind:
    """End a limit: the next run of the round does not have it any more.

    :raises NotFound: there is no such limit.
    :raises Conflict: the round is over, or the limit has ended.
    """
    limit: Kind | None = session.scalar(
        visible_limits(principal, kind).where(kind.id == limit_id).with_for_update(of=kind)
    )
    if limit is None:
        raise NotFound("no such limit")
    market_round = _changeable(session, principal, limit.round_id)
    if limit.ended_at is not None:
        raise Conflict(Text("该限额已终止", "the limit has ended already"))
    Setting(session, principal, market_round, now).end(limit)
    return limit


class Setting(NamedTuple):
    """Who changes the limits of a round, and when."""

    session: Session
    principal: Principal
    round: Round
    now: dt.datetime

    def place(self, kind: type[Kind], key: dict[str, Any], said: dict[str, Any], note: str | None) -> Kind:
        """Add a limit in the place of one of the same key, which ends."""
        before: Kind | None = self.session.scalar(
            sa.select(kind).filter_by(**key).where(kind.ended_at.is_(None)).with_for_update()
        )
        if before is not None:
            if all(getattr(before, name) == value for name, value in said.items()):
                raise Conflict(Text("相同的限额已在生效", "this very limit holds already"))
            self.end(before)
        limit = kind(**key, **said, note=note, created_at=self.now, created_by_id=self.principal.user_id)
        self.session.add(limit)
        self.session.flush()
        self._record("round.limit_set", limit)
        return limit

    def end(self, limit: Limit) -> None:
        limit.ended_at, limit.ended_by_id = self.now, self.principal.user_id
        self._record("round.limit_end", limit)

    def _record(self, name: str, limit: Limit) -> None:
        record(
            self.session,
            principal=self.principal,
            subject=(SubjectKind.ROUND, self.round.id),
            name=name,
            from_state=self.round.state,
            to_state=self.round.state,
            note=_told(limit),
            acting_as="staff",
            now=self.now,
        )
        self.session.flush()


def _told(limit: Limit) -> str:
    """A limit in the codes of its subject, for the record."""
    match limit:
        case Ceiling():
            about = f"{limit.product_code}, {limit.firm_id or 'every supplier'}: {limit.share.normalize():f}"
        case OriginRule():
            when = limit.period or "each period"
            way = f"{limit.origin_country} to {limit.to_region_code}"
            about = f"{limit.product_code}, {way}, {when}: {limit.limit_per_period} lots"
        case SupplierApproval():
            about = f"{limit.product_code}, {limit.buyer_firm_id} from {limit.supplier_firm_id}"
    return f"{limit.__tablename__} {limit.id}: {about}"


def _changeable(session: Session, principal: Principal, round_id: uuid.UUID) -> Round:
    market_round = find_round(session, principal=principal, round_id=round_id, lock=True)
    if market_round.state not in CHANGEABLE:
        raise Conflict(
            Text(
                "场次已结束报价，限额不能再更改",
                f"the round is {market_round.state}; expected {' or '.join(CHANGEABLE)}",
            )
        )
    return market_round


def _product(session: Session, code: str) -> Product:
    product = session.get(Product, code)
    if product is None:
        raise Refused(
            Text(f"没有产品 {code}；应为目录中的代码", f"there is no product {code!r}; expected a code of the list"),
            field="product",
        )
    return product


def _firm(session: Session, firm_id: uuid.UUID, *, field: str) -> None:
    if session.scalar(sa.select(Firm.id).where(Firm.id == firm_id, Firm.active)) is None:
        raise Refused(
            Text("没有该企业；应为在册企业", f"there is no active firm {firm_id}; expected a registered one"),
            field=field,
        )
