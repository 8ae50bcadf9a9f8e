"""Runs with results and shadow prices, proposals with review and reserved volume."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=40), server_default="queued", nullable=False),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("percent", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("solver_rounds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempt", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("snapshot_digest", sa.String(length=64), nullable=True),
        sa.Column("snapshot_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_by_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("headline", postgresql.JSONB(), nullable=True),
        sa.Column("certificate", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "(state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
            name=op.f("ck_run_finished_has_time"),
        ),
        sa.CheckConstraint("snapshot_digest ~ '^[0-9a-f]{64}$'", name=op.f("ck_run_snapshot_digest")),
        sa.CheckConstraint(
            "state <> 'done' OR (certificate IS NOT NULL AND snapshot_digest IS NOT NULL)",
            name=op.f("ck_run_done_is_certified"),
        ),
        sa.CheckConstraint("state <> 'failed' OR error IS NOT NULL", name=op.f("ck_run_failed_says_why")),
        sa.CheckConstraint("state <> 'running' OR started_at IS NOT NULL", name=op.f("ck_run_running_has_time")),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_run_state")),
        sa.CheckConstraint("(snapshot_digest IS NULL) = (snapshot_at IS NULL)", name=op.f("ck_run_snapshot_has_time")),
        sa.CheckConstraint("attempt >= 0", name=op.f("ck_run_attempt_not_negative")),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name=op.f("ck_run_percent")),
        sa.CheckConstraint("solver_rounds >= 0", name=op.f("ck_run_solver_rounds_not_negative")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_run_round_id_round"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["started_by_id"], ["user_account.id"], name=op.f("fk_run_started_by_id_user_account"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("id", "round_id", name=op.f("uq_run_id_round_id")),
    )
    op.create_index(op.f("ix_run_round_id_created_at_id"), "run", ["round_id", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_run_state"), "run", ["state"], unique=False)
    op.create_index(
        "uq_run_one_open_per_round",
        "run",
        ["round_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_table(
        "bundle",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_bundle_run_id_run"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundle")),
        sa.UniqueConstraint("id", "run_id", name=op.f("uq_bundle_id_run_id")),
    )
    op.create_index(op.f("ix_bundle_run_id"), "bundle", ["run_id"], unique=False)
    op.create_table(
        "shadow_price",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("subject_kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=True),
        sa.Column("value", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.CheckConstraint(
            "subject_kind IN ('offer', 'hub', 'corridor', 'share', 'conversion')",
            name=op.f("ck_shadow_price_subject_kind"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_shadow_price_run_id_run"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_price")),
        sa.UniqueConstraint(
            "run_id",
            "subject_kind",
            "subject",
            "period",
            name=op.f("uq_shadow_price_run_id_subject_kind_subject_period"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "proposal",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("bundle_id", sa.Uuid(), nullable=False),
        sa.Column("sell_offer_id", sa.Uuid(), nullable=False),
        sa.Column("buy_offer_id", sa.Uuid(), nullable=False),
        sa.Column("seller_firm_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_firm_id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("grade_code", sa.Text(), nullable=False),
        sa.Column("first_period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("last_period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("price_ex_works", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("freight", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("price_delivered", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("total_value", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("index_value", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("surplus_seller", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("surplus_buyer", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("next_best", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("flags", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.String(length=40), server_default="proposed", nullable=False),
        sa.Column("terms", postgresql.JSONB(), nullable=True),
        sa.Column("terms_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seller_accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seller_accepted_by_id", sa.Uuid(), nullable=True),
        sa.Column("buyer_accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("buyer_accepted_by_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "state <> 'agreed' OR (seller_accepted_at IS NOT NULL AND buyer_accepted_at IS NOT NULL)",
            name=op.f("ck_proposal_agreed_by_both"),
        ),
        sa.CheckConstraint(
            "state <> 'released' OR expires_at IS NOT NULL", name=op.f("ck_proposal_released_has_expiry")
        ),
        sa.CheckConstraint(
            "state NOT IN ('released', 'accepted', 'countered', 'agreed') OR terms IS NOT NULL",
            name=op.f("ck_proposal_released_has_terms"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'under_review', 'released', 'accepted', 'countered', 'agreed', 'withheld', 'declined', 'expired', 'cancelled')",
            name=op.f("ck_proposal_state"),
        ),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_proposal_terms_hash")),
        sa.CheckConstraint(
            "buyer_accepted_by_id IS NULL OR buyer_accepted_at IS NOT NULL",
            name=op.f("ck_proposal_buyer_acceptance_has_time"),
        ),
        sa.CheckConstraint("first_period <= last_period", name=op.f("ck_proposal_window_ordered")),
        sa.CheckConstraint("freight >= 0", name=op.f("ck_proposal_freight_not_negative")),
        sa.CheckConstraint("price_delivered = price_ex_works + freight", name=op.f("ck_proposal_price_delivered")),
        sa.CheckConstraint("price_ex_works >= 0", name=op.f("ck_proposal_price_not_negative")),
        sa.CheckConstraint("rate > 0", name=op.f("ck_proposal_rate_positive")),
        sa.CheckConstraint(
            "seller_accepted_by_id IS NULL OR seller_accepted_at IS NOT NULL",
            name=op.f("ck_proposal_seller_acceptance_has_time"),
        ),
        sa.CheckConstraint("seller_firm_id <> buyer_firm_id", name=op.f("ck_proposal_two_firms")),
        sa.CheckConstraint("total_value >= 0", name=op.f("ck_proposal_total_value_not_negative")),
        sa.ForeignKeyConstraint(
            ["bundle_id", "run_id"],
            ["bundle.id", "bundle.run_id"],
            name=op.f("fk_proposal_bundle_id_run_id_bundle"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["buy_offer_id", "round_id", "buyer_firm_id"],
            ["offer.id", "offer.round_id", "offer.firm_id"],
            name=op.f("fk_proposal_buy_offer_id_round_id_buyer_firm_id_offer"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["buyer_accepted_by_id"],
            ["user_account.id"],
            name=op.f("fk_proposal_buyer_accepted_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["buyer_firm_id"], ["firm.id"], name=op.f("fk_proposal_buyer_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"],
            ["grade.product_code", "grade.code"],
            name=op.f("fk_proposal_product_code_grade_code_grade"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "first_period"],
            ["round_period.round_id", "round_period.period"],
            name=op.f("fk_proposal_round_id_first_period_round_period"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "last_period"],
            ["round_period.round_id", "round_period.period"],
            name=op.f("fk_proposal_round_id_last_period_round_period"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_proposal_round_id_round"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "round_id"],
            ["run.id", "run.round_id"],
            name=op.f("fk_proposal_run_id_round_id_run"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["sell_offer_id", "round_id", "seller_firm_id"],
            ["offer.id", "offer.round_id", "offer.firm_id"],
            name=op.f("fk_proposal_sell_offer_id_round_id_seller_firm_id_offer"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["seller_accepted_by_id"],
            ["user_account.id"],
            name=op.f("fk_proposal_seller_accepted_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["seller_firm_id"], ["firm.id"], name=op.f("fk_proposal_seller_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
        sa.UniqueConstraint(
            "id", "seller_firm_id", "buyer_firm_id", name=op.f("uq_proposal_id_seller_firm_id_buyer_firm_id")
        ),
        sa.UniqueConstraint(
            "run_id", "sell_offer_id", "buy_offer_id", "first_period", "last_period", name="uq_proposal_lane_and_window"
        ),
    )
    op.create_index(op.f("ix_proposal_bundle_id"), "proposal", ["bundle_id"], unique=False)
    op.create_index(op.f("ix_proposal_buy_offer_id"), "proposal", ["buy_offer_id"], unique=False)
    op.create_index(op.f("ix_proposal_buyer_firm_id_state"), "proposal", ["buyer_firm_id", "state"], unique=False)
    op.create_index(op.f("ix_proposal_created_at_id"), "proposal", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_proposal_run_id_state"), "proposal", ["run_id", "state"], unique=False)
    op.create_index(op.f("ix_proposal_sell_offer_id"), "proposal", ["sell_offer_id"], unique=False)
    op.create_index(op.f("ix_proposal_seller_firm_id_state"), "proposal", ["seller_firm_id", "state"], unique=False)
    op.create_index(op.f("ix_proposal_state_expires_at"), "proposal", ["state", "expires_at"], unique=False)
    op.create_table(
        "reservation",
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_reservation_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["offer_id", "period"],
            ["offer_period.offer_id", "offer_period.period"],
            name=op.f("fk_reservation_offer_id_period_offer_period"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposal.id"], name=op.f("fk_reservation_proposal_id_proposal"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("proposal_id", "offer_id", "period", name=op.f("pk_reservation")),
    )
    op.create_index(
        op.f("ix_reservation_offer_id_period"),
        "reservation",
        ["offer_id", "period"],
        unique=False,
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_table(
        "review_decision",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("action IN ('release', 'withhold')", name=op.f("ck_review_decision_action")),
        sa.CheckConstraint("step IN ('recommendation', 'decision')", name=op.f("ck_review_decision_step")),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposal.id"], name=op.f("fk_review_decision_proposal_id_proposal"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_review_decision_user_id_user_account"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_decision")),
        sa.UniqueConstraint(
            "proposal_id", "user_id", "action", name=op.f("uq_review_decision_proposal_id_user_id_action")
        ),
    )
    op.create_table(
        "run_result",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("offer_revision", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("distance", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("detail", postgresql.JSONB(), nullable=True),
        sa.Column("filled", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.CheckConstraint(
            "reason IN ('matched', 'partly_matched', 'out_of_the_money', 'no_eligible_lane', 'capacity_exhausted_pro_rata', 'limited_by_share', 'limited_by_corridor', 'limited_by_policy', 'input_not_available', 'paradoxically_rejected', 'withdrawn', 'invalid')",
            name=op.f("ck_run_result_reason"),
        ),
        sa.CheckConstraint("0 <= ALL (filled)", name=op.f("ck_run_result_filled_not_negative")),
        sa.CheckConstraint("distance >= 0", name=op.f("ck_run_result_distance_not_negative")),
        sa.ForeignKeyConstraint(
            ["offer_id", "offer_revision"],
            ["offer_revision.offer_id", "offer_revision.revision"],
            name=op.f("fk_run_result_offer_id_offer_revision_offer_revision"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offer.id"], name=op.f("fk_run_result_offer_id_offer"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_result_run_id_run"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("run_id", "offer_id", name=op.f("pk_run_result")),
    )
    op.create_index(op.f("ix_run_result_offer_id"), "run_result", ["offer_id"], unique=False)
    op.create_index(op.f("ix_run_result_run_id_reason"), "run_result", ["run_id", "reason"], unique=False)


def downgrade() -> None:
    op.drop_table("run_result")
    op.drop_table("review_decision")
    op.drop_table("reservation")
    op.drop_table("proposal")
    op.drop_table("shadow_price")
    op.drop_table("bundle")
    op.drop_table("run")
