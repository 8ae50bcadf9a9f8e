"""Claims, force majeure and endings."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SUBJECT = "claim"
CONDITION_OF_SUBJECTS = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint
WHERE conname = 'ck_event_subject_kind' AND conrelid = 'event'::regclass
"""

TABLES = (
    "reopening",
    "returned_volume",
    "termination",
    "suspension",
    "excused_volume",
    "evidence",
    "force_majeure_allocation",
    "force_majeure_notice",
    "force_majeure",
    "claim",
)
APPEND_ONLY = ("evidence", "force_majeure_notice", "force_majeure_allocation", "excused_volume", "returned_volume")

# What a row is about stays; (table, trigger, columns).
FROZEN = (
    ("claim", "claim_identity_frozen", "contract_id, claimant, created_at"),
    ("force_majeure", "force_majeure_frozen", "firm_id, description, began_on, affected, told_at"),
    ("suspension", "suspension_frozen", "contract_id, reason_code, notice_id, certificate_id, suspended_at"),
    (
        "termination",
        "termination_frozen",
        "contract_id, side, ground, reason_code, statement, claim_id, cure_until, given_at",
    ),
    ("reopening", "reopening_frozen", "contract_id, clause, side, triggered_on, talk_until, working, opened_at"),
)
KEPT = ("claim", "force_majeure", "suspension", "termination", "reopening")

# What the other side answers to is what was filed.
FILED_FROZEN = """
CREATE TRIGGER claim_filed_frozen BEFORE UPDATE ON claim FOR EACH ROW WHEN (
    OLD.filed_at IS NOT NULL
    AND (OLD.kind, OLD.breach_on, OLD.statement, OLD.amount_claimed, OLD.penalty, OLD.penalty_period, OLD.working,
         OLD.file_by, OLD.filed_at, OLD.answer_by)
    IS DISTINCT FROM (NEW.kind, NEW.breach_on, NEW.statement, NEW.amount_claimed, NEW.penalty, NEW.penalty_period,
         NEW.working, NEW.file_by, NEW.filed_at, NEW.answer_by)
) EXECUTE FUNCTION refuse_change()
"""

NOTICE_OF_PARTY = """
CREATE FUNCTION keep_notices_to_parties() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM force_majeure JOIN contract ON contract.id = NEW.contract_id
        WHERE force_majeure.id = NEW.force_majeure_id AND force_majeure.firm_id =
            CASE NEW.side WHEN 'seller' THEN contract.seller_firm_id ELSE contract.buyer_firm_id END
    ) THEN
        RAISE EXCEPTION 'the event of a firm hinders a contract in which it is not the %', NEW.side USING
            ERRCODE = 'check_violation', CONSTRAINT = 'ck_force_majeure_notice_of_party',
            TABLE = 'force_majeure_notice';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER force_majeure_notice_of_party BEFORE INSERT ON force_majeure_notice
    FOR EACH ROW EXECUTE FUNCTION keep_notices_to_parties()
"""


