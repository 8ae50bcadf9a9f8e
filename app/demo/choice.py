"""Which contract's life the demo shows, and who acts for its two firms."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.auth import SYSTEM, Principal
from app.auth.principal import of_user
from app.demo import people, plot
from app.demo.market import ROUND
from app.demo.people import Person
from app.errors import NotFound
from app.models import Contract, Grade, Proposal, Round, Run, User
from app.operations import contracts, proposals, review
from app.operations.people import visible_users
from contracts.state import Actor

SUMMED_UP = re.compile(r"\((aggregate|all projects)|^Other ")
RULE = (
    "the largest contract for battery-grade lithium carbonate over all eight quarters, between two firms that are no "
    "sum of firms, in a bundle of its own"
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


def choose(session: Session, *, run: Run) -> Proposal | None:
    """The proposal whose life is played, by `RULE`; of equal ones the first by the firms' names. None if none fits."""
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
    return min(fitting, key=lambda one: (-one.total_value, one.seller.name_en, one.buyer.name_en), default=None)


def cast(session: Session, *, firms: Mapping[Person, uuid.UUID]) -> Cast:
    """The accounts of the demo as they act; `people.settle` has made them, those of the two parties for these firms.

    :raises NotFound: a party's account is another firm's.
    """
    users = {user.email: user for user in session.scalars(visible_users(SYSTEM).order_by(User.id))}
    for person, firm_id in firms.items():
        if users[person.email].firm_id != firm_id:
            raise NotFound(f"{person.email} acts for another firm; expected the contract's own")
    names = {"seller": people.SELLER, "buyer": people.BUYER, "staff": people.STAFF, "senior": people.SENIOR}
    return Cast(**{name: of_user(users[person.email]) for name, person in names.items()})
