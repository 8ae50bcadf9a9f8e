"""Proposals as their parties see them: read, accepted, declined. Counter-offers are in `negotiation`."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.deal_schemas import DealSchema, shown_deal
from app.api.fields import Text, Timestamp
from app.api.idempotency import idempotent
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.versions import show_version
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import Proposal
from app.operations import proposals
from app.operations.proposals import KNOWN_TO_PARTIES, PartyProposal
from app.permissions import Permission
from contracts.reasons import ReasonGroup, codes_of

blueprint = ApiBlueprint("proposals", __name__, path="/proposals", description="Contracts proposed to your own firm")


class ProposalSchema(DealSchema):
    """A released proposal. `terms_hash` names the version of the terms that an acceptance must repeat."""

    id = ma.fields.UUID(required=True)
    round_id = ma.fields.UUID(required=True)
    own_offer_id = ma.fields.UUID(required=True)
    side = ma.fields.String(required=True, metadata={"description": "Yours: seller or buyer"})
    state = ma.fields.String(required=True)
    conditional = ma.fields.Boolean(
        required=True, metadata={"description": "It takes effect only together with other proposals"}
    )
    accepted_by_us = ma.fields.Boolean(required=True)
    accepted_by_other = ma.fields.Boolean(required=True)
    countered_by_us = ma.fields.Boolean(required=True)
    countered_by_other = ma.fields.Boolean(required=True)
    version = ma.fields.Integer(
        required=True, metadata={"description": "Counts its changes; a counter-offer names the one it has seen"}
    )
    expires_at = Timestamp(required=True, allow_none=True)
    terms = ma.fields.Dict(keys=ma.fields.String(), required=True)
    terms_hash = ma.fields.String(required=True)
    contract_id = ma.fields.UUID(required=True, allow_none=True)
    open_moves = ma.fields.List(ma.fields.String(), required=True)


class ProposalArguments(PageArguments):
    state = ma.fields.String(load_default=None, validate=ma.validate.OneOf(KNOWN_TO_PARTIES))


class AcceptanceSchema(ma.Schema):
    """Which version of the terms is accepted."""

    terms_hash = ma.fields.String(required=True, validate=ma.validate.Regexp(r"^[0-9a-f]{64}\Z"))


class DeclineSchema(ma.Schema):
    """Why a proposal is declined."""

    reason_code = ma.fields.String(required=True, validate=ma.validate.OneOf(codes_of(ReasonGroup.DECLINE)))
    note = Text(load_default=None, allow_none=True, most=1000)


@blueprint.get("")
@requires(Permission.PROPOSAL_READ)
@blueprint.arguments(ProposalArguments, location="query")
@blueprint.response(200, page_of(ProposalSchema))
def list_proposals(arguments: dict[str, Any]) -> Page[dict[str, Any]]:
    """The proposals released to your firm, newest first."""
    select = proposals.visible_proposals(principal())
    if (state := arguments.pop("state")) is not None:
        select = select.where(Proposal.state == state)
    found = page(session(), select, order=(Proposal.created_at, Proposal.id), descending=True, **arguments)
    views = proposals.party_views(session(), principal=principal(), proposals=found.items)
    return Page([_shown(view) for view in views], found.next)


@blueprint.get("/<uuid:proposal_id>")
@requires(Permission.PROPOSAL_READ)
@refuses(blueprint, 404)
@blueprint.response(200, ProposalSchema)
def get_proposal(proposal_id: uuid.UUID) -> dict[str, Any]:
    """One proposal with its terms."""
    return answer(proposals.find_proposal(session(), principal=principal(), proposal_id=proposal_id))


@blueprint.post("/<uuid:proposal_id>/accept")
@requires(Permission.PROPOSAL_DECIDE)
@idempotent
@blueprint.arguments(AcceptanceSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(200, ProposalSchema)
def accept(acceptance: dict[str, Any], proposal_id: uuid.UUID) -> dict[str, Any]:
    """Accept the terms for your side. When everybody in the bundle has, the contract is made."""
    return answer(
        proposals.accept(session(), principal=principal(), proposal_id=proposal_id, now=clock(), **acceptance)
    )


@blueprint.post("/<uuid:proposal_id>/decline")
@requires(Permission.PROPOSAL_DECIDE)
@idempotent
@blueprint.arguments(DeclineSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(200, ProposalSchema)
def decline(refusal: dict[str, Any], proposal_id: uuid.UUID) -> dict[str, Any]:
    """Decline: the proposal and its bundle end, and the volume is for sale again."""
    return answer(proposals.decline(session(), principal=principal(), proposal_id=proposal_id, now=clock(), **refusal))


def answer(view: PartyProposal) -> dict[str, Any]:
    """The proposal as the asker's firm sees it, with its ETag."""
    show_version("proposal", view.id, view.version, principal().firm_id)
    return _shown(view)


def _shown(view: PartyProposal) -> dict[str, Any]:
    own = ProposalSchema().fields.keys() - DealSchema().fields.keys()
    return shown_deal(view) | {name: getattr(view, name) for name in own}
