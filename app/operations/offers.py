"""Offers: posted, amended, opened, withdrawn, expired; read by their own firm and by nobody else.

Offers are sealed. Every read starts from `visible_offers`; staff have `look`, which leaves a trace of each look.
A draft is whole and correct, and not for sale: only its round need not have begun. Offers are amended and withdrawn
while the round takes offers; from its close on they stand as they are.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict, Forbidden, NotFound, Refused
from app.models import (
    AccessLog,
    Offer,
    OfferRevision,
    OfferState,
    Product,
    Reservation,
    Round,
    RoundState,
    Run,
    RunResult,
    RunState,
    SubjectKind,
)
from app.operations.events import record
from app.operations.offer_checks import Admission, admission, check, priced
from app.operations.offer_faults import OfferFault
from app.operations.offer_terms import OfferTerms, Statement, document, plain, stated, terms_of, write_terms
from app.operations.rounds import takes_offers, visible_rounds
from app.permissions import Permission
from contracts.wording import Text

MOVES: dict[OfferState, tuple[str, ...]] = {
    OfferState.DRAFT: ("open", "amend", "withdraw"),
    OfferState.OPEN: ("amend", "withdraw"),
}


def visible_offers(principal: Principal) -> sa.Select[Offer]:
    """The offers of the asker's own firm; none for anybody without a firm."""
    return sa.select(Offer).where(Offer.firm_id == principal.firm_id)


def visible_revisions(principal: Principal, offer_id: uuid.UUID) -> sa.Select[OfferRevision]:
    """The versions of an offer of the asker's own firm."""
    own = visible_offers(principal).where(Offer.id == offer_id).with_only_columns(Offer.id)
    return sa.select(OfferRevision).where(OfferRevision.offer_id.in_(own))


def visible_results(principal: Principal, offer_id: uuid.UUID) -> sa.Select[RunResult]:
    """What finished runs made of an offer of the asker's own firm."""
    own = visible_offers(principal).where(Offer.id == offer_id).with_only_columns(Offer.id)
    return (
        sa.select(RunResult)
        .join(Run, RunResult.run_id == Run.id)
        .where(Run.state == RunState.DONE, RunResult.offer_id.in_(own))
    )


def find_offer(session: Session, *, principal: Principal, offer_id: uuid.UUID, lock: bool = False) -> Offer:
    """:raises NotFound: the asker's firm has no such offer."""
    select = visible_offers(principal).where(Offer.id == offer_id)
    found = session.scalar(select.with_for_update(of=Offer) if lock else select)
    if found is None:
        raise NotFound("no such offer")
    return found


def look(
    session: Session, *, principal: Principal, offer_id: uuid.UUID, reason: str, path: str, now: dt.datetime
) -> Offer:
    """Staff see a sealed offer for a reason that is kept with the look.

    :raises Forbidden: the asker may not see sealed offers.
    :raises NotFound: there is no such offer, or it is a draft, which no one but its firm has business with.
    """
    if not principal.may(Permission.SEALED_READ) or principal.user_id is None:
        raise Forbidden(Text("密封报价仅供审核人员查看", "sealed offers are for staff in review"))
    found = session.scalar(sa.select(Offer).where(Offer.id == offer_id, Offer.state != OfferState.DRAFT))
    if found is None:
        raise NotFound("no such offer")
    session.add(
        AccessLog(
            at=now,
            user_id=principal.user_id,
            object_kind="offer",
            object_id=str(found.id),
            firm_id=found.firm_id,
            path=path,
            reason=reason,
        )
    )
    session.flush()
    return found


def post(
    session: Session,
    *,
    principal: Principal,
    round_id: uuid.UUID,
    statement: Statement,
    draft: bool = False,
    now: dt.datetime,
) -> Offer:
    """Post an offer of the asker's firm to a round, open unless it is a draft.

    :raises Refused: with every fault of the terms, or no such round for the firm.
    :raises Conflict: the round does not take offers now; a draft only needs it not to be over.
    """
    firm_id = own_firm(principal)
    market_round = round_for_offers(session, principal=principal, round_id=round_id, draft=draft, now=now)
    admitted = admission(session, firm_id=firm_id, market_round=market_round, now=now)
    terms = stated(statement, horizon=market_round.horizon)
    refuse_faults(check(terms, admitted=admitted, now=now))
    offer = make(session, principal=principal, admitted=admitted, terms=terms, draft=draft, now=now)
    session.flush()
    return offer


