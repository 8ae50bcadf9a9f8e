"""Versions of a contract's terms, its documents and signatures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SUBJECTS_BEFORE = "subject_kind IN ('offer', 'round', 'run', 'proposal', 'contract')"
SUBJECTS = "subject_kind IN ('offer', 'round', 'run', 'proposal', 'contract', 'amendment')"

APPEND_ONLY = ("contract_version", "contract_document", "document_signature")

# A contract is never without its first version, whoever writes it.
FIRST_VERSION = """
CREATE FUNCTION write_first_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO contract_version (contract_id, number, terms, terms_hash, in_force_from, created_at)
    VALUES (NEW.id, 1, NEW.terms, NEW.terms_hash, NEW.effective_from, NEW.created_at);
    RETURN NULL;
END $$;
CREATE TRIGGER contract_first_version AFTER INSERT ON contract FOR EACH ROW EXECUTE FUNCTION write_first_version()
"""

FIRST_VERSIONS_OF_TODAY = """
INSERT INTO contract_version (contract_id, number, terms, terms_hash, in_force_from, created_at)
SELECT id, 1, terms, terms_hash, effective_from, created_at FROM contract
"""

# Numbers follow each other and days, too; what is written is what was signed. The contract's row is locked, so that
# two amendments cannot both follow the same version.
VERSION_ORDER = """
CREATE FUNCTION keep_versions_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM contract WHERE id = NEW.contract_id FOR NO KEY UPDATE;
    IF NEW.number > 1 AND NOT EXISTS (
        SELECT FROM contract_version WHERE contract_id = NEW.contract_id AND number = NEW.number - 1
        AND in_force_from < NEW.in_force_from
    ) THEN
        RAISE EXCEPTION 'version % does not follow the one before, or is not dated after it', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_contract_version_follows', TABLE = 'contract_version';
    END IF;
    IF NEW.number > 1 AND NOT EXISTS (
        SELECT FROM amendment WHERE id = NEW.amendment_id AND contract_id = NEW.contract_id AND number = NEW.number
        AND terms_hash = NEW.terms_hash AND terms = NEW.terms AND in_force_from = NEW.in_force_from
        AND state = 'active'
    ) THEN
        RAISE EXCEPTION 'version % is not what its amendment says', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_contract_version_as_signed', TABLE = 'contract_version';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER contract_version_in_order BEFORE INSERT ON contract_version
    FOR EACH ROW EXECUTE FUNCTION keep_versions_in_order()
"""

# Only a draft may change, and of what it is about nothing.
AMENDMENT_FROZEN = """
CREATE TRIGGER amendment_frozen BEFORE UPDATE ON amendment FOR EACH ROW WHEN (
    (OLD.contract_id, OLD.proposed_by, OLD.created_at) IS DISTINCT FROM
    (NEW.contract_id, NEW.proposed_by, NEW.created_at) OR OLD.state <> 'draft' AND
    (OLD.number, OLD.reason_code, OLD.note, OLD.in_force_from, OLD.terms, OLD.terms_hash, OLD.proposed_at,
     OLD.expires_at) IS DISTINCT FROM
    (NEW.number, NEW.reason_code, NEW.note, NEW.in_force_from, NEW.terms, NEW.terms_hash, NEW.proposed_at,
     NEW.expires_at)
) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER amendment_kept BEFORE TRUNCATE ON amendment FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER amendment_proposed_kept BEFORE DELETE ON amendment FOR EACH ROW WHEN (OLD.state <> 'draft')
    EXECUTE FUNCTION refuse_change()
"""

# A document is of the version it names, and the second signature comes after the first.
DOCUMENT_OF_VERSION = """
CREATE FUNCTION keep_document_of_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM contract WHERE id = NEW.contract_id AND NEW.number = 1 AND terms_hash = NEW.terms_hash
        UNION ALL SELECT FROM amendment WHERE id = NEW.amendment_id AND contract_id = NEW.contract_id
        AND number = NEW.number AND terms_hash = NEW.terms_hash
    ) THEN
        RAISE EXCEPTION 'a document says other terms than its version'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_contract_document_of_version',
            TABLE = 'contract_document';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER contract_document_of_version BEFORE INSERT ON contract_document
    FOR EACH ROW EXECUTE FUNCTION keep_document_of_version();
