"""Questions about a copy of a round: what would change if, and which firms the chain would miss. For staff."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma
from flask import request

from app.api.conventions import ApiBlueprint
from app.api.fields import DecimalText, Text, Timestamp
from app.api.idempotency import idempotent
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.versions import show_version
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.jobs.queue import enqueue_what_if
from app.models import RunState, WhatIf, WhatIfKind
from app.operations import what_if
from app.permissions import Permission

blueprint = ApiBlueprint("what_if", __name__, path="", description="What-if on a copy of a round, and criticality")
KINDS = ("without_firm", "capacity", "quota", "price", "without_limit")


class WhatIfChangeSchema(ma.Schema):
    """One change of the copy. Which fields a kind takes: see each."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(KINDS))
    firm_id = ma.fields.UUID(
        allow_none=True,
        metadata={"description": "without_firm, capacity; price: null for all; without_limit: of a ceiling"},
    )
    product = Text(most=100, allow_none=True, metadata={"description": "capacity: null for all that the firm makes"})
    factor = DecimalText(metadata={"description": "capacity: 0.5 halves it"})
    from_region = Text(most=100, metadata={"description": "quota; without_limit: a country for a rule of origin"})
    to_region = Text(most=100)
    limit = DecimalText(metadata={"description": "quota: units per period"})
    side = ma.fields.String(validate=ma.validate.OneOf(("sell", "buy", "convert")), metadata={"description": "price"})
    percent = DecimalText(minimum=-100, maximum=1000, metadata={"description": "price: by how many per cent it moves"})
    limit_kind = ma.fields.String(validate=ma.validate.OneOf(("corridor", "origin", "ceiling")))


class WhatIfScenarioSchema(ma.Schema):
    title = Text(required=True, most=200)
    changes = ma.fields.List(
        ma.fields.Nested(WhatIfChangeSchema), required=True, validate=ma.validate.Length(1, what_if.MOST_CHANGES)
    )


class WhatIfLineSchema(ma.Schema):
    """A question and how far its answer has come."""

    id = ma.fields.UUID(required=True)
    round_id = ma.fields.UUID(required=True)
    run_id = ma.fields.UUID(required=True)
    kind = ma.fields.Enum(WhatIfKind, by_value=True, required=True)
    title = ma.fields.String(required=True)
    state = ma.fields.Enum(RunState, by_value=True, required=True)
    phase = ma.fields.String(required=True, allow_none=True)
    percent = ma.fields.Integer(required=True)
    created_at = Timestamp(required=True)
    finished_at = Timestamp(required=True, allow_none=True)
    error = ma.fields.String(required=True, allow_none=True)


class WhatIfSchema(WhatIfLineSchema):
    """A question with its answer: CNY and units over the horizon. Reading it is a look at sealed offers, and logged."""

    changes = ma.fields.List(ma.fields.Dict(keys=ma.fields.String()), required=True)
    same_offers = ma.fields.Boolean(
        required=True, allow_none=True, metadata={"description": "Whether the market was still as the run has seen it"}
    )
    result = ma.fields.Dict(keys=ma.fields.String(), required=True, allow_none=True)


class WhatIfArguments(PageArguments):
    run_id = ma.fields.UUID(load_default=None)
    kind = ma.fields.Enum(WhatIfKind, by_value=True, load_default=None)


@blueprint.post("/runs/<uuid:run_id>/what-ifs")
@requires(Permission.WHAT_IF_RUN)
@idempotent
@blueprint.arguments(WhatIfScenarioSchema)
@refuses(blueprint, 404, 409, 422)
@blueprint.response(201, WhatIfLineSchema)
def ask(values: dict[str, Any], run_id: uuid.UUID) -> Any:
    """Queue a scenario; nothing of the round changes. Watch what is answered."""
    asked = what_if.ask(session(), principal=principal(), run_id=run_id, now=clock(), **values)
    return _queued(asked)


@blueprint.post("/runs/<uuid:run_id>/criticality")
@requires(Permission.WHAT_IF_RUN)
@idempotent
@refuses(blueprint, 404, 409)
@blueprint.response(201, WhatIfLineSchema)
def rank(run_id: uuid.UUID) -> Any:
    """Queue the ranking of the round's largest firms by what is lost without each."""
    return _queued(what_if.ask_criticality(session(), principal=principal(), run_id=run_id, now=clock()))


@blueprint.get("/what-ifs")
@requires(Permission.WHAT_IF_RUN)
@blueprint.arguments(WhatIfArguments, location="query")
@blueprint.response(200, page_of(WhatIfLineSchema))
def list_questions(arguments: dict[str, Any]) -> Page[WhatIf]:
    """The questions, the newest first, without their answers."""
    wanted = {name: arguments.pop(name) for name in ("run_id", "kind")}
    select = what_if.visible_what_ifs(principal()).filter_by(
        **{name: value for name, value in wanted.items() if value is not None}
    )
    return page(session(), select, order=(WhatIf.created_at, WhatIf.id), descending=True, **arguments)


@blueprint.get("/what-ifs/<uuid:what_if_id>")
@requires(Permission.WHAT_IF_RUN)
@refuses(blueprint, 404)
@blueprint.response(200, WhatIfSchema)
def get_question(what_if_id: uuid.UUID) -> WhatIf:
    """One question with its answer, as far as there is one. The look is logged."""
    asked = what_if.find(session(), principal=principal(), what_if_id=what_if_id)
    what_if.look(session(), principal=principal(), what_if=asked, path=request.path, now=clock())
    show_version("what_if", asked.id, asked.state, asked.attempt, asked.phase, asked.percent)
    return asked


def _queued(asked: WhatIf) -> Any:
    enqueue_what_if(session(), what_if_id=asked.id)
    return asked, 201, {"Location": f"/api/v1/what-ifs/{asked.id}"}
