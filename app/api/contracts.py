"""Contracts, their steps, and the table of all states and moves."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.deal_schemas import FirmNameSchema, StepSchema, shown_firm
from app.api.fields import Timestamp
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.versions import show_version
from app.auth import principal, requires
from app.clock import today
from app.db import session
from app.models import Contract
from app.operations import contracts
from app.operations.terms_in_force import versions_in_force
from app.permissions import Permission
from contracts.state import RULE_VERSION, TABLES, Subject, describe, state_names

blueprint = ApiBlueprint("contracts", __name__, path="/contracts", description="Contracts with their frozen terms")
states = ApiBlueprint("states", __name__, path="/state-table", description="Who may move what from where to where")


class ContractSchema(ma.Schema):
    """A contract. `terms` are those in force today, or on the day asked for (before its first day: the first version).

    `terms_hash` is the SHA-256 of their canonical JSON (RFC 8785), `term_version` their number.
    """

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
    term_version = ma.fields.Integer(required=True)
    in_force_from = ma.fields.Date(required=True, metadata={"description": "First day of this version of the terms"})
    created_at = Timestamp(required=True)


class ContractArguments(PageArguments):
    state = ma.fields.String(load_default=None, validate=ma.validate.OneOf(state_names(Subject.CONTRACT)))


class DayArguments(ma.Schema):
    """Of which day."""

    as_of = ma.fields.Date(load_default=None, metadata={"description": "The terms in force on a day; today without it"})


class StepsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(StepSchema), required=True)


class StateTableArguments(ma.Schema):
    subject = ma.fields.Enum(Subject, by_value=True, load_default=None)
    rule_version = ma.fields.String(load_default=RULE_VERSION, validate=ma.validate.OneOf(list(TABLES)))


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
    return Page(_shown(found.items, today()), found.next)


@blueprint.get("/<uuid:contract_id>")
@requires(Permission.CONTRACT_READ)
@blueprint.arguments(DayArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, ContractSchema)
def get_contract(arguments: dict[str, Any], contract_id: uuid.UUID) -> dict[str, Any]:
    """One contract with its terms as they are in force on a day."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    shown = shown_contract(contract, on=arguments["as_of"] or today())
    show_version("contract", contract.id, contract.version, shown["term_version"])
    return shown


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
    return {"subjects": [describe(subject, rule_version=arguments["rule_version"]) for subject in wanted]}


def shown_contract(contract: Contract, *, on: dt.date) -> dict[str, Any]:
    """A contract with its terms of a day."""
    return _shown([contract], on)[0]


def _shown(found: Sequence[Contract], on: dt.date) -> list[dict[str, Any]]:
    versions = versions_in_force(session(), contracts=[contract.id for contract in found], on=on)
    own = ContractSchema().fields.keys() - {"seller", "buyer", "terms", "terms_hash", "term_version", "in_force_from"}
    return [
        {name: getattr(contract, name) for name in own}
        | {"seller": shown_firm(contract.seller), "buyer": shown_firm(contract.buyer)}
        | {
            "terms": versions[contract.id].terms,
            "terms_hash": versions[contract.id].terms_hash,
            "term_version": versions[contract.id].number,
            "in_force_from": versions[contract.id].in_force_from,
        }
        for contract in found
    ]