def make(
    session: Session, *, principal: Principal, admitted: Admission, terms: OfferTerms, draft: bool, now: dt.datetime
) -> Offer:
    """Add the rows of an offer whose terms have been checked; they are written with the next flush."""
    offer = Offer(
        id=uuid.uuid4(),
        round=admitted.round,
        firm_id=admitted.firm_id,
        kind=terms.kind,
        state=OfferState.DRAFT if draft else OfferState.OPEN,
        revision=1,
        posted_by_id=principal.user_id,
        posted_by_key_id=principal.api_key_id,
        created_at=now,
        posted_at=None if draft else now,
        changed_at=now,
    )
    terms = priced(terms, admitted=admitted)
    write_terms(offer, terms, lots=admitted.lots)
    session.add(offer)
    if not draft:
        _keep_revision(offer, terms, principal, now)
    _move(session, principal, offer, "offer.draft" if draft else "offer.post", from_state=None, now=now)
    return offer


def open_offer(session: Session, *, principal: Principal, offer_id: uuid.UUID, now: dt.datetime) -> Offer:
    """Put a draft up for sale, once more checked.

    :raises NotFound: the asker's firm has no such offer.
    :raises Conflict: it is no draft, or its round does not take offers now.
    :raises Refused: its terms do not stand any more.
    """
    offer = find_offer(session, principal=principal, offer_id=offer_id, lock=True)
    _expect(offer, OfferState.DRAFT)
    market_round = round_for_offers(session, principal=principal, round_id=offer.round_id, draft=False, now=now)
    terms = terms_of(session, offer)
    admitted = admission(session, firm_id=offer.firm_id, market_round=market_round, now=now)
    refuse_faults(check(terms, admitted=admitted, now=now, offer_id=offer.id))
    terms = priced(terms, admitted=admitted)
    write_terms(offer, terms, lots=admitted.lots)
    offer.state, offer.posted_at, offer.changed_at = OfferState.OPEN, now, now
    _keep_revision(offer, terms, principal, now)
    _move(session, principal, offer, "offer.post", from_state=OfferState.DRAFT, now=now)
    session.flush()
    return offer


def amend(
    session: Session, *, principal: Principal, offer_id: uuid.UUID, statement: Statement, now: dt.datetime
) -> Offer:
    """Change what the statement names. Of an open offer a new revision is kept; the same terms again change nothing.

    :raises NotFound: the asker's firm has no such offer.
    :raises Conflict: it is withdrawn or expired, or its round does not take offers now.
    :raises Refused: with every fault of the new terms, less than what is reserved among them.
    """
    offer = find_offer(session, principal=principal, offer_id=offer_id, lock=True)
    _expect(offer, OfferState.DRAFT, OfferState.OPEN)
    draft = offer.state is OfferState.DRAFT
    market_round = round_for_offers(session, principal=principal, round_id=offer.round_id, draft=draft, now=now)
    before = terms_of(session, offer)
    terms = stated(statement, horizon=market_round.horizon, base=before)
    if replace(terms, price=before.price if terms.formula else terms.price) == before:
        return offer
    admitted = admission(session, firm_id=offer.firm_id, market_round=market_round, now=now)
    faults = check(terms, admitted=admitted, now=now, offer_id=offer.id)
    refuse_faults(faults + _against_present(session, offer, before, terms))
    terms = priced(terms, admitted=admitted)
    write_terms(offer, terms, lots=admitted.lots)
    offer.changed_at = now
    if not draft:
        offer.revision += 1
        _keep_revision(offer, terms, principal, now)
    _move(session, principal, offer, "offer.amend", from_state=offer.state, now=now)
    session.flush()
    return offer


def _against_present(session: Session, offer: Offer, before: OfferTerms, after: OfferTerms) -> list[OfferFault]:
    """What an amendment may not change: what is sold, and what is reserved of it."""
    faults = [
        OfferFault(field=field, found=str(new), code="same_kind", params={"value": str(old)})
        for field, old, new in (("kind", before.kind, after.kind), ("product", before.product, after.product))
        if old != new
    ]
    product = session.get_one(Product, offer.product_code)
    held = {period.period: period.reserved * product.lot for period in offer.periods if period.reserved}
    if held:
        faults += [
            OfferFault(field=field, found=str(new), code="same_while_reserved", params={"value": str(old)})
            for field, old, new in (
                ("site_id", before.site_id, after.site_id),
                ("grade", before.grade, after.grade),
                ("currency", before.currency, after.currency),
            )
            if old != new
        ]
    for period, reserved in held.items():
        if after.quantities.get(period, 0) < reserved:
            params = {"reserved": plain(reserved), "unit": product.unit.value, "period": period}
            found = plain(after.quantities[period]) if period in after.quantities else "nothing"
            faults.append(OfferFault(field=f"periods/{period}/quantity", found=found, code="reserved", params=params))
    once = sa.select(Reservation.period).where(Reservation.offer_id == offer.id).distinct()
    return faults + [
        OfferFault(field=f"periods/{period}", found="nothing", code="reserved_once", params={"period": period})
        for period in session.scalars(once.order_by(Reservation.period))
        if period not in after.quantities and period not in held
    ]


