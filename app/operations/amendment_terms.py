"""What an amendment makes of a contract's terms: single places changed, the rest as it stands, all checked again."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Contract, Offer, OfferKind, OfferPeriod, Proposal, Reservation
from app.operations.bulk import among
from contracts.canonical import Change, Plain, from_plain, to_plain
from contracts.terms import Terms, canonical_json, diff, validate
from contracts.wording import Text, fault
from market.errors import BadInput, Fault

# Another firm, product or lot is another contract; number, version and rules are the exchange's.
KEPT = (
    "/number",
    "/version",
    "/rule_version",
    "/standard",
    "/seller/credit_code",
    "/buyer/credit_code",
    "/product",
    "/grade",
    "/lot",
)
ONE_PLACE = Text("至少一个位置及其新值", "at least one place with its new value")
SAME_VALUES = Text("与现行相同的值", "the values that stand already")
NO_POINTER = Text("不是 JSON 指针", "no JSON pointer")
NO_FLOAT = Text("整数，或写成字符串的小数", "a whole number, or a decimal written as a string")
IDENTITY = Text("合同身份所在的原值", "what makes the contract this contract, as it stands")
END = "-"  # after the last member of a list (RFC 6901)


def amended(base: Terms, changes: Mapping[str, Any], *, in_force_from: dt.date) -> Terms:
    """The next version: `changes` are new values in the terms' own JSON by the JSON pointer of their place.

    A pointer that ends in "-" adds to a list. Periods that are over when the version comes into force stay.

    :raises BadInput: a place that is not there or is not for the parties to change, or terms that are not sound.
    """
    if not changes:
        raise BadInput([fault("/changes", Text("没有变更", "no change"), ONE_PLACE)])
    plain = to_plain(base)
    faults: list[Fault] = []
    for pointer, value in sorted(changes.items(), key=_by_place):
        faults += _set(plain, pointer, value)
    if faults:
        raise BadInput(faults)
    if not isinstance(plain, dict):
        raise AssertionError("terms are an object")
    plain["version"] = base.version + 1
    terms: Terms = from_plain(Terms, plain)
    validate(terms)
    if (kind := base.first_period.kind) != terms.first_period.kind:
        # Volume is held by the periods in which both offers were made.
        raise BadInput([fault("/schedule", _lines_by(terms.first_period.kind), _lines_by(kind))])
    if not (found := changes_between(base, terms)):
        raise BadInput([fault("/changes", SAME_VALUES, Text("至少一个新值", "at least one new value"))])
    _keep_the_past(base, terms, in_force_from)
    _keep_identity(found)
    return terms


def changes_between(old: Terms, new: Terms) -> list[Change]:
    """Every place in which a version differs from the one before, but for the version's own number."""
    return [change for change in diff(old, new) if change.pointer != "/version"]


def stored(terms: Terms) -> dict[str, Any]:
    """The terms as a JSON column holds them."""
    document: dict[str, Any] = json.loads(canonical_json(terms))
    return document


def beyond_the_offers(session: Session, *, contract: Contract, old: Terms, new: Terms) -> list[Fault]:
    """The periods in which a version wants more than both sides' offers still have; never how much that is."""
    more = _more_lots(old, new)
    places = {str(line.period): at for at, line in enumerate(new.schedule)}
    short = {
        offered.period
        for offered, _held in _volume(session, contract, more)
        if more[offered.period] > offered.quantity - offered.reserved
    }
    return [
        fault(
            f"/schedule/{places[period]}/lots",
            Text(f"比以前多 {more[period]} 批", f"{more[period]} lots more than before"),
            Text("不超过双方报价在该期间的余量", "no more than both sides' offers still have in the period"),
        )
        for period in sorted(short)
    ]


def hold_volume(session: Session, *, contract: Contract, old: Terms, new: Terms, now: dt.datetime) -> None:
    """Reserve what a version wants more than the one before, and free what it wants less.

    Periods that no offer covers (an extension) hold nothing. The database refuses what the offers do not have.
    """
    more = _more_lots(old, new)
    for offered, held in _volume(session, contract, more):
        lots = more[offered.period] + (held.quantity if held is not None and held.released_at is None else 0)
        if held is None and lots > 0:
            key = {"proposal_id": contract.proposal_id, "offer_id": offered.offer_id, "period": offered.period}
            session.add(Reservation(**key, quantity=lots, reserved_at=now))
        elif held is not None and lots > 0:
            held.quantity, held.released_at = lots, None
        elif held is not None and held.released_at is None:
            held.released_at = now
    session.flush()


