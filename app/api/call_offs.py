"""Call-offs: nominated, confirmed, shipped, received, assayed; and where a contract stands."""

from __future__ import annotations

import uuid
from typing import Any, cast

import marshmallow as ma

from app.api.call_off_schemas import (
    CallOffArguments,
    CallOffNoteSchema,
    CallOffRefusalSchema,
    CallOffSchema,
    ConfirmationSchema,
    NewCallOffSchema,
    NominationSchema,
    QuantitiesArguments,
    QuantitiesSchema,
    ReadingsSchema,
    ReceiptSchema,
    RejectionSchema,
    ShipmentSchema,
    WishSchema,
    shown_call_off,
    shown_quantities,
)
from app.api.conventions import ApiBlueprint
from app.api.deal_schemas import StepSchema
from app.api.idempotency import idempotent
from app.api.paging import Page, page, page_of
from app.api.refusals import refuses
from app.api.versions import changes_version, expect_version, show_version
from app.auth import principal, requires
from app.clock import clock, today
from app.db import session
from app.models import CallOff
from app.operations import assays, call_offs, contracts, nominations, shipments
from app.operations.assays import Reading
from app.operations.nominations import Wish
from app.operations.quantities import quantities
from app.permissions import Permission

blueprint = ApiBlueprint("call_offs", __name__, path="/call-offs", description="Deliveries under your contracts")
of_contract = ApiBlueprint(
    "contract_call_offs", __name__, path="/contracts", description="Calling off, and where a contract stands"
)
BLUEPRINTS = (blueprint, of_contract)


class CallOffStepsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(StepSchema), required=True)


@of_contract.post("/<uuid:contract_id>/call-offs")
@requires(Permission.CALL_OFF_MOVE)
@idempotent
@of_contract.arguments(NewCallOffSchema)
@refuses(of_contract, 404, 409, 422)
@of_contract.response(201, CallOffSchema)
def call_off_lots(wish: dict[str, Any], contract_id: uuid.UUID) -> dict[str, Any]:
    """Nominate lots for a delivery month, or forecast them. Beyond the contract's limits: 409."""
    month, forecast = wish.pop("month"), wish.pop("forecast")
    return _answer(
        nominations.call(
            session(),
            principal=principal(),
            contract_id=contract_id,
            month=month,
            wish=cast("Wish", wish),
            nominate_now=not forecast,
            now=clock(),
        )
    )


@of_contract.get("/<uuid:contract_id>/quantities")
@requires(Permission.CONTRACT_READ)
@of_contract.arguments(QuantitiesArguments, location="query")
@refuses(of_contract, 404)
@of_contract.response(200, QuantitiesSchema)
def get_quantities(arguments: dict[str, Any], contract_id: uuid.UUID) -> dict[str, Any]:
    """Original, nominated, confirmed, delivered, invoiced and remaining lots, per period and cumulative."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    on = arguments["on"] or today()
    return shown_quantities(quantities(session(), contract=contract, on=on)) | {"on": on}


@blueprint.get("")
@requires(Permission.CONTRACT_READ)
@blueprint.arguments(CallOffArguments, location="query")
@blueprint.response(200, page_of(CallOffSchema))
def list_call_offs(arguments: dict[str, Any]) -> Page[dict[str, Any]]:
    """The call-offs of the contracts you may read, newest first."""
    filters = {name: arguments.pop(name) for name in ("contract_id", "state", "month")}
    select = call_offs.visible_call_offs(principal()).filter_by(
        **{name: value for name, value in filters.items() if value is not None}
    )
    found = page(session(), select, order=(CallOff.created_at, CallOff.id), descending=True, **arguments)
    return Page([shown_call_off(one, principal()) for one in found.items], found.next)


@blueprint.get("/<uuid:call_off_id>")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, CallOffSchema)
def get_call_off(call_off_id: uuid.UUID) -> dict[str, Any]:
    """One call-off with its goods and assays, and the ETag that a move of it must name."""
    return _answer(call_offs.find_call_off(session(), principal=principal(), call_off_id=call_off_id))


@blueprint.get("/<uuid:call_off_id>/events")
@requires(Permission.CONTRACT_READ)
@refuses(blueprint, 404)
@blueprint.response(200, CallOffStepsSchema)
def list_call_off_steps(call_off_id: uuid.UUID) -> dict[str, Any]:
    """Every step of a call-off. Names of people are told to their own firm and to overseers."""
    call_off = call_offs.find_call_off(session(), principal=principal(), call_off_id=call_off_id)
    return {"items": call_offs.steps(session(), principal=principal(), call_off=call_off)}


@blueprint.patch("/<uuid:call_off_id>")
@requires(Permission.CALL_OFF_MOVE)
@changes_version
@blueprint.arguments(WishSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, CallOffSchema)
def revise_call_off(wish: dict[str, Any], call_off_id: uuid.UUID) -> dict[str, Any]:
    """Change a forecast; or a nomination, as far as the calendar and the contract's limits allow it."""
    _expect(call_off_id)
    return _answer(
        nominations.revise(
            session(), principal=principal(), call_off_id=call_off_id, wish=cast("Wish", wish), now=clock()
        )
    )


