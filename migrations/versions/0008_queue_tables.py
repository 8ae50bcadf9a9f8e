"""The tables, types and functions of the job queue, as the queue's library ships them."""

from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

DROP_ALL = """
DO $$
DECLARE command text;
BEGIN
    FOR command IN
        SELECT format('DROP TABLE IF EXISTS %I CASCADE', tablename) FROM pg_tables
            WHERE schemaname = current_schema() AND starts_with(tablename, 'procrastinate_')
        UNION ALL
        SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', oid::regprocedure) FROM pg_proc
            WHERE pronamespace = current_schema()::regnamespace AND starts_with(proname, 'procrastinate_')
        UNION ALL
        SELECT format('DROP TYPE IF EXISTS %I CASCADE', typname) FROM pg_type
            WHERE typnamespace = current_schema()::regnamespace AND starts_with(typname, 'procrastinate_')
            AND typtype = 'e'
        UNION ALL
        SELECT format('DROP TYPE IF EXISTS %I CASCADE', typname) FROM pg_type
            WHERE typnamespace = current_schema()::regnamespace AND starts_with(typname, 'procrastinate_')
            AND typtype = 'c' AND typrelid IN (SELECT oid FROM pg_class WHERE relkind = 'c')
    LOOP
        EXECUTE command;
    END LOOP;
END $$
"""


def upgrade() -> None:
    # Sent as it is: the script holds many statements, colons and per cent signs.
    op.get_bind().exec_driver_sql(SchemaManager.get_schema(), execution_options={"no_parameters": True})


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DROP_ALL, execution_options={"no_parameters": True})
