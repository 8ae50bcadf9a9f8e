"""What hinders contracts or ends them: events of force majeure, suspension, termination, reopeners; what comes back."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import marshmallow as ma
from flask import Response

from app.api.claims import BYTES, EvidenceFileSchema, EvidenceSchema, read, shown_evidence
from app.api.conventions import ApiBlueprint
from app.api.fields import DecimalText, Text, Timestamp
from app.api.idempotency import idempotent
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.settlement_schemas import WorkingStepSchema
from app.api.versions import changes_version, expect_version, show_version
from app.auth import principal, requires
from app.clock import clock, today
from app.db import session
from app.downloads import evidence_download
from app.models import (
    SIDES,
    Evidence,
    ForceMajeure,
    ForceMajeureNotice,
    ReopeningOutcome,
    ReturnCause,
    Termination,
    TerminationGround,
)
from app.operations import (
    contracts,
    force_majeure,
    hindrances,
    reopeners,
    returned_volume,
    suspension,
    termination,
)
from app.operations.terms_in_force import version_in_force
from app.permissions import Permission
from contracts.reasons import ReasonGroup, codes_of

events = ApiBlueprint("force_majeure", __name__, path="/force-majeure", description="Events of force majeure")
of_contracts = ApiBlueprint(
    "impediments", __name__, path="/contracts", description="Suspension, termination and reopening of contracts"
)
terminations = ApiBlueprint("terminations", __name__, path="/terminations", description="Notices of termination")
BLUEPRINTS = (events, of_contracts, terminations)


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


@events.get("")
@requires(Permission.CONTRACT_READ)
@events.arguments(PageArguments, location="query")
@events.response(200, page_of(ForceMajeureSchema))
def list_events(arguments: dict[str, Any]) -> Page[dict[str, Any]]:
    """Your firm's events and those told to it, newest first."""
    select, order = hindrances.visible_events(principal()), (ForceMajeure.told_at, ForceMajeure.id)
    found = page(session(), select, order=order, descending=True, **arguments)
    return Page([_event(one) for one in found.items], found.next)


@events.post("")
@requires(Permission.CONTRACT_NOTIFY)
@idempotent
@events.arguments(DeclarationSchema)
@refuses(events, 404, 409, 422)
@events.response(201, ForceMajeureSchema)
def declare(body: dict[str, Any]) -> dict[str, Any]:
    """Give notice of an event under contracts of yours."""
    return _event(force_majeure.declare(session(), principal=principal(), now=clock(), **body))


@events.get("/<uuid:event_id>")
@requires(Permission.CONTRACT_READ)
@refuses(events, 404)
@events.response(200, ForceMajeureSchema)
def get_event(event_id: uuid.UUID) -> dict[str, Any]:
    """One event."""
    return _event(hindrances.find_event(session(), principal=principal(), event_id=event_id))


@events.post("/<uuid:event_id>/notices")
@requires(Permission.CONTRACT_NOTIFY)
@idempotent
@events.arguments(NoticesSchema)
@refuses(events, 404, 409, 422)
@events.response(200, ForceMajeureSchema)
def give_notices(body: dict[str, Any], event_id: uuid.UUID) -> dict[str, Any]:
    """Give notice under further contracts."""
    return _event(force_majeure.give_notice(session(), principal=principal(), event_id=event_id, now=clock(), **body))


@events.post("/<uuid:event_id>/evidence")
@requires(Permission.CONTRACT_NOTIFY)
@idempotent
@events.arguments(EvidenceFileSchema, location="files")
@refuses(events, 404, 413, 422)
@events.response(201, EvidenceSchema)
def add_event_evidence(files: dict[str, Any], event_id: uuid.UUID) -> Evidence:
    """Add a file to your own event."""
    return force_majeure.attach(
        session(), principal=principal(), event_id=event_id, file=read(files["file"]), now=clock()
    )


