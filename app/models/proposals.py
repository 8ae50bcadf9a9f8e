"""Proposals: what a run suggests to two parties, their review, and the volume they hold."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from app.db import Model
from contracts.state import Subject, state_names

from .columns import (
    Digest,
    Document,
    Lots,
    Money,
    Now,
    PeriodLabel,
    Price,
    RandomKey,
    Text,
    Versioned,
    choice,
    one_of,
    restrict,
)
from .firms import Firm
from .offers import Offer
from .people import User
from .products import Grade
from .runs import Run

WAITING = "state IN ('proposed', 'under_review')"


class ReviewAction(StrEnum):
    RELEASE = "release"
    WITHHOLD = "withhold"


class ReviewStep(StrEnum):
    """Above the round's threshold one person recommends and another decides; below it one decides."""

    RECOMMENDATION = "recommendation"
    DECISION = "decision"


class Bundle(Model):
    """Proposals of one run that become effective together or not at all; one alone is a bundle too."""

    __tablename__ = "bundle"
    __table_args__ = (sa.UniqueConstraint("id", "run_id"),)

    id: Mapped[RandomKey]
    run_id: Mapped[uuid.UUID] = mapped_column(restrict("run.id"), index=True)

    run: Mapped[Run] = relationship()
    proposals: Mapped[list[Proposal]] = relationship(
        back_populates="bundle",
        primaryjoin="Bundle.id == Proposal.bundle_id",
        foreign_keys="Proposal.bundle_id",
        order_by="Proposal.id",
    )


class Proposal(Versioned, Model):
    """A contract that a run suggests: `rate` lots per period over a window at a locked price, CNY per product unit.

    A counterparty sees who, what, when, how much and the price. The surpluses (CNY over the window), the next-best
    alternatives and the flags would tell the other side's reserve price: they are for staff only. `total_value` is
    what the buyer pays over the window; above the round's threshold its release takes two persons. The release freezes
    `terms`, the contract's first version; `terms_hash` is theirs from then on, and that of the row's own facts before.

    While a counter-offer waits, `countered_by` is the side that made it; terms and hash are still the version before.
    Rate, price, value and surpluses stay what the run found, also when the parties negotiate other terms.
    """

    __tablename__ = "proposal"
    __table_args__ = (
        sa.ForeignKeyConstraint(["run_id", "round_id"], ["run.id", "run.round_id"], ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["bundle_id", "run_id"], ["bundle.id", "bundle.run_id"], ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["sell_offer_id", "round_id", "seller_firm_id"],
            ["offer.id", "offer.round_id", "offer.firm_id"],
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["buy_offer_id", "round_id", "buyer_firm_id"],
            ["offer.id", "offer.round_id", "offer.firm_id"],
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"], ["grade.product_code", "grade.code"], ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "first_period"], ["round_period.round_id", "round_period.period"], ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "last_period"], ["round_period.round_id", "round_period.period"], ondelete="RESTRICT"
        ),
        sa.UniqueConstraint(
            "run_id",
            "sell_offer_id",
            "buy_offer_id",
            "first_period",
            "last_period",
            name="uq_proposal_lane_and_window",
        ),
        sa.UniqueConstraint("id", "seller_firm_id", "buyer_firm_id"),  # a contract has its proposal's parties
        sa.CheckConstraint("seller_firm_id <> buyer_firm_id", name="two_firms"),
        sa.CheckConstraint("first_period <= last_period", name="window_ordered"),
        sa.CheckConstraint("rate > 0", name="rate_positive"),
        sa.CheckConstraint("price_ex_works >= 0", name="price_not_negative"),
        sa.CheckConstraint("freight >= 0", name="freight_not_negative"),
        sa.CheckConstraint("price_delivered = price_ex_works + freight", name="price_delivered"),
        sa.CheckConstraint("total_value >= 0", name="total_value_not_negative"),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name="terms_hash"),
        sa.CheckConstraint(
            "seller_accepted_by_id IS NULL OR seller_accepted_at IS NOT NULL", name="seller_acceptance_has_time"
        ),
        sa.CheckConstraint(
            "buyer_accepted_by_id IS NULL OR buyer_accepted_at IS NOT NULL", name="buyer_acceptance_has_time"
        ),
        sa.CheckConstraint(
            "state <> 'agreed' OR (seller_accepted_at IS NOT NULL AND buyer_accepted_at IS NOT NULL)",
            name="agreed_by_both",
        ),
        sa.CheckConstraint("state <> 'released' OR expires_at IS NOT NULL", name="released_has_expiry"),
        sa.CheckConstraint(
            "state NOT IN ('released', 'accepted', 'countered', 'agreed') OR terms IS NOT NULL",
            name="released_has_terms",
        ),
        sa.CheckConstraint("(state = 'countered') = (countered_by IS NOT NULL)", name="countered_by_a_side"),
        sa.Index(None, "run_id", "state"),
        sa.Index(None, "bundle_id"),
        sa.Index(None, "seller_firm_id", "state"),
        sa.Index(None, "buyer_firm_id", "state"),
        sa.Index(None, "sell_offer_id"),
        sa.Index(None, "buy_offer_id"),
        sa.Index(None, "state", "expires_at"),
        sa.Index(None, "created_at", "id"),
        # The reviewers' queue, in each of its orders.
        sa.Index("ix_proposal_waiting_by_value", "total_value", "id", postgresql_where=sa.text(WAITING)),
        sa.Index("ix_proposal_waiting_by_product", "product_code", "id", postgresql_where=sa.text(WAITING)),
        sa.Index(None, "state", "total_value", "id"),
    )

    id: Mapped[RandomKey]
    round_id: Mapped[uuid.UUID] = mapped_column(restrict("round.id"))
    run_id: Mapped[uuid.UUID] = mapped_column()
    bundle_id: Mapped[uuid.UUID] = mapped_column()
    sell_offer_id: Mapped[uuid.UUID] = mapped_column()
    buy_offer_id: Mapped[uuid.UUID] = mapped_column()
    seller_firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    buyer_firm_id: Mapped[uuid.UUID] = mapped_column(restrict("firm.id"))
    product_code: Mapped[str] = mapped_column(sa.Text)
    grade_code: Mapped[str] = mapped_column(sa.Text)
    first_period: Mapped[PeriodLabel]
    last_period: Mapped[PeriodLabel]
    rate: Mapped[Lots]
    price_ex_works: Mapped[Price]
    freight: Mapped[Price]
    price_delivered: Mapped[Price]
    total_value: Mapped[Money]
    index_value: Mapped[Price | None]
    surplus_seller: Mapped[Money]
    surplus_buyer: Mapped[Money]
    next_best: Mapped[Document] = mapped_column(server_default=sa.text("'{}'"))
    flags: Mapped[Document] = mapped_column(server_default=sa.text("'{}'"))
    state: Mapped[str] = mapped_column(one_of(state_names(Subject.PROPOSAL), "state"), server_default="proposed")
    terms: Mapped[Document | None]
    terms_hash: Mapped[Digest]
    expires_at: Mapped[dt.datetime | None]
    seller_accepted_at: Mapped[dt.datetime | None]
    seller_accepted_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    buyer_accepted_at: Mapped[dt.datetime | None]
    buyer_accepted_by_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    countered_by: Mapped[str | None] = mapped_column(one_of(("seller", "buyer"), "countered_by"))
    created_at: Mapped[Now]

    run: Mapped[Run] = relationship(primaryjoin="Proposal.run_id == Run.id", foreign_keys=[run_id])
    bundle: Mapped[Bundle] = relationship(
        back_populates="proposals", primaryjoin="Proposal.bundle_id == Bundle.id", foreign_keys=[bundle_id]
    )
    sell_offer: Mapped[Offer] = relationship(
        primaryjoin="Proposal.sell_offer_id == Offer.id", foreign_keys=[sell_offer_id]
    )
    buy_offer: Mapped[Offer] = relationship(
        primaryjoin="Proposal.buy_offer_id == Offer.id", foreign_keys=[buy_offer_id]
    )
    seller: Mapped[Firm] = relationship(primaryjoin="Proposal.seller_firm_id == Firm.id", foreign_keys=[seller_firm_id])
    buyer: Mapped[Firm] = relationship(primaryjoin="Proposal.buyer_firm_id == Firm.id", foreign_keys=[buyer_firm_id])
    grade: Mapped[Grade] = relationship()
    decisions: Mapped[list[ReviewDecision]] = relationship(
        back_populates="proposal", order_by="ReviewDecision.decided_at, ReviewDecision.id"
    )
    reservations: Mapped[list[Reservation]] = relationship(
        back_populates="proposal", order_by="Reservation.offer_id, Reservation.period"
    )

    @validates("state")
    def _uncountered(self, _name: str, state: str) -> str:
        """However a proposal leaves that state, no side's counter waits any more."""
        if state != "countered":
            self.countered_by = None
        return state


