"""Limits set by staff, origins, published hub prices, what-if."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SHADOW_KINDS_BEFORE = "subject_kind IN ('offer', 'hub', 'corridor', 'share', 'conversion')"
SHADOW_KINDS = "subject_kind IN ('offer', 'hub', 'corridor', 'share', 'conversion', 'ceiling', 'origin')"
TABLES = (
    "what_if",
    "published_price",
    "price_publication",
    "offer_origin",
    "supplier_approval",
    "origin_rule",
    "ceiling",
)

# A limit is ended, not rewritten: what held for a run stays readable. (table, columns that stay).
FROZEN = (
    ("ceiling", "round_id, product_code, firm_id, share, created_at"),
    (
        "origin_rule",
        "round_id, product_code, origin_country, to_region_code, period, limit_per_period, created_at",
    ),
    ("supplier_approval", "round_id, product_code, buyer_firm_id, supplier_firm_id, created_at"),
    ("price_publication", "round_id, run_id, published_at"),
    ("what_if", "round_id, run_id, kind, changes"),
)
ENDED_ONCE = (
    ("ceiling", "ended_at"),
    ("origin_rule", "ended_at"),
    ("supplier_approval", "ended_at"),
    ("price_publication", "withdrawn_at"),
)

LOT_FROZEN = """
CREATE FUNCTION keep_lot_of_origin_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM origin_rule WHERE product_code = NEW.code) THEN
        RAISE EXCEPTION 'origin rules of % are counted in lots of %', NEW.code, OLD.lot
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'product_lot_frozen', TABLE = 'product';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER product_lot_frozen_by_origin_rules BEFORE UPDATE OF lot ON product
    FOR EACH ROW WHEN (NEW.lot <> OLD.lot) EXECUTE FUNCTION keep_lot_of_origin_rules()
"""

ORIGIN_OF_DEMAND = """
CREATE FUNCTION keep_origins_to_demands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM offer WHERE id = NEW.offer_id AND kind = 'demand') THEN
        RAISE EXCEPTION 'offer % is no demand and takes no origin', NEW.offer_id USING
            ERRCODE = 'check_violation', CONSTRAINT = 'ck_offer_origin_of_demand', TABLE = 'offer_origin';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER offer_origin_of_demand BEFORE INSERT OR UPDATE OF offer_id ON offer_origin
    FOR EACH ROW EXECUTE FUNCTION keep_origins_to_demands()
"""

# Prices are published of a finished run, and of a round that everybody may know.
PUBLISHED_OF_FINISHED = """
CREATE FUNCTION keep_publications_of_finished_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM run JOIN round ON round.id = run.round_id
        WHERE run.id = NEW.run_id AND run.state = 'done' AND round.kind = 'nightly'
    ) THEN
        RAISE EXCEPTION 'run % is not a finished one of a nightly round', NEW.run_id USING
            ERRCODE = 'check_violation', CONSTRAINT = 'ck_price_publication_of_finished_run',
            TABLE = 'price_publication';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER price_publication_of_finished_run BEFORE INSERT ON price_publication
    FOR EACH ROW EXECUTE FUNCTION keep_publications_of_finished_runs()