CREATE FUNCTION keep_signatures_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.position = 2 AND NOT EXISTS (
        SELECT FROM document_signature WHERE document_id = NEW.document_id AND position = 1
        AND substring(NEW.content FOR length(content)) = content
    ) THEN
        RAISE EXCEPTION 'the second signature does not stand on the document with the first'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_document_signature_on_first',
            TABLE = 'document_signature';
    END IF;
    IF NOT EXISTS (
        SELECT FROM contract_document WHERE id = NEW.document_id
        AND substring(NEW.content FOR length(content)) = content
    ) THEN
        RAISE EXCEPTION 'what was signed is not the document'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_document_signature_of_document',
            TABLE = 'document_signature';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER document_signature_in_order BEFORE INSERT ON document_signature
    FOR EACH ROW EXECUTE FUNCTION keep_signatures_in_order()
"""

# Signed means signed: nothing calls itself so without the signatures of both sides.
SIGNED_BY_BOTH = """
CREATE FUNCTION keep_signed_by_both() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF 2 > (
        SELECT count(*) FROM document_signature JOIN contract_document ON contract_document.id = document_id
        WHERE TG_TABLE_NAME = 'contract' AND contract_id = NEW.id AND amendment_id IS NULL
        OR TG_TABLE_NAME = 'amendment' AND amendment_id = NEW.id
    ) THEN
        RAISE EXCEPTION '% % is not signed by both sides', TG_TABLE_NAME, NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER contract_signed_by_both BEFORE UPDATE OF state ON contract FOR EACH ROW
    WHEN (NEW.state = 'signed' AND OLD.state IN ('agreed', 'signing')) EXECUTE FUNCTION keep_signed_by_both();
CREATE TRIGGER amendment_signed_by_both BEFORE UPDATE OF state ON amendment FOR EACH ROW
    WHEN (NEW.state = 'active' AND OLD.state <> 'active') EXECUTE FUNCTION keep_signed_by_both()