@events.get("/<uuid:event_id>/evidence/<uuid:evidence_id>")
@requires(Permission.CONTRACT_READ)
@refuses(events, 404)
@events.response(200, BYTES, content_type="application/octet-stream")
def get_event_evidence(event_id: uuid.UUID, evidence_id: uuid.UUID) -> Response:
    """A file as it came."""
    return evidence_download(
        force_majeure.read_evidence(session(), principal=principal(), event_id=event_id, evidence_id=evidence_id)
    )


@events.post("/<uuid:event_id>/allocations")
@requires(Permission.CONTRACT_NOTIFY)
@idempotent
@events.arguments(AllocationRequestSchema)
@refuses(events, 404, 409, 422)
@events.response(200, ForceMajeureSchema)
def allocate(body: dict[str, Any], event_id: uuid.UUID) -> dict[str, Any]:
    """Share what is left in a period among all your contracts of the product, pro rata; it cannot be undone."""
    force_majeure.allocate(session(), principal=principal(), event_id=event_id, now=clock(), **body)
    return _event(hindrances.find_event(session(), principal=principal(), event_id=event_id))


@events.post("/<uuid:event_id>/end")
@requires(Permission.CONTRACT_NOTIFY)
@idempotent
@events.arguments(EventEndSchema)
@refuses(events, 404, 409, 422)
@events.response(200, ForceMajeureSchema)
def end_event(body: dict[str, Any], event_id: uuid.UUID) -> dict[str, Any]:
    """Tell that your event is over. What its days took is excused; it cannot be undone."""
    return _event(force_majeure.end(session(), principal=principal(), event_id=event_id, now=clock(), **body))


@of_contracts.get("/<uuid:contract_id>/impediments")
@requires(Permission.CONTRACT_READ)
@refuses(of_contracts, 404)
@of_contracts.response(200, ImpedimentsSchema)
def get_impediments(contract_id: uuid.UUID) -> dict[str, Any]:
    """What hindered a contract, what reopened or ended it, and what it gave back of your offers."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    return {
        "suspensions": suspension.of_contract(session(), contract=contract),
        "terminations": termination.of_contract(session(), contract=contract),
        "reopenings": [
            {name: getattr(one, name) for name in ReopeningSchema().fields if name != "steps"}
            | {"steps": one.working["steps"]}
            for one in reopeners.of_contract(session(), contract=contract)
        ],
        "notices": [_notice(one) for one in hindrances.of_contract(session(), contract_id=contract.id)],
        "returned": returned_volume.returned(session(), principal=principal(), contract=contract),
    }


@of_contracts.post("/<uuid:contract_id>/suspend")
@requires(Permission.CONTRACT_SUSPEND)
@changes_version
@of_contracts.arguments(SuspendSchema)
@refuses(of_contracts, 404, 409, 412, 422, 428)
@of_contracts.response(200, SuspensionSchema)
def suspend(body: dict[str, Any], contract_id: uuid.UUID) -> Any:
    """Let a contract rest, as the platform."""
    _expect_contract(contract_id)
    return suspension.suspend(session(), principal=principal(), contract_id=contract_id, now=clock(), **body)


@of_contracts.post("/<uuid:contract_id>/resume")
@requires(Permission.CONTRACT_SUSPEND)
@changes_version
@of_contracts.arguments(ResumeSchema)
@refuses(of_contracts, 404, 409, 412, 422, 428)
@of_contracts.response(200, SuspensionSchema)
def resume(body: dict[str, Any], contract_id: uuid.UUID) -> Any:
    """Let a contract go on, as the platform, when its cause has ended."""
    _expect_contract(contract_id)
    return suspension.resume(session(), principal=principal(), contract_id=contract_id, now=clock(), **body)


@of_contracts.post("/<uuid:contract_id>/terminations")
@requires(Permission.CONTRACT_NOTIFY)
@idempotent
@of_contracts.arguments(TerminationNoticeSchema)
@refuses(of_contracts, 404, 409, 422)
@of_contracts.response(201, TerminationSchema)
def give_notice_of_termination(body: dict[str, Any], contract_id: uuid.UUID) -> Termination:
    """Tell the other side that yours wants to end a contract."""
    return _termination(
        termination.give_notice(session(), principal=principal(), contract_id=contract_id, now=clock(), **body)
    )


@of_contracts.post("/<uuid:contract_id>/reopenings")
@requires(Permission.CONTRACT_NOTIFY)
@idempotent
@of_contracts.arguments(InvokeSchema)
@refuses(of_contracts, 404, 409, 422)
@of_contracts.response(201, ReopeningSchema)
def invoke(body: dict[str, Any], contract_id: uuid.UUID) -> dict[str, Any]:
    """Reopen a contract by a clause of its terms. The outcome is an amendment that both sign, or none."""
    found = reopeners.invoke(session(), principal=principal(), contract_id=contract_id, now=clock(), **body)
    own = ReopeningSchema().fields.keys() - {"steps"}
    return {name: getattr(found, name) for name in own} | {"steps": found.working["steps"]}


@terminations.get("/<uuid:termination_id>")
@requires(Permission.CONTRACT_READ)
@refuses(terminations, 404)
@terminations.response(200, TerminationSchema)
def get_termination(termination_id: uuid.UUID) -> Termination:
    """One notice, and the ETag that a move of it must name."""
    return _termination(termination.find_termination(session(), principal=principal(), termination_id=termination_id))


@terminations.post("/<uuid:termination_id>/establish")
@requires(Permission.CONTRACT_SUSPEND)
@changes_version
@terminations.arguments(EstablishSchema)
@refuses(terminations, 404, 409, 412, 422, 428)
@terminations.response(200, TerminationSchema)
def establish(body: dict[str, Any], termination_id: uuid.UUID) -> Termination:
    """Find, as the platform, that the cause of a notice is there."""
    _expect(termination_id)
    return _termination(
        termination.establish(session(), principal=principal(), termination_id=termination_id, now=clock(), **body)
    )


@terminations.post("/<uuid:termination_id>/withdraw")
@requires(Permission.CONTRACT_NOTIFY)
@changes_version
@refuses(terminations, 404, 409, 412, 428)
@terminations.response(200, TerminationSchema)
def withdraw(termination_id: uuid.UUID) -> Termination:
    """Take your side's notice back."""
    _expect(termination_id)
    return _termination(
        termination.withdraw(session(), principal=principal(), termination_id=termination_id, now=clock())
    )


