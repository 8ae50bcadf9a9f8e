"""Errors as answers: RFC 9457 problem documents under /api, pages elsewhere.

One table says which kind of refusal becomes which status and type; `/problems/<name>` explains each type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, json, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import orm
from werkzeug.exceptions import HTTPException, Unauthorized

from app.auth import is_api
from app.errors import Conflict, Forbidden, NotFound, Refused, Told
from app.languages import current_language
from app.logs import log, request_id
from market.errors import BadInput, InvalidValue, MarketError

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One type of problem: the last part of its URI, its status, and what it means."""

    name: str
    status: int
    title: str


# The first class that fits counts, so the special ones stand before the general.
DOMAIN_PROBLEMS: list[tuple[type[Exception], ProblemType]] = [
    (NotFound, ProblemType("not-found", 404, "There is no such record for you")),
    (Forbidden, ProblemType("forbidden", 403, "Not yours to do")),
    (Conflict, ProblemType("conflict", 409, "Not possible in the present state")),
    (BadInput, ProblemType("bad-input", 422, "The document has faults")),
    (InvalidValue, ProblemType("invalid-value", 422, "A value is not what its place expects")),
    (Refused, ProblemType("refused", 422, "Against a rule of the market")),
    (MarketError, ProblemType("refused", 422, "Against a rule of the market")),
    (orm.exc.StaleDataError, ProblemType("conflict", 409, "Somebody else changed the record meanwhile")),
]


def problem_types() -> dict[str, ProblemType]:
    """All types of problems by name: those of the domain, and one for each HTTP status from 400 on."""
    found = {_name_of(status): ProblemType(_name_of(status), status.value, status.phrase) for status in HTTPStatus}
    found = {name: problem for name, problem in found.items() if problem.status >= 400}
    return found | {problem.name: problem for _, problem in reversed(DOMAIN_PROBLEMS)}


def problem_document(problem: ProblemType, *, detail: str | None = None, **members: Any) -> dict[str, Any]:
    """The body of a problem answer; members without a value are left out."""
    document = {
        "type": f"/problems/{problem.name}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "instance": f"urn:request:{request_id()}" if request_id() else None,
        **members,
    }
    return {name: value for name, value in document.items() if value}


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(sa.exc.IntegrityError, _integrity_error)
    app.register_error_handler(sa.exc.DataError, _data_error)
    for error_class, _ in DOMAIN_PROBLEMS:
        app.register_error_handler(error_class, _domain_error)


def field_errors(messages: Mapping[str, Any]) -> list[dict[str, str]]:
    """Flatten the messages of a schema, by place ("json", "query", ...), into one entry per fault.

    A fault in the body carries a JSON pointer as a URI fragment (RFC 6901 section 6), one elsewhere the parameter.
    """
    found = []
    for place, nested in messages.items():
        for path, detail in _leaves(nested):
            if place in {"json", "form", "files", "multipart", "json_or_form"}:
                found.append({"pointer": "#" + "".join(f"/{_escape(part)}" for part in path), "detail": detail})
            else:
                found.append({"parameter": ".".join(map(str, path)) or place, "detail": detail})
    return found


