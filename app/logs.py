"""Logs: one JSON object a line on standard error, with the id of its request. Never a body, a key or a password."""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
from typing import TextIO

import structlog
from flask import Flask, Response, g, has_request_context, request

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
]

log = structlog.stdlib.get_logger("changdan")


class _JsonHandler(logging.StreamHandler[TextIO]):
    """Ours, so that a second application in one process replaces it instead of doubling every line."""


def configure(level: str) -> None:
    """Send the log lines of our code and of all libraries through one formatter."""
    handler = _JsonHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    root = logging.getLogger()
    # Handlers of others stay: those of a test runner, say.
    root.handlers = [other for other in root.handlers if not isinstance(other, _JsonHandler)] + [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("changdan").setLevel(level)
    # A certificate that leads to no root is a finding that is told, not a failure of ours.
    logging.getLogger("pyhanko").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def request_id() -> str | None:
    """The id of the current request, None outside one."""
    return g.get("request_id") if has_request_context() else None


def init_app(app: Flask) -> None:
    """Give each request an id, taken over from a proxy when it sent a sane one, and log one line for it."""

    @app.before_request
    def start() -> None:
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if _REQUEST_ID.match(given) else secrets.token_hex(16)
        g.started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def finish(response: Response) -> Response:
        # A request refused before the first hook (an unknown host) has no id.
        if "request_id" in g:
            response.headers["X-Request-ID"] = g.request_id
            log.info(
                "request",
                method=request.method,
                path=request.path,
                endpoint=request.endpoint,
                status=response.status_code,
                milliseconds=round((time.perf_counter() - g.started) * 1000, 1),
                **({"principal": str(g.principal)} if "principal" in g and g.principal else {}),
            )
        return response
