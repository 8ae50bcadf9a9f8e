"""Call-offs within the limits of their contract, consignments, results of assays."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# What a call-off takes of its contract: the lots of the step it has come to. What was not confirmed or did not arrive
# may be called again.
COUNTED = """
CREATE FUNCTION call_off_counts(state text, nominated bigint, confirmed bigint, received bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(CASE
        WHEN state IN ('nominated', 'firm') THEN nominated
        WHEN state IN ('confirmed', 'shipped') THEN confirmed
        WHEN state IN ('received', 'assayed', 'settled') THEN received
    END, 0)
$$
"""

# The rows of the contract's ledger are locked in one order before anything is added, so two call-offs of the last lot
# wait for each other, and the later one finds no room. A limit that an amendment has lowered below what is called
# already stays passed, but nothing more is called.
LEDGER = """
CREATE FUNCTION keep_called() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    more bigint := call_off_counts(NEW.state, NEW.nominated_lots, NEW.confirmed_lots, NEW.received_lots);
BEGIN
    IF TG_OP = 'UPDATE' THEN
        more := more - call_off_counts(OLD.state, OLD.nominated_lots, OLD.confirmed_lots, OLD.received_lots);
    END IF;
    IF more = 0 THEN
        RETURN NULL;
    END IF;
    PERFORM FROM contract WHERE id = NEW.contract_id FOR SHARE;
    PERFORM FROM call_off_ledger WHERE contract_id = NEW.contract_id ORDER BY period FOR NO KEY UPDATE;
    UPDATE call_off_ledger SET called_so_far = called_so_far + more,
        called = called + CASE WHEN period = NEW.period THEN more ELSE 0 END
        WHERE contract_id = NEW.contract_id AND period >= NEW.period;
    IF more < 0 THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT FROM contract WHERE id = NEW.contract_id AND state = 'effective') THEN
        RAISE EXCEPTION 'nothing is called of a contract that is not effective' USING
            ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'call_off_of_effective_contract',
            TABLE = 'call_off';
    END IF;
    IF EXISTS (SELECT FROM call_off_ledger WHERE contract_id = NEW.contract_id AND period = NEW.period
               AND called > maximum) THEN
        RAISE EXCEPTION 'more is called for % than the contract allows', NEW.period USING
            ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'call_off_within_period', TABLE = 'call_off';
    END IF;
    IF EXISTS (SELECT FROM call_off_ledger WHERE contract_id = NEW.contract_id AND period >= NEW.period
               AND called_so_far > most_so_far) THEN
        RAISE EXCEPTION 'more is called by the end of % or later than the contract allows in all', NEW.period USING
            ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'call_off_within_running_sum', TABLE = 'call_off';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER call_off_counted AFTER INSERT OR UPDATE ON call_off FOR EACH ROW EXECUTE FUNCTION keep_called();
CREATE TRIGGER call_off_kept BEFORE DELETE OR TRUNCATE ON call_off EXECUTE FUNCTION refuse_change();
CREATE TRIGGER call_off_identity_frozen BEFORE UPDATE OF contract_id, number, period, month ON call_off FOR EACH ROW
    WHEN ((OLD.contract_id, OLD.number, OLD.period, OLD.month)
          IS DISTINCT FROM (NEW.contract_id, NEW.number, NEW.period, NEW.month)) EXECUTE FUNCTION refuse_change();
CREATE FUNCTION begin_called() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.called := 0;
    NEW.called_so_far := (SELECT coalesce(sum(called), 0) FROM call_off_ledger
                          WHERE contract_id = NEW.contract_id AND period < NEW.period);
    RETURN NEW;
