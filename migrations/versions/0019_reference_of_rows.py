"""The firm's own reference beside each row of an uploaded file; rows of files that came before have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("offer_import_row", sa.Column("reference", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("offer_import_row", "reference")
