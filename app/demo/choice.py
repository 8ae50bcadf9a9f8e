"""Which contract's life the demo shows, and who acts for its two firms."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.auth import SYSTEM, Principal
from app.auth.principal import of_user
from app.demo import people, plot
from app.demo.market import ROUND
from app.errors import NotFound
from app.models import Contract, Grade, Proposal, Round, Run, User
from app.operations import contracts, proposals, review
from app.operations.people import visible_users
from contracts.state import Actor

SUMMED_UP = re.compile(r"\((aggregate|all projects)|^Other ")
RULE = (
    "of the lithium carbonate contracts over all eight quarters between two firms with names of their own, the largest "
    "whose bundle holds no other contract"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who acts: both firms' traders and two reviewers, as they would when signed in."""

    seller: Principal
    buyer: Principal
    staff: Principal
    senior: Principal

    def of(self, side: str) -> Principal:
        """The trader of a side."""
        return self.seller if side == Actor.SELLER else self.buyer


def find_life(session: Session) -> Contract | None:
    """The contract that was played: it alone was concluded at the played moment."""
    query = (
        contracts.visible_contracts(SYSTEM)
        .join(Proposal, Proposal.id == Contract.proposal_id)
        .join(Round, Round.id == Proposal.round_id)
        .where(Round.code == ROUND, Contract.created_at == plot.moment(plot.AGREED))
        .order_by(Contract.id)
    )
    found: Contract | None = session.scalar(query)
    return found


def choose(session: Session, *, run: Run) -> Proposal:
    """The proposal whose life is played, by `RULE`; of equal ones the first by the firms' names.

    :raises NotFound: the run has none that fits.
    """
    query = (
        review.reviews(SYSTEM, run_id=run.id, states=review.UNDER_REVIEW[:1], product=plot.PRODUCT)
        .where(Proposal.grade_code == plot.GRADE)
        .options(selectinload(Proposal.grade).selectinload(Grade.product))
        .order_by(Proposal.id)
    )
    sizes = sa.select(Proposal.bundle_id).where(Proposal.run_id == run.id).group_by(Proposal.bundle_id)
    alone = set(session.scalars(sizes.having(sa.func.count() == 1)))
    periods = run.round.period_count
    fitting = [
        one
        for one in session.scalars(query)
        if one.bundle_id in alone
        and proposals.periods_of(one) == periods
        and not any(SUMMED_UP.search(firm.name_en) for firm in (one.seller, one.buyer))
    ]
    if not fitting:
        raise NotFound(f"no proposal to show: expected one {RULE.removeprefix('of the ')}")
    return min(fitting, key=lambda one: (-one.total_value, one.seller.name_en, one.buyer.name_en))


def cast(session: Session, *, seller: uuid.UUID, buyer: uuid.UUID) -> Cast:
    """The accounts of the demo as they act; those of the two firms were made by `people.settle`."""
    users = {user.email: user for user in session.scalars(visible_users(SYSTEM).order_by(User.id))}
    firms = {people.SELLER.email: seller, people.BUYER.email: buyer}
    for email, firm in firms.items():
        if users[email].firm_id != firm:
            raise NotFound(f"{email} is of another firm; expected the contract's own")
    names = {"seller": people.SELLER, "buyer": people.BUYER, "staff": people.STAFF, "senior": people.SENIOR}
    return Cast(**{name: of_user(users[person.email]) for name, person in names.items()})
