"""How Alembic reaches the database: through the running application, one transaction for each revision."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context
from flask import current_app
from sqlalchemy.sql.schema import SchemaItem

from app.db import Base, db

# A migration that waits for a lock holds up everyone behind it; better that it fails and is run again.
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "15min"
QUEUE_PREFIX = "procrastinate_"


def belongs_to_us(item: SchemaItem, name: str | None, kind: str, reflected: bool, compared_to: Any) -> bool:
    """The queue's tables are its own affair: a revision makes them, no model describes them."""
    return not (kind == "table" and name is not None and name.startswith(QUEUE_PREFIX))


def migrate() -> None:
    options = {
        "target_metadata": Base.metadata,
        "include_object": belongs_to_us,
        "compare_type": True,
        "compare_server_default": True,
        "transaction_per_migration": True,
    }
    if context.is_offline_mode():
        context.configure(url=current_app.config["SQLALCHEMY_DATABASE_URI"], literal_binds=True, **options)
        with context.begin_transaction():
            context.run_migrations()
        return
    with db.engine.connect() as connection:
        connection.execute(sa.text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(sa.text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.commit()
        context.configure(connection=connection, **options)
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(sa.text("RESET lock_timeout"))
        connection.execute(sa.text("RESET statement_timeout"))
        connection.commit()


migrate()
