"""What a contract says on which day: versions of its terms, the amendments that make them, the signed documents."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Model
from contracts.state import Subject, state_names

from .columns import Count, Digest, Document, Now, RandomKey, Text, Versioned, choice, one_of, restrict
from .contracts import Contract

SIDES = ("seller", "buyer")


class SigningMethod(StrEnum):
    """How a signature came: made here with a key that was sent along, or elsewhere and sent in with the document."""

    CERTIFICATE_FILE = "certificate_file"
    EXTERNAL = "external"


class Amendment(Versioned, Model):
    """A change of a contract's terms that one side drafts and both sign. Only a draft may still be changed.

    `terms` are the whole terms as they would be, version `number`, in force from a day on.
    """

    __tablename__ = "amendment"
    __table_args__ = (
        sa.CheckConstraint("number >= 2", name="number_after_first"),
        sa.CheckConstraint("jsonb_typeof(terms) = 'object'", name="terms"),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name="terms_hash"),
        sa.CheckConstraint(
            "state IN ('draft', 'cancelled') OR proposed_at IS NOT NULL AND expires_at IS NOT NULL",
            name="proposed_has_times",
        ),
        sa.Index(None, "contract_id", "created_at", "id"),
        sa.Index("uq_amendment_one_pending", "contract_id", unique=True, postgresql_where=sa.text("state = 'pending'")),
        sa.Index(None, "expires_at", postgresql_where=sa.text("state = 'pending'")),
    )

    id: Mapped[RandomKey]
    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"))
    proposed_by: Mapped[str] = mapped_column(one_of(SIDES, "proposed_by"))
    number: Mapped[Count]
    reason_code: Mapped[Text]
    note: Mapped[str | None] = mapped_column(sa.Text)
    in_force_from: Mapped[dt.date]
    terms: Mapped[Document]
    terms_hash: Mapped[Digest]
    state: Mapped[str] = mapped_column(one_of(state_names(Subject.AMENDMENT), "state"), server_default="draft")
    proposed_at: Mapped[dt.datetime | None]
    expires_at: Mapped[dt.datetime | None]
    created_at: Mapped[Now]

    contract: Mapped[Contract] = relationship()


class ContractVersion(Model):
    """The terms of a contract from a day on, until the next version's day. Rows are only added.

    A trigger writes version 1 with the contract; every later one comes from an amendment that both have signed, and
    its day is after that of the version before.
    """

    __tablename__ = "contract_version"
    __table_args__ = (
        sa.UniqueConstraint("amendment_id"),
        sa.CheckConstraint("number >= 1", name="number_positive"),
        sa.CheckConstraint("(number = 1) = (amendment_id IS NULL)", name="later_by_amendment"),
        sa.CheckConstraint("jsonb_typeof(terms) = 'object'", name="terms"),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name="terms_hash"),
    )

    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"), primary_key=True)
    number: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    terms: Mapped[Document]
    terms_hash: Mapped[Digest]
    in_force_from: Mapped[dt.date]
    amendment_id: Mapped[uuid.UUID | None] = mapped_column(restrict("amendment.id"))
    created_at: Mapped[Now]

    amendment: Mapped[Amendment | None] = relationship()


class ContractDocument(Model):
    """The PDF of one version as it was made, unsigned; what is signed begins with these bytes. Rows are only added.

    `seal` is the digest the PDF carries itself, `sha256` that of the whole file.
    """

    __tablename__ = "contract_document"
    __table_args__ = (
        sa.UniqueConstraint("amendment_id", "terms_hash"),
        sa.UniqueConstraint("id", "terms_hash"),
        sa.CheckConstraint("number >= 1", name="number_positive"),
        sa.CheckConstraint("(number = 1) = (amendment_id IS NULL)", name="later_by_amendment"),
        sa.CheckConstraint("terms_hash ~ '^[0-9a-f]{64}$'", name="terms_hash"),
        sa.CheckConstraint("seal ~ '^[0-9a-f]{64}$'", name="seal"),
        sa.CheckConstraint("encode(sha256(content), 'hex') = sha256", name="sha256"),
        sa.Index(
            "uq_contract_document_first", "contract_id", unique=True, postgresql_where=sa.text("amendment_id IS NULL")
        ),
        sa.Index(None, "terms_hash"),
        sa.Index(None, "seal"),
    )

    id: Mapped[RandomKey]
    contract_id: Mapped[uuid.UUID] = mapped_column(restrict("contract.id"))
    number: Mapped[Count]
    amendment_id: Mapped[uuid.UUID | None] = mapped_column(restrict("amendment.id"))
    terms_hash: Mapped[Digest]
    seal: Mapped[Digest]
    sha256: Mapped[Digest]
    content: Mapped[bytes] = mapped_column(deferred=True)
    created_at: Mapped[Now]

    contract: Mapped[Contract] = relationship()
    amendment: Mapped[Amendment | None] = relationship()
    signatures: Mapped[list[DocumentSignature]] = relationship(
        back_populates="document", order_by="DocumentSignature.position"
    )


class DocumentSignature(Model):
    """One side's signature on a document, over the hash of its terms: the first or the second. Rows are only added.

    `content` is the whole file with this signature and those before. `certificate` is the SHA-256 of the signer's
    certificate, `signed_at` the time the signature tells, `created_at` when it was taken.
    """

    __tablename__ = "document_signature"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["document_id", "terms_hash"], ["contract_document.id", "contract_document.terms_hash"], ondelete="RESTRICT"
        ),
        sa.UniqueConstraint("document_id", "side"),
        sa.CheckConstraint("position IN (1, 2)", name="position"),
        sa.CheckConstraint("certificate ~ '^[0-9a-f]{64}$'", name="certificate"),
        sa.CheckConstraint("encode(sha256(content), 'hex') = sha256", name="sha256"),
        sa.CheckConstraint("(user_id IS NULL) <> (api_key_id IS NULL)", name="one_actor"),
    )

    document_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    side: Mapped[str] = mapped_column(one_of(SIDES, "side"))
    terms_hash: Mapped[Digest]
    method: Mapped[SigningMethod] = mapped_column(choice(SigningMethod, "method"))
    signer: Mapped[Text]
    certificate: Mapped[Digest]
    signed_at: Mapped[dt.datetime | None]
    user_id: Mapped[uuid.UUID | None] = mapped_column(restrict("user_account.id"))
    api_key_id: Mapped[uuid.UUID | None] = mapped_column(restrict("api_key.id"))
    sha256: Mapped[Digest]
    content: Mapped[bytes] = mapped_column(deferred=True)
    created_at: Mapped[Now]

    document: Mapped[ContractDocument] = relationship(back_populates="signatures")
