"""Writes what a run found: proposals, bundles, reservations, results, shadow prices, certificate, headline.

All of it in the caller's one transaction, so a run that is killed leaves nothing. While the run worked, offers may
have been withdrawn or amended and volume taken: a bundle that this touches is dropped, and the headline says so.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import (
    ActorKind,
    Bundle,
    Event,
    Proposal,
    Reservation,
    Run,
    RunResult,
    ShadowPrice,
    SubjectKind,
)
from app.operations import bundles, commitments, drafts, headlines, moves, outbox, run_results, runs, still_good
from app.operations.alternatives import Alternatives
from app.operations.bulk import among, copy_rows
from app.operations.drafts import Draft, Drafter
from app.operations.index_prices import latest_index_prices
from app.operations.snapshots import FrozenRound
from contracts.state import Actor, Guard, Subject, Transition
from market.errors import MarketError
from matching.answer import Answer, Certificate, Contract

# fmt: off
EVENT_COLUMNS = (
    "at", "subject_kind", "subject_id", "name", "acting_as", "actor_kind", "from_state", "to_state", "note",
    "version_hash",
)
# fmt: on
RESERVATION_COLUMNS = ("proposal_id", "offer_id", "period", "quantity", "reserved_at")
Index = Mapping[str, Decimal]


class NotCertified(MarketError):
    """The answer's own certificate does not hold: nothing may be proposed from it."""


def settle(
    session: Session,
    *,
    run_id: uuid.UUID,
    attempt: int,
    frozen: FrozenRound,
    answer: Answer,
    alternatives: Mapping[Contract, Alternatives],
    now: dt.datetime,
) -> Run:
    """Write the outcome of an attempt and end the run.

    :raises NotCertified: the certificate does not hold.
    :raises runs.RunTakenOver: the run is no longer this attempt's.
    """
    run = runs.hold(session, run_id=run_id, attempt=attempt)
    _check(answer.certificate)
    superseded = _supersede(session, frozen.superseding, run, now)
    touched = still_good.touched(session, frozen, answer, taken_up=frozen.superseding - superseded, now=now)
    kept, dropped = still_good.keep(session, frozen, answer, touched)
    proposed = Drafter(frozen, kept, alternatives).drafts()
    index = latest_index_prices(
        session,
        products={grade.product for grade in frozen.snapshot.grades},
        rates=run.round.currency_rates,
        now=now,
    )
    _propose(session, run, frozen, proposed, index=index, now=now)
    results = run_results.reasons(frozen, answer, proposed, touched.offers)
    copy_rows(session, RunResult, run_results.RESULT_COLUMNS, run_results.result_rows(run.id, frozen, results))
    copy_rows(session, ShadowPrice, run_results.SHADOW_COLUMNS, run_results.shadow_rows(run.id, frozen, answer))
    told = headlines.headline(
        session,
        frozen=frozen,
        drafts=proposed,
        reasons={offer: reason for offer, (_, reason, _) in results.items()},
        certificate=answer.certificate,
        index=index,
    )
    told |= {"superseded": len(superseded), "dropped_bundles": dict(sorted(dropped.items()))}
    outbox.tell(
        session,
        topic="run.done",
        about=(SubjectKind.RUN, run.id),
        firms=(),
        payload={"round": run.round.code, "proposals": len(proposed)},
        now=now,
    )
    runs.finish(session, run, headline=told, certificate=headlines.certificate_document(answer.certificate), now=now)
    return run


def _check(certificate: Certificate) -> None:
    if not certificate.holds:
        found = "; ".join(certificate.violations[:5])
        raise NotCertified(
            f"the certificate does not hold: {certificate.blocking_pairs} blocking pairs, "
            f"{len(certificate.violations)} violations{': ' if found else ''}{found}"
        )


def _supersede(session: Session, wanted: Collection[uuid.UUID], run: Run, now: dt.datetime) -> frozenset[uuid.UUID]:
    """End the untouched proposals of earlier runs; returns those that were still untouched."""
    row = moves.allowed(Subject.PROPOSAL, commitments.UNTOUCHED, "expire", Actor.TIMER, {Guard.WHOLE_BUNDLE_MOVES})
    query = sa.select(Proposal.id).where(among(Proposal.id, wanted)).order_by(Proposal.id).with_for_update()
    held = session.scalars(query).all()
    changed = session.execute(
        sa.update(Proposal)
        .where(among(Proposal.id, held), Proposal.state == row.from_state)
        .values(state=row.to_state, version=Proposal.version + 1)
        .returning(Proposal.id, Proposal.terms_hash)
        .execution_options(synchronize_session=False)
    )
    ended = dict(changed.all())
    bundles.release_volume(session, ended, now=now)
    _record(session, row, ended, now, note=f"superseded by run {run.id}")
    return frozenset(ended)


def _propose(
    session: Session, run: Run, frozen: FrozenRound, proposed: Sequence[Draft], *, index: Index, now: dt.datetime
) -> None:
    if not proposed:
        return
    row = moves.allowed(Subject.PROPOSAL, None, "propose", Actor.MATCHER, {Guard.RUN_CERTIFIED})
    labels = frozen.snapshot.horizon.labels()
    expires_at = now + dt.timedelta(days=run.round.proposal_days)
    rows = [
        drafts.proposal_row(
            draft, run_id=run.id, round_id=run.round_id, labels=labels, index=index, now=now, expires_at=expires_at
        )
        for draft in proposed
    ]
    held = (
        (draft.id, *part, now)
        for draft in proposed
        for part in drafts.reservations(draft.contract, draft.seller, draft.buyer, labels)
    )
    ties = sorted({draft.bundle_id for draft in proposed})
    copy_rows(session, Bundle, ("id", "run_id"), ((tie, run.id) for tie in ties))
    copy_rows(session, Proposal, tuple(rows[0]), (tuple(values.values()) for values in rows))
    copy_rows(session, Reservation, RESERVATION_COLUMNS, held)
    _record(session, row, {draft.id: draft.terms_hash for draft in proposed}, now)


def _record(
    session: Session, row: Transition, proposals: Mapping[uuid.UUID, str], now: dt.datetime, note: str | None = None
) -> None:
    """One event for each of many proposals that made the same move."""
    (actor,) = row.actors
    events = (
        (
            now,
            SubjectKind.PROPOSAL,
            proposal,
            row.event,
            actor,
            ActorKind.SYSTEM,
            row.from_state,
            row.to_state,
            note,
            digest,
        )
        for proposal, digest in proposals.items()
    )
    copy_rows(session, Event, EVENT_COLUMNS, events)
