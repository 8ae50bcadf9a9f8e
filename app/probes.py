"""For those who run the platform: /healthz for load balancers, /metrics for Prometheus."""

from __future__ import annotations

import hmac
import ipaddress
import os
import time

import prometheus_client as prometheus
import sqlalchemy as sa
from flask import Blueprint, Flask, Response, g, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client.multiprocess import MultiProcessCollector
from werkzeug.exceptions import NotFound

from app.auth import public
from app.config import settings
from app.db import session

blueprint = Blueprint("probes", __name__)

REQUESTS = prometheus.Counter("changdan_requests", "Requests answered", ["method", "endpoint", "status"])
SECONDS = prometheus.Histogram("changdan_request_seconds", "Time until the answer", ["method", "endpoint"])


@blueprint.get("/healthz")
@public
def health() -> ResponseReturnValue:
    """200 when the database answers, else 503."""
    try:
        session().execute(sa.text("SELECT 1"))
    except sa.exc.OperationalError:
        return jsonify(database="unreachable"), 503
    return jsonify(database="ok")


@blueprint.get("/metrics")
@public
def metrics() -> ResponseReturnValue:
    """Counters for Prometheus: to callers with the token; without one set, to this machine alone."""
    if not _may_scrape():
        raise NotFound
    registry = prometheus.REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # several worker processes share their counts in this folder
        registry = prometheus.CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(prometheus.generate_latest(registry), content_type=prometheus.CONTENT_TYPE_LATEST)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)

    @app.before_request
    def start() -> None:
        g.metrics_started = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        # The endpoint's name, not the path: paths have no end, and each would become a series of its own.
        endpoint = request.endpoint or "none"
        REQUESTS.labels(request.method, endpoint, str(response.status_code)).inc()
        if "metrics_started" in g:
            SECONDS.labels(request.method, endpoint).observe(time.perf_counter() - g.metrics_started)
        return response


def _may_scrape() -> bool:
    if token := settings().metrics_token:
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode())
    # Behind a proxy that is not configured every caller seems to be this machine.
    if "X-Forwarded-For" in request.headers and not settings().proxies:
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
