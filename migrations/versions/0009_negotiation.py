"""Counter-offers as versions of a proposal's terms, messages of its parties."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SIDES = "('seller', 'buyer')"

# A counter waits exactly while its proposal is countered. Checked at the end of the transaction, from both ends.
COUNTERED_HAS_COUNTER = """
CREATE FUNCTION keep_counter_with_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    about uuid;
BEGIN
    IF TG_TABLE_NAME = 'proposal' THEN about := NEW.id; ELSE about := NEW.proposal_id; END IF;
    IF (SELECT state = 'countered' FROM proposal WHERE id = about)
       <> EXISTS (SELECT FROM proposal_version WHERE proposal_id = about AND state = 'open') THEN
        RAISE EXCEPTION 'a counter of proposal % waits exactly while it is countered', about USING
            ERRCODE = 'check_violation', CONSTRAINT = 'ck_proposal_countered_has_counter', TABLE = 'proposal';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER proposal_countered_has_counter AFTER UPDATE OF state ON proposal
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_counter_with_proposal();
CREATE CONSTRAINT TRIGGER proposal_version_open_while_countered AFTER INSERT OR UPDATE OF state ON proposal_version
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_counter_with_proposal()
"""

# Both accept one version: terms cannot change under an acceptance.
ACCEPTANCE_OF_VERSION = """
CREATE TRIGGER proposal_acceptance_of_version BEFORE UPDATE OF terms, terms_hash ON proposal FOR EACH ROW
    WHEN ((OLD.terms, OLD.terms_hash) IS DISTINCT FROM (NEW.terms, NEW.terms_hash)
          AND (NEW.seller_accepted_at IS NOT NULL OR NEW.buyer_accepted_at IS NOT NULL))
    EXECUTE FUNCTION refuse_change()
