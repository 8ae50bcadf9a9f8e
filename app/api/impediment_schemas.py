"""Force majeure, suspension, termination and reopening of contracts as the API reads and writes them."""

from __future__ import annotations

from decimal import Decimal

import marshmallow as ma

from app.api.claims import EvidenceSchema
from app.api.fields import DecimalText, Text, Timestamp
from app.api.settlement_schemas import WorkingStepSchema
from app.models import (
    SIDES,
    ReopeningOutcome,
    ReturnCause,
    TerminationGround,
)
from contracts.reasons import ReasonGroup, codes_of


class ExcusedSchema(ma.Schema):
    """Lots of a period that nobody owes."""

    period = ma.fields.String(required=True)
    promised = ma.fields.Integer(required=True)
    excused = ma.fields.Integer(required=True)


class ForceMajeureNoticeSchema(ma.Schema):
    """The notice under one contract. A late one counts from `counts_from` on, not from the beginning."""

    id = ma.fields.UUID(required=True)
    contract_id = ma.fields.UUID(required=True)
    contract_number = ma.fields.String(required=True)
    side = ma.fields.String(required=True, validate=ma.validate.OneOf(SIDES))
    in_time = ma.fields.Boolean(required=True)
    counts_from = ma.fields.Date(required=True)
    given_at = Timestamp(required=True)
    excused = ma.fields.List(ma.fields.Nested(ExcusedSchema), required=True)


class AllocationSchema(ma.Schema):
    """Lots of a product that were left in a period and shared pro rata among all the seller's contracts."""

    product_code = ma.fields.String(required=True)
    period = ma.fields.String(required=True)
    available = ma.fields.Integer(required=True)
    made_at = Timestamp(required=True)


class ForceMajeureSchema(ma.Schema):
    """An event of a firm, with its notices under the contracts you may read; allocations are its own firm's to see."""

    id = ma.fields.UUID(required=True)
    firm_id = ma.fields.UUID(required=True)
    description = ma.fields.String(required=True)
    began_on = ma.fields.Date(required=True)
    ended_on = ma.fields.Date(required=True, allow_none=True)
    affected = DecimalText(required=True, metadata={"description": "Share that cannot be performed, 1 for all"})
    told_at = Timestamp(required=True)
    notices = ma.fields.List(ma.fields.Nested(ForceMajeureNoticeSchema), required=True)
    allocations = ma.fields.List(ma.fields.Nested(AllocationSchema), required=True)
    evidence = ma.fields.List(ma.fields.Nested(EvidenceSchema), required=True)


class DeclarationSchema(ma.Schema):
    """An event, and the contracts under which notice of it is given."""

    contract_ids = ma.fields.List(ma.fields.UUID(), required=True, validate=ma.validate.Length(1, 500))
    description = Text(required=True, most=5000)
    began_on = ma.fields.Date(required=True)
    affected = DecimalText(load_default=Decimal(1), maximum=1)


class NoticesSchema(ma.Schema):
    """Further contracts."""

    contract_ids = ma.fields.List(ma.fields.UUID(), required=True, validate=ma.validate.Length(1, 500))


class AllocationRequestSchema(ma.Schema):
    """What is left."""

    product_code = Text(required=True, most=100)
    period = Text(required=True, most=7)
    available = ma.fields.Integer(required=True, strict=True, validate=ma.validate.Range(0, 10**12))


class EventEndSchema(ma.Schema):
    """The last day of an event."""

    ended_on = ma.fields.Date(required=True)


class SuspendSchema(ma.Schema):
    """Why a contract rests; for a certificate, which."""

    reason_code = ma.fields.String(required=True, validate=ma.validate.OneOf(codes_of(ReasonGroup.SUSPEND)))
    certificate_id = ma.fields.UUID(load_default=None, allow_none=True)
    note = Text(load_default=None, allow_none=True, most=1000)


