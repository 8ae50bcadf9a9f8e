"""Contracts, their steps, and the table of all states and moves."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.deal_schemas import FirmNameSchema, StepSchema, shown_firm
from app.api.fields import Timestamp
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.versions import show_version
from app.auth import principal, requires
from app.db import session
from app.models import Contract
from app.operations import contracts
from app.permissions import Permission
from contracts.state import Subject, describe, state_names

blueprint = ApiBlueprint("contracts", __name__, path="/contracts", description="Contracts with their frozen terms")
states = ApiBlueprint("states", __name__, path="/state-table", description="Who may move what from where to where")


class ContractSchema(ma.Schema):
    """A contract. `terms` are its first version; `terms_hash` is the SHA-256 of their canonical JSON (RFC 8785)."""

    id = ma.fields.UUID(required=True)
    number = ma.fields.String(required=True)
    proposal_id = ma.fields.UUID(required=True)
    seller = ma.fields.Nested(FirmNameSchema, required=True)
    buyer = ma.fields.Nested(FirmNameSchema, required=True)
    state = ma.fields.String(required=True)
    rule_version = ma.fields.String(required=True)
    effective_from = ma.fields.Date(required=True)
    effective_to = ma.fields.Date(required=True)
    terms = ma.fields.Dict(keys=ma.fields.String(), required=True)
    terms_hash = ma.fields.String(required=True)
    created_at = Timestamp(required=True)


class ContractArguments(PageArguments):
    state = ma.fields.String(load_default=None, validate=ma.validate.OneOf(state_names(Subject.CONTRACT)))


class StepsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(StepSchema), required=True)


class StateTableArguments(ma.Schema):
    subject = ma.fields.Enum(Subject, by_value=True, load_default=None)


class StateSchema(ma.Schema):
    name = ma.fields.String(required=True)
    zh = ma.fields.String(required=True)
    en = ma.fields.String(required=True)
    reserves_volume = ma.fields.Boolean(required=True)
    end = ma.fields.Boolean(required=True)


MoveSchema = ma.Schema.from_dict(
    {
        "move": ma.fields.String(required=True),
        "zh": ma.fields.String(required=True),
        "en": ma.fields.String(required=True),
        "from": ma.fields.String(required=True, allow_none=True),
        "to": ma.fields.String(required=True),
        "actors": ma.fields.List(ma.fields.String(), required=True),
        "guards": ma.fields.List(ma.fields.String(), required=True),
        "timer": ma.fields.String(required=True, allow_none=True),
        "reasons": ma.fields.List(ma.fields.String(), required=True),
        "event": ma.fields.String(required=True),
    },
    name="Move",
)


class SubjectSchema(ma.Schema):
    """The states of one subject, and every move between them."""

    subject = ma.fields.String(required=True)
    rule_version = ma.fields.String(required=True)
    states = ma.fields.List(ma.fields.Nested(StateSchema), required=True)
    moves = ma.fields.List(ma.fields.Nested(MoveSchema), required=True)


class StateTableSchema(ma.Schema):
    subjects = ma.fields.List(ma.fields.Nested(SubjectSchema), required=True)


@blueprint.get("")
@requires(Permission.CONTRACT_READ)
@blueprint.arguments(ContractArguments, location="query")
@blueprint.response(200, page_of(ContractSchema))
def list_contracts(arguments: dict[str, Any]) -> Page[dict[str, Any]]:
    """Your firm's contracts, newest first; all of them for the platform and the regulator."""
    select = contracts.visible_contracts(principal())
    if (state := arguments.pop("state")) is not None:
        select = select.where(Contract.state == state)
    found = page(session(), select, order=(Contract.created_at, Contract.id), descending=True, **arguments)
    return Page([_shown(contract) for contract in found.items], found.next)


@blueprint.get("/<uuid:contract_id>")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, ContractSchema)
def get_contract(contract_id: uuid.UUID) -> dict[str, Any]:
    """One contract with its terms."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    show_version("contract", contract.id, contract.version)
    return _shown(contract)


@blueprint.get("/<uuid:contract_id>/events")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, StepsSchema)
def list_steps(contract_id: uuid.UUID) -> dict[str, Any]:
    """The steps of a contract, and of the proposal it was made of."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    return {"items": contracts.steps(session(), principal=principal(), contract=contract)}


@states.get("")
@requires(Permission.REFERENCE_READ)
@states.arguments(StateTableArguments, location="query")
@states.response(200, StateTableSchema)
def get_state_table(arguments: dict[str, Any]) -> dict[str, Any]:
    """The one table of states and moves that the exchange obeys, of one subject or of all."""
    wanted = [arguments["subject"]] if arguments["subject"] else list(Subject)
    return {"subjects": [describe(subject) for subject in wanted]}


def _shown(contract: Contract) -> dict[str, Any]:
    own = {name: getattr(contract, name) for name in ContractSchema().fields if name not in {"seller", "buyer"}}
    return own | {"seller": shown_firm(contract.seller), "buyer": shown_firm(contract.buyer)}
