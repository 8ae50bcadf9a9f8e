"""What all parts of the API have in common: problem documents, security, headers, and how they are documented."""

from __future__ import annotations

import http
from typing import Any

import flask_smorest
import marshmallow as ma
from apispec import APISpec
from flask import Flask, Request
from flask_smorest.utils import prepare_response
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import CombinedMultiDict
from werkzeug.exceptions import HTTPException

from app.api import idempotency, versions
from app.api.fields import DecimalText, Timestamp
from app.auth import public
from app.auth.guard import PUBLIC
from app.problems import MEDIA_TYPE

PREFIX = "/api/v1"
API_KEY, SESSION = "apiKey", "session"
MULTIPART = "multipart"  # where a body holds texts and files


class FieldError(ma.Schema):
    """One fault: where, and what is wrong."""

    pointer = ma.fields.String(metadata={"description": "Place in the body, a JSON pointer as in #/quantity"})
    parameter = ma.fields.String(metadata={"description": "Name of a parameter or header"})
    place = ma.fields.String(metadata={"description": "File or sheet of an uploaded document"})
    row = ma.fields.Integer(metadata={"description": "Row in it; the header is row 1"})
    column = ma.fields.String(metadata={"description": "Name of the column"})
    detail = ma.fields.String(required=True)
    detail_zh = ma.fields.String(metadata={"description": "The same in Chinese, where it is there"})


class Problem(ma.Schema):
    """An error by RFC 9457."""

    type = ma.fields.String(required=True, metadata={"format": "uri-reference"})
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String()
    detail_zh = ma.fields.String(metadata={"description": "The same in Chinese, where it is there"})
    instance = ma.fields.String()
    errors = ma.fields.List(ma.fields.Nested(FieldError))
    open_moves = ma.fields.List(ma.fields.String(), metadata={"description": "409 only: what is possible now"})


class Parser(FlaskParser):
    """Reads arguments; what a schema does not know is refused, wherever it stands but in headers and files."""

    DEFAULT_UNKNOWN_BY_LOCATION = {  # noqa: RUF012 - webargs reads a class attribute
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": ma.RAISE,
        MULTIPART: None,
    }
    __location_map__ = {**FlaskParser.__location_map__, MULTIPART: "load_multipart"}  # noqa: RUF012

    def load_multipart(self, req: Request, schema: ma.Schema) -> MultiDictProxy:
        """The texts and the files of one multipart/form-data body together."""
        return MultiDictProxy(CombinedMultiDict([req.form, req.files]), schema)


class ApiBlueprint(flask_smorest.Blueprint):
    """A blueprint whose documentation follows from the marks of `requires`, `idempotent` and `changes_version`."""

    ARGUMENTS_PARSER = Parser()
    DEFAULT_LOCATION_CONTENT_TYPE_MAPPING = {  # noqa: RUF012 - flask-smorest reads a class attribute
        **flask_smorest.Blueprint.DEFAULT_LOCATION_CONTENT_TYPE_MAPPING,
        MULTIPART: "multipart/form-data",
    }

    def __init__(self, name: str, import_name: str, *, path: str, description: str) -> None:
        super().__init__(f"api_{name}", import_name, url_prefix=PREFIX + path, description=description)
        self._prepare_doc_cbks.append(self._document_marks)

    @staticmethod
    def _document_marks(doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
        access = doc_info.get("access")
        if access == PUBLIC:
            doc["security"] = []
        elif access is not None:
            doc["x-permission"] = str(access)
        if doc_info.get("idempotent"):
            doc.setdefault("parameters", []).append(idempotency.PARAMETER)
        if doc_info.get("changes_version"):
            doc.setdefault("parameters", []).append(versions.IF_MATCH)
        return doc


class Api(flask_smorest.Api):
    """flask-smorest, answering and documenting errors as problem documents."""

    ERROR_SCHEMA = Problem

    def _register_error_handlers(self) -> None:
        """`app.problems` handles errors, for the API and the pages alike."""

    def handle_http_exception(self, error: HTTPException) -> Any:
        raise error

    def _register_responses(self) -> None:
        for status in http.HTTPStatus:
            response: dict[str, Any] = {"description": status.phrase}
            if status.value >= 400:
                response["schema"] = self.ERROR_SCHEMA
            prepare_response(response, self.spec, MEDIA_TYPE)
            self.spec.components.response(status.name, response, lazy=True)
        other = {"description": "Refused; the problem says why", "schema": self.ERROR_SCHEMA}
        prepare_response(other, self.spec, MEDIA_TYPE)
        self.spec.components.response(self.DEFAULT_ERROR_RESPONSE_NAME, other, lazy=True)

    @public
    def _openapi_json(self) -> Any:
        return super()._openapi_json()


def make_api(app: Flask) -> Api:
    """The API object of one application, with the fields and ways of signing in that all blueprints use."""
    app.config.update(OPENAPI_URL_PREFIX=PREFIX, OPENAPI_JSON_PATH="openapi.json")
    api = Api(
        app,
        spec_kwargs={
            "security": [{API_KEY: []}, {SESSION: []}],
            "info": {"description": "Sealed offers, proposals and contracts. All of the console's actions are here."},
            "servers": [{"url": "/"}],
        },
    )
    api.register_field(DecimalText, "string", "decimal")
    api.register_field(Timestamp, "string", "date-time")
    _document_security(api.spec, app.config["SESSION_COOKIE_NAME"])
    return api


def _document_security(spec: APISpec, cookie_name: str) -> None:
    spec.components.security_scheme(
        API_KEY, {"type": "http", "scheme": "bearer", "bearerFormat": "cd_<public id>_<secret>"}
    )
    spec.components.security_scheme(
        SESSION,
        {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie_name,
            "description": "A signed-in browser; changes need the header X-CSRFToken as well.",
        },
    )
