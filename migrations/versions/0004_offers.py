"""Offers with their parts and versions, files of offers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "offer",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("grade_code", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), server_default="draft", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("last_period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("price", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("currency", sa.String(length=3), server_default="CNY", nullable=False),
        sa.Column("basis", sa.String(length=40), server_default="ex_works", nullable=False),
        sa.Column("min_term", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("max_term", sa.SmallInteger(), nullable=True),
        sa.Column("min_rate", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("all_or_none", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("max_share", sa.Numeric(precision=7, scale=6), nullable=True),
        sa.Column("group_label", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posted_by_id", sa.Uuid(), nullable=True),
        sa.Column("posted_by_key_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("basis IN ('ex_works', 'delivered')", name=op.f("ck_offer_basis")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_offer_currency")),
        sa.CheckConstraint("kind <> 'conversion' OR basis = 'ex_works'", name=op.f("ck_offer_conversion_ex_works")),
        sa.CheckConstraint("kind IN ('capacity', 'demand', 'conversion')", name=op.f("ck_offer_kind")),
        sa.CheckConstraint("max_share IS NULL OR kind = 'demand'", name=op.f("ck_offer_max_share_of_demand")),
        sa.CheckConstraint("state = 'draft' OR posted_at IS NOT NULL", name=op.f("ck_offer_posted_has_time")),
        sa.CheckConstraint("state IN ('draft', 'open', 'withdrawn', 'expired')", name=op.f("ck_offer_state")),
        sa.CheckConstraint("first_period <= last_period", name=op.f("ck_offer_window_ordered")),
        sa.CheckConstraint("max_share > 0 AND max_share <= 1", name=op.f("ck_offer_max_share")),
        sa.CheckConstraint("min_rate >= 0", name=op.f("ck_offer_min_rate_not_negative")),
        sa.CheckConstraint("min_term <= max_term", name=op.f("ck_offer_terms_ordered")),
        sa.CheckConstraint("min_term >= 1", name=op.f("ck_offer_min_term_positive")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_offer_price_not_negative")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_offer_revision_positive")),
        sa.ForeignKeyConstraint(["firm_id"], ["firm.id"], name=op.f("fk_offer_firm_id_firm"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["posted_by_id"], ["user_account.id"], name=op.f("fk_offer_posted_by_id_user_account"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["posted_by_key_id"], ["api_key.id"], name=op.f("fk_offer_posted_by_key_id_api_key"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"],
            ["grade.product_code", "grade.code"],
            name=op.f("fk_offer_product_code_grade_code_grade"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "first_period"],
            ["round_period.round_id", "round_period.period"],
            name=op.f("fk_offer_round_id_first_period_round_period"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "last_period"],
            ["round_period.round_id", "round_period.period"],
            name=op.f("fk_offer_round_id_last_period_round_period"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_offer_round_id_round"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["site_id", "firm_id"],
            ["site.id", "site.firm_id"],
            name=op.f("fk_offer_site_id_firm_id_site"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
        sa.UniqueConstraint("id", "product_code", name=op.f("uq_offer_id_product_code")),
        sa.UniqueConstraint("id", "round_id", "firm_id", name=op.f("uq_offer_id_round_id_firm_id")),
        sa.UniqueConstraint("id", "round_id", name=op.f("uq_offer_id_round_id")),
    )
    op.create_index(op.f("ix_offer_created_at_id"), "offer", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_offer_firm_id_state"), "offer", ["firm_id", "state"], unique=False)
    op.create_index(
        op.f("ix_offer_round_id_state_product_code"), "offer", ["round_id", "state", "product_code"], unique=False
    )
    op.create_index(
        "uq_offer_firm_id_round_id_reference",
        "offer",
        ["firm_id", "round_id", "reference"],
        unique=True,
        postgresql_where=sa.text("state IN ('draft', 'open')"),
    )
    op.create_table(
        "offer_import",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("uploaded_by_id", sa.Uuid(), nullable=True),
        sa.Column("uploaded_by_key_id", sa.Uuid(), nullable=True),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("partial", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.String(length=40), server_default="queued", nullable=False),
        sa.Column("row_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("accepted_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rejected_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state IN ('done', 'failed')) = (finished_at IS NOT NULL)", name=op.f("ck_offer_import_finished_has_time")
        ),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_offer_import_sha256")),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_offer_import_state")),
        sa.CheckConstraint("accepted_count + rejected_count <= row_count", name=op.f("ck_offer_import_totals")),
        sa.CheckConstraint("accepted_count >= 0", name=op.f("ck_offer_import_accepted_count_not_negative")),
        sa.CheckConstraint("rejected_count >= 0", name=op.f("ck_offer_import_rejected_count_not_negative")),
        sa.CheckConstraint("row_count >= 0", name=op.f("ck_offer_import_row_count_not_negative")),
        sa.ForeignKeyConstraint(
            ["firm_id"], ["firm.id"], name=op.f("fk_offer_import_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_offer_import_round_id_round"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["uploaded_by_id"],
            ["user_account.id"],
            name=op.f("fk_offer_import_uploaded_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["uploaded_by_key_id"],
            ["api_key.id"],
            name=op.f("fk_offer_import_uploaded_by_key_id_api_key"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer_import")),
    )
    op.create_index(
        op.f("ix_offer_import_firm_id_created_at_id"), "offer_import", ["firm_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "conversion_input",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("grade_code", sa.Text(), nullable=False),
        sa.Column("quantity_per_output", sa.Numeric(precision=18, scale=9), nullable=False),
        sa.Column("own_stock_per_period", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("own_stock_per_period >= 0", name=op.f("ck_conversion_input_own_stock_not_negative")),
        sa.CheckConstraint("quantity_per_output > 0", name=op.f("ck_conversion_input_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offer.id"], name=op.f("fk_conversion_input_offer_id_offer"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"],
            ["grade.product_code", "grade.code"],
            name=op.f("fk_conversion_input_product_code_grade_code_grade"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("offer_id", "product_code", "grade_code", name=op.f("pk_conversion_input")),
    )
    op.create_table(
        "offer_approved_supplier",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id"], ["firm.id"], name=op.f("fk_offer_approved_supplier_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offer.id"], name=op.f("fk_offer_approved_supplier_offer_id_offer"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("offer_id", "firm_id", name=op.f("pk_offer_approved_supplier")),
    )
    op.create_index(op.f("ix_offer_approved_supplier_firm_id"), "offer_approved_supplier", ["firm_id"], unique=False)
    op.create_table(
        "offer_certificate",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("kind_code", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["kind_code"],
            ["certificate_kind.code"],
            name=op.f("fk_offer_certificate_kind_code_certificate_kind"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offer.id"], name=op.f("fk_offer_certificate_offer_id_offer"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("offer_id", "kind_code", name=op.f("pk_offer_certificate")),
    )
    op.create_table(
        "offer_exclusion",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id"], ["firm.id"], name=op.f("fk_offer_exclusion_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offer.id"], name=op.f("fk_offer_exclusion_offer_id_offer"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("offer_id", "firm_id", name=op.f("pk_offer_exclusion")),
    )
    op.create_index(op.f("ix_offer_exclusion_firm_id"), "offer_exclusion", ["firm_id"], unique=False)
    op.create_table(
        "offer_import_row",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("column", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=True),
        sa.Column("found", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("params", postgresql.JSONB(), nullable=True),
        sa.Column("expected", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome = 'accepted' OR (found IS NOT NULL AND expected IS NOT NULL)",
            name=op.f("ck_offer_import_row_rejected_says_why"),
        ),
        sa.CheckConstraint(
            "outcome = 'accepted' OR offer_id IS NULL", name=op.f("ck_offer_import_row_offer_of_accepted")
        ),
        sa.CheckConstraint("outcome IN ('accepted', 'rejected')", name=op.f("ck_offer_import_row_outcome")),
        sa.CheckConstraint("row >= 1", name=op.f("ck_offer_import_row_row_positive")),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["offer_import.id"],
            name=op.f("fk_offer_import_row_import_id_offer_import"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offer.id"], name=op.f("fk_offer_import_row_offer_id_offer"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer_import_row")),
        sa.UniqueConstraint(
            "import_id",
            "sheet",
            "row",
            "column",
            name=op.f("uq_offer_import_row_import_id_sheet_row_column"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(op.f("ix_offer_import_row_offer_id"), "offer_import_row", ["offer_id"], unique=False)
    op.create_table(
        "offer_period",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("reserved", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("price >= 0", name=op.f("ck_offer_period_price_not_negative")),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_offer_period_quantity_not_negative")),
        sa.CheckConstraint("reserved <= quantity", name=op.f("ck_offer_period_reserved_within_quantity")),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_offer_period_reserved_not_negative")),
        sa.ForeignKeyConstraint(
            ["offer_id", "round_id"],
            ["offer.id", "offer.round_id"],
            name=op.f("fk_offer_period_offer_id_round_id_offer"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "period"],
            ["round_period.round_id", "round_period.period"],
            name=op.f("fk_offer_period_round_id_period_round_period"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("offer_id", "period", name=op.f("pk_offer_period")),
    )
    op.create_table(
        "offer_revision",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("changed_by_id", sa.Uuid(), nullable=True),
        sa.Column("changed_by_key_id", sa.Uuid(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(changed_by_id, changed_by_key_id) <= 1", name=op.f("ck_offer_revision_one_author")
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_offer_revision_revision_positive")),
        sa.ForeignKeyConstraint(
            ["changed_by_id"],
            ["user_account.id"],
            name=op.f("fk_offer_revision_changed_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["changed_by_key_id"],
            ["api_key.id"],
            name=op.f("fk_offer_revision_changed_by_key_id_api_key"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offer.id"], name=op.f("fk_offer_revision_offer_id_offer"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("offer_id", "revision", name=op.f("pk_offer_revision")),
    )
    op.create_table(
        "offer_specification",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("attribute_code", sa.Text(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("value", sa.Numeric(precision=18, scale=9), nullable=False),
        sa.ForeignKeyConstraint(
            ["offer_id", "product_code"],
            ["offer.id", "offer.product_code"],
            name=op.f("fk_offer_specification_offer_id_product_code_offer"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["product_code", "attribute_code"],
            ["attribute.product_code", "attribute.code"],
            name=op.f("fk_offer_specification_product_code_attribute_code_attribute"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("offer_id", "attribute_code", name=op.f("pk_offer_specification")),
    )


def downgrade() -> None:
    op.drop_table("offer_specification")
    op.drop_table("offer_revision")
    op.drop_table("offer_period")
    op.drop_table("offer_import_row")
    op.drop_table("offer_exclusion")
    op.drop_table("offer_certificate")
    op.drop_table("offer_approved_supplier")
    op.drop_table("conversion_input")
    op.drop_table("offer_import")
    op.drop_table("offer")
