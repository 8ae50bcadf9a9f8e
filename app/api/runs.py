"""Runs of a round: started, watched, their certificate and reference prices."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import DecimalText, Timestamp
from app.api.idempotency import idempotent
from app.api.paging import Page, PageArguments, page, page_of
from app.api.refusals import refuses
from app.api.versions import show_version
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.jobs.queue import CLEAR, enqueue_clearing, take_out
from app.models import Run, RunState, ShadowPrice
from app.operations import runs
from app.permissions import Permission

blueprint = ApiBlueprint("runs", __name__, path="", description="Clearings of a round")


class RunSchema(ma.Schema):
    """A run and how far it has come. `headline` tells who contracted with whom only to those who review."""

    id = ma.fields.UUID(required=True)
    round = ma.fields.String(required=True, metadata={"description": "Code of the round"})
    state = ma.fields.Enum(RunState, by_value=True, required=True)
    phase = ma.fields.String(required=True, allow_none=True)
    percent = ma.fields.Integer(required=True)
    solver_rounds = ma.fields.Integer(required=True)
    attempt = ma.fields.Integer(required=True, metadata={"description": "Counts the starts: a killed run starts again"})
    snapshot_digest = ma.fields.String(required=True, allow_none=True)
    snapshot_at = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    started_at = Timestamp(required=True, allow_none=True)
    finished_at = Timestamp(required=True, allow_none=True)
    error = ma.fields.String(required=True, allow_none=True)
    headline = ma.fields.Dict(keys=ma.fields.String(), required=True, allow_none=True)


class CertificateSchema(ma.Schema):
    """The proof of a run, to be re-checked without a solver. Offers are named to those who review only."""

    welfare = ma.fields.String(required=True)
    dual_bound = ma.fields.String(required=True)
    gap = ma.fields.String(required=True)
    rounding_loss = ma.fields.String(required=True)
    lanes = ma.fields.Integer(required=True)
    candidates = ma.fields.Integer(required=True)
    rounds = ma.fields.Integer(required=True)
    blocking_pairs = ma.fields.Integer(required=True)
    violations = ma.fields.List(ma.fields.String(), required=True)
    uncertified = ma.fields.List(ma.fields.String(), required=True)
    seconds = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)
    peak_memory_mb = ma.fields.String(required=True)


class ReferencePriceSchema(ma.Schema):
    """What one more lot would fetch ex works at a hub in a period, CNY per unit."""

    product = ma.fields.String(required=True)
    grade = ma.fields.String(required=True)
    region = ma.fields.String(required=True)
    period = ma.fields.String(required=True)
    price = DecimalText(required=True)


@blueprint.get("/rounds/<code>/runs")
@requires(Permission.RUN_READ)
@blueprint.arguments(PageArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, page_of(RunSchema))
def list_runs(arguments: dict[str, Any], code: str) -> Page[dict[str, Any]]:
    """The runs of a round, newest first."""
    select = runs.runs_of_round(session(), principal=principal(), round_code=code)
    found = page(session(), select, order=(Run.created_at, Run.id), descending=True, **arguments)
    return Page([_shown(run) for run in found.items], found.next)


@blueprint.post("/rounds/<code>/runs")
@requires(Permission.RUN_START)
@idempotent
@refuses(blueprint, 404, 409)
@blueprint.response(201, RunSchema)
def start_run(code: str) -> Any:
    """Queue a clearing of the round; one at a time. Watch the run that is answered."""
    run = runs.open_run(session(), principal=principal(), round_code=code, now=clock())
    enqueue_clearing(session(), run_id=run.id, round_id=run.round_id)
    return _answer(run), 201, {"Location": f"/api/v1/runs/{run.id}"}


@blueprint.get("/runs/<uuid:run_id>")
@requires(Permission.RUN_READ)
@refuses(blueprint, 404)
@blueprint.response(200, RunSchema)
def get_run(run_id: uuid.UUID) -> dict[str, Any]:
    """One run: its state, phase, percent and rounds of the solver while it works, its headline when it is done."""
    return _answer(runs.get_run(session(), principal=principal(), run_id=run_id))


@blueprint.post("/runs/<uuid:run_id>/cancel")
@requires(Permission.RUN_START)
@refuses(blueprint, 404, 409)
@blueprint.response(200, RunSchema)
def cancel_run(run_id: uuid.UUID) -> dict[str, Any]:
    """Take back a run that still waits; one that works goes on to its end."""
    run = runs.cancel(session(), principal=principal(), run_id=run_id, now=clock())
    take_out(session(), task=CLEAR, argument="run_id", value=run.id)
    return _answer(run)


@blueprint.get("/runs/<uuid:run_id>/certificate")
@requires(Permission.RUN_READ)
@refuses(blueprint, 404)
@blueprint.response(200, CertificateSchema)
def get_certificate(run_id: uuid.UUID) -> dict[str, Any]:
    """The certificate of a finished run."""
    run = runs.get_run(session(), principal=principal(), run_id=run_id)
    return runs.certificate_for(principal(), run)


@blueprint.get("/runs/<uuid:run_id>/reference-prices")
@requires(Permission.RUN_READ)
@blueprint.arguments(PageArguments, location="query")
@refuses(blueprint, 404)
@blueprint.response(200, page_of(ReferencePriceSchema))
def list_reference_prices(arguments: dict[str, Any], run_id: uuid.UUID) -> Page[dict[str, Any]]:
    """The hubs' prices by product, grade, region and period."""
    run = runs.get_run(session(), principal=principal(), run_id=run_id)
    select = runs.reference_prices(principal=principal(), run=run)
    found = page(session(), select, order=(ShadowPrice.subject, ShadowPrice.id), **arguments)
    return Page([_price(row) for row in found.items], found.next)


def _answer(run: Run) -> dict[str, Any]:
    show_version("run", run.id, run.state, run.attempt, run.phase, run.percent, run.solver_rounds, principal())
    return _shown(run)


def _shown(run: Run) -> dict[str, Any]:
    own = {name: getattr(run, name) for name in RunSchema().fields if name not in {"round", "headline"}}
    return own | {"round": run.round.code, "headline": runs.headline_for(principal(), run)}


def _price(row: ShadowPrice) -> dict[str, Any]:
    product, grade, region = row.subject.split("/")
    return {"product": product, "grade": grade, "region": region, "period": row.period, "price": row.value}
