"""Index fixings, invoices and statements."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

APPEND_ONLY = ("index_fixing", "invoice", "invoice_line", "invoice_consignment", "payment", "year_statement")

# Numbers follow each other: nothing is left out, and nothing comes twice.
FIXING_FOLLOWS = """
CREATE FUNCTION keep_fixings_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.revision <> 1 + (
        SELECT coalesce(max(revision), 0) FROM index_fixing WHERE index_code = NEW.index_code AND day = NEW.day
    ) THEN
        RAISE EXCEPTION 'revision % of % on % does not follow the one before', NEW.revision, NEW.index_code, NEW.day
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_index_fixing_revision_follows', TABLE = 'index_fixing';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER index_fixing_revision_follows BEFORE INSERT ON index_fixing
    FOR EACH ROW EXECUTE FUNCTION keep_fixings_in_order()
"""
# The lock on the contract makes two that issue at once wait for each other; the second is refused and asks again.
NUMBER_FOLLOWS = """
CREATE FUNCTION keep_invoice_numbers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM contract WHERE id = NEW.contract_id FOR NO KEY UPDATE;
    IF NEW.number <> 1 + (SELECT coalesce(max(number), 0) FROM invoice WHERE contract_id = NEW.contract_id) THEN
        RAISE EXCEPTION 'invoice % does not follow the one before', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_invoice_number_follows', TABLE = 'invoice';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_number_follows BEFORE INSERT ON invoice
    FOR EACH ROW EXECUTE FUNCTION keep_invoice_numbers()
"""
STATEMENT_FOLLOWS = """
CREATE FUNCTION keep_statements_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM contract WHERE id = NEW.contract_id FOR NO KEY UPDATE;
    IF NEW.revision <> 1 + (
        SELECT coalesce(max(revision), 0) FROM year_statement WHERE contract_id = NEW.contract_id AND year = NEW.year
    ) THEN
        RAISE EXCEPTION 'revision % of the statement of % does not follow the one before', NEW.revision, NEW.year USING
            ERRCODE = 'check_violation', CONSTRAINT = 'ck_year_statement_revision_follows', TABLE = 'year_statement';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER year_statement_revision_follows BEFORE INSERT ON year_statement
    FOR EACH ROW EXECUTE FUNCTION keep_statements_in_order()
"""
# Checked at the end of the transaction: the lines come after their invoice.
LINES_SUM_UP = """
CREATE FUNCTION keep_lines_and_sum() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE about uuid := CASE TG_TABLE_NAME WHEN 'invoice' THEN to_jsonb(NEW)->>'id' ELSE to_jsonb(NEW)->>'invoice_id' END;
BEGIN
    IF NOT EXISTS (
        SELECT FROM invoice
        WHERE id = about AND net = (SELECT sum(invoice_line.net) FROM invoice_line WHERE invoice_id = about)
    ) THEN
        RAISE EXCEPTION 'the lines of invoice % do not make up its sum', about
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_invoice_lines_sum_up', TABLE = 'invoice';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER invoice_lines_sum_up AFTER INSERT ON invoice
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_lines_and_sum();
CREATE CONSTRAINT TRIGGER invoice_line_sums_up AFTER INSERT ON invoice_line
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_lines_and_sum()
"""
PAID_WITHIN = """
CREATE FUNCTION keep_payments_within() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE asked numeric;
BEGIN
    SELECT abs(gross) INTO asked FROM invoice WHERE id = NEW.invoice_id FOR NO KEY UPDATE;
    IF (SELECT coalesce(sum(amount), 0) FROM payment WHERE invoice_id = NEW.invoice_id) + NEW.amount > asked THEN
        RAISE EXCEPTION 'more is paid than the invoice asks for'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_payment_within_invoice', TABLE = 'payment';
    END IF;
    IF NEW.reverses_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM payment WHERE id = NEW.reverses_id AND invoice_id = NEW.invoice_id AND amount = -NEW.amount
    ) THEN
        RAISE EXCEPTION 'a reversal takes back one payment of its invoice as a whole'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_payment_reversal_whole', TABLE = 'payment';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_within_invoice BEFORE INSERT ON payment
    FOR EACH ROW EXECUTE FUNCTION keep_payments_within()