def _leaves(nested: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(nested, Mapping):
        for key, inner in nested.items():
            yield from _leaves(inner, path if key == "_schema" else (*path, key))
    elif isinstance(nested, list | tuple):
        for inner in nested:
            yield from _leaves(inner, path)
    else:
        yield path, str(nested)


def _escape(part: Any) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None and error.code is None:
        return error.response
    status = error.code or 500
    if not is_api():
        return _page_for_sign_in(error) or _page(status, error.name, error.description, error)
    carried: dict[str, Any] = getattr(error, "data", None) or {}
    messages = carried.get("messages")
    errors = field_errors(messages) if isinstance(messages, Mapping) else None
    detail = carried.get("message") or ("; ".join(_sentences(errors)) if errors else error.description)
    problem = ProblemType(_name_of(HTTPStatus(status)), status, error.name)
    # The error's own answer keeps Allow, Retry-After and WWW-Authenticate.
    response = Response(status=status, headers=[pair for pair in error.get_headers() if pair[0] != "Content-Type"])
    for name, value in (carried.get("headers") or {}).items():
        response.headers[name] = value
    response.data = json.dumps(problem_document(problem, detail=detail, errors=errors))
    response.content_type = MEDIA_TYPE
    return response


def _sentences(errors: list[dict[str, str]]) -> list[str]:
    return [f"{error.get('pointer') or error['parameter']}: {error['detail']}" for error in errors]


def _domain_error(error: Exception) -> ResponseReturnValue:
    problem = next(problem for error_class, problem in DOMAIN_PROBLEMS if isinstance(error, error_class))
    members: dict[str, Any] = {}
    if isinstance(error, Conflict):
        members["open_moves"] = list(error.open_moves)
    if isinstance(error, Refused):
        members["errors"] = [
            {"pointer": f"#/{one.field}", "detail": str(one)} for one in (error, *error.further) if one.field
        ]
    if isinstance(error, BadInput):
        members["errors"] = [
            {
                "detail": f"{fault.found}; expected {fault.expected}",
                **({"detail_zh": f"{fault.found_zh}；应为{fault.expected_zh}"} if fault.expected_zh else {}),
                "place": fault.place,
                **({"row": fault.row} if fault.row is not None else {}),
                **({"column": fault.column} if fault.column is not None else {}),
            }
            for fault in error.faults
        ]
    detail = None if isinstance(error, orm.exc.StaleDataError) else str(error)
    if isinstance(error, Told):
        if not is_api():
            detail = error.text.in_language(current_language())
        elif error.text.zh != error.text.en:
            members["detail_zh"] = error.text.zh
    return _answer(problem, detail=detail, **members)


def _integrity_error(error: sa.exc.IntegrityError) -> ResponseReturnValue:
    """The database's own rules are the last line: named, and without the values that broke them."""
    diagnostics = getattr(error.orig, "diag", None)
    constraint = getattr(diagnostics, "constraint_name", None)
    log.warning("integrity_error", constraint=constraint, sqlstate=getattr(error.orig, "sqlstate", None))
    is_check = getattr(error.orig, "sqlstate", None) in {"23514", "23502"}
    problem = (
        ProblemType("rule-broken", 422, "A rule of the data is broken")
        if is_check
        else ProblemType("conflict", 409, "Not possible beside what is stored")
    )
    return _answer(problem, detail=f"The rule {constraint} does not hold." if constraint else None)


def _data_error(error: sa.exc.DataError) -> ResponseReturnValue:
    log.warning("data_error", sqlstate=getattr(error.orig, "sqlstate", None))
    return _answer(
        ProblemType("invalid-value", 422, "A value is not what its place expects"),
        detail="A value is out of range or holds a character that cannot be stored.",
    )


def _answer(problem: ProblemType, *, detail: str | None, **members: Any) -> ResponseReturnValue:
    if not is_api():
        return _page(problem.status, problem.title, detail, None)
    body = json.dumps(problem_document(problem, detail=detail, **members))
    return Response(body, status=problem.status, content_type=MEDIA_TYPE)


def _page_for_sign_in(error: HTTPException) -> ResponseReturnValue | None:
    if not isinstance(error, Unauthorized) or "Authorization" in request.headers:
        return None
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("sign_in.form", next=wanted))


def _page(status: int, title: str, detail: str | None, error: HTTPException | None) -> ResponseReturnValue:
    page = render_template("error.html", status=status, title=title, detail=detail, request_id=request_id())
    headers = [pair for pair in error.get_headers() if pair[0] != "Content-Type"] if error else []
    return page, status, headers


def _name_of(status: HTTPStatus) -> str:
    return re.sub(r"[^a-z]+", "-", status.phrase.lower()).strip("-")
