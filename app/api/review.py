"""The review of proposals by the platform's staff."""

from __future__ import annotations

import uuid
from typing import Any

from flask import request

from app.api.conventions import ApiBlueprint
from app.api.idempotency import idempotent
from app.api.paging import Page, page, page_of
from app.api.refusals import refuses
from app.api.review_schemas import (
    DecidedSchema,
    ReleaseSchema,
    ReleasesSchema,
    ReviewArguments,
    ReviewLineSchema,
    ReviewSheetSchema,
    VerdictsSchema,
    WithholdSchema,
    shown_line,
    shown_sheet,
    wanted_states,
)
from app.api.versions import changes_version, expect_version, show_version
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import Proposal, ReviewAction
from app.operations import review, review_sheet
from app.permissions import Permission

blueprint = ApiBlueprint("review", __name__, path="/review", description="Staff's review of proposals")


@blueprint.get("/proposals")
@requires(Permission.REVIEW_READ)
@blueprint.arguments(ReviewArguments, location="query")
@blueprint.response(200, page_of(ReviewLineSchema))
def list_reviews(arguments: dict[str, Any]) -> Page[dict[str, Any]]:
    """Proposals that wait for a decision (or are in the state asked for), oldest first."""
    paging = {name: arguments.pop(name) for name in ("limit", "cursor")}
    states, code = wanted_states(arguments.pop("state")), arguments.pop("round")
    select = review.reviews(principal(), states=states, round_code=code, **arguments)
    found = page(session(), select, order=(Proposal.created_at, Proposal.id), **paging)
    lines = review_sheet.review_lines(session(), principal=principal(), proposals=found.items)
    return Page([shown_line(line) for line in lines], found.next)


@blueprint.get("/proposals/<uuid:proposal_id>")
@requires(Permission.SEALED_READ)
@refuses(blueprint, 404)
@blueprint.response(200, ReviewSheetSchema)
def get_sheet(proposal_id: uuid.UUID) -> dict[str, Any]:
    """The full sheet, with both sealed offers; the look is logged. Its ETag is what a decision must name."""
    sheet = review_sheet.open_sheet(
        session(), principal=principal(), proposal_id=proposal_id, path=request.path, now=clock()
    )
    show_version("review", sheet.line.id, sheet.line.version)
    return shown_sheet(sheet)


@blueprint.post("/proposals/<uuid:proposal_id>/take-up")
@requires(Permission.REVIEW_DECIDE)
@changes_version
@refuses(blueprint, 404, 409, 412, 428)
@blueprint.response(200, ReviewLineSchema)
def take_up(proposal_id: uuid.UUID) -> dict[str, Any]:
    """Take the proposal's bundle under review: a later run does not supersede it then."""
    _expect(proposal_id)
    proposal = review.take_up(session(), principal=principal(), proposal_id=proposal_id, now=clock())
    show_version("review", proposal.id, proposal.version)
    return _lines(proposal)[0]


@blueprint.post("/proposals/<uuid:proposal_id>/release")
@requires(Permission.REVIEW_DECIDE)
@changes_version
@blueprint.arguments(ReleaseSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, DecidedSchema)
def release(decision: dict[str, Any], proposal_id: uuid.UUID) -> dict[str, Any]:
    """Release the bundle to its parties; above the round's threshold the first call recommends, another person's
    (senior staff) decides."""
    return _decide(proposal_id, ReviewAction.RELEASE, decision)


@blueprint.post("/proposals/<uuid:proposal_id>/withhold")
@requires(Permission.REVIEW_DECIDE)
@changes_version
@blueprint.arguments(WithholdSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, DecidedSchema)
def withhold(decision: dict[str, Any], proposal_id: uuid.UUID) -> dict[str, Any]:
    """Withhold the bundle; its volume is free again. Four eyes as for a release."""
    return _decide(proposal_id, ReviewAction.WITHHOLD, decision)


@blueprint.post("/releases")
@requires(Permission.REVIEW_DECIDE)
@idempotent
@blueprint.arguments(ReleasesSchema)
@refuses(blueprint, 422)
@blueprint.response(200, VerdictsSchema)
def release_many(releases: dict[str, Any]) -> dict[str, Any]:
    """Release many at once, each with the version that was seen; one that is refused does not stop the others."""
    wanted = [(one["id"], one["version"]) for one in releases.pop("proposals")]
    verdicts = review.release_many(session(), principal=principal(), proposals=wanted, now=clock(), **releases)
    return {"verdicts": verdicts}


def _decide(proposal_id: uuid.UUID, action: ReviewAction, decision: dict[str, Any]) -> dict[str, Any]:
    _expect(proposal_id)
    decided = review.decide(
        session(), principal=principal(), proposal_id=proposal_id, action=action, now=clock(), **decision
    )
    mine = next(proposal for proposal in decided.proposals if proposal.id == proposal_id)
    show_version("review", mine.id, mine.version)
    return {"step": decided.step, "proposals": _lines(*decided.proposals)}


def _expect(proposal_id: uuid.UUID) -> None:
    """The proposal stays locked, so what was compared is what is changed."""
    proposal = review.hold(session(), principal=principal(), proposal_id=proposal_id)
    expect_version("review", proposal.id, proposal.version)


def _lines(*proposals: Proposal) -> list[dict[str, Any]]:
    lines = review_sheet.review_lines(session(), principal=principal(), proposals=proposals)
    return [shown_line(line) for line in lines]