@blueprint.post("/<uuid:call_off_id>/nominate")
@requires(Permission.CALL_OFF_MOVE)
@changes_version
@blueprint.arguments(NominationSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, CallOffSchema)
def nominate(nomination: dict[str, Any], call_off_id: uuid.UUID) -> dict[str, Any]:
    """Nominate what was forecast."""
    _expect(call_off_id)
    return _answer(
        nominations.nominate(session(), principal=principal(), call_off_id=call_off_id, now=clock(), **nomination)
    )


@blueprint.post("/<uuid:call_off_id>/cancel")
@requires(Permission.CALL_OFF_MOVE)
@changes_version
@blueprint.arguments(CallOffNoteSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, CallOffSchema)
def cancel(why: dict[str, Any], call_off_id: uuid.UUID) -> dict[str, Any]:
    """Take back a forecast or a nomination that is not firm yet."""
    _expect(call_off_id)
    return _answer(nominations.cancel(session(), principal=principal(), call_off_id=call_off_id, now=clock(), **why))


@blueprint.post("/<uuid:call_off_id>/confirm")
@requires(Permission.CALL_OFF_MOVE)
@changes_version
@blueprint.arguments(ConfirmationSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, CallOffSchema)
def confirm(confirmation: dict[str, Any], call_off_id: uuid.UUID) -> dict[str, Any]:
    """Confirm a firm call-off, whole or in part; what is not confirmed may be called again."""
    _expect(call_off_id)
    return _answer(
        shipments.confirm(session(), principal=principal(), call_off_id=call_off_id, now=clock(), **confirmation)
    )


@blueprint.post("/<uuid:call_off_id>/refuse")
@requires(Permission.CALL_OFF_MOVE)
@changes_version
@blueprint.arguments(CallOffRefusalSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, CallOffSchema)
def refuse(refusal: dict[str, Any], call_off_id: uuid.UUID) -> dict[str, Any]:
    """Refuse a firm call-off."""
    _expect(call_off_id)
    return _answer(shipments.refuse(session(), principal=principal(), call_off_id=call_off_id, now=clock(), **refusal))


@blueprint.post("/<uuid:call_off_id>/ship")
@requires(Permission.CALL_OFF_MOVE)
@changes_version
@blueprint.arguments(ShipmentSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, CallOffSchema)
def ship(shipment: dict[str, Any], call_off_id: uuid.UUID) -> dict[str, Any]:
    """Ship a confirmed call-off, or a part of it."""
    _expect(call_off_id)
    return _answer(shipments.ship(session(), principal=principal(), call_off_id=call_off_id, now=clock(), **shipment))


@blueprint.post("/<uuid:call_off_id>/receive")
@requires(Permission.CALL_OFF_MOVE)
@changes_version
@blueprint.arguments(ReceiptSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, CallOffSchema)
def receive(receipt: dict[str, Any], call_off_id: uuid.UUID) -> dict[str, Any]:
    """Receive a shipment."""
    _expect(call_off_id)
    return _answer(shipments.receive(session(), principal=principal(), call_off_id=call_off_id, now=clock(), **receipt))


@blueprint.post("/<uuid:call_off_id>/assays")
@requires(Permission.CALL_OFF_MOVE)
@changes_version
@blueprint.arguments(ReadingsSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, CallOffSchema)
def record_assays(body: dict[str, Any], call_off_id: uuid.UUID) -> dict[str, Any]:
    """Hand in your side's results. They are not changed afterwards; each side sees the other's once both are there."""
    return _record(body, call_off_id)


@blueprint.post("/<uuid:call_off_id>/umpire")
@requires(Permission.ASSAY_UMPIRE)
@changes_version
@blueprint.arguments(ReadingsSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, CallOffSchema)
def record_umpire(body: dict[str, Any], call_off_id: uuid.UUID) -> dict[str, Any]:
    """Record, as the platform, the umpire's results where both sides are too far apart."""
    return _record(body, call_off_id)


@blueprint.post("/<uuid:call_off_id>/reject")
@requires(Permission.CALL_OFF_MOVE)
@changes_version
@blueprint.arguments(RejectionSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, CallOffSchema)
def reject(rejection: dict[str, Any], call_off_id: uuid.UUID) -> dict[str, Any]:
    """Reject goods of which an attribute is beyond its rejection limit."""
    _expect(call_off_id)
    return _answer(assays.reject(session(), principal=principal(), call_off_id=call_off_id, now=clock(), **rejection))


def _record(body: dict[str, Any], call_off_id: uuid.UUID) -> dict[str, Any]:
    _expect(call_off_id)
    readings = [Reading(**one) for one in body["results"]]
    return _answer(
        assays.record(session(), principal=principal(), call_off_id=call_off_id, readings=readings, now=clock())
    )


def _version(call_off: CallOff) -> tuple[object, ...]:
    """What an ETag stands for: results change the answer, and each side sees its own."""
    results = 0 if call_off.consignment is None else len(call_off.consignment.assays)
    return ("call_off", call_off.id, call_off.version, results, principal().firm_id)


def _expect(call_off_id: uuid.UUID) -> None:
    found = call_offs.find_call_off(session(), principal=principal(), call_off_id=call_off_id)
    call_offs.hold(session(), found.contract)
    session().refresh(found)
    expect_version(*_version(found))


def _answer(call_off: CallOff) -> dict[str, Any]:
    session().flush()
    show_version(*_version(call_off))
    return shown_call_off(call_off, principal())
