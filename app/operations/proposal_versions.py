"""The versions of a proposal's terms: the released one, and one for each counter-offer, with what each changes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.models import Proposal, ProposalVersion, Side, VersionState
from app.operations.bulk import among
from app.operations.contract_terms import frozen_terms
from contracts.counter import Difference, differences
from contracts.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """One version as a party and the platform see it.

    `differences` are those to the version it was written against, in words; none for the first. `by_user_id` is told
    to the author's own firm and to the platform only.
    """

    number: int
    state: VersionState
    side: Side | None
    by_user_id: uuid.UUID | None
    terms: dict[str, Any]
    terms_hash: str
    differences: tuple[Difference, ...]
    message: str | None
    created_at: dt.datetime
    expires_at: dt.datetime | None
    answered_at: dt.datetime | None


def put_on_offer(session: Session, proposal: Proposal, *, now: dt.datetime) -> None:
    """Keep the terms that a release has just frozen as the first version."""
    session.add(
        ProposalVersion(
            proposal_id=proposal.id,
            number=1,
            terms=proposal.terms,
            terms_hash=proposal.terms_hash,
            state=VersionState.ON_OFFER,
            created_at=now,
        )
    )


def versions_of(session: Session, proposal: Proposal) -> list[ProposalVersion]:
    """All versions of a proposal that the asker may read, in their order."""
    query = sa.select(ProposalVersion).where(ProposalVersion.proposal_id == proposal.id)
    return list(session.scalars(query.order_by(ProposalVersion.number)))


def open_counter(session: Session, proposal: Proposal) -> ProposalVersion | None:
    """The counter-offer that waits for an answer."""
    return _in_state(session, proposal, VersionState.OPEN)


def on_offer(session: Session, proposal: Proposal) -> ProposalVersion | None:
    """The version whose hash can be accepted."""
    return _in_state(session, proposal, VersionState.ON_OFFER)


def _in_state(session: Session, proposal: Proposal, state: VersionState) -> ProposalVersion | None:
    query = sa.select(ProposalVersion).where(ProposalVersion.proposal_id == proposal.id, ProposalVersion.state == state)
    found: ProposalVersion | None = session.scalar(query.execution_options(populate_existing=True))
    return found


def first_terms(session: Session, proposal: Proposal) -> Terms:
    """The terms of the release: the price that the run locked, in the schedule that it matched."""
    query = sa.select(ProposalVersion.terms).where(
        ProposalVersion.proposal_id == proposal.id, ProposalVersion.number == 1
    )
    return frozen_terms(session.scalars(query).one())


def void_open(session: Session, proposals: Iterable[uuid.UUID], *, now: dt.datetime) -> None:
    """Counter-offers of proposals that have come to their end wait for nobody any more."""
    session.flush()
    session.execute(
        sa.update(ProposalVersion)
        .where(among(ProposalVersion.proposal_id, list(proposals)), ProposalVersion.state == VersionState.OPEN)
        .values(state=VersionState.VOID, answered_at=now)
        .execution_options(synchronize_session=False)
    )


def views(principal: Principal, proposal: Proposal, versions: Iterable[ProposalVersion]) -> list[VersionView]:
    """What the asker sees of all versions of a proposal of his, given in their order."""
    found: list[VersionView] = []
    base: Terms | None = None
    for version in versions:
        terms = frozen_terms(version.terms)
        found.append(_view(principal, proposal, version, () if base is None else tuple(differences(base, terms))))
        if version.state in {VersionState.ON_OFFER, VersionState.REPLACED}:
            base = terms
    return found


def _view(
    principal: Principal, proposal: Proposal, version: ProposalVersion, changes: tuple[Difference, ...]
) -> VersionView:
    firm = {Side.SELLER: proposal.seller_firm_id, Side.BUYER: proposal.buyer_firm_id}
    side = version.proposed_by_side
    told = side is not None and principal.firm_id in {None, firm[side]}
    return VersionView(
        number=version.number,
        state=version.state,
        side=side,
        by_user_id=version.proposed_by_id if told else None,
        terms=version.terms,
        terms_hash=version.terms_hash,
        differences=changes,
        message=version.message,
        created_at=version.created_at,
        expires_at=version.expires_at,
        answered_at=version.answered_at,
    )
