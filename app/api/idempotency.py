"""Idempotency-Key: a request that creates, sent again, gets the first answer and creates nothing.

The answer is stored in the transaction of the request that made it: both stay or neither does. A request that was
refused is not stored, so it may be mended and sent again under the same key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import Response, current_app, json, jsonify, request
from webargs.flaskparser import abort

from app.auth import principal
from app.clock import clock
from app.db import session
from app.models import IdempotencyKey
from app.models.people import RequestState

HEADER = "Idempotency-Key"
KEPT_HEADERS = ("Location", "ETag")
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
PARAMETER = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "Chosen by the caller, one for each thing to create. The same key with the same request gets the "
    "first answer again, for seven days; with another request 422; while the first is still running 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
View = TypeVar("View", bound=Callable[..., Any])


def idempotent(view: View) -> View:
    """For a POST that creates; stands below `requires` and above the schemas."""

    @wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        if key is None:
            return view(*args, **kwargs)
        if not _KEY.match(key):
            abort(422, messages={"headers": {HEADER: ["expected 1 to 255 visible ASCII characters"]}})
        owner = str(principal())
        digest = _request_digest()
        _lock(owner, key)
        if stored := session().get(IdempotencyKey, (owner, key)):
            return _replay(stored, digest)
        response: Response = current_app.make_response(view(*args, **kwargs))
        if response.status_code < 400:
            session().add(
                IdempotencyKey(
                    principal=owner,
                    key=key,
                    request_hash=digest,
                    state=RequestState.DONE,
                    status=response.status_code,
                    response=json.loads(response.get_data()) if response.is_json else None,
                    headers={name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
                    created_at=clock(),
                )
            )
            session().flush()
        return response

    vars(once)["_apidoc"] = {**vars(view).get("_apidoc", {}), "idempotent": True}
    return once  # type: ignore[return-value]


def _lock(owner: str, key: str) -> None:
    """Held until the transaction ends, also by a crash: a key can never stay "in progress"."""
    name = sa.func.hashtextextended(f"{owner} {key}", 0)
    if not session().scalar(sa.select(sa.func.pg_try_advisory_xact_lock(name))):
        abort(409, message="A request with this Idempotency-Key is still running.", headers={"Retry-After": "1"})


def _request_digest() -> str:
    digest = hashlib.sha256()
    for part in (request.method, request.full_path, request.mimetype):
        digest.update(part.encode() + b"\0")
    digest.update(request.get_data())
    return digest.hexdigest()


def _replay(stored: IdempotencyKey, digest: str) -> Response:
    if stored.request_hash != digest:
        abort(422, message="This Idempotency-Key was used for another request; choose a new one.")
    response = jsonify(stored.response) if stored.response is not None else Response()
    response.status_code = stored.status or 200
    response.headers.extend(stored.headers or {})
    response.headers["Idempotent-Replayed"] = "true"
    return response
