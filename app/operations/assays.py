"""Assays of both sides, the umpire's where they part, and the buyer's rejection of what is beyond the limit.

Neither side sees the other's result for an attribute before its own is there.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sqlalchemy.orm import Session

from app.auth import SYSTEM, Principal
from app.clock import day_of
from app.errors import Conflict, Forbidden, Refused
from app.models import AssayResult, AssaySide, CallOff, Consignment
from app.operations import call_offs, contracts
from app.permissions import Permission
from contracts.clauses import QualityTerm
from contracts.quality import Assay, Determination, UmpireNeeded, closed_assay, determine, last_exchange_day
from contracts.state import Actor, Guard, Subject, moves_from
from contracts.terms import Terms
from contracts.wording import Text

SIDES = {Actor.SELLER: AssaySide.SELLER, Actor.BUYER: AssaySide.BUYER}
SIDE_ZH = {AssaySide.SELLER: "卖方", AssaySide.BUYER: "买方", AssaySide.UMPIRE: "仲裁方"}
# The states in which a side's results are taken: the seller samples at loading.
OPEN_IN = {
    AssaySide.SELLER: ("shipped", "received"),
    AssaySide.BUYER: ("received",),
    AssaySide.UMPIRE: ("received",),
}


ASSAYED = ("assayed", "settled", "rejected")


class Standing(StrEnum):
    """How far an attribute is determined."""

    WAITING = "waiting"
    DISPUTED = "disputed"
    DETERMINED = "determined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One result as a side hands it in: in the unit of the attribute's quality term."""

    attribute: str
    value: Decimal
    laboratory: str
    certificate: str
    assayed_on: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeStanding:
    """One quality term: the results that the asker may see, and what binds both sides once they are in."""

    term: QualityTerm
    results: Mapping[AssaySide, AssayResult]
    standing: Standing
    determination: Determination | None


def record(
    session: Session, *, principal: Principal, call_off_id: uuid.UUID, readings: Sequence[Reading], now: dt.datetime
) -> CallOff:
    """Record a side's results, or the umpire's by the platform; when all are determined the call-off is assayed.

    The seller's are taken from the shipment on, the buyer's from the receipt on.

    :raises NotFound: no such call-off of the asker's.
    :raises Forbidden: the asker is neither a party's trader nor of the platform's staff.
    :raises Conflict: nothing to assay in this state, the time to exchange results is over, the side's result is there
        already, or no umpire is needed.
    :raises Refused: an attribute without a quality term, named twice, or a day that is still to come.
    """
    call_off, side = _lock(session, principal, call_off_id)
    goods = call_off.consignment
    if goods is None or call_off.state not in OPEN_IN[side]:
        raise Conflict(
            Text(
                f"交货状态为 {call_off.state}；{SIDE_ZH[side]}结果应在 {'、'.join(OPEN_IN[side])} 状态提交",
                f"the call-off is {call_off.state}; the {side}'s assay is taken while it is "
                f"{' or '.join(OPEN_IN[side])}",
            ),
            open_moves=call_offs.open_moves(call_off, principal),
        )
    agreed = call_offs.terms_of_month(session, contract=call_off.contract, month=call_off.month)
    terms = {term.attribute: term for term in agreed.quality}
    if side is not AssaySide.UMPIRE and _is_over(call_off, agreed, day_of(now)):
        raise Conflict(Text("提交检验结果的期限已过", "the time to hand in results is over"))
    _check(readings, terms, today=day_of(now))
    for reading in readings:
        _expect_room(terms[reading.attribute], goods, side)
    goods.assays.extend(
        AssayResult(
            attribute=one.attribute,
            side=side,
            value=one.value,
            laboratory=one.laboratory,
            certificate=one.certificate,
            assayed_on=one.assayed_on,
            created_at=now,
        )
        for one in readings
    )
    session.flush()
    found = _found(session, call_off, day_of(now))
    if side is not AssaySide.UMPIRE and Standing.DISPUTED in found and Standing.WAITING not in found:
        call_offs.announce(session, call_off, topic="assay.disputed", now=now)
    conclude(session, call_off=call_off, principal=principal, now=now)
    session.flush()
    return call_off


def conclude(session: Session, *, call_off: CallOff, principal: Principal, now: dt.datetime) -> None:
    """Move a received call-off on as assayed if nothing of it is undetermined; its contract is locked."""
    if call_off.state != "received" or not _found(session, call_off, day_of(now)) <= {Standing.DETERMINED}:
        return
    call_off.timer_on = None
    call_offs.move(
        session,
        call_off,
        "assay",
        acting_as=Actor.LABORATORY,
        principal=principal,
        guards={Guard.ASSAY_DETERMINED},
        now=now,
    )


