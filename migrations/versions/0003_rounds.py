"""Rounds: horizon, windows, guests, limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "round",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("period_kind", sa.String(length=40), server_default="quarter", nullable=False),
        sa.Column("first_period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("period_count", sa.SmallInteger(), nullable=False),
        sa.Column("windows", sa.String(length=40), server_default="all", nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=40), server_default="draft", nullable=False),
        sa.Column("proposal_days", sa.SmallInteger(), server_default="7", nullable=False),
        sa.Column("review_threshold", sa.Numeric(precision=18, scale=2), server_default="0", nullable=False),
        sa.Column("discount_rate", sa.Numeric(precision=7, scale=6), server_default="0", nullable=False),
        sa.Column("currency_rates", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "first_period ~ CASE period_kind WHEN 'month' THEN '^[0-9]{4}-(0[1-9]|1[0-2])$' WHEN 'quarter' THEN '^[0-9]{4}-Q[1-4]$' ELSE '^[0-9]{4}$' END",
            name=op.f("ck_round_first_period"),
        ),
        sa.CheckConstraint("jsonb_typeof(currency_rates) = 'object'", name=op.f("ck_round_currency_rates")),
        sa.CheckConstraint("kind IN ('nightly', 'docking')", name=op.f("ck_round_kind")),
        sa.CheckConstraint("period_kind IN ('month', 'quarter', 'year')", name=op.f("ck_round_period_kind")),
        sa.CheckConstraint("state IN ('draft', 'open', 'closed', 'settled')", name=op.f("ck_round_state")),
        sa.CheckConstraint("windows IN ('all', 'ladder')", name=op.f("ck_round_windows")),
        sa.CheckConstraint("discount_rate >= 0 AND discount_rate < 1", name=op.f("ck_round_discount_rate")),
        sa.CheckConstraint("opens_at < closes_at", name=op.f("ck_round_opening_ordered")),
        sa.CheckConstraint("period_count BETWEEN 1 AND 120", name=op.f("ck_round_period_count")),
        sa.CheckConstraint("proposal_days BETWEEN 1 AND 90", name=op.f("ck_round_proposal_days")),
        sa.CheckConstraint("review_threshold >= 0", name=op.f("ck_round_review_threshold_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round")),
        sa.UniqueConstraint("code", name=op.f("uq_round_code")),
    )
    op.create_index(op.f("ix_round_state_closes_at"), "round", ["state", "closes_at"], unique=False)
    op.create_table(
        "round_invitation",
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("invited_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id"], ["firm.id"], name=op.f("fk_round_invitation_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_round_invitation_round_id_round"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("round_id", "firm_id", name=op.f("pk_round_invitation")),
    )
    op.create_index(op.f("ix_round_invitation_firm_id"), "round_invitation", ["firm_id"], unique=False)
    op.create_table(
        "round_period",
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("period ~ '^[0-9]{4}(-(Q[1-4]|0[1-9]|1[0-2]))?$'", name=op.f("ck_round_period_period")),
        sa.CheckConstraint("position >= 0", name=op.f("ck_round_period_position_not_negative")),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_round_period_round_id_round"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("round_id", "period", name=op.f("pk_round_period")),
        sa.UniqueConstraint("round_id", "position", name=op.f("uq_round_period_round_id_position")),
    )
    op.create_table(
        "corridor",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("from_region_code", sa.Text(), nullable=False),
        sa.Column("to_region_code", sa.Text(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=True),
        sa.Column("limit_per_period", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("limit_per_period >= 0", name=op.f("ck_corridor_limit_not_negative")),
        sa.ForeignKeyConstraint(
            ["from_region_code"], ["region.code"], name=op.f("fk_corridor_from_region_code_region"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["product_code"], ["product.code"], name=op.f("fk_corridor_product_code_product"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "period"],
            ["round_period.round_id", "round_period.period"],
            name=op.f("fk_corridor_round_id_period_round_period"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_corridor_round_id_round"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["to_region_code"], ["region.code"], name=op.f("fk_corridor_to_region_code_region"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corridor")),
        sa.UniqueConstraint(
            "round_id",
            "product_code",
            "from_region_code",
            "to_region_code",
            "period",
            name="uq_corridor_line",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "round_window",
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("first_period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("last_period", sa.String(length=7, collation="C"), nullable=False),
        sa.CheckConstraint("first_period <= last_period", name=op.f("ck_round_window_window_ordered")),
        sa.ForeignKeyConstraint(
            ["round_id", "first_period"],
            ["round_period.round_id", "round_period.period"],
            name=op.f("fk_round_window_round_id_first_period_round_period"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "last_period"],
            ["round_period.round_id", "round_period.period"],
            name=op.f("fk_round_window_round_id_last_period_round_period"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_round_window_round_id_round"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("round_id", "first_period", "last_period", name=op.f("pk_round_window")),
    )


def downgrade() -> None:
    op.drop_table("round_window")
    op.drop_table("corridor")
    op.drop_table("round_period")
    op.drop_table("round_invitation")
    op.drop_table("round")