"""
FUNCTIONS = ("keep_publications_of_finished_runs", "keep_origins_to_demands", "keep_lot_of_origin_rules")


def upgrade() -> None:
    _shadow_kinds(SHADOW_KINDS)
    op.add_column("offer", sa.Column("origin_country", sa.String(length=2), nullable=True))
    op.create_check_constraint(op.f("ck_offer_origin_country"), "offer", "origin_country ~ '^[A-Z]{2}$'")
    op.create_check_constraint(op.f("ck_offer_origin_of_supply"), "offer", "origin_country IS NULL OR kind <> 'demand'")
    _make_tables()
    _make_guards()


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}() CASCADE")
    for table in TABLES:
        op.drop_table(table)
    op.drop_constraint(op.f("ck_offer_origin_of_supply"), "offer", type_="check")
    op.drop_constraint(op.f("ck_offer_origin_country"), "offer", type_="check")
    op.drop_column("offer", "origin_country")
    op.execute("DELETE FROM shadow_price WHERE subject_kind IN ('ceiling', 'origin')")
    _shadow_kinds(SHADOW_KINDS_BEFORE)


def _shadow_kinds(condition: str) -> None:
    op.drop_constraint(op.f("ck_shadow_price_subject_kind"), "shadow_price", type_="check")
    op.create_check_constraint(op.f("ck_shadow_price_subject_kind"), "shadow_price", condition)


def _make_guards() -> None:
    def run(script: str) -> None:
        # Sent as it is: without parameters a per cent sign is one, and a script may hold several statements.
        op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})

    for table, columns in FROZEN:
        listed = columns.split(", ")
        before, after = (", ".join(f"{row}.{column}" for column in listed) for row in ("OLD", "NEW"))
        run(
            f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OF {columns} ON {table} FOR EACH ROW"
            f" WHEN (({before}) IS DISTINCT FROM ({after})) EXECUTE FUNCTION refuse_change()"
        )
    for table, column in ENDED_ONCE:
        run(
            f"CREATE TRIGGER {table}_ended_once BEFORE UPDATE OF {column} ON {table} FOR EACH ROW"
            f" WHEN (OLD.{column} IS NOT NULL AND NEW.{column} IS DISTINCT FROM OLD.{column})"
            " EXECUTE FUNCTION refuse_change()"
        )
        run(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    run(
        "CREATE TRIGGER published_price_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON published_price"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    for script in (LOT_FROZEN, ORIGIN_OF_DEMAND, PUBLISHED_OF_FINISHED):
        run(script)


def _make_tables() -> None:
    op.create_table(
        "ceiling",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=True),
        sa.Column("share", sa.Numeric(precision=7, scale=6), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("ended_at >= created_at", name=op.f("ck_ceiling_end_ordered")),
        sa.CheckConstraint("ended_by_id IS NULL OR ended_at IS NOT NULL", name=op.f("ck_ceiling_end_has_time")),
        sa.CheckConstraint("share >= 0 AND share <= 1", name=op.f("ck_ceiling_share")),
        sa.ForeignKeyConstraint(
            ["created_by_id"],
            ["user_account.id"],
            name=op.f("fk_ceiling_created_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["ended_by_id"], ["user_account.id"], name=op.f("fk_ceiling_ended_by_id_user_account"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["firm_id"], ["firm.id"], name=op.f("fk_ceiling_firm_id_firm"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["product_code"], ["product.code"], name=op.f("fk_ceiling_product_code_product"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_ceiling_round_id_round"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ceiling")),
    )
    op.create_index(op.f("ix_ceiling_round_id"), "ceiling", ["round_id"], unique=False)
    op.create_index(
        "uq_ceiling_one_that_holds",
        "ceiling",
        ["round_id", "product_code", "firm_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "origin_rule",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("origin_country", sa.String(length=2), nullable=False),
        sa.Column("to_region_code", sa.Text(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=True),
        sa.Column("limit_per_period", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("origin_country ~ '^[A-Z]{2}$'", name=op.f("ck_origin_rule_origin_country")),
        sa.CheckConstraint("ended_at >= created_at", name=op.f("ck_origin_rule_end_ordered")),
        sa.CheckConstraint("ended_by_id IS NULL OR ended_at IS NOT NULL", name=op.f("ck_origin_rule_end_has_time")),
        sa.CheckConstraint("limit_per_period >= 0", name=op.f("ck_origin_rule_limit_not_negative")),
        sa.ForeignKeyConstraint(
            ["created_by_id"],
            ["user_account.id"],
            name=op.f("fk_origin_rule_created_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["ended_by_id"],
            ["user_account.id"],
            name=op.f("fk_origin_rule_ended_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["product_code"], ["product.code"], name=op.f("fk_origin_rule_product_code_product"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "period"],
            ["round_period.round_id", "round_period.period"],
            name=op.f("fk_origin_rule_round_id_period_round_period"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_origin_rule_round_id_round"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["to_region_code"], ["region.code"], name=op.f("fk_origin_rule_to_region_code_region"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_origin_rule")),
    )
    op.create_index(op.f("ix_origin_rule_round_id"), "origin_rule", ["round_id"], unique=False)
    op.create_index(
        "uq_origin_rule_one_that_holds",
        "origin_rule",
        ["round_id", "product_code", "origin_country", "to_region_code", "period"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "supplier_approval",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("buyer_firm_id", sa.Uuid(), nullable=False),
        sa.Column("supplier_firm_id", sa.Uuid(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("buyer_firm_id <> supplier_firm_id", name=op.f("ck_supplier_approval_two_firms")),
        sa.CheckConstraint("ended_at >= created_at", name=op.f("ck_supplier_approval_end_ordered")),
        sa.CheckConstraint(
            "ended_by_id IS NULL OR ended_at IS NOT NULL", name=op.f("ck_supplier_approval_end_has_time")
        ),
        sa.ForeignKeyConstraint(
            ["buyer_firm_id"], ["firm.id"], name=op.f("fk_supplier_approval_buyer_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"],
            ["user_account.id"],
            name=op.f("fk_supplier_approval_created_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["ended_by_id"],
            ["user_account.id"],
            name=op.f("fk_supplier_approval_ended_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["product_code"],
            ["product.code"],
            name=op.f("fk_supplier_approval_product_code_product"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_supplier_approval_round_id_round"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["supplier_firm_id"],
            ["firm.id"],
            name=op.f("fk_supplier_approval_supplier_firm_id_firm"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplier_approval")),
    )
    op.create_index(op.f("ix_supplier_approval_round_id"), "supplier_approval", ["round_id"], unique=False)
    op.create_index(
        "uq_supplier_approval_one_that_holds",
        "supplier_approval",
        ["round_id", "buyer_firm_id", "product_code", "supplier_firm_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "offer_origin",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("ck_offer_origin_country")),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offer.id"], name=op.f("fk_offer_origin_offer_id_offer"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("offer_id", "country", name=op.f("pk_offer_origin")),
    )
    op.create_table(
        "price_publication",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_by_id", sa.Uuid(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("withdrawn_at >= published_at", name=op.f("ck_price_publication_end_ordered")),
        sa.CheckConstraint(
            "withdrawn_by_id IS NULL OR withdrawn_at IS NOT NULL", name=op.f("ck_price_publication_end_has_time")
        ),
        sa.ForeignKeyConstraint(
            ["published_by_id"],
            ["user_account.id"],
            name=op.f("fk_price_publication_published_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_price_publication_round_id_round"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "round_id"],
            ["run.id", "run.round_id"],
            name=op.f("fk_price_publication_run_id_round_id_run"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["withdrawn_by_id"],
            ["user_account.id"],
            name=op.f("fk_price_publication_withdrawn_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_publication")),
        sa.UniqueConstraint("id", "round_id", name=op.f("uq_price_publication_id_round_id")),
    )
    op.create_index(
        op.f("ix_price_publication_published_at_id"), "price_publication", ["published_at", "id"], unique=False
    )
    op.create_index(
        "uq_price_publication_one_per_round",
        "price_publication",
        ["round_id"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "published_price",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("publication_id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("grade_code", sa.Text(), nullable=False),
        sa.Column("region_code", sa.Text(), nullable=True),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("price", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("firms", sa.Integer(), nullable=False),
        sa.CheckConstraint("firms >= 5", name=op.f("ck_published_price_enough_firms")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_published_price_price_not_negative")),
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"],
            ["grade.product_code", "grade.code"],
            name=op.f("fk_published_price_product_code_grade_code_grade"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["publication_id", "round_id"],
            ["price_publication.id", "price_publication.round_id"],
            name=op.f("fk_published_price_publication_id_round_id_price_publication"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["region_code"], ["region.code"], name=op.f("fk_published_price_region_code_region"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["round_id", "period"],
            ["round_period.round_id", "round_period.period"],
            name=op.f("fk_published_price_round_id_period_round_period"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_published_price")),
        sa.UniqueConstraint(
            "publication_id",
            "product_code",
            "grade_code",
            "region_code",
            "period",
            name="uq_published_price_line",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "what_if",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.String(length=40),
            nullable=False,
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("changes", postgresql.JSONB(), nullable=False),
        sa.Column(
            "state",
            sa.String(length=40),
            server_default="queued",
            nullable=False,
        ),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("percent", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("attempt", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("same_offers", sa.Boolean(), nullable=True),
        sa.Column("created_by_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint(
            "(kind = 'scenario') = (changes <> '[]'::jsonb)", name=op.f("ck_what_if_scenario_has_changes")
        ),
        sa.CheckConstraint("(state = 'done') = (result IS NOT NULL)", name=op.f("ck_what_if_done_has_result")),
        sa.CheckConstraint(
            "(state IN ('done', 'failed')) = (finished_at IS NOT NULL)", name=op.f("ck_what_if_finished_has_time")
        ),
        sa.CheckConstraint("jsonb_typeof(changes) = 'array'", name=op.f("ck_what_if_changes")),
        sa.CheckConstraint("state <> 'cancelled'", name=op.f("ck_what_if_not_cancelled")),
        sa.CheckConstraint("state <> 'failed' OR error IS NOT NULL", name=op.f("ck_what_if_failed_says_why")),
        sa.CheckConstraint("state <> 'running' OR started_at IS NOT NULL", name=op.f("ck_what_if_running_has_time")),
        sa.CheckConstraint("attempt >= 0", name=op.f("ck_what_if_attempt_not_negative")),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name=op.f("ck_what_if_percent")),
        sa.CheckConstraint("kind IN ('scenario', 'criticality')", name=op.f("ck_what_if_kind")),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_what_if_state")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"],
            ["user_account.id"],
            name=op.f("fk_what_if_created_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_what_if_round_id_round"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "round_id"],
            ["run.id", "run.round_id"],
            name=op.f("fk_what_if_run_id_round_id_run"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_what_if")),
    )
    op.create_index(op.f("ix_what_if_created_at_id"), "what_if", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_what_if_run_id"), "what_if", ["run_id"], unique=False)