def upgrade() -> None:
    _set_subjects([*_subjects(), SUBJECT])
    for create in (
        _create_claim,
        _create_force_majeure,
        _create_force_majeure_notice,
        _create_force_majeure_allocation,
        _create_evidence,
        _create_excused_volume,
        _create_suspension,
        _create_termination,
        _create_returned_volume,
        _create_reopening,
    ):
        create()
    for table in APPEND_ONLY:
        _run(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table, name, columns in FROZEN:
        listed = columns.split(", ")
        before, after = (", ".join(f"{row}.{column}" for column in listed) for row in ("OLD", "NEW"))
        _run(
            f"CREATE TRIGGER {name} BEFORE UPDATE OF {columns} ON {table} FOR EACH ROW"
            f" WHEN (({before}) IS DISTINCT FROM ({after})) EXECUTE FUNCTION refuse_change()"
        )
    for table in KEPT:
        _run(f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table} EXECUTE FUNCTION refuse_change()")
    for script in (FILED_FROZEN, NOTICE_OF_PARTY):
        _run(script)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION keep_notices_to_parties()")
    op.execute("ALTER TABLE event DISABLE TRIGGER event_append_only")
    op.execute("DELETE FROM event WHERE subject_kind = 'claim'")
    op.execute("ALTER TABLE event ENABLE TRIGGER event_append_only")
    _set_subjects([kind for kind in _subjects() if kind != SUBJECT])


def _run(script: str) -> None:
    # Sent as it is: without parameters a per cent sign is one, and a script may hold several statements.
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def _subjects() -> list[str]:
    """What events may be about so far, as the database says it."""
    condition: str = op.get_bind().scalar(sa.text(CONDITION_OF_SUBJECTS))
    return re.findall(r"'([a-z_]+)'", condition)


def _set_subjects(kinds: list[str]) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint(op.f("ck_event_subject_kind"), "event", type_="check")
    op.create_check_constraint(op.f("ck_event_subject_kind"), "event", f"subject_kind IN ({listed})")


def _create_claim() -> None:
    op.create_table(
        "claim",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("claimant", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("breach_on", sa.Date(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("amount_claimed", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("penalty", sa.String(length=40), nullable=True),
        sa.Column("penalty_period", sa.String(length=7), nullable=True),
        sa.Column("working", postgresql.JSONB(), nullable=True),
        sa.Column("state", sa.String(length=40), server_default="draft", nullable=False),
        sa.Column("file_by", sa.Date(), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_by", sa.Date(), nullable=True),
        sa.Column("defence", sa.Text(), nullable=True),
        sa.Column("defended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("amount_awarded", sa.Numeric(precision=18, scale=2), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(state = 'upheld') = (amount_awarded IS NOT NULL)", name=op.f("ck_claim_upheld_has_amount")
        ),
        sa.CheckConstraint(
            "(state IN ('upheld', 'declined')) = (decided_at IS NOT NULL)", name=op.f("ck_claim_decided_has_time")
        ),
        sa.CheckConstraint("state <> 'defended' OR defence IS NOT NULL", name=op.f("ck_claim_defended_has_defence")),
        sa.CheckConstraint(
            "state NOT IN ('pending', 'defended', 'upheld', 'declined') OR filed_at IS NOT NULL",
            name=op.f("ck_claim_filed_has_time"),
        ),
        sa.CheckConstraint("(defence IS NULL) = (defended_at IS NULL)", name=op.f("ck_claim_defence_has_time")),
        sa.CheckConstraint("(filed_at IS NULL) = (answer_by IS NULL)", name=op.f("ck_claim_filed_has_answer_day")),
        sa.CheckConstraint(
            "(penalty IS NULL) = (working IS NULL) AND (penalty IS NULL) = (penalty_period IS NULL)",
            name=op.f("ck_claim_penalty_has_working"),
        ),
        sa.CheckConstraint("amount_awarded BETWEEN 0 AND amount_claimed", name=op.f("ck_claim_awarded_within_claimed")),
        sa.CheckConstraint("amount_claimed > 0", name=op.f("ck_claim_amount_positive")),
        sa.CheckConstraint("file_by >= breach_on", name=op.f("ck_claim_days_ordered")),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_claim_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.CheckConstraint("claimant IN ('seller', 'buyer')", name=op.f("ck_claim_claimant")),
        sa.CheckConstraint(
            "kind IN ('late_delivery', 'short_delivery', 'quality', 'late_payment', 'not_taken', 'confidentiality')",
            name=op.f("ck_claim_kind"),
        ),
        sa.CheckConstraint("penalty IN ('late_damages', 'supply_or_pay')", name=op.f("ck_claim_penalty")),
        sa.CheckConstraint(
            "state IN ('draft', 'pending', 'defended', 'upheld', 'declined', 'withdrawn', 'lapsed')",
            name=op.f("ck_claim_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
    )
    op.create_index(
        op.f("ix_claim_contract_id_created_at_id"), "claim", ["contract_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_claim_state_file_by"), "claim", ["state", "file_by"], unique=False)


def _create_force_majeure() -> None:
    op.create_table(
        "force_majeure",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("began_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("affected", sa.Numeric(precision=7, scale=6), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("affected > 0 AND affected <= 1", name=op.f("ck_force_majeure_affected")),
        sa.CheckConstraint("began_on <= ended_on", name=op.f("ck_force_majeure_days_ordered")),
        sa.ForeignKeyConstraint(
            ["firm_id"], ["firm.id"], name=op.f("fk_force_majeure_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_force_majeure")),
    )
    op.create_index(
        op.f("ix_force_majeure_firm_id_told_at_id"), "force_majeure", ["firm_id", "told_at", "id"], unique=False
    )


def _create_force_majeure_notice() -> None:
    op.create_table(
        "force_majeure_notice",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("force_majeure_id", sa.Uuid(), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.String(length=40), nullable=False),
        sa.Column("in_time", sa.Boolean(), nullable=False),
        sa.Column("counts_from", sa.Date(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_force_majeure_notice_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["force_majeure_id"],
            ["force_majeure.id"],
            name=op.f("fk_force_majeure_notice_force_majeure_id_force_majeure"),
            ondelete="RESTRICT",
        ),
        sa.CheckConstraint("side IN ('seller', 'buyer')", name=op.f("ck_force_majeure_notice_side")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_force_majeure_notice")),
        sa.UniqueConstraint(
            "force_majeure_id", "contract_id", name=op.f("uq_force_majeure_notice_force_majeure_id_contract_id")
        ),
    )
    op.create_index(op.f("ix_force_majeure_notice_contract_id"), "force_majeure_notice", ["contract_id"], unique=False)


def _create_force_majeure_allocation() -> None:
    op.create_table(
        "force_majeure_allocation",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("force_majeure_id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("available >= 0", name=op.f("ck_force_majeure_allocation_available_not_negative")),
        sa.ForeignKeyConstraint(
            ["force_majeure_id"],
            ["force_majeure.id"],
            name=op.f("fk_force_majeure_allocation_force_majeure_id_force_majeure"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["product_code"],
            ["product.code"],
            name=op.f("fk_force_majeure_allocation_product_code_product"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_force_majeure_allocation")),
        sa.UniqueConstraint("force_majeure_id", "product_code", "period", name="uq_force_majeure_allocation_one"),
    )


def _create_evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=True),
        sa.Column("force_majeure_id", sa.Uuid(), nullable=True),
        sa.Column("side", sa.String(length=40), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("added_by_id", sa.Uuid(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("sha256 = encode(sha256(content), 'hex')", name=op.f("ck_evidence_sha256")),
        sa.CheckConstraint("num_nonnulls(claim_id, force_majeure_id) = 1", name=op.f("ck_evidence_one_purpose")),
        sa.CheckConstraint("size = octet_length(content)", name=op.f("ck_evidence_size")),
        sa.CheckConstraint("size BETWEEN 1 AND 10485760", name=op.f("ck_evidence_size_within_limit")),
        sa.ForeignKeyConstraint(
            ["added_by_id"], ["user_account.id"], name=op.f("fk_evidence_added_by_id_user_account"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["claim_id"], ["claim.id"], name=op.f("fk_evidence_claim_id_claim"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["force_majeure_id"],
            ["force_majeure.id"],
            name=op.f("fk_evidence_force_majeure_id_force_majeure"),
            ondelete="RESTRICT",
        ),
        sa.CheckConstraint("side IN ('seller', 'buyer')", name=op.f("ck_evidence_side")),
        sa.CheckConstraint("kind IN ('pdf', 'png', 'jpeg', 'csv', 'text', 'xlsx')", name=op.f("ck_evidence_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index(op.f("ix_evidence_claim_id_added_at_id"), "evidence", ["claim_id", "added_at", "id"], unique=False)
    op.create_index(
        op.f("ix_evidence_force_majeure_id_added_at_id"),
        "evidence",
        ["force_majeure_id", "added_at", "id"],
        unique=False,
    )


def _create_excused_volume() -> None:
    op.create_table(
        "excused_volume",
        sa.Column("notice_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("promised", sa.BigInteger(), nullable=False),
        sa.Column("excused", sa.BigInteger(), nullable=False),
        sa.Column("allocation_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("excused BETWEEN 0 AND promised", name=op.f("ck_excused_volume_excused_within_promised")),
        sa.ForeignKeyConstraint(
            ["allocation_id"],
            ["force_majeure_allocation.id"],
            name=op.f("fk_excused_volume_allocation_id_force_majeure_allocation"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"],
            ["force_majeure_notice.id"],
            name=op.f("fk_excused_volume_notice_id_force_majeure_notice"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("notice_id", "period", name=op.f("pk_excused_volume")),
    )


def _create_suspension() -> None:
    op.create_table(
        "suspension",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("reason_code", sa.String(length=40), nullable=False),
        sa.Column("notice_id", sa.Uuid(), nullable=True),
        sa.Column("certificate_id", sa.Uuid(), nullable=True),
        sa.Column("suspended_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resume_reason", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "(resumed_at IS NULL) = (resume_reason IS NULL)", name=op.f("ck_suspension_resumed_has_reason")
        ),
        sa.CheckConstraint("num_nonnulls(notice_id, certificate_id) = 1", name=op.f("ck_suspension_one_cause")),
        sa.CheckConstraint("suspended_at <= resumed_at", name=op.f("ck_suspension_times_ordered")),
        sa.ForeignKeyConstraint(
            ["certificate_id"],
            ["certificate.id"],
            name=op.f("fk_suspension_certificate_id_certificate"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_suspension_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"],
            ["force_majeure_notice.id"],
            name=op.f("fk_suspension_notice_id_force_majeure_notice"),
            ondelete="RESTRICT",
        ),
        sa.CheckConstraint(
            "reason_code IN ('force_majeure', 'certificate_suspended')", name=op.f("ck_suspension_reason_code")
        ),
        sa.CheckConstraint(
            "resume_reason IN ('force_majeure_ended', 'certificate_restored')", name=op.f("ck_suspension_resume_reason")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspension")),
    )
    op.create_index(op.f("ix_suspension_contract_id"), "suspension", ["contract_id"], unique=False)
    op.create_index(
        "uq_suspension_one_open",
        "suspension",
        ["contract_id"],
        unique=True,
        postgresql_where=sa.text("resumed_at IS NULL"),
    )


def _create_termination() -> None:
    op.create_table(
        "termination",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.String(length=40), nullable=False),
        sa.Column("ground", sa.String(length=40), nullable=False),
        sa.Column("reason_code", sa.String(length=40), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=True),
        sa.Column("cure_until", sa.Date(), nullable=True),
        sa.Column("established_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("(ground = 'cause') = (cure_until IS NOT NULL)", name=op.f("ck_termination_cause_has_cure")),
        sa.CheckConstraint(
            "ground = 'cause' OR (claim_id IS NULL AND established_at IS NULL)",
            name=op.f("ck_termination_only_of_cause"),
        ),
        sa.CheckConstraint("num_nonnulls(withdrawn_at, done_at) <= 1", name=op.f("ck_termination_one_outcome")),
        sa.ForeignKeyConstraint(
            ["claim_id"], ["claim.id"], name=op.f("fk_termination_claim_id_claim"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_termination_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.CheckConstraint("side IN ('seller', 'buyer')", name=op.f("ck_termination_side")),
        sa.CheckConstraint("ground IN ('cause', 'consent', 'force_majeure')", name=op.f("ck_termination_ground")),
        sa.CheckConstraint(
            "reason_code IN ('mutual_agreement', 'non_payment', 'non_delivery', 'repeated_off_specification', 'insolvency', 'prolonged_force_majeure', 'certificate_revoked', 'illegality')",
            name=op.f("ck_termination_reason_code"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_termination")),
    )
    op.create_index(
        op.f("ix_termination_contract_id_given_at_id"), "termination", ["contract_id", "given_at", "id"], unique=False
    )
    op.create_index(
        "uq_termination_one_done",
        "termination",
        ["contract_id"],
        unique=True,
        postgresql_where=sa.text("done_at IS NOT NULL"),
    )
    op.create_index(
        "uq_termination_one_open",
        "termination",
        ["contract_id", "side"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL AND done_at IS NULL"),
    )


def _create_returned_volume() -> None:
    op.create_table(
        "returned_volume",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(length=7, collation="C"), nullable=False),
        sa.Column("lots", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("lots > 0", name=op.f("ck_returned_volume_lots_positive")),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_returned_volume_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["offer_id", "period"],
            ["offer_period.offer_id", "offer_period.period"],
            name=op.f("fk_returned_volume_offer_id_period_offer_period"),
            ondelete="RESTRICT",
        ),
        sa.CheckConstraint(
            "cause IN ('excused', 'terminated', 'expired', 'fulfilled')", name=op.f("ck_returned_volume_cause")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returned_volume")),
    )
    op.create_index(op.f("ix_returned_volume_contract_id_id"), "returned_volume", ["contract_id", "id"], unique=False)


def _create_reopening() -> None:
    op.create_table(
        "reopening",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("clause", sa.SmallInteger(), nullable=False),
        sa.Column("side", sa.String(length=40), nullable=True),
        sa.Column("triggered_on", sa.Date(), nullable=False),
        sa.Column("talk_until", sa.Date(), nullable=False),
        sa.Column("working", postgresql.JSONB(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name=op.f("ck_reopening_closed_has_outcome")),
        sa.CheckConstraint("clause >= 0", name=op.f("ck_reopening_clause_not_negative")),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_reopening_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.CheckConstraint("side IN ('seller', 'buyer')", name=op.f("ck_reopening_side")),
        sa.CheckConstraint("outcome IN ('amended', 'kept')", name=op.f("ck_reopening_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reopening")),
        sa.UniqueConstraint(
            "contract_id", "clause", "triggered_on", name=op.f("uq_reopening_contract_id_clause_triggered_on")
        ),
    )
    op.create_index(
        "uq_reopening_one_open",
        "reopening",
        ["contract_id", "clause"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