def close_exchange(session: Session, *, call_off: CallOff, now: dt.datetime) -> bool:
    """The time to exchange results is over: who handed in none is bound by the other's. The contract is locked.

    Returns whether the call-off is assayed by that. What both handed in, too far apart, goes on to wait for the umpire.
    """
    agreed = call_offs.terms_of_month(session, contract=call_off.contract, month=call_off.month)
    if call_off.state != "received" or not _is_over(call_off, agreed, day_of(now)):
        return False
    call_off.timer_on = None
    waited = {one.standing for one in standings(session, principal=SYSTEM, call_off=call_off)}
    if Standing.DISPUTED in _found(session, call_off, day_of(now)):
        if Standing.WAITING in waited:  # until now nobody was told, because more results were to come
            call_offs.announce(session, call_off, topic="assay.disputed", now=now)
        return False
    call_offs.move(
        session,
        call_off,
        "assay",
        acting_as=Actor.TIMER,
        principal=SYSTEM,
        guards={Guard.ASSAY_DETERMINED},
        now=now,
    )
    return True


def exchange_timer(session: Session, *, call_off: CallOff) -> dt.date | None:
    """The first day after the time to exchange results; None where nothing is waited for or no time is set."""
    agreed = call_offs.terms_of_month(session, contract=call_off.contract, month=call_off.month)
    last = _last_day(call_off, agreed)
    return None if last is None or not agreed.quality else last + dt.timedelta(days=1)


def _last_day(call_off: CallOff, agreed: Terms) -> dt.date | None:
    """The last day to hand in results; None before the receipt, and where the contract's rule set waits for ever."""
    goods = call_off.consignment
    rules = moves_from(Subject.CALL_OFF, "received", Actor.TIMER, rule_version=call_off.contract.rule_version)
    if goods is None or goods.received_on is None or not rules:
        return None
    return last_exchange_day(agreed.assaying, goods.received_on)


def _is_over(call_off: CallOff, agreed: Terms, today: dt.date) -> bool:
    last = _last_day(call_off, agreed)
    return last is not None and today > last


def _found(session: Session, call_off: CallOff, today: dt.date) -> set[Standing]:
    """How far the attributes of a call-off are determined, as nobody's secrets."""
    return {one.standing for one in standings(session, principal=SYSTEM, call_off=call_off, on=today)}


def open_attributes(session: Session, *, principal: Principal, call_off: CallOff) -> list[QualityTerm]:
    """The quality terms for which the asker may hand in a result now."""
    side = SIDES.get(contracts.side_of(principal, call_off.contract) or Actor.STAFF)
    if not principal.may(Permission.ASSAY_UMPIRE if side is None else Permission.CALL_OFF_MOVE):
        return []
    if call_off.state not in OPEN_IN[side or AssaySide.UMPIRE]:
        return []
    found = standings(session, principal=principal, call_off=call_off)
    if side is None:
        return [one.term for one in found if one.standing is Standing.DISPUTED]
    return [one.term for one in found if side not in one.results]


def standings(
    session: Session, *, principal: Principal, call_off: CallOff, on: dt.date | None = None
) -> list[AttributeStanding]:
    """Every quality term of a call-off's goods, as far as the asker may know.

    Of goods that are assayed, or after the time to exchange results (on a day, if one is given), what one side handed
    in counts for both.
    """
    if call_off.consignment is None:
        return []
    terms = call_offs.terms_of_month(session, contract=call_off.contract, month=call_off.month)
    own = SIDES.get(contracts.side_of(principal, call_off.contract) or Actor.STAFF)
    closed = call_off.state in ASSAYED or (on is not None and _is_over(call_off, terms, on))
    return [_standing(term, call_off.consignment, own, closed=closed) for term in terms.quality]


def assays_of(goods: Consignment) -> dict[str, Assay]:
    """The results of a consignment by attribute, where both sides' are there: what the settlement computes with."""
    found: dict[str, dict[AssaySide, Decimal]] = {}
    for result in goods.assays:
        found.setdefault(result.attribute, {})[result.side] = result.value
    return {
        attribute: Assay(
            seller=values[AssaySide.SELLER], buyer=values[AssaySide.BUYER], umpire=values.get(AssaySide.UMPIRE)
        )
        for attribute, values in found.items()
        if values.keys() >= {AssaySide.SELLER, AssaySide.BUYER}
    }


