"""The feed of changes: each event knows its transaction. Old traces of sign-ins may go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TRANSACTION = "pg_current_xact_id()::text::bigint"

# Another number would put the event where readers of the feed have already been.
OWN_TRANSACTION = f"""
CREATE TRIGGER event_of_its_transaction BEFORE INSERT ON event
    FOR EACH ROW WHEN (NEW.txid <> {TRANSACTION}) EXECUTE FUNCTION refuse_change()
"""

# Six months is what the law asks of network logs (Cybersecurity Law of the PRC, article 21).
TRACES_KEPT = """
CREATE FUNCTION keep_traces() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a trace of % is kept for at least 180 days', OLD.at USING
        ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'sign_in_event_append_only', TABLE = 'sign_in_event';
END $$;
DROP TRIGGER sign_in_event_append_only ON sign_in_event;
CREATE TRIGGER sign_in_event_append_only BEFORE UPDATE OR TRUNCATE ON sign_in_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sign_in_event_kept BEFORE DELETE ON sign_in_event
    FOR EACH ROW WHEN (OLD.at > now() - interval '180 days') EXECUTE FUNCTION keep_traces()
"""
TRACES_NEVER_GO = """
DROP FUNCTION keep_traces() CASCADE;
DROP TRIGGER sign_in_event_append_only ON sign_in_event;
CREATE TRIGGER sign_in_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sign_in_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def _run(script: str) -> None:
    # Sent as it is: without parameters a per cent sign is one, and a script may hold several statements.
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def upgrade() -> None:
    # Events from before count as one old transaction, and come first, in the order of their numbers.
    op.add_column("event", sa.Column("txid", sa.BigInteger(), server_default="0", nullable=False))
    op.alter_column("event", "txid", server_default=sa.text(TRANSACTION))
    op.create_index(op.f("ix_event_txid_id"), "event", ["txid", "id"], unique=False)
    _run(OWN_TRANSACTION)
    _run(TRACES_KEPT)


def downgrade() -> None:
    _run(TRACES_NEVER_GO)
    op.execute("DROP TRIGGER event_of_its_transaction ON event")
    op.drop_index(op.f("ix_event_txid_id"), table_name="event")
    op.drop_column("event", "txid")
