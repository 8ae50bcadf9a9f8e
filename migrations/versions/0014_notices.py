"""Notifications, e-mails and webhooks, and who hears of a message of the outbox."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# What is told about stays as it was written: only that it has left is noted.
FROZEN = (
    ("outbox", "outbox_frozen", "topic, about_kind, about_id, firm_ids, payload, created_at"),
    ("notification", "notification_frozen", "outbox_id, user_id, created_at"),
    ("webhook_endpoint", "webhook_endpoint_owner_frozen", "firm_id"),
    ("webhook_message", "webhook_message_frozen", "outbox_id, endpoint_id, topic, body"),
)
TABLES = (
    "webhook_attempt",
    "webhook_message",
    "webhook_endpoint",
    "notification_choice",
    "notification",
    "mail",
)
KINDS_OF_EVENTS = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_event_subject_kind'"


def upgrade() -> None:
    _events_about([*_kinds_of_events(), "webhook"])
    _say_who_hears()
    _notify_people()
    _notify_systems()
    for table, name, columns in FROZEN:
        listed = columns.split(", ")
        before, after = (", ".join(f"{row}.{column}" for column in listed) for row in ("OLD", "NEW"))
        op.execute(
            f"CREATE TRIGGER {name} BEFORE UPDATE OF {columns} ON {table} FOR EACH ROW"
            f" WHEN (({before}) IS DISTINCT FROM ({after})) EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER webhook_attempt_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON webhook_attempt"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _kinds_of_events() -> list[str]:
    return re.findall(r"'(\w+)'::character varying", str(op.get_bind().exec_driver_sql(KINDS_OF_EVENTS).scalar()))


def _events_about(kinds: list[str]) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint(op.f("ck_event_subject_kind"), "event", type_="check")
    op.create_check_constraint(op.f("ck_event_subject_kind"), "event", f"subject_kind IN ({listed})")


def _say_who_hears() -> None:
    """A message names its record and its firms in columns; until now they stood in its topic, key and payload."""
    op.add_column("outbox", sa.Column("about_kind", sa.Text(), nullable=True))
    op.add_column("outbox", sa.Column("about_id", sa.Uuid(), nullable=True))
    op.add_column("outbox", sa.Column("firm_ids", postgresql.ARRAY(sa.Uuid()), nullable=True))
    op.execute(
        "UPDATE outbox SET about_kind = split_part(topic, '.', 1), about_id = key::uuid, firm_ids = ARRAY("
        "SELECT firm::uuid FROM jsonb_array_elements_text(coalesce(payload->'firms', '[]')) AS firm ORDER BY 1)"
    )
    for column in ("about_kind", "about_id", "firm_ids"):
        op.alter_column("outbox", column, nullable=False)
    op.drop_column("outbox", "key")


def _notify_people() -> None:
    op.create_table(
        "mail",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_mail_sent_has_time")),
        sa.CheckConstraint("(state = 'waiting') = (due_at IS NOT NULL)", name=op.f("ck_mail_waiting_is_due")),
        sa.CheckConstraint(
            "state NOT IN ('unsent', 'failed') OR error IS NOT NULL", name=op.f("ck_mail_failed_says_why")
        ),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_mail_tries_not_negative")),
        sa.ForeignKeyConstraint(
            ["outbox_id"], ["outbox.id"], name=op.f("fk_mail_outbox_id_outbox"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_mail_user_id_user_account"), ondelete="RESTRICT"
        ),
        sa.CheckConstraint("language IN ('zh', 'en')", name=op.f("ck_mail_language")),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'unsent', 'failed')", name=op.f("ck_mail_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("outbox_id", "user_id", name=op.f("uq_mail_outbox_id_user_id")),
    )
    op.create_index(op.f("ix_mail_created_at_id"), "mail", ["created_at", "id"], unique=False)
    op.create_index("ix_mail_waiting", "mail", ["due_at"], unique=False, postgresql_where=sa.text("state = 'waiting'"))
    op.create_table(
        "notification",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["outbox_id"], ["outbox.id"], name=op.f("fk_notification_outbox_id_outbox"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_notification_user_id_user_account"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("outbox_id", "user_id", name=op.f("uq_notification_outbox_id_user_id")),
    )
    op.create_index(
        "ix_notification_unread", "notification", ["user_id"], unique=False, postgresql_where=sa.text("read_at IS NULL")
    )
    op.create_index(
        op.f("ix_notification_user_id_created_at_id"), "notification", ["user_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "notification_choice",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("in_app", sa.Boolean(), nullable=False),
        sa.Column("mail", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name=op.f("fk_notification_choice_user_id_user_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "topic", name=op.f("pk_notification_choice")),
    )


def _notify_systems() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("topics", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("older_secret", sa.Text(), nullable=True),
        sa.Column("older_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop_reason", sa.String(length=40), nullable=True),
        sa.Column("created_by_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("url ~ '^https?://' AND length(url) <= 2000", name=op.f("ck_webhook_endpoint_url")),
        sa.CheckConstraint(
            "(older_secret IS NULL) = (older_until IS NULL)", name=op.f("ck_webhook_endpoint_older_secret_ends")
        ),
        sa.CheckConstraint(
            "(stopped_at IS NULL) = (stop_reason IS NULL)", name=op.f("ck_webhook_endpoint_stopped_says_why")
        ),
        sa.CheckConstraint("cardinality(topics) > 0", name=op.f("ck_webhook_endpoint_has_topics")),
        sa.ForeignKeyConstraint(
            ["created_by_id"],
            ["user_account.id"],
            name=op.f("fk_webhook_endpoint_created_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["firm_id"], ["firm.id"], name=op.f("fk_webhook_endpoint_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.CheckConstraint(
            "stop_reason IN ('by_firm', 'gone', 'failing')", name=op.f("ck_webhook_endpoint_stop_reason")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
        sa.UniqueConstraint("firm_id", "url", name=op.f("uq_webhook_endpoint_firm_id_url")),
    )
    op.create_table(
        "webhook_message",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), server_default="waiting", nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("round_tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(state = 'waiting') = (due_at IS NOT NULL)", name=op.f("ck_webhook_message_waiting_is_due")
        ),
        sa.CheckConstraint(
            "state <> 'delivered' OR delivered_at IS NOT NULL", name=op.f("ck_webhook_message_delivered_has_time")
        ),
        sa.CheckConstraint("tries >= round_tries AND round_tries >= 0", name=op.f("ck_webhook_message_tries")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.id"],
            name=op.f("fk_webhook_message_endpoint_id_webhook_endpoint"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["outbox_id"], ["outbox.id"], name=op.f("fk_webhook_message_outbox_id_outbox"), ondelete="RESTRICT"
        ),
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name=op.f("ck_webhook_message_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_message")),
        sa.UniqueConstraint("outbox_id", "endpoint_id", name=op.f("uq_webhook_message_outbox_id_endpoint_id")),
    )
    op.create_index(
        op.f("ix_webhook_message_endpoint_id_created_at_id"),
        "webhook_message",
        ["endpoint_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_webhook_message_waiting",
        "webhook_message",
        ["endpoint_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "webhook_attempt",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("address", postgresql.INET(), nullable=True),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("length(answer) <= 1024", name=op.f("ck_webhook_attempt_answer_length")),
        sa.CheckConstraint("milliseconds >= 0", name=op.f("ck_webhook_attempt_milliseconds_not_negative")),
        sa.CheckConstraint("num_nonnulls(status, error) = 1", name=op.f("ck_webhook_attempt_answer_or_error")),
        sa.CheckConstraint("number > 0", name=op.f("ck_webhook_attempt_number_positive")),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["webhook_message.id"],
            name=op.f("fk_webhook_attempt_message_id_webhook_message"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempt")),
        sa.UniqueConstraint("message_id", "number", name=op.f("uq_webhook_attempt_message_id_number")),
    )


def downgrade() -> None:
    op.execute("ALTER TABLE event DISABLE TRIGGER event_append_only")
    op.execute("DELETE FROM event WHERE subject_kind = 'webhook'")
    op.execute("ALTER TABLE event ENABLE TRIGGER event_append_only")
    _events_about([kind for kind in _kinds_of_events() if kind != "webhook"])
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP TRIGGER outbox_frozen ON outbox")
    op.add_column("outbox", sa.Column("key", sa.Text(), nullable=True))
    op.execute("UPDATE outbox SET key = about_id::text")
    op.alter_column("outbox", "key", nullable=False)
    for column in ("firm_ids", "about_id", "about_kind"):
        op.drop_column("outbox", column)