def reject(
    session: Session,
    *,
    principal: Principal,
    call_off_id: uuid.UUID,
    reason_code: str,
    note: str | None = None,
    now: dt.datetime,
) -> CallOff:
    """Reject goods of which an attribute is beyond its rejection limit; their lots may be called again.

    :raises NotFound: no such call-off of the asker's.
    :raises Forbidden: the asker is no trader of a party.
    :raises Conflict: not the buyer, not assayed, or within every limit.
    :raises Refused: the reason is none of the list.
    """
    call_off, side = call_offs.lock_call_off(session, principal=principal, call_off_id=call_off_id)
    guards = {Guard.BEYOND_REJECTION_LIMIT} if is_rejectable(session, principal=principal, call_off=call_off) else set()
    call_offs.move(
        session,
        call_off,
        "reject",
        acting_as=side,
        principal=principal,
        guards=guards,
        reason=reason_code,
        note=note,
        now=now,
    )
    session.flush()
    return call_off


def is_rejectable(session: Session, *, principal: Principal, call_off: CallOff) -> bool:
    """Whether a determined attribute is beyond its rejection limit."""
    found = standings(session, principal=principal, call_off=call_off)
    return any(one.determination is not None and one.determination.rejectable for one in found)


def _lock(session: Session, principal: Principal, call_off_id: uuid.UUID) -> tuple[CallOff, AssaySide]:
    """The call-off under its contract's lock, and whose results the asker brings."""
    if principal.firm_id is None:
        if not principal.may(Permission.ASSAY_UMPIRE):
            raise Forbidden(Text("仲裁结果由平台人员录入", "the umpire's results are recorded by the platform's staff"))
        found = call_offs.find_call_off(session, principal=principal, call_off_id=call_off_id)
        call_offs.hold(session, found.contract)
        session.refresh(found)
        return found, AssaySide.UMPIRE
    call_off, actor = call_offs.lock_call_off(session, principal=principal, call_off_id=call_off_id)
    return call_off, SIDES[actor]


def _check(readings: Sequence[Reading], terms: Collection[str], *, today: dt.date) -> None:
    if not readings:
        raise Refused(Text("没有结果；应至少有一项", "no result; expected one or more"), field="results")
    seen: set[str] = set()
    for at, one in enumerate(readings):
        if one.attribute not in terms:
            listed = ", ".join(terms) or "–"
            raise Refused(
                Text(
                    f"“{one.attribute}”不在检验之列；应为 {listed}",
                    f"{one.attribute!r} is not assayed; expected {listed}",
                ),
                field=f"results/{at}/attribute",
            )
        if one.attribute in seen:
            raise Refused(
                Text(
                    f"“{one.attribute}”出现两次；每项应只有一次",
                    f"{one.attribute!r} is named twice; expected each once",
                ),
                field=f"results/{at}/attribute",
            )
        if one.assayed_on > today:
            raise Refused(
                Text(
                    f"检验日 {one.assayed_on}；应不晚于 {today}",
                    f"assayed on {one.assayed_on}; expected {today} or before",
                ),
                field=f"results/{at}/assayed_on",
            )
        seen.add(one.attribute)


def _expect_room(term: QualityTerm, goods: Consignment, side: AssaySide) -> None:
    """A side speaks once for an attribute, the umpire only where the two results are too far apart."""
    if any(result.attribute == term.attribute and result.side is side for result in goods.assays):
        raise Conflict(
            Text(
                f"{SIDE_ZH[side]}的 {term.attribute} 结果已提交，不可更改",
                f"the {side}'s result for {term.attribute} is there already, and results are not changed",
            )
        )
    if side is AssaySide.UMPIRE and _standing(term, goods, None).standing is not Standing.DISPUTED:
        raise Conflict(
            Text(
                f"{term.attribute} 无需仲裁：须双方结果俱在且差值超出允差",
                f"{term.attribute} needs no umpire: both results must be there and further apart than the limit",
            )
        )


def _standing(
    term: QualityTerm, goods: Consignment, own: AssaySide | None, *, closed: bool = False
) -> AttributeStanding:
    results = {result.side: result for result in goods.assays if result.attribute == term.attribute}
    assay = assays_of(goods).get(term.attribute)
    if assay is None and closed:
        values = {side: result.value for side, result in results.items()}
        assay = closed_assay(term, seller=values.get(AssaySide.SELLER), buyer=values.get(AssaySide.BUYER))
    shown = results
    if assay is None and own is not None:
        shown = {side: result for side, result in results.items() if side is own}
    determination, standing = None, Standing.WAITING
    if assay is not None:
        try:
            determination, standing = determine(term, assay), Standing.DETERMINED
        except UmpireNeeded:
            standing = Standing.DISPUTED
    return AttributeStanding(term=term, results=shown, standing=standing, determination=determination)