class ResumeSchema(ma.Schema):
    note = Text(load_default=None, allow_none=True, most=1000)


class SuspensionSchema(ma.Schema):
    """A time in which a contract rested, or rests."""

    id = ma.fields.UUID(required=True)
    contract_id = ma.fields.UUID(required=True)
    reason_code = ma.fields.String(required=True)
    notice_id = ma.fields.UUID(required=True, allow_none=True)
    certificate_id = ma.fields.UUID(required=True, allow_none=True)
    suspended_at = Timestamp(required=True)
    resumed_at = Timestamp(required=True, allow_none=True)
    resume_reason = ma.fields.String(required=True, allow_none=True)


class TerminationSchema(ma.Schema):
    """A side's notice that it wants to end a contract, and what became of it."""

    id = ma.fields.UUID(required=True)
    contract_id = ma.fields.UUID(required=True)
    side = ma.fields.String(required=True, validate=ma.validate.OneOf(SIDES))
    ground = ma.fields.Enum(TerminationGround, by_value=True, required=True)
    reason_code = ma.fields.String(required=True)
    statement = ma.fields.String(required=True)
    claim_id = ma.fields.UUID(required=True, allow_none=True)
    cure_until = ma.fields.Date(required=True, allow_none=True)
    established_at = Timestamp(required=True, allow_none=True)
    given_at = Timestamp(required=True)
    withdrawn_at = Timestamp(required=True, allow_none=True)
    done_at = Timestamp(required=True, allow_none=True)


class TerminationNoticeSchema(ma.Schema):
    """By which right, why, and the claim that shows the cause, if one does."""

    ground = ma.fields.Enum(TerminationGround, by_value=True, required=True)
    reason_code = ma.fields.String(required=True, validate=ma.validate.OneOf(codes_of(ReasonGroup.TERMINATE)))
    statement = Text(required=True, most=5000)
    claim_id = ma.fields.UUID(load_default=None, allow_none=True)


class EstablishSchema(ma.Schema):
    """What shows the cause."""

    note = Text(required=True, most=1000)


class ReopeningSchema(ma.Schema):
    """A reopener that was triggered or invoked; `clause` counts the terms' reopeners from 0."""

    id = ma.fields.UUID(required=True)
    clause = ma.fields.Integer(required=True)
    side = ma.fields.String(required=True, allow_none=True)
    triggered_on = ma.fields.Date(required=True)
    talk_until = ma.fields.Date(required=True)
    steps = ma.fields.List(ma.fields.Nested(WorkingStepSchema), required=True)
    opened_at = Timestamp(required=True)
    closed_at = Timestamp(required=True, allow_none=True)
    outcome = ma.fields.Enum(ReopeningOutcome, by_value=True, required=True, allow_none=True)


class InvokeSchema(ma.Schema):
    """By which reopener of the terms, and why."""

    clause = ma.fields.Integer(required=True, strict=True, validate=ma.validate.Range(0, 100))
    statement = Text(required=True, most=5000)


class ReturnedSchema(ma.Schema):
    """Lots that a contract held of your own offer and gave back to the market."""

    offer_id = ma.fields.UUID(required=True)
    period = ma.fields.String(required=True)
    lots = ma.fields.Integer(required=True)
    cause = ma.fields.Enum(ReturnCause, by_value=True, required=True)
    at = Timestamp(required=True)


class ImpedimentsSchema(ma.Schema):
    """Everything that hindered one contract, or ended it."""

    suspensions = ma.fields.List(ma.fields.Nested(SuspensionSchema), required=True)
    terminations = ma.fields.List(ma.fields.Nested(TerminationSchema), required=True)
    reopenings = ma.fields.List(ma.fields.Nested(ReopeningSchema), required=True)
    notices = ma.fields.List(ma.fields.Nested(ForceMajeureNoticeSchema), required=True)
    returned = ma.fields.List(ma.fields.Nested(ReturnedSchema), required=True)