@terminations.post("/<uuid:termination_id>/terminate")
@requires(Permission.CONTRACT_NOTIFY)
@changes_version
@refuses(terminations, 404, 409, 412, 428)
@terminations.response(200, TerminationSchema)
def terminate(termination_id: uuid.UUID) -> Termination:
    """End the contract on a notice: your own, or by consent the other side's. It cannot be undone."""
    _expect(termination_id)
    return _termination(
        termination.terminate(session(), principal=principal(), termination_id=termination_id, now=clock())
    )


def _expect_contract(contract_id: uuid.UUID) -> None:
    contract = contracts.lock_contract(session(), principal=principal(), contract_id=contract_id)
    version = version_in_force(session(), contract=contract, on=today())
    expect_version("contract", contract.id, contract.version, version.number)


def _expect(termination_id: uuid.UUID) -> None:
    found = termination.find_termination(session(), principal=principal(), termination_id=termination_id)
    expect_version("termination", found.id, found.version)


def _termination(found: Termination) -> Termination:
    session().flush()
    show_version("termination", found.id, found.version)
    return found


def _event(event: ForceMajeure) -> dict[str, Any]:
    own = ("id", "firm_id", "description", "began_on", "ended_on", "affected", "told_at")
    notices = hindrances.notices_of(session(), principal=principal(), event=event)
    sees_all = principal().firm_id in {None, event.firm_id}
    return {name: getattr(event, name) for name in own} | {
        "notices": [_notice(one) for one in notices],
        "allocations": event.allocations if sees_all else [],
        "evidence": [shown_evidence(one) for one in event.evidence],
    }


def _notice(one: ForceMajeureNotice) -> dict[str, Any]:
    own = ForceMajeureNoticeSchema().fields.keys() - {"contract_number"}
    return {name: getattr(one, name) for name in own} | {"contract_number": one.contract.number}