def withdraw(session: Session, *, principal: Principal, offer_id: uuid.UUID, now: dt.datetime) -> Offer:
    """Take an offer back. What proposals and contracts hold of it stays held; the rest is not for sale any more.

    :raises NotFound: the asker's firm has no such offer.
    :raises Conflict: it is withdrawn or expired, or its round does not take offers now.
    """
    offer = find_offer(session, principal=principal, offer_id=offer_id, lock=True)
    _expect(offer, OfferState.DRAFT, OfferState.OPEN)
    state = offer.state
    if state is OfferState.OPEN:
        round_for_offers(session, principal=principal, round_id=offer.round_id, draft=True, now=now)
    # A draft was never for sale and may go at any time; the database wants a posted offer to have its hour.
    offer.state, offer.changed_at, offer.posted_at = OfferState.WITHDRAWN, now, offer.posted_at or now
    _move(session, principal, offer, "offer.withdraw", from_state=state, now=now)
    session.flush()
    return offer


def expire(session: Session, *, principal: Principal, now: dt.datetime) -> int:
    """End the open offers whose validity is over; returns how many. For the platform itself."""
    if principal.kind != "system":
        raise Forbidden(Text("报价由平台时钟到期", "offers expire by the platform's own clock"))
    due = session.scalars(
        sa.select(Offer)
        .where(Offer.state == OfferState.OPEN, Offer.valid_until <= now)
        .order_by(Offer.id)
        .with_for_update(of=Offer, skip_locked=True)
    ).all()
    for offer in due:
        offer.state, offer.changed_at = OfferState.EXPIRED, now
        _move(session, principal, offer, "offer.expire", from_state=OfferState.OPEN, now=now)
    session.flush()
    return len(due)


def own_firm(principal: Principal) -> uuid.UUID:
    """The firm the asker acts for.

    :raises Forbidden: he acts for none.
    """
    if principal.firm_id is None:
        raise Forbidden(Text("只有企业才有报价", "only firms have offers"))
    return principal.firm_id


def round_for_offers(
    session: Session, *, principal: Principal, round_id: uuid.UUID, draft: bool, now: dt.datetime
) -> Round:
    """The round, held so that it cannot close before this transaction ends.

    :raises Refused: the firm may not take part, or there is no such round: both sound alike.
    :raises Conflict: it does not take offers now; for a draft: it is over.
    """
    found = session.scalar(visible_rounds(principal).where(Round.id == round_id).with_for_update(read=True, of=Round))
    if found is None or found.state is RoundState.DRAFT:
        raise Refused(
            Text(
                f"填写为 {round_id}；应为对贵企业开放的场次",
                f"found {round_id}; expected a round that is open to your firm",
            ),
            field="round_id",
        )
    is_over = found.state is not RoundState.OPEN or found.closes_at <= now
    if is_over or not (draft or takes_offers(found, now=now)):
        begin, end = found.opens_at.isoformat(), found.closes_at.isoformat()
        told = f"the round {found.code} takes offers from {begin} to {end} and is {found.state}"
        raise Conflict(
            Text(
                f"场次 {found.code} 自 {begin} 至 {end} 接受报价，现在不接受",
                f"{told}; expected one that takes offers now",
            )
        )
    return found


def refuse_faults(faults: list[OfferFault]) -> None:
    """:raises Refused: there is a fault; the first one, with all others behind it."""
    if faults:
        first, *others = [Refused(fault.text, field=fault.field) for fault in faults]
        raise Refused(first.text, field=first.field, further=others)


def _expect(offer: Offer, *states: OfferState) -> None:
    if offer.state not in states:
        raise Conflict(
            Text("该报价的状态不允许此操作", f"the offer is {offer.state}; expected {' or '.join(states)}"),
            open_moves=MOVES.get(offer.state, ()),
        )


def _keep_revision(offer: Offer, terms: OfferTerms, principal: Principal, now: dt.datetime) -> None:
    offer.revisions.append(
        OfferRevision(
            revision=offer.revision,
            terms=document(terms),
            changed_by_id=principal.user_id,
            changed_by_key_id=principal.api_key_id,
            changed_at=now,
        )
    )


def _move(
    session: Session,
    principal: Principal,
    offer: Offer,
    name: str,
    *,
    from_state: OfferState | None,
    now: dt.datetime,
) -> None:
    record(
        session,
        principal=principal,
        subject=(SubjectKind.OFFER, offer.id),
        name=name,
        from_state=from_state,
        to_state=offer.state,
        now=now,
        acting_as="firm",
    )
