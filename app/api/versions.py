"""ETag and If-Match: nobody overwrites a change that he has not seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, g, request
from webargs.flaskparser import abort

IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "description": "The ETag of the version that is to be changed. Without it 428; when it is no longer current 412.",
    "schema": {"type": "string"},
}
View = TypeVar("View", bound=Callable[..., Any])


def version_tag(*parts: object) -> str:
    """A strong ETag (without its quotes) of a record: its kind, its key and its version, or whatever it depends on."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]


def show_version(*parts: object) -> None:
    """Send the ETag of the record that the answer shows; a GET that has it already gets 304."""
    g.version_tag = version_tag(*parts)


def expect_version(*parts: object) -> None:
    """Go on only if the caller's If-Match names the record's present version (RFC 9110 section 13.1.1).

    The view is to be marked with `changes_version`. Ends the request with 428 without the header, 412 on another one.
    """
    if "If-Match" not in request.headers:
        abort(428, message="Send the record's ETag in If-Match, so that no other change is overwritten.")
    # Weak tags never match here: the comparison is the strong one.
    if not request.if_match.contains(version_tag(*parts)):
        abort(412, message="The record has changed since it was read; read it again.")


def changes_version(view: View) -> View:
    """Document that a view needs If-Match; the view itself calls `expect_version`."""
    vars(view)["_apidoc"] = {**vars(view).get("_apidoc", {}), "changes_version": True}
    return view


def send_version(response: Response) -> Response:
    """After each request: set the ETag and answer 304 where it fits."""
    tag = g.pop("version_tag", None)
    if tag and response.status_code < 300:
        response.set_etag(tag)
        if request.method in {"GET", "HEAD"}:
            # The next request has to ask again, and may be told that nothing changed.
            response.headers["Cache-Control"] = "private, no-cache"
            response.make_conditional(request)
    return response
