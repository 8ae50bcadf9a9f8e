"""The API's documentation as pages: the reference from the OpenAPI document, and the types of problems."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, make_response, render_template, send_from_directory
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from app.auth import public
from app.headers import policy
from app.problems import problem_types

blueprint = Blueprint("docs", __name__)
_FILES = Path(flask_swagger_ui.__file__).parent / "dist"


@blueprint.get("/api/docs")
@public
def page() -> Response:
    """The reference, drawn in the browser by files that we serve ourselves."""
    response = make_response(render_template("api_docs.html"))
    # The drawing library sets style attributes.
    response.headers["Content-Security-Policy"] = policy(style_src="'self' 'unsafe-inline'")
    return response


@blueprint.get("/api/docs/files/<path:name>")
@public
def library(name: str) -> Response:
    """A file of the drawing library."""
    return send_from_directory(_FILES, name, max_age=86400)


@blueprint.get("/problems/<name>")
@public
def problem(name: str) -> ResponseReturnValue:
    """What a type of problem means; the `type` of a problem document leads here."""
    found = problem_types().get(name)
    if found is None:
        raise NotFound
    return render_template("problem.html", problem=found)
