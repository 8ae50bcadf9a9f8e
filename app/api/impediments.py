"""What hinders contracts or ends them: events of force majeure, suspension, termination, reopeners; what comes back."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response

from app.api.claims import BYTES, EvidenceFileSchema, EvidenceSchema, read, shown_evidence
from app.api.conventions import ApiBlueprint
from app.api.idempotency import idempotent
from app.api.impediment_schemas import (
    AllocationRequestSchema,
    DeclarationSchema,
    EstablishSchema,
    EventEndSchema,
    ForceMajeureNoticeSchema,
    ForceMajeureSchema,
    ImpedimentsSchema,
    InvokeSchema,
    NoticesSchema,
    ReopeningSchema,
    ResumeSchema,
    SuspendSchema,
    SuspensionSchema,
    TerminationNoticeSchema,
    TerminationSchema,
)
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.versions import changes_version, expect_version, show_version
from app.auth import principal, requires
from app.clock import clock, today
from app.db import session
from app.downloads import evidence_download
from app.models import (
    Evidence,
    ForceMajeure,
    ForceMajeureNotice,
    Termination,
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

events = ApiBlueprint("force_majeure", __name__, path="/force-majeure", description="Events of force majeure")
of_contracts = ApiBlueprint(
    "impediments", __name__, path="/contracts", description="Suspension, termination and reopening of contracts"
)
terminations = ApiBlueprint("terminations", __name__, path="/terminations", description="Notices of termination")
BLUEPRINTS = (events, of_contracts, terminations)


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
