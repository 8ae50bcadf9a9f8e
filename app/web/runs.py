"""One run: how far it is, and when it is done its certificate in words, its headline, its flows."""

from __future__ import annotations

import math
import uuid
from decimal import Decimal
from typing import Any

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import Run
from app.operations import flows, pages, runs
from app.operations.limit_prices import limit_prices
from app.operations.run_progress import seconds_left
from app.permissions import Permission
from app.web.charts import flow_figure
from app.web.labels import label_of
from app.web.texts import _, ngettext

blueprint = Blueprint("runs", __name__, url_prefix="/console/runs")


@blueprint.get("/<uuid:run_id>")
@requires(Permission.RUN_READ)
def show(run_id: uuid.UUID) -> ResponseReturnValue:
    """The run's page; while it works it follows the progress by itself."""
    run = runs.get_run(session(), principal=principal(), run_id=run_id)
    certificate = runs.certificate_for(principal(), run) if run.certificate else None
    reviews = principal().may(Permission.REVIEW_READ)
    moved = flows.run_flows(session(), principal=principal(), run_id=run_id) if reviews and run.certificate else []
    return render_template(
        "run.html",
        run=run,
        round=run.round,
        headline=runs.headline_for(principal(), run),
        certificate=certificate,
        gap_share=gap_share(certificate),
        figure=flow_figure(moved, pages.products_by_code(session())) if moved else None,
        products=pages.products_by_code(session()),
        limit_costs=limit_prices(session(), run=run) if principal().may(Permission.ROUND_MANAGE) else [],
        is_open=run.state in runs.OPEN,
        left=time_left(run),
        started_by=pages.names_of_people(session(), [run.started_by_id]).get(run.started_by_id or uuid.UUID(int=0)),
    )


@blueprint.get("/<uuid:run_id>/progress")
@requires(Permission.RUN_READ)
def progress(run_id: uuid.UUID) -> ResponseReturnValue:
    """How far the run is, for the page that waits for it."""
    run = runs.get_run(session(), principal=principal(), run_id=run_id)
    return jsonify(_progress(run))


def _progress(run: Run) -> dict[str, Any]:
    return {
        "state": run.state.value,
        "label": label_of("run", run.state),
        "phase": label_of("phase", run.phase) if run.phase else "",
        "percent": run.percent,
        "rounds": run.solver_rounds,
        "is_open": run.state in runs.OPEN,
        "left": time_left(run),
    }


def time_left(run: Run) -> str:
    """How long a run will still take, in words; empty where it cannot be told."""
    seconds = seconds_left(session(), run=run, now=clock())
    if seconds is None:
        return ""
    if seconds < 10:
        return _("a few seconds left")
    if seconds < 90:
        return ngettext("about %(num)d second left", "about %(num)d seconds left", math.ceil(seconds / 10) * 10)
    return ngettext("about %(num)d minute left", "about %(num)d minutes left", round(seconds / 60))


def gap_share(certificate: dict[str, Any] | None) -> Decimal | None:
    """The gap as a part of the bound; None without a positive bound."""
    if certificate is None or not (bound := Decimal(certificate.get("dual_bound") or 0)) > 0:
        return None
    return Decimal(certificate.get("gap") or 0) / bound