"""

VERSION_FROZEN = """
CREATE TRIGGER proposal_version_frozen BEFORE UPDATE ON proposal_version FOR EACH ROW
    WHEN ((OLD.proposal_id, OLD.number, OLD.terms, OLD.terms_hash, OLD.proposed_by_side, OLD.proposed_by_id,
           OLD.proposed_by_key_id, OLD.message, OLD.created_at, OLD.expires_at)
          IS DISTINCT FROM
          (NEW.proposal_id, NEW.number, NEW.terms, NEW.terms_hash, NEW.proposed_by_side, NEW.proposed_by_id,
           NEW.proposed_by_key_id, NEW.message, NEW.created_at, NEW.expires_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER proposal_version_kept BEFORE DELETE OR TRUNCATE ON proposal_version
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER proposal_message_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proposal_message
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""

# What was released before there were versions is the first one.
FIRST_VERSIONS = """
INSERT INTO proposal_version (proposal_id, number, terms, terms_hash, state, created_at)
SELECT proposal.id, 1, proposal.terms, proposal.terms_hash, 'on_offer',
       coalesce((SELECT max(at) FROM event WHERE subject_kind = 'proposal' AND subject_id = proposal.id
                 AND name = 'proposal.release'), proposal.created_at)
FROM proposal WHERE terms IS NOT NULL
"""


def upgrade() -> None:
    op.add_column("proposal", sa.Column("countered_by", sa.String(length=40), nullable=True))
    op.create_check_constraint(op.f("ck_proposal_countered_by"), "proposal", f"countered_by IN {SIDES}")
    op.create_check_constraint(
        op.f("ck_proposal_countered_by_a_side"), "proposal", "(state = 'countered') = (countered_by IS NOT NULL)"
    )
    _versions()
    _messages()
    for script in (COUNTERED_HAS_COUNTER, ACCEPTANCE_OF_VERSION, VERSION_FROZEN, FIRST_VERSIONS):
        op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def _versions() -> None:
    op.create_table(
        "proposal_version",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("terms_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("proposed_by_side", sa.String(length=40), nullable=True),
        sa.Column("proposed_by_id", sa.Uuid(), nullable=True),
        sa.Column("proposed_by_key_id", sa.Uuid(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("number >= 1", name=op.f("ck_proposal_version_number_positive")),
        sa.CheckConstraint("jsonb_typeof(terms) = 'object'", name=op.f("ck_proposal_version_terms")),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_proposal_version_terms_hash")),
        sa.CheckConstraint(
            "state IN ('open', 'on_offer', 'replaced', 'rejected', 'withdrawn', 'expired', 'void')",
            name=op.f("ck_proposal_version_state"),
        ),
        sa.CheckConstraint(f"proposed_by_side IN {SIDES}", name=op.f("ck_proposal_version_proposed_by_side")),
        sa.CheckConstraint(
            "(number = 1) = (proposed_by_side IS NULL)", name=op.f("ck_proposal_version_counter_has_side")
        ),
        sa.CheckConstraint(
            "num_nonnulls(proposed_by_id, proposed_by_key_id) = (proposed_by_side IS NOT NULL)::int",
            name=op.f("ck_proposal_version_one_author"),
        ),
        sa.CheckConstraint("(number = 1) = (expires_at IS NULL)", name=op.f("ck_proposal_version_counter_has_expiry")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_proposal_version_expiry_after_creation")),
        sa.CheckConstraint("number > 1 OR state <> 'open'", name=op.f("ck_proposal_version_first_is_no_counter")),
        sa.CheckConstraint(
            "number = 1 OR (state = 'open') = (answered_at IS NULL)",
            name=op.f("ck_proposal_version_answered_has_time"),
        ),
        sa.CheckConstraint("length(message) BETWEEN 1 AND 2000", name=op.f("ck_proposal_version_message_length")),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposal.id"],
            name=op.f("fk_proposal_version_proposal_id_proposal"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by_id"],
            ["user_account.id"],
            name=op.f("fk_proposal_version_proposed_by_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by_key_id"],
            ["api_key.id"],
            name=op.f("fk_proposal_version_proposed_by_key_id_api_key"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_version")),
        sa.UniqueConstraint("proposal_id", "number", name=op.f("uq_proposal_version_proposal_id_number")),
    )
    for name, state in (("one_open", "open"), ("one_on_offer", "on_offer")):
        op.create_index(
            f"uq_proposal_version_{name}",
            "proposal_version",
            ["proposal_id"],
            unique=True,
            postgresql_where=sa.text(f"state = '{state}'"),
        )
    op.create_index(
        op.f("ix_proposal_version_expires_at"),
        "proposal_version",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )


def _messages() -> None:
    op.create_table(
        "proposal_message",
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=40), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("author_key_id", sa.Uuid(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_proposal_message_number_positive")),
        sa.CheckConstraint(f"side IN {SIDES}", name=op.f("ck_proposal_message_side")),
        sa.CheckConstraint("length(body) BETWEEN 1 AND 2000", name=op.f("ck_proposal_message_body_length")),
        sa.CheckConstraint("num_nonnulls(author_id, author_key_id) = 1", name=op.f("ck_proposal_message_one_author")),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposal.id"],
            name=op.f("fk_proposal_message_proposal_id_proposal"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["user_account.id"],
            name=op.f("fk_proposal_message_author_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["author_key_id"],
            ["api_key.id"],
            name=op.f("fk_proposal_message_author_key_id_api_key"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("proposal_id", "number", name=op.f("pk_proposal_message")),
    )
    op.create_table(
        "proposal_read",
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.String(length=40), nullable=False),
        sa.Column("read_until", sa.Integer(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(f"side IN {SIDES}", name=op.f("ck_proposal_read_side")),
        sa.ForeignKeyConstraint(
            ["proposal_id", "read_until"],
            ["proposal_message.proposal_id", "proposal_message.number"],
            name=op.f("fk_proposal_read_proposal_id_read_until_proposal_message"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("proposal_id", "side", name=op.f("pk_proposal_read")),
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER proposal_acceptance_of_version ON proposal")
    op.drop_table("proposal_read")
    op.drop_table("proposal_message")
    op.execute("DROP FUNCTION keep_counter_with_proposal() CASCADE")
    op.drop_table("proposal_version")
    op.drop_constraint(op.f("ck_proposal_countered_by_a_side"), "proposal", type_="check")
    op.drop_constraint(op.f("ck_proposal_countered_by"), "proposal", type_="check")
    op.drop_column("proposal", "countered_by")