"""
GUARDS = (FIXING_FOLLOWS, NUMBER_FOLLOWS, STATEMENT_FOLLOWS, LINES_SUM_UP, PAID_WITHIN)
FUNCTIONS = (
    "keep_payments_within",
    "keep_lines_and_sum",
    "keep_statements_in_order",
    "keep_invoice_numbers",
    "keep_fixings_in_order",
)


def upgrade() -> None:
    _create_tables()
    for table in APPEND_ONLY:
        _run(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for script in GUARDS:
        _run(script)


def downgrade() -> None:
    for function in FUNCTIONS:  # each takes its triggers along
        op.execute(f"DROP FUNCTION {function}() CASCADE")
    for table in ("year_statement", "payment", "invoice_consignment", "invoice_line", "invoice", "index_fixing"):
        op.drop_table(table)


def _run(script: str) -> None:
    # Sent as it is: without parameters a per cent sign is one, and a script may hold several statements.
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def _create_tables() -> None:
    op.create_table(
        "index_fixing",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("index_code", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("revision", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Numeric(20, 6), nullable=True),
        sa.Column("quoted_tax", sa.Numeric(7, 6), server_default="0", nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("loaded_by_id", sa.Uuid(), nullable=True),
        sa.Column("loaded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(kind IN ('published', 'determined')) = (value IS NOT NULL)", name=op.f("ck_index_fixing_value_of_kind")
        ),
        sa.CheckConstraint(
            "(revision = 1 AND kind IN ('published', 'closed')) OR reason IS NOT NULL",
            name=op.f("ck_index_fixing_decision_has_reason"),
        ),
        sa.CheckConstraint("quoted_tax >= 0 AND quoted_tax < 1", name=op.f("ck_index_fixing_quoted_tax")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_index_fixing_revision_positive")),
        sa.CheckConstraint("value > 0", name=op.f("ck_index_fixing_value_positive")),
        sa.CheckConstraint(
            "kind IN ('published', 'determined', 'closed', 'withdrawn')", name=op.f("ck_index_fixing_kind")
        ),
        sa.ForeignKeyConstraint(
            ["index_code"],
            ["market_index.code"],
            name=op.f("fk_index_fixing_index_code_market_index"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["loaded_by_id"],
            ["user_account.id"],
            name=op.f("fk_index_fixing_loaded_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_index_fixing")),
        sa.UniqueConstraint("index_code", "day", "revision", name=op.f("uq_index_fixing_index_code_day_revision")),
    )
    op.create_table(
        "invoice",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("creditor", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("net", sa.Numeric(18, 2), nullable=False),
        sa.Column("vat", sa.Numeric(18, 2), nullable=False),
        sa.Column("gross", sa.Numeric(18, 2), nullable=False),
        sa.Column("vat_step", postgresql.JSONB(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("about_id", sa.Uuid(), nullable=True),
        sa.Column("terms_version", sa.SmallInteger(), nullable=False),
        sa.Column("terms_hash", sa.String(length=64), nullable=False),
        sa.Column("inputs", postgresql.JSONB(), nullable=False),
        sa.Column("inputs_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(kind = 'interest') = (about_id IS NOT NULL)", name=op.f("ck_invoice_interest_is_about")),
        sa.CheckConstraint("inputs_hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_invoice_inputs_hash")),
        sa.CheckConstraint("jsonb_typeof(inputs) = 'object'", name=op.f("ck_invoice_inputs")),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_invoice_terms_hash")),
        sa.CheckConstraint("due_on >= issued_on", name=op.f("ck_invoice_due_after_issued")),
        sa.CheckConstraint("gross = net + vat", name=op.f("ck_invoice_gross_is_sum")),
        sa.CheckConstraint("number > 0", name=op.f("ck_invoice_number_positive")),
        sa.CheckConstraint(
            "kind IN ('provisional', 'final', 'correction', 'take_or_pay', 'supply_or_pay', 'late_damages', 'interest')",
            name=op.f("ck_invoice_kind"),
        ),
        sa.CheckConstraint("creditor IN ('seller', 'buyer')", name=op.f("ck_invoice_creditor")),
        sa.ForeignKeyConstraint(
            ["about_id"], ["invoice.id"], name=op.f("fk_invoice_about_id_invoice"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_invoice_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice")),
        sa.UniqueConstraint("contract_id", "kind", "inputs_hash", name=op.f("uq_invoice_contract_id_kind_inputs_hash")),
        sa.UniqueConstraint("contract_id", "number", name=op.f("uq_invoice_contract_id_number")),
    )
    op.create_index(op.f("ix_invoice_about_id"), "invoice", ["about_id"], unique=False)
    op.create_index(op.f("ix_invoice_contract_id_period"), "invoice", ["contract_id", "period"], unique=False)
    op.create_index(op.f("ix_invoice_issued_on_id"), "invoice", ["issued_on", "id"], unique=False)
    op.create_table(
        "invoice_line",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("lots", sa.BigInteger(), nullable=False),
        sa.Column("to_date", sa.Numeric(18, 2), nullable=False),
        sa.Column("already", sa.Numeric(18, 2), nullable=False),
        sa.Column("net", sa.Numeric(18, 2), nullable=False),
        sa.Column("steps", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("jsonb_typeof(steps) = 'array'", name=op.f("ck_invoice_line_steps")),
        sa.CheckConstraint("lots >= 0", name=op.f("ck_invoice_line_lots_not_negative")),
        sa.CheckConstraint("net = to_date - already", name=op.f("ck_invoice_line_net_is_difference")),
        sa.CheckConstraint("position >= 1", name=op.f("ck_invoice_line_position_positive")),
        sa.CheckConstraint(
            "name IN ('goods', 'freight', 'quality', 'take_or_pay', 'supply_or_pay', 'late_damages', 'interest')",
            name=op.f("ck_invoice_line_name"),
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoice.id"], name=op.f("fk_invoice_line_invoice_id_invoice"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("invoice_id", "position", name=op.f("pk_invoice_line")),
        sa.UniqueConstraint("invoice_id", "name", name=op.f("uq_invoice_line_invoice_id_name")),
    )
    op.create_table(
        "invoice_consignment",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("consignment_id", sa.Uuid(), nullable=False),
        sa.Column("lots", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.Numeric(20, 6), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.CheckConstraint("lots > 0", name=op.f("ck_invoice_consignment_lots_positive")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_invoice_consignment_price_not_negative")),
        sa.ForeignKeyConstraint(
            ["consignment_id"],
            ["consignment.id"],
            name=op.f("fk_invoice_consignment_consignment_id_consignment"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoice.id"], name=op.f("fk_invoice_consignment_invoice_id_invoice"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("invoice_id", "consignment_id", name=op.f("pk_invoice_consignment")),
    )
    op.create_index(
        op.f("ix_invoice_consignment_consignment_id"), "invoice_consignment", ["consignment_id"], unique=False
    )
    op.create_table(
        "payment",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("api_key_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(amount < 0) = (reverses_id IS NOT NULL)", name=op.f("ck_payment_negative_reverses")),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_payment_amount_not_zero")),
        sa.CheckConstraint("num_nonnulls(user_id, api_key_id) <= 1", name=op.f("ck_payment_one_recorder")),
        sa.CheckConstraint("reverses_id IS NULL OR reason IS NOT NULL", name=op.f("ck_payment_reversal_has_reason")),
        sa.CheckConstraint("recorded_by IN ('seller', 'buyer', 'staff')", name=op.f("ck_payment_recorded_by")),
        sa.ForeignKeyConstraint(
            ["api_key_id"], ["api_key.id"], name=op.f("fk_payment_api_key_id_api_key"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoice.id"], name=op.f("fk_payment_invoice_id_invoice"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["payment.id"], name=op.f("fk_payment_reverses_id_payment"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_payment_user_id_user_account"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_payment_reverses_id")),
    )
    op.create_index(
        op.f("ix_payment_invoice_id_recorded_at_id"), "payment", ["invoice_id", "recorded_at", "id"], unique=False
    )
    op.create_table(
        "year_statement",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("revision", sa.SmallInteger(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("terms_hash", sa.String(length=64), nullable=False),
        sa.Column("inputs", postgresql.JSONB(), nullable=False),
        sa.Column("inputs_hash", sa.String(length=64), nullable=False),
        sa.Column("outcome", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("inputs_hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_year_statement_inputs_hash")),
        sa.CheckConstraint("jsonb_typeof(inputs) = 'object'", name=op.f("ck_year_statement_inputs")),
        sa.CheckConstraint("jsonb_typeof(outcome) = 'object'", name=op.f("ck_year_statement_outcome")),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_year_statement_terms_hash")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_year_statement_revision_positive")),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_year_statement_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_year_statement")),
        sa.UniqueConstraint(
            "contract_id", "year", "revision", name=op.f("uq_year_statement_contract_id_year_revision")
        ),
    )
