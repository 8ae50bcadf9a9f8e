"""Negotiating a proposal: counter-offers and their answers, versions of the terms, the thread of its parties."""

from __future__ import annotations

import uuid
from typing import Any

from flask import request

from app.api.conventions import ApiBlueprint
from app.api.idempotency import idempotent
from app.api.negotiation_schemas import (
    CounterAnswerSchema,
    CounterRejectSchema,
    CounterRoomSchema,
    CounterSchema,
    CounterTakeSchema,
    NewProposalMessageSchema,
    ProposalMessageSchema,
    ProposalReadSchema,
    ProposalThreadSchema,
    ProposalVersionsSchema,
    changes_of,
    shown_room,
    shown_version,
)
from app.api.proposals import ProposalSchema, answer
from app.api.refusals import refuses
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.operations import counters, messages, proposal_versions, proposals, review
from app.operations.messages import MessageView, Thread
from app.permissions import Permission

blueprint = ApiBlueprint(
    "negotiation", __name__, path="/proposals", description="Counter-offers and messages on your own firm's proposals"
)
in_review = ApiBlueprint(
    "negotiation_in_review", __name__, path="/review", description="What the parties of a proposal negotiate"
)


@blueprint.get("/<uuid:proposal_id>/versions")
@requires(Permission.PROPOSAL_READ)
@refuses(blueprint, 404)
@blueprint.response(200, ProposalVersionsSchema)
def list_versions(proposal_id: uuid.UUID) -> dict[str, Any]:
    """All versions of the terms, the released one first, each with what it changes."""
    who = principal()
    proposal = proposals.find_row(session(), who, proposal_id)
    found = proposal_versions.views(who, proposal, proposal_versions.versions_of(session(), proposal))
    return {"items": [shown_version(view) for view in found]}


@blueprint.get("/<uuid:proposal_id>/counters/room")
@requires(Permission.PROPOSAL_DECIDE)
@refuses(blueprint, 404)
@blueprint.response(200, CounterRoomSchema)
def get_room(proposal_id: uuid.UUID) -> dict[str, Any]:
    """What your firm may ask for in a counter-offer: its own limits, and the terms that are negotiable."""
    return shown_room(counters.what_may_change(session(), principal=principal(), proposal_id=proposal_id))


@blueprint.post("/<uuid:proposal_id>/counters")
@requires(Permission.PROPOSAL_DECIDE)
@idempotent
@blueprint.arguments(CounterSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(200, ProposalSchema)
def counter(asked: dict[str, Any], proposal_id: uuid.UUID) -> dict[str, Any]:
    """Ask for other terms. Acceptances given before are void; the other side takes the counter up or rejects it."""
    view = counters.counter(
        session(),
        principal=principal(),
        proposal_id=proposal_id,
        version=asked["version"],
        changes=changes_of(asked),
        site_id=asked["delivery_site_id"],
        message=asked["message"],
        expires_at=asked["expires_at"],
        now=clock(),
    )
    return answer(view)


@blueprint.post("/<uuid:proposal_id>/counters/take")
@requires(Permission.PROPOSAL_DECIDE)
@idempotent
@blueprint.arguments(CounterTakeSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(200, ProposalSchema)
def take(given: dict[str, Any], proposal_id: uuid.UUID) -> dict[str, Any]:
    """Take the other side's counter up as the version on offer, and accept it at once if you say so."""
    return answer(counters.take(session(), principal=principal(), proposal_id=proposal_id, now=clock(), **given))


@blueprint.post("/<uuid:proposal_id>/counters/reject")
@requires(Permission.PROPOSAL_DECIDE)
@idempotent
@blueprint.arguments(CounterRejectSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(200, ProposalSchema)
def reject(given: dict[str, Any], proposal_id: uuid.UUID) -> dict[str, Any]:
    """Say no to the other side's counter; the version before is on offer again."""
    return answer(counters.reject(session(), principal=principal(), proposal_id=proposal_id, now=clock(), **given))


@blueprint.post("/<uuid:proposal_id>/counters/withdraw")
@requires(Permission.PROPOSAL_DECIDE)
@idempotent
@blueprint.arguments(CounterAnswerSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(200, ProposalSchema)
def withdraw(given: dict[str, Any], proposal_id: uuid.UUID) -> dict[str, Any]:
    """Take your own counter back; the version before is on offer again."""
    return answer(counters.withdraw(session(), principal=principal(), proposal_id=proposal_id, now=clock(), **given))


@blueprint.get("/<uuid:proposal_id>/messages")
@requires(Permission.PROPOSAL_READ)
@refuses(blueprint, 404)
@blueprint.response(200, ProposalThreadSchema)
def list_messages(proposal_id: uuid.UUID) -> Thread:
    """The thread of the two parties, oldest first. Reading it marks nothing as read."""
    return messages.thread(session(), principal=principal(), proposal_id=proposal_id)


@blueprint.post("/<uuid:proposal_id>/messages")
@requires(Permission.PROPOSAL_DECIDE)
@idempotent
@blueprint.arguments(NewProposalMessageSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(201, ProposalMessageSchema)
def write_message(given: dict[str, Any], proposal_id: uuid.UUID) -> MessageView:
    """Write to the other party. The platform's reviewers can read it, and nobody can take it back."""
    return messages.write(session(), principal=principal(), proposal_id=proposal_id, now=clock(), **given)


@blueprint.post("/<uuid:proposal_id>/messages/read")
@requires(Permission.PROPOSAL_DECIDE)
@blueprint.arguments(ProposalReadSchema)
@refuses(blueprint, 404, 422)
@blueprint.response(200, ProposalThreadSchema)
def mark_read(given: dict[str, Any], proposal_id: uuid.UUID) -> Thread:
    """Note how far your firm has read; the other side sees it."""
    return messages.mark_read(session(), principal=principal(), proposal_id=proposal_id, now=clock(), **given)


@in_review.get("/proposals/<uuid:proposal_id>/versions")
@requires(Permission.REVIEW_READ)
@refuses(in_review, 404)
@in_review.response(200, ProposalVersionsSchema)
def list_versions_in_review(proposal_id: uuid.UUID) -> dict[str, Any]:
    """All versions of the terms of a proposal, for staff."""
    who = principal()
    proposal = review.find_review(session(), principal=who, proposal_id=proposal_id)
    found = proposal_versions.views(who, proposal, proposal_versions.versions_of(session(), proposal))
    return {"items": [shown_version(view) for view in found]}


@in_review.get("/proposals/<uuid:proposal_id>/messages")
@requires(Permission.SEALED_READ)
@refuses(in_review, 404)
@in_review.response(200, ProposalThreadSchema)
def list_messages_in_review(proposal_id: uuid.UUID) -> Thread:
    """What the parties of a proposal wrote to each other, for staff in review; the look is logged."""
    return messages.thread_for_review(
        session(), principal=principal(), proposal_id=proposal_id, path=request.path, now=clock()
    )