END $$;
CREATE TRIGGER call_off_ledger_begun BEFORE INSERT ON call_off_ledger FOR EACH ROW EXECUTE FUNCTION begin_called();
CREATE TRIGGER call_off_ledger_kept_by_call_offs BEFORE UPDATE OF called, called_so_far ON call_off_ledger
    FOR EACH ROW WHEN ((OLD.called, OLD.called_so_far) IS DISTINCT FROM (NEW.called, NEW.called_so_far)
                       AND pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER call_off_ledger_kept BEFORE DELETE OR TRUNCATE ON call_off_ledger EXECUTE FUNCTION refuse_change();
CREATE TRIGGER consignment_kept BEFORE DELETE OR TRUNCATE ON consignment EXECUTE FUNCTION refuse_change();
CREATE TRIGGER assay_result_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON assay_result
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    _ledger_and_call_offs()
    _deliveries()
    _subject_kinds(add="call_off")
    for script in (COUNTED, LEDGER):
        # Sent as it is: without parameters a per cent sign is one, and a script may hold several statements.
        op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def downgrade() -> None:
    op.drop_table("assay_result")
    op.drop_table("consignment")
    op.drop_table("call_off")
    op.drop_table("call_off_ledger")
    for function in ("keep_called()", "begin_called()", "call_off_counts(text, bigint, bigint, bigint)"):
        op.execute(f"DROP FUNCTION {function}")
    _subject_kinds(remove="call_off")


def _ledger_and_call_offs() -> None:
    op.create_table(
        "call_off_ledger",
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("lots", sa.BigInteger(), nullable=False),
        sa.Column("maximum", sa.BigInteger(), nullable=False),
        sa.Column("most_so_far", sa.BigInteger(), nullable=False),
        sa.Column("called", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("called_so_far", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "called >= 0 AND called_so_far >= called", name=op.f("ck_call_off_ledger_called_not_negative")
        ),
        sa.CheckConstraint(
            "lots >= 0 AND maximum >= 0 AND most_so_far >= 0", name=op.f("ck_call_off_ledger_limits_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_call_off_ledger_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("contract_id", "period", name=op.f("pk_call_off_ledger")),
    )
    op.create_table(
        "call_off",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("month", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("forecast_lots", sa.BigInteger(), nullable=True),
        sa.Column("nominated_lots", sa.BigInteger(), nullable=True),
        sa.Column("deadline_lots", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_lots", sa.BigInteger(), nullable=True),
        sa.Column("shipped_lots", sa.BigInteger(), nullable=True),
        sa.Column("received_lots", sa.BigInteger(), nullable=True),
        sa.Column("wanted_on", sa.Date(), nullable=True),
        sa.Column("promised_on", sa.Date(), nullable=True),
        sa.Column("confirm_by", sa.Date(), nullable=True),
        sa.Column("timer_on", sa.Date(), nullable=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=True),
        sa.Column("split_from_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_call_off_number_positive")),
        sa.CheckConstraint(
            r"month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$' AND period = CASE "
            "WHEN length(period) = 4 THEN left(month, 4) "
            "WHEN period LIKE '%Q%' THEN left(month, 4) || '-Q' || (right(month, 2)::integer + 2) / 3 "
            "ELSE month END",
            name=op.f("ck_call_off_month_in_period"),
        ),
        sa.CheckConstraint("to_char(wanted_on, 'YYYY-MM') = month", name=op.f("ck_call_off_wanted_in_month")),
        sa.CheckConstraint(
            "least(forecast_lots, nominated_lots, confirmed_lots, shipped_lots, received_lots) > 0"
            " AND coalesce(deadline_lots, 0) >= 0",
            name=op.f("ck_call_off_lots_positive"),
        ),
        sa.CheckConstraint(
            "coalesce(confirmed_lots <= nominated_lots, true) AND coalesce(shipped_lots <= confirmed_lots, true)"
            " AND coalesce(received_lots <= shipped_lots, true)",
            name=op.f("ck_call_off_lots_ordered"),
        ),
        sa.CheckConstraint(
            "CASE WHEN state IN ('nominated', 'firm', 'refused') THEN nominated_lots IS NOT NULL"
            " WHEN state = 'confirmed' THEN confirmed_lots IS NOT NULL"
            " WHEN state = 'shipped' THEN shipped_lots IS NOT NULL"
            " WHEN state IN ('received', 'assayed', 'settled', 'rejected') THEN received_lots IS NOT NULL"
            " ELSE true END",
            name=op.f("ck_call_off_lots_of_state"),
        ),
        sa.CheckConstraint("state <> 'firm' OR confirm_by IS NOT NULL", name=op.f("ck_call_off_firm_has_deadline")),
        sa.CheckConstraint(
            "state IN ('forecast', 'nominated', 'firm', 'confirmed', 'shipped', 'received', 'assayed', 'settled', 'refused', 'rejected', 'cancelled', 'lapsed')",
            name=op.f("ck_call_off_state"),
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_call_off_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["contract_id", "period"],
            ["call_off_ledger.contract_id", "call_off_ledger.period"],
            name=op.f("fk_call_off_contract_id_period_call_off_ledger"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["split_from_id"], ["call_off.id"], name=op.f("fk_call_off_split_from_id_call_off"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_off")),
        sa.UniqueConstraint("contract_id", "number", name=op.f("uq_call_off_contract_id_number")),
    )
    op.create_index(op.f("ix_call_off_contract_id_month"), "call_off", ["contract_id", "month"], unique=False)
    op.create_index(op.f("ix_call_off_created_at_id"), "call_off", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_call_off_timer_on_id"), "call_off", ["timer_on", "id"], unique=False)


def _deliveries() -> None:
    op.create_table(
        "consignment",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("call_off_id", sa.Uuid(), nullable=False),
        sa.Column("transport_document", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("shipped_on", sa.Date(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("received_on >= shipped_on", name=op.f("ck_consignment_received_after_shipped")),
        sa.ForeignKeyConstraint(
            ["call_off_id"], ["call_off.id"], name=op.f("fk_consignment_call_off_id_call_off"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consignment")),
        sa.UniqueConstraint("call_off_id", name=op.f("uq_consignment_call_off_id")),
    )
    op.create_table(
        "assay_result",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("consignment_id", sa.Uuid(), nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("side", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("laboratory", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("assayed_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("side IN ('seller', 'buyer', 'umpire')", name=op.f("ck_assay_result_side")),
        sa.CheckConstraint("value >= 0", name=op.f("ck_assay_result_value_not_negative")),
        sa.ForeignKeyConstraint(
            ["consignment_id"],
            ["consignment.id"],
            name=op.f("fk_assay_result_consignment_id_consignment"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assay_result")),
        sa.UniqueConstraint(
            "consignment_id", "attribute", "side", name=op.f("uq_assay_result_consignment_id_attribute_side")
        ),
    )


def _subject_kinds(*, add: str | None = None, remove: str | None = None) -> None:
    """Events may be about one kind of subject more, or one less."""
    query = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_event_subject_kind'"
    kinds = re.findall(r"'(\w+)'::character varying", str(op.get_bind().exec_driver_sql(query).scalar()))
    kept = [kind for kind in kinds if kind not in (add, remove)] + ([add] if add else [])
    op.drop_constraint(op.f("ck_event_subject_kind"), "event")
    listed = ", ".join(f"'{kind}'" for kind in kept)
    op.create_check_constraint(op.f("ck_event_subject_kind"), "event", f"subject_kind IN ({listed})")
