"""Every operation of the API, with requests made from its own document: no crash, and answers as documented."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy.orm import Session

from app.models import User
from app.transaction import Application

from ..factories import FirmAdminFactory, PlatformAdminFactory, SeniorStaffFactory

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 8
"""Requests made for each operation. To make one takes far longer than to send it, so each is sent by everybody."""


def test_no_request_that_fits_the_document_crashes(
    app: Application, session: Session, client_as: Callable[[User], FlaskClient]
) -> None:
    """The client of schemathesis is not ours: the application context is made for each request here."""
    people = (FirmAdminFactory(), SeniorStaffFactory(), PlatformAdminFactory())
    everybody = [headers_of(app, client_as(person)) for person in people]
    with app.app_context():
        document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    operations = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == sum(1 for _ in document.get_all_operations())
    for operation in operations:

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case: schemathesis.Case) -> None:
            for headers in everybody:
                with app.app_context():
                    case.call_and_validate(headers=headers, checks=CHECKS)

        try:
            ask()
        except Exception as error:
            pytest.fail(f"{operation.method.upper()} {operation.path}: {error}")
    assert all(is_signed_in(app, headers) for headers in everybody), "the sessions are good to the end"


def is_signed_in(app: Application, headers: dict[str, str]) -> bool:
    return app.test_client(use_cookies=False).get("/", headers=headers).status_code == 200


def headers_of(app: Application, browser: FlaskClient) -> dict[str, str]:
    """The headers with which a browser's session goes on."""
    name = app.config["SESSION_COOKIE_NAME"]
    cookie = browser.get_cookie(name)
    assert cookie
    return {"Cookie": f"{name}={cookie.value}", "User-Agent": browser.environ_base["HTTP_USER_AGENT"]}
