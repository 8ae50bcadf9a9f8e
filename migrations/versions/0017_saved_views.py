"""Saved views, prices by formula on a round's forward curve, changes of reference data, files worked through by a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = ("reference_change", "forward_price", "saved_view")
FORMULA = ("index_code", "index_factor", "index_premium", "price_floor", "price_ceiling")
OFFER_CHECKS = {
    "formula_whole": (
        "num_nulls(index_code, index_factor, index_premium) IN (0, 3)"
        " AND (index_code IS NOT NULL OR num_nonnulls(price_floor, price_ceiling) = 0)"
    ),
    "index_factor_positive": "index_factor > 0",
    "collar_ordered": "price_floor >= 0 AND price_floor <= price_ceiling",
    "formula_in_cny": "index_code IS NULL OR currency = 'CNY'",
}
IMPORT_CHECKS = {
    "failed_says_why": "state <> 'failed' OR error IS NOT NULL",
    "open_has_content": "state IN ('done', 'failed') OR content IS NOT NULL",
    "checked_count_not_negative": "checked_count >= 0",
    "attempt_not_negative": "attempt >= 0",
}


# The orders of long lists: table, name, columns, and which rows.
WAITING = "state IN ('proposed', 'under_review')"
RECOMMENDED = "name IN ('proposal.recommend_release', 'proposal.recommend_withhold')"
INDEXES = (
    ("offer", "ix_offer_firm_id_created_at_id", ["firm_id", "created_at", "id"], None),
    ("proposal", "ix_proposal_waiting_by_value", ["total_value", "id"], WAITING),
    ("proposal", "ix_proposal_waiting_by_product", ["product_code", "id"], WAITING),
    ("proposal", "ix_proposal_state_total_value_id", ["state", "total_value", "id"], None),
    ("event", "ix_event_recommendation", ["subject_id"], RECOMMENDED),
)


def upgrade() -> None:
    for table, name, columns, condition in INDEXES:
        where = None if condition is None else sa.text(condition)
        op.create_index(op.f(name), table, columns, unique=False, postgresql_where=where)
    op.add_column("offer", sa.Column("index_code", sa.Text(), nullable=True))
    op.add_column("offer", sa.Column("index_factor", sa.Numeric(precision=18, scale=9), nullable=True))
    for name in FORMULA[2:]:
        op.add_column("offer", sa.Column(name, sa.Numeric(precision=20, scale=6), nullable=True))
    op.create_foreign_key(
        op.f("fk_offer_index_code_market_index"), "offer", "market_index", ["index_code"], ["code"], ondelete="RESTRICT"
    )
    op.create_index(op.f("ix_offer_index_code"), "offer", ["index_code"], unique=False)
    for name, condition in OFFER_CHECKS.items():
        op.create_check_constraint(op.f(f"ck_offer_{name}"), "offer", condition)
    op.add_column("offer_import", sa.Column("checked_count", sa.Integer(), server_default="0", nullable=False))
    op.add_column("offer_import", sa.Column("attempt", sa.SmallInteger(), server_default="0", nullable=False))
    for name, condition in IMPORT_CHECKS.items():
        op.create_check_constraint(op.f(f"ck_offer_import_{name}"), "offer_import", condition)
    _make_tables()
    op.execute(
        "CREATE TRIGGER reference_change_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reference_change"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    for table, name, _columns, _condition in INDEXES:
        op.drop_index(op.f(name), table_name=table)
    for table in TABLES:
        op.drop_table(table)
    for name in IMPORT_CHECKS:
        op.drop_constraint(op.f(f"ck_offer_import_{name}"), "offer_import", type_="check")
    op.drop_column("offer_import", "attempt")
    op.drop_column("offer_import", "checked_count")
    for name in OFFER_CHECKS:
        op.drop_constraint(op.f(f"ck_offer_{name}"), "offer", type_="check")
    op.drop_index(op.f("ix_offer_index_code"), table_name="offer")
    op.drop_constraint(op.f("fk_offer_index_code_market_index"), "offer", type_="foreignkey")
    for name in reversed(FORMULA):
        op.drop_column("offer", name)


def _make_tables() -> None:
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("list_name", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("arguments", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 60", name=op.f("ck_saved_view_name_length")),
        sa.CheckConstraint("jsonb_typeof(arguments) = 'object'", name=op.f("ck_saved_view_arguments")),
        sa.CheckConstraint("list_name IN ('review')", name=op.f("ck_saved_view_list_name")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_saved_view_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("user_id", "list_name", "name", name=op.f("uq_saved_view_user_id_list_name_name")),
    )
    op.create_table(
        "forward_price",
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("index_code", sa.Text(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("value", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("entered_by_id", sa.Uuid(), nullable=True),
        sa.Column("entered_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("value > 0", name=op.f("ck_forward_price_value_positive")),
        sa.ForeignKeyConstraint(
            ["entered_by_id"],
            ["user_account.id"],
            name=op.f("fk_forward_price_entered_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["index_code"],
            ["market_index.code"],
            name=op.f("fk_forward_price_index_code_market_index"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_forward_price_round_id_round"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "period"],
            ["round_period.round_id", "round_period.period"],
            name=op.f("fk_forward_price_round_id_period_round_period"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("round_id", "index_code", "period", name=op.f("pk_forward_price")),
    )
    op.create_index(op.f("ix_forward_price_index_code"), "forward_price", ["index_code"], unique=False)
    op.create_table(
        "reference_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("jsonb_typeof(after) = 'object'", name=op.f("ck_reference_change_after")),
        sa.CheckConstraint(
            "before IS NULL OR jsonb_typeof(before) = 'object'", name=op.f("ck_reference_change_before")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_reference_change_user_id_user_account"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_change")),
    )
    op.create_index(
        op.f("ix_reference_change_table_name_row_key_id"),
        "reference_change",
        ["table_name", "row_key", "id"],
        unique=False,
    )