class ReviewDecision(Model):
    """One staff member's word on a proposal, as a recommendation or as the decision.

    Nobody speaks twice for the same action, at whichever step: four eyes are two persons.
    """

    __tablename__ = "review_decision"
    __table_args__ = (sa.UniqueConstraint("proposal_id", "user_id", "action"),)

    id: Mapped[RandomKey]
    proposal_id: Mapped[uuid.UUID] = mapped_column(restrict("proposal.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(restrict("user_account.id"))
    action: Mapped[ReviewAction] = mapped_column(choice(ReviewAction, "action"))
    step: Mapped[ReviewStep] = mapped_column(choice(ReviewStep, "step"))
    reason_code: Mapped[Text]
    note: Mapped[str | None] = mapped_column(sa.Text)
    decided_at: Mapped[Now]

    proposal: Mapped[Proposal] = relationship(back_populates="decisions")
    user: Mapped[User] = relationship()


class Reservation(Model):
    """Lots of an offer in one period that a proposal, and later its contract, holds until `released_at`.

    The held lots of an offer and period never exceed its quantity: triggers keep their sum in `OfferPeriod.reserved`,
    one row per offer and period, so two transactions that reserve at once wait for each other.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["offer_id", "period"], ["offer_period.offer_id", "offer_period.period"], ondelete="RESTRICT"
        ),
        sa.CheckConstraint("quantity > 0", name="quantity_positive"),
        sa.Index(None, "offer_id", "period", postgresql_where=sa.text("released_at IS NULL")),
    )

    proposal_id: Mapped[uuid.UUID] = mapped_column(restrict("proposal.id"), primary_key=True)
    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    period: Mapped[PeriodLabel] = mapped_column(primary_key=True)
    quantity: Mapped[Lots]
    reserved_at: Mapped[Now]
    released_at: Mapped[dt.datetime | None]

    proposal: Mapped[Proposal] = relationship(back_populates="reservations")