def _more_lots(old: Terms, new: Terms) -> dict[str, int]:
    """By how many lots each period's schedule differs, where it does."""
    before = {str(line.period): line.lots for line in old.schedule}
    after = {str(line.period): line.lots for line in new.schedule}
    changes = {label: after.get(label, 0) - before.get(label, 0) for label in before.keys() | after.keys()}
    return {label: lots for label, lots in changes.items() if lots}


def _volume(
    session: Session, contract: Contract, periods: Collection[str]
) -> list[tuple[OfferPeriod, Reservation | None]]:
    """What both offers have in some periods, and what the contract holds of it.

    What goes into a conversion takes nothing of the conversion's quantity, which is its output.
    """
    query = (
        sa.select(OfferPeriod, Reservation)
        .join(Offer, Offer.id == OfferPeriod.offer_id)
        .join(Proposal, sa.or_(Proposal.sell_offer_id == Offer.id, Proposal.buy_offer_id == Offer.id))
        .outerjoin(
            Reservation,
            sa.and_(
                Reservation.proposal_id == Proposal.id,
                Reservation.offer_id == OfferPeriod.offer_id,
                Reservation.period == OfferPeriod.period,
            ),
        )
        .where(
            Proposal.id == contract.proposal_id,
            among(OfferPeriod.period, periods),
            sa.or_(Offer.id == Proposal.sell_offer_id, Offer.kind != OfferKind.CONVERSION),
        )
        .order_by(OfferPeriod.offer_id, OfferPeriod.period)
        .execution_options(populate_existing=True)
    )
    return [(offered, held) for offered, held in session.execute(query)]


def _by_place(change: tuple[str, Any]) -> list[tuple[int, str]]:
    """Places in the order of the terms, numbers as numbers, so that what is added at a list's end comes in order."""
    return [(int(part) if part.isascii() and part.isdigit() else -1, part) for part in change[0].split("/")]


def _set(plain: Plain, pointer: str, value: Any) -> list[Fault]:
    """Put a value at a place; returns what is wrong with it."""
    if not pointer.startswith("/"):
        return [fault(pointer or "/", NO_POINTER, Text("位置，例如 /price/amount", "a place such as /price/amount"))]
    if _has_float(value):
        return [fault(pointer, repr(value), NO_FLOAT)]
    *path, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))
    place: Any = plain
    for part in path:
        place = _member(place, part)
    if isinstance(place, list) and last == END:
        place.append(value)
    elif isinstance(place, list) and _member(place, last) is not None:
        place[int(last)] = value
    elif isinstance(place, dict) and last in place:
        place[last] = value
    else:
        return [
            fault(
                pointer,
                Text("没有这个位置", "no such place"),
                Text("现行条款中的位置", "a place in the terms as they stand"),
            )
        ]
    return []


def _member(place: Any, part: str) -> Any:
    """What stands under a name or number; None where nothing does."""
    if isinstance(place, dict):
        return place.get(part)
    if isinstance(place, list) and part.isascii() and part.isdigit() and int(part) < len(place):
        return place[int(part)]
    return None


def _has_float(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_float, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float)


def _keep_identity(changes: list[Change]) -> None:
    faults = [
        fault(change.pointer, Text("变更", "a change"), IDENTITY)
        for change in changes
        if any(change.pointer == kept or change.pointer.startswith(f"{kept}/") for kept in KEPT)
    ]
    if faults:
        raise BadInput(faults)


def _keep_the_past(base: Terms, terms: Terms, in_force_from: dt.date) -> None:
    """Periods that are over stay as they were, each in its place."""
    faults = [
        fault(
            f"/schedule/{at}",
            Text("另一行", "another line"),
            Text(
                f"{line.period} 的原行，该期间到 {in_force_from} 已结束",
                f"the line of {line.period}, which is over by {in_force_from}",
            ),
        )
        for at, line in enumerate(base.schedule)
        if line.period.last_day < in_force_from and (at >= len(terms.schedule) or terms.schedule[at] != line)
    ]
    if faults:
        raise BadInput(faults)


def _lines_by(kind: str) -> Text:
    named = {"month": "按月", "quarter": "按季", "year": "按年"}.get(kind, kind)
    return Text(f"{named}的各行", f"lines by the {kind}")