"""

FUNCTIONS = (
    "keep_signed_by_both",
    "keep_signatures_in_order",
    "keep_document_of_version",
    "keep_versions_in_order",
    "write_first_version",
)


def _run(script: str) -> None:
    # Sent as it is: without parameters a per cent sign is one, and a script may hold several statements.
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def _subjects(condition: str) -> None:
    op.drop_constraint(op.f("ck_event_subject_kind"), "event", type_="check")
    op.create_check_constraint(op.f("ck_event_subject_kind"), "event", condition)


def upgrade() -> None:
    _subjects(SUBJECTS)
    _create_amendment()
    _create_version()
    _create_document()
    _create_signature()
    _run(FIRST_VERSIONS_OF_TODAY)
    for script in (FIRST_VERSION, VERSION_ORDER, AMENDMENT_FROZEN, DOCUMENT_OF_VERSION, SIGNED_BY_BOTH):
        _run(script)
    for table in APPEND_ONLY:
        _run(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _create_amendment() -> None:
    op.create_table(
        "amendment",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("proposed_by", sa.String(length=40), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("in_force_from", sa.Date(), nullable=False),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("terms_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=40), server_default="draft", nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("proposed_by IN ('seller', 'buyer')", name=op.f("ck_amendment_proposed_by")),
        sa.CheckConstraint(
            "state IN ('draft', 'pending', 'active', 'refused', 'cancelled', 'expired')",
            name=op.f("ck_amendment_state"),
        ),
        sa.CheckConstraint("jsonb_typeof(terms) = 'object'", name=op.f("ck_amendment_terms")),
        sa.CheckConstraint(
            "state IN ('draft', 'cancelled') OR proposed_at IS NOT NULL AND expires_at IS NOT NULL",
            name=op.f("ck_amendment_proposed_has_times"),
        ),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_amendment_terms_hash")),
        sa.CheckConstraint("number >= 2", name=op.f("ck_amendment_number_after_first")),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_amendment_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_amendment")),
    )
    op.create_index(
        op.f("uq_amendment_one_pending"),
        "amendment",
        ["contract_id"],
        unique=True,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        op.f("ix_amendment_contract_id_created_at_id"), "amendment", ["contract_id", "created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_amendment_expires_at"),
        "amendment",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )


def _create_version() -> None:
    op.create_table(
        "contract_version",
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("terms_hash", sa.String(length=64), nullable=False),
        sa.Column("in_force_from", sa.Date(), nullable=False),
        sa.Column("amendment_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("jsonb_typeof(terms) = 'object'", name=op.f("ck_contract_version_terms")),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_contract_version_terms_hash")),
        sa.CheckConstraint(
            "(number = 1) = (amendment_id IS NULL)", name=op.f("ck_contract_version_later_by_amendment")
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_contract_version_number_positive")),
        sa.ForeignKeyConstraint(
            ["amendment_id"],
            ["amendment.id"],
            name=op.f("fk_contract_version_amendment_id_amendment"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_contract_version_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("contract_id", "number", name=op.f("pk_contract_version")),
        sa.UniqueConstraint("amendment_id", name=op.f("uq_contract_version_amendment_id")),
    )


def _create_document() -> None:
    op.create_table(
        "contract_document",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("amendment_id", sa.Uuid(), nullable=True),
        sa.Column("terms_hash", sa.String(length=64), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("encode(sha256(content), 'hex') = sha256", name=op.f("ck_contract_document_sha256")),
        sa.CheckConstraint("seal ~ '^[0-9a-f]{64}$'", name=op.f("ck_contract_document_seal")),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_contract_document_terms_hash")),
        sa.CheckConstraint(
            "(number = 1) = (amendment_id IS NULL)", name=op.f("ck_contract_document_later_by_amendment")
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_contract_document_number_positive")),
        sa.ForeignKeyConstraint(
            ["amendment_id"],
            ["amendment.id"],
            name=op.f("fk_contract_document_amendment_id_amendment"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_contract_document_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_document")),
        sa.UniqueConstraint("amendment_id", "terms_hash", name=op.f("uq_contract_document_amendment_id_terms_hash")),
        sa.UniqueConstraint("id", "terms_hash", name=op.f("uq_contract_document_id_terms_hash")),
    )
    op.create_index(
        op.f("uq_contract_document_first"),
        "contract_document",
        ["contract_id"],
        unique=True,
        postgresql_where=sa.text("amendment_id IS NULL"),
    )
    op.create_index(op.f("ix_contract_document_seal"), "contract_document", ["seal"], unique=False)
    op.create_index(op.f("ix_contract_document_terms_hash"), "contract_document", ["terms_hash"], unique=False)


def _create_signature() -> None:
    op.create_table(
        "document_signature",
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=40), nullable=False),
        sa.Column("terms_hash", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=40), nullable=False),
        sa.Column("signer", sa.Text(), nullable=False),
        sa.Column("certificate", sa.String(length=64), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("api_key_id", sa.Uuid(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("side IN ('seller', 'buyer')", name=op.f("ck_document_signature_side")),
        sa.CheckConstraint("method IN ('certificate_file', 'external')", name=op.f("ck_document_signature_method")),
        sa.CheckConstraint("certificate ~ '^[0-9a-f]{64}$'", name=op.f("ck_document_signature_certificate")),
        sa.CheckConstraint("encode(sha256(content), 'hex') = sha256", name=op.f("ck_document_signature_sha256")),
        sa.CheckConstraint("(user_id IS NULL) <> (api_key_id IS NULL)", name=op.f("ck_document_signature_one_actor")),
        sa.CheckConstraint("position IN (1, 2)", name=op.f("ck_document_signature_position")),
        sa.ForeignKeyConstraint(
            ["api_key_id"], ["api_key.id"], name=op.f("fk_document_signature_api_key_id_api_key"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["document_id", "terms_hash"],
            ["contract_document.id", "contract_document.terms_hash"],
            name=op.f("fk_document_signature_document_id_terms_hash_contract_document"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name=op.f("fk_document_signature_user_id_user_account"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("document_id", "position", name=op.f("pk_document_signature")),
        sa.UniqueConstraint("document_id", "side", name=op.f("uq_document_signature_document_id_side")),
    )


def downgrade() -> None:
    for function in FUNCTIONS:  # each takes its triggers along
        op.execute(f"DROP FUNCTION {function}() CASCADE")
    for table in ("document_signature", "contract_document", "contract_version", "amendment"):
        op.drop_table(table)
    _subjects(SUBJECTS_BEFORE)
