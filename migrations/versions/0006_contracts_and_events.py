"""Contracts, the record of every step, messages to send."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_id"), "outbox", ["id"], unique=False, postgresql_where=sa.text("sent_at IS NULL"))
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("subject_kind", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("acting_as", sa.Text(), nullable=True),
        sa.Column("actor_kind", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("api_key_id", sa.Uuid(), nullable=True),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("version_hash", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "(actor_kind = 'user') = (user_id IS NOT NULL) AND (actor_kind = 'api_key') = (api_key_id IS NOT NULL)",
            name=op.f("ck_event_actor"),
        ),
        sa.CheckConstraint("actor_kind IN ('user', 'api_key', 'system')", name=op.f("ck_event_actor_kind")),
        sa.CheckConstraint(
            "subject_kind IN ('offer', 'round', 'run', 'proposal', 'contract')", name=op.f("ck_event_subject_kind")
        ),
        sa.ForeignKeyConstraint(
            ["api_key_id"], ["api_key.id"], name=op.f("fk_event_api_key_id_api_key"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_event_user_id_user_account"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(
        op.f("ix_event_subject_kind_subject_id_id"), "event", ["subject_kind", "subject_id", "id"], unique=False
    )
    op.create_table(
        "contract",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("seller_firm_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_firm_id", sa.Uuid(), nullable=False),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("terms_hash", sa.String(length=64), nullable=False),
        sa.Column("rule_version", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), server_default="agreed", nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_to", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("jsonb_typeof(terms) = 'object'", name=op.f("ck_contract_terms")),
        sa.CheckConstraint(
            "state IN ('agreed', 'signing', 'signed', 'effective', 'suspended', 'fulfilled', 'expired', 'terminated', 'lapsed', 'cancelled')",
            name=op.f("ck_contract_state"),
        ),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_contract_terms_hash")),
        sa.CheckConstraint("effective_from <= effective_to", name=op.f("ck_contract_effect_ordered")),
        sa.ForeignKeyConstraint(
            ["buyer_firm_id"], ["firm.id"], name=op.f("fk_contract_buyer_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id", "seller_firm_id", "buyer_firm_id"],
            ["proposal.id", "proposal.seller_firm_id", "proposal.buyer_firm_id"],
            name=op.f("fk_contract_proposal_id_seller_firm_id_buyer_firm_id_proposal"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["seller_firm_id"], ["firm.id"], name=op.f("fk_contract_seller_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract")),
        sa.UniqueConstraint("number", name=op.f("uq_contract_number")),
        sa.UniqueConstraint("proposal_id", name=op.f("uq_contract_proposal_id")),
    )
    op.create_index(op.f("ix_contract_buyer_firm_id_state"), "contract", ["buyer_firm_id", "state"], unique=False)
    op.create_index(op.f("ix_contract_created_at_id"), "contract", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_contract_seller_firm_id_state"), "contract", ["seller_firm_id", "state"], unique=False)


def downgrade() -> None:
    op.drop_table("contract")
    op.drop_table("event")
    op.drop_table("outbox")
