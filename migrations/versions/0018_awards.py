"""Invoices of awards on claims, each once; a decided claim stays as it was decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

LINES = ("goods", "freight", "quality", "take_or_pay", "supply_or_pay", "late_damages", "interest")
KINDS = ("provisional", "final", "correction", "take_or_pay", "supply_or_pay", "late_damages", "interest")

AS_AWARDED = """
CREATE FUNCTION keep_awards() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM claim WHERE id = NEW.claim_id AND contract_id = NEW.contract_id AND state = 'upheld'
        AND claimant = NEW.creditor AND amount_awarded = NEW.net
    ) THEN
        RAISE EXCEPTION 'an invoice asks for what was awarded on a claim under its contract, all of it' USING
            ERRCODE = 'check_violation', CONSTRAINT = 'ck_invoice_as_awarded', TABLE = 'invoice';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_as_awarded BEFORE INSERT ON invoice FOR EACH ROW WHEN (NEW.kind = 'claim')
    EXECUTE FUNCTION keep_awards();
CREATE TRIGGER claim_decided_frozen BEFORE UPDATE ON claim FOR EACH ROW WHEN (
    OLD.decided_at IS NOT NULL
    AND (OLD.state, OLD.amount_awarded, OLD.decided_at) IS DISTINCT FROM (NEW.state, NEW.amount_awarded, NEW.decided_at)
) EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.add_column("invoice", sa.Column("claim_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_invoice_claim_id_claim"), "invoice", "claim", ["claim_id"], ["id"], ondelete="RESTRICT"
    )
    op.create_unique_constraint(op.f("uq_invoice_claim_id"), "invoice", ["claim_id"])
    _choices((*KINDS, "claim"), (*LINES, "claim"))
    op.create_check_constraint(
        op.f("ck_invoice_claim_is_named"), "invoice", "(kind = 'claim') = (claim_id IS NOT NULL)"
    )
    op.get_bind().exec_driver_sql(AS_AWARDED, execution_options={"no_parameters": True})


def downgrade() -> None:
    op.execute("DROP TRIGGER claim_decided_frozen ON claim")
    op.execute("DROP FUNCTION keep_awards() CASCADE")
    for table, which in (
        ("payment", "invoice_id IN (SELECT id FROM invoice WHERE kind = 'claim')"),
        ("invoice_line", "name = 'claim'"),
        ("invoice", "kind = 'claim'"),
    ):
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        op.execute(f"DELETE FROM {table} WHERE {which}")  # noqa: S608  # both come from the list above
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    op.drop_column("invoice", "claim_id")
    _choices(KINDS, LINES)


def _choices(kinds: tuple[str, ...], lines: tuple[str, ...]) -> None:
    for table, column, values in (("invoice", "kind", kinds), ("invoice_line", "name", lines)):
        name = op.f(f"ck_{table}_{column}")
        op.drop_constraint(name, table)
        listed = ", ".join(f"'{value}'" for value in values)
        op.create_check_constraint(name, table, f"{column} IN ({listed})")
